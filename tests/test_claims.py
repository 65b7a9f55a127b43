import json

import numpy as np
import pytest

from ntk_helpers import chapter_rng, claim, log_slope, verify


def test_a_claim_that_holds_prints_one_line(capsys):
    claim("a slope", -0.4987654, -0.5, within=0.05)
    assert capsys.readouterr().out == "✓ a slope: -0.499 (expected -0.5 ± 0.05)\n"


@pytest.mark.parametrize("bounds, line", [
    ({"at_most": 1}, "✓ x: 0.12 (at most 1)"),
    ({"at_least": 0.1}, "✓ x: 0.12 (at least 0.1)"),
    ({"at_least": 0, "at_most": 0.2}, "✓ x: 0.12 (at least 0 and at most 0.2)"),
    ({"expected": 0.1234567, "within": 0}, "✓ x: 0.12 (expected 0.1235)"),
])
def test_bounds_are_printed(capsys, bounds, line):
    claim("x", 0.1234567, digits=2, **bounds)
    assert capsys.readouterr().out.strip() == line


@pytest.mark.parametrize("measured, shown", [(300, "300"), (2.0, "2"), (-3e-12, "< 1e-8"), (0.0, "0"), (-0.0, "0"),
                                             (1234.5, "1.23e+03"), (-0.25, "-0.25"), (np.float64(0.5), "0.5"),
                                             (np.int64(7), "7"), (1234 + 1e-12, "1234"), (1e-8, "1e-08"),
                                             (1e6, "1e+06"), (3e6, "3e+06")])
def test_numbers_are_printed_the_same_everywhere(capsys, measured, shown):
    claim("x", measured, at_most=1e9)
    assert capsys.readouterr().out == f"✓ x: {shown} (at most 1e+09)\n"


@pytest.mark.parametrize("measured", [0, 0.0, 1e-17, -1e-17])
def test_a_bound_at_rounding_level_does_not_tell_zero_from_rounding(capsys, measured):
    claim("x", measured, at_most=1e-12)
    claim("x", measured, 0, within=1e-12)
    claim("x", measured, at_most=1e-8)
    assert capsys.readouterr().out == ("✓ x: < 1e-8 (at most 1e-12)\n✓ x: < 1e-8 (expected 0 ± 1e-12)\n"
                                       "✓ x: < 1e-8 (at most 1e-08)\n")


@pytest.mark.parametrize("at_most", [0, 2e-8, 1])
def test_other_bounds_tell_zero(capsys, at_most):
    claim("x", 0, at_most=at_most)
    assert capsys.readouterr().out == f"✓ x: 0 (at most {at_most:g})\n"


def test_without_digits_only_the_bound_is_printed(capsys):
    claim("x", 0.0123, at_least=1e-3, digits=0)
    assert capsys.readouterr().out == "✓ x: at least 0.001\n"
    with pytest.raises(AssertionError, match="✗ x: at least 0.1; measured 0.0123"):
        claim("x", 0.0123, at_least=0.1, digits=0)


@pytest.mark.parametrize("measured, bounds", [
    (0.56, {"expected": 0.5, "within": 0.05}), (0.44, {"expected": 0.5, "within": 0.05}),
    (1.0000001, {"at_most": 1}), (-1e-300, {"at_least": 0}), (3, {"at_least": 1, "at_most": 2}),
])
def test_a_claim_that_fails_raises_and_prints_nothing(capsys, measured, bounds):
    with pytest.raises(AssertionError, match="✗ x: .*measured " + repr(measured).replace("+", r"\+")):
        claim("x", measured, **bounds)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("bounds", [{"expected": -0.5, "within": 0.4}, {"at_most": 0}, {"at_least": -2},
                                    {"at_most": -0.25}, {"at_least": -0.25}])
def test_bounds_that_the_rival_satisfies_are_refused(bounds):
    with pytest.raises(ValueError, match="rival must violate the bounds of the claim; got -0.25 .* for a slope"):
        claim("a slope", -0.5, rival=-0.25, **bounds)
    claim("a slope", -0.5, -0.5, within=0.1, rival=-0.25)


