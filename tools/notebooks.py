"""The one place that executes chapters.

    python tools/notebooks.py run              # those whose outputs are not in the cache: what the book needs
    python tools/notebooks.py refresh [paths]  # and write the outputs back, in the normal form
    python tools/notebooks.py seeds [paths]    # with NTK_SEED=1, 2, ... 10: does every claim still hold?
    python tools/notebooks.py portable [paths] # as on an old processor: are the committed outputs still right?
"""
import argparse
import asyncio
import csv
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from pathlib import Path

# Heavy imports are inside functions: the Sphinx extension and conftest.py import this module too.

ROOT = Path(__file__).resolve().parent.parent
CACHES = ROOT / "_build" / ".jupyter_cache"
PACKAGES = [ROOT / "ntk_helpers", ROOT / "ntk_figures"]
SEEDS = ROOT / "book" / "seeds.csv"  # the range of each claim's number, written by `seeds`
TIMEOUT = 300  # seconds for one cell
JOBS = 2       # chapters executed at once

# Not kept beside text/plain in a committed notebook, and not compared by nbval.
PICTURES = ("image/png", "image/jpeg", "image/svg+xml", "text/html", "application/javascript",
            "application/vnd.jupyter.widget-view+json")
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def kernel_environment():
    """Return the environment variables in which a chapter runs, whoever runs it."""
    defaults = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    defaults["MPLCONFIGDIR"] = str(ROOT / "_build" / "matplotlib")  # matplotlib warns where the home is read-only
    return defaults | os.environ | {
        "NTK_STATIC": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",         # the kernel of this environment, not one of the user's
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning of the debugger's on stderr
    }


def pages():
    """Return the documents of _toc.yml in reading order: paths relative to the root, without suffix."""
    import yaml

    def walk(node):
        if isinstance(node, list):
            for entry in node:
                yield from walk(entry)
        elif node:
            for key in ("root", "file"):
                if key in node:
                    yield re.sub(r"\.(md|ipynb)$", "", node[key])
            for key in ("parts", "chapters", "sections"):
                yield from walk(node.get(key))

    return list(walk(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))))


def chapters():
    """Return the paths of the notebooks among the pages."""
    return [path for page in pages() if (path := ROOT / f"{page}.ipynb").exists()]


def hash_files(paths, *more):
    """Return a short hash of some files of the project, names and contents, and of more values."""
    result = hashlib.sha256(repr(more).encode())
    for path in sorted(paths):
        result.update(repr((path.relative_to(ROOT).as_posix(), path.read_bytes())).encode())
    return result.hexdigest()[:16]


def digest():
    """Return a hash of all that a chapter's outputs depend on besides its own cells."""
    packages = [path for package in PACKAGES for path in package.rglob("*")  # with the data they bundle
                if path.is_file() and "__pycache__" not in path.parts]
    seed = os.environ.get("NTK_SEED", "0")
    tables = ROOT.glob("benchmarks/*.csv")
    return hash_files([*packages, *tables, ROOT / "requirements.txt"], sys.version_info[:2], seed)


def cache_path():
    """Return the folder of the execution cache that holds for the present digest()."""
    return CACHES / digest()


class CellFailed(Exception):
    """A cell failed: the message is one line, report() the whole story."""

    def __init__(self, run, number, source, error, traceback=""):
        super().__init__(f"{run.name}, code cell {number}: {error.strip().splitlines()[0]}")
        self.path, self.number, self.source = run.path, number, source
        self.error, self.traceback = error, traceback

    def report(self):
        """Return the traceback, then which chapter and cell, its source and the error."""
        path = self.path.relative_to(ROOT).as_posix() if self.path.is_relative_to(ROOT) else self.path
        source = textwrap.indent(self.source, "    ")
        story = (f"{self.traceback}\n\n{path} failed in code cell {self.number}:\n\n"
                 f"{source}\n\n{self.error}").strip()
        return story if sys.stderr.isatty() else re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", story)


