"""The small package every chapter of *Road to NTK* leans on."""

from .activations import Nonlinearity, absolute, cos, erf, gaussian, gelu, identity, leaky_relu, rbf, relu
from .activations import sigmoid_like, sin, tanh, two_slope
from .claims import chapter_rng, check, claim, log_slope, verify
from .convolution import Conv, Flatten, GlobalAveragePool, cnn
from .data import digits, mnist1d
from .dynamics import critical_learning_rate, eigenmodes, kernel_gradient_descent, kernel_gradient_flow
from .dynamics import trained_ensemble
from .features import fourier_features, least_squares, least_squares_path, relu_features
from .layers import Activation, Architecture, Dense, Residual, mlp, resnet
from .regression import gp_posterior, kernel_ridge, log_marginal_likelihood
from .training import Linearized, loss_gradient, train
