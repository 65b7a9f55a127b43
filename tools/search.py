"""The index that search.html searches: one entry for each section of the book, as a script.

A script, because a page that was opened as a file may load one but not fetch data. What a query finds in it, and in
which order, is decided by book/_static/search.js; stemmer and stop words are Sphinx's own, from language_data.js.
"""

import json
import re
from pathlib import Path

import yaml
from docutils import nodes
from pylatexenc import latex2text, latexwalker, macrospec
from sphinx import addnodes

SYNONYMS = Path(__file__).parent.parent / "book/synonyms.yml"

INDEX = "sections.js"

# Not to be read: code, what only a browser understands, and answers, which are folded away.
SKIPPED = (nodes.literal_block, nodes.raw, nodes.comment, nodes.image, nodes.target, addnodes.index)

# What pylatexenc does not know, or writes so that it cannot be read.
KNOWN = latexwalker.get_default_latex_context_db()
KNOWN.add_context_category("book", prepend=True, macros=[
    macrospec.std_macro("tfrac", "{{"), macrospec.std_macro("dfrac", "{{"), macrospec.std_macro("vphantom", "{")])


def fraction(node, l2tobj):
    """Return a fraction on one line: a/b, or (a+1)/(2b)."""
    above, below = (l2tobj.nodelist_to_text(getattr(part, "nodelist", [part])).strip()
                    for part in node.nodeargd.argnlist)
    above = f"({above})" if re.search(r"[-+=,\s]", above) else above
    below = below if re.fullmatch(r"\d+|√\(\w+\)|\w([_^]\{[^{}]*\})*", below) else f"({below})"
    return f"{above}/{below} "


WRITTEN = latex2text.get_default_latex_context_db()
WRITTEN.add_context_category("book", prepend=True, macros=[
    *(latex2text.MacroTextSpec(name, fraction) for name in ("frac", "tfrac", "dfrac")),
    latex2text.MacroTextSpec("vphantom", discard=True), latex2text.MacroTextSpec("star", "*"),
    latex2text.MacroTextSpec("|", "‖")])
TO_TEXT = latex2text.LatexNodes2Text(WRITTEN, math_mode="text", keep_braced_groups=True, keep_braced_groups_minlen=1)


def setup(app):
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


def page(html):
    """Return a page, if it is search.html with our scripts and a line that says what was found."""
    place = '<div id="search-results">'
    if place not in html:
        return html
    scripts = [f'<script defer src="{name}"></script>\n  '
               for name in ("_static/language_data.js", INDEX, "_static/search.js")]
    html = html.replace("</head>", f"  {''.join(scripts)}</head>")
    return html.replace(place, place + '<p class="search-summary" role="status"></p>')


def finish(app, error):
    """Write the index."""
    if not error and app.builder.format == "html":
        script = f"const BOOK = {json.dumps(index(app), ensure_ascii=False, separators=(',', ':'))};\n"
        Path(app.outdir, INDEX).write_text(script, encoding="utf-8")


def index(app):
    """Return the sections of all pages, numbered chapters first, the table of letters, and what means the same."""
    numbers = app.env.toc_secnumbers
    names = [name for name in app.env.collect_relations() if name in app.env.found_docs]
    names.sort(key=lambda name: not numbers.get(name))  # otherwise in their order
    pages, sections, rows = [], [], []
    for name in names:
        doctree = app.env.get_and_resolve_doctree(name, app.builder)
        for node in doctree.findall(nodes.Element):
            if not (is_section(node) or is_described(node)):
                continue
            anchor = "" if node.parent is doctree else node["ids"][0]
            number = ".".join(map(str, numbers.get(name, {}).get(anchor and f"#{anchor}", ())))
            title = plain(node[0]) if is_section(node) else f"{node['module']}.{node['fullname']}"
            if not anchor:
                pages.append({"url": app.builder.get_target_uri(name), "numbered": bool(number),
                              "title": f"{number}. {title}" if number else title})
            else:
                rows += [{"section": len(sections), **row} for row in letters(node)]
            sections.append({"page": len(pages) - 1, "anchor": anchor, "number": number, "title": title,
                             "weight": weight(len(pages) - 1, number, title),
                             "text": plain(content(node)), "names": list(names_in(node))})
    share_out(sections)
    return {"pages": pages, "sections": sections, "letters": rows,
            "synonyms": yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))}


def weight(page, number, title):
    """Return how likely a section explains: chapters build on those before, and all else comes after them."""
    chapter = 1 / (1 + 0.05 * page) if number else 0.5
    return round(chapter * (0.5 if title in ("What we saw", "Exercises", "Bibliography") else 1), 3)


