# %% [markdown]
# # Problem set 1: Double descent
#
# Six questions on the chapters *Bias and variance* and *Double descent*, about 90 minutes, 24 points. Write in the
# cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked
# *Self-check* says what is wrong with an answer and is worth a point; the remaining points are given by tests that
# run after you have handed in; numbers are right to a ten-thousandth of the largest. No question needs the answer to
# another one. Write the formulas yourself: do not call `ntk_helpers`. Notation is that of the book: $n$ examples are
# the rows of the features $Z\in\mathbb R^{n\times p}$, $y\in\mathbb R^n$ holds the targets.

# %% numbers
import numpy as np


def halves(*shape):
    """Return numbers such as -1.5, none zero and no two equal, up to the sign too."""
    sizes = rng.permutation(np.arange(1, 4 + np.prod(shape)))[:np.prod(shape)]
    return (rng.choice([-1, 1], len(sizes)) * sizes / 2).reshape(shape)


def features(n, p):
    """Return features whose singular values are neither near to each other nor far apart."""
    while True:
        z = halves(n, p)
        s = np.linalg.svd(z, compute_uv=False)
        if s[-1] > 0.4 and s[0] < 6 * s[-1]:
            return z

# %%
import numpy as np

from ntk_helpers import check
from ntk_figures import curves

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

# %% numbers
# Entry by entry; the variance as half the mean squared distance of two fits.
def decomposed(fits, truth):
    r, q = fits.shape
    bias2 = sum((sum(fits[i, j] for i in range(r)) / r - truth[j]) ** 2 for j in range(q)) / q
    return bias2, sum((fits[i, j] - fits[k, j]) ** 2 for i in range(r) for k in range(r) for j in range(q)) / (2 * r * r * q)

FITS, TRUTH = halves(3, 2), halves(2)
BIAS2, VARIANCE = decomposed(FITS, TRUTH)
CENTER = FITS.mean(axis=0) - TRUTH
HINTS_BIAS = {
    "is the square of the mean distance, not the mean of squared distances": CENTER.mean() ** 2,
    "is a sum over test points, not an average": 2 * BIAS2,
    "lacks the square": CENTER.mean(),
    "lacks the square (and the sign is lost)": np.abs(CENTER).mean(),
    "is the mean squared distance of single fits: average the fits first": BIAS2 + VARIANCE,
    "is the variance: return the squared bias first": VARIANCE,
    "takes the median where the mean belongs": ((np.median(FITS, axis=0) - TRUTH) ** 2).mean(),
}
HINTS_VARIANCE = {
    "does not add up: with the squared bias it must give the mean squared distance from the truth": 1.5 * VARIANCE,
    "is a sum over test points, not an average": 2 * VARIANCE,
    "is a standard deviation, averaged": FITS.std(axis=0).mean(),
    "is measured from the truth, not from the mean prediction": BIAS2 + VARIANCE,
    "is that of all predictions together: test points have means of their own": FITS.var(),
    "is taken over test points, not over fits": FITS.var(axis=1).mean(),
}
assert apart(BIAS2, HINTS_BIAS) and apart(VARIANCE, HINTS_VARIANCE)
FITS2, TRUTH2 = halves(5, 3), halves(3)
BIAS2_2, VARIANCE_2 = decomposed(FITS2, TRUTH2)

# %% test="1-decomposition" points=1
_bias2, _variance = bias_variance(FITS, TRUTH)
check(_bias2, BIAS2, name="squared bias", strict=True, hints=HINTS_BIAS)
check(_variance, VARIANCE, name="variance", strict=True, hints=HINTS_VARIANCE)

# %% hidden="1-decomposition" points=2
_near(_call(bias_variance, FITS2, TRUTH2)[0], BIAS2_2, "squared bias of 5 fits at 3 points")

# %% hidden="1-decomposition" points=1
_near(_call(bias_variance, FITS2, TRUTH2)[1], VARIANCE_2, "variance of 5 fits at 3 points (divide by r)")
_kept(bias_variance, FITS2, TRUTH2)

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

