"""Rows of a stream: the same updates as over arrays, features and labels that appear, refusals that change nothing."""

import copy
import pickle
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symbackprop.estimators.online import OnlineNetwork
from symbackprop.estimators.running_moments import Running
from symbackprop.estimators.runtime import module_of

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(200, 5))
Y = (X @ [1, -1, 2, 0, 1] > 0).astype(int)


def network(**parameters):
    return OnlineNetwork(**{"hidden_layer_sizes": (6,), "seed": 3, **parameters})


def weights(made):
    return {name: values.copy() for name, values in made._live.trainer.parameters.items()}


def test_rows_are_an_epoch_of_sgd_bit_for_bit():
    made = network(standardise=False, classes=[0, 1], learning_rate=0.1, l2=0.01)
    for x, y in zip(X, Y, strict=True):
        made.learn_one(x, int(y))
    module = module_of(made.asked)
    trainer = module.Trainer((5, 6, 2), seed=3, schedule="plain")
    trainer.sgd(X, Y, learning_rate=0.1, l2=0.01)
    assert all((weights(made)[name] == values).all() for name, values in trainer.parameters.items())
    assert made.t == trainer.t == 200


def test_dicts_are_arrays_with_names():
    arrays, dicts, shuffled = network(), network(), network()
    for x, y in zip(X.tolist(), Y.tolist(), strict=True):
        row = dict(zip("abcde", x, strict=True))
        arrays.learn_one(x, y)
        dicts.learn_one(row, y)
        shuffled.learn_one(dict(sorted(row.items(), reverse=True)), y)
    assert dicts.features_ == list("abcde") == shuffled.features_
    for other in (dicts, shuffled):
        assert all((weights(arrays)[name] == values).all() for name, values in weights(other).items())
    assert dicts.predict_proba_one({"a": 1.0, "nobody": 3.0}) == dicts.predict_proba_one({"a": 1.0})


def test_it_learns_classes_that_appear_and_values():
    made = network(learning_rate=0.1)
    right = 0
    for n in range(2000):
        x = X[n % 200]
        label = "low" if x[0] < -0.4 else "high" if x[0] > 0.4 and n > 300 else "middle"
        right += n > 1000 and made.predict_one(x) == label
        made.learn_one(x, label)
    assert right / 999 > 0.9
    assert set(made.classes_) == {"low", "middle", "high"}
    assert sum(made.predict_proba_one(X[0]).values()) == pytest.approx(1, abs=1e-12)
    values = network(loss="squared", learning_rate=0.02, update="sgd")
    for n in range(4000):
        values.learn_one(X[n % 200], 300 + 50 * X[n % 200, 0])
    assert values.predict_one(X[0]) == pytest.approx(300 + 50 * X[0, 0], abs=10)


def test_what_is_new_leaves_what_was_learnt():
    made = network(learning_rate=0.1)
    for x, y in zip(X.tolist(), Y.tolist(), strict=True):
        made.learn_one({"a": x[0], "b": x[1]}, y)
    before, row = weights(made), {"a": 0.3, "b": -0.2}
    proba = made.predict_proba_one(row)
    made._rows.learn({"a": 0.3, "b": -0.2, "c": 1.0})
    made._resize()
    assert weights(made)["W1"].shape == (6, 3)
    assert (weights(made)["W1"][:, :2] == before["W1"]).all()
    assert weights(made)["W1"][:, 2].any()
    assert made.predict_proba_one(row) == pytest.approx(proba, abs=0.02)  # the mean moved by one row


def test_means_of_what_is_new_begin_at_its_initial_values():
    made = network(update="average")
    made.learn_one({"a": 1.0}, 0)
    made.learn_one({"a": 0.5, "b": 1.0}, 1)
    mean = made._live.trainer.state["mean_W1"][:, 1]
    first = mean + (mean - weights(made)["W1"][:, 1])  # half of the first value, half of the value now
    assert np.abs(first).max() > 0.1


def test_features_beyond_the_bound_are_ignored_with_one_warning():
    made = network(max_features=2)
    made.learn_one({"a": 1, "b": 2}, 0)
    with pytest.warns(UserWarning, match="'c' is ignored"):
        made.learn_one({"a": 1, "b": 2, "c": 3}, 1)
    made.learn_one({"a": 1, "b": 2, "d": 3}, 1)
    assert made.features_ == ["a", "b"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(-1e3, 1e3))
@settings(max_examples=60, deadline=None)
def test_running_means_and_deviations_are_those_of_all_values(values, shift):
    running = Running(1, "float64")
    for v in values:
        running.raw[0] = v + shift
        assert running(learn=True) == 0
    mean, deviation = running.back()
    scale = 1 + max(abs(v) for v in values)
    assert mean == pytest.approx(np.mean(values) + shift, abs=1e-9 * scale)
    assert deviation == pytest.approx(np.std(values) or 1.0, abs=1e-6 * scale) or np.std(values) < 1e-6 * scale


