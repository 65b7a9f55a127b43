"""Kernels of many examples in blocks, and ridge regression that never holds them whole, by Dask.

Dask decides where blocks are computed: on threads of this process; as ``dask.config.set(scheduler="processes")`` says;
or on the cluster that a ``distributed.Client`` is connected to, which computes the blocks of a lost worker again.
``pip install ".[scale]"`` brings it; no other module needs it.
"""

import os
import warnings
from typing import NamedTuple

import dask
import dask.array as da
import numpy as np
import scipy.linalg
from distributed import futures_of, wait
from scipy.sparse.linalg import LinearOperator, cg

from . import _validate
from .kernels import _blas

CHOLESKY = 8000  #: rows up to which a kernel is decomposed, unless a rank is given: three times .5 GB
COLUMNS = 100  #: of the sketch in one pass


class Ridge(NamedTuple):
    """Kernel ridge regression, and how well its equations are solved."""

    prediction: np.ndarray  #: at the test points, (m,) or (m, k)
    coefficients: np.ndarray  #: of the training points, (n,) or (n, k)
    residual: np.ndarray  #: of each right-hand side, relative to its norm: a number, or (k,)
    iterations: int  #: of conjugate gradients, 0 by Cholesky


def kernel(arch, x1, x2=None, *, which="ntk", dtype=np.float32, engine="numpy", chunk=2048):
    """Return one of the two ``arch.kernels`` ("ntk" or "nngp") as a lazy Dask array, in blocks of ``chunk`` rows.

    Nothing is computed but what is asked for, by ``.compute()`` or by an operation. Without ``x2`` a block below the
    diagonal is the transpose of one above. Other arguments are those of :meth:`ntk_helpers.Architecture.kernels`.
    """
    _validate.require(which in ("ntk", "nngp"), f"which must be 'ntk' or 'nngp'; got {which!r}")
    dtype, chunk = _validate.precision(dtype), _validate.integer("chunk", chunk)
    x1 = _validate.array("x1", x1)
    symmetric, x2 = x2 is None, x1 if x2 is None else _validate.array("x2", x2, columns=x1.shape[1])
    arch.kernels(x1[:1], x2[:1], dtype=dtype, engine=engine)  # refuses now what no block would accept
    rows, columns = ([x[i:i + chunk].astype(dtype, copy=False) for i in range(0, len(x), chunk)] for x in (x1, x2))
    handed, block = [[dask.delayed(part) for part in parts] for parts in (rows, columns)], dask.delayed(_block)
    blocks = [[None] * len(columns) for _ in rows]
    for i, j in np.ndindex(len(rows), len(columns)):
        if symmetric and i > j:
            blocks[i][j] = blocks[j][i].T
        else:
            one = block(arch, handed[0][i], None if symmetric and i == j else handed[1][j], which, dtype, engine)
            blocks[i][j] = da.from_delayed(one, (len(rows[i]), len(columns[j])), dtype)
    return da.block(blocks)


def _block(arch, x1, x2, which, dtype, engine):
    out = np.empty((len(x1), len(x1 if x2 is None else x2)), dtype)
    arch.kernels(x1, x2, dtype=dtype, engine=engine, out=(out, None) if which == "nngp" else (None, out))
    return out


def save(path, arch, x1, x2=None, *, dtype=np.float32, **options):
    """Write the tangent kernel into the file ``path`` (.npy), and return it mapped into memory, read-only.

    The file has that name once it is complete. ``options`` are those of ``arch.kernels``.
    """
    out = np.lib.format.open_memmap(f"{path}.part", "w+", dtype, (len(x1), len(x1 if x2 is None else x2)))
    arch.kernels(x1, x2, dtype=dtype, out=(None, out), **options)
    out.flush()
    os.replace(f"{path}.part", path)
    return np.load(path, mmap_mode="r")


