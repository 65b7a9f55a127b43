# %% [markdown]
# # Problem set 1: Double descent
#
# Six questions on the chapters *Bias and variance* and *Double descent*, about 90 minutes, 24 points. Write in the
# cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked
# *Self-check* says what is wrong with an answer and is worth a point; the remaining points are given by tests that
# run after you have handed in. No question needs the answer to another one. Notation is that of the book: $n$
# examples are the rows of the features $Z\in\mathbb R^{n\times p}$, $y\in\mathbb R^n$ holds the targets.

# %%
import numpy as np

from ntk_helpers import check
from ntk_helpers.figures import curves

# %% [markdown]
# ## 1. The decomposition (4 points)
#
# One experiment was repeated $r$ times, each time with a new training set. `predictions`, of shape $(r,q)$, holds in
# each row what one fit predicts at $q$ test points, `truth`, of shape $(q,)$, the true function there. Return the
# squared bias and the variance, each averaged over the test points. Use the average over the $r$ fits as mean
# prediction, and define the variance so that squared bias plus variance is *exactly* the mean squared distance of the
# predictions from the truth.

# %% answer="1-decomposition"
def bias_variance(predictions, truth):
    """Return (squared bias, variance), averaged over the test points."""
    ### BEGIN SOLUTION
    mean = predictions.mean(axis=0)
    return ((mean - truth) ** 2).mean(), predictions.var(axis=0).mean()
    ### END SOLUTION

# %% test="1-decomposition" points=1
_fits, _truth = np.array([[1.0, 4.0], [3.0, 0.0]]), np.array([0.0, 1.0])
_bias2, _variance = bias_variance(_fits, _truth)
check(_bias2, 2.5, name="squared bias")
check(_variance, 2.5, name="variance")
assert -1e-9 < float(_bias2) - 2.5 < 1e-9, "squared bias: see the line above"
assert -1e-9 < float(_variance) - 2.5 < 1e-9, "variance: see the line above"

# %% hidden="1-decomposition" points=3
_fits = np.array([[1.0, 2.0, 0.0], [3.0, 2.0, 1.0], [2.0, 5.0, 2.0], [0.0, 3.0, 5.0]])
_bias2, _variance = bias_variance(_fits, np.array([1.0, 2.0, 3.0]))
assert 0.7499999 < float(_bias2) < 0.7500001, f"squared bias of 4 fits at 3 points is 0.75, not {_bias2:.6g}"
assert 2.0833332 < float(_variance) < 2.0833335, f"variance of 4 fits is 25/12 (divide by r), not {_variance:.6g}"

# %% [markdown]
# ## 2. The nearest interpolator (5 points)
#
# Among all $w$ that minimize $\|Zw-y\|^2$, return the one nearest to `start`. From where gradient descent starts,
# that is where it ends. $Z$ may have any shape and any rank: rows may repeat.

# %% answer="2-nearest"
def nearest_interpolator(z, y, start):
    """Return the least-squares solution nearest to start; z has shape (n, p), y (n,), start (p,)."""
    ### BEGIN SOLUTION
    return start + np.linalg.pinv(z) @ (y - z @ start)
    ### END SOLUTION

# %% test="2-nearest" points=1
_w = nearest_interpolator(np.array([[1.0, 1.0]]), np.array([2.0]), np.array([1.0, 0.0]))
check(_w, [1.5, 0.5], name="nearest_interpolator")
assert -1e-9 < float(_w[0]) - 1.5 < 1e-9 and -1e-9 < float(_w[1]) - 0.5 < 1e-9, "see the line above"

# %% hidden="2-nearest" points=2
_z, _y = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, -1.0]]), np.array([1.0, 2.0])
_w = nearest_interpolator(_z, _y, np.array([1.0, 0.0, -1.0, 2.0]))
for _got, _want in zip(_w, (6 / 17, 10 / 17, 15 / 17, -9 / 17), strict=True):
    assert -1e-8 < float(_got) - _want < 1e-8, f"two examples, four features: {_got:.6g} should be {_want:.6g}"

# %% hidden="2-nearest" points=2
_z = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0]])
_w = nearest_interpolator(_z, np.array([1.0, 1.0, 3.0]), np.array([0.0, 1.0, 0.0]))
for _got, _want in zip(_w, (-1.0, 1.0, 2.0), strict=True):
    assert -1e-6 < float(_got) - _want < 1e-6, f"a repeated row: {_got:.6g} should be {_want:.6g}"