def test_code_is_verified_apart_from_claims(capsys):
    verify("both agree", np.array([[[1e-14, -2e-13]]]))
    verify("both agree", 0.0, at_most=0)
    assert capsys.readouterr().out == "= both agree, up to rounding\n" * 2
    with pytest.raises(AssertionError, match=r"✗ both agree; the error is 2e-12 \(at most 1e-12\)"):
        verify("both agree", [0, -2e-12])
    with pytest.raises(ValueError, match="error must be finite"):
        verify("both agree", np.nan)
    with pytest.raises(ValueError, match="at_most must be at least 0; got -1"):
        verify("both agree", 0, at_most=-1)


def test_the_bound_itself_is_within_the_claim():
    claim("x", 1, at_most=1, at_least=1)
    claim("x", 0.75, 0.5, within=0.25)


@pytest.mark.parametrize("arguments, message", [
    (("x", np.nan), r"measured must be finite; got nan"),
    (("x", np.inf), r"measured must be finite; got inf"),
    (("x", [1.0, 2.0]), r"measured must be one real number; got \[1.0, 2.0\]"),
    (("x", None), r"measured must be one real number; got None"),
    (("x", "3"), r"measured must be one real number; got '3'"),
    (("x", 10**400), r"measured must be one real number; got 10"),
    (("", 1), r"statement must be a non-empty string; got ''"),
])
def test_bad_measurements_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        claim(*arguments, at_most=1)


@pytest.mark.parametrize("bounds, message", [
    ({}, "needs either expected and within, or"),
    ({"expected": 1}, "needs either expected and within, or"),
    ({"within": 1}, "needs either expected and within, or"),
    ({"within": 1, "at_most": 2}, "needs either expected and within, or"),
    ({"expected": 1, "within": 1, "at_most": 2}, "needs either expected and within, or"),
    ({"expected": np.nan, "within": 1}, "expected must be finite; got nan"),
    ({"expected": 1, "within": -1}, "within must be at least 0; got -1"),
    ({"at_most": np.nan}, "at_most must be finite; got nan"),
    ({"at_least": np.nan}, "at_least must be finite; got nan"),
    ({"at_most": 1, "rival": np.nan}, "rival must be finite; got nan"),
    ({"at_least": 2, "at_most": 1}, "at_least must not exceed at_most; got at_least=2, at_most=1"),
    ({"at_most": 1, "digits": -1}, "digits must be at least 0; got -1"),
])
def test_bad_bounds_are_refused(bounds, message):
    with pytest.raises(ValueError, match=message):
        claim("x", 1, **bounds)


def test_the_seed_of_a_chapter(monkeypatch):
    monkeypatch.delenv("NTK_SEED", raising=False)
    assert chapter_rng().random() == np.random.default_rng(0).random()
    monkeypatch.setenv("NTK_SEED", "7")
    assert chapter_rng().random() == np.random.default_rng(7).random()
    for bad in ("-1", "1.5", "seven", ""):
        monkeypatch.setenv("NTK_SEED", bad)
        with pytest.raises(ValueError, match=f"NTK_SEED must be a non-negative integer; got '{bad}'"):
            chapter_rng()


@pytest.mark.parametrize("x", [[1.0, 10.0, 50.0], [0.1, 0.9]])
def test_log_slope_finds_an_exponent(x):
    assert log_slope(x, 3 * np.power(x, -0.5)) == pytest.approx(-0.5, abs=1e-14)


@pytest.mark.parametrize("x, y", [([1], [1]), ([2, 2], [1, 3]), ([1, 2], [0, 1]),
                                  ([-1, 2], [1, 1]), ([1, 2], [1, 2, 3])])
def test_log_slope_refuses_what_has_no_logarithm(x, y):
    with pytest.raises(ValueError, match="y must"):
        log_slope(x, y)
    with pytest.raises(ValueError, match="x must be 1-D"):
        log_slope([x], y)


def test_the_page_of_all_claims_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("NTK_LEDGER", str(tmp_path / "ledger"))
    claim("a", 0.51234, 0.5, within=0.1, rival=1 / 3, digits=2)
    claim("b", 1e-9, at_most=1e-8, rival=1.3, digits=0)
    verify("c", 0)
    with pytest.raises(AssertionError):
        claim("d", 1, at_most=0)
    assert [json.loads(line) for line in (tmp_path / "ledger").read_text().splitlines()] == [
        {"statement": "a", "measured": "0.51", "wanted": "expected 0.5 ± 0.1", "rival": "0.33"},
        {"statement": "b", "measured": None, "wanted": "at most 1e-08", "rival": "1"}, {"statement": "c"}]
