"""The scikit-learn face: its own checks, its own MLP as an oracle, and what its users do with an estimator."""

import copy
import pickle
import subprocess
import sys
import threading
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris, make_multilabel_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.neural_network._stochastic_optimizers import SGDOptimizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from symbackprop.estimators.runtime import module_of
from symbackprop.estimators.sklearn import SymbolicMLPClassifier, SymbolicMLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
IRIS = load_iris(return_X_y=True)
X, Y = StandardScaler().fit_transform(IRIS[0]), IRIS[1]


def classifier(**parameters):
    given = {
        "hidden_layer_sizes": (6,),
        "activation": "tanh",
        "learning_rate_init": 0.02,
        "max_iter": 5,
        "random_state": 0,
    }
    return SymbolicMLPClassifier(**given | parameters)


@parametrize_with_checks([SymbolicMLPClassifier(), SymbolicMLPRegressor()])
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


# --- the numbers ---


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize(("update", "momentum"), [("sgd", 0.0), ("momentum", 0.8), ("nesterov", 0.8)])
def test_the_updates_are_those_of_scikit_learns_mlp(batch_size, update, momentum):
    mine = classifier(alpha=0.3, batch_size=batch_size, update=update, momentum=momentum, standardise=False)
    mine.partial_fit(X[:batch_size], Y[:batch_size], classes=[0, 1, 2])
    theirs = MLPClassifier(
        (6,), "tanh", solver="sgd", alpha=0.3, batch_size=batch_size, momentum=momentum, shuffle=False
    )
    theirs.partial_fit(X[:batch_size], Y[:batch_size], classes=[0, 1, 2])
    theirs.coefs_, theirs.intercepts_ = ([v.copy() for v in values] for values in (mine.coefs_, mine.intercepts_))
    mine._live.trainer.state = {name: 0 * v for name, v in mine._live.trainer.state.items()}
    mine._live._weighted = None
    theirs._optimizer = SGDOptimizer(
        theirs.coefs_ + theirs.intercepts_, 0.02, "constant", momentum=momentum, nesterov=update == "nesterov"
    )
    for start in range(batch_size, 140, batch_size):
        rows = slice(start, start + batch_size)
        mine.partial_fit(X[rows], Y[rows])
        theirs.partial_fit(X[rows], Y[rows])
    for a, b in zip(mine.coefs_ + mine.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weight", [None, np.arange(150) % 3 / 2])
def test_rows_one_by_one_are_an_epoch_bit_for_bit(weight):
    whole = classifier(
        max_iter=1, shuffle=False, schedule="plain", learning_rate="inverse", hyperparameters={"decay": 0.01},
        standardise=False,
    )  # fmt: skip
    rows = clone(whole)
    whole.fit(X, Y, weight)
    for n in range(len(X)):
        if weight is None or weight[n]:
            rows.partial_fit(
                X[n : n + 1],
                Y[n : n + 1],
                classes=[0, 1, 2],
                sample_weight=None if weight is None else weight[n : n + 1],
            )
    assert all(
        (a == b).all() for a, b in zip(whole.coefs_ + whole.intercepts_, rows.coefs_ + rows.intercepts_, strict=True)
    )
    assert whole.t_ == rows.t_


def test_what_predicts_is_in_coefs_and_intercepts():
    made = classifier(hidden_layer_sizes=(6, 5), activation=["a/(1+abs(a))", "relu"]).fit(X, Y)
    h1 = (X - made.input_shift_) / made.input_scale_ @ made.coefs_[0] + made.intercepts_[0]
    h2 = np.maximum(0, (h1 / (1 + abs(h1))) @ made.coefs_[1] + made.intercepts_[1])
    e = np.exp(h2 @ made.coefs_[2] + made.intercepts_[2])
    np.testing.assert_allclose(made.predict_proba(X), e / e.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(made.predict_log_proba(X), np.log(made.predict_proba(X)))


def test_class_weights_are_sample_weights():
    y = np.minimum(Y, 1)
    balanced = classifier(class_weight="balanced").fit(X, y)
    weights = classifier().fit(X, y, np.where(y == 0, 150 / 2 / 50, 150 / 2 / 100))
    given = classifier(class_weight={0: 1.5, 1: 0.75}).fit(X, y)
    for other in (weights, given):
        assert all((a == b).all() for a, b in zip(balanced.coefs_, other.coefs_, strict=True))


def test_fractions_of_weights_are_factors_of_steps():
    """A weight below 1 is one visit with so much of the gradient."""
    half = classifier(shuffle=False, max_iter=1, alpha=0, learning_rate_init=0.02).fit(X, Y, np.full(150, 0.5))
    slow = classifier(shuffle=False, max_iter=1, alpha=0, learning_rate_init=0.01).fit(X, Y)
    np.testing.assert_allclose(half.coefs_[0], slow.coefs_[0], rtol=1e-12)


def test_the_order_of_the_rows_does_not_matter_when_shuffled():
    order = np.random.default_rng(0).permutation(150)
    one, other = classifier().fit(X, Y), classifier().fit(X[order], Y[order])
    assert all((a == b).all() for a, b in zip(one.coefs_, other.coefs_, strict=True))


def test_divergence_begins_again_with_smaller_steps():
    made = SymbolicMLPRegressor((), learning_rate_init=0.5, max_iter=3, random_state=0)
    with pytest.warns(ConvergenceWarning, match="beginning again with 0.05"):
        made.fit(X, X @ [1, 2, 3, 4])
    assert np.isfinite(made.coefs_[0]).all()
    assert made.n_iter_ == len(made.loss_curve_) == 3


def test_early_stopping_keeps_the_best():
    made = classifier(early_stopping=True, max_iter=60, validation_fraction=0.3, learning_rate_init=0.1).fit(X, Y)
    assert made.best_validation_score_ == max(made.validation_scores_)
    assert len(made.validation_scores_) == made.n_iter_
    assert made.score(X, Y) > 0.9


def test_adaptive_steps_become_smaller_before_the_end():
    made = classifier(learning_rate="adaptive", max_iter=400, n_iter_no_change=2, tol=1e-3).fit(X, Y)
    assert made.n_iter_ < 400
    assert made.score(X, Y) > 0.95


# --- units of the data ---

SHIFTS, SCALES = np.array([1e4, -3.0, 1e-6, 50.0]), np.array([1e5, 1e-4, 1e3, 1.0])
RAW = X * SCALES + SHIFTS


def test_units_of_the_data_do_not_matter():
    one, other = (classifier(max_iter=20, shuffle=False).fit(data, Y) for data in (X, RAW))
    assert one.score(X, Y) > 0.9
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(RAW), rtol=1e-6)


@pytest.mark.parametrize("units", [(1.0, 0.0), (1e-6, 1e-3), (100.0, 10_000.0), (1e9, -1e12)])
def test_units_of_targets_do_not_matter(units):
    scale, shift = units
    y = np.stack([X[:, 0] + X[:, 1], X[:, 2] ** 2], axis=1)
    given = {"shuffle": False, "random_state": 0, "max_iter": 30}
    made = SymbolicMLPRegressor((6,), "tanh", **given).fit(RAW, scale * y + shift)
    assert made.score(RAW, scale * y + shift) > 0.5
    alike = SymbolicMLPRegressor((6,), "tanh", **given).fit(RAW, y)
    np.testing.assert_allclose((made.predict(RAW) - shift) / scale, alike.predict(RAW), atol=2e-3)


def test_raw_rows_that_come_in_pieces_are_learnt():
    made, values = classifier(), SymbolicMLPRegressor((6,), "tanh", learning_rate_init=0.02, random_state=0)
    order = np.random.default_rng(0).permutation(150)
    for _ in range(20):
        for rows in np.array_split(order, 17):
            made.partial_fit(RAW[rows], Y[rows], classes=[0, 1, 2])
            values.partial_fit(RAW[rows], X[rows, 0] + 10_000)
    assert made.score(RAW, Y) > 0.9
    assert values.score(RAW, X[:, 0] + 10_000) > 0.8


def test_a_refused_piece_changes_nothing():
    made = SymbolicMLPRegressor((3,), "tanh", random_state=0).partial_fit(X, X[:, 0])
    before = pickle.dumps(made)
    for y in (np.full(150, np.nan), ["a"] * 150, X[:, :2], np.array([1e308, -1e308] * 75)):
        with pytest.raises(ValueError, match="y|column"):
            made.partial_fit(X, y)
    assert pickle.dumps(made) == before


def test_standardise_false_is_sgd_on_what_was_given():
    made = classifier(standardise=False).fit(X, Y)
    assert not made.input_shift_.any()
    assert (made.input_scale_ == 1).all()
    standardised = classifier(shuffle=False).fit(X, Y)
    by_hand = classifier(shuffle=False, standardise=False).fit(
        (X - standardised.input_shift_) / standardised.input_scale_, Y
    )
    np.testing.assert_allclose(standardised.coefs_[0], by_hand.coefs_[0], rtol=1e-9)


def test_whole_weights_are_repeats_bit_for_bit_with_units_too():
    times = np.random.default_rng(1).integers(0, 4, 150)
    weighted, repeated = (
        classifier().fit(RAW, Y, times),
        classifier().fit(np.repeat(RAW, times, 0), np.repeat(Y, times)),
    )
    assert all((a == b).all() for a, b in zip(weighted.coefs_, repeated.coefs_, strict=True))


# --- where nothing is learnt ---


@pytest.mark.parametrize("weight", [None, np.arange(150) % 3 / 2])
def test_a_network_that_learns_nothing_says_so_and_what_to_do(weight):
    noise = 1e6 + 1e-3 * X
    with pytest.warns(ConvergenceWarning, match="learnt next to nothing.*standardise=True") as caught:
        classifier(standardise=False).fit(noise, Y, weight)
    assert all("\n" not in str(w.message) for w in caught)
    with pytest.warns(ConvergenceWarning, match="learning_rate_init above or below 1e-09"):
        classifier(learning_rate_init=1e-9).fit(X, Y, weight)
    with pytest.warns(ConvergenceWarning, match="learnt next to nothing.*scale y"):
        SymbolicMLPRegressor((3,), loss="abs(f-y)", max_iter=3).fit(X, X[:, 0] + 10_000, weight)
    with pytest.warns(ConvergenceWarning, match="learnt next to nothing"):
        SymbolicMLPRegressor((3,), standardise=False, learning_rate_init=1e-4, max_iter=3).fit(X, X[:, 0] + 1e4, weight)


@pytest.mark.parametrize("y", [Y, np.minimum(Y, 1), X[:, 0], np.stack([Y > 0, Y > 1], axis=1).astype(int), 0 * Y])
def test_a_network_that_learns_is_not_warned(y):
    kind = SymbolicMLPRegressor if y.dtype == float else SymbolicMLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kind((6,), "tanh", learning_rate_init=0.02, random_state=0, tol=0.05).fit(RAW, y)


# --- parameters that are set between rows ---


@pytest.mark.parametrize(
    "change",
    [
        {"activation": "relu"},
        {"hidden_layer_sizes": (7,)},
        {"l1": 0.1},
        {"update": "nesterov"},
        {"dropout": 0.5},
        {"learning_rate": "inverse"},
        {"loss": "-log(f[y])"},
        {"initializer": "he"},
        {"standardise": False},
        {"dtype": "float32"},
        {"schedule": "deferred"},
    ],
)
@pytest.mark.parametrize("again", ["partial_fit", "fit"])
def test_another_network_is_not_slipped_under_what_was_learnt(change, again):
    made = classifier(warm_start=True).fit(X, Y)
    before, predicted = [v.copy() for v in made.coefs_], made.predict_proba(X)
    made.set_params(**change)
    with pytest.raises(ValueError, match=f"{next(iter(change))} is now.*was made with"):
        getattr(made, again)(X, Y)
    assert all((a == b).all() for a, b in zip(before, made.coefs_, strict=True))
    assert (made.predict_proba(X) == predicted).all()


@pytest.mark.parametrize("change", [{"activation": "relu"}, {"hidden_layer_sizes": (7,)}, {"standardise": False}])
def test_a_cold_fit_makes_the_network_of_new_parameters(change):
    made = classifier(warm_start=True).fit(X, Y).set_params(**change, warm_start=False).fit(X, Y)
    fresh = classifier(**change).fit(X, Y)
    assert all((a == b).all() for a, b in zip(fresh.coefs_, made.coefs_, strict=True))
    assert made.set_params(alpha=0.1, max_iter=3, tol=0.1).partial_fit(X, Y).t_ > fresh.t_


def test_parameters_of_steps_may_be_set_between_rows_and_are_looked_at():
    made = classifier().partial_fit(X, Y, classes=[0, 1, 2])
    before = made.coefs_[0].copy()
    made.set_params(learning_rate_init=1e-300).partial_fit(X, Y)
    assert (made.coefs_[0] == before).all()
    for wrong in ({"alpha": -1}, {"batch_size": 2.5}, {"hyperparameters": 3}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            clone(made).set_params(**wrong).partial_fit(X, Y, classes=[0, 1, 2])
        with pytest.raises(ValueError, match=next(iter(wrong))):
            copy.deepcopy(made).set_params(**wrong).partial_fit(X, Y)


# --- advice ---


def test_what_a_formula_is_advised_against_is_said_in_every_process_once():
    """Constant above 0: the first process writes the module, the second has it from the cache."""
    text = (
        "import warnings, numpy as np; from symbackprop.train.request.advice import AdviceWarning;"
        "from symbackprop.estimators.sklearn import SymbolicMLPClassifier as C; from symbackprop.estimators.online import OnlineNetwork as O;"
        "X = np.eye(3); warnings.simplefilter('ignore'); warnings.simplefilter('always', AdviceWarning);"
        "caught = warnings.catch_warnings(record=True); said = caught.__enter__();"
        "fits = [C((2,), 'a**2', max_iter=1).fit(X, [0, 1, 1]) for _ in range(2)]; O((2,), 'a**2');"
        "print(sum(w.category is AdviceWarning for w in said))"
    )
    for _ in range(2):
        run = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        assert run.stdout.strip() == "1", run.stdout


# --- kinds of targets ---


def test_labels_of_any_type():
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[Y]
    made = classifier(max_iter=20).fit(X, names)
    assert set(made.predict(X)) <= set(names)
    assert made.score(X, names) > 0.9


def test_several_labels_and_several_values():
    data, several = make_multilabel_classification(n_classes=3, random_state=0)
    made = classifier(max_iter=30).fit(StandardScaler().fit_transform(data), several)
    assert made.predict(data).shape == several.shape == made.predict_proba(data).shape
    assert made.score(StandardScaler().fit_transform(data), several) > 0.5
    values = SymbolicMLPRegressor((6,), max_iter=20, random_state=0).fit(X, X[:, :2])
    assert values.predict(X).shape == (150, 2)
    assert values.score(X, X[:, :2]) > 0.5


def test_a_loss_of_ones_own():
    made = SymbolicMLPRegressor((6,), "tanh", loss="sqrt(1+(f-y)**2)-1", max_iter=30, random_state=0).fit(X, X[:, 0])
    assert made.score(X, X[:, 0]) > 0.5
    assert "√" in str(made.derivation_)


# --- what users do ---


@pytest.mark.parametrize("again", [copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))])
def test_copies_predict_and_go_on_alike(again):
    made = classifier(update="nesterov+average").fit(X, Y, np.linspace(0.1, 1, 150))
    copied = again(made)
    for _ in range(2):
        assert (made.predict_proba(X) == copied.predict_proba(X)).all()
        made.partial_fit(X, Y)
        copied.partial_fit(X, Y)


