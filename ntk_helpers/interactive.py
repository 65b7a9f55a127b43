"""Figures a reader can move: widgets in a live session, a slider over ready-made frames in the built page."""

import hashlib
import inspect
import itertools
import json
import math
from collections.abc import Iterable, Mapping
from html import escape

import matplotlib.figure

from . import _validate
from .figures import inline_svg, static, svg

_STYLE = """
.ntk-explore{margin:0;max-width:100%}.ntk-explore [hidden]{display:none}
.ntk-explore .ntk-control{display:flex;gap:.75rem;align-items:center;padding:.25rem 0;text-align:left}
.ntk-explore label{flex:0 1 9rem;min-width:4rem}.ntk-explore input{flex:1 1 10rem;min-width:6rem;max-width:26rem;
min-height:1.75rem}.ntk-explore output{flex:0 1 auto;min-width:4rem;font-variant-numeric:tabular-nums}
"""

# Each control moves one digit of the frame's number; keys stay with the slider (JupyterLab listens for them too).
_SCRIPT = """
(function(root){if(!root||root.dataset.ready)return;root.dataset.ready=1;
var inputs=[].slice.call(root.querySelectorAll('input')),frames=root.querySelectorAll('[data-frame]');
function show(){var k=0;inputs.forEach(function(i){var labels=JSON.parse(i.dataset.labels),label=labels[+i.value];
k=k*labels.length+ +i.value;i.setAttribute('aria-valuetext',label);
root.querySelector('output[for="'+i.id+'"]').textContent=label;});
for(var j=0;j<frames.length;j++)frames[j].hidden=j!==k;}
inputs.forEach(function(i){i.addEventListener('input',show);
i.addEventListener('keydown',function(e){e.stopPropagation();});});
show();})(document.getElementById(%s));
"""


def explore(draw, **controls):
    """Show ``draw(...)`` as a figure with one slider for each control.

    In a live session the sliders recompute the figure. In a page built without a kernel (``NTK_STATIC=1``) each
    combination of values is drawn beforehand, and the sliders choose among the frames: no kernel, no network. The
    object returned displays itself; its plain text is one line naming the figure and the controls.

    ``draw`` takes one value of each control by name and returns a matplotlib figure with data. Its docstring says what
    is seen: it is the text alternative of the figure, followed by the values of the controls. Each control is a
    sequence of values in the order of the slider, or a dict from their labels, all different, to the values; its
    slider bears its name, with underscores as spaces.
    """
    _validate.require(callable(draw), f"draw must be a function that returns a figure; got {type(draw).__name__}")
    name = getattr(draw, "__name__", "draw")
    _validate.require(inspect.getdoc(draw), f"draw must have a docstring that says what is seen; {name} has none")
    _validate.require(controls, f"controls must name at least one parameter of {name}; got none")
    try:
        inspect.signature(draw).bind(**dict.fromkeys(controls))
    except TypeError as error:
        raise ValueError(f"controls must match the parameters of {name}{inspect.signature(draw)}: {error}") from None
    return Explorer(draw, name, {control: _labelled(control, values) for control, values in controls.items()})


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


class Explorer:
    """Displays itself by frames, drawn at once so that a failing one fails its cell, or by widgets that recompute."""

    def __init__(self, draw, name, controls):
        self.draw, self.name, self.controls = draw, name, controls
        self.html = self._render() if static() else None

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
        uid = "ntk-" + hashlib.sha256("".join([repr(self), *pictures]).encode()).hexdigest()[:10]
        seen, frames = " ".join(inspect.getdoc(self.draw).split()), []
        for k, (labels, picture) in enumerate(zip(combinations, pictures)):
            at = ", ".join(f"{_words(c)} {label}" for c, label in zip(self.controls, labels))
            picture = inline_svg(picture, f"{seen} Now: {at}.", f"{uid}-{k}")
            frames.append(f'<div data-frame="{k}"{" hidden" if k else ""}>{picture}</div>')
        return (f'<div class="ntk-explore" id="{uid}" role="group" '
                f'aria-label="interactive figure: {escape(_words(self.name))}" data-lm-suppress-shortcuts="true">'
                f"<style>{_STYLE}</style>{''.join(frames)}{''.join(self._control(uid, c) for c in self.controls)}"
                f"<script>{_SCRIPT % json.dumps(uid)}</script></div>")

    def _control(self, uid, control):
        labels = list(self.controls[control])
        return (f'<div class="ntk-control"><label for="{uid}-{control}">{escape(_words(control))}</label>'
                f'<input id="{uid}-{control}" type="range" min="0" max="{len(labels) - 1}" step="1" value="0" '
                f'autocomplete="off" aria-valuetext="{escape(labels[0])}" data-labels="{escape(json.dumps(labels))}">'
                f'<output for="{uid}-{control}">{escape(labels[0])}</output></div>')


def _words(name):
    return name.replace("_", " ")
