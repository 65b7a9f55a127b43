"""One script and one style sheet for the whole book, made of those that theme and extensions bring.

A page asks for two small files instead of twenty. `link` puts them into a page, `write` makes them once all
pages are there. What is in neither list below is an error, so that no new script is lost or loaded unseen.
"""

import base64
import io
import logging
import posixpath
import re
from pathlib import Path

import pydata_sphinx_theme
import tinycss2
from fontTools import subset, ttLib
from sphinx.errors import ExtensionError

logging.getLogger("fontTools").setLevel(logging.WARNING)

THEME = Path(pydata_sphinx_theme.__file__).parent / "theme/pydata_sphinx_theme/static"
THEME_SCRIPT, THEME_STYLES = "scripts/pydata-sphinx-theme.js", "styles/pydata-sphinx-theme.css"
SCRIPTS = ["documentation_options.js", "doctools.js", "sphinx_highlight.js", "clipboard.min.js", "copybutton.js",
           "scripts/bootstrap.js", THEME_SCRIPT, "scripts/sphinx-book-theme.js", "road.js", "formulas.js",
           "figures.js"]
STYLES = ["basic.css", THEME_STYLES, "pygments.css", "styles/sphinx-book-theme.css", "copybutton.css",
          "mystnb.*.css", "proof.css", "exercise.css", "sphinx-design.min.css", "road.css", "formulas.css",
          "figures.css", "print.css"]
UNNEEDED = ["scripts/fontawesome.js", "styles/theme.css",  # icons as fonts, see `icons`; imports basic.css
            "design-tabs.js",                              # keeps tabs of several pages in step
            "searchtools.js", "searchindex.js"]            # of Sphinx's search; tools/search.py has another
SEARCH = ["language_data.js"]                              # search.html alone loads it
# The font of formulas is in the style sheet, and still comes a moment after it: text that stood there would move. A
# browser that cannot say when it is there ends the script before anything is hidden.
WAIT = """<script>(function (html) {
      var font = document.fonts.load('1em "Book Math"');
      html.classList.add("waits");
      font.finally(function () { html.classList.remove("waits"); });
    })(document.documentElement);</script>
"""


def link(page, version):
    """Replace scripts and style sheets of a page by those of the book."""
    def replace(match):
        name = re.sub(r".*_static/|^(\.\./)*", "", match[1])
        if not any(Path(name).match(known) for known in SCRIPTS + STYLES + UNNEEDED + SEARCH):
            raise ExtensionError(f"tools/light.py does not know what to do with {name}")
        return ""

    page = re.sub(r'\s*<(?:script|link) [^>]*"([^"?]+\.(?:js|css))\b[^>]*>(?:</script>)?', replace, page)
    page = re.sub(r"\s*<script>\s*DOCUMENTATION_OPTIONS\.[^<]*</script>", "", page)  # for Sphinx's search
    root = re.search(r'data-content_root="([^"]*)"', page)[1]
    links = (f'<link rel="stylesheet" href="{root}_static/book.css?v={version}">\n'
             f'    <script defer src="{root}_static/book.js?v={version}"></script>\n')
    links += f"    {WAIT}" * ("<math" in page)
    return page.replace("</title>", f"</title>\n    {links}", 1)


def write(out):
    """Make the files that the pages of the folder `out` load."""
    static = out / "_static"
    scripts = {name: (static / name).read_text(encoding="utf-8") for name in SCRIPTS}
    # On load it lays out the whole page, to find code that scrolls; road.js sees to that when it comes into view.
    scripts[THEME_SCRIPT], found = re.subn(
        r'"complete"===document\.readyState\?(\w+)\(\):window\.addEventListener\("load",\1\)', "0",
        scripts[THEME_SCRIPT])
    if found != 1:
        raise ExtensionError("the theme's script no longer looks for scrolling code as tools/light.py expects")
    script = "\n;".join(re.sub(r"^//# sourceMapping.*", "", text, flags=re.MULTILINE) for text in scripts.values())
    (static / "book.js").write_text(script, encoding="utf-8")

    sheets = [read_style(static, pattern) for pattern in STYLES]
    pages = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.html"))
    names = {name for value in re.findall(r'\b(?:class|id)="([^"]*)"', pages) for name in value.split()}
    texts = [path.read_text(encoding="utf-8") for path in static.rglob("*.js")]
    texts += set(re.findall(r"<script>(.*?)</script>", pages, re.DOTALL))
    said = set(re.findall(r"[\w-]+", " ".join(texts)))
    begun = tuple(word for word in said if word.endswith("-") and len(word) > 3)  # as in "bs-tooltip-" + place
    css = icons("\n".join(sheets), names, scripts[THEME_SCRIPT])
    css = used(css, lambda name: name in names or name in said or name.startswith(begun))
    (static / "book.css").write_text(css, encoding="utf-8")
    for pattern in (*SCRIPTS, *STYLES, *UNNEEDED, "scripts/*", "styles/*", "vendor/**/*.*", "locales/**/*.*"):
        for path in static.glob(pattern):
            path.unlink()


