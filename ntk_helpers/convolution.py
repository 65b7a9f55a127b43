"""Convolutional layers, for images of shape (n, height, width, channels), and the networks made of them."""

from dataclasses import dataclass

import numpy as np

from . import _validate
from ._pixels import moves, offsets
from .layers import Activation, Architecture, Dense, Layer


@dataclass(frozen=True)
class Conv(Layer):
    r"""A convolution of stride 1 that keeps the size of images, with a filter of odd size :math:`s`.

    .. math::
        z_p=\frac{\sigma_w}{\sqrt{s^2n_{in}}}\sum_\delta W_\delta h_{p+\delta}+\sigma_bb,

    all entries standard normal, :math:`n_{in}` channels, pixels :math:`p` and offsets :math:`\delta`, of which each
    component is at most :math:`(s-1)/2` in size. Beyond the border are zeros (``padding`` "zero", whose terms count in
    :math:`s^2`), or the other end of the image ("circular"). Every pixel has the same bias. ``W`` has shape
    :math:`(s^2n_{in},n_{out})`: row by row of the filter, then by channels.

    At infinite width :math:`K_{pp'}\mapsto\sigma_w^2\bar K_{pp'}+\sigma_b^2` and
    :math:`\Theta_{pp'}\mapsto\sigma_w^2(\bar K_{pp'}+\bar\Theta_{pp'})+\sigma_b^2`, with
    :math:`\bar K_{pp'}=s^{-2}\sum_\delta K_{p+\delta,p'+\delta}` and so :math:`\bar\Theta` (zero before the first
    layer). Garriga-Alonso, Rasmussen and Aitchison, *Deep convolutional networks as shallow Gaussian processes*, ICLR
    2019; Novak et al., *Bayesian deep convolutional networks with many channels are Gaussian processes*, ICLR 2019;
    Arora et al., *On exact computation with an infinitely wide neural net*, NeurIPS 2019.
    """

    filter: int = 3
    weight_std: float = 1.0
    bias_std: float = 0.0
    padding: str = "zero"
    activation, letter = None, "c"

    def __post_init__(self):
        super().__post_init__()
        size = _validate.integer("filter", self.filter)
        _validate.require(size % 2, f"filter must be odd, to have a middle; got {size}")
        _validate.require(self.padding in ("zero", "circular"),
                          f"padding must be 'zero' or 'circular'; got {self.padding!r}")

    def infinite(self, pairs):
        """Advance the kernels in ``pairs``, in place."""
        pairs.convolve(self.filter // 2, self.padding == "circular")
        pairs.dense((self.weight_std / self.filter) ** 2, self.bias_std**2)

    def gather(self, h):
        """Return the patch around each pixel: shape (n, height, width, filter**2 * channels)."""
        out = np.zeros((*h.shape[:3], self.filter**2, h.shape[3]), h.dtype)
        for i, to, fro in self._moves(h.shape):
            out[*to[:3], i] = h[fro]
        return out.reshape(*h.shape[:3], -1)

    def scatter(self, signal, shape):
        """Return the adjoint of :meth:`gather` for inputs of ``shape``, an array of its own."""
        signal = signal.reshape(*signal.shape[:-1], self.filter**2, -1)
        out = np.zeros((*signal.shape[:-2], shape[-1]), signal.dtype)
        for i, to, fro in self._moves(shape):
            out[..., *fro[1:]] += signal[..., *to[1:3], i, :]
        return out

    def _moves(self, shape):
        """Yield the number of each offset with indices of pixels, and of those that it leads to."""
        for i, offset in enumerate(offsets(self.filter // 2)):
            for to, fro in moves(shape, (1, 2), tuple(-offset), self.padding == "circular"):
                yield i, to, fro


class Head(Layer):
    """What makes vectors of images: no activation, no parameters."""

    activation = weight_std = None

    def infinite(self, pairs):
        """Advance the kernels in ``pairs``, in place."""
        pairs.average()


@dataclass(frozen=True)
class Flatten(Head):
    r"""All pixels as one vector, row by row. At infinite width :math:`K=\frac1P\sum_pK_{pp}` over :math:`P` pixels.

    As it needs pixels at equal positions only, the cost for :math:`n` images and :math:`L` layers is :math:`n^2PL`.
    """

    letter = "f"

    def gather(self, h):
        """Return the pixels of each image in one row."""
        return h.reshape(len(h), -1)

    def scatter(self, signal, shape):
        """Return the adjoint of :meth:`gather`."""
        return signal.reshape(*signal.shape[:-1], *shape[1:])


@dataclass(frozen=True)
class GlobalAveragePool(Head):
    r"""The mean over pixels. At infinite width :math:`K=\frac1{P^2}\sum_{pp'}K_{pp'}`, at a cost of :math:`n^2P^2L`.

    An architecture has kernels only if nothing but dense layers follows. Covariances of pixels may cancel in the mean:
    the kernel's error is relative to the variances of pixels, the diagonal of :class:`Flatten`.
    """

    letter = "g"

    def gather(self, h):
        """Return the mean of each channel."""
        return h.mean((1, 2))

    def scatter(self, signal, shape):
        """Return the adjoint of :meth:`gather`."""
        signal = signal[..., None, None, :] / (shape[1] * shape[2])
        return np.broadcast_to(signal, (*signal.shape[:-3], *shape[1:])).copy()


def cnn(depth, activation, filter=3, head="flatten", weight_std=1.0, bias_std=0.0, padding="zero"):
    r"""Describe a convolutional network: ``depth`` times (convolution, activation), a head, then a dense readout.

    Returns an :class:`Architecture` for images of shape (n, height, width) or (n, height, width, channels). ``head`` is
    "flatten" (:class:`Flatten`) or "gap" (:class:`GlobalAveragePool`); ``filter`` and ``padding`` as in :class:`Conv`,
    the others as in :func:`mlp`. A ValueError says which argument does not fit.
    """
    _validate.require(head in ("flatten", "gap"), f"head must be 'flatten' or 'gap'; got {head!r}")
    hidden = (Conv(filter, weight_std, bias_std, padding), Activation(activation)) * _validate.integer("depth", depth)
    end = Flatten() if head == "flatten" else GlobalAveragePool()
    return Architecture((*hidden, end, Dense(weight_std, bias_std)))
