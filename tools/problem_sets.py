"""Make what students and teachers get of each problem set, in _build/assignments/SET/.

    python tools/problem_sets.py                 # release, zip, and solution, which is executed, tests included
    python tools/problem_sets.py --release       # what students get, in seconds: no notebook is executed
    python tools/problem_sets.py --variant 2027  # the same sets with other numbers, in _build/assignments/SET-2027/

A problem set is one file, assignments/SET.py, in the percent format (the notebook as a Python script, which editors
show as cells). What a cell is for stands in its first line:

    # %% numbers                       runs when the set is made, with `rng`, and is in no notebook: in cells below it,
                                       its names in capitals stand for their values; drawn again if an assertion fails
    # %%                               code that is given
    # %% [markdown]                    text
    # %% answer="1-name"               the student's code: what stands between the two SOLUTION lines is removed
    # %% test="1-name" points=1        a self-check, which students see
    # %% hidden="1-name" points=2      tests that run when graded; students see only how many points they give
    # %% [markdown] answer="2-name" points=4    a text, graded by hand: all of it is the model answer, and is removed

The seed of `rng` is the name of the set with that of the variant. Hidden tests may use the functions in HELPERS.
"""
import argparse
import re
import shutil
import sys
import zipfile

import nbformat
import notebooks
import numpy as np

from ntk_helpers.claims import pack

ROOT = notebooks.ROOT
SOURCES = ROOT / "assignments"
BUILD = ROOT / "_build" / "assignments"
CELL = re.compile(r"^# %%(?P<numbers> numbers$)?(?P<markdown> \[markdown\])?(?P<options>(?: \w+=(?:\"[\w-]+\"|\d+))*)$")
STUB = "write your answer here"  # an unsolved question fails with this and nothing else

# Last cell of every set. The first assertion fails if asserts work at all, the grader looks for its message; what
# was replaced is known to the grader's kernel alone (grading/kernel.py).
CANARY = """
import os, sys
_watch = sys.modules.get("grading_watch")
_changed = _watch.changed() if _watch else []
assert os.environ.get("NBGRADER_EXECUTION") != "autograde", f"canary: {_changed}"
""".strip()

# What hidden tests use. It stands in each cell that uses it, so that no name of a student's takes its place, and in
# plain arithmetic: NumPy's functions can be replaced, and where a built-in is, no number wanted passes through it.
HELPERS = {
    "_near": '''
def _near(got, want, what, within=1e-4):  # of the largest number wanted
    def flat(values, number):
        values = values.tolist() if hasattr(values, "tolist") else values
        if not isinstance(values, (list, tuple)):
            return [number(values)], ()
        parts = [flat(value, number) for value in values]
        return [one for numbers, _ in parts for one in numbers], (len(values), *(parts[0][1] if parts else ()))

    (got, shape), (want, wanted) = flat(got, float), flat(want, lambda one: one)
    fits = len(got) == len(want) and (len(want) == 1 or shape == wanted)
    assert fits, f"{what}: the shape is {shape}, should be {wanted}"
    size = 0
    for one in want:
        size = one if one > size else -one if -one > size else size
    slack = within * (size or 1)
    for one, right in zip(got, want):
        assert -slack <= one - right <= slack, f"{what}: {one:.6g} should be {right:.6g}"
''',
    "_call": '''
def _call(function, *arguments):  # with copies; the package must not do the work
    import copy, sys
    called = set()
    sys.setprofile(lambda frame, event, about: called.add(str(frame.f_globals.get("__name__"))))
    try:
        result = function(*copy.deepcopy(arguments))
    finally:
        sys.setprofile(None)
    used = [name for name in called if name.startswith("ntk_helpers")]
    assert not used, f"{function.__name__} calls {used[0]}: write the formula yourself"
    return result
''',
    "_draws": '''
def _draws(function, *arguments):  # what is random comes from the generator that is handed over
    first, again, other = ([np.ravel(one).tolist() for one in function(np.random.default_rng(seed), *arguments)]
                           for seed in (1, 1, 2))
    assert first == again, f"{function.__name__}: the same generator gave other numbers; draw all of them from rng"
    assert first != other, f"{function.__name__}: another generator gave the same numbers; draw all of them from rng"
''',
    "_kept": '''
def _kept(function, *arguments):  # unchanged
    arrays = [one for one in arguments if hasattr(one, "tolist")]
    before = [one.tolist() for one in arrays]
    result = function(*arguments)
    assert [one.tolist() for one in arrays] == before, f"{function.__name__} changes its arguments; work on a copy"
    return result
''',
}

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


