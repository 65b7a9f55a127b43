"""Layers: how a batch flows through each at finite width, and a pair of kernels at infinite width."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import _validate
from .activations import Nonlinearity


class Affine(NamedTuple):
    """Raw parameters of one dense map and its fixed multipliers: ``z = scale * h @ W + bias_scale * b``."""

    W: np.ndarray  #: (fan_in, fan_out)
    b: np.ndarray  #: (fan_out,)
    scale: float
    bias_scale: float

    @classmethod
    def draw(cls, rng, fan_in, fan_out, weight_std, bias_std, parameterization, factor):
        """Draw raw parameters; ``factor`` multiplies the whole map."""
        W, b = rng.standard_normal((fan_in, fan_out)), rng.standard_normal(fan_out)
        scale, bias_scale = float(weight_std) / fan_in**0.5, float(bias_std)
        if parameterization == "standard":  # deviations go into the weights; no bias stays no bias
            W *= scale
            b *= bias_scale
            scale, bias_scale = 1.0, float(bias_scale > 0)
        return cls(W, b, scale * float(factor), bias_scale * float(factor))

    def __call__(self, h):
        z = _product(self.scale, h, self.W)
        if self.bias_scale:
            z += self.bias_scale * self.b
        return z

    def backward(self, signal):
        """Pull gradients by the output, (..., fan_out), back to gradients by the input, (..., fan_in)."""
        return _product(self.scale, signal, self.W.T)

    def tangent(self, h, dh, change):
        """Return the output's first-order change for that of the input and ``change = (dW, db)``."""
        dW, db = change
        return self.scale * (dh @ self.W + h @ dW) + self.bias_scale * db

    def gradient(self, inputs, signal):
        """Return the gradients by ``W`` and ``b``, summed over examples."""
        return _product(self.scale, inputs.T, signal), self.bias_scale * signal.sum(0)


@dataclass(frozen=True)
class Dense:
    r"""An affine map: :math:`z=\frac{\sigma_w}{\sqrt{n_{in}}}Wh+\sigma_b b`, all entries standard normal.

    At infinite width :math:`K\mapsto\sigma_w^2K+\sigma_b^2` and
    :math:`\Theta\mapsto\sigma_w^2K+\sigma_b^2+\sigma_w^2\Theta` (zero before the first layer).
    """

    weight_std: float = 1.0
    bias_std: float = 0.0

    def __post_init__(self):
        _validate.number("weight_std", self.weight_std, above=0)
        _validate.number("bias_std", self.bias_std, at_least=0)

    def infinite(self, pairs):
        """Advance the kernels in ``pairs`` (in place)."""
        pairs.dense(self.weight_std**2, self.bias_std**2)

    def draw(self, rng, fan_in, fan_out, parameterization, factor):
        """Draw raw parameters, from ``fan_in`` to ``fan_out`` units; ``factor`` multiplies the map."""
        return Affine.draw(rng, fan_in, fan_out, self.weight_std, self.bias_std, parameterization, factor)

    def forward(self, h, affine):
        """Return the output for inputs ``h`` of shape (n, units)."""
        return affine(h)

    def dense_inputs(self, h):
        """Return what the weights multiply."""
        return h

    def backward(self, signal, h, affine):
        """Pull ``signal``, gradients by the output of shape (..., n, units), back to the input."""
        return affine.backward(signal)

    def tangent(self, h, dh, affine, change):
        """Return the output's first-order change for that of the input, ``dh``, and of the parameters."""
        return affine.tangent(h, dh, change)


@dataclass(frozen=True)
class Activation:
    r"""An activation applied to every unit: :math:`h=\phi(z)`.

    At infinite width :math:`K\mapsto\mathbb E[\phi(u)\phi(v)]` and
    :math:`\Theta\mapsto\mathbb E[\phi'(u)\phi'(v)]\,\Theta`, with :math:`(u,v)\sim\mathcal N(0,K)`.
    """

    activation: Nonlinearity

    def __post_init__(self):
        _check_activation(self.activation)

    def infinite(self, pairs):
        """Advance the kernels in ``pairs`` (in place)."""
        self.activation.advance(pairs)

    def draw(self, rng, fan_in, fan_out, parameterization, factor):
        """Return None: there is nothing to draw."""

    def forward(self, h, affine):
        """Return the output for inputs ``h`` of shape (n, units)."""
        return self.activation.phi(h)

    def backward(self, signal, h, affine):
        """Pull ``signal``, gradients by the output of shape (..., n, units), back to the input, in place."""
        return _times_slope(signal, self.activation, h)

    def tangent(self, h, dh, affine, change):
        """Return the output's first-order change for that of the input, ``dh``."""
        return _times_slope(dh, self.activation, h)


