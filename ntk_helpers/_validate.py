"""Checks at the public doors: each refuses with a ValueError naming the argument, what came and what is needed."""

import numpy as np


def require(condition, message):
    """Refuse what does not meet the condition."""
    if not condition:
        raise ValueError(message)


def array(name, value, ndim=2, rows=None, columns=None, finite=True):
    """Return ``value`` as a float array of ``ndim`` axes (a tuple allows several), none empty; finite, if so asked."""
    require(not hasattr(value, "toarray"), f"{name} must be a dense array; got a sparse {type(value).__name__}: "
            f"{name}.toarray() is one")
    try:
        out = np.asarray(value)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name} must be a numeric array; got a {type(value).__name__} ({error})") from None
    require(out.dtype.kind in "biuf", f"{name} must be a real numeric array; got dtype {out.dtype}")
    allowed = (ndim,) if isinstance(ndim, int) else ndim
    require(out.ndim in allowed, f"{name} must be {' or '.join(f'{n}-D' for n in allowed)}; got shape {out.shape}")
    require(out.size, f"{name} must not be empty; got shape {out.shape}")
    require(rows in (None, *out.shape[:1]), f"{name} must have {rows} rows; got shape {out.shape}")
    require(columns in (None, *out.shape[-1:]), f"{name} must have {columns} columns; got shape {out.shape}")
    out = out if out.dtype in (np.float32, np.float64) else out.astype(float)
    count = np.count_nonzero(~np.isfinite(out)) if finite else 0
    require(not count, f"{name} must be finite; got {count} entries that are NaN or infinite")
    return out


def images(name, value, shape=()):
    """Return ``value`` as images (n, height, width, channels), all of ``shape``; one channel needs no axis."""
    out = array(name, value, ndim=(3, 4))
    out = out if out.ndim == 4 else out[..., None]
    require(shape in ((), out.shape[1:]),
            f"{name} must be images of height, width and channels {shape}; got shape {np.shape(value)}")
    return out


def elementwise(name, function):
    """Refuse a function that does not take arrays."""
    x = np.array([[-0.5, 1.0, 2.0]])
    try:
        with np.errstate(all="ignore"):
            got = f"one of shape {np.shape(function(x))} for one of shape {x.shape}"
    except Exception as error:  # noqa: BLE001 -- a user's function may raise anything
        got = f"{type(error).__name__}: {error}"
    require(got.startswith(f"one of shape {x.shape} "), f"{name} must act elementwise on arrays and return arrays; got "
            f"{got}. np.vectorize makes one of a function of numbers")


def integer(name, value, at_least=1):
    """Return ``value`` as an int of at least ``at_least`` (booleans and fractions are refused)."""
    integral = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    require(integral, f"{name} must be an integer; got {value!r}")
    require(value >= at_least, f"{name} must be at least {at_least}; got {value}")
    return int(value)


def number(name, value, at_least=-np.inf, above=-np.inf, at_most=np.inf):
    """Return ``value`` as a finite float within the bounds (``above`` is strict)."""
    try:
        out = float(value + 0)  # not of a string
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be one real number; got {value!r}") from None
    require(np.isfinite(out), f"{name} must be finite; got {out}")
    bounds = {"at least": at_least, "above": above, "at most": at_most}
    needs = " and ".join(f"{words} {bound:g}" for words, bound in bounds.items() if np.isfinite(bound))
    require(at_least <= out <= at_most and out > above, f"{name} must be {needs}; got {out:g}")
    return out


def precision(dtype):
    """Return ``dtype`` as one of the two precisions."""
    known = any(dtype is kind or dtype == np.dtype(kind) for kind in (float, np.float64, np.float32))
    require(known, f"dtype must be float64 or float32; got {dtype!r}")
    return np.dtype(dtype)


def generator(name, value):
    """Return ``value`` if it is a numpy.random.Generator."""
    require(isinstance(value, np.random.Generator),
            f"{name} must be a numpy.random.Generator, such as chapter_rng(); got {type(value).__name__}")
    return value
