import json
import re
import subprocess
import sys
from types import SimpleNamespace

import matplotlib.figure
import numpy as np
import pytest
from bs4 import BeautifulSoup

from ntk_helpers import explore, figures
from ntk_helpers.figures import BLUE, GRAY, GREEN, ORANGE, PINK, curves, inline_svg, subplots, svg


def line(slope, shift=0):
    """A straight line & its <shift>."""
    x = np.linspace(0, 1, 5)
    return curves(x, {"line": slope * x + shift}, xlabel="x", ylabel="y", mark=(0.5, "half"))


def test_svg_follows_the_page():
    text = svg(line(1))
    assert text.startswith("<svg") and text == svg(line(1)), "the same figure must give the same text"
    assert "#000000" not in text and "currentColor" in text and "<metadata" not in text
    assert ">half</text>" in text, "text must stay text"
    assert text.startswith('<svg fill="currentColor" '), "what has no color of its own follows too"


def test_inline_svg_can_share_a_page():
    text = svg(line(1))
    one, two = (BeautifulSoup(inline_svg(text, 'up "and" <away>', prefix), "html.parser") for prefix in "ab")
    ids = [{tag["id"] for tag in soup.find_all(id=True)} for soup in (one, two)]
    assert ids[0] and not ids[0] & ids[1]
    for soup, own in zip((one, two), ids):
        used = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', str(soup)))
        assert used and {a or b for a, b in used} <= own
        assert soup.svg["role"] == "img" and soup.svg["aria-label"] == 'up "and" <away>'
        assert not soup.svg.has_attr("width") and soup.svg["viewbox"]
        assert soup.svg["style"] == "max-width:calc(432rem/10)"  # of 432 pt
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        inline_svg(text, " ", "a")


