"""The page with a student's marks: the notebook, its outputs, points and comments. No code of a student's runs in it.

All that comes from a student passes a sanitizer, piece by piece, so that it cannot look like the grader's own words,
and the page as a whole passes it again. A browser is told to load nothing and to run nothing.
"""
import base64
import html
import mimetypes
import re
import string
from functools import cache
from pathlib import PurePosixPath
from urllib.parse import unquote

import formulas
import nh3
from bs4 import BeautifulSoup
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from .cells import question_of
from .execute import is_test

LONG = 100_000  # characters of a text; a longer one is shown as it is
LONG_FORMULA = 3_000  # the converter ends the process at some 10_000 nested braces
PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,[A-Za-z0-9+/=\s]*")
PICTURES = {"image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml"}
MATH = {"math", "mfrac", "mi", "mn", "mo", "mover", "mphantom", "mroot", "mrow", "mspace", "msqrt", "mstyle", "msub",
        "msubsup", "msup", "mtable", "mtd", "mtext", "mtr", "munder", "munderover"}
TAGS = {*MATH, *"""a abbr b blockquote br caption code col colgroup dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i
        img ins kbd li mark ol p pre q s samp small span strong sub summary sup table tbody td tfoot th thead tr
        u ul""".split()}
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "title", "width", "height"}, "ol": {"start"},
              "td": {"colspan", "rowspan", "align"}, "th": {"colspan", "rowspan", "align"}}
ATTRIBUTES |= {tag: {"accent", "accentunder", "aria-label", "columnalign", "depth", "display", "displaystyle", "fence",
                     "form", "height", "linethickness", "lspace", "mathvariant", "maxsize", "minsize", "rspace",
                     "scriptlevel", "separator", "stretchy", "symmetric", "width"} for tag in MATH}
LIKELY = "αβγδεζηθκλμνξπρστφχψωΓΔΘΛΞΠΣΦΨΩ√∑∏∫∂∇∞±×·≤≥≠≈∼→⇒∈∣‖⟨⟩⊤⊥ℝℕ𝔼ℙ𝒩′ˆ¯˜…−≪≫ıȷ"
OURS = {"header", "main", "section"}
NO_REQUESTS = ("default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; "
               "form-action 'none'")
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; max-width: 54rem;
  padding: 1rem; }
