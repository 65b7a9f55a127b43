import numpy as np
import pytest

from ntk_helpers.activations import relu, tanh
from ntk_helpers.layers import mlp, resnet
from ntk_helpers.networks import flatten
from ntk_helpers.training import Linearized, loss_gradient, train


@pytest.fixture
def rng():
    return np.random.default_rng(1)


@pytest.fixture
def data(rng):
    return rng.standard_normal((12, 4)), rng.standard_normal((12, 2))


def flat_gradient(net, x, y, loss="squares"):
    return flatten(loss_gradient(net, x, y, loss)[1])


@pytest.mark.parametrize("parameterization", ["ntk", "standard", "mup"])
@pytest.mark.parametrize("loss", ["squares", "cross_entropy"])
def test_gradient_descent_is_its_formula(parameterization, loss, rng, data):
    x, y = data[0], rng.dirichlet(np.ones(2), 12)
    net = resnet(1, tanh, 0.5, 1.3, 0.2).init(rng, 16, 4, 2, parameterization)
    theta = net.theta
    for _ in range(5):
        rate = 0.01 * (16 if parameterization == "mup" else 1)
        theta = theta - rate * flat_gradient(net.with_params(theta), x, y, loss)
    trained, history = train(net, x, y, 0.01, 5, loss=loss)
    np.testing.assert_allclose(trained.theta, theta, rtol=0, atol=1e-13)
    assert history.loss[-1] == pytest.approx(loss_gradient(trained, x, y, loss)[0])
    assert history.loss[-1] < history.loss[0]


