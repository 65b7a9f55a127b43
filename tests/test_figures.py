import base64
import io
import json
import re
from types import SimpleNamespace

import matplotlib.figure
import matplotlib.image
import matplotlib.patches
import numpy as np
import pytest
from bs4 import BeautifulSoup

from ntk_figures import BLUE, GRAY, GREEN, LOOKS, ORANGE, PINK, curves, dots, explore, figures, legend, subplots
from ntk_figures.figures import inline_svg, panels, svg


def line(slope, shift=0):
    """A straight line & its <shift>."""
    x = np.linspace(0, 1, 5)
    return curves(x, {"line": slope * x + shift}, xlabel="x", ylabel="y", mark=(0.5, "half"), ylim=(-1, 12))


def points(d):
    """Return the points of path data in which only the first is absolute and all are lines."""
    return np.cumsum([(float(x), float(y)) for x, y in re.findall(r"(-?[\d.]+) ?(-?[\d.]+)", d)], axis=0)


def elements(fig, panel=0):
    return BeautifulSoup("".join(text for _, text in panels(fig)[panel].parts.values()), "html.parser")


def test_svg_follows_the_page():
    text = svg(line(1))
    assert text == svg(line(1)), "the same figure must give the same text"
    assert "#000000" not in text and "currentColor" in text
    assert ">half</text>" in text, "text must stay text"
    assert "font-family" not in text, "the page has a typeface"


def test_coordinates_are_those_of_matplotlib_to_a_tenth_of_a_point():
    x = np.sort(np.random.default_rng(0).uniform(size=200))
    fig = curves(x, {"wave": np.sin(9 * x)}, xlabel="x", ylabel="y", xlim=(0.1, 0.8))
    drawn = points(elements(fig).select_one("[data-name=wave]")["d"])
    fig.dpi = 72
    exact = fig.axes[0].lines[0].get_transform().transform(np.column_stack([x, np.sin(9 * x)]))
    exact[:, 1] = fig.bbox.height - exact[:, 1]
    assert drawn.shape == exact.shape and np.abs(drawn - exact).max() <= 0.05 + 1e-9, "errors do not add up"
    panel = panels(fig)[0]
    scales = json.loads(panel.scales)
    assert scales["x"][:3] == ["linear", 0.1, 0.8]
    left, right = scales["x"][3:]
    np.testing.assert_allclose(left + (right - left) * (x - 0.1) / 0.7, exact[:, 0], atol=0.1)


def test_gaps_curves_and_clips_are_drawn():
    fig, ax = subplots()
    ax.plot([0, 1, np.nan, 2, 3], [0, 1, 5, 1, 0], label="gap")
    ax.add_patch(matplotlib.patches.Circle((1, 1), 0.5))
    ax.set(xlim=(0, 2.5), ylim=(0, 2))
    soup = elements(fig)
    gap = soup.select_one("[data-name=gap]")
    assert gap["d"].count("m") == 2 and gap["clip-path"].startswith("url(#c")
    assert "c" in soup.select_one("[fill]:not(text)")["d"], "Bézier curves stay curves"


@pytest.mark.parametrize("style", [{}, {"linewidth": 0}, {"alpha": 0.2}])
def test_areas_are_drawn_where_they_lie(style):
    fig, ax = subplots()
    ax.fill_between([0, 1], [0, 0], [1, 1], color=GREEN, **style)
    ax.set(xlim=(0, 1), ylim=(0, 2))
    area = points(elements(fig).select_one("[fill='#009e73']")["d"])
    low, high = area.min(axis=0), area.max(axis=0)
    fig.dpi = 72
    box = ax.bbox.extents
    np.testing.assert_allclose([*low, *high], [box[0], fig.bbox.height - (box[1] + box[3]) / 2, box[2],
                                               fig.bbox.height - box[1]], atol=0.1)


def test_ticks_bars_and_dots_are_few_elements():
    fig, ax = subplots()
    ax.bar(range(50), range(50), color=BLUE)
    dots(ax, range(50), range(50))
    soup = elements(fig)
    lines = [tag for tag in soup.select("path") if not tag.get("data-name")]
    assert len(lines) <= 4, "bars, grid, ticks, spines"
    there = soup.select_one("[data-name=examples]")
    assert len(points(there["d"])) == 50 and there["marker-mid"] == there["marker-start"]
    definitions = "".join(before for before, _ in panels(fig)[0].parts.values())
    assert there["marker-mid"][5:-1] in definitions


