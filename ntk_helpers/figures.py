"""House style: figures that read the same on paper, on a phone, in light and dark pages, and that a reader can move."""

import hashlib
import inspect
import io
import itertools
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from html import escape

import matplotlib
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
        if name.startswith("_"):
            ax.plot(x, y, color=GRAY, linewidth=0.8, alpha=0.6)
        else:
            ax.plot(x, y, next(styles), label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel, **settings)
    if mark is not None:
        ax.axvline(mark[0], color="black", linestyle=":", linewidth=1)
        ax.annotate(mark[1], (mark[0], 1), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    va="top", fontsize="small")
    if len(ax.get_legend_handles_labels()[0]) > 1:  # a single curve is named by its axis
        ax.legend()
    return ax.figure


def svg(fig):
    """Return a figure as SVG text that follows the page: black becomes ``currentColor``."""
    buffer = io.StringIO()
    fig.savefig(buffer, format="svg", metadata=dict.fromkeys(["Date", "Creator", "Format", "Type"]))
    text = buffer.getvalue()
    text = text[text.index("<svg"):]
    text = re.sub(r"<defs>\s*<style type=\"text/css\">.*?</style>\s*</defs>", "", text, flags=re.S)
    text = re.sub(r"font: (?:[a-z]+ )*([\d.]+px) [^;\"]*", r"font-size: \1", text)  # the page's own typeface
    text = text.replace("#000000", "currentColor")
    text = text.replace("<svg ", '<svg fill="currentColor" ', 1)  # SVG's own default, which is left out, is black
    return re.sub(r">\s+<", "><", text).strip()


def inline_svg(text, alt, prefix):
    """Return SVG text ready to stand in a page: scaled to its column, and with ``alt`` to say in words what is seen.

    ``prefix`` is put before each id, and each reference to one, so that several figures can share a page.
    """
    _validate.require(alt and alt.strip(), "alt must say what the figure shows; got an empty text")
    text = re.sub(r'(?<=\bid=")|(?<=href="#)|(?<=url\(#)', f"{prefix}-", text[text.index("<svg"):])
    head, body = text.split(">", 1)
    width = re.search(r'\bwidth="([\d.]+)pt"', head)
    head = re.sub(r'\s(?:width|height)="[^"]*"', "", head)
    limit = f"max-width:{float(width[1]) / 72 * 7.2:.1f}rem" if width else ""
    return f'{head} role="img" aria-label="{escape(alt.strip())}" style="width:100%;height:auto;{limit}">{body}'


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
        self.draw, self.name = draw, getattr(draw, "__name__", "draw")
        _validate.require(inspect.getdoc(draw),
                          f"draw must have a docstring that says what is seen; {self.name} has none")
        _validate.require(controls, f"controls must name at least one parameter of {self.name}; got none")
        signature = inspect.signature(draw)
        try:
            signature.bind(**dict.fromkeys(controls))
        except TypeError as error:
            raise ValueError(f"controls must match the parameters of {self.name}{signature}: {error}") from None
        self.controls = {control: _labelled(control, values) for control, values in controls.items()}
        self.html = self._render() if os.environ.get("NTK_STATIC") == "1" else None

    def __repr__(self):
        ranges = "; ".join(f"{_words(c)}: {', '.join(values)}" for c, values in self.controls.items())
        frames = math.prod(map(len, self.controls.values()))
        return f"interactive figure {self.name} ({ranges}), {frames} frames"

    def _repr_mimebundle_(self, **options):
        shown = {"text/html": self.html} if self.html else self.widget()._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self)}

    def frame(self, labels):
        """Draw the figure for one label of each control, in their order."""
        fig = self.draw(**{c: self.controls[c][label] for c, label in zip(self.controls, labels)})
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
        sliders = {c: ipywidgets.SelectionSlider(options=list(values), description=_words(c), **look)
                   for c, values in self.controls.items()}
        picture = ipywidgets.interactive_output(lambda **labels: display(self.frame(labels.values())), sliders)
        return ipywidgets.VBox([picture, *sliders.values()])

    def _render(self):
        combinations = list(itertools.product(*self.controls.values()))
        pictures = [svg(self.frame(labels)) for labels in combinations]
        uid = hashlib.sha256("".join([repr(self), *pictures]).encode()).hexdigest()[:10]
        seen, frames = " ".join(inspect.getdoc(self.draw).split()), []
        for k, (labels, picture) in enumerate(zip(combinations, pictures)):
            at = ", ".join(f"{_words(c)} {label}" for c, label in zip(self.controls, labels))
            picture = inline_svg(picture, f"{seen} Now: {at}.", f"ntk-{uid}-{k}")
            frames.append(f'<div data-frame="{k}"{" hidden" if k else ""}>{picture}</div>')
        controls = json.dumps({_words(c): list(values) for c, values in self.controls.items()})  # for road.js
        return (f'<div class="ntk-explore" role="group" aria-label="interactive figure: {escape(_words(self.name))}" '
                f'data-controls="{escape(controls)}" data-lm-suppress-shortcuts="true">{"".join(frames)}</div>')


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


def _words(name):
    return name.replace("_", " ")
