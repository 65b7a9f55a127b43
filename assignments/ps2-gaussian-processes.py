# %% [markdown]
# # Problem set 2: Gaussian processes
#
# Six questions on the chapters *Random features* and *The Gaussian-process limit*, about 100 minutes, 24 points.
# Write in the cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell
# marked *Self-check* says what is wrong with an answer and is worth a point; the remaining points are given by tests
# that run after you have handed in; numbers are right to a ten-thousandth of the largest. No question needs the answer
# to another one. Write the formulas yourself: do not call the kernels of `ntk_helpers`.
#
# The activation of this set is the *absolute value* $\phi(u)=|u|$. The parameterization is that of the book:
# $z^{(l)}=\frac{\sigma_w}{\sqrt{n_{l-1}}}W^{(l)}h^{(l-1)}+\sigma_bb^{(l)}$ with standard normal entries and
# $h^{(l)}=\phi(z^{(l)})$.

# %% numbers
import math

import numpy as np
from scipy.integrate import quad


def tenths(*shape):
    return rng.choice([-1, 1], shape) * rng.integers(3, 20, shape) / 10


def dual(k, q1, q2):
    """Return E|u||v| as an integral over the angle of a standard Gaussian vector, whose squared length has mean 2."""
    c = min(1.0, max(-1.0, k / math.sqrt(q1 * q2)))
    angle = math.acos(c)
    kinks = sorted({math.pi / 2, (math.pi / 2 + angle) % math.pi})
    one = quad(lambda t: abs(math.cos(t) * math.cos(t - angle)), 0, math.pi, points=kinks, epsabs=1e-12)[0]
    return 2 / math.pi * one * math.sqrt(q1 * q2)

# %%
import numpy as np

from ntk_helpers import check
from ntk_figures import curves

# %% [markdown]
# ## 1. The dual of the absolute value (4 points)
#
# Let $(u,v)$ be Gaussian with mean zero, variances $q_1,q_2$ and covariance $k$; let $D=q_1q_2-k^2$ and
# $\cos\theta=k/\sqrt{q_1q_2}$. The book shows that $\mathbb
# E[\mathrm{relu}(u)\,\mathrm{relu}(v)]=\frac1{2\pi}\big(\sqrt D+(\pi-\theta)k\big)$. Derive from it that $\mathbb
# E|u||v|=\frac2\pi\big(\sqrt D+k\arcsin\frac{k}{\sqrt{q_1q_2}}\big)$. What does the formula give for $k=0$ and for
# $v=u$, and why must it?

# %% [markdown] answer="1-derivation" points=4
# $|u|=\mathrm{relu}(u)+\mathrm{relu}(-u)$, so $\mathbb E|u||v|$ is a sum of four terms. Two have covariance $k$, for
# $(u,v)$ and $(-u,-v)$, and two have covariance $-k$, whose angle is $\pi-\theta$:
# $$\mathbb E|u||v|=\tfrac2{2\pi}\big(\sqrt D+(\pi-\theta)k\big)+\tfrac2{2\pi}\big(\sqrt D-\theta k\big) =\tfrac2\pi\big(\sqrt
# D+(\tfrac\pi2-\theta)k\big),$$ and $\frac\pi2-\arccos c=\arcsin c$. For $k=0$ it is $\frac2\pi\sqrt{q_1q_2}=\mathbb
# E|u|\,\mathbb E|v|$, as independence demands; for $v=u$, $D=0$ and $\arcsin1=\frac\pi2$ give $q_1=\mathbb E u^2$.
#
# *Marks:* 1 for the four terms, 1 for the angle $\pi-\theta$, 1 for the sum, 1 for both special cases with their
# reasons.

# %% [markdown]
# ## 2. The same in code (4 points)
#
# Implement the formula for arrays: `k` of any shape, `q1` and `q2` of shapes that broadcast with it. Rounding may
# have moved a correlation a little beyond 1, and then there must be no NaN.

# %% answer="2-dual"
def abs_dual(k, q1, q2):
    """Return E|u||v| for covariance k and variances q1, q2."""
    ### BEGIN SOLUTION
    scale = np.sqrt(q1 * q2)
    c = np.clip(k / scale, -1, 1)
    return 2 / np.pi * scale * (np.sqrt(1 - c**2) + c * np.arcsin(c))
    ### END SOLUTION

