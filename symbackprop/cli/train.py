"""``symbackprop train``: from data to a model, a test error and a picture."""

import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

import symbackprop
from symbackprop.cli.options import (
    Activation,
    Constant,
    Dtype,
    ExactForm,
    HiddenLayers,
    Initializer,
    Learn,
    LearnPerUnit,
    Loss,
    ModulePath,
    NetworkFile,
    OutputFunction,
    Penalty,
    StepSize,
    Update,
    option,
)
from symbackprop.cli.request import asked_for, built, named
from symbackprop.cli.say import advise, say
from symbackprop.train import choices, digits, find_module, import_module, progress_report, read_data
from symbackprop.train.advice import advice_of
from symbackprop.train.files import apart, check_writable, shown
from symbackprop.train.job import train_model
from symbackprop.train.outcome import write_outcome
from symbackprop.train.plot import check_plotting
from symbackprop.train.read import existing
from symbackprop.train.store import recall, record

_MODEL, _PLOT = Path("out/model.npz"), Path("out/learning_curve.png")


def train(
    data: Annotated[
        Path | None,
        typer.Argument(help="A .csv, or an .npz with X and y; without it, scikit-learn's digits.", metavar="DATA"),
    ] = None,
    label: Annotated[
        list[str] | None,
        option("Label column by name or number, or key of y; may be repeated.", default="last column, y"),
    ] = None,
    activation: Activation = None,
    network: NetworkFile = None,
    hidden: Annotated[
        str | None, option("Units of the hidden layers, as 64,32, or none.", default="64", metavar="N,N")
    ] = None,
    hidden_layers: HiddenLayers = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    loss: Loss = "nll",
    penalty: Penalty = None,
    initializer: Initializer = "glorot",
    step_size: StepSize = "inverse",
    update: Update = "sgd",
    dropout: Annotated[
        float | None, option("How often a hidden unit is left out.", default="never", metavar="X")
    ] = None,
    dtype: Dtype = "float32",
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    module: ModulePath = None,
    epochs: Annotated[int, option("At most so many.", metavar="N")] = 100,
    learning_rate: Annotated[float | None, option("α.", default="0.02; for squared 0.01", metavar="X")] = None,
    decay: Annotated[float | None, option("δ of α/(1+δt).", default="1e-5", metavar="X")] = None,
    l2: Annotated[float | None, option("λ of ΣW².", default="1e-4", metavar="X")] = None,
    l1: Annotated[float | None, option("λ of Σ|W|.", default="1e-5", metavar="X")] = None,
    hyperparameter: Annotated[
        list[str] | None,
        option("A constant of the step size or the update, as momentum=0.9.", "--set", metavar="NAME=X"),
    ] = None,
    strength: Annotated[float | None, option("λ of a penalty that is a formula.", default="1e-4", metavar="X")] = None,
    seed: Annotated[int, option("Of the cut, the first weights and the orders.", metavar="N")] = 0,
    look_ahead: Annotated[int, option("Epochs to wait for a better validation error.", metavar="N")] = 15,
    output: Annotated[Path, option("The model.", "--output", "-o", metavar="PATH")] = _MODEL,
    plot: Annotated[
        Path | None, option("The learning curves, a PNG.", default="out/learning_curve.png", metavar="PATH")
    ] = None,
) -> None:
    """Train a network, keep the parameters of its best epoch, and test it."""
    _check_places(data, module, output, plot)
    given = {"decay": decay, "l2": l2, "l1": l1, "penalty": strength}
    given |= choices.named_numbers("--set", hyperparameter or ())
    widths = choices.hidden_widths(hidden, hidden_layers)
    asked = asked_for(
        network,
        activation,
        None if widths is None else len(widths),
        loss=loss,
        penalty=choices.penalty_for(penalty, l1=l1, l2=l2),
        initializer=initializer,
        step_size=step_size,
        update=update,
        dropout=dropout is not None,
        dtype=dtype,
        output=output_function,
        exact_form=exact_form,
        **named(constant, learn, learn_per_unit),
    )
    settings = choices.settings(
        choices.output_for(asked["loss"], asked.get("output")),
        epochs=epochs,
        learning_rate=learning_rate,
        look_ahead=look_ahead,
        seed=seed,
        given=given,
    )
    kernels = _kernels(asked, module)
    _check_gradients(kernels)
    spec = kernels.SPEC
    examples = read_data(data, spec, label or ()) if data else digits(spec["target"])
    outcome = train_model(
        kernels,
        examples,
        spec["sizes"][1:-1] if "sizes" in spec else choices.hidden_widths(hidden, len(spec["activations"])) or [],
        replace(settings, hyperparameters=choices.hyperparameters(spec, given) | choices.dropout(spec, dropout)),
        None if module else asked,
        progress_report(spec),
        say,
    )
    write_outcome(outcome, output, plot, _PLOT, say)


def _check_places(data: Path | None, module: Path | None, output: Path, plot: Path | None) -> None:
    """Raise now what would else be raised after the long work."""
    apart({"the data": data, "the module": module}, {"the model": output, "the picture": plot or _PLOT})
    if data:
        existing(data)
    check_writable(output)
    check_writable(plot or _PLOT)
    if plot:
        check_plotting()


def _kernels(asked: dict[str, Any], path: Path | None) -> ModuleType:
    """Return the module to train, and say where it is from."""
    start, made = time.perf_counter(), []

    def make() -> str:
        made.append(True)
        return built(asked).text

    module = import_module(path) if path else find_module(asked, make)
    how = f"generated in {time.perf_counter() - start:.1f} s" if made else "given" if path else "found"
    say("kernels", f"{how}: {shown(str(module.__file__))}")
    advise(advice_of(module.SPEC))
    return module


def _check_gradients(module: ModuleType) -> None:
    """Check the gradients of a module, once for each text of it."""
    path = Path(str(module.__file__))
    start = time.perf_counter()
    note = recall(path, "gradients")
    before = "; checked before" if note else ""
    if not note:
        # compiled and compared too: what validation needs compiled anyway; the rest is interpreted, and quick
        results = symbackprop.check_module(path, compiled=("forward", "loss"))
        worst = max(results, key=lambda result: result.difference / result.bar)
        if not all(result.passed for result in results):
            why = f"; {worst.note}" if worst.note else ""
            raise ValueError(f"{shown(path)}: wrong gradients: {worst.name} differs by {worst.difference:.1e}{why}")
        limit = f"{worst.difference:.1e} where {worst.bar:.0e} is allowed"
        note = f"{len(results)} checks passed; the nearest to its bar: {worst.name}, {limit}"
        record(path, "gradients", note)
    say("gradients", f"{note}{before or f' in {time.perf_counter() - start:.1f} s'}")