# %% [markdown]
# ## 3. How large are coefficients that fit noise? (4 points)
#
# Let $Z$ be fixed, with nonzero singular values $s_1,\dots,s_r$, and let the targets be pure noise, $y\sim\mathcal
# N(0,\sigma^2I_n)$. The ridge solution $\hat c_\lambda$ minimizes $\|Zc-y\|^2+\lambda\|c\|^2$; for $\lambda=0$ take
# the solution of minimum norm.
#
# 1. Show that $\mathbb E\|\hat c_\lambda\|^2=\sigma^2\sum_{i=1}^r\frac{s_i^2}{(s_i^2+\lambda)^2}$.
# 2. Why does this explain a peak at $p=n$ when $\lambda=0$, and why does a ridge remove it? (Two or three sentences.)

# %% [markdown] answer="3-noise" points=4
# With $Z=U\,\mathrm{diag}(s)V^\top$ the ridge solution is $\hat
# c_\lambda=V\,\mathrm{diag}\big(\tfrac{s_i}{s_i^2+\lambda}\big)U^\top y$. The columns of $U$ are orthonormal, so the
# coordinates $g=U^\top y$ are independent with variance $\sigma^2$; those of $V$ are orthonormal, so $\|\hat
# c_\lambda\|^2=\sum_i\frac{s_i^2}{(s_i^2+\lambda)^2}g_i^2$. Take the expectation.
#
# At $p=n$ the smallest singular value of a random square matrix is near zero, and its term $1/s_i^2$ dominates; for
# $p<n$ and $p>n$ the singular values stay away from zero. With a ridge no term exceeds $1/(4\lambda)$, whatever $s_i$
# is.
#
# *Marks:* 1 for the solution by singular values, 1 for the independent coordinates, 1 for small singular values at
# $p=n$, 1 for the bound of a term by the ridge.

# %% [markdown]
# ## 4. The same as a number (3 points)
#
# Return $\mathbb E\|\hat c_\lambda\|^2$ of question 3 for given features, noise and ridge; `ridge=0` means the
# solution of minimum norm.

# %% answer="4-norm"
def noise_norm(z, noise_std, ridge):
    """Return the expected squared norm of the coefficients that fit pure noise."""
    ### BEGIN SOLUTION
    s = np.linalg.svd(z, compute_uv=False)
    s = s[s > 1e-12 * s[0]]
    return noise_std**2 * (s**2 / (s**2 + ridge) ** 2).sum()
    ### END SOLUTION

# %% test="4-norm" points=1
_norm = noise_norm(np.diag([2.0, 1.0]), 1.0, 1.0)
check(_norm, 0.41, name="noise_norm")
assert -1e-9 < float(_norm) - 0.41 < 1e-9, "see the line above"

