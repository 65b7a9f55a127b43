"""Feedback pages: always made, with pictures and formulas, and nothing of a student's acts in them."""
import os
import re

import chromium
import nbformat
import pytest
from bs4 import BeautifulSoup
from classroom import PIXEL
from grading import page

ABOUT = {"schema_version": 3, "grade": True, "locked": False, "task": False}
RESULT = {"status": "graded", "reason": "", "points": {"1-a-check": 1.0, "2-b": 0.0}, "manual_cells": ["2-b"]}
new_markdown, new_code, new_output = (nbformat.v4.new_markdown_cell, nbformat.v4.new_code_cell, nbformat.v4.new_output)

ACTING = [
    "<script>alert(7531)</script>", "<img src=x onerror=alert(7531)>", "<svg onload=alert(7531)></svg>",
    "<svg><script>alert(7531)</script></svg>", "<iframe srcdoc='<script>alert(7531)</script>'></iframe>",
    "<a href='javascript:alert(7531)' id=click>x</a>", "[x](javascript:alert(7531))", "<a href='data:text/html,<script>"
    "alert(7531)</script>'>x</a>", "<details open ontoggle=alert(7531)>x</details>", "<body onload=alert(7531)>",
    "<input autofocus onfocus=alert(7531)>", "<video src=x onerror=alert(7531)></video>",
    "<object data='x.html'></object>",
    "<embed src='http://127.0.0.1:1/x'>", "<link rel=stylesheet href='http://127.0.0.1:1/x'>",
    "<style>@import 'http://127.0.0.1:1/x'; body { background: url(http://127.0.0.1:1/y) }</style>",
    "<p style='background: url(http://127.0.0.1:1/z)'>x</p>", "<img src='http://127.0.0.1:1/pixel.png'>",
    "![x](http://127.0.0.1:1/pixel.png)", "![x](//127.0.0.1:1/pixel.png)", "<img srcset='http://127.0.0.1:1/a.png 2x'>",
    "<meta http-equiv=refresh content='0; url=http://127.0.0.1:1/'>", "<base href='http://127.0.0.1:1/'>",
    "<form action='http://127.0.0.1:1/'><button autofocus>x</button></form>", "<table background='http://127.0.0.1:1/t'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(7531)></style></mglyph></table></mtext></math>",
    "<math><mi xlink:href='javascript:alert(7531)' href='javascript:alert(7531)'>x</mi></math>",
    "<math><annotation-xml encoding='text/html'><img src=x onerror=alert(7531)></annotation-xml></math>",
    "<noscript><p title='</noscript><img src=x onerror=alert(7531)>'>",
    "<!--<img src='--><img src=x onerror=alert(7531)>'>",
    "</section></main></body><script>alert(7531)</script>", "<textarea><script>alert(7531)</script>", "<plaintext>",
    r"$\text{<img src=x onerror=alert(7531)>}$", r"$\href{javascript:alert(7531)}{x}$",
    r"$\class{a}{<script>alert(7531)</script>}$",
    r"$$\unknown<script>alert(7531)</script>$$",
    "```html\n<script>alert(7531)</script>\n```",
    "```mermaid\n<img src=x onerror=alert(7531)>\n```", '![" onerror="alert(7531)](attachment:photo.png)',
    "![x](attachment:evil.png)", "![x](<x\" onerror=alert(7531)>)",
    "<img src='attachment:photo.png' onload=alert(7531)>",
]
EVIL = {"photo.png": {"image/png": PIXEL}, "evil.png": {"image/png": '"><script>alert(7531)</script>'}}


def outputs(text):
    """Return the ways in which code can show something."""
    kinds = ("text/html", "text/markdown", "text/latex", "image/svg+xml", "text/plain", "application/javascript",
             "image/png", "application/json")
    out = [new_output("display_data", data={kind: text}) for kind in kinds]
    return [*out, new_output("stream", text=text), new_output("stream", name="stderr", text=f"\x1b[31m{text}\x1b[0m"),
            new_output("error", ename=text, evalue=text, traceback=[text, f"\x1b[1m{text}"])]