# %% numbers
# By an integral.
Q1, Q2 = np.abs(tenths(4)) + 0.5, np.abs(tenths(4)) + 0.7
COS = np.array([0.0, *(rng.choice([-1, 1], 3) * rng.permutation([0.35, 0.6, 0.85]))])
COV = np.round(COS * np.sqrt(Q1 * Q2), 2)
COS, ROOT = COV / np.sqrt(Q1 * Q2), np.sqrt(Q1 * Q2)
VALUES = np.array([dual(*case) for case in zip(COV, Q1, Q2)])
BENT = np.sqrt(1 - COS**2)
HINTS = {
    "lacks the factor 2": VALUES / 2,
    "has arccos where arcsin belongs": 2 / np.pi * ROOT * (BENT + COS * np.arccos(COS)),
    "is that of correlations: the size of the variances is lost": VALUES / ROOT,
    "has the product of the variances where its root belongs": VALUES * ROOT,
    "has D where its root belongs": 2 / np.pi * (ROOT**2 * BENT**2 + COV * np.arcsin(COS)),
    "has the sine where the arcsine belongs": 2 / np.pi * (ROOT * BENT + COV * np.sin(COS)),
    "lacks the second term": 2 / np.pi * ROOT * BENT,
    "is the formula of relu": (ROOT * BENT + COV * np.arccos(-COS)) / (2 * np.pi),
}
assert apart(VALUES, HINTS)
K2, ROWS, COLUMNS = tenths(2, 3) / 5, np.abs(tenths(2, 1)) + 0.3, np.abs(tenths(3)) + 0.3
TABLE = [[dual(K2[i, j], ROWS[i, 0], COLUMNS[j]) for j in range(3)] for i in range(2)]
Q3 = float(np.abs(tenths())) + 2
K3 = round(0.7 * math.sqrt(1.7 * Q3), 2)
ONE = dual(K3, Q3, 1.7)

# %% test="2-dual" points=1
check(abs_dual, VALUES, (COV, Q1, Q2), strict=True, hints=HINTS)

# %% hidden="2-dual" points=1
_near(_call(abs_dual, np.array(K3), np.array(Q3), np.array(1.7)), ONE, "covariance K3, variances Q3 and 1.7")
_near(_call(abs_dual, np.array(-K3), np.array(1.7), np.array(Q3)), ONE, "covariance -K3: the sign does not matter")

# %% hidden="2-dual" points=1
_near(_call(abs_dual, K2, ROWS, COLUMNS), TABLE, "k of shape (2, 3), q1 of shape (2, 1), q2 of shape (3,)")
_kept(abs_dual, K2, ROWS, COLUMNS)

# %% hidden="2-dual" points=1
_near(_call(abs_dual, np.array([1 + 1e-12, -1 - 1e-12]), np.ones(2), np.ones(2)), [1.0, 1.0], "a correlation beyond 1")

# %% [markdown]
# ## 3. Depth (4 points)
#
# Return the NNGP kernel $K^{(L+1)}$ of a network with $L$ hidden layers at the rows of `x`, shape $(n,n)$, from the
# recursion $K^{(1)}=\sigma_w^2\,xx^\top/d+\sigma_b^2$, $\ K^{(l+1)}=\sigma_w^2\,\mathbb
# E[\phi(u)\phi(v)]+\sigma_b^2$. The argument `dual` is a function like that of question 2, `dual(k, q1, q2)`, which
# the tests supply: yours need not be finished, and it may belong to another activation.

# %% answer="3-depth"
def nngp(x, depth, weight_std, bias_std, dual):
    """Return the kernel of the output of a network with `depth` hidden layers at initialization."""
    ### BEGIN SOLUTION
    k = weight_std**2 * x @ x.T / x.shape[1] + bias_std**2
    for _ in range(depth):
        q = np.diag(k)
        k = weight_std**2 * dual(k, q[:, None], q[None, :]) + bias_std**2
    return k
    ### END SOLUTION

