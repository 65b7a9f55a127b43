"""One submission, in a process of its own: restore, run, score, feedback. Everything stays in the student's folder."""
import hashlib
import json
import logging
import multiprocessing.connection
import os
import re
import shutil
import tempfile
import threading
import traceback
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import nbformat
import notebooks
from nbgrader.preprocessors import LimitOutput

from . import cells, execute, intake, page, sandbox
from .cells import question_of

NOT_HERE = ("ModuleNotFoundError|FileNotFoundError|PermissionError|ConnectionError|ConnectionRefusedError|gaierror|"
            "URLError|StdinNotImplementedError")


class Job(NamedTuple):
    """What is to be done for one student."""

    set: str
    submission: intake.Submission
    course: str  # folder with release and gradebook
    folder: str  # of this student
    key: str  # hash of the submission and of what grades it
    manual: dict  # question -> (points, comment)
    limits: sandbox.Limits
    sandboxed: bool


def run(job, given_up=""):
    """Grade one submission and write result.json; whatever goes wrong ends in a status with a reason.

    `given_up` says why it is not tried again: what is known then is kept.
    """
    folder = Path(job.folder)
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    logging.basicConfig(level=logging.WARNING)
    result, marked = read_result(folder), read_result(folder, "marked.json")
    drawn = True
    if given_up and marked and marked["key"] == job.key:
        result, drawn = marked, False
    elif given_up:
        result = {"status": "crashed", "reason": given_up, **_unmarked(folder)}
    elif not result or result["key"] != job.key:
        for name in ("submitted.ipynb", "graded.ipynb"):
            (folder / name).unlink(missing_ok=True)
        try:
            result = _grade(job, folder)
        except intake.Ungradable as error:
            result = {"status": "ungradable", "reason": str(error)}
        except Exception as error:  # noqa: BLE001 -- one submission must never end the run
            traceback.print_exc()
            result = {"status": "crashed", "reason": f"the grader failed ({type(error).__name__}); see log.txt",
                      **_unmarked(folder)}
    result["key"] = job.key
    result.setdefault("points", {})
    result["manual"] = {question: list(given) for question, given in job.manual.items()}
    write_result(folder, result, "marked.json")
    (folder / "feedback.html").write_text(_feedback(job, folder, result, drawn), encoding="utf-8")
    write_result(folder, result)


def _end_with_parent(folder):
    """End this process, and with it the kernel, when the one that looks after it was killed."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    clean_up(folder)
    os._exit(1)


def clean_up(folder):
    """Remove the folder of the kernel's sockets, if there is one."""
    with suppress(OSError):
        shutil.rmtree((folder / "runtime").read_text(), ignore_errors=True)
        (folder / "runtime").unlink()


