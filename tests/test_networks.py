import copy
import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from ntk_helpers import networks
from ntk_helpers.activations import erf, gelu, leaky_relu, relu, sin, tanh
from ntk_helpers.layers import Activation, Architecture, Dense, Residual, mlp, resnet
from ntk_helpers.networks import flatten
from ntk_helpers.training import Linearized, loss_gradient, train

REFERENCE = Path(__file__).parent / "reference"
SMOOTH = [mlp(2, tanh, 1.5, 0.3), mlp(1, erf, 1.2), resnet(2, gelu, 0.5, 1.3, 0.2),
          Architecture((Dense(1.1), Dense(1.0, 0.1), Residual(tanh, -0.7, 1.1, 0.4), Activation(sin),
                        Activation(erf), Dense(0.9))),
          Architecture((Residual(tanh, 0.7, 1.1, 0.4), Dense(0.9)))]
KINKED = [mlp(2, relu, 2**0.5, 0.1), resnet(2, leaky_relu(0.1), 0.5, 1.3, 0.2)]
ARCHITECTURES = SMOOTH + KINKED
STARTS = list(itertools.product(("ntk", "standard", "mup"), (False, True)))


@pytest.fixture
def rng():
    return np.random.default_rng(1)


def draw(arch, rng, width=6, inputs=4, outputs=3, parameterization="ntk", antisymmetric=False, **options):
    """Draw a network; an antisymmetric one off its start, where the copies would hide each other's errors."""
    net = arch.init(rng, width, inputs, outputs, parameterization, antisymmetric, **options)
    return net.with_params(net.theta + 0.3 * rng.standard_normal(net.theta.size)) if antisymmetric else net


def close(got, wanted, tolerance=1e-12):
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    assert np.abs(got - wanted).max() <= tolerance * np.abs(wanted).max()


# The reference: Neural Tangents.


@pytest.fixture(params=[("relu", relu), ("erf", erf)], ids=lambda pair: pair[0])
def reference(request):
    name, activation = request.param
    with np.load(REFERENCE / f"empirical_{name}.npz") as file:
        data = dict(file)
    arch = mlp(int(data["L"]), activation, float(data["W_std"]), float(data["b_std"]))
    net = arch.init(np.random.default_rng(0), int(data["width"]), 5, outputs=3)
    return data, net.with_params([(data[f"W{i}"], data[f"b{i}"][0]) for i in range(3)])


def test_outputs_jacobian_and_kernels_are_those_of_the_reference(reference):
    data, net = reference
    x, z = data["X"], data["Z"]
    close(net(x), data["f_X"])
    close(net(z), data["f_Z"])
    close(net(x) @ net(x).T / 3, data["nngp_mean_XX"])
    close(net.jacobian(x), data["jac_X"])
    for name, pair in {"XX": (x, None), "ZX": (z, x)}.items():
        close(net.ntk(*pair, full=True), data[f"ntk_full_{name}"])
        close(net.ntk(*pair), data[f"ntk_mean_{name}"])


def test_displaced_outputs_are_those_of_the_reference(reference):
    data, net = reference
    change = [(data[f"dW{i}"], data[f"db{i}"][0]) for i in range(3)]
    moved = net.theta + flatten(change)
    close(net.with_params(moved)(data["Z"]), data["disp_net_Z"])
    close(Linearized(net).with_params(moved)(data["Z"]), data["disp_lin_Z"])
    close(net(data["Z"]) + net.jvp(data["Z"], change), data["disp_lin_Z"])


@pytest.mark.parametrize("kind", ["net", "lin"])
def test_gradient_descent_is_that_of_the_reference(reference, kind):
    data, net = reference
    # There the loss is half the mean over all entries of Y: their clock is ours times Y.size.
    rate = float(data["gd_eta"]) / data["Y"].size
    trained, _ = train(net if kind == "net" else Linearized(net), data["X"], data["Y"], rate, 100)
    close(trained(data["X"]), data[f"gd100_{kind}_X"])
    close(trained(data["Z"]), data[f"gd100_{kind}_Z"])