# %% numbers
# Entry by entry, in plain arithmetic.
def square_dual(k, q1, q2):
    return q1 * q2 + 2 * k * k

def sine_dual(k, q1, q2):
    return math.exp(-(q1 + q2) / 2) * math.sinh(k)

def deep(x, depth, weight_std, bias_std, dual, first=None):
    w2, b2, d = weight_std**2, bias_std**2, first or x.shape[1]
    def entry(i, j):
        k, q1, q2 = (w2 * sum(a * b for a, b in zip(x[s], x[t])) / d + b2 for s, t in ((i, j), (i, i), (j, j)))
        for _ in range(depth):
            k, q1, q2 = (w2 * dual(*case) + b2 for case in ((k, q1, q2), (q1, q1, q1), (q2, q2, q2)))
        return k
    return np.array([[entry(i, j) for j in range(len(x))] for i in range(len(x))])

X1 = tenths(2, 3)
KERNEL = deep(X1, 2, 0.8, 0.5, square_dual)
SHALLOW = deep(X1, 1, 0.8, 0.5, square_dual)
START = np.diag(deep(X1, 0, 0.8, 0.5, square_dual))
HINTS = {
    "has one hidden layer too many": deep(X1, 3, 0.8, 0.5, square_dual),
    "has one hidden layer too few": SHALLOW,
    "does not divide by d": deep(X1, 2, 0.8, 0.5, square_dual, first=1),
    "divides by 2, or by the number of inputs, where d belongs": deep(X1, 2, 0.8, 0.5, square_dual, first=2),
    "has the standard deviation of weights where their variance belongs": deep(X1, 2, 0.8**0.5, 0.5, square_dual),
    "has the standard deviation of biases where their variance belongs": deep(X1, 2, 0.8, 0.5**0.5, square_dual),
    "lacks the biases": deep(X1, 2, 0.8, 0.0, square_dual),
    "uses the variances of the first layer in all others":
        0.64 * (np.outer(START, START) + 2 * SHALLOW**2) + 0.25,
    "hands over standard deviations where variances belong":
        deep(X1, 2, 0.8, 0.5, lambda k, q1, q2: math.sqrt(q1 * q2) + 2 * k * k),
}
assert apart(KERNEL, HINTS)
X2 = tenths(3, 5)
ABS3, SINE2 = deep(X2, 3, 0.9, 0.3, dual).tolist(), deep(X2, 2, 1.1, 0.2, sine_dual).tolist()

# %% test="3-depth" points=1
def _square_dual(k, q1, q2):  # of the activation φ(u) = u²
    return q1 * q2 + 2 * k**2

_k = nngp(X1, 2, 0.8, 0.5, _square_dual)
check(_k, KERNEL, name="nngp", strict=True, hints=HINTS)

# %% hidden="3-depth" points=2
import math

def _abs_dual(k, q1, q2):
    def one(k, a, b):
        c = max(-1.0, min(1.0, k / math.sqrt(a * b)))
        return 2 / math.pi * math.sqrt(a * b) * (math.sqrt(1 - c * c) + c * math.asin(c))
    return np.vectorize(one)(k, q1, q2)

_near(_call(nngp, X2, 3, 0.9, 0.3, _abs_dual), ABS3, "three hidden layers, d = 5")
_kept(nngp, X2, 3, 0.9, 0.3, _abs_dual)

# %% hidden="3-depth" points=1
import math

def _sin_dual(k, q1, q2):
    return np.vectorize(lambda k, a, b: math.exp(-(a + b) / 2) * math.sinh(k))(k, q1, q2)

_near(_call(nngp, X2, 2, 1.1, 0.2, _sin_dual), SINE2, "the dual of the sine, two hidden layers: is dual called?")

# %% numbers
WEIGHT = float(rng.choice([0.7, 0.8, 1.5, 1.6]))

# %% [markdown]
# ## 4. Random networks (5 points)
#
# Draw `count` independent networks with one hidden layer of the given width, $|u|$ as activation,
# $\sigma_w=WEIGHT$ and no bias, and return their outputs at the rows of `x`, shape `(count, n)`. Each network has
# weights of its own, the same for all inputs. All random numbers come from `rng`; in what order you draw them does not
# matter.

