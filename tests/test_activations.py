import math

import numpy as np
import pytest

from ntk_helpers import activations
from ntk_helpers.activations import Nonlinearity, absolute, cos, erf, gelu, leaky_relu, rbf, relu, tanh, two_slope
from ntk_helpers.layers import Activation, mlp

SMOOTH = [erf, gelu, rbf(1.0), rbf(0.3), tanh, activations.sin, activations.cos, activations.gaussian,
          activations.sigmoid_like]
KINKED = [relu, absolute, activations.identity, leaky_relu(0.1), two_slope(-0.5, 1.3), two_slope(2.0, 0.0)]
ALL = SMOOTH + KINKED
VARIANCES = [(1.0, 1.0), (0.3, 2.0), (4.0, 3.0), (0.01, 6.0), (0.0, 1.0)]
COSINES = np.array([-1.0, -0.999, -0.6, 0.0, 0.3, 0.99, 1.0])


def named(values):
    return pytest.mark.parametrize("activation", values, ids=lambda activation: activation.name)


def expectation(f, q1, q2, cosine, step=0.05):
    """E[f(u) f(v)] as a sum over a grid: exact to rounding if f is smooth, of error step^2 at a kink."""
    z = np.arange(-11, 11, step)
    w = np.exp(-z * z / 2)
    w /= w.sum()
    v = cosine * z[:, None] + np.sqrt(1 - cosine**2) * z
    return w @ (f(np.sqrt(q1) * z)[:, None] * f(np.sqrt(q2) * v)) @ w


def dual(activation, q1, q2, cosine):
    q1, q2, cosine = np.broadcast_arrays(q1, q2, np.asarray(cosine, float))
    k = cosine * np.sqrt(q1 * q2)
    return activation.dual(k, q1, q2, q1 * q2 * (1 - cosine**2))


@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.0])
def test_rbf_has_the_gaussian_kernel(gamma):
    value = dual(rbf(gamma), 0.3, 2.0, COSINES)[0]
    np.testing.assert_allclose(value, np.exp(-gamma * (2.3 - 2 * COSINES * 0.6**0.5)), rtol=1e-12)
    assert rbf().name == "rbf(1)"


def test_sigmoid_like_is_close_to_the_logistic_function():
    x = np.linspace(-10, 10, 2001)
    np.testing.assert_allclose(activations.sigmoid_like.phi(x), 1 / (1 + np.exp(-x)), atol=0.01)


def test_a_line_of_another_slope_multiplies_the_kernels():
    x = np.random.default_rng(0).standard_normal((4, 3))
    steep, plain = (mlp(2, two_slope(slope, slope)).kernels(x) for slope in (3, 1))
    np.testing.assert_allclose(steep, 81 * np.array(plain), rtol=1e-13)


@named(KINKED)
def test_the_slope_at_a_kink_is_the_left_one(activation):
    assert activation.derivative(np.zeros(1)) == activation.derivative(-np.ones(1))


@named(SMOOTH)
@pytest.mark.parametrize("q1, q2", VARIANCES)
def test_duals_of_smooth_functions_are_expectations(activation, q1, q2):
    values = dual(activation, q1, q2, COSINES)
    for f, got in zip((activation.phi, activation.derivative), values):
        wanted = [expectation(f, q1, q2, cosine) for cosine in COSINES]
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-13 * max(1, np.abs(wanted).max()))


@named(KINKED)
def test_duals_of_kinked_functions_are_expectations(activation):
    for q1, q2 in VARIANCES[1:3]:
        values = dual(activation, q1, q2, COSINES)
        for f, got, tolerance in zip((activation.phi, activation.derivative), values, (1e-3, 2e-2)):
            wanted = [expectation(f, q1, q2, cosine, 0.02) for cosine in COSINES]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance * max(1, np.abs(wanted).max()))


@named([a for a in SMOOTH if a is not tanh])
def test_quadrature_agrees_with_the_closed_forms(activation):
    numeric = Nonlinearity("numeric", activation.phi, activation.derivative)
    for q1, q2 in VARIANCES:
        for got, wanted in zip(dual(numeric, q1, q2, COSINES), dual(activation, q1, q2, COSINES)):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12)


@named([relu, absolute, leaky_relu(0.1)])
def test_quadrature_of_a_kink_at_zero_is_as_good(activation):
    numeric = Nonlinearity("numeric", activation.phi, activation.derivative, tame=0)
    for q1, q2 in VARIANCES[:-1]:
        for got, wanted in zip(dual(numeric, q1, q2, COSINES), dual(activation, q1, q2, COSINES)):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-11 * np.sqrt(q1 * q2) + 1e-11)
    many = np.linspace(0.99, 1, 40)
    for got, wanted in zip(dual(numeric, 0.3, 2.0, many), dual(activation, 0.3, 2.0, many)):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-11)
    x = np.random.default_rng(0).standard_normal((9, 3))
    for got, wanted in zip(mlp(2, numeric, 1.4, 0.1).kernels(x), mlp(2, activation, 1.4, 0.1).kernels(x)):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-10)


def test_quadrature_where_all_inputs_are_equal():
    x = np.array([[0.6, 0.1]] * 3)
    numeric = Nonlinearity("numeric", erf.phi, erf.derivative)
    for got, wanted in zip(mlp(1, numeric).kernels(x), mlp(1, erf).kernels(x)):
        np.testing.assert_allclose(got, wanted, rtol=1e-13)


