"""Claims, measured where the book makes them under the seed of the chapter, and self-checks of its exercises."""

import base64
import copy
import json
import os
import zlib

import numpy as np

from . import _validate


def chapter_rng():
    """Return the one random generator of a chapter, of seed ``NTK_SEED``, an environment variable, or else 0."""
    seed = os.environ.get("NTK_SEED", "0")
    _validate.require(seed.isdecimal(), f"NTK_SEED must be a non-negative integer; got {seed!r}")
    return np.random.default_rng(int(seed))


def claim(statement, measured, expected=None, *, within=None, at_most=None, at_least=None, rival=None, digits=3):
    r"""Check a statement against a measured number, and print one line.

    Either ``expected`` (what theory says) with the absolute tolerance ``within``: the claim is
    :math:`|measured-expected|\le within`. Or ``at_most``, ``at_least`` or both: :math:`at\_least\le measured\le
    at\_most`. Of ``measured``, one number, ``digits`` significant digits are printed (the check uses all of them), and
    nonzero values below 1e-8 in size as ``< 1e-8``, so that rounding errors do not change the page. A claim that does
    not hold raises AssertionError with the line, crossed, as its message; a number that is missing, NaN or infinite, or
    bounds that contradict each other, ValueError.

    ``rival`` is what would be measured if the rival that the statement names were right (another rate, no effect at
    all). Bounds that it satisfies do not tell the two apart: ValueError.
    """
    _validate.require(isinstance(statement, str) and statement.strip(),
                      f"statement must be a non-empty string; got {statement!r}")
    measured, digits = _validate.number("measured", measured), _validate.integer("digits", digits, at_least=0)
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
    nearest = round(measured)
    if abs(measured) < 1e-8 and (measured or 0 < high <= 1e-8):
        shown = "< 1e-8"
    elif abs(measured - nearest) <= 1e-12 * abs(nearest) < 1e-6:  # a whole number, maybe up to rounding
        shown = str(nearest)
    else:
        shown = f"{measured:.{digits}g}"
    line = f"{statement}: {shown} ({wanted})" if digits else f"{statement}: {wanted}"
    if rival is not None:
        _validate.require(not low <= _validate.number("rival", rival) <= high,
                          f"rival must violate the bounds of the claim; got {rival} ({wanted}) for {statement}")
    if not low <= measured <= high:
        raise AssertionError(f"✗ {line}; measured {measured!r}")  # rounding must not hide the difference
    print(f"✓ {line}")
    _note(statement=statement, measured=shown if digits else None, wanted=wanted,
          rival=None if rival is None else f"{float(rival):.{max(digits, 1)}g}")


def verify(statement, error, at_most=1e-12):
    """Check code against an identity, and print one line: it is no claim, as it says nothing about the world.

    ``error`` is a number or an array of up to three axes; its largest entry in size may be ``at_most``, which rounding
    explains. Where it is larger, the line, crossed, is the message of an AssertionError.
    """
    error = _validate.array("error", error, ndim=(0, 1, 2, 3))
    at_most = _validate.number("at_most", at_most, at_least=0)
    largest = float(np.abs(error).max())
    if largest > at_most:
        raise AssertionError(f"✗ {statement}; the error is {largest:.3g} (at most {at_most:.4g})")
    print(f"= {statement}, up to rounding")
    _note(statement=statement)


def _note(**row):
    """Add a line of JSON to the file ``NTK_LEDGER``, if that is set: the page of all claims is made of them."""
    path = os.environ.get("NTK_LEDGER")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{json.dumps(row)}\n")


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


def check(given, expected, *cases, name=None, rtol=1e-4, hints=None, strict=False):
    """Compare an answer with what it should be, and print one line: right, not done yet, or what is wrong.

    Nothing is raised, so a page with an unsolved exercise can be run (but a function without cases, or a value with
    them, is a ValueError). Besides the size of the error the line names what often causes one: a constant factor or
    shift, the sign, a square, the order, a transpose, the diagonal, an argument that was changed.

    ``given`` is the student's answer (None, ``...`` and ``raise NotImplementedError`` stand for one not given yet),
    ``expected`` what it should be: numbers or arrays, or functions of the same arguments. Then ``cases`` are tuples of
    arguments to call both with; they must agree on all of them. The line calls the answer ``name``, by default that of
    the function; ``rtol`` is the largest error allowed, relative to the largest entry expected: by default what single
    precision can do. A single number may come in an array.

    ``hints`` are words for mistakes of one question, each with the answer that it leads to, or these by ``pack``, which
    makes them a text that does not give the method away to those who look into the cell. ``strict``, for graded
    questions, raises AssertionError after the line unless it says "right" (and lets NotImplementedError pass).
    """
    __tracebackhide__ = strict  # students need not read this function
    if callable(given) != bool(cases) or not all(isinstance(case, tuple) for case in cases):
        raise ValueError("check needs cases, each a tuple of arguments, for a function and none for a value; "
                         f"got {type(given).__name__} and {len(cases)} cases")
    name = name or getattr(given, "__name__", "your answer")
    hints = json.loads(zlib.decompress(base64.b64decode(hints))) if isinstance(hints, str) else hints or {}
    for number, case in enumerate(cases or [()], 1):
        mistake = _mistake(given, expected, case, rtol, hints, strict)
        if mistake:
            where = f" (case {number} of {len(cases)})" if len(cases) > 1 and mistake != "not done yet" else ""
            print(f"☐ {name}: {mistake}{where}")
            if strict:
                raise AssertionError(f"{name}: {mistake}{where}")
            return
    print(f"✓ {name}: right")


