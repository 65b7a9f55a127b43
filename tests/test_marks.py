"""Between results and tables: what a teacher writes counts, whatever a spreadsheet does to it; nothing is lost."""
import codecs
import csv
import json
import os
import random
import re
import tempfile
import zipfile
from datetime import datetime
from pathlib import Path

import chromium
import grade
import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup
from classroom import _zip
from grading import exports, intake, marks, report, similar, student, tables
from hypothesis import given, settings
from hypothesis import strategies as st

POINTS = {"1-a": 4, "2-b": 3}
HEAD = "student,question,max,points,comment\n"


def read(path):
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def manual(tmp_path, content, students=("ada", "bob")):
    """Return what is understood of a manual.csv, given as text or bytes."""
    path = tmp_path / "manual.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return marks.read_manual(path, POINTS, marks.Names(tmp_path, False, students))


# --- manual.csv as spreadsheets save it ---------------------------------------------------------------------

EUROPEAN = "student;question;max;points;comment\nZoë;1-a;4;3,5;für die Idee\nbob;2-b;3;2;\n"


@pytest.mark.parametrize("content", [
    EUROPEAN.encode("utf-8"), EUROPEAN.encode("utf-8-sig"), EUROPEAN.encode("cp1252"), EUROPEAN.encode("mac_roman"),
    EUROPEAN.encode("utf-16"), codecs.BOM_UTF16_BE + EUROPEAN.replace(";", "\t").encode("utf-16-be"),
    EUROPEAN.replace("student;question", "Student;QUESTION").replace("\n", "\r\n").encode(),
    EUROPEAN.replace("\n", ";;\n").encode("cp1252"), b"sep=;\n" + EUROPEAN.encode("cp1252"),
    EUROPEAN.replace(";", ",").replace("3,5", '"3,5"').encode(), EUROPEAN.replace("Zoë", "zoe\u0308 ").encode(),
    re.sub(r"([^;\n]+)", r'"\1"', EUROPEAN).encode("cp1252"), (EUROPEAN + "René;1-a;4;;\n").encode("mac_roman"),
    "points;comment;student;question;grader\n3,5;für die Idee;Zoë;1-a;me\n2;;bob;2-b;me\n".encode(),
], ids=["UTF-8", "mark", "cp1252", "Mac", "UTF-16", "big-endian tabs", "capitals", "empty columns", "sep=",
        "quoted comma", "decomposed", "all quoted", "one more name", "other columns"])
def test_tables_that_spreadsheets_save_are_understood(content, tmp_path):
    found = manual(tmp_path, content, ("Zoë", "bob"))
    assert found.given == {"Zoë": {"1-a": (3.5, "für die Idee")}, "bob": {"2-b": (2.0, "")}} and not found.warnings


CLASS = ["ada", "Zoë O'Hara, =1+1", "Müller; Max", '"Q"', "-x", "Søren", "a\tb"]
COMMENTS = st.text(alphabet="ab1,;\"'\t\n=-ü", max_size=6).filter(lambda text: not text.strip().isdecimal())


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from(CLASS), st.sampled_from(["1-a", "2-b"])),
                       st.tuples(st.sampled_from([0, 1.5, 2, 3]), COMMENTS), min_size=1),
       st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "mac_roman"]), st.sampled_from(",;\t"),
       st.sampled_from([".", ","]), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_every_point_arrives_whatever_saved_it(entered, encoding, delimiter, decimal, quoting):
    with tempfile.TemporaryDirectory() as folder:
        path, names = Path(folder, "manual.csv"), marks.Names(Path(folder), False, CLASS)
        marks.extend_manual(path, [{"student": name, "needs-manual": "1-a 2-b"} for name in CLASS], POINTS, names)
        table = tables.read(path)
        for row in table.rows:
            points, comment = entered.get((tables.plain(row["student"]), row["question"]), ("", ""))
            row |= {"points": f"{points}".replace(".", decimal), "comment": comment}
        tables.save(path, table._replace(encoding=encoding, delimiter=delimiter), quoting)
        found = marks.read_manual(path, POINTS, names)
    assert not found.warnings
    assert {(name, question): (value[0], re.sub("\r\n?", "\n", value[1])) for name, given in found.given.items()
            for question, value in given.items()} == entered


def test_names_that_spreadsheets_take_for_numbers(tmp_path):
    assert manual(tmp_path, HEAD + "7,1-a,4,3,\n", ("007", "ada")).given == {"007": {"1-a": (3.0, "")}}


