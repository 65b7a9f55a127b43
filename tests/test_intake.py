"""What a real class hands in: downloads of four platforms, stray files, copies, odd names; nothing of it is run."""
import os
import sys
import tempfile
import zipfile
from pathlib import Path

import nbformat
import pytest
from classroom import _zip
from grading import intake
from hypothesis import given, settings
from hypothesis import strategies as st


def cell(name, source, kind="code"):
    make = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    return make(source, id=name)


def book(**answers):
    """Return a notebook with two questions; what is not answered is as it was handed out."""
    texts = {"a": "raise NotImplementedError", "b": "YOUR ANSWER HERE"} | answers
    return nbformat.v4.new_notebook(cells=[cell("given", "import numpy as np"), cell("a", texts["a"]),
                                           cell("b", texts["b"], "markdown")])


RELEASE, SOLVED = book(), nbformat.writes(book(a="x = 1", b="because"))
UNTOUCHED = nbformat.writes(RELEASE)


def collect(tmp_path, files, name="ps"):
    path = tmp_path / "bulk.zip"
    path.write_bytes(_zip(files))
    found = intake.collect(path, name)
    return {one.student: one for one in found.submissions}, [path for path, _ in found.aside]


def students(tmp_path, files):
    """Return what is known of each student, and what was left aside, from a zip."""
    found, aside = collect(tmp_path, files)
    return {one.student: (one.id, [file.name for file in one.files]) for one in found.values()}, aside


def choice(tmp_path, files):
    """Return the answer that counts of one student's files, notes and doubts."""
    found, _ = collect(tmp_path, {f"ada/{name}": text for name, text in files.items()})
    notebook, notes, doubts = intake.notebook(found["ada"], "ps", RELEASE)
    return next(cell.source for cell in notebook.cells if cell.get("id") == "a"), "; ".join(notes), "; ".join(doubts)


# --- Whose is it? -------------------------------------------------------------------------------------------

def test_moodle(tmp_path):
    assert students(tmp_path, {
        "Ada Lovelace_4711_assignsubmission_file_/ps.ipynb": "", "Max Noether_12_assignsubmission_file_ps.ipynb": "",
        "Ada Lovelace_4711_assignsubmission_onlinetext_/onlinetext.html": "",
        "Bob_3_assignsubmission_onlinetext/onlinetext.html": "", "Default group_assignsubmission_file/ps.ipynb": "",
    }) == ({"Ada Lovelace_4711": ("4711", ["ps.ipynb", "onlinetext.html"]), "Bob_3": ("3", ["onlinetext.html"]),
            "Max Noether_12": ("12", ["ps.ipynb"]), "Default group": ("", ["ps.ipynb"])}, [])


def test_canvas(tmp_path):
    files = {"noetheremmy_1001_5555_ps-1.ipynb": "", "gaussjohann_LATE_1002_5556_ps.ipynb": "",
             "weylhermannLATE_1003_5557_ps.ipynb": "", "noetheremmy_1001_text.html": "",
             "anon_aB3dE_5558_ps.ipynb": "", "LATE_anon_aB3dF_5559_ps.ipynb": ""}
    found, aside = collect(tmp_path, files)
    assert {one.student: (one.id, one.late, len(one.files)) for one in found.values()} == {
        "noetheremmy_1001": ("1001", False, 2), "gaussjohann_1002": ("1002", True, 1),
        "weylhermann_1003": ("1003", True, 1), "anon_aB3dE": ("aB3dE", False, 1), "anon_aB3dF": ("aB3dF", True, 1)}
    assert not aside and {one.platform for one in found.values()} == {"canvas"}


def test_blackboard_and_its_attempts(tmp_path):
    late, early = "2026-03-02-09-30-00", "2026-03-01-10-00-00"
    text = "Name: Ada Lovelace (ada_l)\nAssignment: Set_3\n\nComments:\nThere are no student comments\n"
    found, aside = collect(tmp_path, {
        f"Set_3_ada_l_attempt_{early}_ps.ipynb": UNTOUCHED, f"Set_3_ada_l_attempt_{early}.txt": text,
        f"Set_3_ada_l_attempt_{late}_ps.ipynb": SOLVED, f"Set_3_ada_l_attempt_{late}.txt": text,
        f"Set_3_bob_attempt_{early}_my_ps.ipynb": SOLVED, f"Set_3_bob_attempt_{early}.txt": "no grade, please"})
    assert {one.student: (one.id, one.person, one.time) for one in found.values()} == {
        "ada_l": ("ada_l", "Ada Lovelace", "2026-03-02 09:30:00"), "bob": ("bob", "bob", "2026-03-01 10:00:00")}
    notebook, notes, doubts = intake.notebook(found["ada_l"], "ps", RELEASE)
    assert notebook.cells[1].source == "x = 1" and (notes, doubts) == (["1 earlier attempts were left aside"], [])
    assert f"also handed in: Set_3_bob_attempt_{early}.txt" in intake.notebook(found["bob"], "ps", RELEASE)[1]
    assert not aside


