"""Answers to the questions of code, wrong ones and right ones of another kind, with the marks that they must get.

A row: what it is; its points; what the self-check says ("" if it is content); then either the body of the function, or
pairs of texts, the first of which the second replaces in the model answer.
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
}}
