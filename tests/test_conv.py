import itertools
import tracemalloc
from pathlib import Path

import mpmath
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from ntk_helpers import _pixels, activations, kernels, networks
from ntk_helpers.activations import absolute, erf, gelu, identity, leaky_relu, relu, sin, tanh
from ntk_helpers.convolution import Conv, Flatten, GlobalAveragePool, cnn
from ntk_helpers.layers import Activation, Architecture, Dense, Residual, mlp
from ntk_helpers.networks import flatten
from ntk_helpers.training import Linearized, loss_gradient, train

REFERENCE = Path(__file__).parent / "reference"
EVERY = [identity, relu, absolute, erf, gelu, sin, activations.cos, activations.gaussian, activations.sigmoid_like,
         tanh, leaky_relu(0.1), activations.rbf(0.5)]
HEADS, PADDINGS = ("flatten", "gap"), ("zero", "circular")
BOTH = list(itertools.product(HEADS, PADDINGS))


def close(got, wanted, tolerance=1e-12):
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


# Referees: Neural Tangents, and the recursion written down with the whole covariance matrix of all pixels.


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("bias_std", [0.0, 0.1])
@pytest.mark.parametrize("images, ending", [("images", ""), ("images3", "_c3")])
def test_the_reference_is_matched(head, depth, bias_std, images, ending):
    with np.load(REFERENCE / "conv.npz") as data:
        x = data[images]
        wanted = [data[f"{head}_L{depth}_b{bias_std}_{kind}{ending}"] for kind in ("nngp", "ntk")]
    arch = cnn(depth, relu, 3, head, 2**0.5, bias_std)
    for result in (arch.kernels(x), arch.kernels(x, x)):
        for kind, got, other in zip(("nngp", "ntk"), result, wanted):
            scale = np.sqrt(np.outer(other.diagonal(), other.diagonal()))
            error = np.abs(got - other) / scale
            assert error[~np.eye(len(x), dtype=bool)].max() <= 1e-12
            # Of an image with itself the reference takes angles that are 0 from their cosines.
            assert error.diagonal().max() <= (1e-12 if kind == "nngp" else 1e-8)


def places(n, h, w, offset, padding):
    """Return where in a list of all pixels those at p + offset are; beyond the border is the end of the list."""
    i, j = np.indices((h, w)) + np.reshape(offset, (2, 1, 1))
    inside = (padding == "circular") | ((i == i % h) & (j == j % w))
    there = np.where(inside, i % h * w + j % w, n * h * w).ravel()
    return np.minimum(there + h * w * np.arange(n)[:, None], n * h * w).ravel()


def plain(layers, x, dual=None):
    """Return the kernels of images by matrices of the pairs of all their pixels; ``dual`` as in Nonlinearity."""
    n, h, w, c = x.shape
    x = x.reshape(-1, c)
    k, t = x @ x.T / c, 0 * (x @ x.T)
    for layer in layers:
        if isinstance(layer, Activation):
            q = k.diagonal()
            function = dual or layer.activation.dual
            value, slope = function(k, q[:, None] + 0 * k, q[None] + 0 * k, np.maximum(np.outer(q, q) - k * k, 0))
            k, t = value, slope * t
        elif isinstance(layer, Conv):
            r, size = layer.filter // 2, layer.filter
            at = [places(n, h, w, offset, layer.padding) for offset in itertools.product(range(-r, r + 1), repeat=2)]
            k, t = (sum(part[np.ix_(p, p)] for p in at) * (layer.weight_std / size) ** 2
                    for part in (np.pad(part, (0, 1)) for part in (k, t)))
            k = k + layer.bias_std**2
            t = t + k
        elif isinstance(layer, Dense):
            k, t = layer.weight_std**2 * k + layer.bias_std**2, layer.weight_std**2 * t
            t = t + k
        else:
            blocks = (part.reshape(n, h * w, n, h * w) for part in (k, t))
            if isinstance(layer, Flatten):
                k, t = (np.trace(part, axis1=1, axis2=3) / (h * w) for part in blocks)
            else:
                k, t = (part.sum((1, 3)) / (h * w) ** 2 for part in blocks)
    return k, t


