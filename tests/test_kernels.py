import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from ntk_helpers import activations, kernels
from ntk_helpers.activations import absolute, erf, gaussian, gelu, leaky_relu, rbf, relu, tanh, two_slope
from ntk_helpers.layers import Activation, Architecture, Dense, Residual, mlp, resnet

REFERENCE = Path(__file__).parent / "reference"
ACTIVATIONS = {"relu": relu, "leakyrelu0.1": leaky_relu(0.1), "abrelu_-0.5_1.3": two_slope(-0.5, 1.3),
               "abs": absolute, "erf": erf, "gelu": gelu, "sin": activations.sin, "cos": activations.cos,
               "rbf1": rbf(1.0), "gaussian": gaussian, "sigmoid_like": activations.sigmoid_like}
#: Errors are relative to sqrt(K(x, x) K(x', x')) of the kernel in question.
TOLERANCE = 1e-12
#: The reference's own error in the NTK where inputs are nearly parallel: it takes the angle from its cosine.
REFERENCE_NEAR, NEAR = 1e-6, 1 - 1e-6


def read(name):
    return np.load(REFERENCE / f"{name}.npz")


def errors(arch, got, wanted, x1, x2):
    """Return errors relative to the scale, for both kernels, and the cosines between the outputs."""
    scales = [np.sqrt(np.outer(a, b)) for a, b in zip(arch.diagonal(x1), arch.diagonal(x2))]
    off = [np.abs(part - other) / np.where(scale > 0, scale, np.finfo(float).tiny)
           for part, other, scale in zip(got, wanted, scales)]
    return *off, np.abs(wanted[0]) / np.where(scales[0] > 0, scales[0], 1)


def assert_matches(arch, wanted, x1, x2=None):
    first = arch.layers[0]
    other = x1 if x2 is None else x2
    nngp, ntk, cosine = errors(arch, arch.kernels(x1, x2), wanted, x1, other)
    below = Architecture((first,))
    scale = np.sqrt(np.outer(*(below.diagonal(x).nngp for x in (x1, other))))
    near = (cosine > NEAR) | (np.abs(below.kernels(x1, other).nngp) > NEAR * scale)
    assert nngp.max() <= TOLERANCE
    assert ntk[~near].max(initial=0) <= TOLERANCE
    assert ntk.max() <= REFERENCE_NEAR


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_reference_is_matched(name):
    data = read(f"kernels_{name}")
    for d in (1, 5, 64) if name in ("relu", "erf") else (5,):
        x, z = data[f"X_d{d}"], data[f"Z_d{d}"]
        for i, depth in enumerate(data["L"]):
            for j, weight_std in enumerate(data["W_std"]):
                for m, bias_std in enumerate(data["b_std"]):
                    arch = mlp(depth, ACTIVATIONS[name], weight_std, bias_std)
                    for (x1, x2), of in (((x, None), "XX"), ((z, x), "ZX")):
                        wanted = [data[f"{kind}_{of}_d{d}"][i, j, m] for kind in ("nngp", "ntk")]
                        assert_matches(arch, wanted, x1, x2)


@pytest.mark.parametrize("name, activation, weight_std, bias_std", [
    ("relu", relu, 2**0.5, 0.0), ("relu_b", relu, 2**0.5, 0.1), ("erf", erf, 1.5, 0.05)])
@pytest.mark.parametrize("depth", [10, 30, 100])
def test_the_reference_of_deep_networks_is_matched(name, activation, weight_std, bias_std, depth):
    data = read("kernels_deep")
    wanted = [data[f"{name}_L{depth}_{kind}"] for kind in ("nngp", "ntk")]
    assert_matches(mlp(depth, activation, weight_std, bias_std), wanted, data["X"])


