r"""Regression with a kernel: Gaussian-process posterior, its evidence, ridge.

Targets ``y`` have shape (n,) or (n, k). All is computed in float64, and arguments are never modified. A kernel of
points with themselves must be symmetric (to half the digits of its dtype). ``jitter`` adds that multiple (at least 0)
of the mean diagonal to the diagonal of the training kernel: as ridge does, it moves the predictions at training points
off the targets. A ValueError names the argument if a shape does not fit, a number is out of range or not finite, or the
kernel is singular to rounding.
"""

from typing import NamedTuple

import numpy as np

from . import _gram, _validate


class Prediction(NamedTuple):
    """Gaussian prediction, at each time asked for; without the first axis if that was a number."""

    mean: np.ndarray  #: (t, m) or (t, m, k)
    covariance: np.ndarray | None  #: (t, m, m), symmetric; of each output alone, the same for all of them
    variance: np.ndarray  #: the diagonal of it, (t, m); may be below zero by rounding

    @property
    def std(self):
        """Standard deviation at each point, (t, m), or (t, m, 1) beside a mean of (t, m, k); none below zero."""
        std = np.sqrt(np.maximum(self.variance, 0))
        return std[..., None] if self.mean.ndim > std.ndim else std


def gp_posterior(kernel, y, cross, test, *, noise_variance=0.0, jitter=0.0):
    r"""Condition a centered Gaussian process on targets with noise of variance :math:`\sigma^2`: a :class:`Prediction`.

    .. math::
        \mu=K(x,X)\,(K+\sigma^2I)^{-1}y,\qquad \Sigma=K(x,x')-K(x,X)\,(K+\sigma^2I)^{-1}K(X,x'),

    the posterior of the function, without noise (Rasmussen and Williams 2006, equations 2.22 to 2.24). Covariances:
    ``kernel`` (n, n) of the training points, ``cross`` (m, n) between test points and these, ``test`` (m, m); with the
    diagonal of ``test`` alone, (m,), no matrix (m, m) is made: ``covariance`` is None.
    """
    from scipy.linalg import solve_triangular

    factor, y = _regression(kernel, y, "noise_variance", noise_variance, jitter)
    cross = _validate.array("cross", cross, columns=len(factor))
    prior = _gram.prior("test", test, rows=len(cross))
    half = solve_triangular(factor, cross.T, lower=True)
    mean = half.T @ solve_triangular(factor, y, lower=True)
    if prior.ndim == 1:
        return Prediction(mean, None, prior - (half**2).sum(axis=0))
    covariance = prior - _gram.symmetrized(half.T @ half)
    return Prediction(mean, covariance, covariance.diagonal())


def log_marginal_likelihood(kernel, y, *, noise_variance=0.0, jitter=0.0):
    r"""Return the logarithm of the density of the targets under a centered Gaussian process and noise.

    .. math:: -\tfrac12y^\top(K+\sigma^2I)^{-1}y-\tfrac12\log\det(K+\sigma^2I)-\tfrac n2\log2\pi

    (Rasmussen and Williams 2006, equation 2.30), ``kernel`` (n, n): a number, or of shape (k,), one for each output.
    """
    from scipy.linalg import solve_triangular

    factor, y = _regression(kernel, y, "noise_variance", noise_variance, jitter)
    half = solve_triangular(factor, y, lower=True)
    return -0.5 * (half**2).sum(axis=0) - np.log(factor.diagonal()).sum() - len(y) / 2 * np.log(2 * np.pi)


def kernel_ridge(kernel, y, cross, *, ridge=0.0, jitter=0.0):
    r"""Predict by kernel ridge regression, :math:`K(x,X)\,(K(X,X)+\rho I)^{-1}y`, of shape (m,) or (m, k).

    Minimizes :math:`\tfrac12\sum_i(f(x_i)-y_i)^2+\tfrac\rho2\|f\|^2`, in the norm of the kernel's function space,
    :math:`\rho\ge0`. Parameters as in :func:`gp_posterior`, whose mean this is; for training points ``cross=kernel``.
    """
    from scipy.linalg import cho_solve

    factor, y = _regression(kernel, y, "ridge", ridge, jitter)
    cross = _validate.array("cross", cross, columns=len(factor))
    return cross @ cho_solve((factor, True), y)


def _regression(kernel, y, name, shift, jitter):
    """Return the lower Cholesky factor of the kernel plus ``shift`` on its diagonal, and the targets."""
    import scipy.linalg  # here, so that importing the package does not load SciPy

    matrix, rounding, _ = _gram.symmetric("kernel", kernel, jitter)
    needed = rounding * matrix.diagonal().max(), matrix.diagonal().mean()
    matrix += np.diag(np.full(len(matrix), _validate.number(name, shift, at_least=0)))
    try:
        factor = scipy.linalg.cholesky(matrix, lower=True)
    except np.linalg.LinAlgError:
        raise _gram.singular("kernel", *needed) from None
    # A squared pivot is the variance a point has left, given the points before it.
    if factor.diagonal().min() ** 2 <= rounding * matrix.diagonal().max():
        raise _gram.singular("kernel", *needed)
    return factor, _validate.array("y", y, ndim=(1, 2), rows=len(factor))
