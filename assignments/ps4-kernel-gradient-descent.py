# %% [markdown]
# # Problem set 4: Kernel gradient descent
#
# Six questions on the chapter *Kernel gradient descent*, about 90 minutes, 25 points. Write in the cells that say
# `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked *Self-check* says what
# is wrong with an answer and is worth a point; the remaining points are given by tests that run after you have handed
# in; numbers are right to a ten-thousandth of the largest. No question needs the answer to another one. Write the
# formulas yourself: do not call the dynamics of `ntk_helpers`.
#
# The clock is that of the book: the loss is $\frac12\sum_i(f(x_i)-y_i)^2$, so $\dot f_t(x)=-\Theta(x,X)(f_t(X)-y)$,
# and $t=\eta\cdot$ steps.

# %% numbers
import numpy as np
from scipy.linalg import expm


def halves(*shape):
    """Return numbers such as -1.5, none zero and no two equal, up to the sign too."""
    sizes = rng.permutation(np.arange(1, 4 + np.prod(shape)))[:np.prod(shape)]
    return (rng.choice([-1, 1], len(sizes)) * sizes / 2).reshape(shape)


def kernel(n):
    """Return a kernel whose eigenvalues are neither near to each other nor far apart."""
    while True:
        theta = (lambda b: b @ b.T / 2)(rng.integers(-2, 3, (n, n + 1)))
        values = np.linalg.eigvalsh(theta)
        if values[0] > 0.3 and values[-1] < 15 * values[0] and np.diff(values).min() > 0.3 and (theta != 0).all():
            return theta

# %%
import numpy as np

from ntk_helpers import check, mlp, relu
from ntk_figures import curves

# %% [markdown]
# ## 1. Gradient flow (5 points)
#
# Return the outputs $u_t=f_t(X)$ on the training points at time $t$ under gradient flow, from an eigendecomposition
# of the symmetric matrix $\Theta=\Theta(X,X)$. Two things to mind: $t$ may be infinite (`np.inf`), and $\Theta$ may
# be *singular*. What does an eigenvector of eigenvalue 0 do?

# %% answer="1-flow"
def outputs_at(theta, y, f0, t):
    """Return f_t(X), shape (n,), for initial outputs f0."""
    ### BEGIN SOLUTION
    eigenvalues, vectors = np.linalg.eigh(theta)
    moving = eigenvalues > 1e-12 * eigenvalues.max()
    decay = np.ones(len(y))
    decay[moving] = np.exp(-eigenvalues[moving] * t)
    return y + vectors @ (decay * (vectors.T @ (f0 - y)))
    ### END SOLUTION

# %% numbers
# By the exponential of a matrix; the modes of eigenvalue 0 by a cross product.
THETA, Y1, F0, T1 = kernel(3), halves(3), halves(3), 0.3
U1 = Y1 + expm(-THETA * T1) @ (F0 - Y1)
HINTS = {
    "starts from zero, not from f0": Y1 - expm(-THETA * T1) @ Y1,
    "is the residual, not the outputs": U1 - Y1,
    "runs away from the targets: the sign of the exponent?": Y1 + expm(THETA * T1) @ (F0 - Y1),
    "moves twice as fast: the loss is half the sum of squares": Y1 + expm(-2 * THETA * T1) @ (F0 - Y1),
    "moves toward f0: are y and f0 in each other's place?": F0 + expm(-THETA * T1) @ (Y1 - F0),
}
assert apart(U1, HINTS)
THETA2, Y2, F2 = kernel(4), halves(4), halves(4)
U2 = [(Y2 + expm(-THETA2 * t) @ (F2 - Y2)).tolist() for t in (0.0, 0.2, 1.0)]
AWAY = halves(2, 3)
SINGULAR, Y3, F3, T3 = AWAY.T @ AWAY, halves(3), halves(3), 0.1
STILL = np.cross(*AWAY)
U3 = (Y3 + expm(-SINGULAR * T3) @ (F3 - Y3)).tolist()
U3_END = (Y3 + STILL * (STILL @ (F3 - Y3)) / (STILL @ STILL)).tolist()

# %% test="1-flow" points=1
check(outputs_at, U1, (THETA, Y1, F0, T1), strict=True, hints=HINTS)

# %% hidden="1-flow" points=1
for _t, _u in zip((0.0, 0.2, 1.0), U2):
    _near(_call(outputs_at, THETA2, Y2, F2, _t), _u, f"four points, time {_t}")

# %% hidden="1-flow" points=1
_near(_call(outputs_at, THETA2, Y2, F2, np.inf), Y2.tolist(), "four points, infinite time")
_kept(outputs_at, THETA2, Y2, F2, 0.5)

