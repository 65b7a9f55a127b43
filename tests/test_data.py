import random

import numpy as np
import pytest

from ntk_helpers import digits, mnist1d


def test_digits_are_standardized_and_split():
    task = digits(np.random.default_rng(0), 300)
    assert task.x_train.shape == (300, 47) and task.x_test.shape == (1497, 47)
    x = np.concatenate([task.x_train, task.x_test]) * np.sqrt(47)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(x.std(axis=0), 1, rtol=1e-12)
    assert len(np.unique(x.round(9), axis=0)) == len(x)  # nobody is in both parts


def test_noise_changes_training_labels_only():
    clean, noisy, wrong = (digits(np.random.default_rng(3), 900, noise) for noise in (0.0, 0.3, 1.0))
    np.testing.assert_array_equal(clean.x_train, noisy.x_train)
    np.testing.assert_array_equal(clean.labels_test, noisy.labels_test)
    # 900 coins of probability 0.3: five standard deviations are 0.077. A changed label is never the right one.
    assert abs(np.mean(clean.labels_train != noisy.labels_train) - 0.3) < 0.077
    assert set((wrong.labels_train - clean.labels_train) % 10) == set(range(1, 10))
    for labels, y in ((noisy.labels_train, noisy.y_train), (noisy.labels_test, noisy.y_test)):
        np.testing.assert_array_equal(y, np.eye(10)[labels] - 0.1)


def test_mnist1d_is_made_by_its_generator_and_leaves_the_global_ones_alone():
    from mnist1d.data import get_dataset_args, make_dataset

    random.seed(5)
    np.random.seed(5)
    wanted = random.random(), np.random.random()
    random.seed(5)
    np.random.seed(5)
    task, again, other = (mnist1d(np.random.default_rng(seed), 103, 20) for seed in (1, 1, 2))
    assert (random.random(), np.random.random()) == wanted
    settings = get_dataset_args()
    settings.num_samples, settings.train_split, settings.seed = 130, 1, int(np.random.default_rng(1).integers(2**32))
    made = make_dataset(settings)
    np.testing.assert_array_equal(np.concatenate([task.x_train, task.x_test]), made["x"][:123])
    np.testing.assert_array_equal(np.concatenate([task.labels_train, task.labels_test]), made["y"][:123])
    for got, same, different in zip(task, again, other):
        np.testing.assert_array_equal(got, same)
        assert got.shape == different.shape and (got != different).any()
    for labels, y in ((task.labels_train, task.y_train), (task.labels_test, task.y_test)):
        np.testing.assert_array_equal(y, np.eye(10)[labels] - 0.1)


@pytest.mark.parametrize("call, message", [
    (lambda rng: mnist1d(rng, 0, 9), "n_train must be at least 1; got 0"),
    (lambda rng: mnist1d(rng, 9, 0.5), "n_test must be an integer; got 0.5"),
    (lambda rng: mnist1d(0, 9, 9), r"rng must be a numpy.random.Generator"),
    (lambda rng: digits(rng, 0), "n_train must be at least 1; got 0"),
    (lambda rng: digits(rng, 1797), "n_train must leave a test example of the 1797; got 1797"),
    (lambda rng: digits(rng, 10.5), "n_train must be an integer; got 10.5"),
    (lambda rng: digits(rng, 10, label_noise=1.1), "label_noise must be at least 0 and at most 1; got 1.1"),
    (lambda rng: digits(rng, 10, label_noise=np.nan), "label_noise must be finite; got nan"),
    (lambda rng: digits(0, 10), r"rng must be a numpy.random.Generator, such as chapter_rng\(\); got int"),
])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))
