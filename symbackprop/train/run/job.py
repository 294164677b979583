"""One training job from a module and a dataset to a model and its test error."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from types import ModuleType
from typing import Any

from symbackprop.train.data.examples import Dataset
from symbackprop.train.data.preparation import Prepared, prepare
from symbackprop.train.files.model import About, Model
from symbackprop.train.protocol import Spec, Trainer, predicting
from symbackprop.train.run.history import Report, Settings
from symbackprop.train.run.loop import fit
from symbackprop.train.run.memory import require_memory
from symbackprop.train.run.outcome import Outcome, Say
from symbackprop.train.run.scores import score

SHORT = 5e9  # multiplications of weights and examples: a few seconds of the plain loops


def train_model(
    module: ModuleType,
    data: Dataset,
    hidden: Sequence[int],
    settings: Settings,
    request: dict[str, Any] | None = None,
    report: Report | None = None,
    say: Say = lambda _topic, _text: None,
    waiting: Callable[[str], AbstractContextManager[Any]] = nullcontext,
) -> Outcome:
    """Cut, scale, train, keep the best parameters, test.

    Parameters
    ----------
    module
        A generated module.
    data
        With targets of its kind.
    hidden
        Units of each hidden layer.
    settings
        How to train; the seed also decides the cut and the initial weights.
    request
        What the module was generated from, to be noted in the model; None for a module of one's own.
    report
        Told of every epoch.
    say
        Told in words, by topic, what is done before and after.
    waiting
        Returns what is entered while something takes long and says nothing.

    Raises
    ------
    ValueError, FloatingPointError, KeyboardInterrupt
        As `prepare` and `fit` do.
    """
    spec = module.SPEC
    prepared = prepare(data, spec, settings.seed)
    say("data", _describe(data, prepared, settings.seed))
    sizes = (prepared.n_in, *hidden, prepared.n_out)
    _require_sizes(spec, sizes)
    require_memory(spec, sizes)
    short = _is_short(sizes, len(prepared.train[0]) * settings.epochs) and "sizes" not in spec
    options = {"schedule": "plain"} if short else {}
    trainer: Trainer = module.Trainer(sizes, seed=settings.seed, **options)
    say("network", f"{'-'.join(map(str, sizes))}, {sum(p.size for p in trainer.parameters.values())} parameters")
    with waiting("compiling"):
        seconds = compile_kernels(module, prepared, sizes, options)
    say("compiled", f"in {seconds:.1f} s")
    say("training", _how(settings))
    scale = prepared.outputs.scale
    history = fit(trainer, spec, prepared.train, prepared.validation, settings, report, scale)
    about = About(data.classes, data.features, data.labels, request, data.targets, data.left_out)
    model = Model(spec, sizes, trainer.t, predicting(trainer), prepared.inputs, prepared.outputs, about)
    test = score(spec, trainer, *prepared.test, data.classes or data.targets, prepared.outputs)
    return Outcome(history, model, test, data.name, settings)


def _require_sizes(spec: Spec, sizes: Sequence[int]) -> None:
    """Raise ValueError if a module with fixed sizes is for other data."""
    fixed = spec.get("sizes", sizes)
    ends = (sizes[0], sizes[-1])
    if ends != (fixed[0], fixed[-1]):
        shape = " x ".join(map(str, spec["input"]))
        raise ValueError(
            f"the data has {ends[0]} inputs and {ends[1]} outputs, but the network is for {fixed[0]} inputs ({shape}) "
            f"and {fixed[-1]} outputs"
        )


def _is_short(sizes: Sequence[int], updates: int) -> bool:
    """Whether training is over before a faster order of computation would have been compiled, seconds from now."""
    weights = sum(a * b for a, b in pairwise(sizes))
    return weights * updates < SHORT


def compile_kernels(module: ModuleType, prepared: Prepared, sizes: tuple[int, ...], options: dict[str, str]) -> float:
    """Call each kernel once, on one example and a trainer of its own; return the seconds it took."""
    start = time.perf_counter()
    X, y = prepared.train
    trainer = module.Trainer(sizes, **options)
    trainer.sgd(X[:1], y[:1], learning_rate=1e-6)
    trainer.loss(X[:1], y[:1])
    trainer.predict(X[:1])
    return time.perf_counter() - start


def _describe(data: Dataset, prepared: Prepared, seed: int) -> str:
    kind = "classes" if data.y.ndim == 1 else "targets"
    train, validation, test = (len(part[0]) for part in (prepared.train, prepared.validation, prepared.test))
    return (
        f"{data.name}: {len(data)} examples, {prepared.n_in} inputs, {prepared.n_out} {kind}; shuffled with seed "
        f"{seed}, {train} to train, {validation} to validate, {test} to test"
    )


def _how(settings: Settings) -> str:
    values = {"learning rate": settings.learning_rate, **settings.hyperparameters}
    return f"at most {settings.epochs} epochs, {', '.join(f'{name} {value:g}' for name, value in values.items())}"