@pytest.mark.parametrize(("content", "message"), [
    (HEAD + "ada,9,3,2,\n", r"line 2: no question '9'; there are 1-a, 2-b"),
    (HEAD + "\nada,1-a,4,two,\n", "line 3: points must be a number, not 'two'"),
    (HEAD + "ada,2-b,3,4,\n", "from 0 to 3, not 4"), (HEAD + "ada,2-b,3,nan,\n", "must be a number"),
    (HEAD + "ada,2-b,3,-1,\n", "from 0 to 3, not -1"),
    (HEAD + "ada,1-a,4,2,5\n", "line 2: 2 points and the comment '5', or 2.5 points"),
    (HEAD + "ada,1-a,4,2,5,good\n", "line 2: 6 cells, but 5 columns"),
    (HEAD + "ada,1-a,4,2,\nada,1-a,4,3,\n", "line 3: ada has other points for 1-a in line 2"),
    (HEAD + 'ada,1-a,4,2,"open\n', "line 2: unexpected end of data"),
    ("name,question,points\nada,1-a,3\n", "line 1: no column student, comment; found: name, question, points"),
    (HEAD.replace("\n", ",old comment;\n") + "ada,1-a,4,,,;3\n", "line 1: not a name of one column: 'old comment;'"),
    (HEAD + "ada;1-a;4;3;,,,,\n", "line 2: student or question is missing: 'ada;1-a;4;3;'"),
    (b"PK\x03\x04...", "is a workbook, not a table in CSV"), ("", "line 1: no column student"),
    (HEAD + "ada,review,,yes,\n", "write ok; got 'yes'"), (HEAD + "ada,late,,-1,\n", "must not be negative"),
])
def test_what_is_not_clear_is_refused_with_line_and_reason(content, message, tmp_path):
    with pytest.raises(tables.BadTable, match=message):
        manual(tmp_path, content)
    content = content if isinstance(content, bytes) else content.encode()
    assert (tmp_path / "manual.csv").read_bytes() == content


def test_lines_that_cannot_be_used_are_named(tmp_path):
    (tmp_path / "manual.xlsx").write_bytes(b"PK")
    found = manual(tmp_path, HEAD + "adda,1-a,4,3,\nada,2-b,3,,no points yet\nada,1-a,4,3,\n")
    assert found.given == {"ada": {"1-a": (3.0, ""), "2-b": (None, "no points yet")}}
    assert [re.search(pattern, line) is not None for pattern, line in zip(
        ("manual.xlsx is not read", "line 2: no student 'adda'"), found.warnings)] == [True] * 2


def test_the_table_to_fill_in_grows_and_is_never_overwritten(tmp_path):
    path, names = tmp_path / "manual.csv", marks.Names(tmp_path, False, ["=1+1", "ada", "bob"])
    rows = [{"student": name, "needs-manual": "2-b"} for name in ("ada", "=1+1")]
    marks.extend_manual(path, rows[:1], POINTS, names)
    assert [row["student"] for row in read(path)] == ["ada"]
    mine = "Student;question;max;points;comment;grader\nada;2-b;3;2,5;-1: größer;me\ncy;1-a;4;1;in another group;me"
    path.write_bytes(mine.encode("cp1252"))
    marks.extend_manual(path, rows, POINTS, names)
    text = path.read_text(encoding="utf-8-sig")
    assert text.splitlines()[1:3] == ["ada;2-b;3;2,5;-1: größer;me;;", "cy;1-a;4;1;in another group;me;;"]
    assert text.splitlines()[3].startswith("'=1+1;2-b;3;;;")
    found = marks.read_manual(path, POINTS, names)
    assert found.given == {"ada": {"2-b": (2.5, "-1: größer")}} and "no student 'cy'" in found.warnings[0]
    before = path.read_bytes()
    marks.extend_manual(path, rows, POINTS, names)
    assert path.read_bytes() == before


# --- No formulas --------------------------------------------------------------------------------------------

@settings(deadline=None)
@given(st.text(alphabet="=+-@'\t\n; a1＝", max_size=8) | st.text(max_size=20))
def test_texts_are_neutralized_and_read_back_unchanged(text):
    safe = tables.neutral(text)
    assert tables.plain(safe) == text
    for part in re.split(r"[;\t\r\n]", safe):
        assert not re.match(r"\s*[=+\-@＝＋－＠]", part) or text == "-" or re.fullmatch(r"[+-]?\d+([.,]\d+)?", text)


