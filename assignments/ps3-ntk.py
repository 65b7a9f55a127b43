# %% [markdown]
# # Problem set 3: The neural tangent kernel
#
# Six questions on the chapter *The neural tangent kernel*, about 110 minutes, 27 points. Write in the cells that say
# `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked *Self-check* says what
# is wrong with an answer and is worth a point; the remaining points are given by tests that run after you have handed
# in; numbers are right to a ten-thousandth of the largest. No question needs the answer to another one. Write the
# formulas yourself: call the package only where a question says so.
#
# The parameterization is that of the book: $z^{(l)}=\frac{\sigma_w}{\sqrt{n_{l-1}}}W^{(l)}h^{(l-1)}+\sigma_bb^{(l)}$
# with standard normal entries, $h^{(l)}=\phi(z^{(l)})$, and a readout of the same form. For ReLU, $(u,v)$ Gaussian
# with covariance $k$, variances $q_1,q_2$ and $\cos\theta=k/\sqrt{q_1q_2}$:
# $$\mathbb E[\phi(u)\phi(v)]=\frac{\sqrt{q_1q_2-k^2}+(\pi-\theta)k}{2\pi},\qquad\mathbb
# E[\phi'(u)\phi'(v)]=\frac{\pi-\theta}{2\pi}.$$

# %% numbers
import math

import numpy as np

from ntk_helpers import mlp, relu


def tenths(*shape):
    return rng.choice([-1, 1], shape) * rng.integers(2, 20, shape) / 10

# %%
import numpy as np

from ntk_helpers import check, mlp, relu
from ntk_figures import curves

# %% [markdown]
# ## 1. A network with a shortcut (6 points)
#
# Let $f(x)=\frac1{\sqrt d}v^\top x+\frac1{\sqrt m}a^\top\phi\big(\frac1{\sqrt d}Wx\big)$, with all entries of
# $v\in\mathbb R^d$, $a\in\mathbb R^m$ and $W\in\mathbb R^{m\times d}$ standard normal, and all of them trained. Let
# $m\to\infty$.
#
# 1. Find the NNGP kernel $K(x,x')$ and the tangent kernel $\Theta(x,x')$, in terms of $x^\top x'/d$, $\mathbb
#    E[\phi\phi]$ and $\mathbb E[\phi'\phi']$.
# 2. Which theorem makes each sum over units converge, and why is there no cross term between $v$ and the units in
#    $\Theta$?
# 3. How does $\Theta$ change if $v$ is not trained?

# %% [markdown] answer="1-shortcut" points=6
# 1. Outputs: $v$ and $(a,W)$ are independent with mean zero, so covariances add, $K=\frac{x^\top x'}d+\mathbb
#    E[\phi(u)\phi(u')]$ with $(u,u')$ Gaussian of covariance $x^\top x'/d$. Gradients: $\nabla_vf=x/\sqrt d$ gives
#    $x^\top x'/d$; $\partial f/\partial a_j=\phi(z_j)/\sqrt m$ gives $\frac1m\sum_j\phi(z_j)\phi(z_j')\to\mathbb
#    E[\phi\phi]$; $\nabla_{W_j}f=a_j\phi'(z_j)x/\sqrt{md}$ gives
#    $\frac1m\sum_ja_j^2\phi'(z_j)\phi'(z'_j)\,\frac{x^\top x'}d\to\mathbb E[\phi'\phi']\frac{x^\top x'}d$. So
# $$\Theta=\frac{x^\top x'}d+\mathbb E[\phi\phi]+\mathbb E[\phi'\phi']\,\frac{x^\top x'}d .$$
# 2. The law of large numbers, since units are independent and identically distributed, and $a_j$ is independent of
#    $z_j$ with $\mathbb Ea_j^2=1$. The kernel is a sum over parameters, and each parameter stands in one of the three
#    groups only.
# 3. The first term is missing; $K$ stays.
#
# *Marks:* 1 for $K$, 1 for the three gradients, 1 for $\Theta$; 1 for the law of large numbers with independence, 1 for
# the cross term; 1 for part 3.

