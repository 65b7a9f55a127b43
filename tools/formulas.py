"""Formulas of the book: from TeX to MathML when the pages are built, with a font cut to what they draw.

The pages need no script for them. math-core converts; what it prints without understanding it is an error here.
The font is STIX Two Math, of which ziamath ships a full copy.
"""

import base64
import html
import importlib.util
import re
from functools import cache
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from fontTools import subset, ttLib
from math_core import LatexError, LatexToMathML
from sphinx.util.logging import getLogger
from sphinx.util.math import get_node_equation_number

log = getLogger(__name__)

FONT = Path(importlib.util.find_spec("ziamath").origin).parent / "fonts/STIXTwoMath-Regular.ttf"
STYLES = "formulas.css"


def setup(app):
    app.add_html_math_renderer("mathml", (visit, None), (visit, None))
    app.add_css_file(STYLES)
    app.add_js_file("formulas.js", loading_method="defer")
    app.connect("build-finished", add_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# --- From TeX to MathML -------------------------------------------------------------------------------------

TO_MATHML = LatexToMathML(fancy_error=False, allow_unreliable_rendering=True)
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)
NOT_PRINTED = re.compile(r"[\\^_&${}#%~]|[\ue000-\uf8ff\ufe00-\ufe0f\ufffd\u0300-\u036f]")


def to_mathml(tex, display=False):
    """Return the formula as a <math> element; a ValueError says what cannot be converted."""
    block = ' display="block"' * display
    return f'<math alttext="{html.escape(tex)}"{block}>{convert(tex, display)}</math>'


@cache
def convert(tex, display):
    tex = tex.strip()
    if display:
        tex = re.sub(r"\n\s*\n", r" \\\\ ", tex)  # Sphinx: paragraphs are rows
        if re.search(r"\\\\|(?<!\\)&", ENVIRONMENT.sub("", tex)):
            tex = rf"\begin{{aligned}}{tex}\end{{aligned}}"
    tex = re.sub(r"\\\\\s*\[[^]]*\]", r"\\\\", tex)  # no extra space after a row
    # Sphinx counts equations.
    tex = re.sub(r"\\(begin|end)\{(align|equation|gather|multline|alignat|flalign)\}", r"\\\1{\2*}", tex)
    tex = re.sub(r"\\text\{[^{}]*\}", lambda text: re.sub(r"\$([^$]*)\$", r"}\1\\text{", text[0]), tex)
    try:
        out = TO_MATHML.convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        raise ValueError(str(error)) from None
    out = re.sub(r"&(?!lt|gt|amp|quot|#)\w+;", lambda entity: html.unescape(entity[0]), out)
    math = ElementTree.fromstring(out.replace("\ufe00", ""))  # the variant that \mathcal asks for
    text = "".join(math.itertext())
    left = [letter for letter in NOT_PRINTED.findall(text) if f"\\{letter}" not in tex]
    if left and not (left == ["{"] and r"\begin{cases}" in tex):
        raise ValueError(f"{left[0]!r} would be printed")
    if missing := {letter for letter in drawn(text) if ord(letter) not in characters()}:
        raise ValueError(f"the font has no {', '.join(sorted(missing))}")
    repair(math)
    return "".join(ElementTree.tostring(part, encoding="unicode") for part in math)


def repair(math):
    """Mend what browsers draw badly."""


# --- On the page --------------------------------------------------------------------------------------------

def visit(translator, node):
    display = isinstance(node, nodes.math_block)
    tex = node.astext()
    try:
        formula = to_mathml(tex, display)
    except ValueError as error:
        log.warning("%s: %s in the formula %s", place(node, translator.builder.env), error, tex.strip())
        formula = f"<code>{html.escape(tex)}</code>"
    if not display:
        translator.body.append(formula)
        raise nodes.SkipNode
    ids = "".join(f' id="{name}"' for name in node["ids"][:1])
    if not node.get("number"):
        translator.body.append(f'<div class="math"{ids}>{formula}</div>\n')
        raise nodes.SkipNode
    translator.body.append(f'<div class="equation"{ids}><div class="math">{formula}</div><span class="eqno">'
                           f"({get_node_equation_number(translator, node)})")
    translator.add_permalink_ref(node, "Link to this equation")
    translator.body.append("</span></div>\n")
    raise nodes.SkipNode


