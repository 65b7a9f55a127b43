# %% [markdown]
# # Problem set 3: The neural tangent kernel
#
# Six questions on the chapter *The neural tangent kernel*, about 110 minutes, 26 points. Write in the cells that say
# `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked *Self-check* says what
# is wrong with an answer and is worth a point; the remaining points are given by tests that run after you have handed
# in. No question needs the answer to another one. Write the formulas yourself: call the package only where a question
# says so.
#
# The parameterization is that of the book: $z^{(l)}=\frac{\sigma_w}{\sqrt{n_{l-1}}}W^{(l)}h^{(l-1)}+\sigma_bb^{(l)}$
# with standard normal entries, $h^{(l)}=\phi(z^{(l)})$, and a readout of the same form. For ReLU, $(u,v)$ Gaussian
# with covariance $k$, variances $q_1,q_2$ and $\cos\theta=k/\sqrt{q_1q_2}$:
# $$\mathbb E[\phi(u)\phi(v)]=\frac{\sqrt{q_1q_2-k^2}+(\pi-\theta)k}{2\pi},\qquad\mathbb
# E[\phi'(u)\phi'(v)]=\frac{\pi-\theta}{2\pi}.$$

# %%
import numpy as np

from ntk_helpers import check, mlp, relu
from ntk_helpers.figures import curves

# %% [markdown]
# ## 1. A network with a shortcut (5 points)
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

# %% [markdown] answer="1-shortcut" points=5
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
# *Marks:* 1 for $K$, 2 for $\Theta$ with its three gradients, 1 for the law of large numbers with independence, 1 for
# parts 2 (cross term) and 3.

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

# %% test="2-empirical" points=1
# One unit, one input: f(w, a) = 2 a relu(w) at x = 1, whose derivatives are 2 a and 2 relu(w).
_theta = empirical_ntk(np.array([[1.0]]), np.array([[1.0], [2.0], [-1.0]]), np.array([[3.0]]), np.array([0.5]))
check(_theta, [[37.0, 74.0, 0.0]], name="empirical_ntk")
assert -1e-9 < float(_theta[0][0]) - 37 < 1e-9 and -1e-9 < float(_theta[0][1]) - 74 < 1e-9, "see the line above"

# %% hidden="2-empirical" points=3
_W, _a = np.array([[1.0, -1.0, 2.0], [0.5, 1.0, -1.0]]), np.array([1.0, -2.0, 0.5])
_theta = empirical_ntk(np.array([[1.0, 0.0], [0.5, 2.0]]), np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -2.0]]), _W, _a)
for _i, _j, _want in ((0, 0, 19 / 6), (0, 1, 0.0), (0, 2, 8 / 3), (1, 0, 19 / 6), (1, 1, 6.0), (1, 2, 0.0)):
    _got = float(_theta[_i][_j])
    assert -1e-8 < _got - _want < 1e-8, f"three units, entry ({_i}, {_j}): {_got:.6g} should be {_want:.6g}"

# %% hidden="2-empirical" points=1
# Monte Carlo: the mean of 300 networks of width 40 against the limit, within five standard errors.
_rng, _x1, _x2 = np.random.default_rng(11), np.array([[1.0, 0.0]]), np.array([[-1.0, 1.0]])
_draws = [float(empirical_ntk(_x1, _x2, _rng.standard_normal((2, 40)), _rng.standard_normal(40))[0][0]) for _ in range(300)]
_mean = sum(_draws) / 300
_error = (sum((t - _mean) ** 2 for t in _draws) / 299 / 300) ** 0.5
assert 0.001 < _error < 0.1, f"kernels of random networks scatter; yours have a standard error of {_error:.3g}"
assert -5 * _error < _mean + 0.1816901138 < 5 * _error, f"mean over networks {_mean:.4f} ± {_error:.4f}, in the limit -0.1817"

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

# %% test="3-depth" points=1
_x = np.array([[1.0, 0.0], [0.0, 1.0]])
_theta = relu_ntk(_x, _x, 1, 2**0.5, 0.0)
check(_theta, [[2.0, 1 / 3.141592653589793], [1 / 3.141592653589793, 2.0]], name="relu_ntk")
assert -1e-6 < float(_theta[0][0]) - 2 < 1e-6 and -1e-6 < float(_theta[0][1]) - 0.3183098862 < 1e-6, "see the line above"

# %% hidden="3-depth" points=3
_x1, _x2 = np.array([[1.0, 0.0], [0.5, 2.0]]), np.array([[1.0, 1.0], [-1.0, 1.0], [0.0, -2.0]])
for _depth, _weight, _bias, _wants in ((1, 2**0.5, 0.0, (1.8183098862, -0.1816901138, -0.3055231568)),
                                       (3, 1.3, 0.4, (2.6414130379, 1.2083800249, 2.0074205531))):
    _theta = relu_ntk(_x1, _x2, _depth, _weight, _bias)
    for (_i, _j), _want in zip(((0, 0), (0, 1), (1, 2)), _wants, strict=True):
        _got = float(_theta[_i][_j])
        assert -1e-7 < _got - _want < 1e-7, f"{_depth} hidden layers, entry ({_i}, {_j}): {_got:.6g} should be {_want:.6g}"

