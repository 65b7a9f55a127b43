"""The covariances and tangent kernels of the pixels of images, on their way through convolutional layers."""

import itertools

import numpy as np

from ._pairs import Pairs, determinants

CELLS = 2**14  #: pairs of pixels in a tile: its five arrays stay in cache


class Pixels(Pairs):
    """A tile of the pixels of a images with those of b others.

    ``k`` has shape (h, w, a, b) if only pixels at equal positions count, for ``pooled`` images (h, w, h, w, a, b), and
    ``q`` (h, w, a + b). Parallel pixels are common (zeros, a flat background): where an activation with a kink meets
    nearly parallel ones they alone go through it as a list. Its determinants are those of sums of positive terms, the
    pixels under the filter, and follow from theirs, which are remembered.
    """

    def __init__(self, x1, x2, scratch, pooled, square):
        (a, h, w, c), b = x1.shape, len(x2)
        shape = (h, w, h, w, a, b) if pooled else (h, w, a, b)
        k, *others = (part[:np.prod(shape)].reshape(shape) for part in scratch)
        first, second = (np.moveaxis(x, 0, 2) for x in (x1, x2))
        if pooled:  # one image with others: a = 1
            np.matmul(first.reshape(-1, c), second.reshape(-1, c).T, out=k.reshape(h * w, -1))
        else:
            np.matmul(first, second.swapaxes(2, 3), out=k)
        q = np.concatenate([np.vecdot(x, x, dtype=float) for x in (first, second)], axis=2)
        super().__init__(k, q, 1 / c, scratch=others, square=square)
        self.axes = ((0, 2), (1, 3)) if pooled else ((0,), (1,))
        self.known = lambda at, k, q: determinants(*(x[i, j, n].astype(float) for x, (i, j, n) in zip(
            (first, second), (at[:2] + at[-2:-1], at[-4:-2] + at[-1:])))) / c**2

    def variances(self):
        """Return the variances of the first and second pixels, to broadcast with k and in its precision."""
        q, a = self.q.astype(self.k.dtype, copy=False), self.k.shape[-2]
        first = q[..., :a, None]
        return first if self.k.ndim == 4 else first[:, :, None, None], q[..., None, a:]

    def convolve(self, radius, circular):
        """Sum over the pixels under a filter, which moves over both images together."""
        self._remember(itertools.product(range(-radius, radius + 1), repeat=2), circular)
        work, k = self.scratch[0], self.k
        self.k, self.scratch[3] = moving_sum(k, self.axes, radius, circular, work, self.scratch[3]), k
        if self.t is k:
            self.t = self.k
        elif self.t is not None:
            moving_sum(self.t, self.axes, radius, circular, work, self.t)
        self.q = moving_sum(self.q, ((0,), (1,)), radius, circular)

    def average(self):
        """Average over positions, or over their pairs: what is left is one pixel."""
        h, w = self.q.shape[:2]
        self._remember(itertools.product(range(h), range(w)), False)
        k, t = self.k, self.t
        weights = np.ones(np.prod(k.shape[:-2]), k.dtype)
        self.k, self.t = ((weights @ part.reshape(len(weights), -1)).reshape(1, 1, *k.shape[-2:]) for part in (k, t))
        self.q = self.q.sum((0, 1), keepdims=True)
        self.scratch = [np.empty_like(self.k) for _ in range(3)]
        self.unit /= len(weights)
        self.maps.append((1 / len(weights), 0.0))

    def dense(self, weight_variance, bias_variance):
        """Go through a dense layer, at every pixel."""
        self.maps.append((weight_variance, bias_variance))
        super().dense(weight_variance, bias_variance)

    def advance(self, activation):
        """Go through an activation."""
        self.listed = None
        super().advance(activation)
        if self.listed:
            where, pairs = self.listed
            pairs.advance(activation)
            pairs.settle()
            self.k[where], self.t[where] = pairs.k / self.unit, pairs.t / self.unit
        self._learn()

    def determinant(self, tame):
        """Return the determinants by subtraction, and make a list of the pairs for which that is too bad."""
        self.near = None
        det = super().determinant(tame)
        if self.near is not None and self.near.any():
            where = np.unravel_index(np.flatnonzero(self.near), self.near.shape)
            q = self.unit * np.stack([self.q[side] for side in self._sides(where)])
            exact = np.zeros(q.shape[1])
            live = np.flatnonzero(q.all(axis=0))
            if len(live):
                exact[live] = self._determinants(tuple(part[live] for part in where))
            pairs = Pairs(self.unit * self.k[where].astype(float), q, det=exact)
            pairs.t = self.unit * self.t[where].astype(float)
            self.listed = where, pairs
        return det

    def _sides(self, where):
        """Return where in q the two pixels of each pair are."""
        return where[:2] + where[-2:-1], where[-4:-2] + (where[-1] + self.k.shape[-2],)

    def _learn(self):
        """Make ``known`` the function that returns determinants here: listed ones, others by subtraction."""
        table = None
        if self.listed:
            table = np.full(self.k.shape, np.nan)
            table[self.listed[0]] = self.listed[1].det

        def known(at, k, q):
            det = np.maximum(q.prod(axis=0) - k**2, 0)
            return det if table is None else np.where(np.isnan(table[at]), det, table[at])

        self.known = known

    def _remember(self, offsets, circular):
        """Note what the terms of a sum are; at every pixel it is over the same offsets."""
        if self.known is None:  # a linear layer after another
            self.listed = None
            self.determinant(0)
            self._learn()
        self.terms = self.k, self.q, self.unit, self.known, list(offsets), circular
        self.maps, self.known = [], None

    def _determinants(self, where):
        """Return the determinants at ``where``, from the terms of the last sum and the maps since then."""
        k, q, unit, known, offsets, circular = self.terms
        sizes, total = 2 * q.shape[:2], None
        for offset in offsets:
            moved = [part + step for part, step in zip(where[:-2], 2 * offset)]
            at = tuple(part % size for part, size in zip(moved, sizes)) + where[-2:]
            inside = [circular | (part == there) for part, there in zip(moved, at)]
            inside = inside[0] & inside[1], inside[-2] & inside[-1]
            both = inside[0] & inside[1]
            variances = unit * np.stack([q[side] * kept for side, kept in zip(self._sides(at), inside)])
            values = unit * k[at].astype(float) * both
            term = Pairs(values, variances, det=np.where(both, known(at, values, variances), 0))
            term.t = np.zeros_like(values)  # of no interest here
            if total:
                total.add(term)
            total = total or term
        for variances in self.maps:
            total.dense(*variances)
        total.settle()
        return total.det