def test_the_last_attempt_may_be_empty(tmp_path):
    found, _ = collect(tmp_path, {"S_ada_attempt_2026-03-01-10-00-00_ps.ipynb": SOLVED,
                                  "S_ada_attempt_2026-03-03-10-00-00_sorry.pdf": ""})
    _, _, doubts = intake.notebook(found["ada"], "ps", RELEASE)
    assert doubts == [
        "the last attempt (2026-03-03 10:00:00) holds no answers: that of 2026-03-01 10:00:00 was graded"]
    assert found["ada"].time == "2026-03-01 10:00:00"
    found, _ = collect(tmp_path, {"S_ada_attempt_2026-03-01-10-00-00_ps.ipynb": SOLVED,
                                  "S_ada_attempt_2026-03-03-10-00-00_ps.ipynb": UNTOUCHED})
    notebook, _, again = intake.notebook(found["ada"], "ps", RELEASE)
    assert notebook.cells[1].source == "x = 1" and again == doubts


def test_brightspace(tmp_path):
    found, aside = collect(tmp_path, {
        "1-9 - Mary-Ann Smith - Sep 24, 2024 926 PM/ps.ipynb": "",
        "1-9 - Mary-Ann Smith- Sep 25, 2024 1026 AM - x.ipynb": "",
        "2-9 - N0123 - Bob B - September 4, 2024 1200 AM/ps.ipynb": "", "index.html": ""})
    assert {one.student: (one.id, one.person, one.time, len(one.files)) for one in found.values()} == {
        "Mary-Ann Smith_1": ("", "Mary-Ann Smith", "2024-09-25 10:26:00", 2),
        "Bob B_2": ("N0123", "Bob B", "2024-09-04 00:00:00", 1)}
    assert aside == ["index.html"]


@pytest.mark.parametrize("wrapper", ["", "hand-ins/", "unzipped/hand-ins/"])
def test_folders_around_all_others_and_what_systems_add(wrapper, tmp_path):
    found, aside = students(tmp_path, {
        f"{wrapper}ada/ps.ipynb": "", f"{wrapper}bob/homework/ps.ipynb": "", f"{wrapper}cy/.DS_Store": "",
        f"__MACOSX/{wrapper}ada/._ps.ipynb": "", f"{wrapper}ada/.ipynb_checkpoints/ps-checkpoint.ipynb": "",
        f"{wrapper}expected.json": "{}"})
    assert found == {"ada": ("", ["ps.ipynb"]), "bob": ("", ["homework/ps.ipynb"]), "cy": ("", [])}
    assert aside == [part + "/" for part in wrapper.split("/")[:-1]] + ["expected.json"]


def test_what_lies_beside_a_folder_around_all_others(tmp_path):
    found, aside = students(tmp_path, {"all/ada/ps.ipynb": "", "all/bob/ps.ipynb": "", "roster.csv": "",
                                       "ps.ipynb": ""})
    assert list(found) == ["ada", "bob"] and sorted(aside) == ["all/", "ps.ipynb", "roster.csv"]
    found, aside = students(tmp_path, {"A/Ada_1_assignsubmission_file_/ps.ipynb": "",
                                       "B/Bob_2_assignsubmission_file_/ps.ipynb": "", "cy/q/ps.ipynb": ""})
    assert list(found) == ["Ada_1", "Bob_2", "cy"] and aside == ["A/", "B/"]


def test_one_student_is_no_wrapper(tmp_path):
    found, _ = students(tmp_path, {"ada/ps.ipynb": "", "ada/data/x.csv": ""})
    assert found == {"ada": ("", ["ps.ipynb", "data/x.csv"])}
    assert list(students(tmp_path, {"ada/homework/ps.ipynb": ""})[0]) == ["ada"]


def test_loose_files(tmp_path):
    found, aside = students(tmp_path, {"ada.ipynb": "", "bob.ipynb.txt": "", "cy.zip": "", "roster.xlsx": "",
                                       "ps.ipynb": "", "ps-solution.ipynb": ""})
    assert list(found) == ["ada", "bob", "cy"] and aside == ["roster.xlsx", "ps.ipynb", "ps-solution.ipynb"]
    assert list(students(tmp_path, {"ps.ipynb": ""})[0]) == ["ps"]