EVIL = ["=HYPERLINK(\"//x\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "x;=1+1", "'=quoted"]


def test_no_formula_in_any_table(tmp_path):
    names = marks.Names(tmp_path, False, EVIL)
    results = {name: result(reason=f"{name} was there", needed=["2-b"]) for name in EVIL}
    people = {name: about(name) for name in EVIL}
    rows = marks.table(results, POINTS, people, marks.Manual({}, {}, {}, []))
    marks.write_marks(tmp_path, rows, names)
    marks.extend_manual(tmp_path / "manual.csv", rows, POINTS, names)
    exports.write(tmp_path, "=set", rows, people, 7)
    for path in tmp_path.glob("*.csv"):
        with open(path, encoding="utf-8-sig", newline="") as file:
            cells = [part for row in csv.reader(file) for cell in row for part in re.split("[;\t\n]", cell)]
        assert not [cell for cell in cells if re.match(r"\s*[=+\-@]", cell) and cell != "-"], path.name
    assert sorted(tables.plain(row["student"]) for row in read(tmp_path / "marks.csv")) == sorted(EVIL)
    filled = (tmp_path / "manual.csv").read_text(encoding="utf-8-sig").replace("2-b,3,,", "2-b,3,1,")
    (tmp_path / "manual.csv").write_text(filled)
    assert set(marks.read_manual(tmp_path / "manual.csv", POINTS, names).given) == set(EVIL)
    assert marks.write_marks(tmp_path, rows, names) == [], "nothing has changed"


# --- Marks, late work ---------------------------------------------------------------------------------------

def result(status="graded", manual=None, needed=(), reason="", **points):
    return {"status": status, "reason": reason, "points": {k.replace("_", "-"): v for k, v in points.items()},
            "manual": manual or {}, "manual_cells": list(needed), "key": ""}


def about(name, id="", platform="", late=False, time=""):  # noqa: A002
    return {"student": name, "person": name.removesuffix(f"_{id}"), "id": id, "platform": platform, "late": late,
            "time": time}


def row_of(result, about, rule=marks.Rule(), **given):  # noqa: B008
    return marks.table({"ada": result}, POINTS, {"ada": about}, marks.Manual({}, *(
        {"ada": given[key]} if key in given else {} for key in ("accepted", "late")), []), rule)[0]


FULL = {"1-a-check": 1.0, "1-a-hidden-1": 3.0}


@pytest.mark.parametrize(("status", "entered", "needed", "accepted", "mark", "needs"), [
    ("graded", {}, [], None, 4, ""), ("graded", {}, ["2-b"], None, "", "2-b"),
    ("graded", {"2-b": [1.5, ""]}, ["2-b"], None, 5.5, ""),
    ("review", {}, [], None, "", "review"), ("review", {}, [], "fine", 4, ""),
    ("review", {}, ["2-b"], "fine", "", "2-b"),
    ("graded", {"1-a": [None, "nice"], "2-b": [None, "see me"]}, ["2-b"], None, "", "2-b"),
    ("review", {"1-a": [2, ""]}, [], None, "", "review"), ("review", {"1-a": [2, ""], "2-b": [1, ""]}, [], None, 3, ""),
    ("crashed", {}, [], None, "", ""), ("ungradable", {"1-a": [0, ""], "2-b": [0, ""]}, [], None, 0, ""),
])
def test_a_mark_is_decided_by_tests_by_all_points_or_by_the_teacher(status, entered, needed, accepted, mark, needs):
    row = row_of({**result(status, entered, needed), "points": FULL}, about("ada"),
                 **({} if accepted is None else {"accepted": accepted}))
    assert (row["mark"], row["needs-manual"]) == (mark, needs)


DUE = datetime(2026, 3, 1, 23, 59)


@pytest.mark.parametrize(("late", "time", "rule", "entered", "mark", "shown", "needs"), [
    (False, "", (), None, 4, "", ""), (True, "", (), None, 4, "LATE", ""),  # no rule: told, and nothing taken off
    (False, "2026-03-02 00:10:00", (DUE,), None, 4, "1 day", ""),
    (False, "2026-03-02 00:10:00", (DUE, 15, 10), None, 4, "", ""),  # grace
    (False, "2026-03-02 00:15:00", (DUE, 15, 10), None, 3.3, "1 day", ""),
    (False, "2026-03-03 12:00:00", (DUE, 0, 10), None, 2.6, "2 days", ""),
    (False, "2026-04-03 12:00:00", (DUE, 0, 10), None, 0, "33 days", ""),
    (True, "", (DUE, 0, 10), None, "", "LATE", "late"),  # how late only Canvas knows
    (True, "", (DUE, 0, 10), 2, 2.6, "2 days", ""), (False, "2026-04-03 12:00:00", (DUE, 0, 10), 0, 4, "", ""),
])
def test_late_work(late, time, rule, entered, mark, shown, needs):
    row = row_of({**result(), "points": FULL}, about("ada", late=late, time=time), marks.Rule(*rule),
                 **({} if entered is None else {"late": entered}))
    assert (row["mark"], row["late"], row["needs-manual"]) == (mark, shown, needs)
    assert row["total"] == 4 and row["submitted"] == time, "the mark without deduction stands beside"


@pytest.mark.parametrize(("one", "entered", "rule", "unknown"), [
    (about("ada"), {}, (DUE, 0, 10), True), (about("ada", platform="moodle"), {}, (None, 0, 10), True),
    (about("ada", time="2026-03-02 00:10:00"), {}, (None, 0, 10), True),
    (about("ada", time="2026-03-02 00:10:00"), {}, (DUE, 0, 10), False), (about("ada"), {}, (DUE,), False),
    (about("ada"), {"ada": 0}, (DUE, 0, 10), False), (about("ada", late=True), {}, (DUE, 0, 10), False),
    (about("ada", platform="canvas"), {}, (DUE, 0, 10), False)])
def test_late_work_that_nothing_tells_is_named(one, entered, rule, unknown):
    assert marks.without_time({"ada": one}, entered, marks.Rule(*rule)) == ["ada"] * unknown


def test_the_rule_for_late_work_is_remembered(tmp_path, monkeypatch, capsys):
    seen = []
    monkeypatch.setattr(grade, "grade", lambda *_, rule, **__: seen.append(rule) or [])
    command = ["ps", str(tmp_path), "--output", str(tmp_path), "--no-sandbox"]
    for more in ([], ["--due", "2026-03-01T23:59+01:00", "--penalty", "10"], [], ["--penalty", "0"], []):
        assert grade.main([*command, *more]) == 0
    assert seen == [marks.Rule(), marks.Rule(DUE, 0, 10), marks.Rule(DUE, 0, 10), marks.Rule(), marks.Rule()]
    assert "Late work: due 2026-03-01T23:59:00, 0 minutes of grace, 10 % for a day." in capsys.readouterr().out


# --- Platforms ----------------------------------------------------------------------------------------------

def graded(tmp_path, *people, item="ps"):
    """Write the tables for the platforms of people who all have 5.5 points; return the rows of one by its name."""
    results = {one["student"]: {**result(manual={"2-b": [1.5, ""]}), "points": FULL} for one in people}
    people = {one["student"]: one for one in people}
    rows = marks.table(results, POINTS, people, marks.Manual({}, {}, {}, []))
    exports.write(tmp_path, item, rows, people, 7)
    return rows, people


def test_the_columns_that_each_platform_asks_for(tmp_path):
    graded(tmp_path, about("Ada Lovelace_4711", "4711"))
    lines = {path.name: path.read_bytes().decode().splitlines() for path in tmp_path.glob("*.csv")}
    assert lines == {
        "canvas.csv": ["Student,ID,SIS User ID,SIS Login ID,Section,ps", "    Points Possible,,,,,7",
                       "Ada Lovelace,4711,,,,5.5"],
        "moodle.csv": ["Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
                       "Last modified (submission),Last modified (grade),Feedback comments",
                       "Participant 4711,Ada Lovelace,,,5.5,7,Yes,,-,"],
        "blackboard.csv": ['"Last Name","First Name","Username","ps [Total Pts: 7 Score]"',
                           '"Ada Lovelace","","4711","5.5"'],
        "brightspace.csv": ["OrgDefinedId,Username,ps Points Grade,End-of-Line Indicator", "#4711,,5.5,#"]}


def test_the_instructors_page_names_the_columns(tmp_path):
    graded(tmp_path, about("ada"), item="the set")
    page = (grade.notebooks.ROOT / "book" / "instructors.md").read_text(encoding="utf-8")
    for name, columns in re.findall(r"^`(\w+.csv)`\n: (.*) \(\[", page, re.M):
        with open(tmp_path / name, encoding="utf-8", newline="") as file:
            written = [re.sub(r"^(the set).+", r"\1", column) for column in next(csv.reader(file))]
        assert [re.sub(r"^(the set).+", r"\1", column) for column in columns.split(", ")] == written
        (tmp_path / name).unlink()
    assert not list(tmp_path.glob("*.csv")), "each is in the page"


def test_only_the_platform_that_the_files_came_from(tmp_path):
    graded(tmp_path, about("Ada_1", "1", "moodle"), about("plain"))
    assert [path.name for path in tmp_path.glob("*.csv")] == ["moodle.csv"]


def test_feedback_as_moodle_takes_it(tmp_path):
    """Folders as in its download: name, number, type and name of the plugin; only where the mark is decided."""
    page = tmp_path / "page.html"
    page.write_text("a page")
    rows, people = graded(tmp_path, about("Zoë A_B_12", "12", "moodle"), about("Bob_13", "13", "moodle"),
                          about("Cy_14", "14", "canvas"))
    rows = [row | {"mark": ""} if row["student"] == "Bob_13" else row for row in rows]
    exports.give_back(tmp_path, rows, people, lambda student: page)
    with zipfile.ZipFile(tmp_path / "moodle-feedback.zip") as archive:
        (name, content), = [(name, archive.read(name)) for name in archive.namelist()]
    person, number, *plugin, rest = name.split("/")[0].split("_", 4)
    assert (person, number, plugin, rest, content) == ("Zoë A B", "12", ["assignsubmission", "file"], "", b"a page")
    submission, = intake.collect(tmp_path / "moodle-feedback.zip", "ps").submissions
    assert (submission.id, submission.platform) == ("12", "moodle"), "known as Moodle's by the grader, too"
    exports.give_back(tmp_path, [], people, lambda student: page)
    assert not (tmp_path / "moodle-feedback.zip").exists()


# As each platform exports them; the last line is of somebody who handed in nothing.
ROSTERS = {
    "canvas": ("utf-8", "Student,ID,SIS User ID,SIS Login ID,Section,Essay (17),ps (18),Current Score\n"
               "    Points Possible,,,,,10,7,(read only)\n\"Lovelace, Ada\",4711,u1,ada,S1,9,,90\n"
               "\"Bö, Bob\",12,u2,bob,S1,8,,80\n\"Cy, C\",13,u3,cy,S1,,,\n", "ps (18)"),
    "moodle": ("utf-8-sig", "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
               "Last modified (submission),Last modified (grade),Feedback comments\n"
               "Participant 4711,Ada Lovelace,a@x,Submitted,,7.00,Yes,\"Monday, 2 March 2026, 10:15 AM\",-,\n"
               "Participant 12,Bob Bö,b@x,Submitted,,7.00,Yes,-,-,\nParticipant 13,C Cy,c@x,,,7.00,Yes,-,-,\n",
               "Grade"),
    "blackboard": ("utf-16", "Last Name\tFirst Name\tUsername\tps [Total Pts: 7 Score] |123\n"
                   "Lovelace\tAda\t4711\t\nBö\tBob\t12\t\nCy\tC\t13\t\n", "ps [Total Pts: 7 Score] |123"),
    "brightspace": ("utf-8", "OrgDefinedId,Username,Last Name,First Name,ps Points Grade <Numeric MaxPoints:7>,"
                    "End-of-Line Indicator\n#900,#u1,Lovelace,Ada,,#\n#901,#u2,Bö,Bob,,#\n#902,#u3,Cy,C,,#\n",
                    "ps Points Grade <Numeric MaxPoints:7>"),
}


@pytest.mark.parametrize("platform", ROSTERS)
def test_round_trip_of_a_platforms_own_table(platform, tmp_path):
    encoding, text, column = ROSTERS[platform]
    path = tmp_path / "export.csv"
    path.write_bytes(text.encode(encoding))
    ids = ("", "") if platform == "brightspace" else ("4711", "12")
    rows, people = graded(tmp_path, about("Ada Lovelace_4711", ids[0], platform) | {"person": "Ada Lovelace"},
                          about("Bob Bo_12", ids[1], platform) | {"person": "Bob Bo"}, about("dora"))
    roster = exports.Roster(path, "ps")
    unknown, absent = roster.fill(tmp_path, rows, people)
    assert unknown == ["dora"] and len(absent) == 1
    before, after = tables.read(path), tables.read(tmp_path / "filled-export.csv")
    assert (after.columns, after.delimiter) == (before.columns, before.delimiter)
    for old, new in zip(before.rows, after.rows):
        mark = "5.5" if any(name in " ".join(old.values()) for name in ("Ada", "Bob")) else old[column]
        assert new == old | {column: mark}
    if platform == "moodle":
        assert [roster.time(people[name]) for name in ("Ada Lovelace_4711", "Bob Bo_12")] == ["2026-03-02 10:15:00", ""]


def test_a_table_without_the_item_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("Username,Essay\nada,\n")
    with pytest.raises(tables.BadTable, match="no column for the marks of 'ps'; name it with --item.*Username, Essay"):
        exports.Roster(path, "ps")


# --- Report and similarity ----------------------------------------------------------------------------------

def test_facility_and_discrimination():
    import numpy as np

    scores = np.array([[4, 3, 2, np.nan], [4, 3, 2, 1], [0, 0, 2, np.nan], [2, 0, 2.0, np.nan]])
    facility, discrimination = report.statistics({"a": 4, "b": 3, "c": 4, "d": 2}, scores)
    assert facility == pytest.approx({"a": 10 / 16, "b": 0.5, "c": 0.5, "d": 0.5})
    assert discrimination["a"] == pytest.approx(np.corrcoef([4, 4, 0, 2], [5, 6, 2, 2])[0, 1])
    assert np.isnan([discrimination["c"], discrimination["d"]]).all(), "the same for all; too few"


def test_the_report_is_one_page_that_asks_for_nothing(tmp_path):
    told = {"1-a": ["☐ f: 0.25 times too small", "<script>alert(1)</script>"]}
    results = [{**result(), "points": FULL, "messages": told, "seconds": {"1-a": 0.5, "2-b": 0.1}},
               {**result(), "messages": {"1-a": ["☐ f: 0.5 times too small"]}, "seconds": {"1-a": 9.5}},
               result("ungradable")]
    people = {name: about(name, late=True) for name in "abc"}
    rows = marks.table(dict(zip("abc", results)), POINTS, people, marks.Manual({}, {}, {}, []))
    report.write(tmp_path / "report.html", "ps", rows, POINTS, results)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = BeautifulSoup(text, "html.parser")
    assert "default-src 'none'" in page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    assert not page.find_all(["script", "img", "link", "iframe"]) and page.svg
    assert not re.search(r"(src|href)=|url\((?!#)|@import", text)
    assert "2 graded, 1 ungradable, 3 late" in page.get_text()
    cells = [[cell.find(string=True) for cell in row.find_all(["td", "th"])] for row in page.find_all("tr")]
    assert ["1-a", "4", None, "2.00", "0.50", None, "5.00", "9.5"] in cells
    assert ["f: 0.25 times too small", "2"] in cells and ["<script>alert(1)</script>", "1"] in cells


def test_in_a_browser_the_report_runs_nothing_and_asks_for_nothing(tmp_path):
    executable = chromium.find()
    if not executable:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium, Chrome or Edge here")
    from playwright.sync_api import sync_playwright

    evil = "<img src=http://127.0.0.1/x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>"
    results = [{**result(reason=evil), "points": FULL, "messages": {"1-a": [evil]}}]
    rows = marks.table({"ada": results[0]}, POINTS, {"ada": about("ada")}, marks.Manual({}, {}, {}, []))
    report.write(tmp_path / "report.html", "ps", rows, POINTS, results)
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=executable, args=chromium.OPTIONS).new_page()
        asked, shown = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (shown.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "report.html").as_uri())
        assert evil in page.inner_text("body") and page.locator(".panels svg").count() == 2
        assert asked == [(tmp_path / "report.html").as_uri()] and not shown


