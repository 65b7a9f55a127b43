"""The engine "numba": what holds for NumPy's kernels holds for compiled ones, and the two agree."""

import subprocess
import sys
from functools import partialmethod
from itertools import product

import numpy as np
import pytest
import test_kernels
from hypothesis import given, settings
from hypothesis import strategies as st

from ntk_helpers import _compiled, kernels
from ntk_helpers.activations import absolute, erf, identity, leaky_relu, relu, sigmoid_like, tanh, two_slope
from ntk_helpers.layers import Activation, Architecture, Dense, Layer, mlp, resnet

COMPILED = ["relu", "leakyrelu0.1", "abrelu_-0.5_1.3", "abs", "erf"]
EXACT = ["relu", "leakyrelu0.1", "abs", "erf"]
DEEP = [("relu", relu, 2**0.5, 0.0), ("relu_b", relu, 2**0.5, 0.1), ("erf", erf, 1.5, 0.05)]
TILES = mlp(3, relu, 2**0.5, 0.1), resnet(2, erf, 0.5, 1.5, 0.1)
tests = test_kernels


@pytest.fixture(autouse=True)
def threads_that_are_asked_for(monkeypatch):
    """Small matrices, too, are shared among threads."""
    monkeypatch.setitem(kernels.FEW, "numba", 0)


@pytest.mark.parametrize("test, arguments", [
    *product([tests.test_the_reference_is_matched], product(COMPILED)),
    *((tests.test_the_reference_of_deep_networks_is_matched, (*deep, depth)) for deep in DEEP for depth in (10, 100)),
    *product([tests.test_the_reference_of_residual_networks_is_matched], [("relu", 2**0.5), ("erf", 1.5)]),
    *product([tests.test_hard_points_are_exact], product(EXACT, [1, 5], [0.0, 0.1], [False, True])),
    *product([tests.test_hard_points_in_single_precision], product(EXACT)),
    *product([tests.test_the_diagonal_of_the_relu_ntk_is_depth_plus_one_times_the_nngp],
             [(depth, *kind) for depth in (1, 3, 30) for kind in ((np.float64, 1e-14), (np.float32, 1e-6))]),
    (tests.test_nearly_parallel_inputs_are_as_exact_as_others, ()),
    (tests.test_linear_networks_are_polynomials_of_the_inner_product, ()),
    (tests.test_threads_give_the_same_bits, ()),
    *product([tests.test_memory_beyond_the_results_is_small], [(TILES[0], 1500, 8), (mlp(1, relu), 700, 1)])])
def test_what_holds_for_numpy_holds(test, arguments, monkeypatch):
    monkeypatch.setattr(Architecture, "kernels", partialmethod(kernels.kernels, engine="numba"))
    test(*arguments)


stds = {"weight_std": st.floats(0.5, 1.6), "bias_std": st.sampled_from([0.0, 0.1, 1.0])}
some = {"depth": st.integers(1, 4), "activation": st.sampled_from(
    [relu, absolute, leaky_relu(0.1), two_slope(-0.5, 1.3), identity, erf, sigmoid_like])}
architectures = st.builds(mlp, **some, **stds) | st.builds(resnet, **some, **stds, scale=st.just(0.7))


@given(architectures, tests.inputs())
@settings(max_examples=120, deadline=None)
def test_engines_agree(arch, x):
    for x2 in (None, x):
        wanted = arch.kernels(x, x2)
        assert tests.close(arch.kernels(x, x2, engine="numba"), wanted, arch, x, x, 1e-13)
        # In single precision NumPy's are further off where angles are small.
        assert tests.close(arch.kernels(x, x2, dtype=np.float32, engine="numba"), wanted, arch, x, x, 1e-5)
    for got, diagonal in zip(arch.kernels(x, engine="numba"), arch.diagonal(x)):
        np.testing.assert_array_equal(got, got.T)
        np.testing.assert_array_equal(got.diagonal(), diagonal)


@pytest.mark.parametrize("activation", [relu, absolute, leaky_relu(0.1), erf, sigmoid_like], ids=lambda a: a.name)
@pytest.mark.parametrize("size", [1.0, 1e2, 1e8])
def test_no_angle_is_a_hard_one(activation, size):
    """Pairs done by the loop and pairs done again: against the formulas that lose nothing at any angle."""
    rng = np.random.default_rng(0)
    angle, length = 10.0 ** np.linspace(-8, 0.49, 2000), size * 10 ** rng.uniform(-1, 1, 2000)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1) * length[:, None]
    y = size * np.array([[2.0, -1.0]])
    x[:, :] = x @ np.array([[2.0, -1.0], [1.0, 2.0]]) / 5**0.5
    for depth, bias_std in product((1, 2, 5), (0.0, 0.1)):
        arch = mlp(depth, activation, 2**0.5, bias_std)
        wanted = [part[None] for part in kernels.listed(arch.layers, np.repeat(y, len(x), axis=0), x)]
        assert tests.close(arch.kernels(y, x, engine="numba"), wanted, arch, y, x, 1e-13)