# %% hidden="1-flow" points=1
_near(_call(outputs_at, SINGULAR, Y3, F3, T3), U3, "a singular kernel, time T3")

# %% hidden="1-flow" points=1
_near(_call(outputs_at, SINGULAR, Y3, F3, np.inf), U3_END, "a singular kernel, infinite time")

# %% [markdown]
# ## 2. The best learning rate (4 points)
#
# Let $\Theta$ have the eigenvalues $\lambda_1\ge\dots\ge\lambda_n>0$, and consider the discrete iteration
# $u\leftarrow u-\eta\,\Theta(u-y)$.
#
# 1. Show that $u$ converges to $y$ from every start if and only if $0<\eta<2/\lambda_1$.
# 2. In each step the norm of the residual shrinks at least by the factor $\rho(\eta)=\max_i|1-\eta\lambda_i|$. Show
#    that the $\eta$ that makes it smallest is $\eta^\star=\frac2{\lambda_1+\lambda_n}$, and that
#    $\rho(\eta^\star)=\frac{\kappa-1}{\kappa+1}$ with $\kappa=\lambda_1/\lambda_n$.
# 3. Train at $\eta^\star$: which modes alternate in sign?

# %% [markdown] answer="2-best" points=4
# 1. With $r=u-y$, $r\leftarrow(I-\eta\Theta)r$; in the eigenbasis each coordinate is multiplied by $1-\eta\lambda_i$
#    in each step. It goes to zero from every start if and only if $|1-\eta\lambda_i|<1$ for all $i$, that is
#    $0<\eta\lambda_i<2$; the strictest condition is that of $\lambda_1$.
# 2. $|1-\eta\lambda|$ is convex in $\lambda$, so its maximum over the spectrum is at an end:
#    $\rho=\max(|1-\eta\lambda_1|,|1-\eta\lambda_n|)$. The second falls with $\eta$ as long as $\eta\lambda_n<1$, the
#    first grows once $\eta\lambda_1>1$; the smallest maximum is where $\eta\lambda_1-1=1-\eta\lambda_n$. Then
#    $\rho=1-\frac{2\lambda_n}{\lambda_1+\lambda_n}=\frac{\kappa-1}{\kappa+1}$.
# 3. Those with $\eta^\star\lambda_i>1$, that is $\lambda_i>\frac{\lambda_1+\lambda_n}2$.
#
# *Marks:* 1 for part 1 (both directions), 2 for part 2 (1 for "at the ends", 1 for the balance), 1 for part 3.

# %% [markdown]
# ## 3. The same in code (3 points)
#
# Return $\eta^\star$ and $\rho(\eta^\star)$ for a symmetric positive definite matrix.

# %% answer="3-rate"
def best_learning_rate(theta):
    """Return (learning rate, factor by which the residual shrinks at least)."""
    ### BEGIN SOLUTION
    eigenvalues = np.linalg.eigvalsh(theta)
    low, high = eigenvalues[0], eigenvalues[-1]
    return 2 / (low + high), (high - low) / (high + low)
    ### END SOLUTION

# %% numbers
# By norms of the matrix and of its inverse.
def extremes(theta):
    return 1 / np.linalg.norm(np.linalg.inv(theta), 2), np.linalg.norm(theta, 2)

THETA = kernel(3)
LOW, HIGH = extremes(THETA)
RATE, FACTOR = 2 / (LOW + HIGH), 1 - 2 * LOW / (LOW + HIGH)
HINTS_RATE = {
    "is the largest stable rate, not the best one": 2 / HIGH,
    "makes the fastest mode vanish, not the slowest mode fast": 1 / HIGH,
    "belongs to other eigenvalues: the largest and the smallest are needed": 2 / np.trace(THETA),
    "is the factor: return the learning rate first": FACTOR,
}
HINTS_FACTOR = {
    "is the factor at the rate of one over the largest eigenvalue": 1 - LOW / HIGH,
    "is that of the norm's square": FACTOR**2,
    "is the learning rate: return it first": RATE,
    "is the factor of the fastest mode, with its sign": -FACTOR,
}
assert apart(RATE, HINTS_RATE) and apart(FACTOR, HINTS_FACTOR)
THETA2 = kernel(4)
RATE2 = 2 / sum(extremes(THETA2))
FACTOR2 = 1 - RATE2 * extremes(THETA2)[0]

