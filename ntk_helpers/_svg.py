"""Matplotlib figures as light SVG: one drawing for each panel, few elements, coordinates to a tenth of a point.

Matplotlib's own SVG has an element or more for each tick, dot and group, and six digits for each number. A page shows
a point as 1.6 pixels or less, so a tenth of a point is all that can be seen of it.
"""

import hashlib
import json
from html import escape
from typing import NamedTuple

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.font_manager import ttfFontProperty
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from . import _validate

_ANCHOR = {"left": "start", "center": "middle", "right": "end"}
_ITALIC = {chr(code): chr(0x1D434 + i) for i, code in enumerate([*range(65, 91), *range(97, 123)])} | {"h": "ℎ"}
_ITALIC |= dict(zip("αβγδεζηθικλμνξοπρςστυφχψω", map(chr, range(0x1D6FC, 0x1D715))))


class Panel(NamedTuple):
    """One drawing: its axes, with a color bar if there is one."""

    box: tuple    # left, top, width, height in points
    scales: str   # JSON: for x and y the kind of scale, its two ends, and where they are in points
    parts: dict   # markup of each element by its key: (kind, number among its kind)


def panels(fig, margins):
    """Return the panels of a figure whose axes stand in one grid.

    ``margins`` is the room beside the cells of the grid that belongs to their panels: left, right, bottom and top, in
    points.
    """
    dpi, fig.dpi = fig.dpi, 72
    renderer = _Renderer(*fig.bbox.size)
    cells = {}
    for number, ax in enumerate(fig.axes):
        ax.set_gid(str(number))
        cell = ax.get_subplotspec().get_topmost_subplotspec()
        cells.setdefault((cell.rowspan.start, cell.colspan.start), (cell, []))[1].append((number, ax))
        for line in ax.lines:
            if not line.get_label().startswith("_"):
                line.set_gid(line.get_label())
    fig.draw(renderer)
    left, right, bottom, top = margins
    result = []
    for _, (cell, members) in sorted(cells.items()):
        x0, y0, x1, y1 = (cell.get_position(fig).extents * [*fig.bbox.size, *fig.bbox.size]).tolist()
        box = (x0 - left, renderer.height - y1 - top, x1 - x0 + left + right, y1 - y0 + bottom + top)
        parts = {}
        for number, _ in members:
            parts |= renderer.parts.get(str(number), {})
        scales = {name: [axis.get_scale(), *map(float, axis.get_view_interval()), *ends]
                  for name, axis, ends in (("x", members[0][1].xaxis, (x0, x1)),
                                           ("y", members[0][1].yaxis, (renderer.height - y0, renderer.height - y1)))}
        result.append(Panel(tuple(round(number, 1) for number in box),
                            json.dumps({name: [kind, *(float(f"{end:.4g}") for end in ends)]
                                        for name, (kind, *ends) in scales.items()}),
                            {key: _markup(part) for key, part in parts.items()}))
    fig.dpi = dpi
    return result


def tag(panel, content):
    """Return the element that holds the content of a panel."""
    left, top, width, height = (_digits(number) for number in panel.box)
    return (f'<svg viewBox="{left} {top} {width} {height}" style="max-width:{panel.box[2] / 10:.4g}rem" fill="none" '
            f'stroke-linejoin="round" data-scales="{escape(panel.scales)}">{content}</svg>')


