"""Data that come with an installed package, or are made by one: nothing is downloaded."""

import random
from typing import NamedTuple

import numpy as np

from . import _validate


class Split(NamedTuple):
    """A classification task: inputs (rows are examples), one-hot targets minus 0.1, and the labels they encode.

    ``y_train`` encodes ``labels_train``, which may be noisy; ``y_test`` encodes ``labels_test``, which never are.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    labels_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    labels_test: np.ndarray


def digits(rng, n_train, label_noise=0.0):
    """Split scikit-learn's 1797 handwritten digits (8 × 8 pixels) into training and test examples: a :class:`Split`.

    The 47 pixels whose standard deviation over all images exceeds 0.1 (intensities in [0, 1]) are standardized over
    all images and divided by √47, so that inputs have mean squared norm 1; labels take no part in this. The 10
    targets, one-hot minus 0.1, have mean 0 over classes. From ``rng`` come the split and the noise: a fraction
    ``label_noise`` in [0, 1] of training labels, each chosen independently, is replaced by another class at random.
    ``n_train`` is from 1 to 1796; the rest are test examples.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    n_train = _validate.integer("n_train", n_train)
    _validate.require(n_train < len(labels), f"n_train must leave a test example of the {len(labels)}; got {n_train}")
    x = images / 16
    x = x[:, x.std(axis=0) > 0.1]
    x = (x - x.mean(axis=0)) / (x.std(axis=0) * np.sqrt(x.shape[1]))
    order = _validate.generator("rng", rng).permutation(len(labels))
    x, (train, test) = x[order], np.split(labels[order], [n_train])
    flipped = rng.random(n_train) < _validate.number("label_noise", label_noise, at_least=0, at_most=1)
    train = np.where(flipped, (train + rng.integers(1, 10, n_train)) % 10, train)
    targets = np.eye(10) - 0.1
    return Split(x[:n_train], targets[train], train, x[n_train:], targets[test], test)


def mnist1d(rng, n_train, n_test):
    """Make MNIST-1D: ten shapes, 40 points each, padded, shifted, sheared and blurred at random: a :class:`Split`.

    By the generator of Greydanus and Kobak, *Scaling down deep learning with MNIST-1D*, ICML 2024, which draws from the
    global generators of NumPy and Python; their states are put back. Inputs have mean 0 and standard deviation 1 over
    all points of all examples; targets are one-hot minus 0.1.
    """
    from mnist1d.data import get_dataset_args, make_dataset

    n_train, n_test = _validate.integer("n_train", n_train), _validate.integer("n_test", n_test)
    settings = get_dataset_args()
    settings.num_samples = -(-(n_train + n_test) // 10) * 10  # as many of each shape
    settings.train_split, settings.seed = 1, int(_validate.generator("rng", rng).integers(2**32))
    states = random.getstate(), np.random.get_state()
    try:
        made = make_dataset(settings)
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
    x, labels, targets = made["x"], made["y"], np.eye(10) - 0.1
    (train, test), x = np.split(labels[:n_train + n_test], [n_train]), x[:n_train + n_test]
    return Split(x[:n_train], targets[train], train, x[n_train:], targets[test], test)