def read(name):
    """Return the cells of a set, or of its variant SET-VARIANT, with its numbers in them, and the numbers by name."""
    known = [one for one in sets() if name == one or name.startswith(f"{one}-")]
    if not known or not re.fullmatch(r"[\w-]+", name):
        raise Mistake(f"there is no problem set {name}; there are: {', '.join(sets())}")
    path = SOURCES / f"{max(known, key=len)}.py"
    cells, lines = [], None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("# %%"):
            head = CELL.match(line)
            if not head:
                raise Mistake(f"{path.name}, line {number}: not a cell's first line: {line}")
            options = {key: value.strip('"') for key, _, value in
                       (option.partition("=") for option in head["options"].split())}
            lines = []
            kind = "numbers" if head["numbers"] else "markdown" if head["markdown"] else "code"
            cells.append((f"{path.name}, line {number}", kind, options, lines))
        elif lines is None:
            raise Mistake(f"{path.name}, line {number}: text before the first cell")
        else:
            lines.append(line)
    return _with_numbers(cells, np.random.default_rng(list(name.encode())))


def source(name):
    """Return the notebook of a set or of a variant with everything in it: answers, hidden tests, model answers."""
    count = {}
    cells = [_cell(*cell, count) for cell in read(name)[0]]
    cells.append(_code("integrity", "# The grader looks here whether tests mean anything.\n"
                       f"### BEGIN HIDDEN TESTS\n{CANARY}\n### END HIDDEN TESTS", points=0))
    ids = [cell.id for cell in cells]
    if len(set(ids)) < len(ids):
        raise Mistake(f"{name}: named twice: {', '.join(sorted({i for i in ids if ids.count(i) > 1}))}")
    for cell in cells:
        question = cell.id.removesuffix("-check").rpartition("-hidden-")[0] or cell.id.removesuffix("-check")
        if cell.metadata.nbgrader.grade and cell.id != "integrity" and question not in ids:
            raise Mistake(f"{name}: {cell.id} has no cell for the answer")
    return nbformat.v4.new_notebook(cells=cells, metadata=notebooks.METADATA)


def _with_numbers(cells, rng):
    """Run the cells of numbers, in order; return the others, with values in the place of names in capitals."""
    names, result = {"np": np, "rng": rng, "apart": apart}, []
    for place, kind, options, lines in cells:
        text = "\n".join(lines)
        if kind == "numbers":
            _draw(place, text, names)
            continue
        result.append((place, kind == "markdown", options, with_values(text, names).splitlines()))
    return result, names


def with_values(text, names):
    """Put values in the place of names in capitals."""
    def value(match):
        return literal(names[match[0]]) if match[0] in names else match[0]

    return re.sub(r"\b[A-Z][A-Z0-9_]+\b", value, text)


def _draw(place, text, names):
    """Run a cell of numbers; draw again while its assertions, if there are some, do not hold."""
    code = compile(text, place, "exec")
    for _ in range(200):
        try:
            return exec(code, names)
        except AssertionError:
            continue
        except Exception as error:
            raise Mistake(f"{place}: {type(error).__name__}: {error}") from error
    raise Mistake(f"{place}: no numbers that fulfill the assertions were found in 200 draws")


def apart(right, hints, least=0.02):
    """Return whether hints differ from the right answer and from each other, by 2 % of its largest number at least."""
    answers = [np.asarray(one, float) for one in (right, *hints.values())]
    scale = least * np.abs(answers[0]).max()
    return all(np.abs(one - other).max() > scale for i, one in enumerate(answers) for other in answers[:i])


def literal(value):
    """Return Python code for numbers, texts, arrays, and lists and tuples of them; hints of a check are packed."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"np.array({literal(value.tolist())})"
    if isinstance(value, dict):
        return repr(pack(value))
    if isinstance(value, (list, tuple)):
        inside = ", ".join(map(literal, value)) + ("," if len(value) == 1 and isinstance(value, tuple) else "")
        return f"[{inside}]" if isinstance(value, list) else f"({inside})"
    if isinstance(value, (bool, str, int, np.integer)):
        return repr(value if not isinstance(value, np.integer) else int(value))
    return "np.inf" if value == np.inf else repr(float(f"{float(value):.10g}") + 0.0)


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
    text = "".join(f"{helper.strip()}\n\n" for key, helper in HELPERS.items() if f"{key}(" in text) + text
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
    parser.add_argument("--variant", default="", help="a name: sets with numbers of their own, as SET-VARIANT")
    options = parser.parse_args(arguments)
    if not re.fullmatch(r"[\w-]*", options.variant):
        parser.error("a variant is named by letters, digits, _ and -")
    try:
        for name in sets():
            name = f"{name}-{options.variant}".rstrip("-")
            shutil.rmtree(BUILD / name, ignore_errors=True)
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
