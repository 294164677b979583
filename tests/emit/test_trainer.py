"""The Trainer that every module carries: initial values, bad input, failed training, model files."""

import contextlib
import io
import json
import math
import pickle
import re

import numpy as np
import pytest
from hypothesis import given, strategies
from scipy import stats

from symbackprop import Network, build, layer
from symbackprop.definitions.initializers import INITIALIZERS
from tests import modules, reference

LABELS = Network(("tanh",), "nll", "l2")
VECTORS = Network(("tanh",), "bce", "l1")
SIZES = (3, 4, 3)
NAN, INF = math.nan, math.inf

generator = np.random.default_rng(0)
X, Y = generator.normal(0, 1, (6, 3)), generator.uniform(0, 1, (6, 3))
LABEL = np.array([0, 1, 2, 0, 1, 2])


def trainer_of(network=LABELS, dtype="float64", sizes=SIZES, **settings):
    return modules.interpreted(network, dtype).Trainer(sizes, **settings)


def with_entry(values, entry):
    """A copy with one entry changed, in row 2 and column 1."""
    values = np.array(values)
    values[2, 1] = entry
    return values


def copied(trainer):
    return {name: value.copy() for name, value in trainer.parameters.items()}


def assert_same(trainer, before, t=0):
    assert trainer.t == t
    for name, value in trainer.parameters.items():
        assert value.tobytes() == before[name].tobytes(), name


# --- initial values ---


def initial(initializer, sizes=(300, 200, 100), dtype="float64", **settings):
    return trainer_of(Network(("tanh",), initializer=initializer), dtype, sizes, seed=1, **settings).parameters