def notebook(*own, words="An answer.", attachments=None):
    """Return a small notebook as it is when it was graded."""
    answer = new_markdown(words, id="2-b", metadata={"nbgrader": ABOUT | {"solution": True, "points": 4}})
    if attachments:
        answer.attachments = attachments
    check = new_code("assert True", id="1-a-check", metadata={"nbgrader": ABOUT | {"solution": False, "points": 1}})
    code = new_code("x = 1", id="1-a", metadata={"nbgrader": ABOUT | {"grade": False, "solution": True}})
    return nbformat.v4.new_notebook(cells=[code, check, answer, *own])


def hostile():
    cells = [new_markdown(text, attachments=EVIL) for text in ACTING]
    cells += [new_code(text, outputs=outputs(text)) for text in ACTING]
    return notebook(*cells, words="\n\n".join(ACTING), attachments=EVIL)


@pytest.fixture(scope="module")
def hostile_page():
    text = "".join(ACTING)
    return page.make(f"ps {text}", RESULT | {"reason": text, "status": text}, {"2-b": (1.5, text)}, hostile())


def test_nothing_that_acts_is_left(hostile_page):
    soup = BeautifulSoup(hostile_page, "html.parser")
    allowed = page.TAGS | page.OURS | {"html", "head", "body", "meta", "title", "style"}
    assert {tag.name for tag in soup.find_all()} <= allowed and len(soup.find_all("style")) == 1
    for tag in soup.find_all():
        assert not [name for name in tag.attrs if name.startswith("on")], tag
        assert not tag.attrs.keys() & {"style", "srcset", "background"}, tag
        assert re.match(r"https?:|mailto:|#", tag.get("href", "#")), tag
        assert tag.name != "img" or tag["src"].startswith("data:image/"), tag
    assert len(soup.find_all("meta")) == 4 and len(soup.find_all("main")) == 1


@pytest.fixture(scope="module")
def browser():
    executable = chromium.find()
    if not executable:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium, Chrome or Edge found; set CHROMIUM to the path of one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=executable, args=chromium.OPTIONS)
        yield one
        one.close()


def visit(browser, text, path):
    """Open a page; return what it did besides being there: dialogs and requests."""
    path.write_text(text, encoding="utf-8")
    tab, seen = browser.new_page(), []
    tab.on("dialog", lambda dialog: (seen.append(dialog.message), dialog.dismiss()))
    tab.on("request", lambda request: seen.append(request.url) if not request.url.startswith("data:image/") else None)
    tab.goto(path.as_uri())
    for link in tab.query_selector_all("a, summary, details, button, input"):
        link.dispatch_event("click")
        link.dispatch_event("mouseover")
    tab.wait_for_timeout(300)
    url = tab.url.partition("#")[0]  # the page's own links lead to its answers
    tab.close()
    assert seen.pop(0) == url == path.as_uri()
    return seen


def test_a_browser_runs_and_fetches_nothing(browser, hostile_page, tmp_path):
    assert visit(browser, hostile_page, tmp_path / "page.html") == []


def test_the_sanitizer_alone_and_the_policy_alone_are_enough(browser, hostile_page, tmp_path):
    policy = re.search('<meta http-equiv="Content-Security-Policy"[^>]*>', hostile_page)[0]
    assert "default-src 'none'" in policy
    assert visit(browser, hostile_page.replace(policy, ""), tmp_path / "sanitized.html") == []
    raw = "<script>alert(7531)</script><img src=x onerror=alert(7531)>"
    assert "7531" in visit(browser, f"<!DOCTYPE html><body>{raw}", tmp_path / "raw.html"), "this test sees it"
    assert "7531" not in visit(browser, f"<!DOCTYPE html>{policy}<body>{raw}", tmp_path / "policy.html")


# --- Pictures -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("name", "text"), [
    ("photo.png", "![a photo](attachment:photo.png)"), ("my photo.png", "![a photo](attachment:my%20photo.png)"),
    ("my photo.png", "![a photo](<attachment:my photo.png>)"), ("é.png", "![a photo](attachment:é.png)"),
    ("photo.png", "<img src='attachment:photo.png' alt='a photo' width=300>")])
def test_pictures_of_answers_and_of_own_cells_are_shown(name, text):
    held = {name: {"image/png": PIXEL}}
    made = page.make("ps", RESULT, {}, notebook(new_markdown(text, attachments=held), words=text, attachments=held))
    shown = BeautifulSoup(made, "html.parser").find_all("img")
    assert [(tag["src"], tag["alt"]) for tag in shown] == [(f"data:image/png;base64,{PIXEL}", "a photo")] * 2


