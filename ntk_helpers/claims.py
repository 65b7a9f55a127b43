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
    """Return the one random generator of a chapter.

    Its seed is 0, or the environment variable ``NTK_SEED``: the whole book can be run again under other seeds,
    and every claim must hold under each of them.

    Raises
    ------
    ValueError
        If ``NTK_SEED`` is not a non-negative integer.
    """
    seed = os.environ.get("NTK_SEED", "0")
    if not seed.isdecimal():
        raise ValueError(f"NTK_SEED must be a non-negative integer; got {seed!r}")
    return np.random.default_rng(int(seed))


def claim(statement, measured, expected=None, *, within=None, at_most=None, at_least=None, digits=3):
    """Check a statement against a measured number, print one line, and record it in ``ntk_helpers.claims.recorded``.

    Either ``expected`` with ``within``: the claim is :math:`|measured - expected| \\le within`. Or ``at_most``,
    ``at_least`` or both: the claim is :math:`at\\_least \\le measured \\le at\\_most`.

    Parameters
    ----------
    statement : str
        What is claimed, in words.
    measured : float
        What was measured; one number.
    expected, within : float, optional
        What theory says, and the absolute tolerance.
    at_most, at_least : float, optional
        Bounds, both included.
    digits : int
        Significant digits printed of ``measured`` (the check uses all of them). Nonzero values below 1e-8 in size
        print as ``< 1e-8``, so that rounding errors do not change the page.

    Raises
    ------
    ClaimError
        If the claim does not hold; the message is the line that would have been printed, with a cross.
    ValueError
        If a number is missing, NaN or infinite, or the bounds contradict each other.
    """
    if not isinstance(statement, str) or not statement.strip():
        raise ValueError(f"statement must be a non-empty string; got {statement!r}")
    measured = _validate.number("measured", measured)
    digits = _validate.integer("digits", digits)
    if (expected is None) == (at_most is None and at_least is None) or (expected is None) != (within is None):
        raise ValueError("claim needs either expected and within, or at_most and/or at_least; "
                         f"got expected={expected}, within={within}, at_most={at_most}, at_least={at_least}")
    if expected is not None:
        expected = _validate.number("expected", expected)
        within = _validate.number("within", within, at_least=0)
        low, high = expected - within, expected + within
        wanted = f"expected {expected:.4g}" + (f" ± {within:.2g}" if within else "")
    else:
        low = -np.inf if at_least is None else _validate.number("at_least", at_least)
        high = np.inf if at_most is None else _validate.number("at_most", at_most)
        if low > high:
            raise ValueError(f"at_least must not exceed at_most; got at_least={at_least}, at_most={at_most}")
        bounds = [f"at least {low:.4g}"] * (at_least is not None) + [f"at most {high:.4g}"] * (at_most is not None)
        wanted = " and ".join(bounds)
    holds = low <= measured <= high
    line = f"{'✓' if holds else '✗'} {statement}: {_show(measured, digits)} ({wanted})"
    if not holds:
        # On failure rounding must not hide the difference.
        raise ClaimError(f"{line}; measured {measured!r}")
    print(line)
    recorded.append(Claim(statement, measured, low, high))


def log_slope(x, y):
    """Return the exponent :math:`a` of the power law :math:`y=Cx^a` that fits best, by least squares of logarithms.

    Parameters
    ----------
    x, y : array, shape (n,)
        Positive numbers, at least two.
    """
    x = _validate.array("x", x, ndim=1)
    y = _validate.array("y", y, ndim=1, rows=len(x))
    smallest = min(x.min(), y.min())
    if len(x) < 2 or smallest <= 0:
        raise ValueError(f"x and y must hold at least two positive numbers; got {len(x)}, from {smallest:g} on")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _show(x, digits):
    if x == int(x) and abs(x) < 1e6:
        return str(int(x))
    if abs(x) < 1e-8:
        return "< 1e-8"
    return f"{x:.{digits}g}"
