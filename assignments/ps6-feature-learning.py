# %% [markdown]
# # Problem set 6: Symmetry and feature learning
#
# Five questions on the chapters *The convolutional kernel* and *Feature learning*, about 120 minutes, 26 points. Write
# in the cells that say `YOUR CODE HERE` or `YOUR ANSWER HERE`; add cells of your own where you like. A cell marked
# *Self-check* says what is wrong with an answer and is worth a point; the remaining points are given by tests that run
# after you have handed in; numbers are right to a ten-thousandth of the largest. No question needs the answer to
# another one. Write the formulas yourself: do not call `ntk_helpers`.

# %% numbers
import itertools

import numpy as np

from ntk_helpers import mlp, relu


def halves(*shape):
    """Return numbers such as -1.5, none zero and no two equal, up to the sign too."""
    sizes = rng.permutation(np.arange(1, 4 + np.prod(shape)))[:np.prod(shape)]
    return (rng.choice([-1, 1], len(sizes)) * sizes / 2).reshape(shape)

# %%
import numpy as np

from ntk_helpers import check
from ntk_figures import curves, legend

# %% [markdown]
# ## 1. What symmetry costs (6 points)
#
# Let $G$ be a finite group of maps of the inputs that do not change the law of an input $x$, and $K$ a kernel with
# $K(gx,gx')=K(x,x')$ for all $g\in G$. Let $\chi_1,\dots,\chi_N$ be *orthonormal* functions, $\mathbb
# E[\chi_i(x)\chi_j(x)]=\mathbf 1\{i=j\}$, each of which is $\chi_1$ seen through a map of $G$: for each $i$ there is a
# $g$ with $\chi_i(x)=\chi_1(gx)$ for all $x$. The $n$ examples $X=(x_1,\dots,x_n)$ are independent draws. (For
# permutations of coordinates and parities, the book has what follows.)
#
# 1. For each $X$ take the best fit to $\chi_1$ in the span of $K(\cdot,x_1),\dots,K(\cdot,x_n)$. Show that its mean
#    squared error, on average over $X$, is at least $1-n/N$. Where do you use that $G$ changes neither the law nor $K$?
# 2. Now $J$ kernels are tried, each as in part 1, and the best of all the fits counts, as judged on new inputs. Show
#    the bound $1-Jn/N$. It also holds if no single one of the $J$ kernels has the symmetry, but each $g$ carries these
#    kernels into each other. For parities of $k$ out of $d$ coordinates, $N=\binom dk$, take for each set of $k$
#    coordinates a kernel that sees these coordinates only. What is left of the bound? What does that have to do with
#    feature learning?
# 3. Inputs are uniform on $\{-1,1\}^d$, read as signals on a ring of $d$ places, and the target is $x_1x_2$. What does
#    part 1 say about the kernel of a fully connected network, and what about that of a convolutional one with circular
#    padding and a flat head? May one conclude that $d$ examples are enough for the second?
# 4. A network's weights at the start prefer no coordinate either. In the book a small network learns a parity of three
#    out of $d=30$ coordinates from 800 examples. Which step of your proof fails for the trained network?