# %% numbers
# By gradient descent, which ends there.
def descended(z, y, start):
    w, rate = start.copy(), 1 / np.linalg.norm(z, 2) ** 2
    for _ in range(1500):
        w = w - rate * z.T @ (z @ w - y)
    return w

Z1, Y1, START = features(2, 3), halves(2), halves(3)
W1 = descended(Z1, Y1, START)
SMALLEST = descended(Z1, Y1, 0 * START)
HINTS = {
    "is the solution nearest to zero, not to start": SMALLEST,
    "is start plus the smallest solution: what does start predict already?": START + SMALLEST,
    "moves away from the solution: the sign of the residual?": 2 * START - W1,
    "is start": START,
    "is the step from start, without start": W1 - START,
    "is a ridge solution: it does not reach the targets": START + Z1.T @ np.linalg.solve(Z1 @ Z1.T + np.eye(2), Y1 - Z1 @ START),
}
assert apart(W1, HINTS)
Z2, Y2, START2 = features(2, 4), halves(2), halves(4)
W2 = descended(Z2, Y2, START2).tolist()
Z3, Y3, START3 = features(4, 2), halves(4), halves(2)
W3 = descended(Z3, Y3, START3).tolist()
Z4 = features(2, 3)[[0, 0, 1]]
Y4, START4 = halves(3), halves(3)
W4 = descended(Z4, Y4, START4).tolist()

# %% test="2-nearest" points=1
check(nearest_interpolator, W1, (Z1, Y1, START), strict=True, hints=HINTS)

# %% hidden="2-nearest" points=2
_near(_call(nearest_interpolator, Z2, Y2, START2), W2, "two examples, four features")
_kept(nearest_interpolator, Z2, Y2, START2)

# %% hidden="2-nearest" points=1
_near(_call(nearest_interpolator, Z3, Y3, START3), W3, "four examples, two features: least squares")

# %% hidden="2-nearest" points=1
_near(_call(nearest_interpolator, Z4, Y4, START4), W4, "a repeated row with two targets")

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

# %% numbers
# By the trace of the covariance of the coefficients; with a smaller and smaller ridge where it is zero.
def norm(z, noise_std, ridge):
    inverse = np.linalg.inv(z.T @ z + max(ridge, 1e-8) * np.eye(z.shape[1]))
    return noise_std**2 * np.trace(inverse @ z.T @ z @ inverse)

Z1 = features(3, 2)
NORM = norm(Z1, 0.6, 0.7)
SV = np.linalg.svd(Z1, compute_uv=False)
HINTS = {
    "has the noise's standard deviation where its variance belongs": NORM / 0.6,
    "lacks the noise": NORM / 0.36,
    "has singular values where their squares belong": 0.36 * (SV / (SV + 0.7) ** 2).sum(),
    "has singular values where their squares belong, in the denominator": 0.36 * (SV**2 / (SV + 0.7) ** 2).sum(),
    "lacks the square of the denominator": 0.36 * (SV**2 / (SV**2 + 0.7)).sum(),
    "lacks the numerator": 0.36 * (1 / (SV**2 + 0.7) ** 2).sum(),
    "lacks the ridge": norm(Z1, 0.6, 0.0),
    "squares the ridge": norm(Z1, 0.6, 0.49),
    "multiplies the ridge by the number of examples": norm(Z1, 0.6, 2.1),
    "is a mean over singular values, not a sum": NORM / 2,
}
assert apart(NORM, HINTS)
TALL, WIDE = features(4, 3), features(2, 4)
NORM_TALL, NORM_WIDE = norm(TALL, 1.4, 0.8), norm(WIDE, 0.7, 0.3)
RANK_ONE = np.outer(halves(3), halves(2))
NORM_BARE, NORM_ONE = norm(WIDE, 0.7, 0.0), 1.3**2 / (RANK_ONE**2).sum()

# %% test="4-norm" points=1
check(noise_norm, NORM, (Z1, 0.6, 0.7), strict=True, hints=HINTS)

