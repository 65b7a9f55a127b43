# %% [markdown]
# # Problem set 5: Convergence and generalization
#
# Five questions on the chapters *Global convergence* and *Generalization*, the last one touches *The convolutional
# kernel*; about 110 minutes, 26 points. Write in the cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells
# of your own where you like. A cell marked *Self-check* says what is wrong with an answer and is worth a point; the
# remaining points are given by tests that run after you have handed in; numbers are right to a ten-thousandth of the
# largest. No question needs the answer to another one. Write the formulas yourself: do not call `ntk_helpers`.
#
# The loss is $\mathcal L=\frac12\|f(X)-y\|^2$, and the Polyak-Łojasiewicz (PL) inequality with constant $\mu>0$ is
# $\frac12\|\nabla\mathcal L\|^2\ge\mu\,\mathcal L$, as in the book.

# %% numbers
import itertools

import numpy as np
from scipy.optimize import brentq


def halves(*shape):
    """Return numbers such as -1.5, none zero and no two equal, up to the sign too."""
    sizes = rng.permutation(np.arange(1, 4 + np.prod(shape)))[:np.prod(shape)]
    return (rng.choice([-1, 1], len(sizes)) * sizes / 2).reshape(shape)


def kernel(n):
    """Return a kernel whose eigenvalues are neither near to each other nor far apart."""
    while True:
        theta = (lambda b: b @ b.T / 2)(rng.integers(-2, 3, (n, n + 2)))
        values = np.linalg.eigvalsh(theta)
        if values[0] > 0.3 and values[-1] < 25 * values[0] and np.diff(values).min() > 0.2:
            return theta

# %%
import numpy as np

from ntk_helpers import check, mlp, relu
from ntk_figures import curves

# %% [markdown]
# ## 1. How far the weights go (6 points)
#
# Let $\mathcal L\ge0$ be continuously differentiable, and train by gradient flow $\dot\theta=-\nabla\mathcal L(\theta)$
# from $\theta_0$ with loss $\mathcal L_0$.
#
# 1. Suppose that the PL inequality with $\mu$ holds along the path up to time $t$. Show that the path is at most
#    $\sqrt{2\mathcal L_0/\mu}$ long up to then. (How fast does $\sqrt{\mathcal L}$ fall, for each unit of length?)
# 2. Suppose instead that PL holds in the ball of radius $r$ around $\theta_0$ only, and that
#    $r>\sqrt{2\mathcal L_0/\mu}$. Show that the flow never leaves the ball, and that the weights converge to a point
#    of zero loss.
# 3. Give a function and a start for which the bound of part 1 is attained.
# 4. In the theorem on gradient flow for a wide ReLU layer, $\mu=\lambda_0/2$. (Take part 1 to hold there too, in spite
#    of the kinks.) What does part 1 say about the movement of *all* weights together, and what has the width to do with
#    it? How does that go with neurons each of which moves less, the more there are?

# %% [markdown] answer="1-path" points=6
# 1. While $\mathcal L>0$, $\frac{d}{dt}\sqrt{\mathcal L}=-\frac{\|\nabla\mathcal L\|^2}{2\sqrt{\mathcal L}}
#    \le-\sqrt{\frac\mu2}\,\|\nabla\mathcal L\|$, since $\|\nabla\mathcal L\|\ge\sqrt{2\mu\mathcal L}$. The speed is
#    $\|\dot\theta\|=\|\nabla\mathcal L\|$, so integrating gives
#    $\sqrt{\frac\mu2}\cdot\text{length}\le\sqrt{\mathcal L_0}-\sqrt{\mathcal L_t}\le\sqrt{\mathcal L_0}$. (Where the
#    loss is zero it is smallest, so its gradient is zero, and the flow stands still.)
# 2. Let $t_\star$ be the supremum of the times up to which the flow has stayed in the ball. If it is finite, part 1
#    gives a distance from $\theta_0$ of at most $\sqrt{2\mathcal L_0/\mu}<r$ up to $t_\star$, and by continuity a
#    little longer: a contradiction. So PL holds for all times, $\mathcal L_t\le e^{-2\mu t}\mathcal L_0\to0$; the path
#    has finite length, so the weights converge, and at their limit the loss is zero, as it is continuous.
# 3. $\mathcal L=\frac12\mu\theta^2$ has $\frac12\mathcal L'^2=\mu\mathcal L$. From $\theta_0$ the flow goes straight to
#    zero: length $|\theta_0|=\sqrt{2\mathcal L_0/\mu}$.
# 4. All weights together move by at most $\sqrt{2\cdot\frac12\|e_0\|^2\cdot2/\lambda_0}=\|e_0\|\sqrt{2/\lambda_0}$, and
#    $\|e_0\|$ is of order $\sqrt n$: the width is not in it. If each of $m$ neurons moves by an amount of order
#    $m^{-1/2}$, all of them together move by $\sqrt{m\cdot m^{-1}}=1$: both are true. (The book measures slopes of
#    -1/2 and 0.)
#
# *Marks:* 1 for the derivative of the root, 1 for its integral; 1 for "never leaves", 1 for the limit; 1 for part 3;
# 1 for part 4.