class Run:
    """One execution of one chapter in a kernel of its own."""

    def __init__(self, path, seed=None):
        self.path = Path(path).resolve()
        self.name = self.path.stem if seed is None else f"{self.path.stem}, seed {seed}"
        self.seed = seed
        self.started = self.kernel = None  # time, process
        self.cancelled = False
        self.cells = self.done = 0         # code cells: all, executed
        self.seconds = self.cpu = 0.0
        self.claims = []                   # what claim() and verify() tell, each with the number of its code cell
        self.notebook = self.error = None  # what came of it: one of the two

    def execute(self):
        """Execute the chapter; set `notebook`, or `error` to the CellFailed that stopped it."""
        import nbformat
        import psutil
        from nbclient import NotebookClient

        self.started = time.monotonic()
        notebook = nbformat.read(self.path, as_version=4)
        code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
        self.cells = len(code)
        number, cell = 0, nbformat.v4.new_code_cell()

        def before(cell_index, **_):
            nonlocal number, cell
            number, cell = code.index(cell_index) + 1, notebook.cells[cell_index]
            self.kernel = psutil.Process(client.km.provisioner.pid)
            if self.cancelled:
                raise InterruptedError("interrupted")

        def after(execute_reply, **_):
            self.done = number
            with suppress(psutil.Error):
                self.cpu = sum(self.kernel.cpu_times()[:4])  # its own and its children's, user and system
            rows = ledger.read_text(encoding="utf-8").splitlines()[len(self.claims):]
            self.claims += [{"cell": number, **json.loads(row)} for row in rows]
            warning = "".join(output.text for output in cell.outputs if output.get("name") == "stderr")
            if warning and execute_reply["content"]["status"] == "ok":
                raise CellFailed(self, number, cell.source, f"output on stderr: {warning}")

        client = NotebookClient(
            notebook, timeout=TIMEOUT, kernel_name="python3", record_timing=False,
            extra_arguments=["--log-level=ERROR"],  # not: "running over TCP without encryption"
            resources={"metadata": {"path": str(self.path.parent)}},
            on_cell_execute=before, on_cell_executed=after)
        environment = kernel_environment()
        if self.seed is not None:
            environment["NTK_SEED"] = str(self.seed)
        os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # it is this process that looks for the kernel
        file, name = tempfile.mkstemp()
        os.close(file)
        ledger, environment["NTK_LEDGER"] = Path(name), name
        try:
            asyncio.run(client.async_execute(env=environment))
            self.notebook = notebook
        except CellFailed as error:
            self.error = error
        except Exception as error:  # noqa: BLE001 -- the cell raised; or a time-out, a dead kernel, ...
            for output in cell.outputs:
                if output.output_type == "error":
                    message, traceback = f"{output.ename}: {output.evalue}", "\n".join(output.traceback)
                    break
            else:
                message, traceback = f"{type(error).__name__}: {error}", ""
            self.error = CellFailed(self, number, cell.source, message, traceback)
        finally:
            ledger.unlink()
        self.seconds = time.monotonic() - self.started

    def cancel(self):
        """End the execution soon, from another thread."""
        self.cancelled = True
        if self.kernel:
            with suppress(Exception):
                self.kernel.kill()

    def __str__(self):
        end = f"FAILED in code cell {self.error.number}" if self.error else f"{self.cells} code cells"
        return f"{self.name}: {end}, {self.seconds:.1f} s ({self.cpu:.1f} s CPU)"


def execute(path, seed=None):
    """Execute a notebook in its own folder and return it with its outputs; raise CellFailed."""
    run = Run(path, seed)
    run.execute()
    if run.error:
        raise run.error
    return run.notebook


def execute_all(runs, keep=lambda run: None, stop=True):
    """Execute runs, two at a time, telling of the progress; return the failures.

    `keep` is called with each run that succeeds. With `stop`, no run is begun after a failure.
    """
    tty = sys.stdout.isatty()
    clear = "\r\x1b[K" if tty else ""
    failures, announced = [], set()
    pool = ThreadPoolExecutor(JOBS)
    futures = {pool.submit(run.execute): run for run in runs}
    try:
        while futures:
            ended, _ = wait(futures, timeout=0.5, return_when=FIRST_COMPLETED)
            for run in futures.values():
                if run.started and run not in announced and not tty:
                    announced.add(run)
                    print(f"{run.name}: started", flush=True)
            for future in ended:
                run = futures.pop(future)
                if future.cancelled():
                    continue
                future.result()  # a mistake in this file shall not pass in silence
                print(f"{clear}{run}", flush=True)
                if not run.error:
                    keep(run)
                    continue
                failures.append(run.error)
                if stop:
                    pool.shutdown(wait=False, cancel_futures=True)
                    # wait() would never return those that were not begun.
                    futures = {waiting: other for waiting, other in futures.items() if not waiting.cancelled()}
            if tty:
                now = time.monotonic()
                status = "; ".join(f"{run.name}: {run.done}/{run.cells} code cells, {now - run.started:.0f} s"
                                   for run in futures.values() if run.started)
                print(clear + status[:shutil.get_terminal_size().columns - 1], end="", flush=True)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for run in futures.values():
            run.cancel()
    return failures


def normal(notebook):
    """Return a copy in the normal form: executed in order, with text outputs, and nothing volatile."""
    import nbformat

    notebook = nbformat.from_dict(notebook)
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for number, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{number}")
    for count, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.execution_count = count
        cell.metadata.pop("execution", None)  # time stamps
        outputs = []
        for output in cell.outputs:
            if output.output_type == "stream" and outputs and outputs[-1].get("name") == output.name:
                outputs[-1].text += output.text
                continue
            outputs.append(output)
            if output.output_type == "error":
                output.traceback = []  # it holds paths
            if output.output_type == "execute_result":
                output.execution_count = count
            if "data" in output:
                output.metadata = nbformat.from_dict({})
                if "text/plain" in output.data:
                    for mime in PICTURES:
                        output.data.pop(mime, None)
        cell.outputs = outputs
    return notebook


def file_text(notebook):
    """Return the text of a notebook's file."""
    import nbformat

    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def is_normal(path):
    """Tell whether a notebook's file is in the normal form to the letter."""
    import nbformat

    return file_text(normal(nbformat.read(path, as_version=4))) == Path(path).read_text(encoding="utf-8")