# %% hidden="4-norm" points=1
_near(_call(noise_norm, TALL, 1.4, 0.8), NORM_TALL, "4 examples, 3 features, ridge 0.8")
_near(_call(noise_norm, WIDE, 0.7, 0.3), NORM_WIDE, "2 examples, 4 features, ridge 0.3")
_kept(noise_norm, WIDE, 0.7, 0.3)

# %% hidden="4-norm" points=1
_near(_call(noise_norm, WIDE, 0.7, 0.0), NORM_BARE, "2 examples, 4 features, no ridge")
_near(_call(noise_norm, RANK_ONE, 1.3, 0.0), NORM_ONE, "features of rank one: a singular value of zero does not count")

# %% numbers
DIM = int(rng.choice([54, 60, 66, 72]))

# %% [markdown]
# ## 5. The curve (4 points)
#
# Inputs $x\sim\mathcal N(0,I_D)$ with $D=DIM$, targets $y=x^\top\beta+\varepsilon$ with $\beta_j=1/\sqrt D$ for every
# $j$ and $\varepsilon\sim\mathcal N(0,\sigma^2)$. The model sees the first $p$ coordinates only and takes the
# least-squares solution of minimum norm. Measure its *risk*, the expected squared error on a new example, noise
# included, by simulation. Given $\hat c$ the expectation over the new example needs no samples: it is $\|\hat
# c-\beta_1\|^2+\|\beta_2\|^2+\sigma^2$, with $\beta_1$ the first $p$ coordinates of $\beta$ and $\beta_2$ the others.
# Average it over `repeats` training sets of $n$ examples, and return the mean and its standard error (the standard
# deviation over training sets, divided by the square root of their number). All random numbers come from `rng`; in
# what order you draw them does not matter.

# %% answer="5-curve"
def risk(rng, n, p, noise_std, repeats):
    """Return (mean risk, its standard error) of minimum-norm least squares on the first p of DIM coordinates."""
    ### BEGIN SOLUTION
    beta, risks = np.full(DIM, DIM**-0.5), []
    for _ in range(repeats):
        x = rng.standard_normal((n, DIM))
        y = x @ beta + noise_std * rng.standard_normal(n)
        c = np.linalg.lstsq(x[:, :p], y, rcond=None)[0]
        risks.append(((c - beta[:p]) ** 2).sum() + (beta[p:] ** 2).sum() + noise_std**2)
    return np.mean(risks), np.std(risks, ddof=1) / np.sqrt(repeats)
    ### END SOLUTION

# %% numbers
# The theorem of Belkin, Hsu and Xu (2020); the spread by a simulation of the fit in the singular basis.
def parts(n, p, noise_std):
    """Return the risk and what it would be without noise in the targets, without the unused signal in them."""
    unseen, noise2 = 1 - p / DIM, noise_std**2
    grow = p / (n - p - 1) if p < n - 1 else n / (p - n - 1)
    kept = 0 if p < n - 1 else p / DIM * (1 - n / p)
    return kept + (unseen + noise2) * (1 + grow), noise2 * grow, unseen * grow, unseen, noise2

def spread(n, p, noise_std, repeats=1500):
    draw, risks = np.random.default_rng(0), []
    for _ in range(repeats):
        z = draw.standard_normal((n, p))
        wrong = np.sqrt(1 - p / DIM + noise_std**2) * draw.standard_normal(n)
        c = np.linalg.pinv(z) @ (z @ np.full(p, DIM**-0.5) + wrong) - DIM**-0.5
        risks.append(c @ c)
    return np.std(risks)

RISK, NOISE_PART, UNSEEN_PART, UNSEEN, NOISE2 = parts(25, 10, 2.0)
ERROR = spread(25, 10, 2.0) / 900**0.5
SLACK = round(6.5 * ERROR / RISK, 3)
HINTS = {
    "lacks the noise of a new example": RISK - NOISE2,
    "lacks the noise, of training and of new examples": RISK - NOISE2 - NOISE_PART,
    "lacks the noise of the training targets": RISK - NOISE_PART,
    "lacks the unused coordinates of a new example": RISK - UNSEEN,
    "has the noise's standard deviation where its variance belongs": RISK - NOISE2 + 2,
}
HINTS_ERROR = {
    "is the standard deviation: divide by the root of the number of training sets": ERROR * 30,
    "is divided by the number of training sets, not by its root": ERROR / 30,
    "is divided by the root of n, not of the number of training sets": ERROR * 6,
    "is the square of a standard error": ERROR**2,
}
UNDER, OVER = parts(24, 6, 1.6)[0], parts(15, 45, 0.8)[0]
ERROR_OVER = spread(15, 45, 0.8) / 400**0.5
SLACK_UNDER = round(6.5 * spread(24, 6, 1.6) / 400**0.5 / UNDER, 3)
SLACK_OVER = round(6.5 * ERROR_OVER / OVER, 3)