# %% [markdown]
# ## 2. The PL constant, from both sides (4 points)
#
# `jacobian` is the Jacobian $J$ of a network's outputs at $n$ examples, a row for each; $\mu$ is the largest PL
# constant of $\mathcal L$ at these weights that serves all labels. Return two bounds
# $\mu_-\le\mu\le\mu_+$ that need no eigenvalue of an $n\times n$ matrix:
#
# - $\mu_-$: let $\lambda$ be an eigenvalue of the tangent kernel, and $i$ the place of the largest entry, in size, of
#   its eigenvector. The $i$-th line of the eigenvalue equation bounds $\lambda$ from below by entries of the $i$-th row
#   alone. But $i$ is not known, so take what holds for every $i$; as it comes out, even if it is negative.
# - $\mu_+$: for each residual the quotient $\frac12\|\nabla\mathcal L\|^2/\mathcal L$ is a bound from above. Take the
#   smallest one among all residuals that vanish at all but two examples.

# %% answer="2-bounds"
def pl_bounds(jacobian):
    """Return (lower bound, upper bound) for jacobian of shape (n, parameters), n at least 2."""
    ### BEGIN SOLUTION
    theta = jacobian @ jacobian.T
    own = np.diag(theta)
    lower = np.min(2 * own - np.abs(theta).sum(axis=1))
    i, j = np.triu_indices(len(theta), 1)
    upper = np.min((own[i] + own[j]) / 2 - np.hypot((own[i] - own[j]) / 2, theta[i, j]))
    return lower, upper
    ### END SOLUTION

# %% numbers
# Below by all choices of signs, above by eigenvalues of 2 × 2 matrices.
def rows(theta):
    n = len(theta)
    return [min(theta[i, i] + sum(s * theta[i, j] for s, j in zip(signs, (j for j in range(n) if j != i)))
                for signs in itertools.product((-1, 1), repeat=n - 1)) for i in range(n)]

def pairs(theta):
    return {(i, j): np.linalg.eigvalsh(theta[np.ix_((i, j), (i, j))])[0]
            for i, j in itertools.combinations(range(len(theta)), 2)}

def of(theta):
    """Return both bounds, and what mistakes lead to."""
    own, off = np.diag(theta), theta - np.diag(np.diag(theta))
    two, whole = pairs(theta), np.linalg.eigvalsh(theta)[0]
    strongest = max(two, key=lambda pair: abs(theta[pair]))
    below = {
        "holds for one row, not for every row": max(rows(theta)),
        "is larger than the constant can be: other entries of the row may have any sign": min(own - off.sum(axis=1)),
        "subtracts the diagonal entry from itself": min(-np.abs(off).sum(axis=1)),
        "is the smallest diagonal entry": min(own),
        "is the mean over rows, not what holds for every row": np.mean(rows(theta)),
        "subtracts the largest entry of the row only": min(own - np.abs(off).max(axis=1)),
        "is the smallest eigenvalue of the whole matrix": whole,
    }
    above = {
        "is the smallest diagonal entry: that is one example, not two": min(own),
        "is right for pairs with equal diagonal entries only":
            min((own[i] + own[j]) / 2 - abs(theta[i, j]) for i, j in two),
        "looks at the pair with the largest kernel only": two[strongest],
        "is the smallest eigenvalue of the whole matrix": whole,
        "takes the pair of the largest bound, not of the smallest": max(two.values()),
        "is an upper bound by sums of two residuals only: differences count too":
            min((own[i] + own[j]) / 2 + theta[i, j] for i, j in two),
        "is the larger eigenvalue of a pair": min(
            np.linalg.eigvalsh(theta[np.ix_(pair, pair)])[1] for pair in two),
    }
    return min(rows(theta)), below, min(two.values()), above

