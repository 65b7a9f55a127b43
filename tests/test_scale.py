"""Blocks for Dask, ridge regression by preconditioned conjugate gradients, and what interrupts them."""

import os
import subprocess
import sys

import dask
import dask.array as da
import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster

from ntk_helpers import erf, mlp, regression, relu, scale

ARCH = mlp(2, relu, 2**0.5, 0.1)
RNG = np.random.default_rng(0)
X, Z = RNG.standard_normal((230, 5)), RNG.standard_normal((31, 5))
Y = np.column_stack([np.sin(2 * X[:, 0]), X[:, 1] * X[:, 2], np.zeros(230), RNG.standard_normal(230)])
RIDGE = 0.05


def predictor(dtype=float):
    return regression.kernel_ridge(ARCH.kernels(X, dtype=dtype).ntk, Y, ARCH.kernels(Z, X).ntk, ridge=RIDGE)


def blocks(dtype=float, **options):
    options = {"dtype": dtype, "chunk": 64} | options
    return scale.kernel(ARCH, X, **options), scale.kernel(ARCH, Z, X, **options)


def solve(kernels=None, y=Y, **options):
    options = {"ridge": RIDGE, "rank": 40, "rng": np.random.default_rng(1), "tolerance": 1e-8} | options
    kernel, cross = kernels or blocks()
    return scale.kernel_ridge(kernel, y, cross, **options)


@pytest.fixture(autouse=True)
def on_threads():
    with dask.config.set(scheduler="threads", num_workers=2):
        yield


# Kernels

