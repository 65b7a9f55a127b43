"""Compare ntk_helpers with Neural Tangents, in one interleaved run:  python benchmarks/run.py [--avx2]

The peer gets its own environment, _build/bench-venv. Each side, of ntk_helpers both engines, runs twice: confined to
one thread, whose CPU time is compared, and on two, whose wall time is compared. All are compiled and warm, and take
turns, one at a time; times are the least of several. With --avx2 all sides do without AVX-512, as on most laptops.
While others use the processor nothing is judged.
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
SIZES = 4000, 2000, 1000, 500  #: large ones first: once arrays of that size were freed, all sides keep their memory
MINUTES = 8  #: that a run takes at most
#: At each depth the least ratio to the peer of CPU times (median over n), and of wall times (each n from 2000 on);
#: NumPy's arctangent is that fast with AVX-512 only.
FLOORS = {"numpy": {1: (2, 2), 3: (3, 3), 10: (6, 5)}, "numba": {1: (3.5, 2), 3: (6, 3), 10: (10, 5)}}
#: At each depth the least ratio of NumPy's CPU times to compiled ones, each n from 2000 on, without AVX-512.
FASTER = {1: 2, 3: 3, 10: 3.5}
#: What keeps NumPy, its BLAS, Numba and JAX from using AVX-512.
AVX2 = {"NPY_DISABLE_CPU_FEATURES": " ".join(
            name for name in np.show_config(mode="dicts")["SIMD Extensions"].get("found", []) if name != "X86_V3"),
        "OPENBLAS_CORETYPE": "Haswell", "NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "",
        "XLA_FLAGS": "--xla_cpu_max_isa=AVX2"}


def tasks(dtype):
    base = {"kind": "symmetric", "activation": "relu", "depth": 3, "dtype": dtype}
    if dtype == "float64":
        yield from (base | {"n": n, "depth": depth} for depth in FLOORS["numpy"] for n in SIZES)
        yield from (base | {"n": n, "kind": "x2 given"} for n in (2000, 1000))
        yield from (base | {"n": n, "activation": "erf"} for n in (2000, 1000))
    else:
        yield from (base | {"n": n} for n in SIZES[:-1])
    yield from (base | {"n": 500, "kind": "empirical", "width": width} for width in (512, 2048))


class Side:
    """A process that runs side.py, confined to some threads."""

    def __init__(self, which, threads, dtype, changes):
        env = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": str(int(dtype == "float64"))}
        for name in ("NPROC", "BENCH_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):  # NPROC is JAX's
            env[name] = str(threads)
        env.pop("OPENBLAS_CORETYPE", None)  # each side chooses the instructions for this processor itself
        python = PEER_PYTHON if which == "peer" else sys.executable
        self.process = subprocess.Popen([python, HERE / "side.py", which], env=env | changes, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **request):
        print(json.dumps(request), file=self.process.stdin, flush=True)
        if answer := self.process.stdout.readline():
            return json.loads(answer)
        raise SystemExit(f"{self.process.args[2]} ended early, with exit code {self.process.wait()}.")


def measure(task, sides):
    """Return the peer's first call, and of each side the least CPU time on one thread, wall time on two."""
    sides = {key: side for key, side in sides.items() if key[0] != "numba" or task["kind"] != "empirical"}
    ready = {key: side.ask(task=task) for key, side in sides.items()}
    samples = np.array([answer["sample"] for answer in ready.values()])
    apart = np.ptp(samples, axis=0).max() / np.abs(samples).max()
    if not apart < (1e-6 if task["dtype"] == "float64" else 1e-2):
        raise SystemExit(f"The sides differ by {apart:.1g} of the largest entry, at {task}.")
    runs, start = [], time.perf_counter()
    while len(runs) < 3 or (len(runs) < 15 and time.perf_counter() - start < 2.5):
        runs.append({key: side.ask() for key, side in sides.items()})
    row = {key: min(run[key][{1: "cpu", 2: "wall"}[key[1]]] for run in runs) for key in sides}
    row |= {("ratio", *key): row["peer", key[1]] / row[key] for key in sides}
    return row | {"first": ready["peer", 2]["first"]}


def limit(task, costs):
    """Return the seconds that one thread of NumPy needs at least, by what main prints below the table."""
    n, depth, width, pairs = task["n"], task["depth"], task.get("width"), task["n"] * (task["n"] + 1) / 2
    if width:  # forward and backward; then at each map the product of its inputs and that of its signals
        forward, units = n * (64 * width + (depth - 1) * width**2), 64 + 2 * depth * width
        return 2 * (2 * forward + pairs * units) * costs["flop"] + 8 * n * n * costs["byte"]
    pair = costs["product"] + depth * (costs["root"] + costs["angle"])
    return pairs * pair + 16 * n * n * costs["byte"]