# %% answer="4-networks"
def sample_outputs(rng, x, width, count):
    """Return outputs of random networks: a row for each network, a column for each input."""
    ### BEGIN SOLUTION
    first = rng.standard_normal((count, x.shape[1], width))
    readout = rng.standard_normal((count, width, 1))
    hidden = np.abs(WEIGHT / np.sqrt(x.shape[1]) * x @ first)
    return WEIGHT / np.sqrt(width) * (hidden @ readout)[:, :, 0]
    ### END SOLUTION

# %% numbers
X1 = tenths(2, 3)
COS = float(X1[0] @ X1[1] / np.sqrt((X1[0] @ X1[0]) * (X1[1] @ X1[1])))
assert 0.7 < abs(COS) < 0.85
FOURTH = WEIGHT**4
SIZE, MIXED = FOURTH * float(X1[0] @ X1[0]) / 3, FOURTH * dual(*(float(X1[s] @ X1[t]) / 3 for s, t in ((0, 1), (0, 0), (1, 1))))
HINTS = {
    "lacks σ_w of one layer, or has it there once too often": SIZE / WEIGHT**2,
    "lacks σ_w in both layers": SIZE / FOURTH,
    "lacks the square root of d": SIZE * 3,
    "lacks the square root of the width": SIZE * 20,
    "lacks the square roots of d and of the width": SIZE * 60,
    "is divided by the width, not by its root": SIZE / 20,
    "is divided by d, not by its root": SIZE / 3,
    "is that of relu: half": SIZE / 2,
    "is that of uniform weights": SIZE / 9,
}
HINTS_MIXED = {
    "is that of unrelated units: all inputs pass through the same first layer":
        FOURTH * 2 / math.pi * math.sqrt((X1[0] @ X1[0]) * (X1[1] @ X1[1])) / 3,
    "vanishes: all inputs pass through the same network": 0.0,
}
while True:
    X2 = tenths(3, 4)
    COS = X2 @ X2.T / np.sqrt(np.outer((X2**2).sum(axis=1), (X2**2).sum(axis=1)))
    if np.abs(COS[0, 1:]).min() > 0.7 and np.abs(COS[0, 1:]).max() < 0.9:
        break
MOMENTS = [FOURTH * dual(*(float(X2[s] @ X2[t]) / 4 for s, t in ((0, j), (0, 0), (j, j)))) for j in range(3)]
SCALES = [FOURTH * math.sqrt(float(X2[0] @ X2[0]) * float(x @ x)) / 4 for x in X2]

# %% test="4-networks" points=1
_f = np.asarray(sample_outputs(np.random.default_rng(0), X1, 20, 10_000))
assert _f.shape == (10_000, 2), f"the shape is {_f.shape}, should be (10000, 2): a row for each network"
_again, _other = (sample_outputs(np.random.default_rng(seed), X1, 20, 10_000) for seed in (0, 1))
assert (_f == _again).all(), "the same generator gave other numbers: draw all of them from rng"
assert (_f != _other).any(), "another generator gave the same numbers: draw all of them from rng"
check((_f[:, 0] ** 2).mean(), SIZE, name="variance", rtol=0.13, strict=True, hints=HINTS)  # random: theory ± 13 %
check((_f[:, 0] * _f[:, 1]).mean(), MIXED, name="covariance", rtol=0.14, strict=True, hints=HINTS_MIXED)

# %% hidden="4-networks" points=1
# Second moments of 10 000 networks against the exact kernel, within six and a half standard errors of these samples.
_f = np.array(sample_outputs(np.random.default_rng(5), X2, 30, 10_000)).tolist()
for _j, (_want, _scale) in enumerate(zip(MOMENTS, SCALES)):
    _products = [row[0] * row[_j] for row in _f]
    _mean = sum(_products) / 10_000
    _error = (sum((p - _mean) ** 2 for p in _products) / 10_000 / 9_999) ** 0.5
    assert 0.008 < _error / _scale < 0.03, f"outputs 0 and {_j}: products scatter too little or too much"
    assert -6.5 < (_mean - _want) / _error < 6.5, f"outputs 0 and {_j}: {_mean:.3f} ± {_error:.3f}, exactly {_want:.3f}"

