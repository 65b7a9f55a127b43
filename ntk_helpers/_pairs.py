"""The covariances and tangent kernels of a set of pairs of inputs, on their way through the layers."""

import numpy as np

#: Below this angle (radians) covariances, rounded relative to the variances, do not tell angles well enough.
NEAR = {np.dtype(np.float64): 1e-3, np.dtype(np.float32): 3e-2}


class Pairs:
    r"""NNGP and NTK values :math:`k, t` of pairs of inputs, with the variances :math:`q` of the inputs.

    Either a *tile*, all pairs of a inputs with b others (``k`` of shape (a, b), ``q`` (a + b,)), or a *list* of m
    pairs (``k`` of shape (m,), ``q`` (2, m)), which also carries the determinants :math:`q_1q_2-k^2`, without
    cancellation. A tile gets its determinants by subtraction: fast, but of no use to a kinked activation where inputs
    are nearly parallel. It notes such pairs in ``near``, and :mod:`ntk_helpers.kernels` does them again as a list.
    Times ``unit`` what is held is the value (``unit**2`` the determinant): factors common to a layer cost nothing.
    """

    def __init__(self, k, q, unit=1.0, det=None, scratch=None, square=False):
        self.k, self.q, self.unit, self.det = k, q, unit, det
        self.t = None  # after the first dense layer the two kernels are equal and share one array
        self.scratch = [np.empty_like(k) for _ in range(3)] if scratch is None else scratch
        self.square = square  # the b inputs start with the a: leave the diagonal, it is known better
        self.near = None

    def variances(self):
        """Return the variances of the first and second inputs, to broadcast with k and in its precision."""
        q = self.q.astype(self.k.dtype, copy=False)
        return (q[:len(self.k), None], q[len(self.k):]) if self.det is None else q

    def advance(self, activation):
        """Go through an activation."""
        activation.advance(self)

    def dense(self, weight_variance, bias_variance):
        """Go through a dense layer."""
        self.unit *= weight_variance
        if not 1e-3 < self.unit < 1e3:
            self.settle()
        if self.t is self.k:
            self.t = self.k.copy()
        if bias_variance:
            b = bias_variance / self.unit
            if self.det is not None:
                minus = gaps(self.k, *self.q, self.det)[0]
                self.det = self.det + b * (np.diff(np.sqrt(self.q), axis=0)[0] ** 2 + 2 * minus)
            self.k += b
            self.q = self.q + b
        self.t = self.k if self.t is None else np.add(self.t, self.k, out=self.t)

    def add(self, other):
        """Add independent kernels (a skip connection); ``other`` is used up."""
        factor = other.unit / self.unit
        if self.det is not None:  # every term is positive: nothing cancels
            (minus, plus), (other_minus, other_plus) = (gaps(p.k, *p.q, p.det) for p in (self, other))
            cross = np.diff(np.sqrt(self.q * other.q[::-1]), axis=0)[0] ** 2
            cross += minus * other_plus + plus * other_minus
            self.det = self.det + factor * cross + factor**2 * other.det
        for mine, theirs in ((self.k, other.k), (self.t, other.t)):
            theirs *= factor
            mine += theirs
        self.q = self.q + factor * other.q

    def settle(self):
        """Make the unit 1."""
        if self.unit != 1:
            if self.t is not None and self.t is not self.k:
                self.t *= self.unit
            self.k *= self.unit
            self.q = self.q * self.unit
            self.det = None if self.det is None else self.det * self.unit**2
            self.unit = 1.0

    def determinant(self, tame):
        """Return the determinants; a tile's in scratch 0, noting in ``near`` the nearly parallel above ``tame``."""
        if self.det is not None:
            return self.det
        q1, q2 = self.variances()
        det, work = self.scratch[:2]
        np.multiply(q1, q2, out=det)
        np.multiply(self.k, self.k, out=work)
        np.subtract(det, work, out=det)
        largest = float(self.q.max()) ** 2
        if self.square:
            i = np.arange(det.shape[-2])
            det[..., i, i] = largest
        # The error is rounding over the angle for a kinked function, over its square for a smooth one.
        bound = (10 * NEAR[det.dtype] if tame else NEAR[det.dtype]) ** 2
        if not det.min() > bound * largest:  # one quick look first: mostly there is nothing to note
            if largest >= tame**2:
                near = ~(det > bound * (q1 * q2))
                self.near = near if self.near is None else self.near | near
            np.maximum(det, 0, out=det)
        return det


def determinants(x1, x2):
    r"""Return :math:`|x_1|^2|x_2|^2-(x_1^\top x_2)^2` of the vectors in each row, without cancellation."""
    x = np.stack([x1, x2])
    q = np.vecdot(x, x)
    unit1, unit2 = x / np.sqrt(np.where(q > 0, q, 1))[..., None]
    minus, plus = unit1 - unit2, unit1 + unit2
    return q[0] * q[1] * np.vecdot(minus, minus) * np.vecdot(plus, plus) / 4


def gaps(k, q1, q2, det):
    r"""Return :math:`\sqrt{q_1q_2}-k` and :math:`\sqrt{q_1q_2}+k`, the small one from the determinant."""
    large = np.sqrt(q1) * np.sqrt(q2) + np.abs(k)
    small = np.divide(det, large, out=np.zeros_like(large), where=large > 0)
    return np.where(k >= 0, small, large), np.where(k >= 0, large, small)