def code(name, variable):
    return (f"def peak({variable}, y):\n    # {name}\n    values = np.linalg.svd({variable}, compute_uv=False)\n"
            f"    return sum(1 / v ** 2 for v in values if v > 1e-12) / len(y)")


def test_answers_that_are_alike_beyond_the_usual():
    words = "each of us wrote something else about why the test error rises near the threshold of interpolation".split()
    release = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("# YOUR CODE HERE", id="1-a",
                                  metadata={"nbgrader": {"grade_id": "1-a", "solution": True}}),
        nbformat.v4.new_markdown_cell("YOUR ANSWER HERE", id="2-b",
                                      metadata={"nbgrader": {"grade_id": "2-b", "solution": True}})])
    draw = random.Random(0)
    answers = {f"s{i}": {"1-a": "def peak(X, y):\n" + "".join(
        f"    v{draw.choice('abc')} = X.{draw.choice(['sum', 'mean', 'std', 'T'])}{draw.choice('+-*')}y\n"
        for _ in range(5)), "2-b": " ".join(draw.choices(words, k=25))} for i in range(12)}
    answers["copied"] = {"1-a": code("mine", "design"), "2-b": answers["s3"]["2-b"]}
    answers["source"] = {"1-a": code("yours", "X"), "2-b": "I do not know"}
    answers["nothing"] = {"1-a": "# YOUR CODE HERE", "2-b": "YOUR ANSWER HERE"}
    rows = similar.pairs(answers, release)
    pairs = {frozenset((row["student"], row["other"])): row for row in rows}
    assert frozenset(("copied", "source")) == next(iter(pairs)), "renamed variables and comments do not hide it"
    assert pairs[frozenset(("copied", "source"))]["1-a"] == "100%"
    assert pairs[frozenset(("copied", "s3"))]["2-b"] == "100%"
    assert not [pair for pair in pairs if "nothing" in pair] and len(pairs) <= 4
    assert similar.pairs({"one": answers["s1"]}, release) == []