# %% [markdown] answer="1-symmetry" points=6
# 1. Let $\Pi_X$ be the orthogonal projection onto the span, in the space with $\langle f,h\rangle=\mathbb E[fh]$. The
#    best fit to $\chi_i$ has the error $1-\|\Pi_X\chi_i\|^2$, and $\sum_i\|\Pi_X\chi_i\|^2\le\operatorname{tr}\Pi_X\le
#    n$, as the $\chi_i$ are orthonormal. So the mean of these errors over $i$ is at least $1-n/N$ for every $X$. Write
#    $U_gf=f(g\,\cdot)$. As $g$ does not change the *law of $x$*, $U_g$ keeps inner products; as it does not change
#    *$K$*, $U_gK(\cdot,x_j)=K(\cdot,g^{-1}x_j)$, so $U_g$ carries the span of $X$ to that of $g^{-1}X$, and
#    $\|\Pi_X\chi_1\|=\|\Pi_{g^{-1}X}U_g\chi_1\|$. Since $g^{-1}X$ has the *law of $X$*, $\mathbb
#    E\|\Pi_X\chi_1\|^2=\mathbb E\|\Pi_X\chi_i\|^2$ for $\chi_i=U_g\chi_1$. All are equal on average to their mean over
#    $i$, at most $n/N$.
# 2. Each fit lies in the span of all $Jn$ functions together, whatever the choice depends on, and the best fit in that
#    span is at least as good. It has dimension $Jn$ at most, and $U_g$ carries it to that of $g^{-1}X$, also if $g$
#    exchanges the kernels. The rest is part 1. With a kernel for each set, $J=N$, and $1-n\le0$: nothing is left.
#    Rightly, as the kernel on the right coordinates has only $2^k$ inputs to learn. A network that learns features
#    chooses its kernel by the labels, out of very many; the bound is about kernels fixed before.
# 3. Fully connected: all permutations, $N=\binom d2$, error at least $1-\frac{2n}{d(d-1)}$. Flat head: shifts of both
#    inputs leave the kernel as it is (other permutations in general do not, but for the reflection), and carry $x_1x_2$
#    to the products of the $d$ pairs of neighbors: error at least $1-n/d$. No: the error is bounded from below, and
#    nothing says that the bound is reached.
# 4. The trained function does not lie in a span that is the same for all $\chi_i$: with another target the neurons move
#    elsewhere, so $\sum_i\|\Pi\chi_i\|^2\le n$ has no single $\Pi$. (The symmetry holds: on average all $\chi_i$ are
#    equally hard.)
#
# *Marks:* 1 for the trace, 1 for the average with the three uses; 1 for $Jn$, 1 for the choice among $N$ kernels; 1 for
# part 3; 1 for part 4.

# %% [markdown]
# ## 2. Between the flat head and the pooled one (5 points)
#
# Signals live on a ring of $P$ places and have $C$ channels. A network has one hidden layer of filters that see a place
# and its two neighbors around the ring, ReLU, $\sigma_w^2=2$ and no biases, in the parameterization of the book. Its
# head looks through *windows* of $w\le P$ successive places, which go around the ring as well. They begin at the places
# $0,s,2s,\dots$, where the *stride* $s$ divides $P$, so there are $M=P/s$ windows. Each channel is averaged over each
# window, and the readout has a weight for each average:
# $$f(x)=\sqrt{\frac2{M\,n}}\;\sum_{c=1}^n\sum_{j=0}^{M-1}a_{cj}\;\frac1w\sum_{i=0}^{w-1}h_{c,\,sj+i}(x).$$
# All weights are trained. Return the tangent kernel in the limit of infinitely many channels $n$, for all pairs of
# signals of two arrays.
#
# For $(u,v)$ Gaussian with covariance $k$, variances $q_1,q_2$ and $\cos\gamma=k/\sqrt{q_1q_2}$,
# $$\mathbb E[\phi(u)\phi(v)]=\frac{\sqrt{q_1q_2-k^2}+(\pi-\gamma)\,k}{2\pi},\qquad\mathbb
# E[\phi'(u)\phi'(v)]=\frac{\pi-\gamma}{2\pi}.$$
# Mind cosines beyond 1. What a filter sees may be zero; such a place counts as zero.

# %% answer="2-windows"
def window_ntk(x1, x2, window, stride):
    """Return the tangent kernel (n1, n2) for x1 of shape (n1, P, C) and x2 of shape (n2, P, C)."""
    ### BEGIN SOLUTION
    places, channels = x1.shape[1:]
    see1, see2 = (np.concatenate([np.roll(x, by, axis=1) for by in (1, 0, -1)], axis=2) for x in (x1, x2))
    k = 2 / (3 * channels) * np.einsum("apf,bqf->abpq", see1, see2)
    size1, size2 = (np.linalg.norm(see, axis=2) for see in (see1, see2))
    scale = 2 / (3 * channels) * np.einsum("ap,bq->abpq", size1, size2)
    cosine = np.clip(k / np.where(scale > 0, scale, 1), -1, 1)
    pairs = (scale * np.sqrt(1 - cosine**2) + 2 * (np.pi - np.arccos(cosine)) * k) / np.pi
    inside = (np.arange(0, places, stride)[:, None] + np.arange(window)) % places
    return pairs[:, :, inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))
    ### END SOLUTION

