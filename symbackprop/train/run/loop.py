"""Training: a new order each epoch, the validation error after it, the best parameters kept."""

import math
import time
from typing import Any, NamedTuple

import numpy as np

from symbackprop.train.protocol import Array, Pair, Spec, Trainer, copied, misses, put
from symbackprop.train.run.history import Epoch, History, Reason, Report, Settings

# Parts are cut by work, about half a second of it, not by the clock: the same seed gives the same bits everywhere.
_PART_WORK = 1_600_000_000  # examples times parameters
_BLOCK = 1024  # a Trainer cuts its orders here itself, so that parts of whole blocks change no rounding


def fit(
    trainer: Trainer,
    spec: Spec,
    train: Pair,
    validation: Pair,
    settings: Settings,
    report: Report | None = None,
    scale: Array | float = 1.0,
) -> History:
    """Train, and leave the parameters of the best epoch in the trainer.

    Parameters
    ----------
    trainer
        Of a generated module; its parameters are where training begins.
    spec
        That module's SPEC.
    train, validation
        (X, y), X (N, inputs) of the spec's dtype, y as its target says.
    settings
        How long and how fast.
    report
        Told of every part and every epoch.
    scale
        Of measured targets, see `misses`.

    Returns
    -------
    History
        Its reason is ``"interrupted"`` after Ctrl-C, ``"diverged"`` if parameters became non-finite after the
        first epoch; then too the trainer has the parameters of the best epoch.

    Raises
    ------
    FloatingPointError
        If they became non-finite in the first epoch. The parameters are then the last finite ones.
    KeyboardInterrupt
        If Ctrl-C came before one epoch was complete.
    ValueError
        If the data does not fit the trainer.
    """
    run = _Run(trainer, spec, train, validation, settings, report or Report(), scale)
    run.report.begin(settings.epochs, len(train[0]))
    try:
        reason, message = run.epochs_until_the_end()
    finally:
        run.report.end()
    assert run.kept is not None
    return History(tuple(run.epochs), run.kept.epoch, reason, message)


class _Kept(NamedTuple):
    """The parameters after an epoch, and what is kept beside them."""

    epoch: Epoch
    t: int
    arrays: dict[str, Array]


class _Run:
    """The state of one training run."""

    def __init__(
        self,
        trainer: Trainer,
        spec: Spec,
        train: Pair,
        validation: Pair,
        settings: Settings,
        report: Report,
        scale: Array | float,
    ) -> None:
        self.trainer, self.spec, self.settings, self.report, self.scale = trainer, spec, settings, report, scale
        self.train, self.validation = train, validation
        self.epochs: list[Epoch] = []
        self.kept: _Kept | None = None
        parameters = sum(values.size for values in trainer.parameters.values())
        self.part_size = _BLOCK * max(1, _PART_WORK // (_BLOCK * parameters))
        self.start = time.perf_counter()

    def epochs_until_the_end(self) -> tuple[Reason, str]:
        """Run epochs; where they end early, say why and put the best parameters back."""
        reason: Reason = "epochs"
        message = ""
        orders = np.random.default_rng([self.settings.seed, 1])  # another stream than the split's
        try:
            while reason == "epochs" and len(self.epochs) < self.settings.epochs:
                best = self.one_epoch(orders.permutation(len(self.train[0])))
                if len(self.epochs) - best.number >= self.settings.look_ahead:
                    reason = "look-ahead"
        except KeyboardInterrupt:
            if not self.kept:
                raise
            reason, message = "interrupted", f"by Ctrl-C in epoch {len(self.epochs) + 1}"
        except FloatingPointError as error:
            message = f"epoch {len(self.epochs) + 1}: {error}"
            if not self.kept:
                raise FloatingPointError(message) from None
            reason = "diverged"
        self.put_back()
        return reason, message

    def one_epoch(self, order: Array) -> Epoch:
        """Visit the training examples once, in an order, then validate; return the best epoch so far."""
        number = len(self.epochs) + 1
        training_loss, seconds = self.updates(number, order)
        loss = self.trainer.loss(*self.validation)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the validation loss became {loss} at learning rate {self.settings.learning_rate:g}"
            )
        error = misses(self.spec, self.trainer, *self.validation, self.scale)
        elapsed = time.perf_counter() - self.start
        epoch = Epoch(number, training_loss, loss, error, len(order) / seconds, elapsed)
        kept = self.kept
        if kept is None or epoch.better_than(kept.epoch):
            kept = _Kept(epoch, self.trainer.t, copied(self.trainer))
        self.epochs.append(epoch)
        self.kept = kept  # in one step: Ctrl-C finds a whole set of parameters, this one or the one before
        self.report.epoch(epoch, kept.epoch)
        return kept.epoch

    def updates(self, number: int, order: Array) -> tuple[float, float]:
        """Update after each example of an order, part by part; return the mean loss and the seconds."""
        keywords: dict[str, Any] = {"learning_rate": self.settings.learning_rate}
        keywords.update(self.settings.hyperparameters)
        total, seconds, done = 0.0, 0.0, 0
        while done < len(order):
            part = order[done : done + self.part_size]
            start = time.perf_counter()
            mean = self.trainer.sgd(*self.train, order=part, **keywords)
            took = max(time.perf_counter() - start, 1e-9)
            total, seconds, done = total + mean * len(part), seconds + took, done + len(part)
            self.report.part(number, done, total / done, done / seconds)
        return total / done, seconds

    def put_back(self) -> None:
        """Give the trainer the parameters of the best epoch, in place."""
        assert self.kept is not None
        self.trainer.t = self.kept.t
        put(self.trainer, self.kept.arrays)
