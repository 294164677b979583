"""From examples as they come to the arrays a trainer takes: cut, scaled, of the module's dtype."""

from dataclasses import dataclass

import numpy as np

from symbackprop.train.data.examples import Dataset, Split, split
from symbackprop.train.data.scaling import Scaling, fit_inputs, fit_outputs, identity
from symbackprop.train.protocol import Array, Pair, Spec


@dataclass(frozen=True, eq=False)
class Prepared:
    """Three parts, (X, y) each, and the scaling that the training part alone decided.

    Attributes
    ----------
    train, validation, test
        X (N, inputs) and y, (N,) labels or (N, n_out) vectors.
    inputs, outputs
        How they were scaled; outputs only for the squared error.
    n_in, n_out
        The first and the last of the sizes.
    """

    train: Pair
    validation: Pair
    test: Pair
    inputs: Scaling
    outputs: Scaling
    n_in: int
    n_out: int


def prepare(data: Dataset, spec: Spec, seed: int = 0) -> Prepared:
    """Cut a dataset into three parts and scale them for a module.

    Parameters
    ----------
    data
        Checked examples with targets of the spec's kind.
    spec
        The SPEC of the module.
    seed
        Of the cut.

    Raises
    ------
    ValueError
        If there are too few examples, or a column is too wide to scale.
    """
    parts = split(data, seed)
    n_out = len(data.classes) if data.y.ndim == 1 else data.y.shape[1]
    # integers at which tables are read stay as they are
    inputs = identity(parts.train.X.shape[1]) if "vocabulary" in spec else fit_inputs(parts.train.X)
    # targets of a squared error get like weights and a like learning rate; other losses mean what they say
    outputs = fit_outputs(parts.train.y) if spec["loss"] == "squared" else identity(n_out)
    train, validation, test = _scale(parts, spec, inputs, outputs)
    return Prepared(train, validation, test, inputs, outputs, data.X.shape[1], n_out)


def _scale(parts: Split, spec: Spec, inputs: Scaling, outputs: Scaling) -> list[Pair]:
    return [(inputs.apply(part.X, spec["dtype"]), _targets(part.y, spec, outputs)) for part in parts]


def _targets(y: Array, spec: Spec, outputs: Scaling) -> Array:
    return y.astype(np.int64) if spec["target"] == "label" else outputs.apply(y, spec["dtype"])
