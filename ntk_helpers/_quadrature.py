"""Dual kernels of any activation, by quadrature with an error estimate."""

from functools import lru_cache

import numpy as np

from . import _validate

TERMS = 2048  #: of the Hermite series at most
#: Ends of panels, in standard deviations: short near 0, where an activation bends; a Gaussian vanishes at 13.
FINE, COARSE = np.array([0.05, 0.15, 0.4, *range(1, 14)]), np.array([0.1, 0.5, 1.5, 3.5, 7.0, 13.0])
SPLIT = np.array([0.01, 0.06, 0.25, 0.75, 0.94, 0.99, 1.0])  #: of an interval of angles


class Dual:
    r"""Dual kernels of a function and its derivative, found numerically.

    With the orthonormal Hermite polynomials :math:`h_n` and :math:`a_n(q)=\mathbb E[\phi(\sqrt q\,z)h_n(z)]`,

    .. math:: \mathbb E[\phi(u)\phi(v)]=\sum_n a_n(q_1)a_n(q_2)\rho^n,\qquad \rho=k/\sqrt{q_1q_2}

    (Mehler's formula). By Parseval's, what is left after :math:`N` terms is at most :math:`|\rho|^N` times the
    geometric mean of the missing parts of :math:`\mathbb E\phi^2`, a one-dimensional integral. Where that is too much
    (a kink, nearly parallel inputs) the plane is integrated in polar coordinates, whose panels end where an argument
    changes sign. The error of those, and of the one-dimensional integrals, is estimated by a second rule.
    """

    def __init__(self, name, phi, derivative, tolerance):
        self.name, self.functions, self.tolerance = name, (phi, derivative), tolerance

    def __call__(self, k, q1, q2, det):
        if k.ndim > 2 and len(k) > 1 and q1.size + q2.size > 1000:  # many pixels: row by row, to save memory
            rows = [[part[i:i + 1] if len(part) > 1 else part for part in (k, q1, q2, det)] for i in range(len(k))]
            return tuple(map(np.concatenate, zip(*(self(*row) for row in rows))))
        kind = k.dtype
        k, q1, q2, det = (np.asarray(part, float) for part in (k, q1, q2, det))
        coincide = (det == 0) & (q1 == q2) & (k > 0)
        if coincide.all():
            return tuple(np.broadcast_to(self._power(f, q1), k.shape).astype(kind) for f in self.functions)
        radius = np.sqrt(q1 * q2)
        rho = np.clip(np.divide(k, radius, out=np.zeros_like(radius), where=radius > 0), -1, 1)
        largest, results, expansions = np.array([max(q1.max(), q2.max())]), [], []
        for function in self.functions:
            # The largest variance needs the most terms.
            needed = _expand(function, largest)[2] > 1e-2 * self.tolerance * self._power(function, largest)
            terms = max(np.count_nonzero(needed), 1) + 1
            (a, power, left), (b, other, lacking) = (_expand(function, q, terms) for q in (q1, q2))
            scale = np.sqrt(power * other)
            value, bound = _series(a, b, left, lacking, rho, self.tolerance * scale)
            np.copyto(value, power, where=coincide)
            doubtful = np.nonzero((bound > self.tolerance * scale) & ~coincide)
            if len(doubtful[0]):
                angle = np.arctan2(np.sqrt(det[doubtful]), k[doubtful])
                q1s, q2s, scales = (np.broadcast_to(part, k.shape)[doubtful] for part in (q1, q2, scale))
                coarse, value[doubtful] = (_polar(function, q1s, q2s, angle, count) for count in (12, 16))
                self._check(value[doubtful] - coarse, scales, max(q1s.max(), q2s.max()))
            results.append(value.astype(kind, copy=False))
            expansions += [a, power]
        # Stein: E[z phi(sqrt(q) z)] = sqrt(q) E[phi'(sqrt(q) z)].
        a, power, b, other = expansions
        error = np.abs(a[..., 1] - np.sqrt(q1) * b[..., 0])
        _validate.require(np.all(error <= 1e-6 * np.sqrt(power + q1 * other)),
                          f"derivative must be that of phi; got another function (activation {self.name})")
        return tuple(results)

    def _power(self, function, q):
        """Return the mean square at variances q, refusing what the nodes do not resolve."""
        arguments = np.sqrt(q.reshape(-1, 1))
        power, other = (function(arguments * z) ** 2 @ weights for z, weights in (_rule(32), _rule(24)))
        self._check(other - power, power, q.max())
        return power.reshape(q.shape)

    def _check(self, error, scale, largest):
        relative = np.max(np.abs(error) / np.where(scale > 0, scale, 1))
        _validate.require(relative <= self.tolerance, (
            f"activation {self.name} must be smooth enough for quadrature to a relative error of {self.tolerance:g}; "
            f"got an estimated {relative:.1g} at variances up to {largest:.3g}. "
            "Scale the inputs down, raise its tolerance, or give it its dual"))