# %% numbers
# A filter is a dense layer on what it sees: by the package's kernel of such networks, then place by place.
def pairs(x1, x2, about="ntk", around="wrap"):
    def seen(x):
        wide = np.pad(x, ((0, 0), (1, 1), (0, 0)), mode=around)
        return np.array([one[p:p + 3].ravel() for one in wide for p in range(x.shape[1])])

    k = getattr(mlp(1, relu, 2**0.5).kernels(seen(x1), seen(x2)), about)
    return k.reshape(len(x1), x1.shape[1], len(x2), x2.shape[1]).swapaxes(1, 2)

def first(x1, x2):
    """Return the kernel of preactivations, of all pairs of places."""
    return sum(np.einsum("apc,bqc->abpq", np.roll(x1, by, 1), np.roll(x2, by, 1)) for by in (-1, 0, 1)) * (
        2 / (3 * x1.shape[2]))

def headed(k, window, stride, begin=0, ring=True, equal=False):
    total, places = 0, k.shape[2]
    for start in range(begin, places + begin, stride):
        inside = [p % places for p in range(start, start + window) if ring or p < places]
        total = total + sum(k[:, :, p, q] for p in inside for q in inside if p == q or not equal) / len(inside)**2
    return total / (places // stride)

def crossed(k, window, stride):
    """Return the mean over all pairs of windows: the readout with one weight for all of them."""
    count = np.zeros(k.shape[2])
    for start in range(0, len(count), stride):
        count[np.arange(start, start + window) % len(count)] += stride / window / len(count)
    return np.einsum("abpq,p,q->ab", k, count, count)

CASE = halves(2, 6, 2), halves(3, 6, 2), 3, 2
X1, X2, WINDOW, STRIDE = CASE
PAIRS = pairs(X1, X2)
KERNEL = headed(PAIRS, WINDOW, STRIDE)
HINTS = {
    "is that of a flat head: pairs of equal places only": headed(PAIRS, 1, 1),
    "is that of a pooled head: all pairs of places": headed(PAIRS, 6, 6),
    "is the NNGP kernel: the filters are trained too": headed(pairs(X1, X2, "nngp"), WINDOW, STRIDE),
    "is the filters' part alone: the readout is trained too":
        headed(PAIRS - pairs(X1, X2, "nngp"), WINDOW, STRIDE),
    "lacks E[φ'φ']": headed(pairs(X1, X2, "nngp") + 2 * first(X1, X2), WINDOW, STRIDE),
    "lets windows meet each other: the readout has a weight for each window": crossed(PAIRS, WINDOW, STRIDE),
    "forgets pairs of different places in a window": headed(PAIRS, WINDOW, STRIDE, equal=True),
    "ignores the stride": headed(PAIRS, WINDOW, 1),
    "cuts windows off at the last place: they go around the ring": headed(PAIRS, WINDOW, STRIDE, ring=False),
    "has each window a place too early or too late, or its filters are not in their middle":
        headed(PAIRS, WINDOW, STRIDE, begin=-1),
    "has filters that see zeros beyond the ends: they go around the ring":
        headed(pairs(X1, X2, around="constant"), WINDOW, STRIDE),
    "takes the window for the stride and the stride for the window": headed(PAIRS, STRIDE, WINDOW),
}
assert apart(KERNEL, HINTS)
X3, X4 = halves(2, 5, 3), halves(3, 5, 3)
FLAT, POOLED = headed(pairs(X3, X4), 1, 1), headed(pairs(X3, X4), 5, 5)
assert apart(POOLED, {"flat": FLAT})
X5, X6 = halves(3, 7, 1), halves(2, 7, 1)
ALL = headed(pairs(X5, X6), 3, 1)
assert apart(ALL, {"centered": headed(pairs(X5, X6), 2, 1), "cut off": headed(pairs(X5, X6), 3, 1, ring=False)})
X7, X8 = halves(2, 8, 2), halves(2, 8, 2)
STRIDES = headed(pairs(X7, X8), 4, 2)
assert apart(STRIDES, {"stride 1": headed(pairs(X7, X8), 4, 1), "stride 4": headed(pairs(X7, X8), 4, 4)})
BLANK = halves(3, 6, 2) * (np.arange(6) % 5 == 0)[:, None]
LIT = headed(pairs(BLANK, BLANK), 2, 3)

# %% test="2-windows" points=1
check(window_ntk(X1, X2, WINDOW, STRIDE), KERNEL, name="window_ntk", strict=True, hints=HINTS)

# %% hidden="2-windows" points=1
_near(_call(window_ntk, X3, X4, 1, 1), FLAT, "windows of one place: a flat head")
_near(_call(window_ntk, X3, X4, 5, 5), POOLED, "a window of all places: a pooled head")

# %% hidden="2-windows" points=1
_near(_call(window_ntk, X5, X6, 3, 1), ALL, "windows of 3 out of 7 places, stride 1")

# %% hidden="2-windows" points=1
_near(_call(window_ntk, X7, X8, 4, 2), STRIDES, "windows of 4 out of 8 places, stride 2")
_kept(window_ntk, X7, X8, 4, 2)

# %% hidden="2-windows" points=1
# Rounding moves the cosine of equal patches; there the slope of arccos is infinite, hence the wider tolerance.
_near(_call(window_ntk, BLANK, BLANK, 2, 3), LIT, "the same signals twice, with blank places", within=2e-3)

# %% [markdown]
# ## 3. Infinitely many linear neurons (5 points)
#
# Each neuron is a point $\theta=(a,w)\in\mathbb R^{1+d}$, and the activation is $\phi(z)=z$. With the mean
# $\mathbb E$ over all neurons, as many as you like, and the scale $s$,
# $$f(x)=s\,\mathbb E[a\,z(x)],\qquad z(x)=\frac{w^\top x}{\sqrt d},\qquad\Theta(x,x')=\mathbb
# E[z(x)\,z(x')]+\mathbb E[a^2]\,\frac{x^\top x'}d.$$
# In a step of gradient descent, with $e_i=f(x_i)-y_i$, each neuron moves by
# $$a\leftarrow a-\frac\eta s\sum_ie_i\,z(x_i),\qquad w\leftarrow w-\frac\eta s\sum_ie_i\,a\,\frac{x_i}{\sqrt d},$$
# both from the old $a$ and $w$. The neurons meet in the $e_i$ only, so in one step *the same* matrix multiplies all of
# them. Which one? Then the second moments $\mathbb E[\theta\theta^\top]$, a matrix with $a$ in the first row and
# column, are all that you need: return the outputs $f(X)$ and the tangent kernel $\Theta(X,X)$ after `steps` steps. The
# moments at the start may be any; $a$ and $w$ need not be uncorrelated.

# %% answer="3-moments"
def train_moments(moments, x, y, s, eta, steps):
    """Return (outputs (n,), tangent kernel (n, n)) for moments (1 + d, 1 + d) at the start and x of shape (n, d)."""
    ### BEGIN SOLUTION
    unit = x / np.sqrt(x.shape[1])
    for _ in range(steps):
        pull = unit.T @ (s * unit @ moments[1:, 0] - y)
        step = np.eye(len(moments))
        step[0, 1:] = step[1:, 0] = -eta / s * pull
        moments = step @ moments @ step.T
    return s * unit @ moments[1:, 0], unit @ moments[1:, 1:] @ unit.T + moments[0, 0] * unit @ unit.T
    ### END SOLUTION

# %% numbers
# Neuron by neuron, for a few of them.
def neurons(theta, x, y, s, eta, steps, scaled=1.0, parts=(1, 1), frozen=False, in_turn=False):
    """Return outputs, and the two parts of the kernel."""
    root, theta = x.shape[1] ** 0.5, [(one[0], one[1:]) for one in theta]
    kept = None
    for _ in range(steps):
        e = s * np.mean([[a * (w @ one) / root for one in x] for a, w in theta], axis=0) - y
        kept = e if kept is None else kept
        e, moved = kept if frozen else e, []
        for a, w in theta:
            new = a - parts[0] * scaled * eta / s * sum(ei * (w @ one) / root for ei, one in zip(e, x))
            used = new if in_turn else a
            moved.append((new, w - parts[1] * scaled * eta / s * sum(ei * used * one / root for ei, one in zip(e, x))))
        theta = moved
    f = s * np.mean([[a * (w @ one) / root for one in x] for a, w in theta], axis=0)
    below = np.mean([np.outer(x @ w, x @ w) for _, w in theta], axis=0) / x.shape[1]
    return f, below, np.mean([a**2 for a, _ in theta]) * x @ x.T / x.shape[1]

def one_side(moments, x, y, s, eta, steps):
    for _ in range(steps):
        e = s * x @ moments[1:, 0] / x.shape[1] ** 0.5 - y
        along = eta / s * x.T @ e / x.shape[1] ** 0.5
        moments = moments - np.r_[[along @ moments[1:]], np.outer(along, moments[0])]
    return s * x @ moments[1:, 0] / x.shape[1] ** 0.5

def law(count, d):
    """Return some neurons and their moments."""
    theta = halves(count, 1 + d) * 3 / (count * (1 + d))
    return theta, theta.T @ theta / count

THETA, MOMENTS = law(4, 3)
CASE = X1, Y1, SCALE, RATE, STEPS = halves(2, 3) * 0.6, halves(2), 0.8, 0.1, 3
OUTPUTS, BELOW, ABOVE = neurons(THETA, *CASE)
KERNEL = BELOW + ABOVE
def instead(steps=STEPS, x=X1, s=SCALE, **options):
    return neurons(THETA, x, Y1, s, RATE, steps, **options)[0]

HINTS_OUTPUTS = {
    "takes one step too many": instead(STEPS + 1),
    "takes one step too few": instead(STEPS - 1),
    "uses the first residual in all steps": instead(frozen=True),
    "trains the readout weights alone": instead(parts=(1, 0)),
    "trains the first layer alone": instead(parts=(0, 1)),
    "moves w by the new a: both move from the old ones": instead(in_turn=True),
    "multiplies the moments on one side only: they are a mean of θθᵀ": one_side(MOMENTS, *CASE),
    "moves away from the targets": instead(scaled=-1.0),
    "lacks 1/s in the step": instead(scaled=SCALE),
    "has 1/s² in the step": instead(scaled=1 / SCALE),
    "has a mean over examples in the step: it is a sum": instead(scaled=1 / 2),
    "does not divide by the root of d": instead(x=X1 * 3**0.5),
    "divides by d where its root belongs": instead(x=X1 / 3**0.5),
    "lacks the scale s at the end": OUTPUTS / SCALE,
    "is the residual, not the outputs": OUTPUTS - Y1,
}
START = sum(neurons(THETA, *CASE[:-1], 0)[1:])
HINTS_KERNEL = {
    "is the kernel at the start: it moves": START,
    "is the first layer's part alone: E[a²] is missing": ABOVE,
    "is the readout's part alone: E[zz'] is missing": BELOW,
    "lacks the inputs' kernel beside E[a²]": BELOW + ABOVE / (X1 @ X1.T / 3),
    "does not divide by d beside E[a²]": BELOW + 3 * ABOVE,
    "does not divide by d in E[zz']": 3 * BELOW + ABOVE,
}
assert apart(OUTPUTS, HINTS_OUTPUTS) and apart(KERNEL, HINTS_KERNEL)
assert np.sum((OUTPUTS - Y1) ** 2) < np.sum((instead(0) - Y1) ** 2)
assert np.abs(KERNEL - START).max() > 0.1 * np.abs(KERNEL).max()
THETA2, MOMENTS2 = law(5, 4)
CASE2 = X3, Y3, SCALE2, RATE2 = halves(3, 4) * 0.3, halves(3), 1.7, 0.07
RUNS = [neurons(THETA2, *CASE2, steps) for steps in (0, 1, 6)]
F0, F1, F6 = (run[0] for run in RUNS)
T0, T1, T6 = (run[1] + run[2] for run in RUNS)
assert np.sum((F6 - Y3) ** 2) < np.sum((F1 - Y3) ** 2) < np.sum((F0 - Y3) ** 2)
assert apart(T6, {"first": T1, "start": T0}) and apart(F6, {"first": F1, "start": F0})

# %% test="3-moments" points=1
_outputs, _kernel = train_moments(MOMENTS, X1, Y1, SCALE, RATE, STEPS)
check(_outputs, OUTPUTS, name="outputs", strict=True, hints=HINTS_OUTPUTS)
check(_kernel, KERNEL, name="kernel", strict=True, hints=HINTS_KERNEL)

# %% hidden="3-moments" points=1
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 0)[0], F0, "outputs at the start")
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 1)[0], F1, "outputs after a step")

