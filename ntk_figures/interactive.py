"""Figures that a reader can move: frames and controls in a built page, widgets that recompute in a live session."""

import hashlib
import inspect
import itertools
import json
import os
import re
from collections.abc import Iterable, Mapping
from html import escape

import matplotlib.figure
import numpy as np

from ntk_helpers import _validate

from . import figures

_GREEK = dict(zip("alpha beta gamma delta epsilon eta theta kappa lambda mu rho sigma tau phi".split(),
                  "αβγδεηθκλμρστφ"))
#: What must not move between frames, unless the text says so.
_FIXED = ("axis", "legend")


class explore:
    """Show ``draw(...)`` as a figure with a control for each of its parameters: a slider for numbers, else buttons.

    In a live session the controls recompute the figure. In a page built without a kernel (``NTK_STATIC=1``) each
    combination of values is drawn at once, so that a failing one fails its cell, and the controls choose among the
    frames: no kernel, no network. The plain text of this object is one line naming the figure and the controls.

    ``draw`` takes one value of each control by name and returns a matplotlib figure with data. Its docstring says what
    is seen: it is the text alternative of the figure, followed by the values of the controls. Each control is a
    sequence of values in their order, or a dict from their labels, all different, to the values. Its name is that of
    the parameter, typeset: ``sigma_w`` is σ with the index w, ``label_noise`` two words.

    ``start`` gives the labels or values at which the figure opens, by control; the first value where it says nothing.
    At the start each panel must show something, and no two named curves may coincide. Axes and legends stay put
    between frames, or the cell fails, unless ``same_axes=False``.
    """

    def __init__(self, draw, *, start=None, same_axes=True, **controls):
        _validate.require(callable(draw), f"draw must be a function that returns a figure; got {type(draw).__name__}")
        self.draw, self.name, self.seen = draw, getattr(draw, "__name__", "draw"), inspect.getdoc(draw)
        _validate.require(self.seen, f"draw must have a docstring that says what is seen; {self.name} has none")
        _validate.require(controls, f"controls must name at least one parameter of {self.name}; got none")
        signature = inspect.signature(draw)
        try:
            signature.bind(**dict.fromkeys(controls))
        except TypeError as error:
            raise ValueError(f"controls must match the parameters of {self.name}{signature}: {error}") from None
        self.controls = {name: _labelled(name, values) for name, values in controls.items()}
        self.start, self.same_axes = self._start(start or {}), same_axes
        self.html = self._render() if os.environ.get("NTK_STATIC") == "1" else None

    def _start(self, start):
        """Return the label of each control at the start."""
        chosen = {name: next(iter(values)) for name, values in self.controls.items()}
        for name, wanted in start.items():
            values = self.controls.get(name, {})
            label = next((label for label, value in values.items()
                          if label == wanted or (np.isscalar(wanted) and value == wanted)), None)
            _validate.require(label is not None, "start must name a control and one of its values; "
                              f"got {name}={wanted!r}, {name} has {', '.join(values) or 'none'}")
            chosen[name] = label
        return chosen

    def __repr__(self):
        ranges = "; ".join(f"{_plain(control)}: {', '.join(values)}" for control, values in self.controls.items())
        frames = np.prod([len(values) for values in self.controls.values()])
        return f"interactive figure {self.name} ({ranges}), {frames} frames, opens at {self._now(self.start.values())}"

    def _repr_mimebundle_(self, **options):
        shown = {"text/html": self.html} if self.html else self.widget()._repr_mimebundle_(**options)
        return {**shown, "text/plain": repr(self)}

    def _now(self, labels):
        return ", ".join(f"{_plain(control)} {label}" for control, label in zip(self.controls, labels))

    def frame(self, labels):
        """Draw the figure for one label of each control, in their order."""
        chosen = {name: values[label] for (name, values), label in zip(self.controls.items(), labels)}
        fig = self.draw(**chosen)
        _validate.require(isinstance(fig, matplotlib.figure.Figure),
                          f"draw must return a matplotlib figure; {self.name} returned {type(fig).__name__}")
        _validate.require(any(ax.has_data() for ax in fig.axes),
                          f"draw must draw something; {self.name} left its axes empty at {', '.join(labels)}")
        return fig

    def widget(self):
        """Return the controls and the figure; an error in ``draw`` shows where the figure would be."""
        import ipywidgets
        from IPython.display import display

        widgets = {}
        for name, values in self.controls.items():
            look = {"options": list(values), "value": self.start[name], "description": _plain(name),
                    "style": {"description_width": "initial"}}
            widgets[name] = (ipywidgets.SelectionSlider(**look, continuous_update=False, layout={"width": "32rem"})
                             if _is_scale(values) else ipywidgets.ToggleButtons(**look))
        picture = ipywidgets.interactive_output(lambda **labels: display(self.frame(labels.values())), widgets)
        return ipywidgets.VBox([picture, *widgets.values()])

    def _render(self):
        """Return the frame of the start, and what other frames have in place of its parts, for figures.js to put."""
        everything = [tuple(labels) for labels in itertools.product(*self.controls.values())]
        start, prefix = tuple(self.start.values()), "f" + hashlib.sha256(f"{self}{self.seen}".encode()).hexdigest()[:9]
        fig = self.frame(start)
        _check_start(fig, self.name, self._now(start))
        first = figures.panels(fig)
        frames = {labels: first if labels == start else figures.panels(self.frame(labels)) for labels in everything}
        for labels, drawn in frames.items():
            _validate.require([panel.box for panel in drawn] == [panel.box for panel in first], "draw must draw the "
                              f"same panels in each frame; those of {self.name} differ at {self._now(labels)}")

        table, rows, contents = {"": 0}, {labels: [] for labels in everything}, []
        for number, panel in enumerate(first):
            across, content = {labels: drawn[number].parts for labels, drawn in frames.items()}, []
            for key in _merged(list(parts) for parts in across.values()):
                each = {labels: parts.get(key, ("", "")) for labels, parts in across.items()}
                content += [(definition, "") for definition in dict.fromkeys(before for before, _ in each.values())]
                markup = {labels: text for labels, (_, text) in each.items()}
                if len(set(markup.values())) == 1:
                    content.append(("", markup[start]))
                    continue
                moved = next(labels for labels in everything if markup[labels] != markup[start])
                _validate.require(not self.same_axes or key[1] not in _FIXED,
                                  f"axes and legend must stay put between frames; those of {self.name} differ at "
                                  f"{self._now(moved)}: {markup[start]} is {markup[moved]}. Set limits and ticks, or "
                                  "say same_axes=False and tell readers that the axes move")
                content.append(("", f"<g data-part>{markup[start]}</g>"))
                for labels, text in markup.items():
                    rows[labels].append(table.setdefault(text, len(table)))
            contents.append((panel, content))
        drawings = figures.prefix_ids(figures.assemble(contents), prefix)

        data = {"seen": " ".join(self.seen.split()), "parts": [figures.prefix_ids(text, prefix) for text in table],
                "frames": [rows[key] for key in everything],
                "controls": [{"key": name, "name": _plain(name), "html": _typeset(name), "labels": list(values),
                              "slider": _is_scale(values), "start": list(values).index(self.start[name])}
                             for name, values in self.controls.items()]}
        alt = f"{data['seen']} Now: {self._now(start)}."
        name = f"interactive figure: {self.name.replace('_', ' ')}"
        return (f'<div class="ntk-explore" role="group" aria-label="{escape(name)}" '
                f'style="--controls:{len(self.controls)}">'
                f'<div class="panels" role="img" aria-label="{escape(alt)}" style="{figures.layout(fig, first)}">'
                f'{drawings}</div><p class="ntk-now">{escape(self._now(start))}</p>'
                f'<script type="application/json">{_json(data)}</script></div>')