@pytest.mark.parametrize("name, weight_std", [("relu", 2**0.5), ("erf", 1.5)])
def test_the_reference_of_residual_networks_is_matched(name, weight_std):
    data = read("resnet")
    for i, depth in enumerate(data["L"]):
        for j, scale in enumerate(data["alpha"]):
            arch = resnet(depth, ACTIVATIONS[name], scale, weight_std, 0.1)
            for (x1, x2), of in (((data["X"], None), "XX"), ((data["Z"], data["X"]), "ZX")):
                wanted = [data[f"{name}_{kind}_{of}"][i, j] for kind in ("nngp", "ntk")]
                assert_matches(arch, wanted, x1, x2)


@pytest.mark.parametrize("name", ["relu", "leakyrelu0.1", "abs", "erf"])
@pytest.mark.parametrize("d", [1, 5])
@pytest.mark.parametrize("bias_std", [0.0, 0.1])
@pytest.mark.parametrize("given_twice", [False, True])
def test_hard_points_are_exact(name, d, bias_std, given_twice):
    """Duplicates, antipodes, zeros, collinear, nearly equal, norms 1e-8 to 1e8: against 60 digits."""
    exact, x = read("hardcases_exact"), read("hardcases")[f"H_d{d}"]
    for i, depth in enumerate((1, 2, 3, 6)):
        arch = mlp(depth, ACTIVATIONS[name], 2**0.5, bias_std)
        result = arch.kernels(x, x if given_twice else None)
        for kind, got, diagonal in zip(("nngp", "ntk"), result, arch.diagonal(x)):
            wanted = exact[f"{name}_d{d}_b{bias_std}_{kind}"][i]
            scale = np.sqrt(np.outer(wanted.diagonal(), wanted.diagonal()))
            assert np.all(np.abs(got - wanted) <= 1e-13 * scale)
            if not given_twice:
                np.testing.assert_array_equal(got, got.T)
                np.testing.assert_array_equal(got.diagonal(), diagonal)
                assert np.all(np.abs(diagonal - wanted.diagonal()) <= 1e-14 * wanted.diagonal())


@pytest.mark.parametrize("name", ["relu", "leakyrelu0.1", "abs", "erf"])
def test_hard_points_in_single_precision(name):
    exact, x = read("hardcases_exact"), read("hardcases")["H_d5"]
    for bias_std in (0.0, 0.1):
        for i, depth in enumerate((1, 2, 3, 6)):
            arch = mlp(depth, ACTIVATIONS[name], 2**0.5, bias_std)
            for kind, got in zip(("nngp", "ntk"), arch.kernels(x, dtype=np.float32)):
                wanted = exact[f"{name}_d5_b{bias_std}_{kind}"][i]
                scale = np.sqrt(np.outer(wanted.diagonal(), wanted.diagonal()))
                assert got.dtype == np.float32 and np.array_equal(got, got.T)
                # Angles down to 0.03 are taken from covariances rounded to 6e-8, layer after layer.
                assert np.all(np.abs(got - wanted) <= 1e-5 * scale)
                assert np.all(np.abs(got.diagonal() - wanted.diagonal()) <= 1e-6 * wanted.diagonal())


@pytest.mark.parametrize("name", ["gelu", "sin", "cos", "rbf1", "gaussian", "sigmoid_like"])
def test_hard_points_of_smooth_activations(name):
    data = read("hardcases")
    for d in (1, 5):
        x = data[f"H_d{d}"]
        for i, depth in enumerate((1, 2, 3, 6)):
            arch = mlp(depth, ACTIVATIONS[name], 2**0.5, 0.1)
            for kind, got in zip(("nngp", "ntk"), arch.kernels(x)):
                np.testing.assert_array_equal(got, got.T)
                # Without the norms of 1e8, which are too much for the reference.
                ordinary = np.ix_(*2 * [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13]])
                wanted = data[f"{name}_d{d}_b0.1_{kind}"][i][ordinary]
                np.testing.assert_allclose(got[ordinary], wanted, rtol=0, atol=1e-9 * wanted.max())


