"""One side of the benchmark:  python side.py numpy|numba|peer  answers requests on its input, a line of JSON each.

{"task": {...}} prepares a task: time of its first call (the peer's compiles), a few entries of the result; {}
runs it again, a short one several times: least wall and CPU seconds, of all threads; {"costs": true} measures what
the machine can do at best.
"""
import json
import os
import sys
import time
import timeit
import warnings
from functools import partial
from itertools import pairwise
from unittest.mock import MagicMock

import numpy as np

DIM, WEIGHT_STD, BIAS_STD = 64, 2**0.5, 0.1
TURN = 0.02  #: seconds; the first call of a turn of a few milliseconds finds the caches filled by the other side


def main(prepare):
    for line in sys.stdin:
        request = json.loads(line)
        if "costs" in request:
            answer = costs()
        elif "task" in request:
            call = None  # frees what the last task held
            call = prepare(**request["task"])
            start = time.perf_counter()
            results = [np.asarray(a) for a in call()]
            answer = {"first": time.perf_counter() - start, "sample": [a[:9, -9:].tolist() for a in results]}
        else:
            answer, end = {"wall": np.inf, "cpu": np.inf}, time.perf_counter() + TURN
            while time.perf_counter() < end:
                wall, cpu = time.perf_counter(), time.process_time()
                results = call()
                spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
                answer = {name: min(answer[name], spent[name]) for name in answer}
                results = None
        results = None
        print(json.dumps(answer), flush=True)


def inputs(kind, n, dtype):
    x1, x2 = np.random.default_rng(0).standard_normal((2, n, DIM)).astype(dtype)
    return x1, x2 if kind == "x2 given" else None


def ours(kind, activation, depth, n, dtype, width=None, engine="numpy"):
    """Return a call without arguments that computes the task's kernels with ntk_helpers."""
    from ntk_helpers import activations
    from ntk_helpers.layers import mlp

    arch = mlp(depth, getattr(activations, activation), WEIGHT_STD, BIAS_STD)
    x1, x2 = inputs(kind, n, dtype)
    if kind == "empirical":
        net = arch.init(np.random.default_rng(1), width=width, inputs=DIM, dtype=np.dtype(dtype))
        return lambda: (net.ntk(x1),)
    threads = int(os.environ["BENCH_THREADS"])
    return lambda: arch.kernels(x1, x2, dtype=np.dtype(dtype), threads=threads, engine=engine)


def peer(kind, activation, depth, n, dtype, width=1):
    """Return a call without arguments that computes the task's kernels with Neural Tangents, compiled."""
    warnings.simplefilter("ignore")
    # Imported by neural-tangents, used for nothing here; with them come 2 GB.
    sys.modules.update((name, MagicMock()) for name in ("tensorflow", "tf2jax", "jax.experimental.jax2tf"))
    import jax
    import jax._src.source_info_util
    from jax.interpreters import ad

    # The structured implementation looks for these here, where they no longer are.
    ad.source_info_util, ad.config = jax._src.source_info_util, jax.config
    import neural_tangents as nt
    from neural_tangents import stax

    layers = [stax.Dense(width, WEIGHT_STD, BIAS_STD), getattr(stax, activation.title())()] * depth
    _, apply, kernel = stax.serial(*layers, stax.Dense(1, WEIGHT_STD, BIAS_STD))
    x1, x2 = (x if x is None else jax.numpy.asarray(x) for x in inputs(kind, n, dtype))
    if kind == "empirical":
        rng, params = np.random.default_rng(1), []
        for a, b in pairwise([DIM, *[width] * depth, 1]):  # the numbers that ntk_helpers draws, in its order
            draw = rng.standard_normal((a, b)), rng.standard_normal(b)
            params += [tuple(jax.numpy.asarray(part.astype(dtype)) for part in draw), ()]
        structured = nt.NtkImplementation.STRUCTURED_DERIVATIVES
        theta = jax.jit(nt.empirical_ntk_fn(apply, vmap_axes=0, implementation=structured))
        return lambda: jax.block_until_ready((theta(x1, None, params[:-1]),))
    compiled = jax.jit(lambda x1, x2: tuple(kernel(x1, x2, ("nngp", "ntk"))))
    return lambda: jax.block_until_ready(compiled(x1, x2))


def costs():
    """Return the least seconds that NumPy takes for one byte of a new array, one square root, and so on."""
    def best(function, count):
        return min(timeit.repeat(function, number=1, repeat=20, timer=time.process_time)) / count

    rng = np.random.default_rng(0)
    x, a, b, c = (rng.random(shape) for shape in ((256, 256), (256, DIM), (DIM, 256), (1024, 1024)))
    out = np.empty_like(x)
    return {"byte": best(lambda: np.empty(2**23).fill(1.0), 2**26),
            "root": best(lambda: np.sqrt(x, out=out), x.size),
            "angle": best(lambda: np.arctan(x, out=out), x.size),
            "product": best(lambda: np.matmul(a, b, out=out), x.size),
            "flop": best(lambda: c @ c, 2 * 1024**3)}


if __name__ == "__main__":
    main({"numpy": ours, "numba": partial(ours, engine="numba"), "peer": peer}[sys.argv[1]])
