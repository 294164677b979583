"""The settings, the record and the listener of a training run: plain data, and no loop."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Reason = Literal["epochs", "look-ahead", "interrupted", "diverged"]


@dataclass(frozen=True)
class Settings:
    """How to train.

    Attributes
    ----------
    epochs
        The most passes over the training examples.
    learning_rate
        α, positive.
    look_ahead
        Stop after this many epochs without a better validation error.
    seed
        Of the order of the examples.
    hyperparameters
        Further keywords of the trainer's `sgd`: decay, l2, l1. None is negative.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    epochs: int = 100
    learning_rate: float = 0.1
    look_ahead: int = 15
    seed: int = 0
    hyperparameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("look_ahead", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"{name.replace('_', ' ')} is {getattr(self, name)}, expected at least {least}")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning rate is {self.learning_rate}, expected a positive number")
        for name, value in self.hyperparameters.items():
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} is {value}, expected 0 or a positive number")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training examples.

    Attributes
    ----------
    number
        From 1 on.
    training_loss
        The mean loss, each example's before its own update.
    validation_loss, validation_error
        After the epoch, see `misses`.
    examples_per_second
        Of the updates alone.
    seconds
        Since training began.
    """

    number: int
    training_loss: float
    validation_loss: float
    validation_error: float
    examples_per_second: float
    seconds: float

    def better_than(self, other: "Epoch") -> bool:
        """Return whether the validation error is lower, or the same (it moves in steps) at a lower loss."""
        mine, its = ((e.validation_error, e.validation_loss) for e in (self, other))
        return mine < its


@dataclass(frozen=True)
class History:
    """The epochs that were completed, the best of them, and why they ended.

    `message` is empty unless they were interrupted or diverged.
    """

    epochs: tuple[Epoch, ...]
    best: Epoch
    reason: Reason
    message: str = ""


class Report:
    """What wants to know how training goes; this one does nothing with it."""

    def begin(self, epochs: int, examples: int) -> None:
        """Training begins: at most so many epochs of so many examples."""

    def part(self, number: int, done: int, loss: float, examples_per_second: float) -> None:
        """So many examples of an epoch are done, with their mean loss."""

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """An epoch is completed."""

    def end(self) -> None:
        """Training ended, for whatever reason."""
