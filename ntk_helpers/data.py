"""Real data that comes with an installed package: nothing is downloaded."""

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