@pytest.mark.parametrize("arch", TILES, ids=["relu", "residual"])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 3e-6)])
def test_tiles_equal_the_whole(arch, dtype, tolerance):
    x = np.random.default_rng(0).standard_normal((500, 64))
    x[200], x[201] = x[2], 2 * x[2]
    result = arch.kernels(x, dtype=dtype, engine="numba")
    assert tests.close(result, arch.kernels(x), arch, x, x, tolerance)
    for got, again in zip(result, arch.kernels(x, dtype=dtype, engine="numba", threads=2)):
        assert got.dtype == dtype and np.array_equal(got, again)


@pytest.mark.parametrize("arch", TILES, ids=["relu", "residual"])
def test_what_is_compiled_is_what_is_written(arch, monkeypatch):
    """The same functions, run by Python line by line."""
    x = np.random.default_rng(0).standard_normal((12, 3))
    x[7] = x[2]
    wanted = arch.kernels(x, engine="numba"), arch.kernels(x, x[:4], engine="numba")
    for name in ("_arcsine", "_line", "_kink", "_erf", "_factors", "_rows", "transpose"):
        monkeypatch.setattr(_compiled, name, getattr(_compiled, name).py_func)
    for x2, results in zip((None, x[:4]), wanted):
        for got, part in zip(arch.kernels(x, x2, engine="numba"), results):
            np.testing.assert_allclose(got, part, rtol=1e-14, atol=1e-15)


def test_the_engine_is_the_one_that_is_asked_for(monkeypatch):
    """Another one would differ by rounding only."""
    rows, seen = _compiled._rows, []
    monkeypatch.setattr(_compiled, "_rows", lambda *args: seen.append(args[0].shape) or rows(*args))
    for engine in ("numpy", "numba"):
        mlp(1, relu).kernels(np.eye(3), np.eye(2, 3), engine=engine)
    assert seen == [(3, 2)]


def test_given_arrays_are_filled(tmp_path):
    x, shape = np.random.default_rng(0).standard_normal((300, 5)), (300, 300)
    wanted, store = TILES[0].kernels(x, engine="numba"), tests.Store(shape, np.dtype(float))
    given = np.memmap(tmp_path / "nngp", float, "w+", shape=shape), np.empty(shape, order="F")
    for out in (given, (None, store)):
        TILES[0].kernels(x, engine="numba", threads=2, out=out)
    for got, part in zip((*given, store.held), (*wanted, wanted.ntk)):
        np.testing.assert_array_equal(got, part)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_polynomial_is_the_arcsine(dtype):
    u = np.concatenate([np.linspace(-1, 1, 1001), 10.0 ** np.arange(-30, 0)]).astype(dtype)
    got = [_compiled._arcsine.py_func(each, dtype) for each in u]
    np.testing.assert_allclose(got, np.arcsin(u.astype(float)), rtol=6 * np.finfo(dtype).eps)


class Flat(Layer):
    activation = weight_std = None


@pytest.mark.parametrize("arch, engine, message", [
    (mlp(1, relu), "fortran", "engine must be 'numpy' or 'numba'; got 'fortran'"),
    (mlp(1, relu), None, "engine must be 'numpy' or 'numba'; got None"),
    (mlp(1, tanh), "numba", "activation must be a two_slope, erf or sigmoid_like for engine 'numba'; got .*tanh"),
    (Architecture((Activation(relu), Dense())), "numba", "layers must start with a Dense layer"),
    (Architecture((Dense(), Flat())), "numba", "layers must be Dense, Activation or Residual for engine 'numba'; got")])
def test_bad_input_is_refused(arch, engine, message):
    with pytest.raises(ValueError, match=message):
        arch.kernels(np.eye(3), engine=engine)


def test_numba_is_asked_for_only_where_it_is_needed(monkeypatch):
    code = "import sys, ntk_helpers as n; n.mlp(1, n.relu).kernels([[1.0]]); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    monkeypatch.delattr("ntk_helpers._compiled")
    monkeypatch.delitem(sys.modules, "ntk_helpers._compiled")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match="engine 'numba' needs Numba, which is not installed: pip install numba"):
        mlp(1, relu).kernels(np.eye(3), engine="numba")


def test_compiled_code_is_kept_where_it_can_be(monkeypatch, tmp_path):
    code = "from ntk_helpers import _compiled as c, mlp, relu; mlp(1, relu).kernels([[1.0, 2.0]], engine='numba'); " \
           "print(sum(c._rows.stats.cache_hits.values()))"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for hits in ("0", "1"):
        assert subprocess.run([sys.executable, "-c", code], text=True, capture_output=True).stdout.strip() == hits
    scope = {}
    exec("def twice(x): return 2 * x", scope)  # of no file: there is no place beside it
    assert _compiled._compile(scope["twice"])(4) == 8