def test_adam_is_its_formula(rng, data):
    net = mlp(1, tanh, 1.3, 0.2).init(rng, 8, 4, 2)
    theta, mean, square = net.theta, 0, 0
    for step in range(1, 8):  # Kingma and Ba, algorithm 1
        g = flat_gradient(net.with_params(theta), *data)
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g**2
        theta = theta - 0.05 * (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
    trained, _ = train(net, *data, 0.05, 7, optimizer="adam")
    np.testing.assert_allclose(trained.theta, theta, rtol=0, atol=1e-12)


def test_minibatches_partition_every_epoch_and_keep_the_clock(rng, data):
    x, y = data
    net = mlp(1, tanh, 1.3, 0.2).init(rng, 8, 4, 2)
    order, theta = np.random.default_rng(5), net.theta
    for _ in range(2):
        rows = order.permutation(12)
        for batch in (rows[:5], rows[5:10], rows[10:]):
            gradient = flat_gradient(net.with_params(theta), x[batch], y[batch])
            theta = theta - 0.01 * 12 / len(batch) * gradient
    trained, history = train(net, x, y, 0.01, 6, batch_size=5, rng=np.random.default_rng(5))
    np.testing.assert_allclose(trained.theta, theta, rtol=0, atol=1e-13)
    assert history.times[-1] == pytest.approx(0.06)
    whole = train(net, x, y, 0.01, 6, batch_size=12, rng=rng)[0]
    np.testing.assert_allclose(whole.theta, train(net, x, y, 0.01, 6)[0].theta, rtol=0, atol=1e-13)


@pytest.mark.parametrize("antisymmetric", [False, True])
def test_the_linearization_trains_as_its_kernel_says(antisymmetric, rng, data):
    x, y = data
    net = mlp(2, relu, 2**0.5, 0.1).init(rng, 32, 4, 2, antisymmetric=antisymmetric)
    z, n = rng.standard_normal((3, 4)), y.size
    inner, outer = (net.ntk(*pair, full=True).transpose(0, 2, 1, 3).reshape(-1, n) for pair in ((x,), (z, x)))
    rate = 1 / np.linalg.eigvalsh(inner)[-1]
    at_x, at_z = net(x).ravel(), net(z).ravel()
    for _ in range(50):
        gap = at_x - y.ravel()
        at_x, at_z = at_x - rate * inner @ gap, at_z - rate * outer @ gap
    line = Linearized(net)
    trained, _ = train(line, x, y, rate, 50)
    np.testing.assert_allclose(trained(x).ravel(), at_x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(trained(z).ravel(), at_z, rtol=0, atol=1e-12)
    assert (trained.ntk(x) == net.ntk(x)).all() and (line(x) == net(x)).all()
    # Trained further it goes on from where it was, around the same parameters.
    halves = train(train(line, x, y, rate, 20)[0], x, y, rate, 30)[0]
    np.testing.assert_allclose(halves(z), trained(z), rtol=0, atol=1e-13)


def test_a_wide_network_follows_its_linearization(data):
    x, y, gaps = *data, []
    for width in (64, 1024):
        net = mlp(1, tanh, 1.3, 0.2).init(np.random.default_rng(0), width, 4, 2)
        rate = 0.5 / np.linalg.eigvalsh(net.ntk(x))[-1]
        ends = [train(model, x, y, rate, 100)[0](x) for model in (net, Linearized(net))]
        gaps.append(np.abs(ends[0] - ends[1]).max())
    assert gaps[1] < 0.5 * gaps[0]  # theory: a quarter at most


def test_history_records_what_is_asked_when_it_is_asked(rng, data):
    net = mlp(1, tanh, 1.3, 0.2).init(rng, 8, 4, 2)
    trained, history = train(net, *data, 0.02, 10, at=[10, 0, 3, 3],
                             record={"f": lambda net: net(data[0]), "W": lambda net: net.params[0][0]})
    assert history.steps.tolist() == [0, 3, 10] and history.times.tolist() == [0, 0.06, 0.2]
    assert history.values["f"].shape == (3, 12, 2) and history.loss.shape == (3,)
    losses = 0.5 * ((history.values["f"] - data[1]) ** 2).sum((1, 2))
    np.testing.assert_allclose(history.loss, losses, rtol=1e-13)
    assert (history.values["W"][0] == net.params[0][0]).all()  # copied when recorded, though updated in place
    assert (history.values["W"][2] == trained.params[0][0]).all()
    assert (history.values["f"][1] == train(net, *data, 0.02, 3)[0](data[0])).all()
    default = train(net, *data, 0.02, 10)[1]
    assert default.steps.tolist() == [0, 10] and default.values == {}
    assert train(net, *data, 0.02, 10, at=4)[1].steps.tolist() == [4]
    untrained, history = train(net, *data, 0.02, 0)
    assert history.steps.tolist() == [0] and np.array_equal(untrained.theta, net.theta)


def test_some_maps_can_be_trained_alone(rng, data):
    x, y = data
    net = mlp(2, relu, 2**0.5, 0.1).init(rng, 16, 4, 2, antisymmetric=True)
    for maps, kept in (([0], [1, 2]), (-1, [0, 1]), ([0, -1], [1])):
        trained, _ = train(net, x, y, 1e-5, 1, maps=maps)
        same = [[np.array_equal(new, old) for new, old in zip(*pair)] for pair in zip(trained.params, net.params)]
        assert same == [[i in kept] * 2 for i in range(3)] * 2  # weights and bias of each map, in both copies


def test_the_kernel_of_the_maps_trained_moves_the_outputs(rng, data):
    x, y = data[0], data[1][:, 0]
    net = mlp(2, tanh, 1.3, 0.1).init(rng, 16, 4)
    for maps in ([0], [1], [-1], [0, 2]):
        trained, _ = train(net, x, y, 1e-7, 1, maps=maps)
        wanted = -net.ntk_shares(x)[maps].sum(0) @ (net(x)[:, 0] - y)
        speed = (trained(x) - net(x))[:, 0] / 1e-7
        np.testing.assert_allclose(speed, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_training_moves_neurons_less_the_wider_the_network(data):
    x, y, sizes = *data, []
    for width in (256, 4096):
        net = mlp(1, tanh, 1.3, 0.2).init(np.random.default_rng(0), width, 4, 2, antisymmetric=True)
        rate = 1 / np.linalg.eigvalsh(net.ntk(x))[-1]
        start, end = (np.vstack(each.params[0]) for each in (net, train(net, x, y, rate, 50)[0]))
        neurons, norm = np.linalg.norm(end - start, axis=0), np.linalg.norm(end - start)
        sizes.append([neurons.max(), norm / np.linalg.norm(start), norm])
    largest, relative, whole = np.divide(*sizes)
    assert largest > 1.5  # 4 for a typical neuron; the largest of more neurons is larger
    assert relative == pytest.approx(4, rel=0.3)
    assert whole == pytest.approx(1, rel=0.3)


def test_divergence_is_reported(rng, data):
    net = mlp(1, relu, 2**0.5).init(rng, 16, 4, 2)
    with pytest.warns(RuntimeWarning, match=r"learning_rate=100 .* 2 / largest eigenvalue"):
        train(net, *data, 100.0, 40)


@pytest.mark.parametrize(("argument", "value"), [
    ("net", "network"), ("y", np.ones((12, 3))), ("y", np.ones(12)), ("y", np.ones((11, 2))),
    ("y", np.full((12, 2), np.nan)), ("learning_rate", -0.1), ("learning_rate", 0), ("learning_rate", np.nan),
    ("learning_rate", "fast"), ("steps", -1), ("steps", 1.5), ("loss", "hinge"), ("optimizer", "sgd"),
    ("batch_size", 0), ("batch_size", 13), ("rng", None), ("maps", []), ("maps", [2]), ("maps", [-3]),
    ("maps", [0, -2]), ("maps", ["first"]), ("at", [5]), ("at", [-1]), ("at", []), ("at", [0.5]),
    ("record", {"f": 3}), ("record", [np.sum])])
def test_bad_training_is_refused(argument, value, rng, data):
    net = mlp(1, tanh).init(rng, 8, 4, 2)
    arguments = {"net": net, "x": data[0], "y": data[1], "learning_rate": 0.1, "steps": 4, "batch_size": 3,
                 "rng": rng}
    with pytest.raises(ValueError, match=f"^{argument} must"):
        train(**(arguments | {argument: value}))


def test_the_maps_that_there_are_are_named(rng, data):
    with pytest.raises(ValueError, match="maps must hold different numbers from -2 to 1; got"):
        train(mlp(1, tanh).init(rng, 8, 4, 2), *data, 0.1, 4, maps=[2])


def test_cross_entropy_needs_probabilities(rng, data):
    net = mlp(1, tanh).init(rng, 8, 4, 2)
    for y in (np.full((12, 2), 0.6), np.tile([1.5, -0.5], (12, 1))):
        with pytest.raises(ValueError, match="^y must hold probabilities"):
            loss_gradient(net, data[0], y, "cross_entropy")
    large = net.with_params(1e4 * net.theta)  # no overflow
    value, gradient = loss_gradient(large, data[0], np.eye(2)[[0, 1] * 6], "cross_entropy")
    assert np.isfinite(value) and np.isfinite(flatten(gradient)).all()


def test_only_networks_are_taken():
    for call, kind in ((lambda: Linearized(3), "int"), (lambda: loss_gradient("net", [[1]], [1]), "str")):
        with pytest.raises(ValueError, match=f"net must be a Network.* got {kind}$"):
            call()