# %% hidden="4-networks" points=1
# Networks are independent: squares of neighbors are uncorrelated, and the mean of |f| over the root of that of f², which
# would be (2/π)^½ = 0.798 with one first layer for all, is 0.707 with two units.
_f = [row[0] ** 2 for row in np.array(sample_outputs(np.random.default_rng(8), np.array([[1.5, 0.0]]), 2, 10_000)).tolist()]
assert len(_f) == 10_000, f"10 000 networks make 10 000 rows, not {len(_f)}"
_mean, _ratio = sum(_f) / 10_000, sum(one**0.5 for one in _f) / 10_000
_alike = sum((one - _mean) * (other - _mean) for one, other in zip(_f, _f[1:])) / sum((one - _mean) ** 2 for one in _f)
assert -0.065 < _alike < 0.065, f"outputs of different networks are not independent: correlation {_alike:.3f} of squares"
assert 0.67 < _ratio / _mean**0.5 < 0.744, f"width 2: mean of |f| over root of mean f² is {_ratio / _mean**0.5:.3f}"

# %% hidden="4-networks" points=1
# With one unit f is a product of two independent Gaussians, and the mean of |f| over the root of that of f² is 2/π.
_f = [abs(row[0]) for row in np.array(sample_outputs(np.random.default_rng(6), np.array([[2.0, 0.0]]), 1, 40_000)).tolist()]
_ratio = sum(_f) / 40_000 / (sum(one * one for one in _f) / 40_000) ** 0.5
assert 0.61 < _ratio < 0.664, f"width 1: mean of |f| over root of mean f² is {_ratio:.4f}, should be near 0.637"

# %% hidden="4-networks" points=1
_draws(sample_outputs, np.array([[1.5, 0.0]]), 2, 3)

# %% [markdown]
# The next cell draws what you have made: outputs of ten networks on a half circle, for a narrow and a wide hidden
# layer.

# %%
_angle = np.linspace(0, np.pi, 90)
_circle = np.stack([np.cos(_angle), np.sin(_angle)], axis=1)
_narrow, _wide = (sample_outputs(np.random.default_rng(2), _circle, width, 5) for width in (3, 300))
curves(np.degrees(_angle), {"width 3": _narrow} | {f"width 300, draw {i}": f for i, f in enumerate(_wide, 1)},
       xlabel="angle in degrees", ylabel="f")

# %% [markdown]
# ## 5. The posterior (4 points)
#
# Condition a centered Gaussian process on targets with noise of variance $\sigma^2$: return mean and standard
# deviation of the *function* at the test points (not of a new target). `kernel` $(n,n)$ is the covariance of the training points, `cross`
# $(m,n)$ that between test points and these, `variance` $(m,)$ the prior variance at the test points. Use a
# factorization or `solve`, not an inverse.

# %% answer="5-posterior"
def posterior(kernel, y, cross, variance, noise_variance):
    """Return (mean, standard deviation), each of shape (m,)."""
    ### BEGIN SOLUTION
    factor = np.linalg.cholesky(kernel + noise_variance * np.eye(len(y)))
    half = np.linalg.solve(factor, cross.T)
    mean = half.T @ np.linalg.solve(factor, y)
    return mean, np.sqrt(np.maximum(variance - (half**2).sum(axis=0), 0))
    ### END SOLUTION

# %% numbers
# By conditioning on one target after the other.
def conditioned(kernel, y, cross, variance, noise_variance):
    n, both = len(y), np.block([[kernel, cross.T], [cross, np.diag(variance)]]).astype(float)
    mean = np.zeros(len(both))
    for i in range(n):
        gain = both[:, i] / (both[i, i] + noise_variance)
        mean, both = mean + gain * (y[i] - mean[i]), both - np.outer(gain, both[i])
    return mean[n:], np.sqrt(np.maximum(np.diag(both)[n:], 0))

