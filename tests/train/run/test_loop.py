import dataclasses
import math

import numpy as np
import pytest

from symbackprop.train import Report, Settings, fit
from symbackprop.train.run import loop as loop_module


class Scripted:
    """A trainer whose validation errors are given; its one parameter counts the epochs."""

    def __init__(self, errors, losses=None, at=None):
        self.errors, self.losses, self.at = errors, losses or [1.0] * len(errors), at or {}
        self.sizes, self.parameters, self.t = (1, 2), {"W1": np.zeros((2, 1))}, 0
        self.orders = []

    def sgd(self, X, y, *, order, learning_rate, **hyperparameters):
        del X, y, learning_rate, hyperparameters
        if self.t in self.at:
            raise self.at[self.t]
        self.orders.append(order)
        self.parameters["W1"] += 1
        self.t += 1
        return 0.5

    def loss(self, X, y):
        del X, y
        return self.losses[self.t - 1]

    def predict(self, X):
        wrong = round(self.errors[self.t - 1] * len(X))
        return np.arange(len(X)) < wrong


SPEC = {"target": "label", "output": "softmax"}
DATA = np.zeros((100, 1)), np.zeros(100, np.int64)


def scripted(errors, losses=None, at=None, report=None, **settings):
    trainer = Scripted(errors, losses, at)
    history = fit(trainer, SPEC, DATA, DATA, Settings(epochs=len(errors), **settings), report)
    return trainer, history


def test_look_ahead_stops_and_puts_the_best_parameters_back():
    trainer, history = scripted([0.5, 0.3, 0.2, 0.4, 0.3, 0.2, 0.1], look_ahead=3)
    assert [e.validation_error for e in history.epochs] == [0.5, 0.3, 0.2, 0.4, 0.3, 0.2]
    assert (history.best.number, history.reason, history.message) == (3, "look-ahead", "")
    assert trainer.parameters["W1"][0, 0] == trainer.t == 3


def test_a_lower_loss_decides_between_equal_errors():
    _, history = scripted([0.2] * 6, [1, 0.9, 0.95, 0.8, 0.9, 0.9], look_ahead=2)
    assert (history.best.number, len(history.epochs)) == (4, 6)


def test_all_epochs():
    trainer, history = scripted([0.3, 0.1, 0.2])
    assert (history.reason, history.best.number, len(history.epochs), trainer.t) == ("epochs", 2, 3, 2)
    assert [e.number for e in history.epochs] == [1, 2, 3]
    with pytest.raises(dataclasses.FrozenInstanceError):
        history.best = None


def test_every_epoch_has_another_order_and_the_seed_decides_it():
    one, two, other = (scripted([0.3, 0.2], seed=seed)[0].orders for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one[0], other[0])
    np.testing.assert_array_equal(np.sort(one[0]), np.arange(100))


@pytest.mark.parametrize(
    ("event", "reason", "message"),
    [
        (KeyboardInterrupt(), "interrupted", "by Ctrl-C in epoch 3"),
        (
            FloatingPointError("example 7: inf at step size 9"),
            "diverged",
            "epoch 3: example 7: inf at step size 9",
        ),
    ],
)
def test_an_early_end_keeps_the_best_parameters(event, reason, message):
    trainer, history = scripted([0.1, 0.2, 0.3], at={2: event})
    assert (history.reason, history.message) == (reason, message)
    assert history.best.number == trainer.t == trainer.parameters["W1"][0, 0] == 1


def test_an_end_before_the_first_epoch_is_raised():
    with pytest.raises(KeyboardInterrupt):
        scripted([0.1], at={0: KeyboardInterrupt()})
    with pytest.raises(FloatingPointError, match=r"^epoch 1: example 7$"):
        scripted([0.1], at={0: FloatingPointError("example 7")})


def test_a_validation_loss_that_is_no_number_is_divergence():
    _, history = scripted([0.1, 0.1], [1, math.nan])
    assert history.reason == "diverged"
    assert "epoch 2: the validation loss became nan at learning rate 0.1" in history.message


@pytest.mark.parametrize("event", [None, KeyboardInterrupt(), FloatingPointError("x")])
def test_the_report_hears_everything_and_the_end(event):
    heard = []

    class Ear(Report):
        def begin(self, epochs, examples):
            heard.append(("begin", epochs, examples))

        def epoch(self, epoch, best):
            heard.append(("epoch", epoch.number, best.number))

        def end(self):
            heard.append("end")

    scripted([0.1, 0.2], at={1: event} if event else {}, report=Ear())
    assert heard[:2] == [("begin", 2, 100), ("epoch", 1, 1)]
    assert heard[2:] == ([] if event else [("epoch", 2, 1)]) + ["end"]


def test_parts_change_no_number(fake, blobs, monkeypatch):
    X, y = blobs
    trainers = [fake.Trainer((2, 3), seed=1) for _ in range(2)]
    settings = Settings(epochs=3, hyperparameters={"decay": 0.01, "l2": 0.001})
    one = fit(trainers[0], fake.SPEC, (X, y), (X, y), settings)
    monkeypatch.setattr(loop_module, "_BLOCK", 7)
    monkeypatch.setattr(loop_module, "_PART_WORK", 0)
    two = fit(trainers[1], fake.SPEC, (X, y), (X, y), settings)
    for name, values in trainers[0].parameters.items():
        np.testing.assert_array_equal(values, trainers[1].parameters[name])
    np.testing.assert_allclose([e.training_loss for e in one.epochs], [e.training_loss for e in two.epochs], rtol=1e-13)


def test_it_learns(fake, blobs):
    X, y = blobs
    trainer = fake.Trainer((2, 3))
    history = fit(trainer, fake.SPEC, (X[:120], y[:120]), (X[120:], y[120:]), Settings(epochs=10))
    assert history.best.validation_error < 0.05
    assert history.epochs[-1].training_loss < history.epochs[0].training_loss


def test_divergence_leaves_finite_parameters(fake, blobs):
    X, y = blobs
    trainer = fake.Trainer((2, 3))
    with pytest.raises(FloatingPointError, match=r"epoch 1: example \d+: .* at step size 1e\+200"):
        fit(trainer, fake.SPEC, (X, y), (X, y), Settings(learning_rate=1e200, hyperparameters={"l2": 0.1}))
    assert all(np.isfinite(values).all() for values in trainer.parameters.values())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs is 0, expected at least 1"),
        ({"look_ahead": 0}, "look ahead is 0, expected at least 1"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
        ({"learning_rate": 0.0}, "learning rate is 0.0, expected a positive number"),
        ({"learning_rate": math.nan}, "learning rate is nan, expected a positive number"),
        ({"learning_rate": math.inf}, "learning rate is inf, expected a positive number"),
        ({"hyperparameters": {"decay": -1.0}}, "decay is -1.0, expected 0 or a positive number"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        Settings(**settings)
