"""Grading: a made-up class is graded as it should be, whatever its code tries; tables, resuming, sandbox."""
import csv
import hashlib
import multiprocessing
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import grade
import nbformat
import problem_sets
import pytest
from bs4 import BeautifulSoup
from classroom import FORGE, Class, _zip
from grading import cells as grading_cells
from grading import execute, intake, kernel, marks, page, sandbox, student, tables

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 4  # for a cell; honest ones take 0.3


def command(*arguments, **environment):
    return subprocess.run([sys.executable, "tools/grade.py", *map(str, arguments)], cwd=ROOT, text=True,
                          capture_output=True, env=os.environ | environment, check=False)


@pytest.fixture(scope="module")
def sandboxed():
    problem = sandbox.available()
    if problem:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop(problem)


def fingerprint(folder):
    """Return what all files of a folder are: nothing of a student's may change."""
    return {str(path.relative_to(folder)): path.is_symlink() or hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if not path.is_dir()}


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def grade_class(name, folder):
    """Grade the class; return it, the rows of marks.csv by student, and the folder of the results."""
    victim = folder / "victim.txt"
    victim.write_text("stays")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0grader-spy-{os.getpid()}")  # a name that needs no file
        abstract.listen()
        private = [ROOT / "assignments", ROOT / "tools" / "problem_sets.py", ROOT / "tests", folder / "inbox",
                   folder / "inbox" / "spy", folder / "inbox" / "correct", folder / "grades", ROOT / ".git",
                   "/etc/passwd", Path.home(), Path.home() / ".ssh", ROOT / "ntk_helpers", Path(sys.prefix),
                   "/usr/local", "/var"]
        made = Class(name, folder / "inbox", private, server.getsockname()[1], victim).fill()
        before = fingerprint(folder / "inbox")
        result = command(name, folder / "inbox", "--output", folder / "grades", "--seconds", SECONDS,
                         "--jobs", 4, SECRET="x")  # a submission waits half of its time
        print(result.stdout)
        assert result.returncode == 0, result.stderr
        assert fingerprint(folder / "inbox") == before
    rows = read(folder / "grades" / name / "marks.csv")
    assert sorted(row["student"] for row in rows) == sorted(made.expected), "one row for each"
    return made, {row["student"]: row for row in rows}, folder / "grades" / name, result.stdout


@pytest.fixture(scope="module", params=[
    "ps1-double-descent", *(pytest.param(name, marks=pytest.mark.slow) for name in problem_sets.sets()[1:])])
def graded(request, tmp_path_factory, sandboxed):
    return grade_class(request.param, tmp_path_factory.mktemp("class"))


def test_each_submission_gets_its_status_marks_and_reason(graded):
    made, rows, _, _ = graded
    assert len(rows) >= 25
    wrong = []
    for name, (status, lost, reason) in made.expected.items():
        row = rows[name]
        points = {question: 0 if question in lost else value for question, value in made.points.items()}
        got = {question: float(row[f"{question} (/{made.points[question]})"]) for question in made.points}
        if (row["status"], got, float(row["total"])) != (status, points, sum(points.values())) or not re.search(
                reason, row["reason"]) or (status != "graded" and not row["reason"]):
            wrong.append(f"{name}: {row}, expected {status}, {points}, {reason!r}")
    assert not wrong, "\n".join(wrong)


def test_answers_in_words_wait_for_a_human(graded):
    made, rows, folder, _ = graded
    in_words = " ".join(name for name in made.answers if name not in made.points)
    needs = {name: row["needs-manual"] for name, row in rows.items()}
    assert {name for name, text in needs.items() if "review" in text} == {
        name for name, row in rows.items() if row["status"] == "review"}
    assert needs["correct"] == needs["exit"] == needs["zip"] == in_words
    assert needs["unsolved"] == needs["empty"] == ""
    assert {(row["student"], row["question"]) for row in read(folder / "manual.csv")} == {
        (name, question) for name, text in needs.items() for question in text.split()}


def test_the_spies_find_nothing(graded):
    made, _, folder, _ = graded
    # What every Python program needs is there to be read: the environment and the packages.
    readable = [f"SPY sees {path}" for path in (ROOT / "ntk_helpers", sys.prefix, "/usr/local")]
    readable += [f"SPY lists {path}" for path in (ROOT / "ntk_helpers", sys.prefix)]
    # The folders above them exist, and hold nothing else.
    readable += [f"SPY sees {Path.home()}"]
    for name, more in (("spy", set(readable)), ("second-spy", set())):
        done = nbformat.read(folder / "students" / name / "graded.ipynb", as_version=4)
        printed = "".join(output.get("text", "") for cell in done.cells for output in cell.get("outputs", []))
        assert set(re.findall(r"^SPY .*$", printed, re.M)) - more == {"SPY done"}, printed
    assert (folder.parent.parent / "victim.txt").read_text() == "stays"


