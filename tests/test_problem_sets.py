"""The problem sets: notebooks run, tests see the difference, and students get neither answers nor hidden tests."""
import ast
import contextlib
import functools
import io
import re
import textwrap
import warnings
import zipfile

import nbformat
import numpy as np
import problem_sets
import pytest
from answers import ANSWERS

from ntk_helpers import log_slope

SETS = problem_sets.sets()
every_set = pytest.mark.parametrize("name", SETS)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Where the sets of this test are made: not in the folder that the book is built from at the same time."""
    monkeypatch.setattr(problem_sets, "BUILD", tmp_path)
    return tmp_path


def lines_of(text):
    """Return the lines that say something: `return f` or `import random` may stand anywhere."""
    return {line.strip() for line in text.splitlines() if len(line.strip()) > 25}


def secrets(name):
    """Return the lines that only the instructor sees: answers, model answers, hidden tests."""
    source = problem_sets.source(name)
    shown = lines_of("\n".join(cell.source for cell in problem_sets.release(source).cells))
    return lines_of("\n".join(cell.source for cell in source.cells)) - shown - {"### BEGIN HIDDEN TESTS"}


def test_the_book_lists_them():
    page = (problem_sets.ROOT / "book" / "problem-sets.md").read_text(encoding="utf-8")
    listed = re.findall(r"</_build/assignments/([\w-]+)/\1\.(?:ipynb|zip)>", page)
    assert sorted(listed) == sorted([*SETS, *SETS]) and len(SETS) >= 6


@every_set
def test_the_instructors_notebook_runs_and_the_solution_has_no_hidden_test(name, here):
    problem_sets.make_release(name)
    problem_sets.make_solution(name)
    solution = nbformat.read(here / name / f"{name}-solution.ipynb", as_version=4)
    printed = "".join(output.get("text", "") for cell in solution.cells for output in cell.get("outputs", []))
    assert "✓" in printed and "☐" not in printed
    tests = "\n".join(cell.source for cell in problem_sets.source(name).cells if "-hidden-" in cell.id)
    text = "\n".join(cell.source for cell in solution.cells)
    assert "HIDDEN TESTS" not in text
    assert not [line for line in lines_of(tests) & secrets(name) if line in text]


def fails_with(path):
    """Run a notebook to its end; return the errors of its cells by the cell's id."""
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, allow_errors=True, kernel_name="python3").execute()
    return {cell.id: f"{output.ename}: {output.evalue}" for cell in notebook.cells if cell.cell_type == "code"
            for output in cell.outputs if output.output_type == "error"}


@every_set
def test_an_unsolved_release_fails_with_the_stubs_message_only(name, here):
    folder = problem_sets.make_release(name)
    errors = fails_with(folder / f"{name}.ipynb")
    checks = {cell.id for cell in problem_sets.source(name).cells if cell.id.endswith("-check")}
    assert checks <= set(errors) and set(errors.values()) == {f"NotImplementedError: {problem_sets.STUB}"}
    assert all(key in checks or key.startswith("given-") for key in errors), "a hidden test fails on its own"


@every_set
def test_what_students_get_holds_nothing_of_the_instructors(name, here):
    folder = problem_sets.make_release(name)
    with zipfile.ZipFile(folder / f"{name}.zip") as archive:
        inside = {entry: archive.read(entry).decode() for entry in archive.namelist()}
    assert set(inside) == {f"{name}/{name}.ipynb", f"{name}/README.txt"}
    notebook = nbformat.read(folder / f"{name}.ipynb", as_version=4)
    assert inside[f"{name}/{name}.ipynb"] == (folder / f"{name}.ipynb").read_text(encoding="utf-8")
    text = "\n".join(cell.source for cell in notebook.cells)
    hidden = secrets(name)
    assert len(hidden) > 50
    assert not [line for line in hidden if line in text]
    assert not re.search("BEGIN|SOLUTION|HIDDEN|Marks", text)
    assert not any(cell.get("outputs") for cell in notebook.cells)