def test_pickles_hold_data_alone():
    text = pickle.dumps(classifier(max_iter=1).fit(X, Y))
    assert b"numba" not in text
    assert b"njit" not in text
    assert len(text) < 20_000


def test_pipelines_searches_scores_and_calibration():
    frame = pd.DataFrame(IRIS[0], columns=["a", "b", "c", "d"])
    names = pd.Series(["x", "y", "z"])[Y].reset_index(drop=True)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), classifier(max_iter=20))
    before = module_of.__globals__["_module"].cache_info().misses
    search = GridSearchCV(
        pipeline, {"symbolicmlpclassifier__hidden_layer_sizes": [(n,) for n in (2, 4, 8, 16, 32)]}, cv=3, n_jobs=2
    ).fit(frame, names)
    assert search.best_score_ > 0.9
    assert list(search.best_estimator_[-1].feature_names_in_) == ["a", "b", "c", "d"]
    assert module_of.__globals__["_module"].cache_info().misses <= before + 1
    assert cross_val_score(pipeline, frame, names, cv=3).mean() > 0.9
    calibrated = CalibratedClassifierCV(pipeline, cv=3).fit(frame, names)
    assert calibrated.predict_proba(frame).shape == (150, 3)


def test_five_layer_sizes_are_one_compilation():
    made = [classifier(hidden_layer_sizes=(n,), schedule="plain", max_iter=1).fit(X, Y) for n in (3, 5, 7, 9, 11)]
    kernels = {id(m._live.module.SCHEDULES["plain"]) for m in made}
    assert len(kernels) == 1
    assert len(made[0]._live.module.SCHEDULES["plain"].signatures) == 1


