"""The committed chapters: their form. That they run and print what they say is nbval's part."""

import ast
import re
import symtable

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


DRAWING = {"curves", "subplots", "explore", "dots", "legend"}  # of ntk_figures


def is_folded(cell):
    return "hide-input" in cell.metadata.get("tags", [])


def bound(cell):
    """Return the names that a cell binds for others, but for modules and what they hold."""
    return {symbol.get_name() for symbol in symtable.symtable(cell.source, "cell", "exec").get_symbols()
            if symbol.is_assigned() and not symbol.is_imported()}


def used(cell):
    """Return the names that a cell asks for, its own and those of other cells."""
    def walk(table):
        yield from (symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()
                    and (symbol.is_global() or table.get_type() == "module"))
        for inner in table.get_children():
            yield from walk(inner)

    return set(walk(symtable.symtable(cell.source, "cell", "exec")))


@every_notebook
def test_drawing_is_folded_and_nothing_else_is(path):
    """A cell that draws is tagged hide-input; it claims nothing, and no visible cell needs what it computes."""
    wrong, drawn = [], set()
    for cell in cells(path, "code"):
        names = used(cell)
        if is_folded(cell):
            if names & {"claim", "check", "verify"}:
                wrong.append(f"folded, but it claims: {cell.source[:80]}")
            drawn |= bound(cell)
            continue
        if names & DRAWING:
            wrong.append(f"it draws, but is not tagged hide-input: {cell.source[:80]}")
        if (names - bound(cell)) & drawn:
            wrong.append(f"it uses {(names - bound(cell)) & drawn}, which a folded cell computes: {cell.source[:80]}")
        drawn -= bound(cell)
    assert not wrong, "\n".join(wrong)


@every_chapter
def test_code_in_view_is_short(path):
    lines = 0
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown" and "## Exercises" in cell.source:
            break
        if cell.cell_type == "code" and not is_folded(cell):
            lines += sum(bool(line.strip()) for line in cell.source.splitlines())
    assert lines <= 220


@every_chapter
def test_it_tells_two_times(path):
    text = cells(path, "markdown")[0].source
    assert re.search(r"\*Reading:\* .*; with proofs and code, .*\. \*Running:\* ", text)


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


@every_notebook
def test_it_was_run_under_ten_other_seeds(path):
    runs = {(row["code"], int(row["seeds"]) >= 10) for row in notebooks.seed_rows() if row["chapter"] == path.stem}
    assert runs == {(notebooks.code_hash(path), True)}, f"make seeds: {path.name} has changed since"


def test_tests_that_the_table_names_exist():
    book, tests = notebooks.ROOT / "book", notebooks.ROOT / "tests"
    there = {f"{file.name}::{name}" for file in tests.glob("test_*.py")
             for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)}
    named = set(re.findall(r"`(test_\w+\.py::test_\w+)`", (book / "api.md").read_text(encoding="utf-8")))
    assert len(named) > 20 and not named - there


@every_notebook
def test_prose_names_no_test(path):
    assert not re.findall(r"\btest_\w+", "\n".join(cell.source for cell in cells(path, "markdown")))


@every_notebook
def test_every_claim_has_a_rival(path):
    calls = [node for cell in cells(path, "code") for node in ast.walk(ast.parse(cell.source))
             if isinstance(node, ast.Call) and ast.unparse(node.func) == "claim"]
    assert not [ast.unparse(call.args[0]) for call in calls if "rival" not in [word.arg for word in call.keywords]]


# --- Letters: the tables of the page Conventions hold each letter of a chapter's formulas ------------------------

GREEK = ("alpha|beta|gamma|delta|varepsilon|epsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|"
         "chi|psi|omega|ell|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega")
ACCENTED = re.compile(r"\\(hat|tilde|bar|dot|mathcal|mathbb|mathbf)(?![a-z])\s*"
                      rf"\{{?(\\(?:{GREEK})(?![a-z])|[A-Za-z])\}}?")
NAMES = re.compile(r"\\(text|operatorname|mathrm|begin|end)\*?\s*\{[^{}]*\}|\{?\\rm\s+[a-z]+\}?")
STANDARD = {"e", "d", "I", "O", "o", "F", r"\pi", r"\mathcal N", r"\mathbf 1", r"\mathbb 1",
            *(rf"\mathbb {letter}" for letter in "RNEP")}


def letters(text):
    """Return the letters in the formulas of a Markdown text, each with its accent; dots are derivatives by time."""
    found = set()
    for display, inline in re.findall(r"\$\$(.+?)\$\$|\$([^$]+)\$", re.sub(r"`[^`$]*`", "", text), re.DOTALL):
        formula = NAMES.sub(" ", display or inline)
        for accent, letter in ACCENTED.findall(formula):
            found.add(letter if accent == "dot" else rf"\{accent} {letter}")
        formula = ACCENTED.sub(" ", formula)
        found |= {rf"\{name}" for name in re.findall(rf"\\({GREEK})(?![a-zA-Z])", formula)}
        found |= set(re.findall("[A-Za-z]", re.sub(r"\\[a-zA-Z]+", " ", formula)))
    return found


def tables():
    """Return the letters of the table Symbols, and for each chapter the first column of its table."""
    page = notebooks.ROOT / "book" / "appendix-conventions.ipynb"
    conventions = "\n".join(cell.source for cell in cells(page, "markdown"))
    symbols = letters(conventions.partition("## Symbols")[2].partition("Three tangent kernels")[0])
    chapters = re.findall(r"::::\{dropdown\} (\d+)\.[^\n]*\n(.*?)::::", conventions, re.DOTALL)
    return symbols, {int(number): re.findall(r"^\| (\$.*?\$) \|", table, re.MULTILINE) for number, table in chapters}


@every_notebook
def test_references_work_in_jupyterlab(path):
    text = "\n".join(cell.source for cell in cells(path, "markdown"))
    labels = set(re.findall(r"^\(([\w:-]+)\)=|:label: ([\w:-]+)|\$\$ *\(([\w:-]+)\)", text, re.MULTILINE))
    labels = {label for found in labels for label in found}
    roles = re.findall(r"\{(ref|numref|eq|prf:ref)\}`(?:[^`<]*<)?([^`>]+)>?`", text)
    elsewhere = {label for role, label in roles if role == "numref" or label not in labels}
    assert not elsewhere and "](#" not in text, "make these links, as tools/links.py says"


@every_chapter
def test_each_letter_is_in_the_tables_once(path):
    symbols, rows = tables()
    rows = rows[int(path.name[:2])]
    assert len(rows) == len(set(rows))
    used = set().union(*(letters(cell.source) for cell in cells(path, "markdown")))
    listed = set().union(*map(letters, rows))
    assert not used - listed - symbols - STANDARD, "not in the tables"
    assert not listed - used, "in the table of the chapter only"