@every_set
def test_a_set_is_of_the_agreed_size(name):
    cells = problem_sets.source(name).cells
    answers = [cell for cell in cells if cell.metadata.nbgrader.solution]
    in_words = [cell for cell in answers if cell.cell_type == "markdown"]
    assert 4 <= len(answers) <= 6 and len(in_words) == 2  # a derivation, an interpretation
    assert 20 <= sum(cell.metadata.nbgrader.get("points", 0) for cell in cells) <= 30
    for cell in answers:
        if cell.cell_type == "code":
            tests = {other.id for other in cells if other.id.startswith(f"{cell.id}-")}
            assert {f"{cell.id}-check", f"{cell.id}-hidden-1"} <= tests


source, read = functools.cache(problem_sets.source), functools.cache(problem_sets.read)


def marks_of(name, question, how):
    """Return points for an answer, what the self-check says, and errors of tests by cell; nothing else is run."""
    notebook = source(name)
    how = [problem_sets.with_values(one, read(name)[1]) if isinstance(one, str) else
           [problem_sets.with_values(part, read(name)[1]) for part in one] for one in how]
    cells = {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}
    answer = cells[question]
    if isinstance(how[0], str):
        answer = answer[:answer.index("    ### BEGIN")] + textwrap.indent(how[0], "    ")
    else:
        for old, new in how:
            assert old in answer, f"{question}: no {old!r} in the model answer"
            answer = answer.replace(old, new)
    names, points, printed, errors = {}, 0, io.StringIO(), {}
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed):
        warnings.simplefilter("ignore")
        exec(cells["given-1"] + "\n" + answer, names)
        for cell in notebook.cells:
            if cell.metadata.nbgrader.grade and cell.id.startswith(f"{question}-"):
                try:
                    exec(cell.source, names)
                    points += cell.metadata.nbgrader.points
                except Exception as error:
                    errors[cell.id] = error
    said = printed.getvalue() + str(errors.get(f"{question}-check", ""))
    return points, said, errors


@pytest.mark.parametrize("variant", ["", "-2027"])
@pytest.mark.parametrize(("name", "question"), [(name, question) for name in SETS for question in ANSWERS[name]])
def test_answers_get_their_marks_and_self_checks_say_what_is_wrong(name, question, variant):
    wrong = []
    for what, points, says, *how in ANSWERS[name][question]:
        got, said, errors = marks_of(name + variant, question, how)
        heard = says is None or (re.search(says, said) if says else "☐" not in said)
        if got not in np.atleast_1d(points) or not heard:
            wrong.append(f"{what}: {got} points, expected {points}; {said!r}; {errors}")
    assert not wrong, "\n".join(wrong)


@every_set
def test_an_answer_that_does_nothing_gets_nothing(name):
    for question in ANSWERS[name]:
        assert [marks_of(name, question, [body])[0] for body in ("return", "return 1e3")] == [0, 0]


@pytest.mark.parametrize(("name", "question"), [
    ("ps1-double-descent", "5-curve"), ("ps2-gaussian-processes", "4-networks"), ("ps3-ntk", "4-scatter"),
    ("ps5-generalization", "4-curve"), ("ps6-feature-learning", "4-first-step")])
def test_a_right_sampler_passes_whatever_its_draws(name, question):
    """All streams pass with 0.7 of the bounds, which are six standard deviations or more (one false alarm in 1e8)."""
    cells = {cell.id: cell.source for cell in source(name).cells if cell.cell_type == "code"}
    names = {}
    exec(cells["given-1"] + "\n" + cells[question], names)
    check = names["check"]
    names["check"] = lambda *given, rtol, **options: check(*given, rtol=0.7 * rtol, **options)
    tests = {key: text for key, text in cells.items() if key.startswith(f"{question}-")}
    for offset in range(100, 112):
        for key, text in tests.items():
            text = text.replace("slack = within", "slack = 0.7 * within").replace("6.5 < (", "4.55 < (").replace(
                "< 6.5, f", "< 4.55, f")
            exec(re.sub(r"default_rng\((\w+)\)", rf"default_rng(\1 + {offset})", text), names | {"__name__": key})