# %% [markdown]
# ## 2. The empirical kernel (5 points)
#
# A network with one hidden ReLU layer, $\sigma_w^2=2$ and no bias, has weights `W` of shape $(d,m)$ (a column for
# each unit) and `a` of shape $(m,)$: $f(x)=\sqrt{\tfrac2m}\sum_ja_j\,\phi\big(\sqrt{\tfrac2d}\,(xW)_j\big)$. Return
# its tangent kernel $\hat\Theta(x_1,x_2)$ for all rows of two arrays, shape $(n_1,n_2)$, from products of Gram
# matrices: without a loop over parameters, and without a Jacobian.

# %% answer="2-empirical"
def empirical_ntk(x1, x2, W, a):
    """Return the tangent kernel of one network, (n1, n2)."""
    ### BEGIN SOLUTION
    d, m = W.shape
    z1, z2 = x1 @ W * np.sqrt(2 / d), x2 @ W * np.sqrt(2 / d)
    readout = np.maximum(z1, 0) @ np.maximum(z2, 0).T
    signals = (a * (z1 > 0)) @ (a * (z2 > 0)).T
    return 2 / m * (readout + 2 / d * (x1 @ x2.T) * signals)
    ### END SOLUTION

# %% numbers
# By central differences of the network's output, one parameter after the other.
def network(x, W, a):
    d, m = W.shape
    return np.sqrt(2 / m) * np.maximum(np.sqrt(2 / d) * x @ W, 0) @ a

def jacobian(x, W, a, step=1e-6):
    columns = []
    for array in (W, a):
        for place in np.ndindex(array.shape):
            ends = []
            for sign in (1, -1):
                kept, array[place] = array[place], array[place] + sign * step
                ends.append(network(x, W, a))
                array[place] = kept
            columns.append((ends[0] - ends[1]) / (2 * step))
    return np.array(columns).T

def case(n1, n2, d, m):
    """Return inputs and weights with both signs of preactivations, and none near zero."""
    while True:
        x1, x2, W, a = tenths(n1, d), tenths(n2, d), tenths(d, m), tenths(m)
        z = np.concatenate([x1, x2]) @ W
        on = (z[:n1] > 0).astype(float) @ (z[n1:] > 0).T
        if np.abs(z).min() > 0.05 and 0 < on.min() and on.max() < m and (1.1 < np.abs(a)).any():
            return x1, x2, W, a

X1, X2, W1, A1 = case(2, 3, 3, 4)
def parts(x1, x2, W, a):
    j1, j2 = jacobian(x1, W, a), jacobian(x2, W, a)
    return j1[:, :W.size] @ j2[:, :W.size].T, j1[:, W.size:] @ j2[:, W.size:].T

HIDDEN, READOUT = parts(X1, X2, W1, A1)
NTK = HIDDEN + READOUT
HINTS = {
    "is the readout's part alone: the first layer is trained too": READOUT,
    "is the first layer's part alone: the readout is trained too": HIDDEN,
    "lacks a factor in the first layer's part": HIDDEN * 3 / 2 + READOUT,
    "has a factor too much in the first layer's part": HIDDEN * 2 / 3 + READOUT,
    "does not square the readout weights": parts(X1, X2, W1, np.sqrt(np.abs(A1)))[0] + READOUT,
    "lacks the scale of the preactivations": HIDDEN + READOUT * 3 / 2,
    "lacks the inputs in the first layer's part": HIDDEN / (2 / 3 * X1 @ X2.T) * 2 / 3 + READOUT,
    "lacks the kernel of the inputs in the first layer's part": HIDDEN / (2 / 3 * X1 @ X2.T) + READOUT,
}
assert apart(NTK, HINTS)
X3, X4, W2, A2 = case(3, 2, 5, 7)
HIDDEN2, READOUT2 = parts(X3, X4, W2, A2)
OTHER = sum(parts(2 * X2, X1, -W1, A1)).tolist()
HIDDEN2, READOUT2 = (3 * HIDDEN2).tolist(), READOUT2.tolist()