# %% hidden="3-moments" points=1
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 6)[0], F6, "outputs after six steps")

# %% hidden="3-moments" points=1
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 0)[1], T0, "kernel at the start")
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 1)[1], T1, "kernel after a step")

# %% hidden="3-moments" points=1
_near(_call(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 6)[1], T6, "kernel after six steps")
_kept(train_moments, MOMENTS2, X3, Y3, SCALE2, RATE2, 6)

# %% [markdown]
# ## 4. What the first step sees (4 points)
#
# Inputs are uniform on $\{-1,1\}^d$, and a network of ReLU neurons starts from $f=0$. So its first step of gradient
# descent on $n$ examples moves the weights $w_r$ along $\pm g_r$ with
# $$g_r=\frac1n\sum_{i=1}^ny_i\,\phi'(z_{ri})\,x_i,\qquad z_{ri}=\frac{w_r^\top x_i}{\sqrt d}+b_r .$$
#
# Draw `repeats` times $n$ new examples for the same neurons, and return for each coordinate $j$ the mean of $g_{rj}^2$
# over neurons and draws, of shape $(d,)$. `target` is a function that returns $y$, $(n,)$, for inputs of shape $(n,d)$.
# All random numbers come from `rng`, in any order; results are compared within 20 % of the largest.

# %% answer="4-first-step"
def first_step(rng, W, b, target, n, repeats):
    """Return the mean square of the first step, (d,), for neurons of weights W (m, d) and biases b (m,)."""
    ### BEGIN SOLUTION
    total, d = 0, W.shape[1]
    for _ in range(repeats):
        x = rng.choice([-1.0, 1.0], (n, d))
        active = x @ W.T / np.sqrt(d) + b > 0
        total = total + np.mean(((target(x)[:, None] * active).T @ x / n) ** 2, axis=0)
    return total / repeats
    ### END SOLUTION

