"""The small package every chapter of *Road to NTK* leans on."""

from .activations import (
    Nonlinearity, absolute, cos, erf, gaussian, gelu, identity, leaky_relu, rbf, relu, sigmoid_like, sin, tanh,
    two_slope,
)
from .checks import check
from .claims import chapter_rng, claim, log_slope
from .data import digits
from .dynamics import (
    critical_learning_rate, eigenmodes, gp_posterior, kernel_gradient_descent, kernel_gradient_flow, kernel_ridge,
    trained_ensemble,
)
from .features import fourier_features, least_squares, least_squares_path, relu_features
from .layers import Activation, Architecture, Dense, Residual, mlp, resnet
from .training import Linearized, loss_gradient, train

__all__ = [
    "Activation", "Architecture", "Dense", "Linearized", "Nonlinearity", "Residual", "absolute", "chapter_rng", "check",
    "claim", "cos", "critical_learning_rate", "digits", "eigenmodes", "erf", "explore", "fourier_features", "gaussian",
    "gelu", "gp_posterior", "identity", "kernel_gradient_descent", "kernel_gradient_flow", "kernel_ridge", "leaky_relu",
    "least_squares", "least_squares_path", "log_slope", "loss_gradient", "mlp", "rbf", "relu",
    "relu_features", "resnet", "sigmoid_like", "sin", "tanh", "train", "trained_ensemble", "two_slope",
]


def __getattr__(name):
    if name == "explore":  # matplotlib is loaded only for those who draw
        from .interactive import explore
        return explore
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