# %% test="2-empirical" points=1
_theta = empirical_ntk(X1, X2, W1, A1)
check(_theta, NTK, name="empirical_ntk", strict=True, hints=HINTS)

# %% hidden="2-empirical" points=2
_x1, _x2, _W = X3, X4, W2
_near(_call(empirical_ntk, _x1, _x2, _W, np.zeros(7)), READOUT2, "readout weights zero: only they can change f")

# %% hidden="2-empirical" points=1
_x1, _x2, _W, _a = X3, X4, W2, A2
_once, _twice = _call(empirical_ntk, _x1, _x2, _W, _a), _call(empirical_ntk, _x1, _x2, _W, 2 * _a)
_near(_twice - _once, HIDDEN2, "by how much the kernel grows when the readout weights are doubled")

# %% hidden="2-empirical" points=1
_x1, _x2, _W, _a = X1, X2, W1, A1
_near(_call(empirical_ntk, 2 * _x2, _x1, -_W, _a), OTHER, "other inputs and weights")
_kept(empirical_ntk, _x1, _x2, _W, _a)

# %% [markdown]
# ## 3. Any depth (5 points)
#
# Return the infinite-width tangent kernel $\Theta^{(L+1)}(x_1,x_2)$ of a ReLU network with $L$ hidden layers, shape
# $(n_1,n_2)$, by the recursion for $K$ and $\Theta$ together. The two arrays may hold equal rows: mind cosines beyond 1.
# Besides $K(x_1,x_2)$ you have to carry the variances along.

# %% answer="3-depth"
def relu_ntk(x1, x2, depth, weight_std, bias_std):
    """Return the tangent kernel in the limit of infinite width, (n1, n2)."""
    ### BEGIN SOLUTION
    w2, b2, d = weight_std**2, bias_std**2, x1.shape[1]
    k = w2 * x1 @ x2.T / d + b2
    q1, q2 = w2 * (x1**2).sum(axis=1) / d + b2, w2 * (x2**2).sum(axis=1) / d + b2
    theta = k
    for _ in range(depth):
        scale = np.sqrt(np.outer(q1, q2))
        cosine = np.clip(k / scale, -1, 1)
        angle = np.arccos(cosine)
        k = w2 * scale * (np.sqrt(1 - cosine**2) + (np.pi - angle) * cosine) / (2 * np.pi) + b2
        theta = k + w2 * (np.pi - angle) / (2 * np.pi) * theta
        q1, q2 = w2 * q1 / 2 + b2, w2 * q2 / 2 + b2
    return theta
    ### END SOLUTION

# %% numbers
# By the package.
def ntk(x1, x2, depth, weight_std, bias_std):
    return mlp(depth, relu, weight_std, bias_std).kernels(x1, x2).ntk

CASE = tenths(2, 3), tenths(3, 3), 2, 1.3, 0.4
X1, X2, DEPTH, WEIGHT, BIAS = CASE
NTK = ntk(*CASE)
K = [WEIGHT**2 * X1 @ X2.T / 3 + BIAS**2, *(mlp(depth, relu, WEIGHT, BIAS).kernels(X1, X2).nngp for depth in (1, 2))]
ONE = ntk(X1, X2, 1, WEIGHT, BIAS)
SLOPES = (ONE - K[1]) / K[0], (NTK - K[2]) / ONE
def with_slopes(one, two):
    return K[2] + two * (K[1] + one * K[0])

