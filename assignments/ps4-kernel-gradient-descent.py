# %% [markdown]
# # Problem set 4: Kernel gradient descent
#
# Six questions on the chapter *Kernel gradient descent*, about 90 minutes, 25 points. Write in the cells that say
# `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked *Self-check* says what
# is wrong with an answer and is worth a point; the remaining points are given by tests that run after you have handed
# in. No question needs the answer to another one. Write the formulas yourself: do not call the dynamics of
# `ntk_helpers`.
#
# The clock is that of the book: the loss is $\frac12\sum_i(f(x_i)-y_i)^2$, so $\dot f_t(x)=-\Theta(x,X)(f_t(X)-y)$,
# and $t=\eta\cdot$ steps.

# %%
import numpy as np

from ntk_helpers import check, mlp, relu
from ntk_helpers.figures import curves

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

# %% test="1-flow" points=1
_u = outputs_at(np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([1.0, -1.0]), np.array([0.0, 1.0]), 0.5)
check(_u, [0.6321205588285577, 0.2130613194252668], name="outputs_at")
assert -1e-9 < float(_u[0]) - 0.6321205588 < 1e-9 and -1e-9 < float(_u[1]) - 0.2130613194 < 1e-9, "see the line above"

# %% hidden="1-flow" points=2
_theta, _y, _f0 = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, -2.0]), np.array([0.5, 0.5])
for _t, _wants in ((0.3, (0.2953423287, -0.4822030092)), (np.inf, (1.0, -2.0)), (0.0, (0.5, 0.5))):
    for _got, _want in zip(outputs_at(_theta, _y, _f0, _t), _wants, strict=True):
        assert -1e-8 < float(_got) - _want < 1e-8, f"time {_t}: {float(_got):.6g} should be {_want:.6g}"

# %% hidden="1-flow" points=2
_theta = np.array([[1.0, 2.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 1.0]])  # eigenvalues 0, 1, 6
for _t, _wants in ((0.5, (-0.2994291329, 0.8416311781, 0.440489444)), (np.inf, (-2 / 3, 5 / 6, 7 / 6))):
    for _got, _want in zip(outputs_at(_theta, np.array([1.0, 0.0, 2.0]), np.array([0.0, 1.0, 0.0]), _t), _wants, strict=True):
        assert -1e-6 < float(_got) - _want < 1e-6, f"a singular kernel, time {_t}: {float(_got):.6g} should be {_want:.6g}"

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

# %% test="3-rate" points=1
_rate, _factor = best_learning_rate(np.diag([3.0, 1.0]))
check(_rate, 0.5, name="learning rate")
check(_factor, 0.5, name="factor")
assert -1e-9 < float(_rate) - 0.5 < 1e-9 and -1e-9 < float(_factor) - 0.5 < 1e-9, "see the lines above"

# %% hidden="3-rate" points=2
_rate, _factor = best_learning_rate(np.array([[2.0, 2.0, 0.0], [2.0, 6.0, 1.0], [0.0, 1.0, 2.0]]))  # eigenvalues 1, 2, 7
assert -1e-9 < float(_rate) - 0.25 < 1e-9, f"eigenvalues 1, 2, 7: learning rate {float(_rate):.6g} should be 0.25"
assert -1e-9 < float(_factor) - 0.75 < 1e-9, f"eigenvalues 1, 2, 7: factor {float(_factor):.6g} should be 0.75"

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

# %% test="4-test-points" points=1
_f = predict(np.array([[1.0]]), np.array([[0.5]]), np.array([2.0]), np.array([1.0]), np.array([0.25]), 0.5, 2)
check(_f, [0.625], name="predict")
assert -1e-9 < float(_f[0]) - 0.625 < 1e-9, "see the line above"

# %% hidden="4-test-points" points=3
_theta, _cross = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.5], [0.0, -1.0]])
for _steps, _wants in ((0, (0.2, -1.0)), (1, (0.05, -0.5)), (7, (0.2935328, 0.5182144))):
    _f = predict(_theta, _cross, np.array([1.0, -2.0]), np.array([0.5, 0.5]), np.array([0.2, -1.0]), 0.2, _steps)
    for _got, _want in zip(_f, _wants, strict=True):
        assert -1e-7 < float(_got) - _want < 1e-7, f"{_steps} steps: {float(_got):.6g} should be {_want:.6g}"

# %% hidden="4-test-points" points=1
_start, _start_test = np.array([0.5, 0.5]), np.array([0.2])
predict(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, 0.5]]), np.array([1.0, -2.0]), _start, _start_test, 0.2, 3)
assert 0.4999 < float(_start[0]) < 0.5001 and 0.1999 < float(_start_test[0]) < 0.2001, "f0 or f0_test was changed in place"

# %% [markdown]
# ## 5. When to stop (4 points)
#
# The targets are a signal plus noise, $y=s+\varepsilon$ with $\varepsilon\sim\mathcal N(0,\sigma^2I)$, and training
# starts from $f_0=0$. Return the expected squared distance of the outputs from the *signal*, $\mathbb E\|u_t-s\|^2$
# over the noise, at each of the given times. There is a formula, a sum over eigenvectors $v_i$ of a part from
# $v_i^\top s$ and a part from the noise; derive it, and do not simulate.

# %% answer="5-stopping"
def expected_risk(theta, signal, noise_std, times):
    """Return E|u_t - s|² for each time, an array of the shape of times."""
    ### BEGIN SOLUTION
    eigenvalues, vectors = np.linalg.eigh(theta)
    decay = np.exp(-np.outer(times, eigenvalues))
    return decay**2 @ (vectors.T @ signal) ** 2 + noise_std**2 * ((1 - decay) ** 2).sum(axis=1)
    ### END SOLUTION

# %% test="5-stopping" points=1
_risk = expected_risk(np.diag([1.0, 2.0]), np.array([3.0, 0.0]), 0.5, np.array([0.0, 1.0]))
check(_risk, [9.0, 1.5048229174568237], name="expected_risk")
assert -1e-9 < float(_risk[0]) - 9 < 1e-9 and -1e-9 < float(_risk[1]) - 1.5048229175 < 1e-9, "see the line above"

# %% hidden="5-stopping" points=2
_risk = expected_risk(np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([1.0, 0.0]), 0.3, np.array([0.1, 0.5, 2.0]))
for _got, _want in zip(_risk, (0.6906319946, 0.2770842931, 0.1660033257), strict=True):
    assert -1e-8 < float(_got) - _want < 1e-8, f"signal (1, 0), noise 0.3: {float(_got):.6g} should be {_want:.6g}"

# %% hidden="5-stopping" points=1
# Monte Carlo, 100 000 draws of the noise: 1.2132 with a standard error of 0.0031; four of them.
_theta = np.array([[3.0, 1.0, 0.5], [1.0, 2.0, 0.2], [0.5, 0.2, 1.0]])
_got = float(expected_risk(_theta, np.array([1.0, -1.0, 0.5]), 0.8, np.array([0.6]))[0])
assert -0.0124 < _got - 1.2132 < 0.0124, f"three points, time 0.6: {_got:.4f}, by Monte Carlo 1.2132 ± 0.0124"

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