# --- Runs one after another; nothing is executed ------------------------------------------------------------

@pytest.fixture
def classroom(tmp_path, monkeypatch):
    """Return a function that hands in {student: (words, status)} as a zip, and grades it with a stand-in."""
    def cell(name, text, solution=True):
        grade_it = {"grade_id": name, "solution": solution, "grade": not (solution and name == "1-a"), "points": 0}
        grade_it["points"] = {"1-a-check": 4, "2-b": 3}.get(name, 0)
        make = nbformat.v4.new_markdown_cell if name == "2-b" else nbformat.v4.new_code_cell
        return make(text, id=name, metadata={"nbgrader": grade_it})

    release = nbformat.v4.new_notebook(cells=[cell("1-a", "# YOUR CODE HERE"), cell("1-a-check", "", False),
                                              cell("2-b", "YOUR ANSWER HERE")])
    for kind in ("source", "release"):
        place = tmp_path / "course" / kind / "ps" / "ps.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(release, place)
    monkeypatch.setattr(grade, "course_of", lambda name, folder: (tmp_path / "course", "key"))
    graded = []

    def look_after(job, context):
        folder, known = tmp_path / "out" / "students" / grade.folder_of(job.submission.student), None
        known = student.read_result(folder)
        if not known or known["key"] != job.key:
            graded.append(job.submission.student)
            notebook, _, _ = intake.notebook(job.submission, "ps", release)
            known = result(notebook.metadata["status"], needed=["2-b"], reason="why") | {
                "points": {"1-a-check": 4.0}, "answers": {one.id: one.source for one in notebook.cells}, "key": job.key}
        known["manual"] = {question: list(value) for question, value in job.manual.items()}
        (folder / "feedback.html").write_text(f"{len(job.submission.files)} files, {known['manual']}")
        student.write_result(folder, known)
        return known, 0.0

    monkeypatch.setattr(grade, "look_after", look_after)

    def run(handed, **options):
        inbox = tmp_path / "inbox.zip"
        files = {}
        for name, (words, status) in handed.items():
            notebook = nbformat.from_dict(release)
            notebook.cells[2]["source"], notebook.metadata["status"] = words, status
            files[f"{name}/ps.ipynb"] = nbformat.writes(notebook)
        inbox.write_bytes(_zip(files))
        graded.clear()
        rows = grade.grade("ps", inbox, tmp_path / "out", **options)
        return {row["student"]: row for row in rows}, sorted(graded)  # two are graded at once

    run.folder = tmp_path / "out"
    return run