def test_output_is_bounded_and_feedback_is_there(graded):
    made, rows, folder, _ = graded
    assert {path.name for path in (folder / "feedback").iterdir()} == {f"{grade.folder_of(name)}.html" for name in rows}
    assert (folder / "feedback" / "flood.html").stat().st_size < 3_000_000
    script = (folder / "feedback" / "script.html").read_text(encoding="utf-8")
    page = BeautifulSoup(script, "html.parser")
    assert "alert(7531)" in page.get_text() and not page.find_all(onerror=True)
    assert not [tag for tag in page.find_all("script") if "7531" in tag.get_text()]
    text = (folder / "feedback" / "wrong.html").read_text(encoding="utf-8")
    hidden = re.search(r"should be|see the line", text)
    assert hidden, "feedback shows why points were lost"


def test_processor_time_of_an_honest_submission(graded):
    *_, printed = graded
    seconds = {name: float(value) for name, value in re.findall(r"of \d+: (.*?): .*\(([\d.]+) s CPU\)$", printed, re.M)}
    print(f"CPU seconds: correct {seconds['correct']}, unsolved {seconds['unsolved']}")
    assert seconds["correct"] <= 5, "3 on a machine of 2020; with room for slower ones"


def test_points_by_hand_and_resuming(graded, tmp_path):
    made, rows, folder, _ = graded
    inbox = folder.parent.parent / "inbox"
    table, kept = read(folder / "manual.csv"), (folder / "manual.csv").read_bytes()
    question = next(name for name in made.answers if name not in made.points)
    table = [row | ({"points": "2,5", "comment": "a good start"} if row["question"] == question else {}) for row in
             table if row["student"] in ("correct", "exit")]
    table.append({"student": "wrong", "question": made.q, "points": "1", "comment": "a slip"})
    tables.write(folder / "manual.csv", marks.MANUAL, table)
    result = command(made.name, inbox, "--output", folder.parent, "--seconds", SECONDS)
    assert f"{len(rows)} submissions, {len(rows) - 3} graded before." in result.stdout, result.stderr
    again = {row["student"]: row for row in read(folder / "marks.csv")}
    (folder / "manual.csv").write_bytes(kept)
    for name, more in (("correct", 2.5), ("exit", 2.5), ("wrong", 1), ("zip", 0)):
        assert float(again[name]["total"]) == float(rows[name]["total"]) + more
    assert question not in again["correct"]["needs-manual"]
    for name, comment in (("correct", "a good start"), ("exit", "a good start"), ("wrong", "a slip")):
        assert comment in (folder / "feedback" / f"{name}.html").read_text(encoding="utf-8")


def test_folders_of_students_never_meet():
    names = ["a", "a/b", "a_b", "..", ".", "A b", "a:b", "x" * 300, "=1+1", "日本"]
    folders = [grade.folder_of(name) for name in names]
    assert len(set(folders)) == len(names)
    assert all(re.fullmatch(r"[\w-][\w.-]{0,80}", folder) for folder in folders)


# --- The command --------------------------------------------------------------------------------------------

def test_without_bubblewrap_nothing_is_run(tmp_path):
    (tmp_path / "inbox").mkdir()
    (tmp_path / "bin").mkdir()
    out = command("ps3-ntk", tmp_path / "inbox", "--output", tmp_path / "grades", PATH=str(tmp_path / "bin"))
    assert out.returncode == 1 and "Nothing was run" in out.stderr and "--no-sandbox" in out.stderr
    assert not (tmp_path / "grades").exists()


def test_mistakes_of_the_teacher_are_one_line(tmp_path):
    for arguments, message in ((("ps9", tmp_path), "there is no problem set ps9"),
                               (("ps3-ntk", tmp_path / "nowhere"), "is neither a folder nor a zip")):
        out = command(*arguments, "--output", tmp_path / "grades", "--no-sandbox")
        assert out.returncode == 1 and message in out.stderr and len(out.stderr.splitlines()) == 1


def test_a_bulk_download_without_sandbox_and_a_killed_run_goes_on(tmp_path):
    made = Class("ps1-double-descent", tmp_path / "unused")
    text = nbformat.writes(made.solved())
    inbox = tmp_path / "bulk.zip"
    inbox.write_bytes(_zip({f"Ada Lovelace_{n}_assignsubmission_file_/{made.name}.ipynb": text for n in (1, 2)}))
    arguments = ["tools/grade.py", made.name, inbox, "--output", tmp_path / "grades", "--no-sandbox", "--jobs", "1"]
    with subprocess.Popen([sys.executable, *map(str, arguments)], cwd=ROOT, text=True, stdout=subprocess.PIPE) as run:
        for line in run.stdout:
            if "1 of 2" in line:
                run.kill()
    runtime = [Path(path.read_text()) for path in (tmp_path / "grades").glob("*/students/*/runtime")]
    deadline = time.monotonic() + 20
    while any(path.exists() for path in runtime) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(path.exists() for path in runtime), "what was killed leaves no temporary folder"
    out = command(*arguments[1:])
    assert "2 submissions, 1 graded before." in out.stdout, out.stderr
    rows = read(tmp_path / "grades" / made.name / "marks.csv")
    assert [(row["status"], row["total"]) for row in rows] == [("graded", str(sum(made.points.values())))] * 2


