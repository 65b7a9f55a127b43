"""The built book: its files, and its pages in a real browser.

All in one file, because xdist's loadscope keeps a file on one worker: one build, one browser. Where no
browser is found its tests are skipped; where CI is set they fail.
"""

import gzip
import os
import re
import subprocess
import sys
import threading
import unicodedata
from base64 import b64decode
from collections import Counter
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import chromium
import formulas
import light
import pdf
import picture
import problem_sets
import pytest
import road
import yaml
from bs4 import BeautifulSoup, Comment, NavigableString
from fontTools import ttLib
from pybtex.database import parse_file
from sphinx.errors import ExtensionError
from test_problem_sets import secrets

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [TOC["root"]] + [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
FIRST_VISIT_LIMIT = 500_000  # bytes, compressed: a page and all it loads


@pytest.fixture(scope="module")
def build():
    return subprocess.run([sys.executable, "tools/book.py"], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", timeout=1200,
                          check=False)


def test_the_book_builds(build):
    if build.returncode:
        pytest.fail(f"tools/book.py failed:\n{build.stdout}", pytrace=False)


@pytest.fixture(scope="module")
def built(build):
    if build.returncode:
        pytest.fail("the book was not built, see test_the_book_builds", pytrace=False)


@pytest.fixture(scope="module")
def book(built):
    """The pages by their path, parsed."""
    return {path.relative_to(HTML).as_posix(): BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
            for path in HTML.rglob("*.html") if "_static" not in path.parts}


# --- Files --------------------------------------------------------------------------------------------------

def test_every_page_of_the_toc_exists(book):
    assert {f"{name}.html" for name in PAGES} | {"index.html", "search.html"} <= set(book)


def test_the_menu_of_each_page_leads_to_all_pages(book):
    for name in PAGES:
        links = book[f"{name}.html"].select("#pst-primary-sidebar a")
        assert {f"{page}.html" for page in PAGES} <= {urljoin(f"{name}.html", link["href"]) for link in links}, name


def test_links_and_anchors_resolve(book):
    ids = {name: Counter(tag["id"] for tag in soup.find_all(id=True)) for name, soup in book.items()}
    broken = [f"{name}: {n} times id {i}" for name, count in ids.items() for i, n in count.items() if n > 1]
    for name, soup in book.items():
        for tag, attribute, url in references(soup):
            parts = urlsplit(url)
            if parts.scheme == "data" or (tag == "a" and parts.scheme in ("http", "https", "mailto")):
                continue
            target, fragment = map(unquote, urldefrag(urljoin(name, url)))
            target = target.partition("?")[0]
            if parts.scheme or parts.netloc:
                broken.append(f"{name}: <{tag} {attribute}> asks another host: {url}")
            elif not (HTML / target).is_file():
                broken.append(f"{name}: <{tag} {attribute}> leads nowhere: {url}")
            elif fragment and fragment not in ids.get(target, ()):
                broken.append(f"{name}: <{tag} {attribute}> finds no such anchor: {url}")
    for sheet in HTML.rglob("*.css"):
        for url in css_urls(sheet.read_text(encoding="utf-8")):
            path = re.split("[?#]", url)[0]
            if not url.startswith("data:") and not (sheet.parent / path).is_file():
                broken.append(f"{sheet.name}: asks another host or leads nowhere: {url}")
    assert not broken, "\n".join(broken)


def references(soup):
    """Yield (tag, attribute, url) of whatever a page links to or loads."""
    for tag in soup.find_all(True):
        for attribute, value in tag.attrs.items():
            if attribute in ("href", "src", "xlink:href", "action", "formaction", "poster", "data"):
                yield tag.name, attribute, value
            elif attribute == "srcset":
                yield from ((tag.name, attribute, part.split()[0]) for part in value.split(","))
            elif attribute == "content" and tag.get("http-equiv", "").lower() == "refresh":
                yield tag.name, attribute, value.partition("url=")[2]
            elif isinstance(value, str):
                yield from ((tag.name, attribute, url) for url in css_urls(value))
        if tag.name == "style":
            yield from ((tag.name, "text", url) for url in css_urls(tag.text))


def css_urls(text):
    quoted = re.findall(r"@import\s+[\"']([^\"']+)", text)
    return quoted + [url.strip("\"' ") for url in re.findall(r"url\((\"[^\"]*\"|'[^']*'|[^)]*)\)", text)]


def test_references_are_cited_and_told_apart(book):
    entries = parse_file(ROOT / "book/references.bib").entries
    text = "".join(path.read_text(encoding="utf-8") for suffix in ("ipynb", "md")
                   for path in (ROOT / "book").glob(f"*.{suffix}"))
    cited = {key.strip() for keys in re.findall(r"{cite(?::\w+)?}`([^`]*)`", text) for key in keys.split(",")}
    assert set(entries) == cited
    printed = Counter()
    for entry in entries.values():
        names = [" ".join(person.last_names) for person in entry.persons["author"]]
        printed[names[0] + " et al." * (len(names) > 2) if len(names) != 2 else tuple(names), entry.fields["year"]] += 1
    assert set(printed.values()) == {1}, "a year wants a letter"
    assert list(entries) == sorted(entries)


def test_functions_are_linked(book):
    assert not [f"{name}: {code.text}" for name, soup in book.items() for code in soup.select("article code.xref.py")
                if not code.find_parent("a")]


def test_pictures_are_described(book):
    silent = []
    for name, soup in book.items():
        for tag in soup.select("img, svg, canvas, [role=img]"):
            hidden = tag.get("aria-hidden") or tag.find_parent(attrs={"aria-hidden": "true"})
            part_of_picture = tag.find_parent(attrs={"role": "img"})
            text = tag.get("alt") if tag.name == "img" else tag.get("aria-label")
            if not hidden and not part_of_picture and not (text or "").strip():
                silent.append(f"{name}: {str(tag)[:200]}")
        # As an <img> a drawing would not follow dark mode.
        outside = soup.select('.cell_output img[src$=".svg"]')
        silent += [f"{name}: not in the page itself: {tag}" for tag in outside]
    assert not silent, "\n".join(silent)


@pytest.mark.parametrize("name", PAGES)
def test_no_source_is_left_in_the_text(book, name):
    article = book[f"{name}.html"].article
    text = "\n".join(visible(article))
    left = re.findall(r".*(?:\$|\{[\w:-]+\}|:::|```|\[\?\]|\?\?|\]\(|Unexecuted|\bnan\b).*", text)
    outputs = "\n".join(tag.get_text() for tag in article.select(".cell_output pre"))
    left += re.findall(r".*(?:\bnan\b|Traceback).*", outputs)
    errors = article.select(".problematic, .system-message, .output.error, .output.traceback")
    left += [str(tag) for tag in errors]
    assert not left, "\n".join(left)


def test_formulas_are_complete(book):
    text = set("".join(math.get_text() for soup in book.values() for math in soup.find_all("math")))
    sheet = (HTML / "_static/book.css").read_text(encoding="utf-8")
    with ttLib.TTFont(BytesIO(b64decode(re.search(r"font/woff2;base64,([^)]*)", sheet)[1]))) as font:
        assert {ord(letter) for letter in formulas.drawn("".join(text))} <= set(font.getBestCmap())
    # What is left of TeX or has another meaning than it shows; a formula may print \\{, \\} and \\_.
    assert not [letter for letter in text if letter in "\\^&$#~" or unicodedata.category(letter) in ("Co", "Mn", "So")]
    assert not [name for name, soup in book.items() if soup.select("[src*=mathjax i], [class*=mathjax i]")]


def visible(tag):
    """Yield what is read or heard outside code and formulas, in paragraphs as far as they are known."""
    if tag.name in ("script", "style", "pre", "code", "math"):
        return
    yield from (tag[attribute] for attribute in ("alt", "aria-label", "title") if tag.get(attribute))
    yield "".join(child for child in tag.children if type(child) is NavigableString)
    for child in tag.children:
        if not isinstance(child, (NavigableString, Comment)):
            yield from visible(child)


def test_stations_of_the_road_are_the_chapters(book):
    parts = book[f"{TOC['root']}.html"].select(".road ol ol")
    assert [int(part.get("start", 1)) for part in parts] == [1, 3, 5, 8, 11]
    stations = [station for part in parts for station in part.find_all("li", recursive=False)]
    assert len(stations) == 11
    for number, station in enumerate(stations, 1):
        written = [name for name in PAGES if name.startswith(f"book/{number:02}-")]
        links = [urljoin(TOC["root"], link["href"]) for link in station.select("a")]
        assert links == [f"{name}.html" for name in written], f"chapter {number}"
        assert len(written) == 1, f"chapter {number}"


def test_the_page_of_claims_holds_what_the_cells_print(book):
    listed = 0
    for row in book["book/claims.html"].select("table.claims tbody tr"):
        statement, measured, wanted, rival, _ = (cell.text.strip() for cell in row.select("td"))
        page, anchor = row.a["href"].split("#")
        lines = book[f"book/{page}"].find(id=anchor).select_one(".cell_output").text.splitlines()
        if measured == "check":
            assert f"= {statement}, {wanted}" in lines
        else:
            assert (f"✓ {statement}: {measured} ({wanted})" if measured else f"✓ {statement}: {wanted}") in lines
            assert rival
        listed += 1
    printed = [line for soup in book.values() for cell in soup.select(".cell_output") for line in cell.text.splitlines()
               if line.startswith("= ") or line.startswith("✓ ") and not line.endswith(": right")]
    assert listed == len(printed) > 500


def test_problem_sets_are_offered_without_answers_and_hidden_tests(built):
    offered = {path.name for path in (HTML / "_downloads").rglob("ps*")}
    assert offered == {f"{name}.{kind}" for name in problem_sets.sets() for kind in ("ipynb", "zip")}
    hidden = set().union(*map(secrets, problem_sets.sets()))
    for path in HTML.rglob("*"):
        if path.suffix in (".html", ".ipynb", ".md", ".txt", ".js", ".json", ".py"):
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not [line for line in hidden if line in text], path


def test_each_page_says_what_it_is_about(book):
    said = {name: [tag["content"] for tag in soup.select("meta[name=description]")]
            for name, soup in book.items() if soup.article}
    assert all(len(words) == 1 and 20 < len(words[0]) < 200 for words in said.values()), said
    assert len({said[f"{name}.html"][0] for name in PAGES}) == len(PAGES)


def test_only_rules_of_unknown_classes_are_left_out():
    css = "@media print{.a .b,.c:not(.b){x:1}.b{x:2}}#b,p.a{x:3}@font-face{x:4}.b>p{x:5}"
    assert light.used(css, {"a", "c"}.__contains__) == "@media print{.c:not(.b){x:1}}p.a{x:3}@font-face{x:4}"
    with pytest.raises(ExtensionError, match="new.js"):
        light.link('<html data-content_root=""><title></title><script src="_static/new.js"></script>', "1")


@pytest.mark.parametrize("url", ["", "https://github.com/owner/name"])
def test_repository_buttons_follow_the_address(url):
    theme = {"repository_url": url, "launch_buttons": {"colab_url": "https://colab.research.google.com"}}
    road.buttons(theme)
    assert {on for name, on in theme.items() if name.startswith("use_")} == {bool(url)}
    assert ("launch_buttons" in theme) == bool(url)


@pytest.mark.skipif(bool(CONFIG["repository"]["url"]), reason="the repository has an address")
def test_no_button_leads_nowhere(book):
    assert not [name for name, soup in book.items() if soup.select("[class*=launch-], [class*=btn-source-]")]


# --- On paper -----------------------------------------------------------------------------------------------

def test_the_whole_book_is_one_page(built):
    soup = BeautifulSoup(pdf.compose({}), "html.parser")
    ids = Counter(tag["id"] for tag in soup.find_all(id=True))
    assert set(ids.values()) == {1}
    assert not set(re.findall(r"url\(#([^)]+)\)", str(soup))) - set(ids)
    assert not [link["href"] for link in soup.select("a[href^='#']") if link["href"][1:] not in ids]
    assert not soup.select("a[href*='.html']:not([href*='://']), script, details")
    sections = [section["id"] for section in soup.select("section.page")]
    assert sections == [*(Path(name).name for name in PAGES), "solutions"]
    solutions = soup.select("div.solution")
    assert len(solutions) >= 28 and all(tag.find_parent(id="solutions") for tag in solutions)
    assert len(soup.select(".contents-page")) == len(PAGES)


@pytest.mark.slow
def test_the_book_is_printed_with_numbers_and_links(built, tmp_path, monkeypatch):
    import pypdf

    monkeypatch.setattr(pdf, "PDF", tmp_path / "book.pdf")
    monkeypatch.setattr(pdf.book, "main", lambda: 0)
    assert pdf.main() == 0
    reader = pypdf.PdfReader(tmp_path / "book.pdf")
    numbers = pdf.page_numbers(tmp_path / "book.pdf")
    assert {Path(name).name for name in PAGES} <= set(numbers)
    text = [page.extract_text() for page in reader.pages]
    contents = "\n".join(text[1:min(numbers[Path(name).name] for name in PAGES) - 1])
    for name, title in (("03-random-features", "Random features"), ("solutions", "Solutions of the exercises")):
        assert re.search(rf"{title}\s*{numbers[name]}\b", contents), "the contents say the page"
        assert title in text[numbers[name] - 1]
        assert re.search(rf"^{numbers[name]}$", text[numbers[name] - 1], re.MULTILINE), "and it bears this number"
    assert len(reader.outline) >= len(PAGES)


@pytest.mark.parametrize("tool", [pdf, picture], ids=["pdf", "picture"])
def test_without_a_browser_nothing_is_made_and_one_line_says_so(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool.chromium, "find", lambda: None)
    assert tool.main() == 1
    line, = capsys.readouterr().err.splitlines()
    assert line.startswith("No Chromium, Chrome or Edge was found")


# --- In a browser -------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def browser(built):
    executable = chromium.find()
    if not executable:
        stop = pytest.fail if os.environ.get("CI") else pytest.skip
        stop("no Chromium, Chrome or Edge found; set CHROMIUM to the path of one")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=executable, args=chromium.OPTIONS)