def test_a_refused_row_makes_no_column():
    made = network(max_features=2)
    for row in ({"x": "text"}, {"x": float("inf")}, {"x": 1e200}, {"x": 10**400}):
        with pytest.raises(ValueError, match="feature 'x'"):
            made.learn_one(row, 0)
    assert made.features_ is None
    made.learn_one(X[0], 0)  # rows may still be arrays


def test_gaps_are_means():
    made = network()
    for x, y in zip(X.tolist(), Y.tolist(), strict=True):
        made.learn_one(dict(zip("abcde", x, strict=True)), y)
    known = made._rows._scaled.known.copy()
    made.learn_one({"a": 1.0, "b": None, "c": float("nan")}, 1)
    assert (made._rows._scaled.known - known).tolist() == [1, 0, 0, 0, 0]
    assert made._rows.row[0, 1:].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("update", ["clip", "nesterov+average"])
def test_pickles_go_on_alike(update):
    made = network(update=update)
    for x, y in zip(X, Y.tolist(), strict=True):
        made.learn_one(x, y)
    copied = pickle.loads(pickle.dumps(made))
    for one in (made, copied):
        one.learn_one(X[0], 1)
    assert made.predict_proba_one(X[1]) == copied.predict_proba_one(X[1])
    assert pickle.loads(pickle.dumps(network())).predict_one(X[0]) is None


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (X[0, :3], 1, "3 features, expected 5"),
        ([1, 2, 3, 4, float("nan")], 1, "feature 4 is nan"),
        ([1, 2, 3, 4, float("inf")], 1, "feature 4 is inf"),
        ([1, 2, 3, 4, 1e200], 1, "feature 4 is 1e"),
        ({"a": 1}, 1, "rows so far were arrays"),
        (X[0], None, "expected a label"),
        (X[0], float("nan"), "expected a label"),
    ],
)
def test_a_row_that_is_refused_changes_nothing(x, y, words):
    made = network()
    for row, label in zip(X[:50], Y.tolist(), strict=False):
        made.learn_one(row, label)
    before = pickle.dumps(made)
    with pytest.raises(ValueError, match=words):
        made.learn_one(x, y)
    assert made.t == 50
    made._rows._scaled.raw[:] = pickle.loads(before)._rows._scaled.raw
    made._rows._scaled.z[:] = pickle.loads(before)._rows._scaled.z
    assert pickle.dumps(made) == before


NO_ROWS = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(), st.just([]),
    st.lists(st.lists(st.floats(-1, 1), min_size=1, max_size=2), min_size=1, max_size=6),
    st.lists(st.one_of(st.just("text"), st.just(1j), st.none(), st.just({})), min_size=1, max_size=6),
    st.integers(1, 9).filter(lambda n: n != 5).map(np.zeros),
    st.dictionaries(st.text(), st.floats(-1, 1)),
)  # fmt: skip
NO_LABELS = st.one_of(
    st.none(), st.just(float("nan")), st.lists(st.integers()), st.dictionaries(st.integers(), st.integers())
)
NO_WEIGHTS = st.one_of(
    st.none(), st.text(), st.floats(max_value=0, exclude_max=True), st.lists(st.floats(0, 1)),
    st.sampled_from([float("nan"), float("inf"), 1j]),
)  # fmt: skip


def refused_in_one_line(call, start):
    with pytest.raises(ValueError, match="(?s).*") as caught:
        call()
    assert str(caught.value).startswith(start), str(caught.value)
    assert "\n" not in str(caught.value)


def learnt(loss="nll"):
    made = network(loss=loss)
    for x, y in zip(X[:20], Y.tolist(), strict=False):
        made.learn_one(x, y)
    return made


def known_of(made):
    """Return all that a row may change, but for the buffers of the row itself."""
    kept, running = copy.deepcopy(made), Running(0, "float64")
    for scaled in (kept._rows._scaled, getattr(kept._aims, "_scaled", running)):
        scaled.raw[:], scaled.z[:] = 0, 0
    return pickle.dumps(kept)


LEARNT = {loss: learnt(loss) for loss in ("nll", "squared")}


@given(NO_ROWS)
def test_what_is_no_row_is_refused_by_name_and_changes_nothing(x):
    for make in (network, lambda: LEARNT["nll"]):
        made = make()
        before = known_of(made)
        if made.t or not isinstance(x, dict | np.ndarray):
            refused_in_one_line(lambda: made.learn_one(x, 1), ("x ", "feature "))  # noqa: B023
            assert known_of(made) == before
    refused_in_one_line(lambda: made.predict_one(x), ("x ", "feature "))


@given(NO_LABELS, NO_WEIGHTS)
def test_what_is_no_label_or_no_weight_is_refused_by_name_and_changes_nothing(y, w):
    for made in (network(), LEARNT["nll"]):
        before = known_of(made)
        refused_in_one_line(lambda: made.learn_one(X[0], y), "y is")  # noqa: B023
        refused_in_one_line(lambda: made.learn_one(X[0], 1, w), "w is")  # noqa: B023
        assert known_of(made) == before


