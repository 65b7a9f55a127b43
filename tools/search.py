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

SCRIPTS = "".join(f'  <script defer src="_static/{name}.js"></script>\n  ' for name in ("searchindex", "search"))

# Not to be read: code, what only a browser understands, and answers, which are folded away.
SKIPPED = (nodes.literal_block, nodes.raw, nodes.comment, nodes.image, nodes.target, addnodes.index)

# What pylatexenc does not know, or writes so that it cannot be read.
KNOWN = latexwalker.get_default_latex_context_db()
KNOWN.add_context_category("book", prepend=True, macros=[
    macrospec.std_macro("tfrac", "{{"), macrospec.std_macro("dfrac", "{{"), macrospec.std_macro("vphantom", "{")])


def fraction(node, l2tobj):
    """Return a fraction on one line: a/b, or (a+1)/(2b)."""
    above, below = (l2tobj.nodelist_to_text([part]).strip() for part in node.nodeargd.argnlist)
    above = f"({above})" if re.search(r"[-+=,\s]", above) else above
    below = below if re.fullmatch(r"\d+|\w([_^]\{[^{}]*\})*", below) else f"({below})"
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
    """Return the page search.html with our scripts, and a line that says what was found."""
    html = html.replace("</head>", SCRIPTS + "</head>")
    return html.replace('<div id="search-results">',
                        '<div id="search-results"><p class="search-summary" role="status"></p>')


def finish(app, error):
    """Write the index."""
    if not error and app.builder.format == "html":
        script = f"const BOOK = {json.dumps(index(app), ensure_ascii=False, separators=(',', ':'))};\n"
        Path(app.outdir, "_static/searchindex.js").write_text(script, encoding="utf-8")


def index(app):
    """Return the sections of all pages, numbered chapters first, what means the same, and symbols in other words."""
    numbers = app.env.toc_secnumbers
    names = [name for name in app.env.collect_relations() if name in app.env.found_docs]
    names.sort(key=lambda name: not numbers.get(name))  # in their order otherwise
    pages, sections, symbols, seen = [], [], [], set()
    for name in names:
        doctree = app.env.get_and_resolve_doctree(name, app.builder)
        own = [n for n in doctree.findall(lambda n: isinstance(n, addnodes.desc_signature) or is_section(n))]
        for node in own:
            anchor = node["ids"][0]
            if is_section(node):
                number = ".".join(map(str, numbers.get(name, {}).get(f"#{anchor}", ())))
                title = plain(node[0])
            else:
                number, title = "", f"{node['module']}.{node['fullname']}"
            if node is own[0]:
                number = ".".join(map(str, numbers.get(name, {}).get("", ())))
                pages.append({"url": app.builder.get_target_uri(name), "title": " ".join([number + ".", title])
                              if number else title, "numbered": bool(number)})
            terms = [term for term in map(plain_term, terms_of(node)) if term.lower() not in seen]
            seen.update(map(str.lower, terms))
            sections.append({"page": len(pages) - 1, "anchor": "" if node is own[0] else anchor, "number": number,
                             "title": title, "terms": terms, "text": plain(content(node))})
        symbols += letters(doctree)
    return {"pages": pages, "sections": sections, "symbols": symbols,
            "synonyms": yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))}


def is_section(node):
    """Say whether this is a section with a title; theorems hold one without."""
    return isinstance(node, nodes.section) and isinstance(node.parent, (nodes.document, nodes.section))


def content(node):
    """Return the nodes below a title, or the description below a signature."""
    if is_section(node):
        return node[1:]
    return [child for child in node.parent if isinstance(child, addnodes.desc_content)]


def terms_of(node):
    """Yield what a section defines or proves, and what it emphasizes."""
    if is_section(node):
        for child in own_nodes(node):
            kind = child.tagname
            if isinstance(child, (nodes.emphasis, nodes.strong, nodes.term)):
                yield child
            elif "title" in child and kind.endswith("_node"):
                names = child["title"].strip("() ")
                yield from names.split(", ") if kind == "definition_node" else [names]


def own_nodes(node):
    """Yield the nodes inside a section, without those of the sections in it."""
    for child in node.children:
        if not is_section(child) and not is_skipped(child):
            yield child
            yield from own_nodes(child)


def is_skipped(node):
    return isinstance(node, SKIPPED) or node.tagname.startswith("solution")


def plain_term(term):
    return plain(term).strip(" .:,") if isinstance(term, nodes.Node) else term


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


def letters(doctree):
    """Return pairs of a symbol and its name in code, from every table that lists symbols."""
    pairs = []
    for table in doctree.findall(nodes.table):
        rows = [[plain(cell) for cell in row] for row in table.findall(nodes.row)]
        if rows[0][0].lower() == "symbol":
            for row in rows[1:]:
                symbols, names = re.split(r"[,≥…\s]+", row[0]), re.split(r"[,;]\s*", row[-1])
                if len(names) == 1:
                    names *= len(symbols)
                pairs += [pair for pair in zip(symbols, names) if re.fullmatch(r"\w+", pair[1])]
    return pairs
