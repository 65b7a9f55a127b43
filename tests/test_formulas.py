"""Formulas: what the converter writes, and what the build says about mistakes."""

import subprocess
import sys
from pathlib import Path

import formulas
import nbformat
import pytest
from bs4 import BeautifulSoup


def shown(tex, display=False):
    return BeautifulSoup(formulas.to_mathml(tex, display), "html.parser").math


@pytest.mark.parametrize("tex", [r"a<b", r"x'\in\mathbb{R}^d", r'\text{"quoted"}'])
def test_the_source_stays_with_the_formula(tex):
    assert shown(tex)["aria-label"] == tex


@pytest.mark.parametrize("tex, wrong", [
    (r"\unknown x", "unknown"), (r"{a", "end of input"), ("a_b_c", "Duplicate"), (r"\underline{x}", "would be printed"),
    ("漢", "the font has no 漢"), ("\ue000", "would be printed")])
def test_what_cannot_be_converted_is_an_error(tex, wrong):
    with pytest.raises(ValueError, match=wrong):
        formulas.to_mathml(tex)


@pytest.mark.parametrize("tex, text", [
    (r"\{1\}", "{1}"), (r"a\_b", "a_b"), (r"\begin{cases}0\\[2ex]1\end{cases}", "{01\u2063"),
    (r"\text{is $x$}", "is\xa0x"), (r"\mathcal N", "𝒩")])
def test_what_is_meant_is_printed(tex, text):
    assert shown(tex).get_text() == text


def test_rows_are_those_of_sphinx():
    assert [len(shown(tex, True).find_all("mtr")) for tex in ("a", "a\n\nb", r"a\\b", r"a&=b\\&=c")] == [0, 2, 2, 2]


@pytest.mark.parametrize("tex, parts", [
    (r"f(x)=a-b\le\hat f(x=0)", ["f(x)=", "a-", r"b\le", r"\hat f(x=0)"]), (r"a_{i=1}^-=-c", ["a_{i=1}^-=", "-c"]),
    (r"a\sim_xb", [r"a\sim_xb"]), (r"x\to\infty", [r"x\to", r"\infty"]), ("a=", ["a="])])
def test_lines_break_where_tex_breaks_them(tex, parts):
    assert formulas.pieces(tex) == parts


def test_sphinx_counts_equations():
    assert shown(r"\begin{align}a&=b\\c&=d\end{align}", True).get_text() == "a=bc=d"


def test_a_bad_formula_fails_the_build_with_cell_and_line(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("# Title"),
             nbformat.v4.new_markdown_cell("A line\n\n$$\n\\bad\n$$\n\n```{note}\nwith $\\worse$\n```")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "index.ipynb")
    (tmp_path / "plain.md").write_text("---\norphan: true\n---\n# Title\n\n$\\worst$", encoding="utf-8")
    (tmp_path / "conf.py").write_text(f"""
import sys
sys.path.insert(0, {str(Path(formulas.__file__).parent)!r})
extensions, myst_enable_extensions = ["myst_nb", "formulas"], ["dollarmath"]
""", encoding="utf-8")
    built = subprocess.run([sys.executable, "-m", "sphinx", "-qW", "--keep-going", tmp_path, tmp_path / "out"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", check=False)
    assert built.returncode == 1
    said = [line for line in built.stdout.splitlines() if "Unknown command" in line]
    places = ("index.ipynb, cell 2, line 3", "index.ipynb, cell 2, line 8", "plain.md:6")
    assert said == [rf'WARNING: {place}: 0: Unknown command "{tex}". in the formula {tex}'
                    for place, tex in zip(places, (r"\bad", r"\worse", r"\worst"))]