def fill_in(folder, **points):
    """Fill in points and comment of students' lines: ada=("2-b", 2, "fine")."""
    path = folder / "manual.csv"
    table = tables.read(path)
    for row in table.rows:
        for name, (question, value, comment) in points.items():
            if (row["student"], row["question"]) == (name, question):
                row |= {"points": str(value), "comment": comment}
    tables.save(path, table)


def test_a_late_zip_into_the_same_output(classroom, capsys):
    classroom({"ada": ("words", "graded"), "bob": ("others", "graded")})
    fill_in(classroom.folder, ada=("2-b", 2, "fine"))
    rows, graded = classroom({"cy": ("late words", "graded")})
    assert graded == ["cy"] and sorted(rows) == ["ada", "bob", "cy"], "nobody is lost"
    assert (rows["ada"]["mark"], rows["bob"]["mark"], rows["cy"]["needs-manual"]) == (6, "", "2-b")
    assert (classroom.folder / "feedback" / "ada.html").read_text() == "1 files, {'2-b': [2.0, 'fine']}"
    assert [row["student"] for row in read(classroom.folder / "manual.csv")] == ["ada", "bob", "cy"]
    told = capsys.readouterr()
    assert "Handed in with an earlier inbox, and kept: 2 (ada, bob)." in told.out and "not used" not in told.err


