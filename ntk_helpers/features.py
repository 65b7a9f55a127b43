"""Random features and least squares on them: minimum norm and ridge, along a whole path of sizes."""

from typing import NamedTuple

import numpy as np

from . import _validate


def fourier_features(rng, inputs, count, bandwidth=1.0):
    r"""Draw ``count`` random Fourier features of the Gaussian kernel.

    .. math::
        z_j(x) = \sqrt2\cos(w_j^\top x + b_j),\qquad w_j\sim\mathcal N(0, I/s^2),\quad b_j\sim U[0, 2\pi],

    with bandwidth :math:`s>0`, a length in units of the inputs: :math:`\mathbb E[z_j(x)z_j(x')]=e^{-\|x-x'\|^2/2s^2}`.
    Returns a function from arrays of shape (n, inputs) to features of shape (n, count). Rahimi and Recht, *Random
    features for large-scale kernel machines*, NeurIPS 2007.
    """
    shape = _validate.integer("inputs", inputs), _validate.integer("count", count)
    weights = _validate.generator("rng", rng).standard_normal(shape) / _validate.number("bandwidth", bandwidth, above=0)
    phases = rng.uniform(0, 2 * np.pi, count)
    return lambda x: np.sqrt(2) * np.cos(_validate.array("x", x, columns=inputs) @ weights + phases)


def relu_features(rng, inputs, count, bias_std=0.0):
    r"""Draw ``count`` random ReLU features: the hidden layer of a network that is never trained.

    .. math::
        z_j(x) = \sqrt2\max(0, w_j^\top x + \sigma_b b_j),\qquad w_j\sim\mathcal N(0, I),\quad b_j\sim\mathcal N(0,1),

    with :math:`\sigma_b\ge0` the ``bias_std``; returns a function as :func:`fourier_features` does.
    """
    shape = _validate.integer("inputs", inputs), _validate.integer("count", count)
    weights = _validate.generator("rng", rng).standard_normal(shape)
    biases = _validate.number("bias_std", bias_std, at_least=0) * rng.standard_normal(count)
    return lambda x: np.sqrt(2) * np.maximum(_validate.array("x", x, columns=inputs) @ weights + biases, 0)


def least_squares(z, y, ridge=0.0):
    r"""Solve least squares by the singular value decomposition of the features.

    .. math::
        \hat c = \arg\min_c \|Zc-y\|^2 + \lambda\|c\|^2 = V\,\mathrm{diag}\Big(\frac{s_i}{s_i^2+\lambda}\Big)U^\top y,

    and for :math:`\lambda=0` the solution of minimum norm (singular values at rounding level count as zero). Features
    ``z`` have shape (n, p), a row for each example, targets ``y`` (n,) or (n, k), the coefficients (p,) or (p, k).
    Several penalties ``ridge`` :math:`\lambda\ge0`, of shape (r,), share one decomposition and give a first axis more.
    """
    z = _validate.array("z", z)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(z))
    ridge = _validate.array("ridge", ridge, ndim=(0, 1))
    _validate.require((ridge >= 0).all(), f"ridge must not be negative; got {ridge.min():g}")
    u, s, vt = np.linalg.svd(z, full_matrices=False)
    kept = s > np.finfo(s.dtype).eps * max(z.shape) * s[0]
    u, s, vt = u[:, kept], s[kept], vt[kept]
    shrink = s / (s**2 + ridge[..., None])
    c = vt.T @ (shrink[..., None] * (u.T @ y.reshape(len(z), -1)))
    return c.reshape(*ridge.shape, z.shape[1], *y.shape[1:])


class Path(NamedTuple):
    """Least-squares fits on the first :math:`N` features, for each :math:`N` of a list and each ridge."""

    train: np.ndarray  #: predictions on the training inputs, (s, r, n, k)
    test: np.ndarray  #: predictions on the test inputs, (s, r, n_test, k)
    norm: np.ndarray  #: Frobenius norm of the coefficients, (s, r)


def least_squares_path(z_train, y_train, z_test, sizes, ridges=(0.0,)):
    r"""Fit :func:`least_squares` on the first :math:`N` features, divided by :math:`\sqrt N`, for each of ``sizes``.

    Features ``z_train`` (n, p) and ``z_test`` (n_test, p) as :func:`fourier_features` gives them, targets ``y_train``
    (n, k), sizes :math:`N` from 1 to p; returns a :class:`Path`. With ridge 0 the norm is the least possible.
    """
    z_train = _validate.array("z_train", z_train)
    y_train = _validate.array("y_train", y_train, rows=len(z_train))
    z_test = _validate.array("z_test", z_test, columns=z_train.shape[1])
    ridges = _validate.array("ridges", ridges, ndim=1)
    sizes = [_validate.integer("sizes", size) for size in sizes]
    _validate.require(sizes and max(sizes) <= z_train.shape[1],
                      f"sizes must hold numbers from 1 to {z_train.shape[1]}, the features given; got {sizes}")
    fits = []
    for size in sizes:
        scale = 1 / np.sqrt(size)
        c = least_squares(z_train[:, :size] * scale, y_train, ridges)
        fits.append((*(z[:, :size] @ c * scale for z in (z_train, z_test)), np.linalg.norm(c, axis=(1, 2))))
    return Path(*map(np.array, zip(*fits)))
