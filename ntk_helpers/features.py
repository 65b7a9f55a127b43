"""Random features and least squares on them: minimum norm and ridge, along a whole path of sizes."""

from typing import NamedTuple

import numpy as np

from . import _validate


def fourier_features(rng, inputs, count, bandwidth=1.0):
    r"""Draw random Fourier features of the Gaussian kernel.

    .. math::
        z_j(x) = \sqrt2\cos(w_j^\top x + b_j),\qquad w_j\sim\mathcal N(0, I/s^2),\quad b_j\sim U[0, 2\pi],

    with bandwidth :math:`s`; :math:`\mathbb E[z_j(x)z_j(x')]=\exp(-\|x-x'\|^2/2s^2)`.

    Parameters
    ----------
    rng : numpy.random.Generator
    inputs, count : int
        Input dimension and number of features.
    bandwidth : float
        Length :math:`s` over which the kernel decays, in units of the inputs.

    Returns
    -------
    callable
        Maps inputs of shape (n, inputs) to features of shape (n, count).

    References
    ----------
    Rahimi and Recht, *Random features for large-scale kernel machines*, NeurIPS 2007.
    """
    _validate.generator("rng", rng)
    inputs, count = _validate.integer("inputs", inputs), _validate.integer("count", count)
    weights = rng.standard_normal((inputs, count)) / _validate.number("bandwidth", bandwidth, above=0)
    phases = rng.uniform(0, 2 * np.pi, count)
    return lambda x: np.sqrt(2) * np.cos(_validate.array("x", x, columns=inputs) @ weights + phases)


def relu_features(rng, inputs, count, bias_std=0.0):
    r"""Draw random ReLU features: the hidden layer of a network that is never trained.

    .. math::
        z_j(x) = \sqrt2\,\max(0, w_j^\top x + \sigma_b b_j),\qquad w_j\sim\mathcal N(0, I),\quad b_j\sim\mathcal N(0,1).

    Parameters, result and errors as in :func:`fourier_features`; ``bias_std`` is :math:`\sigma_b\ge0`.
    """
    _validate.generator("rng", rng)
    inputs, count = _validate.integer("inputs", inputs), _validate.integer("count", count)
    weights = rng.standard_normal((inputs, count))
    biases = _validate.number("bias_std", bias_std, at_least=0) * rng.standard_normal(count)
    return lambda x: np.sqrt(2) * np.maximum(_validate.array("x", x, columns=inputs) @ weights + biases, 0)


def least_squares(z, y, ridge=0.0):
    r"""Solve least squares by the singular value decomposition of the features.

    .. math::
        \hat c = \arg\min_c \|Zc-y\|^2 + \lambda\|c\|^2 = V\,\mathrm{diag}\!\Big(\frac{s_i}{s_i^2+\lambda}\Big)U^\top y,

    and for :math:`\lambda=0` the solution of minimum norm (singular values at rounding level count as zero).

    Parameters
    ----------
    z : array, shape (n, p)
        Features; a row is an example.
    y : array, shape (n,) or (n, k)
        Targets.
    ridge : float, or array of shape (r,)
        Penalty :math:`\lambda\ge0`; several share one decomposition.

    Returns
    -------
    array, shape (p,) or (p, k); for several ridges (r, p) or (r, p, k)
        Coefficients.

    Raises
    ------
    ValueError
        If an array is not finite, has the wrong number of axes or no entries, lengths differ, or a ridge is negative.
    """
    z = _validate.array("z", z)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(z))
    ridge = _validate.array("ridge", ridge, ndim=(0, 1))
    if (ridge < 0).any():
        raise ValueError(f"ridge must not be negative; got {ridge.min():g}")
    u, s, vt = np.linalg.svd(z, full_matrices=False)
    kept = s > np.finfo(s.dtype).eps * max(z.shape) * s[0]
    u, s, vt = u[:, kept], s[kept], vt[kept]
    shrink = s / (s**2 + ridge[..., None])
    c = vt.T @ (shrink[..., None] * (u.T @ y.reshape(len(z), -1)))
    return c.reshape(*ridge.shape, z.shape[1], *y.shape[1:])


class Path(NamedTuple):
    """Least-squares fits on the first :math:`N` features, for each :math:`N` of a list and each ridge."""

    sizes: np.ndarray  #: (s,)
    train: np.ndarray  #: predictions on the training inputs, (s, r, n, k)
    test: np.ndarray  #: predictions on the test inputs, (s, r, n_test, k)
    norm: np.ndarray  #: Frobenius norm of the coefficients, (s, r)


def least_squares_path(z_train, y_train, z_test, sizes, ridges=(0.0,)):
    r"""Fit least squares on the first :math:`N` features, divided by :math:`\sqrt N`, for a whole list of sizes.

    Parameters
    ----------
    z_train, z_test : array, shape (n, p) and (n_test, p)
        Features, as :func:`fourier_features` and :func:`relu_features` give them.
    y_train : array, shape (n, k)
        Targets.
    sizes : sequence of int
        Numbers of features :math:`N`, each from 1 to p.
    ridges : sequence of float
        Penalties :math:`\lambda\ge0` of :func:`least_squares`; 0 is the minimum-norm solution.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        As in :func:`least_squares`, or if a size is not an integer from 1 to p.
    """
    z_train = _validate.array("z_train", z_train)
    y_train = _validate.array("y_train", y_train, rows=len(z_train))
    z_test = _validate.array("z_test", z_test, columns=z_train.shape[1])
    ridges = _validate.array("ridges", ridges, ndim=1)
    sizes = [_validate.integer("sizes", size) for size in sizes]
    if not sizes or max(sizes) > z_train.shape[1]:
        raise ValueError(f"sizes must hold numbers from 1 to {z_train.shape[1]}, the features given; got {sizes}")
    train, test, norm = [], [], []
    for size in sizes:
        scale = 1 / np.sqrt(size)
        c = least_squares(z_train[:, :size] * scale, y_train, ridges)
        train.append(z_train[:, :size] @ c * scale)
        test.append(z_test[:, :size] @ c * scale)
        norm.append(np.linalg.norm(c, axis=(1, 2)))
    return Path(np.array(sizes), np.array(train), np.array(test), np.array(norm))