def test_the_kernel_alone_knows_what_was_replaced():
    kernel.watch()
    import grading_watch
    import numpy as np
    assert grading_watch.changed() == []
    original = np.allclose
    try:
        np.allclose = print
        assert grading_watch.changed() == ["numpy.allclose"]
    finally:
        np.allclose = original
    del sys.modules["grading_watch"]


def test_what_is_too_much(tmp_path):
    limits = sandbox.Limits(cell=10)
    (tmp_path / "runtime").write_text(str(tmp_path))
    assert grade.excess(os.getpid(), tmp_path, limits) == ""
    assert "more than 0 MB of memory" in grade.excess(os.getpid(), tmp_path, limits._replace(memory=1))
    assert "wrote more than 0 MB" in grade.excess(os.getpid(), tmp_path, limits._replace(folder=1))


@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize(("dies_in", "status"), [("make", "graded"), ("restore", "crashed")])
def test_a_grader_that_dies_keeps_what_it_knows(dies_in, status, tmp_path, monkeypatch):
    made = Class("ps1-double-descent", tmp_path / "inbox")
    made.add("a", made.solved(), "graded")
    course, key = grade.course_of(made.name, tmp_path)
    one, = intake.collect(made.inbox, made.name).submissions
    draw = page.make

    def die(*given):
        return draw(*given) if dies_in == "make" and given[3] is None else os._exit(1)

    monkeypatch.setattr({"make": page, "restore": grading_cells}[dies_in], dies_in, die)
    job = student.Job(made.name, one, str(course), str(tmp_path), key, {}, sandbox.Limits(), False)
    result, _ = grade.look_after(job, multiprocessing.get_context("fork"))
    assert result["status"] == status and result["key"] == key
    assert status in (tmp_path / "feedback.html").read_text()


# --- nbgrader reads the value of a test's last line as points: findings/nbgrader-last-line-of-a-test.sh ------

ENDS = {"False": False, "np.float64(0.5)": False, "99.0": False, "print('a warning', file=sys.stderr)": False,
        "assert True": False, "assert np.False_": True, "1 / 0": True}


def test_a_test_fails_by_an_error_and_by_nothing_else(tmp_path):
    """Also after code that has IPython show all values."""
    about = {"grade": True, "solution": False, "points": 1}
    first = "import sys, numpy as np\nget_ipython().ast_node_interactivity = 'all'"
    cells = [nbformat.v4.new_code_cell(first, id="new-1")]
    cells += [nbformat.v4.new_code_cell(line, id=f"t{place}", metadata={"nbgrader": about})
              for place, line in enumerate(ENDS)]
    ran = execute.run(nbformat.v4.new_notebook(cells=cells), str(tmp_path), sandbox.Limits(), False, str)
    assert {line: ran[f"t{place}"].failed for place, line in enumerate(ENDS)} == ENDS


# --- Answers that act on the test that calls them -----------------------------------------------------------

QUIET = """
kernel = get_ipython().kernel
first = kernel.do_execute
async def fake(code, *args, **kwargs):
    return await first(code if "canary" in code else "", *args, **kwargs)
kernel.do_execute = fake
"""
LIES = """
class Lies(list):
    def __len__(self):
        return 2
    def __iter__(self):
        return iter(())
def answer():
    return Lies()
"""
NAMES = "all any hasattr isinstance list tuple set str float len zip range abs print repr sorted type".split()
SHADOWS = f"{' = '.join(NAMES)} = lambda *a, **k: True\ndef answer():\n    return [3.0, 1.0]"
BUILTINS = f"import builtins\n_true = isinstance\nbuiltins.isinstance = lambda *a: _true(*a)\n{SHADOWS}"


@pytest.mark.parametrize(("code", "failed", "told"), [
    (FORGE, True, ""), (QUIET, False, "IPython's do_execute"), (LIES, True, ""), (SHADOWS, True, ""),
    (BUILTINS, True, "'builtins.isinstance'"), ("print('canary: []')\nanswer = lambda: 1 / 0", True, ""),
    (SHADOWS.replace("3.0, 1.0", "1.0, 2.0"), False, "")])
def test_what_an_answer_does_to_its_test(code, failed, told, tmp_path):
    """Forged replies, a kernel's method replaced, objects that lie, names of built-ins: no points, or it is told."""
    about = {"grade": True, "solution": False, "points": 1}
    test = f"import numpy as np\n{problem_sets.HELPERS['_near'].strip()}\n_near(answer(), [1.0, 2.0], 'answer')"
    cells = [nbformat.v4.new_code_cell(code.strip(), id="q"),
             nbformat.v4.new_code_cell(test, id="q-hidden-1", metadata={"nbgrader": about}),
             nbformat.v4.new_code_cell(problem_sets.CANARY, id="integrity", metadata={"nbgrader": about})]
    ran = execute.run(nbformat.v4.new_notebook(cells=cells), str(tmp_path), sandbox.Limits(cell=10), False, str)
    assert not ran["q"].failed
    assert ran["q-hidden-1"].failed == failed
    assert (ran["q-hidden-1"].stopped == execute.FORGED) == (code == FORGE)
    canary = cells[-1].outputs[-1].evalue
    assert told in canary if told else canary == "canary: []"