def _merged(lists):
    """Return the keys of all frames in the order of drawing: each stands after its predecessor."""
    merged = []
    for keys in lists:
        at = 0
        for key in keys:
            if key in merged:
                at = merged.index(key) + 1
            else:
                merged.insert(at, key)
                at += 1
    return merged


def _json(data):
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")


def _check_start(fig, name, now):
    """Raise ValueError where a panel shows nothing at the start, or two named curves coincide there."""
    for ax in fig.axes:
        ax.get_xlim()  # sets the limits that follow from the data
        seen = [line for line in ax.lines if _points(line).size and ax.bbox.padded(1).count_contains(_points(line))]
        drawn = [artist for artist in (*ax.patches, *ax.collections, *ax.images) if artist.get_visible()]
        _validate.require(seen or drawn, f"each panel must show something at the start; a panel of {name} is empty at "
                          f"{now}: choose another start")
        named = [line for line in seen if not line.get_label().startswith("_") and line.get_linestyle() != "None"]
        for one, other in itertools.combinations(named, 2):
            a, b = _points(one), _points(other)
            _validate.require(a.shape != b.shape or np.abs(a - b).max() > ax.figure.dpi / 72,
                              f"no two named curves may coincide at the start; {one.get_label()} and "
                              f"{other.get_label()} of {name} do at {now}: choose another start")


def _points(line):
    """Return the points of a line as they lie in the figure."""
    points = line.get_transform().transform(np.column_stack([line.get_xdata(), line.get_ydata()]))
    return points[np.isfinite(points).all(axis=1)]


def _plain(name):
    """Return the name of a control in plain text: ``sigma_w`` is σ_w, ``label_noise`` is label noise."""
    head, *rest = name.split("_")
    head = _GREEK.get(head, head)
    return "_".join([head, *rest]) if len(head) == 1 else " ".join([head, *rest])


def _typeset(name):
    """Return the name of a control in HTML: a single letter is that of a formula, what follows is its index."""
    head, _, index = _plain(name).partition("_")
    if len(head) > 1:
        return escape(head)
    return f"<i>{escape(head)}</i>" + (f"<sub>{escape(index.replace('_', ' '))}</sub>" if index else "")


def _is_scale(values):
    """Tell whether the labels of a control are numbers, perhaps with a unit: then it is a slider."""
    return all(re.match(r"[-−+<]?\s*[\d.√∞]", label) for label in values)


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