@pytest.fixture(scope="module")
def site(built):
    """Address of the book on this machine."""
    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=HTML)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


class Visit:
    """A page opened by somebody who never was here; `wrong` lists what went wrong so far."""

    def __init__(self, browser, base, path, mode="light"):
        self.base, self.wrong, self.responses = base, [], []
        self.context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900}, has_touch=True,
                                           reduced_motion="reduce")
        self.context.add_init_script(f"localStorage.mode = localStorage.theme = '{mode}'")
        self.context.set_default_timeout(20_000)
        self.tab = self.context.new_page()
        self.tab.on("console", self.on_console)
        self.tab.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.tab.on("request", self.on_request)
        self.tab.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.tab.on("response", self.on_response)
        self.tab.goto(base + path)
        self.tab.evaluate("document.fonts.ready.then(() => null)")

    def on_console(self, message):
        if message.type in ("error", "warning"):
            self.wrong.append(f"console: {message.text}")

    def on_request(self, request):
        if not request.url.startswith((self.base, "data:", "blob:")):
            self.wrong.append(f"asks another host: {request.url}")

    def on_response(self, response):
        self.responses.append(response)
        if response.status >= 400:
            self.wrong.append(f"status {response.status}: {response.url}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


NARROW = 320, 640  # 640: a desk's page zoomed to 200 %
WIDTHS = 390, 1280  # a phone's and a desk's; what scrolls at the first can be reached by keys once a page is loaded
MOVING = next(name for name in PAGES if name.startswith("book/02-"))


@pytest.mark.parametrize("name", PAGES)
def test_page(browser, name):
    """A page is loaded once, as a file, and each check made where it can find something new in the open tab."""
    with Visit(browser, f"{HTML.as_uri()}/", f"{name}.html", "dark") as visit:
        tab, wrong = visit.tab, visit.wrong
        assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
        wrong += missing_icons(tab) + light_cards(tab) + move_controls(tab)
        open_everything(tab)
        for width in NARROW:
            tab.set_viewport_size({"width": width, "height": 900})
            wrong += cut_off(tab)
        for mode, width in zip(("dark", "light"), WIDTHS):
            tab.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
            tab.set_viewport_size({"width": width, "height": 900})
            wrong += cut_off(tab) + small_print(tab)
            if width == WIDTHS[-1]:
                wrong += unseen_focus(tab)
            thin_out(tab)
            wrong += inaccessible(tab)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_what_is_alike_on_all_pages(browser, site, mode):
    with Visit(browser, site, f"{MOVING}.html", mode) as visit:
        tab, wrong = visit.tab, visit.wrong
        assert tab.evaluate("document.documentElement.dataset.theme") == mode
        wrong += missing_icons(tab) + light_cards(tab)
        open_everything(tab)
        thin_out(tab)
        for width in WIDTHS:
            tab.set_viewport_size({"width": width, "height": 900})
            wrong += inaccessible(tab)
        tab.set_viewport_size({"width": WIDTHS[0], "height": 900})
        wrong += use_menu(visit)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("planted, found", [
    ("<p>It is <math><mtext>" + "x" * 200 + "</mtext></math>.</p>", "a formula sticks out"),
    ("<div class='highlight'><pre tabindex='0'>" + "x" * 200 + "</pre></div>", "a line of code is too long"),
    ("<div style='overflow: hidden; white-space: nowrap'>" + "x " * 200 + "</div>", "cut off"),
    ("<div style='overflow: auto; white-space: nowrap'>" + "x " * 200 + "</div>", "the keyboard cannot scroll"),
    ("<div style='width: 3000px; height: 1em'></div>", "the page scrolls sideways")])
def test_what_is_cut_off_is_found(browser, built, planted, found):
    with Visit(browser, f"{HTML.as_uri()}/", "book/bibliography.html") as visit:
        visit.tab.set_viewport_size({"width": 1280, "height": 900})
        assert not cut_off(visit.tab)
        visit.tab.evaluate("html => document.querySelector('article section').insertAdjacentHTML('beforeend', html)",
                           planted)
        told = cut_off(visit.tab)
    assert any(found in line for line in told), told


@pytest.mark.parametrize("name", ["06-kernel-gradient-descent", "appendix-gaussian-integrals"])  # formulas come first
def test_nothing_moves_while_a_page_loads(browser, site, name):
    tab = browser.new_page(viewport={"width": 412, "height": 823}, is_mobile=True, device_scale_factor=1.75)
    tab.context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": 4})
    tab.add_init_script("""new PerformanceObserver(list => list.getEntries().forEach(entry => {
        window.shift = (window.shift || 0) + entry.value })).observe({ type: "layout-shift", buffered: true })""")
    tab.goto(f"{site}book/{name}.html")
    tab.wait_for_timeout(500)
    shift = tab.evaluate("window.shift || 0")
    tab.close()
    assert shift <= 0.02


@pytest.mark.parametrize("name", PAGES)
def test_a_first_visit_is_light(book, name):
    page = f"{name}.html"
    files = {page} | {urljoin(page, url).partition("?")[0] for tag, attribute, url in references(book[page])
                      if tag != "a" and not url.startswith("data:") and not url.startswith("#")}
    sizes = {file: len(gzip.compress((HTML / file).read_bytes())) for file in files if (HTML / file).suffix != ".html"}
    sizes[page] = len(gzip.compress((HTML / page).read_bytes()))
    assert len(sizes) >= 3, "page, style sheet, script"
    assert sum(sizes.values()) <= FIRST_VISIT_LIMIT, sizes


def test_a_figure_is_linked_to_played_and_pointed_at(browser, built):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(f"{HTML.as_uri()}/{MOVING}.html#fig-dd-toy?p=10")
    figure = tab.locator("#fig-dd-toy")
    assert figure.locator(".ntk-now").text_content() == "p 10"
    assert abs(figure.bounding_box()["y"]) < 200
    slider = figure.locator("input")
    paths = """figure => [...figure.querySelectorAll("[data-part] > path")].map(path =>
        getComputedStyle(path).d.match(/[\\d.-]+/g).map(Number))"""
    tab.wait_for_timeout(500)
    before = figure.evaluate(paths)
    slider.press("ArrowRight")
    assert tab.url.endswith("#fig-dd-toy?p=12")
    tab.wait_for_timeout(100)
    between = figure.evaluate(paths)
    tab.wait_for_timeout(500)
    after = figure.evaluate(paths)
    assert before != between != after, "curves pass from one shape to the other"
    tab.emulate_media(reduced_motion="reduce")
    slider.press("ArrowLeft")
    now = figure.evaluate(paths)
    assert sum(now, []) == pytest.approx(sum(before, []), abs=0.01), "at once, for those who want no motion"

    drawing = figure.locator("svg").bounding_box()
    names = set()
    for share in range(10, 90, 4):
        tab.mouse.move(drawing["x"] + drawing["width"] / 2, drawing["y"] + drawing["height"] * share / 100)
        if tab.locator(".ntk-tip").count():
            name, _, values = tab.locator(".ntk-tip").text_content().partition(": ")
            assert re.fullmatch(r"-?[\d.]+, -?[\d.]+", values)
            names.add(name)
    assert len(names) >= 2 and names <= {"one fit", "other fits", "truth", "data"}

    slider.press("End")
    figure.locator("button").click()
    assert figure.locator(".ntk-now").text_content() == "p 2", "from the last value it begins again"
    figure.locator("button").click()
    tab.goto(f"{HTML.as_uri()}/{MOVING}.html#fig-dd-toy?p=7&more=1")
    assert figure.locator(".ntk-now").text_content() == "p 2", "what is not there changes nothing"
    context.close()


def test_claims_with_some_words_are_found(browser, built):
    page = browser.new_page()
    page.goto((HTML / "book/claims.html").as_uri())
    page.get_by_label("Only claims with these words").fill("Slope WIDTH")
    shown = page.locator("table.claims tbody tr:visible").all_text_contents()
    headings = page.locator("section:has(> div table.claims):visible, section:has(> table.claims):visible").count()
    page.close()
    assert shown and headings and all("slope" in text.lower() and "width" in text.lower() for text in shown)
    assert headings < len(shown) < 100


def test_the_front_page_shows_the_figure_of_a_chapter(book):
    hero = book[f"{TOC['root']}.html"].select_one(".hero .ntk-explore")
    assert str(hero) == str(book[f"{MOVING}.html"].select_one("#fig-dd-toy .ntk-explore"))


def test_without_scripts_figures_are_seen_and_solutions_open(browser, built):
    page = browser.new_page(java_script_enabled=False)
    page.goto(f"{HTML.as_uri()}/{MOVING}.html")
    seen = [[part.is_visible() for part in figure.locator(".panels > svg, .ntk-now").all()]
            for figure in page.locator(".ntk-explore").all()]
    solution = page.locator("details.solution").first
    solution.locator("summary").click()
    opened = solution.locator("p").first.is_visible()
    page.emulate_media(media="print")
    printed = page.evaluate("[...document.querySelectorAll('details p')].every(e => e.checkVisibility())")
    page.close()
    assert opened and printed
    assert seen and all(len(parts) >= 2 and all(parts) for parts in seen)


# Where a reader is led first: to the section that explains.
ANSWERS = {
    "ridgeless": "Which solution, among infinitely many?",
    "σ_w": "From the sum to the integral",
    "sigma_w": "From the sum to the integral",
    "sigma w": "From the sum to the integral",
    "σw": "From the sum to the integral",
    "NTK": "The neural tangent kernel",
    "tangent kernels": "The neural tangent kernel",
    "eigenvalue": "Training as a movie",
    "lazy": "Lazy at any width",
    "kernel regime": "Lazy at any width",
    "over-parameterized": "What is not a theorem",
    "overparametrized": "What is not a theorem",
    "generalization gap": "One data set",
    "cross validation": "Finding the bottom without the truth",
    "interpolation threshold": "The same on handwritten digits",
    "what is double descent": "Double descent",
    "RKHS": "The functions of an infinite layer",
    "representer theorem": "As many coefficients as examples",
    "kernel ridge regression": "As many coefficients as examples",
    "kernel_ridge": "ntk_helpers.regression.kernel_ridge",
    "Gaussian process": "A random function",
    "NNGP": "Depth",
    "edge of chaos": "What depth does to functions",
    "Jacobian": "From parameters to functions",
    "mup": "Who does the work?",
    "critical learning rate": "How large a step?",
    "η": "How large a step?",
    "spectral bias": "Fast and slow on a circle",
    "early stopping": "Stopping early",
    "linearizat": "The linearized network",
    "condition number": "Conditioning: what is lost in a solution",
}


def test_search_leads_to_the_section_that_explains(browser, site):
    with Visit(browser, site, "search.html") as visit:
        found = visit.tab.evaluate("queries => queries.map(query => findSections(query).results[0]?.section.title)",
                                   list(ANSWERS))
    assert dict(zip(ANSWERS, found)) == ANSWERS
    assert not visit.wrong


@pytest.mark.parametrize("opened", ["from a server", "as a file"])
def test_search_page(browser, site, opened):
    base = site if opened == "from a server" else f"{HTML.as_uri()}/"
    with Visit(browser, base, f"{TOC['root']}.html") as visit:
        tab = visit.tab
        tab.set_viewport_size({"width": WIDTHS[1], "height": 900})
        tab.locator("button.search-button-field").click()
        tab.keyboard.type("sigma_w")
        tab.keyboard.press("Enter")
        link = tab.locator("#search-results li a").first
        link.wait_for()
        assert tab.url == f"{base}search.html?q=sigma_w"
        assert tab.locator("input[name=q]").last.input_value() == "sigma_w"
        assert re.match(r"\d+ sections", tab.locator("#search-results [role=status]").text_content())
        assert "standard deviations" in tab.locator("#search-results > p").nth(1).text_content()
        assert "σ_w" in tab.locator("#search-results li mark").first.text_content()
        excerpts = tab.locator("#search-results li").all_text_contents()
        assert not [text for text in excerpts if re.search(r"[\\${}]|\.ipynb|\.html", text)]
        wrong = inaccessible(tab)

        link.press("Enter")
        tab.wait_for_url("**/*.html#*")
        assert tab.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 200
        tab.go_back()
        link.wait_for()

        for query in "<u>eigenvaule", "eigenvaule":  # what is asked for is text, and may be misspelt
            tab.goto(f"{base}search.html?q={quote(query)}")
            assert f"“{query}”" in tab.locator("#search-results [role=status]").text_content()
            tab.locator("#search-results p a", has_text="eigenvalue").first.click()
            tab.wait_for_url("**=*eigenvalue")
            link.wait_for()
        wrong += visit.wrong
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["genindex", "prf-prf", "py-modindex", "search"])
def test_index_page(browser, site, name):
    with Visit(browser, site, f"{name}.html") as visit:
        wrong = visit.wrong + missing_icons(visit.tab) + cut_off(visit.tab)
    assert not wrong, "\n".join(wrong)


