r"""Dynamics under a fixed kernel: gradient descent by eigenmodes, trained ensembles, posterior, ridge.

The book's clock: loss :math:`\tfrac12\sum_i\|f(x_i)-y_i\|^2` (a sum), so :math:`\dot f=-\Theta(f-y)`; time is learning
rate times steps. Targets ``y`` have shape (n,) or (n, k). All is computed in float64, and arguments are never
modified. A kernel of points with themselves must be symmetric (to half the digits of its dtype); if decomposed,
eigenvalues down to minus the rounding level :math:`n\varepsilon\lambda_{\max}` count as zero and any below is refused.
``jitter`` adds that multiple (at least 0) of the mean diagonal to the diagonal of the kernel that drives training or is
inverted: as ridge does, it moves the predictions at training points off the targets. A ValueError
names the argument if a shape does not fit, a number is out of range or not finite, or the answer hangs on eigenvalues
lost in rounding. Lee et al.: *Wide neural networks of any depth evolve as linear models under gradient descent*, 2019.
"""

import warnings
from typing import NamedTuple

import numpy as np

from . import _validate


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


def eigenmodes(theta, jitter=0.0):
    r"""Decompose the kernel of training points, (n, n): :math:`\Theta=V\,\mathrm{diag}(\lambda)V^\top`."""
    return Eigenmodes(*_eigh("theta", theta, jitter)[:2])


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
    r"""Predict by infinitely wide networks, random at the start and trained by gradient flow: a :class:`Prediction`.

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
    eigenvalues, vectors, shift = _eigh(*driver, jitter, times)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(vectors))
    decay, gain = _clock(eigenvalues, times)
    target = vectors.T @ y.reshape(len(y), -1)
    # A sandwich of the initial covariance, here in the eigenbasis of the kernel that drives training.
    initial, noise = np.diag(eigenvalues - shift), shift
    if layers == "all":
        initial, noise = vectors.T @ _kernel("train.nngp", nngp, rows=len(y))[0] @ vectors, 0.0
    if cross is None:
        kept = _kept(decay, eigenvalues, shift)
        mean = y.reshape(len(y), -1) - vectors @ (kept[..., None] * target)
        covariance = _symmetrized((vectors * kept[:, None, :]) @ initial @ (vectors * kept[:, None, :]).mT)
        if noise:
            covariance += _symmetrized(noise * (vectors * (1 - kept[:, None, :]) ** 2) @ vectors.T)
        variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    else:
        initial += np.diag(np.full(len(y), noise))
        nngp, ntk = _pair("cross", cross)
        nngp = _validate.array("cross.nngp", nngp, columns=len(y)) @ vectors
        ntk = _validate.array("cross.ntk", ntk, 2, len(nngp), len(y)) @ vectors if layers == "all" else nngp
        mean = ntk @ (gain[..., None] * target)
        moved = ntk * gain[:, None, :]
        change, covariance = nngp - moved @ initial / 2, None
        prior = _prior("test.nngp", _pair("test", test)[0], rows=len(nngp))
        variance = prior - 2 * (moved * change).sum(axis=-1) if prior.ndim == 1 else None
        if variance is None:
            covariance = prior - 2 * _symmetrized(moved @ change.mT)
            variance = np.diagonal(covariance, axis1=-2, axis2=-1)
    mean, covariance, variance = (
        part if part is None else part.reshape(*times.shape, *shape) for part, shape in (
            (mean, (-1, *y.shape[1:])), (covariance, np.shape(covariance)[1:]), (variance, variance.shape[1:])))
    return Prediction(mean, covariance, variance)


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
    prior = _prior("test", test, rows=len(cross))
    half = solve_triangular(factor, cross.T, lower=True)
    mean = half.T @ solve_triangular(factor, y, lower=True)
    if prior.ndim == 1:
        return Prediction(mean, None, prior - (half**2).sum(axis=0))
    covariance = prior - _symmetrized(half.T @ half)
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

    matrix, rounding, _ = _kernel("kernel", kernel, jitter)
    needed = rounding * matrix.diagonal().max(), matrix.diagonal().mean()
    matrix += np.diag(np.full(len(matrix), _validate.number(name, shift, at_least=0)))
    try:
        factor = scipy.linalg.cholesky(matrix, lower=True)
    except np.linalg.LinAlgError:
        raise _singular("kernel", *needed) from None
    # A squared pivot is the variance a point has left, given the points before it.
    if factor.diagonal().min() ** 2 <= rounding * matrix.diagonal().max():
        raise _singular("kernel", *needed)
    return factor, _validate.array("y", y, ndim=(1, 2), rows=len(factor))


def _prior(name, value, rows):
    """Return the covariance (m, m) of test points, or their variances (m,)."""
    given = _validate.array(name, value, ndim=(1, 2), rows=rows)
    return given.astype(float) if given.ndim == 1 else _kernel(name, given, rows=rows)[0]


def _kernel(name, value, jitter=0.0, rows=None):
    """Return a float64 copy, symmetric and with jitter, the relative rounding of its eigenvalues, and the jitter."""
    given = _validate.array(name, value, rows=rows, columns=rows)
    _validate.require(given.shape[0] == given.shape[1],
                      f"{name} must be square, a row and a column for each point; got shape {given.shape}")
    eps, out = np.finfo(given.dtype).eps, given.astype(float)
    gap = np.abs(out - out.T).max()
    _validate.require(gap <= np.sqrt(eps) * np.abs(out).max(),
                      f"{name} must be symmetric; got entries that differ from their mirror by {gap:.3g}")
    shift = _validate.number("jitter", jitter, at_least=0) * out.diagonal().mean()
    return _symmetrized(out) + np.diag(np.full(len(out), shift)), len(out) * eps, shift


def _eigh(name, value, jitter, times=0.0):
    """Return the eigenvalues, largest first and none negative, the eigenvectors, and what jitter has added.

    Refuse times at which modes of eigenvalues that are lost in rounding would have moved.
    """
    import scipy.linalg  # here, so that importing the package does not load SciPy

    matrix, rounding, shift = _kernel(name, value, jitter)
    values, vectors = (a[..., ::-1] for a in scipy.linalg.eigh(matrix))
    rounding = rounding * np.abs(values).max() + np.finfo(float).tiny
    if values[-1] < -rounding:
        raise ValueError(f"{name} must be positive semi-definite; got the eigenvalue {values[-1]:.3g}, beyond"
                         f" rounding ({rounding:.1g}). Is it a kernel? If it is, but inexact, add jitter"
                         f"{_enough(-values[-1], matrix.diagonal().mean())}")
    if values[-1] <= rounding and (times * rounding >= 1).any():
        raise _singular(name, rounding, matrix.diagonal().mean(), f", or ask for times well below {1 / rounding:.1g}")
    # "Largest" to six digits, so that rounding does not choose among entries that are equal by symmetry.
    size = np.abs(vectors)
    first = np.argmax(size > (1 - 1e-6) * size.max(axis=0), axis=0)
    return np.maximum(values, 0), vectors * np.sign(vectors[first, np.arange(len(matrix))]), shift


def _singular(name, rounding, diagonal, also=" or a ridge"):
    """Return the error for a singular kernel, with what to do about it."""
    return ValueError(f"{name} must be positive definite beyond rounding; got a singular matrix. Remove"
                      f" duplicate training points, or add jitter{_enough(rounding, diagonal)}{also}")


def _enough(lacking, diagonal):
    """Return, for a message, a jitter that makes up for eigenvalues lacking that much."""
    return f" ({10 ** np.ceil(np.log10(4 * lacking / diagonal)):.0e}, say)" if diagonal > 0 else ""


def _kept(decay, eigenvalues, shift):
    """Return which part of each mode's residual is left where jitter drives training, and the function has none."""
    lost = np.divide(shift, eigenvalues, out=np.zeros_like(eigenvalues), where=eigenvalues > 0)
    return decay * (1 - lost) + lost


def _symmetrized(a):
    return (a + a.mT) / 2


def _trajectory(times, theta, y, f0, cross, f0_test, jitter, *discrete):
    eigenvalues, vectors, shift = _eigh("theta", theta, jitter, times)
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
