"""Training of finite networks and of their linearization, on the book's clock and with a recorded history."""

import copy
import itertools
import warnings
from typing import NamedTuple

import numpy as np

from . import _validate
from .networks import Network, unflatten


class Linearized(Network):
    r"""The model a network is to first order around its parameters :math:`\theta_0`, where it starts.

    .. math:: f_{lin}(x;\theta)=f(x;\theta_0)+J_{\theta_0}(x)\,(\theta-\theta_0)

    by a Jacobian-vector product: the Jacobian is never formed. All but its outputs and :math:`\theta` is the network's
    at :math:`\theta_0`: its tangent kernel never changes. Lee et al., *Wide neural networks of any depth evolve as
    linear models under gradient descent*, NeurIPS 2019, equation 5.
    """

    def __init__(self, net):
        self.__dict__.update(_model(net).copy().__dict__)
        self._start, self._params = self._params, net.copy().params

    def with_params(self, params):
        r"""Return the same linear model at another :math:`\theta`."""
        new = copy.copy(self)
        new._params = unflatten(params, self.params)
        return new

    def _outputs(self, x):
        f, df = self._jvp(x, [(W - W0, b - b0) for (W, b), (W0, b0) in zip(self.params, self._start)])
        return f + df

    def _vjp(self, x):
        return self._outputs(x), super()._vjp(x)[1]


class History(NamedTuple):
    """What :func:`ntk_helpers.train` recorded."""

    steps: np.ndarray  #: (r,)
    times: np.ndarray  #: learning rate times steps, (r,)
    loss: np.ndarray  #: training loss, (r,)
    values: dict  #: what each function given returned, stacked: (r, ...)


def train(net, x, y, learning_rate, steps, *, loss="squares", optimizer="gd", batch_size=None, rng=None,
          maps=None, at=None, record=None):
    r"""Train a copy of a network, or of its linearization; return it, and what was recorded, a ``History``.

    .. math::
        \theta\leftarrow\theta-\eta\,c\,\nabla_\theta\mathcal L,\qquad
        \mathcal L=\tfrac12\sum_i\|f(x_i)-y_i\|^2,\qquad t=\eta\cdot\text{steps},

    with :math:`c` the ``learning_rate_factor`` of ``net``, which is left as it is. The data ``x`` have shape (n,
    inputs), ``y`` (n, outputs), or (n,) for one output; :math:`\eta>0` is the ``learning_rate``, ``steps`` the number
    of updates. The loss is a sum, not a mean. For a wide network this is stable while :math:`\eta<2/\lambda_{\max}` of
    :math:`c\,\hat\Theta(X,X)`; parameters that overflow bring a RuntimeWarning.

    ``loss`` "cross_entropy" is :math:`-\sum_{ia}y_{ia}\log\mathrm{softmax}(f(x_i))_a`: rows of ``y`` are probabilities.
    ``optimizer`` "adam" (Kingma and Ba 2015: .9, .999, 1e-8) takes the learning rate as it is, without :math:`c`. With
    ``batch_size``, ``rng`` draws minibatches without replacement, epoch by epoch; their gradient is scaled by n / batch
    size, so that it estimates the full one and the clock is the same. ``maps`` are the numbers of the dense maps to
    train (0 is the first, -1 the readout; all by default): the sum of their
    :meth:`ntk_helpers.networks.Network.ntk_shares` is then the kernel. ``at`` holds numbers of steps, 0 to ``steps``,
    after which to record the loss (the start and the end by default) and what each function in the dict ``record``
    returns for the network in training; it is copied and stacked.
    """
    net = _model(net).copy()
    x, y = _data(net, x, y, loss)
    rate = _validate.number("learning_rate", learning_rate, above=0)
    steps = _validate.integer("steps", steps, at_least=0)
    at = [0, steps] if at is None else np.atleast_1d(at).tolist()
    wanted = {_validate.integer("at", step, at_least=0) for step in at}
    _validate.require(wanted and max(wanted) <= steps, f"at must hold numbers of steps from 0 to {steps}; got {at!r}")
    _validate.require(optimizer in ("gd", "adam"), f"optimizer must be 'gd' or 'adam'; got {optimizer!r}")
    record = {} if record is None else record
    _validate.require(isinstance(record, dict) and all(map(callable, record.values())),
                      f"record must be a dict of functions of a network; got {record!r}")
    batches, selected = _batches(len(x), batch_size, rng), _select(net, maps)
    arrays = [array for i in selected for array in net.params[i]]
    # Gradient descent puts its rate into the residual: fewer numbers to scale than the gradient has.
    scale, rule = (rate * net.learning_rate_factor, iter) if optimizer == "gd" else (1.0, _adam(arrays, rate))
    functions, rows = [lambda net: _loss(loss, net._outputs(x), y)[0], *record.values()], []
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        for step in range(steps + 1):
            if step in wanted:
                rows.append([np.array(function(net)) for function in functions])
            if step < steps:
                batch = next(batches)
                f, pull = net._vjp(x[batch])
                gradients = pull(_loss(loss, f, y[batch])[1] * (scale * len(x) / len(f)))
                for change, array in zip(rule([array for i in selected for array in gradients[i]]), arrays):
                    array -= change
    if not all(np.isfinite(array).all() for array in arrays):
        warnings.warn(f"training diverged: learning_rate={rate:g} is too large; gradient descent on squares needs about"
                      f" 2 / largest eigenvalue of {net.learning_rate_factor} * net.ntk(x), or less", RuntimeWarning, 2)
    steps, (losses, *values) = np.array(sorted(wanted)), (np.array(column) for column in zip(*rows))
    return net, History(steps, rate * steps, losses, dict(zip(record, values)))