def open_everything(tab):
    """Unfold all, as what is folded away counts too, and at once: what fades in has no contrast yet."""
    tab.add_style_tag(content="* { animation: none !important; transition: none !important;"
                              "content-visibility: visible !important }")
    tab.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true })")


def missing_icons(tab):
    return tab.evaluate("""() => [
        ...[...document.querySelectorAll("i[class*=fa-], span[class*=fa-]")]
            .filter(e => getComputedStyle(e, "::before").content == "none").map(e => `icon: ${e.outerHTML}`),
        ...[...document.fonts].filter(f => f.status == "error").map(f => `font: ${f.family}`)]""")


def cut_off(tab):
    """What is wider than its place: it must scroll, and the keyboard must reach it."""
    return tab.evaluate("""async () => {
        const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
        await frame(); await frame();  // what scrolls is looked for once it is laid out
        const width = document.documentElement.clientWidth;
        const article = document.querySelector("article") ?? document.querySelector("main");
        const edge = article.getBoundingClientRect().right, wrong = [];
        const tell = (what, e) => wrong.push(`${width} px, ${what}: ${e.outerHTML.slice(0, 200)}`);
        if (document.documentElement.scrollWidth > width) tell("the page scrolls sideways", document.body);
        for (const e of article.querySelectorAll("*:not(svg *, math *, .visually-hidden)")) {
            const {display, float, overflowX} = getComputedStyle(e), box = e.getBoundingClientRect();
            const scroller = e.parentElement.closest("pre, .math, .output, .pst-scrollable-table-container");
            const wider = e.clientWidth > 0 && display != "inline" && e.scrollWidth > e.clientWidth + 1;
            if (e.matches("aside.margin")) {  // beside the text or as wide as it
                const room = e.parentElement.getBoundingClientRect();
                if (float == "none" ? box.width < room.width - 1 : box.left < room.right || box.right > width)
                    tell("a note in the margin takes room from the text", e);
            } else if (!box.width || scroller || e.closest("aside.margin")) {
                continue;
            } else if (e.matches("math:not([display])")) {
                const place = e.parentElement.closest("p, li, td, dd, div, section, figcaption");
                if (box.right > place.getBoundingClientRect().right + 1) tell("a formula sticks out", e);
            } else if (wider && overflowX != "visible") {
                if (!["auto", "scroll"].includes(overflowX)) tell("cut off", e);
                else if (e.tabIndex < 0) tell("the keyboard cannot scroll", e);
                else if (width >= 1280 && e.matches("pre")) tell("a line of code is too long", e);
            } else if (box.right > edge + 1) {
                tell("sticks out of the article", e);
            }
        }
        return wrong;
    }""")


