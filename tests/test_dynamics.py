import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import scipy.integrate
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from ntk_helpers.dynamics import (
    critical_learning_rate,
    eigenmodes,
    kernel_gradient_descent,
    kernel_gradient_flow,
    trained_ensemble,
)
from ntk_helpers.regression import gp_posterior, kernel_ridge, log_marginal_likelihood

REFERENCE = np.load(Path(__file__).parent / "reference" / "ensemble_mse.npz")


def random_kernel(rng, n=8, features=20):
    z = rng.standard_normal((n, features))
    return z @ z.T / features


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def problem(rng):
    """Two joint kernels of 8 training and 5 test points, cut into (train, cross, test) pairs, and targets."""
    nngp, ntk = random_kernel(rng, 13), random_kernel(rng, 13)
    seen, new = slice(8), slice(8, 13)
    pairs = [(nngp[rows, cols], ntk[rows, cols]) for rows, cols in ((seen, seen), (new, seen), (new, new))]
    return *pairs, rng.standard_normal((8, 2))


# Against Neural Tangents. Its loss is the mean over all entries of y, so its time is ours times y.size.

def reference(net, points):
    return REFERENCE[f"{net}_nngp_{points}"], REFERENCE[f"{net}_ntk_{points}"]


def assert_matches(got, name, used):
    expected = REFERENCE[name]
    used.add(name)
    assert got.shape == expected.shape
    scale = max(np.abs(expected).max(), 1e-12)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12 * scale, err_msg=name)


def test_every_array_of_neural_tangents_is_matched():
    y, used = REFERENCE["Y"], {"X", "Z", "Y", "t", "learning_rate"}
    times = np.array([*REFERENCE["t"] * REFERENCE["learning_rate"] / y.size, np.inf])
    for net in ("relu_L2", "erf_L2", "relu_L1"):
        train, cross, test = (reference(net, points) for points in ("XX", "ZX", "ZZ"))
        used |= {f"{net}_{kernel}_{points}" for kernel in ("nngp", "ntk") for points in ("XX", "ZX", "ZZ")}
        for layers, kind in (("last", "nngp"), ("all", "ntk")):
            for reg in (0, 0.001):
                # On training points the peer's regularized kernel is the function's, too.
                shifted = [k + reg * k.diagonal().mean() * np.eye(12) if name == kind else k
                           for name, k in zip(("nngp", "ntk"), train)]
                for points, pairs, jitter in (("X", (shifted,), 0), ("Z", (train, cross, test), reg)):
                    out = trained_ensemble(pairs[0], y, times, *pairs[1:], layers=layers, jitter=jitter)
                    for i, when in enumerate(("t1", "t10", "t100", "t1000", "inf")):
                        name = f"{net}_reg{reg:g}_{when}_{points}_{kind}"
                        assert_matches(out.mean[i], f"{name}_mean", used)
                        assert_matches(out.covariance[i], f"{name}_cov", used)
            if layers == "last":
                out = gp_posterior(train[0], y, cross[0], test[0], noise_variance=0.01)
            else:
                out = trained_ensemble((train[0], train[1] + 0.01 * np.eye(12)), y, np.inf, cross, test)
            assert_matches(out.mean, f"{net}_gpinf_abs0.01_{kind}_mean", used)
            assert_matches(out.covariance, f"{net}_gpinf_abs0.01_{kind}_cov", used)
        assert_matches(2 / critical_learning_rate(train[1]), f"{net}_ntk_max_eig", used)
    assert used == set(REFERENCE.files)


# Against step-by-step simulation.

def simulate(theta, cross, y, f0, f0_test, learning_rate, steps):
    train, test = [f0], [f0_test]
    for _ in range(steps):
        residual = train[-1] - y
        train.append(train[-1] - learning_rate * theta @ residual)
        test.append(test[-1] - learning_rate * cross @ residual)
    return np.array(train), np.array(test)