def drawn(draw, fits):
    while True:
        jacobian = draw()
        result = of(jacobian @ jacobian.T)
        if fits(jacobian, *result):
            return jacobian, *result

def gradients(n, parameters):
    """Return rows of different length, none of them nearly a multiple of another."""
    return halves(n, parameters) / 4 + rng.permutation(np.eye(n, parameters).T).T * 4

def without(hints, *words):
    return {key: value for key, value in hints.items() if not any(word in key for word in words)}

J1, LOWER, HINTS_LOWER, UPPER, HINTS_UPPER = drawn(lambda: gradients(3, 4), lambda jacobian, low, below, high, above: (
    low > 0.5 and apart(low, below) and apart(high, above)
    and apart(low, {"columns": min(rows(jacobian.T @ jacobian)), "exchanged": high})))
LEVEL = np.array([0.5, 1.5, 2.5, 3.0, 4.0])
J2, _, _, UPPER2, _ = drawn(
    lambda: np.array([rng.permutation(LEVEL) * rng.choice([-1, 1], 5) for _ in range(4)]),
    lambda jacobian, low, below, high, above: high > 1 and apart(high, without(above, "pairs with", "largest kernel")))
J3, LOWER3, _, UPPER3, _ = drawn(lambda: gradients(4, 6), lambda jacobian, low, below, high, above: (
    apart(low, below) and apart(high, above)))
J4, LOWER4, _, _, _ = drawn(lambda: halves(3, 2), lambda jacobian, low, below, high, above: (
    low < 0 and apart(low, below)))

# %% test="2-bounds" points=1
_lower, _upper = pl_bounds(J1)
check(_lower, LOWER, name="lower bound", strict=True, hints=HINTS_LOWER)
check(_upper, UPPER, name="upper bound", strict=True, hints=HINTS_UPPER)

# %% hidden="2-bounds" points=1
_near(_call(pl_bounds, J3)[0], LOWER3, "four examples, lower bound")
_near(_call(pl_bounds, J4)[0], LOWER4, "two parameters, lower bound")

# %% hidden="2-bounds" points=1
_near(_call(pl_bounds, J2)[1], UPPER2, "gradients of equal length, upper bound")

# %% hidden="2-bounds" points=1
_near(_call(pl_bounds, J3)[1], UPPER3, "gradients of different length, upper bound")
_kept(pl_bounds, J3)

# %% [markdown]
# ## 3. A population with rare inputs (6 points)
#
# A population holds $N$ inputs, but not equally likely ones: a new example is input $p$ with probability $\pi_p$
# (`prob`, of sum 1; some may be zero). So $\langle g,h\rangle=\sum_p\pi_p\,g(p)\,h(p)$, and the modes are functions
# with $\langle\psi_i,\psi_j\rangle=\mathbf 1\{i=j\}$ and $\langle\Theta(p,\cdot),\psi_i\rangle=\lambda_i\psi_i(p)$
# wherever $\pi_p>0$. Return $\kappa$ and the risk that the theory predicts for regression on $n$ examples, from the
# kernel matrix $\Theta$ of the population, $(N,N)$, and the target's values $y$, with ridge $\delta$ and noise of
# standard deviation $\sigma$:
# $$n=\sum_iL_i+\frac\delta\kappa,\qquad L_i=\frac{\lambda_i}{\lambda_i+\kappa},\qquad\text{risk}=\frac
# n{n-\sum_iL_i^2}\Big(\sum_i(1-L_i)^2\langle\psi_i,y\rangle^2+\sigma^2\Big).$$
#
# Make the eigenproblem a symmetric one. Solve for $\kappa$ to eight digits or more; you may use `scipy`. In all tests
# $n$ is smaller than the number of positive eigenvalues, or $\delta$ is positive.