# %% numbers
# By all inputs: the square of a mean of n independent terms has the expectation mean² (1 - 1/n) + mean square / n.
def slope(z):
    return z > 0

def squares(W, b, target, n, factor=slope, scale=1.0, low=-1.0, together=False, mean_first=False):
    x = np.array(list(itertools.product((low, 1.0), repeat=W.shape[1])))
    sides = factor(scale * x @ W.T / W.shape[1] ** 0.5 + b)
    terms = (target(x)[:, None] * sides)[:, :, None] * x[:, None]
    terms = terms.mean(axis=1, keepdims=True) if together else terms
    mean = terms.mean(axis=0)
    noise = 0 if mean_first else ((terms**2).mean(axis=0) - mean**2) / n
    return (mean**2 + noise).mean(axis=0)

def clear(right, wrong):
    """Return whether the tolerance tells wrong answers from the right one, which shows the coordinates."""
    return right.max() > 1.6 * right.min() and all(apart(right, {"": one}, 0.27) for one in wrong)

def drawn(m, d, target, n):
    """Return weights and biases with no preactivation near a kink, and the mean squares."""
    while True:
        W, b = rng.normal(size=(m, d)).round(1), rng.permutation(np.arange(3, 3 + m)) * rng.choice([-1, 1], m) / 5
        z = np.array(list(itertools.product((-1.0, 1.0), repeat=d))) @ W.T / d**0.5 + b
        right = squares(W, b, target, n)
        if np.abs(z).min() > 0.01 and (np.abs((z > 0).mean(axis=0) - 0.5) < 0.4).all() and clear(
                right, [squares(W, b, target, n, **one) for one in ({"scale": d**0.5}, {"together": True})]
                + [squares(W, 0 * b, target, n)]):
            return W, b, right

