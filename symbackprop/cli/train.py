"""``symbackprop train``: from data to a model, a test error, a picture, and the settings to have it all again."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

import symbackprop
from symbackprop.cli.config import settings_text
from symbackprop.cli.options import NETWORK, ModulePath, Quiet, config, flag, option, with_network
from symbackprop.cli.request import asked_for, build_module, field_of, refuse_both, typed
from symbackprop.cli.say import advise, say, silent, waiting
from symbackprop.train import digits, find_module, import_module, progress_report, read_data
from symbackprop.train.data.examples import Dataset
from symbackprop.train.data.read import existing
from symbackprop.train.files.atomic import apart, check_writable, shown, write_text
from symbackprop.train.files.modules import spec_of
from symbackprop.train.files.pictures import check_picture
from symbackprop.train.files.store import recall, record
from symbackprop.train.request import choices
from symbackprop.train.request.advice import advice_of
from symbackprop.train.request.constants import check_constants, constants_of
from symbackprop.train.request.network_file import read_network
from symbackprop.train.run.history import Report, Settings
from symbackprop.train.run.job import train_model
from symbackprop.train.run.outcome import Say, write_outcome
from symbackprop.train.run.scores import report as report_of

_MODEL, _PLOT = Path("out/model.npz"), Path("out/learning_curve.png")
_Texts = list[str] | None
_Number = float | None
_Path = Path | None


def _training(text: str, *names: str, default: str | bool = True, metavar: str = "X") -> Any:
    return option(text, *names, default=default, metavar=metavar, panel="Training")


@with_network("weighted", "dropout")
def train(
    ctx: typer.Context,
    data: Annotated[
        _Path,
        typer.Argument(help="A .csv, or an .npz with X and y; without it, scikit-learn's digits.", metavar="DATA"),
    ] = None,
    label: Annotated[
        _Texts, option("Label column by name or number, or key of y; may be repeated.", default="last column, y")
    ] = None,
    ignore: Annotated[
        _Texts, option("Column that is no input, by name or number; may be repeated.", default=False)
    ] = None,
    module: ModulePath = None,
    config: Annotated[  # noqa: ARG001 (its callback has read it)
        _Path, config(lambda _: True, "A file of settings, as it is written beside every model.")
    ] = None,
    output: Annotated[Path, option("The model.", "--output", "-o", metavar="PATH")] = _MODEL,
    plot: Annotated[
        _Path, option("The learning curves: .png, .pdf or .svg.", default="out/learning_curve.png", metavar="PATH")
    ] = None,
    report: Annotated[bool, flag("Print what predict --score prints, for the test part.", "--report")] = False,  # noqa: FBT002
    quiet: Quiet = False,  # noqa: FBT002
    hidden: Annotated[
        str | None, _training("Units of the hidden layers, as 64,32, or none.", default="64", metavar="N,N")
    ] = None,
    epochs: Annotated[int, _training("At most so many.", metavar="N")] = 100,
    learning_rate: Annotated[_Number, _training("α.", default="0.02; for squared 0.01")] = None,
    decay: Annotated[_Number, _training("δ of α/(1+δt).", default="1e-5")] = None,
    l2: Annotated[_Number, _training("λ of ΣW².", default="1e-4")] = None,
    l1: Annotated[_Number, _training("λ of Σ|W|.", default="1e-5")] = None,
    strength: Annotated[_Number, _training("λ of a penalty that is a formula.", default="1e-4")] = None,
    dropout: Annotated[_Number, _training("How often a hidden unit is left out.", default="never")] = None,
    hyperparameter: Annotated[
        _Texts,
        _training(
            "A constant of the step size or the update, as momentum=0.9.", "--set", default=False, metavar="NAME=X"
        ),
    ] = None,
    look_ahead: Annotated[int, _training("Epochs to wait for a better validation error.", metavar="N")] = 15,
    seed: Annotated[int, _training("Of the cut, the first weights and the orders.", metavar="N")] = 0,
    **network: Any,
) -> None:
    """Train a network, keep the parameters of its best epoch, and test it."""
    _check_files(ctx, data, module, network["network"], output, plot)
    constants = choices.named_numbers("--set", hyperparameter or ())
    from_options = {"decay": decay, "l2": l2, "l1": l1, "penalty": strength}
    constants |= {name: value for name, value in from_options.items() if value is not None}
    widths = choices.hidden_widths(hidden, network["hidden_layers"])
    chosen = {
        **network,
        "hidden_layers": None if widths is None else len(widths),
        "penalty": choices.penalty_for(network["penalty"], l1=constants.get("l1"), l2=constants.get("l2")),
        "dropout": dropout is not None,
    }
    asked = _request(ctx, chosen, module)
    check_constants(constants, constants_of(asked) if module is None else spec_of(module)["hyperparameters"])
    choices.check_dropout(dropout)
    settings = choices.settings(
        choices.output_for(asked["loss"], asked.get("output")),
        epochs=epochs,
        learning_rate=learning_rate,
        look_ahead=look_ahead,
        seed=seed,
        given=constants,
    )
    tell = silent if quiet else say
    kernels = _kernels(asked, module, tell, quiet=quiet)
    _check_gradients(kernels, tell, quiet=quiet)
    spec = kernels.SPEC
    examples = _examples(data, spec, label or [], ignore or [])
    units = spec["sizes"][1:-1] if "sizes" in spec else choices.hidden_widths(hidden, len(spec["activations"])) or []
    numbers = choices.hyperparameters(spec, constants)
    settings = replace(settings, hyperparameters=numbers | choices.dropout(spec, dropout))
    again = {
        "data": data,
        "label": label,
        "ignore": ignore,
        "module": module,
        **_network(asked, network["network"], module),
    }
    again |= {} if "sizes" in spec else {"hidden": ",".join(map(str, units)) or "none"}
    again |= _numbers(settings, numbers, dropout) | {"output": output, "plot": plot, "report": report}
    noted = settings_text(
        f"symbackprop {symbackprop.__version__}; again: symbackprop train --config {_beside(output)}", again
    )
    outcome = train_model(
        kernels,
        examples,
        units,
        settings,
        None if module else asked,
        Report() if quiet else progress_report(spec),
        tell,
        waiting(quiet=quiet),
    )
    write_outcome(outcome, output, plot, _PLOT, tell)
    tell("settings", shown(write_text(_beside(output), noted)))
    if report:
        typer.echo(f"{'' if quiet else chr(10)}{report_of(outcome.test)}")


def _beside(output: Path) -> Path:
    """Return where the settings of a run are written: beside its model."""
    return output.with_suffix(".run.toml")


def _check_files(ctx: typer.Context, data: _Path, module: _Path, network: _Path, output: Path, plot: _Path) -> None:
    """Raise now what would else be raised after the long work."""
    apart(
        {"the data": data, "the module": module, "the network": network},
        {"the model": output, "the picture": plot or _PLOT, "the settings": _beside(output)},
    )
    for name in ("label", "ignore") if data is None else ():
        if ctx.params[name]:
            raise ValueError(
                f"--{name} is {ctx.params[name][0]!r:.40}, but no data was named, expected it before the options"
            )
    if data:
        existing(data)
    for path in (output, plot or _PLOT, _beside(output)):
        check_writable(path)
    check_picture(plot)


def _request(ctx: typer.Context, chosen: Mapping[str, Any], module: _Path) -> dict[str, Any]:
    """Return the request for a module; nothing can be asked of one that is there."""
    if module is not None:
        spec_of(module)
        refuse_both(ctx, typed(ctx) & NETWORK.keys(), f"{shown(module)} has been generated")
    return asked_for(ctx, chosen)


def _examples(data: _Path, spec: Mapping[str, Any], label: list[str], ignore: list[str]) -> Dataset:
    if data is None:
        return digits(spec["target"])
    examples = read_data(data, spec, label, ignore)
    advise(f"{data}: {note}" for note in examples.notes)
    return examples


def _network(asked: Mapping[str, Any], path: _Path, module: _Path) -> dict[str, Any]:
    """Return what was requested of a network, by the names of the options."""
    if module is not None:
        return {}
    said: Mapping[str, Any] = {} if path is None else read_network(path)
    entries = {
        "network": path,
        "activation": None if path else asked["activations"],
        "output-function": asked.get("output"),
        "update": asked.get("update", "sgd"),
        "constant": asked.get("constants") or None,
        "learn": asked["learned"] or None,
        "learn-per-unit": asked["learned_per_unit"] or None,
        "exact-form": asked.get("exact_form", False),
        **{name.replace("_", "-"): asked[name] for name in ("loss", "penalty", "initializer", "step_size", "dtype")},
    }
    return {key: value for key, value in entries.items() if field_of(key) not in said}


def _numbers(settings: Settings, numbers: Mapping[str, float], dropout: float | None) -> dict[str, Any]:
    """Return with which numbers a network is trained, by the names of the options."""
    options = {"decay": "decay", "l1": "l1", "l2": "l2", "penalty": "strength"}
    return {
        "epochs": settings.epochs,
        "learning-rate": settings.learning_rate,
        **{option: numbers.get(name) for name, option in options.items()},
        "set": {name: value for name, value in numbers.items() if name not in options} or None,
        "dropout": dropout,
        "look-ahead": settings.look_ahead,
        "seed": settings.seed,
    }


def _kernels(asked: dict[str, Any], path: _Path, tell: Say, *, quiet: bool) -> ModuleType:
    """Return the module to train, and say where it is from."""
    start, generated = time.perf_counter(), []

    def make() -> str:
        generated.append(True)
        return build_module(asked).text

    with waiting(quiet=quiet)("generating"):
        module = import_module(path) if path else find_module(asked, make)
    how = f"generated in {time.perf_counter() - start:.1f} s" if generated else "given" if path else "found"
    tell("kernels", f"{how}: {shown(str(module.__file__))}")
    advise(advice_of(module.SPEC))
    return module


def _check_gradients(module: ModuleType, tell: Say, *, quiet: bool) -> None:
    """Check the gradients of a module, once for each text of it."""
    path = Path(str(module.__file__))
    start = time.perf_counter()
    note = recall(path, "gradients")
    before = "; checked before" if note else ""
    if not note:
        # compiled and compared too: what validation needs compiled anyway; the rest is interpreted, and quick
        with waiting(quiet=quiet)("checking gradients"):
            results = symbackprop.check_module(path, compiled=("forward", "loss"))
        worst = max(results, key=lambda result: result.difference / result.bar)
        if not all(result.passed for result in results):
            why = f"; {worst.note}" if worst.note else ""
            raise ValueError(f"{shown(path)}: wrong gradients: {worst.name} differs by {worst.difference:.1e}{why}")
        limit = f"{worst.difference:.1e} where {worst.bar:.0e} is allowed"
        note = f"{len(results)} checks passed; the nearest to its bar: {worst.name}, {limit}"
        record(path, "gradients", note)
    tell("gradients", f"{note}{before or f' in {time.perf_counter() - start:.1f} s'}")