# %% test="3-rate" points=1
_rate, _factor = best_learning_rate(THETA)
check(_rate, RATE, name="learning rate", strict=True, hints=HINTS_RATE)
check(_factor, FACTOR, name="factor", strict=True, hints=HINTS_FACTOR)

# %% hidden="3-rate" points=1
_near(_call(best_learning_rate, THETA2)[0], RATE2, "four points, learning rate")

# %% hidden="3-rate" points=1
_near(_call(best_learning_rate, THETA2)[1], FACTOR2, "four points, factor")

# %% [markdown]
# ## 4. Between the data (5 points)
#
# Return the outputs at *test* points after `steps` steps of kernel gradient descent with learning rate $\eta$.
# `cross` $(m,n)$ is the kernel between test points and training points; the function starts from $f_0$, with values
# `f0` on the training points and `f0_test` at the test points. Do not change the arguments.

# %% answer="4-test-points"
def predict(theta, cross, y, f0, f0_test, learning_rate, steps):
    """Return f at the test points, shape (m,)."""
    ### BEGIN SOLUTION
    u, f = f0, f0_test
    for _ in range(steps):
        u, f = u - learning_rate * theta @ (u - y), f - learning_rate * cross @ (u - y)
    return f
    ### END SOLUTION

# %% numbers
# By the sum of a geometric series of matrices.
def after(theta, cross, y, f0, f0_test, rate, steps):
    powers = sum((np.linalg.matrix_power(np.eye(len(y)) - rate * theta, k) for k in range(steps)), 0 * theta)
    return f0_test - rate * cross @ powers @ (f0 - y)

CASE = kernel(2), halves(3, 2), halves(2), halves(2), halves(3), 0.1, 3
F1 = after(*CASE)
THETA, CROSS, Y1, F0, F0_TEST, RATE, STEPS = CASE
HINTS = {
    "takes one step too many": after(*CASE[:-1], STEPS + 1),
    "takes one step too few": after(*CASE[:-1], STEPS - 1),
    "moves as if the training outputs stayed at f0": F0_TEST - STEPS * RATE * CROSS @ (F0 - Y1),
    "uses training outputs that were moved already in the same step":
        after(THETA, CROSS @ (np.eye(2) - RATE * THETA), *CASE[2:]),
    "starts from zero at the test points": F1 - F0_TEST,
    "starts from zero at the training points": after(THETA, CROSS, Y1, 0 * Y1, *CASE[4:]),
    "moves away from the targets": after(THETA, -CROSS, *CASE[2:]),
}
assert apart(F1, HINTS)
CASE2 = kernel(3), halves(2, 3), halves(3), halves(3), halves(2), 0.08
FIRST, LATER = ([after(*CASE2, steps).tolist() for steps in some] for some in ((0, 1), (2, 9)))

# %% test="4-test-points" points=1
check(predict, F1, CASE, strict=True, hints=HINTS)

# %% hidden="4-test-points" points=1
for _steps, _f in zip((0, 1), FIRST):
    _near(_call(predict, *CASE2, _steps), _f, f"{_steps} steps")

# %% hidden="4-test-points" points=2
for _steps, _f in zip((2, 9), LATER):
    _near(_call(predict, *CASE2, _steps), _f, f"{_steps} steps")

# %% hidden="4-test-points" points=1
_f = _kept(predict, *CASE2, 3)
assert len(_f) == 2, f"two test points need two outputs, not {len(_f)}"

# %% [markdown]
# ## 5. When to stop (4 points)
#
# The targets are a signal plus noise, $y=s+\varepsilon$ with $\varepsilon\sim\mathcal N(0,\sigma^2I)$, and training
# starts from $f_0=0$. Return the expected squared distance of the outputs from the *signal*, $\mathbb E\|u_t-s\|^2$
# over the noise, at each of the given times, of shape $(k,)$. There is a formula, a sum over eigenvectors $v_i$ of a part from
# $v_i^\top s$ and a part from the noise; derive it, and do not simulate.

# %% answer="5-stopping"
def expected_risk(theta, signal, noise_std, times):
    """Return E|u_t - s|² for each time, an array of the shape of times."""
    ### BEGIN SOLUTION
    eigenvalues, vectors = np.linalg.eigh(theta)
    decay = np.exp(-np.outer(times, eigenvalues))
    return decay**2 @ (vectors.T @ signal) ** 2 + noise_std**2 * ((1 - decay) ** 2).sum(axis=1)
    ### END SOLUTION

# %% numbers
# By the exponential of a matrix.
def risk(theta, signal, noise_std, times):
    stay = [expm(-theta * t) for t in times]
    return np.array([((e @ signal) ** 2).sum() + noise_std**2 * ((np.eye(len(signal)) - e) ** 2).sum() for e in stay])

