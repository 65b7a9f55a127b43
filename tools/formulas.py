"""Formulas of the book: from TeX to MathML when the pages are built, with a font cut to what they draw.

The pages need no script for them. math-core converts; what it prints without understanding it is an error here.
The font is STIX Two Math, of which ziamath ships a full copy.
"""

import base64
import html
import importlib.util
import re
from copy import copy
from functools import cache
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

from docutils import nodes
from fontTools import subset, ttLib
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
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
    app.connect("doctree-resolved", keep_together)
    app.connect("build-finished", add_font)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


# --- From TeX to MathML -------------------------------------------------------------------------------------

TO_MATHML = LatexToMathML(fancy_error=False, allow_unreliable_rendering=True)
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)
NOT_PRINTED = re.compile(r"[\\^_&${}#%~]|[\ue000-\uf8ff\ufe00-\ufe0f\ufffd\u0300-\u036f]")


def to_mathml(tex, display=False):
    """Return the formula as <math>, labelled with its source; a ValueError says what cannot be converted.

    Browsers keep alttext and <annotation> out of the accessibility tree, and have aria-label in it.
    """
    block = ' display="block"' * display
    return f'<math aria-label="{html.escape(tex)}"{block}>{convert(tex, display)}</math>'


@cache
def convert(tex, display):
    tex = tex.strip()
    tex = re.sub(rf"({'|'.join(map(re.escape, RELATIONS))}|[-+])$", r"\1{}", tex)  # at the end of a piece
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
    for element in math.iter():
        first = element[0] if len(element) else None
        # Chromium fits a bracket of fixed size to its script; Firefox does not shrink a bare text under a brace.
        if element.tag in ("msub", "msup", "msubsup") and first.tag == "mo" and "minsize" in first.attrib:
            wrap(element, 0)
        elif element.tag in ("munder", "mover") and element[1].tag == "mtext":
            wrap(element, 1)
        # TeX has a thin space between \big( and \sin, as it does not know that the bracket opens.
        for bracket, space in zip(list(element), list(element)[1:]):
            if "minsize" in bracket.attrib and bracket.text in ("(", "[", "{") and space.get("width") == "0.1667em":
                element.remove(space)


def wrap(element, i):
    row = ElementTree.Element("mrow")
    row.extend([element[i], ElementTree.Element("mrow")])
    element[i] = row


RELATIONS = {"=", "<", ">", *r"\le \ge \ne \in \to \sim \approx \mapsto \leftarrow \longrightarrow".split()}
OPENING = {"(", "[", "{", *r"\{ \left \begin \langle".split()}
CLOSING = {")", "]", "}", *r"\} \right \end \rangle".split()}


def pieces(tex):
    """Cut the formula where TeX would break a line: outside of brackets, after relations, plus and minus."""
    out, depth, before = [""], 0, "="
    tokens = re.findall(r"(?:\\[a-zA-Z]+|\\?.)\s*", tex.strip(), re.DOTALL)
    for token, after in zip(tokens, [*tokens[1:], "_"]):
        name = token.strip()
        depth += (name in OPENING) - (name in CLOSING)
        sign = name in ("+", "-") and before not in RELATIONS | OPENING | {"+", "-", ",", r"\,"}
        out[-1] += token
        if depth == 0 and before not in ("_", "^") and after[0] not in "_^" and (name in RELATIONS or sign):
            out.append("")
        before = name
    return out


# --- On the page --------------------------------------------------------------------------------------------

def keep_together(app, doctree, docname):
    """Give to each formula the rest of its word, a comma or a bracket: browsers would break the line between them."""
    for node in list(doctree.findall(nodes.math)):
        i = node.parent.index(node)
        if i + 1 < len(node.parent) and isinstance(after := node.parent[i + 1], nodes.Text):
            node["after"] = re.match(r"\S*", after)[0]
            node.parent[i + 1] = nodes.Text(after[len(node["after"]):])
        if i and isinstance(before := node.parent[i - 1], nodes.Text):
            node["before"] = re.search(r"\S*$", before)[0]
            node.parent[i - 1] = nodes.Text(before[:len(before) - len(node["before"])])


