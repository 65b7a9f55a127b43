"""Claims: statements of the book that are measured where they are made, and the seed they are measured under."""

import os
from typing import NamedTuple

import numpy as np

from . import _validate


class Claim(NamedTuple):
    """One checked statement: what was measured, and the closed interval it had to fall into."""

    statement: str
    measured: float
    low: float
    high: float


class ClaimError(AssertionError):
    """A measured value lies outside what the statement claims."""


recorded: list[Claim] = []  #: every claim that held in this process, in order


def chapter_rng():
    """Return the one random generator of a chapter, of seed 0 or the environment variable ``NTK_SEED``.

    So the whole book can be run again under other seeds; every claim must hold under each of them.
    """
    seed = os.environ.get("NTK_SEED", "0")
    _validate.require(seed.isdecimal(), f"NTK_SEED must be a non-negative integer; got {seed!r}")
    return np.random.default_rng(int(seed))


def claim(statement, measured, expected=None, *, within=None, at_most=None, at_least=None, digits=3):
    r"""Check a statement against a measured number, print one line, and record it in ``ntk_helpers.claims.recorded``.

    Either ``expected`` (what theory says) with the absolute tolerance ``within``: the claim is
    :math:`|measured-expected|\le within`. Or ``at_most``, ``at_least`` or both: :math:`at\_least\le measured\le
    at\_most`. Of ``measured``, one number, ``digits`` significant digits are printed (the check uses all of them), and
    nonzero values below 1e-8 in size as ``< 1e-8``, so that rounding errors do not change the page. A claim that does
    not hold raises :class:`~ntk_helpers.claims.ClaimError` with the line, crossed, as its message; a number that is
    missing, NaN or infinite, or bounds that contradict each other, ValueError.
    """
    _validate.require(isinstance(statement, str) and statement.strip(),
                      f"statement must be a non-empty string; got {statement!r}")
    measured, digits = _validate.number("measured", measured), _validate.integer("digits", digits)
    if (expected is None) == (at_most is None and at_least is None) or (expected is None) != (within is None):
        raise ValueError("claim needs either expected and within, or at_most and/or at_least; "
                         f"got expected={expected}, within={within}, at_most={at_most}, at_least={at_least}")
    if expected is not None:
        expected, within = _validate.number("expected", expected), _validate.number("within", within, at_least=0)
        low, high = expected - within, expected + within
        wanted = f"expected {expected:.4g}" + (f" ± {within:.2g}" if within else "")
    else:
        low = -np.inf if at_least is None else _validate.number("at_least", at_least)
        high = np.inf if at_most is None else _validate.number("at_most", at_most)
        _validate.require(low <= high, f"at_least must not exceed at_most; got at_least={at_least}, at_most={at_most}")
        bounds = {"at least": low, "at most": high}
        wanted = " and ".join(f"{words} {bound:.4g}" for words, bound in bounds.items() if np.isfinite(bound))
    shown = "< 1e-8" if 0 < abs(measured) < 1e-8 else f"{measured:.{digits}g}"
    if measured.is_integer() and abs(measured) < 1e6:
        shown = str(int(measured))
    line = f"{statement}: {shown} ({wanted})"
    if not low <= measured <= high:
        raise ClaimError(f"✗ {line}; measured {measured!r}")  # rounding must not hide the difference
    print(f"✓ {line}")
    recorded.append(Claim(statement, measured, low, high))


def log_slope(x, y):
    """Return the exponent :math:`a` of the power law :math:`y=Cx^a` that fits best, by least squares of logarithms.

    Both have shape (n,) and are positive; ``x`` holds at least two different numbers.
    """
    x = _validate.array("x", x, ndim=1)
    y = _validate.array("y", y, ndim=1, rows=len(x))
    smallest = min(x.min(), y.min())
    _validate.require(np.ptp(x) > 0 and smallest > 0,
                      f"x and y must be positive, at two different x at least; got {len(x)}, from {smallest:g} on")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