@pytest.mark.parametrize("head, padding", BOTH)
@pytest.mark.parametrize("activation", EVERY, ids=lambda a: a.name)
def test_kernels_are_those_of_the_recursion(activation, head, padding):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3, 2, 2))
    arch = cnn(2, activation, 3, head, 1.3, 0.2, padding)
    wanted = plain(arch.layers, x)
    for got, rectangle, other in zip(arch.kernels(x), arch.kernels(x[:1], x[1:]), wanted):
        error = np.abs(got - other)
        np.fill_diagonal(error, 0)  # tested below
        assert error.max() <= 1e-10 * other.max()
        close(rectangle, other[:1, 1:], 1e-10)


CONV, ACT = Conv(3, 1.2, 0.1), Activation(relu)
MIXED = [(CONV, CONV, ACT, Flatten(), Dense()),
         (CONV, Activation(identity), Conv(1, 0.8), ACT, GlobalAveragePool(), Dense(1.1, 0.3)),
         (Conv(5, 1.2, 0.1, "circular"), Activation(sin), CONV, ACT, Flatten(), Dense(1.1, 0.2), ACT, Dense(0.9, 0.1)),
         (Conv(5, 1.3), ACT, ACT, Conv(3), Flatten(), Dense(), Dense(), Activation(erf), ACT, Dense()),
         (CONV, GlobalAveragePool(), Dense(), Dense(0.7, 0.1)), (CONV, Flatten(), Dense())]


@pytest.mark.parametrize("layers", MIXED)
def test_layers_combine(layers):
    x = np.random.default_rng(0).standard_normal((6, 3, 4, 2))
    x[5] = 2 * x[0]
    arch, wanted = Architecture(layers), plain(layers, x)
    for got, rectangle, other in zip(arch.kernels(x), arch.kernels(x[:2], x[1:]), wanted):
        close(got, other, 1e-7)  # of parallel images it does not know the angles
        parallel = np.eye(6, dtype=bool)
        parallel[0, 5] = parallel[5, 0] = True
        close(np.where(parallel, 0, got), np.where(parallel, 0, other), 1e-12)
        close(rectangle, got[:2, 1:], 1e-13)
    net = arch.init(np.random.default_rng(1), 4, (3, 4, 2), outputs=2)
    j = net.jacobian(x)
    close(net.ntk(x, full=True), np.einsum("iap,jbp->ijab", j, j), 1e-13)


def hard_images():
    rng = np.random.default_rng(3)
    x = np.zeros((12, 3, 3, 2))
    x[0], x[1] = rng.standard_normal((2, 3, 3, 2))
    x[2], x[3], x[4] = x[0], -0.5 * x[0], x[0] + 1e-9 * x[1]
    x[5], x[6] = 1, 2  # flat
    x[7, 1, 1], x[8, 1, 1], x[8, 0] = 1.5, -1, 1e-5  # few pixels; the last is dark
    x[10:] = 1e-4 * rng.standard_normal((2, 3, 3, 2))
    x[10:, 1, 1] = 1  # parallel where all is bright: sums have terms of either kind
    return x


@pytest.mark.parametrize("a, bias_std, padding", [
    (0, 0.0, "zero"), (0, 0.25, "circular"), (-1, 0.0, "circular"), (-0.5, 0.25, "zero")])
