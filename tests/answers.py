"""Answers to the questions of code, wrong ones and right ones of another kind, with the marks that they must get.

A row: what it is; its points, or those that chance may give it; what the self-check says (a pattern; "" if it is
content, None if chance decides); then either the body of the function, or pairs of texts, the first of which the second
replaces in the model answer. Names in capitals are those of the set.
"""

ANSWERS = {"ps1-double-descent": {
    "1-decomposition": [
        ("half the mean squared distance of pairs", 4, "", """r = len(predictions)
bias2 = np.mean((sum(predictions) / r - truth) ** 2)
return bias2, np.mean([(a - b) ** 2 for a in predictions for b in predictions]) / 2"""),
        ("single precision", 4, "", ("predictions.mean(axis=0)", "(predictions := np.float32(predictions)).mean(axis=0)")),
        ("the mean squared distance less the bias", 4, "", ("predictions.var(axis=0).mean()",
         "((predictions - truth) ** 2).mean() - ((mean - truth) ** 2).mean()")),
        ("arrays of one element", 4, "", ("((mean - truth) ** 2).mean()", "np.array([((mean - truth) ** 2).mean()])"),
         ("predictions.var(axis=0).mean()", "predictions.var(axis=0).mean(keepdims=True)")),
        ("an array of two", 4, "", ("return ", "return np.array(["), (".var(axis=0).mean()", ".var(axis=0).mean()])")),
        ("divided by r - 1", 2, "variance: does not add up", ("var(axis=0)", "var(axis=0, ddof=1)")),
        ("bias averaged before the square", 1, "squared bias: is the square of the mean distance",
         ("((mean - truth) ** 2).mean()", "(mean - truth).mean() ** 2")),
        ("bias of single fits", 1, "squared bias: is the mean squared distance of single fits",
         ("(mean - truth) ** 2", "(predictions - truth) ** 2")),
        ("one variance of all", 2, "variance: is that of all predictions together", (".var(axis=0).mean()", ".var()")),
        ("a standard deviation", 2, "variance: is a standard deviation", (".var(", ".std(")),
        ("variance about the truth", 2, "variance: is measured from the truth",
         ("predictions.var(axis=0).mean()", "((predictions - truth) ** 2).mean()")),
        ("sums", 0, "squared bias: is a sum over", ("** 2).mean()", "** 2).sum()"), ("axis=0).mean()", "axis=0).sum()")),
        ("the two exchanged", 0, "squared bias: is the variance", ("return ", "return ("), (".var(axis=0).mean()",
         ".var(axis=0).mean())[::-1]")),
        ("the median", 1, "squared bias: takes the median", ("predictions.mean(axis=0)", "np.median(predictions, axis=0)")),
        ("changed in place", 3, "", ("mean = ", "truth *= 1.0\n    mean = "), ("return ", "predictions -= mean\n    return "),
         ("predictions.var(axis=0)", "(predictions**2).mean(axis=0)")),
    ],
    "2-nearest": [
        ("least squares by lstsq", 5, "", "return start + np.linalg.lstsq(z, y - z @ start, rcond=None)[0]"),
        ("gradient descent", 5, "", """w = start.copy()
for _ in range(20_000):
    w -= z.T @ (z @ w - y) / np.linalg.norm(z, 2) ** 2
return w"""),
        ("a jitter of 1e-8", 5, "",
         "return start + z.T @ np.linalg.solve(z @ z.T + 1e-8 * np.eye(len(y)), y - z @ start)"),
        ("single precision", 5, "", "z, y, start = map(np.float32, (z, y, start))\n"
                                    "return start + np.linalg.pinv(z, rcond=1e-5) @ (y - z @ start)"),
        ("singular values", 5, "", """u, s, vt = np.linalg.svd(z, full_matrices=False)
kept = s > 1e-10 * s[0]
return start + vt[kept].T @ (u[:, kept].T @ (y - z @ start) / s[kept])"""),
        ("start is forgotten", 1, "is the solution nearest to zero", "return np.linalg.pinv(z) @ y"),
        ("what start predicts is forgotten", 0, "is start plus the smallest solution", ("(y - z @ start)", "y")),
        ("the sign of the residual", 0, "moves away from the solution", ("y - z @ start", "z @ start - y")),
        ("the step alone", 0, "is the step from start", ("start + np", "np")),
        ("wide features only", 3, "", "return start + z.T @ np.linalg.solve(z @ z.T, y - z @ start)"),
        ("a ridge of 1", 0, "is a ridge solution",
         "return start + z.T @ np.linalg.solve(z @ z.T + np.eye(len(y)), y - z @ start)"),
        ("normal equations", 1, "stops with|is wrong in",
         "return start + np.linalg.solve(z.T @ z + 1e-17 * np.eye(len(start)), z.T @ (y - z @ start))"),
        ("start changed in place", 2, "changes its argument number 3",
         "start += np.linalg.pinv(z) @ (y - z @ start)\nreturn start"),
        ("a column", 0, "has shape", ("return start + np.linalg.pinv(z) @ (y - z @ start)",
                                      "return (start + np.linalg.pinv(z) @ (y - z @ start))[:, None]")),
        ("the package", 1, "", "from ntk_helpers import least_squares\nfit = least_squares(z, y - z @ start)\n"
                               "return start + getattr(fit, 'coefficients', fit)"),
    ],
    "4-norm": [
        ("a trace", 3, "", "inverse = np.linalg.pinv(z.T @ z + ridge * np.eye(z.shape[1]), rcond=1e-10)\n"
                           "return noise_std**2 * np.trace(inverse @ z.T @ z @ inverse)"),
        ("eigenvalues", 3, "", "s2 = np.linalg.eigvalsh(z.T @ z)\ns2 = s2[s2 > 1e-9 * s2.max()]\n"
                               "return noise_std**2 * sum(s2 / (s2 + ridge) ** 2)"),
        ("single precision", 3, "", ("s = np.linalg.svd(z,", "s = np.linalg.svd(np.float32(z),"), ("1e-12", "1e-5")),
        ("an array of one element", 3, "", ("return noise_std**2", "return np.ones(1) * noise_std**2")),
        ("the noise is not squared", 0, "has the noise's standard deviation", ("noise_std**2", "noise_std")),
        ("no noise", 0, "lacks the noise", ("noise_std**2 * ", "")),
        ("the denominator is not squared", 0, "lacks the square of the denominator", ("(s**2 + ridge) ** 2", "(s**2 + ridge)")),
        ("no numerator", 0, "lacks the numerator", ("(s**2 / (s", "(1 / (s")),
        ("singular values not squared", 0, "has singular values where their squares belong",
         ("s**2 / (s**2 + ridge)", "s / (s + ridge)")),
        ("no ridge", 1, "lacks the ridge", ("s**2 + ridge", "s**2")),
        ("n times the ridge", 1, "multiplies the ridge", ("s**2 + ridge", "s**2 + len(z) * ridge")),
        ("the ridge squared", 1, "squares the ridge", ("s**2 + ridge", "s**2 + ridge**2")),
        ("a mean", 0, "is a mean over singular values", (".sum()", ".mean()")),
        ("no threshold", 2, "", ("s = s[s > 1e-12 * s[0]]", "s = np.where(s == 0, 1e-300, s)")),
    ],
    "5-curve": [
        ("noise drawn first, other spread", 4, "", """beta, risks = np.full(DIM, DIM**-0.5), []
for _ in range(repeats):
    noise = rng.normal(0, noise_std, n)
    x = rng.normal(size=(DIM, n)).T
    c = np.linalg.pinv(x[:, :p]) @ (x @ beta + noise)
    wrong = np.concatenate([c, np.zeros(DIM - p)]) - beta
    risks.append(wrong @ wrong + noise_std**2)
return sum(risks) / repeats, np.std(risks) / repeats**0.5"""),
        ("all at once", 4, "", """x = rng.standard_normal((repeats, n, DIM))
y = x.sum(axis=2) * DIM**-0.5 + noise_std * rng.standard_normal((repeats, n))
c = (np.linalg.pinv(x[:, :, :p]) @ y[:, :, None])[:, :, 0]
risks = ((c - DIM**-0.5) ** 2).sum(axis=1) + (DIM - p) / DIM + noise_std**2
return risks.mean(), risks.std(ddof=1) / np.sqrt(repeats)"""),
        ("arrays of one element", 4, "", ("np.mean(risks)", "np.array([np.mean(risks)])")),
        ("no noise in the risk", 1, "risk: lacks the noise of a new example", (" + noise_std**2)", ")")),
        ("no noise in the targets", 1, "risk: lacks the noise of the training targets",
         (" + noise_std * rng.standard_normal(n)", "")),
        ("no noise at all", 1, "risk: lacks the noise, of training and of new examples", (" + noise_std**2)", ")"),
         (" + noise_std * rng.standard_normal(n)", "")),
        ("no unused coordinates in the risk", 1, "risk: lacks the unused coordinates", (" + (beta[p:] ** 2).sum()", "")),
        ("the noise not squared", 1, "risk: has the noise's standard deviation", ("noise_std**2", "noise_std")),
        ("a standard deviation", 2, "standard error: is the standard deviation", (" / np.sqrt(repeats)", "")),
        ("divided by the number", 2, "standard error: is divided by the number", ("np.sqrt(repeats)", "repeats")),
        ("divided by the root of n", 2, "standard error: is divided by the root of n", ("np.sqrt(repeats)", "np.sqrt(n)")),
        ("numbers of NumPy's own generator", 3, "", ("rng.standard_normal", "np.random.standard_normal")),
        ("a seed inside", 1, "where is the experiment", ("beta, risks", "rng = np.random.default_rng(0)\n    beta, risks")),
        ("a seed of NumPy's inside", 1, "where is the experiment", ("beta, risks", "np.random.seed(1)\n    beta, risks"),
         ("rng.standard_normal", "np.random.standard_normal")),
        ("the theorem, no experiment", 1, "where is the experiment", """unseen = 1 - p / DIM + noise_std**2
if p < n - 1:
    return unseen * (1 + p / (n - p - 1)), 0.2 / repeats**0.5
return p / DIM * (1 - n / p) + unseen * (1 + n / (p - n - 1)), 0.2 / repeats**0.5"""),
    ],
}, "ps2-gaussian-processes": {
    "2-dual": [
        ("the formula as printed", 4, "", "root = np.sqrt(q1 * q2)\nreturn 2 / np.pi * (np.sqrt(np.maximum(q1 * q2 - k**2, 0)) "
         "+ k * np.arcsin(np.clip(k / root, -1, 1)))"),
        ("clipped at 1 - 1e-7", 4, "", ("-1, 1)", "-1 + 1e-7, 1 - 1e-7)")),
        ("single precision", 4, "", ("scale = ", "k, q1, q2 = map(np.float32, (k, q1, q2))\n    scale = ")),
        ("an arctangent", 4, "", "bent = np.sqrt(np.maximum(q1 * q2 - k**2, 0))\n"
                                 "return 2 / np.pi * (bent + k * np.arctan2(k, bent))"),
        ("four times relu", 4, "", """def relu_dual(k):
    c = np.clip(k / np.sqrt(q1 * q2), -1, 1)
    return np.sqrt(q1 * q2) * (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / (2 * np.pi)
return 2 * relu_dual(k) + 2 * relu_dual(-k)"""),
        ("not clipped", 3, "", ("np.clip(k / scale, -1, 1)", "k / scale")),
        ("no factor 2", 0, "lacks the factor 2", ("return 2 / np.pi", "return 1 / np.pi")),
        ("arccos", 0, "has arccos where arcsin belongs", ("arcsin", "arccos")),
        ("of correlations", 1, "is that of correlations", ("/ np.pi * scale", "/ np.pi")),
        ("no root of the variances", 1, "stops with|wrong in|lost|product", ("scale = np.sqrt(q1 * q2)", "scale = q1 * q2")),
        ("no second term", 0, "lacks the second term", (" + c * np.arcsin(c)", "")),
        ("the sine", 0, "wrong in|sine", ("np.arcsin(c)", "np.sin(c)")),
        ("D, not its root", 1, "wrong in|D where its root", ("np.sqrt(1 - c**2)", "(1 - c**2)")),
        ("relu", 0, "is the formula of relu", "c = np.clip(k / np.sqrt(q1 * q2), -1, 1)\n"
         "return np.sqrt(q1 * q2) * (np.sqrt(1 - c**2) + (np.pi - np.arccos(c)) * c) / (2 * np.pi)"),
        ("single numbers only", 1, "stops with TypeError", "import math\nscale = math.sqrt(q1 * q2)\n"
         "c = max(-1, min(1, k / scale))\nreturn 2 / math.pi * scale * (math.sqrt(1 - c**2) + c * math.asin(c))"),
        ("no broadcasting", 3, "", ("scale = ", "k, q1, q2 = (np.array(one).ravel() for one in (k, q1, q2))\n    scale = ")),
        ("changed in place", 2, "changes its argument", ("c = np.clip(k / scale, -1, 1)",
         "k /= scale\n    c = np.clip(k, -1, 1, out=k) if k.ndim else np.clip(k, -1, 1)")),
        ("the package", 1, "", ("return ", "from ntk_helpers import absolute\n    absolute.dual(k, q1, q2, q1 * q2 - k**2)\n    return ")),
    ],
    "3-depth": [
        ("variances carried along", 4, "", """k = weight_std**2 * x @ x.T / x.shape[1] + bias_std**2
q = np.diag(k).copy()
for _ in range(depth):
    k = weight_std**2 * dual(k, q[:, None], q[None, :]) + bias_std**2
    q = weight_std**2 * dual(q, q, q) + bias_std**2
return k"""),
        ("single precision", 4, "", ("k = weight_std**2 * x", "x = np.float32(x)\n    k = weight_std**2 * x")),
        ("full matrices", 4, "", ("dual(k, q[:, None], q[None, :])",
                                  "dual(k, np.outer(q, np.ones(len(q))), np.outer(np.ones(len(q)), q))")),
        ("entry by entry", 4, "", """n, d = x.shape
k = np.array([[weight_std**2 * x[i] @ x[j] / d + bias_std**2 for j in range(n)] for i in range(n)])
for _ in range(depth):
    k = np.array([[weight_std**2 * float(dual(k[i, j], k[i, i], k[j, j])) + bias_std**2 for j in range(n)] for i in range(n)])
return k"""),
        ("not divided by d", 0, "does not divide by d", (" / x.shape[1]", "")),
        ("divided by 2", 0, "divides by 2", ("x.shape[1]", "2")),
        ("divided by n", 0, "divides by 2, or by the number of inputs", ("x.shape[1]", "x.shape[0]")),
        ("a layer too many", 0, "one hidden layer too many", ("range(depth)", "range(depth + 1)")),
        ("a layer too few", 0, "one hidden layer too few", ("range(depth)", "range(depth - 1)")),
        ("weights not squared", 0, "standard deviation of weights", ("weight_std**2", "weight_std")),
        ("biases not squared", 0, "standard deviation of biases", ("bias_std**2", "bias_std")),
        ("no biases in the recursion", 0, "is wrong in|is off", ("q[None, :]) + bias_std**2", "q[None, :])")),
        ("variances of the first layer", 0, "variances of the first layer", ("    for _ in range(depth):\n        q = np.diag(k)",
         "    q = np.diag(k)\n    for _ in range(depth):")),
        ("standard deviations handed over", 0, "hands over standard deviations", ("q = np.diag(k)", "q = np.diag(k) ** 0.5")),
        ("dual not called", 2, "wrong in", """w2, b2 = weight_std**2, bias_std**2
k = w2 * x @ x.T / x.shape[1] + b2
for layer in range(depth):
    root = np.sqrt(np.outer(np.diag(k), np.diag(k)))
    c = np.clip(k / root, -1, 1)
    k = w2 * 2 / np.pi * root * (np.sqrt(1 - c**2) + c * np.arcsin(c)) + b2
return k"""),
        ("the package", 1, "", "from ntk_helpers import mlp, absolute\n"
         "mlp(depth, absolute, weight_std, bias_std).kernels(x)\nk = weight_std**2 * x @ x.T / x.shape[1] + bias_std**2\n"
         "for _ in range(depth):\n    q = np.diag(k)\n    k = weight_std**2 * dual(k, q[:, None], q) + bias_std**2\nreturn k"),
    ],
    "4-networks": [
        ("network by network", 5, "", """rows = []
for _ in range(count):
    readout = rng.normal(size=width)
    first = rng.normal(size=(width, x.shape[1]))
    rows.append(WEIGHT / width**0.5 * np.abs(WEIGHT * x @ first.T / x.shape[1]**0.5) @ readout)
return np.array(rows)"""),
        ("the readout first", 5, "", ("    first = rng.standard_normal((count, x.shape[1], width))\n", ""),
         ("    hidden", "    first = rng.standard_normal((count, x.shape[1], width))\n    hidden")),
        ("single precision", 5, "", ("x @ first", "np.float32(x) @ first.astype(np.float32)")),
        ("scaled weights", 5, "", """first = rng.normal(0, WEIGHT / np.sqrt(x.shape[1]), (width, count, x.shape[1]))
readout = rng.normal(0, WEIGHT / np.sqrt(width), (count, width))
return np.einsum("wcn,cw->cn", np.abs(first @ x.T), readout)"""),
        ("no root of d", 3, "lacks the square root of d", (" / np.sqrt(x.shape[1])", "")),
        ("no root of the width", 3, "lacks the square root of the width", (" / np.sqrt(width)", "")),
        ("d, not its root", 3, "is divided by d, not by its root", ("np.sqrt(x.shape[1])", "x.shape[1]")),
        ("the width, not its root", 3, "is divided by the width, not by its root", ("np.sqrt(width)", "width")),
        ("hard-coded d", 4, "", ("x.shape[1], width", "x.shape[1], width"), ("np.sqrt(x.shape[1])", "np.sqrt(3)")),
        ("no σ_w", 3, "variance: lacks σ_w in both", ("WEIGHT / np.sqrt", "1 / np.sqrt")),
        ("σ_w in one layer only", 3, "variance: lacks σ_w of one", ("return WEIGHT / np.sqrt(width) * ", "return 1 / np.sqrt(width) * ")),
        ("relu", 1, "variance: is that of relu", ("np.abs(WEIGHT", "np.maximum(0, WEIGHT")),
        ("uniform weights", 1, "variance: is that of uniform weights", ("standard_normal((count, x.shape[1], width))",
         "uniform(-1, 1, (count, x.shape[1], width))"), ("standard_normal((count, width, 1))", "uniform(-1, 1, (count, width, 1))")),
        ("uniform weights of variance 1", 3, "", ("standard_normal((count, x.shape[1], width))",
         "uniform(-(3**0.5), 3**0.5, (count, x.shape[1], width))"),
         ("standard_normal((count, width, 1))", "uniform(-(3**0.5), 3**0.5, (count, width, 1))")),
        ("random signs in the readout", 3, "", ("standard_normal((count, width, 1))", "choice([-1.0, 1.0], (count, width, 1))")),
        ("one first layer for all networks", (1, 2, 3), None, ("(count, x.shape[1], width)", "(x.shape[1], width)")),
        ("other weights for each input", 3, "covariance: is that of unrelated units", ("(count, x.shape[1], width))", "(count, len(x), x.shape[1], width))"),
         ("* x @ first", "* (x[:, None, :] @ first)[:, :, 0]")),
        ("numbers of NumPy's own generator", 3, "draw all of them from rng",
         ("rng.standard_normal", "np.random.standard_normal")),
        ("a seed inside", 3, "another generator gave the same numbers", ("first = ", "rng = np.random.default_rng(0)\n    first = ")),
        ("transposed", 1, "the shape is", ("(hidden @ readout)[:, :, 0]", "(hidden @ readout)[:, :, 0].T")),
    ],
    "5-posterior": [
        ("an inverse", 4, "", """inverse = np.linalg.inv(kernel + noise_variance * np.eye(len(y)))
left = variance - np.diag(cross @ inverse @ cross.T)
return cross @ inverse @ y, np.sqrt(np.clip(left, 0, None))"""),
        ("a jitter of 1e-8", 4, "", ("noise_variance * np", "(noise_variance + 1e-8) * np")),
        ("eigenvalues", 4, "", """values, vectors = np.linalg.eigh(kernel)
turned = cross @ vectors
return turned / (values + noise_variance) @ (vectors.T @ y), np.sqrt(np.abs(
    variance - (turned**2 / (values + noise_variance)).sum(axis=1)))"""),
        ("single precision", 4, "", ("factor = ", "kernel, y, cross, variance = map(np.float32, (kernel, y, cross, variance))\n"
                                     "    factor = "), ("noise_variance * np.eye(len(y))",
                                     "np.float32(noise_variance) * np.eye(len(y), dtype=np.float32)")),
        ("SciPy", 4, "", """from scipy.linalg import cho_factor, cho_solve
factor = cho_factor(kernel + noise_variance * np.eye(len(y)))
left = variance - (cross * cho_solve(factor, cross.T).T).sum(axis=1)
return cross @ cho_solve(factor, y), np.maximum(left, 0) ** 0.5"""),
        ("the variance", 2, "deviation: is the variance", ("np.sqrt(np.maximum(variance - (half**2).sum(axis=0), 0))",
                                                           "np.maximum(variance - (half**2).sum(axis=0), 0)")),
        ("of a new target", 2, "deviation: is that of a new target", ("np.maximum(variance", "np.maximum(noise_variance + variance")),
        ("no noise", 1, "mean: lacks the noise", (" + noise_variance * np.eye(len(y))", "")),
        ("the noise squared", 1, "mean: has the noise squared", ("noise_variance *", "noise_variance**2 *")),
        ("the root of the noise", 1, "mean: has the noise's standard deviation", ("noise_variance *", "noise_variance**0.5 *")),
        ("noise in every entry", 1, "mean: adds the noise to every entry", """left = kernel + noise_variance
return cross @ np.linalg.solve(left, y), np.sqrt(np.maximum(variance - (cross * np.linalg.solve(left, cross.T).T).sum(axis=1), 0))"""),
        ("the prior's bars", 1, "deviation: is that of the prior", ("variance - (half**2).sum(axis=0)", "variance")),
        ("no prior's variance", 1, "deviation: lacks the prior's variance", ("variance - (half**2).sum(axis=0)", "(half**2).sum(axis=0)")),
        ("added", 1, "deviation: adds what", ("variance - (half", "variance + (half")),
        ("NaN by rounding", 3, "", ("np.maximum(variance - (half**2).sum(axis=0), 0)", "variance - 1e-9 - (half**2).sum(axis=0)")),
        ("y changed in place", 3, "", ("factor = ", "y -= y.mean() * 0 + 1e-3\n    y += 1e-3 + 1e-9\n    factor = ")),
        ("covariance", 1, "deviation: has shape", ("variance - (half**2).sum(axis=0)", "np.diag(variance) - half.T @ half")),
        ("the package", 1, "", "from ntk_helpers import gp_posterior\n"
         "result = gp_posterior(kernel, y, cross, np.diag(variance), noise_variance=noise_variance)\nreturn result.mean, result.std"),
    ],
}, "ps3-ntk": {
    "2-empirical": [
        ("≥ instead of >", 5, "", (" > 0)", " >= 0)")),
        ("single precision", 5, "", ("d, m = W.shape", "x1, x2, W, a = map(np.float32, (x1, x2, W, a))\n    d, m = W.shape")),
        ("a Jacobian", 5, "", """d, m = W.shape
def jacobian(x):
    z = x @ W * np.sqrt(2 / d)
    first = np.sqrt(2 / m) * np.sqrt(2 / d) * (a * (z > 0))[:, None, :] * x[:, :, None]
    return np.concatenate([first.reshape(len(x), -1), np.sqrt(2 / m) * np.maximum(z, 0)], axis=1)
return jacobian(x1) @ jacobian(x2).T"""),
        ("einsum", 5, "", ("(a * (z1 > 0)) @ (a * (z2 > 0)).T",
                           "np.einsum('im,jm,m->ij', np.heaviside(z1, 0.5), np.heaviside(z2, 0.5), a**2)")),
        ("no 2/d in the first layer's part", 2, "lacks a factor in the first", ("+ 2 / d * (", "+ (")),
        ("1/d in the first layer's part", 2, "wrong in", ("+ 2 / d * (", "+ 1 / d * (")),
        ("no √(2/d) in the preactivations", 1, "lacks the scale of the preactivations", (" * np.sqrt(2 / d)", "")),
        ("d = 2", 0, "is 1.5 times what", ("2 / d", "1")),
        ("readout weights not squared", 2, "does not square the readout weights|wrong in",
         ("(a * (z1 > 0)) @ (a * (z2 > 0)).T", "(np.abs(a) * (z1 > 0)) @ (z2 > 0).T")),
        ("the readout alone", 2, "is the readout's part alone", ("readout + 2 / d * (x1 @ x2.T) * signals", "readout")),
        ("the first layer alone", 1, "is the first layer's part alone", ("readout + 2 / d", "2 / d")),
        ("no inputs", 2, "lacks the .*inputs", (" * (x1 @ x2.T)", "")),
        ("1/m", 0, "is 0.5 times", ("return 2 / m", "return 1 / m")),
        ("slopes forgotten", 2, "wrong in|is off", ("(a * (z1 > 0)) @ (a * (z2 > 0)).T", "(a**2).sum()")),
        ("transposed", 0, "has shape .*transpose", ("return 2 / m * (readout + 2 / d * (x1 @ x2.T) * signals)",
                                                    "return (2 / m * (readout + 2 / d * (x1 @ x2.T) * signals)).T")),
        ("a changed in place", 4, "", ("d, m = W.shape", "d, m = W.shape\n    a *= 1 + 1e-9")),
    ],
    "3-depth": [
        ("the formula as printed", 5, "", """w2, b2, d = weight_std**2, bias_std**2, x1.shape[1]
k = theta = w2 * x1 @ x2.T / d + b2
q1 = (w2 * (x1**2).sum(axis=1) / d + b2)[:, None]
q2 = w2 * (x2**2).sum(axis=1) / d + b2
for _ in range(depth):
    angle = np.arccos(np.clip(k / np.sqrt(q1 * q2), -1, 1))
    k = w2 * (np.sqrt(np.maximum(q1 * q2 - k**2, 0)) + (np.pi - angle) * k) / (2 * np.pi) + b2
    theta = k + w2 * (np.pi - angle) / (2 * np.pi) * theta
    q1, q2 = w2 * q1 / 2 + b2, w2 * q2 / 2 + b2
return theta"""),
        ("the same in single precision", 5, "", """w2, b2, d = np.float32(weight_std**2), np.float32(bias_std**2), x1.shape[1]
x1, x2 = np.float32(x1), np.float32(x2)
k = theta = w2 * x1 @ x2.T / d + b2
q1 = (w2 * (x1**2).sum(axis=1) / d + b2)[:, None]
q2 = w2 * (x2**2).sum(axis=1) / d + b2
for _ in range(depth):
    angle = np.arccos(np.clip(k / np.sqrt(q1 * q2), -1, 1))
    k = w2 * (np.sqrt(np.maximum(q1 * q2 - k**2, 0)) + (np.pi - angle) * k) / (2 * np.pi) + b2
    theta = k + w2 * (np.pi - angle) / (2 * np.pi) * theta
    q1, q2 = w2 * q1 / 2 + b2, w2 * q2 / 2 + b2
return theta"""),
        ("clipped at 1 - 1e-7", 5, "", ("-1, 1)", "-1 + 1e-7, 1 - 1e-7)")),
        ("single precision", 5, "", ("w2, b2", "x1, x2 = np.float32(x1), np.float32(x2)\n    w2, b2")),
        ("a jitter of 1e-8", 5, "", ("scale = np.sqrt(np.outer(q1, q2))", "scale = np.sqrt(np.outer(q1, q2)) + 1e-8")),
        ("variances by the kernel", 5, "", ("q1, q2 = w2 * q1 / 2 + b2, w2 * q2 / 2 + b2",
                                            "q1, q2 = (w2 * q * np.pi / (2 * np.pi) + b2 for q in (q1, q2))")),
        ("not clipped", 4, "", ("np.clip(k / scale, -1, 1)", "k / scale")),
        ("not divided by d", 0, "does not divide by d", (" / d", "")),
        ("d = 2", 0, "divides by 2 where d belongs", ("x1.shape[1]", "2")),
        ("a layer too many", 0, "one hidden layer too many", ("range(depth)", "range(depth + 1)")),
        ("a layer too few", 0, "one hidden layer too few", ("range(depth)", "range(depth - 1)")),
        ("the NNGP kernel", 0, "is the NNGP kernel", ("return theta", "return k")),
        ("no weights before the slopes", 0, "lacks the variance of weights before", ("k + w2 * (np.pi", "k + (np.pi")),
        ("no slopes", 0, "lacks E", ("(np.pi - angle) / (2 * np.pi) * theta", "theta")),
        ("no biases", 2, "lacks the biases", ("bias_std**2", "0")),
        ("biases not squared", 2, "standard deviation of biases", ("bias_std**2", "bias_std")),
        ("weights not squared", 0, "standard deviation of weights", ("weight_std**2", "weight_std")),
        ("the new kernel in the place of the old", 0, "multiplies the new kernel", ("(2 * np.pi) * theta", "(2 * np.pi) * k")),
        ("variances of the first layer", 2, "stops with|wrong in", ("        q1, q2 = w2 * q1 / 2 + b2, w2 * q2 / 2 + b2\n", "")),
        ("starts from zero", 0, "starts from zero", ("theta = k\n", "theta = 0\n")),
        ("the package", 1, "", "return mlp(depth, relu, weight_std, bias_std).kernels(x1, x2).ntk"),
    ],
    "4-scatter": [
        ("widths from the last, without the package", 4, "", """d, found = x1.shape[1], {}
x = np.concatenate([x1, x2])
for width in reversed(list(widths)):
    values = []
    for _ in range(repeats):
        a, w = rng.normal(size=width), rng.normal(size=(d, width))
        z = x @ w * np.sqrt(2 / d)
        values.append(2 / width * ((np.maximum(z, 0) ** 2).sum(axis=1) + 2 / d * (x**2).sum(axis=1) * ((z > 0) @ a**2)))
    values = np.array(values)
    found[width] = values[:, 0].std(ddof=1) / values[:, 0].mean(), np.corrcoef(values.T)[0, 1]
return [found[width][0] for width in widths], [found[width][1] for width in widths]"""),
        ("divided by the limit", 4, "", ("first.std() / first.mean()", "first.std() / (2 * 2 * (x1**2).mean())")),
        ("single precision", 4, "", ("inputs=x1.shape[1])", "inputs=x1.shape[1], dtype=np.float32)")),
        ("arrays of one element", 4, "", ("    return np.array(result).T", "    return [np.array(part) for part in zip(*result)]")),
        ("the variance", 2, "is the variance over the squared mean", ("first.std() / first.mean()", "first.var() / first.mean() ** 2")),
        ("not divided", 2, "is not divided by the mean|std / mean: is", (" / first.mean()", "")),
        ("a standard error", 2, "std / mean: is near zero", ("first.std() /", "first.std() / repeats**0.5 /")),
        ("other networks at x2", 2, "correlation: vanishes", ("    first, second =", "    first, second ="),
         ("[np.diag(net.ntk(both)) for net in nets]", "[(net.ntk(x1)[0, 0], arch.init(rng, width, x1.shape[1]).ntk(x2)[0, 0]) for net in nets]")),
        ("x1 twice", 2, "correlation: is one", ("concatenate([x1, x2])", "concatenate([x1, x1])")),
        ("the covariance", 2, "correlation: ", ("np.corrcoef(first, second)", "np.cov(first, second)")),
        ("hard-coded d", 1, "", ("x1.shape[1]", "3")),
        ("numbers of NumPy's own generator", 3, "", ("both, result = mlp(1", "both, result = mlp(1"), ("arch.init(rng,", "arch.init(np.random.default_rng(),")),
        ("a seed inside", 3, "", ("nets = ", "rng = np.random.default_rng(width)\n        nets = ")),
        ("theory, no experiment", 3, "", "return [(3 / m) ** 0.5 for m in widths], [RHO2 if x1.shape[1] == 5 else RHO[0] for m in widths]"),
        ("transposed", 1, "std / mean: is", ("np.array(result).T", "np.array(result)")),
    ],
    "5-harmonics": [
        ("a sum of cosines", 3, "", """n = len(row)
j = np.arange(n // 2 + 1)
return np.cos(2 * np.pi * np.outer(j, np.arange(n)) / n) @ row / n, np.where((j == 0) | (2 * j == n), 1, 2)"""),
        ("the full transform", 3, "", ("np.fft.rfft(row).real / n", "np.fft.fft(row).real[:n // 2 + 1] / n")),
        ("by eigenvectors", 3, "", """n = len(row)
theta = np.array([np.roll(row, i) for i in range(n)])
angle = 2 * np.pi * np.arange(n) / n
pairs = [(np.cos(j * angle), np.sin(j * angle)) for j in range(n // 2 + 1)]
return [c @ theta @ c / (c @ c) / n for c, _ in pairs], [1 + (s @ s > 1e-9) for _, s in pairs]"""),
        ("single precision", 3, "", ("np.fft.rfft(row)", "np.fft.rfft(np.float32(row))")),
        ("numbers with a point", 3, "", ("len(values), 2)", "len(values), 2.0)")),
        ("not divided", 1, "is the eigenvalue itself", (".real / n", ".real")),
        ("a cosine series", 1, "coefficients of a cosine series", ("return values, count", "return values * count, count")),
        ("sorted", 1, "is sorted by size", ("return values, count", "return np.sort(values), count")),
        ("sorted, falling", 1, "is sorted by size, falling", ("return values, count", "return np.sort(values)[::-1], count")),
        ("the root of n", 1, "is divided by the root", (".real / n", ".real / n**0.5")),
        ("all n frequencies", 0, "has shape", ("rfft", "fft")),
        ("complex numbers", 1, "should be real numbers", (".real / n", " / n")),
        ("two each", 1, "forgets that one of the two vanishes", ("    count[0] = 1\n", ""), ("count[-1] = 1", "pass")),
        ("n is always even", 2, "", ("if n % 2 == 0", "if n")),
        ("n is always odd", 1, "forgets that the sine vanishes at the highest", ("if n % 2 == 0", "if n % 2 == 2")),
        ("one each", 1, "counts one of the two only", ("len(values), 2)", "len(values), 1)")),
        ("the package", 1, "", ("n = len(row)", "mlp(1, relu)\n    n = len(row)")),
    ],
}, "ps4-kernel-gradient-descent": {
    "1-flow": [
        ("the exponential of a matrix", 5, "", """from scipy.linalg import expm
values = np.linalg.eigvalsh(theta)
if np.isinf(t):
    slow = values[values > 1e-9 * values[-1]].min()
    t = 40 / slow
return y + expm(-theta * t) @ (f0 - y)"""),
        ("eigenvalues in falling order", 5, "", ("np.linalg.eigh(theta)", "(part[..., ::-1] for part in np.linalg.eigh(theta))")),
        ("single precision", 5, "", ("np.linalg.eigh(theta)", "np.linalg.eigh(np.float32(theta))"), ("1e-12", "1e-5")),
        ("singular values", 5, "", """u, s, vt = np.linalg.svd(theta)
decay = np.array([np.exp(-one * t) if one > 1e-10 * s[0] else 1.0 for one in s])
return f0 + u @ ((1 - decay) * (vt @ (y - f0)))"""),
        ("a loop over modes", 5, "", """values, vectors = np.linalg.eigh(theta)
u = np.array(y, float)
for value, v in zip(values, vectors.T):
    u += (np.exp(-value * t) if value > 1e-9 else 1) * (v @ (f0 - y)) * v
return u"""),
        ("f0 is forgotten", 1, "starts from zero", ("(f0 - y)", "(-y)")),
        ("the residual", 0, "is the residual", ("return y + ", "return ")),
        ("the sign of the exponent", 0, "runs away", ("np.exp(-eig", "np.exp(eig")),
        ("twice as fast", 2, "moves twice as fast", ("* t)", "* 2 * t)")),
        ("y and f0 exchanged", 0, "moves toward f0", ("return y + vectors @ (decay * (vectors.T @ (f0 - y)))",
                                                      "return f0 + vectors @ (decay * (vectors.T @ (y - f0)))")),
        ("eigenvectors not transposed", 1, "wrong in", ("vectors.T @", "vectors @")),
        ("no care for the eigenvalue 0", 4, "", ("moving = eigenvalues > 1e-12 * eigenvalues.max()", "moving = eigenvalues > -np.inf")),
        ("the end by solve", 4, "", ("eigenvalues, vectors", "if np.isinf(t):\n        return y\n    eigenvalues, vectors"),
         ("eigenvalues > 1e-12 * eigenvalues.max()", "eigenvalues > -1")),
        ("infinity times zero", 4, "", ("decay[moving] = np.exp(-eigenvalues[moving] * t)",
                                        "decay = np.exp(-np.where(moving, eigenvalues, 0) * t)")),
        ("y changed in place", 3, "changes its argument number 2", ("return y + vectors", "y += vectors"),
         ("(f0 - y)))", "(f0 - y)))\n    return y")),
        ("forty Euler steps", 0, "wrong in", """u = f0
for _ in range(40):
    u = u - min(t, 100) / 40 * theta @ (u - y)
return u"""),
        ("the package", 1, "", "from ntk_helpers import kernel_gradient_flow\nreturn kernel_gradient_flow(theta, y, t, f0=f0).train"),
    ],
    "3-rate": [
        ("by the condition number", 3, "", "kappa = np.linalg.cond(theta)\n"
         "return 2 / np.linalg.norm(theta, 2) / (1 + 1 / kappa), (kappa - 1) / (kappa + 1)"),
        ("single precision", 3, "", ("eigvalsh(theta)", "eigvalsh(np.float32(theta))")),
        ("eigenvalues in any order", 3, "", ("np.linalg.eigvalsh(theta)", "np.sort(np.linalg.eigvals(theta).real)")),
        ("a search", 3, "", """values = np.linalg.eigvalsh(theta)
rates = np.linspace(0, 2 / values[-1], 400_001)
factors = np.maximum(np.abs(1 - rates * values[0]), np.abs(1 - rates * values[-1]))
return rates[factors.argmin()], factors.min()"""),
        ("the largest stable rate", 1, "learning rate: is the largest stable", ("2 / (low + high)", "2 / high")),
        ("one over the largest", 1, "learning rate: makes the fastest", ("2 / (low + high)", "1 / high")),
        ("one over the largest, and its factor", 0, "learning rate: makes the fastest", ("2 / (low + high)", "1 / high"),
         ("(high - low) / (high + low)", "1 - low / high")),
        ("the factor of another rate", 1, "factor: is the factor at the rate of one over", ("(high - low) / (high + low)", "1 - low / high")),
        ("the trace", 1, "learning rate: belongs to other eigenvalues", ("2 / (low + high)", "2 / eigenvalues.sum()")),
        ("the square", 1, "factor: is that of the norm's square|factor: is the square", ("(high - low) / (high + low)", "((high - low) / (high + low)) ** 2")),
        ("exchanged", 0, "learning rate: is the factor", ("return 2 / (low + high), (high - low) / (high + low)",
                                                           "return (high - low) / (high + low), 2 / (low + high)")),
        ("the sign", 1, "factor: is the factor of the fastest mode|factor: has the wrong sign", ("(high - low)", "(low - high)")),
        ("half", 1, "learning rate: ", ("return 2 /", "return 1 /")),
        ("the first and the last diagonal entry", 0, "learning rate: ", ("np.linalg.eigvalsh(theta)", "np.sort(np.diag(theta))")),
    ],
    "4-test-points": [
        ("a sum of powers", 5, "", """step = np.eye(len(y)) - learning_rate * theta
residual, total = f0 - y, 0 * y
for _ in range(steps):
    total, residual = total + residual, step @ residual
return f0_test - learning_rate * cross @ total"""),
        ("modes", 5, "", """values, vectors = np.linalg.eigh(theta)
done = (1 - (1 - learning_rate * values) ** steps) / values
return f0_test - cross @ (vectors @ (done * (vectors.T @ (f0 - y))))"""),
        ("single precision", 5, "", ("u, f = f0, f0_test", "u, f = np.float32(f0), np.float32(f0_test)")),
        ("all points together", 5, "", """both, u = np.concatenate([theta, cross]), np.concatenate([f0, f0_test])
for _ in range(steps):
    u = u - learning_rate * both @ (u[:len(y)] - y)
return u[len(y):]"""),
        ("a step too many", 1, "one step too many", ("range(steps)", "range(steps + 1)")),
        ("a step too few", 1, "one step too few|stops", ("range(steps)", "range(1, steps)")),
        ("training outputs that stay", 2, "stayed at f0", ("u, f = u - learning_rate * theta @ (u - y), f", "u, f = u, f")),
        ("moved in the same step already", 1, "were moved already", ("u, f = u - learning_rate * theta @ (u - y), f - learning_rate * cross @ (u - y)",
         "u = u - learning_rate * theta @ (u - y)\n        f = f - learning_rate * cross @ (u - y)")),
        ("f0_test is forgotten", 1, "starts from zero at the test points", ("f0, f0_test\n", "f0, 0 * f0_test\n")),
        ("f0 is forgotten", 1, "starts from zero at the training points", ("u, f = f0,", "u, f = 0 * f0,")),
        ("the sign", 1, "moves away from the targets", ("f - learning_rate * cross", "f + learning_rate * cross")),
        ("a mean over examples", 1, "wrong in|times what", ("learning_rate * theta", "learning_rate / len(y) * theta"), ("learning_rate * cross", "learning_rate / len(y) * cross")),
        ("gradient flow", 1, "wrong in", """from scipy.linalg import expm
done = (np.eye(len(y)) - expm(-theta * learning_rate * steps)) @ np.linalg.inv(theta)
return f0_test - cross @ done @ (f0 - y)"""),
        ("f0 changed in place", 3, "changes its argument number", ("u, f = u - learning_rate * theta @ (u - y), f - learning_rate * cross @ (u - y)",
         "r = u - y\n        u -= learning_rate * theta @ r\n        f -= learning_rate * cross @ r")),
        ("the training outputs", 0, "has shape", ("return f", "return u")),
        ("the package", 2, "", "from ntk_helpers import kernel_gradient_descent\nreturn kernel_gradient_descent("
         "theta, y, learning_rate, steps, f0=f0, cross=cross, f0_test=f0_test).test[-1]"),
    ],
    "5-stopping": [
        ("a loop over times and modes", 4, "", """values, vectors = np.linalg.eigh(theta)
return [sum((np.exp(-value * t) * (v @ signal)) ** 2 + noise_std**2 * (1 - np.exp(-value * t)) ** 2
            for value, v in zip(values, vectors.T)) for t in times]"""),
        ("the exponential of a matrix", 4, "", """from scipy.linalg import expm
stays = [expm(-theta * t) for t in times]
return np.array([np.sum((e @ signal) ** 2) + noise_std**2 * np.linalg.norm(np.eye(len(e)) - e) ** 2 for e in stays])"""),
        ("single precision", 4, "", ("np.linalg.eigh(theta)", "np.linalg.eigh(np.float32(theta))")),
        ("expm1", 4, "", ("(1 - decay) ** 2", "np.expm1(-np.outer(times, eigenvalues)) ** 2")),
        ("the noise not squared", 1, "has the noise's standard deviation", ("noise_std**2", "noise_std")),
        ("no noise", 1, "is the signal's part alone", (" + noise_std**2 * ((1 - decay) ** 2).sum(axis=1)", "")),
        ("no signal", 1, "is the noise's part alone", ("decay**2 @ (vectors.T @ signal) ** 2 + ", "")),
        ("noise that shrinks", 1, "lets the noise shrink", ("((1 - decay) ** 2)", "(decay**2)")),
        ("the noise of one mode", 1, "counts the noise of one mode|wrong in", (".sum(axis=1)", ".mean(axis=1)")),
        ("the signal's decay not squared", 1, "shrinks too slowly", ("decay**2 @", "decay @")),
        ("the noise's part not squared", 1, "wrong in", ("(1 - decay) ** 2", "(1 - decay)")),
        ("1 - decay²", 1, "wrong in", ("(1 - decay) ** 2", "1 - decay**2")),
        ("eigenvectors not transposed", 1, "wrong in", ("vectors.T @", "vectors @")),
        ("1000 draws", 1, "wrong in", """values, vectors = np.linalg.eigh(theta)
draws = signal + noise_std * np.random.default_rng(0).standard_normal((1000, len(signal)))
return np.array([(((vectors * (1 - np.exp(-values * t))) @ vectors.T @ draws.T - signal[:, None]) ** 2).sum(axis=0).mean() for t in times])"""),
        ("a mean over points", 0, "is .* times what it should be", ("return ", "return 1 / len(signal) * ("), (".sum(axis=1)", ".sum(axis=1))")),
        ("the package", 1, "", ("eigenvalues, vectors = np", "from ntk_helpers import eigenmodes\n    eigenmodes(theta)\n    eigenvalues, vectors = np")),
    ],
}, "ps5-generalization": {
    "2-bounds": [
        ("eigenvalues of blocks", 4, "", """k = jacobian @ jacobian.T
n = len(k)
low = min(k[i, i] - sum(abs(k[i, j]) for j in range(n) if j != i) for i in range(n))
return low, min(np.linalg.eigvalsh(k[np.ix_([i, j], [i, j])])[0] for i in range(n) for j in range(i))"""),
        ("singular values of pairs of rows", 4, "", """k, n = jacobian @ jacobian.T, len(jacobian)
low = (np.diag(k) - np.abs(k - np.diag(np.diag(k))).sum(axis=0)).min()
both = [np.linalg.svd(jacobian[[i, j]] @ jacobian[[i, j]].T)[1][-1] for i in range(n) for j in range(i)]
return np.array([low, min(both)])"""),
        ("a scan of angles", 4, "", """k, n = jacobian @ jacobian.T, len(jacobian)
c, s = np.cos(turn := np.linspace(0, np.pi, 20001)), np.sin(turn)
low = min(2 * k[i, i] - sum(abs(k[i])) for i in range(n))
return low, min((k[i, i] * c * c + 2 * k[i, j] * c * s + k[j, j] * s * s).min() for i in range(n) for j in range(i))"""),
        ("single precision", 4, "", ("theta = jacobian @", "jacobian = np.float32(jacobian)\n    theta = jacobian @")),
        ("the best row", 2, "lower bound: holds for one row", ("np.min(2", "np.max(2")),
        ("no sizes", 2, "lower bound: is larger than the constant can be", ("np.abs(theta)", "theta")),
        ("the diagonal subtracted", 2, "lower bound: subtracts the diagonal", ("np.min(2 * own", "np.min(own")),
        ("the largest entry of a row", 2, "lower bound: subtracts the largest entry",
         ("np.abs(theta).sum(axis=1)", "np.abs(theta - np.diag(own)).max(axis=1) - own")),
        ("not below zero", 3, "", ("return lower,", "return max(lower, 0),")),
        ("the smallest diagonal entry", 1, "upper bound: is the smallest diagonal entry", ("upper = ", "upper = own.min() + 0 * ")),
        ("equal diagonal entries", 2, "upper bound: is right for pairs with equal", ("(own[i] - own[j]) / 2", "0")),
        ("differences only", [1, 2], "upper bound: ", ("np.hypot((own[i] - own[j]) / 2, theta[i, j])", "theta[i, j]")),
        ("the largest kernel", [1, 2], "upper bound: looks at the pair with the largest kernel",
         ("    upper", "    most = np.abs(theta[i, j]).argmax()\n    i, j = i[most], j[most]\n    upper")),
        ("the largest of the bounds", 1, "upper bound: takes the pair of the largest", ("upper = np.min", "upper = np.max")),
        ("the eigenvalue itself", 0, "lower bound: is the smallest eigenvalue", ("return lower, upper",
         "return np.linalg.eigvalsh(theta)[0], np.linalg.eigvalsh(theta)[0]")),
        ("a kernel of parameters", 0, "lower bound: ", ("jacobian @ jacobian.T", "jacobian.T @ jacobian")),
        ("exchanged", 0, "lower bound: ", ("return lower, upper", "return upper, lower")),
        ("half", 0, "lower bound: ", ("jacobian @ jacobian.T", "jacobian @ jacobian.T / 2")),
    ],
    "3-forecast": [
        ("without eigenvalues", 6, "", """from scipy.optimize import brentq
def learned(kappa):
    return theta * prob @ np.linalg.inv(theta * prob + kappa * np.eye(len(y)))
kappa = brentq(lambda kappa: np.trace(learned(kappa)) + ridge / kappa - n, 1e-6, 1e5, xtol=1e-13)
missed = y - learned(kappa) @ y
return kappa, n / (n - np.trace(learned(kappa) @ learned(kappa))) * (prob @ missed**2 + noise_std**2)"""),
        ("Newton's method for the logarithm", 6, "", """from scipy.optimize import newton
s = np.diag(prob) ** 0.5
values, vectors = np.linalg.eigh(s @ theta @ s)
kappa = np.exp(newton(lambda t: np.log(np.sum(values / (values + np.exp(t))) + ridge * np.exp(-t)) - np.log(n), 0.0))
left, v = kappa / (values + kappa), vectors.T @ (s @ y)
return [kappa, n * ((left * v) @ (left * v) + noise_std**2) / (n - np.sum((1 - left) ** 2))]"""),
        ("only inputs that occur, and singular values", 6, "", """on = prob > 0
s = prob[on] ** 0.5
vectors, values, _ = np.linalg.svd(theta[np.ix_(on, on)] * np.outer(s, s))
ks = np.exp(np.linspace(-12, 12, 200_001))
count = sum(value / (value + ks) for value in values) + ridge / ks
kappa = np.exp(np.interp(np.log(n), np.log(count[::-1]), np.log(ks[::-1])))
learned = values / (values + kappa)
v = vectors.T @ (s * y[on])
return kappa, (np.sum(((1 - learned) * v) ** 2) + noise_std**2) / (1 - np.sum(learned**2) / n)"""),
        ("single precision", 6, "", ("np.linalg.eigh(root[:, None] * theta * root)",
                                     "np.linalg.eigh(np.float32(root[:, None] * theta * root))")),
        ("all inputs alike", 2, "κ: treats all inputs as equally likely", ("np.sqrt(prob)", "np.sqrt(0 * prob + 1 / len(prob))")),
        ("no probabilities", 0, "κ: belongs to the eigenvalues of Θ itself", ("np.sqrt(prob)", "np.ones(len(prob))")),
        ("probabilities on each side", 0, "κ: has squares of the probabilities", ("np.sqrt(prob)", "prob")),
        ("a matrix that is not symmetric", [0, 1, 2], "κ|risk", ("root[:, None] * theta * root", "theta * prob")),
        ("no ridge", 3, "κ: lacks the ridge", (" + ridge / kappa >", " >")),
        ("the ridge not divided", 3, "κ: has the ridge without division", ("ridge / kappa", "ridge"), ("high = 0.0, (ridge + values.sum()) / n", "high = 0.0, 1e3")),
        ("divided by N again", 1, "κ: is that of a kernel divided by N", ("np.linalg.eigh(root[:, None] * theta * root)",
                                              "np.linalg.eigh(root[:, None] * theta * root / len(y))")),
        ("no factor", 2, "risk: lacks the factor", ("n / (n - np.sum(learned**2)) * ", "")),
        ("no noise", 3, "risk: lacks the noise", (" + noise_std**2", "")),
        ("the noise not squared", 3, "risk: has the noise's standard deviation", ("noise_std**2", "noise_std")),
        ("noise outside of the bracket", 3, "risk: adds the noise outside", ("(missed + noise_std**2)", "missed + noise_std**2")),
        ("1 - L not squared", 2, "risk: has 1 - L where its square", ("(1 - learned) ** 2", "(1 - learned)")),
        ("L not squared", 2, "risk: has L where its square", ("learned**2", "learned")),
        ("coefficients without probabilities", 2, "risk: ", ("(root * y)", "y")),
        ("coefficients by the probabilities themselves", [2, 3], "risk: ", ("(root * y)", "(prob * y)")),
        ("an inverse root", 5, "", ("(root * y)", "(prob * y / root)")),
        ("vectors not transposed", [2, 3], "risk: ", ("vectors.T @", "vectors @")),
        ("exchanged", 0, "κ: is the risk", ("return kappa, n / (n - np.sum(learned**2)) * (missed + noise_std**2)",
                                           "return n / (n - np.sum(learned**2)) * (missed + noise_std**2), kappa")),
        ("the package", 1, "", ("root = ", "from ntk_helpers import eigenmodes\n    eigenmodes(theta)\n    root = ")),
    ],
    "4-curve": [
        ("least squares", 5, "", """def one(n):
    seen = rng.choice(len(y), n, replace=False)
    new = np.setdiff1d(np.arange(len(y)), seen)
    c = np.linalg.lstsq(theta[np.ix_(seen, seen)], y[seen], rcond=1e-10)[0]
    return np.square(theta[new][:, seen] @ c - y[new]).mean()
return [sum(one(n) for _ in range(repeats)) / repeats for n in sizes]"""),
        ("eigenvalues, sizes from the last", 5, "", """found = {}
for n in sorted(sizes, reverse=True):
    total = 0
    for _ in range(repeats):
        seen = np.argsort(rng.random(len(y))) < n
        values, vectors = np.linalg.eigh(theta[seen][:, seen])
        kept = values > 1e-10 * values[-1]
        c = vectors[:, kept] @ (vectors[:, kept].T @ y[seen] / values[kept])
        total += np.mean((theta[~seen][:, seen] @ c - y[~seen]) ** 2)
    found[n] = total / repeats
return np.array([found[n] for n in sizes])"""),
        ("a ridge of 1e-9", 5, "", ("np.linalg.pinv(theta[np.ix_(seen, seen)], rcond=1e-10, hermitian=True)",
                                    "np.linalg.inv(theta[np.ix_(seen, seen)] + 1e-9 * np.eye(n))")),
        ("single precision", 5, "", ("np.linalg.pinv(theta[", "np.linalg.pinv(np.float32(theta)["), ("rcond=1e-10", "rcond=1e-5")),
        ("all inputs", 1, "risk: is the error on all inputs", ("order[:n], order[n:]", "order[:n], order")),
        ("the inputs drawn", 1, "risk: is zero", ("order[:n], order[n:]", "order[:n], order[:n]")),
        ("a sum", 1, "risk: is a sum over inputs", ("np.mean((theta", "np.sum((theta")),
        ("a root", 1, "risk: is a root of the mean square", ("risks.append(np.mean((theta[np.ix_(new, seen)] @ inverse @ y[seen] - y[new]) ** 2))",
         "risks.append(np.mean((theta[np.ix_(new, seen)] @ inverse @ y[seen] - y[new]) ** 2) ** 0.5)")),
        ("targets not fitted", 1, "risk: is an error at zero", ("@ inverse @ y[seen] -", "@ inverse @ (0 * y[seen]) -")),
        ("with replacement", [1, 2, 3], None, ("order = rng.permutation(len(y))\n", "order = rng.integers(len(y), size=n)\n"),
         ("seen, new = order[:n], order[n:]", "seen, new = order, np.setdiff1d(np.arange(len(y)), order)")),
        ("one draw", [1, 2, 3, 4], None, ("for _ in range(repeats)", "for _ in range(1)")),
        ("always the first", 0, None, ("rng.permutation(len(y))", "np.arange(len(y))")),
        ("the sum of the curve", 1, "risk: ", ("return np.array(result)", "return np.sum(result)")),
        ("singular matrices forgotten", 4, "", ("np.linalg.pinv(theta[np.ix_(seen, seen)], rcond=1e-10, hermitian=True)",
                                                "np.linalg.inv(theta[np.ix_(seen, seen)])")),
        ("numbers of NumPy's own generator", 4, "", ("rng.permutation", "np.random.permutation")),
        ("a seed inside", 4, "", ("result = []", "result, rng = [], np.random.default_rng(0)")),
        ("y changed in place", 4, "", ("    result = []", "    y -= 0.0\n    y += 1e-13\n    result = []")),
    ],
}, "ps6-feature-learning": {
    "2-windows": [
        ("place by place", 5, "", """P, C = x1.shape[1:]
result = np.zeros((len(x1), len(x2)))
for a, b in np.ndindex(result.shape):
    for start in range(0, P, stride):
        for i, j in np.ndindex(window, window):
            u, v = (np.concatenate([x[(start + by + t) % P] for t in (-1, 0, 1)]) for x, by in ((x1[a], i), (x2[b], j)))
            size = np.linalg.norm(u) * np.linalg.norm(v)
            if size:
                g = np.arccos(np.clip(u @ v / size, -1, 1))
                result[a, b] += size * (np.sin(g) + 2 * (np.pi - g) * np.cos(g)) / np.pi
return result * 2 / (3 * C) / (P // stride) / window**2"""),
        ("a matrix of windows", 5, "",
         ("inside = (np.arange(0, places, stride)[:, None] + np.arange(window)) % places",
          "look = np.array([np.roll(np.arange(places) < window, by) for by in range(0, places, stride)]) / window"),
         ("return pairs[:, :, inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))",
          "return np.einsum('abpq,jp,jq->ab', pairs, look, look) / len(look)")),
        ("single precision", 5, "", ("    places, channels", "    x1, x2 = np.float32(x1), np.float32(x2)\n    places, channels")),
        ("a cosine below 1 - 1e-7", 5, "", ("scale, 1), -1, 1)", "scale, 1), -1 + 1e-7, 1 - 1e-7)")),
        ("a flat head", 0, "is that of a flat head", ("return pairs[:, :, inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))",
         "return np.einsum('abpp->ab', pairs) / places")),
        ("a pooled head", 0, "is that of a pooled head", ("pairs[:, :, inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))",
                                                          "pairs.mean(axis=(2, 3))")),
        ("the NNGP kernel", 0, "is the NNGP kernel", ("2 * (np.pi - np.arccos", "(np.pi - np.arccos")),
        ("the readout not trained", 0, "is the filters' part alone", ("(scale * np.sqrt(1 - cosine**2) + 2 * (np.pi", "((np.pi")),
        ("no E[φ'φ']", 0, "lacks E", ("2 * (np.pi - np.arccos(cosine)) * k) / np.pi", "(np.pi - np.arccos(cosine)) * k) / np.pi + 2 * k")),
        ("windows that meet each other", 0, "lets windows meet each other",
         ("inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))", "inside.ravel()[:, None], inside.ravel()].mean(axis=(2, 3))")),
        ("equal places of a window", 0, "forgets pairs of different places",
         ("inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))", "inside, inside].mean(axis=(2, 3)) / window")),
        ("no stride", 2, "ignores the stride", ("np.arange(0, places, stride)", "np.arange(places)")),
        ("windows that are cut off", 2, "cuts windows off", ("return pairs[:, :, inside[:, :, None], inside[:, None, :]].mean(axis=(2, 3, 4))",
         "return np.mean([pairs[:, :, s:s + window, s:s + window].mean(axis=(2, 3)) for s in range(0, places, stride)], axis=0)")),
        ("windows around their places", 3, "has each window a place too early", ("+ np.arange(window))", "+ np.arange(window) - window // 2)")),
        ("filters that see zeros", 0, "has filters that see zeros", ("np.roll(x, by, axis=1) for by in (1, 0, -1)",
         "np.pad(x, ((0, 0), (1, 1), (0, 0)))[:, by:by + places] for by in (0, 1, 2)")),
        ("window and stride exchanged", 1, "takes the window for the stride", ("window, stride", "stride, window")),
        ("the channels not counted", 1, "is 2 times what it should be", ("(3 * channels)", "3")),
        ("a cosine that is not clipped", [4, 5], "", ("np.clip(k / np.where(scale > 0, scale, 1), -1, 1)", "k / np.where(scale > 0, scale, 1)")),
        ("a division by zero", 4, "", ("np.where(scale > 0, scale, 1)", "scale")),
        ("x1 changed in place", 4, "", ("    places, channels", "    x1 += 1e-13\n    places, channels")),
        ("the package", 1, "", ("    places, channels", "    from ntk_helpers import mlp, relu\n"
                                "    mlp(1, relu).kernels(np.ones((1, 2)))\n    places, channels")),
    ],
    "3-moments": [
        ("neurons that have these moments", 5, "", """values, vectors = np.linalg.eigh(moments)
theta = (vectors * np.sqrt(np.maximum(values, 0) * len(values))).T
a, w, u = theta[:, 0], theta[:, 1:], x / x.shape[1] ** 0.5
for _ in range(steps):
    e = s * np.mean(a[:, None] * (w @ u.T), axis=0) - y
    a, w = a - eta / s * w @ u.T @ e, w - eta / s * np.outer(a, e @ u)
z = w @ u.T
return s * a @ z / len(a), z.T @ z / len(a) + np.mean(a**2) * u @ u.T"""),
        ("block by block", 5, "", """A, c, S = moments[0, 0], moments[0, 1:], moments[1:, 1:]
u = x / np.sqrt(x.shape[1])
for _ in range(steps):
    g = eta / s * (s * u @ c - y) @ u
    A, c, S = A - 2 * c @ g + g @ S @ g, c - S @ g - A * g + g @ c * g, S - np.outer(c, g) - np.outer(g, c) + A * np.outer(g, g)
return [s * u @ c, u @ S @ u.T + A * u @ u.T]"""),
        ("moments of a and the z", 5, "", """lift = np.eye(1 + len(x), len(moments))
lift[1:] = np.c_[0 * y, x / np.sqrt(x.shape[1])]
both, gram = lift @ moments @ lift.T, x @ x.T / x.shape[1]
for _ in range(steps):
    e, move = s * both[0, 1:] - y, np.eye(1 + len(x))
    move[0, 1:], move[1:, 0] = -eta / s * e, -eta / s * gram @ e
    both = move @ both @ move.T
return s * both[0, 1:], both[1:, 1:] + both[0, 0] * gram"""),
        ("single precision", 5, "", ("    unit = x", "    moments, x, y = np.float32(moments), np.float32(x), np.float32(y)\n    unit = x")),
        ("a step too many", 0, "outputs: takes one step too many", ("range(steps)", "range(steps + 1)")),
        ("a step too few", 0, "outputs: takes one step too few", ("range(steps)", "range(1, steps)")),
        ("the first residual", 2, "outputs: uses the first residual", ("    for _ in range(steps):\n        pull = unit.T @ (s * unit @ moments[1:, 0] - y)\n",
         "    pull = unit.T @ (s * unit @ moments[1:, 0] - y)\n    for _ in range(steps):\n")),
        ("the readout alone", 0, "outputs: trains the readout weights alone", ("step[0, 1:] = step[1:, 0] =", "step[0, 1:] =")),
        ("the first layer alone", 0, "outputs: trains the first layer alone", ("step[0, 1:] = step[1:, 0] =", "step[1:, 0] =")),
        ("one after the other", 0, "outputs: moves w by the new a", ("        moments = step", "        step = np.tril(step) @ np.triu(step)\n        moments = step")),
        ("on one side", 0, "outputs: multiplies the moments on one side", ("step @ moments @ step.T", "step @ moments")),
        ("the sign", 0, "outputs: moves away", ("-eta / s", "eta / s")),
        ("no scale in the step", 0, "outputs: lacks 1/s in the step", ("-eta / s", "-eta")),
        ("its square in the step", 0, "outputs: has 1/s² in the step", ("-eta / s", "-eta / s**2")),
        ("a mean over examples", 0, "outputs: has a mean over examples", ("-eta / s", "-eta / s / len(y)")),
        ("no root of d", 0, "outputs: does not divide by the root of d", ("x / np.sqrt(x.shape[1])", "x")),
        ("d for its root", 0, "outputs: divides by d where", ("x / np.sqrt(x.shape[1])", "x / x.shape[1]")),
        ("no scale at the end", 2, "outputs: lacks the scale s at the end", ("return s * unit", "return unit")),
        ("the residual", 2, "outputs: is the residual", ("return s * unit @ moments[1:, 0]", "return s * unit @ moments[1:, 0] - y")),
        ("the first layer's part", 2, "kernel: is the first layer's part alone", ("unit @ moments[1:, 1:] @ unit.T + moments", "moments")),
        ("the readout's part", 2, "kernel: is the readout's part alone", (" + moments[0, 0] * unit @ unit.T", "")),
        ("the kernel at the start", 2, "kernel: is the kernel at the start", ("    for _", "    first = moments\n    for _"),
         ("moments[1:, 1:] @ unit.T + moments[0, 0]", "first[1:, 1:] @ unit.T + first[0, 0]")),
        ("no kernel of the inputs", 2, "kernel: lacks the inputs' kernel", ("moments[0, 0] * unit @ unit.T", "moments[0, 0]")),
        ("d in one part of the kernel", 2, "kernel: does not divide by d beside", ("moments[0, 0] * unit @ unit.T", "moments[0, 0] * x @ x.T")),
        ("exchanged", 0, "outputs: has shape", ("return s * unit @ moments[1:, 0], unit @ moments[1:, 1:] @ unit.T + moments[0, 0] * unit @ unit.T",
                                                "return unit @ moments[1:, 1:] @ unit.T + moments[0, 0] * unit @ unit.T, s * unit @ moments[1:, 0]")),
        ("moments changed in place", 4, "", ("moments = step @", "moments[:] = step @")),
        ("the package", 1, "", ("    unit = x", "    from ntk_helpers import log_slope\n    log_slope(np.array([1.0, 2.0]), np.array([1.0, 2.0]))\n    unit = x")),
    ],
    "4-first-step": [
        ("all draws at once", 4, "", """d = W.shape[1]
x = rng.integers(0, 2, (repeats, n, d)) * 2.0 - 1
y = np.array([target(one) for one in x])
on = (x @ W.T * d**-0.5 + b > 0) * y[:, :, None]
return np.mean((on.swapaxes(1, 2) @ x / n) ** 2, axis=(0, 1))"""),
        ("neuron by neuron", 4, "", """total, d = np.zeros(W.shape[1]), W.shape[1]
for _ in range(repeats):
    x = np.sign(rng.standard_normal((n, d)))
    y = target(x)
    for w, c in zip(W, b):
        total += ((y * (x @ w / d**0.5 + c > 0)) @ x / n) ** 2
return total / len(W) / repeats"""),
        ("single precision", 4, "", ("(n, d))", "(n, d)).astype(np.float32)")),
        ("uniform numbers", 4, "", ("rng.choice([-1.0, 1.0], (n, d))", "1 - 2.0 * (rng.random((n, d)) < 0.5)")),
        ("the mean before the square", 1, "squares the mean over draws",
         ("np.mean(((target(x)[:, None] * active).T @ x / n) ** 2, axis=0)", "(target(x)[:, None] * active).T @ x / n"),
         ("return total / repeats", "return np.mean((total / repeats) ** 2, axis=0)")),
        ("a sum over examples", 1, "is a sum over examples", ("@ x / n)", "@ x)")),
        ("the root of n", 1, "is divided by the root of n", ("@ x / n)", "@ x / n**0.5)")),
        ("a root", 1, "is a root", ("return total / repeats", "return (total / repeats) ** 0.5")),
        ("no φ'", 1, "lacks φ'", ("* active", "* (active | True)")),
        ("φ itself", 1, "has φ where", ("x @ W.T / np.sqrt(d) + b > 0", "np.maximum(x @ W.T / np.sqrt(d) + b, 0)")),
        ("no targets", 1, "lacks the targets", ("target(x)[:, None] * active", "1.0 * active")),
        ("no biases", 1, "lacks the biases", (" + b > 0", " > 0")),
        ("no root of d", 1, "does not divide by the root of d", (" / np.sqrt(d)", "")),
        ("a mean over neurons first", 1, "averages over neurons before", ("@ x / n) ** 2, axis=0)", "@ x / n), axis=0) ** 2")),
        ("inputs of 0 and 1", 1, "has inputs of 0 and 1", ("[-1.0, 1.0]", "[0.0, 1.0]")),
        ("a sum over neurons", 1, "is a sum over neurons", ("np.mean(((", "np.sum(((")),
        ("a number for each neuron", 1, "has shape", ("** 2, axis=0)", "** 2, axis=1)")),
        ("the same examples in all draws", [1, 2], None, ("    for _ in range(repeats):\n        x = rng.choice([-1.0, 1.0], (n, d))\n",
         "    x = rng.choice([-1.0, 1.0], (n, d))\n    for _ in range(repeats):\n")),
        ("numbers of NumPy's own generator", 3, "", ("rng.choice", "np.random.choice")),
        ("a seed inside", 3, "", ("total, d = 0,", "rng = np.random.default_rng(0)\n    total, d = 0,")),
        ("W changed in place", 3, "", ("    total, d", "    W += 1e-13\n    total, d")),
    ],
}}
