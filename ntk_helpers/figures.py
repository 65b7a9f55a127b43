"""House style: figures that read the same on paper, on a phone, in light and dark pages, and that a reader can move."""

import hashlib
import inspect
import io
import itertools
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path

import matplotlib.figure
import numpy as np

from . import _validate

#: Colour-blind-safe; each keeps a contrast above 3 against the book's white and its dark page.
BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#C4689B", "#808080"

_STYLE = {
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, PINK, GRAY]),
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRAY, "grid.alpha": 0.25,
    "font.size": 10.5, "lines.linewidth": 1.8, "lines.markersize": 4, "legend.frameon": False,
    # Text stays text: small, selectable, in the page's color. A fixed salt gives the same ids at each build.
    "svg.fonttype": "none", "svg.hashsalt": "ntk",
}


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself as SVG in the built book (``NTK_STATIC=1``), as PNG in a live session."""

    def _repr_mimebundle_(self, **_):
        if os.environ.get("NTK_STATIC") == "1":
            return {"text/plain": repr(self), "image/svg+xml": svg(self)}
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=120, facecolor="white")
        return {"text/plain": repr(self), "image/png": buffer.getvalue()}


def subplots(rows=1, columns=1, size=(6.0, 3.4), **options):
    """Return a figure and its grid of axes in house style (which becomes matplotlib's style from here on).

    ``size`` is width and height in inches (6 fill a column of the book), ``options`` are those of
    :meth:`matplotlib.figure.Figure.subplots` (``sharex``, ``width_ratios``, ...). Margins are fixed, in inches: frames
    of an interactive figure do not jump, and drawing takes half the time that a layout engine needs.
    """
    matplotlib.rcParams.update(_STYLE)
    width, height = size
    left, right, bottom, top, between_columns = 0.75, 0.1, 0.52, 0.12, 0.8
    between_rows = 0.25 if options.get("sharex") else 0.6
    one_width = (width - left - right - (columns - 1) * between_columns) / columns
    one_height = (height - bottom - top - (rows - 1) * between_rows) / rows
    fig = Figure(figsize=size)
    fig.subplots_adjust(left / width, bottom / height, 1 - right / width, 1 - top / height,
                        between_columns / one_width, between_rows / one_height)
    return fig, fig.subplots(rows, columns, **options)


def curves(x, lines, *, xlabel, ylabel, ax=None, mark=None, **settings):
    """Draw named curves over one axis, and return the figure.

    ``x`` has shape (n,), ``lines`` is a dict of curves of this shape by the name the legend gives them; NaN leaves a
    gap, and a name that starts with an underscore is drawn thin and gray and is left out of the legend. ``xlabel`` and
    ``ylabel`` have units where there are any. ``ax`` is where to draw (or a new figure), ``mark`` an abscissa and the
    name of a dotted line there, ``settings`` are those of :meth:`matplotlib.axes.Axes.set` (``yscale``, ...).
    """
    x = _validate.array("x", x, ndim=1)
    _validate.require(lines, "lines must name at least one curve; got none")
    ax = subplots()[1] if ax is None else ax
    styles = itertools.cycle(["-", "--", "-.", ":"])  # curves differ by more than color
    for name, y in lines.items():
        y = np.asarray(y, dtype=float)
        _validate.require(y.shape == x.shape, f"lines[{name!r}] must have the shape of x, {x.shape}; got {y.shape}")
        style = {"color": GRAY, "linewidth": 0.8, "alpha": 0.6} if name.startswith("_") else {"linestyle": next(styles)}
        ax.plot(x, y, label=name, **style)  # matplotlib leaves names that start with an underscore out of legends
    ax.set(xlabel=xlabel, ylabel=ylabel, **settings)
    if mark is not None:
        ax.axvline(mark[0], color="black", linestyle=":", linewidth=1)
        ax.annotate(mark[1], (mark[0], 1), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    va="top", fontsize="small")
    if len(ax.get_legend_handles_labels()[0]) > 1:  # a single curve is named by its axis
        ax.legend()
    return ax.figure


def svg(fig):
    """Return a figure as SVG text that follows the page: its typeface, and black becomes ``currentColor``."""
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]))
    text = buffer.getvalue().partition("<svg ")[2].replace("#000000", "currentColor")
    text = re.sub(r"<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", "", text, flags=re.S)
    text = re.sub(r"font: (?:[a-z]+ )*([\d.]+px) [^;\"]*", r"font-size: \1", text)
    return '<svg fill="currentColor" ' + re.sub(r">\s+<", "><", text).strip()  # black is SVG's default, and left out


def inline_svg(text, alt, prefix):
    """Return SVG text ready to stand in a page: an inch is 7.2 rem or what fits, ``alt`` says in words what is seen.

    ``prefix`` is put before each id, and each reference to one, so that several figures can share a page.
    """
    _validate.require(alt and alt.strip(), "alt must say what the figure shows; got an empty text")
    text = re.sub(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)', f"{prefix}-", text[text.index("<svg"):])
    text = re.sub(r'\bwidth="([\d.]+)pt" height="[^"]*"', r'style="max-width:calc(\1rem/10)"', text, count=1)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(alt.strip())}"', 1)


class explore:
    """Show ``draw(...)`` as a figure with one slider for each control.

    In a live session the sliders recompute the figure. In a page built without a kernel (``NTK_STATIC=1``) each
    combination of values is drawn at once, so that a failing one fails its cell, and the sliders choose among the
    frames: no kernel, no network. The plain text of this object is one line naming the figure and the controls.

    ``draw`` takes one value of each control by name and returns a matplotlib figure with data. Its docstring says what
    is seen: it is the text alternative of the figure, followed by the values of the controls. Each control is a
    sequence of values in the order of the slider, or a dict from their labels, all different, to the values; its
    slider bears its name, with underscores as spaces.
    """

    def __init__(self, draw, **controls):
        _validate.require(callable(draw), f"draw must be a function that returns a figure; got {type(draw).__name__}")
        self.draw, self.name, self.seen = draw, getattr(draw, "__name__", "draw"), inspect.getdoc(draw)
        _validate.require(self.seen, f"draw must have a docstring that says what is seen; {self.name} has none")
        _validate.require(controls, f"controls must name at least one parameter of {self.name}; got none")
        signature = inspect.signature(draw)
        try:
            signature.bind(**dict.fromkeys(controls))
        except TypeError as error:
            raise ValueError(f"controls must match the parameters of {self.name}{signature}: {error}") from None
        self.parameters = list(controls)
        self.controls = {name.replace("_", " "): _labelled(name, values) for name, values in controls.items()}
        self.html = self._render() if os.environ.get("NTK_STATIC") == "1" else None

    def __repr__(self):
        ranges = "; ".join(f"{control}: {', '.join(values)}" for control, values in self.controls.items())
        frames = np.prod([len(values) for values in self.controls.values()])
        return f"interactive figure {self.name} ({ranges}), {frames} frames"

    def _repr_mimebundle_(self, **options):
        shown = {"text/html": self.html} if self.html else self.widget()._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self)}

    def frame(self, labels):
        """Draw the figure for one label of each control, in their order."""
        chosen = (values[label] for values, label in zip(self.controls.values(), labels))
        fig = self.draw(**dict(zip(self.parameters, chosen)))
        _validate.require(isinstance(fig, matplotlib.figure.Figure),
                          f"draw must return a matplotlib figure; {self.name} returned {type(fig).__name__}")
        _validate.require(any(ax.has_data() for ax in fig.axes),
                          f"draw must draw something; {self.name} left its axes empty at {', '.join(labels)}")
        return fig

    def widget(self):
        """Return the sliders and the figure; an error in ``draw`` shows where the figure would be."""
        import ipywidgets
        from IPython.display import display

        look = {"continuous_update": False, "style": {"description_width": "initial"}, "layout": {"width": "32rem"}}
        sliders = {control: ipywidgets.SelectionSlider(options=list(values), description=control, **look)
                   for control, values in self.controls.items()}
        picture = ipywidgets.interactive_output(lambda **labels: display(self.frame(labels.values())), sliders)
        return ipywidgets.VBox([picture, *sliders.values()])

    def _render(self):
        """Return all frames, of which the first is shown: the sliders are made by book/_static/road.js."""
        frames = []
        for labels in itertools.product(*self.controls.values()):
            now = ", ".join(f"{control} {label}" for control, label in zip(self.controls, labels))
            picture, alt = svg(self.frame(labels)), f"{' '.join(self.seen.split())} Now: {now}."
            prefix = "ntk-" + hashlib.sha256(f"{self}{alt}{picture}".encode()).hexdigest()[:10]
            frames.append(f'<div data-frame{" hidden" if frames else ""}>{inline_svg(picture, alt, prefix)}</div>')
        controls = json.dumps({control: list(values) for control, values in self.controls.items()})
        name = f"interactive figure: {self.name.replace('_', ' ')}"
        return (f'<div class="ntk-explore" role="group" aria-label="{escape(name)}" data-controls="{escape(controls)}">'
                f'{"".join(frames)}</div>')


def _labelled(control, values):
    """Return the values of a control by their labels."""
    _validate.require(isinstance(values, Iterable) and not isinstance(values, str),
                      f"control {control} must be a sequence of values or a dict; got {values!r}")
    if isinstance(values, Mapping):
        pairs = [(str(label), value) for label, value in values.items()]
    else:
        pairs = [(f"{value:.4g}" if isinstance(value, float) else str(value), value) for value in values]
    _validate.require(pairs, f"control {control} must have at least one value; got none")
    _validate.require(len(dict(pairs)) == len(pairs),
                      f"control {control} must have distinct labels; got {', '.join(label for label, _ in pairs)}")
    return dict(pairs)


def _show_caption(result):
    """Show the caption of the cell that just ran, from the notebook's file: JupyterLab shows no cell metadata."""
    from IPython.display import Markdown, display

    path = Path(os.environ.get("JPY_SESSION_NAME", ""))
    kernel = getattr(sys.modules["IPython"].get_ipython(), "kernel", None)
    if not (kernel and path.is_file() and result.success):
        return
    figures = {cell["id"]: cell["metadata"]["mystnb"]["figure"]
               for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
               if "figure" in cell["metadata"].get("mystnb", {})}
    here = kernel.get_parent().get("metadata", {}).get("cellId")
    if here in figures:
        chapter = f"{int(path.name[:2])}." if path.name[:2].isdigit() else ""
        display(Markdown(f"*Fig. {chapter}{list(figures).index(here) + 1}.* {figures[here]['caption']}"))


if "IPython" in sys.modules and (_shell := sys.modules["IPython"].get_ipython()):
    if os.environ.get("NTK_STATIC") != "1":
        _shell.events.register("post_run_cell", _show_caption)
