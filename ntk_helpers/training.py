"""Training of finite networks and of their linearization, on the book's clock and with a recorded history."""

import copy
import warnings
from typing import NamedTuple

import numpy as np

from . import _validate
from .networks import Network, unflatten


class Linearized(Network):
    r"""The model a network is to first order around its parameters :math:`\theta_0`.

    .. math:: f_{lin}(x;\theta)=f(x;\theta_0)+J_{\theta_0}(x)\,(\theta-\theta_0)

    by a Jacobian-vector product: the Jacobian is never formed. It starts at :math:`\theta=\theta_0`. All but
    its outputs and :math:`\theta` is the network's at :math:`\theta_0`: its tangent kernel never changes.

    References
    ----------
    Lee et al., *Wide neural networks of any depth evolve as linear models under gradient descent*,
    NeurIPS 2019, equation 5.
    """

    def __init__(self, net):
        self.__dict__.update(_model(net).copy().__dict__)
        self._params = net.copy().params

    @property
    def params(self):
        r"""The parameters :math:`\theta`, as :attr:`Network.params`."""
        return self._params

    def with_params(self, params):
        r"""Return the same linear model at another :math:`\theta`."""
        new = copy.copy(self)
        new._params = unflatten(params, self._params)
        return new

    def _outputs(self, x):
        start = super().params
        f, df = self._jvp(x, [(W - W0, b - b0) for (W, b), (W0, b0) in zip(self._params, start)])
        return f + df

    def _vjp(self, x):
        return self._outputs(x), super()._vjp(x)[1]


class History(NamedTuple):
    """What :func:`train` recorded."""

    steps: np.ndarray  #: (r,)
    times: np.ndarray  #: learning rate times steps, (r,)
    loss: np.ndarray  #: training loss, (r,)
    values: dict  #: what each function given returned, stacked: (r, ...)


class Movement(NamedTuple):
    """How far one dense map's raw parameters moved: see :func:`movement`."""

    frobenius: float  #: Euclidean norm of the change of all its parameters
    relative: float  #: the same over the norm of the parameters themselves before
    neurons: np.ndarray  #: norm of the change of each output unit's weights and bias, (fan_out,)


def train(net, x, y, learning_rate, steps, *, loss="squares", optimizer="gd", batch_size=None, rng=None,
          maps=None, at=None, record=None):
    r"""Train a copy of a network, or of its linearization, and record what happens.

    .. math::
        \theta\leftarrow\theta-\eta\,c\,\nabla_\theta\mathcal L,\qquad
        \mathcal L=\tfrac12\sum_i\|f(x_i)-y_i\|^2,\qquad t=\eta\cdot\text{steps},

    with :math:`c` the network's ``learning_rate_factor``. The loss is a sum, not a mean. For a wide network
    this is stable while :math:`\eta<2/\lambda_{\max}` of :math:`c\,\hat\Theta(X,X)`.

    Parameters
    ----------
    net : Network or Linearized
        Where to start; it is left as it is.
    x, y : array, shape (n, inputs) and (n, outputs)
        Training data; ``y`` may have shape (n,) for one output.
    learning_rate : float
        :math:`\eta>0`.
    steps : int
        Number of updates, at least 1.
    loss : {"squares", "cross_entropy"}
        The second is :math:`-\sum_{ia}y_{ia}\log\mathrm{softmax}(f(x_i))_a`: rows of ``y`` are probabilities.
    optimizer : {"gd", "adam"}
        Adam (Kingma and Ba 2015: .9, .999, 1e-8) takes the learning rate as it is, without :math:`c`.
    batch_size : int, optional
        Draw minibatches without replacement, epoch by epoch, by ``rng``; their gradient is scaled by
        n / batch size, so that it estimates the full one and the clock is the same.
    rng : numpy.random.Generator, optional
        Needed for minibatches only.
    maps : sequence of int, optional
        Train only these dense maps (0 is the first, -1 the readout); the kernel is then the sum of their
        :meth:`Network.ntk_shares`.
    at : sequence of int, optional
        Numbers of steps after which to record, from 0 to ``steps``; the start and the end by default.
    record : dict of functions, optional
        Each is given the network in training; what it returns is copied and stacked over ``at``.

    Returns
    -------
    Network or Linearized
        The trained copy.
    History

    Warns
    -----
    RuntimeWarning
        If the parameters overflowed: the learning rate is too large.

    Raises
    ------
    ValueError
        If an argument has the wrong shape, is not finite or is out of its range.
    """
    net = _model(net).copy()
    x, y = _data(net, x, y, loss)
    rate = _validate.number("learning_rate", learning_rate, above=0)
    steps = _validate.integer("steps", steps)
    at = [0, steps] if at is None else np.atleast_1d(at).tolist()
    wanted = {_validate.integer("at", step, at_least=0) for step in at}
    if not wanted or max(wanted) > steps:
        raise ValueError(f"at must hold numbers of steps from 0 to {steps}; got {at!r}")
    if optimizer not in ("gd", "adam"):
        raise ValueError(f"optimizer must be 'gd' or 'adam'; got {optimizer!r}")
    batches = _batches(len(x), batch_size, rng)
    selected = _select(net, maps)
    arrays = [array for i in selected for array in net.params[i]]
    # Gradient descent puts its rate into the residual: fewer numbers to scale than the gradient has.
    scale = 1.0 if optimizer == "adam" else rate * net.learning_rate_factor
    update = _adam(arrays, rate) if optimizer == "adam" else _descent(arrays)
    record, losses = {} if record is None else record, []
    if not isinstance(record, dict) or not all(map(callable, record.values())):
        raise ValueError(f"record must be a dict of functions of a network; got {record!r}")
    values = {name: [] for name in record}
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        for step in range(steps + 1):
            if step in wanted:
                losses.append(LOSSES[loss](net._outputs(x), y)[0])
                for name, function in record.items():
                    values[name].append(np.array(function(net)))
            if step < steps:
                rows = next(batches)
                f, pull = net._vjp(x[rows])
                gradients = pull(LOSSES[loss](f, y[rows])[1] * (scale * len(x) / len(f)))
                update([array for i in selected for array in gradients[i]])
    if not all(np.isfinite(array).all() for array in arrays):
        bound = f"2 / largest eigenvalue of {net.learning_rate_factor} * net.ntk(x)"
        warnings.warn(f"training diverged: learning_rate={rate:g} is too large; gradient descent on squares"
                      f" needs less than about {bound}", RuntimeWarning, stacklevel=2)
    steps = np.array(sorted(wanted))
    stacked = {name: np.array(each) for name, each in values.items()}
    return net, History(steps, rate * steps, np.array(losses), stacked)


