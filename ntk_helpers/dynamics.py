r"""Dynamics under a fixed kernel: gradient descent by eigenmodes, and trained ensembles.

The book's clock: loss :math:`\tfrac12\sum_i\|f(x_i)-y_i\|^2` (a sum), so :math:`\dot f=-\Theta(f-y)`; time is learning
rate times steps. Targets ``y`` have shape (n,) or (n, k). All is computed in float64, and arguments are never
modified. A kernel of points with themselves must be symmetric (to half the digits of its dtype); eigenvalues down to
minus the rounding level :math:`n\varepsilon\lambda_{\max}` count as zero and any below is refused. ``jitter`` adds that
multiple (at least 0) of the mean diagonal to the diagonal of the kernel that drives training: as ridge does, it moves
the predictions at training points off the targets. A ValueError names the argument if a shape does not fit, a number is
out of range or not finite, or the answer hangs on eigenvalues lost in rounding. Lee et al.: *Wide neural networks of
any depth evolve as linear models under gradient descent*, 2019.
"""

import warnings
from typing import NamedTuple

import numpy as np

from . import _gram, _validate
from .regression import Prediction


class Eigenmodes(NamedTuple):
    """Eigenvalues of a kernel matrix (the rates of gradient flow) and its eigenvectors."""

    eigenvalues: np.ndarray  #: (n,), largest first
    eigenvectors: np.ndarray  #: (n, n), a column each; of its entries largest in size, the first is positive


class Trajectory(NamedTuple):
    """Training in function space, at each time asked for; without the first axis if that was a number."""

    times: np.ndarray  #: (t,), learning rate times steps
    eigenvalues: np.ndarray  #: (n,), largest first, with jitter: the rates
    modes: np.ndarray  #: residual f - y in each eigenmode, (t, n) or (t, n, k)
    residual: np.ndarray  #: norm of the residual over points and outputs, (t,)
    train: np.ndarray  #: outputs on the training points, (t, n) or (t, n, k)
    test: np.ndarray | None  #: outputs on the test points, (t, m) or (t, m, k)


def eigenmodes(theta, jitter=0.0):
    r"""Decompose the kernel of training points, (n, n): :math:`\Theta=V\,\mathrm{diag}(\lambda)V^\top`."""
    return Eigenmodes(*_gram.eigh("theta", theta, jitter)[:2])


def critical_learning_rate(theta):
    r"""Return :math:`2/\lambda_{\max}(\Theta)`, below which gradient descent converges (∞ for Θ = 0)."""
    largest = eigenmodes(theta).eigenvalues[0]
    return 2 / largest if largest > 0 else np.inf


def kernel_gradient_flow(theta, y, times, *, f0=None, cross=None, f0_test=None, jitter=0.0):
    r"""Solve kernel gradient descent in continuous time, :math:`\dot f_t(x)=-\Theta(x,X)(f_t(X)-y)`.

    .. math::
        f_t(x) &= f_0(x) + \Theta(x,X)\,V\,\mathrm{diag}((1-e^{-\lambda_it})/\lambda_i)V^\top(y-f_0(X)),\\
        f_\infty(x) &= f_0(x) + \Theta(x,X)\,\Theta(X,X)^{-1}(y-f_0(X))

    (Lee et al., equations 8 to 11): a :class:`Trajectory`. ``theta`` (n, n) is the kernel of the training points,
    ``cross`` (m, n), if given, that between test points (rows) and these. ``times`` are one number or of shape (t,), at
    least 0, or ``np.inf``. ``f0`` and ``f0_test`` are the outputs at time 0 there, given together, or 0.
    """
    return _trajectory(_times(times), theta, y, f0, cross, f0_test, jitter)


