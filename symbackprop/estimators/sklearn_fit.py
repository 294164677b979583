"""One fit of an estimator: epoch after epoch, until nothing gets better; the stopping rules of scikit-learn's MLP."""

from __future__ import annotations

import copy
import sys
import warnings
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from symbackprop.estimators.sample_weights import canonical, visits
from symbackprop.train.protocol import Array, copied, put

LEAST_RATE = 1e-6  # below which "adaptive" ends
WORSE = 1000  # times the loss before training: no longer a loss that will fall
FEW = 1000  # examples tell how large it was
JUDGED = 4096  # examples tell whether anything was learnt
BETTER = 0.99  # of the loss without inputs: above it nothing was
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
        self._scale()
        start, t, before = copied(e._live.trainer), e._live.trainer.t, (e.t_, e.n_iter_, list(e.loss_curve_))  # noqa: SLF001
        self.at_start = e._live.trainer.loss(*(part[:FEW] for part in self.parts[:2]))  # noqa: SLF001
        for attempt in range(ATTEMPTS):
            e.t_, e.n_iter_, e.loss_curve_ = before[0], before[1], list(before[2])
            e.validation_scores_ = [] if e.early_stopping else None
            try:
                self._epochs(watch)
                self._judge()
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

    def _scale(self) -> None:
        """Bring inputs and targets to the network's units, of what is trained on alone; a warm start keeps them."""
        e = self.estimator
        X, target, weight = self.parts
        if not e._units.are_known:  # noqa: SLF001
            rows = self.rows
            e._units = e._units.seeing(X[rows], target[rows], None if weight is None else weight[rows])  # noqa: SLF001
        self.parts = [*self._scaled(X, target, weight)]
        self.held = None if self.held is None else self._scaled(*self.held)

    def _scaled(self, X: Array, target: Array, weight: Array | None) -> tuple[Any, ...]:
        units, dtype = self.estimator._units, self.estimator._live.module.SPEC["dtype"]  # noqa: SLF001
        return units.scale_inputs(X, dtype), units.scale_targets(target), weight

    def _judge(self) -> None:
        """Warn where the network does not tell more than the frequencies of the classes, or the mean, would alone."""
        e = self.estimator
        X, target, weight = self.parts
        rows, factor = self.rows, None
        if weight is not None:
            times, factor = visits(weight)
            rows = np.repeat(rows, times[rows])
        rows = rows[:: -(-len(rows) // JUDGED)]
        X, target, factor = X[rows], target[rows], None if factor is None else factor[rows]
        if not np.ptp(target, axis=0).any():
            return
        loss, alone = e._live.judge(X, target, factor)  # noqa: SLF001
        if loss > alone - (1 - BETTER) * abs(alone):
            known = "the frequencies of the classes" if target.ndim == 1 else "the means of the targets"
            _warn(
                f"{type(e).__name__} learnt next to nothing from X: its loss is {loss:.4g}, and {alone:.4g} where only "
                f"{known} are known; {_advice(e)}"
            )

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
        e = self.estimator
        live = {"_live": copy.deepcopy(e._live), "_units": e._units}  # noqa: SLF001 (what a fitted copy needs)
        return bool(context.call_on_fit_task_end(
            estimator=self.estimator, **self.given, reconstruction_attributes=live
        ))  # fmt: skip


def _advice(estimator: Any) -> str:
    """Return what to do where nothing was learnt."""
    if not estimator.standardise:
        return "use standardise=True, or bring features (and targets) to mean 0 and deviation 1"
    targets = "" if estimator._units.outputs or not hasattr(estimator, "target_scale_") else "scale y, "  # noqa: SLF001
    return (
        f"{targets}try a learning_rate_init above or below {estimator.learning_rate_init:g}, or more than "
        f"max_iter={estimator.max_iter} epochs"
    )


def _warn(text: str) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=2)
