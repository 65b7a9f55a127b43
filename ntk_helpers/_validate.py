"""Checks at the public doors: each refuses with a ValueError naming the argument, what came and what is needed."""

import numpy as np


def require(condition, message):
    """Refuse what does not meet the condition."""
    if not condition:
        raise ValueError(message)


def array(name, value, ndim=2, rows=None, columns=None):
    """Return ``value`` as a finite float array with ``ndim`` axes (a tuple allows several), none of them empty."""
    try:
        out = np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name} must be a numeric array; got a {type(value).__name__} ({error})") from None
    if out.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be a real numeric array; got dtype {out.dtype}")
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    if out.ndim not in allowed:
        raise ValueError(f"{name} must be {' or '.join(f'{n}-D' for n in allowed)}; got shape {out.shape}")
    if out.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {out.shape}")
    for axis, need, what in ((0, rows, "rows"), (-1, columns, "columns")):
        if need is not None and out.shape[axis] != need:
            raise ValueError(f"{name} must have {need} {what}; got shape {out.shape}")
    out = out if out.dtype in (np.float32, np.float64) else out.astype(float)
    if not np.isfinite(out).all():
        raise ValueError(f"{name} must be finite; got {(~np.isfinite(out)).sum()} entries that are NaN or infinite")
    return out


def integer(name, value, at_least=1):
    """Return ``value`` as an int of at least ``at_least`` (booleans and fractions are refused)."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise ValueError(f"{name} must be an integer; got {value!r}")
    if value < at_least:
        raise ValueError(f"{name} must be at least {at_least}; got {value}")
    return int(value)


def number(name, value, at_least=-np.inf, above=-np.inf, at_most=np.inf):
    """Return ``value`` as a finite float within the bounds (``above`` is strict)."""
    try:
        out = float(value + 0)  # not of a string
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be one real number; got {value!r}") from None
    if not np.isfinite(out):
        raise ValueError(f"{name} must be finite; got {out}")
    if out < at_least or out <= above or out > at_most:
        bounds = {"at least": at_least, "above": above, "at most": at_most}
        needs = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if np.isfinite(bound))
        raise ValueError(f"{name} must be {needs}; got {out:g}")
    return out


def precision(dtype):
    """Return ``dtype`` as one of the two precisions."""
    try:
        out = np.dtype(dtype)
    except TypeError:
        out = None
    if out not in (np.float64, np.float32):
        raise ValueError(f"dtype must be float64 or float32; got {dtype!r}")
    return out


def generator(name, value):
    """Return ``value`` if it is a numpy.random.Generator."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(f"{name} must be a numpy.random.Generator, such as chapter_rng(); got {type(value).__name__}")
    return value