def test_open_markers_and_error_bars_are_lines():
    fig, ax = subplots()
    ax.errorbar([1, 2, 3], [1, 2, 3], [0.1, 0.2, 0.3], fmt="x")
    soup = elements(fig)
    assert [tag["d"].count("m") for tag in soup.select("path[stroke-width='1.8']")] == [3], "three error bars"
    crosses = soup.select("path[d][stroke='#0072b2']:not([stroke-width])")
    assert [tag["d"].count("m") for tag in crosses] == [6]


def pixels(picture):
    return matplotlib.image.imread(io.BytesIO(base64.b64decode(picture["href"].partition(",")[2])), format="png")


def test_heat_maps_are_pictures_with_a_pixel_for_each_cell():
    fig, ax = subplots()
    mesh = ax.pcolormesh([0, 1, 2], [0, 1, 2], [[0.0, 1.0], [0.0, 0.0]], cmap="gray")
    fig.colorbar(mesh, ax=ax, label="share")
    assert len(panels(fig)) == 1, "a color bar belongs to the panel of its axes"
    soup = elements(fig)
    heat, bar = soup.select("image")
    np.testing.assert_array_equal(pixels(heat)[..., 0], [[0, 0], [0, 1]])  # the first row of a mesh is its lowest
    assert pixels(bar).shape[:2] == (256, 1) and pixels(bar)[0, 0, 0] == 1 and pixels(bar)[-1, 0, 0] == 0
    assert "share" in soup.text
    with pytest.raises(ValueError, match="the cells of a mesh must be of one size"):
        ax.pcolormesh([0, 1, 5], [0, 1, 2], [[0.0, 1.0], [1.0, 0.0]])
        panels(fig)


def test_images_are_drawn_as_they_lie():
    fig, ax = subplots()
    ax.imshow([[0.0, 1.0], [0.0, 0.0]], cmap="gray", interpolation="nearest")
    there = pixels(elements(fig).select_one("image"))
    assert [there[0, 0, 0], there[0, -1, 0], there[-1, -1, 0]] == [0, 1, 0]


def test_labels_hold_letters_with_indices():
    fig = curves([1, 2], {"a": [1, 10]}, xlabel="$\\sigma_w$", ylabel="width $m$", yscale="log")
    labels = [str(tag) for tag in elements(fig).select("text")]
    assert any(">𝜎</tspan>" in text and ">𝑤</tspan>" in text and 'class="letter"' in text for text in labels)
    assert any("width" in text and ">𝑚</tspan>" in text and "rotate(-90" in text for text in labels)
    assert any(re.search(r">10<tspan[^>]*>1</tspan>", text) for text in labels), "powers of ten"
    fig.axes[0].text(1.5, 3, "rises", rotation=45)
    assert "rotate(-45 " in elements(fig).find("text", string="rises")["transform"]
    spaced = elements(curves([1, 2], {"a": [1, 2]}, xlabel="$t = s$", ylabel="y"))
    assert "𝑡\u2009=\u2009𝑠" in spaced.text
    with pytest.raises(ValueError, match=r"a label can hold letters, sub- and superscripts; got \$\\frac"):
        svg(curves([1, 2], {"a": [1, 2]}, xlabel="$\\frac{1}{2}$", ylabel="y"))


def test_nothing_outside_the_axes_is_lost():
    fig = line(1)
    fig.suptitle("a title")
    with pytest.raises(ValueError, match=r"texts and legends must belong to axes, .* got \['a title'\]"):
        svg(fig)


def test_dots_outside_the_axes_are_left_out():
    fig, ax = subplots()
    dots(ax, [0.5, 5, 9], [0.5, 5, 0.5])
    ax.set(xlim=(0, 1), ylim=(0, 1))
    alone = elements(fig).select_one("[data-name=examples]")
    assert len(points(alone["d"])) == 2 and np.ptp(points(alone["d"]), axis=0).max() == 0, "browsers want a line"
    assert alone.has_attr("marker-start") and not alone.has_attr("marker-end"), "but one dot"
    ax.set(xlim=(2, 3))
    assert elements(fig).select_one("[data-name=examples]") is None


