"""The small package every chapter of *Road to NTK* leans on."""

from .claims import chapter_rng, claim
from .data import digits, mnist1d
from .features import fourier_features, least_squares, least_squares_path, relu_features

__all__ = ["chapter_rng", "claim", "digits", "explore", "fourier_features", "least_squares", "least_squares_path",
           "mnist1d", "relu_features"]


def __getattr__(name):
    # matplotlib is loaded only for those who draw.
    if name == "explore":
        from .interactive import explore
        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