@pytest.mark.parametrize("text", ["![a photo](attachment:lost.png)", "<img src='attachment:lost.png' alt='a photo'>",
                                  "![a photo](lost.png)", "<img alt='a photo'>"])
def test_a_note_stands_where_a_picture_is_missing(text):
    soup = BeautifulSoup(page.make("ps", RESULT, {}, notebook(words=text)), "html.parser")
    assert soup.mark.get_text() == "[A picture is not in the notebook: a photo]" and not soup.find_all("img")


def test_a_picture_that_was_handed_in_beside_the_notebook_is_shown():
    made = page.make("ps", RESULT, {}, notebook(words="![x](img/a%20b.png)"), [("a b.png", lambda: b"PNG")])
    assert 'src="data:image/png;base64,UE5H"' in made


def test_plots_and_tables_of_outputs_are_shown():
    table = "<style scoped>td { color: red }</style><table class=dataframe><tr><td>3.14</td></tr></table>"
    out = [new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"}),
           new_output("display_data", data={"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'/>"}),
           new_output("execute_result", data={"text/html": table, "text/plain": "3.14"})]
    soup = BeautifulSoup(page.make("ps", RESULT, {}, notebook(new_code("plot()", outputs=out))), "html.parser")
    assert [tag["src"][:15] for tag in soup.find_all("img")] == ["data:image/png;", "data:image/svg+"]
    assert soup.find(string="3.14").parent.name == "td" and "color: red" not in soup.main.get_text()


# --- Always a page ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("words", [
    "$" + "{" * 50_000 + "}" * 50_000 + "$", "$" + r"\sqrt" * 500 + "x$", "> " * 5_000 + "deep", "- " * 3_000,
    "[" * 9_000,
    "\x00\x0b\ufffe", "![x](attachment:)", "$$", "<" * 5_000, "x" * 200_000, "|a|\n|-|\n" * 500, "</pre>" * 50])
def test_a_page_is_made_whatever_stands_in_a_cell(words):
    made = page.make("ps", RESULT, {}, notebook(new_markdown(words), words=words))
    soup = BeautifulSoup(made, "html.parser")
    assert soup.find(string="Answer to 2-b") and soup.find(string="1-a-check: 1 of 1")


def test_formulas_are_drawn_and_broken_ones_shown():
    text = r"A $x^2$, $$\int_0^1 f$$ \begin{align}a&=b\\c&=d\end{align} and $\nonsense{x$."
    soup = BeautifulSoup(page.make("ps", RESULT, {}, notebook(words=text)), "html.parser")
    assert len(soup.find_all("math")) == 3 and len(soup.find_all("math", display="block")) == 2
    assert soup.find("code", string=r"\nonsense{x")


def test_points_and_comments_are_shown_with_and_without_a_notebook():
    manual = {"2-b": (2.5, "Good, *but* $x$.")}
    for content in (notebook(), None):
        made = page.make("ps", RESULT | {"status": "crashed", "reason": "why"}, manual, content)
        soup = BeautifulSoup(made, "html.parser")
        assert "2.5 points, given by hand" in soup.get_text() and soup.em.get_text() == "but" and soup.math
        assert "crashed" in soup.title.get_text() and "why" in soup.header.get_text()
    soup = BeautifulSoup(page.make("ps", RESULT, {}, notebook()), "html.parser")
    rows = [[cell.get_text() for cell in row.find_all("td")] for row in soup.table.find_all("tr")]
    for link in soup.table.find_all("a"):
        assert f"Answer to {link.text}" in soup.find(id=link["href"].removeprefix("#")).text
    assert ["1-a", "1", "1"] in rows and ["2-b", "is read by a human", "4"] in rows


def test_a_student_cannot_look_like_the_grader():
    fake = ('<section class="test"><span class="label">1-a-check: 9 of 1</span></section>'
            '<div class="comment">great</div>')
    soup = BeautifulSoup(page.make("ps", RESULT, {}, notebook(words=fake)), "html.parser")
    assert len(soup.select(".test .label")) == 1 and not soup.select(".comment")
