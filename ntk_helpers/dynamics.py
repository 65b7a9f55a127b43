r"""Dynamics under a fixed kernel: gradient descent by eigenmodes, trained ensembles, posterior, ridge.

The book's clock: loss :math:`\tfrac12\sum_i\|f(x_i)-y_i\|^2` (a sum), so :math:`\dot f=-\Theta(f-y)`; time is learning
rate times steps. Targets ``y`` have shape (n,) or (n, k). All is computed in float64, and arguments are never
modified. A kernel of points with themselves must be symmetric (to half the digits of its dtype); if decomposed,
eigenvalues down to minus the rounding level :math:`n\varepsilon\lambda_{\max}` count as zero and any below is refused.
``jitter`` adds that multiple (at least 0) of the mean diagonal to the diagonal of the training kernel. A ValueError
names the argument if a shape does not fit, a number is out of range or not finite, or a kernel is singular and the
answer hangs on eigenvalues lost in rounding. Lee et al.: *Wide neural networks of any depth evolve as linear models
under gradient descent*, 2019.
"""

import warnings
from typing import NamedTuple

import numpy as np

from . import _linalg, _validate


class Eigenmodes(NamedTuple):
    """Eigenvalues of a kernel matrix (the rates of gradient flow) and its eigenvectors."""

    eigenvalues: np.ndarray  #: (n,), largest first
    eigenvectors: np.ndarray  #: (n, n), a column each; of its entries largest in size, the first is positive


class Trajectory(NamedTuple):
    """Training in function space, at each time asked for; without the first axis if that was a number."""

    times: np.ndarray  #: (t,), learning rate times steps
    eigenvalues: np.ndarray  #: (n,), largest first
    modes: np.ndarray  #: residual f - y in each eigenmode, (t, n) or (t, n, k)
    residual: np.ndarray  #: norm of the residual over points and outputs, (t,)
    train: np.ndarray  #: outputs on the training points, (t, n) or (t, n, k)
    test: np.ndarray | None  #: outputs on the test points, (t, m) or (t, m, k)


class Prediction(NamedTuple):
    """Gaussian prediction, at each time asked for; without the first axis if that was a number."""

    mean: np.ndarray  #: (t, m) or (t, m, k)
    covariance: np.ndarray  #: (t, m, m), symmetric; of each output alone, the same for all of them

    @property
    def std(self):
        """Standard deviation at each point, (t, m); a variance below zero by rounding counts as zero."""
        return np.sqrt(np.maximum(np.diagonal(self.covariance, axis1=-2, axis2=-1), 0))


def eigenmodes(theta, jitter=0.0):
    r"""Decompose the kernel of training points, (n, n): :math:`\Theta=V\,\mathrm{diag}(\lambda)V^\top`."""
    return Eigenmodes(*_linalg.eigh("theta", theta, jitter))


def critical_learning_rate(theta):
    r"""Return :math:`2/\lambda_{\max}(\Theta)`, below which gradient descent converges (∞ for Θ = 0)."""
    return _critical(eigenmodes(theta).eigenvalues)


def kernel_gradient_flow(theta, y, times, *, f0=None, cross=None, f0_test=None, jitter=0.0):
    r"""Solve kernel gradient descent in continuous time, :math:`\dot f_t(x)=-\Theta(x,X)(f_t(X)-y)`.

    .. math::
        f_t(x) &= f_0(x) + \Theta(x,X)\,V\,\mathrm{diag}((1-e^{-\lambda_it})/\lambda_i)V^\top(y-f_0(X)),\\
        f_\infty(x) &= f_0(x) + \Theta(x,X)\,\Theta(X,X)^{-1}(y-f_0(X))

    (Lee et al., equations 8 to 11). ``theta`` (n, n) is the kernel of the training points, ``cross`` (m, n), if given,
    that between test points (rows) and these. ``times`` are one number or of shape (t,), at least 0, ``np.inf``
    allowed. ``f0`` and ``f0_test`` are outputs at time 0, arrays or one number, given together; 0 if left out. Returns
    a :class:`Trajectory`.
    """
    times = _times(times)
    modes = _linalg.eigh("theta", theta, jitter, times)
    return _trajectory(times, modes, _clock(modes[0], times), y, f0, cross, f0_test)


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
    times = learning_rate * steps
    modes = _linalg.eigh("theta", theta, jitter, times)
    path = _trajectory(times, modes, _clock(modes[0], times, learning_rate, steps), y, f0, cross, f0_test)
    critical = _critical(path.eigenvalues)
    if learning_rate >= critical:
        warnings.warn(f"learning_rate {learning_rate:g} is not below the critical 2/lambda_max = {critical:g}:"
                      " gradient descent does not converge", RuntimeWarning, 2)
    return path