class Variances(Pairs):
    """The pixels of images with themselves, as a list: angles are 0. ``k`` has shape (h, w, n)."""

    def __init__(self, x):
        q = np.ascontiguousarray(np.moveaxis(np.vecdot(x, x, dtype=float), 0, 2))
        super().__init__(q.copy(), np.stack([q, q]), 1 / x.shape[3], np.zeros_like(q))

    def convolve(self, radius, circular):
        """Sum over the pixels under a filter."""
        sums = [moving_sum(part, ((0,), (1,)), radius, circular) for part in (self.k, self.t, *self.q)
                if part is not None]
        self.k, self.q = sums[0], np.stack(sums[-2:])
        self.t = None if self.t is None else sums[1]

    def average(self):
        """Average over positions."""
        self.k, self.t, self.det = (part.mean((0, 1)) for part in (self.k, self.t, self.det))
        self.q = self.q.mean((1, 2))


def moving_sum(values, axes, radius, circular, work=None, out=None):
    """Return sums over windows of width 2 * radius + 1: along the axes of ``axes[0]`` together, then of ``axes[1]``."""
    for group, target in zip(axes, (work, out)):
        source, target = values, np.empty_like(values) if target is None else target
        np.copyto(target, source)
        for step in (*range(-radius, 0), *range(1, radius + 1)):
            for moves in itertools.product(*(shifts(source.shape[axis], step, circular) for axis in group)):
                to, fro = ([slice(None)] * source.ndim for _ in range(2))
                for axis, move in zip(group, moves):
                    to[axis], fro[axis] = move
                target[tuple(to)] += source[tuple(fro)]
        values = target
    return values


def shifts(size, step, circular):
    """Return pairs of slices, where to and where from: an axis moves by ``step``, over its end or from the other."""
    if circular:
        step %= size
        return [(slice(step, size), slice(0, size - step)), (slice(0, step), slice(size - step, size))]
    kept = max(size - abs(step), 0)
    return [(slice(max(step, 0), max(step, 0) + kept), slice(max(-step, 0), max(-step, 0) + kept))]


def extent(layers, shape):
    """Return rows and columns of a tile, and the pairs of pixels in each of its entries."""
    pixels = shape[1] * shape[2]
    if pooled(layers):
        return 1, max(1, CELLS // pixels**2), pixels**2
    rows = max(1, int((CELLS / pixels / 2) ** 0.5))
    return rows, max(1, CELLS // pixels // rows), pixels


def pooled(layers):
    """Return whether all pairs of pixels count."""
    return "g" in flow(layers)


def flow(layers):
    """Return one letter for each layer: c, f and g for Conv, Flatten and GlobalAveragePool, a, d and r for others."""
    return "".join(layer.letter for layer in layers)


def tile(layers, x1, x2, scratch, square=False):
    """Return nngp and ntk of all images ``x1`` with ``x2``, in scratch of shape (5, >= pairs of pixels)."""
    pixels = Pixels(x1, x2, scratch, pooled(layers), square)
    for layer in layers:
        layer.infinite(pixels)
    pixels.settle()
    return tuple(part.reshape(len(x1), len(x2)) for part in (pixels.k, pixels.t))