@pytest.mark.parametrize("depth", [1, 3, 10, 30])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-14), (np.float32, 1e-6)])
def test_the_diagonal_of_the_relu_ntk_is_depth_plus_one_times_the_nngp(depth, dtype, tolerance):
    x = np.random.default_rng(0).standard_normal((300, 64))
    nngp, ntk = mlp(depth, relu, 2**0.5).kernels(x, dtype=dtype)
    wanted = 2 * (x**2).mean(axis=1)
    np.testing.assert_allclose(nngp.diagonal(), wanted, rtol=max(tolerance, 3e-15))
    np.testing.assert_allclose(ntk.diagonal(), (depth + 1) * wanted, rtol=tolerance)
    # Duplicates off the diagonal and in a second argument, too.
    again = mlp(depth, relu, 2**0.5).kernels(x[:20], x[:20], dtype=dtype).ntk
    np.testing.assert_allclose(again.diagonal(), (depth + 1) * wanted[:20], rtol=tolerance)


def test_nearly_parallel_inputs_are_as_exact_as_others():
    """The tangent kernel of one ReLU layer at angle t is linear in t: no digit of t may be lost."""
    t = 10.0 ** -np.arange(0, 16)
    x = np.stack([np.cos(t), np.sin(t)], axis=1)
    got = mlp(1, relu, 1.0).kernels(np.array([[1.0, 0.0]]), x).ntk[0]
    wanted = (np.sin(t) + 2 * (np.pi - t) * np.cos(t)) / (4 * np.pi)
    np.testing.assert_allclose(got, wanted, rtol=3e-16 * 4)
    for bias_std in (0.0, 0.3):  # in deep networks all inputs become nearly parallel
        arch = mlp(80, relu, 1.0, bias_std)
        few = np.random.default_rng(0).standard_normal((4, 3))
        i, j = np.triu_indices(4, 1)
        listed = kernels.listed(arch.layers, few[i], few[j])
        for got, wanted in zip(arch.kernels(few), listed):
            np.testing.assert_allclose(got[i, j], wanted, rtol=1e-12)


@pytest.mark.parametrize("scale", [200, 1e4])
def test_small_angles_of_large_inputs_are_told_by_smooth_functions(scale):
    """So far out an error function is nearly a step."""
    t = np.geomspace(1e-4, 3e-2, 40)
    x, one = scale * np.stack([np.cos(t), np.sin(t)], axis=1), np.array([[scale, 0.0]])
    arch = mlp(1, erf, 1.0)
    for got, wanted in zip(arch.kernels(one, x), kernels.listed(arch.layers, np.repeat(one, 40, axis=0), x)):
        np.testing.assert_allclose(got[0], wanted, rtol=1e-12)