def loss_gradient(net, x, y, loss="squares"):
    """Return the loss and its gradients, a list as ``net.params``; arguments, errors as in :func:`train`."""
    x, y = _data(_model(net), x, y, loss)
    f, pull = net._vjp(x)
    value, residual = LOSSES[loss](f, y)
    return value, pull(residual)


def movement(net, start):
    """Return how far raw parameters are from those of ``start``: a :class:`Movement` for each dense map."""
    wanted, given = ([W.shape for W, _ in _model(each).params] for each in (net, start))
    if given != wanted:
        raise ValueError(f"start must have weights of shapes {wanted}, like net; got {given}")
    out = []
    for (W, b), (W0, b0) in zip(net.params, start.params):
        neurons = np.sqrt(((W - W0) ** 2).sum(0) + (b - b0) ** 2)
        size = float(np.linalg.norm(neurons))
        out.append(Movement(size, size / float(np.sqrt((W0**2).sum() + (b0**2).sum())), neurons))
    return out


def squares(f, y):
    """Return half the sum of squares, and its derivative by ``f``."""
    residual = f - y
    return 0.5 * float((residual**2).sum()), residual


def cross_entropy(f, y):
    """Return the cross-entropy of softmax(f), summed over examples, and its derivative by ``f``."""
    log = f - f.max(1, keepdims=True)
    log -= np.log(np.exp(log).sum(1, keepdims=True))
    return -float((y * log).sum()), np.exp(log) - y


LOSSES = {"squares": squares, "cross_entropy": cross_entropy}


def _model(net):
    if not isinstance(net, Network):
        raise ValueError(f"net must be a Network, such as arch.init(...) returns; got {type(net).__name__}")
    return net


def _data(net, x, y, loss):
    x = net._check("x", x)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(x)).astype(x.dtype, copy=False)
    y = y[:, None] if y.ndim == 1 else y
    if y.shape[1] != net.outputs:
        raise ValueError(f"y must have {net.outputs} columns, the network's outputs; got shape {y.shape}")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {sorted(LOSSES)}; got {loss!r}")
    if loss == "cross_entropy" and ((y < 0).any() or np.abs(y.sum(1) - 1).max() > 1e-5):
        raise ValueError("y must hold probabilities for cross_entropy: not negative, each row of sum 1")
    return x, y


def _select(net, maps):
    """Return indices into ``params``: those of the dense maps asked for, in every copy."""
    count = len(net.params) // len(net._copies)
    if maps is None:
        return range(len(net.params))
    given = [_validate.integer("maps", i, at_least=-count) for i in np.atleast_1d(maps).tolist()]
    chosen = {i % count for i in given if i < count}
    if not chosen or len(chosen) < len(given):
        raise ValueError(f"maps must hold different numbers from {-count} to {count - 1}; got {maps!r}")
    return [i for i in range(len(net.params)) if i % count in chosen]


def _batches(n, size, rng):
    """Return an endless iterator over the rows of each update."""
    if size is None:
        return iter(lambda: slice(None), None)
    size = _validate.integer("batch_size", size)
    if size > n:
        raise ValueError(f"batch_size must be at most {n}, the number of examples; got {size}")
    _validate.generator("rng", rng)

    def epochs():
        while True:
            order = rng.permutation(n)
            yield from (order[i : i + size] for i in range(0, n, size))

    return epochs()


def _descent(arrays):
    def update(gradients):
        for array, gradient in zip(arrays, gradients):
            array -= gradient

    return update


def _adam(arrays, rate):
    means, squares, step = [np.zeros_like(a) for a in arrays], [np.zeros_like(a) for a in arrays], 0

    def update(gradients):
        nonlocal step
        step += 1
        for array, gradient, mean, square in zip(arrays, gradients, means, squares):
            mean += (1 - 0.9) * (gradient - mean)
            square += (1 - 0.999) * (gradient**2 - square)
            array -= (rate / (1 - 0.9**step)) * mean / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)

    return update