PARITY, TRIPLE = (sorted(rng.permutation(d)[:k].tolist()) for d, k in ((4, 2), (6, 3)))
ONE, OTHER = rng.permutation(5)[:2].tolist()
def product(x):
    return x[:, PARITY].prod(axis=1)

W1, B1, SQUARES = drawn(3, 4, product, 12)
def instead(target=product, b=B1, **options):
    return squares(W1, b, target, 12, **options)

HINTS = {
    "squares the mean over draws: take the mean of the squares": instead(mean_first=True),
    "is a sum over examples, not a mean": 12**2 * SQUARES,
    "is divided by the root of n, not by n": 12 * SQUARES,
    "is a root: the squares' mean itself is asked for": SQUARES**0.5,
    "lacks φ'": instead(factor=lambda z: 1 + 0 * z),
    "has φ where φ' belongs": instead(factor=lambda z: np.maximum(z, 0)),
    "lacks the targets": instead(lambda x: 1 + 0 * x[:, 0]),
    "lacks the biases": instead(b=0 * B1),
    "does not divide by the root of d": instead(scale=2.0),
    "averages over neurons before it squares": instead(together=True),
    "has inputs of 0 and 1, not of -1 and 1": instead(low=0.0),
    "is a sum over neurons, not a mean": 3 * SQUARES,
}
assert clear(SQUARES, HINTS.values()) and apart(SQUARES, HINTS, 0.08)
W2, B2, SQUARES2 = drawn(4, 6, lambda x: x[:, TRIPLE].prod(axis=1), 30)
W3, B3, WEIGHTED = drawn(3, 5, lambda x: 1.5 * x[:, ONE] - 2 * x[:, OTHER] * x[:, ONE], 7)

