"""Local Sphinx extension: pages that ask no other host for anything, weigh little and show no stale number.

It changes what the theme made (pages as they are rendered, files as they were copied) and replaces none of
its templates, so there is no copy of them to keep up to date. tests/test_book.py holds each change in place.
"""

import html
import os
import re
import textwrap
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import formulas
import ledger
import light
import links
import notebooks
import search
from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator
from sphinx_exercise.nodes import solution_node

from ntk_figures import figures

log = getLogger(__name__)


def setup(app):
    os.environ.update(notebooks.kernel_environment())  # for any kernel that this process starts
    app.add_config_value("road_digest", "", "env", str)
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.add_node(solution_node, override=True, html=(visit_solution, depart_solution))
    app.connect("config-inited", configure, priority=900)
    app.connect("builder-inited", watch_pages)
    app.connect("html-page-context", describe)
    app.connect("build-finished", finish, priority=900)
    formulas.setup(app)
    ledger.setup(app)
    links.setup(app)
    search.setup(app)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Set what needs Python."""
    config.nb_execution_cache_path = str(notebooks.cache_path())
    buttons(config.html_theme_options)
    # Of the "env" kind: a change in the packages or in book/_static has every page made anew.
    ours = [file for kind in ("css", "js") for file in Path(app.srcdir, "book/_static").glob(f"*.{kind}")]
    config.road_digest = notebooks.hash_files(ours, notebooks.digest())


def buttons(theme):
    """Show buttons that need the repository's public address if there is one, and only then."""
    public = bool(theme.get("repository_url"))
    theme |= {f"use_{button}_button": public for button in ("repository", "issues", "edit_page")}
    if not public:
        theme.pop("launch_buttons", None)


# --- Pages --------------------------------------------------------------------------------------------------

FAVICON = ("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'><rect width='32' height='32' rx='7' "
           "fill='#0b5e9e'/><path d='M11 29C11 18 21 18 21 3' fill='none' stroke='#fff' stroke-width='3' "
           "stroke-dasharray='5 3'/></svg>")
# The theme tells light from dark only when its last script runs: in the dark, a white flash at each page.
MODE = """<script>
    (function (page, mode, dark) {
      page.mode = mode;
      page.theme = mode == "auto" ? (dark.matches ? "dark" : "light") : mode;
    })(document.documentElement.dataset, localStorage.getItem("mode") || "auto",
       matchMedia("(prefers-color-scheme: dark)"));
  </script>"""
REPAIRS = {
    "</head>": f'  <link rel="icon" href="data:image/svg+xml,{quote(FAVICON)}">\n  </head>',
    # What axe-core finds in the markup of the theme and of sphinxcontrib-bibtex.
    ' id="pst-primary-sidebar" ': ' id="pst-primary-sidebar" role="navigation" aria-label="Book" ',
    'search-button-field search-button__button pst-js-only" title="Search" aria-label="Search"':
    'search-button-field search-button__button pst-js-only" title="Search"',
    ' role="doc-biblioentry"': "",
    ' role="list" class="citation-list"': ' class="citation-list"',
}


def watch_pages(app):
    """Have every page pass through `tidy`."""
    if app.builder.format == "html":
        render = app.builder.templates.render
        version = app.config.road_digest[:8]
        app.builder.templates.render = lambda name, about: tidy(render(name, about), about, version)


def describe(app, name, template, context, doctree):
    """Say in the head of a page what it is about: its first words, if its front matter does not."""
    if 'name="description"' not in context.get("metatags", ""):
        words = f"{re.sub('<[^>]*>', '', context.get('title', 'Index'))}. "
        words += next((paragraph.astext() for paragraph in (doctree.findall(nodes.paragraph) if doctree else ())
                       if not paragraph.next_node(nodes.math)), f"A page of {app.config.html_title}.")
        words = textwrap.shorten(words, 160, placeholder=" …")
        context["metatags"] = context.get("metatags", "") + f'<meta name="description" content="{html.escape(words)}">'