def test_linear_networks_are_polynomials_of_the_inner_product():
    x = np.random.default_rng(0).standard_normal((6, 4))
    inner = x @ x.T / 4
    for arch in (Architecture((Dense(1.5), Dense(0.7), Dense(2.0))), mlp(2, activations.identity, 1.0)):
        weights = [layer.weight_std**2 for layer in arch.layers if isinstance(layer, Dense)]
        nngp, ntk = arch.kernels(x)
        np.testing.assert_allclose(nngp, np.prod(weights) * inner, rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(ntk, 3 * np.prod(weights) * inner, rtol=1e-14, atol=1e-15)
    nngp, ntk = Architecture((Dense(1.5, 0.3), Dense(0.7, 0.2))).kernels(x)
    first = 1.5**2 * inner + 0.3**2
    np.testing.assert_allclose(nngp, 0.49 * first + 0.04, rtol=1e-14)
    np.testing.assert_allclose(ntk, 0.49 * 2 * first + 0.04, rtol=1e-14)


@pytest.mark.parametrize("activation", [relu, tanh, gelu, activations.cos], ids=lambda a: a.name)
def test_kernels_are_expectations_over_gaussian_functions(activation):
    """One layer by samples: 80 numbers within 5 standard errors; over all seeds a false alarm in 20 000."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((4, 3))
    w, b = rng.standard_normal((3, 400_000)), 0.4 * rng.standard_normal(400_000)
    z = 1.3 / 3**0.5 * x @ w + b
    h, slope = activation.phi(z), activation.derivative(z)
    first = 1.3**2 * x @ x.T / 3 + 0.16
    i, j = np.triu_indices(4)
    nngp, ntk = (part[i, j] for part in mlp(1, activation, 1.3, 0.4).kernels(x))
    for samples, got in ((1.69 * h[i] * h[j] + 0.16, nngp),
                         (1.69 * h[i] * h[j] + 0.16 + 1.69 * slope[i] * slope[j] * first[i, j, None], ntk)):
        error = samples.std(axis=1) / samples.shape[1] ** 0.5
        assert np.all(np.abs(samples.mean(axis=1) - got) < 5 * error)


# Properties

stds = {"weight_std": st.floats(0.5, 1.6), "bias_std": st.sampled_from([0.0, 0.1, 1.0])}
some = {"depth": st.integers(1, 4), "activation": st.sampled_from([*ACTIVATIONS.values(), tanh])}
architectures = st.builds(mlp, **some, **stds) | st.builds(resnet, **some, **stds, scale=st.just(0.7))
kinked = st.sampled_from([relu, absolute, leaky_relu(0.3)])
homogeneous = st.builds(mlp, st.integers(1, 5), kinked, st.floats(0.5, 2))


@st.composite
def inputs(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((draw(st.integers(1, 9)), draw(st.integers(1, 6))))
    for _ in range(draw(st.integers(0, 3))):  # some points equal, opposite, zero or nearly equal
        i, j = rng.integers(0, len(x), 2)
        x[i] = x[j] * draw(st.sampled_from([1.0, -1.0, 0.0, 0.5, 1 + 1e-9]))
    return x


def close(got, wanted, arch, x1, x2, tolerance=1e-11):
    return all(part.max() <= tolerance for part in errors(arch, got, wanted, x1, x2)[:2])


@given(architectures, inputs())
@settings(max_examples=120, deadline=None)
def test_kernels_are_finite_symmetric_and_positive(arch, x):
    result = arch.kernels(x)
    for got, diagonal in zip(result, arch.diagonal(x)):
        assert np.isfinite(got).all()
        np.testing.assert_array_equal(got, got.T)
        np.testing.assert_array_equal(got.diagonal(), diagonal)
        assert np.linalg.eigvalsh(got).min() >= -1e-13 * len(x) * diagonal.max()
    assert close(arch.kernels(x, x), result, arch, x, x)
    assert np.linalg.eigvalsh(result.ntk - result.nngp).min() >= -1e-12 * len(x) * result.ntk.max()


@given(architectures, inputs(), st.randoms())
@settings(max_examples=60, deadline=None)
def test_kernels_do_not_see_order_or_rotation(arch, x, random):
    order = list(range(len(x)))
    random.shuffle(order)
    result = arch.kernels(x)
    wanted = [part[np.ix_(order, order)] for part in result]
    assert close(arch.kernels(x[order]), wanted, arch, x[order], x[order])
    rng = np.random.default_rng(random.randrange(2**32))
    rotation = np.linalg.qr(rng.standard_normal((x.shape[1],) * 2))[0]
    assert close(arch.kernels(x @ rotation), result, arch, x, x, 1e-10)
    assert close(arch.kernels(x @ rotation, x @ rotation), result, arch, x, x, 1e-10)


@given(homogeneous, inputs(), st.floats(1e-6, 1e6), st.floats(1e-6, 1e6))
@settings(max_examples=60, deadline=None)
def test_kernels_of_homogeneous_networks_scale(arch, x, a, b):
    wanted = [a * b * part for part in arch.kernels(x, x)]
    assert close(arch.kernels(a * x, b * x), wanted, arch, a * x, b * x)


# Tiles

@pytest.fixture
def small_tiles(monkeypatch):
    monkeypatch.setattr(kernels, "ROWS", 8)
    monkeypatch.setattr(kernels, "COLUMNS", 16)
    monkeypatch.setitem(kernels.FEW, "numpy", 0)


@pytest.mark.parametrize("arch", [
    mlp(3, relu, 2**0.5, 0.1), resnet(2, erf, 0.5, 1.5, 0.1), mlp(1, tanh, 1.2)],
    ids=["relu", "residual", "tanh"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_tiles_equal_the_whole(arch, dtype, small_tiles):
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((53, 5)), rng.standard_normal((37, 5))
    x[40], z[:3] = x[2], x[:3]
    tolerance = 1e-13 if dtype == np.float64 else 3e-6
    for x2 in (None, z):
        result = arch.kernels(x, x2, dtype=dtype)
        whole = kernels.tile(arch.layers, x.astype(dtype), (x if x2 is None else z).astype(dtype),
                             np.empty((4, 53 * 53), dtype), arch.diagonal(x) if x2 is None else None)
        assert close(result, whole, arch, x, x if x2 is None else z, tolerance)
        for got in result:
            assert got.dtype == dtype and got.flags.c_contiguous
            assert x2 is not None or np.array_equal(got, got.T)
        for threads in (2, 3):
            for got, wanted in zip(arch.kernels(x, x2, dtype=dtype, threads=threads), result):
                np.testing.assert_array_equal(got, wanted)


def test_threads_give_the_same_bits():
    x = np.random.default_rng(0).standard_normal((700, 30))
    x[600:620] = x[:20]
    arch = mlp(2, relu, 2**0.5, 0.05)
    for x2 in (None, x[:300]):
        for one, two in zip(arch.kernels(x, x2), arch.kernels(x, x2, threads=2)):
            np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 31, 32, 33, 64, 100])
def test_slices_cover_everything_once(n, small_tiles):
    slices = kernels._split(n, 16)
    assert np.array_equal(np.concatenate([np.arange(n)[part] for part in slices]), np.arange(n))
    assert max(part.stop - part.start for part in slices) <= 24


def test_progress_is_told(small_tiles):
    for threads in (1, 2):
        told = []
        mlp(1, relu).kernels(np.eye(50), threads=threads, progress=lambda *call, told=told: told.append(call))
        assert told == [(i, 7) for i in range(1, 8)]


@pytest.mark.parametrize("arch, n, d", [
    (mlp(3, relu, 2**0.5, 0.1), 1500, 8), (mlp(1, relu), 700, 1), (mlp(1, tanh), 600, 8),
    (resnet(1, gelu, 0.5), 1000, 8)], ids=["relu", "collinear", "tanh", "residual"])
def test_memory_beyond_the_results_is_small(arch, n, d):
    x = np.random.default_rng(0).standard_normal((n, d))
    x /= np.abs(x).max()
    arch.kernels(x[:2])  # tables and imports
    tracemalloc.start()
    arch.kernels(x, threads=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - 2 * 8 * n * n < 50e6


def test_arguments_are_not_modified_and_precision_is_on_request():
    x = np.random.default_rng(0).standard_normal((5, 3))
    before = x.copy()
    arch = mlp(2, relu)
    wanted = arch.kernels(x, x[:2])
    arch.kernels(x)
    arch.diagonal(x)
    np.testing.assert_array_equal(x, before)
    assert wanted.nngp.dtype == np.float64 and wanted.nngp.shape == wanted.ntk.shape == (5, 2)
    assert arch.kernels(x.astype(np.float32)).ntk.dtype == np.float64
    assert arch.kernels(x, dtype="float32").ntk.dtype == np.float32
    for got, part in zip(arch.kernels(x.tolist(), x[:2].tolist()), wanted):
        np.testing.assert_array_equal(got, part)
    np.testing.assert_array_equal(arch.kernels([[1, 2]]).nngp, arch.kernels([[1.0, 2.0]]).nngp)


class Store:
    """What can be assigned to in slices, and by one thread at a time."""

    def __init__(self, shape, dtype):
        self.held, self.shape, self.dtype, self.busy = np.full(shape, np.nan, dtype), shape, np.dtype(dtype), False

    def __setitem__(self, where, values):
        assert not self.busy
        self.busy = True
        self.held[where] = values
        time.sleep(1e-5)
        self.busy = False


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("x2", [None, np.random.default_rng(1).standard_normal((20, 5))], ids=["itself", "x2"])
def test_given_arrays_are_filled(dtype, x2, tmp_path, small_tiles):
    x = np.random.default_rng(0).standard_normal((50, 5))
    wanted = ARCH.kernels(x, x2, dtype=dtype)
    shape = wanted.ntk.shape
    given = np.memmap(tmp_path / "nngp", dtype, "w+", shape=shape), np.empty(shape[::-1], dtype).T
    result = ARCH.kernels(x, x2, dtype=dtype, threads=2, out=given)
    assert isinstance(result, kernels.Kernels) and all(part is own for part, own in zip(result, given))
    store = Store(shape, dtype)
    assert ARCH.kernels(x, x2, dtype=dtype, threads=3, out=[None, store]).nngp is None
    for got, part in zip((*given, store.held), (*wanted, wanted.ntk)):
        np.testing.assert_array_equal(got, part)


def test_residual_branches_may_be_off_or_flipped():
    x = np.random.default_rng(0).standard_normal((5, 3))
    plain, off = mlp(1, relu, 1.5, 0.1), resnet(3, relu, 0.0, 1.5, 0.1)
    for got, wanted in zip(off.kernels(x), plain.kernels(x)):
        np.testing.assert_allclose(got, wanted, rtol=1e-14)
    for got, wanted in zip(resnet(2, relu, -0.5).kernels(x), resnet(2, relu, 0.5).kernels(x)):
        np.testing.assert_array_equal(got, wanted)


ARCH = mlp(1, relu)
X = np.ones((4, 3))


@pytest.mark.parametrize("call, message", [
    (lambda: mlp(0, relu), "depth must be at least 1; got 0"),
    (lambda: mlp(-1, relu), "depth must be at least 1; got -1"),
    (lambda: mlp(1.5, relu), "depth must be an integer; got 1.5"),
    (lambda: resnet(0, relu), "depth must be at least 1; got 0"),
    (lambda: mlp(1, "relu"), "activation must be a Nonlinearity, such as relu, erf or tanh; got 'relu'"),
    (lambda: mlp(1, relu, weight_std=0), "weight_std must be above 0; got 0"),
    (lambda: mlp(1, relu, weight_std=-1), "weight_std must be above 0; got -1"),
    (lambda: mlp(1, relu, bias_std=-0.1), "bias_std must be at least 0; got -0.1"),
    (lambda: mlp(1, relu, bias_std=np.nan), "bias_std must be finite; got nan"),
    (lambda: resnet(1, relu, scale=np.inf), "scale must be finite; got inf"),
    (lambda: Residual(relu, 1.0, -1.0), "weight_std must be above 0; got -1"),
    (lambda: Residual(max), "activation must be a Nonlinearity"),
    (lambda: Architecture((Activation(relu), Dense())).kernels(X), "layers must start with a Dense layer"),
    (lambda: Architecture(()).diagonal(X), "layers must start with a Dense layer"),
    (lambda: ARCH.kernels(np.ones(3)), r"x1 must be 2-D; got shape \(3,\)"),
    (lambda: ARCH.kernels(3.0), r"x1 must be 2-D; got shape \(\)"),
    (lambda: ARCH.kernels(np.array(3.0)), r"x1 must be 2-D; got shape \(\)"),
    (lambda: ARCH.kernels(np.ones((2, 3, 4))), r"x1 must be 2-D; got shape \(2, 3, 4\)"),
    (lambda: ARCH.kernels(X, np.ones((4, 2))), r"x2 must have 3 columns; got shape \(4, 2\)"),
    (lambda: ARCH.kernels(X, np.ones(3)), r"x2 must be 2-D; got shape \(3,\)"),
    (lambda: ARCH.kernels(np.ones((0, 3))), r"x1 must not be empty; got shape \(0, 3\)"),
    (lambda: ARCH.kernels(np.ones((3, 0))), r"x1 must not be empty; got shape \(3, 0\)"),
    (lambda: ARCH.kernels([[1.0, np.nan]]), "x1 must be finite; got 1 entries"),
    (lambda: ARCH.kernels(X, [[1.0, np.inf, 0.0]]), "x2 must be finite; got 1 entries"),
    (lambda: ARCH.kernels([[1.0], [2.0, 3.0]]), "x1 must be a numeric array; got a list"),
    (lambda: ARCH.kernels(X.astype(object)), "x1 must be a real numeric array; got dtype object"),
    (lambda: ARCH.kernels(X * 1j), "x1 must be a real numeric array; got dtype complex128"),
    (lambda: ARCH.kernels([["a"]]), "x1 must be a real numeric array; got dtype <U1"),
    (lambda: ARCH.kernels(X, dtype=int), "dtype must be float64 or float32; got <class 'int'>"),
    (lambda: ARCH.kernels(X, dtype="half"), "dtype must be float64 or float32; got 'half'"),
    (lambda: ARCH.kernels(X, dtype="f9"), "dtype must be float64 or float32; got 'f9'"),
    (lambda: ARCH.kernels(X, threads=0), "threads must be at least 1; got 0"),
    (lambda: ARCH.kernels(X, threads=1.0), "threads must be an integer; got 1.0"),
    (lambda: ARCH.kernels(X, progress=True), r"progress must be callable as progress\(done, of\); got True"),
    (lambda: ARCH.kernels(X * 1e200), "x1 must have rows whose squares .* to 1e70 in float64; got .* to inf"),
    (lambda: ARCH.kernels(X, X * 1e-80), "x2 must have rows whose squares .* to 1e70 in float64"),
    (lambda: ARCH.kernels(X * 1e20, dtype=np.float32), "x1 must have rows whose .* to 1e35 in float32"),
    (lambda: mlp(50, relu, 1e3).kernels(X), "x1 must have rows .* Rescale x1, or weight_std"),
    (lambda: ARCH.kernels(np.broadcast_to(1.0, (2**33, 1))), "x2 must be short .* 8589934592 and 8589934592 rows"),
    (lambda: ARCH.kernels(scipy.sparse.eye(3).tocsr()), "x1 must be a dense array; got a sparse csr_.*toarray"),
    (lambda: ARCH.diagonal(scipy.sparse.eye(3).tocsr()), "x must be a dense array; got a sparse csr_.*toarray"),
    (lambda: ARCH.kernels(X, out=np.empty((4, 4))), r"out must be a pair \(nngp, ntk\) of arrays or None; got ndarray"),
    (lambda: ARCH.kernels(X, out=(None,) * 3), r"out must be a pair \(nngp, ntk\) of arrays or None; got tuple"),
    (lambda: ARCH.kernels(X, out=(None, np.empty((4, 3)))), r"out must have arrays of shape \(4, 4\) and .* \(4, 3\)"),
    (lambda: ARCH.kernels(X, out=(np.empty((4, 4), int), None)), "out must have .* dtype float64; got .* dtype int64"),
    (lambda: ARCH.kernels(X, out=(None, 3)), "out must have arrays .* got shape None and dtype None"),
    (lambda: ARCH.diagonal(np.ones(3)), r"x must be 2-D; got shape \(3,\)"),
    (lambda: ARCH.diagonal([[np.nan]]), "x must be finite; got 1 entries"),
    (lambda: ARCH.diagonal(X * 1e200), "x must have rows whose squares"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_kernels_need_no_scipy():
    code = "import sys, numpy as np, ntk_helpers.layers as l, ntk_helpers.activations as a; " \
           "l.mlp(1, a.erf).kernels(np.eye(3)); sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_result_that_finds_no_memory_is_refused(monkeypatch):
    def empty(shape, dtype):
        raise MemoryError

    monkeypatch.setattr(kernels.np, "empty", empty)
    with pytest.raises(ValueError, match="x1 and x2 must be short enough .* got 6 and 6 rows"):
        ARCH.kernels(np.ones((6, 3)))