def unseen_focus(tab):
    """Each button and each title that folds has a name of its own, and shows that it has the focus."""
    tab.keyboard.press("Tab")  # from now on the focus counts as the keyboard's
    return tab.evaluate("""() => {
        const wrong = [];
        for (const e of document.querySelectorAll("main :is(button, summary), .bd-sidebar-primary button")) {
            e.focus();
            const {outlineStyle, outlineWidth, opacity} = getComputedStyle(e);
            if (document.activeElement == e && (outlineStyle == "none" || outlineWidth == "0px" || opacity == "0"))
                wrong.push(`no focus to be seen: ${e.outerHTML.slice(0, 200)}`);
        }
        document.activeElement.blur();
        const names = [...document.querySelectorAll("summary")].map(e => e.textContent.trim());
        return [...wrong, ...names.filter((name, i) => names.indexOf(name) < i).map(name => `two are named ${name}`)];
    }""")


def light_cards(tab):
    """The theme puts HTML outputs on a light card in dark mode; our figures follow the page."""
    return tab.evaluate("""() => [...document.querySelectorAll(".cell_output :has(.ntk-explore, svg[role])")]
        .map(e => getComputedStyle(e).backgroundColor).filter(color => color != "rgba(0, 0, 0, 0)")
        .map(color => `a figure stands on a card of color ${color}`)""")