HINTS = {
    "has one hidden layer too many": ntk(X1, X2, DEPTH + 1, WEIGHT, BIAS),
    "has one hidden layer too few": ntk(X1, X2, DEPTH - 1, WEIGHT, BIAS),
    "is the NNGP kernel: the layers below the readout are trained too": K[2],
    "does not divide by d": ntk(X1 * 3**0.5, X2 * 3**0.5, DEPTH, WEIGHT, BIAS),
    "divides by 2 where d belongs": ntk(X1 * 1.5**0.5, X2 * 1.5**0.5, DEPTH, WEIGHT, BIAS),
    "lacks the biases": ntk(X1, X2, DEPTH, WEIGHT, 0.0),
    "has the standard deviation of biases where their variance belongs": ntk(X1, X2, DEPTH, WEIGHT, BIAS**0.5),
    "has the standard deviation of weights where their variance belongs": ntk(X1, X2, DEPTH, WEIGHT**0.5, BIAS),
    "lacks the variance of weights before E[φ'φ']": with_slopes(*(slope / WEIGHT**2 for slope in SLOPES)),
    "lacks E[φ'φ']": with_slopes(WEIGHT**2, WEIGHT**2),
    "starts from zero: the first layer's Θ is K": with_slopes(0, SLOPES[1]),
    "multiplies the new kernel where the old one belongs": K[2] * (1 + SLOPES[1]),
}
assert apart(NTK, HINTS)
X3, X4 = tenths(3, 4), tenths(2, 4)
SHALLOW, DEEP = (ntk(X3, X4, *rest).tolist() for rest in ((1, 2**0.5, 0.0), (4, 1.2, 0.3)))
PARALLEL = np.outer((1, 3, 0.7, 1.9, 2.3, 0.6), np.abs(tenths(3)))
LENGTHS = (PARALLEL**2).sum(axis=1)
COSINES = PARALLEL @ PARALLEL.T / np.sqrt(np.outer(LENGTHS, LENGTHS))
assert (COSINES > 1).sum() > 4
FLAT = (4 * 2 * PARALLEL @ PARALLEL.T / 3).tolist()

# %% test="3-depth" points=1
_theta = relu_ntk(X1, X2, DEPTH, WEIGHT, BIAS)
check(_theta, NTK, name="relu_ntk", strict=True, hints=HINTS)

# %% hidden="3-depth" points=1
_near(_call(relu_ntk, X3, X4, 1, 2**0.5, 0.0), SHALLOW, "one hidden layer, no bias, d = 4")

# %% hidden="3-depth" points=2
_near(_call(relu_ntk, X3, X4, 4, 1.2, 0.3), DEEP, "four hidden layers, d = 4")
_kept(relu_ntk, X3, X4, 4, 1.2, 0.3)

# %% hidden="3-depth" points=1
# Rounding moves the cosine of parallel rows; there the slope of arccos is infinite, hence the wider tolerance.
_near(_call(relu_ntk, PARALLEL, PARALLEL, 3, 2**0.5, 0.0), FLAT, "parallel inputs, three hidden layers", within=5e-3)

# %% [markdown]
# ## 4. Do two entries move together? (4 points)
#
# Draw `repeats` ReLU networks with one hidden layer ($\sigma_w^2=2$, no bias) for each of `widths`, and measure two
# things, each an array of the shape of `widths`: the standard deviation of $\hat\Theta_0(x_1,x_1)$ over networks,
# divided by its mean; and the correlation over networks between $\hat\Theta_0(x_1,x_1)$ and $\hat\Theta_0(x_2,x_2)$.
# Here you may use the package: `net = mlp(1, relu, 2**0.5).init(rng, width, inputs=d)` draws a network, `net.ntk(x)`
# is its kernel at the rows of `x`. Guess first: which of the two falls with the width, and which does not? All
# random numbers come from `rng`; in what order you draw them does not matter.

# %% answer="4-scatter"
def scatter(rng, x1, x2, widths, repeats):
    """Return (std / mean at x1, correlation of x1 with x2), for each width; x1 and x2 have shape (1, d)."""
    ### BEGIN SOLUTION
    arch, both, result = mlp(1, relu, 2**0.5), np.concatenate([x1, x2]), []
    for width in widths:
        nets = [arch.init(rng, width, inputs=x1.shape[1]) for _ in range(repeats)]
        first, second = np.array([np.diag(net.ntk(both)) for net in nets]).T
        result.append((first.std() / first.mean(), np.corrcoef(first, second)[0, 1]))
    return np.array(result).T
    ### END SOLUTION