def run_missing():
    """Execute the chapters that are not in the cache and put them there; return the failures."""
    import nbformat
    from jupyter_cache import get_cache
    from jupyter_cache.base import CacheBundleIn

    folder = cache_path()
    folder.mkdir(parents=True, exist_ok=True)
    os.utime(folder)
    for old in sorted(CACHES.iterdir(), key=lambda path: path.stat().st_mtime)[:-3]:
        shutil.rmtree(old, ignore_errors=True)
    cache = get_cache(folder)

    def is_cached(path):
        notebook = nbformat.read(path, as_version=4)
        try:
            record = cache.match_cache_notebook(notebook)
        except KeyError:
            return False
        cache.get_cache_bundle(record.pk)
        return True

    paths = chapters()
    try:
        missing = [path for path in paths if not is_cached(path)]
    except Exception:  # noqa: BLE001 -- whatever a killed run has left in there
        cache.clear_cache()
        missing = paths
    print(f"Chapters to execute: {len(missing)} of {len(paths)}.", flush=True)

    def keep(run):
        bundle = CacheBundleIn(run.notebook, str(run.path), data={"claims": run.claims})
        cache.cache_notebook_bundle(bundle, check_validity=False)

    return execute_all([Run(path) for path in missing], keep)


def refresh(paths):
    """Execute notebooks under the book's own seed and write their normal form back; return the failures."""
    def keep(run):
        new = run.path.with_suffix(".tmp")
        new.write_text(file_text(normal(run.notebook)), encoding="utf-8", newline="\n")
        new.replace(run.path)

    return execute_all([Run(path, seed=0) for path in paths], keep)


def claims(path):
    """Return what the claims of a chapter in the cache told when it was executed, in order."""
    import nbformat
    from jupyter_cache import get_cache

    record = get_cache(cache_path()).match_cache_notebook(nbformat.read(path, as_version=4))
    return record.data["claims"]


def code_hash(path):
    """Return a short hash of a notebook's code."""
    import nbformat

    code = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return hashlib.sha256(repr(code).encode()).hexdigest()[:16]


def seeds(paths, count):
    """Execute notebooks under the seeds 1 to count and note the range of each claim's number; return the failures."""
    runs = [Run(path, seed) for path in paths for seed in range(1, count + 1)]
    failures = execute_all(runs, stop=False)
    ours = {Path(path).stem for path in paths}
    rows = [row for row in seed_rows() if row["chapter"] not in ours]
    for path in sorted(paths):
        same = [run.claims for run in runs if run.path == Path(path).resolve() and not run.error]
        if len(same) < count:
            continue
        for number, one in enumerate(zip(*same, strict=True), 1):
            values = sorted((claim["measured"] for claim in one if claim.get("measured")), key=size) or [""]
            rows.append({"chapter": Path(path).stem, "code": code_hash(path), "seeds": count, "claim": number,
                         "low": values[0], "high": values[-1]})
    with SEEDS.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["chapter", "code", "seeds", "claim", "low", "high"], lineterminator="\n")
        table.writeheader()
        table.writerows(sorted(rows, key=lambda row: (row["chapter"], int(row["claim"]))))
    return failures


def seed_rows():
    """Return the rows of the table of seeds."""
    if not SEEDS.exists():
        return []
    with SEEDS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def size(number):
    """Return what a number that a claim prints is worth: "< 1e-8" is nothing."""
    return 0.0 if number.startswith("<") else float(number)


def portable(paths):
    """Compare the outputs of notebooks with what BLAS, NumPy and libm without AVX compute; return the exit code."""
    import numpy

    vectors = numpy.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    old = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": " ".join(vectors),
           "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"}
    return subprocess.call([sys.executable, "-m", "pytest", *map(str, paths)], cwd=ROOT, env=os.environ | old)


def main(arguments=None):
    """Run one of the commands; return the exit code."""
    parser = argparse.ArgumentParser(description="Execute the chapters of the book.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="those that are not in the cache")
    for name, text in (("refresh", "and write their outputs back"), ("portable", "as on an old processor"),
                       ("seeds", "under other seeds")):
        command = commands.add_parser(name, help=text)
        command.add_argument("paths", nargs="*", type=Path, help="notebooks (all of _toc.yml)")
    command.add_argument("--count", type=int, default=10, help="how many seeds (10)")
    options = parser.parse_args(arguments)
    try:
        if options.command == "run":
            failures = run_missing()
        elif options.command == "refresh":
            failures = refresh(options.paths or chapters())
        elif options.command == "portable":
            return portable(options.paths or ["book"])
        else:
            failures = seeds(options.paths or chapters(), options.count)
    except KeyboardInterrupt:
        print("\nInterrupted.", file=sys.stderr)
        return 130
    if failures:
        stories = [failure.report() for failure in failures[:2]]  # of 40 seeds, two say it all
        print("", *stories, "\n".join(map(str, failures)), sep="\n\n", file=sys.stderr, flush=True)
    if options.command == "seeds":
        print(f"{options.count} seeds, {len(failures)} failed runs.")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
