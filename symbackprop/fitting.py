"""One fit of an estimator: epoch after epoch, until nothing gets better; the stopping rules of scikit-learn's MLP."""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from symbackprop.train.contract import Array, copied, put
from symbackprop.train.visits import canonical

LEAST_RATE = 1e-6  # below which "adaptive" ends
WORSE = 1000  # times the loss before training: no longer a loss that will fall
FEW = 1000  # examples tell how large it was
ATTEMPTS = 6  # with learning rates of which each is a tenth of the one before


class DivergedError(ValueError):
    """Training became non-finite."""


class Fitting:
    """The examples of one fit, and how far it has come.

    Parameters
    ----------
    estimator
        With a network in use.
    X, target, weight
        (N, inputs), class numbers or (N, outputs), and the weights (N,) or None.
    rng
        Of the orders.
    """

    def __init__(self, estimator: Any, X: Array, target: Array, weight: Array | None, rng: Any) -> None:
        self.estimator, self.rng = estimator, rng
        self.parts: list[Any] = [X, target, weight]
        self.rate = float(estimator.learning_rate_init)
        self.best, self.stalled = -np.inf, 0

    def run(self, watch: Watch, stratified: Array | None) -> None:
        """Train until the score gets no better for `n_iter_no_change` epochs, or for `max_iter` of them.

        Where training diverges it begins again with a tenth of the learning rate, and a warning says so.
        """
        e = self.estimator
        self.held = self._hold_back(stratified) if e.early_stopping else None
        self._in_canonical_order()
        start, t, before = copied(e._live.trainer), e._live.trainer.t, (e.t_, e.n_iter_, list(e.loss_curve_))  # noqa: SLF001
        self.at_start = e._live.trainer.loss(*(part[:FEW] for part in self.parts[:2]))  # noqa: SLF001
        for attempt in range(ATTEMPTS):
            e.t_, e.n_iter_, e.loss_curve_ = before[0], before[1], list(before[2])
            e.validation_scores_ = [] if e.early_stopping else None
            try:
                self._epochs(watch)
                return watch.close()
            except DivergedError as error:
                if attempt == ATTEMPTS - 1:
                    raise
                put(e._live.trainer, start)  # noqa: SLF001
                e._live.trainer.t = t  # noqa: SLF001
                self.rate, self.best, self.stalled = self.rate / 10, -np.inf, 0
                _warn(f"{error}; beginning again with {self.rate:g}")
        return None

    def _epochs(self, watch: Watch) -> None:
        e = self.estimator
        kept: dict[str, Array] = {}
        for _ in range(e.max_iter):
            watch.begin()
            score = self._epoch()
            if e.early_stopping and score > self.best:
                kept = copied(e._live.trainer)  # noqa: SLF001
            over = self._is_over(score)
            if watch.end() or over:
                break
        else:
            _warn(f"{type(e).__name__}: the loss still changes after max_iter={e.max_iter} epochs")
        e.best_validation_score_ = self.best if e.early_stopping else None
        if kept:
            put(e._live.trainer, kept)  # noqa: SLF001

    def _hold_back(self, stratified: Array | None) -> tuple[Any, ...]:
        """Keep a part of the examples for validation."""
        e = self.estimator
        rows = np.arange(len(self.parts[0]))
        train, held = train_test_split(
            rows, test_size=e.validation_fraction, random_state=self.rng, stratify=stratified
        )
        if not len(held):
            raise ValueError(f"validation_fraction is {e.validation_fraction}, which leaves no example to validate")
        taken = [None if part is None else part[held] for part in self.parts]
        self.parts = [None if part is None else part[train] for part in self.parts]
        return tuple(taken)

    def _in_canonical_order(self) -> None:
        """Sort the examples where they will be shuffled, so that the result does not depend on the order of rows."""
        X, target, weight = self.parts
        self.rows = canonical(X, target) if self.estimator.shuffle else np.arange(len(X))
        if weight is not None:
            self.rows = self.rows[weight[self.rows] > 0]
        dtype = self.estimator._live.module.SPEC["dtype"]  # noqa: SLF001
        self.parts = [np.ascontiguousarray(X, dtype), target, weight]

    def _epoch(self) -> float:
        """Visit every example once; return what is to grow: the score on what was held back, or minus the loss."""
        e = self.estimator
        loss = e._pass(*self.parts, self.rows, rate=self.rate, rng=self.rng if e.shuffle else None)  # noqa: SLF001
        if loss > WORSE * (1 + self.at_start):
            raise DivergedError(f"the loss grew from {self.at_start:.3g} to {loss:.3g} with steps of {self.rate:g}")
        e.n_iter_ += 1
        e.loss_curve_.append(loss)
        e.loss_ = loss
        score = -loss
        if self.held is not None:
            score = e._score_of(*self.held)  # noqa: SLF001
            e.validation_scores_.append(score)
        if e.verbose:
            more = f", validation score = {score:.6f}" if self.held else ""
            sys.stdout.write(f"Iteration {e.n_iter_}, loss = {loss:.8f}{more}\n")
        return score

    def _is_over(self, score: float) -> bool:
        """Whether too many epochs brought nothing; `adaptive` then takes smaller steps first."""
        e = self.estimator
        self.stalled = 0 if score >= self.best + e.tol else self.stalled + 1
        self.best = max(self.best, score)
        if self.stalled <= e.n_iter_no_change:
            return False
        if e.learning_rate != "adaptive" or self.rate <= LEAST_RATE:
            return True
        self.rate, self.stalled = self.rate / 5, 0
        return False


class Watch:
    """The callbacks of scikit-learn 1.9, where an estimator has any: told of the fit and of every epoch.

    Parameters
    ----------
    estimator
        Whose callbacks they are.
    X, y, weight
        As they were given to its fit.
    """

    def __init__(self, estimator: Any, X: Array, y: Array, weight: Array | None) -> None:
        self.estimator, self.left = estimator, estimator.max_iter
        self.given = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        self.root: Any = None
        self.now: Any = None
        if getattr(estimator, "_skl_callbacks", None):
            self.root = estimator._init_callback_context(max_subtasks=self.left)  # noqa: SLF001 (its protocol)
            self.root.call_on_fit_task_begin(estimator=estimator, **self.given)

    def begin(self) -> None:
        """Say that an epoch begins."""
        self.now = None
        if self.root is not None and self.left:  # epochs that are done again after divergence may be too many
            self.left -= 1
            self.now = self.root.subcontext(task_name="epoch")
            self.now.call_on_fit_task_begin(estimator=self.estimator, **self.given)

    def end(self) -> bool:
        """Say that an epoch ended; return whether to stop."""
        return self.now is not None and self._ended(self.now)

    def close(self) -> None:
        """Say that the fit ended."""
        if self.root is not None:
            self._ended(self.root)

    def _ended(self, context: Any) -> bool:
        live = {"_live": copy.deepcopy(self.estimator._live)}  # noqa: SLF001 (what a fitted copy needs)
        return bool(context.call_on_fit_task_end(
            estimator=self.estimator, **self.given, reconstruction_attributes=live
        ))  # fmt: skip


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=2)