@every_set
def test_enough_answers_of_each_kind_are_tried(name):
    cells = source(name).cells
    code = {cell.id for cell in cells if cell.metadata.nbgrader.solution and cell.cell_type == "code"}
    assert set(ANSWERS[name]) == code
    for question, rows in ANSWERS[name].items():
        full = sum(cell.metadata.nbgrader.points for cell in cells if cell.metadata.nbgrader.grade
                   and cell.id.startswith(f"{question}-"))
        wrong = [says for _, points, says, *_ in rows if np.max(points) < full]
        helpful = {says for says in wrong if says and not re.match("wrong in|stops with", says)}
        assert len(wrong) >= 6 and len(rows) - len(wrong) >= 3 and len(helpful) >= 5, question


@every_set
def test_variants_differ_in_their_numbers_only(name):
    one, other = source(name), source(f"{name}-2027")
    assert [(cell.id, cell.metadata) for cell in one.cells] == [(cell.id, cell.metadata) for cell in other.cells]
    tests = [cell.id for cell in one.cells if re.search("-check|-hidden-", cell.id) and "_draws(" not in cell.source]
    same = [a.id for a, b in zip(one.cells, other.cells) if a.source == b.source]
    assert len(set(tests) - set(same)) >= len(tests) - 3
    assert problem_sets.source(name) == one, "the same numbers each time"


@every_set
def test_no_test_depends_on_another_answer(name):
    cells = problem_sets.source(name).cells
    functions = {cell.id: re.search(r"^def (\w+)", cell.source, re.M)[1] for cell in cells
                 if cell.metadata.nbgrader.solution and cell.cell_type == "code"}
    for cell in cells:
        for question, function in functions.items():
            if cell.metadata.nbgrader.grade and not cell.id.startswith(question):
                assert not re.search(rf"\b{function}\b[(,]", cell.source), f"{cell.id} calls {function}"


@every_set
def test_tests_compare_with_plain_arithmetic(name):
    for cell in problem_sets.source(name).cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.grade:
            asserts = "\n".join(re.findall(r"assert .*", cell.source))
            assert not re.search(r"\bnp\.(?!shape)|allclose|\babs\(|ntk_helpers", asserts), cell.id


@every_set
def test_no_test_ends_with_a_value(name):
    """To nbgrader the value of a cell's last line is its marks, where it is a number."""
    for cell in source(name).cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.grade:
            last = ast.parse(cell.source).body[-1]
            call = re.match(r"(check|_near|_kept|_draws)\(", ast.unparse(last))
            assert call or isinstance(last, (ast.Assert, ast.For))


@pytest.fixture(scope="module")
def helpers():
    names = {"np": np}
    exec("".join(problem_sets.HELPERS.values()), names)
    return names


@pytest.mark.parametrize(("got", "want", "message"), [
    (0.352941 * 1.00011, 0.352941, "it: 0.35298 should be 0.352941"),  # never two numbers that look the same
    ([1e5, 8.0], [1e5, -3.0], "it: 8 should be -3"), ([1.0, np.nan], [1.0, 2.0], "it: nan should be 2"),
    (np.ones((2, 1)), [1.0, 1.0], re.escape("it: the shape is (2, 1), should be (2,)")), ([1e-3], [0.0], "should be 0"),
])
def test_helpers_say_what_is_wrong(got, want, message, helpers):
    with pytest.raises(AssertionError, match=message):
        helpers["_near"](got, want, "it")


@pytest.mark.parametrize(("got", "want"), [
    (np.float32(1) / 3, 1 / 3), (np.array([[2.0]]), 2.0), ([np.float64(1), 2], [1.0, 2.0]),
    (np.eye(2), [[1.0, 0.0], [0.0, 1.0]])])