# %% test="4-first-step" points=1
_squares = first_step(np.random.default_rng(0), W1, B1, lambda x: x[:, PARITY].prod(axis=1), 12, 1500)
check(_squares, SQUARES, name="mean squares", rtol=0.2, strict=True, hints=HINTS)  # they are random: theory ± 20 %

# %% hidden="4-first-step" points=1
# Six standard errors or more.
_squares = _call(first_step, np.random.default_rng(1), W2, B2, lambda x: x[:, TRIPLE].prod(axis=1), 30, 1500)
_near(_squares, SQUARES2, "a parity of three, six coordinates", within=0.2)

# %% hidden="4-first-step" points=1
_squares = _call(first_step, np.random.default_rng(2), W3, B3,
                 lambda x: 1.5 * x[:, ONE] - 2 * x[:, OTHER] * x[:, ONE], 7, 1500)
_near(_squares, WEIGHTED, "targets of several sizes, five coordinates", within=0.2)

# %% hidden="4-first-step" points=1
_draws(first_step, W3, B3, lambda x: x[:, ONE], 5, 3)
_kept(first_step, np.random.default_rng(3), W3, B3, lambda x: x[:, ONE], 5, 3)

# %% [markdown]
# With your function the next cell draws how far the coordinates that matter are ahead, over the number of examples: the
# mean square of their part of the first step, divided by the mean of those of all coordinates that do not matter. There
# are $d=30$ coordinates and 60 neurons, with standard normal weights and biases of $-1$. The *staircase* is
# $(x_1+x_1x_2+x_1x_2x_3)/\sqrt3$, and has a curve for each of its coordinates. (Training takes many steps, in which a
# small lead can grow.)

# %%
_rng, _sizes = np.random.default_rng(0), np.array([10, 20, 50, 100, 200, 500, 1000, 2000, 5000])
_W, _b = _rng.standard_normal((60, 30)), np.full(60, -1.0)