def test_a_new_hand_in_is_asked_for_again_where_its_words_are_new(classroom, capsys):
    first = {"ada": ("words", "graded"), "bob": ("others", "graded"), "cy": ("mine", "review")}
    classroom(first)
    fill_in(classroom.folder, ada=("2-b", 2, "fine"), bob=("2-b", 1, "short"), cy=("review", "ok", "seen"))
    assert classroom(first)[0]["ada"]["mark"] == 6
    rows, graded = classroom(first | {"ada": ("other words", "graded"), "bob": ("others", "review"),
                                      "cy": ("mine", "graded")})
    assert sorted(graded) == ["ada", "bob", "cy"]
    assert (rows["ada"]["mark"], rows["ada"]["needs-manual"]) == ("", "2-b")
    assert (rows["bob"]["2-b (/3)"], rows["bob"]["needs-manual"]) == (1, "review")
    table = {(row["student"], row["question"]): row for row in read(classroom.folder / "manual.csv")}
    line = table["ada", "2-b"]
    assert [line[key] for key in ("points", "comment", "old points", "old comment")] == ["", "", "2", "fine"]
    assert (table["bob", "2-b"]["points"], table["cy", "review"]["old points"]) == ("1", "ok")
    assert "fine" not in (classroom.folder / "feedback" / "ada.html").read_text()
    assert "short" in (classroom.folder / "feedback" / "bob.html").read_text()
    assert "ada: other files than before; points for answers that changed" in capsys.readouterr().out
    assert (classroom.folder / "manual.csv.bak").exists()
    fill_in(classroom.folder, ada=("2-b", 2, "still fine"))
    assert classroom({"ada": ("other words", "graded")})[0]["ada"]["mark"] == 6


def test_a_review_is_decided_in_the_table(classroom):
    handed = {"ada": ("words", "review"), "bob": ("others", "review")}
    rows, _ = classroom(handed)
    assert rows["ada"]["needs-manual"] == "2-b review"
    fill_in(classroom.folder, ada=("2-b", 2, ""), bob=("2-b", 1, ""))
    assert {row["mark"] for row in classroom(handed)[0].values()} == {""}
    fill_in(classroom.folder, ada=("review", "OK", "looked at"))
    with open(classroom.folder / "manual.csv", "a", encoding="utf-8") as file:
        file.write("bob,1-a,4,3,my own\n")
    rows, graded = classroom(handed)
    assert (rows["ada"]["mark"], rows["bob"]["mark"], graded) == (6, 4, [])