# %% numbers
# The kernel is a mean over m independent units: std / mean is (3 / m)^½ for every x, and the correlation that of one
# unit, by the moments of half-rectified Gaussians at an angle.
def correlation(x1, x2):
    angle = math.acos(float(x1[0] @ x2[0]) / math.sqrt(float(x1[0] @ x1[0]) * float(x2[0] @ x2[0])))
    on, c, s = math.pi - angle, math.cos(angle), math.sin(angle)
    return ((3 * s * c + on * (1 + 2 * c * c)) + 3 * on + 2 * (on + s * c)) / (6 * math.pi) - 1 / 3

def pair(d):
    while True:
        x1, x2 = tenths(1, d), tenths(1, d)
        if 0.47 < correlation(x1, x2) < 0.53 and abs(x1 @ x1.T / (x2 @ x2.T) - 1) > 0.3:
            return x1, x2

X1, X2 = pair(3)
RHO = [correlation(X1, X2)] * 2
SPREAD = [(3 / 20) ** 0.5, (3 / 80) ** 0.5]
LIMIT = 4 / 3 * (X1**2).sum()
assert LIMIT > 2.5
HINTS_SPREAD = {
    "is not divided by the mean": [LIMIT * one for one in SPREAD],
    "is the variance over the squared mean": [one**2 for one in SPREAD],
    "is near zero: is each network a new one, and is this a standard deviation?": [0.0, 0.0],
}
HINTS_RHO = {
    "vanishes: take both numbers from one network": [0.0, 0.0],
    "is one: x1 and x2 are not the same": [1.0, 1.0],
}
X3, X4 = pair(5)
assert (X3**2).sum() > 4 and (X3**2).sum() * (X4**2).sum() > 35
RHO2 = correlation(X3, X4)

# %% test="4-scatter" points=1
_spread, _rho = scatter(np.random.default_rng(0), X1, X2, [20, 80], 200)
check(_spread, SPREAD, name="std / mean", rtol=0.4, strict=True, hints=HINTS_SPREAD)  # they are random: theory ± 40 %
check(_rho, RHO, name="correlation", rtol=0.7, strict=True, hints=HINTS_RHO)

# %% hidden="4-scatter" points=1
# Seven standard errors of a standard deviation of 400 kernels.
_near(scatter(np.random.default_rng(3), X3, X4, [30], 400)[0], [0.316227766], "width 30, std / mean", within=0.28)

# %% hidden="4-scatter" points=1
# Seven standard errors.
_near(scatter(np.random.default_rng(4), X3, X4, [30], 400)[1], [RHO2], "width 30, correlation", within=0.56)

# %% hidden="4-scatter" points=1
_draws(scatter, X3, X4, [10], 20)

# %% [markdown]
# ## 5. Harmonics (3 points)
#
# For inputs spaced evenly on a circle, $\Theta(x,x')$ depends on the angle between them only: the matrix is
# circulant and symmetric, and $\cos j\gamma$ and $\sin j\gamma$, as vectors over the points, are eigenvectors. From
# the first row alone, return for each frequency $j=0,1,\dots,\lfloor n/2\rfloor$ the eigenvalue *divided by $n$*, and
# how many independent eigenvectors of this frequency there are. (What becomes of $\sin j\gamma$ at the ends?)

# %% answer="5-harmonics"
def harmonics(row):
    """Return (eigenvalue / n of each frequency, number of its eigenvectors) from the first row (n,) of the kernel."""
    ### BEGIN SOLUTION
    n = len(row)
    values = np.fft.rfft(row).real / n
    count = np.full(len(values), 2)
    count[0] = 1
    if n % 2 == 0:
        count[-1] = 1
    return values, count
    ### END SOLUTION