SCHEDULES = ["plain", "overlapped", "deferred"]


def test_two_processes_give_the_same_bits():
    text = (
        "import numpy as np, hashlib; from symbackprop.estimators.sklearn import SymbolicMLPClassifier as C;"
        "g = np.random.default_rng(0); X = g.normal(size=(300, 20)); y = g.integers(3, size=300)\n"
        f"for schedule in {SCHEDULES}:\n"
        "    m = C((70,), 'tanh', schedule=schedule, max_iter=2, random_state=3, dropout=0.2).fit(X, y)\n"
        "    print(hashlib.sha256(b''.join(v.tobytes() for v in m.coefs_ + m.intercepts_)).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert [len(line) for line in runs[0].stdout.split()] == [64] * len(SCHEDULES)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_two_threads_give_the_same_bits(schedule):
    alone = [classifier(schedule=schedule, random_state=n, max_iter=20).fit(X, Y).coefs_ for n in range(2)]
    found = {}

    def work(n):
        found[n] = classifier(schedule=schedule, random_state=n, max_iter=20).fit(X, Y).coefs_

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all((a == b).all() for n in range(2) for a, b in zip(alone[n], found[n], strict=True))


def test_ensembles_over_threads_are_those_of_one():
    bag = BaggingClassifier(classifier(), n_estimators=4, random_state=0, n_jobs=2)
    with parallel_config("threading"):
        threaded = bag.fit(X, Y).estimators_
    alone = clone(bag).set_params(n_jobs=1).fit(X, Y).estimators_
    assert all((a.coefs_[0] == b.coefs_[0]).all() for a, b in zip(alone, threaded, strict=True))
    fits = Parallel(n_jobs=2, backend="threading")(delayed(classifier(random_state=n).fit)(X, Y) for n in range(4))
    assert (fits[3].predict(X) == classifier(random_state=3).fit(X, Y).predict(X)).all()


def test_callbacks_are_told_of_every_epoch():
    callback = pytest.importorskip("sklearn.callback")
    monitor = callback.ScoringMonitor(scoring="accuracy")
    made = classifier(max_iter=4).set_callbacks(monitor).fit(X, Y)
    log = monitor.get_logs()
    assert made.n_iter_ == 4
    assert "accuracy" in str(log.data if hasattr(log, "data") else vars(log))


def test_what_it_is_made_of_can_be_read():
    made = classifier(activation="a*exp(-a**2)", hidden_layer_sizes=(3,)).fit(X, Y)
    assert "def sgd(" in made.source_
    assert made.schedule_ == "overlapped"  # a small network
    made.derivation_.check()
    with pytest.raises(AttributeError, match="not fitted"):
        _ = classifier().coefs_


def test_warm_starts_go_on():
    made = classifier(warm_start=True, max_iter=2, shuffle=False, tol=0).fit(X, Y)
    made.fit(X, Y)
    whole = classifier(max_iter=4, shuffle=False, tol=0).fit(X, Y)
    np.testing.assert_allclose(made.coefs_[0], whole.coefs_[0])
    assert made.n_iter_ == 4


def test_verbose_fits_say_each_epoch(capsys):
    classifier(verbose=True, max_iter=2, early_stopping=True).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "validation score" in lines[0]


# --- refusals ---


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"alpha": -1}, "alpha"),
        ({"activation": "tnah"}, "tanh"),
        ({"activation": "__import__('os')"}, "__import__"),
        ({"activation": ["tanh", "relu"]}, "2 activations for 1 hidden"),
        ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
        ({"learning_rate": "invrese"}, "inverse"),
        ({"update": "nestrov"}, "nesterov"),
        ({"hyperparameters": {"momntum": 3}}, "momntum"),
        ({"dropout": 1.0}, "dropout"),
        ({"initializer": "golrot"}, "glorot"),
        ({"dtype": "float16"}, "dtype"),
        ({"loss": "f[y"}, "'f[y'"),
        ({"loss": "(f-y)**2"}, "for values, but y has classes"),
        ({"hyperparameters": {"order": 3}}, "order"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(parameters, words):
    with pytest.raises(ValueError, match="(?s).*") as caught:
        classifier(**parameters).fit(X, Y)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_class_weights_that_cannot_be_meant_are_refused():
    for wrong in ({0: -1.0}, {0: float("nan")}, {0: "x"}, {0: None}):
        with pytest.raises(ValueError, match="class_weight"):
            classifier(class_weight=wrong).fit(X, Y)
    with pytest.raises(ValueError, match="needs all examples"):
        classifier(class_weight="balanced").partial_fit(X, Y, classes=[0, 1, 2])


NOT_TEXTS = st.one_of(st.integers(), st.floats(), st.just(""), st.lists(st.integers(), min_size=1), st.binary())
NOT_SIZES = st.one_of(
    st.none(), st.booleans(), st.floats(), st.text(), st.integers(max_value=0),
    st.lists(st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.integers(max_value=0)), min_size=1),
    st.dictionaries(st.integers(), st.integers(), min_size=1),
)  # fmt: skip
BAD_PARAMETERS = st.one_of(
    st.tuples(st.just("hidden_layer_sizes"), NOT_SIZES),
    st.tuples(st.sampled_from(["activation", "learning_rate", "update", "loss", "initializer"]), NOT_TEXTS),
    st.tuples(st.just("activation"), st.lists(NOT_TEXTS, min_size=1)),
    st.tuples(
        st.just("hyperparameters"),
        st.one_of(st.integers(), st.text(), st.dictionaries(st.text("decay"), st.text(), min_size=1),
                  st.dictionaries(st.integers(), st.floats(0, 1), min_size=1)),
    ),
)  # fmt: skip