def test_one_student_again(classroom):
    handed = {"ada": ("words", "graded"), "bob": ("others", "graded")}
    classroom(handed)
    assert classroom(handed)[1] == []
    rows, graded = classroom(handed | {"cy": ("new", "graded")}, only=["ADA"])
    assert graded == ["ada"] and sorted(rows) == ["ada", "bob"]
    moodle = {"Ada Lovelace_4711_assignsubmission_file_": ("words", "graded"), "Bob_12_assignsubmission_file_":
              ("others", "graded")}
    assert classroom(moodle)[1] == ["Ada Lovelace_4711", "Bob_12"]
    assert classroom(moodle, only=["Ada Lovelace"])[1] == ["Ada Lovelace_4711"], "without the platform's number"
    with pytest.raises(FileNotFoundError, match="does not hold all of: dora \\(names are those of marks.csv\\)"):
        classroom(handed, only=["bob", "dora"])


def test_numbers_instead_of_names(classroom, capsys):
    handed = {"Ada Lovelace": ("words", "graded"), "Bob": ("others", "graded")}
    classroom(handed, anonymous=True)
    out = classroom.folder
    for path in [*out.glob("*.*"), *out.glob("feedback/*")]:
        if path.name != "names.csv":
            assert not re.search("Ada|Bob", path.name + path.read_text(encoding="utf-8-sig")), path
    assert not re.search("Ada|Bob", capsys.readouterr().out)
    numbers = {row["student"]: row["number"] for row in read(out / "names.csv")}
    fill_in(out, **{numbers["Bob"]: ("2-b", 2, "by number")})
    rows, _ = classroom(handed | {"Cy": ("", "graded")})
    assert rows["Bob"]["mark"] == 6 and sorted(path.stem for path in out.glob("feedback/*")) == [
        "Ada_Lovelace-" + grade.folder_of("Ada Lovelace")[-8:], "Bob", "Cy"]
    classroom(handed, anonymous=True)
    assert {row["student"]: row["number"] for row in read(out / "names.csv")}.items() >= numbers.items()


def test_what_changed_between_two_runs(classroom):
    handed = {"ada": ("words", "graded"), "bob": ("others", "graded")}
    classroom(handed)
    files = {path: path.read_bytes() for path in classroom.folder.glob("*.*")}
    classroom(handed)
    assert {path: path.read_bytes() for path in classroom.folder.glob("*.*")} == files, "the same bytes"
    fill_in(classroom.folder, ada=("2-b", 2.5, ""))
    classroom(handed | {"bob": ("others", "review"), "cy": ("", "graded")})
    assert (classroom.folder / "changes.txt").read_text(encoding="utf-8").splitlines()[1:] == [
        "  ada: 2-b (/3) 0 → 2.5; total 4 → 6.5; mark (none) → 6.5; needs-manual 2-b → (none)",
        "  bob: status graded → review; needs-manual 2-b → 2-b review", "  cy: new"]


def test_a_run_that_was_killed_leaves_nothing_and_marks_stay(classroom, tmp_path, monkeypatch):
    handed = {"ada": ("words", "graded"), "bob": ("others", "graded")}
    classroom(handed)
    fill_in(classroom.folder, ada=("2-b", 2, "fine"))
    left = tmp_path / "left"
    (left / "kernels").mkdir(parents=True)
    (classroom.folder / "students" / "ada" / "runtime").write_text(str(left))
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        def stop(*_):
            raise KeyboardInterrupt
        patched.setattr(grade.marks, "table", stop)  # after new files were graded, before anything is written
        classroom(handed | {"ada": ("new words", "graded")})
    assert not left.exists()
    rows, _ = classroom(handed | {"ada": ("new words", "graded")})
    assert rows["ada"]["mark"] == "" and json.loads(
        (classroom.folder / "students" / "ada" / "result.json").read_text())["manual"] == {}
    row = next(row for row in read(classroom.folder / "manual.csv") if row["student"] == "ada")
    assert (row["points"], row["old points"]) == ("", "2")


def test_a_run_that_was_killed_before_anything_was_written_is_not_forgotten(classroom, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        def stop(*_):
            raise KeyboardInterrupt
        patched.setattr(grade.marks, "table", stop)
        classroom({"ada": ("words", "graded")})
    assert sorted(classroom({"bob": ("late", "graded")})[0]) == ["ada", "bob"]


def test_two_runs_at_once(tmp_path):
    with grade.alone(tmp_path), grade.alone(tmp_path):
        pass
    parent = psutil.Process().parent()
    (tmp_path / "running").write_text(f"{parent.pid} {parent.create_time()}")
    with pytest.raises(PermissionError, match=f"another run .process {parent.pid}."), grade.alone(tmp_path):
        pass
    (tmp_path / "running").write_text(f"{parent.pid} 1.0")  # of a run that was killed: the number was given again
    with grade.alone(tmp_path):
        pass


def test_a_time_that_a_roster_told_is_remembered():
    one = intake.Submission("ada", "", ())
    old = grade._about(one, None, None) | {"time": "2026-03-02 10:15:00"}
    assert grade._about(one, None, old)["time"] == "2026-03-02 10:15:00"
    assert grade._about(one, None, old | {"files": "others"})["time"] == ""
