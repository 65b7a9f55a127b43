"""Layers: how a batch flows through each at finite width, and a pair of kernels at infinite width."""

import copy
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from . import _pixels, _validate, kernels
from .activations import Nonlinearity
from .networks import Network


class Affine(NamedTuple):
    """Raw parameters of one dense map and its fixed multipliers: ``z = scale * h @ W + bias_scale * b``."""

    W: np.ndarray  #: (fan_in, fan_out)
    b: np.ndarray  #: (fan_out,)
    scale: float
    bias_scale: float


class Layer:
    r"""The flows of every layer: :math:`z\mapsto\alpha\,\mathrm{map}(\phi(z))`, to which ``skip`` adds :math:`z`.

    Without ``activation`` or ``weight_std`` there is no :math:`\phi` or no map, whose parameters come as ``affine``.
    """

    scale, skip = 1.0, False

    def __post_init__(self):
        own = vars(self)
        _validate.require("activation" not in own or isinstance(self.activation, Nonlinearity),
                          f"activation must be a Nonlinearity, such as relu, erf or tanh; got {self.activation!r}")
        _validate.number("scale", self.scale)
        if "weight_std" in own:
            _validate.number("weight_std", self.weight_std, above=0)
            _validate.number("bias_std", self.bias_std, at_least=0)

    def infinite(self, pairs):
        """Advance the kernels in ``pairs``, in place."""
        if self.skip:
            skipped = copy.copy(pairs)
            skipped.k, skipped.t = pairs.k.copy(), pairs.t.copy()
        if self.activation:
            pairs.advance(self.activation)
        if self.weight_std:
            pairs.dense((self.scale * self.weight_std) ** 2, (self.scale * self.bias_std) ** 2)
        if self.skip:
            pairs.add(skipped)

    def draw(self, rng, fan_in, fan_out, parameterization, dtype, factor=1.0):
        """Draw the map, if there is one, multiplied by ``factor``; with a skip it keeps the number of units."""
        if self.weight_std is None:
            return None
        fan_out, factor = fan_in if self.skip else fan_out, factor * float(self.scale)
        W, b = rng.standard_normal((fan_in, fan_out)), rng.standard_normal(fan_out)
        scale, bias_scale = float(self.weight_std) / fan_in**0.5, float(self.bias_std)
        if parameterization == "standard":  # deviations go into the weights; no bias stays no bias
            W *= scale
            b *= bias_scale
            scale, bias_scale = 1.0, float(bias_scale > 0)
        return Affine(W.astype(dtype), b.astype(dtype), scale * factor, bias_scale * factor)

    def gather(self, h):
        """Return ``h`` arranged for the map, a linear function."""
        return h

    def scatter(self, signal, shape):
        """Return the adjoint of :meth:`gather` for inputs of ``shape``, an array of its own."""
        return signal

    def inputs(self, h):
        """Return what the map is applied to."""
        return self.gather(self.activation.phi(h) if self.activation else h)

    def forward(self, h, affine):
        """Return the output for inputs ``h`` of shape (n, units)."""
        out = self.inputs(h)
        if affine:
            out = _times(out, affine.W)
            out *= affine.scale
            if affine.bias_scale:
                out += affine.bias_scale * affine.b
        return h + out if self.skip else out

    def backward(self, signal, h, affine):
        """Pull ``signal``, gradients by the output of shape (..., n, units), back to the input; it is used up."""
        out = signal
        if affine:
            out = _times(signal, affine.W.T)
            out *= affine.scale
        out = self._times_slope(self.scatter(out, h.shape), h)
        return signal + out if self.skip else out

    def tangent(self, h, dh, affine, change):
        """Return the output's first-order change for that of the input, ``dh``, and of the parameters."""
        out = self.gather(self._times_slope(dh.copy(), h))
        if affine:
            dW, db = change
            out = affine.scale * (_times(out, affine.W) + _times(self.inputs(h), dW)) + affine.bias_scale * db
        return dh + out if self.skip else out

    def _times_slope(self, signal, h):
        """Multiply by the slopes at h, in place, a few rows at a time: the derivative never exists as a whole."""
        for i in range(0, len(h) if self.activation else 0, 256):
            rows = (..., slice(i, i + 256), *(h.ndim - 1) * [slice(None)])
            signal[rows] *= self.activation.derivative(h[i : i + 256])
        return signal


def _times(h, W):
    """Return ``h @ W`` as one product of matrices."""
    return (h.reshape(-1, len(W)) @ W).reshape(*h.shape[:-1], -1)


@dataclass(frozen=True)
class Dense(Layer):
    r"""An affine map: :math:`z=\frac{\sigma_w}{\sqrt{n_{in}}}Wh+\sigma_b b`, all entries standard normal.

    At infinite width :math:`K\mapsto\sigma_w^2K+\sigma_b^2` and
    :math:`\Theta\mapsto\sigma_w^2K+\sigma_b^2+\sigma_w^2\Theta` (zero before the first layer).
    """

    weight_std: float = 1.0
    bias_std: float = 0.0
    activation, letter = None, "d"


@dataclass(frozen=True)
class Activation(Layer):
    r"""An activation applied to every unit: :math:`h=\phi(z)`.

    At infinite width :math:`K\mapsto\mathbb E[\phi(u)\phi(v)]` and
    :math:`\Theta\mapsto\mathbb E[\phi'(u)\phi'(v)]\,\Theta`, with :math:`(u,v)\sim\mathcal N(0,K)`.
    """

    activation: Nonlinearity
    weight_std, letter = None, "a"