def test_inline_svg_can_share_a_page():
    fig = line(1)
    fig.axes[0].set(ylim=(0.2, 0.8))  # a clip path
    dots(fig.axes[0], [0.5], [0.5])
    one, two = (BeautifulSoup(inline_svg(svg(fig), 'up "and" <away>', prefix), "html.parser") for prefix in "ab")
    ids = [{tag["id"] for tag in soup.find_all(id=True)} for soup in (one, two)]
    assert len(ids[0]) == 2 and not ids[0] & ids[1]
    for soup, own in zip((one, two), ids):
        assert set(re.findall(r"url\(#([^)]+)\)", str(soup))) == own
        picture = soup.select_one(".panels")
        assert picture["role"] == "img" and picture["aria-label"] == 'up "and" <away>'
        assert picture["style"] == "--columns:316.8fr;max-width:31.68rem"  # of 4.4 inches
        assert picture.svg["viewbox"] == "0 0 316.8 223.2"
    with pytest.raises(ValueError, match="alt must say what the figure shows"):
        inline_svg(svg(fig), " ", "a")


def test_what_panels_share_is_defined_once():
    fig, axes = subplots(1, 2, size=(6.6, 3.2))
    for ax in axes:
        dots(ax, [1], [1])
    assert svg(fig).count("<marker id=") == 1


def test_panels_cover_the_figure_without_overlap():
    fig, axes = subplots(2, 2, size=(6.6, 5.2), width_ratios=[3, 2])
    for ax in axes.flat:
        ax.plot([0, 1], [0, 1])
    boxes = [panel.box for panel in panels(fig)]
    assert boxes[0][:2] == (0, 0) and boxes[3][:2] == pytest.approx((boxes[0][2], 187.2), abs=0.11)
    assert boxes[0][2] + boxes[1][2] == pytest.approx(475.2, abs=0.2)
    assert boxes[0][3] + boxes[2][3] == pytest.approx(374.4, abs=0.2)


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
    lines = {"a": [1, 2, 3], "_aside": [3, np.nan, 1], "others": [[1, 1, 1], [2, 2, 2]], "b": [2, 2, 2]}
    fig = curves([1, 2, 3], lines, xlabel="x", ylabel="y", yscale="log")
    ax = fig.axes[0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "others", "b"]
    assert curves([1], {"a": [1]}, xlabel="x", ylabel="y").axes[0].get_legend() is None
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), [3, np.nan, 1])
    np.testing.assert_array_equal(ax.lines[2].get_xdata(), [1, 2, 3, np.nan] * 2)
    np.testing.assert_array_equal(ax.lines[2].get_ydata(), [1, 1, 1, np.nan, 2, 2, 2, np.nan])
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()) == ("x", "y", "log")
    _, (left, right) = subplots(1, 2)
    assert curves([1], {"a": [1]}, xlabel="x", ylabel="y", ax=right) is right.figure and not left.lines


def test_a_thing_looks_the_same_in_every_figure():
    names = ["wide network", "limit kernel", "truth", "networking", "else"]
    lines = curves([1, 2], {name: [k, k] for k, name in enumerate(names)}, xlabel="x", ylabel="y").axes[0].lines
    looks = [(drawn.get_color(), drawn.get_linestyle()) for drawn in lines]
    assert looks[:3] == [tuple(LOOKS[word].values())[:2] for word in ("network", "kernel", "truth")]
    assert not {color for color, _ in looks[3:]} & {color for color, _ in looks[:3]}
    fig, ax = subplots()
    dots(ax, [1], [2], "measured", markersize=7)
    assert (ax.lines[0].get_color(), ax.lines[0].get_label(), ax.lines[0].get_markersize()) == ("black", "measured", 7)


def test_a_legend_stands_above_the_axes_where_it_fits():
    short = curves([1, 2], {"a": [1, 2], "b": [2, 1]}, xlabel="x", ylabel="y").axes[0]
    assert short.get_legend().get_window_extent().y0 >= short.bbox.y1
    wide = curves([1, 2], {"a" * 18: [1, 2], "b" * 14: [2, 1]}, xlabel="x", ylabel="y").axes[0]
    box = wide.get_legend().get_window_extent()
    assert box.y0 >= wide.bbox.y1 and 0 <= box.x0 < wide.bbox.x0 and box.x1 <= wide.bbox.x1 + 1, "over the labels"
    long = curves([1, 2], {"a" * 40: [1, 2], "b" * 40: [2, 1]}, xlabel="x", ylabel="y").axes[0]
    assert long.get_legend().get_window_extent().y1 <= long.bbox.y1
    legend(short, loc="lower right")
    assert short.get_legend().get_window_extent().y1 <= short.bbox.y1


def test_curves_refuse_bad_input():
    with pytest.raises(ValueError, match=r"lines\['a'\] must have the shape of x, \(2,\), or \(k, 2\); got \(3,\)"):
        curves([1, 2], {"a": [1, 2, 3]}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="two curves that look alike; got limit kernel, own kernel"):
        curves([1, 2], {"limit kernel": [1, 2], "own kernel": [2, 3]}, xlabel="x", ylabel="y")
    with pytest.raises(ValueError, match="lines must name at least one curve"):
        curves([1, 2], {}, xlabel="x", ylabel="y")


