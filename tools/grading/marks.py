"""Marks of a class: points by question, points given by hand, late work, and what changed since the last run."""
import math
import random
import re
import unicodedata
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from . import tables
from .student import question_of
from .tables import BadTable

MANUAL = ("student", "question", "max", "points", "comment", "old points", "old comment")
REVIEW, LATE = "review", "late"  # lines of manual.csv that are no question: to accept a mark; days late


class Manual(NamedTuple):
    """What the teacher wrote, by student."""

    given: dict  # {student: {question: (points, comment)}}; points None: those of the tests stay
    accepted: dict  # {student: comment}: the mark stands, though the status is not "graded"
    late: dict  # {student: days}
    warnings: list  # lines that could not be used


class Rule(NamedTuple):
    """What late work costs: nothing, unless the teacher says so."""

    due: datetime | None = None
    grace: float = 0  # minutes
    percent: float = 0  # of the set's points, for each day begun


class Names:
    """Students' names, or numbers in their place; either is understood."""

    def __init__(self, folder, anonymous, students):
        path, self.anonymous, self.numbers = folder / "names.csv", anonymous, {}
        if path.exists():
            self.numbers = {tables.plain(row["student"]): row["number"] for row in tables.read(path).rows}
        new = sorted(set(students) - set(self.numbers))
        if anonymous and new:
            taken = set(self.numbers.values())
            free = [number for i in range(100, 1000 + 10 * len(students)) if (number := f"S{i}") not in taken]
            self.numbers |= zip(new, random.SystemRandom().sample(free, len(new)))
            tables.write(path, ["number", "student"], sorted(
                ({"number": number, "student": student} for student, number in self.numbers.items()),
                key=lambda row: row["number"]))
        self._known = {_same(number): student for student, number in self.numbers.items()}
        for student in students:
            self._known.setdefault(_same(student), student)
        self._exact = set(students)

    def shown(self, student):
        """Return what stands for a student in the files that a marker reads."""
        return self.numbers[student] if self.anonymous else student

    def real(self, text):
        """Return the student that a cell of a table means, or None."""
        return text if text in self._exact else self._known.get(_same(text))


def _same(name):
    """Return what stays of a name when spreadsheets and systems are done with it."""
    name = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    return name.lstrip("0") if name.isdecimal() else name


def questions(notebook):
    """Return the points of each question of a set."""
    points = {}
    for cell in notebook.cells:
        about = cell.metadata.nbgrader
        if about.grade and about.points:
            question = question_of(about.grade_id)
            points[question] = points.get(question, 0) + about.points
    return points


def read_manual(path, points, names):
    """Return what the teacher wrote into manual.csv; raise BadTable where it is not clear what is meant."""
    manual = Manual({}, {}, {}, [])
    for other in sorted(path.parent.glob("manual*")):
        if other.name not in (path.name, f"{path.name}.new", f"{path.name}.bak"):
            manual.warnings.append(f"{other} is not read: points are taken from {path.name} alone")
    if not path.exists():
        return manual
    table = _manual_table(path, names)
    seen = {}
    for line, row in zip(table.lines, table.rows):
        place = f"{path}, line {line}"
        name, question, value = tables.plain(row["student"]), tables.plain(row["question"]), row["points"].strip()
        if not name.strip() or not question.strip():
            raise BadTable(f"{place}: student or question is missing: {' '.join(filter(None, row.values()))!r}")
        if not value and (not row["comment"].strip() or question in (REVIEW, LATE)):
            continue
        student = names.real(name)
        if question not in (*points, REVIEW, LATE):
            raise BadTable(f"{place}: no question {question!r}; there are {', '.join(points)}")
        if student is None:
            manual.warnings.append(f"{place}: no student {name!r} has handed in here; the line is kept, and not used")
            continue
        entry = value.replace(",", "."), row["comment"]
        if seen.setdefault((student, question), (entry, line))[0] != entry:
            raise BadTable(f"{place}: {name} has other points for {question} in line {seen[student, question][1]}")
        if question == REVIEW:
            if value.casefold() != "ok":
                raise BadTable(f"{place}: to accept a mark that was to be reviewed, write ok; got {value!r}")
            manual.accepted[student] = row["comment"]
            continue
        number = _number(value, row["comment"], table.delimiter, place) if value else None
        if question == LATE:
            if number < 0:
                raise BadTable(f"{place}: days late must not be negative, got {number:g}")
            manual.late[student] = number
        elif value and not 0 <= number <= points[question]:
            raise BadTable(f"{place}: points must be from 0 to {points[question]}, not {number:g}")
        else:
            manual.given.setdefault(student, {})[question] = (number, row["comment"])
    return manual


def _manual_table(path, names):
    """Return manual.csv with its columns under their plain names."""
    def fits(rows):
        return sum(names.real(tables.plain(value)) is not None for row in rows for column, value in row.items()
                   if column.casefold() == "student")

    table = tables.read(path, fits)
    table = table._replace(rows=[{column.casefold(): value for column, value in row.items()} for row in table.rows])
    mixed = [column for column in table.columns if any(sign in column for sign in ",;\t")]
    if mixed:
        raise BadTable(f"{path}, line 1: not a name of one column: {mixed[0]!r}; when you open the file, tell the "
                       f"spreadsheet that {table.delimiter!r} separates the cells")
    missing = [column for column in ("student", "question", "points", "comment")
               if column not in map(str.casefold, table.columns)]
    if missing:
        raise BadTable(f"{path}, line 1: no column {', '.join(missing)}; found: {', '.join(table.columns)}")
    return table