@dataclass(frozen=True)
class Residual(Layer):
    r"""A pre-activation residual block: :math:`z\mapsto z+\alpha\,\mathrm{Dense}(\phi(z))`.

    The branch has independent weights of mean zero, so at infinite width its kernels are added: :math:`K\mapsto
    K+\alpha^2(\sigma_w^2\mathbb E[\phi\phi]+\sigma_b^2)` and :math:`\Theta\mapsto\Theta+\alpha^2(\sigma_w^2\mathbb
    E[\phi\phi]+\sigma_b^2+\sigma_w^2\mathbb E[\phi'\phi']\,\Theta)`.
    """

    activation: Nonlinearity
    scale: float = 1.0
    weight_std: float = 1.0
    bias_std: float = 0.0
    skip, letter = True, "r"


@dataclass(frozen=True)
class Architecture:
    """A sequence of layers: one description of the finite network and of its infinite-width kernels."""

    layers: tuple
    kernels, diagonal = kernels.kernels, kernels.diagonal

    def init(self, rng, width, inputs, outputs=1, parameterization="ntk", antisymmetric=False, dtype=float):
        r"""Draw a :class:`ntk_helpers.networks.Network` with ``width`` units, :math:`m`, in every hidden layer.

        ``inputs`` is their number, or (height, width, channels) of images, or (height, width); units of a convolution
        are its channels. ``rng``, a numpy.random.Generator, draws ``W`` then ``b`` of each map, from the input on, as
        standard normals in float64; ``dtype``, float64 or float32, is the precision of the network. By
        ``parameterization`` a map is, for "ntk", :math:`\frac{\sigma_w}{\sqrt{n_{in}}}Wh+\sigma_bb` with standard
        normal entries; for "standard", :math:`Wh+b` with entries of these deviations (no ``b`` if :math:`\sigma_b=0`);
        for "mup" as for "ntk", but the whole readout times a further :math:`1/\sqrt m`, and gradient descent with
        :math:`m` times the learning rate. The same ``rng`` gives the same function in the first two, :math:`1/\sqrt m`
        times it in the third. An ``antisymmetric`` network is :math:`f=(g_\theta-g_{\theta'})/\sqrt2`, both of this
        width and both trained, :math:`\theta'=\theta` at the start: :math:`f=0`, with the tangent kernel of one copy.
        """
        flow = _pixels.flow(self.layers)
        _validate.require(re.fullmatch("([ac]*[fg])?[adr]*d", flow), (
            "layers must end with a Dense readout to draw a network, with images in Conv layers and activations before "
            f"one Flatten or GlobalAveragePool; got {self.layers!r}"))
        _validate.generator("rng", rng)
        width, shape = _validate.integer("width", width), _shape(inputs, set(flow) & set("cfg"))
        outputs, dtype = _validate.integer("outputs", outputs), _validate.precision(dtype)
        _validate.require(parameterization in ("ntk", "standard", "mup"),
                          f"parameterization must be 'ntk', 'standard' or 'mup'; got {parameterization!r}")
        mup, drawn, before = parameterization == "mup", [], shape
        for layer in self.layers[:-1]:
            shape = layer.gather(np.zeros((1, *shape))).shape[1:]  # as the map sees it
            drawn.append(layer.draw(rng, shape[-1], width, parameterization, dtype))
            shape = (*shape[:-1], drawn[-1].W.shape[1]) if drawn[-1] else shape
        drawn.append(self.layers[-1].draw(rng, *shape, outputs, parameterization, dtype, width**-0.5 if mup else 1.0))
        # Both copies start from the same parameters; `copy` gives each arrays of its own.
        copies, coefficients = ([drawn, drawn], [0.5**0.5, -(0.5**0.5)]) if antisymmetric else ([drawn], [1.0])
        return Network(self.layers, copies, coefficients, width if mup else 1, before).copy()


def _shape(inputs, images):
    """Return the checked shape of an input."""
    if not images:
        return (_validate.integer("inputs", inputs),)
    _validate.require(isinstance(inputs, tuple | list) and len(inputs) in (2, 3),
                      f"inputs must be (height, width, channels) or (height, width); got {inputs!r}")
    return tuple(_validate.integer("inputs", size) for size in (*inputs, 1)[:3])


def mlp(depth, activation, weight_std=1.0, bias_std=0.0):
    r"""Describe a multilayer perceptron: ``depth`` hidden layers (dense, activation), then a dense readout.

    Returns an :class:`Architecture`; :math:`L=` ``depth`` :math:`\ge1`, ``activation`` is a :class:`Nonlinearity`,
    :math:`\sigma_w=` ``weight_std`` :math:`>0` and :math:`\sigma_b=` ``bias_std`` :math:`\ge0` are the readout's, too.
    """
    dense = Dense(weight_std, bias_std)
    return Architecture((dense, Activation(activation)) * _validate.integer("depth", depth) + (dense,))


def resnet(depth, activation, scale=1.0, weight_std=1.0, bias_std=0.0):
    r"""Describe a residual network: dense, ``depth`` residual blocks, activation, dense readout.

    As :func:`mlp`; ``scale`` is :math:`\alpha`, the factor of every branch.
    """
    dense, block = Dense(weight_std, bias_std), Residual(activation, scale, weight_std, bias_std)
    blocks = (block,) * _validate.integer("depth", depth)
    return Architecture((dense, *blocks, Activation(activation), dense))