@pytest.fixture
def static(monkeypatch):
    monkeypatch.setenv("NTK_STATIC", "1")


def put_together(html):
    """Return the panels' markup in each frame, put together as road.js does, and the data."""
    soup = BeautifulSoup(html, "html.parser")
    data = json.loads(soup.script.text)
    result = []
    for frame in data["frames"]:
        now = BeautifulSoup(html, "html.parser")
        for place, part in zip(now.select("[data-part]"), frame):
            place.clear()
            place.append(BeautifulSoup(data["parts"][part], "html.parser"))
        result.append(now.select_one(".panels"))
    return result, data


def test_every_frame_can_be_put_together(static):
    figure = explore(line, slope=[1, 2.5], shift={"none": 0, "much": 9}, start={"slope": 2.5})
    shown = figure._repr_mimebundle_()
    assert shown["text/plain"] == ("interactive figure line (slope: 1, 2.5; shift: none, much), 4 frames, "
                                   "opens at slope 2.5, shift none")
    together, data = put_together(shown["text/html"])
    for drawn, (slope, shift) in zip(together, [(1, 0), (1, 9), (2.5, 0), (2.5, 9)]):
        expected = elements(line(slope, shift))
        got = [str(tag) for tag in drawn.select("svg path, svg text") if not tag.find_parent(["marker", "clippath"])]
        plain = [re.sub(r"url\(#f\w+-", "url(#", text) for text in got]
        assert plain == [str(tag) for tag in expected.select("path, text")]
    soup = BeautifulSoup(shown["text/html"], "html.parser")
    assert str(soup.select_one(".panels")) == str(together[2]), "the page shows the start"
    assert soup.select_one(".panels")["aria-label"] == "A straight line & its <shift>. Now: slope 2.5, shift none."
    assert soup.select_one(".ntk-now").text == "slope 2.5, shift none"
    assert len(soup.select("[data-part]")) == 1, "only the line differs; axes and mark stand there once"
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert [control["start"] for control in data["controls"]] == [1, 0]
    assert [control["slider"] for control in data["controls"]] == [True, False]
    assert [control["labels"] for control in data["controls"]] == [["1", "2.5"], ["none", "much"]]


def test_what_only_some_frames_have_is_absent_from_the_others(static):
    def draw(count):
        """Lines."""
        fig = curves([0, 1], {str(k): [k, k + 1] for k in range(count)}, xlabel="x", ylabel="y", ylim=(0, 9))
        fig.axes[0].get_legend() and fig.axes[0].get_legend().remove()
        return fig

    together, _ = put_together(explore(draw, count=[1, 3, 2], start={"count": 3}).html)
    assert [[path["data-name"] for path in drawn.select("[data-name]")] for drawn in together] == [
        ["0"], ["0", "1", "2"], ["0", "1"]]


@pytest.mark.parametrize("name, plain, html", [
    ("step_size", "step size", "step size"), ("sigma_w", "σ_w", "<i>σ</i><sub>w</sub>"), ("gamma", "γ", "<i>γ</i>"),
    ("m", "m", "<i>m</i>"), ("SNR", "SNR", "SNR"), ("width", "width", "width")])
def test_names_of_controls_are_typeset(static, name, plain, html):
    draw = lambda **value: line(*value.values())  # noqa: E731 -- its name needs escaping
    draw.__doc__ = "A line."
    figure = explore(draw, **{name: {"< 1": 0.5}})
    assert repr(figure) == f"interactive figure <lambda> ({plain}: < 1), 1 frames, opens at {plain} < 1"
    soup = BeautifulSoup(figure.html, "html.parser").select_one(".ntk-explore")
    control, = json.loads(soup.script.text)["controls"]
    assert (control["key"], control["name"], control["html"]) == (name, plain, html)
    assert soup["aria-label"] == "interactive figure: <lambda>"
    assert soup.select_one(".panels")["aria-label"] == f"A line. Now: {plain} < 1."


@pytest.mark.parametrize("labels, slider", [
    (["1", "2.5"], True), (["45°", "90°"], True), (["∞", "√2", "−1"], True), (["ReLU", "erf"], False),
    (["1", "many"], False)])
