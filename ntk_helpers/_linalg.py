"""Kernels of points with themselves: checked, decomposed, and refused with advice where they are singular."""

import numpy as np

from . import _validate


def symmetrized(a):
    """Return the symmetric part of a square matrix, or of a stack of them."""
    return (a + a.mT) / 2


def kernel(name, value, jitter=0.0, rows=None):
    """Return a float64 copy, symmetric and with jitter, and the relative rounding of its eigenvalues."""
    given = _validate.array(name, value, rows=rows, columns=rows)
    _validate.require(given.shape[0] == given.shape[1],
                      f"{name} must be square, a row and a column for each point; got shape {given.shape}")
    eps, out = np.finfo(given.dtype).eps, given.astype(float)
    gap = np.abs(out - out.T).max()
    _validate.require(gap <= np.sqrt(eps) * np.abs(out).max(),
                      f"{name} must be symmetric; got entries that differ from their mirror by {gap:.3g}")
    shift = _validate.number("jitter", jitter, at_least=0) * out.diagonal().mean()
    return symmetrized(out) + np.diag(np.full(len(out), shift)), len(out) * eps


def eigh(name, value, jitter, times=0.0):
    """Return the eigenvalues, largest first and none negative, and the eigenvectors.

    Refuse times at which modes of eigenvalues that are lost in rounding would have moved.
    """
    import scipy.linalg  # here, so that importing the package does not load SciPy

    matrix, rounding = kernel(name, value, jitter)
    values, vectors = (a[..., ::-1] for a in scipy.linalg.eigh(matrix))
    rounding = rounding * np.abs(values).max() + np.finfo(float).tiny
    _validate.require(values[-1] >= -rounding,
                      f"{name} must be positive semi-definite; got the eigenvalue {values[-1]:.3g}, beyond"
                      f" rounding ({rounding:.1g}). Is it a kernel? If it is, but inexact, add jitter")
    if values[-1] <= rounding and (times * rounding >= 1).any():
        raise singular(name, f", or ask for times well below {1 / rounding:.1g}")
    # "Largest" to six digits, so that rounding does not choose among entries that are equal by symmetry.
    size = np.abs(vectors)
    first = np.argmax(size > (1 - 1e-6) * size.max(axis=0), axis=0)
    return np.maximum(values, 0), vectors * np.sign(vectors[first, np.arange(len(matrix))])


def cholesky(name, value, shift, jitter):
    """Return the lower Cholesky factor of the kernel plus ``shift`` on its diagonal."""
    import scipy.linalg

    matrix, rounding = kernel(name, value, jitter)
    matrix += np.diag(np.full(len(matrix), shift))
    try:
        factor = scipy.linalg.cholesky(matrix, lower=True)
    except np.linalg.LinAlgError:
        raise singular(name) from None
    # A squared pivot is the variance a point has left, given the points before it.
    if factor.diagonal().min() ** 2 <= rounding * matrix.diagonal().max():
        raise singular(name)
    return factor


def singular(name, also=" or a ridge"):
    """Return the error for a singular kernel, with what to do about it."""
    return ValueError(f"{name} must be positive definite beyond rounding; got a singular matrix. Remove"
                      f" duplicate training points, or add jitter (1e-10, say){also}")