@pytest.mark.parametrize("kind", ["full", "mean"])
def test_the_kernels_predict_linearized_training_as_in_the_reference(reference, kind):
    data, net = reference
    x, z, n, k = data["X"], data["Z"], 12, 3
    if kind == "full":
        inner, outer = (net.ntk(*pair, full=True).transpose(0, 2, 1, 3).reshape(-1, n * k)
                        for pair in ((x,), (z, x)))
    else:
        inner, outer = (np.kron(net.ntk(*pair), np.eye(k)) for pair in ((x,), (z, x)))
    rates, modes = np.linalg.eigh(inner)
    gap = modes.T @ (data["Y"] - net(x)).ravel()
    for label, t in {"inf": np.inf, "t1": 1.0, "t10": 10.0, "t100": 100.0}.items():
        weights = modes @ (-np.expm1(-rates * t / data["Y"].size) / rates * gap)
        close(net(x) + (inner @ weights).reshape(n, k), data[f"lin{kind}_{label}_X"])
        close(net(z) + (outer @ weights).reshape(-1, k), data[f"lin{kind}_{label}_Z"])


# Derivatives.


def complex_outputs(net, x, direction, step=1e-30):
    """Return outputs at parameters theta + i step direction."""
    pairs = iter(zip(net.params, networks.unflatten(direction, net.params)))
    new = copy.copy(net)
    new._copies = [[affine and affine._replace(**{name: old + 1j * step * change
                                                   for name, old, change in zip("Wb", *next(pairs))})
                    for affine in layers] for layers in net._copies]
    return new._outputs(x)


@pytest.mark.parametrize(("parameterization", "antisymmetric"), STARTS)
@pytest.mark.parametrize("arch", SMOOTH)
def test_derivatives_agree_with_the_complex_step(arch, parameterization, antisymmetric, rng):
    net = draw(arch, rng, parameterization=parameterization, antisymmetric=antisymmetric)
    x, y = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    for _ in range(3):
        direction = rng.standard_normal(net.theta.size)
        outputs = complex_outputs(net, x, direction)
        close(outputs.real, net(x), 1e-14)
        close(net.jvp(x, direction), outputs.imag / 1e-30)
        close(net.jacobian(x) @ direction, outputs.imag / 1e-30)
        value, gradient = loss_gradient(net, x, y)
        wanted = (0.5 * (outputs - y) ** 2).sum()
        assert value == pytest.approx(wanted.real, rel=1e-13)
        scale = np.linalg.norm(flatten(gradient)) * np.linalg.norm(direction)
        assert abs(flatten(gradient) @ direction - wanted.imag / 1e-30) <= 1e-13 * scale