# %% answer="3-forecast"
def forecast(theta, prob, y, n, ridge, noise_std):
    """Return (kappa, predicted risk)."""
    ### BEGIN SOLUTION
    root = np.sqrt(prob)
    values, vectors = np.linalg.eigh(root[:, None] * theta * root)
    values = np.maximum(values, 0)
    low, high = 0.0, (ridge + values.sum()) / n  # where the right side is above n, and where below
    for _ in range(100):
        kappa = (low + high) / 2
        too_small = np.sum(values / (values + kappa)) + ridge / kappa > n
        low, high = (kappa, high) if too_small else (low, kappa)
    learned = values / (values + kappa)
    missed = np.sum((1 - learned) ** 2 * (vectors.T @ (root * y)) ** 2)
    return kappa, n / (n - np.sum(learned**2)) * (missed + noise_std**2)
    ### END SOLUTION

# %% numbers
# Without eigenvalues: the L are those of Θ diag(π) (Θ diag(π) + κ)⁻¹, and what is missed is κ (Θ diag(π) + κ)⁻¹ y.
def smooth(theta, prob, kappa):
    return theta * prob @ np.linalg.inv(theta * prob + kappa * np.eye(len(theta)))

def solved(theta, prob, n, ridge):
    return brentq(lambda kappa: np.trace(smooth(theta, prob, kappa)) + ridge / kappa - n, 1e-9, 1e4, xtol=1e-14)

def predict(theta, prob, y, n, ridge, noise, kappa=None, power=2, squared=2, factor=True):
    kappa = kappa or solved(theta, prob, n, ridge)
    learned = smooth(theta, prob, kappa)
    missed = y - learned @ y
    part = (prob * missed * (missed if power == 2 else y)).sum()
    count = np.trace(learned @ learned) if squared == 2 else np.trace(learned)
    return (part + noise**2) * (n / (n - count) if factor else 1)

def likely(n):
    """Return unequal probabilities, in fiftieths."""
    while True:
        parts = rng.integers(2, 50, n)
        parts[-1] += 50 - parts.sum()
        if parts[-1] > 1 and len(set(parts.tolist())) == n:
            return parts / 50

