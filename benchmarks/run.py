"""Compare ntk_helpers with Neural Tangents, in one interleaved run:  python benchmarks/run.py

The peer gets its own environment, _build/bench-venv. Each side runs twice: confined to one thread, whose CPU
time is compared, and on two, whose wall time is compared. All are compiled and warm, and take turns, one at a
time; times are medians. Wall times mean something only while the machine has nothing else to do.
"""
import json
import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).resolve().parent
LIST = HERE / "requirements.txt"
VENV = HERE.parent / "_build" / "bench-venv"
PEER_PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
SIZES = 500, 1000, 2000, 4000
#: At each depth the least ratio of CPU times (median over n), and of wall times (each n from 2000 on).
FLOORS = {1: (2, 2), 3: (3, 3), 10: (6, 5)}


def tasks(dtype):
    base = {"kind": "symmetric", "activation": "relu", "depth": 3, "dtype": dtype}
    if dtype == "float64":
        yield from (base | {"n": n, "depth": depth} for depth in FLOORS for n in SIZES)
        yield from (base | {"n": n, "kind": "x2 given"} for n in (1000, 2000))
        yield from (base | {"n": n, "activation": "erf"} for n in (1000, 2000))
    else:
        yield from (base | {"n": n} for n in SIZES[1:])
    yield from (base | {"n": 500, "kind": "empirical", "width": width} for width in (512, 2048))


class Side:
    """A process that runs side.py, confined to some threads."""

    def __init__(self, python, which, threads, dtype):
        env = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": str(int(dtype == "float64"))}
        for name in ("NPROC", "BENCH_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # NPROC is JAX's
            env[name] = str(threads)
        env.pop("OPENBLAS_CORETYPE", None)  # both sides choose the instructions for this processor themselves
        self.process = subprocess.Popen([python, HERE / "side.py", which], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        if answer := self.process.stdout.readline():
            return json.loads(answer)
        raise SystemExit(f"{self.process.args[2]} ended early, with exit code {self.process.wait()}.")


def measure(task, sides):
    """Return the peer's first call, and of both sides the median CPU time on one thread, wall time on two."""
    ready = {key: side.ask(task=task) for key, side in sides.items()}
    samples = np.array([answer["sample"] for answer in ready.values()])
    apart = np.ptp(samples, axis=0).max() / np.abs(samples).max()
    if not apart < (1e-6 if task["dtype"] == "float64" else 1e-2):
        raise SystemExit(f"The two sides differ by {apart:.1g} of the largest entry, at {task}.")
    runs, start = [], time.perf_counter()
    while len(runs) < 3 or (len(runs) < 15 and time.perf_counter() - start < 2.5):
        runs.append({key: side.ask() for key, side in sides.items()})
    row = {key: median(run[key][{1: "cpu", 2: "wall"}[key[1]]] for run in runs) for key in sides}
    row |= {("ratio", threads): row["peer", threads] / row["ours", threads] for threads in (1, 2)}
    return row | {"first": ready["peer", 2]["first"]}


def limit(task, costs):
    """Return the seconds that one thread needs at least, by what main prints below the table."""
    n, depth, width, pairs = task["n"], task["depth"], task.get("width"), task["n"] * (task["n"] + 1) / 2
    if width:  # forward and backward; then at each map the product of its inputs and that of its signals
        forward, units = n * (64 * width + (depth - 1) * width**2), 64 + 2 * depth * width
        return 2 * (2 * forward + pairs * units) * costs["flop"] + 8 * n * n * costs["byte"]
    pair = costs["product"] + depth * (costs["root"] + costs["angle"])
    return pairs * pair + 16 * n * n * costs["byte"]


def verdicts(rows):
    relu = {(t["n"], t["depth"]): row for t, row in rows
            if (t["kind"], t["activation"], t["dtype"]) == ("symmetric", "relu", "float64")}
    for depth, (cpu, wall) in FLOORS.items():
        one, two = ([relu[n, depth]["ratio", threads] for n in SIZES] for threads in (1, 2))
        yield f"CPU, relu, depth {depth}, median over n", median(one), cpu
        yield f"wall, relu, depth {depth}, least from n = 2000 on", min(two[2:]), wall
    yield "wall, x2 given, least", min(row["ratio", 2] for t, row in rows if t["kind"] == "x2 given"), 2
    for task, row in rows:
        if task.get("width") == 2048:
            for threads, time_of in ((1, "CPU"), (2, "wall")):
                floor = 3 if task["dtype"] == "float64" else 2.5
                yield f"{time_of}, empirical NTK of width 2048, {task['dtype']}", row["ratio", threads], floor
    yield "wall, anything, least", min(row["ratio", 2] for _, row in rows), 1


def make_environment():
    made = VENV / "made"
    if not made.exists() or made.read_text() != LIST.read_text():
        print("Making _build/bench-venv (700 MB).", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([PEER_PYTHON, "-m", "pip", "install", "-qq", "--no-deps", "-r", LIST], check=True)
        made.write_text(LIST.read_text())


def describe():
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    print(*re.findall(r"model name\s*: (.*)", info)[:1] or [platform.processor()],
          "with AVX-512," * ("avx512f" in info), os.cpu_count(), "cores; Python", platform.python_version(),
          "NumPy", np.__version__, *re.findall(r"\b(?:jax|neural-tangents)==.*", LIST.read_text()))
    if (load := getattr(os, "getloadavg", lambda: [0])()[0]) > 0.5:
        print(f"The machine is busy (load {load:.1f}): do not trust the wall times.")


def main():
    make_environment()
    describe()
    start, rows = time.perf_counter(), []
    print(f"\n{'':44} {'peer:':>7} {'one thread, CPU':^23} {'two threads, wall':^23} {'one thread':^15}")
    print(f"{'milliseconds':44}   first", "   peer    ours   ratio " * 2 + "  limit ours/it")
    for dtype in ("float64", "float32"):
        sides = {(which, threads): Side(python, which, threads, dtype) for threads in (1, 2)
                 for which, python in (("peer", PEER_PYTHON), ("ours", sys.executable))}
        if dtype == "float64":
            costs = sides["ours", 1].ask(costs=True)
        for task in tasks(dtype):
            row = measure(task, sides)
            rows.append((task, row))
            cells = [1e3 * row["first"]]
            for threads in (1, 2):
                cells += [1e3 * row["peer", threads], 1e3 * row["ours", threads], row["ratio", threads]]
            if dtype == "float64" and task["activation"] == "relu" and task["kind"] != "x2 given":
                cells += [1e3 * limit(task, costs), row["ours", 1] / limit(task, costs)]
            print(f"{', '.join(map(str, task.values())):44}", *(f"{cell:7.1f}" for cell in cells), flush=True)
        for side in sides.values():
            side.process.communicate()
    ns = {name: 1e9 * cost for name, cost in costs.items()}
    print("\nLimit: {:.1f} GB/s into new arrays; for a pair {product:.2f} ns to multiply its inputs, in each"
          " layer\n{root:.2f} ns for a square root and {angle:.2f} ns for an arctangent; empirical: matrix"
          " products at {:.0f} Gflop/s.\n".format(1 / ns["byte"], 1 / ns["flop"], **ns))
    for statement, measured, floor in verdicts(rows):
        print(f"{'✓' if measured >= floor else '✗'} {statement}: {measured:.2f} (floor {floor})")
    print(f"{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