def trained_ensemble(train, y, times=np.inf, cross=None, test=None, *, layers="all", jitter=0.0):
    r"""Predict by infinitely wide networks, random at the start and trained by gradient flow: a :class:`Prediction`.

    .. math::
        \mu_t=P_t\,y,\qquad \Sigma_t=K(x,x')-P_tK(X,x')-K(x,X)P_t^\top+P_tK(X,X)P_t^\top,\qquad
        P_t=\Theta(x,X)\,\Theta^{-1}(1-e^{-\Theta t}),

    with :math:`K` the NNGP kernel (Lee et al., equation 16, for infinite time). Training the last layer only
    is :math:`\Theta=K`, at infinite time the NNGP posterior; training all layers is no prior's posterior.

    Kernels are pairs (nngp, ntk), as ``arch.kernels`` gives them: ``train`` (n, n) of the training points, ``cross``
    (m, n) between test points (rows) and these, ``test`` (m, m), ``nngp`` alone used; without the last two the
    prediction is on the training points. ``times`` as in :func:`kernel_gradient_flow`; ``layers``, "all" or "last", are
    trained. ``jitter`` goes to the kernel that drives training; with "last" that is also the initial covariance of the
    training points: there it acts as noise in the targets.
    """
    _validate.require(layers in ("all", "last"), f'layers must be "all" or "last"; got {layers!r}')
    _validate.require((cross is None) == (test is None),
                      f"cross and test go together; got only {'test' if cross is None else 'cross'}")
    times, (nngp, ntk) = _times(times), _pair("train", train)
    driver = ("train.ntk", ntk) if layers == "all" else ("train.nngp", nngp)
    eigenvalues, vectors = _linalg.eigh(*driver, jitter, times)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(vectors))
    decay, gain = _clock(eigenvalues, times)
    target = vectors.T @ y.reshape(len(y), -1)
    # A sandwich of the initial covariance, here in the eigenbasis of the kernel that drives training.
    initial = np.diag(eigenvalues)
    if layers == "all":
        initial = vectors.T @ _linalg.kernel("train.nngp", nngp, rows=len(y))[0] @ vectors
    if cross is None:
        mean = y.reshape(len(y), -1) - _apply(vectors, decay[..., None] * target)
        kept = vectors * decay[:, None, :]
        covariance = _linalg.symmetrized(kept @ initial @ kept.mT)
    else:
        nngp, ntk = _pair("cross", cross)
        nngp = _validate.array("cross.nngp", nngp, columns=len(y)) @ vectors
        ntk = _validate.array("cross.ntk", ntk, 2, len(nngp), len(y)) @ vectors if layers == "all" else nngp
        mean = _apply(ntk, gain[..., None] * target)
        moved = ntk * gain[:, None, :]
        change = 2 * _linalg.symmetrized(moved @ (nngp - moved @ initial / 2).mT)
        covariance = _linalg.kernel("test.nngp", _pair("test", test)[0], rows=len(nngp))[0] - change
    return Prediction(mean.reshape(*times.shape, -1, *y.shape[1:]),
                      covariance.reshape(*times.shape, *covariance.shape[1:]))


def gp_posterior(kernel, y, cross, test, *, noise_variance=0.0, jitter=0.0):
    r"""Condition a centered Gaussian process on targets with noise of variance :math:`\sigma^2`: a :class:`Prediction`.

    .. math::
        \mu=K(x,X)\,(K+\sigma^2I)^{-1}y,\qquad \Sigma=K(x,x')-K(x,X)\,(K+\sigma^2I)^{-1}K(X,x'),

    the posterior of the function, without noise (Rasmussen and Williams 2006, equations 2.22 to 2.24). Covariances:
    ``kernel`` (n, n) of the training points, ``cross`` (m, n) between test points and these, ``test`` (m, m).
    """
    from scipy.linalg import solve_triangular

    factor, y, cross = _regression(kernel, y, cross, "noise_variance", noise_variance, jitter)
    test = _linalg.kernel("test", test, rows=len(cross))[0]
    half = solve_triangular(factor, cross.T, lower=True)
    mean = half.T @ solve_triangular(factor, y, lower=True)
    return Prediction(mean, test - _linalg.symmetrized(half.T @ half))


