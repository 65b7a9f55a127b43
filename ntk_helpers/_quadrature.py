"""Dual kernels of any activation, by quadrature with an error estimate."""

from functools import lru_cache

import numpy as np

TERMS = (64, 128, 256, 512, 1024, 2048)  #: of the Hermite series, as few of these as will do
#: Ends of panels, in standard deviations: short near 0, where an activation bends; a Gaussian vanishes at 13.
FINE, COARSE = np.array([0.05, 0.15, 0.4, *range(1, 14)]), np.array([0.1, 0.5, 1.5, 3.5, 7.0, 13.0])
SPLIT = np.array([0.01, 0.06, 0.25, 0.75, 0.94, 0.99, 1.0])  #: of an interval of angles


class Dual:
    r"""Dual kernels of a function and its derivative, found numerically.

    With the orthonormal Hermite polynomials :math:`h_n` and :math:`a_n(q)=\mathbb E[\phi(\sqrt q\,z)h_n(z)]`,

    .. math:: \mathbb E[\phi(u)\phi(v)]=\sum_n a_n(q_1)a_n(q_2)\rho^n,\qquad \rho=k/\sqrt{q_1q_2}

    (Mehler's formula). By Parseval's, what is left after :math:`N` terms is at most :math:`|\rho|^N` times
    the geometric mean of the missing parts of :math:`\mathbb E\phi^2`, which is a one-dimensional integral.
    Where that is too much (a function with a kink, nearly parallel inputs) the plane is integrated in polar
    coordinates, whose panels end where an argument changes sign. The error of those, and of the
    one-dimensional integrals, is estimated by a second rule.
    """

    def __init__(self, name, phi, derivative, tolerance):
        self.name, self.functions, self.tolerance = name, (phi, derivative), tolerance

    def __call__(self, k, q1, q2, det):
        kind = k.dtype
        k, q1, q2, det = (np.asarray(part, float) for part in (k, q1, q2, det))
        coincide = (det == 0) & (q1 == q2) & (k > 0)
        if coincide.all():
            powers = (self._power(function, q1).reshape(q1.shape) for function in self.functions)
            return tuple(np.broadcast_to(power, k.shape).astype(kind) for power in powers)
        radius = np.sqrt(q1 * q2)
        rho = np.clip(np.divide(k, radius, out=np.zeros_like(radius), where=radius > 0), -1, 1)
        results, checks = [], []
        for function in self.functions:
            terms = self._terms(function, max(q1.max(), q2.max()))
            first, second = (self._expand(function, q, terms) for q in (q1, q2))
            scale = np.sqrt(first.power * second.power)
            value, bound = _series(first, second, rho, self.tolerance * scale)
            np.copyto(value, first.power, where=coincide)
            doubtful = np.nonzero((bound > self.tolerance * scale) & ~coincide)
            if len(doubtful[0]):
                angle = np.arctan2(np.sqrt(det[doubtful]), k[doubtful])
                q1s, q2s, scales = (np.broadcast_to(part, k.shape)[doubtful] for part in (q1, q2, scale))
                value[doubtful], error = _polar(function, q1s, q2s, angle)
                self._check(error, scales, max(q1s.max(), q2s.max()))
            results.append(value.astype(kind, copy=False))
            checks.append(first)
        self._check_derivative(*checks, q1)
        return tuple(results)

    def _power(self, function, q):
        """Return the mean square at variances q, refusing what the nodes do not resolve."""
        arguments = np.sqrt(q.reshape(-1, 1))
        (z, weights), (other_z, other_weights) = _rule(32), _rule(24)
        power = function(arguments * z) ** 2 @ weights
        self._check(function(arguments * other_z) ** 2 @ other_weights - power, power, q.max())
        return power

    def _terms(self, function, largest):
        """Return how many terms the largest variance needs."""
        power, q = self._power(function, largest), np.array([largest])
        for terms in TERMS:
            if self._expand(function, q, terms).left[0, -1] <= 1e-2 * self.tolerance * power[0]:
                break
        return terms

    def _expand(self, function, q, terms):
        different, back = np.unique(q, return_inverse=True)
        z, weights = _rule(32)
        values = function(np.sqrt(different)[:, None] * z)
        back = back.reshape(q.shape)
        return Expansion((values @ _table()[:terms].T)[back], (values**2 @ weights)[back])

    def _check(self, error, scale, largest):
        relative = np.max(np.abs(error) / np.where(scale > 0, scale, 1))
        if not relative <= self.tolerance:
            raise ValueError(
                f"activation {self.name} must be smooth enough for quadrature to a relative error of "
                f"{self.tolerance:g}; got an estimated {relative:.1g} at variances up to {largest:.3g}. "
                "Scale the inputs down, raise its tolerance, or give it its dual")

    def _check_derivative(self, phi, derivative, q):
        # Stein: E[z phi(sqrt(q) z)] = sqrt(q) E[phi'(sqrt(q) z)].
        found, given = phi.coefficients[..., 1], np.sqrt(q) * derivative.coefficients[..., 0]
        if not np.all(np.abs(found - given) <= 1e-6 * np.sqrt(phi.power + q * derivative.power)):
            raise ValueError(f"derivative must be that of phi; got another function (activation {self.name})")


