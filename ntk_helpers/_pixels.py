"""The covariances and tangent kernels of the pixels of images, on their way through convolutional layers."""

import itertools
import math
from functools import lru_cache

import numpy as np

from ._pairs import Pairs, determinants

CELLS = 2**15  #: pairs of pixels in a tile: its five arrays stay in cache
LIST = 2**13  #: nearly parallel pairs times terms of their sums, at a time
FACTOR = np.uint64(0x9E3779B97F4A7C15)  #: of a label; its powers tell places apart


class Pixels(Pairs):
    """A tile of the pixels of a images with those of b others.

    ``k`` has shape (h, w, a, b) if only pixels at equal positions count, for ``pooled`` images (h, h, w, w, a, b), and
    ``q`` (h, w, a + b). Parallel pixels are common (zeros, a flat background): where an activation with a kink meets
    nearly parallel ones they alone go through it as a list. Its determinants are those of sums of positive terms, the
    pixels under the filter, and follow from theirs, which are remembered.
    """

    def __init__(self, x1, x2, scratch, pooled, square):
        (a, h, w, c), b = x1.shape, len(x2)
        shape = (h, h, w, w, a, b) if pooled else (h, w, a, b)
        k, *others = scratch[:, :math.prod(shape)].reshape(-1, *shape)
        first, second = self.images = [np.moveaxis(x, 0, 2) for x in (x1, x2)]
        if pooled:  # one image with others: a = 1
            right = second.transpose(0, 3, 1, 2).reshape(h, c, w * b)
            np.matmul(first.reshape(h, 1, w, c), right, out=k.reshape(h, h, w, w * b))
        else:
            np.matmul(first, second.swapaxes(2, 3), out=k)
        q = np.concatenate([np.vecdot(x, x, dtype=float) for x in (first, second)], axis=2)
        super().__init__(k, q, 1 / c, scratch=others, square=square)
        self.axes = ((0, 1), (2, 3)) if pooled else ((0,), (1,))
        self.labels, self.pending = None, []
        self.known = lambda at, k, q: determinants(*(
            x[side].astype(float) for x, side in zip((first, second), self._sides(at)))) / c**2

    def variances(self):
        """Return the variances of the first and second pixels, to broadcast with k and in its precision."""
        return self._split(self.q.astype(self.k.dtype, copy=False))

    def convolve(self, radius, circular):
        """Sum over the pixels under a filter, which moves over both images together."""
        self._remember(offsets(radius), circular)
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
        self._remember(np.indices((h, w)).reshape(2, -1).T, False)
        k, t = self.k, self.t
        weights = np.ones(math.prod(k.shape[:-2]), k.dtype)
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
        self.listed = self.zero = self.same = None
        if self.q.min() == 0 and activation.phi(np.zeros(1)) == 0:  # zero pixels stay zero
            first, second = self.variances()
            self.zero = (first == 0) | (second == 0)
        super().advance(activation)
        for part in (self.k, self.t) if self.zero is not None else ():
            np.copyto(part, 0, where=self.zero)
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
        if self.near is None or not self.near.any():
            return det
        first, second = self._split(self._labels())
        self.same = self.near & (first == second)
        np.copyto(det, 0, where=self.same)
        self.near &= ~self.same if self.zero is None else ~(self.same | self.zero)
        if not self.near.any():
            return det
        where = np.unravel_index(np.flatnonzero(self.near), self.near.shape)
        q = self.unit * self._variances_at(self.q, where)
        pairs = Pairs(self.unit * self.k[where].astype(float), q, det=np.zeros(q.shape[1]))
        pairs.t = self.unit * self.t[where].astype(float)
        step = max(1, LIST // len(self.terms[4]))
        for start in range(0, q.shape[1], step):
            part = slice(start, start + step)
            pairs.det[part] = self._determinants([index[part] for index in where], pairs.k[part], q[:, part])
        self.listed = where, pairs
        return det

    def _labels(self):
        """Return numbers, (h, w, a + b), which are equal if what pixels see is, and else not (but in one of 2**64)."""
        if self.labels is None:
            x = np.concatenate(self.images, axis=2).astype(float) + 0.0  # -0 becomes 0
            self.labels = _mix((_mix(x.view(np.uint64)) * FACTOR ** np.arange(x.shape[3], dtype=np.uint64)).sum(axis=3))
        for steps, circular in self.pending:
            out, factor = np.zeros_like(self.labels), np.ones(1, np.uint64)
            for step in steps:
                for to, fro in moves(out.shape, (0, 1), tuple(-step), circular):
                    out[to] += factor * self.labels[fro]
                factor = factor * FACTOR
            self.labels = _mix(out)[:self.q.shape[0], :self.q.shape[1]] + np.uint64(1)  # 0 is beyond the border
        self.pending = []
        return self.labels

    def _split(self, q):
        """Return what q has of the first and second images, to broadcast with k."""
        a = self.k.shape[-2]
        first, second = q[..., :a, None], np.ascontiguousarray(q[..., a:])[..., None, :]
        return (first, second) if self.k.ndim == 4 else (first[:, None, :, None], second[:, None])

    def _sides(self, where):
        """Return of the two pixels of each pair the row, the column and the number of the image."""
        *pixels, a, b = where
        pooled = len(pixels) > 2
        return (*pixels[::1 + pooled], a), (*pixels[pooled::1 + pooled], b)

    def _variances_at(self, q, where):
        first, (*second, b) = self._sides(where)
        return np.stack([q[first], q[*second, b + self.k.shape[-2]]])

    def _learn(self):
        """Make ``known`` the function that returns determinants here: listed ones, others by subtraction."""
        table = None if self.same is None else np.where(self.same, 0, np.nan)
        if self.listed:
            table[self.listed[0]] = self.listed[1].det

        def known(at, k, q):
            det = np.maximum(q.prod(axis=0) - k**2, 0)
            return det if table is None else np.where(np.isnan(table[at]), det, table[at])

        self.known = known

    def _remember(self, steps, circular):
        """Note what the terms of a sum are; at every pixel it is over the same steps."""
        if self.known is None:  # a linear layer after another
            self.listed = self.zero = self.same = None
            self.determinant(0)
            self._learn()
        self.terms = self.k, self.q, self.unit, self.known, steps, circular
        self.pending.append((steps, circular))
        self.maps, self.known = [], None

    def _determinants(self, where, k, q):
        """Return the determinants at ``where``, from the terms of the last sum and the maps since."""
        if self.known is not None:  # an activation after another
            return self.known(tuple(where), k, q)
        k, q, unit, known, steps, circular = self.terms
        each = k.ndim // 2 - 1  # axes that move together
        moved = [part + step[:, None] for part, step in zip(where, np.repeat(steps.T, each, axis=0))]
        at = [part % size for part, size in zip(moved, np.repeat(q.shape[:2], each))]
        inside = [circular | (part == there) for part, there in zip(moved, at)]
        inside = [np.logical_and(*inside[side::each]) for side in (0, each - 1)]
        at = (*at, *where[-2:])
        variances = unit * self._variances_at(q, at) * inside
        values = unit * k[at].astype(float) * (inside[0] & inside[1])
        det = np.where(inside[0] & inside[1], known(at, values, variances), 0)
        terms = [Pairs(values[i], variances[:, i], det=det[i]) for i in range(len(steps))]
        total = terms[0]
        for term in terms:
            term.t = np.zeros_like(term.k)  # of no interest here
            if term is not total:
                total.add(term)
        for step in self.maps:
            total.dense(*step)
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
        self.scratch = [np.empty_like(self.k) for _ in range(3)]


def moving_sum(values, axes, radius, circular, work=None, out=None):
    """Return sums over windows of width 2 * radius + 1: along the axes of ``axes[0]`` together, then of ``axes[1]``."""
    for group, target in zip(axes, (work, out)):
        source, target = values, np.empty_like(values) if target is None else target
        np.copyto(target, source)
        for step in (*range(-radius, 0), *range(1, radius + 1)):
            for to, fro in moves(source.shape, group, len(group) * (step,), circular):
                target[to] += source[fro]
        values = target
    return values


@lru_cache
def moves(shape, axes, steps, circular):
    """Return pairs of indices, where to and where from: axes move by steps, over their ends or in from the others."""
    parts = [[(slice(None), slice(None))] for _ in shape]
    for axis, step in zip(axes, steps):
        size = shape[axis]
        if circular:
            step %= size
            parts[axis] = [(slice(step, size), slice(0, size - step)), (slice(0, step), slice(size - step, size))]
        else:
            to, fro, kept = max(step, 0), max(-step, 0), max(size - abs(step), 0)
            parts[axis] = [(slice(to, to + kept), slice(fro, fro + kept))]
    return [tuple(zip(*part)) for part in itertools.product(*parts)]


@lru_cache
def offsets(radius):
    """Return the offsets of the pixels under a filter, row by row."""
    return np.array(list(itertools.product(range(-radius, radius + 1), repeat=2)))


def _mix(z):
    """Return 64-bit numbers shuffled (Steele, Lea and Flood 2014); 0 stays 0."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
    return z ^ (z >> np.uint64(31))


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