def _expand(function, q, terms=TERMS):
    """Return Hermite coefficients, q.shape + (terms,), the mean square, and what of it each term may leave."""
    different, back = np.unique(q, return_inverse=True)
    z, weights = _rule(32)
    values = function(np.sqrt(different)[:, None] * z)
    coefficients, power = values @ _table()[:terms].T, values**2 @ weights
    left = power[:, None] - np.cumsum(coefficients**2, axis=-1)
    left = np.maximum(left, 1e-15 * power[:, None])  # rounding hides the last of it
    return [part[back.reshape(q.shape)] for part in (coefficients, power, left)]


@lru_cache
def _rule(count):
    """Return nodes and Gaussian weights; no panel extends across 0."""
    z, weights = _panels(np.concatenate([-FINE[::-1], [0], FINE]), count)
    return z, weights * np.exp(-z * z / 2) / (2 * np.pi) ** 0.5


@lru_cache
def _table():
    """Return the map from values at the nodes of _rule(32) to Hermite coefficients."""
    z, weights = _rule(32)
    root = np.exp(-z * z / 4)  # Hermite functions stay small, the polynomials would overflow
    table = np.empty((TERMS, len(z)))
    table[0], table[1] = root, z * root
    for n in range(1, len(table) - 1):
        table[n + 1] = (z * table[n] - n**0.5 * table[n - 1]) / (n + 1) ** 0.5
    return table * (weights / root)


def _panels(ends, count):
    """Return nodes and weights of Gauss-Legendre panels between consecutive entries of the last axis."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    ends = ends[..., None]
    middle, half = (ends[..., 1:, :] + ends[..., :-1, :]) / 2, np.diff(ends, axis=-2) / 2
    flat = (*ends.shape[:-2], -1)
    return (middle + half * nodes).reshape(flat), (half * weights).reshape(flat)


def _series(a, b, left, lacking, rho, target):
    """Return Mehler's series, of as many terms as the target needs, and its error bound."""
    value, power = np.zeros_like(rho), np.ones_like(rho)
    for n in range(a.shape[-1]):
        value += a[..., n] * b[..., n] * power
        power *= rho
        if n % 16 == 15 or n == a.shape[-1] - 1:
            bound = np.sqrt(left[..., n] * lacking[..., n]) * np.abs(power)
            if (bound <= 1e-3 * target).all():
                break
    return value, bound


def _polar(function, q1, q2, angle, count):
    """Return E[f(u) f(v)] of a list of pairs at the given angles, a few of them at a time."""
    if len(q1) > 16:
        parts = np.split(np.stack([q1, q2, angle]), range(16, len(q1), 16), axis=1)
        return np.concatenate([_polar(function, *part, count) for part in parts])
    # Half a turn is enough, with radii of both signs; u = 0 at psi = +-pi/2, v = 0 at psi = angle - pi/2.
    angle = angle[:, None]
    ends = np.concatenate([np.zeros_like(angle), SPLIT * angle, angle + SPLIT * (np.pi - angle)], axis=1)
    psi, psi_weights = _panels(ends - np.pi / 2, count)
    r, r_weights = _panels(np.concatenate([-COARSE[::-1], [0], COARSE]), count)
    u = function((np.sqrt(q1)[:, None] * np.cos(psi))[..., None] * r)
    v = function((np.sqrt(q2)[:, None] * np.cos(psi - angle))[..., None] * r)
    density = r_weights * np.abs(r) * np.exp(-r * r / 2) / (2 * np.pi)
    return np.einsum("mp,mp->m", (u * v) @ density, psi_weights)
