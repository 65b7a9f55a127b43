"""Self-checks for exercises: they say what is wrong with an answer, not what the answer is."""

import copy

import numpy as np

_NOT_DONE = "not done yet"


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
            where = f" (case {number} of {len(cases)})" if len(cases) > 1 and mistake != _NOT_DONE else ""
            print(f"☐ {name}: {mistake}{where}")
            return
    print(f"✓ {name}: right")


def _call(function, case):
    """Return the answer, or what went wrong."""
    arguments = copy.deepcopy(case)
    try:
        answer = function(*arguments)
    except NotImplementedError:
        return None, _NOT_DONE
    except Exception as error:  # whatever a student's code may raise
        return None, f"stops with {type(error).__name__}: {error}"
    for place, (before, after) in enumerate(zip(case, arguments), 1):
        if isinstance(before, np.ndarray) and not np.array_equal(before, after):
            return None, f"changes its argument number {place}; work on a copy"
    return answer, None


def _mistake(answer, expected, rtol):
    """Return what is wrong, in words, or None."""
    if answer is None or answer is ...:
        return _NOT_DONE
    try:
        answer, expected = np.asarray(answer, float), np.asarray(expected, float)
    except (TypeError, ValueError):
        return f"should be numbers, not {type(answer).__name__}"
    if answer.shape != expected.shape:
        hint = "; transpose it?" if answer.shape == expected.shape[::-1] else ""
        return f"has shape {answer.shape}, should have {expected.shape}{hint}"
    if not np.isfinite(answer).all():
        return f"has {np.count_nonzero(~np.isfinite(answer))} entries that are NaN or infinite"
    scale = np.abs(expected).max(initial=0)

    def close(a, b=expected):
        return np.abs(a - b).max(initial=0) <= rtol * scale

    if close(answer):
        return None
    if close(-answer):
        return "has the wrong sign"
    several, shift = answer.size > 1, (answer - expected).mean()
    factor = (answer * expected).sum() / (expected**2).sum() if scale and several else 0
    if factor and close(answer / factor):
        return f"is {factor:.4g} times what it should be, everywhere: a constant is missing or one too many"
    if several and close(answer - shift):
        return f"is off by {shift:.4g} everywhere: a term is missing or one too many"
    if answer.ndim == 2 and answer.shape[0] == answer.shape[1] > 1:
        diagonal = np.eye(len(answer), dtype=bool)
        if close(answer.T):
            return "is transposed"
        if close(answer[~diagonal], expected[~diagonal]):
            return "is right but for the diagonal"
        if close(answer[diagonal], expected[diagonal]):
            return "is right on the diagonal only"
    if scale and several:
        error = np.abs(answer - expected)
        wrong = np.count_nonzero(error > rtol * scale)
        return f"is wrong in {wrong} of {error.size} entries, by up to {error.max() / scale:.2g} of the largest"
    return f"is too {'large' if shift > 0 else 'small'}"
