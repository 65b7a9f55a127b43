"""Make one PDF of the built book, printed by a browser: python tools/pdf.py

All pages are put into one, in order; solutions become a chapter at the end, code of figures is left out. The contents
need page numbers that only a print knows: the book is printed, its links are looked up, and it is printed again.
"""
import copy
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import chromium
import notebooks
import yaml
from bs4 import BeautifulSoup

import book

PDF = notebooks.ROOT / "_build" / "road-to-ntk.pdf"
REMOVED = "script, .headerlink, details.hide, .copybtn, .footer-article, .prev-next-area, nav, #searchbox"

STYLES = """
header { height: 240mm; padding-top: 80mm; text-align: center; }
.page, .contents, .part { break-before: page; }
.part { padding-top: 90mm; text-align: center; }
.contents p { display: flex; gap: 1rem; margin: 0; break-inside: avoid; }
.contents a { flex: 1; color: inherit; text-decoration: none; }
.contents .contents-part { margin-top: 1rem; font-weight: 700; }
.contents .contents-page { margin-top: .4rem; }
.contents .contents-section { padding-left: 2rem; font-size: .9rem; }
"""


def place(page, fragment=""):
    """Return the anchor in the book of an anchor of a page."""
    return f"{Path(page).name}--{fragment}" if fragment else Path(page).name


def read(page):
    """Return the article of a page, its anchors and links made those of the book, and the solutions taken out of it."""
    soup = BeautifulSoup((book.HTML / f"{page}.html").read_text(encoding="utf-8"), "html.parser")
    article = soup.article
    for tag in article.select(REMOVED):
        tag.decompose()
    for tag in article.find_all(id=True):
        tag["id"] = place(page, tag["id"])
    for tag in article.find_all("a", href=True):
        target, fragment = urldefrag(urljoin(f"{page}.html", tag["href"]))
        if target.endswith(".html") and (book.HTML / target).exists():
            tag["href"] = f"#{place(target.removesuffix('.html'), unquote(fragment))}"
    for tag in article.find_all(src=True):
        tag["src"] = urljoin(f"{page}.html", tag["src"])
    article.name, article["id"], article["class"] = "section", place(page), "bd-article page"
    solutions = [tag.extract() for tag in article.select("details.solution")]
    for tag in (*article.select("details"), *solutions):
        tag.name = "div"
    for tag in (inner for solution in solutions for inner in solution.select("summary")):
        tag.name = "h3"
    return article, solutions


def within(page, tag):
    """Return the text of a part of a page; drawings refer to what they share by its new name."""
    return str(tag).replace("url(#", f"url(#{place(page, '')}--")


def title(article):
    """Return the first heading of an article, as HTML."""
    return copy.copy(article.h1).decode_contents()


def entry(anchor, heading, numbers, level):
    return (f'<p class="contents-{level}"><a href="#{escape(anchor)}">{heading}</a>'
            f'<span>{numbers.get(anchor, "")}</span></p>')


def compose(numbers):
    """Return the book as one page; `numbers` are the pages of anchors, as far as they are known."""
    config = yaml.safe_load((notebooks.ROOT / "_config.yml").read_text(encoding="utf-8"))
    toc = yaml.safe_load((notebooks.ROOT / "_toc.yml").read_text(encoding="utf-8"))
    contents, pages, at_the_end = [], [], []

    def add(page):
        article, solutions = read(page)
        pages.append(within(page, article))
        contents.append(entry(place(page), title(article), numbers, "page"))
        for heading in article.select("section > h2"):
            contents.append(entry(heading.parent["id"], heading.decode_contents(), numbers, "section"))
        if solutions:
            at_the_end.append(f"<h2>{title(article)}</h2>" + "".join(within(page, tag) for tag in solutions))

    add(toc["root"])
    for part in toc["parts"]:
        pages.append(f'<h1 class="part">{escape(part["caption"])}</h1>')
        contents.append(f'<p class="contents-part">{escape(part["caption"])}</p>')
        for chapter in part["chapters"]:
            add(chapter["file"])
    contents.append(entry("solutions", "Solutions of the exercises", numbers, "part"))
    return f"""<!DOCTYPE html>
<html lang="en" data-theme="light" data-content_root=""><head><meta charset="utf-8"><title>{config["title"]}</title>
<link rel="stylesheet" href="_static/book.css"><style>{STYLES}</style></head><body><main class="bd-content">
<header><h1>{config["title"]}</h1><p>{config["author"]}</p>{config["html"]["extra_footer"]}</header>
<section class="contents"><h1>Contents</h1>{"".join(contents)}</section>
{"".join(pages)}
<section class="bd-article page" id="solutions"><h1>Solutions of the exercises</h1>{"".join(at_the_end)}</section>
</main></body></html>"""


def print_book(program, text, pdf):
    """Print a page with a browser."""
    source = book.HTML / "whole-book.html"  # beside the files it needs
    source.write_text(text, encoding="utf-8")
    try:
        with tempfile.TemporaryDirectory() as profile:
            subprocess.run([program, "--headless", *chromium.OPTIONS, f"--user-data-dir={profile}",
                            "--no-pdf-header-footer", "--generate-pdf-document-outline", "--timeout=120000",
                            f"--print-to-pdf={pdf}", source.as_uri()], check=True, timeout=300, capture_output=True)
    finally:
        source.unlink()


def page_numbers(pdf):
    """Return the number of the page of each anchor that is linked to."""
    import pypdf

    reader = pypdf.PdfReader(pdf)
    return {unquote(name.lstrip("/")): reader.get_destination_page_number(target) + 1
            for name, target in reader.named_destinations.items()}


def main():
    """Make the PDF; return the exit code."""
    program = chromium.find_or_tell("print")
    code = book.main() if program else 1
    if code:
        return code
    print("Printing the book.", flush=True)
    numbers = {}
    for _ in range(2):
        print_book(program, compose(numbers), PDF)
        numbers = page_numbers(PDF)
    print(f"Open {PDF}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
