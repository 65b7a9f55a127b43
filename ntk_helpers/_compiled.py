r"""The way of a tile through all layers, compiled by Numba, for activations with a kink and error functions.

Their dual kernels are arithmetic with :math:`\arcsin u` and :math:`\sqrt{1-u^2}`: for a kink :math:`u=k/\sqrt{q_1q_2}`,
for :math:`\mathrm{erf}(sx)` it is :math:`2s^2k/\sqrt{(1+2s^2q_1)(1+2s^2q_2)}`. Row by row, a tile goes through all
layers while it is in the nearest cache. No loop branches and the arcsine is a polynomial, so that the compiler does
several pairs at a time, on any processor: NumPy's arctangent does only with AVX-512.
"""

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.polynomial import chebyshev

from . import _validate
from .activations import ShiftedErf, TwoSlope

COLUMNS = 1024  #: of a tile: it is a row that has to stay in cache
LINE, KINK, ERF = range(3)  #: kinds of steps
FIELDS = "offset", "factor", "rate", "b", "skip", "dense", "limit"  #: numbers of a step
#: Above these u, of a kink and an error function, rounding of u would show: such pairs are to be done again.
LIMITS = {np.dtype(np.float64): (1 - 5e-5, 1 - 5e-3), np.dtype(np.float32): (1 - 2e-3, 1 - 3e-2)}


def _compile(function):
    # Products and sums may be fused; nothing else is relaxed, for a NaN marks a pair and has to stay.
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's directory nor the user's cache can be written
        return njit(**options)(function)


def _polynomial():
    r"""Return the coefficients of :math:`\arcsin(\sqrt x)/\sqrt x`, x up to 1/4, in even and odd powers of 8x - 1."""
    def function(v):
        x = (v + 1) / 8
        return np.arcsin(np.sqrt(x)) / np.sqrt(x)

    coefficients = chebyshev.cheb2poly(chebyshev.chebinterpolate(function, 60)[:12])  # the next is below rounding
    return tuple(coefficients[-2::-2]), tuple(coefficients[::-2])


EVEN, ODD = _polynomial()  # not arguments: to the compiler they are constants


@_compile
def _arcsine(u, number):
    r"""Return the arcsine, for \|u\| > 1/2 as :math:`\pi/2-2\arcsin\sqrt{(1-u)/2}`; ``number`` is the precision."""
    beyond = abs(u) > number(0.5)
    half = number(0.5) - number(0.5) * abs(u)
    v = number(8) * (half if beyond else u * u) - number(1)
    square, even, odd = v * v, number(EVEN[0]), number(ODD[0])
    for c in EVEN[1:]:  # two short chains of products, which do not wait for each other
        even = even * square + number(c)
    for c in ODD[1:]:
        odd = odd * square + number(c)
    # Two choices made meanwhile, so that least is left to do after the products.
    start = np.copysign(number(np.pi / 2), u) if beyond else number(0)
    return start + (np.copysign(number(2) * np.sqrt(half), -u) if beyond else u) * (even + v * odd)


# One step of a row: k and t of its pairs, in place; g and p are factors of its input, gs and ps those of the others.

@_compile
def _line(k, t, step):
    slope, b, skip, dense = step["offset"], step["b"], step["skip"], step["dense"]
    for j in range(len(k)):
        value = slope * k[j] + b
        t[j] = dense * value + (slope + skip) * t[j]
        k[j] = value + skip * k[j]


@_compile
def _kink(k, t, step, g, gs, p, ps):
    offset, factor, b, limit = step["offset"], step["factor"], step["b"], step["limit"]
    skip, dense, number = step["skip"], step["dense"], k.dtype.type
    for j in range(len(k)):
        u = k[j] * (g * gs[j])
        slope = offset + factor * _arcsine(u, number)
        value = slope * k[j] + (p * ps[j] * np.sqrt((number(1) - u) * (number(1) + u)) + b)
        value = value if abs(u) < limit else number(np.nan)
        t[j] = dense * value + (slope + skip) * t[j]
        k[j] = value + skip * k[j]


@_compile
def _erf(k, t, step, g, gs, p, ps):
    factor, b, limit = step["factor"], step["b"], step["limit"]
    skip, dense, number = step["skip"], step["dense"], k.dtype.type
    for j in range(len(k)):
        u = k[j] * (g * gs[j])
        slope = p * ps[j] / np.sqrt((number(1) - u) * (number(1) + u))
        value = factor * _arcsine(u, number) + b
        value = value if abs(u) < limit else number(np.nan)
        t[j] = dense * value + (slope + skip) * t[j]
        k[j] = value + skip * k[j]