def kernel_gradient_descent(theta, y, learning_rate, steps, *, f0=None, cross=None, f0_test=None, jitter=0.0):
    r"""Solve kernel gradient descent in steps, :math:`u\leftarrow u-\eta\,\Theta(u-y)`.

    As :func:`kernel_gradient_flow`, with :math:`(1-\eta\lambda_i)^s` in place of :math:`e^{-\lambda_it}` and a
    ``learning_rate`` :math:`\eta>0`. An integer ``steps`` gives the whole path, steps 0, 1, …, ``steps``; an array of
    them, shape (t,), gives those only. Converges for :math:`\eta<2/\lambda_{\max}`; otherwise a RuntimeWarning names
    that bound, and what diverges may overflow to infinity (to NaN where infinities cancel).
    """
    learning_rate = _validate.number("learning_rate", learning_rate, above=0)
    if np.ndim(steps) == 0:
        steps = np.arange(_validate.integer("steps", steps, at_least=0) + 1)
    steps = _validate.array("steps", [_validate.integer("steps", s, at_least=0) for s in steps], ndim=1)
    path = _trajectory(learning_rate * steps, theta, y, f0, cross, f0_test, jitter, learning_rate, steps)
    if learning_rate * path.eigenvalues[0] >= 2:
        critical = 2 / path.eigenvalues[0]
        warnings.warn(f"learning_rate {learning_rate:g} is not below the critical 2/lambda_max = {critical:g}:"
                      " gradient descent does not converge", RuntimeWarning, 2)
    return path


def trained_ensemble(train, y, times=np.inf, cross=None, test=None, *, layers="all", jitter=0.0):
    r"""Predict by infinitely wide networks, random at the start, after gradient flow.

    .. math::
        \mu_t=P_t\,y,\qquad \Sigma_t=K(x,x')-P_tK(X,x')-K(x,X)P_t^\top+P_tK(X,X)P_t^\top,\qquad
        P_t=\Theta(x,X)\,\Theta^{-1}(1-e^{-\Theta t}),

    with :math:`K` the NNGP kernel (Lee et al., equation 16, for infinite time). Training the last layer only
    is :math:`\Theta=K`, at infinite time the NNGP posterior; training all layers is no prior's posterior.

    Kernels are pairs (nngp, ntk), as ``arch.kernels`` gives them: ``train`` (n, n) of the training points, ``cross``
    (m, n) between test points (rows) and these, ``test`` (m, m), ``nngp`` alone used; without the last two the
    prediction is on the training points. With the diagonal of ``test`` alone, (m,), as ``arch.diagonal`` gives it, no
    matrix (m, m) is made: ``covariance`` is None. ``times`` as in :func:`kernel_gradient_flow`; ``layers``, "all" or
    "last", are trained. ``jitter`` goes to the kernel that drives training; with "last" it acts as noise in targets.
    """
    _validate.require(layers in ("all", "last"), f'layers must be "all" or "last"; got {layers!r}')
    _validate.require((cross is None) == (test is None),
                      f"cross and test go together; got only {'test' if cross is None else 'cross'}")
    times, (nngp, ntk) = _times(times), _pair("train", train)
    driver = ("train.ntk", ntk) if layers == "all" else ("train.nngp", nngp)
    eigenvalues, vectors, shift = _gram.eigh(*driver, jitter, times)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(vectors))
    decay, gain = _clock(eigenvalues, times)
    target = vectors.T @ y.reshape(len(y), -1)
    # A sandwich of the initial covariance, here in the eigenbasis of the kernel that drives training.
    initial, noise = np.diag(eigenvalues - shift), shift
    if layers == "all":
        initial, noise = vectors.T @ _gram.symmetric("train.nngp", nngp, rows=len(y))[0] @ vectors, 0.0
    if cross is None:
        kept = _kept(decay, eigenvalues, shift)
        mean = y.reshape(len(y), -1) - vectors @ (kept[..., None] * target)
        covariance = _gram.symmetrized((vectors * kept[:, None, :]) @ initial @ (vectors * kept[:, None, :]).mT)
        if noise:
            covariance += _gram.symmetrized(noise * (vectors * (1 - kept[:, None, :]) ** 2) @ vectors.T)
        variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    else:
        initial += np.diag(np.full(len(y), noise))
        nngp, ntk = _pair("cross", cross)
        nngp = _validate.array("cross.nngp", nngp, columns=len(y)) @ vectors
        ntk = _validate.array("cross.ntk", ntk, 2, len(nngp), len(y)) @ vectors if layers == "all" else nngp
        mean = ntk @ (gain[..., None] * target)
        moved = ntk * gain[:, None, :]
        change, covariance = nngp - moved @ initial / 2, None
        prior = _gram.prior("test.nngp", _pair("test", test)[0], rows=len(nngp))
        variance = prior - 2 * (moved * change).sum(axis=-1) if prior.ndim == 1 else None
        if variance is None:
            covariance = prior - 2 * _gram.symmetrized(moved @ change.mT)
            variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    mean, covariance, variance = (
        part if part is None else part.reshape(*times.shape, *shape) for part, shape in (
            (mean, (-1, *y.shape[1:])), (covariance, np.shape(covariance)[1:]), (variance, variance.shape[1:])))
    return Prediction(mean, covariance, variance)


