"""The model file: parameters, with all that is needed to use them on raw data again."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from symbackprop.train.data.scaling import Scaling
from symbackprop.train.files.archive import read_arrays
from symbackprop.train.files.atomic import replace_file
from symbackprop.train.protocol import SPEC_KEYS, Array, Trainer, predicting

_SAME = ("activations", "loss", "output", "target", "dtype")  # what the meaning of parameters depends on


@dataclass(frozen=True)
class About:
    """What a model was made from, besides numbers.

    Attributes
    ----------
    classes
        The name of each label; empty for measured values and independent labels.
    features, labels
        Columns of the training data, see `Dataset`.
    request
        What its module was generated from; None for formulas that are in no table.
    targets, left_out
        Further columns of the training data, see `Dataset`.
    """

    classes: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    request: dict[str, Any] | None = None
    targets: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Model:
    """Parameters with their module's SPEC and the scaling of the data.

    Attributes
    ----------
    spec
        The SPEC of the module that trained it.
    sizes
        Inputs, hidden layers, outputs.
    t
        Updates done.
    parameters
        Arrays by name: W1, b1, W2, ...
    inputs, outputs
        Scaling of X, and of real targets.
    about
        Names for people, and how to find the module again.
    """

    spec: dict[str, Any]
    sizes: tuple[int, ...]
    t: int
    parameters: dict[str, Array]
    inputs: Scaling
    outputs: Scaling
    about: About

    def trainer(self, module: ModuleType) -> Trainer:
        """Return a trainer of a module with these parameters.

        Raises
        ------
        ValueError
            If the module computes another network.
        """
        for key in _SAME:
            theirs, ours = module.SPEC[key], self.spec[key]
            if theirs != ours:
                raise ValueError(f"the module has {key} {theirs!r}, the model was trained with {ours!r}")
        trainer: Trainer = module.Trainer(self.sizes)
        if _shapes(trainer.parameters) != _shapes(self.parameters):
            raise ValueError(f"the model's parameters are not those of the sizes {self.sizes}")
        for name, values in self.parameters.items():
            np.copyto(trainer.parameters[name], values)
            np.copyto(predicting(trainer)[name], values)
        trainer.t = self.t
        return trainer

    def values(self, module: ModuleType, X: Array) -> Array:
        """Return the outputs f for unscaled inputs, (N, n_out), in the units of the targets."""
        f = self.trainer(module).predict_proba(self.inputs.apply(X, self.spec["dtype"]))
        return self.outputs.undo(f) if self.spec["output"] == "identity" else f

    def predict(self, module: ModuleType, X: Array) -> Array:
        """Return class names (N,) where the model has them, else zeros and ones or values, (N, n_out)."""
        if self.spec["output"] == "identity":
            return self.values(module, X)
        predicted = self.trainer(module).predict(self.inputs.apply(X, self.spec["dtype"]))
        return np.asarray(self.about.classes)[predicted] if predicted.ndim == 1 and self.about.classes else predicted


def _shapes(parameters: dict[str, Array]) -> dict[str, tuple[int, ...]]:
    return {name: values.shape for name, values in parameters.items()}


def save_model(path: str | Path, model: Model) -> Path:
    """Write a model, in one step: an older file at that path stays whole until the new one is.

    Raises
    ------
    ValueError
        If the path cannot be written.
    """
    arrays: dict[str, Any] = {
        **model.parameters,
        "spec": np.array(json.dumps(model.spec)),
        "sizes": np.array(model.sizes, np.int64),
        "t": np.array(model.t, np.int64),
        "about": np.array(json.dumps(asdict(model.about))),
        "input_shift": model.inputs.shift,
        "input_scale": model.inputs.scale,
        "output_shift": model.outputs.shift,
        "output_scale": model.outputs.scale,
    }
    return replace_file(path, lambda file: np.savez(file, **arrays))


def load_model(path: str | Path) -> Model:
    """Read a model.

    Raises
    ------
    ValueError
        If the file is missing, damaged or not a model of ours.
    """
    arrays = read_arrays(path)
    try:
        model = _model(arrays)
    except KeyError as error:
        raise ValueError(f"{path} is not a symbackprop model: it has no {error.args[0]!r}") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} is not a symbackprop model, or a damaged one: {error}") from None
    return model


def _model(arrays: dict[str, Array]) -> Model:
    spec, about = (json.loads(str(arrays.pop(key))) for key in ("spec", "about"))
    sizes = tuple(int(n) for n in arrays.pop("sizes"))
    t = int(arrays.pop("t"))
    scalings = {
        key: arrays.pop(key).astype(np.float64)
        for key in ("input_shift", "input_scale", "output_shift", "output_scale")
    }
    _check(spec, sizes, t, arrays, scalings)
    inputs, outputs = (Scaling(scalings[f"{k}_shift"], scalings[f"{k}_scale"]) for k in ("input", "output"))
    return Model(spec, sizes, t, arrays, inputs, outputs, _about(about, sizes))


def _about(about: dict[str, Any], sizes: tuple[int, ...]) -> About:
    classes, features, labels = (tuple(map(str, about[key])) for key in ("classes", "features", "labels"))
    if classes and len(classes) != sizes[-1]:
        raise ValueError(f"{len(classes)} classes for {sizes[-1]} outputs")
    if not isinstance(about["request"], dict | None):
        raise TypeError("its request is no dictionary")
    targets, left_out = (about.get(key, ()) for key in ("targets", "left_out"))  # of which older files know nothing
    return About(classes, features, labels, about["request"], tuple(map(str, targets)), tuple(map(int, left_out)))


def _check(
    spec: dict[str, Any],
    sizes: tuple[int, ...],
    t: int,
    parameters: dict[str, Array],
    scalings: dict[str, Array],
) -> None:
    """Raise where the parts do not fit together."""
    for key in SPEC_KEYS:
        spec[key]  # a KeyError names what is missing
    if len(sizes) != len(spec["activations"]) + 2 or min(sizes) < 1 or t < 0:
        raise ValueError(f"sizes {sizes}, t {t}")
    for name, values in parameters.items():
        if values.dtype != spec["dtype"] or not np.isfinite(values).all():
            raise ValueError(f"{name} is not finite {spec['dtype']}")
    for name, values in scalings.items():
        width = sizes[0] if name.startswith("input") else sizes[-1]
        if values.shape != (width,) or not np.isfinite(values).all():
            raise ValueError(f"{name} is not {width} finite numbers")
