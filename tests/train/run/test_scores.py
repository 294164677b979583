"""Scores against scikit-learn's, over random labels and values: one class, one row, classes that are missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from symbackprop.train.data.scaling import Scaling, identity
from symbackprop.train.run import scores
from symbackprop.train.run.scores import Scores, _width, confusion, of_values, precision_and_recall, report, score

NLL = {"target": "label", "loss": "nll", "output": "softmax"}
BCE = {"target": "vector", "loss": "bce", "output": "sigmoid"}
SQUARED = {"target": "vector", "loss": "squared", "output": "identity"}


class Known:
    """A trainer whose predictions are given."""

    def __init__(self, said, width):
        self.said, self.sizes = said, (1, width)

    def predict(self, X):
        return self.said

    def loss(self, X, y):
        return 0.25


def both(classes):
    label = st.integers(0, classes - 1)
    return st.lists(st.tuples(label, label), min_size=1, max_size=30).map(lambda pairs: np.array(pairs).T)


@given(st.integers(1, 5).flatmap(lambda n: st.tuples(st.just(n), both(n))))
def test_classes(case):
    n, (true, said) = case
    found = score(NLL, Known(said, n), np.zeros((len(true), 1)), true)
    np.testing.assert_array_equal(found.counts, metrics.confusion_matrix(true, said, labels=range(n)))
    assert found.error == pytest.approx(1 - metrics.accuracy_score(true, said))
    precision, recall = precision_and_recall(found.counts)
    right = metrics.precision_recall_fscore_support(true, said, labels=range(n), zero_division=np.nan)
    np.testing.assert_allclose(precision, right[0])
    np.testing.assert_allclose(recall, right[1])
    rows = [line.split() for line in report(found, 200).splitlines()]
    assert [int(row[-1]) for row in rows[-n:]] == right[3].tolist()


@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[st.booleans()] * (2 * n)), min_size=1, max_size=20)))
def test_independent_labels(rows):
    values = np.array(rows).reshape(len(rows), 2, -1).astype(int)
    true, said = values[:, 0], values[:, 1]
    found = score(BCE, Known(said, true.shape[1]), np.zeros((len(rows), 1)), true.astype(float))
    assert found.error == pytest.approx(np.mean([list(a) != list(b) for a, b in zip(true, said, strict=True)]))
    for column, counts in enumerate(found.counts):
        precision, recall = (float(v[1]) for v in precision_and_recall(counts))
        pair = true[:, column], said[:, column]
        np.testing.assert_array_equal(counts, metrics.confusion_matrix(*pair, labels=[0, 1]))
        np.testing.assert_allclose(precision, metrics.precision_score(*pair, zero_division=np.nan))
        np.testing.assert_allclose(recall, metrics.recall_score(*pair, zero_division=np.nan))
    assert "label" in report(found)


numbers = st.floats(-1e6, 1e6).map(lambda v: round(v, 3))


@pytest.mark.filterwarnings("ignore:R\\^2 score")
@given(st.integers(1, 3).flatmap(lambda n: st.lists(st.tuples(*[numbers] * (2 * n)), min_size=1, max_size=20)))
def test_values(rows):
    values = np.array(rows).reshape(len(rows), 2, -1)
    true, said = values[:, 0], values[:, 1]
    r2, absolute, squared = of_values(true, said)
    raw = {"multioutput": "raw_values"}
    np.testing.assert_allclose(absolute, metrics.mean_absolute_error(true, said, **raw))
    np.testing.assert_allclose(squared, metrics.mean_squared_error(true, said, **raw))
    if len(rows) > 1:
        varied = (true != true[0]).any(axis=0)
        assert np.isnan(r2[~varied]).all()
        right = metrics.r2_score(true, said, **raw)
        np.testing.assert_allclose(r2[varied], right[varied], rtol=1e-6, atol=1e-6)


def test_values_are_in_the_units_of_the_targets():
    outputs = Scaling(np.array([1000.0]), np.array([50.0]))
    true, said = np.array([[0.0], [1.0], [2.0]]), np.array([[0.0], [1.0], [3.0]])
    found = score(SQUARED, Known(said, 1), np.zeros((3, 1)), true, ["price"], outputs)
    np.testing.assert_allclose(found.values[:, 0], [0.5, 50 / 3, 2500 / 3])
    assert found.error == pytest.approx(np.sqrt(2500 / 3))
    assert report(found).splitlines()[-1].split() == ["price", "0.5", "16.6667", "833.333"]


names = st.text(st.characters(codec="utf-8"), max_size=30)


@given(st.lists(names, min_size=1, max_size=12), st.integers(20, 200), st.randoms(use_true_random=False))
def test_tables_are_aligned_whatever_the_names_are(names, width, random):
    n = len(names)
    counts = np.array([[random.randint(0, 2000) for _ in range(n)] for _ in range(n)])
    lines = report(Scores(NLL, 5, 0.5, 0.1, tuple(names), counts, np.empty((0, 0))), width).split("\n")
    assert all(line.isprintable() for line in lines)
    blank = lines.index("", 3)
    for table in (lines[3:blank], lines[blank + 1 :]):
        assert len({_width(line) for line in table if line}) == 1
    matrix = lines[3:blank]
    assert matrix[0].startswith("true  ") or max(map(_width, matrix)) <= width


def test_where_the_matrix_is_too_wide_the_commonest_mistakes_are_listed():
    counts = np.diag([9] * 30)
    counts[3, 4], counts[5, 6] = 2, 7
    text = report(Scores(NLL, 279, 0.1, 0.1, tuple(f"class {n}" for n in range(30)), counts, np.empty((0, 0))), 80)
    rows = [line.split() for line in text.splitlines()[3:6]]
    assert rows == [
        ["true", "predicted", "as", "times"],
        ["class", "5", "class", "6", "7"],
        ["class", "3", "class", "4", "2"],
    ]


def test_confusion_counts_every_pair():
    assert confusion(np.array([1, 1, 0]), np.array([1, 0, 0]), 2).tolist() == [[1, 0], [1, 1]]
    assert (
        scores.score(SQUARED, Known(np.ones((2, 1)), 1), np.zeros((2, 1)), np.ones((2, 1)), (), identity(1)).error == 0
    )