def test_hard_images_are_exact(a, bias_std, padding):
    """Equal, opposite, parallel, nearly equal, flat, dark, nearly empty, one bright pixel: against 40 digits."""
    def dual(k, q1, q2, det=None):
        h, kappa = mpmath.mpf(a * a + 1) / 2, mpmath.mpf((a - 1) ** 2) / (2 * mpmath.pi)
        out = np.empty((2, *k.shape), object)
        for at in np.ndindex(k.shape):
            root = mpmath.sqrt(abs(q1[at] * q2[at] - k[at] ** 2))
            angle = mpmath.atan2(root, k[at]) if root or k[at] else mpmath.mpf(0)
            out[0][at], out[1][at] = h * k[at] + kappa * (root - angle * k[at]), h - kappa * angle
        return out

    x = hard_images()
    activation = activations.two_slope(a, 1)
    archs = [cnn(2, activation, 3, head, 1.5, bias_std, padding) for head in HEADS]
    archs.append(Architecture((*archs[0].layers, Activation(activation), Dense(1.5, bias_std))))
    with mpmath.workdps(40):
        digits = np.vectorize(mpmath.mpf, otypes=[object])(x)
        pixels = plain(archs[0].layers[:-2], digits, dual)
        for arch in archs:
            exact = [part.reshape(12, 9, 12, 9) for part in pixels]
            if _pixels.pooled(arch.layers):
                k, t = (part.sum((1, 3)) / 81 for part in exact)
            else:
                k, t = (np.trace(part, axis1=1, axis2=3) / 9 for part in exact)
            k, t = 2.25 * k + bias_std**2, 2.25 * t
            if arch is archs[2]:
                q, t = k.diagonal(), t + k
                k, slope = dual(k, q[:, None] + 0 * k, q + 0 * k)
                k, t = 2.25 * k + bias_std**2, 2.25 * slope * t
            for kind, wanted in zip(("nngp", "ntk"), (k, t + k)):
                wanted = wanted.astype(float)
                scale = np.sqrt(np.outer(wanted.diagonal(), wanted.diagonal()))
                for got in (arch.kernels(x), arch.kernels(x, x)):
                    assert np.all(np.abs(getattr(got, kind) - wanted) <= 1e-12 * scale)
                single = getattr(arch.kernels(x, dtype=np.float32), kind)
                assert single.dtype == np.float32 and np.all(np.abs(single - wanted) <= 1e-5 * scale)


# Properties


@st.composite
def images(draw, height=None):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    h, w, c = height or draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    x = rng.standard_normal((draw(st.integers(1, 5)), h, w, c))
    for _ in range(draw(st.integers(0, 3))):  # some equal, opposite, empty or nearly equal
        i, j = rng.integers(0, len(x), 2)
        x[i] = x[j] * draw(st.sampled_from([1.0, -1.0, 0.0, 0.5, 1 + 1e-9]))
    return x * (rng.random(x.shape) > draw(st.sampled_from([0.0, 0.7])))  # some mostly dark


networks_of = {"activation": st.sampled_from([relu, absolute, erf, gelu, tanh]), "depth": st.integers(1, 3),
               "weight_std": st.floats(0.5, 1.6), "bias_std": st.sampled_from([0.0, 0.1, 1.0])}
architectures = st.builds(cnn, **networks_of, filter=st.sampled_from([1, 3, 5]), head=st.sampled_from(HEADS),
                          padding=st.sampled_from(PADDINGS))


def size(arch, x):
    """Return the diagonal with a flat head: how large the pixels' covariances are whose mean, if pooled, may cancel."""
    pooled = [isinstance(layer, GlobalAveragePool) for layer in arch.layers]
    return Architecture(tuple(Flatten() if pool else layer for pool, layer in zip(pooled, arch.layers))).diagonal(x)


def promised(arch, exact):
    """Return the relative error to expect: as of exact duals, or what a dual by quadrature is content with."""
    activations = [layer.activation for layer in arch.layers if isinstance(layer, Activation)]
    return max([exact, *(getattr(one.dual, "tolerance", 0) for one in activations)])


def alike(got, wanted, arch, x1, x2, tolerance=1e-11):
    for part, other, first, second in zip(got, wanted, size(arch, x1), size(arch, x2)):
        assert part.shape == other.shape
        assert np.all(np.abs(part - other) <= tolerance * np.sqrt(np.outer(first, second)) + 1e-300)