def visit(translator, node):
    display = isinstance(node, nodes.math_block)
    tex = node.astext()
    try:
        formula = to_mathml(tex, display)
    except ValueError as error:
        log.warning("%s: %s in the formula %s", place(node, translator.builder.env), error, tex.strip())
        formula = f"<code>{html.escape(tex)}</code>"
    if not display:
        parts = [formula]
        if formula.startswith("<math") and len(re.sub("<[^>]*>", "", formula)) > 13:
            parts = list(map(to_mathml, pieces(tex)))  # a line may break between them
        for i, text in ((0, node.get("before")), (-1, node.get("after"))):
            if text:
                text = html.escape(text)
                parts[i] = f'<span class="unbroken">{text * (i == 0)}{parts[i]}{text * (i == -1)}</span>'
        translator.body.append("<wbr>".join(parts))
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
    """Write the font into the style sheet: one request less; what waits for it is in light.py."""
    if error or app.builder.format != "html":
        return
    used = set("√ıȷ")  # roots and accents draw these
    for page in Path(app.outdir).rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for formula in re.findall(r"<math\b[^>]*>(.*?)</math>", text, re.DOTALL):
            used |= drawn(html.unescape(re.sub(r"<[^>]*>", "", formula)))
        used.update(*re.findall(r'class=\\?"letter\\?"[^>]*>([^<]*)<', text))  # of labels in figures
    font = base64.b64encode(cut(used)).decode()
    with open(Path(app.outdir, "_static", STYLES), "a", encoding="utf-8") as sheet:
        sheet.write(f'@font-face {{ font-family: "Book Math"; src: url(data:font/woff2;base64,{font}); }}\n')


CONSTANTS = {  # where browsers place things otherwise than TeX, which looks at single letters
    "RadicalVerticalGap": 110,  # Chromium's √ touches its letters in running text,
    "FractionDenominatorGapMin": 150,  # and a fraction bar the √ below it
    "SubscriptBaselineDropMin": 50,  # the t of ρ_t stands no lower than that of x_t
    "SuperscriptBaselineDropMax": 386,  # the 2 of (x)^2 no higher than that of x^2
}


def cut(used):
    """Return the font, as WOFF 2, with these characters only: 26 kB instead of 1.5 MB."""
    font = ttLib.TTFont(FONT)
    small_primes(font)
    for name, value in CONSTANTS.items():
        getattr(font["MATH"].table.MathConstants, name).Value = value
    # Alternates for scripts would double the glyphs, and Chromium never asks for them.
    subsetter = subset.Subsetter(subset.Options(layout_features=["dtls"], name_IDs=[0, 1, 2, 13, 14], hinting=False))
    subsetter.populate(text="".join(used))
    subsetter.subset(font)
    refine(font)
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


def refine(font):
    """Change the shapes that browsers put too close or too far."""
    glyphs, metrics, shapes, names = font["glyf"], font["hmtx"], font.getGlyphSet(), font.getBestCmap()

    def change(name, x=1, y=1, right=0, up=0, to=None):
        lines, pen = DecomposingRecordingPen(shapes), TTGlyphPen(None)
        shapes[name].draw(lines)
        lines.replay(TransformPen(pen, (x, 0, 0, y, right, up)))
        to = to or name
        glyphs[to] = pen.glyph()
        glyphs[to].recalcBounds(glyphs)
        metrics[to] = round(metrics[name][0] * x + right), glyphs[to].xMin

    for letter, how in {"⋆": {"x": .75, "y": .75, "up": 80}, "{": {"right": 40}, "}": {"right": 40},
                        **{accent: {"up": 30} for accent in "ˆ˙˜¯"}}.items():
        if ord(letter) in names:
            change(names[ord(letter)], **how)
    # Chromium hangs a root too large for its letters below the line: let there be smaller ones.
    variants = font["MATH"].table.MathVariants
    root = names[ord("√")]
    made = variants.VertGlyphConstruction[variants.VertGlyphCoverage.glyphs.index(root)]
    least, heights = made.MathGlyphVariantRecord[0], (.55, .65, .75, .87, 1)
    for i, height in enumerate(heights[1:], 1):
        record = copy(least)
        record.VariantGlyph, record.AdvanceMeasurement = f"{root}.{i}", round(least.AdvanceMeasurement * height)
        metrics[record.VariantGlyph] = metrics[root]
        change(root, y=height, to=record.VariantGlyph)
        made.MathGlyphVariantRecord.insert(i, record)
    change(root, y=heights[0])
    least.AdvanceMeasurement = round(least.AdvanceMeasurement * heights[0])
    # Chromium reserves for a bracket or root the width of its largest form: let that be hardly wider than the smallest.
    for name, made in zip(variants.VertGlyphCoverage.glyphs, variants.VertGlyphConstruction):
        if name not in {names.get(ord(letter)) for letter in "()[]{}⟨⟩⌊⌋⌈⌉√"}:
            continue
        most = metrics[name][0] * (1 if name == names[ord("√")] else 1.2)
        parts = {record.VariantGlyph for record in made.MathGlyphVariantRecord}
        parts |= {part.glyph for part in made.GlyphAssembly.PartRecords} if made.GlyphAssembly else set()
        for part in parts:
            if metrics[part][0] > most:
                change(part, x=most / metrics[part][0])
