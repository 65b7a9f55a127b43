import numpy as np
import pytest

from ntk_helpers import fourier_features, least_squares, least_squares_path, relu_features


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def test_fourier_features_average_to_the_gaussian_kernel(rng):
    x = rng.standard_normal((6, 3))
    z = fourier_features(rng, 3, 200_000, bandwidth=1.5)(x)
    kernel = np.exp(-((x[:, None] - x) ** 2).sum(-1) / (2 * 1.5**2))
    # A product of two features has standard deviation at most 1.5: 200 000 of them, six standard errors.
    np.testing.assert_allclose(z @ z.T / 200_000, kernel, atol=6 * 1.5 / 200_000**0.5)


def test_relu_features_average_to_the_arc_cosine_kernel(rng):
    x = rng.standard_normal((6, 3))
    z = relu_features(rng, 3, 200_000, bias_std=0.5)(x)
    inner = x @ x.T + 0.25
    norms = np.sqrt(np.diag(inner))
    cosine = np.clip(inner / np.outer(norms, norms), -1, 1)
    angle = np.arccos(cosine)
    kernel = np.outer(norms, norms) / np.pi * (np.sin(angle) + (np.pi - angle) * cosine)
    np.testing.assert_allclose(z @ z.T / 200_000, kernel, atol=6 * 3 * norms.max() ** 2 / 200_000**0.5)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (10, 10)])
@pytest.mark.parametrize("outputs", [(), (3,)])
def test_least_squares_agrees_with_numpy(rng, shape, outputs):
    z, y = rng.standard_normal(shape), rng.standard_normal((shape[0], *outputs))
    c = least_squares(z, y)
    assert c.shape == (shape[1], *outputs)
    np.testing.assert_allclose(c, np.linalg.pinv(z) @ y, atol=1e-10)
    several = least_squares(z, y, ridge=[0.0, 0.3, 2.0])
    assert several.shape == (3, shape[1], *outputs)
    for ridge, got in zip([0.3, 2.0], several[1:]):
        np.testing.assert_allclose(got, np.linalg.solve(z.T @ z + ridge * np.eye(shape[1]), z.T @ y), atol=1e-10)
        np.testing.assert_allclose(got, least_squares(z, y, ridge), atol=1e-13)
    np.testing.assert_allclose(several[0], c, atol=1e-13)


def test_rank_deficient_features_give_the_minimum_norm_solution(rng):
    z = rng.standard_normal((12, 3)) @ rng.standard_normal((3, 9))
    y = rng.standard_normal(12)
    c = least_squares(z, y)
    np.testing.assert_allclose(c, np.linalg.pinv(z, rcond=1e-10) @ y, atol=1e-10)
    assert np.abs(np.linalg.svd(z)[2][3:] @ c).max() < 1e-12  # nothing outside the row space
    assert not least_squares(np.zeros((4, 2)), y[:4]).any()


def test_a_path_is_the_same_as_its_single_fits(rng):
    z, y, z_test = rng.standard_normal((20, 40)), rng.standard_normal((20, 2)), rng.standard_normal((7, 40))
    path = least_squares_path(z, y, z_test, [1, 20, 40], ridges=[0, 0.5])
    assert path.train.shape == (3, 2, 20, 2) and path.test.shape == (3, 2, 7, 2) and path.norm.shape == (3, 2)
    for i, p in enumerate([1, 20, 40]):
        for j, ridge in enumerate([0, 0.5]):
            c = least_squares(z[:, :p] / p**0.5, y, ridge)
            np.testing.assert_allclose(path.train[i, j], z[:, :p] / p**0.5 @ c, atol=1e-10)
            np.testing.assert_allclose(path.test[i, j], z_test[:, :p] / p**0.5 @ c, atol=1e-10)
            np.testing.assert_allclose(path.norm[i, j], np.linalg.norm(c))


def test_other_precisions_are_computed_in_double(rng):
    z, y = rng.integers(-3, 4, (9, 4)).astype(float), rng.integers(-3, 4, 9).astype(float)
    for dtype in (int, np.float16, np.longdouble):
        got = least_squares(z.astype(dtype), y.astype(dtype))
        assert got.dtype == float
        np.testing.assert_allclose(got, least_squares(z, y), atol=1e-14)