def test_figures_are_svg_in_the_book_and_png_in_a_session(monkeypatch):
    monkeypatch.setenv("NTK_STATIC", "1")
    assert set(line(1)._repr_mimebundle_()) == {"text/plain", "image/svg+xml"}
    monkeypatch.delenv("NTK_STATIC")
    assert line(1)._repr_mimebundle_()["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize("color", [BLUE, ORANGE, GREEN, PINK, GRAY])
@pytest.mark.parametrize("page", ["#ffffff", "#14181e"])
def test_colors_are_seen_on_light_and_dark_pages(color, page):
    def luminance(code):
        c = np.array([int(code[i:i + 2], 16) / 255 for i in (1, 3, 5)])
        return np.where(c <= 0.03928, c / 12.92, ((c + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]

    low, high = sorted([luminance(color), luminance(page)])
    assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 2.1, 1.4.11


def test_curves_draw_what_they_are_given():
    lines = {"a": [1, 2, 3], "_aside": [3, np.nan, 1], "b": [2, 2, 2]}
    fig = curves([1, 2, 3], lines, xlabel="x", ylabel="y", yscale="log")
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert curves([1], {"a": [1]}, xlabel="x", ylabel="y").axes[0].get_legend() is None
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [3, np.nan, 1])
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("x", "y", "log")
    _, (left, right) = subplots(1, 2)
    assert curves([1], {"a": [1]}, xlabel="x", ylabel="y", ax=right) is right.figure and not left.lines


def test_curves_refuse_bad_input():
    with pytest.raises(ValueError, match=r"lines\['a'\] must have the shape of x, \(2,\); got \(3,\)"):
        curves([1, 2], {"a": [1, 2, 3]}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="lines must name at least one curve"):
        curves([1, 2], {}, xlabel="x", ylabel="y")


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("NTK_STATIC", "1")


def test_the_static_page_holds_every_frame(static):
    shown = explore(line, slope=[1, 2.5], shift={"none": 0, "much": 9})._repr_mimebundle_()
    assert shown["text/plain"] == "interactive figure line (slope: 1, 2.5; shift: none, much), 4 frames"
    soup = BeautifulSoup(shown["text/html"], "html.parser")
    frames = soup.select("[data-frame]")
    assert [frame.has_attr("hidden") for frame in frames] == [False, True, True, True]
    assert frames[3].svg["aria-label"] == "A straight line & its <shift>. Now: slope 2.5, shift much."
    assert len({str(frame.svg) for frame in frames}) == 4
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    controls = json.loads(soup.select_one(".ntk-explore")["data-controls"])
    assert list(controls.items()) == [("slope", ["1", "2.5"]), ("shift", ["none", "much"])]
    assert not soup.select("script, style"), "road.js and road.css, once a page, do for all figures"


def test_names_are_words_and_escaped(static):
    draw = lambda *, step_size: line(step_size)  # noqa: E731 -- its name needs escaping
    draw.__doc__ = "A line."
    shown = explore(draw, step_size={"< 1": 0.5})._repr_mimebundle_()
    assert shown["text/plain"] == "interactive figure <lambda> (step size: < 1), 1 frames"
    figure = BeautifulSoup(shown["text/html"], "html.parser").select_one(".ntk-explore")
    assert figure["aria-label"] == "interactive figure: <lambda>"
    assert json.loads(figure["data-controls"]) == {"step size": ["< 1"]}
    assert figure.svg["aria-label"] == "A line. Now: step size < 1."


def test_a_live_session_recomputes(monkeypatch):
    monkeypatch.delenv("NTK_STATIC", raising=False)
    calls = []

    def draw(slope):
        """A line."""
        calls.append(slope)
        return line(slope)

    box = explore(draw, slope=[1, 2, 3]).widget()
    picture, slider = box.children
    assert calls == [1] and slider.description == "slope"
    slider.value = "3"
    assert calls == [1, 3]
    shown = explore(draw, slope=[1, 2])._repr_mimebundle_(include=None, exclude=None)
    assert shown["text/plain"] == "interactive figure draw (slope: 1, 2), 2 frames"
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] and "text/html" not in shown


def no_docstring(slope):
    return line(slope)


def no_figure(slope):
    """Nothing."""


def empty(slope):
    """Axes without data."""
    return subplots()[0]


@pytest.mark.parametrize("draw, controls, message", [
    (empty, {"slope": [1]}, "draw must draw something; empty left its axes empty at 1"),
    (line, {"slope": []}, "control slope must have at least one value; got none"),
    (line, {"slope": {}}, "control slope must have at least one value; got none"),
    (line, {"slope": 3}, "control slope must be a sequence of values or a dict; got 3"),
    (line, {"slope": "123"}, "control slope must be a sequence of values or a dict; got '123'"),
    (line, {"slope": [1, 1]}, "control slope must have distinct labels; got 1, 1"),
    (line, {"slope": {1: 1, "1": 2}}, "control slope must have distinct labels; got 1, 1"),
    (line, {"slop": [1]}, r"controls must match the parameters of line\(slope, shift=0\)"),
    (line, {"shift": [1]}, r"controls must match the parameters of line\(slope, shift=0\): missing"),
    (line, {}, "controls must name at least one parameter of line; got none"),
    (no_docstring, {"slope": [1]}, "draw must have a docstring that says what is seen; no_docstring has none"),
    (no_figure, {"slope": [1]}, "draw must return a matplotlib figure; no_figure returned NoneType"),
    (matplotlib.figure.Figure(), {"slope": [1]}, "draw must be a function that returns a figure; got Figure"),
])
def test_bad_input_is_refused(static, draw, controls, message):
    with pytest.raises(ValueError, match=message):
        explore(draw, **controls)


def test_other_names_are_not_there():
    import ntk_helpers
    with pytest.raises(AttributeError, match="module 'ntk_helpers' has no attribute 'nothing'"):
        ntk_helpers.nothing  # noqa: B018


def test_theory_modules_need_numpy_only():
    code = ("import sys, types; package = types.ModuleType('ntk_helpers'); package.__path__ = [sys.argv[1]];"
            "sys.modules['ntk_helpers'] = package; import ntk_helpers.features, ntk_helpers.claims, ntk_helpers.data;"
            "print(*sorted({'matplotlib', 'ipywidgets', 'IPython'} & set(sys.modules)))")
    import ntk_helpers
    command = [sys.executable, "-c", code, *ntk_helpers.__path__]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(("ran", "shown"), [("two", ["*Fig. 2.2.* Another."]), ("three", [])])
def test_a_live_session_shows_captions(monkeypatch, tmp_path, ran, shown):
    cells = [{"id": name, "metadata": {"mystnb": {"figure": {"caption": caption}}} if caption else {}}
             for name, caption in (("one", "A line."), ("two", "Another."), ("three", None))]
    path = tmp_path / "02-lines.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    said = []
    kernel = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": ran}})
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    monkeypatch.setattr("IPython.get_ipython", lambda: SimpleNamespace(kernel=kernel))
    monkeypatch.setattr("IPython.display.display", lambda markdown: said.append(markdown.data))
    figures._show_caption(SimpleNamespace(success=True))
    assert said == shown
    figures._show_caption(SimpleNamespace(success=False))
    assert said == shown
