r"""Activations: each is one object that holds the function, its derivative and its dual kernels.

For :math:`(u,v)` Gaussian with mean zero, variances :math:`q_1,q_2` and covariance :math:`k` the dual kernels
are :math:`\mathbb E[\phi(u)\phi(v)]` and :math:`\mathbb E[\phi'(u)\phi'(v)]`. Formulas take the determinant
:math:`D=q_1q_2-k^2`, too: where inputs are nearly parallel it may be known better than its two terms.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from . import _quadrature, _validate
from ._pairs import gaps


@dataclass(frozen=True)
class Nonlinearity:
    """An activation: ``Nonlinearity("swish", phi, derivative)`` is all that it takes to add one.

    ``phi`` and ``derivative`` act elementwise on float arrays of any shape and keep the precision. ``dual(k, q1, q2,
    det)`` returns the two dual kernels, new arrays of the shape of ``k``, with which the variances broadcast; without
    it they are found by quadrature, to within ``tolerance`` of the geometric mean of the two variances, or not at all.
    Up to the variance ``tame``, 0 where there is a kink, rounding of covariances of nearly parallel inputs is harmless.
    """

    name: str
    phi: Callable = field(repr=False)
    derivative: Callable = field(repr=False)
    dual: Callable = field(default=None, repr=False)
    tolerance: float = 1e-11
    tame: float = 100.0

    def __post_init__(self):
        for part in ("phi", "derivative"):
            _validate.require(callable(getattr(self, part)), f"{part} must be a function; got {getattr(self, part)!r}")
            if self.dual is None:  # a user's; the package's own stay unused while it is imported
                _validate.elementwise(part, getattr(self, part))
        _validate.number("tolerance", self.tolerance, above=0)
        _validate.number("tame", self.tame, at_least=0)
        if self.dual is None:
            object.__setattr__(self, "dual", _quadrature.Dual(self.name, self.phi, self.derivative, self.tolerance))

    def advance(self, pairs):
        """Take the kernels of ``pairs`` through the activation, in place."""
        pairs.settle()
        det = pairs.determinant(self.tame)
        q1, q2 = pairs.variances()
        equal = (det == 0) & (q1 == q2) & (pairs.k > 0) if pairs.det is not None else None
        value, slope = self.dual(pairs.k, q1, q2, det)
        pairs.t = np.multiply(pairs.t, slope, out=pairs.scratch[2])
        pairs.k[...] = value
        pairs.q = self.dual(pairs.q, pairs.q, pairs.q, np.zeros_like(pairs.q))[0]
        if pairs.det is not None:
            np.copyto(pairs.k, pairs.q[0], where=equal)  # equal inputs stay equal to the last bit
            pairs.det = np.where(equal, 0, np.maximum(pairs.q.prod(axis=0) - pairs.k**2, 0))


@dataclass(frozen=True)
class TwoSlope(Nonlinearity):
    r"""The kinked line :math:`\phi(x)=ax` for :math:`x<0`, :math:`bx` for :math:`x\ge0`.

    With the angle :math:`\theta`, :math:`\cos\theta=k/\sqrt{q_1q_2}`, :math:`h=(a^2+b^2)/2` and
    :math:`\kappa=(a-b)^2/2\pi`:

    .. math:: \mathbb E[\phi\phi]=hk+\kappa(\sqrt D-\theta k),\qquad \mathbb E[\phi'\phi']=h-\kappa\theta .

    Cho and Saul, *Kernel methods for deep learning*, NIPS 2009 (the arc-cosine kernels of degree 1 and 0).
    """

    constants: tuple = field(default=(), repr=False)  #: h, kappa and ab

    def advance(self, pairs):
        """Take the kernels of ``pairs`` through the activation, in place."""
        h, kappa, ab = self.constants
        if pairs.det is not None:
            # By the acute angle of the two lines: where k < 0, h k + kappa (root - angle k) = ab k + bend.
            k, root, radius = pairs.k, np.sqrt(pairs.det), np.sqrt(pairs.q.prod(axis=0))
            acute, small = np.arctan2(root, np.abs(k)), np.minimum(*gaps(k, *pairs.q, pairs.det))
            bend, behind = kappa * (root - acute * np.abs(k)), k < 0
            minus = np.where(behind, (h + ab) * radius - ab * small, h * small) - bend
            plus = np.where(behind, (h - ab) * radius + ab * small + bend, 2 * h * radius - minus)
            pairs.det = np.maximum(minus * plus, 0)
            pairs.t = pairs.t * np.where(behind, ab + kappa * acute, h - kappa * acute)
            pairs.k = np.where(behind, ab, h) * k + bend
            pairs.q = pairs.q * h
        elif kappa <= 1e-17 * h:  # a line, to rounding
            pairs.unit *= h
        else:
            pairs.determinant(tame=0)
            k, root, work = pairs.k, *pairs.scratch[:2]
            np.sqrt(root, out=root)
            # h / kappa - angle; where the root is zero the pair is done again.
            np.divide(k, root, out=work)
            np.arctan(work, out=work)
            np.add(work, h / kappa - np.pi / 2, out=work)
            pairs.t = np.multiply(pairs.t, work, out=pairs.scratch[2])
            np.multiply(k, work, out=k)
            np.add(k, root, out=k)
            pairs.q = pairs.q * (h / kappa)
            pairs.unit *= kappa


def two_slope(negative, positive):
    """Return the activation of slopes ``negative`` and ``positive``, not both zero, on either side of 0."""
    a, b = _validate.number("negative", negative), _validate.number("positive", positive)
    _validate.require(a or b, "negative and positive must not both be zero; got 0 and 0")
    h, kappa = (a * a + b * b) / 2, (a - b) ** 2 / (2 * np.pi)

    def phi(x):
        out = np.maximum(x, 0) if b == 1 else np.maximum(x, 0) * b
        return out + a * np.minimum(x, 0) if a else out

    def derivative(x):
        up = (x > 0) * x.dtype.type(b)  # np.where takes twenty times as long on random signs
        return up + (x <= 0) * x.dtype.type(a) if a else up

    def dual(k, q1, q2, det):
        root = np.sqrt(det)
        angle = np.arctan2(root, k)
        return h * k + kappa * (root - angle * k), h - kappa * angle

    return TwoSlope(f"two_slope({a:g}, {b:g})", phi, derivative, dual, tame=0.0, constants=(h, kappa, a * b))


def leaky_relu(slope=0.01):
    """Return the leaky rectifier: ``x`` for positive, ``slope * x`` for negative arguments."""
    slope = _validate.number("slope", slope)
    return replace(two_slope(slope, 1), name=f"leaky_relu({slope:g})")


def _erf(x):
    from scipy.special import erf as function
    return function(x)


@dataclass(frozen=True)
class ShiftedErf(Nonlinearity):
    """The activation ``factor * erf(scale * x) + shift``."""

    constants: tuple = field(default=(), repr=False)  #: scale, factor and shift


def _shifted_erf(name, scale, factor, shift):
    s = scale**2

    def dual(k, q1, q2, det):
        root = np.sqrt(1 + 2 * s * (q1 + q2) + 4 * s * s * det)
        value = np.arctan(2 * s * k / root) * (2 / np.pi * factor**2) + shift**2
        return value, 4 / np.pi * factor**2 * s / root

    return ShiftedErf(name, lambda x: factor * _erf(scale * x) + shift,
                      lambda x: factor * scale * 2 / np.pi**0.5 * np.exp(-s * x * x), dual,
                      constants=(scale, factor, shift))


def _gelu_dual(k, q1, q2, det):
    den = 1 + q1 + q2 + det  # (1 + q1)(1 + q2) - k^2
    both = den + k * k
    root = np.sqrt(den)
    quadrant = 0.25 + np.arctan(k / root) / (2 * np.pi)  # E[cdf(u) cdf(v)]
    total = 2 + q1 + q2
    value = k * quadrant + (det + k * k * total / both) / (2 * np.pi * root)
    slope = quadrant + k * (1 + total + k * k / den) / (2 * np.pi * root * both)
    return value, slope


def _gaussian_dual(k, q1, q2, det):
    den = 1 + 2 * (q1 + q2) + 4 * det
    value = 1 / np.sqrt(den)
    return value, 4 * k * value / den


def _sinusoid(name, size, rate, phase, c):
    """Return the activation size * sin(rate * x + phase), with c = cos(2 * phase)."""
    def dual(k, q1, q2, det):
        # With e = exp(-rate^2 E(u - v)^2 / 2) and f for u + v the kernels are size^2 (e - c f) / 2 and rate^2 times
        # size^2 (e + c f) / 2; the smaller of e and f is 1 - lacking times the larger: nothing cancels.
        half = np.minimum(*gaps(k, q1, q2, det)) + (np.sqrt(q1) - np.sqrt(q2)) ** 2 / 2
        larger, behind = size**2 / 2 * np.exp(-(rate**2) * half), k < 0
        lacking = -np.expm1(-2 * rate**2 * np.abs(k))
        value = larger * np.where(behind, 1 - c - lacking, 1 - c + c * lacking)
        return value, rate**2 * larger * np.where(behind, 1 + c - lacking, 1 + c - c * lacking)

    return Nonlinearity(name, lambda x: size * np.sin(rate * x + phase),
                        lambda x: size * rate * np.cos(rate * x + phase), dual)


def rbf(gamma=1.0):
    r"""Return :math:`\sqrt2\sin(\sqrt{2\gamma}\,x+\pi/4)`, whose dual is the Gaussian :math:`e^{-\gamma E(u-v)^2}`.

    Rahimi and Recht, *Random features for large-scale kernel machines*, NIPS 2007, draw the phase, too.
    """
    rate = (2 * _validate.number("gamma", gamma, above=0)) ** 0.5
    return _sinusoid(f"rbf({gamma:g})", 2**0.5, rate, np.pi / 4, 0)


identity = replace(two_slope(1, 1), name="identity")
relu = replace(two_slope(0, 1), name="relu")
absolute = replace(two_slope(-1, 1), name="absolute")
#: Williams, *Computing with infinite networks*, NIPS 1996.
erf = _shifted_erf("erf", 1.0, 1.0, 0.0)
#: The error function shifted and scaled to stay close to the logistic function.
sigmoid_like = _shifted_erf("sigmoid_like", 1 / 2.4020563531719796, 0.5, 0.5)
gelu = Nonlinearity("gelu", lambda x: x * ((1 + _erf(x * 0.5**0.5)) / 2), lambda x: (
    (1 + _erf(x * 0.5**0.5)) / 2 + x * (np.exp(-x * x / 2) / (2 * np.pi) ** 0.5)), _gelu_dual)
sin = _sinusoid("sin", 1, 1, 0, 1)
cos = replace(_sinusoid("cos", 1, 1, np.pi / 2, -1), phi=np.cos, derivative=lambda x: -np.sin(x))  # no rounded phase
gaussian = Nonlinearity("gaussian", lambda x: np.exp(-x * x), lambda x: -2 * x * np.exp(-x * x), _gaussian_dual)
tanh = Nonlinearity("tanh", np.tanh, lambda x: 1 - np.tanh(x) ** 2)
