"""Networks in use: the generated module for a request, found or made, with parameters; they pickle as data alone."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import symbackprop  # its names load SymPy when they are first used, not here
from symbackprop.train.files.store import find_module
from symbackprop.train.protocol import Array, arrays, copied, predicting, put
from symbackprop.train.request.advice import AdviceWarning, warn_of
from symbackprop.train.request.choices import network_arguments
from symbackprop.train.run.baseline import blind

_LEARNT = ("parameters", "state", "masks_seed")  # of a trainer; the last where units are left out


def module_of(asked: Mapping[str, Any]) -> ModuleType:
    """Return the generated module for a request (see `symbackprop.train.request.choices.request`).

    Raises
    ------
    ValueError
        If the request is none, or its formulas are refused.
    """
    return _module(json.dumps(dict(asked), sort_keys=True))


@functools.lru_cache(maxsize=256)
def _module(text: str) -> ModuleType:
    asked = json.loads(text)
    module = find_module(asked, lambda: _text(asked))
    warn_of(module.SPEC, stacklevel=3)
    return module


def _text(asked: Mapping[str, Any]) -> str:
    """Return the text of a new module; what it is advised against is said of it as of one from the cache."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AdviceWarning)
        return str(symbackprop.build(network_of(asked), dtype=asked["dtype"]).text)


def network_of(asked: Mapping[str, Any]) -> Any:
    """Return the network that a request describes."""
    return symbackprop.Network(**network_arguments(asked))


class Live:
    """A network of a generated module: parameters, and the kernels for examples with and without weights.

    Parameters
    ----------
    asked
        What its module is generated from, without weights.
    sizes
        Units of every layer.
    seed
        Of the initial parameters.
    schedule
        See the module's Trainer.

    Attributes
    ----------
    trainer
        Of the module.
    """

    def __init__(self, asked: Mapping[str, Any], sizes: Sequence[int], seed: int = 0, schedule: str = "auto") -> None:
        self.asked, self.sizes, self.schedule = dict(asked), tuple(map(int, sizes)), schedule
        self.module = module_of(asked)
        self.trainer = self.module.Trainer(self.sizes, seed=seed, schedule=schedule)
        self._weighted: Any = None

    def sgd(self, X: Array, y: Array, weight: Array | None = None, **settings: Any) -> float:
        """Update after each example; with weights by the kernels of a module that has them."""
        if weight is None:
            return float(self.trainer.sgd(X, y, **settings))
        other = self._with_weights()
        other.t = self.trainer.t
        try:
            return float(other.sgd(X, y, sample_weight=weight, **settings))
        finally:
            self.trainer.t = other.t

    def judge(self, X: Array, y: Array, weight: Array | None = None) -> tuple[float, float]:
        """Return the mean loss, and that of a network which knows the mean of the targets and sees no input."""
        trainer = self.trainer if weight is None else self._with_weights()
        trainer.t = self.trainer.t
        other = blind(trainer, self.module.SPEC, y, weight)
        more = () if weight is None else (weight,)
        return float(trainer.loss(X, y, *more)), float(other.loss(X, y, *more))

    def _with_weights(self) -> Any:
        """Return a trainer of the module for weighted examples, of the same parameters."""
        if self._weighted is None:
            made = module_of({**self.asked, "weighted": True}).Trainer(self.sizes, schedule=self.schedule)
            vars(made).update({name: value for name, value in vars(self.trainer).items() if name in _LEARNT})
            self._weighted = made
        return self._weighted

    def __getstate__(self) -> dict[str, Any]:
        kept = {name: getattr(self, name) for name in ("asked", "sizes", "schedule")}
        trainer = {name: value for name, value in vars(self.trainer).items() if name in {"t", "masks_seed"}}
        return {**kept, "trainer": trainer, "arrays": copied(self.trainer)}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__init__(kept["asked"], kept["sizes"], schedule=kept["schedule"])  # type: ignore[misc]
        vars(self.trainer).update(kept["trainer"])
        put(self.trainer, kept["arrays"])


def grown(live: Live, sizes: Sequence[int], seed: int) -> Live:
    """Return a network with more inputs or outputs: what was learnt stays, new weights have initial values.

    Parameters
    ----------
    live
        The network so far.
    sizes
        Units of every layer, none fewer than before.
    seed
        Of the new weights.
    """
    made = Live(live.asked, sizes, seed, live.schedule)
    for name, mean in predicting(made.trainer).items():  # of new weights these are the initial values
        mean[...] = made.trainer.parameters[name]
    new = arrays(made.trainer)
    for name, old in arrays(live.trainer).items():
        new[name][tuple(map(slice, old.shape))] = old
    made.trainer.t = live.trainer.t
    return made
