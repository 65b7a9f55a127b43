"""The committed chapters: their form. That they run and print what they say is nbval's part."""

import re

import nbformat
import notebooks
import pytest

CHAPTERS = notebooks.chapters()
every_notebook = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
NUMBERED = [path for path in CHAPTERS if path.stem[0].isdigit()]  # the others are appendices
every_chapter = pytest.mark.parametrize("path", NUMBERED, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == kind]


def test_every_notebook_is_in_the_table_of_contents():
    assert CHAPTERS and set(CHAPTERS) == set((notebooks.ROOT / "book").glob("*.ipynb"))


@every_notebook
def test_it_is_in_normal_form(path):
    assert notebooks.is_normal(path), f"run: make refresh ({path.name} is not as it writes it)"


@every_notebook
def test_every_cell_is_compared(path):
    tags = {tag for cell in cells(path, "code") for tag in cell.metadata.get("tags", [])}
    assert not {tag for tag in tags if tag.startswith("nbval") or tag in ("raises-exception", "skip-execution")}


@every_notebook
def test_cells_are_small_and_explained(path):
    code = [len(cell.source.splitlines()) for cell in cells(path, "code")]
    words = sum(len(cell.source.split()) for cell in cells(path, "markdown"))
    assert max(len(line) for cell in cells(path, "code") for line in cell.source.splitlines()) <= 90
    assert max(code) <= 20 and words >= 10 * sum(code)


@every_notebook
def test_every_still_figure_has_a_text_alternative(path):
    for cell in cells(path, "code"):
        mystnb = cell.metadata.get("mystnb", {})
        outputs = str(cell.outputs)
        if "<Figure" in outputs:
            assert mystnb.get("image", {}).get("alt", "").strip(), f"no mystnb.image.alt: {cell.source[:80]}"
        if "<Figure" in outputs or "interactive figure" in outputs:
            assert mystnb.get("figure", {}).get("caption", "").strip(), f"no mystnb.figure.caption: {cell.source[:80]}"


@every_chapter
def test_it_has_what_a_chapter_has(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    outputs = "\n".join(str(cell.outputs) for cell in cells(path, "code"))
    assert outputs.count("✓") >= 8 and outputs.count("interactive figure") >= 2
    assert re.search(r"^```\{prf:proof\}", text, re.M)
    assert text.count("```{exercise}") == text.count("```{solution-start}") == text.count("```{solution-end}") >= 4
    for heading in ("## What we saw", "## Exercises"):
        assert heading in text


@every_notebook
def test_solutions_pass_the_self_check_that_students_start_from(path):
    asked, passed, solution = set(), set(), False
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            solution = cell.source.rfind("```{solution-start}") > cell.source.rfind("```{solution-end}")
            continue
        printed = "".join(output.get("text", "") for output in cell.outputs)
        assert not (solution and "☐" in printed), f"a solution fails its check: {printed}"
        (passed if solution else asked).update(re.findall(r"^[☐✓] (.*): (?:not done yet|right)$", printed, re.M))
    assert asked == passed


@every_notebook
def test_randomness_comes_from_the_chapters_generator(path):
    code = "\n".join(cell.source for cell in cells(path, "code"))
    code = code.replace("np.random.RandomState(rng.bit_generator)", "")  # scikit-learn's way to take it
    assert "rng = chapter_rng()" in code or "rng" not in code
    assert not re.search(r"default_rng|np\.random\.|random_state=\d|seed\(", code)


def test_tests_that_pages_name_exist():
    book, tests = notebooks.ROOT / "book", notebooks.ROOT / "tests"
    there = {(file.name, name) for file in tests.glob("test_*.py")
             for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)}
    there |= {("", name) for _, name in there}
    pages = [page.read_text(encoding="utf-8") for page in (*book.glob("*.md"), *book.glob("*.ipynb"))]
    named = {name for page in pages for name in re.findall(r"(?:(test_\w+\.py)::)?\b(test_\w+)\b(?!\.py)`", page)}
    assert len(named) > 20 and not named - there