class _Renderer(RendererBase):
    """Collects what is drawn: ``parts[axes][kind, number]`` is [tag, attributes, content or subpaths]."""

    def __init__(self, width, height):
        super().__init__()
        self.width, self.height = width, height
        self.parts, self.groups = {}, []

    def flipy(self):
        return True

    def get_canvas_width_height(self):
        return self.width, self.height

    def points_to_pixels(self, points):
        return points

    def open_group(self, s, gid=None):
        self.groups.append((s.rpartition(".")[2], gid))

    def close_group(self, s):
        self.groups.pop()

    def _add(self, element, attributes, content):
        """Keep an element, together with the one before it where the two look the same."""
        axes = [gid for name, gid in self.groups if name == "axes"]
        if not axes:
            return  # the figure's own background
        within = [name for name, _ in self.groups if name in ("axis", "legend")]
        kind = within[-1] if within else self.groups[-1][0]
        parts = self.parts.setdefault(axes[-1], {})
        known = [part for key, part in parts.items() if key[1] == kind]
        if element == "path" and "markers" not in attributes and kind in ("axis", "patch", "LineCollection"):
            for part in known if kind == "axis" else known[-1:]:  # grid lines and ticks; bars; error bars
                if part[:2] == [element, attributes]:
                    part[2] += content
                    return
        number = len(known)
        parts[axes[-1], kind, number] = [element, attributes, content]

    def _look(self, gc, face, outline):
        """Return the attributes of a path, and its clip where it leaves the axes."""
        alpha = gc.get_alpha() if gc.get_forced_alpha() else None
        look = {}
        if face is not None:
            look["fill"] = _color(face)
            look["fill-opacity"] = _opacity(alpha if alpha is not None else face[3] if len(face) > 3 else 1)
        width = gc.get_linewidth()
        if width and gc.get_rgb()[3]:
            look["stroke"] = _color(gc.get_rgb())
            look["stroke-opacity"] = _opacity(alpha if alpha is not None else gc.get_rgb()[3])
            look["stroke-width"] = _digits(width, 2) if width != 1 else None
            offset, dashes = gc.get_dashes()
            look["stroke-dasharray"] = " ".join(_digits(dash) for dash in dashes) if dashes is not None else None
            cap = str(gc.get_capstyle())
            look["stroke-linecap"] = {"projecting": "square", "round": "round"}.get(cap)
        clip = gc.get_clip_rectangle()
        if clip is not None and outline is not None and len(outline):
            (x0, y0), (x1, y1) = clip.min, clip.max
            low, high = outline.min(axis=0), outline.max(axis=0)
            if low[0] < x0 - 1 or low[1] < self.height - y1 - 1 or high[0] > x1 + 1 or high[1] > self.height - y0 + 1:
                numbers = [_digits(number) for number in (x0, self.height - y1, x1 - x0, y1 - y0)]
                look["clip"] = tuple(numbers)
        names = [gid for name, gid in self.groups if name == "line2d" and gid]
        look["data-name"] = escape(names[-1]) if names else None
        return {name: value for name, value in look.items() if value is not None}

    def _flip(self):
        return Affine2D().scale(1, -1).translate(0, self.height)

    def draw_path(self, gc, path, transform, rgbFace=None):
        path = path.cleaned(transform + self._flip(), remove_nans=True, curves=True)
        look = self._look(gc, rgbFace, path.vertices[path.codes != Path.STOP])
        if "fill" in look or "stroke" in look:
            self._add("path", look, _subpaths(path))

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        points = path.cleaned(trans + self._flip(), remove_nans=True)
        points = points.vertices[np.isin(points.codes, (Path.MOVETO, Path.LINETO))]
        x0, y0, x1, y1 = gc.get_clip_rectangle().extents if gc.get_clip_rectangle() else (-9, -9, 9999, 9999)
        inside = (points >= [x0 - 1, self.height - y1 - 1]) & (points <= [x1 + 1, self.height - y0 + 1])
        points = points[inside.all(axis=1)]
        if not len(points):
            return
        marker = marker_path.cleaned(marker_trans + Affine2D().scale(1, -1), curves=True)
        look = self._look(gc, rgbFace, None)
        if rgbFace is None or len(marker.vertices) <= 3:  # crosses, ticks (with the end's code): lines like others
            look.pop("fill", None)
            self._add("path", look, [piece for x, y in points for piece in _subpaths(marker, x, y)])
            return
        # One element for all dots: a line that is not drawn, with a marker at each of its points.
        name = look.pop("data-name", None)
        definition = f'<path d="{_path_data(_subpaths(marker, scale=100), 100)}"{_attributes(look)}/>'
        key = "m" + hashlib.sha256(definition.encode()).hexdigest()[:8]
        look = {"markers": (key, definition)} | ({"data-name": name} if name else {})
        line = Path(points)
        self._add("path", look, _subpaths(line.cleaned(curves=True)))

    def draw_image(self, gc, x, y, im, transform=None):
        import base64
        import io

        from matplotlib.image import imsave

        buffer = io.BytesIO()
        imsave(buffer, im[::-1], format="png")
        data = base64.b64encode(buffer.getvalue()).decode()
        height, width = im.shape[:2]
        look = {"x": _digits(x), "y": _digits(self.height - y - height), "width": width, "height": height,
                "href": f"data:image/png;base64,{data}", "preserveAspectRatio": "none"}
        self._add("image", look, "")

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        anchor = "start"
        if mtext and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            # The browser's typeface is another one: what is centered here shall be centered there.
            at = mtext.get_transform().transform(mtext.get_unitless_position()) * [1, -1] + [0, self.height]
            down = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
            x, y = at + (down @ ([x, y] - at)) * down
            anchor = _ANCHOR[mtext.get_ha()]
        alpha = gc.get_alpha() if gc.get_forced_alpha() else gc.get_rgb()[3]
        look = {"x": _digits(x), "y": _digits(y), "fill": _color(gc.get_rgb()), "fill-opacity": _opacity(alpha),
                "font-size": _digits(prop.get_size_in_points(), 2),
                "text-anchor": anchor if anchor != "start" else None,
                "transform": f"rotate({-angle:g} {_digits(x)} {_digits(y)})" if angle else None}
        content = self._formula(s, prop) if ismath else escape(s, quote=False)
        self._add("text", {name: value for name, value in look.items() if value is not None}, content)

    def _formula(self, s, prop):
        """Return letters, with sub- and superscripts, as spans: all that labels of axes need."""
        _, _, _, glyphs, rectangles = self._text2path.mathtext_parser.parse(s, 72, prop)
        _validate.require(not rectangles, f"a label can hold letters, sub- and superscripts; got {s}")
        spans, size = [], prop.get_size_in_points()
        for font, height, code, _, x, y in sorted(glyphs, key=lambda glyph: glyph[4]):
            look = ttfFontProperty(font)
            letter = chr(code)
            letter = _ITALIC.get(letter, letter) if look.style != "normal" else letter
            math = look.style != "normal"
            gap = spans and x - spans[-1]["end"] > 0.1 * size and spans[-1]["size"] == height
            if spans and (math, height, y) == tuple(spans[-1][k] for k in ("math", "size", "y")):
                spans[-1]["text"] += ("\u2009" if gap else "") + letter
            else:
                spans.append({"text": ("\u2009" if gap else "") + letter, "math": math, "size": height, "y": y})
            font.set_size(height, 72)
            spans[-1]["end"] = x + font.load_char(code).linearHoriAdvance / 65536
        result, baseline = [], spans[0]["y"]
        for span in spans:
            look = {"class": "letter" if span["math"] else None,
                    "font-size": _digits(span["size"], 2) if span["size"] != size else None,
                    "dy": _digits(baseline - span["y"]) if abs(baseline - span["y"]) > 0.05 else None}
            baseline = span["y"]
            look = {name: value for name, value in look.items() if value is not None}
            text = escape(span["text"], quote=False)
            result.append(f"<tspan{_attributes(look)}>{text}</tspan>" if look else text)
        return "".join(result)


