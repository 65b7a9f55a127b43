"""SVG as short text: numbers of few digits, paths whose points are relative, elements with what they refer to."""

import hashlib

import numpy as np
from matplotlib.path import Path


def digits(number, digits=1):
    """Return a number as short as it can be written."""
    text = f"{number:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{number:.0f}"
    text = text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    return "0" if text in ("-0", "") else text


def attributes(look):
    return "".join(f' {name}="{value}"' for name, value in look.items())


def subpaths(path, x=0.0, y=0.0, scale=10):
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


def path_data(subpaths, scale=10):
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
                       enumerate(digits(number / scale, 1 if scale == 10 else 2) for number in numbers))
        pieces.append(command + text)
    return "".join(pieces)


def markup(part):
    """Return an element as text; what it refers to comes with it."""
    element, look, content = part
    look, before = dict(look), ""
    if "clip" in look:
        x, y, width, height = look.pop("clip")
        key = "c" + hashlib.sha256(f"{x} {y} {width} {height}".encode()).hexdigest()[:8]
        before = f'<clipPath id="{key}"><path d="M{x} {y}h{width}v{height}h-{width}z"/></clipPath>'
        look["clip-path"] = f"url(#{key})"
    if "markers" in look:
        key, definition, several = look.pop("markers")
        before = f'<marker id="{key}" overflow="visible" markerUnits="userSpaceOnUse">{definition}</marker>'
        places = ("start", "mid", "end") if several else ("start",)
        look |= {f"marker-{place}": f"url(#{key})" for place in places}
    if element == "path":
        look = {"d": path_data(content)} | look
    text = f"<{element}{attributes(look)}"
    return before, f"{text}>{content}</{element}>" if element == "text" else f"{text}/>"