def _number(value, comment, delimiter, place):
    """Return the number in a cell, whatever its decimal sign."""
    if delimiter == "," and re.fullmatch(r"\d+", value) and re.fullmatch(r"\s*\d+\s*", comment):
        raise BadTable(f"{place}: {value} points and the comment {comment.strip()!r}, or {value}.{comment.strip()} "
                       f"points? A decimal comma needs quotation marks: \"{value},{comment.strip()}\"")
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise BadTable(f"{place}: points must be a number, not {value!r}")
    return number


def ask_again(path, outdated, names):
    """Take back points that were given for another hand-in: they move beside, and the cells are empty again."""
    if not any(outdated.values()):
        return
    table = _manual_table(path, names)
    Path(f"{path}.bak").write_bytes(path.read_bytes())
    for row in table.rows:
        if tables.plain(row["question"]) in outdated.get(names.real(tables.plain(row["student"])), ()):
            row |= {"old points": row["points"], "old comment": tables.neutral(row["comment"]), "points": "",
                    "comment": ""}
    _write_manual(path, table)


def _write_manual(path, table):
    columns = [*table.columns, *(column for column in MANUAL if column not in map(str.casefold, table.columns))]
    rows = [{column: row.get(column.casefold(), "") for column in columns} for row in table.rows]
    encoding = table.encoding if table.encoding.startswith("utf") else "utf-8-sig"
    tables.save(path, table._replace(columns=columns, rows=rows, encoding=encoding))


def extend_manual(path, rows, points, names):
    """Add the lines that are missing; those that are there are the teacher's, and stay as they are."""
    table = _manual_table(path, names) if path.exists() else tables.Table(list(MANUAL), [], [])
    there = {(names.real(tables.plain(row["student"])), tables.plain(row["question"])) for row in table.rows}
    new = [{"student": tables.neutral(names.shown(row["student"])), "question": tables.neutral(question),
            "max": points.get(question, "")} for row in rows
           for question in row["needs-manual"].split() if (row["student"], question) not in there]
    if new:
        _write_manual(path, table._replace(rows=[*table.rows, *new]))


def days_late(about, entered, rule):
    """Return how many days late a hand-in is, or None where only the platform knows it."""
    if entered is not None:
        return entered
    if about["time"] and rule.due:
        seconds = (datetime.fromisoformat(about["time"]) - rule.due).total_seconds()
        return 0 if seconds <= 60 * rule.grace else math.ceil(seconds / 86400)
    return None if about["late"] else 0


def without_time(people, entered, rule):
    """Return of whom a penalty would have to know when they handed in, and nothing tells."""
    return [student for student, about in people.items() if rule.percent and student not in entered
            and not about["late"] and about["platform"] != "canvas"  # which says LATE, or nothing
            and not (about["time"] and rule.due)]


def table(results, points, people, manual, rule=Rule()):  # noqa: B008
    """Return one row for each student, as dictionaries; `mark` is empty until it is decided."""
    rows, most = [], sum(points.values())
    for student, result in sorted(results.items()):
        given = {question: value[0] for question, value in result["manual"].items() if value[0] is not None}
        score = dict.fromkeys(points, 0.0)
        for cell, value in result["points"].items():
            score[question_of(cell)] += value
        score |= given
        needs = [question for question in points if question not in given and
                 question in map(question_of, result.get("manual_cells", ()))]
        decided = student in manual.accepted or set(points) <= set(given)
        if result["status"] == "review" and not decided:
            needs.append(REVIEW)
        late, total = days_late(people[student], manual.late.get(student), rule), sum(score.values())
        if late is None and rule.percent:
            needs.append(LATE)
        final = not needs and (decided or result["status"] == "graded")
        rows.append({"student": student, "status": result["status"], "reason": result["reason"],
                     **{f"{question} (/{points[question]:g})": _short(score[question]) for question in points},
                     "total": _short(total), "submitted": people[student]["time"],
                     "late": "LATE" if late is None else f"{late:g} day{'' if late == 1 else 's'}" if late else "",
                     "mark": _short(max(0, total - rule.percent / 100 * most * (late or 0))) if final else "",
                     "needs-manual": " ".join(needs)})
    return rows


def _short(number):
    return int(number) if float(number).is_integer() else round(number, 3)


def write_marks(folder, rows, names):
    """Write marks.csv, and into changes.txt what is other than in the marks.csv before; return the changes."""
    path, changes = folder / "marks.csv", []
    if path.exists():
        before = {names.real(tables.plain(row["student"])): {key: tables.plain(value) for key, value in row.items()}
                  for row in tables.read(path).rows}
        for row in rows:
            old = before.get(row["student"])
            parts = [f"{key} {old[key] or '(none)'} → {row[key] if row[key] != '' else '(none)'}" for key in row
                     if key != "student" and old and old.get(key, "") != str(row[key]) and key in old]
            if parts or not old:
                changes.append(f"{names.shown(row['student'])}: {'; '.join(parts) or 'new'}")
    shown = [row | {"student": names.shown(row["student"])} for row in rows]
    tables.write(path, list(rows[0]) if rows else ["student"], sorted(shown, key=lambda row: row["student"]))
    if changes:
        with open(folder / "changes.txt", "a", encoding="utf-8", errors="replace") as file:
            file.write(f"{datetime.now():%Y-%m-%d %H:%M}\n" + "".join(f"  {line}\n" for line in changes))
    return changes
