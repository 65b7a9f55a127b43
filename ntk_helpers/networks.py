"""Finite networks: outputs, derivatives, and the empirical tangent kernel without forming a Jacobian."""

import copy

import numpy as np

from . import _validate

TILE = 256  #: rows of a tile of a kernel, or pixels: two tiles of scratch stay small beside the kernel itself


class Network:
    r"""A network of finite width, drawn by :meth:`ntk_helpers.Architecture.init`.

    .. math::
        f(x)=g_\theta(x)\quad\text{or, antisymmetric,}\quad f(x)=\big(g_\theta(x)-g_{\theta'}(x)\big)/\sqrt2 .

    Calling it on inputs of shape (n, inputs), or (n, height, width, channels), gives outputs of shape (n, outputs), in
    the network's precision. Besides ``layers``, ``inputs`` and ``outputs`` it has a ``learning_rate_factor``, by which
    gradient descent multiplies the book's learning rate: the width under "mup", else 1.
    """

    def __init__(self, layers, copies, coefficients, learning_rate_factor, shape):
        self.layers, self.learning_rate_factor = layers, learning_rate_factor
        self._copies, self._coefficients = copies, coefficients
        self._params = [(affine.W, affine.b) for layers in copies for affine in layers if affine]
        self.inputs, self.outputs = shape if len(shape) > 1 else shape[0], self._params[-1][0].shape[1]

    @property
    def params(self):
        r"""Raw parameters: a list of ``(W, b)``, (fan_in, fan_out) and (fan_out,), one for each dense map in order.

        :math:`\theta'` follows :math:`\theta`. These are the network's own arrays: change those of ``net.copy()``.
        """
        return list(self._params)

    @property
    def theta(self):
        """All raw parameters in one new vector: W0, b0, W1, b1, ..., each row by row."""
        return flatten(self.params)

    def with_params(self, params):
        """Return this network at other parameters, a list as :attr:`params` or a vector as :attr:`theta`."""
        new = copy.copy(self)
        new._params = unflatten(params, self.params)
        pairs = iter(new._params)
        new._copies = [[affine and affine._replace(**dict(zip("Wb", next(pairs)))) for affine in layers]
                       for layers in self._copies]
        return new

    def copy(self):
        """Return the same network with parameters of its own."""
        return self.with_params(self.params)

    def __call__(self, x):
        return self._outputs(self._check("x", x))

    def activations(self, x):
        """Return what every layer puts out, in order, (n, units) or (n, height, width, units): of the first copy."""
        return self._forward(self._copies[0], self._check("x", x))[1:]

    def jacobian(self, x):
        r"""Return :math:`J_{iap}=\partial f_a(x_i)/\partial\theta_p`, shape (n, outputs, parameters), in theta's order.

        The teaching version: it forms what :meth:`ntk` avoids, :math:`\hat\Theta(x,x')=J(x)J(x')^\top`.
        """
        x, blocks = self._check("x", x), []
        for c, layers in zip(self._coefficients[::-1], self._copies[::-1]):
            for affine, h, s in self._walk(layers, self._forward(layers, x)):  # from the last map to the first
                dW = affine.scale * np.einsum("npi,knpo->nkio", h, s).reshape(len(x), self.outputs, -1)
                blocks += [c * affine.bias_scale * s.sum(2).transpose(1, 0, 2), c * dW]
        return np.concatenate(blocks[::-1], axis=-1)

    def jvp(self, x, change):
        r"""Return :math:`J(x)\,\delta`, shape (n, outputs), for a change :math:`\delta` of the parameters."""
        return self._jvp(self._check("x", x), unflatten(change, self.params, "change"))[1]

    def vjp(self, x, cotangent):
        r"""Return :math:`\sum_{ia}c_{ia}\,\partial f_a(x_i)/\partial\theta`, like :attr:`params` (c: ``cotangent``)."""
        x = self._check("x", x)
        cotangent = _validate.array("cotangent", cotangent, rows=len(x), columns=self.outputs)
        return self._vjp(x)[1](cotangent.astype(x.dtype))

    def ntk(self, x1, x2=None, full=False):
        r"""Return the empirical tangent kernel, by layer structure: the mean over outputs :math:`a=b`, shape (n1, n2).

        .. math::
            \hat\Theta_{ab}(x,x')=\sum_l\big(s_l^2\,h_l^\top h_l'+r_l^2\big)\;
            \Big(\frac{\partial f_a(x)}{\partial z_l}\Big)^{\!\top}\frac{\partial f_b(x')}{\partial z_l'}

        over dense maps :math:`z_l=s_lW_l^\top h_l+r_lb_l`: a Gram matrix of the map's inputs times, entry by entry, one
        of the backward signals; for a convolution, the sum of that over all pairs of its pixels. Derivatives are by the
        raw parameters, so under gradient flow :math:`\dot f=-c\,\hat\Theta(f-y)` with :math:`c` the
        ``learning_rate_factor``. With ``full`` all pairs of outputs, shape (n1, n2, outputs, outputs). ``x2=None``
        means ``x1``, at half the cost and exactly symmetric. Memory beyond the result: less than :meth:`activations`,
        and two tiles (for a convolution the inputs of one layer, once for each pixel of its filter). Novak,
        Sohl-Dickstein and Schoenholz, *Fast finite width neural tangent kernel*, ICML 2022.
        """
        kernel = self._kernel(x1, x2, full=full, split=False)[0]
        return kernel.transpose(2, 3, 0, 1) if full else kernel[0, 0]

    def ntk_shares(self, x1, x2=None):
        """Return what each dense map, weights and bias, adds to :meth:`ntk`: shape (maps, n1, n2)."""
        return self._kernel(x1, x2, full=False, split=True)[:, 0, 0]

    def ntk_diagonal(self, x):
        """Return the diagonal of :meth:`ntk` alone, shape (n,): squared lengths of gradients, mean over outputs."""
        x = self._check("x", x)
        out = np.zeros(len(x), x.dtype)
        for c, layers in zip(self._coefficients, self._copies):
            for affine, h, s in self._walk(layers, self._forward(layers, x, lean=True)):
                inputs = affine.scale**2 * (h @ h.mT) + affine.bias_scale**2
                out += c * c / self.outputs * (inputs * (s @ s.mT).sum(axis=0)).sum(axis=(1, 2))
        return out

    def _check(self, name, x):
        images = isinstance(self.inputs, tuple)
        x = _validate.images(name, x, self.inputs) if images else _validate.array(name, x, columns=self.inputs)
        return x.astype(self.params[0][0].dtype, copy=False)

    def _forward(self, copy, x, lean=False):
        """Return the input of every layer, then the output; ``lean``: None for those cheap to recompute."""
        values = [x]
        for i, (layer, affine) in enumerate(zip(self.layers, copy)):
            x = layer.forward(x, affine)
            if lean and i and affine and not copy[i - 1] and values[-2] is not None:
                values[-1] = None  # the activation before a dense map
            values.append(x)
        return values

    def _outputs(self, x):
        return sum(c * self._forward(layers, x)[-1] for c, layers in zip(self._coefficients, self._copies))

    def _walk(self, copy, values, signal=None):
        """Walk back, eating ``values``; at each map yield it, its inputs, its output's signal: (.., n, pixels, units).

        Without ``signal``, one for each output alone: shape (outputs, n, outputs) at the start.
        """
        f = values.pop()
        if signal is None:
            signal = np.repeat(np.eye(self.outputs, dtype=f.dtype)[:, None], len(f), axis=1)
        for i in reversed(range(len(copy))):
            layer, affine, h = self.layers[i], copy[i], values.pop()
            if h is None:
                h = self.layers[i - 1].forward(values[-1], None)
            if affine:
                inputs = layer.inputs(h)
                yield (affine, inputs.reshape(len(h), -1, inputs.shape[-1]),
                       signal.reshape(*signal.shape[:-h.ndim + 1], -1, signal.shape[-1]))
            if i:
                signal = layer.backward(signal, h, affine)

    def _vjp(self, x):
        """Return the outputs, and the function from a cotangent to gradients like ``params``."""
        runs = [self._forward(layers, x) for layers in self._copies]

        def pull(cotangent):
            gradients = []
            for c, layers, values in zip(self._coefficients, self._copies, runs):
                pieces = self._walk(layers, list(values), c * cotangent)
                gradients += [(_flat(h).T @ (affine.scale * _flat(signal)), affine.bias_scale * _flat(signal).sum(0))
                              for affine, h, signal in pieces][::-1]
            return gradients

        return sum(c * values[-1] for c, values in zip(self._coefficients, runs)), pull

    def _jvp(self, x, change):
        """Return the outputs, and their change to first order."""
        change, f, df = iter(change), 0, 0
        for c, layers in zip(self._coefficients, self._copies):
            h, dh = x, np.zeros_like(x)
            for layer, affine in zip(self.layers, layers):
                dh = layer.tangent(h, dh, affine, next(change) if affine else None)
                h = layer.forward(h, affine)
            f, df = f + c * h, df + c * dh
        return f, df

    def _kernel(self, x1, x2, full, split):
        """Return the kernel, (1 or dense maps, outputs, outputs, n1, n2), or its mean over outputs, (.., 1, 1, ..)."""
        batches = [self._check("x1", x1)] + ([] if x2 is None else [self._check("x2", x2)])
        k, maps = self.outputs if full else 1, len(self.params) // len(self._copies)
        out = np.zeros((maps if split else 1, k, k, len(batches[0]), len(batches[-1])), batches[0].dtype)
        size = max(1, TILE // (int(np.prod(self.inputs[:2])) if isinstance(self.inputs, tuple) else 1))
        for c, layers in zip(self._coefficients, self._copies):
            walks = [self._walk(layers, self._forward(layers, x, lean=True)) for x in batches]
            for i in reversed(range(maps)):  # not a zip of the walks: it would keep an activation alive
                _add_share(out[i if split else 0], c * c * k / self.outputs, [next(walk) for walk in walks], size)
        for rows, columns in _tiles(*out.shape[3:], True, size) if x2 is None else ():
            for a, b in np.ndindex(k, k):  # below the diagonal is what (b, a) has above it
                out[:, b, a, columns, rows] = out[:, a, b, rows, columns].swapaxes(1, 2)
        return out


def _tiles(n1, n2, symmetric, size):
    """Return slices of rows and of columns that cover a kernel, or its upper half."""
    return [(slice(i, i + size), slice(j, j + size)) for i in range(0, n1, size)
            for j in range(i if symmetric else 0, n2, size)]


def _flat(h):
    """Return (n, pixels, units) as a matrix, a view."""
    return h.reshape(-1, h.shape[-1])


def _add_share(out, factor, sides, size):
    """Add a dense map's part to ``out``, by tiles: the inputs' Gram matrix times the signals'."""
    (affine, h1, signals1), (_, h2, signals2) = sides[0], sides[-1]
    pixels = h1.shape[1]
    for rows, columns in _tiles(len(h1), len(h2), len(sides) == 1, size):
        inputs = _flat(h1[rows]) @ _flat(h2[columns]).T
        inputs *= factor * affine.scale**2
        inputs += factor * affine.bias_scale**2
        for a, b in np.ndindex(len(signals1), len(signals2)):
            if a == b or len(out) > 1:
                tile = _flat(signals1[a, rows]) @ _flat(signals2[b, columns]).T
                tile *= inputs
                if pixels > 1:
                    tile = tile.reshape(-1, pixels, len(tile.T) // pixels, pixels).sum((1, 3))
                out[a % len(out), b % len(out), rows, columns] += tile


def flatten(params):
    """Return a list of ``(W, b)`` as one new vector: W0, b0, W1, b1, ..., each row by row."""
    return np.concatenate([array.ravel() for pair in params for array in pair])


def unflatten(params, like, name="params"):
    """Return new arrays, with the shapes and precision of ``like``, from such a list or from a vector."""
    arrays = [array for pair in like for array in pair]
    shapes = [array.shape for array in arrays]
    if isinstance(params, np.ndarray):
        ends = np.cumsum([array.size for array in arrays])
        parts = np.split(_validate.array(name, params, ndim=1, rows=ends[-1]), ends[:-1])
        given = [part.reshape(shape) for part, shape in zip(parts, shapes)]
    else:
        try:
            given = [_validate.array(name, array, ndim=(1, 2)) for pair in params for array in pair]
        except TypeError:
            raise ValueError(f"{name} must be a list of pairs (W, b), or a vector; got {params!r}") from None
    if [array.shape for array in given] != shapes:
        raise ValueError(f"{name} must be pairs (W, b) of shapes {shapes}; got {[array.shape for array in given]}")
    given = [new.astype(old.dtype) for new, old in zip(given, arrays)]
    return list(zip(given[::2], given[1::2]))
