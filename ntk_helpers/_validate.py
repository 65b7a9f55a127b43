"""Checks at the public doors: each refuses with a ValueError naming the argument, what came and what is needed."""

import numpy as np


def array(name, value, ndim=2, rows=None, columns=None):
    """Return ``value`` as a finite float array with ``ndim`` axes (a tuple allows several), none of them empty."""
    try:
        out = np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name} must be a numeric array; got a {type(value).__name__} ({error})") from None
    if out.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be a real numeric array; got dtype {out.dtype}")
    allowed = (ndim,) if isinstance(ndim, int) else tuple(ndim)
    if out.ndim not in allowed:
        wanted = " or ".join(f"{n}-D" for n in allowed)
        raise ValueError(f"{name} must be {wanted}; got shape {out.shape}")
    if out.size == 0:
        raise ValueError(f"{name} must not be empty; got shape {out.shape}")
    for axis, need, what in ((0, rows, "rows"), (-1, columns, "columns")):
        if need is not None and out.shape[axis] != need:
            raise ValueError(f"{name} must have {need} {what}; got shape {out.shape}")
    if out.dtype.kind != "f":
        out = out.astype(float)
    if not np.isfinite(out).all():
        bad = np.count_nonzero(~np.isfinite(out))
        raise ValueError(f"{name} must be finite; got {bad} entries that are NaN or infinite")
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
        out = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be one real number; got {value!r}") from None
    if not np.isfinite(out):
        raise ValueError(f"{name} must be finite; got {out}")
    if out < at_least or out <= above or out > at_most:
        needs = [f"at least {at_least:g}"] * (at_least > -np.inf) + [f"above {above:g}"] * (above > -np.inf)
        needs += [f"at most {at_most:g}"] * (at_most < np.inf)
        raise ValueError(f"{name} must be {' and '.join(needs)}; got {out:g}")
    return out


def generator(name, value):
    """Return ``value`` if it is a numpy.random.Generator."""
    if not isinstance(value, np.random.Generator):
        raise ValueError(f"{name} must be a numpy.random.Generator, such as chapter_rng(); got {type(value).__name__}")
    return value
