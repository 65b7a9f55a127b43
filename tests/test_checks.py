"""The self-check of exercises: what it tells a student."""

import numpy as np
import pytest

from ntk_helpers import check
from ntk_helpers.claims import pack

A = np.array([[1.0, 2.0], [3.0, 4.0]])


def square(a):
    return a @ a.T + np.arange(len(a))  # not symmetric


def spoil(a):
    a[:] = 0
    return a


def spoil_only(a):
    a[:] = 0


@pytest.mark.parametrize("answer, words", [
    (lambda a: square(a), "✓ answer: right"),
    (lambda a: None, "not done yet"),
    (lambda a: ..., "not done yet"),
    (lambda a: (_ for _ in ()).throw(NotImplementedError()), "not done yet"),
    (lambda a: a[5], "stops with IndexError"),
    (lambda a: "text", "should be numbers"),
    (lambda a: square(a)[0], "has shape (2,), should have (2, 2)"),
    (lambda a: square(a) / 0.0, "NaN or infinite"),
    (lambda a: -square(a), "wrong sign"),
    (lambda a: 2 * square(a), "2 times what it should be"),
    (lambda a: square(a) + 3, "off by 3 everywhere"),
    (lambda a: square(a).T, "transposed"),
    (lambda a: square(a) + np.eye(2), "but for the diagonal"),
    (lambda a: square(a) + 1 - np.eye(2), "on the diagonal only"),
    (lambda a: square(a) + [[1, 2], [0, 0]], "wrong in 2 of 4"),
    (lambda a: square(a) ** 2, "the square of what it should be"),
    (lambda a: np.sqrt(square(a)), "the root of what it should be"),
    (lambda a: square(a)[::-1], "the right numbers in another order"),
    (lambda a: square(a).astype(complex), "real numbers"),
    (lambda a: square(a).astype(np.float32), "✓ answer: right"),
    (spoil, "changes its argument number 1"),
    (spoil_only, "changes its argument number 1"),
])
def test_functions(answer, words, capsys):
    answer.__name__ = "answer"
    with np.errstate(divide="ignore"):
        assert check(answer, square, (A.copy(),)) is None
    line = capsys.readouterr().out
    assert words in line and line.count("\n") == 1 and line.startswith("✓" if "✓" in words else "☐ answer: ")


@pytest.mark.parametrize("answer, words", [(3.0, "right"), (3.1, "too large"), (2.0, "too small"), (None, "not done"),
                                           (-3.0, "wrong sign")])
def test_values(answer, words, capsys):
    check(answer, 3.0, name="the rank")
    line = capsys.readouterr().out
    assert words in line and "the rank" in line and "3" not in line  # the answer is not given away


def test_a_factor_and_a_shift_are_told_apart_or_not(capsys):
    check(np.array([1.0, 2.0]) + 0.5, np.array([1.0, 2.0]))
    check(np.array([3.0, 3.0]), np.array([2.0, 2.0]))
    lines = capsys.readouterr().out.splitlines()
    assert "off by 0.5 everywhere: a term" in lines[0] and "off by 1 everywhere: a term or a factor" in lines[1]


def test_one_number_may_come_in_an_array(capsys):
    for one in (np.array([3.0]), np.array([[3.0]]), 3.0):
        check(one, 3.0)
        check(3.0, np.array([3.0]))
    assert capsys.readouterr().out.count("✓") == 6


@pytest.mark.parametrize("wrap", [dict, pack])
def test_hints_name_the_nearest_mistake(wrap, capsys):
    hints = wrap({"lacks the noise": 1.0, "lacks the bias": np.array(1.2)})
    for answer, words in ((1.0, "lacks the noise"), (1.15, "lacks the bias"), (1.9, "right"), (1.5, "too small")):
        check(answer, 2.0, hints=hints, rtol=0.1)
        assert words in capsys.readouterr().out
    assert not isinstance(hints, str) or "noise" not in hints


def test_a_strict_check_raises_what_it_prints(capsys):
    check(2.0, 2.0, strict=True)
    with pytest.raises(AssertionError, match="^the rank: is too small$"):
        check(1.5, 2.0, name="the rank", strict=True)
    with pytest.raises(AssertionError, match="not done yet"):
        check(None, 2.0, strict=True)

    def undone(a):
        raise NotImplementedError("write your answer here")

    with pytest.raises(NotImplementedError, match="write your answer"):
        check(undone, 2.0, (1,), strict=True)
    assert "☐ the rank: is too small" in capsys.readouterr().out


def test_rectangles_vectors_and_zero(capsys):
    check(np.ones((2, 3)), np.ones((3, 2)))
    check(np.array([1.0, 2.0]), np.zeros(2))
    check(np.zeros(2), np.zeros(2))
    check(np.zeros(0), np.zeros(0))
    check(np.full(2, 1e200), np.full(2, 1e200))  # whose squares are out of range
    lines = capsys.readouterr().out.splitlines()
    assert "transpose it?" in lines[0] and lines[1].startswith("☐") and lines[2].startswith("✓")
    assert lines[3].startswith("✓") and lines[4].startswith("✓")


def test_every_case_counts(capsys):
    check(abs, lambda x: x, (1.0,), (-1.0,))
    assert "☐ abs: has the wrong sign (case 2 of 2)" in capsys.readouterr().out


def test_what_is_expected_draws_whether_or_not_an_answer_is_given(capsys):
    rng = np.random.default_rng(0)
    check(lambda n: ..., lambda n: rng.random(n), (3,))
    assert rng.random() == np.random.default_rng(0).random(4)[3]  # so that solving an exercise changes no other cell


@pytest.mark.parametrize("arguments", [(abs, abs), (1.0, 1.0, (2,)), (abs, abs, 3)])
def test_bad_calls_are_refused(arguments):
    with pytest.raises(ValueError, match="cases"):
        check(*arguments)