def refused_in_one_line(call, *names):
    with pytest.raises(ValueError, match="(?s).*") as caught:
        call()
    assert any(name in str(caught.value) for name in names), str(caught.value)
    assert "\n" not in str(caught.value)


@given(BAD_PARAMETERS)
def test_parameters_of_a_wrong_type_are_refused_by_name(bad):
    name, value = bad
    made = classifier(**{name: value})
    refused_in_one_line(lambda: made.fit(X, Y), name)
    refused_in_one_line(lambda: made.partial_fit(X, Y, classes=[0, 1, 2]), name)
    assert not hasattr(made, "classes_")


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    FITTED = classifier(max_iter=1).fit(X, Y)
MIXED = st.lists(
    st.one_of(st.integers(), st.text(), st.none(), st.tuples(st.integers())), min_size=2, max_size=9
).filter(lambda labels: len({type(label) for label in labels}) > 1)


@given(MIXED, st.booleans())
def test_labels_of_several_types_are_refused(labels, as_objects):
    y = labels
    if as_objects:
        y = np.empty(len(labels), object)
        y[:] = labels
    refused_in_one_line(lambda: classifier().fit(X[: len(y)], y), "y has labels of several types")
    refused_in_one_line(lambda: FITTED.partial_fit(X[: len(y)], y), "y has labels of several types")