def read_result(folder, name="result.json"):
    """Return what is known of a student, or None; marked.json is there before the feedback is."""
    try:
        return json.loads((Path(folder) / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_result(folder, result, name="result.json"):
    """Write it in one piece, so that a killed run leaves the old one or the new one."""
    new = Path(folder) / "result.new"
    new.write_text(json.dumps(result, indent=1), encoding="utf-8")
    new.replace(Path(folder) / name)


def _grade(job, folder):
    """Return the result: status, reason, points by cell, and what a report wants to know."""
    release, source = (nbformat.read(Path(job.course, kind, job.set, f"{job.set}.ipynb"), as_version=4)
                       for kind in ("release", "source"))
    handed, notes, doubts = intake.notebook(job.submission, job.set, release)
    restored = cells.restore(handed, release, source)
    notebook = restored.notebook
    _write(folder / "submitted.ipynb", notebook)
    runtime = tempfile.mkdtemp(prefix="g", dir="/tmp" if os.path.isdir("/tmp") else None)  # sockets need a short path
    (folder / "runtime").write_text(runtime)  # for the process that looks after this one
    try:
        ran = execute.run(notebook, runtime, job.limits, job.sandboxed, lambda: _stopped(folder))
    finally:
        clean_up(folder)
    notebook, _ = LimitOutput(max_lines=200, max_traceback=50).preprocess(notebook, {})
    _write(folder / "graded.ipynb", notebook)

    points = {cell.id: 0.0 if ran[cell.id].failed else float(cell.metadata.nbgrader.points)
              for cell in notebook.cells if execute.is_test(cell) and cell.id != "integrity"}
    points |= {cell.id: 0.0 for cell in notebook.cells if cell.cell_type == "markdown" and cell.metadata.get("nbgrader")
               and cell.metadata.nbgrader.grade}
    doubts, notes = doubts + restored.doubts, notes + restored.notes
    for why in dict.fromkeys(one.stopped for one in ran.values() if one.stopped):
        names = ", ".join(name for name, one in ran.items() if one.stopped == why and name != "integrity")
        (doubts if why in (execute.NOT_RUN, execute.FORGED) else notes).append(f"{why}: {names}")
    doubts += guesses(notebook, restored, {name for name, one in ran.items() if one.failed})
    told = [output.evalue for output in notebook.cells[-1].get("outputs", []) if output.output_type == "error"]
    canary = re.fullmatch(r"canary: \[(.*)\]", told[-1] if told else "")
    if not canary and ran["integrity"].stopped != execute.NOT_RUN:
        doubts.insert(0, "assertions are disabled: no test counts")
        points = dict.fromkeys(points, 0.0)
    elif canary and canary[1]:
        doubts.insert(0, f"replaced: {canary[1][:300]}")
    return {"status": "review" if doubts else "graded", "reason": "; ".join(doubts + notes), "points": points,
            "manual_cells": restored.in_words, **about_questions(notebook, ran)}


def _write(path, notebook):
    path.write_text(notebooks.file_text(notebook), encoding="utf-8")


def _stopped(folder):
    """Return what was stopped by the process that looks after this one, and forget it."""
    try:
        why = (folder / "stopped").read_text()
        (folder / "stopped").unlink()
        return why
    except OSError:
        return ""


def _unmarked(folder):
    """Return the answers of a notebook that could not be run to its end: a human can still mark those in words."""
    notebook = _saved(folder, "submitted.ipynb")
    about = about_questions(notebook, {}) if notebook else {"answers": {}, "words": {}}
    return about | {"manual_cells": [name for name in about["words"] if about["answers"][name]]}


def guesses(notebook, restored, failed):
    """Return why points may have been lost that the answer deserves: what it needs is not where it was handed in."""
    lost = {question_of(cell.id) for cell in notebook.cells if execute.is_test(cell) and cell.id in failed}
    lost.discard("integrity")  # which always fails
    doubts = []
    defined = {name: cells.bound(code) for name, code in restored.elsewhere.items()}
    defined |= {cell.id: cells.bound(cell.source) for cell in notebook.cells
                if cell.metadata.get("nbgrader", {}).get("solution") and cell.cell_type == "code"}
    for cell in notebook.cells:
        if cell.id not in lost:
            continue
        printed = "".join(_printed(other) for other in notebook.cells if question_of(other.id) == cell.id)
        missing = set(re.findall(r"name '(\w+)' is not defined", printed))
        asked = cells.bound(cell.source)
        for other, names in defined.items():
            if found := names & (missing | asked) if other != cell.id else set():
                doubts.append(f"{cell.id} lost points, and {_place(other)} defines {', '.join(sorted(found))}")
        if absent := re.search(rf"\b({NOT_HERE})\b.*", printed):
            doubts.append(f"{cell.id} needs what is not here ({absent[0][:100]})")
    if lost and restored.edited:
        doubts.append(f"points were lost, and what was changed in {', '.join(restored.edited)} does not count")
    if lost and restored.moved:
        doubts.append("points were lost, and cells were moved")
    return doubts


def _place(name):
    return f"a new cell ({name})" if name.startswith("new-") else name


def _printed(cell):
    """Return what a cell printed and raised, as text."""
    return "".join(output.get("text", "") or f"{output.get('ename', '')}: {output.get('evalue', '')}\n"
                   for output in cell.get("outputs", []) if output.output_type in ("stream", "error"))


def about_questions(notebook, ran):
    """Return what the report of the class wants to know, by question: time, messages of tests, answers."""
    seconds, messages, answers, words = {}, {}, {}, {}
    for cell in notebook.cells:
        about, question = cell.metadata.get("nbgrader", {}), question_of(cell.id)
        if cell.id == "integrity" or not (about.get("grade") or about.get("solution")):
            continue
        if about.solution:
            answers[question] = cell.source
            if cell.cell_type == "markdown":
                answers[question] = "" if cell.source.strip() == "YOUR ANSWER HERE" else cell.source
                words[question] = hashlib.sha256(cell.source.strip().encode()).hexdigest()
        if cell.id in ran:
            seconds[question] = round(seconds.get(question, 0.0) + ran[cell.id].seconds, 3)
            raised = [f"{output.ename}: {output.evalue}".removeprefix("AssertionError: ")
                      for output in cell.outputs if output.output_type == "error"]
            told = [line for line in _printed(cell).splitlines() if line[:1] in ("☐", "✗")] + raised
            messages.setdefault(question, []).extend(told)
    return {"seconds": seconds, "messages": {name: told for name, told in messages.items() if told},
            "answers": answers, "words": words}


# --- Feedback -----------------------------------------------------------------------------------------------

def _feedback(job, folder, result, drawn):
    """Return the page that a student gets; there is always one."""
    notebook = _saved(folder, "graded.ipynb") or _saved(folder, "submitted.ipynb")
    pictures = [(PurePosixPath(file.name).name, file.read) for file in job.submission.files
                if PurePosixPath(file.name).suffix.lower() in (".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg")]
    font = Path(job.course, "formulas.css").read_text()
    for content in (notebook, None) if drawn else (None,):
        try:
            return page.make(job.set, result, job.manual, content, pictures, font)
        except Exception:  # noqa: BLE001 -- marks must not hang on it
            traceback.print_exc()
    raise AssertionError("a page without a notebook cannot fail")


def _saved(folder, name):
    try:
        return nbformat.read(folder / name, as_version=4)
    except (OSError, ValueError):
        return None