pre { overflow: auto; margin: 0; padding: .5rem; font-size: .85rem; white-space: pre-wrap; overflow-wrap: anywhere; }
section { margin: .8rem 0; }
.code { background: #f5f5f5; border: 1px solid #ddd; }
.answer, .test { border-left: .3rem solid #3b6ea5; padding-left: .6rem; }
.lost { border-left-color: #b3261e; }
.label { display: block; font-weight: 600; }
.comment { border-left: .3rem solid #8a5a00; background: #fff6e0; padding: .2rem .6rem; }
mark { color: #8a1c14; background: #fdecea; font-style: italic; }
table { border-collapse: collapse; } td, th { border: 1px solid #ccc; padding: .1rem .5rem; text-align: left; }
img { max-width: 100%; height: auto; }
math { font-family: "Book Math", "STIX Two Math", "Cambria Math", math; font-size: 1.1em; }
math[display="block"] { overflow: auto hidden; padding: .3rem 0; }
.ansi-red-fg, .ansi-red-intense-fg { color: #a1140b; } .ansi-green-fg { color: #00591e; }
.ansi-cyan-fg { color: #00565e; } .ansi-yellow-fg { color: #6b4300; } .ansi-blue-fg { color: #0a4a9c; }
.ansi-bold { font-weight: 700; }
"""


def make(name, result, manual, notebook=None, pictures=(), font=""):
    """Return the page; `pictures` are files that were handed in beside the notebook, as (name, function that reads)."""
    status, reason = result["status"], result["reason"]
    parts = [f"<header><h1>{_escape(name)}</h1><p><b>{_escape(status)}</b> {_escape(reason)}</p>"
             f"{_table(result, manual, notebook)}</header>"]
    for cell in notebook.cells if notebook else ():
        if cell.id != "integrity":
            parts.append(_section(cell, result, manual, dict(pictures)))
    if not notebook:
        parts += [_comment(question, *given) for question, given in manual.items()]
    body = nh3.clean(f"<main>{''.join(parts)}</main>", tags=TAGS | OURS, attribute_filter=_attribute,
                     attributes=ATTRIBUTES | {"*": {"class", "id"}}, url_schemes={"http", "https", "mailto", "data"})
    return (f"<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
            f"<meta http-equiv=\"Content-Security-Policy\" content=\"{NO_REQUESTS}\">"
            f"<meta name=\"referrer\" content=\"no-referrer\">"
            f"<meta name=\"viewport\" content=\"width=device-width\"><title>{_escape(name)}: {_escape(status)}</title>"
            f"<style>{font}{STYLE}{_code_style()}</style></head><body>{body}</body></html>\n")


def font_of(notebook):
    """Return a style sheet with the book's font for the formulas of a problem set and likely ones of answers."""
    tex = "".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    drawn = re.sub("<[^>]*>", "", "".join(_formula(found, False) for found in re.findall(r"\$+([^$]+)\$", tex)))
    used = formulas.drawn(html.unescape(drawn) + string.ascii_letters + string.digits + string.punctuation + LIKELY)
    font = base64.b64encode(formulas.cut(used & set(map(chr, formulas.characters())))).decode()
    return f'@font-face {{ font-family: "Book Math"; src: url(data:font/woff2;base64,{font}); }}'


@cache
def _code_style():
    return HtmlFormatter(style="default").get_style_defs(".highlight")


def _table(result, manual, notebook):
    """Return the points by question."""
    most, got = {}, {}
    for cell in notebook.cells if notebook else ():
        about = cell.metadata.get("nbgrader", {})
        if about.get("points"):
            question = question_of(cell.id)
            most[question] = most.get(question, 0) + about["points"]
            got[question] = got.get(question, 0) + result["points"].get(cell.id, 0)
    given = {question: points for question, (points, _) in manual.items() if points is not None}
    got |= given
    rows = ""
    for question, points in got.items():
        by_hand = " by hand" if question in given else ""
        waits = question in result.get("manual_cells", ()) and not by_hand
        rows += (f'<tr><td><a href="#{_escape(question)}">{_escape(question)}</a></td>'
                 f"<td>{'is read by a human' if waits else f'{points:g}{by_hand}'}</td>"
                 f"<td>{most.get(question, '')}</td></tr>")
    total = f"<tr><th>together</th><th>{sum(got.values()):g}</th><th>{sum(most.values()) or ''}</th></tr>"
    return f"<table><tr><th>question</th><th>points</th><th>of</th></tr>{rows}{total}</table>" if rows else ""


def _section(cell, result, manual, pictures):
    """Return one cell with its outputs; what cannot be drawn is shown as text."""
    about = cell.metadata.get("nbgrader", {})
    question, inner, kind, label = question_of(cell.id), "", "", ""
    if cell.cell_type == "code":
        inner = f'<div class="code">{Highlight2HTML()(cell.source, metadata={})}</div>'
        inner += "".join(_safely(_output, output) for output in cell.get("outputs", ()))
    else:
        inner = _safely(markdown, cell.source, cell.get("attachments", {}), pictures)
    if is_test(cell):
        got, most = result["points"].get(cell.id, 0), about["points"]
        kind, label = "test" if got == most else "test lost", f"{cell.id}: {got:g} of {most:g}"
    elif about.get("solution"):
        kind, label = "answer", f"Answer to {cell.id}"
    elif not about:
        kind, label = "own", "A new cell of the student's"
    label = f'<span class="label">{_escape(label)}</span>' if label else ""
    comment = _comment(question, *manual[question]) if about.get("solution") and question in manual else ""
    place = f' id="{_escape(question)}"' if kind == "answer" else ""
    return f'<section class="{kind}"{place}>{label}{inner}{comment}</section>'


def _comment(question, points, comment):
    given = "a comment" if points is None else f"{points:g} points, given by hand"
    return (f'<div class="comment"><span class="label">{_escape(question)}: {given}</span>'
            f"{_safely(markdown, comment)}</div>")


def _safely(draw, what, *more):
    """Draw something of a student's; a text that the libraries choke on is shown as it is."""
    try:
        return draw(what, *more)
    except Exception:  # noqa: BLE001 -- a page is always made
        return f"<pre>{_escape(what if isinstance(what, str) else str(dict(what))[:LONG])}</pre>"


def _output(output):
    if output.output_type == "stream":
        return f"<pre>{ansi2html(output.text)}</pre>"
    if output.output_type == "error":
        return f"<pre>{ansi2html(chr(10).join(output.traceback))}</pre>"
    data = {kind: "".join(value) if isinstance(value, list) else value for kind, value in output.data.items()}
    if "text/html" in data and (table := _clean(_with_pictures(data["text/html"]))).strip():
        return table
    for kind in PICTURES & set(data):
        content = data[kind]
        if kind == "image/svg+xml":
            content = base64.b64encode(content.encode()).decode()
        return _picture(f"data:{kind};base64,{content}", "output of the cell above")
    for kind in ("text/markdown", "text/latex"):
        if kind in data:
            return markdown(data[kind])
    return f"<pre>{ansi2html(data.get('text/plain', ''))}</pre>"


# --- Text of a student's ------------------------------------------------------------------------------------

def markdown(text, attachments=(), pictures=()):
    """Return Markdown as HTML: formulas as MathML, pictures in place or a note that one is missing."""
    if len(text) > LONG:
        return f"<pre>{_escape(text)}</pre>"
    drawn = MarkdownWithMath(renderer=_Renderer(escape=False, exclude_anchor_links=True)).render(text)
    return _clean(_with_pictures(drawn, dict(attachments), dict(pictures)))


def _with_pictures(drawn, attachments=(), pictures=()):
    """Put each picture's data in its place, or a note."""
    if "<img" not in drawn.lower():
        return drawn
    soup = BeautifulSoup(drawn, "html.parser")
    for tag in soup.find_all("img"):
        name = tag.get("src") or ""
        found = _picture(_source(name, dict(attachments), dict(pictures)), tag.get("alt") or "", name)
        tag.replace_with(BeautifulSoup(found, "html.parser"))
    return str(soup)


class _Renderer(IPythonRenderer):
    """Draws formulas as MathML, and leaves attachments to `markdown`."""

    def _embed_image_or_attachment(self, src):
        return src

    def image(self, text, url, title=None):
        return f'<img src="{_escape(url)}" alt="{_escape(re.sub("<[^>]*>", "", text))}">'

    def block_math(self, body):
        return _formula(body, True)

    def inline_math(self, body):
        return _formula(body, False)

    def latex_environment(self, name, body):
        return _formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)


def _formula(tex, display):
    try:
        if len(tex) > LONG_FORMULA:
            raise ValueError
        return formulas.to_mathml(tex, display)
    except Exception:  # noqa: BLE001 -- whatever a student took for TeX
        return f"<code>{_escape(tex)}</code>"


def _source(name, attachments, pictures):
    """Return a picture's data: what the page holds, what the cell holds, what was handed in beside it; or ""."""
    if name.startswith("data:"):
        return name
    plain = unquote(name.removeprefix("attachment:"))
    for known in (name.removeprefix("attachment:"), plain):
        for kind, data in attachments.get(known, {}).items():
            if kind in PICTURES:
                return f"data:{kind};base64,{''.join(data.split())}"
    read = pictures.get(PurePosixPath(plain).name) if "://" not in name else None
    if read:
        return f"data:{mimetypes.guess_type(plain)[0]};base64,{base64.b64encode(read()).decode()}"
    return ""


def _picture(source, text, name=""):
    if PICTURE.fullmatch(source):
        return f'<img src="{_escape(source)}" alt="{_escape(text)}">'
    where = " is on another machine, and is not shown" if "://" in name else " is not in the notebook"
    return f'<mark>[A picture{where}: {_escape(text or name[:100] or "without a name")}]</mark>'


def _clean(fragment):
    return nh3.clean(fragment, tags=TAGS, attributes=ATTRIBUTES, attribute_filter=_attribute,
                     url_schemes={"http", "https", "mailto", "data"})


def _attribute(tag, name, value):
    """Keep pictures that are in the page, and links that lead out of it."""
    if name == "src":
        return value if PICTURE.fullmatch(value) else None
    return None if name == "href" and re.match(r"\s*data:", value, re.I) else value


def _escape(text):
    return html.escape(str(text))