def test_numbers_have_a_slider_and_categories_have_buttons(static, monkeypatch, labels, slider):
    figure = explore(line, slope=dict.fromkeys(labels, 1) | {labels[0]: 2})
    assert json.loads(BeautifulSoup(figure.html, "html.parser").script.text)["controls"][0]["slider"] is slider
    monkeypatch.delenv("NTK_STATIC")
    _, control = figure.widget().children
    assert type(control).__name__ == ("SelectionSlider" if slider else "ToggleButtons")


def test_a_live_session_recomputes(monkeypatch):
    monkeypatch.delenv("NTK_STATIC", raising=False)
    calls = []

    def draw(sigma_w):
        """A line."""
        calls.append(sigma_w)
        return line(sigma_w)

    box = explore(draw, sigma_w=[1, 2, 3], start={"sigma_w": 2}).widget()
    picture, slider = box.children
    assert calls == [2] and slider.description == "σ_w"
    slider.value = "3"
    assert calls == [2, 3]
    shown = explore(draw, sigma_w=[1, 2])._repr_mimebundle_(include=None, exclude=None)
    assert shown["text/plain"] == "interactive figure draw (σ_w: 1, 2), 2 frames, opens at σ_w 1"
    assert shown["application/vnd.jupyter.widget-view+json"]["model_id"] and "text/html" not in shown


def two(gap):
    """Two lines."""
    return curves([0, 1], {"one": [0, 1], "other": [gap, 1 + gap]}, xlabel="x", ylabel="y", xlim=(0, 1), ylim=(0, 9))


def test_a_figure_opens_where_its_curves_are_apart(static):
    with pytest.raises(ValueError, match="no two named curves may coincide at the start; one and other of two do"):
        explore(two, gap=[0, 1])
    assert explore(two, gap=[0, 1], start={"gap": 1}).html


def out_of_view(shift):
    """Left a line, right another."""
    fig, (left, right) = subplots(1, 2)
    curves([0, 1], {"a": [0, 1]}, xlabel="x", ylabel="y", ax=left, ylim=(0, 1), xlim=(0, 1))
    curves([0, 1], {"b": [shift, shift]}, xlabel="x", ylabel="y", ax=right, ylim=(0, 1), xlim=(0, 1))
    return fig


def test_a_figure_opens_where_each_panel_shows_something(static):
    with pytest.raises(ValueError, match="each panel must show something at the start; a panel of out_of_view"):
        explore(out_of_view, shift=[5, 0])
    assert explore(out_of_view, shift=[5, 0], start={"shift": 0}).html


@pytest.mark.parametrize("move", [
    {"ylim": (0, 5)}, {"xlabel": "another"}, {"xticks": [0, 1]}, {"yscale": "symlog"}])
def test_axes_stay_put(static, move):
    def draw(moved):
        """A line."""
        fig = line(1)
        fig.axes[0].set(**(move if moved else {}))
        return fig

    with pytest.raises(ValueError, match="axes and legend must stay put between frames; those of draw differ"):
        explore(draw, moved=[False, True])
    assert explore(draw, moved=[False, True], same_axes=False).html


def test_the_legend_stays_put(static):
    def draw(name):
        """Two lines."""
        return curves([0, 1], {"one": [0, 1], name: [1, 0]}, xlabel="x", ylabel="y")

    with pytest.raises(ValueError, match="axes and legend must stay put"):
        explore(draw, name=["other", "a third"])


def test_frames_have_the_same_panels(static):
    def draw(columns):
        """Lines."""
        fig, axes = subplots(1, columns, squeeze=False)
        for ax in axes[0]:
            ax.plot([0, 1])
        return fig

    with pytest.raises(ValueError, match="the same panels in each frame; those of draw differ at columns 2"):
        explore(draw, columns=[1, 2], same_axes=False)


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
    (line, {"slope": [1], "start": {"slope": 2}}, "start must name .* and one of its values; got slope=2, slope has 1"),
    (line, {"slope": [1], "start": {"slop": 1}}, "start must name .* and one of its values; got slop=1, slop has none"),
    (line, {}, "controls must name at least one parameter of line; got none"),
    (no_docstring, {"slope": [1]}, "draw must have a docstring that says what is seen; no_docstring has none"),
    (no_figure, {"slope": [1]}, "draw must return a matplotlib figure; no_figure returned NoneType"),
    (matplotlib.figure.Figure(), {"slope": [1]}, "draw must be a function that returns a figure; got Figure"),
])
def test_bad_input_is_refused(static, draw, controls, message):
    with pytest.raises(ValueError, match=message):
        explore(draw, **controls)


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