@given(
    st.one_of(
        st.none(),
        st.dictionaries(st.integers(), st.integers()),
        st.text(),
        st.lists(st.text(), min_size=1),
        st.lists(st.integers()).filter(lambda values: len(values) != 1),
        st.sampled_from([[[1.0]], 1j, float("nan")]),
    )
)
def test_what_is_no_value_is_refused_by_name_and_changes_nothing(y):
    made = LEARNT["squared"]
    before = known_of(made)
    refused_in_one_line(lambda: made.learn_one(X[0], y), "y ")
    assert known_of(made) == before


def test_a_refused_row_leaves_the_columns_open():
    made = network()
    for wrong in ([1.0, float("nan")], {"a": 1.0, "b": "text"}, {"a": float("inf"), "b": 1.0}):
        with pytest.raises(ValueError, match="feature"):
            made.learn_one(wrong, 0)
    made.learn_one({"c": 1.0}, 0)
    with pytest.raises(ValueError, match="'c'"):
        made.learn_one({"c": "text", "d": 1.0}, 0)
    assert made.features_ == ["c"]


def test_raw_streams_are_learnt():
    """Columns of all units, each row seen once, classes and values."""
    units, shifts = np.array([1e4, 1e-4, 1.0, 1e3, 1e-2]), np.array([1e5, 3.0, -1e3, 0.0, 1e-2])
    labels, values = network(), network(loss="squared", learning_rate=0.01)
    right, off = 0, []
    for n in range(3000):
        x = GENERATOR.normal(size=5)
        y = bool(x[0] - x[1] + x[2] > 0)
        right += n >= 2000 and labels.predict_one(x * units + shifts) == y
        labels.learn_one(x * units + shifts, y)
        off += [values.predict_one(x * units + shifts) - 1e4 - x[0]] * (n >= 2000)
        values.learn_one(x * units + shifts, 1e4 + x[0])
    assert right / 1000 > 0.9
    assert np.std(off) < 0.3


@pytest.mark.parametrize("y", [float("nan"), [1.0, 2.0], float("inf"), 1e200])
def test_values_that_are_refused_change_nothing(y):
    made = network(loss="squared")
    made.learn_one(X[0], 1.5)
    with pytest.raises(ValueError, match="nothing was learnt"):
        made.learn_one(X[1], y)
    assert made.t == 1


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"hidden_layer_sizes": (0,)}, "positive integers"),
        ({"hidden_layer_sizes": None}, "hidden_layer_sizes is None"),
        ({"hidden_layer_sizes": 2.5}, "hidden_layer_sizes is 2.5"),
        ({"hidden_layer_sizes": (True,)}, "hidden_layer_sizes is"),
        ({"activation": None}, "activation is None"),
        ({"activation": [3]}, "activation is"),
        ({"loss": 3}, "loss is 3"),
        ({"step_size": None}, "step_size is None"),
        ({"update": 3}, "update is 3"),
        ({"initializer": ""}, "initializer is ''"),
        ({"dtype": 3}, "dtype is 3"),
        ({"standardise": "no"}, "standardise is 'no'"),
        ({"seed": "a"}, "seed is 'a'"),
        ({"hyperparameters": 3}, "hyperparameters is 3"),
        ({"hyperparameters": {"max_gradient": "x"}}, "max_gradient"),
        ({"classes": "ab"}, "classes are 'ab'"),
        ({"classes": 3}, "classes are 3"),
        ({"classes": [[1]]}, "expected labels"),
        ({"max_features": True}, "max_features is True"),
        ({"activation": ("tanh", "relu")}, "2 activations for 1"),
        ({"activation": "tnah"}, "tanh"),
        ({"learning_rate": -1}, "learning_rate is -1"),
        ({"hyperparameters": {"momentm": 1}}, "momentm"),
        ({"max_features": 0}, "max_features"),
        ({"classes": ["a", "a"]}, "each label once"),
        ({"update": "clp"}, "clip"),
    ],
)
def test_what_cannot_be_is_told_at_once(parameters, words):
    with pytest.raises(ValueError, match=words):
        network(**parameters)


def test_divergence_gives_the_last_good_parameters_back():
    made = network(loss="(f-y)**4", update="sgd", learning_rate=10.0, activation="relu")

    def learn_all():
        for x in X:
            made.learn_one(x, float(x[0]))

    with pytest.raises(FloatingPointError, match="smaller than 10"):
        learn_all()
    assert all(np.isfinite(values).all() for values in weights(made).values())


@pytest.mark.parametrize("module", ["estimator", "online", "river"])
def test_what_was_public_before_it_had_a_room_is_the_same_module(module):
    room = {"estimator": "sklearn"}.get(module, module)
    assert import_module(f"symbackprop.{module}") is import_module(f"symbackprop.estimators.{room}")