def tidy(page, about, version):
    """Drop what a reader need not load, and mend what the theme leaves inaccessible."""
    if "<body" in page:
        page = light.link(page, version)
    # Names, punctuation and operators of code have the color of the page: four of five tokens.
    page = re.sub(r'<span class="[nopw]">([^<]*)</span>', r"\1", page)
    page = re.sub(r'(<details class="solution[^>]*>\s*)<p (class="admonition-title">)(.*?)</p>',
                  lambda match: f"{match[1]}<summary {match[2]}{re.sub('<[^>]*>', '', match[3])}</summary>", page)
    page = name_folds(page)
    page = re.sub(r'<script data-cfasync="false">.*?</script>', lambda _: MODE, page, flags=re.DOTALL)
    page = re.sub(r' id="(proof|exercise|solution)(-content)?"', "", page)  # the same id on every one of them
    for theirs, ours in REPAIRS.items():
        page = page.replace(theirs, ours)
    return search.page(page)


def name_folds(page):
    """Name folded code after the figure that follows it."""
    pieces = re.split(r'<details class="admonition hide[^>]*>\s*<summary.*?</summary>', page, flags=re.DOTALL)
    names = Counter()
    for k in range(1, len(pieces)):
        caption = re.search(r'class="caption-number">(.*?) ?</span>', "".join(pieces[k:]))
        name = f"Code of {caption[1].replace('Fig.', 'Figure')}" if caption else "Code of a figure"
        names[name] += 1
        part = f", part {names[name]}" if names[name] > 1 else ""
        pieces[k] = f'<details class="hide"><summary>{name}{part}</summary>{pieces[k]}'
    return "".join(pieces)


def visit_image(translator, node):
    """Put a picture that a cell drew into the page itself, so that it follows the page's colors."""
    alt = node.get("alt", "").strip()
    if not alt:
        place = node
        while place.parent and not place.line:  # an output has none, its cell has one
            place = place.parent
        log.warning("a picture needs an alt text (that of a cell: metadata mystnb.image.alt)", location=place)
    path = Path(translator.builder.srcdir, node["uri"])
    if alt and path.suffix == ".svg" and "jupyter_execute" in path.parts:
        prefix = f"svg-{len(translator.body)}"  # the same picture may stand twice on a page
        translator.body.append(figures.inline_svg(path.read_text(encoding="utf-8"), alt, prefix))
        raise nodes.SkipNode
    HTML5Translator.visit_image(translator, node)


def depart_image(translator, node):
    HTML5Translator.depart_image(translator, node)


def visit_solution(translator, node):
    """Fold a solution without a script; `tidy` makes its title what opens it."""
    translator.body.append(translator.starttag(node, "details", CLASS="admonition"))


def depart_solution(translator, node):
    translator.body.append("</details>\n")


# --- Files --------------------------------------------------------------------------------------------------

def finish(app, error):
    """Lend the front page its figure; ship what pages load, and no more."""
    if not error and app.builder.format == "html":
        lend(Path(app.outdir))
        light.write(Path(app.outdir))


def lend(pages):
    """Show a figure of a chapter on the front page too, where this says so: a file and the figure's name."""
    path = pages / "book/intro.html"
    front = path.read_text(encoding="utf-8")
    place = re.search(r'<div class="hero" data-figure="(\S+) (\S+)">(.*?)<!-- hero --></div>', front, re.DOTALL)
    chapter = (path.parent / place[1]).read_text(encoding="utf-8")
    figure = re.search(rf'<figure [^>]*id="{place[2]}">.*?(<div class="ntk-explore".*?</script></div>)', chapter,
                       re.DOTALL)
    if not figure:
        raise ExtensionError(f"book/intro.md asks for a figure that is not there: {place[1]} {place[2]}")
    path.write_text(front[:place.start(3)] + figure[1] + front[place.end(3):], encoding="utf-8")