def gram(n, m):
    """Return kernel, cross and variance of n and m points, far from singular."""
    while True:
        z = tenths(n + m, n + m + 1)
        k = np.round(z @ z.T / 3, 1)
        if np.linalg.eigvalsh(k)[0] > 0.2:
            return k[:n, :n], k[n:, :n], np.diag(k)[n:]

KERNEL, CROSS, VARIANCE = gram(2, 3)
Y1, NOISE = tenths(2), 0.6
CASE = KERNEL, Y1, CROSS, VARIANCE, NOISE
MEAN, STD = conditioned(*CASE)
HINTS_MEAN = {
    "lacks the noise": conditioned(KERNEL, Y1, CROSS, VARIANCE, 1e-12)[0],
    "has the noise squared: it is a variance already": conditioned(*CASE[:-1], NOISE**2)[0],
    "has the noise's standard deviation where its variance belongs": conditioned(*CASE[:-1], NOISE**0.5)[0],
    "does not take the kernel of the training points into account": CROSS @ Y1,
    "adds the noise to every entry, not to the diagonal": CROSS @ np.linalg.solve(KERNEL + NOISE, Y1),
    "is the standard deviation: return the mean first": STD,
}
HINTS_STD = {
    "is the variance: a root is missing": STD**2,
    "is that of a new target: the noise is added": np.sqrt(STD**2 + NOISE),
    "is that of the prior": np.sqrt(VARIANCE),
    "lacks the prior's variance": np.sqrt(VARIANCE - STD**2),
    "lacks the noise": conditioned(KERNEL, Y1, CROSS, VARIANCE, 1e-12)[1],
    "has the noise squared: it is a variance already": conditioned(*CASE[:-1], NOISE**2)[1],
    "adds what the data take away": np.sqrt(2 * VARIANCE - STD**2),
}
assert apart(MEAN, HINTS_MEAN) and apart(STD, HINTS_STD)
CASE2 = *((lambda k, c, v: (k, tenths(3), c, v))(*gram(3, 2))), 0.3
MEAN2, STD2 = (part.tolist() for part in conditioned(*CASE2))
K3, Y3, C3 = CASE2[0], CASE2[1], CASE2[0][1:]
V3 = np.diag(C3[:, 1:]).copy()

# %% test="5-posterior" points=1
_mean, _std = posterior(*CASE)
check(_mean, MEAN, name="posterior mean", strict=True, hints=HINTS_MEAN)
check(_std, STD, name="posterior standard deviation", strict=True, hints=HINTS_STD)

# %% hidden="5-posterior" points=1
_near(_call(posterior, *CASE2)[0], MEAN2, "three targets, mean")
_kept(posterior, *CASE2)

# %% hidden="5-posterior" points=1
_near(_call(posterior, *CASE2)[1], STD2, "three targets, standard deviation")

# %% hidden="5-posterior" points=1
_mean, _std = _call(posterior, K3, Y3, C3, V3, 0.0)
_near(_mean, Y3[1:].tolist(), "without noise the mean reaches the targets", within=1e-3)
for _one in _std:
    assert -2e-3 < float(_one) < 2e-3, f"nothing is uncertain at a training point without noise, not {_one:.3g} (mind NaN)"

# %% [markdown]
# ## 6. Reading (3 points)
#
# 1. In the figure, what distinguishes functions of narrow networks from those of wide ones? Name the theorem that
#    says so.
# 2. The error bars of question 5 do not depend on `y`. Is that a virtue or a defect? Answer for a model whose prior
#    is wrong.
# 3. Which training of a wide network has this posterior as its law, and which does not? (See the chapter's last
#    section.)

# %% [markdown] answer="6-reading" points=3
# 1. With three units one sees the kinks of single units, and functions differ in kind from network to network; with
#    300 they look like draws from one Gaussian process, by the central limit theorem for one hidden layer.
# 2. For a Gaussian model with the right kernel it is correct: targets then carry no information about the errors'
#    size. If the prior is wrong, targets that contradict it should widen the bars, and they do not: the bars cannot
#    warn.
# 3. Training only the last layer, from random weights and with suitably perturbed targets (or none, without noise),
#    samples the posterior. Training all layers does not: its kernel is the NTK, and its covariance is no posterior's.
#
# *Marks:* one for each part; in 3 both halves are needed.