def share_out(sections):
    """Leave each term to one section, the one that defines or proves it or else the first that emphasizes it."""
    owner = {}
    for rank in "definition", "emphasis":
        for section in sections:
            for kind, name in section["names"]:
                if kind == rank:
                    owner.setdefault(name.lower(), (section, name))
    for section in sections:
        section["terms"] = [name for own, name in owner.values() if own is section]
        section["bold"] = [name for kind, name in section.pop("names") if kind == "bold"]


def is_section(node):
    """Say whether this is a section with a title; theorems hold one without."""
    return isinstance(node, nodes.section) and isinstance(node.parent, (nodes.document, nodes.section))


def is_described(node):
    """Say whether this is the signature of a function or the like that can be linked to."""
    return isinstance(node, addnodes.desc_signature) and bool(node["ids"])


def content(node):
    """Return the nodes below a title, or the description below a signature."""
    if is_section(node):
        return node[1:]
    return [child for child in node.parent if isinstance(child, addnodes.desc_content)]


def names_in(node, defining=False):
    """Yield what a section defines or proves, emphasizes, and announces in bold, each with its kind."""
    for child in node.children:
        if is_section(child) or is_skipped(child) or isinstance(child, (addnodes.desc, nodes.reference)):
            continue
        inside = defining or "definition" in classes_of(child)
        if isinstance(child, (nodes.emphasis, nodes.term)):
            yield "definition" if inside else "emphasis", plain(child).strip(" .:,")
        elif isinstance(child, nodes.strong):
            yield "bold", plain(child).strip(" .:,")
        elif is_statement(child):
            name = plain(child[0]).strip(": ")
            yield from (("definition", part) for part in (name.split(", ") if inside else [name]))
        yield from names_in(child, inside)


def classes_of(node):
    return node["classes"] if isinstance(node, nodes.Element) else ()


def is_statement(node):
    """Say whether this is a definition, theorem or the like that has a name."""
    return "proof" in classes_of(node) and isinstance(node[0], nodes.title)


def is_skipped(node):
    return isinstance(node, SKIPPED) or node.tagname.startswith("solution")


def plain(node):
    """Return what is read of a node, or of a list of nodes, on one line."""
    return re.sub(r"\s+", " ", read(node)).strip()


def read(node):
    if isinstance(node, list):
        return " ".join(map(read, node))
    if isinstance(node, nodes.Text):
        return node.astext()
    if isinstance(node, (nodes.math, nodes.math_block)):
        return formula(node.astext()) + " " * isinstance(node, nodes.math_block)
    if is_section(node) or is_skipped(node) or isinstance(node, addnodes.desc):
        return ""
    if isinstance(node, nodes.title) and not is_section(node.parent):  # names of theorems are in parentheses
        return "".join(map(read, node)).strip("().: ") + ": "
    between = "" if isinstance(node, (nodes.TextElement, nodes.Inline)) else " "
    return between.join(map(read, node.children)) + between


def formula(tex):
    r"""Return a formula as it is written in plain text: `\sigma_ww^{-1}` as σ_w w^(-1)."""
    tex = re.sub(r"([_^])\s*([A-Za-z0-9])", r"\1{\2}", tex)
    tex = re.sub(r"\\(?:quad|qquad|\\(?:\[\w+\])?|[,;:!])", " ", tex)
    parsed = latexwalker.LatexWalker(tex, latex_context=KNOWN).get_latex_nodes()[0]
    text, previous = TO_TEXT.nodelist_to_text(parsed), None
    while text != previous:  # braces from the inside out; an index stays apart from the letter after it
        previous = text
        text = re.sub(r"([_^])\{(\w+|\([^(){}]*\)|[^\w{}])\}(?=(\w?))",
                      lambda found: found[1] + found[2] + " " * bool(found[3]), text)
        text = re.sub(r"([_^])\{([^{}]*)\}", r"\1(\2)", text)
        text = re.sub(r"(?<![_^])\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"√\((\w)\)", r"√\1 ", text)
    text = re.sub(r"\^([0-9])(?!\w)", lambda found: "⁰¹²³⁴⁵⁶⁷⁸⁹"[int(found[1])], text)
    return re.sub(r" +(?=[]),.;:]|$)", "", text)


def letters(section):
    """Yield the rows of a section's table of letters: what it says, and each symbol with its name in code."""
    for table in section.findall(nodes.table):
        rows = list(table.findall(nodes.row))
        if plain(rows[0][0]).lower() == "symbol":
            for row in rows[1:]:
                formulas = [re.split("[∈=]", plain(math))[0] for math in row[0].findall(nodes.math)]
                symbols = re.split(r"[,≥…\s]+", " ".join(formulas))
                names = re.split(r"[,;]\s*", plain(row[-1]))
                names = [name if name.isidentifier() else "" for name in names]
                if len(names) < len(symbols):
                    names = names[:1] * len(symbols)
                yield {"row": plain(row[0]), "meaning": plain(row[1]), "names": list(zip(symbols, names))}