def kernel_ridge(kernel, y, cross, *, ridge, rank=None, rng=None, tolerance=1e-4, most=1000, hold=True,
                 checkpoint=None, progress=None):
    r"""Predict as :func:`ntk_helpers.regression.kernel_ridge`, without holding the kernels whole: a :class:`Ridge`.

    ``kernel`` (n, n), symmetric, and ``cross`` (m, n) are Dask arrays. Conjugate gradients solve
    :math:`(K+\rho I)c=y` for all k targets at once: a pass over the blocks on and above the diagonal serves them all.
    Residuals end below ``tolerance`` times the norms of the targets, or a RuntimeWarning says that ``most`` iterations
    were not enough. The preconditioner, from ``rank`` random vectors that ``rng`` draws, is that of Frangella, Tropp
    and Udell, *Randomized Nyström preconditioning*, SIMAX 2023; ``rank`` 0 is none. By default it is 1000, and up to
    8,000 rows there is a Cholesky decomposition instead.

    The blocks used, half of the kernel, are held where they were computed, or else (``hold=False``) made anew in each
    pass. ``progress`` is called with a line of text, so it may be ``print``. A file ``checkpoint`` (.npy) keeps the
    coefficients from iteration to iteration: the same call, after an interruption, goes on from there.
    """
    n, tell = len(kernel), progress or (lambda text: None)
    ridge, tolerance = (_validate.number(*pair, above=0) for pair in (("ridge", ridge), ("tolerance", tolerance)))
    _validate.require(kernel.shape == (n, n) and kernel.chunks[0] == kernel.chunks[1], (
        f"kernel must be square, with equal chunks in both directions; got shape {kernel.shape}"))
    _validate.require(cross.ndim == 2 and cross.shape[1] == n, f"cross must have {n} columns; got shape {cross.shape}")
    _validate.require(callable(tell), f"progress must be callable; got {progress!r}")
    y, most = _validate.array("y", y, ndim=(1, 2), rows=n).astype(float), _validate.integer("most", most)
    rank = (None if n <= CHOLESKY else 1000) if rank is None else _validate.integer("rank", rank, at_least=0)
    _validate.require((rank or 0) < n, f"rank must be below the {n} rows of the kernel; got {rank}")
    if rank:
        _validate.generator("rng", rng)
    b = y.reshape(n, -1)
    size = np.where(b.any(axis=0), np.linalg.norm(b, axis=0), 1)
    b, iterations = b / size, 0
    with _blas().limit(limits=1, user_api="blas"):  # blocks are done in parallel instead
        upper = [(i, j, block) for (i, j), block in np.ndenumerate(kernel.to_delayed()) if i <= j]
        if rank is None:
            matrix = kernel.compute().astype(float) + ridge * np.eye(n)
            try:
                c = scipy.linalg.solve(matrix, b, assume_a="pos", overwrite_a=True)
            except np.linalg.LinAlgError:
                raise ValueError(f"kernel plus ridge must be positive definite; got ridge {ridge:g}") from None
        else:
            if hold:
                held = dask.persist(*[block for *_, block in upper])
                if futures := futures_of(held):  # on a cluster, which computes them in the background
                    wait(futures)
                upper = [(i, j, block) for (i, j, _), block in zip(upper, held)]
                tell(f"kernel: {len(upper)} blocks held")
            c, iterations = _iterate(upper, kernel, b, ridge, rank, rng, tolerance, most, checkpoint, tell)
        residual = np.linalg.norm(b - _apply(upper, kernel, c) - ridge * c, axis=0)
        tell(f"relative residual {residual.max():.2g} after {iterations} iterations")
        if residual.max() > 1.01 * tolerance:  # a little more may be rounding
            warnings.warn(f"the relative residual is {residual.max():.2g} after {iterations} iterations: allow more,"
                          " or take a larger ridge, rank or precision", RuntimeWarning, 2)
        c = (c * size).reshape(y.shape)
        prediction = (cross @ da.from_array(c, chunks=(cross.chunks[1], *c.shape[1:]))).compute()
    return Ridge(prediction, c, residual.reshape(y.shape[1:])[()], iterations)


@dask.delayed(nout=2, traverse=False)
def _products(block, right, left):
    # Sums in the precision of the vectors: in single precision residuals would not fall far enough.
    block = block.astype(right.dtype, copy=False)
    return block @ right, None if left is None else block.T @ left


def _apply(upper, kernel, v):
    """Return the product of the symmetric kernel, given by its upper blocks, with the columns of v."""
    v = da.asarray(v).rechunk((kernel.chunks[0], -1)).to_delayed().ravel()
    sums = [[] for _ in v]
    for i, j, block in upper:
        one, other = _products(block, v[j], None if i == j else v[i])
        sums[i].append(one)
        if i != j:
            sums[j].append(other)
    return np.concatenate(dask.compute(*[dask.delayed(sum)(parts) for parts in sums]))


def _iterate(upper, kernel, b, ridge, rank, rng, tolerance, most, checkpoint, tell):
    """Solve for all columns of b, of norm 1, as one stacked vector: the blocks on its diagonal are all the same."""
    iterations, weights, vectors = 0, np.zeros(0), np.zeros((len(b), 0))
    if rank:
        values, vectors = _nystrom(upper, kernel, rank, rng)
        weights = (values[0] + ridge) / (values + ridge) - 1
        tell(f"preconditioner: rank {rank}, eigenvalues {values[0]:.3g} to {values[-1]:.3g}")

    def matrix(v):
        return (_apply(upper, kernel, v.reshape(b.shape)) + ridge * v.reshape(b.shape)).ravel()

    def preconditioner(r):
        r = r.reshape(b.shape)
        tell(f"iteration {iterations}: relative residual {np.linalg.norm(r, axis=0).max():.2g}")
        return (r + vectors @ (weights[:, None] * (vectors.T @ r))).ravel()

    def count(c):
        nonlocal iterations
        iterations += 1
        if checkpoint is not None:
            np.save(part := f"{checkpoint}.part.npy", c)
            os.replace(part, checkpoint)

    start = np.load(checkpoint) if checkpoint is not None and os.path.exists(checkpoint) else None
    A, M = (LinearOperator((b.size, b.size), f, dtype=float) for f in (matrix, preconditioner))
    # The norm of the stacked residual is at least that of each column.
    c, _ = cg(A, b.ravel(), start, rtol=0, atol=tolerance, maxiter=most, M=M, callback=count)
    return c.reshape(b.shape), iterations


def _nystrom(upper, kernel, rank, rng):
    """Return the eigenvalues, smallest first, and eigenvectors of a random approximation of this rank."""
    sketch = da.random.default_rng(int(rng.integers(2**62))).standard_normal(
        (len(kernel), rank), chunks=(kernel.chunks[0], COLUMNS))
    sketch = (sketch / len(kernel)**0.5).astype(kernel.dtype)  # nearly orthonormal
    image = np.hstack([_apply(upper, kernel, sketch.blocks[:, k]) for k in range(sketch.numblocks[1])])
    shift = np.finfo(kernel.dtype).eps * np.linalg.norm(image)  # makes up for rounding
    sketch = sketch.compute()
    image += shift * sketch
    core = (sketch.T @ image).astype(float)
    core = np.linalg.cholesky((core + core.T) / 2)
    factor = scipy.linalg.solve_triangular(core, image.T.astype(float), lower=True).T
    values, vectors = scipy.linalg.eigh(factor.T @ factor)
    return np.maximum(values - shift, 0), factor @ (vectors / np.sqrt(values))