@dataclass(frozen=True)
class Residual:
    r"""A pre-activation residual block: :math:`z\mapsto z+\alpha\,\mathrm{Dense}(\phi(z))`.

    The branch has independent weights of mean zero, so at infinite width its kernels are added:
    :math:`K\mapsto K+\alpha^2(\sigma_w^2\mathbb E[\phi\phi]+\sigma_b^2)` and
    :math:`\Theta\mapsto\Theta+\alpha^2(\sigma_w^2\mathbb E[\phi\phi]+\sigma_b^2)
    +\alpha^2\sigma_w^2\mathbb E[\phi'\phi']\,\Theta`.
    """

    activation: Nonlinearity
    scale: float = 1.0
    weight_std: float = 1.0
    bias_std: float = 0.0

    def __post_init__(self):
        _check_activation(self.activation)
        _validate.number("scale", self.scale)
        _validate.number("weight_std", self.weight_std, above=0)
        _validate.number("bias_std", self.bias_std, at_least=0)

    def infinite(self, pairs):
        """Advance the kernels in ``pairs`` (in place)."""
        skip = pairs.copy()
        self.activation.advance(pairs)
        pairs.dense((self.scale * self.weight_std) ** 2, (self.scale * self.bias_std) ** 2)
        pairs.add(skip)

    def draw(self, rng, fan_in, fan_out, parameterization, factor):
        """Draw the branch's raw parameters; it keeps the number of units, and ``factor`` multiplies it."""
        factor = factor * self.scale
        return Affine.draw(rng, fan_in, fan_in, self.weight_std, self.bias_std, parameterization, factor)

    def forward(self, h, affine):
        """Return the output for inputs ``h`` of shape (n, units)."""
        return h + affine(self.activation.phi(h))

    def dense_inputs(self, h):
        """Return what the weights multiply."""
        return self.activation.phi(h)

    def backward(self, signal, h, affine):
        """Pull ``signal``, gradients by the output of shape (..., n, units), back to the input."""
        return signal + _times_slope(affine.backward(signal), self.activation, h)

    def tangent(self, h, dh, affine, change):
        """Return the output's first-order change for that of the input, ``dh``, and of the parameters."""
        slope = _times_slope(dh.copy(), self.activation, h)
        return dh + affine.tangent(self.activation.phi(h), slope, change)


@dataclass(frozen=True)
class Architecture:
    """A sequence of layers: one description of the finite network and of its infinite-width kernels."""

    layers: tuple

    def init(self, rng, width, inputs, outputs=1, parameterization="ntk", antisymmetric=False, dtype=float):
        r"""Draw a finite network.

        Parameters
        ----------
        rng : numpy.random.Generator
            Draws ``W`` then ``b`` of each dense map, from the input on, as standard normals in float64.
        width, inputs, outputs : int
            Units of every hidden layer, :math:`m`; dimensions of the input and of the output.
        parameterization : {"ntk", "standard", "mup"}
            "ntk": maps :math:`\frac{\sigma_w}{\sqrt{n_{in}}}Wh+\sigma_bb` with standard normal entries.
            "standard": maps :math:`Wh+b` with entries of these deviations (no ``b`` if :math:`\sigma_b=0`).
            "mup": as "ntk", but the whole readout times a further :math:`1/\sqrt m`, and gradient descent
            with :math:`m` times the learning rate. The same ``rng`` gives the same function in the first two,
            and :math:`1/\sqrt m` times it in the third.
        antisymmetric : bool
            :math:`f=(g_\theta-g_{\theta'})/\sqrt2` with :math:`\theta'=\theta` at the start and both trained:
            zero at the start, with the tangent kernel of one copy. ``width`` is that of one copy.
        dtype : float64 or float32

        Returns
        -------
        ntk_helpers.networks.Network

        Raises
        ------
        ValueError
            If an argument is out of its range or the layers do not end with a Dense readout.
        """
        from .networks import initialize

        if not isinstance(self.layers[-1], Dense):
            raise ValueError(f"layers must end with a Dense readout to draw a network; got {self.layers!r}")
        return initialize(self.layers, rng, width, inputs, outputs, parameterization, antisymmetric, dtype)

    def kernels(self, x1, x2=None, *, dtype=float, threads=1, progress=None):
        """Return the infinite-width kernels of every pair of rows: see :func:`ntk_helpers.kernels.gram`."""
        from .kernels import gram

        return gram(self._infinite(), x1, x2, dtype=dtype, threads=threads, progress=progress)

    def diagonal(self, x):
        """Return the kernels of every row with itself: see :func:`ntk_helpers.kernels.diagonal`."""
        from .kernels import diagonal

        return diagonal(self._infinite(), x)

    def _infinite(self):
        if not self.layers or not isinstance(self.layers[0], Dense):
            raise ValueError(f"layers must start with a Dense layer to have kernels; got {self.layers!r}")
        return self.layers


def mlp(depth, activation, weight_std=1.0, bias_std=0.0):
    r"""Describe a multilayer perceptron: ``depth`` hidden layers (dense, activation), then a dense readout.

    Parameters
    ----------
    depth : int
        Number of hidden layers :math:`L\ge1`.
    activation : Nonlinearity
        Such as ``relu``, ``erf`` or ``tanh``.
    weight_std, bias_std : float
        :math:`\sigma_w>0` and :math:`\sigma_b\ge0`, of the readout too.

    Returns
    -------
    Architecture

    Raises
    ------
    ValueError
        If an argument is out of its range.
    """
    dense = Dense(weight_std, bias_std)
    return Architecture((dense, Activation(activation)) * _validate.integer("depth", depth) + (dense,))


def resnet(depth, activation, scale=1.0, weight_std=1.0, bias_std=0.0):
    r"""Describe a residual network: dense, ``depth`` residual blocks, activation, dense readout.

    Parameters, result and errors as in :func:`mlp`; ``scale`` is :math:`\alpha`, the factor of every branch.
    """
    dense, block = Dense(weight_std, bias_std), Residual(activation, scale, weight_std, bias_std)
    blocks = (block,) * _validate.integer("depth", depth)
    return Architecture((dense, *blocks, Activation(activation), dense))


def _check_activation(value):
    if not isinstance(value, Nonlinearity):
        raise ValueError(f"activation must be a Nonlinearity, such as relu, erf or tanh; got {value!r}")


def _product(scale, a, b):
    if a.shape[-1] < b.shape[-1]:  # the fewer numbers to scale
        return (scale * a) @ b
    out = a @ b
    out *= scale
    return out


def _times_slope(signal, activation, z):
    # A few rows at a time: the derivative then never exists as a whole.
    for i in range(0, len(z), 256):
        signal[..., i : i + 256, :] *= activation.derivative(z[i : i + 256])
    return signal