ONES = np.ones((4, 3))


@pytest.mark.parametrize("call, message", [
    (lambda rng: fourier_features(rng, 3, 0), "count must be at least 1; got 0"),
    (lambda rng: fourier_features(rng, 0, 3), "inputs must be at least 1; got 0"),
    (lambda rng: fourier_features(rng, True, 3), "inputs must be an integer; got True"),
    (lambda rng: fourier_features(rng, 3, 5, bandwidth=0), "bandwidth must be above 0; got 0"),
    (lambda rng: fourier_features(rng, 3, 5, bandwidth=np.inf), "bandwidth must be finite; got inf"),
    (lambda rng: fourier_features(7, 3, 5), "rng must be a numpy.random.Generator"),
    (lambda rng: fourier_features(rng, 3, 5)(np.ones(3)), r"x must be 2-D; got shape \(3,\)"),
    (lambda rng: fourier_features(rng, 3, 5)(np.ones((2, 4))), r"x must have 3 columns; got shape \(2, 4\)"),
    (lambda rng: relu_features(rng, 3, 5)([[1, np.nan, 0]]), "x must be finite; got 1 entries"),
    (lambda rng: relu_features(rng, 3, 0), "count must be at least 1; got 0"),
    (lambda rng: relu_features(rng, 0, 3), "inputs must be at least 1; got 0"),
    (lambda rng: relu_features(7, 3, 5), "rng must be a numpy.random.Generator"),
    (lambda rng: relu_features(rng, 3, 5)(np.ones((2, 4))), r"x must have 3 columns; got shape \(2, 4\)"),
    (lambda rng: relu_features(rng, 3, 5, bias_std=-1), "bias_std must be at least 0; got -1"),
    (lambda rng: relu_features(rng, 3, 5)([[1, 2, 3], [4]]), "x must be a numeric array"),
    (lambda rng: relu_features(rng, 1, 5)([["a"]]), "x must be a real numeric array; got dtype <U1"),
    (lambda rng: least_squares(np.ones(4), np.ones(4)), r"z must be 2-D; got shape \(4,\)"),
    (lambda rng: least_squares(np.ones((0, 3)), np.ones(0)), r"z must not be empty; got shape \(0, 3\)"),
    (lambda rng: least_squares(ONES, np.ones(5)), r"y must have 4 rows; got shape \(5,\)"),
    (lambda rng: least_squares(ONES, np.ones((4, 1, 1))), r"y must be 1-D or 2-D; got shape \(4, 1, 1\)"),
    (lambda rng: least_squares(ONES * np.inf, np.ones(4)), "z must be finite; got 12 entries"),
    (lambda rng: least_squares(ONES, np.ones(4), ridge=-1), "ridge must not be negative; got -1"),
    (lambda rng: least_squares(ONES, np.ones(4), ridge=[]), r"ridge must not be empty; got shape \(0,\)"),
    (lambda rng: least_squares(ONES * 1j, np.ones(4)), "z must be a real numeric array; got dtype complex128"),
    (lambda rng: least_squares_path(ONES, ONES, ONES, [0]), "sizes must be at least 1; got 0"),
    (lambda rng: least_squares_path(ONES, ONES, ONES, [2, 4]), r"sizes must hold numbers from 1 to 3.*got \[2, 4\]"),
    (lambda rng: least_squares_path(ONES, ONES, ONES, []), r"sizes must hold numbers from 1 to 3"),
    (lambda rng: least_squares_path(ONES, ONES[:3], ONES, [1]), r"y_train must have 4 rows; got shape \(3, 3\)"),
    (lambda rng: least_squares_path(ONES, ONES, np.ones((4, 2)), [1]),
     r"z_test must have 3 columns; got shape \(4, 2\)"),
    (lambda rng: least_squares_path(ONES[0], ONES, ONES, [1]), r"z_train must be 2-D; got shape \(3,\)"),
    (lambda rng: least_squares_path(ONES, ONES, ONES, [1], ridges=0.5), r"ridges must be 1-D; got shape \(\)"),
    (lambda rng: least_squares_path(ONES, ONES, ONES, [1], ridges=[-1]), "ridge must not be negative"),
])
def test_bad_input_is_refused(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng)