def pack(hints):
    """Return hints of ``check`` as a text; six digits are kept."""
    short = {words: np.vectorize(lambda one: float(f"{one:.6g}"))(answer).tolist() for words, answer in hints.items()}
    return base64.b64encode(zlib.compress(json.dumps(short).encode())).decode()


def _mistake(given, expected, case, rtol, hints, strict):
    """Return what is wrong with an answer in one case, in words, or None."""
    arguments = copy.deepcopy(case)
    try:
        answer = given(*arguments) if callable(given) else given
    except NotImplementedError:
        if strict:
            raise
        return "not done yet"
    except Exception as error:  # whatever a student's code may raise
        return f"stops with {type(error).__name__}: {error}"
    for place, (before, after) in enumerate(zip(case, arguments), 1):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            return f"changes its argument number {place}; work on a copy"
    expected = expected(*copy.deepcopy(case)) if callable(expected) else expected  # first: it may draw numbers
    if answer is None or answer is ...:
        return "not done yet"
    try:
        if np.iscomplexobj(answer):
            return "should be real numbers, not complex ones"
        answer, expected = np.asarray(answer, float), np.asarray(expected, float)
    except (TypeError, ValueError):
        return f"should be numbers, not {type(answer).__name__}"
    if answer.size == expected.size == 1:
        answer = answer.reshape(expected.shape)
    if answer.shape != expected.shape:
        hint = "; transpose it?" if answer.shape == expected.shape[::-1] else ""
        return f"has shape {answer.shape}, should have {expected.shape}{hint}"
    if not np.isfinite(answer).all():
        return f"has {np.count_nonzero(~np.isfinite(answer))} entries that are NaN or infinite"
    scale = np.abs(expected).max(initial=0)

    def near(one, other):
        return np.abs(one - other).max(initial=0) <= rtol * scale

    if near(answer, expected):
        return None
    distances = {}
    for words, wrong in hints.items():
        wrong = np.asarray(wrong, float)
        distances[words] = np.abs(answer - wrong).max() / max(scale, np.abs(wrong).max())
    if distances and min(distances.values()) <= rtol:
        return min(distances, key=distances.get)
    with np.errstate(over="ignore"):
        for words, guess in _guesses(answer, expected):
            if near(guess, expected):
                return words
    error = np.abs(answer - expected)
    if scale and error.size > 1:
        wrong, largest = np.count_nonzero(error > rtol * scale), error.max() / scale
        return f"is wrong in {wrong} of {error.size} entries, by up to {largest:.2g} of the largest"
    return f"is too {'large' if (answer - expected).mean() > 0 else 'small'}"


def _guesses(answer, expected):
    """Yield what may be wrong, in words, and what the answer would be without that mistake."""
    yield "has the wrong sign", -answer
    yield "is the root of what it should be, or a square is missing", np.sign(answer) * answer**2
    yield "is the square of what it should be, or a root is missing", np.sign(answer) * np.abs(answer) ** 0.5
    if answer.size > 1:
        c, shift = (answer * expected).sum() / ((expected**2).sum() or 1) or 1, (answer - expected).mean()
        if np.ptp(expected):  # or a factor and a shift look the same
            yield f"is {c:.4g} times what it should be, everywhere: a constant is missing or one too many", answer / c
            yield f"is off by {shift:.4g} everywhere: a term is missing or one too many", answer - shift
        else:
            yield f"is off by {shift:.4g} everywhere: a term or a factor is missing or one too many", answer - shift
    if answer.ndim == 2 and answer.shape[0] == answer.shape[1] > 1:
        diagonal = np.eye(len(answer), dtype=bool)
        yield "is transposed", answer.T
        yield "is right but for the diagonal", np.where(diagonal, expected, answer)
        yield "is right on the diagonal only", np.where(diagonal, answer, expected)
    if answer.size > 1:
        order = np.argsort(np.argsort(expected, axis=None))
        yield "holds the right numbers in another order", np.sort(answer, axis=None)[order].reshape(answer.shape)