def verdicts(rows, wide):
    """Yield what is stated, what was measured and the least that it should be."""
    relu = {(t["n"], t["depth"]): row for t, row in rows
            if (t["kind"], t["activation"], t["dtype"]) == ("symmetric", "relu", "float64")}
    engines = ["numpy", "numba"] if wide else ["numba"]
    for engine in engines:
        for depth, (cpu, wall) in FLOORS[engine].items():
            one, two = ([relu[n, depth]["ratio", engine, threads] for n in SIZES] for threads in (1, 2))
            yield f"{engine}, CPU, relu, depth {depth}, median over n", median(one), cpu
            yield f"{engine}, wall, relu, depth {depth}, least from n = 2000 on", min(two[:2]), wall
    for depth, floor in {} if wide else FASTER.items():
        gains = [row["numpy", 1] / row["numba", 1] for (n, at), row in relu.items() if at == depth and n >= 2000]
        yield f"numba against numpy, CPU, relu, depth {depth}, least from n = 2000 on", min(gains), floor
    for engine in engines:
        ratios = [row["ratio", engine, 2] for t, row in rows if t["kind"] == "x2 given"]
        yield f"{engine}, wall, x2 given, least", min(ratios), 2
    for name, entry, floor in (("erf", ("activation", "erf"), 3), ("float32", ("dtype", "float32"), 5)):
        ratios = [row["ratio", "numba", 1] for t, row in rows if entry in t.items() and t["kind"] != "empirical"]
        yield f"numba, CPU, {name}, depth 3, median over n", median(ratios), floor
    for task, row in rows:
        if task.get("width") == 2048:
            for threads, time_of in ((1, "CPU"), (2, "wall")):
                floor = 3 if task["dtype"] == "float64" else 2.5
                yield f"{time_of}, empirical NTK of width 2048, {task['dtype']}", row["ratio", "numpy", threads], floor
    ratios = [ratio for _, row in rows for key, ratio in row.items() if key[0] == "ratio" and key[2] == 2]
    yield "wall, anything, least", min(ratios), 1


def make_environment():
    made = VENV / "made"
    if not made.exists() or made.read_text() != LIST.read_text():
        print("Making _build/bench-venv (700 MB).", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
        subprocess.run([PEER_PYTHON, "-m", "pip", "install", "-qq", "--no-deps", "-r", LIST], check=True)
        made.write_text(LIST.read_text())


def read(path):
    return Path(path).read_text() if Path(path).exists() else ""


def describe(changes):
    """Print what is compared, and where; return whether there is AVX-512."""
    info = read("/proc/cpuinfo")
    wide = "avx512f" in info and not changes
    print(*re.findall(r"model name\s*: (.*)", info)[:1] or [platform.processor()], "with" if wide else "without",
          "AVX-512," + " which it has," * ("avx512f" in info and not wide), os.cpu_count(), "cores; Python",
          platform.python_version(), "NumPy", np.__version__,
          *re.findall(r"\b(?:jax|neural-tangents)==.*", LIST.read_text()))
    return wide


def used():
    """Return the time, and the seconds of processor time used so far by all and by this and its ended processes."""
    hundredths = [int(entry) for entry in read("/proc/stat").split("\n")[0].split()[1:9]]  # of which two are idle
    return time.perf_counter(), (sum(hundredths) - sum(hundredths[3:5])) / 100, sum(os.times()[:4])


def refuse_if_busy(since):
    """End the run if others have used a tenth of a core since then."""
    seconds, total, own = (now - before for now, before in zip(used(), since))
    if (cores := (total - own) / seconds) > 0.1:
        raise SystemExit(f"The machine is busy, others use {cores:.1f} of {os.cpu_count()} cores: nothing is judged. "
                         f"It has to be quiet for {MINUTES} minutes.")


def main():
    make_environment()
    changes = AVX2 if "--avx2" in sys.argv else {}
    wide = describe(changes)
    start = used()
    time.sleep(3)
    refuse_if_busy(start)
    start, rows = used(), []
    print(f"\n{'':44} {'peer:':>7} {'one thread, CPU':^37}   {'two threads, wall':^37}   {'NumPy, one thread':^15}")
    print(f"{'milliseconds':44}   first", "   peer   numpy   ratio   numba   ratio " * 2 + "  limit numpy/it")
    for dtype in ("float64", "float32"):
        sides = {(which, threads): Side(which, threads, dtype, changes)
                 for threads in (1, 2) for which in ("peer", "numpy", "numba")}
        if dtype == "float64":
            costs = sides["numpy", 1].ask(costs=True)
        for task in tasks(dtype):
            row = measure(task, sides)
            rows.append((task, row))
            cells = [row["first"]]
            for threads in (1, 2):
                cells.append(row["peer", threads])
                for engine in ("numpy", "numba"):
                    cells += [row.get((engine, threads), np.nan), 1e-3 * row.get(("ratio", engine, threads), np.nan)]
            if dtype == "float64" and task["activation"] == "relu" and task["kind"] != "x2 given":
                cells += [limit(task, costs), 1e-3 * row["numpy", 1] / limit(task, costs)]
            print(f"{', '.join(map(str, task.values())):44}",
                  *(f"{1e3 * cell:7.1f}" if cell == cell else 7 * " " for cell in cells), flush=True)
        for side in sides.values():
            side.process.communicate()
    ns = {name: 1e9 * cost for name, cost in costs.items()}
    print("\nLimit: {:.1f} GB/s into new arrays; for a pair {product:.2f} ns to multiply its inputs, in each"
          " layer\n{root:.2f} ns for a square root and {angle:.2f} ns for an arctangent; empirical: matrix"
          " products at {:.0f} Gflop/s.\n".format(1 / ns["byte"], 1 / ns["flop"], **ns))
    print(f"{time.perf_counter() - start[0]:.0f} s")
    refuse_if_busy(start)
    for statement, measured, floor in verdicts(rows, wide):
        print(f"{'✓' if measured >= floor else '✗'} {statement}: {measured:.2f} (floor {floor})")


if __name__ == "__main__":
    main()