def test_a_download_that_lies_in_a_folder(tmp_path):
    inbox = tmp_path / "inbox"
    (inbox / "cy").mkdir(parents=True)
    (inbox / "late.zip").write_bytes(_zip({"Ada_1_assignsubmission_file_/ps.ipynb": ""}))
    (inbox / "dora.zip").write_bytes(_zip({"ps.ipynb": ""}))
    assert [one.student for one in intake.collect(inbox).submissions] == ["Ada_1", "cy", "dora"]
    (inbox / "late" / "Ada_1_assignsubmission_file_").mkdir(parents=True)
    assert ("late.zip", "it is there unpacked, too") in intake.collect(inbox).aside
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "bulk.zip").write_bytes(_zip({"ada/ps.ipynb": "", "bob/ps.ipynb": ""}))
    assert [one.student for one in intake.collect(tmp_path / "one").submissions] == ["ada", "bob"]


def test_names_of_any_alphabet(tmp_path):
    path = tmp_path / "mac.zip"  # as macOS packs it: accents by themselves, and UTF-8 that is not declared
    path.write_bytes(_zip({"Zoe__/ps.ipynb": ""}).replace(b"Zoe__", "Zoe\u0308".encode()))
    assert [one.student for one in intake.collect(path).submissions] == ["Zo\u00eb"]


def test_names_that_lead_outside(tmp_path):
    found, _ = collect(tmp_path, {"plain/sub/ps.ipynb": "", "../evil/ps.ipynb": "", "/etc/ps.ipynb": ""})
    assert list(found) == ["outside: ../evil/ps.ipynb", "outside: /etc/ps.ipynb", "plain"]
    for student in list(found)[:2]:
        with pytest.raises(intake.Ungradable, match="leads outside"):
            intake.notebook(found[student], "ps")
    assert [path.name for path in tmp_path.iterdir()] == ["bulk.zip"], "nothing was unpacked"


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/ps.ipynb", b"\0" * (60 << 20))  # 60 kB on disk
    one, = intake.collect(path).submissions
    with pytest.raises(intake.Ungradable, match="has 60 MB"):
        intake.notebook(one, "ps")


def test_a_damaged_archive_is_one_students_matter(tmp_path):
    path = tmp_path / "bulk.zip"
    content = _zip({"ada/ps.ipynb": SOLVED, "bob/ps.ipynb": "0123456789"})
    path.write_bytes(content.replace(b"0123456789", b"012345678x"))
    ada, bob = intake.collect(path).submissions
    assert intake.notebook(ada, "ps", RELEASE)[0].cells
    with pytest.raises(intake.Ungradable, match="ps.ipynb cannot be unpacked"):
        intake.notebook(bob, "ps", RELEASE)


PARTS = st.sampled_from(["ada", "Bob B", "hand-ins", "ps.ipynb", "ps (1).ipynb", "hw.zip", "x.csv", ".DS_Store", "..",
                         "__MACOSX", "Ada_1_assignsubmission_file_", "ada_1_2_ps.ipynb", "adaLATE_1_2_ps.ipynb",
                         "S_ada_attempt_2026-03-01-10-00-00.txt", "1-2 - Ada - Mar 1, 2026 1000 AM", "ps-1-2-3"])


@settings(deadline=None)
@given(st.sets(st.lists(PARTS, min_size=1, max_size=4).map("/".join), max_size=8))
def test_nothing_is_lost(paths):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bulk.zip")
        path.write_bytes(_zip(dict.fromkeys(paths, "")))
        found = intake.collect(path, "ps")
    kept = {file.member for one in found.submissions for file in one.files}
    aside = {name for name, _ in found.aside}
    junk = {name for name in paths if {".DS_Store", "__MACOSX"} & set(name.split("/"))}
    assert all(name in kept | junk or any(name.endswith(other) for other in aside) for name in paths)
    assert kept <= paths and len({one.student for one in found.submissions}) == len(found.submissions)


# --- Which notebook counts? ---------------------------------------------------------------------------------

FOREIGN = nbformat.writes(nbformat.v4.new_notebook(cells=[cell("b", "", "markdown"), cell("c", "y = 3")]))
OTHER = nbformat.writes(book(a="x = 2", b="because of the peak"))


@pytest.mark.parametrize("name", ["ps.ipynb", "ps.ipynb.json", "ps.ipynb.txt", "PS.IPYNB", "ps.ipynb.txt.txt"])
def test_names_of_notebooks(name, tmp_path):
    answer, notes, doubts = choice(tmp_path, {name: SOLVED})
    assert answer == "x = 1" and not doubts and ("named" in notes) == (name != "ps.ipynb")


