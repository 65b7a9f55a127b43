# %% [markdown]
# # Problem set 2: Gaussian processes
#
# Six questions on the chapters *Random features* and *The Gaussian-process limit*, about 100 minutes, 24 points.
# Write in the cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell
# marked *Self-check* says what is wrong with an answer and is worth a point; the remaining points are given by tests
# that run after you have handed in. No question needs the answer to another one. Write the formulas yourself: do not
# call the kernels of `ntk_helpers`.
#
# The activation of this set is the *absolute value* $\phi(u)=|u|$. The parameterization is that of the book:
# $z^{(l)}=\frac{\sigma_w}{\sqrt{n_{l-1}}}W^{(l)}h^{(l-1)}+\sigma_bb^{(l)}$ with standard normal entries and
# $h^{(l)}=\phi(z^{(l)})$.

# %%
import numpy as np

from ntk_helpers import check
from ntk_helpers.figures import curves

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

# %% test="2-dual" points=1
_values = abs_dual(np.array([0.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, 2.0]))
check(_values, [2 / 3.141592653589793, 2.0], name="abs_dual")
assert -1e-9 < float(_values[0]) - 0.6366197723675814 < 1e-9 and -1e-9 < float(_values[1]) - 2 < 1e-9, "see the line above"

# %% hidden="2-dual" points=2
for _k, _q1, _q2, _want in ((0.5, 1.0, 1.0, 0.7179955621), (-1.2, 2.0, 1.5, 1.379854889), (0.3, 0.5, 4.0, 0.9206504441)):
    _got = float(abs_dual(np.array(_k), np.array(_q1), np.array(_q2)))
    assert -1e-8 < _got - _want < 1e-8, f"k = {_k}, variances {_q1} and {_q2}: {_got:.6g} should be {_want:.6g}"
# Monte Carlo: 20 000 draws of (u, v) with variances 1 and 4 and correlation -0.6, five standard errors.
import random
_draw, _sum, _squares, _n = random.Random(3), 0.0, 0.0, 20_000
for _ in range(_n):
    _u = _draw.gauss(0.0, 1.0)
    _v = 2 * (-0.6 * _u + 0.8 * _draw.gauss(0.0, 1.0))
    _product = (_u * _u * _v * _v) ** 0.5
    _sum, _squares = _sum + _product, _squares + _product * _product
_mean = _sum / _n
_error = ((_squares / _n - _mean * _mean) / _n) ** 0.5
_got = float(abs_dual(np.array(-1.2), np.array(1.0), np.array(4.0)))
assert -5 * _error < _got - _mean < 5 * _error, f"correlation -0.6: {_got:.4f}, by Monte Carlo {_mean:.4f} ± {_error:.4f}"

# %% hidden="2-dual" points=1
_got = float(abs_dual(np.array(1 + 1e-12), np.array(1.0), np.array(1.0)))
assert 0.999 < _got < 1.001, f"covariance 1 + 1e-12 with variances 1: {_got} should be 1"

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

# %% test="3-depth" points=1
def _identity_dual(k, q1, q2):  # of the activation φ(u) = u
    return k + 0 * q1 + 0 * q2

_k = nngp(np.array([[1.0, 2.0], [2.0, 0.0]]), 1, 2.0, 0.5, _identity_dual)
check(_k, [[40.25 + 1, 16.25 + 1], [16.25 + 1, 32.25 + 1]], name="nngp")
assert -1e-9 < float(_k[0][0]) - 41.25 < 1e-9 and -1e-9 < float(_k[0][1]) - 17.25 < 1e-9, "see the line above"

# %% hidden="3-depth" points=2
import math

def _abs_dual(k, q1, q2):
    def one(k, a, b):
        c = max(-1.0, min(1.0, k / math.sqrt(a * b)))
        return 2 / math.pi * math.sqrt(a * b) * (math.sqrt(1 - c * c) + c * math.asin(c))
    return np.vectorize(one)(k, q1, q2)

_x = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, 0.0]])
_k = nngp(_x, 3, 0.9, 0.3, _abs_dual)
for _i, _j, _want in ((0, 0, 1.345946715), (0, 1, 0.7273870032), (2, 1, 0.7034060169), (2, 2, 1.13071311)):
    _got = float(_k[_i][_j])
    assert -1e-7 < _got - _want < 1e-7, f"three hidden layers, entry ({_i}, {_j}): {_got:.6g} should be {_want:.6g}"

# %% hidden="3-depth" points=1
def _sin_dual(k, q1, q2):
    return np.vectorize(lambda k, a, b: math.exp(-(a + b) / 2) * math.sinh(k))(k, q1, q2)