def place(node, env):
    """Say where a formula stands, in a notebook by cell and line."""
    while node.line is None and node.parent:
        node = node.parent
    source = Path(node.source or env.docname)
    if source.is_relative_to(env.srcdir):
        source = source.relative_to(env.srcdir)
    line = node.line or 0
    if source.suffix == ".ipynb" and line >= 10_000:  # so myst-nb counts, and its lines from 1 too far
        return f"{source.as_posix()}, cell {line // 10_000}, line {line % 10_000 - 1}"
    return f"{source.as_posix()}:{line}"


# --- The font -----------------------------------------------------------------------------------------------

ITALIC = {chr(65 + i): chr(0x1D434 + i) for i in range(26)} | {chr(97 + i): chr(0x1D44E + i) for i in range(26)}
ITALIC |= {letter: chr(0x1D6E2 + i) for i, letter in enumerate(
    "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡϴΣΤΥΦΧΨΩ∇αβγδεζηθικλμνξοπρςστυφχψω∂ϵϑϰϕϱϖ")} | {"h": "ℎ", "ı": "𝚤", "ȷ": "𝚥"}


def drawn(text):
    """Return the characters that a browser draws for the text: letters also in italics, as <mi> shows them."""
    seen = {letter for letter in text if letter.isprintable() and not letter.isspace()}
    return seen | {ITALIC[letter] for letter in seen if letter in ITALIC}


@cache
def characters():
    with ttLib.TTFont(FONT, lazy=True) as font:
        return font.getBestCmap()


def add_font(app, error):
    """Write the font into the style sheet: so it is there when the first formula is drawn, and nothing moves."""
    if error or app.builder.format != "html":
        return
    used = set("√ıȷ")  # roots and accents draw these
    for page in Path(app.outdir).rglob("*.html"):
        for formula in re.findall(r"<math\b[^>]*>(.*?)</math>", page.read_text(encoding="utf-8"), re.DOTALL):
            used |= drawn(html.unescape(re.sub(r"<[^>]*>", "", formula)))
    font = base64.b64encode(cut(used)).decode()
    with open(Path(app.outdir, "_static", STYLES), "a", encoding="utf-8") as sheet:
        sheet.write(f'@font-face {{ font-family: "Book Math"; src: url(data:font/woff2;base64,{font}); }}\n')


def cut(used):
    """Return the font, as WOFF 2, with these characters only: 26 kB instead of 1.5 MB."""
    font = ttLib.TTFont(FONT)
    small_primes(font)
    constants = font["MATH"].table.MathConstants
    # Chromium's √ touches its letters in running text, and a fraction bar the √ below it.
    constants.RadicalVerticalGap.Value = 110
    constants.FractionDenominatorGapMin.Value = constants.FractionDenomDisplayStyleGapMin.Value = 150
    # Alternates for scripts would double the glyphs, and Chromium never asks for them.
    subsetter = subset.Subsetter(subset.Options(layout_features=["dtls"], name_IDs=[0, 1, 2, 13, 14], hinting=False))
    subsetter.populate(text="".join(used))
    subsetter.subset(font)
    font.flavor = "woff2"
    file = BytesIO()
    font.save(file)
    return file.getvalue()


def small_primes(font):
    """Only primes need their alternates for scripts; they become the primes' own glyphs."""
    gsub = font["GSUB"].table
    lookups = {i for record in gsub.FeatureList.FeatureRecord if record.FeatureTag == "ssty"
               for i in record.Feature.LookupListIndex}
    for table in (table for i in lookups for table in gsub.LookupList.Lookup[i].SubTable):
        table = getattr(table, "ExtSubTable", table)
        small = getattr(table, "alternates", {}) | getattr(table, "mapping", {})
        for names in (part.cmap for part in font["cmap"].tables):
            for prime in range(0x2032, 0x2038):
                if names.get(prime) in small:
                    found = small[names[prime]]
                    names[prime] = found[0] if isinstance(found, list) else found