# %% test="5-curve" points=1
_mean, _error = risk(np.random.default_rng(0), 25, 10, 2.0, 900)
print(f"n = 25, p = 10, noise 2, 900 repeats: {_mean} ± {_error}")
_other = risk(np.random.default_rng(1), 25, 10, 2.0, 9)[0] - risk(np.random.default_rng(2), 25, 10, 2.0, 9)[0]
assert _other != 0, "two generators give the same risk: where is the experiment? is there a seed inside?"
check(_mean, RISK, name="risk", rtol=SLACK, strict=True, hints=HINTS)  # random: theory, with six standard errors
check(_error, ERROR, name="standard error", rtol=0.5, strict=True, hints=HINTS_ERROR)

# %% hidden="5-curve" points=1
# The exact risk of the book's theorem (Belkin, Hsu and Xu 2020), within six and a half standard errors.
_near(risk(np.random.default_rng(7), 24, 6, 1.6, 400)[0], UNDER, "n = 24, p = 6, mean", within=SLACK_UNDER)

# %% hidden="5-curve" points=1
_mean, _error = risk(np.random.default_rng(8), 15, 45, 0.8, 400)
_near(_mean, OVER, "n = 15, p = 45, mean", within=SLACK_OVER)
_near(_error, ERROR_OVER, "n = 15, p = 45, standard error", within=0.5)
_other = risk(np.random.default_rng(9), 15, 45, 0.8, 400)[0]
assert _mean != _other, "no experiment: another generator gave the same mean"

# %% hidden="5-curve" points=1
_draws(risk, 15, 8, 0.5, 3)

# %% [markdown]
# With your function the next cell draws the curve. (It leaves out the sizes next to $p=n$, where the risk has no
# finite mean.)

# %%
_sizes = [1, 3, 6, 10, 14, 17, 23, 26, 30, 40, 50, DIM]
_rng = np.random.default_rng(1)
curves(_sizes, {f"noise {s}": [risk(_rng, 20, p, s, 60)[0] for p in _sizes] for s in (0.1, 2.0)},
       xlabel="number of features p", ylabel="risk", yscale="log")

# %% [markdown]
# ## 6. Reading the curve (4 points)
#
# 1. Which term of the decomposition makes the peak, and how can you tell from the two curves?
# 2. Beyond the peak both curves fall. Does this second descent end below the best risk with $p<n$? Say for each of
#    the two noise levels, and why they may differ.
# 3. A colleague concludes: "take the largest model you can." Which curve speaks against it? And what in how inputs and
#    targets were made helps large models here, so that even the other curve is no proof?

# %% [markdown] answer="6-reading" points=4
# 1. The variance: its factor $p/(n-p-1)$, or $n/(p-n-1)$ beyond, blows up at $p=n$, multiplied by the noise and by
#    the part of the signal that is not seen, which acts as noise. That is why there is a peak at the low noise level
#    too.
# 2. With little noise yes: all coordinates carry signal, and more of them leave less of it unseen. With noise 2 no: the
#    best model has a single feature, since each further one mostly fits noise, and the second descent ends above it.
# 3. The one with noise 2: at $p=DIM$ the risk is above that of $p=1$. And all coordinates carry equal signal here, so
#    that each new one helps; with useless ones a larger model would only see more noise, and a ridge, tuned for each
#    size, would change the comparison too.
#
# *Marks:* 1 for the variance, 1 for the unseen signal as noise, 1 for the two comparisons, 1 for part 3: the curve and
# one such reason.