CASE = kernel(4), likely(4), halves(4), 2, 0.9, 0.7
THETA, PROB, Y1, EXAMPLES, RIDGE, NOISE = CASE
EVEN = np.full(4, 0.25)
KAPPA, RISK = solved(*CASE[:2], *CASE[3:5]), predict(*CASE)
HINTS_KAPPA = {
    "treats all inputs as equally likely": solved(THETA, EVEN, 2, RIDGE),
    "belongs to the eigenvalues of Θ itself: the probabilities are missing": solved(THETA, 4 * EVEN, 2, RIDGE),
    "lacks the ridge": solved(THETA, PROB, 2, 0),
    "is that of a kernel divided by N: the probabilities do that already": solved(THETA / 4, PROB, 2, RIDGE),
    "has the ridge without division by κ": brentq(
        lambda kappa: np.trace(smooth(THETA, PROB, kappa)) + RIDGE - 2, 1e-9, 1e4),
    "has roots of the probabilities where they themselves belong": solved(THETA, PROB**0.5, 2, RIDGE),
    "belongs to one example more": solved(THETA, PROB, 3, RIDGE),
    "belongs to one example less": solved(THETA, PROB, 1, RIDGE),
    "has squares of the probabilities where they themselves belong": solved(THETA, PROB**2, 2, RIDGE),
    "is the risk: return κ first": RISK,
}
HINTS_RISK = {
    "lacks the factor of n": predict(*CASE, factor=False),
    "lacks the noise": predict(*CASE[:-1], 0),
    "has the noise's standard deviation where its variance belongs": predict(*CASE[:-1], NOISE**0.5),
    "adds the noise outside of the bracket: it is multiplied, too": predict(*CASE[:-1], 0) + NOISE**2,
    "is the noise's part alone": predict(THETA, PROB, 0 * Y1, *CASE[3:]),
    "has 1 - L where its square belongs": predict(*CASE, power=1),
    "has L where its square belongs, in the factor": predict(*CASE, squared=1),
    "treats all inputs as equally likely": predict(THETA, EVEN, *CASE[2:]),
    "is κ: return it first": KAPPA,
}
assert apart(KAPPA, HINTS_KAPPA) and apart(RISK, HINTS_RISK)
CASE2 = kernel(5), np.full(5, 0.2), halves(5), 3, 0.0, 0.0
KAPPA2, RISK2 = solved(*CASE2[:2], 3, 0.0), predict(*CASE2)
CASE3 = kernel(6), np.insert(likely(5), 2, 0), halves(6), 4, 1.3, 1.6
KAPPA3, RISK3 = solved(*CASE3[:2], 4, 1.3), predict(*CASE3)
# The rarest input of the first case and the same again, with half of its probability each: nothing changes.
TWIN = np.r_[np.arange(4), PROB.argmin()]
TWINS, SHARED, Y4 = THETA[np.ix_(TWIN, TWIN)], PROB[TWIN] / (1 + (TWIN == PROB.argmin())), Y1[TWIN]
KAPPA4, RISK4 = solved(THETA, PROB, 3, 0.0), predict(*CASE[:3], 3, 0.0, 0.4)
assert apart(KAPPA3, {"even": solved(CASE3[0], np.full(6, 1 / 6), 4, 1.3)})
assert min(KAPPA2, KAPPA4) > 0.02
assert apart(RISK2, {"factor": predict(*CASE2, factor=False), "square": predict(*CASE2, power=1)})

# %% test="3-forecast" points=1
_kappa, _risk = forecast(THETA, PROB, Y1, EXAMPLES, RIDGE, NOISE)
check(_kappa, KAPPA, name="κ", strict=True, hints=HINTS_KAPPA)
check(_risk, RISK, name="risk", strict=True, hints=HINTS_RISK)

# %% hidden="3-forecast" points=1
_near(_call(forecast, *CASE2)[0], KAPPA2, "equally likely inputs, no ridge, κ")

# %% hidden="3-forecast" points=1
_near(_call(forecast, *CASE3)[0], KAPPA3, "an input of probability zero, κ")

# %% hidden="3-forecast" points=1
_near(_call(forecast, *CASE2)[1], RISK2, "equally likely inputs, no ridge, no noise, risk")

# %% hidden="3-forecast" points=1
_near(_call(forecast, *CASE3)[1], RISK3, "an input of probability zero, risk")
_kept(forecast, *CASE3)

# %% hidden="3-forecast" points=1
_kappa, _risk = _call(forecast, TWINS, SHARED, Y4, 3, 0.0, 0.4)
_near(_kappa, KAPPA4, "an input listed twice, κ")
_near(_risk, RISK4, "an input listed twice, risk")

# %% [markdown]
# ## 4. A learning curve, measured (5 points)
#
# A population of $N$ equally likely inputs has the kernel matrix `theta`, $(N,N)$, and the targets `y`. For each $n$ of
# `sizes`, draw `repeats` times $n$ *different* inputs at random; fit their targets by the kernel without a ridge; and
# return the mean squared error on the inputs *not* drawn, averaged over the draws: an array of the shape of `sizes`.
# All random numbers come from `rng`, in any order; the means are compared within 15 %.
#
# The kernel matrix of the inputs drawn may be singular. Take the fit of smallest norm then, and count eigenvalues below
# $10^{-10}$ of the largest as zero.

