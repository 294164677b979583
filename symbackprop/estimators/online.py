"""A network that learns one row at a time, from arrays or from dicts of features, in microseconds."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from symbackprop.estimators.running_moments import Raw, Running
from symbackprop.estimators.runtime import Live, grown
from symbackprop.estimators.stream_features import Rows
from symbackprop.estimators.stream_targets import Labels, Values
from symbackprop.train.protocol import Array, copied, predicting, put
from symbackprop.train.request import arguments, choices

FIRST = np.zeros(1, np.int64)  # the order of one example
_BETWEEN_COPIES = 1023  # updates, of a power of 2


class OnlineNetwork:
    """A classifier or regressor for streams: one exact SGD update after each row.

    Parameters
    ----------
    hidden_layer_sizes : tuple of int
        Units of the hidden layers; () for softmax or linear regression.
    activation : str or sequence of str
        A name or a formula in a, or one for each hidden layer.
    loss : str
        ``"nll"`` for classes, ``"squared"`` for values, or a formula in f[y], or in f and y.
    learning_rate : float
        α.
    step_size : str
        ``"constant"``, or a name or several of `symbackprop.definitions.step_sizes`.
    update : str
        ``"clip"`` bounds the norm of a row's gradient; see `symbackprop.definitions.update_rules`.
    l2 : float
        λ of λ ΣW².
    initializer : str
        Of the weights.
    standardise : bool
        Subtract the running mean of each feature and divide by its running deviation; targets of the squared error
        too, and back in predictions.
    max_features : int
        Features of dicts beyond so many different ones are ignored, with one warning.
    classes : sequence, optional
        Labels known from the start; others are added when they are seen.
    dtype : str
        ``"float64"`` or ``"float32"``.
    seed : int
        Of the initial weights.
    hyperparameters : dict, optional
        Constants of the step size and the update by name, as ``{"max_gradient": 5}``.

    Attributes
    ----------
    classes_ : list
        The labels seen, in the order of the outputs.
    features_ : list or None
        The names of the columns; None where rows are arrays.
    t : int
        Rows learnt.

    Notes
    -----
    What is learnt is that of `sgd` over the same rows in the same order; a row that is refused changes nothing.

    Examples
    --------
    >>> network = OnlineNetwork((4,), "tanh")
    >>> for _ in range(50):
    ...     network.learn_one({"x": 1.0, "z": 0.0}, "left")
    ...     network.learn_one({"x": -1.0, "z": 0.5}, "right")
    >>> network.predict_one({"x": -1.0, "z": 0.5})
    'right'
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (32,),
        activation: str | Sequence[str] = "tanh",
        *,
        loss: str = "nll",
        learning_rate: float = 0.05,
        step_size: str = "constant",
        update: str = "clip",
        l2: float = 0.0,
        initializer: str = "glorot",
        standardise: bool = True,
        max_features: int = 1000,
        classes: Sequence[Hashable] | None = None,
        dtype: str = "float64",
        seed: int = 0,
        hyperparameters: Mapping[str, float] | None = None,
    ) -> None:
        hidden = arguments.layer_sizes(hidden_layer_sizes)
        arguments.require_texts(loss=loss, step_size=step_size, update=update, initializer=initializer, dtype=dtype)
        arguments.require_whole(1, max_features=max_features)
        arguments.require_whole(0, seed=seed)
        if not isinstance(standardise, bool | np.bool):
            raise ValueError(f"standardise is {standardise!r:.60}, expected True or False")  # noqa: TRY004
        if isinstance(classes, str | bytes) or not (classes is None or np.iterable(classes)):
            raise ValueError(f"classes are {classes!r:.60}, expected a list of labels")
        names = choices.hidden_activations(arguments.formulas("activation", activation) if hidden else [], len(hidden))
        self.asked = choices.request(
            names, loss=loss, penalty="l2", initializer=initializer, step_size=step_size, dtype=dtype, update=update,
            weighted=True,
        )  # fmt: skip
        self.hidden, self.seed = hidden, seed
        further = arguments.constants("hyperparameters", hyperparameters)
        self.settings = {"learning_rate": learning_rate, "l2": l2, **further}
        live = Live(self.asked, (1, *hidden, 1), seed)  # refuses what cannot be, before the first row
        live.trainer._settings(**self._numbers())  # noqa: SLF001
        scaling = Running if standardise else Raw
        self._rows = Rows(scaling, dtype, max_features)
        self._aims = Labels(() if classes is None else classes) if live.module.SPEC["target"] == "label" else Values(
            scaling if loss == "squared" else Raw, dtype
        )  # fmt: skip
        self._live: Live | None = None

    _aims: Labels | Values

    @property
    def classes_(self) -> list[Hashable]:
        """The labels seen, in the order of the outputs."""
        return self._aims.names if isinstance(self._aims, Labels) else []

    @property
    def features_(self) -> list[Hashable] | None:
        """The names of the columns; None where rows are arrays."""
        return self._rows.names

    @property
    def t(self) -> int:
        """Rows learnt."""
        return 0 if self._live is None else int(self._live.trainer.t)

    def learn_one(self, x: Any, y: Any, w: float = 1.0) -> None:
        """Update once after one row.

        Parameters
        ----------
        x : array-like of shape (n_features,), or mapping of feature names to numbers
            A feature that is missing, None or NaN in a mapping counts as its mean.
        y : label, or number, or array of numbers
            As the loss has it.
        w : float
            A factor of the loss.

        Raises
        ------
        ValueError
            If a value is no finite number, x is no row like those before, y no label or no target, w below 0.
        FloatingPointError
            If the loss is not finite; the parameters are those of at most 1024 rows ago then.
        """
        self._aims.check(y)
        _require_weight(w)
        self._rows.learn(x)
        self._aims.learn(y)
        if self._live is None or self._live.sizes[0] != self._rows.size or self._live.sizes[-1] != self._aims.size:
            self._resize()
        self._w[0] = w
        trainer = self._trainer
        done, _ = self._kernel(self._rows.row, self._aims.y, self._w, FIRST, *self._arguments, trainer.t)
        if not done:
            self._diverged()
        trainer.t += 1
        if not trainer.t & _BETWEEN_COPIES:
            self._keep()

    def predict_one(self, x: Any) -> Any:
        """Return the most probable label, or the value, or the values; None where nothing was learnt.

        Parameters
        ----------
        x : array-like or mapping
            A feature never seen before is ignored.
        """
        return self._aims.said(self._f(x))

    def predict_proba_one(self, x: Any) -> dict[Hashable, float]:
        """Return the probability of each label seen so far.

        Parameters
        ----------
        x : array-like or mapping
        """
        if isinstance(self._aims, Values):
            raise ValueError("predict_proba_one is for classes, but the loss compares values; use predict_one")  # noqa: TRY004
        f = self._f(x)
        if f is None:
            return dict.fromkeys(self._aims.names, 1 / self._aims.size) if self._aims.names else {}
        return dict(zip(self._aims.names, f.tolist(), strict=True))

    def _f(self, x: Any) -> Array | None:
        """Return the outputs for one row; None where nothing was learnt."""
        if self._live is None:
            return None
        self._rows.look(x)
        self._forward(self._rows.row, *self._predicting, self._F)
        return np.asarray(self._F[0])

    def _numbers(self) -> dict[str, Any]:
        """Return the arguments with which a trainer checks settings."""
        further = {name: value for name, value in self.settings.items() if name != "learning_rate"}
        return {"learning_rate": self.settings["learning_rate"], "hyperparameters": further}

    def _resize(self) -> None:
        """Make the network, or let it grow; what was learnt stays."""
        sizes = (self._rows.size, *self.hidden, self._aims.size)
        if self._live is None:
            self._live = Live(self.asked, sizes, self.seed)
        else:
            self._live = grown(self._live, sizes, self.seed + sum(sizes))
        self._bind()

    def _bind(self) -> None:
        """Put what a row needs at hand: kernels, and their arguments."""
        assert self._live is not None
        module, trainer = self._live.module, self._live.trainer
        self._trainer = trainer
        settings = trainer._settings(**self._numbers())  # noqa: SLF001 (the same that its `sgd` checks)
        self._kernel, self._forward = module.SCHEDULES["plain"], module.forward
        self._arguments = (*trainer.parameters.values(), *trainer.state.values(), *map(module.real, settings))
        self._predicting = tuple(predicting(trainer).values())
        self._w, self._F = np.ones(1, module.real), np.zeros((1, self._aims.size), module.real)
        self._keep()

    def _keep(self) -> None:
        """Keep a copy of what is finite."""
        now = copied(self._trainer)
        if all(np.isfinite(values).all() for values in now.values()):
            self._kept = now
        else:
            self._diverged()

    def _diverged(self) -> None:
        put(self._trainer, self._kept)
        raise FloatingPointError(
            f"the loss is not finite at row {self.t}; the parameters are those of at most {_BETWEEN_COPIES + 1} rows "
            f"ago: try a learning rate smaller than {self.settings['learning_rate']:g}"
        )

    def __getstate__(self) -> dict[str, Any]:
        own = {
            "_trainer",
            "_kernel",
            "_forward",
            "_arguments",
            "_predicting",
            "_w",
            "_F",
            "_kept",
        }  # made again by `_bind`
        return {name: value for name, value in vars(self).items() if name not in own}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self._live is not None:
            self._bind()


def _require_weight(w: Any) -> None:
    try:
        usable = bool(0 <= w < math.inf)
    except (TypeError, ValueError):
        usable = False
    if not usable:
        raise ValueError(f"w is {w!r:.60}, expected a finite number, not below 0; nothing was learnt")