@pytest.mark.parametrize("which", ["nngp", "ntk"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_blocks_are_the_kernels(which, dtype):
    for engine in ("numpy", "numba"):
        for x2 in (None, Z):
            lazy = scale.kernel(ARCH, X, x2, which=which, dtype=dtype, engine=engine, chunk=64)
            got, wanted = lazy.compute(), getattr(ARCH.kernels(X, x2), which)
            assert lazy.dtype == got.dtype == dtype and lazy.shape == got.shape == wanted.shape
            np.testing.assert_allclose(got, wanted, rtol=1e-13 if dtype == np.float64 else 2e-5)
            if x2 is None:
                np.testing.assert_array_equal(got, got.T)


def test_blocks_are_lazy_and_only_those_above_the_diagonal_are_made(monkeypatch):
    calls = []
    monkeypatch.setattr(scale, "_block", lambda *a, make=scale._block: calls.append(a) or make(*a))
    lazy = scale.kernel(ARCH, X, dtype=float, chunk=64)
    assert not calls
    lazy[:10, :10].compute()
    assert len(calls) == 1
    lazy.compute()
    assert len(calls) == 1 + 10


def test_blocks_are_made_in_other_processes_too():
    wanted = ARCH.kernels(X, dtype=np.float32).ntk
    got = scale.kernel(ARCH, X, chunk=115).compute(scheduler="processes", num_workers=2)
    np.testing.assert_allclose(got, wanted, rtol=2e-5)


def test_the_core_needs_no_dask():
    code = "import sys, numpy as np, ntk_helpers as h; h.mlp(1, h.relu).kernels(np.eye(3)); " \
           "sys.exit('dask' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_has_its_name_once_it_is_complete(tmp_path):
    path = tmp_path / "ntk.npy"

    def stop(done, of):
        assert not path.exists()
        if done == of:
            raise KeyboardInterrupt

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            scale.save(path, ARCH, X, threads=threads, progress=stop)
    assert not path.exists()
    got = scale.save(path, ARCH, X, engine="numba")
    np.testing.assert_array_equal(got, ARCH.kernels(X, dtype=np.float32, engine="numba").ntk)
    assert isinstance(got, np.memmap) and not got.flags.writeable and [*tmp_path.iterdir()] == [path]
    cross = scale.save(tmp_path / "cross.npy", ARCH, Z, X, dtype=float)
    np.testing.assert_array_equal(cross, ARCH.kernels(Z, X).ntk)
    mapped = solve((da.from_array(got, chunks=64), da.from_array(cross, chunks=64)))
    np.testing.assert_allclose(mapped.prediction, predictor(), atol=1e-4)


# Ridge regression

@pytest.mark.parametrize("options", [{}, {"rank": 0}, {"rank": None}, {"hold": False}, {"y": Y[:, 0]}],
                         ids=["nystrom", "plain", "cholesky", "not held", "one target"])
def test_it_is_kernel_ridge_regression(options):
    result, wanted = solve(**options), predictor()
    if "y" in options:
        wanted = wanted[:, 0]
    np.testing.assert_allclose(result.prediction, wanted, rtol=0, atol=1e-7)
    assert result.coefficients.shape == options.get("y", Y).shape and (result.residual <= 1e-8).all()
    assert result.residual.shape == wanted.shape[1:] and (result.iterations == 0) == (options.get("rank", 1) is None)
    np.testing.assert_allclose(ARCH.kernels(Z, X).ntk @ result.coefficients, result.prediction, atol=1e-12)


def test_residuals_are_those_of_the_equations():
    kernel = ARCH.kernels(X).ntk
    for tolerance in (1e-2, 1e-4, 1e-6):
        got = solve(tolerance=tolerance)
        true = np.linalg.norm(Y - kernel @ got.coefficients - RIDGE * got.coefficients, axis=0)
        norms = np.linalg.norm(Y, axis=0)
        np.testing.assert_allclose(got.residual, true / np.where(norms > 0, norms, 1), rtol=1e-3, atol=1e-12)
        assert 0 < got.residual.max() <= tolerance


def test_the_preconditioner_saves_iterations_the_more_the_higher_its_rank():
    counts = np.array([solve(rank=rank, tolerance=1e-4).iterations for rank in (0, 20, 80, 200)])
    assert (counts[:-1] > 1.3 * counts[1:]).all() and counts[0] > 5 * counts[-1]


def test_in_single_precision_the_equations_of_the_rounded_kernel_are_solved():
    result = solve(blocks(np.float32), tolerance=1e-6)
    assert result.residual.max() <= 1e-6
    np.testing.assert_allclose(result.prediction, predictor(), rtol=0, atol=1e-4)


def test_the_sketch_does_not_see_rounding():
    """A smooth kernel, whose eigenvalues fall below those of rounding, and each point three times."""
    x = np.repeat(np.linspace(-1, 1, 60)[:, None], 3, axis=0)
    arch, y = mlp(1, erf, 1.0), x[:, 0] ** 2
    kernel = scale.kernel(arch, x, chunk=50)
    result = scale.kernel_ridge(kernel, y, kernel, ridge=1e-3, rank=100, rng=np.random.default_rng(0))
    wanted = regression.kernel_ridge(arch.kernels(x).ntk, y, arch.kernels(x).ntk, ridge=1e-3)
    np.testing.assert_allclose(result.prediction, wanted, rtol=0, atol=1e-3)


def test_progress_is_told_in_lines():
    lines = []
    result = solve(progress=lines.append)
    assert lines[0] == "kernel: 10 blocks held" and lines[1].startswith("preconditioner: rank 40, eigenvalues ")
    assert lines[2] == "iteration 0: relative residual 1"
    assert lines[-1] == f"relative residual {result.residual.max():.2g} after {result.iterations} iterations"
    assert len(lines) == 3 + result.iterations


def test_too_few_iterations_are_said():
    with pytest.warns(RuntimeWarning, match=r"the relative residual is .* after 2 iterations: allow more"):
        assert solve(most=2).iterations == 2


def test_what_was_interrupted_goes_on(tmp_path):
    path, whole = tmp_path / "c.npy", solve()

    def stop(line):
        if line.startswith(f"iteration {whole.iterations // 2}:"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        solve(checkpoint=path, progress=stop)
    assert [*tmp_path.iterdir()] == [path]
    result = solve(checkpoint=path)
    assert result.iterations < 0.8 * whole.iterations and result.residual.max() <= 1e-8
    np.testing.assert_allclose(result.prediction, whole.prediction, rtol=0, atol=1e-7)


def test_two_processes_give_the_same_even_if_one_is_killed():
    wanted, killed = solve(tolerance=1e-4), []
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        got = solve(tolerance=1e-4)
        np.testing.assert_allclose(got.prediction, wanted.prediction, rtol=0, atol=1e-10)

        def kill(line):
            if line.startswith("iteration 3:"):
                killed.append(min(client.run(os.getpid).values()))
                psutil.Process(killed[0]).kill()

        again = solve(progress=kill, tolerance=1e-4)
        assert killed and killed[0] not in client.run(os.getpid).values()
    np.testing.assert_allclose(again.prediction, wanted.prediction, rtol=0, atol=1e-10)


KERNEL, CROSS = blocks()


@pytest.mark.parametrize("call, message", [
    (lambda: scale.kernel(ARCH, X, which="both"), "which must be 'ntk' or 'nngp'; got 'both'"),
    (lambda: scale.kernel(ARCH, X, dtype=int), "dtype must be float64 or float32"),
    (lambda: scale.kernel(ARCH, X, chunk=0), "chunk must be at least 1; got 0"),
    (lambda: scale.kernel(ARCH, X, engine="jax"), "engine must be 'numpy' or 'numba'; got 'jax'"),
    (lambda: scale.kernel(ARCH, X[0]), r"x1 must be 2-D; got shape \(5,\)"),
    (lambda: scale.kernel(ARCH, X, Z[:, :2]), r"x2 must have 5 columns; got shape \(31, 2\)"),
    (lambda: scale.kernel(ARCH, X * [[np.nan]]), "x1 must be finite"),
    (lambda: solve(ridge=0), "ridge must be above 0; got 0"),
    (lambda: solve(tolerance=-1), "tolerance must be above 0; got -1"),
    (lambda: solve(most=0), "most must be at least 1; got 0"),
    (lambda: solve(rank=-1), "rank must be at least 0; got -1"),
    (lambda: solve(rank=1.5), "rank must be an integer; got 1.5"),
    (lambda: solve(rank=230), "rank must be below the 230 rows of the kernel; got 230"),
    (lambda: solve(rng=0), "rng must be a numpy.random.Generator"),
    (lambda: solve(y=Y[:9]), r"y must have 230 rows; got shape \(9, 4\)"),
    (lambda: solve(progress=True), "progress must be callable; got True"),
    (lambda: solve((CROSS, CROSS)), r"kernel must be square, with equal chunks in both .*; got shape \(31, 230"),
    (lambda: solve((KERNEL.rechunk((50, 64)), CROSS)), "kernel must be square, with equal chunks"),
    (lambda: solve((KERNEL, KERNEL[:, :9])), r"cross must have 230 columns; got shape \(230, 9\)"),
    (lambda: solve((KERNEL - da.eye(230, chunks=64), CROSS), rank=None), "kernel plus ridge must be positive definite"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