def kernel_ridge(kernel, y, cross, *, ridge=0.0, jitter=0.0):
    r"""Predict by kernel ridge regression, :math:`K(x,X)\,(K(X,X)+\rho I)^{-1}y`, of shape (m,) or (m, k).

    Minimizes :math:`\tfrac12\sum_i(f(x_i)-y_i)^2+\tfrac\rho2\|f\|^2`, in the norm of the kernel's function space, for
    one :math:`\rho\ge0`. Parameters as in :func:`gp_posterior`, whose mean this is; for the training points themselves
    ``cross=kernel``.
    """
    from scipy.linalg import cho_solve

    factor, y, cross = _regression(kernel, y, cross, "ridge", ridge, jitter)
    return cross @ cho_solve((factor, True), y)


def _regression(kernel, y, cross, name, shift, jitter):
    factor = _linalg.cholesky("kernel", kernel, _validate.number(name, shift, at_least=0), jitter)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(factor))
    return factor, y, _validate.array("cross", cross, columns=len(factor))


def _trajectory(times, modes, clock, y, f0, cross, f0_test):
    (eigenvalues, vectors), (decay, gain) = modes, (factor[..., None] for factor in clock)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(vectors))
    if (f0_test is not None and cross is None) or (cross is not None and (f0 is None) != (f0_test is None)):
        raise ValueError("f0 and f0_test must be given together where cross is; "
                         f"got {'only f0' if f0_test is None else 'f0_test without f0 or cross'}")
    start = vectors.T @ (_outputs("f0", f0, y.shape) - y).reshape(len(y), -1)
    shape, test = (*times.shape, -1, *y.shape[1:]), None
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the critical learning rate
        modes = np.where(start == 0, 0, decay * start)
        residual = np.linalg.norm(modes, axis=(1, 2)).reshape(times.shape)
        train = (y.reshape(len(y), -1) + _apply(vectors, modes)).reshape(shape)
        if cross is not None:
            cross = _validate.array("cross", cross, columns=len(y))
            change = _apply(cross @ vectors, np.where(start == 0, 0, gain * start)).reshape(shape)
            test = _outputs("f0_test", f0_test, (len(cross), *y.shape[1:])) - change
    return Trajectory(times, eigenvalues, modes.reshape(shape), residual, train, test)


def _apply(matrix, modes):
    """Multiply (m, n) into (t, n, k), as one product of matrices."""
    return np.moveaxis(np.tensordot(modes, matrix, axes=(1, 1)), 2, 1)


def _critical(eigenvalues):
    return 2 / eigenvalues[0] if eigenvalues[0] > 0 else np.inf


def _clock(eigenvalues, times, learning_rate=None, steps=None):
    """Return exp(-λt), with steps (1 - ηλ)^s, and what it lacks to 1, divided by λ: each (t, n)."""
    t = np.atleast_1d(times)[:, None]
    if steps is None:
        exponent = -t * eigenvalues
    else:
        z, s = learning_rate * eigenvalues, steps[:, None]
        exponent = s * np.log1p(-np.minimum(z, 0.5))  # keeps the digits of a small z
    decay, lost = np.exp(exponent), -np.expm1(exponent)
    if steps is not None:
        with np.errstate(over="ignore"):
            power = (1 - z) ** s
        decay, lost = np.where(z < 0.5, (decay, lost), (power, 1 - power))
    limit = np.broadcast_to(t, lost.shape).copy()  # at λ = 0
    return decay, np.divide(lost, eigenvalues, out=limit, where=eigenvalues > 0)


def _times(value):
    big = np.finfo(np.float32).max  # stands for infinity, which the check refuses
    times = _validate.array("times", np.nan_to_num(value, nan=np.nan, posinf=big, neginf=-big), ndim=(0, 1))
    _validate.require((times >= 0).all(), f"times must be at least 0; got {times.min():g}")
    return np.where(times == big, np.inf, times)


def _outputs(name, value, shape):
    value = _validate.array(name, 0.0 if value is None else value, ndim=(0, len(shape)))
    _validate.require(value.shape in ((), shape),
                      f"{name} must be a number or of the outputs' shape {shape}; got shape {value.shape}")
    return value


def _pair(name, value):
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"{name} must be a pair (nngp, ntk), as of arch.kernels; got {type(value).__name__}")
    return value