def read_style(static, pattern):
    """Read a style sheet, its addresses made relative to `static`."""
    path = THEME / pattern if pattern == THEME_STYLES else next(static.glob(pattern))
    css = path.read_text(encoding="utf-8").partition("/*# sourceMappingURL")[0]
    folder = posixpath.dirname(pattern)
    return re.sub(r"url\((?![\"']?data:)([\"']?)([^)\"']*)\1\)",
                  lambda match: f"url({posixpath.normpath(posixpath.join(folder, match[2]))})", css)


def used(css, known):
    """Leave out the rules for classes that occur in no page and in no script."""
    def keep(rules):
        for rule in rules:
            if rule.type == "qualified-rule":
                selectors = [selector for selector in split(rule.prelude) if all(map(known, classes(selector)))]
                if selectors:
                    yield f"{','.join(map(tinycss2.serialize, selectors))}{{{tinycss2.serialize(rule.content)}}}"
            elif rule.type == "at-rule" and rule.lower_at_keyword in ("media", "supports"):
                inner = "".join(keep(tinycss2.parse_rule_list(rule.content, True, True)))
                if inner:
                    yield f"@{rule.at_keyword}{tinycss2.serialize(rule.prelude)}{{{inner}}}"
            elif rule.type == "error":
                raise ExtensionError(f"a style sheet cannot be read, line {rule.source_line}: {rule.message}")
            else:
                yield rule.serialize()

    return "".join(keep(tinycss2.parse_stylesheet(css, skip_comments=True, skip_whitespace=True)))


def split(prelude):
    """Yield the selectors of a list of them."""
    selector = []
    for token in prelude:
        if token == ",":
            yield selector
            selector = []
        elif token.type != "comment":
            selector.append(token)
    yield selector


def classes(selector):
    """Yield the classes and ids that an element must have; what stands in :not(...) or :is(...) is none."""
    for before, token in zip([None, *selector], selector, strict=False):
        if token.type == "hash" or token.type == "ident" and before == ".":
            yield token.value


def icons(css, names, script):
    """Keep of Font Awesome the icons that are used, within the style sheet: 7 kB instead of 840."""
    rule = re.compile(r'((?:\.fa-[\w-]+:before,?)+)\{content:"\\([0-9a-f]+) ?"\}')
    icon = re.compile(r"\bfa-[\w-]+")
    code = {name: int(digits, 16) for them, digits in rule.findall(css) for name in icon.findall(them)}
    needed = {name for name in names if icon.fullmatch(name)} | set(icon.findall(script))
    css = rule.sub(lambda match: match[0] if needed & set(icon.findall(match[1])) else "", css)
    # What has no code is a style or a size (fa-solid, fa-lg); the style sheet knows those too.
    unknown = {name for name in needed - set(code) if not re.search(rf"\.{name}\b", css)}

    # Style sheets write some icons themselves; every icon is a character of Unicode's private area.
    codes = {code[name] for name in needed & set(code)} | {ord(c) for c in css if 0xE000 <= ord(c) <= 0xF8FF}
    codes |= {int(digits, 16) for digits in re.findall(r'content: ?"\\([ef][0-9a-f]{3})"', css)}
    covered = set()
    for path in (THEME / "vendor/fontawesome/webfonts").glob("*.ttf"):
        font = ttLib.TTFont(path)
        here = codes & set(font.getBestCmap())
        subsetter = subset.Subsetter(subset.Options(layout_features=[], name_IDs=["*"]))  # names hold the license
        subsetter.populate(unicodes=here)
        subsetter.subset(font)
        font.flavor = "woff"  # woff2 needs one more package and would save half a kilobyte
        font.save(file := io.BytesIO())
        css = re.sub(rf"src:url\([^)]*/{path.stem}\.woff2\)[^}}]*",
                     f"src:url(data:font/woff;base64,{base64.b64encode(file.getvalue()).decode()})", css)
        covered |= here
    unknown |= {name for name in needed & set(code) if code[name] not in covered}
    if unknown:
        raise ExtensionError(f"no such icon in the theme's Font Awesome: {', '.join(sorted(unknown))}")
    return css