THETA, SIGNAL, NOISE, TIMES = kernel(3), halves(3), 0.7, np.array([0.1, 0.4, 1.5])
RISK = risk(THETA, SIGNAL, NOISE, TIMES)
HINTS = {
    "has the noise's standard deviation where its variance belongs": risk(THETA, SIGNAL, NOISE**0.5, TIMES),
    "is the signal's part alone: the noise is missing": risk(THETA, SIGNAL, 0, TIMES),
    "is the noise's part alone: the signal is missing": risk(THETA, 0 * SIGNAL, NOISE, TIMES),
    "lets the noise shrink, as in the distance from the targets: its part grows":
        risk(THETA, SIGNAL, 0, TIMES) + NOISE**2 * np.array([(expm(-THETA * t) ** 2).sum() for t in TIMES]),
    "counts the noise of one mode, not of all":
        risk(THETA, SIGNAL, 0, TIMES) + risk(THETA, 0 * SIGNAL, NOISE, TIMES) / 3,
    "shrinks too slowly: a square is missing": np.array(
        [SIGNAL @ expm(-THETA * t) @ SIGNAL for t in TIMES]) + risk(THETA, 0 * SIGNAL, NOISE, TIMES),
}
assert apart(RISK, HINTS)
THETA2, SIGNAL2, TIMES2 = kernel(4), halves(4), np.array([0.0, 0.2, 0.5, 3.0, 20.0])
QUIET, NOISE_ONLY, BOTH = (risk(THETA2, signal, noise, TIMES2).tolist() for signal, noise in (
    (SIGNAL2, 0.0), (0 * SIGNAL2, 1.6), (SIGNAL2, 0.3)))

# %% test="5-stopping" points=1
check(expected_risk, RISK, (THETA, SIGNAL, NOISE, TIMES), strict=True, hints=HINTS)

# %% hidden="5-stopping" points=1
_near(_call(expected_risk, THETA2, SIGNAL2, 0.0, TIMES2), QUIET, "four points, no noise")

# %% hidden="5-stopping" points=1
_near(_call(expected_risk, THETA2, 0 * SIGNAL2, 1.6, TIMES2), NOISE_ONLY, "four points, no signal")

# %% hidden="5-stopping" points=1
_near(_call(expected_risk, THETA2, SIGNAL2, 0.3, TIMES2), BOTH, "four points, signal and noise")

# %% [markdown]
# With your function the next cell draws the risk for the tangent kernel of a network on 40 points of the circle and a
# slow and a fast signal.

# %%
_angle = 2 * np.pi * np.arange(40) / 40
_circle = np.stack([np.cos(_angle), np.sin(_angle)], axis=1)
_theta, _times = mlp(2, relu, 2**0.5, 0.5).kernels(_circle).ntk, np.logspace(-3, 3, 60)
curves(np.log10(_times), {f"signal cos({j}γ), noise {s}": expected_risk(_theta, np.cos(j * _angle), s, _times) / 40
                          for j, s in ((1, 0.0), (1, 0.5), (4, 0.5))}, xlabel="log₁₀ of the time", ylabel="risk for each point")

# %% [markdown]
# ## 6. Reading (4 points)
#
# 1. Why has the curve with noise a minimum, and the one without noise none?
# 2. Why does the faster signal, $\cos4\gamma$, have to be trained longer, and why is its best risk worse? (Speak of
#    modes.)
# 3. Ridge regression multiplies a mode by $\lambda/(\lambda+\rho)$, stopping at $t$ by $1-e^{-\lambda t}$. For which
#    $\rho$ do the two agree on the slow modes, and where do they differ?

# %% [markdown] answer="6-reading" points=4
# 1. In each mode the signal's part of the risk falls like $e^{-2\lambda t}$ and the noise's part grows like
#    $(1-e^{-\lambda t})^2$. Modes of large eigenvalue learn the signal first; later ones carry mostly noise. Without
#    noise only the first part is there.
# 2. $\cos4\gamma$ is an eigenvector with a smaller eigenvalue. Until it is learned, all modes with larger eigenvalues
#    have taken up their noise.
# 3. For small $\lambda$ they are $\lambda/\rho$ and $\lambda t$: equal for $\rho=1/t$. For $\lambda t\gg1$ stopping
#    comes exponentially near to 1, ridge only like $1-\rho/\lambda$: it shrinks large modes more.
#
# *Marks:* 1 for part 1, 2 for part 2 (1 for the time, 1 for the noise of the faster modes), 1 for part 3.