# %% numbers
# By the sum of cosines.
def spectrum(row):
    n = len(row)
    return [sum(row[i] * math.cos(2 * math.pi * i * j / n) for i in range(n)) / n for j in range(n // 2 + 1)]

def circulant(n):
    half = rng.permutation(np.arange(1, 2 * n))[:n // 2 + 1] / 4
    half[0] = half[1:].sum() + 1.5
    return half[np.minimum(np.arange(n), n - np.arange(n))]

ROW = circulant(6)
VALUES = spectrum(ROW)
HINTS = {
    "is the eigenvalue itself, not divided by n": [6 * one for one in VALUES],
    "holds the coefficients of a cosine series: twice too much between the ends":
        [one * factor for one, factor in zip(VALUES, (1, 2, 2, 1))],
    "is sorted by size, not by frequency": sorted(VALUES),
    "is sorted by size, falling, not by frequency": sorted(VALUES, reverse=True),
    "is divided by the root of n": [6**0.5 * one for one in VALUES],
}
assert apart(VALUES, HINTS)
HINTS_COUNT = {
    "forgets that one of the two vanishes at the ends": [2, 2, 2, 2],
    "forgets that the sine vanishes at the highest frequency of an even n": [1, 2, 2, 2],
    "counts one of the two only": [1, 1, 1, 1],
}
ROW_ODD, ROW_EVEN = circulant(7), circulant(10)
VALUES_ODD, VALUES_EVEN = spectrum(ROW_ODD), spectrum(ROW_EVEN)

# %% test="5-harmonics" points=1
_values, _count = harmonics(ROW)
check(_values, VALUES, name="eigenvalues / n", strict=True, hints=HINTS)
check(_count, [1, 2, 2, 1], name="number of eigenvectors", strict=True, hints=HINTS_COUNT)

# %% hidden="5-harmonics" points=1
_near(_call(harmonics, ROW_ODD)[0], VALUES_ODD, "seven points")
_near(_call(harmonics, ROW_EVEN)[0], VALUES_EVEN, "ten points")

# %% hidden="5-harmonics" points=1
_near(_call(harmonics, ROW_ODD)[1], [1, 2, 2, 2], "number of eigenvectors, seven points")
_near(_call(harmonics, ROW_EVEN)[1], [1, 2, 2, 2, 2, 1], "number of eigenvectors, ten points")

# %% [markdown]
# With your function the next cell draws the eigenvalues of the tangent kernel of networks with one hidden layer,
# without and with bias.

# %%
_angle = 2 * np.pi * np.arange(64) / 64
_circle = np.stack([np.cos(_angle), np.sin(_angle)], axis=1)
_rows = {b: mlp(1, relu, 2**0.5, b).kernels(_circle[:1], _circle).ntk[0] for b in (0.0, 0.5)}
curves(np.arange(13), {f"bias {b}": np.maximum(harmonics(row)[0][:13], 1e-6) for b, row in _rows.items()},
       xlabel="frequency j", ylabel="eigenvalue / n", yscale="log")

# %% [markdown]
# ## 6. Reading (4 points)
#
# 1. Which frequencies does the network without bias not learn at all, in the kernel's limit? Which does it learn
#    first?
# 2. Why does a bias help? Think of $x$ and $-x$.
# 3. A colleague reports: "one hidden ReLU layer of width 100, no bias, fits $\sin3\gamma$ on these 64 points
#    perfectly after long training." What do you answer?

# %% [markdown] answer="6-reading" points=4
# 1. The odd frequencies from 3 on have eigenvalue zero: gradient flow leaves their residual as it is. Learned first
#    are frequencies 0 and 1, with the largest eigenvalues.
# 2. Without bias, $\mathrm{relu}(z)=\frac{z+|z|}2$ makes $f(x)$ a linear function plus an even one, at every width
#    and at every time of training: of the odd functions only linear ones are there. A bias moves the kinks away from
#    the origin, so $f(x)-f(-x)$ can be any function.
# 3. That it cannot be: by part 2 such a network is linear plus even whatever its weights, and $\sin3\gamma$ is odd
#    and not linear. It fails at pairs of antipodal points, of which the 64 hold 32. Perhaps there is a bias or a
#    constant input, a second hidden layer, or the points cover half of the circle only.
#
# *Marks:* 1 for part 1, 1 for the antipodal argument, 2 for part 3: 1 for "impossible at any width", 1 for what may
# have happened.