SCALES = {  # of fan-in and fan-out, written again
    "glorot": lambda inputs, outputs: math.sqrt(6) / math.sqrt(inputs + outputs),
    "he": lambda inputs, _: math.sqrt(2 / inputs),
    "lecun": lambda inputs, _: 1 / math.sqrt(inputs),
    "fan_in": lambda inputs, _: 1 / inputs,
    "normal": lambda _, __: 0.05,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initial_values_are_distributed_as_defined(name):
    parameters = initial(name)
    for k, (inputs, outputs) in ((1, (300, 200)), (2, (200, 100))):
        scale, weights = SCALES[name](inputs, outputs), parameters[f"W{k}"]
        assert weights.shape == (outputs, inputs)
        assert not parameters[f"b{k}"].any()
        uniform = INITIALIZERS[name].distribution == "uniform"
        distribution = stats.uniform(-scale, 2 * scale) if uniform else stats.norm(0, scale)
        assert stats.kstest(weights.ravel(), distribution.cdf).pvalue > 1e-3
        if uniform:
            assert np.abs(weights).max() <= scale


def test_the_deviation_is_a_keyword():
    assert initial("normal", deviation=0.5)["W1"] == pytest.approx(10 * initial("normal")["W1"])
    assert not initial("normal", deviation=0)["W1"].any()


def test_the_seed_decides_the_initial_values():
    assert_same(trainer_of(seed=5), copied(trainer_of(seed=5)))
    assert (trainer_of(seed=5).parameters["W1"] != trainer_of(seed=6).parameters["W1"]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_have_the_type_of_the_module(dtype):
    trainer = trainer_of(dtype=dtype)
    assert {value.dtype for value in trainer.parameters.values()} == {np.dtype(dtype)}
    assert list(trainer.parameters) == ["W1", "b1", "W2", "b2"]
    assert trainer.predict_proba(X).dtype == dtype


# --- bad input: one line that names the thing, its value and what is expected ---

BAD_SIZES = [
    (3, 4), (3, 4, 3, 2), (), 5, "343", (3, 0, 3), (3, -1, 3), (3, 2.5, 3), (3, NAN, 3), (3, "a", 3), (3, None, 3),
]  # fmt: skip
BAD_X = {
    "one example without its axis": (X[0], "X has shape (3,), expected (examples, 3)"),
    "a column too few": (X[:, :2], "X has shape (6, 2), expected (examples, 3)"),
    "an axis too many": (X[None], "X has shape (1, 6, 3)"),
    "empty": ([], "X has shape (0,), expected (examples, 3) with at least one example"),
    "no example": (np.empty((0, 3)), "X has shape (0, 3), expected (examples, 3) with at least one example"),
    "text": (X.astype(str), "X has dtype <U"),
    "objects": (X.astype(object), "X has dtype object"),
    "complex": (X + 0j, "X has dtype complex128, expected numbers"),
    "None": (None, "X has shape ()"),
    "NaN": (with_entry(X, NAN), "X[2, 1] is nan, expected finite numbers"),
    "infinity": (with_entry(X, INF), "X[2, 1] is inf, expected finite numbers"),
    "minus infinity": (with_entry(X, -INF), "X[2, 1] is -inf, expected finite numbers"),
}
BAD_LABELS = {
    "one too few": (LABEL[:5], "X has 6 examples and y has 5"),
    "a column": (LABEL[:, None], "y has shape (6, 1)"),
    "fractions": (LABEL / 2, "dtype float64, expected one class number an example"),
    "NaN": (np.where(LABEL == 1, NAN, LABEL), "dtype float64, expected one class number an example"),
    "text": (LABEL.astype(str), "expected one class number an example"),
    "negative": (LABEL - 1, "y[0] is -1, expected a class from 0 to 2"),
    "too large": (LABEL + 1, "y[2] is 3, expected a class from 0 to 2"),
    "far too large": ([0, 1, 2, 0, 1, 10**30], "expected one class number an example"),
    "empty": ([], "y has shape (0,)"),
    "None": (None, "y has shape ()"),
}
BAD_VECTORS = {
    "one too few": (Y[:5], "X has 6 examples and y has 5, expected as many"),
    "a column too few": (Y[:, :2], "y has shape (6, 2), expected (examples, 3)"),
    "labels": (LABEL, "y has shape (6,), expected (examples, 3)"),
    "NaN": (with_entry(Y, NAN), "y[2, 1] is nan, expected finite numbers"),
    "text": (Y.astype(str), "y has dtype <U"),
    "above one": (with_entry(Y, 1.5), "1.5, expected 0 to 1"),
    "negative": (with_entry(Y, -0.25), "y has values from -0.25 to"),
}
BAD_SETTINGS = {
    **{f"learning rate {value!r}": ({"learning_rate": value}, f"learning_rate is {value!r}, expected a positive number")
       for value in (0, 0.0, -0.1, NAN, INF, -INF, "0.1", None, 1j, [0.1])},
    "learning rate beyond all numbers": ({"learning_rate": 10**400}, "learning_rate is 1000"),
    **{f"l2 {value!r}": ({"l2": value}, f"l2 is {value!r}, expected a number that is not negative")
       for value in (-1, NAN, INF, "0.1", None, 1j)},
    "decay": ({"decay": -0.1}, "decay is -0.1, expected a number that is not negative"),
    "unknown": ({"l1": 0.1}, "unknown hyperparameter 'l1', this module has decay, l2"),
    "misspelt": ({"learningrate": 0.1}, "unknown hyperparameter 'learningrate'"),
    **{f"batches of {value!r}": ({"batch_size": value}, f"batch_size is {value!r}, expected a positive integer")
       for value in (0, -2, 1.5, "2", None)},
    "order beyond the examples": ({"order": [0, 6]}, "order has examples from 0 to 6, expected 0 to 5"),
    "order below the examples": ({"order": [-1]}, "order has examples from -1 to -1, expected 0 to 5"),
    "order of fractions": ({"order": [0.5]}, "order has shape (1,) and dtype float64"),
    "order of truths": ({"order": [True] * 6}, "order has shape (6,) and dtype bool"),
    "empty order": ({"order": []}, "order has shape (0,)"),
    "nested order": ({"order": [[0]]}, "order has shape (1, 1)"),
    "order of text": ({"order": "ab"}, "order has shape ()"),
}  # fmt: skip


def assert_refused(trainer, message, call):
    before, t = copied(trainer), trainer.t
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        call()
    assert "\n" not in str(raised.value)
    assert_same(trainer, before, t)


@pytest.mark.parametrize("sizes", BAD_SIZES, ids=str)
def test_bad_sizes(sizes):
    with pytest.raises(ValueError, match=r"sizes are .*, expected 3 positive integers: \(inputs, hidden, outputs\)"):
        trainer_of(sizes=sizes)


@pytest.mark.parametrize("deviation", [-1, NAN, INF, "a", None])
def test_bad_deviation(deviation):
    with pytest.raises(ValueError, match=re.escape(f"deviation is {deviation!r}, expected a number")):
        initial("normal", deviation=deviation)


def test_unknown_words_of_the_trainer():
    with pytest.raises(ValueError, match="unknown initial value 'deviation', this module has none"):
        trainer_of(deviation=1)
    with pytest.raises(ValueError, match=r"the schedule is 'fast' .* expected auto, plain"):
        trainer_of(schedule="fast")


@pytest.mark.parametrize("name", BAD_X)
def test_bad_inputs(name):
    bad, message = BAD_X[name]
    trainer = trainer_of()
    assert_refused(trainer, message, lambda: trainer.sgd(bad, LABEL))
    assert_refused(trainer, message, lambda: trainer.loss(bad, LABEL))
    assert_refused(trainer, message, lambda: trainer.predict(bad))
    assert_refused(trainer, message, lambda: trainer.predict_proba(bad))


@pytest.mark.parametrize("name", BAD_LABELS)
def test_bad_labels(name):
    bad, message = BAD_LABELS[name]
    trainer = trainer_of()
    assert_refused(trainer, message, lambda: trainer.sgd(X, bad))
    assert_refused(trainer, message, lambda: trainer.loss(X, bad))


@pytest.mark.parametrize("name", BAD_VECTORS)
def test_bad_vectors(name):
    bad, message = BAD_VECTORS[name]
    trainer = trainer_of(VECTORS)
    assert_refused(trainer, message, lambda: trainer.sgd(X, bad))
    assert_refused(trainer, message, lambda: trainer.loss(X, bad))


@pytest.mark.parametrize("name", BAD_SETTINGS)
def test_bad_settings(name):
    settings, message = BAD_SETTINGS[name]
    trainer = trainer_of()
    trainer.sgd(X, LABEL)
    assert_refused(trainer, message, lambda: trainer.sgd(X, LABEL, **settings))


@pytest.mark.filterwarnings("ignore:overflow")
def test_what_is_too_large_for_the_type_is_not_finite():
    trainer = trainer_of(dtype="float32")
    assert_refused(trainer, "X[2, 1] is inf", lambda: trainer.sgd(with_entry(X, 1e300), LABEL))


def test_good_input_of_other_types():
    """Lists, integers and other widths are numbers too."""
    expected = trainer_of()
    expected.sgd(np.round(X), LABEL, order=[5, 0, 0])
    for data, label, order in [
        (np.round(X).astype(np.int8), LABEL.astype(np.uint8), np.array([5, 0, 0], np.uint16)),
        (np.round(X).tolist(), LABEL.tolist(), (5, 0, 0)),
        (np.asfortranarray(np.round(X)), LABEL[::-1][::-1], np.repeat([5, 0, 0], 2)[::2]),
    ]:
        trainer = trainer_of()
        trainer.sgd(data, label, order=order)
        assert_same(trainer, copied(expected), 3)


def test_one_column_of_targets_may_be_a_vector():
    one, other = trainer_of(VECTORS, sizes=(3, 4, 1)), trainer_of(VECTORS, sizes=(3, 4, 1))
    one.sgd(X, Y[:, :1])
    other.sgd(X, Y[:, 0])
    assert_same(one, copied(other), 6)


def test_the_data_do_not_change():
    data, labels, order = X.copy(), LABEL.copy(), np.array([3, 1])
    trainer_of().sgd(data, labels, order=order)
    assert (data == X).all()
    assert (labels == LABEL).all()
    assert (order == [3, 1]).all()


# --- training that fails ---


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
@pytest.mark.parametrize("schedule", ["plain", "overlapped"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_that_is_no_longer_finite_is_undone(dtype, schedule):
    trainer = modules.interpret(modules.text_of(LABELS, dtype), **modules.NUMPY_FUNCTIONS).Trainer(
        SIZES, schedule=schedule
    )
    trainer.sgd(X, LABEL)
    before, huge = copied(trainer), float(np.finfo(dtype).max) / 8
    with pytest.raises(FloatingPointError, match="training became non-finite at example") as raised:
        trainer.sgd(X, LABEL, order=[5, 4, 3, 2], learning_rate=huge, l2=100)
    assert_same(trainer, before, 6)
    message = str(raised.value)
    found = re.search(r"at example (\d) \(number (\d) of 4\), step size (\S+);", message)
    assert found, message
    assert [5, 4, 3, 2][int(found[2]) - 1] == int(found[1])
    assert float(found[3]) == pytest.approx(huge, rel=1e-5)
    assert "\n" not in message
    trainer.sgd(X, LABEL)
    assert trainer.t == 12


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_the_last_update_is_looked_at_too():
    trainer = modules.interpret(modules.text_of(LABELS, "float32"), **modules.NUMPY_FUNCTIONS).Trainer(SIZES)
    before = copied(trainer)
    with pytest.raises(FloatingPointError, match=r"at example 3 \(number 1 of 1\)"):
        trainer.sgd(X, LABEL, order=[3], learning_rate=1e30, l2=1e30)
    assert_same(trainer, before)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_all_blocks_of_a_call_are_undone():
    trainer = modules.interpret(modules.text_of(LABELS), **modules.NUMPY_FUNCTIONS).Trainer(SIZES)
    trainer.BLOCK = 2
    data = np.vstack([X, np.full((1, 3), 1e200)])
    before = copied(trainer)
    with pytest.raises(FloatingPointError, match=r"number [78] of 8"):
        trainer.sgd(data, [*LABEL, 0], order=[0, 1, 2, 3, 4, 5, 6, 0], learning_rate=1e150)
    assert_same(trainer, before)


def test_the_mean_loss_is_that_before_each_update():
    """As an independent network finds it, over several blocks."""
    trainer = trainer_of()
    trainer.BLOCK = 4
    expected = copied(trainer)
    order = [0, 3, 3, 1, 2, 5, 4, 0, 1]
    mean = trainer.sgd(X, LABEL, order=order, learning_rate=0.3, l2=0.01)
    assert mean == pytest.approx(reference.sgd(expected, "tanh", "nll", X, LABEL, order, 0.3, l2=0.01), rel=1e-13)


def test_loss_and_predictions():
    for network, y in ((LABELS, LABEL), (VECTORS, Y), (Network(("tanh",), "squared"), Y)):
        trainer = trainer_of(network)
        values = [reference.loss(trainer.parameters, "tanh", network.loss, X[n], y[n]) for n in range(6)]
        assert trainer.loss(X, y) == pytest.approx(np.mean(values), rel=1e-13)
        outputs = trainer.predict_proba(X)
        kind = {"nll": "softmax", "bce": "sigmoid", "squared": "identity"}[network.loss]
        np.testing.assert_allclose(outputs, reference.forward(trainer.parameters, "tanh", kind, X), rtol=1e-13)
        predicted = {"nll": outputs.argmax(axis=1), "bce": outputs > 0.5, "squared": outputs}[network.loss]
        assert (trainer.predict(X) == predicted).all()


# --- model files ---


@pytest.fixture
def model(tmp_path):
    """A trained Trainer and its file."""
    trainer = trainer_of()
    trainer.sgd(X, LABEL)
    trainer.save(tmp_path / "model.npz")
    return trainer, tmp_path / "model.npz"


def load(path, network=LABELS, dtype="float64"):
    return modules.interpreted(network, dtype).Trainer.load(path)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_model_comes_back_bit_by_bit(tmp_path, dtype):
    trainer = trainer_of(dtype=dtype)
    trainer.sgd(X, LABEL)
    trainer.save(tmp_path / "model")
    again = load(tmp_path / "model", dtype=dtype)
    assert_same(again, copied(trainer), 6)
    assert again.sizes == trainer.sizes
    assert all(value.dtype == dtype for value in again.parameters.values())
    for one in (trainer, again):
        one.sgd(X, LABEL, learning_rate=0.2, decay=0.1, l2=0.01)
    assert_same(again, copied(trainer), 12)


def test_saving_leaves_one_file(model):
    trainer, path = model
    trainer.save(path)
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def test_a_model_that_cannot_be_written_leaves_the_old_one(model, monkeypatch):
    trainer, path = model
    before = path.read_bytes()

    def fails(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="No space"):
        trainer.save(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["model.npz"]


def npz(**arrays):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


FOREIGN = {
    "empty": b"",
    "text": b"W1,b1\n1,2\n",
    "the beginning of a zip": b"PK\x03\x04" + b"\0" * 100,
    "one array": npy(np.zeros(3)),
    "a pickled object": npy(np.array([{}], object)),
    "a pickle": pickle.dumps({"W1": 1}),
    "other arrays": npz(a=np.zeros(3)),
}
CHANGED = {
    "spec is a list": {"spec": "[1]"},
    "spec is a number": {"spec": "3"},
    "spec is not JSON": {"spec": "{"},
    "spec is empty": {"spec": "{}"},
    "spec is deep": {"spec": "[" * 100_000},
    "spec is missing": {"spec": None},
    "sizes are a number": {"sizes": 3},
    "sizes are negative": {"sizes": [3, -4, 3]},
    "sizes are others": {"sizes": [3, 5, 3]},
    "sizes are fractions": {"sizes": [3, 4.5, 3]},
    "sizes are NaN": {"sizes": [3, NAN, 3]},
    "sizes are text": {"sizes": ["3", "4", "3"]},
    "sizes are too many": {"sizes": [3, 4, 3, 3]},
    "sizes would fill the memory": {"sizes": [3, 10**13, 3]},
    "t is text": {"t": "x"},
    "t is negative": {"t": -5},
    "t is NaN": {"t": NAN},
    "t is a list": {"t": [1, 2]},
    "W1 is missing": {"W1": None},
    "W1 has another shape": {"W1": np.zeros((4, 4))},
    "W1 is NaN": {"W1": np.full((4, 3), NAN)},
    "W1 is infinite": {"W1": np.full((4, 3), INF)},
    "W1 is text": {"W1": np.full((4, 3), "a")},
    "W1 is complex": {"W1": np.full((4, 3), 1j)},
    "b2 has another shape": {"b2": np.zeros((3, 1))},
}


def assert_not_loaded(path, **how):
    with pytest.raises(ValueError, match=re.escape(str(path))) as raised:
        load(path, **how)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_files(name, tmp_path):
    (tmp_path / "foreign.npz").write_bytes(FOREIGN[name])
    assert_not_loaded(tmp_path / "foreign.npz")


@pytest.mark.parametrize("name", CHANGED)
def test_changed_files(name, model):
    _, path = model
    with np.load(path) as file:
        arrays = {**file, **CHANGED[name]}
    path.write_bytes(npz(**{name: value for name, value in arrays.items() if value is not None}))
    assert_not_loaded(path)


def test_numbers_too_large_for_the_module(model):
    trainer, path = model
    trainer.parameters["W1"][0, 0] = 1e300
    trainer.save(path)
    assert load(path).parameters["W1"][0, 0] == 1e300
    assert_not_loaded(path, dtype="float32")


def test_another_networks_model(model):
    _, path = model
    assert_not_loaded(path, network=VECTORS)
    with pytest.raises(ValueError, match=r"holds a network .*loss=nll.*, expected .*loss=bce"):
        load(path, VECTORS)


def test_a_missing_model(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz")


@given(data=strategies.data())
def test_truncated_and_flipped_files(data, tmp_path_factory):
    """Whatever single byte is wrong or wherever the file ends: an error, or what was saved."""
    path = tmp_path_factory.mktemp("damaged") / "model.npz"
    trainer = trainer_of()
    trainer.save(path)
    whole = path.read_bytes()
    at = data.draw(strategies.integers(0, len(whole) - 1))
    if data.draw(strategies.booleans()):
        path.write_bytes(whole[:at])
        assert_not_loaded(path)
        return
    path.write_bytes(whole[:at] + bytes([whole[at] ^ data.draw(strategies.integers(1, 255))]) + whole[at + 1 :])
    with contextlib.suppress(ValueError):
        assert_same(load(path), copied(trainer))


def test_the_file_holds_the_spec(model):
    trainer, path = model
    with np.load(path, allow_pickle=False) as file:
        assert json.loads(str(file["spec"])) == modules.interpreted(LABELS).SPEC
        assert int(file["t"]) == trainer.t == 6


RAW = "\n    s[i] = sum(W[i,j]*h[j], j)\n    a[i] = b[i] + s[i]\n"


def test_a_file_with_the_raw_text_of_a_layer_is_refused_in_one_line(tmp_path):
    """Earlier versions knew a layer of one's own by its text, and not by its equations."""
    path, network = tmp_path / "model.npz", Network([layer(RAW, i=3)], input=3, loss="squared", penalty="none")
    trainer = modules.interpret(build(network).text).Trainer()
    trainer.save(path)
    assert_same(type(trainer).load(path), copied(trainer))
    with np.load(path) as file:
        arrays = {**file}
    spec, equations = json.loads(str(arrays["spec"])), network.resolved.layers[0].definition.identity
    earlier = spec["network"].replace(equations, RAW)
    assert earlier != spec["network"]
    path.write_bytes(npz(**{**arrays, "spec": json.dumps({**spec, "network": earlier})}))
    with pytest.raises(ValueError, match=re.escape(f"{path} holds a network preactivation=")) as raised:
        type(trainer).load(path)
    message = str(raised.value)
    assert "\n" not in message
    assert equations in message
    assert " ".join(RAW.split()) in message
    assert message.endswith("; load it with the module that saved it")