def test_helpers_accept_what_is_right(got, want, helpers):
    helpers["_near"](got, want, "it")


def test_helpers_see_through_what_is_replaced(helpers):
    for name, fake in {"float": lambda one: 0.0, "abs": lambda one: 1e9, "max": lambda *one: 1e9}.items():
        with pytest.raises(AssertionError):
            exec("".join(problem_sets.HELPERS.values()) + "_near(1.0, 2.0, 'it')", {name: fake, "np": np})
    with pytest.raises(AssertionError, match="calls ntk_helpers.* write the formula yourself"):
        helpers["_call"](log_slope, np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    with pytest.raises(AssertionError, match="changes its arguments"):
        helpers["_kept"](lambda x: x.sort(), np.array([2.0, 1.0]))
    assert helpers["_call"](lambda x: x + 1, np.ones(2)).sum() == 4


@pytest.mark.parametrize(("text", "message"), [
    ("x = 1\n", "line 1: text before the first cell"),
    ("# %% test=1 points=two\nx = 1\n", "line 1: not a cell's first line"),
    ("# %%\n\n", "line 1: a cell needs a content"),
    ('# %% answer="1-a" test="1-a"\nx = 1\n', "line 1: a cell needs a content and at most one"),
    ('# %% test="1-a"\nassert True\n', "line 1: points belong to tests"),
    ('# %% [markdown] answer="1-a"\n# text\n', "line 1: points belong to tests"),
    ('# %% answer="1-a"\ndef f():\n    return 1\n', "line 1: the lines ### BEGIN SOLUTION"),
    ('# %% test="1-a" points=1\nassert True\n', "1-a-check has no cell for the answer"),
    ("# %% numbers\nX1 = 1 / 0\n", "line 1: ZeroDivisionError"),
    ("# %% numbers\nassert rng.random() > 1\n", "line 1: no numbers that fulfill the assertions"),
    ('# %% [markdown] answer="1-a" points=1\n# a\n# %% [markdown] answer="1-a" points=1\n# b\n', "named twice: 1-a"),
])
def test_mistakes_in_a_source_are_named(text, message, tmp_path, monkeypatch):
    monkeypatch.setattr(problem_sets, "SOURCES", tmp_path)
    (tmp_path / "set.py").write_text(text)
    with pytest.raises(problem_sets.Mistake, match=re.escape(message)):
        problem_sets.source("set")
    with pytest.raises(problem_sets.Mistake, match="there is no problem set other; there are: set"):
        problem_sets.source("other")


def test_numbers_stand_in_the_place_of_names_in_capitals(tmp_path, monkeypatch):
    monkeypatch.setattr(problem_sets, "SOURCES", tmp_path)
    (tmp_path / "set.py").write_text("""# %% numbers
small = 3
while small > 2:
    small = rng.integers(1, 5)
XY, Z3, INF = np.array([[0.5, 1 / 3]]), (small,), np.inf
# %% [markdown]
# There are XYZ, and Z3 stands for $x$.
# %%
x = (XY, "small", INF)
""")
    text, code, _ = problem_sets.source("set").cells
    assert re.fullmatch(r"There are XYZ, and \([12],\) stands for \$x\$\.", text.source)
    assert code.source == 'x = (np.array([[0.5, 0.3333333333]]), "small", np.inf)'
    assert len({problem_sets.source(f"set-{i}").cells[0].source for i in range(9)}) == 2


def test_the_command_makes_variants_beside_the_sets(here, monkeypatch, capsys):
    monkeypatch.setattr(problem_sets, "ROOT", here)
    monkeypatch.setattr(problem_sets, "sets", lambda: SETS[:1])
    (here / SETS[0]).mkdir()
    assert problem_sets.main(["--release", "--variant", "b_2"]) == 0
    assert {path.name for path in here.iterdir()} == {SETS[0], f"{SETS[0]}-b_2"}
    assert f"{SETS[0]}-b_2.ipynb" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        problem_sets.main(["--variant", "../b"])