# %% answer="4-curve"
def learning_curve(rng, theta, y, sizes, repeats):
    """Return the mean risk on unseen inputs for each of sizes."""
    ### BEGIN SOLUTION
    result = []
    for n in sizes:
        risks = []
        for _ in range(repeats):
            order = rng.permutation(len(y))
            seen, new = order[:n], order[n:]
            inverse = np.linalg.pinv(theta[np.ix_(seen, seen)], rcond=1e-10, hermitian=True)
            risks.append(np.mean((theta[np.ix_(new, seen)] @ inverse @ y[seen] - y[new]) ** 2))
        result.append(np.mean(risks))
    return np.array(result)
    ### END SOLUTION

# %% numbers
# By all subsets, and in the space of features.
def errors(features, y, n):
    """Return the errors of the fits to all sets of n inputs, (sets, N), and which inputs are not in the set."""
    sets = [list(seen) for seen in itertools.combinations(range(len(y)), n)]
    new = np.array([[p not in seen for p in range(len(y))] for seen in sets])
    return np.array([features @ np.linalg.lstsq(features[seen], y[seen], rcond=1e-9)[0] - y for seen in sets]), new

def risks(features, y, n):
    error, new = errors(features, y, n)
    return (error**2 * new).sum(axis=1) / (len(y) - n)

def spread(all_risks):
    return all_risks.std() / all_risks.mean()

def repeated(features, y, n):
    """Return the mean risk of n draws with replacement: the number of different ones is random."""
    chance = np.eye(n + 1)[0]
    for _ in range(n):
        known = np.arange(n + 1) / len(y)
        chance = chance * known + np.r_[0, (chance * (1 - known))[:-1]]
    return sum(chance[k] * risks(features, y, k).mean() for k in range(1, n + 1))

SIZES = [2, 4]
while True:
    features, Y1 = halves(6, 7) / 4, halves(6)
    both = [risks(features, Y1, n) for n in SIZES]
    everywhere = [(errors(features, Y1, n)[0] ** 2).mean() for n in SIZES]
    CURVE = [each.mean() for each in both]
    HINTS = {
        "is the error on all inputs, the drawn ones too": everywhere,
        "is a sum over inputs, not a mean": [6 * one for one in everywhere],
        "is a root of the mean square": [np.sqrt(each).mean() for each in both],
        "is zero: measure on inputs that were not drawn": [0.0, 0.0],
        "is an error at zero: the targets are not fitted": [np.mean(Y1**2)] * 2,
    }
    if apart(CURVE, HINTS, 0.2) and max(map(spread, both)) < 0.5 and CURVE[1] > CURVE[0] / 2:
        break
THETA = features @ features.T
while True:
    features, Y2 = halves(7, 8) / 4, halves(7)
    both = [risks(features, Y2, n) for n in (3, 5)]
    RISK2 = [each.mean() for each in both]
    if max(map(spread, both)) < 0.5 and RISK2[1] > 0.8 * RISK2[0] and abs(both[1][0] / RISK2[1] - 1) > 0.4 and (
            abs(repeated(features, Y2, 5) / RISK2[1] - 1) > 0.25):
        break
THETA2 = features @ features.T
while True:
    features, Y3 = halves(8, 3) / 4, halves(8)
    five = risks(features, Y3, 5)
    if spread(five) < 0.6 and abs(five[0] / five.mean() - 1) > 0.3:
        break
THETA3, RISK3 = features @ features.T, [five.mean()]

# %% test="4-curve" points=1
_curve = learning_curve(np.random.default_rng(0), THETA, Y1, SIZES, 600)
check(_curve, CURVE, name="risk", rtol=0.15, strict=True, hints=HINTS)  # it is random: theory ± 15 %

# %% hidden="4-curve" points=2
# Seven standard errors.
_near(_call(learning_curve, np.random.default_rng(1), THETA2, Y2, [3, 5], 600), RISK2, "seven inputs", within=0.15)

# %% hidden="4-curve" points=1
_near(_call(learning_curve, np.random.default_rng(2), THETA3, Y3, [5], 800), RISK3, "a kernel of rank 3", within=0.15)

# %% hidden="4-curve" points=1
_draws(learning_curve, THETA2, Y2, [3], 5)
_kept(learning_curve, np.random.default_rng(3), THETA2, Y2, [3], 5)