NO_NUMBERS = st.lists(
    st.one_of(st.text(), st.none(), st.just(float("nan")), st.just(float("inf")), st.lists(st.integers(), max_size=1)),
    min_size=1, max_size=9,
).filter(lambda values: not all(isinstance(v, list) and v for v in values))  # fmt: skip


@given(NO_NUMBERS)
def test_targets_that_are_no_numbers_are_refused(values):
    made = SymbolicMLPRegressor((2,), "tanh", max_iter=1)
    refused_in_one_line(lambda: made.fit(X[: len(values)], values), "y")
    refused_in_one_line(lambda: made.partial_fit(X[: len(values)], values), "y")


def test_classes_are_needed_at_the_first_call():
    for classes in (None, [], np.array([])):
        refused_in_one_line(lambda: classifier().partial_fit(X, Y, classes=classes), "classes")  # noqa: B023
    several = np.stack([Y > 0, Y > 1], axis=1).astype(int)
    refused_in_one_line(lambda: classifier().partial_fit(X, several), "classes")
    assert classifier().partial_fit(X, several, classes=[0, 1]).predict(X).shape == (150, 2)
    assert classifier().fit(X, Y).partial_fit(X, Y).t_ > 150


def test_labels_that_were_not_announced_are_refused():
    made = classifier().partial_fit(X[:10], Y[:10], classes=[0, 1])
    with pytest.raises(ValueError, match="expected one of the classes"):
        made.partial_fit(X, Y)
    with pytest.raises(ValueError, match="first call"):
        made.partial_fit(X[:10], Y[:10], classes=[0, 1, 2])


def test_weights_that_cannot_be_meant_are_refused():
    with pytest.raises(ValueError, match="divide the weights by their mean"):
        classifier().fit(X, Y, np.full(150, 1e6))
    with pytest.raises(ValueError, match="above 0|non-zero"):
        classifier().fit(X, Y, np.zeros(150))
    with warnings.catch_warnings(), pytest.raises(ValueError, match="(?i)negative"):
        classifier().fit(X, Y, np.full(150, -1.0))
