"""Matplotlib figures as light SVG: one drawing for each panel, few elements, coordinates to a tenth of a point.

Matplotlib's own SVG has an element or more for each tick, dot and group, and six digits for each number. A page shows
a point as 1.6 pixels or less, so a tenth of a point is all that can be seen of it.
"""

import base64
import hashlib
import io
import json
from html import escape
from typing import NamedTuple

import numpy as np
from matplotlib.backend_bases import RendererBase
from matplotlib.colors import to_hex
from matplotlib.font_manager import ttfFontProperty
from matplotlib.image import imsave
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from ntk_helpers import _validate

from ._markup import attributes, digits, markup, path_data, subpaths

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
    _validate.require(not fig.texts and not fig.legends, "texts and legends must belong to axes, not to the figure; "
                      f"got {[text.get_text() for text in fig.texts] or 'a legend'}")
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
                            {key: markup(part) for key, part in parts.items()}))
    fig.dpi = dpi
    return result


def tag(panel, content):
    """Return the element that holds the content of a panel."""
    left, top, width, height = (digits(number) for number in panel.box)
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

    def _add(self, element, look, content):
        """Keep an element, together with the one before it where the two look the same."""
        axes = next(gid for name, gid in reversed(self.groups) if name == "axes")
        within = [name for name, _ in self.groups if name in ("axis", "legend")]
        kind = within[-1] if within else self.groups[-1][0]
        parts = self.parts.setdefault(axes, {})
        known = [part for key, part in parts.items() if key[1] == kind]
        if element == "path" and "markers" not in look and kind in ("axis", "patch", "LineCollection"):
            for part in known if kind == "axis" else known[-1:]:  # grid lines and ticks; bars; error bars
                if part[:2] == [element, look]:
                    part[2] += content
                    return
        parts[axes, kind, len(known)] = [element, look, content]

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
            look["stroke-width"] = digits(width, 2) if width != 1 else None
            offset, dashes = gc.get_dashes()
            look["stroke-dasharray"] = " ".join(digits(dash) for dash in dashes) if dashes is not None else None
            cap = str(gc.get_capstyle())
            look["stroke-linecap"] = {"projecting": "square", "round": "round"}.get(cap)
        clip = gc.get_clip_rectangle()
        if clip is not None and outline is not None and len(outline):
            (x0, y0), (x1, y1) = clip.min, clip.max
            low, high = outline.min(axis=0), outline.max(axis=0)
            if low[0] < x0 - 1 or low[1] < self.height - y1 - 1 or high[0] > x1 + 1 or high[1] > self.height - y0 + 1:
                numbers = [digits(number) for number in (x0, self.height - y1, x1 - x0, y1 - y0)]
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
            self._add("path", look, subpaths(path))

    def draw_markers(self, gc, marker_path, marker_trans, path, trans, rgbFace=None):
        points = path.cleaned(trans + self._flip(), remove_nans=True)
        points = points.vertices[np.isin(points.codes, (Path.MOVETO, Path.LINETO))]
        x0, y0, x1, y1 = gc.get_clip_rectangle().extents if gc.get_clip_rectangle() else (-9, -9, 9999, 9999)
        inside = (points >= [x0 - 1, self.height - y1 - 1]) & (points <= [x1 + 1, self.height - y0 + 1])
        points = points[inside.all(axis=1)]
        if self.groups[-1][0] != "line2d":  # a collection of one path, such as the area between two curves
            for x, y in trans.transform(path.vertices):
                self.draw_path(gc, marker_path, marker_trans + Affine2D().translate(x, y), rgbFace)
            return
        if not len(points):
            return
        marker = marker_path.cleaned(marker_trans + Affine2D().scale(1, -1), curves=True)
        look = self._look(gc, rgbFace, None)
        if Path.CLOSEPOLY not in marker.codes:  # ticks, crosses: lines like others
            look = {name: value for name, value in look.items() if not name.startswith("fill")}
            self._add("path", look, [piece for x, y in points for piece in subpaths(marker, x, y)])
            return
        # One element for all dots: a line that is not drawn, with a marker at each of its points.
        name = look.pop("data-name", None)
        definition = f'<path d="{path_data(subpaths(marker, scale=100), 100)}"{attributes(look)}/>'
        key = "m" + hashlib.sha256(definition.encode()).hexdigest()[:8]
        look = {"markers": (key, definition, len(points) > 1)} | ({"data-name": name} if name else {})
        line = Path(points if len(points) > 1 else np.repeat(points, 2, axis=0))  # no marker on a point alone
        self._add("path", look, subpaths(line.cleaned(curves=True)))

    def get_image_magnification(self):
        return 2

    def draw_image(self, gc, x, y, im, transform=None):
        height, width = im.shape[:2]
        self._picture(im[::-1], x, self.height - y - height / 2, width / 2, height / 2)

    def draw_quad_mesh(self, gc, master_transform, meshWidth, meshHeight, coordinates, offsets, offsetTrans, facecolors,
                       antialiased, edgecolors):
        corners = (master_transform + self._flip()).transform(coordinates.reshape(-1, 2)).reshape(coordinates.shape)
        steps = np.diff(corners[:, :, 0], axis=1), np.diff(corners[:, :, 1], axis=0)
        _validate.require(all(np.ptp(step) < 0.1 for step in steps), "the cells of a mesh must be of one size")
        (x0, y0), (x1, y1) = corners[0, 0], corners[-1, -1]
        colors = (facecolors.reshape(meshHeight, meshWidth, 4) * 255).round().astype(np.uint8)
        self._picture(colors[::-1], x0, y1, x1 - x0, y0 - y1)

    def _picture(self, pixels, x, y, width, height):
        """Keep an array of pixels, the first row at the top, as a picture of this size."""
        imsave(buffer := io.BytesIO(), pixels, format="png")
        look = {name: digits(value) for name, value in (("x", x), ("y", y), ("width", width), ("height", height))}
        self._add("image", look | {"preserveAspectRatio": "none", "style": "image-rendering:pixelated", "href":
                                   f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"}, "")

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        anchor = "start"
        if mtext and (angle == 0 or mtext.get_rotation_mode() == "anchor"):
            # The browser's typeface is another one: what is centered here shall be centered there.
            at = mtext.get_transform().transform(mtext.get_unitless_position()) * [1, -1] + [0, self.height]
            down = np.array([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
            x, y = at + (down @ ([x, y] - at)) * down
            anchor = _ANCHOR[mtext.get_ha()]
        alpha = gc.get_alpha() if gc.get_forced_alpha() else gc.get_rgb()[3]
        look = {"x": digits(x), "y": digits(y), "fill": _color(gc.get_rgb()), "fill-opacity": _opacity(alpha),
                "font-size": digits(prop.get_size_in_points(), 2),
                "text-anchor": anchor if anchor != "start" else None,
                "transform": f"rotate({-angle:g} {digits(x)} {digits(y)})" if angle else None}
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
            if letter == "′" and spans:  # text fonts have it raised already
                height, y = spans[-1]["size"], spans[-1]["y"]
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
                    "font-size": digits(span["size"], 2) if span["size"] != size else None,
                    "dy": digits(baseline - span["y"]) if abs(baseline - span["y"]) > 0.05 else None}
            baseline = span["y"]
            look = {name: value for name, value in look.items() if value is not None}
            text = escape(span["text"], quote=False)
            result.append(f"<tspan{attributes(look)}>{text}</tspan>" if look else text)
        return "".join(result)


def _color(rgb):
    code = to_hex(rgb)
    return "currentColor" if code == "#000000" else code


def _opacity(alpha):
    return None if alpha == 1 else digits(alpha, 2)