@_compile
def _factors(q, kinds, steps, dtype):
    """Take the variances q through the steps, in place; return g and p of every input at every step."""
    g, p = np.empty((len(kinds), len(q)), dtype), np.empty((len(kinds), len(q)), dtype)
    for s in range(len(kinds)):
        step = steps[s]
        for j in range(len(q)):
            if kinds[s] == LINE:
                value = step["offset"] * q[j]
            elif kinds[s] == KINK:
                g[s, j], p[s, j] = 1 / np.sqrt(q[j]), np.sqrt(step["factor"] * q[j])
                value = (step["offset"] + step["factor"] * (np.pi / 2)) * q[j]
            else:
                g[s, j] = np.sqrt(step["rate"] / (1 + step["rate"] * q[j]))
                p[s, j] = np.sqrt(step["factor"]) * g[s, j]
                value = step["factor"] * np.arctan(step["rate"] * q[j] / np.sqrt(1 + 2 * step["rate"] * q[j]))
            q[j] = value + step["b"] + step["skip"] * q[j]
    return g, p


@_compile
def _rows(k, t, q, square, kinds, steps, rounded):
    """Take a tile through the steps, of a square what is above the diagonal; return the number of NaN."""
    a, marked = len(k), 0
    g, p = _factors(q, kinds, steps, k.dtype)
    for i in range(a):
        first = i + 1 if square else 0
        row, tangent = k[i, first:], t[i, first:]
        tangent[:] = 0
        for s in range(len(kinds)):
            factors = g[s, i], g[s, a + first:], p[s, i], p[s, a + first:]
            if kinds[s] == LINE:
                _line(row, tangent, rounded[s])
            elif kinds[s] == KINK:
                _kink(row, tangent, rounded[s], *factors)
            else:
                _erf(row, tangent, rounded[s], *factors)
        for j in range(len(row)):
            marked += np.isnan(row[j])
    return marked


@_compile
def transpose(part, into):
    """Copy the transpose of a tile into a matrix, by blocks of a few lines of the cache."""
    a, b = part.shape[0] // 8 * 8, part.shape[1] // 8 * 8
    for j in range(0, b, 8):
        for i in range(0, a, 8):
            for column in range(j, j + 8):
                for row in range(i, i + 8):
                    into[column, row] = part[row, column]
    into[b:] = part[:, b:].T
    into[:b, a:] = part[a:, :b].T


@lru_cache
def program(layers):
    """Return kinds and numbers of the steps, all but the limit: an activation and a dense layer after it are one.

    A ValueError says which layer cannot be compiled.
    """
    parts = []
    for layer in layers:
        _validate.require(layer.activation or layer.weight_std,
                          f"layers must be Dense, Activation or Residual for engine 'numba'; got {layer!r}")
        dense = layer.weight_std is not None
        w, b = ((layer.scale * std) ** 2 for std in (layer.weight_std, layer.bias_std)) if dense else (1, 0)
        before = parts.pop() if parts and not layer.activation and not parts[-1][-1] else [layer.activation]
        parts.append((before[0], w, b, layer.skip, dense))
    kinds, steps = [], []
    for activation, w, b, skip, dense in parts:
        offset, factor, rate = w, 0, 0
        if isinstance(activation, ShiftedErf):
            scale, size, shift = activation.constants
            offset, factor, rate, b = 0, w * size**2 * 2 / np.pi, 2 * scale**2, b + w * shift**2
        elif activation:
            _validate.require(isinstance(activation, TwoSlope), (
                f"activation must be a two_slope, erf or sigmoid_like for engine 'numba'; got {activation!r}"))
            h, kappa, _ = activation.constants
            factor = w * kappa if kappa > 1e-17 * h else 0  # a line, to rounding
            offset = w * h - factor * np.pi / 2
        kinds.append(ERF if rate else KINK if factor else LINE)
        steps.append((offset, factor, rate, b, skip, dense, 0))
    return np.array(kinds), np.array(steps, [(name, float) for name in FIELDS])


def finish(layers, pairs):
    """Take a tile of ``pairs`` through the layers; return its kernels, the nearly parallel inputs are in ``near``."""
    kinds, steps = program(layers)
    steps, dtype = steps.copy(), pairs.k.dtype
    steps["limit"] = np.where(kinds == KINK, *LIMITS[dtype])
    steps["offset"][0] *= pairs.unit
    pairs.t, rounded = pairs.scratch[0], steps.astype([(name, dtype) for name in FIELDS])
    if _rows(pairs.k, pairs.t, pairs.q, pairs.square, kinds, steps, rounded):
        pairs.near = np.isnan(pairs.k)
    return pairs.k, pairs.t
