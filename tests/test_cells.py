"""Which cell is which: what editors and students do to a notebook changes no mark, or a human is asked."""
import copy
import json
from functools import cache

import nbformat
import problem_sets
import pytest
from classroom import Class
from grading import cells, intake

NAME = "ps1-double-descent"
RELEASE = problem_sets.release(problem_sets.source(NAME))
SOURCE = problem_sets.source(NAME)
CLASS = Class(NAME, "unused")
WORDS = [name for name in CLASS.answers if name not in CLASS.points]
new_markdown, new_code = nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell


@cache
def _solved():
    return json.dumps(CLASS.solved())


def solved():
    return nbformat.from_dict(json.loads(_solved()))


def restore(notebook):
    """Restore a notebook as if it had been read from a file."""
    return cells.restore(intake._parse(json.dumps(notebook).encode(), "ps.ipynb"), RELEASE, SOURCE)


def answers(restored):
    return {cell.id: cell.source for cell in restored.notebook.cells if cell.id in CLASS.answers}


def at(notebook, name):
    return notebook.cells.index(CLASS.cell(notebook, name))


def test_a_solved_notebook_is_as_it_was_with_its_hidden_tests():
    restored = restore(solved())
    assert (restored.notes, restored.doubts, restored.edited, restored.moved) == ([], [], [], False)
    assert [cell.source for cell in restored.notebook.cells] == [cell.source for cell in SOURCE.cells]
    assert restored.in_words == WORDS
    assert restore(RELEASE).in_words == []


# --- Names that were lost -----------------------------------------------------------------------------------

def drop_all(cell):
    cell.pop("id")
    cell["metadata"] = {}


def keep_id_in_metadata(cell):
    cell["metadata"] = {"id": cell.pop("id")}


def keep_nbgrader(cell):
    cell["metadata"] = {"nbgrader": cell["metadata"]["nbgrader"]}
    cell.pop("id")


def spoil(cell):
    cell["id"], cell["metadata"] = 7, []


@pytest.mark.parametrize("forget", [drop_all, keep_id_in_metadata, keep_nbgrader, spoil])
def test_cells_without_their_names_are_known(forget):
    notebook = json.loads(_solved())
    for cell in notebook["cells"]:
        forget(cell)
    notebook["nbformat_minor"] = 4
    if forget is spoil:
        for cell in notebook["cells"]:
            cell["metadata"] = {"id": None, "nbgrader": "x"}
    restored = restore(notebook)
    assert (restored.notes, restored.doubts) == ([], [])
    assert answers(restored) == CLASS.answers and restored.in_words == WORDS


def test_an_answer_whose_neighbours_lost_their_names_too_is_not_certain():
    notebook = json.loads(_solved())
    for cell in notebook["cells"]:
        drop_all(cell)
    notebook["nbformat_minor"] = 4
    place = at(solved(), WORDS[0])
    notebook["cells"].insert(place, {"cell_type": "markdown", "metadata": {}, "source": "Some thoughts before."})
    restored = restore(notebook)
    assert restored.doubts == [f"it is not certain which cell answers {WORDS[0]}"]
    shown = " ".join(cell.source for cell in restored.notebook.cells)
    assert WORDS[0] in restored.in_words and "Some thoughts" in shown and CLASS.answers[WORDS[0]] in shown


def test_an_edited_test_without_its_name_is_put_back():
    notebook = json.loads(_solved())
    for cell in notebook["cells"]:
        drop_all(cell)
    notebook["nbformat_minor"] = 4
    notebook["cells"][at(solved(), f"{CLASS.q}-check")]["source"] += "\nprint(_truth)"
    restored = restore(notebook)
    assert restored.notes == [f"put back as it was: {CLASS.q}-check"] and restored.doubts == []
    assert len(restored.notebook.cells) == len(SOURCE.cells)


def test_a_cell_that_was_replaced_by_one_that_defines_the_same_is_the_answer():
    notebook = solved()
    place = at(notebook, CLASS.q)
    notebook.cells[place] = new_code("import math\n" + CLASS.answers[CLASS.q])
    restored = restore(notebook)
    assert restored.doubts == [] and answers(restored)[CLASS.q].startswith("import math")


def test_line_ends_and_spaces_at_them_are_no_change():
    notebook = solved()
    for cell in notebook.cells:
        cell.source = cell.source.replace("\n", "  \r\n") + "\r\n"
    restored = restore(notebook)
    assert (restored.notes, restored.doubts, restored.edited) == ([], [], [])


def test_a_comment_in_a_given_cell_is_no_change_of_what_it_does():
    notebook = solved()
    given = CLASS.cell(notebook, "given-1")
    given.source += "\n# mine"
    assert restore(notebook).edited == []
    given.source += "\nimport time"
    restored = restore(notebook)
    assert restored.edited == ["given-1"] and "import time" in restored.elsewhere["given-1"]