def test_a_function_of_the_user_needs_no_more_than_itself_and_its_derivative():
    selu = Nonlinearity("selu", lambda x: 1.0507 * np.where(x > 0, x, 1.67326 * np.expm1(np.minimum(x, 0))),
                        lambda x: 1.0507 * np.where(x > 0, 1, 1.67326 * np.exp(np.minimum(x, 0))))
    swish = Nonlinearity("swish", lambda x: x / (1 + np.exp(-x)),
                         lambda x: (1 + np.exp(-x) * (1 + x)) / (1 + np.exp(-x)) ** 2)
    for activation, tolerance in ((selu, 2e-3), (swish, 1e-12)):
        values = dual(activation, 0.7, 1.2, COSINES)
        for f, got, factor in zip((activation.phi, activation.derivative), values, (1, 20)):
            wanted = [expectation(f, 0.7, 1.2, cosine) for cosine in COSINES]
            np.testing.assert_allclose(got, wanted, rtol=0, atol=factor * tolerance)


@pytest.mark.parametrize("phi, derivative, scale, message", [
    (lambda x: np.clip(x, -1, 1), lambda x: 1.0 * (np.abs(x) < 1), 1, "user must be smooth enough .* 1e-11"),
    (np.tanh, lambda x: 1 - np.tanh(x) ** 2, 100, "user must be smooth enough .* variances up to"),
    (lambda x: np.sin(300 * x), lambda x: 300 * np.cos(300 * x), 1, "activation user must be smooth enough"),
    (lambda x: np.log(x), lambda x: 1 / x, 1, "user must be smooth enough .* got an estimated nan"),
    (np.tanh, np.cos, 1, r"derivative must be that of phi; got another function \(activation user\)"),
    (np.sign, np.zeros_like, 1, "derivative must be that of phi"),
])
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_quadrature_refuses_what_it_cannot_do(phi, derivative, scale, message):
    x = scale * np.random.default_rng(0).standard_normal((5, 3))
    with pytest.raises(ValueError, match=message):
        mlp(1, Nonlinearity("user", phi, derivative)).kernels(x)


@named(ALL)
def test_derivatives(activation):
    x = np.concatenate([np.linspace(-5.03, 5, 200), [1e-3, -1e-3]])
    step = 1e-5
    numeric = (activation.phi(x + step) - activation.phi(x - step)) / (2 * step)
    np.testing.assert_allclose(activation.derivative(x), numeric, rtol=0, atol=1e-8)


@named(SMOOTH)
def test_derivatives_by_complex_step(activation):
    x = np.linspace(-4, 4, 101)
    wanted = activation.phi(x + 1e-30j).imag / 1e-30
    np.testing.assert_allclose(activation.derivative(x), wanted, rtol=1e-13, atol=1e-15)


@named(ALL)
def test_functions_keep_precision_shape_and_argument(activation):
    for dtype in (np.float32, np.float64):
        x = np.linspace(-2, 2, 12, dtype=dtype).reshape(3, 4)
        before = x.copy()
        for f in (activation.phi, activation.derivative):
            assert f(x).dtype == dtype and f(x).shape == (3, 4)
            assert not np.shares_memory(f(x), x)
        np.testing.assert_array_equal(x, before)


@named(ALL)
def test_duals_do_not_touch_their_arguments(activation):
    arguments = [np.full((2, 3), 0.5), np.ones((2, 1)), np.ones((1, 3)), np.full((2, 3), 0.75)]
    before = [part.copy() for part in arguments]
    for part in activation.dual(*arguments):
        assert part.shape == (2, 3)
    for part, old in zip(arguments, before):
        np.testing.assert_array_equal(part, old)


def test_names_say_which():
    assert repr(relu).startswith("TwoSlope(name='relu'")
    names = [activation.name for activation in (leaky_relu(0.1), two_slope(-1, 0.5), rbf(2))]
    assert names == ["leaky_relu(0.1)", "two_slope(-1, 0.5)", "rbf(2)"]
    assert cos.derivative(np.zeros(1)) == 0 and cos.phi(np.ones(1)) == np.cos(1)  # no phase that is rounded
    assert leaky_relu().phi(np.array([-1.0, 1.0])).tolist() == [-0.01, 1.0]


@pytest.mark.parametrize("call, message", [
    (lambda: two_slope(0, 0), "negative and positive must not both be zero; got 0 and 0"),
    (lambda: two_slope(np.nan, 1), "negative must be finite; got nan"),
    (lambda: two_slope(1, "a"), "positive must be one real number; got 'a'"),
    (lambda: leaky_relu(np.inf), "slope must be finite; got inf"),
    (lambda: leaky_relu("a"), "slope must be one real number; got 'a'"),
    (lambda: rbf(0), "gamma must be above 0; got 0"),
    (lambda: Nonlinearity("f", 3, np.cos), "phi must be a function; got 3"),
    (lambda: Nonlinearity("f", math.tanh, np.cos), "phi must act elementwise .* got TypeError: .* np.vectorize"),
    (lambda: Nonlinearity("f", lambda x: x if x > 0 else 0, np.sign), "phi must act elementwise .* got ValueError"),
    (lambda: Nonlinearity("f", np.tanh, lambda x: 1.0), r"derivative must act elementwise .* got one of shape \(\)"),
    (lambda: Nonlinearity("f", np.sum, np.sign), r"phi must act elementwise .* got one of shape \(\)"),
    (lambda: Nonlinearity("f", np.sin, None), "derivative must be a function; got None"),
    (lambda: Nonlinearity("f", np.sin, np.cos, tolerance=0), "tolerance must be above 0; got 0"),
    (lambda: Nonlinearity("f", np.sin, np.cos, tame=-1), "tame must be at least 0; got -1"),
    (lambda: Activation("relu"), "activation must be a Nonlinearity, such as relu, erf or tanh; got 'relu'"),
    (lambda: Activation(np.tanh), "activation must be a Nonlinearity, .* got <ufunc 'tanh'>"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