def small_print(tab):
    """On a phone, too, the text of a figure can be read."""
    return tab.evaluate("""() => [...document.querySelectorAll(".panels > svg text")]
        .filter(e => e.checkVisibility())
        .filter(e => parseFloat(getComputedStyle(e).fontSize) * Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) < 11)
        .map(e => `${innerWidth} px, the text of a figure is small: ${e.outerHTML}`).slice(0, 5)""")


def move_controls(tab):
    """Move each control by the keyboard: its frame is seen, its value shown and said, its keys are its own."""
    wrong = tab.evaluate("""() => [...document.querySelectorAll(".ntk-explore")]
        .filter(figure => figure.querySelectorAll(".ntk-control").length
                          != JSON.parse(figure.querySelector("script").textContent).controls.length)
        .map(figure => `not a control for each parameter: ${figure.ariaLabel}`)""")
    tab.evaluate("addEventListener('keydown', event => { window.heard = event.key })")
    for control in tab.locator(".ntk-control").all():
        handle, told = control.locator("input:checked, input[type=range]"), []
        handle.focus()
        for key in ("End", "Home", "ArrowRight") if handle.get_attribute("type") == "range" else ("ArrowRight",) * 2:
            tab.keyboard.press(key)
            told.append(control.evaluate(FRAME))
        wrong += [problem for _, problems in told for problem in problems]
        if any(one == next_one for (one, _), (next_one, _) in zip(told, told[1:])):
            wrong.append(f"the picture does not change: {told}")
    heard = tab.evaluate("window.heard")
    return [*wrong, f"the page hears the keys of controls: {heard}"] if heard else wrong


