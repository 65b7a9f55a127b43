"""One submission, in a process of its own: restore, run, score, feedback. Everything stays in the student's folder."""
import hashlib
import html
import json
import logging
import multiprocessing.connection
import os
import re
import shutil
import tempfile
import threading
import traceback
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import nbformat
import nbgrader.apps  # noqa: F401 -- loaded once, before the process of a student is forked
import nbgrader.converters
import notebooks
import problem_sets
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde, GenerateFeedback
from nbgrader.coursedir import CourseDirectory

from . import intake, sandbox

STUDENT = "student"  # in the gradebook of one student
NO_END = "its code does not end and cannot be interrupted"


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


def run(job):
    """Grade one submission and write result.json; whatever goes wrong ends in a status with a reason."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(job.folder)
    log = os.open(folder / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    logging.basicConfig(level=logging.WARNING)
    result = read_result(folder)
    if not result or result["key"] != job.key:
        for name in ("submitted", "autograded", "gradebook.db"):
            path = folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        try:
            result = _grade(job, folder)
        except intake.Ungradable as error:
            result = {"status": "ungradable", "reason": str(error)}
        except Exception as error:  # noqa: BLE001 -- one submission must never end the run
            traceback.print_exc()
            result = {"status": "crashed", "reason": f"the grader failed ({type(error).__name__}); see log.txt"}
        result["key"] = job.key
        result.setdefault("points", {})
    result["manual"] = {question: list(given) for question, given in job.manual.items()}
    try:
        _feedback(job, folder, result)
    except Exception:  # noqa: BLE001 -- marks must not hang on it
        traceback.print_exc()
        result["reason"] = "; ".join(filter(None, [result["reason"], "no feedback could be made; see log.txt"]))
        (folder / "feedback.html").write_text(_plain_page(job, result), encoding="utf-8")
    write_result(folder, result)


def _end_with_parent():
    """End this process, and with it the kernel, when the one that looks after it was killed."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def read_result(folder):
    """Return what is known of a student, or None."""
    try:
        return json.loads((Path(folder) / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def write_result(folder, result):
    """Write it in one piece, so that a killed run leaves the old one or the new one."""
    new = Path(folder) / "result.new"
    new.write_text(json.dumps(result, indent=1), encoding="utf-8")
    new.replace(Path(folder) / "result.json")


def _grade(job, folder):
    """Return status, reason and points by cell."""
    release = nbformat.read(Path(job.course, "release", job.set, f"{job.set}.ipynb"), as_version=4)
    notebook, notes, doubts = intake.notebook(job.submission, job.set, release)
    notebook, restored, more = restore(notebook, release)
    notes, doubts = notes + restored, doubts + more
    path = folder / "submitted" / STUDENT / job.set / f"{job.set}.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(notebooks.file_text(notebook), encoding="utf-8")
    shutil.copy(Path(job.course, "gradebook.db"), folder)

    runtime = tempfile.mkdtemp(prefix="g", dir="/tmp" if os.path.isdir("/tmp") else None)  # sockets need a short path
    (folder / "runtime").write_text(runtime)  # for the process that looks after this one, and cleans up
    try:
        os.environ.update(sandbox.write_kernelspec(runtime, job.limits, job.sandboxed))
        Autograde(coursedir=_course(job, folder, runtime), parent=None, config=_config(job, folder, runtime)).start()
    except Exception as error:  # noqa: BLE001
        told = (folder / "log.txt").read_text(errors="replace")
        reason = f"its code could not be run to the end ({type(error).__name__})"
        if "DeadKernelError" in told or "Kernel died" in told:
            reason = "the kernel died: its code ended the process, or used too much memory or processor time"
        elif "CellTimeoutError" in told or "UnresponsiveKernelError" in told:
            reason = NO_END
        return {"status": "crashed", "reason": "; ".join([reason, *notes]), "manual_cells": in_words(folder, job.set)}
    finally:
        shutil.rmtree(runtime, ignore_errors=True)

    done = nbformat.read(folder / "autograded" / STUDENT / job.set / f"{job.set}.ipynb", as_version=4)
    errors = {cell.id: output for cell in done.cells for output in cell.get("outputs", [])
              if output.output_type == "error"}
    late = [cell.id for cell in done.cells if getattr(errors.get(cell.id), "ename", "") == "CellTimeoutError"]
    if "integrity" in late:
        return {"status": "crashed", "manual_cells": in_words(folder, job.set),
                "reason": "; ".join([NO_END, *notes])}
    if late:
        notes.append(f"stopped after {job.limits.cell} s: {', '.join(late)}")
    points, needed = _points(folder)
    message = errors["integrity"].evalue if "integrity" in errors else ""
    canary = re.fullmatch(r"canary: \[(.*)\]", message)
    if not canary:
        doubts.insert(0, "assertions are disabled: no test counts")
        points = {cell: 0.0 for cell in points}
    elif canary[1]:
        doubts.insert(0, f"replaced: {canary[1][:300]}")
    status = "review" if doubts else "graded"
    return {"status": status, "reason": "; ".join(doubts + notes), "points": points, "manual_cells": needed,
            **about_questions(done)}


def about_questions(done):
    """Return what the report of the class wants to know, by question: time, messages of tests, answers."""
    seconds, messages, answers, words = {}, {}, {}, {}
    for cell in done.cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.id == "integrity" or not (about.get("grade") or about.get("solution")):
            continue
        question = question_of(cell.id)
        if about.solution:
            answers[question] = cell.source
            if cell.cell_type == "markdown":
                words[question] = hashlib.sha256(cell.source.strip().encode()).hexdigest()
        if cell.cell_type == "code":
            times = [datetime.fromisoformat(time) for time in cell.metadata.get("execution", {}).values()]
            seconds[question] = seconds.get(question, 0.0) + (max(times) - min(times)).total_seconds() if times else 0.0
            printed = "".join(output.get("text", "") for output in cell.outputs).splitlines()
            raised = [output.evalue for output in cell.outputs if output.output_type == "error"]
            messages.setdefault(question, []).extend([line for line in printed if line[:1] in "☐✗"] + raised)
    return {"seconds": seconds, "messages": {name: told for name, told in messages.items() if told},
            "answers": answers, "words": words}


def restore(notebook, release):
    """Put a student's answers and own cells into the released notebook.

    Return the notebook, what was put back as it had been, and what a human should look at. So tests cannot be edited,
    deleted, moved or retyped; an answer counts wherever it stands.
    """
    known = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells}
    answers, own, order, seen, edited, doubts = {}, {None: []}, [], set(), [], []
    anchor = None
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader") if isinstance(cell.metadata, dict) else None
        key = about.get("grade_id") if isinstance(about, dict) else None
        key = key if key in known else cell.get("id")
        if key == "integrity":
            continue
        if key not in known:
            own.setdefault(anchor, []).append(cell)
            continue
        original = known[key]
        if original.metadata.nbgrader.solution:
            if key in answers:
                doubts.append(f"two cells for {key}: the last one counts")
                own.setdefault(anchor, []).append(answers[key])
            if cell.cell_type != original.cell_type:
                doubts.append(f"{key} is {cell.cell_type}, not {original.cell_type}")
            answers[key] = cell
        elif cell.source.strip() != original.source.strip() or cell.cell_type != original.cell_type or (
                isinstance(about, dict) and about.get("points") != original.metadata.nbgrader.get("points")):
            if original.cell_type == "code":  # nobody needs to hear of a comma in the text
                edited.append(key)
        if key not in seen:
            order.append(key)
        seen.add(key)
        anchor = key
    names = [name for name in known if name != "integrity"]
    missing = [name for name in names if name not in seen]
    notes = [f"put back as it was: {', '.join(dict.fromkeys(edited))}"] if edited else []
    gone = [name for name in missing if not known[name].metadata.nbgrader.solution]
    notes += [f"put back: {', '.join(gone)}"] if gone else []
    notes += ["put back in order"] if order != [name for name in names if name in seen] else []
    lost = [name for name in missing if name not in gone]
    doubts += [f"no cell for the answer to {', '.join(lost)}"] if lost else []

    cells = [_plain(cell) for cell in own[None]]
    for name, original in known.items():
        cell = nbformat.from_dict(original)
        if name in answers:
            cell.source = answers[name].source
            if cell.cell_type == "markdown" and "attachments" in answers[name]:
                cell.attachments = answers[name].attachments
        cells += [cell, *map(_plain, own.get(name, []))]
    restored = nbformat.v4.new_notebook(cells=cells, metadata=notebooks.METADATA)
    nbformat.validate(restored)
    return restored, notes, doubts


def _plain(cell):
    """Return a student's own cell with nothing but its text."""
    make = nbformat.v4.new_code_cell if cell.cell_type == "code" else nbformat.v4.new_markdown_cell
    return make(cell.source)


def in_words(folder, name):
    """Return the cells of a restored notebook that were answered and have to be graded by hand."""
    path = Path(folder, "submitted", STUDENT, name, f"{name}.ipynb")
    if not path.exists():
        return []
    notebook = nbformat.read(path, as_version=4)
    return [cell.id for cell in notebook.cells if "nbgrader" in cell.metadata and cell.metadata.nbgrader.grade
            and cell.metadata.nbgrader.solution and cell.source.strip() != "YOUR ANSWER HERE"]


def _config(job, folder, runtime):
    settings = problem_sets.config()
    settings.Execute.timeout = job.limits.cell
    settings.Execute.startup_timeout = 120
    settings.Execute.iopub_timeout = 20  # 4 by default: too little on a machine with much to do
    settings.LimitOutput.max_lines, settings.LimitOutput.max_traceback = 200, 50
    if os.name != "nt":
        settings.KernelManager.transport, settings.KernelManager.ip = "ipc", f"{runtime}/k"
    settings.HTMLExporter.sanitize_html = True  # a student's output shall not run scripts in the teacher's browser
    return settings


def _course(job, folder, runtime=""):
    course = CourseDirectory(config=_config(job, folder, runtime))
    course.root, course.db_url = str(folder), f"sqlite:///{folder}/gradebook.db"
    course.assignment_id, course.student_id = job.set, STUDENT
    return course


def _points(folder):
    """Return automatic points by cell, and the cells that have to be graded by hand."""
    with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
        submission, = gradebook.db.query(nbgrader.api.SubmittedAssignment)
        grades = [grade for notebook in submission.notebooks for grade in notebook.grades]
        return ({grade.name: float(grade.auto_score or 0) for grade in grades if grade.name != "integrity"},
                sorted(grade.name for grade in grades if grade.auto_score is None))


def _feedback(job, folder, result):
    """Write feedback.html: the notebook with points and comments, or a page that says why there is none."""
    if result["status"] in ("graded", "review"):
        with Gradebook(f"sqlite:///{folder}/gradebook.db") as gradebook:
            for question, (points, comment) in job.manual.items():
                _enter(gradebook, job.set, question, points, comment)
            gradebook.db.commit()
        GenerateFeedback(coursedir=_course(job, folder), config=_config(job, folder, ""), force=True).start()
        made = folder / "feedback" / STUDENT / job.set / f"{job.set}.html"
        text = made.read_text(encoding="utf-8")
        shutil.rmtree(folder / "feedback")
        note = f"<p><b>{html.escape(result['status'])}</b> {html.escape(result['reason'])}</p>"
        text = re.sub(r"(<body[^>]*>)", lambda match: match[1] + note, text, count=1)
    else:
        text = _plain_page(job, result)
    (folder / "feedback.html").write_text(text, encoding="utf-8")


def _plain_page(job, result):
    rows = "".join(f"<li>{html.escape(question)}: {points:g}. {html.escape(comment)}</li>"
                   for question, (points, comment) in job.manual.items())
    return (f"<!DOCTYPE html><meta charset='utf-8'><title>{job.set}</title><h1>{job.set}: {result['status']}</h1>"
            f"<p>{html.escape(result['reason'])}</p><ul>{rows}</ul>")


def _enter(gradebook, name, question, points, comment):
    """Enter points given by hand, and a comment; for a question of code they replace those of its tests."""
    submission, = gradebook.db.query(nbgrader.api.SubmittedNotebook)
    left = points
    for grade in submission.grades:
        if question_of(grade.name) == question and grade.name != "integrity":
            grade.manual_score = min(left, grade.max_score)
            grade.needs_manual_grade = False
            left -= grade.manual_score
    for note in submission.comments:
        if question_of(note.name) == question:
            note.manual_comment = comment


def question_of(cell):
    """Return the question that a cell belongs to: 1-name for 1-name, 1-name-check and 1-name-hidden-2."""
    return re.sub(r"-(check|hidden-\d+)$", "", cell)