def _kept(decay, eigenvalues, shift):
    """Return which part of each mode's residual is left where jitter drives training, and the function has none."""
    lost = np.divide(shift, eigenvalues, out=np.zeros_like(eigenvalues), where=eigenvalues > 0)
    return decay * (1 - lost) + lost


def _trajectory(times, theta, y, f0, cross, f0_test, jitter, *discrete):
    eigenvalues, vectors, shift = _gram.eigh("theta", theta, jitter, times)
    decay, gain = _clock(eigenvalues, times, *discrete)
    kept, gain = _kept(decay, eigenvalues, shift)[..., None], gain[..., None]
    y = _validate.array("y", y, ndim=(1, 2), rows=len(vectors))
    if (f0_test is not None and cross is None) or (cross is not None and (f0 is None) != (f0_test is None)):
        raise ValueError("f0 and f0_test must be given together where cross is; "
                         f"got {'only f0' if f0_test is None else 'f0_test without f0 or cross'}")
    f0 = 0 if f0 is None else _validate.array("f0", f0, y.ndim, len(y), y.shape[-1])
    start = vectors.T @ (f0 - y).reshape(len(y), -1)
    shape, test = (*times.shape, -1, *y.shape[1:]), None
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the critical learning rate
        modes = np.where(start == 0, 0, kept * start)
        residual = np.linalg.norm(modes, axis=(1, 2)).reshape(times.shape)
        train = (y.reshape(len(y), -1) + vectors @ modes).reshape(shape)
        if cross is not None:
            cross = _validate.array("cross", cross, columns=len(y))
            test = -(cross @ vectors @ np.where(start == 0, 0, gain * start)).reshape(shape)
        if f0_test is not None:
            test += _validate.array("f0_test", f0_test, y.ndim, len(cross), (len(cross), *y.shape[1:])[-1])
    return Trajectory(times, eigenvalues, modes.reshape(shape), residual, train, test)


def _clock(eigenvalues, times, learning_rate=None, steps=None):
    """Return exp(-λt), with steps (1 - ηλ)^s, and what it lacks to 1, divided by λ: each (t, n)."""
    t = np.atleast_1d(times)[:, None]
    if steps is None:
        decay, lost = np.exp(-t * eigenvalues), -np.expm1(-t * eigenvalues)
    else:
        z, s = learning_rate * eigenvalues, steps[:, None]
        exponent = s * np.log1p(-np.minimum(z, 0.5))  # keeps the digits of a small z
        with np.errstate(over="ignore"):
            power = (1 - z) ** s
        decay, lost = np.where(z < 0.5, (np.exp(exponent), -np.expm1(exponent)), (power, 1 - power))
    limit = np.broadcast_to(t, lost.shape).copy()  # at λ = 0
    return decay, np.divide(lost, eigenvalues, out=limit, where=eigenvalues > 0)


def _times(value):
    times = _validate.array("times", value, ndim=(0, 1), finite=False)
    _validate.require((times >= 0).all(), f"times must be at least 0; got {times.min():g}")
    return times


def _pair(name, value):
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be a pair (nngp, ntk), as of arch.kernels; got {type(value).__name__}")
    return value
