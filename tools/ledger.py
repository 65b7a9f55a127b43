"""The page of all claims: what they told when the chapters were executed, and their range under other seeds.

`claim` and `verify` of ntk_helpers tell it, tools/notebooks.py keeps it with the outputs of a chapter, and the
directive `ledger` makes tables of it. Nothing on that page is typed.
"""
import nbformat
import notebooks
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

COLUMNS = {"statement": 12, "measured": 3, "it has to be": 5, "the rival's": 3, "other seeds": 4}


def setup(app):
    app.add_directive("ledger", Ledger)
    app.connect("doctree-read", name_cells)


def name_cells(app, doctree):
    """Give each code cell the anchor cell-N, N as it is counted in the notebook."""
    cells = doctree.findall(lambda node: isinstance(node, nodes.container) and node.get("nb_element") == "cell_code")
    for number, cell in enumerate(cells, 1):
        cell["ids"].append(f"cell-{number}")


class Ledger(SphinxDirective):
    """Two numbers a chapter, then all its claims."""

    def run(self):
        self.env.note_dependency(notebooks.SEEDS)
        chapters = []
        for path in notebooks.chapters():
            self.env.note_dependency(path)
            first = nbformat.read(path, as_version=4).cells[0].source
            heading = next(line for line in first.splitlines() if line.startswith("# "))[2:]
            number = path.stem.partition("-")[0]
            chapters.append((path, f"{int(number)}. {heading}" if number.isdigit() else heading))
        claims = {path: notebooks.claims(path) for path, _ in chapters}
        counts = [[nodes.reference("", heading, internal=True, refid=f"claims-{path.stem}"),
                   *map(str, count(claims[path]))] for path, heading in chapters]
        total = map(sum, zip(*(count(rows) for rows in claims.values()), strict=True))
        counts.append(["all", *map(str, total)])
        parts = [table(["chapter", "claims", "checks of code"], [3, 1, 1], counts)]
        for path, heading in chapters:
            if claims[path]:
                section = nodes.section("", nodes.title("", heading), ids=[f"claims-{path.stem}"], names=[heading])
                section += table(COLUMNS, COLUMNS.values(), rows(path, claims[path]), ["claims"])
                parts.append(section)
        return parts


def count(claims):
    """Return how many are claims and how many only verify code."""
    checks = sum("wanted" not in claim for claim in claims)
    return len(claims) - checks, checks


def rows(path, claims):
    """Yield the row of each claim of a chapter; the statement leads to its cell."""
    code, seeds = notebooks.code_hash(path), {}
    for row in notebooks.seed_rows():
        if row["chapter"] == path.stem and row["code"] == code and int(row["seeds"]) >= 10:
            seeds[int(row["claim"])] = row
    for number, claim in enumerate(claims, 1):
        link = nodes.reference("", claim["statement"], internal=True, refuri=f"{path.stem}.html#cell-{claim['cell']}")
        if "wanted" not in claim:
            yield link, "check", "up to rounding", "", ""
            continue
        row = seeds.get(number)
        held = "not run" if row is None else span(row)
        yield link, claim["measured"] or "", claim["wanted"], claim["rival"] or "", held


def span(row):
    """Return the range of a claim's number under other seeds, in words."""
    numbers = row["low"] if row["low"] == row["high"] else f"{row['low']} to {row['high']}"
    return numbers or "held"


def table(heads, widths, cells, classes=()):
    """Return a table of texts and links."""
    def line(entries):
        row = nodes.row()
        for entry in entries:
            inside = entry if isinstance(entry, nodes.Node) else nodes.Text(entry)
            row += nodes.entry("", *([nodes.paragraph("", "", inside)] if entry else []))
        return row

    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(heads))
    group += nodes.thead("", line(heads))
    group += nodes.tbody("", *map(line, cells))
    return nodes.table("", group, classes=list(classes), support_smartquotes=False)
