"""Local Sphinx extension: pages that ask no other host for anything, weigh little and show no stale number.

It changes what the theme made (pages as they are rendered, files as they were copied) and replaces none of
its templates, so there is no copy of them to keep up to date. tests/test_book.py holds each change in place.
"""

import importlib.util
import logging
import os
import re
import shutil
from pathlib import Path
from urllib.parse import quote

import notebooks
import pydata_sphinx_theme
import search
from docutils import nodes
from fontTools import subset, ttLib
from sphinx.errors import ExtensionError
from sphinx.util.logging import getLogger
from sphinx.writers.html5 import HTML5Translator

from ntk_helpers import figures

log = getLogger(__name__)
logging.getLogger("fontTools").setLevel(logging.WARNING)

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
MATHJAX = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax"


def setup(app):
    os.environ.update(notebooks.kernel_environment())  # for any kernel that this process starts
    # Jupyter Book always loads sphinx-thebe, which needs other hosts and is emitted twice.
    for event in app.events.listeners.values():
        event[:] = [item for item in event if not item.handler.__module__.startswith("sphinx_thebe")]
    app.registry.css_files[:] = [item for item in app.registry.css_files if "thebe" not in item[0]]

    app.add_config_value("road_digest", "", "env", str)
    app.add_node(nodes.image, override=True, html=(visit_image, depart_image))
    app.connect("config-inited", configure, priority=900)
    app.connect("builder-inited", watch_pages)
    app.connect("build-finished", finish, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def configure(app, config):
    """Set what needs Python."""
    config.nb_execution_cache_path = str(notebooks.cache_path())
    config.mathjax_path = "mathjax/tex-chtml-full.js"
    buttons(config.html_theme_options)
    # Of the "env" kind: a change in ntk_helpers or in book/_static has every page made anew.
    ours = Path(app.srcdir, "book/_static").glob("road.*")
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
        app.builder.templates.render = lambda name, about: tidy(render(name, about), about.get("pagename"))


def tidy(page, name):
    """Drop what a reader need not load, and mend what the theme leaves inaccessible."""
    unneeded = ["fontawesome", "searchtools", "searchindex"]  # see `subset_icons` and search.py
    if name != "search":
        unneeded.append("language_data")
    page = re.sub(rf'\s*<script[^>]*\b({"|".join(unneeded)})\.js[^>]*></script>', "", page)
    page = re.sub(r'/pydata-sphinx-theme\.css[^"]*', "/theme-small.css", page)
    page = re.sub(r'<script data-cfasync="false">.*?</script>', lambda _: MODE, page, flags=re.DOTALL)
    page = re.sub(r' id="(proof|exercise|solution)(-content)?"', "", page)  # the same id on every one of them
    for theirs, ours in REPAIRS.items():
        page = page.replace(theirs, ours)
    return search.page(page) if name == "search" else page


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


# --- Files --------------------------------------------------------------------------------------------------

def finish(app, error):
    """Ship what pages load, and no more."""
    if not error and app.builder.format == "html":
        static = Path(app.outdir, "_static")
        fonts = "output/chtml/fonts/woff-v2"
        shutil.copytree(MATHJAX / fonts, static / "mathjax" / fonts, dirs_exist_ok=True)
        shutil.copy(MATHJAX / "tex-chtml-full.js", static / "mathjax")  # the one that loads no further parts
        subset_icons(Path(app.outdir), static)


def subset_icons(pages, static):
    """Keep of Font Awesome the icons that are used: 7 kB instead of 540 kB of script and 300 kB of fonts."""
    css = (THEME / "styles/pydata-sphinx-theme.css").read_text(encoding="utf-8")
    rule = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+) ?"\}')
    icon = re.compile(r"\bfa-[\w-]+")
    code = {name: int(digits, 16) for names, digits in rule.findall(css) for name in icon.findall(names)}

    used = set(icon.findall((THEME / "scripts/pydata-sphinx-theme.js").read_text(encoding="utf-8")))
    for page in pages.rglob("*.html"):
        for classes in re.findall(r'class="([^"]*\bfa-[^"]*)"', page.read_text(encoding="utf-8")):
            used |= set(icon.findall(classes))
    css = rule.sub(lambda match: match[0] if used & set(icon.findall(match[1])) else "", css)
    # What has no code is a style or a size (fa-solid, fa-lg); the style sheet knows those too.
    unknown = {name for name in used - set(code) if not re.search(rf"\.{name}\b", css)}

    # Style sheets write some icons themselves; every icon is a character of Unicode's private area.
    sheets = css + (static / "styles/sphinx-book-theme.css").read_text(encoding="utf-8")
    codes = {code[name] for name in used & set(code)} | {ord(c) for c in sheets if 0xE000 <= ord(c) <= 0xF8FF}
    codes |= {int(digits, 16) for digits in re.findall(r'content:"\\([ef][0-9a-f]{3})"', sheets)}
    covered = set()
    for path in (THEME / "vendor/fontawesome/webfonts").glob("*.ttf"):
        font = ttLib.TTFont(path)
        here = codes & set(font.getBestCmap())
        options = subset.Options(layout_features=[], name_IDs=["*"])  # the names hold the license
        subsetter = subset.Subsetter(options)
        subsetter.populate(unicodes=here)
        subsetter.subset(font)
        font.flavor = "woff"  # woff2 needs one more package and would save half a kilobyte
        font.save(static / "vendor/fontawesome/webfonts" / f"{path.stem}.woff")
        covered |= here
    unknown |= {name for name in used & set(code) if code[name] not in covered}
    if unknown:
        raise ExtensionError(f"no such icon in the theme's Font Awesome: {', '.join(sorted(unknown))}")

    # Under a name of its own: a copy that differs from the theme's file is overwritten at the next build.
    css = re.sub(r'url\(([^)]*)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)',
                 r'url(\1.woff) format("woff")', css.partition("/*# sourceMappingURL")[0])
    (static / "styles/theme-small.css").write_text(css, encoding="utf-8")
    for pattern in ("scripts/fontawesome*", "styles/pydata-*", "vendor/**/*.ttf", "vendor/**/*.woff2"):
        for path in static.glob(pattern):
            path.unlink()