def _lead(target):
    squares = np.array([first_step(_rng, _W, _b, target, n, 3 + 1500 // n) for n in _sizes]).T
    return squares[:3] / squares[3:].mean(axis=0)

_stairs = _lead(lambda x: (x[:, 0] + x[:, 0] * x[:, 1] + x[:, :3].prod(axis=1)) / 3**0.5)
_fig = curves(_sizes, {"parity of two": _lead(lambda x: x[:, 0] * x[:, 1])[:2].mean(axis=0),
                       "parity of three": _lead(lambda x: x[:, :3].prod(axis=1)).mean(axis=0),
                       "staircase, 1": _stairs[0], "staircase, 2": _stairs[1], "staircase, 3": _stairs[2]},
              xscale="log", yscale="log", xlabel="examples", ylabel="ahead by the factor", ylim=(0.7, 1000))
legend(_fig.axes[0], loc="upper left")
_fig

# %% [markdown]
# ## 5. Reading (6 points)
#
# 1. From how many examples on are the coordinates of the parities of two and of three ahead by a factor of 2? Explain
#    the quotient of the two numbers. (The mean square is that of a signal, the mean of $g_{rj}$ over all inputs, plus
#    that of noise. How do they depend on $n$ and $d$? The parity's other coordinates change $z$ by $\pm w_j/\sqrt d$
#    each: what does that do to the mean?) What would the two numbers be for $d=300$? And how many examples does the
#    kernel of a fully connected network need, at least, for an error of $\frac12$, by the book's bound $1-n/\binom dk$?
# 2. In the staircase the three coordinates appear one after the other. Why? Suppose that the first step has made the
#    weights of coordinate 1 large, of order $\sqrt d$. Which coordinate does the next step see, from how many examples,
#    and why has the bare parity of three no such second step?
# 3. A press release says: "In training the alignment of our network's tangent kernel with the labels nearly doubled.
#    So it has learned features, and *therefore* it predicts better than regression with its kernel at the start."
#    Refute the conclusion by the neurons of question 3, with gradient flow from $\mathbb E[a^2]=1$, $\mathbb E[aw]=0$,
#    $\mathbb E[ww^\top]=I$ and $n<d$ orthogonal inputs of equal length: show that the alignment rises, and that the
#    function at the end is, at all inputs, that of regression with the first kernel. (Along $X^\top y$ you meet the
#    book's network of one input.) What should the authors have measured?

# %% [markdown] answer="5-reading" points=6
# 1. About 70 and 1800, a quotient of about $d=30$. Noise: the mean square of a mean of $n$ terms of variance $\mathbb
#    E[\phi'^2]$, of order $1/n$ for every coordinate. Signal of coordinate 1: $\mathbb E[\phi'(z)\,x_2]$ for two,
#    $\mathbb E[\phi'(z)\,x_2x_3]$ for three. Each further coordinate changes $z$ by $\pm w_j/\sqrt d$, so it costs a
#    factor $d^{-1/2}$: squares of order $d^{-1}$ and $d^{-2}$. Signal and noise are equal at $n\sim d^{k-1}$. For
#    $d=300$: ten times and a hundred times as many. The kernel needs $\frac12\binom dk$, one power of $d$ more (over
#    $k!$): 218 and 2030 here, 22 425 and about 2.2 million for $d=300$.
# 2. Coordinate 1 is correlated with the target itself, so its signal is $\mathbb E[\phi'(z)]/\sqrt3$, of order 1; that
#    of coordinate 2 is mostly $\mathbb E[\phi'(z)\,x_1]$, of order $d^{-1/2}$, that of coordinate 3 $\mathbb
#    E[\phi'(z)\,x_1x_2]$ and $\mathbb E[\phi'(z)\,x_1x_3]$, of order $d^{-1}$. With $w_1$ of order $\sqrt d$, $x_1$
#    changes $z$ by order 1, $\mathbb E[\phi'(z)\,x_1]$ is of order 1, and coordinate 2 is seen from a number of
#    examples on that does not grow with $d$; then coordinate 3 in the same way. The bare parity has no coordinate that
#    is seen early: all three wait for $d^2$ examples, or many steps.
# 3. *The function.* $\frac d{dt}\mathbb E[aw]=-\frac1s\sum_ie_i(\mathbb E[ww^\top]+\mathbb E[a^2]I)x_i/\sqrt d$, and
#    $\mathbb E[ww^\top]$ changes by products of $x_i$ and $\mathbb E[aw]$: both stay in the inputs' span. So
#    $f(x)=\beta^\top x$ with $\beta$ in it. Only one such $\beta$ fits all labels (and they are fitted, since $\Theta$
#    grows, as follows); regression with the first kernel, $2x^\top x'/d$, finds it, too. *The alignment.* Let
#    $XX^\top=cI$. At the start $\Theta=\frac{2c}dI$, with alignment $n^{-1/2}<1$ (for $n>1$). While the residual is a
#    multiple of $y$, only $a$ and $v^\top w$ of a neuron move, where $v$ is the unit vector along $X^\top y$; so it
#    remains one, and in $a$ and $v^\top w$ this is the book's network of one input: $\mathbb E[a^2]$ and $\mathbb
#    E[(v^\top w)^2]$ grow alike, to some $A>1$. At the end $\Theta=\frac
#    cd\big((A+1)I+(A-1)\,yy^\top/\|y\|^2\big)$: to a multiple of $I$ came a positive one of $yy^\top$, and the
#    alignment has risen, for small $s$ up to nearly $2/\sqrt{n+3}$. *To measure*: errors on new inputs, of the network,
#    of regression with its own first kernel and with the infinite one, all stopped at the same loss.
#
# *Marks:* 1 for the numbers and their quotient $d$ from signal and noise, 1 for $d=300$ and the kernel; 1 for part 2; 1
# for the same function, 1 for the alignment, 1 for what to measure.
