"""Make what students and teachers get of each problem set, in _build/assignments/SET/.

    python tools/problem_sets.py            # release, zip, and solution: the solution is executed, tests included
    python tools/problem_sets.py --release  # what students get, in a second and without executing anything

A problem set is one file, assignments/SET.py, in the percent format (the notebook as a Python script, which editors
show as cells). What a cell is for stands in its first line:

    # %%                               code that is given
    # %% [markdown]                    text
    # %% answer="1-name"               the student's code: what stands between the two SOLUTION lines is removed
    # %% test="1-name" points=1        a self-check, which students see
    # %% hidden="1-name" points=2      tests that run when graded; students see only how many points they give
    # %% [markdown] answer="2-name" points=4    a text, graded by hand: all of it is the model answer, and is removed
"""
import argparse
import re
import shutil
import sys
import zipfile

import nbformat
import notebooks

ROOT = notebooks.ROOT
SOURCES = ROOT / "assignments"
BUILD = ROOT / "_build" / "assignments"
CELL = re.compile(r"^# %%(?P<markdown> \[markdown\])?(?P<options>(?: \w+=(?:\"[\w-]+\"|\d+))*)$")
STUB = "write your answer here"  # an unsolved question fails with this and nothing else

# Last cell of every set. The first assertion fails if asserts work at all, the grader looks for its message; what
# was replaced is known to the grader's kernel alone (grading/kernel.py).
CANARY = """
import os, sys
_watch = sys.modules.get("grading_watch")
_changed = _watch.changed() if _watch else []
assert os.environ.get("NBGRADER_EXECUTION") != "autograde", f"canary: {_changed}"
""".strip()

README = """{title}

Open {name}.ipynb in JupyterLab, in the environment of the book Road to NTK ("make lab" in its repository; or
"pip install -r requirements.txt" there, then "jupyter lab"). Work in the cells that say YOUR CODE HERE or YOUR ANSWER
HERE. Before you hand in, choose "Restart Kernel and Run All Cells" and look at the self-checks; then hand in the
notebook, under its name. Cells that are not yours are put back as they were when it is graded.
"""


class Mistake(ValueError):
    """A problem set is not written as it should be."""


def sets():
    """Return the names of the problem sets."""
    return sorted(path.stem for path in SOURCES.glob("*.py"))