class Expansion:
    """Hermite coefficients, of shape q.shape + (terms,), and the mean square, of shape q.shape."""

    def __init__(self, coefficients, power):
        self.coefficients, self.power = coefficients, power
        #: mean square that may be left after each term: rounding hides the last of it
        power = power[..., None]
        self.left = np.maximum(power - np.cumsum(coefficients**2, axis=-1), 1e-15 * power)


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
    table = np.empty((TERMS[-1], len(z)))
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


def _series(first, second, rho, target):
    """Return Mehler's series, of as many terms as the target needs, and its error bound."""
    a, b = first.coefficients, second.coefficients
    terms = a.shape[-1]
    worst = np.sqrt(_worst(first.left) * _worst(second.left))
    enough = np.nonzero(worst * np.abs(rho).max() ** np.arange(1, terms + 1) <= 1e-3 * target.min())[0]
    terms = int(enough[0]) + 1 if len(enough) else terms
    sizes = (_worst(np.abs(a)) * _worst(np.abs(b)))[:terms]
    square, value = rho * rho, np.zeros_like(rho)
    for parity in (1, 0):  # apart, because the functions of most interest have only the one or the other
        if sizes[parity::2].sum() > 1e-17 * sizes.sum():
            part = np.zeros_like(rho)
            for n in range(parity, terms, 2)[::-1]:
                part *= square
                part += a[..., n] * b[..., n]
            value += rho * part if parity else part
    bound = np.sqrt(first.left[..., terms - 1] * second.left[..., terms - 1])
    return value, bound * np.abs(rho) ** terms


def _worst(array):
    return array.reshape(-1, array.shape[-1]).max(axis=0)


def _polar(function, q1, q2, angle):
    """Return E[f(u) f(v)] of a list of pairs at the given angles, and the estimated error."""
    values, errors = np.empty(len(q1)), np.empty(len(q1))
    for start in range(0, len(q1), 16):
        part = slice(start, start + 16)
        coarse, fine = (_polar_rule(function, q1[part], q2[part], angle[part], count) for count in (12, 16))
        values[part], errors[part] = fine, fine - coarse
    return values, errors


def _polar_rule(function, q1, q2, angle, count):
    # Half a turn is enough, with radii of both signs; u = 0 at psi = +-pi/2, v = 0 at psi = angle - pi/2.
    angle = angle[:, None]
    ends = np.concatenate([np.zeros_like(angle), SPLIT * angle, angle + SPLIT * (np.pi - angle)], axis=1)
    psi, psi_weights = _panels(ends - np.pi / 2, count)
    r, r_weights = _panels(np.concatenate([-COARSE[::-1], [0], COARSE]), count)
    u = function((np.sqrt(q1)[:, None] * np.cos(psi))[..., None] * r)
    v = function((np.sqrt(q2)[:, None] * np.cos(psi - angle))[..., None] * r)
    density = r_weights * np.abs(r) * np.exp(-r * r / 2) / (2 * np.pi)
    return np.einsum("mp,mp->m", (u * v) @ density, psi_weights)
