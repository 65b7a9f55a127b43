"""Compare convolutional kernels with those of Neural Tangents:  python benchmarks/images.py

Images of 8 by 8 pixels, three layers of 3 by 3 filters, ReLU, float64, one thread. For its peak of memory every
measurement has a process of its own; CPU times are the least of four runs after a first, in which the peer compiles.
"""
import json
import math
import os
import resource
import subprocess
import sys
import time
import warnings
from unittest.mock import MagicMock

import numpy as np

#: Of each head numbers of images, and the least ratio of CPU times at the first; of memory it is 8. The growth is that
#: of ntk_helpers alone, from the second number to the third. Pooled, an image with itself, whose pixels are parallel,
#: takes as long as six others: a part that grows like n, and keeps the exponent below 2.
CASES = {"gap": ((60, 120, 240), 5), "flatten": ((300, 600, 1200), 3)}
WEIGHT_STD, BIAS_STD = 2**0.5, 0.1


def ours(head, x):
    """Return a call without arguments that computes both kernels with ntk_helpers."""
    from ntk_helpers import cnn, relu
    arch = cnn(3, relu, 3, head, WEIGHT_STD, BIAS_STD)
    return lambda: arch.kernels(x)


def peer(head, x):
    """Return a call without arguments that computes both kernels with Neural Tangents, compiled."""
    warnings.simplefilter("ignore")
    # Imported by neural-tangents, used for nothing here; with them come 2 GB.
    sys.modules.update((name, MagicMock()) for name in ("tensorflow", "tf2jax", "jax.experimental.jax2tf"))
    import jax
    from neural_tangents import stax
    layers = [stax.Conv(1, (3, 3), padding="SAME", W_std=WEIGHT_STD, b_std=BIAS_STD), stax.Relu()] * 3
    end = stax.GlobalAvgPool() if head == "gap" else stax.Flatten()
    kernel = stax.serial(*layers, end, stax.Dense(1, WEIGHT_STD, BIAS_STD))[2]
    compiled, x = jax.jit(lambda x: tuple(kernel(x, None, ("nngp", "ntk")))), jax.numpy.asarray(x[..., None])
    return lambda: jax.block_until_ready(compiled(x))


def side(prepare, head, n):
    """Print what one measurement gave."""
    call, seconds = prepare(head, np.random.default_rng(0).standard_normal((n, 8, 8))), []
    sample = [np.asarray(part)[0, :9].tolist() for part in call()]
    for _ in range(4):
        start = time.process_time()
        call()
        seconds.append(time.process_time() - start)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    print(json.dumps({"cpu": min(seconds), "peak": kilobytes / 1024, "sample": sample}))


def main():
    from run import PEER_PYTHON, describe, make_environment
    make_environment()
    describe(*[{}] * describe.__code__.co_argcount)
    env = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"} | dict.fromkeys(
        ("NPROC", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    failed = False
    for head, (sizes, floor) in CASES.items():
        def measure(name, n, head=head):
            call = [PEER_PYTHON if name == "peer" else sys.executable, __file__, name, head, str(n)]
            return json.loads(subprocess.run(call, env=env, check=True, text=True, stdout=subprocess.PIPE).stdout)

        rows = [(measure("peer", n), measure("ours", n)) for n in sizes[:2]]
        for n, (theirs, mine) in zip(sizes, rows):
            apart = np.subtract(theirs["sample"], mine["sample"])
            assert np.abs(apart).max() < 1e-6 * np.abs(mine["sample"]).max(), f"the sides differ at {head}, {n}"
            print(f"{head:8} n = {n:4}: CPU {theirs['cpu']:.3f} s and {mine['cpu']:.3f} s, "
                  f"ratio {theirs['cpu'] / mine['cpu']:.1f}; peak {theirs['peak']:.0f} and {mine['peak']:.0f} MB, "
                  f"ratio {theirs['peak'] / mine['peak']:.1f}", flush=True)
        theirs, mine = rows[0]
        growth = math.log2(measure("ours", sizes[2])["cpu"] / rows[1][1]["cpu"])
        for what, got, low, high in (("CPU ratio", theirs["cpu"] / mine["cpu"], floor, math.inf),
                                     ("memory ratio", theirs["peak"] / mine["peak"], 8, math.inf),
                                     ("growth in n, exponent", growth, 1.9, 2.1)):
            failed |= not low <= got <= high
            print("✓" if low <= got <= high else "✗", f"{head}, {what}: {got:.2f} ({low} to {high})")
    sys.exit(failed)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        side({"ours": ours, "peer": peer}[sys.argv[1]], sys.argv[2], int(sys.argv[3]))
    else:
        main()