def loss_gradient(net, x, y, loss="squares"):
    """Return the loss and its gradients, a list as ``net.params``; arguments as in :func:`ntk_helpers.train`."""
    x, y = _data(_model(net), x, y, loss)
    f, pull = net._vjp(x)
    value, residual = _loss(loss, f, y)
    return value, pull(residual)


def _loss(name, f, y):
    """Return the loss, summed over examples, and its derivative by ``f``."""
    if name == "squares":
        residual = f - y
        return 0.5 * float((residual**2).sum()), residual
    log = f - f.max(1, keepdims=True)
    log -= np.log(np.exp(log).sum(1, keepdims=True))
    return -float((y * log).sum()), np.exp(log) - y


def _model(net):
    _validate.require(isinstance(net, Network),
                      f"net must be a Network, such as arch.init(...) returns; got {type(net).__name__}")
    return net


def _data(net, x, y, loss):
    x = net._check("x", x)
    y = _validate.array("y", y, ndim=(1, 2), rows=len(x)).astype(x.dtype, copy=False).reshape(len(x), -1)
    _validate.require(y.shape[1] == net.outputs,
                      f"y must have {net.outputs} columns, the network's outputs; got shape {y.shape}")
    _validate.require(loss in ("squares", "cross_entropy"), f"loss must be 'squares' or 'cross_entropy'; got {loss!r}")
    _validate.require(loss != "cross_entropy" or ((y >= 0).all() and np.abs(y.sum(1) - 1).max() <= 1e-5),
                      "y must hold probabilities for cross_entropy: not negative, each row of sum 1")
    return x, y


def _select(net, maps):
    """Return indices into ``params``: those of the dense maps asked for, in every copy."""
    count = len(net.params) // len(net._copies)
    given = list(range(count)) if maps is None else np.atleast_1d(maps).tolist()
    chosen = {_validate.integer("maps", i, at_least=-count) % count for i in given}
    _validate.require(chosen and len(chosen) == len(given) and max(given) < count,
                      f"maps must hold different numbers from {-count} to {count - 1}; got {maps!r}")
    return [i for i in range(len(net.params)) if i % count in chosen]


def _batches(n, size, rng):
    """Return an endless iterator over the rows of each update."""
    if size is None:
        return itertools.repeat(slice(None))
    _validate.generator("rng", rng)
    size = _validate.integer("batch_size", size)
    _validate.require(size <= n, f"batch_size must be at most {n}, the number of examples; got {size}")
    epochs = (rng.permutation(n) for _ in itertools.count())
    return (order[i : i + size] for order in epochs for i in range(0, n, size))


def _adam(arrays, rate):
    """Return the function from gradients to what is subtracted from each of the arrays."""
    means, squares = ([np.zeros_like(array) for array in arrays] for _ in range(2))
    count = itertools.count(1)

    def rule(gradients):
        step = next(count)
        for gradient, mean, square in zip(gradients, means, squares):
            mean += (1 - 0.9) * (gradient - mean)
            square += (1 - 0.999) * (gradient**2 - square)
            yield (rate / (1 - 0.9**step)) * mean / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)

    return rule
