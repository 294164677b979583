"""River's own checks of its estimators, and its evaluation on its data."""

import pytest
from river import checks, datasets, evaluate, linear_model, metrics, preprocessing

from symbackprop.estimators.river import Classifier, Regressor

CHECKS = [(make, check) for make in (Classifier, Regressor) for check in checks.yield_checks(make())]


@pytest.mark.parametrize(
    ("make", "check"), CHECKS, ids=[f"{m.__name__}-{c.__name__}-{n}" for n, (m, c) in enumerate(CHECKS)]
)
def test_rivers_own_checks(make, check):
    check(make())


def test_it_is_better_than_linear_models_on_rivers_data():
    scaler = preprocessing.StandardScaler
    linear = evaluate.progressive_val_score(
        datasets.TrumpApproval(), scaler() | linear_model.LinearRegression(), metrics.MAE()
    ).get()
    assert evaluate.progressive_val_score(datasets.TrumpApproval(), Regressor(), metrics.MAE()).get() < linear
    logistic = evaluate.progressive_val_score(
        datasets.Phishing(), scaler() | linear_model.LogisticRegression(), metrics.Accuracy()
    ).get()
    assert evaluate.progressive_val_score(datasets.Phishing(), Classifier(), metrics.Accuracy()).get() > logistic - 0.01