def source(name):
    """Return the notebook of a set with everything in it: answers, hidden tests, model answers."""
    path = SOURCES / f"{name}.py"
    if not path.exists():
        raise Mistake(f"there is no problem set {name}; there are: {', '.join(sets())}")
    cells, lines = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("# %%"):
            head = CELL.match(line)
            if not head:
                raise Mistake(f"{path.name}, line {number}: not a cell's first line: {line}")
            options = {key: value.strip('"') for key, _, value in
                       (option.partition("=") for option in head["options"].split())}
            lines = []
            cells.append((f"{path.name}, line {number}", bool(head["markdown"]), options, lines))
        elif lines is None:
            raise Mistake(f"{path.name}, line {number}: text before the first cell")
        else:
            lines.append(line)
    count = {}
    cells = [_cell(*cell, count) for cell in cells]
    cells.append(_code("integrity", "# The grader looks here whether tests mean anything.\n"
                       f"### BEGIN HIDDEN TESTS\n{CANARY}\n### END HIDDEN TESTS", points=0))
    ids = [cell.id for cell in cells]
    if len(set(ids)) < len(ids):
        raise Mistake(f"{path.name}: named twice: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    for cell in cells:
        question = cell.id.removesuffix("-check").rpartition("-hidden-")[0] or cell.id.removesuffix("-check")
        if cell.metadata.nbgrader.grade and cell.id != "integrity" and question not in ids:
            raise Mistake(f"{path.name}: {cell.id} has no cell for the answer")
    return nbformat.v4.new_notebook(cells=cells, metadata=notebooks.METADATA)


def _cell(place, markdown, options, lines, count):
    """Return one cell of the notebook."""
    text = "\n".join(re.sub(r"^# ?", "", line) for line in lines) if markdown else "\n".join(lines)
    text, points = text.strip(), int(options.pop("points", 0))
    kind, name = options.popitem() if options else ("text" if markdown else "given", "")
    if options or kind not in ("text", "given", "answer", "test", "hidden") or not text:
        raise Mistake(f"{place}: a cell needs a content and at most one of answer, test, hidden")
    if (points > 0) != (kind in ("test", "hidden") or markdown and kind == "answer"):
        raise Mistake(f"{place}: points belong to tests and to answers in words, and only there")
    count[kind, name] = count.get((kind, name), 0) + 1
    if markdown:
        if kind == "text":
            return _markdown(f"text-{count[kind, name]}", text)
        return _markdown(name, text, points)
    if kind == "given":
        return _code(f"given-{count[kind, name]}", text)
    if kind == "answer":
        if not re.search(r"^\s*### BEGIN SOLUTION$.*^\s*### END SOLUTION$", text, re.M | re.S):
            raise Mistake(f"{place}: the lines ### BEGIN SOLUTION and ### END SOLUTION are missing")
        return _code(name, text, solution=True)
    number = re.match(r"\d*", name)[0]
    plural = "points" if points > 1 else "point"
    if kind == "test":
        return _code(f"{name}-check", f"# Self-check of question {number} ({points} {plural})\n{text}", points=points)
    return _code(f"{name}-hidden-{count[kind, name]}", f"# Tests of question {number} run here when graded ({points} "
                 f"{plural}).\n### BEGIN HIDDEN TESTS\n{text}\n### END HIDDEN TESTS", points=points)


def _markdown(name, text, points=None):
    return nbformat.v4.new_markdown_cell(text, id=name, metadata=_metadata(name, points, points is not None))


def _code(name, text, points=None, solution=False):
    return nbformat.v4.new_code_cell(text, id=name, metadata=_metadata(name, points, solution))


def _metadata(name, points, solution):
    """Return what nbgrader has to know about a cell."""
    about = {"schema_version": 3, "grade_id": name, "grade": points is not None, "solution": solution,
             "locked": not solution, "task": False}
    return {"nbgrader": about if points is None else about | {"points": points}}


def config():
    """Return nbgrader's settings, the same for releases and for grading."""
    from traitlets.config import Config

    settings = Config()
    settings.ClearSolutions.code_stub = {"python": f"# YOUR CODE HERE\nraise NotImplementedError({STUB!r})"}
    settings.ClearSolutions.text_stub = "YOUR ANSWER HERE"
    return settings


def release(notebook):
    """Return a notebook as students get it: without answers and hidden tests."""
    from nbgrader import preprocessors

    return _through(notebook, preprocessors.LockCells, preprocessors.ClearSolutions, preprocessors.ClearOutput,
                    preprocessors.ClearHiddenTests, preprocessors.ClearMarkScheme)


def solution(notebook):
    """Return an executed notebook as a solution to hand out: without the hidden tests."""
    from nbgrader import preprocessors

    return _through(notebook, preprocessors.LockCells, preprocessors.ClearHiddenTests)


def _through(notebook, *steps):
    notebook, resources = nbformat.from_dict(notebook), {}
    for step in steps:
        notebook, resources = step(config=config()).preprocess(notebook, resources)
    return notebook


def make_release(name):
    """Write what students get; return the folder."""
    folder = BUILD / name
    folder.mkdir(parents=True, exist_ok=True)
    notebook = release(source(name))
    text = notebooks.file_text(notebook)
    title = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    files = {f"{name}.ipynb": text, "README.txt": README.format(name=name, title=title)}
    for file, content in files.items():
        _write(folder / file, content)
    with zipfile.ZipFile(folder / f"{name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{name}/{file}"), content)  # no time stamps: the same bytes each time
    return folder


def make_solution(name):
    """Execute a set with its tests, write the solution; raise notebooks.CellFailed if a test fails."""
    folder = BUILD / name
    path = folder / f"{name}-full.ipynb"
    _write(path, notebooks.file_text(source(name)))
    try:
        run = notebooks.execute(path)
    finally:
        path.unlink()
    _write(folder / f"{name}-solution.ipynb", notebooks.file_text(solution(run)))


def _write(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments=None):
    """Make all sets; return the exit code."""
    parser = argparse.ArgumentParser(description="Make releases and solutions of the problem sets.")
    parser.add_argument("--release", action="store_true", help="only what students get")
    options = parser.parse_args(arguments)
    shutil.rmtree(BUILD, ignore_errors=True)
    try:
        for name in sets():
            folder = make_release(name)
            if not options.release:
                make_solution(name)
            files = ", ".join(sorted(path.name for path in folder.iterdir()))
            print(f"{folder.relative_to(ROOT)}: {files}", flush=True)
    except Mistake as error:
        print(error, file=sys.stderr)
    except notebooks.CellFailed as error:
        print(error.report(), file=sys.stderr)
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