# What a figure shows and says, and whether this is the frame that its controls ask for.
FRAME = """control => {
    const figure = control.closest(".ntk-explore"), data = JSON.parse(figure.querySelector("script").textContent);
    const svg = markup => {
        const place = document.createElementNS("http://www.w3.org/2000/svg", "g");
        place.innerHTML = markup;
        return place;
    };
    const at = [...figure.querySelectorAll(".ntk-control")].map(row => [...row.querySelectorAll("input")])
        .map(inputs => inputs[0].type == "range" ? Number(inputs[0].value) : inputs.findIndex(input => input.checked));
    const frame = data.frames[at.reduce((sum, value, i) => sum * data.controls[i].labels.length + value, 0)];
    const now = data.controls.map((control, i) => `${control.name} ${control.labels[at[i]]}`).join(", "), wrong = [];
    figure.querySelectorAll("[data-part]").forEach((place, i) => {
        if (!svg(place.innerHTML).isEqualNode(svg(data.parts[frame[i]])))
            wrong.push(`not the frame of ${now}: part ${i}`);
    });
    const said = figure.querySelector(".panels").ariaLabel;
    if (!said.endsWith(` Now: ${now}.`)) wrong.push(`at ${now} it says ${said}`);
    figure.querySelectorAll("input[type=range]").forEach(input => {
        if (input.ariaValueText != input.parentElement.querySelector("output").textContent)
            wrong.push(`shows another value than it says: ${input.outerHTML}`);
    });
    return [now + frame.join(), wrong];
}"""


