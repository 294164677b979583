import numpy as np
import pytest

from symbackprop.train import Dataset, digits, misses, prepare, split
from symbackprop.train.data.scaling import fit_inputs, fit_outputs

SPEC = {"target": "label", "loss": "nll", "dtype": "float32", "output": "softmax"}


def test_parts_are_disjoint_complete_and_seeded():
    data = Dataset(np.arange(100)[:, None], np.arange(100) % 2)
    parts = split(data, seed=3)
    assert [len(part) for part in parts] == [70, 15, 15]
    np.testing.assert_array_equal(np.sort(np.concatenate([part.X[:, 0] for part in parts])), np.arange(100))
    assert all(np.array_equal(part.X[:, 0] % 2, part.y) for part in parts)
    np.testing.assert_array_equal(split(data, seed=3).test.X, parts.test.X)
    assert not np.array_equal(split(data, seed=4).test.X, parts.test.X)


def test_too_few_examples():
    with pytest.raises(ValueError, match=r"data: 9 examples are too few to .*; at least 10"):
        split(Dataset(np.ones((9, 1)), np.ones(9)))
    assert min(len(part) for part in split(Dataset(np.ones((10, 1)), np.ones(10)))) >= 1


def test_inputs_are_centred_and_three_wide():
    random = np.random.default_rng(0)
    X = random.uniform([0, -5, 1e6], [1, 5, 2e6], (50, 3))
    scaled = fit_inputs(X).apply(X)
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(np.ptp(scaled, axis=0), 3)


def test_scaling_can_be_undone_and_keeps_constant_columns_finite():
    y = np.random.default_rng(0).normal(1e5, 1e4, (30, 2))
    y[:, 1] = 0.1
    scaling = fit_outputs(y)
    np.testing.assert_allclose(scaling.undo(scaling.apply(y)), y)
    np.testing.assert_allclose(scaling.apply(y)[:, 0].std(), 1)
    np.testing.assert_allclose(scaling.apply(y)[:, 1], 0, atol=1e-12)
    assert scaling.apply(y, "float32").dtype == np.float32


@pytest.mark.parametrize("dtype", [np.uint8, np.bool_, np.int64, np.float16, np.float32])
def test_inputs_of_every_dtype(dtype):
    X = np.array([[0, 1], [1, 1], [0, 1]], dtype)
    np.testing.assert_allclose(fit_inputs(X).apply(X), [[-1, 0], [2, 0], [-1, 0]], atol=1e-6)


def test_a_column_too_wide_is_named():
    with pytest.raises(ValueError, match=r"column 1 runs from -1\.5e\+308 to 1\.5e\+308, too wide to scale"):
        fit_inputs(np.array([[0, -1.5e308], [0, 1.5e308]]))


def test_only_the_training_part_decides_the_scaling():
    data = Dataset(np.random.default_rng(0).normal(size=(40, 2)), np.arange(40) % 2, classes=("a", "b"))
    prepared = prepare(data, SPEC, seed=5)
    np.testing.assert_array_equal(prepared.inputs.shift, fit_inputs(split(data, 5).train.X).shift)
    X, y = prepared.test
    assert (X.dtype, y.dtype, X.flags.c_contiguous) == (np.float32, np.int64, True)
    assert (prepared.n_in, prepared.n_out) == (2, 2)


def test_targets_are_scaled_where_the_outputs_are_values():
    data = Dataset(np.ones((40, 2)), np.arange(80.0).reshape(40, 2))
    spec = SPEC | {"target": "vector"}
    assert abs(prepare(data, spec | {"output": "identity", "loss": "squared"}).train[1].mean()) < 1e-6
    assert prepare(data, spec | {"output": "identity", "loss": "exp(f) - y * f"}).train[1].max() == 79
    assert prepare(data, spec | {"output": "sigmoid"}).train[1].max() == 79
    assert prepare(data, spec).n_out == 2


def test_digits():
    data = digits()
    assert (data.X.shape, data.y.shape, data.classes[3]) == ((1797, 64), (1797,), "3")
    vectors = digits("vector")
    np.testing.assert_array_equal(vectors.y.argmax(axis=1), data.y)


class Says:
    def __init__(self, predicted):
        self.predicted = np.array(predicted)

    def predict(self, X):
        del X
        return self.predicted


@pytest.mark.parametrize(
    ("target", "output", "predicted", "y", "expected"),
    [
        ("label", "softmax", [0, 1, 2, 2], [0, 1, 1, 2], 0.25),
        ("vector", "sigmoid", [[0, 1], [1, 1]], [[0.1, 0.9], [1, 0]], 0.5),
        ("vector", "sigmoid", [[0], [1], [1], [1]], [0, 1, 1, 1], 0),
        ("vector", "softmax", [[0.8, 0.2], [0.4, 0.6]], [[1, 0], [1, 0]], 0.5),
        ("vector", "identity", [[1, 1], [1, 1]], [[1, 1], [1, 5]], 2),
        ("vector", "identity", [1, 4], [1, 0], np.sqrt(8)),
    ],
)
def test_misses(target, output, predicted, y, expected):
    spec = {"target": target, "output": output, "loss": "squared"}
    assert misses(spec, Says(predicted), None, np.array(y)) == pytest.approx(expected)


def test_the_error_of_a_loss_of_ones_own_is_the_loss():
    trainer = Says([1.0])
    trainer.loss = lambda X, y: 3.5
    spec = {"target": "vector", "output": "identity", "loss": "exp(f) - y * f"}
    assert misses(spec, trainer, None, np.array([1.0])) == 3.5
