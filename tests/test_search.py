"""The text that is searched. What queries find is tested in test_book.py, in a browser."""

import re

import pytest
import search
from docutils import nodes


@pytest.mark.parametrize(("tex", "text"), [
    (r"\sigma_w", "σ_w"),
    (r"\sigma_ww^\top x", "σ_w w^⊤x"),
    (r"\lambda_{\max}\ge\lambda_1", "λ_max≥λ_1"),
    (r"\hat\Theta_0(x,x)", "Θ̂_0(x,x)"),
    (r"\frac{\sigma_w}{\sqrt m}", "σ_w/√m"),
    (r"\tfrac{a+b}{2m}x", "(a+b)/(2m) x"),
    (r"e^{-\lambda_it}", "e^(-λ_i t)"),
    (r"W^{(l)}h^{(l-1)}", "W^(l) h^(l-1)"),
    (r"\big\|\hat f\big\|^2\,,\qquad f^\star", "‖f̂‖², f^*"),
    (r"x\in\mathbb R^{n\times p}", "x∈ℝ^(n×p)"),
    (r"\begin{aligned}a&=b\\[2ex]c&=\mathcal N(0,1)\end{aligned}", "a =b c =𝒩(0,1)"),
])
def test_formulas_read_as_plain_text(tex, text):
    assert re.sub(r"\s+", " ", search.formula(tex)).strip() == text


def test_a_section_is_read_without_code_answers_and_other_sections():
    inner = nodes.section("", nodes.title("", "Inner"), nodes.paragraph("", "elsewhere"), ids=["inner"])
    formula = nodes.paragraph("", "", nodes.Text("let "), nodes.math("", r"\eta>0"))
    outer = nodes.section("", nodes.title("", "Outer"), formula, nodes.literal_block("", "import code"),
                          nodes.paragraph("", "then"), inner)
    nodes.document(None, None, "", outer)
    assert search.plain(search.content(outer)) == "let η>0 then"


def test_a_term_belongs_to_the_section_that_defines_it_or_else_emphasizes_it_first():
    sections = [{"names": [("emphasis", "Risk"), ("emphasis", "gap"), ("bold", "gap")]},
                {"names": [("definition", "risk"), ("emphasis", "gap")]}]
    search.share_out(sections)
    assert sections == [{"terms": ["gap"], "bold": ["gap"]}, {"terms": ["risk"], "bold": []}]


def test_the_table_of_letters_pairs_symbols_with_their_names_in_code():
    def row(*cells):
        return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))

    heads = nodes.thead("", row(*map(nodes.Text, ("symbol", "meaning", "in code"))))
    rows = nodes.tbody("", row(nodes.math("", r"\sigma_w,\ \sigma_b"), nodes.Text("scales"),
                               nodes.Text("weight_std, bias_std")))
    table = nodes.table("", nodes.tgroup("", heads, rows))
    assert list(search.letters(nodes.section("", table))) == [
        {"row": "σ_w, σ_b", "meaning": "scales", "names": [("σ_w", "weight_std"), ("σ_b", "bias_std")]}]