# %% hidden="3-depth" points=1
_x = np.array([[0.1, 0.7, 0.3], [0.3, 2.1, 0.9]])  # parallel rows: rounding moves their cosine
_theta = relu_ntk(_x, _x, 6, 2**0.5, 0.0)
for _i, _j, _want in ((0, 0, 7 * 1.18 / 3), (0, 1, 7 * 3.54 / 3), (1, 1, 7 * 10.62 / 3)):
    _got = float(_theta[_i][_j])
    assert -1e-5 < _got / _want - 1 < 1e-5, f"parallel inputs: {_got:.6g} should be {_want:.6g}"

# %% [markdown]
# ## 4. How fast? (4 points)
#
# Measure how much $\hat\Theta_0(x,x)$ scatters from network to network: for each of `widths`, draw `repeats` ReLU
# networks with one hidden layer ($\sigma_w^2=2$, no bias) and return the standard deviation of $\hat\Theta_0(x,x)$
# divided by its mean, an array of the shape of `widths`. Here you may use the package: `net = mlp(1, relu,
# 2**0.5).init(rng, width, inputs=d)` draws a network, `net.ntk(x)` is its kernel.

# %% answer="4-scatter"
def relative_scatter(rng, x, widths, repeats):
    """Return std / mean of the empirical kernel at one input x of shape (1, d), for each width."""
    ### BEGIN SOLUTION
    arch, scatter = mlp(1, relu, 2**0.5), []
    for width in widths:
        values = [arch.init(rng, width, inputs=x.shape[1]).ntk(x)[0, 0] for _ in range(repeats)]
        scatter.append(np.std(values) / np.mean(values))
    return np.array(scatter)
    ### END SOLUTION

# %% test="4-scatter" points=1
_scatter = relative_scatter(np.random.default_rng(0), np.array([[1.0, 1.0]]), [10, 90], 60)
print("widths 10 and 90:", *(f"{float(s):.3f}" for s in _scatter))
assert len(_scatter) == 2, f"one number for each width: 2, not {len(_scatter)}"
assert 1.8 < float(_scatter[0]) / float(_scatter[1]) < 5, "nine times the width should divide the scatter by about three"

# %% hidden="4-scatter" points=3
# Exactly: the variance over networks is that of one unit divided by m, and std / mean = (3 / m)^½ for every x.
# The standard error of a standard deviation of 200 draws is 5 % if they are Gaussian, up to 7 % at these widths.
_scatter = relative_scatter(np.random.default_rng(3), np.array([[0.6, -1.1, 2.0]]), [24, 96], 200)
for _got, _width in zip(_scatter, (24, 96), strict=True):
    _ratio = float(_got) / (3 / _width) ** 0.5
    assert 0.72 < _ratio < 1.28, f"width {_width}: {float(_got):.4f}, in theory {(3 / _width) ** 0.5:.4f} (within four standard errors)"

# %% [markdown]
# ## 5. Harmonics (3 points)
#
# For inputs spaced evenly on the unit circle, $\Theta(x,x')$ depends on the angle between them only: the matrix is
# circulant and symmetric, and its eigenvectors are $\cos j\gamma$ and $\sin j\gamma$. Return its eigenvalues for the
# frequencies $j=0,1,\dots,\lfloor n/2\rfloor$, *divided by $n$*, from the first row alone:
# $\frac1n\sum_{i=0}^{n-1}\Theta_{0i}\cos(2\pi ij/n)$.

# %% answer="5-harmonics"
def harmonics(row):
    """Return the eigenvalue of each frequency, divided by n, from the first row (n,) of a circulant kernel."""
    ### BEGIN SOLUTION
    return np.fft.rfft(row).real / len(row)
    ### END SOLUTION

# %% test="5-harmonics" points=1
_h = harmonics(np.array([3.0, 1.0, 0.0, 1.0]))
check(_h, [1.25, 0.75, 0.25], name="harmonics")
assert -1e-9 < float(_h[0]) - 1.25 < 1e-9 and -1e-9 < float(_h[1]) - 0.75 < 1e-9, "see the line above"

# %% hidden="5-harmonics" points=2
_row = np.array([2.0, 1.2857392508, 0.3183098862, -0.1284743116, 0.0, -0.1284743116, 0.3183098862, 1.2857392508])
_h = harmonics(_row)
assert len(_h) == 5, f"n = 8 has the frequencies 0 to 4: 5 numbers, not {len(_h)}"
for _got, _want in zip(_h, (0.6188937061, 0.5, 0.1704225285, 0.0, 0.0402612367), strict=True):
    assert -1e-8 < float(_got) - _want < 1e-8, f"a kernel on 8 points: {float(_got):.6g} should be {_want:.6g}"

# %% [markdown]
# With your function the next cell draws the eigenvalues of the tangent kernel of networks with one hidden layer,
# without and with bias.

# %%
_angle = 2 * np.pi * np.arange(64) / 64
_circle = np.stack([np.cos(_angle), np.sin(_angle)], axis=1)
_rows = {b: mlp(1, relu, 2**0.5, b).kernels(_circle[:1], _circle).ntk[0] for b in (0.0, 0.5)}
curves(np.arange(13), {f"bias {b}": np.maximum(harmonics(row)[:13], 1e-6) for b, row in _rows.items()},
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
