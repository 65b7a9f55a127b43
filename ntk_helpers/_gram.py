"""Kernel matrices of points with themselves: checked, decomposed, and refused with advice where singular."""

import numpy as np

from . import _validate


def symmetric(name, value, jitter=0.0, rows=None):
    """Return a float64 copy, symmetric and with jitter, the relative rounding of its eigenvalues, and the jitter."""
    given = _validate.array(name, value, rows=rows, columns=rows)
    _validate.require(given.shape[0] == given.shape[1],
                      f"{name} must be square, a row and a column for each point; got shape {given.shape}")
    eps, out = np.finfo(given.dtype).eps, given.astype(float)
    gap = np.abs(out - out.T).max()
    _validate.require(gap <= np.sqrt(eps) * np.abs(out).max(),
                      f"{name} must be symmetric; got entries that differ from their mirror by {gap:.3g}")
    shift = _validate.number("jitter", jitter, at_least=0) * out.diagonal().mean()
    return symmetrized(out) + np.diag(np.full(len(out), shift)), len(out) * eps, shift


def eigh(name, value, jitter, times=0.0):
    """Return the eigenvalues, largest first and none negative, the eigenvectors, and what jitter has added.

    Refuse times at which modes of eigenvalues that are lost in rounding would have moved.
    """
    import scipy.linalg  # here, so that importing the package does not load SciPy

    matrix, rounding, shift = symmetric(name, value, jitter)
    values, vectors = (a[..., ::-1] for a in scipy.linalg.eigh(matrix))
    rounding = rounding * np.abs(values).max() + np.finfo(float).tiny
    if values[-1] < -rounding:
        raise ValueError(f"{name} must be positive semi-definite; got the eigenvalue {values[-1]:.3g}, beyond"
                         f" rounding ({rounding:.1g}). Is it a kernel? If it is, but inexact, add jitter"
                         f"{enough(-values[-1], matrix.diagonal().mean())}")
    if values[-1] <= rounding and (times * rounding >= 1).any():
        raise singular(name, rounding, matrix.diagonal().mean(), f", or ask for times well below {1 / rounding:.1g}")
    # "Largest" to six digits, so that rounding does not choose among entries that are equal by symmetry.
    size = np.abs(vectors)
    first = np.argmax(size > (1 - 1e-6) * size.max(axis=0), axis=0)
    return np.maximum(values, 0), vectors * np.sign(vectors[first, np.arange(len(matrix))]), shift


def singular(name, rounding, diagonal, also=" or a ridge"):
    """Return the error for a singular kernel, with what to do about it."""
    return ValueError(f"{name} must be positive definite beyond rounding; got a singular matrix. Remove"
                      f" duplicate training points, or add jitter{enough(rounding, diagonal)}{also}")


def enough(lacking, diagonal):
    """Return, for a message, a jitter that makes up for eigenvalues lacking that much."""
    return f" ({10 ** np.ceil(np.log10(4 * lacking / diagonal)):.0e}, say)" if diagonal > 0 else ""


def symmetrized(a):
    return (a + a.mT) / 2


def prior(name, value, rows):
    """Return the covariance (m, m) of test points, or their variances (m,)."""
    given = _validate.array(name, value, ndim=(1, 2), rows=rows)
    return given.astype(float) if given.ndim == 1 else symmetric(name, given, rows=rows)[0]