# %% hidden="4-norm" points=1
# Monte Carlo with 200 000 draws of the targets: means, and four standard errors.
_tall = np.array([[2.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
_got = float(noise_norm(_tall, 0.7, 0.5))
assert -0.0033 < _got - 0.41439 < 0.0033, f"4 examples, 3 features, ridge 0.5: {_got:.5g}, by Monte Carlo 0.4144 ± 0.0033"
_wide = np.array([[1.0, 2.0, 0.0, 1.0], [0.0, 1.0, 1.0, -1.0]])
_got = float(noise_norm(_wide, 0.7, 0.0))
assert -0.0026 < _got - 0.25935 < 0.0026, f"2 examples, 4 features, no ridge: {_got:.5g}, by Monte Carlo 0.2594 ± 0.0026"

# %% hidden="4-norm" points=1
_rank_one = np.array([[1.0, 2.0], [2.0, 4.0], [0.0, 0.0]])
_got = float(noise_norm(_rank_one, 1.0, 0.0))
assert -1e-9 < _got - 0.04 < 1e-9, f"features of rank one: {_got:.6g} should be 1/25; a singular value of zero does not count"

# %% [markdown]
# ## 5. The curve (4 points)
#
# Inputs $x\sim\mathcal N(0,I_D)$ with $D=60$, targets $y=x^\top\beta+\varepsilon$ with $\beta_j=1/\sqrt D$ for every
# $j$ and $\varepsilon\sim\mathcal N(0,\sigma^2)$. The model sees the first $p$ coordinates only and takes the
# least-squares solution of minimum norm. Measure its *risk*, the expected squared error on a new example, noise
# included, by simulation. Given $\hat c$ the expectation over the new example needs no samples: it is $\|\hat
# c-\beta_1\|^2+\|\beta_2\|^2+\sigma^2$, with $\beta_1$ the first $p$ coordinates of $\beta$ and $\beta_2$ the others.
# Average it over `repeats` training sets of $n$ examples, and return the mean and its standard error (the standard
# deviation over training sets, divided by the square root of their number).

# %% answer="5-curve"
def risk(rng, n, p, noise_std, repeats):
    """Return (mean risk, its standard error) of minimum-norm least squares on the first p of 60 coordinates."""
    ### BEGIN SOLUTION
    beta, risks = np.full(60, 60**-0.5), []
    for _ in range(repeats):
        x = rng.standard_normal((n, 60))
        y = x @ beta + noise_std * rng.standard_normal(n)
        c = np.linalg.lstsq(x[:, :p], y, rcond=None)[0]
        risks.append(((c - beta[:p]) ** 2).sum() + (beta[p:] ** 2).sum() + noise_std**2)
    return np.mean(risks), np.std(risks, ddof=1) / np.sqrt(repeats)
    ### END SOLUTION

# %% test="5-curve" points=1
_mean, _error = risk(np.random.default_rng(0), 20, 5, 0.5, 50)
print(f"n = 20, p = 5, 50 repeats: {_mean:.3f} ± {_error:.3f}")
assert 0.25 < float(_mean), "below the noise: did you forget to add it, or the unused coordinates?"
assert 0.002 < float(_error) < 0.2, "this is not the standard error of a mean of 50 (divide by the root of their number)"

# %% hidden="5-curve" points=3
# The exact risk of the book's theorem (Belkin, Hsu and Xu 2020), within five standard errors.
for _p, _exact in ((10, 2.287037), (45, 1.333333)):
    _mean, _error = risk(np.random.default_rng(7), 20, _p, 0.5, 200)
    _mean, _error = float(_mean), float(_error)
    assert 0.003 < _error < 0.15, f"p = {_p}: the standard error of 200 repeats cannot be {_error:.3g}"
    assert -5 * _error < _mean - _exact < 5 * _error, f"p = {_p}: {_mean:.4f} ± {_error:.4f}, in theory {_exact:.4f}"

# %% [markdown]
# With your function the next cell draws the curve. (It leaves out the sizes next to $p=n$, where the risk has no
# finite mean.)

# %%
_sizes = [1, 3, 6, 10, 14, 17, 23, 26, 30, 40, 50, 60]
_rng = np.random.default_rng(1)
curves(_sizes, {f"noise {s}": [risk(_rng, 20, p, s, 60)[0] for p in _sizes] for s in (0.1, 2.0)},
       xlabel="number of features p", ylabel="risk", yscale="log")

# %% [markdown]
# ## 6. Reading the curve (4 points)
#
# 1. Which term of the decomposition makes the peak, and how can you tell from the two curves?
# 2. Is the risk at $p=60$ below the best risk with $p<n$? Say for each of the two noise levels, and why they may
#    differ.
# 3. A colleague says: "beyond the peak a larger model is always better." What in this experiment speaks against it?

# %% [markdown] answer="6-reading" points=4
# 1. The variance: its factor $p/(n-p-1)$, or $n/(p-n-1)$ beyond, blows up at $p=n$, multiplied by the noise and by
#    the part of the signal that is not seen, which acts as noise. That is why there is a peak at the low noise level
#    too.
# 2. With little noise yes: all coordinates carry signal, and more of them leave less of it unseen. With noise 2 the
#    best model has a single feature, since each further one mostly fits noise, and the second descent ends above it.
# 3. For large noise the best model is a very small one; and the coordinates carry equal signal here, so that adding
#    them never hurts for that reason. With useless coordinates, or a ridge tuned for each size, the comparison is
#    another.
#
# *Marks:* 1 for the variance, 1 for the unseen signal as noise, 1 for the two comparisons, 1 for a sound objection.
