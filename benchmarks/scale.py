"""Kernel ridge regression of 1,000 to 60,000 examples:  python benchmarks/scale.py [LARGEST]  adds to scale.csv.

Each row is a process of its own, and is written once it is complete. An interrupted run goes on where it was: rows that
are there are not done again, nor are iterations. The rows of Neural Tangents, its kernel alone, need the environment
that run.py makes. Peak memory is read as Linux gives it.
"""
import csv
import json
import os
import platform
import subprocess
import sys
import time
from datetime import date
from importlib.metadata import version
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
TABLE, WORK = HERE / "scale.csv", HERE.parent / "_build" / "scale"
PEER = HERE.parent / "_build" / "bench-venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SIZES, TEST = (1000, 2000, 4000, 8000, 16_000, 30_000, 60_000), 5000
PEER_BYTES = 18 * 10**9  #: of address space that the peer may take
FIELDS = ("n", "setup", "kernel_s", "solve_s", "peak_gb", "iterations", "residual", "test_error", "apart", "machine",
          "versions", "date", "resumed")
SETUPS = {"Cholesky": 8000, "one process": 60_000, "two workers": 60_000, "Neural Tangents": 60_000}  # up to n


def data():
    """Return n = 60,000 examples for training and the test examples, made once."""
    from ntk_helpers import mnist1d

    path = WORK / "data.npz"
    if not path.exists():
        part = path.with_suffix(".part.npz")
        np.savez(part, **mnist1d(np.random.default_rng(0), SIZES[-1], TEST)._asdict())
        os.replace(part, path)
    return np.load(path)


def ours(n, setup):
    """Return the row of one run with ntk_helpers, and keep its predictions."""
    import resource

    import dask
    from distributed import Client, LocalCluster

    from ntk_helpers import mlp, relu, scale

    task, start, marks = data(), time.perf_counter(), {}
    arch = mlp(3, relu, 2**0.5, 0.1)
    x, y = task["x_train"][:n], task["y_train"][:n]
    if setup == "two workers":
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=None, dashboard_address=":0")
        client = Client(cluster)
        start = time.perf_counter()
    else:
        dask.config.set(scheduler="threads", num_workers=2)

    def tell(line):
        marks.setdefault(line.split(":")[0], time.perf_counter() - start)
        print(f"{time.perf_counter() - start:6.1f} s  {line}", file=sys.stderr, flush=True)

    kernel, cross = scale.kernel(arch, x), scale.kernel(arch, task["x_test"], x)
    checkpoint = WORK / f"{n}-{setup}-coefficients.npy"
    resumed = "yes" if checkpoint.exists() else ""  # seconds and iterations are then those of the last part
    result = scale.kernel_ridge(kernel, y, cross, ridge=0.01, rank=None if setup == "Cholesky" else min(1000, n // 8),
                                rng=np.random.default_rng(0), checkpoint=checkpoint, progress=tell)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if setup == "two workers":
        peak += sum(client.run(lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss).values())
        client.close()
        cluster.close()
    first, apart = WORK / f"{n}-one process.npy", ""
    if setup == "one process":
        np.save(first, result.prediction)
    elif first.exists():
        apart = f"{np.abs(result.prediction - np.load(first)).max():.1e}"
    checkpoint.unlink(missing_ok=True)
    held = marks.get("kernel", 0)
    row = {"kernel_s": held, "solve_s": seconds - held, "peak_gb": peak * 1024 / 1e9}
    return {name: f"{value:.2f}" for name, value in row.items()} | {
        "iterations": result.iterations, "resumed": resumed, "residual": f"{result.residual.max():.1e}", "apart": apart,
        "test_error": f"{(result.prediction.argmax(axis=1) != task['labels_test']).mean():.4f}",
        "versions": " ".join(f"{name} {version(name)}" for name in ("numpy", "scipy", "dask"))}


def peer(n):
    """Return the row of Neural Tangents: both kernels, compiled, as run.py asks for them."""
    import resource

    import side

    resource.setrlimit(resource.RLIMIT_AS, (PEER_BYTES, PEER_BYTES))
    side.DIM = 40
    call = side.peer("symmetric", "relu", 3, n, "float32")
    call()
    start = time.perf_counter()
    call()
    return {"kernel_s": f"{time.perf_counter() - start:.2f}",
            "versions": f"neural-tangents {version('neural-tangents')}",
            "peak_gb": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9:.2f}"}


def machine():
    names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
             if line.startswith("model name")] if os.path.exists("/proc/cpuinfo") else []
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, {gigabytes:.0f} GB"


def rows():
    if not TABLE.exists():
        return []
    with TABLE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main(largest):
    WORK.mkdir(parents=True, exist_ok=True)
    for n in (size for size in SIZES if size <= largest):
        for setup, most in SETUPS.items():
            if n > most or any((row["n"], row["setup"]) == (str(n), setup) for row in rows()):
                continue
            if setup == "Neural Tangents" and not PEER.exists():
                continue
            print(f"{n} examples, {setup}", file=sys.stderr, flush=True)
            python = PEER if setup == "Neural Tangents" else sys.executable
            done = subprocess.run([python, __file__, str(n), setup], stdout=subprocess.PIPE, text=True, check=False,
                                  env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"})
            if done.returncode and setup != "Neural Tangents":
                raise SystemExit(f"{n} examples, {setup}: exit code {done.returncode}.")
            row = dict.fromkeys(FIELDS, "") | {"n": n, "setup": setup, "machine": machine(), "date": date.today()}
            row |= json.loads(done.stdout) if not done.returncode else {"kernel_s": "failed"}
            old, part = rows(), TABLE.with_suffix(".part")
            with part.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(sorted([*old, row], key=lambda row: (int(row["n"]), [*SETUPS].index(row["setup"]))))
            os.replace(part, TABLE)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        size, kind = int(sys.argv[1]), sys.argv[2]
        print(json.dumps(peer(size) if kind == "Neural Tangents" else ours(size, kind)))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else SIZES[-1])
