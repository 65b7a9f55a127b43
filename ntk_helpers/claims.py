"""Claims, measured where the book makes them under the seed of the chapter, and self-checks of its exercises."""

import copy
import os

import numpy as np

from . import _validate


def chapter_rng():
    """Return the one random generator of a chapter, of seed 0 or the environment variable ``NTK_SEED``.

    So the whole book can be run again under other seeds; every claim must hold under each of them.
    """
    seed = os.environ.get("NTK_SEED", "0")
    _validate.require(seed.isdecimal(), f"NTK_SEED must be a non-negative integer; got {seed!r}")
    return np.random.default_rng(int(seed))


def claim(statement, measured, expected=None, *, within=None, at_most=None, at_least=None, digits=3):
    r"""Check a statement against a measured number, and print one line.

    Either ``expected`` (what theory says) with the absolute tolerance ``within``: the claim is
    :math:`|measured-expected|\le within`. Or ``at_most``, ``at_least`` or both: :math:`at\_least\le measured\le
    at\_most`. Of ``measured``, one number, ``digits`` significant digits are printed (the check uses all of them), and
    nonzero values below 1e-8 in size as ``< 1e-8``, so that rounding errors do not change the page. A claim that does
    not hold raises AssertionError with the line, crossed, as its message; a number that is missing, NaN or infinite, or
    bounds that contradict each other, ValueError.
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
        raise AssertionError(f"✗ {line}; measured {measured!r}")  # rounding must not hide the difference
    print(f"✓ {line}")


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


def check(given, expected, *cases, name=None, rtol=1e-6):
    """Compare an answer with what it should be, and print one line: right, not done yet, or what is wrong.

    Nothing is raised, so a page with an unsolved exercise can be run (but a function without cases, or a value with
    them, is a ValueError). Besides the size of the error the line names what often causes one: a constant factor or
    shift, the sign, a transpose, the diagonal, an argument that was changed.

    ``given`` is the student's answer (None, ``...`` and ``raise NotImplementedError`` stand for one not given yet),
    ``expected`` what it should be: numbers or arrays, or functions of the same arguments. Then ``cases`` are tuples of
    arguments to call both with; they must agree on all of them. The line calls the answer ``name``, by default that of
    the function; ``rtol`` is the largest error allowed, relative to the largest entry expected.
    """
    if callable(given) != bool(cases) or not all(isinstance(case, tuple) for case in cases):
        raise ValueError("check needs cases, each a tuple of arguments, for a function and none for a value; "
                         f"got {type(given).__name__} and {len(cases)} cases")
    name = name or getattr(given, "__name__", "your answer")
    for number, case in enumerate(cases or [()], 1):
        answer, mistake = _call(given, case) if cases else (given, None)
        mistake = mistake or _mistake(answer, expected(*copy.deepcopy(case)) if cases else expected, rtol)
        if mistake:
            where = f" (case {number} of {len(cases)})" if len(cases) > 1 and mistake != "not done yet" else ""
            print(f"☐ {name}: {mistake}{where}")
            return
    print(f"✓ {name}: right")


def _call(function, case):
    """Return the answer, or what went wrong."""
    arguments = copy.deepcopy(case)
    try:
        answer = function(*arguments)
    except NotImplementedError:
        return None, "not done yet"
    except Exception as error:  # whatever a student's code may raise
        return None, f"stops with {type(error).__name__}: {error}"
    for place, (before, after) in enumerate(zip(case, arguments), 1):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            return None, f"changes its argument number {place}; work on a copy"
    return answer, None


def _mistake(answer, expected, rtol):
    """Return what is wrong, in words, or None."""
    if answer is None or answer is ...:
        return "not done yet"
    try:
        answer, expected = np.asarray(answer, float), np.asarray(expected, float)
    except (TypeError, ValueError):
        return f"should be numbers, not {type(answer).__name__}"
    if answer.shape != expected.shape:
        hint = "; transpose it?" if answer.shape == expected.shape[::-1] else ""
        return f"has shape {answer.shape}, should have {expected.shape}{hint}"
    if not np.isfinite(answer).all():
        return f"has {np.count_nonzero(~np.isfinite(answer))} entries that are NaN or infinite"
    shift, several = (answer - expected).sum() / max(answer.size, 1), answer.size > 1
    factor = (answer * expected).sum() / (expected**2).sum() if several and expected.any() else 0
    guesses = [(answer, None), (-answer, "has the wrong sign")]
    if factor:
        words = f"is {factor:.4g} times what it should be, everywhere: a constant is missing or one too many"
        guesses.append((answer / factor, words))
    if several:
        guesses.append((answer - shift, f"is off by {shift:.4g} everywhere: a term is missing or one too many"))
    if several and answer.ndim == 2 and answer.shape == answer.shape[::-1]:
        diagonal = np.eye(len(answer), dtype=bool)
        guesses += [(answer.T, "is transposed"),
                    (np.where(diagonal, expected, answer), "is right but for the diagonal"),
                    (np.where(diagonal, answer, expected), "is right on the diagonal only")]
    scale = np.abs(expected).max(initial=0)
    for guess, words in guesses:
        if np.abs(guess - expected).max(initial=0) <= rtol * scale:
            return words
    if scale and several:
        error = np.abs(answer - expected)
        wrong = np.count_nonzero(error > rtol * scale)
        return f"is wrong in {wrong} of {error.size} entries, by up to {error.max() / scale:.2g} of the largest"
    return f"is too {'large' if shift > 0 else 'small'}"