@given(architectures, images())
@example(cnn(3, tanh, filter=1, head="gap", weight_std=1.5), np.array([0.34558419, 0.82161814])[:, None, None, None])
@settings(max_examples=60, deadline=None)
def test_kernels_are_finite_symmetric_and_positive(arch, x):
    result = arch.kernels(x)
    for got, diagonal, large in zip(result, arch.diagonal(x), size(arch, x)):
        assert np.isfinite(got).all()
        np.testing.assert_array_equal(got, got.T)
        assert np.all(np.abs(got.diagonal() - diagonal) <= promised(arch, 1e-13) * large + 1e-300)
        assert np.linalg.eigvalsh(got).min() >= -1e-13 * len(x) * large.max()
    alike(arch.kernels(x, x), result, arch, x, x)
    assert np.linalg.eigvalsh(result.ntk - result.nngp).min() >= -1e-12 * len(x) * size(arch, x).ntk.max()


@given(st.fixed_dictionaries(networks_of), st.sampled_from(BOTH), st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_one_pixel_under_a_filter_of_one_is_an_mlp(options, both, seed):
    x = np.random.default_rng(seed).standard_normal((6, 4))
    x[3], x[4], x[5] = x[0], -x[0], 0
    dense, (head, padding) = mlp(**options), both
    arch = cnn(**options, filter=1, head=head, padding=padding)
    got = arch.kernels(x[:, None, None], x[:4, None, None])
    for part, wanted, first in zip(got, dense.kernels(x, x[:4]), dense.diagonal(x)):
        assert np.all(np.abs(part - wanted)
                      <= promised(arch, 1e-12) * np.sqrt(np.outer(first, first[:4])) + 1e-300)
    nets = [a.init(np.random.default_rng(0), 8, inputs) for a, inputs in ((arch, (1, 1, 4)), (dense, 4))]
    close(nets[0].theta, nets[1].theta, 0)
    close(nets[0](x[:, None, None]), nets[1](x), 1e-13)


@given(st.fixed_dictionaries(networks_of), images(3), st.integers(0, 3), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_pooling_with_circular_padding_does_not_see_shifts(options, x, rows, columns):
    arch = cnn(**options, head="gap", padding="circular")
    moved = np.roll(x, (rows, columns), (1, 2))
    wanted = arch.kernels(x)
    alike(arch.kernels(moved), wanted, arch, x, x, promised(arch, 1e-12))
    alike(arch.kernels(moved, x), wanted, arch, x, x, promised(arch, 1e-12))
    net = arch.init(np.random.default_rng(0), 8, x.shape[1:])
    np.testing.assert_allclose(net(moved), net(x), rtol=1e-12, atol=1e-12)


@given(architectures, images(), st.randoms())
@settings(max_examples=30, deadline=None)
def test_kernels_do_not_see_the_order_of_images_or_channels(arch, x, random):
    order, channels = list(range(len(x))), list(range(x.shape[3]))
    random.shuffle(order), random.shuffle(channels)
    wanted = [part[np.ix_(order, order)] for part in arch.kernels(x)]
    alike(arch.kernels(x[order][..., channels]), wanted, arch, x[order], x[order])


@pytest.mark.parametrize("head, padding", BOTH)
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 3e-6)])
def test_tiles_equal_the_whole_on_any_number_of_threads(head, padding, dtype, tolerance, monkeypatch):
    rng = np.random.default_rng(0)
    x, z = rng.standard_normal((23, 4, 3)), rng.standard_normal((17, 4, 3))
    x[20], x[21], z[:3] = x[2], 0, x[:3]
    arch = cnn(2, relu, 3, head, 1.4, 0.0, padding)
    whole = arch.kernels(x), arch.kernels(x, z)
    monkeypatch.setattr(_pixels, "CELLS", 300)
    monkeypatch.setattr(_pixels, "LIST", 20)
    assert _pixels.extent(arch.layers, (23, 4, 3, 1))[0] < 23
    for x2, wanted in zip((None, z), whole):
        one, two = (arch.kernels(x, x2, dtype=dtype, threads=threads) for threads in (1, 2))
        alike(one, wanted, arch, x, x if x2 is None else z, tolerance)
        for got, same in zip(one, two):
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, same)
            assert x2 is not None or np.array_equal(got, got.T)
    told = []
    arch.kernels(x, progress=lambda *call: told.append(call))
    assert told == [(i + 1, len(told)) for i in range(len(told))] and len(told) > 2