# %% [markdown]
# With your function the next cell draws learning curves for a population of 256 inputs: all $x\in\{-1,1\}^8$, read as
# signals on a ring of eight places. The *plain* kernel is the tangent kernel of a network with two hidden layers; the
# *pooled* kernel is its average over all shifts of both inputs, $\frac1{64}\sum_{s,s'}\Theta(T_sx,T_{s'}x')$, where
# $T_s$ shifts by $s$ places.
# The target *everywhere* is $\frac1{\sqrt8}\sum_ix_ix_{i+1}$ around the ring, *one place* is $x_1x_2$; both have mean
# square 1.

# %%
_x = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8)).reshape(8, -1).T
_number = np.argsort((_x > 0) @ 2 ** np.arange(8))
_shifts = [_number[(np.roll(_x, s, axis=1) > 0) @ 2 ** np.arange(8)] for s in range(8)]
_plain = mlp(2, relu, 2**0.5).kernels(_x).ntk
_pooled = sum(_plain[s][:, t] for s in _shifts for t in _shifts) / 64
_everywhere, _one = (_x * np.roll(_x, -1, axis=1)).sum(axis=1) / 8**0.5, _x[:, 0] * _x[:, 1]
_sizes = np.array([3, 5, 8, 12, 20, 32, 48, 80, 128])
curves(_sizes, {name: learning_curve(np.random.default_rng(0), k, y, _sizes, 20) for name, k, y in (
    ("plain, everywhere", _plain, _everywhere), ("pooled, everywhere", _pooled, _everywhere),
    ("plain, one place", _plain, _one), ("pooled, one place", _pooled, _one))},
    xscale="log", xlabel="examples", ylabel="risk on unseen inputs", ylim=(0, 3))

# %% [markdown]
# ## 5. Reading (5 points)
#
# 1. At how many examples does the risk for *everywhere* fall to one half, with either kernel? Explain the quotient by
#    counting products $x_ix_j$, and what is left of them after pooling. Why does the plain kernel not tell
#    *everywhere* from *one place*?
# 2. Show that no function that pooling can fit has a mean squared error below $\frac78$ for *one place*, on the whole
#    population. Why is the curve even above that of the answer zero?
# 3. A training set contains an input and one of its shifts, which is another input. What is the PL constant of the
#    pooled kernel there? Both targets are trained by gradient flow in this kernel, from zero: for which one does the
#    loss go to zero in spite of that, whatever the training set? (On inputs that are no shifts of each other this
#    kernel is invertible.)

# %% [markdown] answer="5-reading" points=5
# 1. About 40 and 7, a quotient of about 6. Both targets are made of products $x_ix_j$, of which there are 28. The plain
#    kernel does not change if places are numbered in another way or signs of a place are changed in both inputs, so all
#    28 products have the same eigenvalue and share the examples alike: to learn one of them, or one sum of them, by
#    half costs at least 14 examples, and the constant and 8 linear functions have to be paid for first. Pooling leaves
#    the four sums of products at distance 1, 2, 3 and 4, and one linear function: 1 + 1 + 4 in place of 1 + 8 + 28.
#    Since a sum and a single product lie in the same eigenspace, the plain kernel's two curves agree.
# 2. The pooled kernel's functions do not change under shifts. The part of $x_1x_2$ in them is its mean over shifts,
#    $\frac18\sum_ix_ix_{i+1}$, of mean square $\frac18$. The rest, of mean square $\frac78$, is orthogonal to all of
#    them, so it is added to the error of each. On the examples the fit takes this rest for signal: it acts as noise,
#    and is multiplied by $n/(n-\sum L_i^2)$.
# 3. Zero: both have equal rows in the kernel matrix, so it is singular. The residual along $(1,-1)$ on the two drives
#    nothing. For *everywhere* shifts of an input have the same target, so the residual never has such a part, and on
#    inputs that are no shifts of each other the kernel is invertible: the loss goes to zero. With *one place* the two
#    may have different targets, and then the loss stays above zero. (PL asks for a rate with *all* labels.)
#
# *Marks:* 1 for the two numbers with 28 against 4, 1 for the shared eigenvalue; 1 for the orthogonal part, 1 for the
# noise; 1 for part 3 with its reason.