@pytest.mark.parametrize("share", [1e-9, 0.01, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("outputs", [(), (2,)])
def test_descent_is_the_simulation_step_by_step(rng, problem, share, outputs):
    (_, theta), (_, cross), *_ = problem
    y, f0, f0_test = (rng.standard_normal((n, *outputs)) for n in (8, 8, 5))
    rate = share * critical_learning_rate(theta)
    path = kernel_gradient_descent(theta, y, rate, 60, f0=f0, cross=cross, f0_test=f0_test)
    train, test = simulate(theta, cross, y, f0, f0_test, rate, 60)
    np.testing.assert_allclose(path.train, train, atol=1e-13)
    np.testing.assert_allclose(path.test, test, atol=1e-13)
    np.testing.assert_allclose(path.test - f0_test, test - f0_test, rtol=1e-6, atol=1e-15)
    np.testing.assert_allclose(path.residual, np.linalg.norm((train - y).reshape(61, -1), axis=1), atol=1e-14)
    assert path.times[-1] == pytest.approx(60 * rate)
    some = kernel_gradient_descent(theta, y, rate, np.array([60, 0, 7]), f0=f0, cross=cross, f0_test=f0_test)
    for got, whole in zip(some, path):
        if got is not some.eigenvalues:
            np.testing.assert_allclose(got, whole[[60, 0, 7]], atol=1e-15)


def test_the_modes_are_the_residual_in_the_eigenbasis(problem):
    theta, y = problem[0][1], problem[-1]
    path = kernel_gradient_descent(theta, y, 0.1, steps=20)
    values, vectors = eigenmodes(theta)
    np.testing.assert_allclose(vectors @ path.modes, path.train - y, atol=1e-14)
    np.testing.assert_allclose(path.modes, (1 - 0.1 * values[:, None]) ** np.arange(21)[:, None, None]
                               * (vectors.T @ -y), atol=1e-14)
    np.testing.assert_array_equal(path.eigenvalues, values)


def test_flow_is_the_solution_of_the_differential_equation(rng, problem):
    (_, theta), (_, cross), _, y = problem
    f0, f0_test, times = rng.standard_normal((8, 2)), rng.standard_normal((5, 2)), np.array([0, 0.3, 2, 9])
    path = kernel_gradient_flow(theta, y, times, f0=f0, cross=cross, f0_test=f0_test)
    for i, t in enumerate(times):
        np.testing.assert_allclose(path.train[i] - y, scipy.linalg.expm(-theta * t) @ (f0 - y), atol=1e-13)
    both = np.concatenate([theta, cross])
    solved = scipy.integrate.solve_ivp(lambda t, f: (-both @ (f.reshape(13, 2)[:8] - y)).ravel(), (0, 9),
                                       np.ravel([*f0, *f0_test]), t_eval=times, rtol=1e-10, atol=1e-12)
    solved = solved.y.T.reshape(4, 13, 2)
    np.testing.assert_allclose(path.train, solved[:, :8], atol=1e-8)
    np.testing.assert_allclose(path.test, solved[:, 8:], atol=1e-8)


def test_flow_ends_at_the_interpolator_with_its_f0_term(rng, problem):
    (_, theta), (_, cross), _, y = problem
    f0, f0_test = rng.standard_normal((8, 2)), rng.standard_normal((5, 2))
    end = kernel_gradient_flow(theta, y, np.inf, f0=f0, cross=cross, f0_test=f0_test)
    np.testing.assert_array_equal(end.train, y)
    np.testing.assert_allclose(end.test, f0_test + cross @ np.linalg.solve(theta, y - f0), atol=1e-12)
    assert end.residual == 0 and end.times == np.inf
    zero = kernel_gradient_flow(theta, y, np.inf, cross=cross)
    np.testing.assert_allclose(zero.test, kernel_ridge(theta, y, cross), atol=1e-12)
    late = kernel_gradient_flow(theta, y, [1e9, np.inf], cross=cross)
    np.testing.assert_allclose(late.test[0], zero.test, atol=1e-12)


def test_small_steps_approach_flow_at_first_order(problem):
    theta, y = problem[0][1], problem[-1]
    t = 3 / eigenmodes(theta).eigenvalues[0]
    flow = kernel_gradient_flow(theta, y, t).train
    error = [np.abs(kernel_gradient_descent(theta, y, t / s, [s]).train - flow).max() for s in (1000, 2000)]
    assert error[0] / error[1] == pytest.approx(2, abs=0.01)


def test_the_critical_learning_rate_decides_and_is_named(problem):
    theta, y = problem[0][1], problem[-1]
    critical = critical_learning_rate(theta)
    assert critical == pytest.approx(2 / np.linalg.eigvalsh(theta)[-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        below = kernel_gradient_descent(theta, y, 0.995 * critical, 500)
    assert below.residual[-1] < below.residual[0]
    for share in (1.0, 1.005):
        with pytest.warns(RuntimeWarning, match=f"critical 2/lambda_max = {critical:g}: gradient descent does not"):
            above = kernel_gradient_descent(theta, y, share * critical, 500)
    assert above.residual[-1] / above.residual[0] > 10
    with pytest.warns(RuntimeWarning) as caught:
        far = kernel_gradient_descent(theta, y, 3 * critical, np.array([10, 100_000]), cross=theta)
    assert len(caught) == 1 and np.isfinite(far.test[0]).all() and far.residual[1] == np.inf
    assert critical_learning_rate(np.zeros((2, 2))) == np.inf


def test_the_warning_is_about_the_caller():
    with pytest.warns(RuntimeWarning) as caught:
        kernel_gradient_descent(np.eye(1), [1.0], 2.0, 1)
    assert caught[0].filename == __file__


def test_a_mode_at_rest_stays_at_rest_however_far_the_others_diverge():
    with pytest.warns(RuntimeWarning):
        path = kernel_gradient_descent(np.diag([1.0, 0.5]), [0.0, 1.0], 10.0, [5000], cross=np.ones((1, 2)))
    np.testing.assert_array_equal(path.modes, [[0, -np.inf]])
    assert path.residual == np.inf and np.isinf(path.test)


def test_modes_whose_eigenvalue_vanishes_do_not_move(rng):
    z = rng.standard_normal((6, 2))
    theta, y, cross = z @ z.T, rng.standard_normal(6), rng.standard_normal((3, 2)) @ z.T
    null = np.eye(6) - z @ np.linalg.pinv(z)
    flow = kernel_gradient_flow(theta, y, [1, 1e6], cross=cross)
    np.testing.assert_allclose(null @ (flow.train[1] - y), -null @ y, atol=1e-8)
    np.testing.assert_allclose(flow.test[1], cross @ np.linalg.pinv(theta) @ y, atol=1e-7)
    steps = kernel_gradient_descent(theta, y, 0.1 / np.trace(theta), np.array([10**6]), cross=cross)
    np.testing.assert_allclose(steps.test[0], cross @ np.linalg.pinv(theta, rcond=1e-12) @ y, atol=1e-7)
    nothing = kernel_gradient_flow(np.zeros((2, 2)), [1.0, 2.0], [0, 1e6], f0=[3.0, 4.0])
    np.testing.assert_array_equal(nothing.train, [[3, 4], [3, 4]])


def test_tiny_eigenvalues_and_times_keep_their_digits():
    theta, t = np.diag([1.0, 1e-9]), np.array([1e-12, 1e3])
    moved = kernel_gradient_flow(theta, [1.0, 1.0], t, cross=np.eye(2)).test
    np.testing.assert_allclose(moved[0], [1e-12, 1e-12], rtol=1e-11)
    np.testing.assert_allclose(moved[1], [1, 1e3 * (1 - 5e-7)], rtol=1e-11)
    steps = kernel_gradient_descent(theta, [1.0, 1.0], 1.0, [10**6], cross=np.eye(2)).test[0]
    np.testing.assert_allclose(steps, [1, -np.expm1(10**6 * np.log1p(-1e-9)) / 1e-9], rtol=1e-13)


# Ensembles, posterior, ridge.

def test_the_ensemble_covariance_is_that_of_functions_drawn_and_trained(rng, problem):
    train, cross, test, y = problem
    joint = np.block([[train[0], cross[0].T], [cross[0], test[0]]])
    for layers, theta, theta_cross in (("all", train[1], cross[1]), ("last", train[0], cross[0])):
        for t in (0, 0.7, 40, np.inf):
            # Training is an affine map of the initial outputs; its columns are trajectories without targets.
            moved = kernel_gradient_flow(theta, np.zeros((8, 13)), t, f0=np.eye(13)[:8], cross=theta_cross,
                                         f0_test=np.eye(13)[8:])
            got = trained_ensemble(train, y, t, cross, test, layers=layers)
            expected = moved.test @ joint @ moved.test.T
            np.testing.assert_allclose(got.covariance, expected, atol=1e-12)
            np.testing.assert_allclose(got.std[:, 0], np.sqrt(np.diag(expected)), atol=1e-12)
            mean = kernel_gradient_flow(theta, y, t, cross=theta_cross).test
            np.testing.assert_allclose(got.mean, mean, atol=1e-12)
            seen = trained_ensemble(train, y, t, layers=layers)
            np.testing.assert_allclose(seen.covariance, moved.train @ joint @ moved.train.T, atol=1e-12)
            for covariance in (got.covariance, seen.covariance):
                np.testing.assert_array_equal(covariance, covariance.T)
                assert np.linalg.eigvalsh(covariance)[0] > -1e-13


def test_the_ensemble_agrees_with_a_sample_of_trained_functions(rng, problem):
    train, cross, test, y = problem
    joint = np.block([[train[0], cross[0].T], [cross[0], test[0]]])
    f0 = np.linalg.cholesky(joint) @ rng.standard_normal((13, 20_000))
    many = np.repeat(y[:, :1], 20_000, axis=1)
    end = kernel_gradient_flow(train[1], many, 2, f0=f0[:8], cross=cross[1], f0_test=f0[8:])
    theory = trained_ensemble(train, y[:, 0], 2, cross, test)
    # Six standard errors: of a mean std/141, of a variance std**2/100.
    assert (np.abs(end.test.mean(axis=1) - theory.mean) < 6 * theory.std / 141).all()
    assert (np.abs(end.test.var(axis=1) / theory.std**2 - 1) < 6 / 100).all()


def test_last_layer_at_infinite_time_is_the_posterior_and_all_layers_are_not(problem):
    train, cross, test, y = problem
    posterior = gp_posterior(train[0], y, cross[0], test[0])
    last, every = (trained_ensemble(train, y, np.inf, cross, test, layers=which) for which in ("last", "all"))
    for got, expected in zip(last, posterior):
        np.testing.assert_allclose(got, expected, atol=1e-11)
    assert np.abs(every.covariance - posterior.covariance).max() > 0.01


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_posterior_is_brute_force_conditioning(rng, problem, noise):
    (kernel, _), (cross, _), (test, _), y = problem
    joint = np.block([[kernel + noise * np.eye(8), cross.T], [cross, test]])
    precision = np.linalg.inv(joint)  # of (y, f): the conditional of f has the inverse of its own block
    covariance = np.linalg.inv(precision[8:, 8:])
    got = gp_posterior(kernel, y, cross, test, noise_variance=noise)
    np.testing.assert_allclose(got.covariance, covariance, atol=1e-10)
    np.testing.assert_allclose(got.mean, -covariance @ precision[8:, :8] @ y, atol=1e-10)
    np.testing.assert_array_equal(got.covariance, got.covariance.T)
    np.testing.assert_allclose(kernel_ridge(kernel, y, cross, ridge=noise), got.mean, atol=1e-12)
    one = gp_posterior(kernel, y[:, 0], cross, test, noise_variance=noise)
    np.testing.assert_allclose(one.mean, got.mean[:, 0], atol=1e-14)


def test_ridge_minimizes_its_objective(rng):
    z, z_test, y = rng.standard_normal((7, 3)), rng.standard_normal((4, 3)), rng.standard_normal(7)
    weights = np.linalg.solve(z.T @ z + 0.2 * np.eye(3), z.T @ y)
    got = kernel_ridge(z @ z.T, y, z_test @ z.T, ridge=0.2)
    np.testing.assert_allclose(got, z_test @ weights, atol=1e-13)


def test_jitter_is_relative_to_the_mean_diagonal(problem):
    (nngp, theta), (_, cross), test, y = problem
    shifted = theta + 0.1 * np.trace(theta) / 8 * np.eye(8)
    for call in (lambda k, **more: kernel_gradient_flow(k, y, 2.0, cross=cross, **more).test,
                 lambda k, **more: kernel_gradient_descent(k, y, 0.1, 9, cross=cross, **more).test,
                 lambda k, **more: trained_ensemble((nngp, k), y, 2.0, (cross, cross), test, **more).covariance,
                 lambda k, **more: gp_posterior(k, y, cross, np.eye(5), **more).covariance,
                 lambda k, **more: kernel_ridge(k, y, cross, **more),
                 lambda k, **more: eigenmodes(k, **more).eigenvalues):
        np.testing.assert_allclose(call(theta, jitter=0.1), call(shifted), atol=1e-13)


@pytest.mark.parametrize("t", [0, 0.7, 40, np.inf])
@pytest.mark.parametrize("jitter", [0.0, 1e-3, 0.5])
def test_training_points_are_test_points_too(problem, t, jitter):
    train, _, _, y = problem
    seen = kernel_gradient_flow(train[1], y, t, f0=y[::-1], cross=train[1], f0_test=y[::-1], jitter=jitter)
    np.testing.assert_allclose(seen.train, seen.test, atol=1e-12)
    np.testing.assert_allclose(seen.residual, np.linalg.norm(seen.test - y), atol=1e-12)
    steps = kernel_gradient_descent(train[1], y, 0.01, [0, 7, 10**6], cross=train[1], jitter=jitter)
    np.testing.assert_allclose(steps.train, steps.test, atol=1e-12)
    for layers in ("all", "last"):
        there = trained_ensemble(train, y, t, train, train, layers=layers, jitter=jitter)
        for got, expected in zip(trained_ensemble(train, y, t, layers=layers, jitter=jitter), there):
            np.testing.assert_allclose(got, expected, atol=1e-12)


def test_repeated_points_with_jitter_meet_in_the_middle():
    x, y = np.array([[1.0, 0], [1, 0], [0, 1]]), np.array([0.0, 1, 3])
    for flow in (kernel_gradient_flow(x @ x.T, y, np.inf, jitter=1e-6),
                 kernel_gradient_descent(x @ x.T, y, 0.5, [10**9], jitter=1e-6)):
        np.testing.assert_allclose(np.squeeze(flow.train), [0.5, 0.5, 3], atol=1e-5)
        np.testing.assert_allclose(flow.residual, 0.5**0.5, atol=1e-5)
    np.testing.assert_allclose(trained_ensemble((x @ x.T,) * 2, y, jitter=1e-6).mean, [0.5, 0.5, 3], atol=1e-5)


def test_variances_alone_are_the_diagonal(problem):
    train, cross, test, y = problem
    diagonal = np.diagonal(test[0])
    whole, part = (gp_posterior(train[0], y, cross[0], each, noise_variance=0.1) for each in (test[0], diagonal))
    assert part.covariance is None
    for times in (2.0, [0, 1, np.inf]):
        for layers in ("all", "last"):
            pairs = [(whole, part)] + [tuple(trained_ensemble(train, y, times, cross, each, layers=layers)
                                             for each in (test, (diagonal, None)))]
        for whole, part in pairs:
            np.testing.assert_allclose(part.mean, whole.mean, atol=1e-14)
            np.testing.assert_allclose(part.variance, whole.variance, atol=1e-13)
            np.testing.assert_allclose(part.std, whole.std, atol=1e-6)


def test_the_marginal_likelihood_is_the_density_of_the_targets(problem):
    from scipy.stats import multivariate_normal

    (kernel, _), _, _, y = problem
    normal = multivariate_normal(np.zeros(8), kernel + 0.3 * np.eye(8))
    got = log_marginal_likelihood(kernel, y, noise_variance=0.3)
    np.testing.assert_allclose(got, [normal.logpdf(column) for column in y.T], rtol=1e-12)
    assert log_marginal_likelihood(kernel, y[:, 0], noise_variance=0.3).shape == ()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_jitter_that_is_advised_helps(rng, dtype):
    for scale in (1e-3, 1.0, 1e4):
        z = rng.standard_normal((60, 5))
        kernel = (scale * z @ z.T).astype(dtype)
        kernel = (kernel + kernel.T) / 2
        for call in (lambda jitter, k=kernel: kernel_ridge(k, np.ones(60), k, jitter=jitter),
                     lambda jitter, k=kernel: kernel_gradient_flow(k, np.ones(60), np.inf, jitter=jitter)):
            with pytest.raises(ValueError, match="add jitter") as error:
                call(0.0)
            advice = float(re.search(r"add jitter \((\S+), say", str(error.value))[1])
            assert advice < {np.float32: 1e-2, np.float64: 1e-11}[dtype]
            call(advice)
    with pytest.raises(ValueError, match="or add jitter or a ridge"):
        kernel_ridge(np.zeros((2, 2)), np.ones(2), np.ones((1, 2)))


# Eigenmodes, singular kernels, rounding.

def test_eigenmodes_decompose_largest_first_with_fixed_signs(problem):
    theta = problem[0][1]
    values, vectors = eigenmodes(theta)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose(vectors * values @ vectors.T, theta, atol=1e-14)
    angle = 2 * np.pi * np.arange(16) / 16
    vectors = eigenmodes(2 + np.cos(angle[:, None] - angle)).eigenvectors
    np.testing.assert_allclose(vectors[:, 0], np.full(16, 0.25), atol=1e-14)  # constant, and not its negative


def duplicated(rng):
    theta = random_kernel(rng)
    rows = [0, 1, 2, 3, 4, 5, 6, 6]
    return theta[np.ix_(rows, rows)]


def test_singular_kernels_are_refused_with_advice(rng):
    theta, y = duplicated(rng), rng.standard_normal(8)
    advice = "must be positive definite beyond rounding; got a singular matrix. Remove duplicate training"
    for name, call in (("theta", lambda **more: kernel_gradient_flow(theta, y, np.inf, **more)),
                       ("theta", lambda **more: kernel_gradient_flow(theta, y, [1, 1e18], **more)),
                       ("theta", lambda **more: kernel_gradient_descent(theta, y, 0.01, [10**18], **more)),
                       ("train.ntk", lambda **more: trained_ensemble((theta, theta), y, **more)),
                       ("train.nngp", lambda **more: trained_ensemble((theta, theta), y, layers="last", **more)),
                       ("kernel", lambda **more: gp_posterior(theta, y, theta, theta, **more)),
                       ("kernel", lambda **more: kernel_ridge(theta, y, theta, **more))):
        with pytest.raises(ValueError, match=f"^{name} {advice}"):
            call()
        call(jitter=1e-6)
    kernel_ridge(theta, y, theta, ridge=1e-6)
    gp_posterior(theta, y, theta, theta, noise_variance=1e-6)
    with pytest.raises(ValueError, match="or ask for times well below") as error:
        kernel_gradient_flow(theta, y, np.inf)
    limit = float(str(error.value).split()[-1])  # one digit: rounded by a third at most
    assert np.isfinite(kernel_gradient_flow(theta, y, limit * 0.7).train).all()
    with pytest.raises(ValueError, match="theta must be positive definite"):
        kernel_gradient_flow(theta, y, limit * 1.6)
    with pytest.raises(ValueError, match="kernel must be positive definite.* or a ridge"):
        kernel_ridge(-np.eye(2), [1, 2], np.eye(2))
    with pytest.raises(ValueError, match="or ask for times well below [0-9]e"):
        kernel_gradient_flow(np.zeros((2, 2)), [1, 2], np.inf)


def test_negative_eigenvalues_are_zero_within_rounding_and_refused_beyond():
    values = eigenmodes(np.diag([1.0, -2e-16])).eigenvalues
    np.testing.assert_array_equal(values, [1, 0])
    with pytest.raises(ValueError, match="theta must be positive semi-definite; got the eigenvalue -1e-12"):
        eigenmodes(np.diag([1.0, 0.5, -1e-12]))
    eigenmodes(np.diag([1.0, -1e-7]).astype(np.float32))  # rounding is that of what came
    assert eigenmodes(np.eye(2, dtype=np.float32)).eigenvalues.dtype == np.float64
    eigenmodes(np.diag([1.0, -1e-12]), jitter=1e-6)


# Properties.

problems = st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 14))


@given(problems, st.lists(st.floats(0, 1e4), min_size=1, max_size=6), st.floats(0.01, 0.99))
@settings(max_examples=60, deadline=None)
def test_the_residual_never_grows(sizes, times, share):
    seed, n, features = sizes
    rng = np.random.default_rng(seed)
    theta, y = random_kernel(rng, n, features), rng.standard_normal(n)
    flow = kernel_gradient_flow(theta, y, sorted(times))
    assert (np.diff(flow.residual) <= 1e-15 * np.linalg.norm(y)).all()
    steps = kernel_gradient_descent(theta, y, share * critical_learning_rate(theta), 30)
    assert (np.diff(steps.residual) <= 1e-15 * np.linalg.norm(y)).all()
    np.testing.assert_allclose(flow.residual, np.linalg.norm(flow.train - y, axis=1), atol=1e-13)


@given(problems, st.floats(0, 50), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_examples_does_not_matter(sizes, t, random):
    seed, n, features = sizes
    rng = np.random.default_rng(seed)
    theta, nngp, y, cross = (random_kernel(rng, n, features), random_kernel(rng, n), rng.standard_normal(n),
                             rng.standard_normal((3, n)))
    order = random.sample(range(n), n)
    both = np.ix_(order, order)
    flow = kernel_gradient_flow(theta, y, t, cross=cross)
    moved = kernel_gradient_flow(theta[both], y[order], t, cross=cross[:, order])
    np.testing.assert_allclose(moved.train, flow.train[order], atol=1e-12)
    np.testing.assert_allclose(moved.test, flow.test, atol=1e-10)
    test = 10 * np.eye(3)
    there = trained_ensemble((nngp, theta), y, t, (cross, cross), (test, test))
    again = trained_ensemble((nngp[both], theta[both]), y[order], t, (cross[:, order],) * 2, (test, test))
    np.testing.assert_allclose(again.covariance, there.covariance, atol=1e-8)
    np.testing.assert_allclose(kernel_ridge(theta[both], y[order], cross[:, order], ridge=0.1),
                               kernel_ridge(theta, y, cross, ridge=0.1), atol=1e-10)


@given(problems, st.floats(1e-3, 1e3), st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_scaling_the_kernel_rescales_time(sizes, scale, t):
    seed, n, features = sizes
    rng = np.random.default_rng(seed)
    theta, y = random_kernel(rng, n, features), rng.standard_normal(n)
    np.testing.assert_allclose(kernel_gradient_flow(scale * theta, y, t / scale).train,
                               kernel_gradient_flow(theta, y, t).train, atol=1e-11)


# At the door.

def test_arguments_are_never_modified(problem):
    train, cross, test, y = problem
    arrays = [*train, *cross, *test, y]
    before = [a.copy() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    f0_test = np.ones((len(cross[0]), y.shape[1]))
    for jitter in (0, 0.1):
        kernel_gradient_flow(train[1], y, [0, 1], f0=y, cross=cross[1], f0_test=f0_test, jitter=jitter)
        kernel_gradient_descent(train[1], y, 0.1, 3, f0=y, cross=cross[1], f0_test=f0_test, jitter=jitter)
        trained_ensemble(train, y, 1, cross, test, jitter=jitter)
        trained_ensemble(train, y, jitter=jitter, layers="last")
        gp_posterior(train[0], y, cross[0], test[0], noise_variance=0.1, jitter=jitter)
        kernel_ridge(train[0], y, cross[0], ridge=0.1, jitter=jitter)
    for a, b in zip(arrays, before):
        np.testing.assert_array_equal(a, b)


def test_shapes_follow_times_and_targets(problem):
    train, cross, test, y = problem
    for times, t in ((1.0, ()), (np.inf, ()), ([1, 2, np.inf], (3,))):
        for target, k in ((y, (2,)), (y[:, 0], ()), (y[:, :1], (1,))):
            flow = kernel_gradient_flow(train[1], target, times, cross=cross[1])
            assert [np.shape(a) for a in flow] == [t, (8,), (*t, 8, *k), t, (*t, 8, *k), (*t, 5, *k)]
            out = trained_ensemble(train, target, times, cross, test)
            assert (out.mean.shape, out.covariance.shape, out.variance.shape) == ((*t, 5, *k), (*t, 5, 5), (*t, 5))
            assert (out.mean - 2 * out.std).shape == out.mean.shape
            assert trained_ensemble(train, target, times).mean.shape == (*t, 8, *k)
            assert kernel_gradient_flow(train[1], target, times).test is None


def test_scipy_is_loaded_only_when_used():
    code = "import sys, ntk_helpers.dynamics; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


E, Y, PAIR, UPPER = np.eye(3), np.ones(3), (np.eye(3), np.eye(3)), np.triu(np.ones((3, 3)))


@pytest.mark.parametrize("call, message", [
    (lambda: kernel_gradient_flow(E, Y, -1), "times must be at least 0; got -1"),
    (lambda: kernel_gradient_flow(E, Y, [1, -np.inf]), "times must be at least 0; got -"),
    (lambda: kernel_gradient_flow(E, Y, [1, np.nan]), "times must be at least 0; got nan"),
    (lambda: kernel_gradient_flow(E, Y, []), r"times must not be empty; got shape \(0,\)"),
    (lambda: kernel_gradient_flow(E, Y, [[1]]), r"times must be 0-D or 1-D; got shape \(1, 1\)"),
    (lambda: kernel_gradient_flow(E, Y, 1j), "times must be a real numeric array; got dtype complex128"),
    (lambda: kernel_gradient_flow(E, Y, "soon"), "times must be a real numeric array; got dtype <U4"),
    (lambda: kernel_gradient_flow(E, Y, None), "times must be a real numeric array; got dtype object"),
    (lambda: kernel_gradient_flow(np.ones((3, 4)), Y, 1), r"theta must be square.*got shape \(3, 4\)"),
    (lambda: kernel_gradient_flow(Y, Y, 1), r"theta must be 2-D; got shape \(3,\)"),
    (lambda: kernel_gradient_flow(np.ones((0, 0)), Y, 1), r"theta must not be empty; got shape \(0, 0\)"),
    (lambda: kernel_gradient_flow(E * 1j, Y, 1), "theta must be a real numeric array; got dtype complex128"),
    (lambda: kernel_gradient_flow(E * np.nan, Y, 1), "theta must be finite; got 9 entries"),
    (lambda: kernel_gradient_flow(UPPER, Y, 1), "theta must be symmetric; got entries that differ.* by 1$"),
    (lambda: kernel_gradient_flow(-E, Y, 1), "theta must be positive semi-definite; got the eigenvalue -1"),
    (lambda: kernel_gradient_flow(E, np.ones(4), 1), r"y must have 3 rows; got shape \(4,\)"),
    (lambda: kernel_gradient_flow(E, np.ones((3, 1, 1)), 1), "y must be 1-D or 2-D"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0=Y[:2]), r"f0 must have 3 rows; got shape \(2,\)"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0=np.ones((3, 1))), r"f0 must be 1-D; got shape \(3, 1\)"),
    (lambda: kernel_gradient_flow(E, Y, 1, cross=E[:, 1:]), r"cross must have 3 columns; got shape \(3, 2\)"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0=Y, cross=E), "f0 and f0_test must be given.*got only f0"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0_test=Y, cross=E), "f0 and f0_test.*got f0_test without f0"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0=Y, f0_test=Y), "f0 and f0_test.*got f0_test without"),
    (lambda: kernel_gradient_flow(E, Y, 1, f0=Y, f0_test=Y[:2], cross=E), "f0_test must have 3 rows; got"),
    (lambda: kernel_gradient_flow(E, np.ones((3, 2)), 1, f0=np.ones((3, 1))), "f0 must have 2 columns; got shape"),
    (lambda: kernel_gradient_flow(E, E, 1, f0=E, f0_test=E[:, :2], cross=E), "f0_test must have 3 columns; got"),
    (lambda: kernel_gradient_flow(E, Y, 1, jitter=-1), "jitter must be at least 0; got -1"),
    (lambda: kernel_gradient_descent(E, Y, 0, 5), "learning_rate must be above 0; got 0"),
    (lambda: kernel_gradient_descent(E, Y, np.nan, 5), "learning_rate must be finite; got nan"),
    (lambda: kernel_gradient_descent(E, Y, 0.1, -1), "steps must be at least 0; got -1"),
    (lambda: kernel_gradient_descent(E, Y, 0.1, 2.5), "steps must be an integer; got 2.5"),
    (lambda: kernel_gradient_descent(E, Y, 0.1, [1, -2]), "steps must be at least 0; got -2"),
    (lambda: kernel_gradient_descent(E, Y, 0.1, []), "steps must not be empty"),
    (lambda: kernel_gradient_descent(E, Y, 0.1, [[1]]), "steps must be an integer"),
    (lambda: critical_learning_rate(np.ones((2, 3))), "theta must be square"),
    (lambda: eigenmodes(E, jitter=np.nan), "jitter must be finite; got nan"),
    (lambda: trained_ensemble(PAIR, Y, layers="first"), "layers must be \"all\" or \"last\"; got 'first'"),
    (lambda: trained_ensemble(PAIR, Y[:2]), r"y must have 3 rows; got shape \(2,\)"),
    (lambda: trained_ensemble((E, E, E), Y), r"train must be a pair \(nngp, ntk\), as of arch.kernels; got tuple"),
    (lambda: trained_ensemble(E, Y), r"train must be a pair \(nngp, ntk\), as of arch.kernels; got ndarray"),
    (lambda: trained_ensemble((E, E[:2]), Y), r"train.ntk must be square.*got shape \(2, 3\)"),
    (lambda: trained_ensemble((np.eye(2), E), Y), r"train.nngp must have 3 rows; got shape \(2, 2\)"),
    (lambda: trained_ensemble((UPPER, E), Y), "train.nngp must be symmetric"),
    (lambda: trained_ensemble(PAIR, Y, 1, PAIR), "cross and test go together; got only cross"),
    (lambda: trained_ensemble(PAIR, Y, 1, None, PAIR), "cross and test go together; got only test"),
    (lambda: trained_ensemble(PAIR, Y, 1, E, PAIR), "cross must be a pair"),
    (lambda: trained_ensemble(PAIR, Y, 1, (E[:, :2], E), PAIR), "cross.nngp must have 3 columns"),
    (lambda: trained_ensemble(PAIR, Y, 1, (E, E[:2]), PAIR), "cross.ntk must have 3 rows; got"),
    (lambda: trained_ensemble(PAIR, Y, 1, (E, E[:, :2]), PAIR), "cross.ntk must have 3 columns; got"),
    (lambda: trained_ensemble(PAIR, Y, 1, PAIR, E), "test must be a pair"),
    (lambda: trained_ensemble(PAIR, Y, 1, PAIR, (np.eye(2), E)), "test.nngp must have 3 rows; got"),
    (lambda: trained_ensemble(PAIR, Y, -1), "times must be at least 0"),
    (lambda: gp_posterior(E, Y, E, np.ones((3, 2))), r"test must have 3 columns; got shape \(3, 2\)"),
    (lambda: gp_posterior(E, Y, E, np.ones(2)), r"test must have 3 rows; got shape \(2,\)"),
    (lambda: gp_posterior(E, Y, E[:, :2], E), "cross must have 3 columns"),
    (lambda: gp_posterior(E, Y, E, E, noise_variance=-1), "noise_variance must be at least 0; got -1"),
    (lambda: gp_posterior(np.ones((3, 2)), Y, E, E), "kernel must be square"),
    (lambda: kernel_ridge(E, Y, E, ridge=-0.5), "ridge must be at least 0; got -0.5"),
    (lambda: log_marginal_likelihood(E, Y, noise_variance=-1), "noise_variance must be at least 0; got -1"),
    (lambda: kernel_ridge(E, Y, E[:, :2]), "cross must have 3 columns; got"),
    (lambda: kernel_ridge(E, np.ones(2), E), "y must have 3 rows"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