@pytest.mark.parametrize(("parameterization", "antisymmetric"), STARTS)
@pytest.mark.parametrize("loss", ["squares", "cross_entropy"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_gradients_agree_with_finite_differences(arch, loss, parameterization, antisymmetric, rng):
    net = draw(arch, rng, parameterization=parameterization, antisymmetric=antisymmetric)
    x, y = rng.standard_normal((5, 4)), rng.dirichlet(np.ones(3), 5)
    gradient = flatten(loss_gradient(net, x, y, loss)[1])
    for _ in range(3):
        direction = rng.standard_normal(net.theta.size)
        up, down = (loss_gradient(net.with_params(net.theta + h * direction), x, y, loss)[0]
                    for h in (1e-5, -1e-5))
        scale = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert abs((up - down) / 2e-5 - gradient @ direction) <= 1e-7 * scale


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_three_derivatives_are_one(arch, rng):
    net = draw(arch, rng, antisymmetric=True)
    x, cotangent = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    close(flatten(net.vjp(x, cotangent)), np.einsum("iap,ia->p", net.jacobian(x), cotangent))
    direction = rng.standard_normal(net.theta.size)
    close(net.jvp(x, networks.unflatten(direction, net.params)), net.jvp(x, direction), 0)


@pytest.mark.parametrize("arch", SMOOTH)
def test_the_linearization_is_tangent(arch, rng):
    net = draw(arch, rng)
    x, direction = rng.standard_normal((5, 4)), rng.standard_normal(net.theta.size)
    line = Linearized(net)
    close(line(x), net(x), 0)
    steps = np.array([1e-2, 1e-3])
    ends = [net.theta + h * direction for h in steps]
    gaps = [np.abs(net.with_params(end)(x) - line.with_params(end)(x)).max() for end in ends]
    assert np.log10(gaps[0] / gaps[1]) == pytest.approx(2, abs=0.1)  # what is left is quadratic


# The empirical tangent kernel.


@pytest.mark.parametrize("tile", [2, 256])
@pytest.mark.parametrize(("parameterization", "antisymmetric"), STARTS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_kernel_is_the_jacobian_squared(arch, parameterization, antisymmetric, tile, rng, monkeypatch):
    monkeypatch.setattr(networks, "TILE", tile)
    net = draw(arch, rng, parameterization=parameterization, antisymmetric=antisymmetric)
    x1, x2 = rng.standard_normal((5, 4)), rng.standard_normal((3, 4))
    j1, j2 = net.jacobian(x1), net.jacobian(x2)
    close(net.ntk(x1, x2, full=True), np.einsum("iap,jbp->ijab", j1, j2), 1e-13)
    close(net.ntk(x1, x2), np.einsum("iap,jap->ij", j1, j2) / 3, 1e-13)
    full, mean = net.ntk(x1, full=True), net.ntk(x1)
    close(full, np.einsum("iap,jbp->ijab", j1, j1), 1e-13)
    close(mean, np.einsum("iap,jap->ij", j1, j1) / 3, 1e-13)
    assert (full == full.transpose(1, 0, 3, 2)).all() and (mean == mean.T).all()
    close(net.ntk(x1, x1), mean, 1e-14)
    close(net.ntk_diagonal(x1), mean.diagonal(), 1e-13)
    # Shares: the columns of the Jacobian that belong to one dense map, in every copy.
    shares, sizes = net.ntk_shares(x1, x2), [W.size + b.size for W, b in net.params]
    owner = np.repeat(np.arange(len(sizes)) % len(shares), sizes)
    for i, share in enumerate(shares):
        close(share, np.einsum("iap,jap->ij", j1[..., owner == i], j2[..., owner == i]) / 3, 1e-13)
    close(net.ntk_shares(x1).sum(0), mean, 1e-13)


def test_one_output_gives_one_kernel(rng):
    net, x = draw(mlp(2, tanh, 1.5, 0.1), rng, outputs=1), rng.standard_normal((5, 4))
    assert net(x).shape == (5, 1) and net.ntk(x, x[:2]).shape == (5, 2)
    close(net.ntk(x, full=True)[..., 0, 0], net.ntk(x), 0)


@pytest.mark.parametrize(("n", "width"), [(700, 64), (300, 512)])
def test_the_kernel_needs_little_memory(n, width, rng):
    net, x = mlp(3, relu, 2**0.5, 0.1).init(rng, width, 8), rng.standard_normal((n, 8))
    result = net.ntk(x).nbytes
    tracemalloc.start()
    net.ntk(x)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    activations, tiles = sum(h.nbytes for h in net.activations(x)), 2 * 256**2 * 8
    assert peak <= 1.1 * result + activations + tiles


# At the start: many networks against the limit.


def test_one_hidden_layer_has_the_limit_as_its_mean(rng):
    # With one hidden layer the means are exact at any width. 4 * 21 entries, each beyond 5.5 standard errors
    # with probability 4e-8: a false alarm in fewer than one of 100 000 seeds.
    arch, x, nets = mlp(1, relu, 1.4, 0.5), rng.standard_normal((6, 4)), 4000
    nngp, ntk = arch.kernels(x)
    drawn = [arch.init(rng, 32, 4) for _ in range(nets)]
    shares = np.array([net.ntk_shares(x) for net in drawn])
    outputs = np.array([net(x)[:, 0] for net in drawn])
    for samples, limit in ((shares[:, 0], ntk - nngp), (shares[:, 1], nngp), (shares.sum(1), ntk),
                           (outputs[:, :, None] * outputs[:, None], nngp)):
        error = samples.std(0, ddof=1) / nets**0.5
        assert (np.abs(samples.mean(0) - limit) <= 5.5 * error).all()
        assert (error <= 0.06 * limit.diagonal().max()).all()  # so that a wrong factor would show


@pytest.mark.parametrize("arch", [mlp(1, relu, 2**0.5, 0.1), mlp(2, erf, 1.5, 0.3),
                                  resnet(2, relu, 0.5, 2**0.5, 0.1)])
def test_the_kernel_tends_to_the_limit_as_one_over_root_width(arch):
    rng, widths, nets = np.random.default_rng(2), np.array([64, 128, 256]), 400
    x = rng.standard_normal((5, 4))
    ntk = arch.kernels(x).ntk
    kernels = np.array([[arch.init(rng, m, 4).ntk(x) for _ in range(nets)] for m in widths])
    squared = ((kernels - ntk) ** 2).sum((2, 3)) / (ntk**2).sum()
    log_rms, log_width = np.log(squared.mean(1)) / 2, np.log(widths)
    weights = (log_width - log_width.mean()) / ((log_width - log_width.mean()) ** 2).sum()
    errors = squared.std(1, ddof=1) / squared.mean(1) / 2 / nets**0.5
    slope, error = weights @ log_rms, np.sqrt((weights**2 * errors**2).sum())
    assert error < 0.05
    # Four standard errors: a false alarm in one of 15 000 seeds; .05 for terms of higher order in 1 / width.
    assert abs(slope + 0.5) <= 4 * error + 0.05
    # The mean of 400 networks is far closer than one is; its bias is of order 1 / width.
    bound = 5 * np.sqrt(squared[-1].mean() / nets) + 4 / widths[-1]
    assert np.linalg.norm(kernels[-1].mean(0) - ntk) <= bound * np.linalg.norm(ntk)


# Parameterizations and the antisymmetric start.


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("antisymmetric", [False, True])
def test_parameterizations_represent_the_same_functions(arch, antisymmetric):
    x, width = np.random.default_rng(3).standard_normal((5, 4)), 16
    ntk, standard, mup = (arch.init(np.random.default_rng(0), width, 4, 2, name, antisymmetric)
                          for name in ("ntk", "standard", "mup"))
    shift = np.random.default_rng(4).standard_normal(ntk.theta.size)  # off the start, where f may be zero
    factors = []  # of the standard weights over the raw ones
    dense = [layer for layer in arch.layers if not isinstance(layer, Activation)] * (1 + antisymmetric)
    for layer, (W, b) in zip(dense, ntk.params):
        factors.append((np.full(W.shape, layer.weight_std / len(W) ** 0.5), np.full(b.shape, layer.bias_std)))
    factors = flatten(factors)
    close(standard.theta, factors * ntk.theta, 1e-15)
    close(mup.theta, ntk.theta, 0)
    ntk, mup = ntk.with_params(ntk.theta + shift), mup.with_params(mup.theta + shift)
    standard = standard.with_params(standard.theta + factors * shift)
    close(standard(x), ntk(x), 1e-14)
    close(mup(x) * width**0.5, ntk(x), 1e-14)
    # Derivatives follow from the chain rule: each block of the standard kernel is rescaled by its own fan-in.
    close(standard.jacobian(x) * factors, ntk.jacobian(x))
    assert [net.learning_rate_factor for net in (ntk, standard, mup)] == [1, 1, width]
    close(mup.learning_rate_factor * mup.ntk_shares(x), ntk.ntk_shares(x))


def test_shares_of_the_kernel_change_with_width_in_the_standard_parameterization_only():
    x, shares = np.random.default_rng(3).standard_normal((5, 4)), {}
    for width in (64, 1024):
        for name in ("ntk", "standard", "mup"):
            net = mlp(2, relu, 2**0.5).init(np.random.default_rng(0), width, 4, parameterization=name)
            traces = net.ntk_shares(x).trace(axis1=1, axis2=2) * net.learning_rate_factor
            shares[name, width] = traces / traces.sum()
            if name == "standard":  # weights N(0, 2 / fan-in) and no bias: each share times fan-in / 2
                by_fan_in = shares["ntk", width] * np.array([4, width, width])
                close(shares[name, width], by_fan_in / by_fan_in.sum())
    # Without bias the three shares of the trace are equal in the limit.
    assert np.abs(shares["ntk", 64] - 1 / 3).max() < 0.15
    assert np.abs(shares["ntk", 1024] - 1 / 3).max() < 0.05
    assert shares["standard", 64][0] > 0.02 and shares["standard", 1024][0] < 0.01


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("parameterization", ["ntk", "standard", "mup"])
def test_the_antisymmetric_start_is_zero_with_the_kernel_of_one_copy(arch, parameterization):
    x, y = np.random.default_rng(3).standard_normal((5, 4)), np.ones((5, 2))
    one, two = (arch.init(np.random.default_rng(0), 8, 4, 2, parameterization, antisymmetric)
                for antisymmetric in (False, True))
    assert not two(x).any()
    close(two.ntk(x), one.ntk(x), 1e-14)
    close(two.ntk(x, full=True), one.ntk(x, full=True), 1e-14)
    close(two.activations(x)[-1], one(x), 0)
    copies = [flatten(pairs) for pairs in (two.params[: len(one.params)], two.params[len(one.params) :])]
    assert (copies[0] == copies[1]).all()
    assert not any(np.shares_memory(a, b) for a, b in itertools.combinations([W for W, _ in two.params], 2))
    trained, _ = train(two, x, y, 1e-6, 1)
    first, second = np.split(trained.theta - two.theta, 2)
    assert trained(x).any() and first.any()
    close(first, -second, 1e-8)  # the copies move apart


# Drawing, parameters, precision.


def test_drawing_uses_the_generator_and_nothing_else():
    arch, x = resnet(2, tanh, 0.5), np.ones((1, 4))
    nets = [arch.init(np.random.default_rng(seed), 8, 4) for seed in (0, 0, 1)]
    assert (nets[0].theta == nets[1].theta).all() and not (nets[0].theta == nets[2].theta).any()
    assert nets[0](x) == nets[1](x)
    rng = np.random.default_rng(0)
    for W, b in nets[0].params:
        assert (W == rng.standard_normal(W.shape)).all()
        assert (b == rng.standard_normal(b.shape)).all()
    assert [W.shape for W, _ in nets[0].params] == [(4, 8), (8, 8), (8, 8), (8, 1)]


def test_parameters_are_set_and_copied(rng):
    net, x = draw(mlp(1, tanh, 1.0, 0.1), rng), rng.standard_normal((2, 4))
    same, other = net.with_params(net.params), net.with_params(2 * net.theta)
    assert (same(x) == net(x)).all() and (other.theta == 2 * net.theta).all()
    before = net.theta
    same.params[0][0][:] = 0
    net.copy().params[1][1][:] = 0
    assert (net.theta == before).all()
    net.params[0][0][:] = 0
    assert not (net.theta == before).all()


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_float32_stays_float32(arch):
    single, double = (arch.init(np.random.default_rng(0), 64, 4, 2, antisymmetric=True, dtype=dtype)
                      for dtype in (np.float32, np.float64))
    shift = 0.1 * np.random.default_rng(1).standard_normal(double.theta.size)
    single, double = (net.with_params(net.theta + shift.astype(net.theta.dtype)) for net in (single, double))
    x, y = np.random.default_rng(3).standard_normal((5, 4)), np.ones((5, 2))
    pairs = [(net(x), net.ntk(x), net.ntk(x, full=True), net.ntk_diagonal(x), net.jacobian(x),
              net.jvp(x, net.theta), flatten(net.vjp(x, y)),
              Linearized(net)(x), flatten(loss_gradient(net, x, y)[1]), train(net, x, y, 1e-3, 3)[0](x))
             for net in (single, double)]
    assert train(single, x, y, 1e-2, 3, optimizer="adam")[0].theta.dtype == np.float32
    for got, wanted in zip(*pairs):
        assert got.dtype == np.float32 and wanted.dtype == np.float64
        close(got, wanted, 2e-5)


def test_activations_lead_from_the_input_to_the_output(rng):
    net, x = draw(mlp(2, tanh, 1.5, 0.1), rng), rng.standard_normal((5, 4))
    values = net.activations(x)
    assert [value.shape for value in values] == [(5, 6)] * 4 + [(5, 3)]
    assert (values[1] == np.tanh(values[0])).all() and (values[-1] == net(x)).all()


# Bad input.


@pytest.mark.parametrize(("argument", "value"), [
    ("rng", 0), ("width", 0), ("width", 2.5), ("width", True), ("inputs", 0), ("outputs", -1),
    ("parameterization", "lecun"), ("dtype", np.float16), ("dtype", "int")])
def test_bad_draws_are_refused(argument, value, rng):
    arguments = {"rng": rng, "width": 4, "inputs": 3} | {argument: value}
    with pytest.raises(ValueError, match=f"^{argument} must"):
        mlp(1, relu).init(**arguments)


@pytest.mark.parametrize("layers", [(), (Dense(), Activation(relu)), (Dense(), Residual(relu))])
def test_networks_end_with_a_readout(layers, rng):
    with pytest.raises(ValueError, match="layers must end with a Dense"):
        Architecture(layers).init(rng, 4, 3)


@pytest.mark.parametrize("bad", [np.ones((2, 3)), np.ones(4), np.ones((0, 4)), [[1, 2, 3, np.nan]],
                                 [["a"] * 4], np.ones((2, 4)) * 1j, np.full((1, 4), np.inf)])
def test_bad_inputs_are_refused(bad, rng):
    net, x = draw(mlp(1, relu), rng), np.ones((2, 4))
    for call, name in ((net, "x"), (net.jacobian, "x"), (net.activations, "x"), (net.ntk, "x1"),
                       (net.ntk_shares, "x1"), (net.ntk_diagonal, "x"), (lambda bad: net.ntk(x, bad), "x2"),
                       (lambda bad: net.jvp(bad, net.theta), "x"),
                       (lambda bad: net.vjp(bad, np.ones((2, 3))), "x"), (Linearized(net), "x"),
                       (lambda bad: train(net, bad, np.ones((2, 3)), 0.1, 1), "x")):
        with pytest.raises(ValueError, match=f"^{name} must"):
            call(bad)


def test_bad_parameters_are_refused(rng):
    net = draw(mlp(1, relu), rng)
    (W0, b0), (W1, b1) = net.params
    for bad in ([(W0, b0)], [(W0.T, b0), (W1, b1)], [(W0, b0[:2]), (W1, b1)], [(W0 * np.nan, b0), (W1, b1)],
                net.theta[1:], net.theta[None], 3, [1, 2]):
        with pytest.raises(ValueError, match="params must"):
            net.with_params(bad)
        with pytest.raises(ValueError, match="change must"):
            net.jvp(np.ones((2, 4)), bad)
    for bad in (np.ones((2, 2)), np.ones((3, 3)), np.ones(3), np.full((2, 3), np.nan)):
        with pytest.raises(ValueError, match="cotangent must"):
            net.vjp(np.ones((2, 4)), bad)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_arguments_are_never_modified(arch, rng):
    net = draw(arch, rng, antisymmetric=True)
    x, y = rng.standard_normal((5, 4)), rng.standard_normal((5, 3))
    change, before = net.theta, net.theta
    for array in [x, y, change] + [array for pair in net.params for array in pair]:
        array.flags.writeable = False  # writing would raise
    for call in (net, net.jacobian, net.activations, net.ntk, net.ntk_shares, Linearized(net)):
        call(x)
    net.jvp(x, change), net.vjp(x, y), loss_gradient(net, x, y)
    for model in (net, Linearized(net)):
        train(model, x, y, 1e-3, 2)
        train(model, x, y, 1e-3, 2, optimizer="adam", batch_size=2, rng=rng)
    assert (net.theta == before).all()