def thin_out(tab):
    """Spare axe-core what it cannot judge (the inside of drawings) and what is alike (tokens of code, formulas)."""
    tab.evaluate("""() => {
        document.querySelectorAll(".panels > svg").forEach(e => e.replaceChildren());
        const seen = new Set();
        document.querySelectorAll(".highlight pre > span[class]").forEach(e =>
            seen.has(e.className) ? e.replaceWith(e.textContent) : seen.add(e.className));
        document.querySelectorAll(":is(mjx-container, math):not([display])").forEach(e => {
            const {tagName, className} = e.parentElement.closest(":not(.math)"), place = tagName + className;
            seen.has(place) ? e.replaceWith("x") : seen.add(place);
        });
    }""")


def inaccessible(tab, within=None):
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab, context=within, options={"resultTypes": ["violations"], "preload": False})
    return [f"axe {violation['id']}: {node['html'][:300]}\n    {node['failureSummary']}"
            for violation in found.response["violations"] for node in violation["nodes"]]


def use_menu(visit):
    """Open the menu of a phone: it is accessible, and it closes again."""
    visit.tab.locator(".primary-toggle").tap()
    name = "#pst-primary-sidebar-modal"
    menu = visit.tab.locator(name)
    menu.locator("nav a").first.wait_for()
    wrong = inaccessible(visit.tab, name)
    visit.tab.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    return wrong
