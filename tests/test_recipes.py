"""Recipes that are not for images, trained: a table of words, and attention over units."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from symbackprop.train.files.modules import import_module
from tests.test_generated import FOLDER

pytestmark = pytest.mark.slow


def test_words_learn_the_subject_of_eight_words():
    """Five of eight words are of the subject, the others of any: against the most frequent class, 25 %."""
    generator = np.random.default_rng(0)
    subject = generator.integers(0, 4, 3000)
    own = generator.random((3000, 8)).argsort(axis=1) < 5
    X = 4 * generator.integers(0, 50, (3000, 8)) + np.where(own, subject[:, None], generator.integers(0, 4, (3000, 8)))
    trainer = import_module(FOLDER / "words.py").Trainer(seed=0)
    for _ in range(5):
        trainer.sgd(X[:2000], subject[:2000], learning_rate=0.1)
    assert np.mean(trainer.predict(X[2000:]) == subject[2000:]) > 0.9


def test_attention_tells_digits_better_than_the_nearest_mean():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:1300], order[1300:]
    means = np.array([X[train][y[train] == k].mean(axis=0) for k in range(10)])
    nearest = ((X[test, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    trainer = import_module(FOLDER / "attention.py").Trainer(seed=0)
    for epoch in range(10):
        shuffled = np.random.default_rng(epoch).permutation(train)
        trainer.sgd(X, y, order=shuffled, learning_rate=0.02, decay=1e-4, l2=1e-5)
    found = np.mean(trainer.predict(X[test]) == y[test])
    assert found > np.mean(nearest == y[test]) + 0.03