@pytest.mark.parametrize("version", [2, 3])
def test_old_formats_are_converted(version):
    made = nbformat.v3.new_notebook(worksheets=[nbformat.v3.new_worksheet(cells=[
        nbformat.v3.new_code_cell(input=cell.source, prompt_number=3) if cell.cell_type == "code" else
        nbformat.v3.new_text_cell("markdown", source=cell.source) for cell in solved().cells])])
    data = json.loads(json.dumps(made)) | {"nbformat": version}
    restored = cells.restore(intake._parse(json.dumps(data).encode(), "ps.ipynb"), RELEASE, SOURCE)
    assert answers(restored) == CLASS.answers and restored.doubts == []


# --- Two cells, new cells -----------------------------------------------------------------------------------

@pytest.mark.parametrize("gap", [0, 1])
@pytest.mark.parametrize("name", [CLASS.q, WORDS[0]])
def test_the_last_of_two_answers_counts_and_runs_last(name, gap):
    notebook = solved()
    place = at(notebook, name)
    second = copy.deepcopy(notebook.cells[place])
    second.source = f"{CLASS.head()}\n    return 'second'"
    notebook.cells.insert(place + 1 + gap, second)
    restored = restore(notebook)
    assert restored.doubts == [f"two cells for {name}: the last one counts"]
    assert answers(restored)[name] == second.source
    sources = [cell.source for cell in restored.notebook.cells]
    assert sources.index(CLASS.answers[name]) < sources.index(second.source), "both are shown, the last one runs last"


@pytest.mark.parametrize("before", [True, False])
def test_an_untouched_copy_takes_no_answer_away(before):
    for name in CLASS.answers:
        notebook = solved()
        copied = copy.deepcopy(CLASS.cell(RELEASE, name))
        notebook.cells.insert(at(notebook, name) + (not before), copied)
        restored = restore(notebook)
        assert restored.doubts == [] and answers(restored) == CLASS.answers


@pytest.mark.parametrize("make", [
    lambda text: new_markdown(text), lambda text: nbformat.v4.new_raw_cell(text),
    lambda text: new_code("\n".join(f"# {line}" for line in text.splitlines())), lambda text: new_code(repr(text))])
@pytest.mark.parametrize("above", [True, False])
def test_words_beside_an_untouched_cell_are_its_answer(make, above):
    notebook = solved()
    place = at(notebook, WORDS[0])
    notebook.cells[place].source = "YOUR ANSWER HERE"
    notebook.cells.insert(place + (not above), make("It is the variance."))
    restored = restore(notebook)
    assert restored.notes == [f"the answer to {WORDS[0]} stood in a new cell"] and restored.doubts == []
    assert restored.in_words == WORDS and "It is the variance." in answers(restored)[WORDS[0]]


def test_words_far_from_an_untouched_cell_are_looked_at():
    notebook = solved()
    CLASS.cell(notebook, WORDS[0]).source = ""
    notebook.cells.append(new_markdown("To the question about noise: I think that the variance is what matters."))
    restored = restore(notebook)
    assert restored.doubts == [f"no answer to {WORDS[0]}, but words in new cells"] and restored.in_words == WORDS


def test_an_answer_in_words_whose_cell_was_deleted_is_found():
    notebook = solved()
    notebook.cells[at(notebook, WORDS[0])] = new_markdown("The answer, typed anew.")
    restored = restore(notebook)
    assert restored.in_words == WORDS and answers(restored)[WORDS[0]] == "The answer, typed anew."


def test_pictures_are_kept_and_broken_ones_do_no_harm():
    notebook = json.loads(_solved())
    place = at(solved(), WORDS[0])
    good = {"photo.png": {"image/png": ["AAAA", "BBBB"]}}
    notebook["cells"][place]["attachments"] = good
    notebook["cells"].insert(1, {"cell_type": "markdown", "metadata": {}, "source": "own", "attachments": good})
    for broken in ([], {"a": []}, {"a": {"image/png": 3}}, {"a": {"text/html": "<script>"}}):
        notebook["cells"][2 + place]["attachments"] = broken
        restored = restore(notebook)
        kept = [cell.attachments for cell in restored.notebook.cells if cell.get("attachments")]
        assert kept == [{"photo.png": {"image/png": "AAAABBBB"}}] * 2


def test_what_code_defines():
    text = ("%matplotlib inline\nimport numpy as np, os.path\nfrom a import b as c\n!ls\nx = 1\nfor i in y: pass\n"
            "def f(z): w = 1")
    assert cells.bound(text) == {"np", "os", "c", "x", "i", "f"}
    assert cells.bound("def broken(:\n  pass\nvalue = (") == {"broken", "value"}