def _color(rgb):
    code = to_hex(rgb)
    return "currentColor" if code == "#000000" else code


def _opacity(alpha):
    return None if alpha == 1 else _digits(alpha, 2)


def _digits(number, digits=1):
    """Return a number as short as it can be written."""
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{number:.0f}"
    text = text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    return "0" if text in ("-0", "") else text


def _attributes(look):
    return "".join(f' {name}="{value}"' for name, value in look.items())


def _subpaths(path, x=0.0, y=0.0, scale=10):
    """Return a list of (command, points) of a cleaned path, shifted, in whole tenths of a point."""
    result, vertices, codes = [], np.rint((path.vertices + [x, y]) * scale).astype(int).tolist(), path.codes
    size = {Path.MOVETO: 1, Path.LINETO: 1, Path.CURVE3: 2, Path.CURVE4: 3, Path.CLOSEPOLY: 1}
    k = 0
    while k < len(codes) and codes[k] != Path.STOP:
        code, count = codes[k], size[codes[k]]
        points = vertices[k:k + count]
        if code == Path.CLOSEPOLY:
            result.append(("z", []))
        elif code == Path.LINETO and result and result[-1][0] in "ml":
            result[-1] = (result[-1][0], result[-1][1] + points)  # after m, lines need no letter
        else:
            result.append(({Path.MOVETO: "m", Path.LINETO: "l", Path.CURVE3: "q", Path.CURVE4: "c"}[code], points))
        k += count
    return result


def _path_data(subpaths, scale=10):
    """Return path data whose points are relative: each but the first is a small number."""
    pieces, here, start = [], np.zeros(2, int), np.zeros(2, int)
    for command, points in subpaths:
        numbers, group = [], {"q": 2, "c": 3}.get(command, 1)
        for k, point in enumerate(points):
            numbers += (np.array(point) - here).tolist()
            if (k + 1) % group == 0:
                here = np.array(point)
            if command == "m" and k == 0:
                start = here
        if command == "z":
            here = start
        text = "".join(number if number.startswith("-") or k == 0 else f" {number}" for k, number in
                       enumerate(_digits(number / scale, 1 if scale == 10 else 2) for number in numbers))
        pieces.append(command + text)
    return "".join(pieces)


def _markup(part):
    """Return an element as text; what it refers to comes with it."""
    element, look, content = part
    look, before = dict(look), ""
    if "clip" in look:
        x, y, width, height = look.pop("clip")
        key = "c" + hashlib.sha256(f"{x} {y} {width} {height}".encode()).hexdigest()[:8]
        before = f'<clipPath id="{key}"><path d="M{x} {y}h{width}v{height}h-{width}z"/></clipPath>'
        look["clip-path"] = f"url(#{key})"
    if "markers" in look:
        key, definition = look.pop("markers")
        before = f'<marker id="{key}" overflow="visible" markerUnits="userSpaceOnUse">{definition}</marker>'
        places = ("start", "mid", "end") if len(content[0][1]) > 1 else ("start",)
        look |= {f"marker-{place}": f"url(#{key})" for place in places}
    if element == "path":
        look = {"d": _path_data(content)} | look
    text = f"<{element}{_attributes(look)}"
    return before, f"{text}>{content}</{element}>" if element == "text" else f"{text}/>"
