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

from symbackprop.estimator import SymbolicMLPClassifier, SymbolicMLPRegressor
from symbackprop.live import module_of

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
    mine = classifier(alpha=0.3, batch_size=batch_size, update=update, momentum=momentum)
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
        max_iter=1, shuffle=False, schedule="plain", learning_rate="inverse", hyperparameters={"decay": 0.01}
    )
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
    h1 = X @ made.coefs_[0] + made.intercepts_[0]
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


@pytest.mark.parametrize("schedule", ["plain", "overlapped", "deferred"])
def test_two_processes_and_two_threads_give_the_same_bits(schedule):
    text = (
        "import numpy as np, hashlib; from symbackprop.estimator import SymbolicMLPClassifier as C;"
        "g = np.random.default_rng(0); X = g.normal(size=(300, 20)); y = g.integers(3, size=300);"
        f"m = C((70,), 'tanh', schedule={schedule!r}, max_iter=2, random_state=3, dropout=0.2).fit(X, y);"
        "print(hashlib.sha256(b''.join(v.tobytes() for v in m.coefs_ + m.intercepts_)).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-W", "ignore", "-c", text], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout.strip()) == 64
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
    ],
)
def test_what_cannot_be_is_told_in_one_line(parameters, words):
    with pytest.raises(ValueError, match="(?s).*") as caught:
        classifier(**parameters).fit(X, Y)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value).strip()


def test_class_weights_that_cannot_be_meant_are_refused():
    for wrong in ({0: -1.0}, {0: float("nan")}):
        with pytest.raises(ValueError, match="class_weight"):
            classifier(class_weight=wrong).fit(X, Y)
    with pytest.raises(ValueError, match="needs all examples"):
        classifier(class_weight="balanced").partial_fit(X, Y)


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
