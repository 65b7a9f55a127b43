"""House style: figures that read the same on paper, on a phone, in light and dark pages."""

import io
import itertools
import json
import os
import re
import sys
from html import escape
from pathlib import Path

import matplotlib.figure
import numpy as np

from ntk_helpers import _validate

from . import _svg

#: Colour-blind-safe; each keeps a contrast above 3 against the book's white and its dark page.
BLUE, ORANGE, GREEN, PINK, GRAY = "#0072B2", "#D55E00", "#009E73", "#C4689B", "#808080"

#: How a thing looks in every figure of the book; :func:`curves` knows it by the word in a curve's name.
LOOKS = {
    "data": {"color": "black", "linestyle": "", "marker": "o"},
    "truth": {"color": GREEN, "linestyle": "-."},
    "network": {"color": BLUE, "linestyle": "-"},
    "kernel": {"color": ORANGE, "linestyle": "--"},
}

_STYLE = {
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, PINK, GRAY]),
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRAY, "grid.alpha": 0.25,
    "font.size": 10.5, "legend.fontsize": 10.5, "lines.linewidth": 1.8, "lines.markersize": 4,
    "legend.frameon": False, "legend.handlelength": 1.6, "legend.columnspacing": 1.2, "legend.borderpad": 0,
    "mathtext.fontset": "stix",  # of the letters' shapes; the page has the typeface of its formulas
}
_MARGINS = {"left": 0.75, "right": 0.1, "bottom": 0.52, "top": 0.34}  # inches; the top holds a row of names


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that shows itself as SVG in the built book (``NTK_STATIC=1``), as PNG in a live session."""

    def _repr_mimebundle_(self, **_):
        if os.environ.get("NTK_STATIC") == "1":
            return {"text/plain": repr(self), "image/svg+xml": svg(self)}
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=120, facecolor="white")
        return {"text/plain": repr(self), "image/png": buffer.getvalue()}


def subplots(rows=1, columns=1, size=(4.4, 3.1), **options):
    """Return a figure and its grid of axes in house style (which becomes matplotlib's style from here on).

    ``size`` is width and height in inches, ``options`` are those of ``matplotlib.figure.Figure.subplots``
    (``sharex``, ``width_ratios``, ...). A column of the book is 6 inches wide; on a phone, where panels stand one below
    the other, text stays readable in panels of up to 4.4 inches. Margins are fixed: frames of an interactive figure do
    not jump, and drawing takes half the time that a layout engine needs.
    """
    matplotlib.rcParams.update(_STYLE)
    (width, height), margin = size, _MARGINS
    between_columns, between_rows = margin["left"] + margin["right"], margin["bottom"] + margin["top"]
    one_width = (width - columns * between_columns) / columns
    one_height = (height - rows * between_rows) / rows
    fig = Figure(figsize=size)
    fig.subplots_adjust(margin["left"] / width, margin["bottom"] / height, 1 - margin["right"] / width,
                        1 - margin["top"] / height, between_columns / one_width, between_rows / one_height)
    return fig, fig.subplots(rows, columns, **options)


def curves(x, lines, *, xlabel, ylabel, ax=None, mark=None, **settings):
    """Draw named curves over one axis, name them above it, and return the figure.

    ``x`` has shape (n,), ``lines`` is a dict from names to curves of this shape, or to families of k curves, of shape
    (k, n), which are drawn thin and gray under one name; NaN leaves a gap. A curve whose name has a word of
    ``LOOKS`` in it (``"network"``, ``"limit kernel"``) looks as this does everywhere; a name that starts with an
    underscore is left out of the legend. ``xlabel`` and ``ylabel`` have units where there are any. ``ax`` is where to
    draw (or a new figure), ``mark`` an abscissa and the name of a dotted line there, ``settings`` are those of
    ``matplotlib.axes.Axes.set`` (``yscale``, ...).
    """
    x = _validate.array("x", x, ndim=1)
    _validate.require(lines, "lines must name at least one curve; got none")
    ax = subplots()[1] if ax is None else ax
    looks = {name: look for name, y in lines.items() for word, look in LOOKS.items()
             if np.ndim(y) == 1 and re.search(rf"\b{word}s?\b", name)}
    taken = {look["color"] for look in looks.values()}
    _validate.require(len(taken) == len(looks),
                      f"lines must not name two curves that look alike; got {', '.join(looks)}")
    free = itertools.cycle([{"color": color, "linestyle": style} for color, style in
                            zip((BLUE, ORANGE, GREEN, PINK, GRAY), ("-", "--", "-.", ":", "-")) if color not in taken])
    for name, y in lines.items():
        y = np.asarray(y, dtype=float)
        _validate.require(y.ndim in (1, 2) and y.shape[-1] == len(x),
                          f"lines[{name!r}] must have the shape of x, {x.shape}, or (k, {len(x)}); got {y.shape}")
        if y.ndim == 2:  # one line with gaps: a single element in the page
            gap = np.full((len(y), 1), np.nan)
            ax.plot(np.tile(np.r_[x, np.nan], len(y)), np.hstack([y, gap]).ravel(), label=name,
                    color=GRAY, linewidth=0.8, alpha=0.6)
        elif name.startswith("_"):
            ax.plot(x, y, label=name, color=GRAY, linewidth=0.8, alpha=0.6)
        else:
            ax.plot(x, y, label=name, **(looks.get(name) or next(free)))
    ax.set(xlabel=xlabel, ylabel=ylabel, **settings)
    if mark is not None:
        ax.axvline(mark[0], color="black", linestyle=":", linewidth=1)
        ax.annotate(mark[1], (mark[0], 1), (3, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                    va="top")
    legend(ax)
    return ax.figure


def dots(ax, x, y, name="examples", **style):
    """Draw data as dots, named in the legend, which is drawn anew; ``style`` is that of a line of matplotlib."""
    ax.plot(x, y, label=name, **LOOKS["data"] | style)
    legend(ax)


def legend(ax, **options):
    """Name what is drawn in a row above the axes; where it would be too wide, inside them.

    ``options`` are those of ``matplotlib.axes.Axes.legend``: with a place of its own (``loc``) the legend stands
    there. A single curve is named by its axis.
    """
    if len(ax.get_legend_handles_labels()[0]) < 2:
        return
    if "loc" not in options:
        above = {"ncols": 9, "borderaxespad": 0} | options
        row = ax.legend(loc="lower left", bbox_to_anchor=(0, 1.01), **above)
        too_wide = row.get_window_extent().width - ax.bbox.width
        if too_wide <= 0:
            return
        if too_wide <= _MARGINS["left"] * ax.figure.dpi:  # it may begin over the labels of the axis
            ax.legend(loc="lower right", bbox_to_anchor=(1, 1.02), **above)
            return
    ax.legend(**{"loc": "upper right"} | options)


def svg(fig):
    """Return a figure as SVG text, a drawing for each panel, for :func:`inline_svg` to put into a page."""
    drawn = panels(fig)
    drawings = assemble((panel, panel.parts.values()) for panel in drawn)
    return f'<svg xmlns="http://www.w3.org/2000/svg" data-look="{layout(fig, drawn)}">{drawings}</svg>'


def panels(fig):
    """Return the panels of a figure, as :func:`ntk_figures._svg.panels` does, with their margins."""
    return _svg.panels(fig, [72 * _MARGINS[side] for side in ("left", "right", "bottom", "top")])


def layout(fig, drawn):
    """Return the style of an element that holds the panels: the widths of columns, and of all."""
    columns = fig.axes[0].get_subplotspec().get_topmost_subplotspec().get_gridspec().ncols
    widths = [panel.box[2] for panel in drawn[:columns]]
    return f"--columns:{' '.join(f'{width:g}fr' for width in widths)};max-width:{sum(widths) / 10:.4g}rem"


def assemble(contents):
    """Return the drawings of panels as one text; a panel comes with pairs of what an element refers to, and itself."""
    known, drawings = {""}, []
    for panel, parts in contents:
        before, after = zip(*parts)
        new = dict.fromkeys(definition for definition in before if definition not in known)
        known |= set(new)
        drawings.append(_svg.tag(panel, "".join(new) + "".join(after)))
    return "".join(drawings)


def inline_svg(text, alt, prefix):
    """Return what :func:`svg` gave ready to stand in a page: ``alt`` says in words what is seen.

    ``prefix`` is put before each id, and each reference to one, so that several figures can share a page.
    """
    _validate.require(alt and alt.strip(), "alt must say what the figure shows; got an empty text")
    look, drawings = re.fullmatch(r'<svg xmlns="[^"]*" data-look="([^"]*)">(.*)</svg>', text, re.S).groups()
    return (f'<div class="panels" role="img" aria-label="{escape(alt.strip())}" style="{look}">'
            f'{prefix_ids(drawings, prefix)}</div>')


def prefix_ids(text, prefix):
    """Return SVG text with a prefix before each id and each reference to one."""
    return re.sub(r'(?<=\bid=")|(?<=url\(#)', f"{prefix}-", text)


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