@pytest.mark.parametrize("head, n, size, activation", [
    ("flatten", 200, 8, relu), ("gap", 20, 8, relu), ("gap", 2, 32, relu), ("flatten", 3, 32, tanh),
    ("gap", 2, 8, tanh)])
def test_memory_beyond_the_results_is_small(head, n, size, activation):
    x = np.ones((n, size, size)) * np.linspace(0.9, 1, n)[:, None, None]  # all are parallel
    arch = cnn(1, activation, 3, head, 1.4, 0.1)
    arch.kernels(x[:1, :2, :2])  # tables and imports
    tracemalloc.start()
    arch.kernels(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak - 2 * 8 * n * n < 100e6


# Finite networks


SMOOTH = [Architecture((Conv(3, 1.2, 0.3), Activation(tanh), Conv(5, 1.1, 0.2, "circular"), Activation(sin), Flatten(),
                        Dense(1.1, 0.2), Activation(erf), Residual(tanh, 0.5, 1.2, 0.1), Dense(0.9, 0.4))),
          cnn(2, gelu, 3, "gap", 1.3, 0.2)]
STARTS = list(itertools.product(("ntk", "standard", "mup"), (False, True)))


def draw(arch, parameterization="ntk", antisymmetric=False, outputs=2, width=5, **options):
    rng = np.random.default_rng(1)
    net = arch.init(rng, width, (3, 4, 2), outputs, parameterization, antisymmetric, **options)
    return net.with_params(net.theta + 0.3 * rng.standard_normal(net.theta.size)) if antisymmetric else net


@pytest.fixture
def x():
    return np.random.default_rng(2).standard_normal((6, 3, 4, 2))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_a_convolution_is_that_of_scipy(size, padding):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    layers = (Conv(size, 1.3, 0.4, padding), Flatten(), Dense())
    net = Architecture(layers).init(np.random.default_rng(1), 2, (5, 4, 3))
    W, b = net.params[0]
    assert W.shape == (size * size * 3, 2)
    W = W.reshape(size, size, 3, 2)
    r, mode = size // 2, {"zero": "constant", "circular": "wrap"}[padding]
    padded = np.pad(x, ((0, 0), (r, r), (r, r), (0, 0)), mode)
    wanted = np.zeros((2, 5, 4, 2))
    for n, c, m in np.ndindex(2, 3, 2):
        wanted[n, ..., m] += correlate2d(padded[n, ..., c], W[..., c, m], "valid")
    close(net.activations(x)[0], 1.3 / (size * 3**0.5) * wanted + 0.4 * b, 1e-14)
    assert net.activations(x)[1].shape == (2, 40) and net.inputs == (5, 4, 3) and net(x).shape == (2, 1)


@pytest.mark.parametrize("arch", SMOOTH)
@pytest.mark.parametrize(("parameterization", "antisymmetric"), STARTS)
def test_derivatives_agree_with_finite_differences(arch, parameterization, antisymmetric, x):
    net = draw(arch, parameterization, antisymmetric)
    rng, step = np.random.default_rng(3), 1e-6
    direction, cotangent = rng.standard_normal(net.theta.size), rng.standard_normal((6, 2))
    slope = (net.with_params(net.theta + step * direction)(x) - net.with_params(net.theta - step * direction)(x)) / (
        2 * step)
    j = net.jacobian(x)
    close(j @ direction, slope, 1e-8)
    close(net.jvp(x, direction), j @ direction, 1e-13)
    close(Linearized(net).with_params(net.theta + direction)(x), net(x) + j @ direction, 1e-13)
    close(flatten(net.vjp(x, cotangent)), np.einsum("ia,iap->p", cotangent, j), 1e-13)
    y = rng.standard_normal((6, 2))
    close(flatten(loss_gradient(net, x, y)[1]), np.einsum("ia,iap->p", net(x) - y, j), 1e-13)


@pytest.mark.parametrize("tile", [1, 30, 256])
@pytest.mark.parametrize("arch", [*SMOOTH, cnn(1, relu, 3, "gap"), cnn(2, relu, 3, "flatten", 1.4, 0.1, "circular")])
def test_the_kernel_is_the_jacobian_squared(arch, tile, x, monkeypatch):
    monkeypatch.setattr(networks, "TILE", tile)
    for net in (draw(arch, *start) for start in STARTS[:2]):
        j, shares = net.jacobian(x), net.ntk_shares(x, x[:4])
        close(net.ntk(x[:2], x, full=True), np.einsum("iap,jbp->ijab", j[:2], j), 1e-13)
        close(net.ntk(x), np.einsum("iap,jap->ij", j, j) / 2, 1e-13)
        close(net.ntk_diagonal(x), np.einsum("iap,iap->i", j, j) / 2, 1e-13)
        sizes = [W.size + b.size for W, b in net.params]
        owner = np.repeat(np.arange(len(sizes)) % len(shares), sizes)
        for i, share in enumerate(shares):
            close(share, np.einsum("iap,jap->ij", j[..., owner == i], j[:4, ..., owner == i]) / 2, 1e-13)


@pytest.mark.parametrize("head, padding", BOTH)
def test_parameterizations_represent_the_same_functions(head, padding, x):
    arch, width = cnn(2, tanh, 3, head, 1.3, 0.2, padding), 16
    ntk, standard, mup = (arch.init(np.random.default_rng(0), width, (3, 4, 2), 2, name)
                          for name in ("ntk", "standard", "mup"))
    for net in (standard, mup):
        assert [W.shape for W, _ in net.params] == [(18, 16), (144, 16), (192 if head == "flatten" else 16, 2)]
    close(standard(x), ntk(x), 1e-14)
    close(mup(x) * 4, ntk(x), 1e-14)
    close(mup.learning_rate_factor * mup.ntk_shares(x), ntk.ntk_shares(x))
    fans = [len(W) / 1.3**2 for W, _ in ntk.params]  # each weight's part of the kernel is rescaled by its own fan-in
    close(standard.params[1][0] * fans[1] ** 0.5, ntk.params[1][0], 1e-14)


@pytest.mark.parametrize("head", HEADS)
def test_networks_train(head, x):
    y, arch = np.random.default_rng(5).standard_normal((6, 2)), cnn(1, tanh, 3, head, 1.4, 0.1)
    net = arch.init(np.random.default_rng(0), 32, (3, 4, 2), 2, "mup", True)
    assert not net(x).any()
    close(net.ntk(x), arch.init(np.random.default_rng(0), 32, (3, 4, 2), 2, "mup").ntk(x), 1e-13)
    rate = 1 / (net.learning_rate_factor * np.linalg.eigvalsh(net.ntk(x)).max())
    trained, history = train(net, x, y, rate, 200)
    assert history.loss[-1] < 0.5 * history.loss[0]
    theta = net.theta
    for _ in range(2):
        theta = theta - rate * 32 * flatten(loss_gradient(net.with_params(theta), x, y)[1])
    close(train(net, x, y, rate, 2)[0].theta, theta, 1e-12)
    only = train(net, x, y, rate, 1, maps=[0])[0]
    assert [(W != W0).any() for (W, _), (W0, _) in zip(only.params, net.params)] == [True, False] * 2


def test_float32_and_one_channel(x):
    arch = cnn(2, relu, 3, "gap", 1.4, 0.1)
    single, double = (arch.init(np.random.default_rng(0), 16, [3, 4], dtype=dtype) for dtype in (np.float32, float))
    assert double.inputs == (3, 4, 1)
    one = x[..., :1].copy()
    before = one.copy()
    one.flags.writeable = False
    for method in ("__call__", "ntk", "jacobian", "ntk_shares"):
        got, wanted = (getattr(net, method)(one) for net in (single, double))
        assert got.dtype == np.float32
        close(got, wanted, 1e-5)
        np.testing.assert_array_equal(getattr(double, method)(one[..., 0]), wanted)
    for got, wanted in zip(arch.kernels(one[..., 0]), arch.kernels(one)):
        np.testing.assert_array_equal(got, wanted)
    np.testing.assert_array_equal(one, before)


# Many networks against the limit


@pytest.mark.parametrize("head, padding", BOTH)
def test_one_hidden_layer_has_the_limit_as_its_mean(head, padding):
    # With one hidden layer the means are exact at any width. 3 * 10 entries in 4 cases, each beyond 5.5 standard
    # errors with probability 4e-8: a false alarm in fewer than one of 100 000 seeds.
    rng, nets = np.random.default_rng(1), 3000
    arch, x = cnn(1, relu, 3, head, 1.4, 0.5, padding), rng.standard_normal((4, 3, 3, 2))
    nngp, ntk = arch.kernels(x)
    drawn = [arch.init(rng, 16, (3, 3, 2)) for _ in range(nets)]
    shares = np.array([net.ntk_shares(x) for net in drawn])
    outputs = np.array([net(x)[:, 0] for net in drawn])
    for samples, limit in ((shares[:, 0], ntk - nngp), (shares[:, 1], nngp),
                           (outputs[:, :, None] * outputs[:, None], nngp)):
        error = samples.std(0, ddof=1) / nets**0.5
        assert (np.abs(samples.mean(0) - limit) <= 5.5 * error).all()
        assert (error <= 0.06 * limit.diagonal().max()).all()  # so that a wrong factor would show


@pytest.mark.parametrize("head, padding", BOTH)
def test_the_kernel_tends_to_the_limit_as_one_over_root_width(head, padding):
    rng, widths, nets = np.random.default_rng(2), np.array([32, 64, 128]), 150
    arch, x = cnn(2, relu, 3, head, 2**0.5, 0.1, padding), rng.standard_normal((3, 3, 3))
    ntk = arch.kernels(x).ntk
    drawn = np.array([[arch.init(rng, m, (3, 3)).ntk(x) for _ in range(nets)] for m in widths])
    squared = ((drawn - ntk) ** 2).sum((2, 3)) / (ntk**2).sum()
    log_rms, log_width = np.log(squared.mean(1)) / 2, np.log(widths)
    weights = (log_width - log_width.mean()) / ((log_width - log_width.mean()) ** 2).sum()
    errors = squared.std(1, ddof=1) / squared.mean(1) / 2 / nets**0.5
    slope, error = weights @ log_rms, np.sqrt((weights**2 * errors**2).sum())
    # Four standard errors: a false alarm in one of 15 000 seeds; .05 for terms of higher order in 1 / width.
    assert error < 0.1
    assert abs(slope + 0.5) <= 4 * error + 0.05
    bound = 5 * np.sqrt(squared[-1].mean() / nets) + 4 / widths[-1]
    assert np.linalg.norm(drawn[-1].mean(0) - ntk) <= bound * np.linalg.norm(ntk)


# Bad input


ARCH, X = cnn(1, relu), np.ones((2, 4, 3, 2))
NET = ARCH.init(np.random.default_rng(0), 4, (4, 3, 2))


@pytest.mark.parametrize("call, message", [
    (lambda: cnn(0, relu), "depth must be at least 1; got 0"),
    (lambda: cnn(1, "relu"), "activation must be a Nonlinearity"),
    (lambda: cnn(1, relu, 2), "filter must be odd, to have a middle; got 2"),
    (lambda: cnn(1, relu, 0), "filter must be at least 1; got 0"),
    (lambda: cnn(1, relu, 3.0), "filter must be an integer; got 3.0"),
    (lambda: cnn(1, relu, head="pool"), "head must be 'flatten' or 'gap'; got 'pool'"),
    (lambda: cnn(1, relu, padding="same"), "padding must be 'zero' or 'circular'; got 'same'"),
    (lambda: cnn(1, relu, weight_std=0), "weight_std must be above 0; got 0"),
    (lambda: cnn(1, relu, bias_std=-1), "bias_std must be at least 0; got -1"),
    (lambda: ARCH.kernels(np.ones((2, 3))), r"x1 must be 3-D or 4-D; got shape \(2, 3\)"),
    (lambda: ARCH.kernels(np.ones((0, 2, 2))), r"x1 must not be empty; got shape \(0, 2, 2\)"),
    (lambda: ARCH.kernels(X, X[:, :3]),
     r"x2 must be images of height, width and channels \(4, 3, 2\); got shape \(2, 3, 3, 2\)"),
    (lambda: ARCH.kernels(X * np.nan), "x1 must be finite; got 48 entries"),
    (lambda: ARCH.kernels(X, X * np.inf), "x2 must be finite"),
    (lambda: ARCH.kernels(X * 1e200), "x1 must have rows whose squares"),
    (lambda: cnn(1, relu, head="gap").diagonal(X * 1e-80), "x must have rows whose squares"),
    (lambda: ARCH.diagonal(np.ones(3)), "x must be 3-D or 4-D"),
    (lambda: ARCH.kernels(X, engine="numba"), r"layers must be Dense, Activation or Residual .* got Flatten\(\)"),
    (lambda: Architecture((CONV, Dense())).kernels(X), "layers must start with a Dense layer to have kernels, or"),
    (lambda: Architecture((CONV, Flatten(), CONV, Dense())).kernels(X), "layers must start with a Dense"),
    (lambda: Architecture((CONV, Flatten(), Dense(), Residual(relu), Dense())).kernels(X), "no Residual after it"),
    (lambda: Architecture((CONV, GlobalAveragePool(), Dense(), ACT, Dense())).kernels(X), "Dense only after it"),
    (lambda: Architecture((ACT, CONV, Flatten(), Dense())).diagonal(X), "layers must start with a Dense"),
    (lambda: ARCH.init(np.random.default_rng(0), 4, 3), r"inputs must be \(height, width, channels\) .* got 3"),
    (lambda: ARCH.init(np.random.default_rng(0), 4, (3,)), r"inputs must be \(height, width, channels\) .* got \(3,\)"),
    (lambda: ARCH.init(np.random.default_rng(0), 4, (3, 0)), "inputs must be at least 1; got 0"),
    (lambda: mlp(1, relu).init(np.random.default_rng(0), 4, (3, 3)), r"inputs must be an integer; got \(3, 3\)"),
    (lambda: Architecture((CONV, Dense())).init(np.random.default_rng(0), 4, (3, 3)), "before one Flatten or Global"),
    (lambda: Architecture((Dense(), Flatten(), Dense())).init(np.random.default_rng(0), 4, 3), "before one Flatten"),
    (lambda: NET(X[..., :1]), r"x must be images of height, width and channels \(4, 3, 2\); got shape \(2, 4, 3, 1\)"),
    (lambda: NET(X[..., 0]), r"x must be images of .* got shape \(2, 4, 3\)"),
    (lambda: NET.ntk(X, X[0]), r"x2 must be images of .* got shape \(4, 3, 2\)"),
    (lambda: train(NET, X[:, 0], np.ones(2), 0.1, 1), r"x must be images of .* got shape \(2, 3, 2\)"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_large_results_are_refused():
    with pytest.raises(ValueError, match="x1 and x2 must be short enough"):
        kernels.kernels(ARCH, np.broadcast_to(np.ones(1), (2**33, 1, 1)))
