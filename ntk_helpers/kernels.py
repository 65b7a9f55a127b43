"""Infinite-width kernels of an architecture: Gram matrices by tiles, and their diagonals."""

import re
from contextlib import nullcontext
from functools import lru_cache
from threading import Lock
from typing import NamedTuple

import numpy as np

from . import _pixels, _validate
from ._pairs import Pairs, determinants

TOO_LONG = "x1 and x2 must be short enough for two matrices to fit in memory; got {} and {} rows"
ROWS, COLUMNS = 128, 256  #: of a tile: its four arrays stay in cache, and work outweighs calls
#: Pairs times layers: below, two threads take as long as one, or longer.
FEW = {"numpy": 700_000, "numba": 2_000_000}


class Kernels(NamedTuple):
    """The two infinite-width kernels."""

    nngp: np.ndarray  #: covariance of the output at initialization
    ntk: np.ndarray  #: tangent kernel


def kernels(arch, x1, x2=None, *, dtype=float, threads=1, progress=None, engine="numpy", out=None):
    r"""Return the infinite-width kernels of every row of ``x1`` with every row of ``x2``.

    .. math::
        K^{(1)}&=\sigma_w^2\,x^\top x'/d+\sigma_b^2,\qquad K^{(l+1)}=\sigma_w^2\,\mathbb E[\phi(u)\phi(v)]+\sigma_b^2,\\
        \Theta^{(1)}&=K^{(1)},\qquad
        \Theta^{(l+1)}=K^{(l+1)}+\sigma_w^2\,\mathbb E[\phi'(u)\phi'(v)]\,\Theta^{(l)},

    with :math:`(u,v)\sim\mathcal N(0,K^{(l)}|_{x,x'})`, for each dense layer and the activation before it; residual
    layers as in :class:`ntk_helpers.Residual`. Lee et al., *Deep neural networks as Gaussian processes*, ICLR 2018;
    Jacot, Gabriel and Hongler, *Neural tangent kernel*, NeurIPS 2018.

    ``x1`` and ``x2`` are arrays of shapes (n1, d) and (n2, d); for :class:`ntk_helpers.Conv` layers, which have their
    own formula, (n1, height, width) or (n1, height, width, channels). The result is
    :class:`ntk_helpers.kernels.Kernels` of shape (n1, n2). Without ``x2``: the kernels of ``x1`` with itself, exactly
    symmetric, at half the cost. ``dtype``, float64 or float32, is the precision of the computation and of the result,
    which does not depend on the number of ``threads``. A function ``progress`` is called as ``progress(done, of)`` at
    each part done. A ValueError says if an argument does not fit, the result cannot fit in memory, or its numbers or
    their squares leave the precision's range.

    The matrices are filled tile by tile, without further arrays of their size. Nearly parallel inputs, whose covariance
    alone does not tell their angle, are done again with the determinant; the diagonal is that of :meth:`diagonal`.
    The ``engine`` "numba" is several times as fast as "numpy", and differs by rounding: it compiles the layers, once,
    where all activations are made by two_slope (relu, leaky_relu, absolute) or are erf or sigmoid_like, which else a
    ValueError says. It needs Numba (``pip install ".[fast]"``), without which there is an ImportError.

    A pair ``out`` of arrays (n1, n2) of this ``dtype`` is filled and returned instead of new ones, None in it is left
    out: arrays in memory, mapped into it, or whatever has a shape, a dtype, and slices to assign to, one at a time.
    """
    from concurrent.futures import ThreadPoolExecutor  # here, to import the package sooner

    layers, symmetric = arch.layers, x2 is None
    finish, most, transpose = _engine(engine, arch.layers)
    dtype, threads = _validate.precision(dtype), _validate.integer("threads", threads)
    _validate.require(progress is None or callable(progress),
                      f"progress must be callable as progress(done, of); got {progress!r}")
    n1, n2 = (_rows(x) for x in (x1, x1 if symmetric else x2))
    _validate.require(out is not None or 2 * n1 * n2 * dtype.itemsize <= 2**46, TOO_LONG.format(n1, n2))
    x1, exact = _inputs("x1", x1, dtype, layers)
    x2 = x1 if symmetric else _inputs("x2", x2, dtype, layers, x1.shape[1:])[0]
    result = _new((n1, n2), dtype) if out is None else _out(out, (n1, n2), dtype)
    arrays = 4 if x1.ndim == 2 else 5
    rows, columns, cells = (ROWS, most, 1) if x1.ndim == 2 else _pixels.extent(layers, x1.shape)
    square = symmetric and not _pixels.pooled(layers)  # what an entry with itself is, is known
    threads = 1 if x1.ndim == 2 and n1 * n2 * len(layers) < FEW[engine] else threads
    bands, width, spare = _split(n1, rows), _split(n2, columns)[0].stop, []
    plain = all(isinstance(whole, np.ndarray) for whole in result if whole is not None)
    turn = nullcontext() if plain else Lock()  # to assign to a part of a chunk is to read and write it all

    def fill(rows):
        scratch = spare.pop() if spare else np.empty((arrays, bands[0].stop * width * cells), dtype)
        for start in range(rows.start if symmetric else 0, n2, width):
            columns = slice(start, min(start + width, n2))
            known = [values[rows] for values in exact] if square and start == rows.start else None
            parts = (x.astype(dtype, copy=False) for x in (x1[rows], x2[columns]))
            for whole, part in zip(result, tile(layers, *parts, scratch, known, finish)):
                if whole is None:
                    continue
                with turn:
                    whole[rows, columns] = part
                    if symmetric and plain and transpose:
                        transpose(part, whole[columns, rows])
                    elif symmetric:
                        whole[columns, rows] = part.T
        spare.append(scratch)

    with _blas().limit(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        for done, _ in enumerate((map if threads == 1 else pool.map)(fill, bands), 1):
            if progress is not None:
                progress(done, len(bands))
    return result


def tile(layers, x1, x2, scratch, known=None, finish=None):
    """Return nngp and ntk of all rows of ``x1`` with those of ``x2``, in scratch of shape (4, >= n1 * n2).

    A pure function of its rows, on which nothing is checked. If ``x2`` starts with the rows of ``x1``, their
    kernels with themselves may be ``known``, and the leading square is made symmetric. ``finish`` is the engine's.
    """
    square, shape = known is not None, (len(x1), len(x2))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # at pairs that are done again below
        if x1.ndim > 2:
            kernels, near = _pixels.tile(layers, x1, x2, scratch, square), None
        else:
            k, *others = (part[:len(x1) * len(x2)].reshape(shape) for part in scratch)
            np.matmul(x1, x2.T, out=k)
            q = np.concatenate([np.vecdot(x, x, dtype=float) for x in (x1, x2)])
            pairs = Pairs(k, q, 1 / x1.shape[1], scratch=others, square=square)
            kernels, near = (finish or _finish)(layers, pairs), pairs.near
    if near is not None:
        first, second = np.nonzero(np.triu(near, 1) if square else near)
        step = max(1, 2**17 // x1.shape[1])
        for part in range(0, len(first), step):
            i, j = first[part:part + step], second[part:part + step]
            for values, better in zip(kernels, listed(layers, x1[i], x2[j])):
                values[i, j] = better
    if square:
        for values, better in zip(kernels, known):
            np.fill_diagonal(values, better)
            leading = values[:, :len(values)]
            np.copyto(leading, leading.T, where=np.tri(len(values), k=-1, dtype=bool))
    return kernels


def listed(layers, x1, x2):
    """Return nngp and ntk of each row of ``x1`` with the same row of ``x2``, accurate at any angle."""
    x = np.stack([x1, x2]).astype(float, copy=False)
    return _finish(layers, Pairs(np.vecdot(*x), np.vecdot(x, x), 1 / x.shape[-1], determinants(*x)))


def diagonal(arch, x):
    """Return the :meth:`kernels` of every row of ``x`` with itself, shape (n,): angles are 0, all is to rounding."""
    x, values = _inputs("x", x, np.dtype(float), arch.layers)
    if _pixels.pooled(arch.layers):  # these are bounds only
        scratch = np.empty((5, np.prod(x.shape[1:3]) ** 2))
        each = [tile(arch.layers, one, one, scratch) for one in x[:, None]]
        values = Kernels(*np.array(each).reshape(len(x), 2).T)
    return values


def _inputs(name, x, dtype, layers, shape=()):
    """Return checked inputs and the diagonal of their kernels, for a pooled head that of a flat one."""
    flow = _pixels.flow(layers)
    _validate.require(re.fullmatch("d[adr]*|c[ac]*(f[ad]*|gd*)", flow), (
        "layers must start with a Dense layer to have kernels, or with Conv layers and Flatten (no Residual after "
        f"it) or GlobalAveragePool (Dense only after it); got {layers!r}"))
    x = _validate.images(name, x, shape) if flow[0] == "c" else _validate.array(name, x, columns=(*shape, None)[0])
    digits = 70 if dtype == np.float64 else 35  # squares of variances must be numbers, too
    with np.errstate(over="ignore", invalid="ignore"):
        if x.ndim > 2:
            step = max(1, 2**11 // x[0].size)
            parts = (x[i:i + step] for i in range(0, len(x), step))
            values = Kernels(*np.hstack([_finish(layers, _pixels.Variances(part)) for part in parts]))
            q = np.einsum("nhwc,nhwc->n", x, x, dtype=float)
        else:
            q = np.vecdot(x, x, dtype=float)
            values = _finish(layers, Pairs(q.copy(), np.stack([q, q]), 1 / x.shape[1], np.zeros_like(q)))
        usual = [(part == 0) | ((part > 10.0**-digits) & (part < 10.0**digits)) for part in (q, *values)]
    _validate.require(np.all(usual), (
        f"{name} must have rows whose squares and kernels are 0 or from 1e-{digits} to 1e{digits} in {dtype}; got "
        f"squared lengths {q.min():.3g} to {q.max():.3g} and tangent kernels {values.ntk.min():.3g} to "
        f"{values.ntk.max():.3g}. Rescale {name}, or weight_std"))
    return x, values


def _rows(x):
    """Return the number of rows before anything is computed: of an array of any kind, or of a list."""
    return x.shape[0] if getattr(x, "shape", ()) else len(x) if isinstance(x, (list, tuple)) else 1


def _new(shape, dtype):
    try:
        return Kernels(np.empty(shape, dtype), np.empty(shape, dtype))
    except MemoryError:
        raise ValueError(TOO_LONG.format(*shape)) from None


def _out(pair, shape, dtype):
    """Return the checked arrays to fill."""
    _validate.require(isinstance(pair, (tuple, list)) and len(pair) == 2,
                      f"out must be a pair (nngp, ntk) of arrays or None; got {type(pair).__name__}")
    for part in pair:
        got = getattr(part, "shape", None), getattr(part, "dtype", None)
        _validate.require(part is None or got == (shape, dtype) and hasattr(part, "__setitem__"), (
            f"out must have arrays of shape {shape} and dtype {dtype}; got shape {got[0]} and dtype {got[1]}"))
    return Kernels(*pair)


def _finish(layers, pairs):
    for layer in layers:
        layer.infinite(pairs)
    pairs.settle()
    return Kernels(pairs.k, pairs.t)


def _engine(name, layers):
    """Return how this engine takes a tile through the layers, the most columns of one, and its transpose or None."""
    _validate.require(name in ("numpy", "numba"), f"engine must be 'numpy' or 'numba'; got {name!r}")
    if name == "numpy":
        return _finish, COLUMNS, None
    try:
        from . import _compiled
    except ImportError as error:
        raise ImportError("engine 'numba' needs Numba, which is not installed: pip install numba") from error
    _compiled.program(tuple(layers))
    return _compiled.finish, _compiled.COLUMNS, _compiled.transpose


def _split(n, most):
    # Equal slices, but none of 256: the columns of a tile would compete for the same few lines of the cache,
    # and transposing it would take four times as long.
    width = -(-n // -(-n // most))
    width += 8 * (width % 16 == 0)
    return [slice(start, min(start + width, n)) for start in range(0, n, width)]


@lru_cache
def _blas():
    from threadpoolctl import ThreadpoolController
    return ThreadpoolController()