_k = nngp(np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, 0.0]]), 2, 1.1, 0.2, _sin_dual)
for _i, _j, _want in ((0, 0, 0.478021991), (0, 1, 0.0717791453), (1, 2, -0.1701407072)):
    _got = float(_k[_i][_j])
    assert -1e-7 < _got - _want < 1e-7, f"the sine, two hidden layers: {_got:.6g} should be {_want:.6g}; is dual called?"

# %% [markdown]
# ## 4. Random networks (5 points)
#
# Draw `count` independent networks with one hidden layer of the given width, $|u|$ as activation, $\sigma_w=1$ and no
# bias, and return their outputs at the rows of `x`, shape `(count, n)`. Each network has weights of its own, the same
# for all inputs.

# %% answer="4-networks"
def sample_outputs(rng, x, width, count):
    """Return outputs of random networks: a row for each network, a column for each input."""
    ### BEGIN SOLUTION
    first = rng.standard_normal((count, x.shape[1], width))
    readout = rng.standard_normal((count, width, 1))
    hidden = np.abs(x / np.sqrt(x.shape[1]) @ first)
    return (hidden @ readout)[:, :, 0] / np.sqrt(width)
    ### END SOLUTION

# %% test="4-networks" points=1
_x = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, 0.0]])
_f = sample_outputs(np.random.default_rng(0), _x, 20, 500)
assert np.shape(_f) == (500, 3), f"outputs have shape {np.shape(_f)}, should have (500, 3): a row for each network"
_variance = float((np.asarray(_f)[:, 0] ** 2).mean())
assert 1.5 < _variance < 4.0, f"the variance at (1, 2) is {_variance:.3g}, should be near |x|²/d = 2.5"

# %% hidden="4-networks" points=3
# Second moments of 4000 networks against the exact kernel, within five standard errors of these samples.
_x = np.array([[1.0, 2.0], [-1.0, 0.5], [2.0, 0.0]])
_f = [[float(value) for value in row] for row in sample_outputs(np.random.default_rng(5), _x, 30, 4000)]
for _i, _j, _want in ((0, 0, 2.5), (0, 1, 0.7957747155), (0, 2, 1.56840678), (1, 2, 1.0231426509)):
    _products = [row[_i] * row[_j] for row in _f]
    _mean = sum(_products) / 4000
    _error = (sum((p - _mean) ** 2 for p in _products) / 4000 / 3999) ** 0.5
    assert 0.005 < _error < 0.12, f"outputs {_i} and {_j}: products scatter too little or too much ({_error:.3g})"
    assert -5 * _error < _mean - _want < 5 * _error, f"outputs {_i} and {_j}: {_mean:.3f} ± {_error:.3f}, exactly {_want:.3f}"

# %% hidden="4-networks" points=1
# A narrow network is not Gaussian: with one unit E f⁴ / (E f²)² is 9. Its standard error here is 0.35; five of them.
_f = [float(row[0]) for row in sample_outputs(np.random.default_rng(6), np.array([[1.0, 1.0]]), 1, 40_000)]
_ratio = sum(v**4 for v in _f) / 40_000 / (sum(v**2 for v in _f) / 40_000) ** 2
assert 7.2 < _ratio < 10.8, f"width 1: E f⁴ / (E f²)² is {_ratio:.2f}, should be near 9; are readout weights random too?"

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
# deviation of the *function* at the test points. `kernel` $(n,n)$ is the covariance of the training points, `cross`
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

# %% test="5-posterior" points=1
_mean, _std = posterior(np.array([[1.0]]), np.array([3.0]), np.array([[0.5]]), np.array([1.0]), 1.0)
check(_mean, [0.75], name="posterior mean")
check(_std, [0.875**0.5], name="posterior standard deviation")
assert -1e-9 < float(_mean[0]) - 0.75 < 1e-9, "mean: see the line above"
assert -1e-9 < float(_std[0]) ** 2 - 0.875 < 1e-9, "standard deviation: see the line above"

# %% hidden="5-posterior" points=2
_kernel, _cross = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.5], [0.3, 1.0]])
_mean, _std = posterior(_kernel, np.array([1.0, -1.0]), _cross, np.array([2.0, 1.5]), 0.5)
for _got, _want in zip(_mean, (1 / 3, -7 / 15), strict=True):
    assert -1e-8 < float(_got) - _want < 1e-8, f"mean {float(_got):.6g} should be {_want:.6g}"
for _got, _want in zip(_std, (1.2630273533, 1.0465362369), strict=True):
    assert -1e-8 < float(_got) - _want < 1e-8, f"standard deviation {float(_got):.6g} should be {_want:.6g}"

# %% hidden="5-posterior" points=1
_mean, _std = posterior(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, -1.0]), np.array([[2.0, 1.0]]), np.array([2.0]), 0.0)
assert -1e-8 < float(_mean[0]) - 1 < 1e-8, "without noise the mean must reach the targets"
assert -1e-6 < float(_std[0]) < 1e-6, "without noise nothing is uncertain at a training point (mind NaN by rounding)"

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