@pytest.mark.parametrize(("files", "answer", "note", "doubt"), [
    ({"ps.ipynb": SOLVED, "ps-Copy1.ipynb": UNTOUCHED}, "x = 1", "left aside: ps-Copy1.ipynb", ""),
    ({"ps.ipynb": SOLVED, "ps (1).ipynb": SOLVED}, "x = 1", "left aside: ps (1).ipynb", ""),
    ({"ps.ipynb": UNTOUCHED, "ps-Copy1.ipynb": SOLVED}, "x = 1", "",
     "ps.ipynb is as it was handed out: ps-Copy1.ipynb was graded"),
    ({"ps.ipynb": UNTOUCHED, "hw.zip": _zip({"ps.ipynb": SOLVED}).decode("latin-1")}, "x = 1", "taken out of hw.zip",
     "as it was handed out: hw.zip/ps.ipynb was graded"),
    ({"ps.ipynb": SOLVED, "draft.ipynb": OTHER}, "x = 1", "",
     "2 notebooks with different answers: ps.ipynb was graded, not draft.ipynb"),
    ({"one.ipynb": SOLVED, "two.ipynb": OTHER}, "x = 2", "", "two.ipynb was graded, not one.ipynb"),
    ({"ps.ipynb": SOLVED[:99], "ps-Copy1.ipynb": SOLVED}, "x = 1", "", "ps.ipynb is not JSON"),
    ({"ps.ipynb": UNTOUCHED, "ps-Copy1.ipynb": UNTOUCHED}, "raise NotImplementedError", "left aside", ""),
    ({"ps.ipynb": SOLVED, "ps0.ipynb": FOREIGN, "z.ipynb": FOREIGN}, "x = 1", "left aside: ps0.ipynb, z.ipynb", ""),
    ({"ps.ipynb": FOREIGN}, "y = 3", "", "ps.ipynb holds little of what was handed out"),
    ({"ps.ipynb": SOLVED, "scan.jpg": "x"}, "x = 1", "also handed in: scan.jpg", ""),
])
def test_several_files_of_one_student(files, answer, note, doubt, tmp_path):
    path = tmp_path / "bulk.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"ada/{name}", text.encode("latin-1" if name.endswith(".zip") else "utf-8"))
    found, = intake.collect(path).submissions
    notebook, notes, doubts = intake.notebook(found, "ps", RELEASE)
    assert notebook.cells[1].source == answer
    assert note in "; ".join(notes) and doubt in "; ".join(doubts) and bool(doubt) == bool(doubts)


def test_two_files_of_one_name(tmp_path):
    found, _ = collect(tmp_path, {"ada_1_55_ps.ipynb": UNTOUCHED, "ada_1_56_ps.ipynb": SOLVED})
    notebook, _, doubts = intake.notebook(found["ada_1"], "ps", RELEASE)
    assert notebook.cells[1].source == "x = 1" and doubts == ["ps.ipynb is as it was handed out: ps.ipynb' was graded"]


def test_what_was_seen_is_named(tmp_path):
    found, _ = collect(tmp_path, {"ada/hw.rar": "", "ada/notes.pdf": ""})
    with pytest.raises(intake.Ungradable, match="no notebooks, but hw.rar, notes.pdf"):
        intake.notebook(found["ada"], "ps")


def test_an_old_format_and_windows_line_ends(tmp_path):
    old = '{"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [{"cell_type": "code", ' \
          '"input": ["x = 1"], "outputs": [{"output_type": "pyout"}], "language": "python", "metadata": {}}]}]}'
    found, _ = collect(tmp_path, {"ada/ps.ipynb": old, "bob/ps.ipynb": SOLVED.replace("x = 1", "x = 1\\r\\ny = 2")})
    assert intake.notebook(found["ada"], "ps")[0].cells[0].source == "x = 1"
    assert intake.notebook(found["bob"], "ps")[0].cells[1].source == "x = 1\ny = 2"


def test_texts_that_cannot_be_written(tmp_path):
    folder = tmp_path / "inbox" / os.fsdecode("Zoë".encode("cp1252" if sys.platform == "linux" else "utf-8"))
    folder.mkdir(parents=True)
    (folder / "ps.ipynb").write_text(SOLVED.replace("x = 1", r"x = '\ud800 \ud83d\ude00'"))
    one, = intake.collect(tmp_path / "inbox").submissions
    assert one.student == "Zoë"
    assert intake.notebook(one, "ps", RELEASE)[0].cells[1].source == "x = '? \U0001f600'"
