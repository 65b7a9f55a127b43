"""Marks of a class: points by question, points given by hand, and the tables that learning platforms take."""
import csv
import re
from pathlib import Path

from .student import question_of

MANUAL = ("student", "question", "max", "points", "comment")


class BadTable(ValueError):
    """A table filled in by hand cannot be used; the message names the line."""


def questions(notebook):
    """Return the points of each question of a set."""
    points = {}
    for cell in notebook.cells:
        about = cell.metadata.nbgrader
        if about.grade and about.points:
            question = question_of(about.grade_id)
            points[question] = points.get(question, 0) + about.points
    return points


def read_manual(path, points, students):
    """Return {student: {question: (points, comment)}} of the lines that have points."""
    given = {}
    if not path.exists():
        return given
    with open(path, encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            place = f"{path}, line {number}"
            if not (row.get("points") or "").strip():
                continue
            student, question = row.get("student"), row.get("question")
            if student not in students or question not in points:
                raise BadTable(f"{place}: no student {student!r} or no question {question!r}")
            try:
                value = float(row["points"].replace(",", "."))
            except ValueError:
                raise BadTable(f"{place}: points must be a number, not {row['points']!r}") from None
            if not 0 <= value <= points[question]:
                raise BadTable(f"{place}: points must be from 0 to {points[question]}, not {value:g}")
            given.setdefault(student, {})[question] = (value, row.get("comment") or "")
    return given


def table(results, points):
    """Return one row for each student, as dictionaries."""
    rows = []
    for student, result in sorted(results.items()):
        manual = {question: given[0] for question, given in result["manual"].items()}
        score = dict.fromkeys(points, 0.0)
        for cell, value in result["points"].items():
            score[question_of(cell)] += value
        score |= manual
        needs = [question for question in points if question not in manual and
                 question in map(question_of, result.get("manual_cells", ()))]
        rows.append({"student": student, "status": result["status"], "reason": result["reason"],
                     **{f"{question} (/{points[question]:g})": _short(score[question]) for question in points},
                     "total": _short(sum(score.values())), "needs-manual": " ".join(needs)})
    return rows


def _short(number):
    return int(number) if float(number).is_integer() else round(number, 3)


def write_all(folder, name, results, points, ids):
    """Write marks.csv, the tables for Canvas and Moodle, and manual.csv with a line for all that is to be graded."""
    rows = table(results, points)
    _write(folder / "marks.csv", list(rows[0]) if rows else ["student"], rows)
    final = [(row, ids[row["student"]], "" if row["needs-manual"] or row["status"] != "graded" else row["total"])
             for row in rows]
    person = {row["student"]: re.sub(rf"_{ids[row['student']] or '$'}$", "", row["student"]) for row in rows}
    canvas = [{"Student": "    Points Possible", name: sum(points.values())}]
    canvas += [{"Student": person[row["student"]], "ID": number, name: mark} for row, number, mark in final]
    _write(folder / "canvas.csv", ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", name], canvas)
    moodle = [{"Identifier": f"Participant {number}" if number else "", "Full name": person[row["student"]],
               "Grade": mark, "Maximum Grade": sum(points.values()), "Feedback comments": row["reason"]}
              for row, number, mark in final]
    _write(folder / "moodle.csv",
           ["Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Feedback comments"], moodle)
    _extend_manual(folder / "manual.csv", rows, points)
    return rows


def _extend_manual(path, rows, points):
    """Add the lines that are missing; those that are there are the teacher's, and stay as they are."""
    there = set()
    if path.exists():
        with open(path, encoding="utf-8-sig", newline="") as file:
            there = {(row.get("student"), row.get("question")) for row in csv.DictReader(file)}
    new = [{"student": row["student"], "question": question, "max": points[question]} for row in rows
           for question in row["needs-manual"].split() if (row["student"], question) not in there]
    if new and path.exists():
        text = path.read_text(encoding="utf-8-sig")
        with open(path, "a", encoding="utf-8", newline="") as file:
            file.write("" if text.endswith("\n") or not text else "\n")
            csv.DictWriter(file, MANUAL, restval="").writerows(new)
    elif new:
        _write(path, MANUAL, new)


def _write(path, columns, rows):
    new = Path(f"{path}.new")
    with open(new, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    new.replace(path)
