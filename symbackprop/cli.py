"""The command line: derive, generate, train, predict, check, bench."""

import os
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import typer

import symbackprop  # its names load SymPy when they are first used, not here
from symbackprop.train import (
    choices,
    digits,
    find_module,
    import_module,
    load_model,
    progress_report,
    read_data,
    read_inputs,
)
from symbackprop.train.files import apart, check_writable, shown, write_text
from symbackprop.train.job import train_model
from symbackprop.train.modules import spec_of
from symbackprop.train.network_file import read_network
from symbackprop.train.outcome import write_outcome
from symbackprop.train.plot import check_plotting
from symbackprop.train.predictions import as_csv, predictions
from symbackprop.train.read import existing
from symbackprop.train.store import recall, record

# what click calls ClickException, wherever this version of typer has it from
_UsageError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]
_EXPECTED = (ValueError, OSError, FloatingPointError, ImportError, MemoryError)
_MODEL, _PLOT = Path("out/model.npz"), Path("out/learning_curve.png")

app = typer.Typer(
    name="symbackprop",
    help="Write a network as formulas, see its gradients derived, train it one example at a time.",
    epilog="Start with: symbackprop train",
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _option(text: str, *names: str, default: str | bool = True, metavar: str = "NAME") -> Any:
    return typer.Option(*names, help=text, metavar=metavar, show_default=default)


Activation = Annotated[
    list[str] | None,
    _option("Of the hidden layers, a name or a formula in a; repeat it for one per layer.", default="tanh"),
]
HiddenLayers = Annotated[int | None, _option("How many; one activation serves all.", default="1", metavar="N")]
Loss = Annotated[
    str, _option("nll (classes), bce (independent labels 0 or 1), squared (values), or a formula in f and y.")
]
Penalty = Annotated[str | None, _option("none, l2, l1 or l1+l2, or a formula in w.", default="l2")]
OutputFunction = Annotated[
    str | None, _option("softmax, sigmoid or identity.", default="what the loss is made for", metavar="NAME")
]
ExactForm = Annotated[bool, typer.Option("--exact-form", help="Compute formulas as derived, not in stable forms.")]
Constant = Annotated[
    list[str] | None, _option("A number that formulas use by its name; may be repeated.", metavar="NAME=VALUE")
]
Initializer = Annotated[str, _option("glorot, he, lecun, fan_in or normal.")]
StepSize = Annotated[str, _option("constant, inverse: α/(1+δt), power, steps, cosine, warmup, or several joined by +.")]
Update = Annotated[
    str, _option("sgd, momentum or nesterov, and joined by + clip, max_norm, average (see docs/updates.md).")
]
Weighted = Annotated[bool, typer.Option("--weighted", help="A weight for every example, a factor of its loss.")]
Dropout = Annotated[bool, typer.Option("--dropout", help="Hidden units are left out at random while training.")]
Learn = Annotated[
    list[str] | None,
    _option("Parameter of an activation to be learnt, one a layer, from this value.", metavar="NAME=X", default=False),
]
LearnPerUnit = Annotated[list[str] | None, _option("The same, one for each unit.", metavar="NAME=X", default=False)]
Dtype = Annotated[str, _option("float32 or float64.")]
ModulePath = Annotated[
    Path | None, _option("A generated module, for formulas of your own.", "--module", metavar="PATH")
]

NetworkFile = Annotated[
    Path | None,
    _option("Layers, in place of activations: a TOML file (see docs/layers.md).", "--network", metavar="PATH"),
]


@app.command(epilog="Example: symbackprop derive --activation tanh --format latex")
def derive(
    activation: Activation = None,
    network: NetworkFile = None,
    hidden_layers: HiddenLayers = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    loss: Loss = "nll",
    penalty: Penalty = None,
    step_size: StepSize = "inverse",
    update: Update = "sgd",
    weighted: Weighted = False,  # noqa: FBT002 (a flag)
    dropout: Dropout = False,  # noqa: FBT002 (a flag)
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    form: Annotated[Literal["text", "latex", "markdown"], typer.Option("--format", help="How to write it.")] = "text",
) -> None:
    """Print the derivation of every gradient, each step with the rule it applies."""
    asked = _asked(
        network,
        activation,
        hidden_layers,
        loss=loss,
        penalty=penalty,
        step_size=step_size,
        update=update,
        weighted=weighted,
        dropout=dropout,
        output=output_function,
        **_named(constant, learn, learn_per_unit),
    )
    derivation = symbackprop.derive(_network(asked), exact_form=exact_form)
    typer.echo(symbackprop.render(derivation, form))


@app.command(epilog="Example: symbackprop generate --activation relu --hidden-layers 2 -o relu_2_nll.py")
def generate(
    output: Annotated[Path, _option("The file to write.", "--output", "-o", metavar="PATH")],
    activation: Activation = None,
    network: NetworkFile = None,
    hidden_layers: HiddenLayers = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    loss: Loss = "nll",
    penalty: Penalty = None,
    initializer: Initializer = "glorot",
    step_size: StepSize = "inverse",
    update: Update = "sgd",
    weighted: Weighted = False,  # noqa: FBT002 (a flag)
    dropout: Dropout = False,  # noqa: FBT002 (a flag)
    dtype: Dtype = "float32",
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    explain_schedule: Annotated[  # noqa: FBT002 (a flag)
        bool, typer.Option("--explain-schedule", help="Print which orders of computation it has, which not, and why.")
    ] = False,
) -> None:
    """Write a module of readable loops, with a Trainer, that runs without symbackprop."""
    check_writable(output)
    asked = _asked(
        network,
        activation,
        hidden_layers,
        loss=loss,
        penalty=penalty,
        initializer=initializer,
        step_size=step_size,
        update=update,
        weighted=weighted,
        dropout=dropout,
        dtype=dtype,
        output=output_function,
        exact_form=exact_form,
        **_named(constant, learn, learn_per_unit),
    )
    made = _built(asked, output.stem)
    if output.exists():
        spec_of(output)  # nothing but a module that was generated is written over
    write_text(output, made.text)
    typer.echo(f"wrote {shown(output)}")
    if explain_schedule:
        typer.echo("\n".join(made.schedules))


@app.command(epilog="Examples: symbackprop train, symbackprop train flowers.csv --label species --hidden 16,8")
def train(
    data: Annotated[
        Path | None,
        typer.Argument(help="A .csv, or an .npz with X and y; without it, scikit-learn's digits.", metavar="DATA"),
    ] = None,
    label: Annotated[
        list[str] | None,
        _option("Label column by name or number, or key of y; may be repeated.", default="last column, y"),
    ] = None,
    activation: Activation = None,
    network: NetworkFile = None,
    hidden: Annotated[
        str | None, _option("Units of the hidden layers, as 64,32, or none.", default="64", metavar="N,N")
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
        float | None, _option("How often a hidden unit is left out.", default="never", metavar="X")
    ] = None,
    dtype: Dtype = "float32",
    output_function: OutputFunction = None,
    constant: Constant = None,
    exact_form: ExactForm = False,  # noqa: FBT002 (a flag)
    module: ModulePath = None,
    epochs: Annotated[int, _option("At most so many.", metavar="N")] = 100,
    learning_rate: Annotated[float | None, _option("α.", default="0.02; for squared 0.01", metavar="X")] = None,
    decay: Annotated[float | None, _option("δ of α/(1+δt).", default="1e-5", metavar="X")] = None,
    l2: Annotated[float | None, _option("λ of ΣW².", default="1e-4", metavar="X")] = None,
    l1: Annotated[float | None, _option("λ of Σ|W|.", default="1e-5", metavar="X")] = None,
    hyperparameter: Annotated[
        list[str] | None,
        _option("A constant of the step size or the update, as momentum=0.9.", "--set", metavar="NAME=X"),
    ] = None,
    strength: Annotated[float | None, _option("λ of a penalty that is a formula.", default="1e-4", metavar="X")] = None,
    seed: Annotated[int, _option("Of the cut, the first weights and the orders.", metavar="N")] = 0,
    look_ahead: Annotated[int, _option("Epochs to wait for a better validation error.", metavar="N")] = 15,
    output: Annotated[Path, _option("The model.", "--output", "-o", metavar="PATH")] = _MODEL,
    plot: Annotated[
        Path | None, _option("The learning curves, a PNG.", default="out/learning_curve.png", metavar="PATH")
    ] = None,
) -> None:
    """Train a network, keep the parameters of its best epoch, and test it."""
    _check_places(data, module, output, plot)
    given = {"decay": decay, "l2": l2, "l1": l1, "penalty": strength}
    given |= choices.named_numbers("--set", hyperparameter or ())
    widths = choices.hidden_widths(hidden, hidden_layers)
    asked = _asked(
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
        **_named(constant, learn, learn_per_unit),
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
        _say,
    )
    write_outcome(outcome, output, plot, _PLOT, _say)


@app.command(epilog="Example: symbackprop predict out/model.npz flowers.csv --output predictions.csv")
def predict(
    model: Annotated[Path, typer.Argument(help="What train wrote.")],
    data: Annotated[Path, typer.Argument(help="A .csv or .npz with the same inputs; labels in it are ignored.")],
    *,
    proba: Annotated[bool, typer.Option("--proba", help="Probabilities in place of classes.")] = False,
    output: Annotated[Path | None, _option("A .csv with a header.", "--output", "-o", metavar="PATH")] = None,
    module: ModulePath = None,
) -> None:
    """Print one prediction for each example, one a line."""
    apart({"the model": model, "the data": data}, {"the predictions": output})
    if output:
        check_writable(output)
    known = load_model(model)
    X = read_inputs(data, known.sizes[0], known.about.features, known.about.labels)
    found = import_module(module) if module else _find(known.about.request)
    header, rows = predictions(known, found, X, proba=proba)
    if output:
        write_text(output, as_csv([header, *rows]))
        typer.echo(f"wrote {len(rows)} predictions to {shown(output)}")
    else:
        typer.echo(as_csv(rows), nl=False)


@app.command(epilog="Example: symbackprop check generated/tanh_nll_l2.py")
def check(module: Annotated[Path, typer.Argument(help="A generated module.")]) -> None:
    """Compare the gradients of a module with independent ones; exit with 1 if they differ."""
    import_module(module)
    results = symbackprop.check_module(module)
    width = max(len(result.name) for result in results)
    typer.echo(typer.style(f"{'check':{width}}  {'difference':>10}  {'allowed':>8}", bold=True))
    for result in results:
        verdict = typer.style("passed", fg="green") if result.passed else typer.style("FAILED", fg="red", bold=True)
        verdict = "none  " if result.note.startswith("does not apply") else verdict
        line = f"{result.name:{width}}  {result.difference:10.1e}  {result.bar:8.0e}  {verdict}  {result.note}"
        typer.echo(line.rstrip())
    if not all(result.passed for result in results):
        raise typer.Exit(1)


@app.command("plot-activation", epilog='Example: symbackprop plot-activation "a*tanh(log(1+exp(a)))" -o mish.png')
def plot_activation(
    activation: Annotated[str, typer.Argument(help="A name or a formula in a.", metavar="FORMULA")],
    output: Annotated[Path, _option("The picture, a PNG.", "--output", "-o", metavar="PATH")],
    constant: Constant = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    span: Annotated[float, _option("From -X to X.", metavar="X")] = 6.0,
) -> None:
    """Draw an activation and its derivative, and say where they have kinks."""
    from symbackprop.explain.plot import plot_activation as draw  # noqa: PLC0415 (it loads SymPy)
    from symbackprop.soundness import advise, kinks  # noqa: PLC0415

    check_writable(output)
    network = symbackprop.Network((activation,), **_named(constant, learn, learn_per_unit))
    if output.suffix.lower() not in {".png", ""}:
        raise ValueError(f"the picture is {shown(output)}, expected a name that ends in .png")
    _say_initial(network)
    draw(output, network, span)
    for word in kinks(network.scalar_activation(activation)):
        typer.echo(f"kink: {word}")
    for word in advise(network):
        typer.echo(f"symbackprop: warning: {word}", err=True)
    typer.echo(f"wrote {shown(output)}")


@app.command(epilog='Example: symbackprop audit "a*tanh(log(1+exp(a)))" -o mish.png')
def audit(
    activation: Annotated[str, typer.Argument(help="A name or a formula in a.", metavar="FORMULA")],
    output: Annotated[Path | None, _option("A picture of the errors, a PNG.", "--output", "-o", metavar="PATH")] = None,
    constant: Constant = None,
    learn: Learn = None,
    learn_per_unit: LearnPerUnit = None,
    points: Annotated[int, _option("How many floats of each type to try.", metavar="N")] = 1000,
) -> None:
    """Measure the errors of an activation and its derivative, as compiled, over all floats, against mpmath."""
    from symbackprop.audit import audit as measure  # noqa: PLC0415 (few commands need it)
    from symbackprop.audit import plot_audit, report  # noqa: PLC0415

    if output:
        check_writable(output)
        check_plotting()
    network = symbackprop.Network((activation,), **_named(constant, learn, learn_per_unit))
    _say_initial(network)
    found = measure(network, points)
    typer.echo(report(found))
    if output:
        plot_audit(output, found, activation)
        typer.echo(f"\nwrote {shown(output)}")


@app.command(epilog="Example: symbackprop bench --network 784-128-10")
def bench(
    network: Annotated[
        list[str] | None, typer.Option(help="Units from inputs to outputs, as 784-128-10; may be repeated.")
    ] = None,
    peer: Annotated[list[str] | None, typer.Option(help="Part of a peer's name; may be repeated.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="A file for the tables.")] = None,
    plot: Annotated[Path | None, typer.Option(help="A file for the picture, a PNG.")] = None,
    output: Annotated[Path | None, typer.Option(help="A file for everything, as JSON.")] = None,
) -> None:
    """Measure the generated loops beside NumPy, PyTorch, JAX, scikit-learn and C, whichever are installed."""
    from symbackprop.bench import NETWORKS  # noqa: PLC0415 (few commands need it)
    from symbackprop.bench import bench as measure  # noqa: PLC0415

    status = measure(network or NETWORKS, peers=peer or (), markdown=markdown, plot=plot, output=output)
    if status:
        raise typer.Exit(status)


def _check_places(data: Path | None, module: Path | None, output: Path, plot: Path | None) -> None:
    """Raise now what would else be raised after the long work."""
    apart({"the data": data, "the module": module}, {"the model": output, "the picture": plot or _PLOT})
    if data:
        existing(data)
    check_writable(output)
    check_writable(plot or _PLOT)
    if plot:
        check_plotting()


def _asked(
    path: Path | None, activation: list[str] | None, depth: int | None, *, penalty: str | None, **options: Any
) -> dict[str, Any]:
    """Return the request for a module; a file says all of its network, and no penalty if it names none."""
    if path is None:
        activations = choices.hidden_activations(activation or [], depth)
        return choices.request(activations, penalty="l2" if penalty is None else penalty, **options)
    if activation or depth is not None:
        raise ValueError(f"{path} says which layers there are; leave out --activation, --hidden and --hidden-layers")
    found = read_network(path)
    layers, shape = found.pop("layers"), found.pop("input")
    return choices.request(
        layers, shape=shape, **{"penalty": "none" if penalty is None else penalty, **options, **found}
    )


def _named(
    constant: list[str] | None, learn: list[str] | None, learn_per_unit: list[str] | None
) -> dict[str, dict[str, float]]:
    """Return the numbers that were given as NAME=VALUE, by what they are."""
    given = {
        "constants": ("--constant", constant),
        "learned": ("--learn", learn),
        "learned_per_unit": ("--learn-per-unit", learn_per_unit),
    }
    return {field: choices.named_numbers(option, texts or ()) for field, (option, texts) in given.items()}


def _say_initial(network: Any) -> None:
    """Say at which values of its learnt parameters an activation is looked at, where it has some."""
    values = (text for field in ("learned", "learned_per_unit") for text in network.names()[field])
    for text in values:
        typer.echo(f"{text.replace('=', ' = ')}, the value from which it is learnt")


def _network(asked: dict[str, Any]) -> Any:
    return symbackprop.Network(**choices.network_arguments(asked))


def _built(asked: dict[str, Any], name: str | None = None) -> Any:
    """Return the module for a request; what it is advised against goes to standard error."""
    with warnings.catch_warnings(record=True) as advice:
        warnings.simplefilter("always")
        exact = asked.get("exact_form", False)
        made = symbackprop.build(_network(asked), name=name, dtype=asked["dtype"], exact_form=exact)
    for word in advice:
        typer.echo(f"symbackprop: warning: {word.message}", err=True)
    return made


def _find(asked: dict[str, Any] | None) -> ModuleType:
    if asked is None:
        raise ValueError("the model was trained with a module of its own; name it with --module PATH")
    choices.network_arguments(asked)
    return find_module(asked, lambda: _built(asked).text)


def _kernels(asked: dict[str, Any], path: Path | None) -> ModuleType:
    """Return the module to train, and say where it is from."""
    start, made = time.perf_counter(), []

    def make() -> str:
        made.append(True)
        return _built(asked).text

    module = import_module(path) if path else find_module(asked, make)
    how = f"generated in {time.perf_counter() - start:.1f} s" if made else "given" if path else "found"
    _say("kernels", f"{how}: {shown(str(module.__file__))}")
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
    _say("gradients", f"{note}{before or f' in {time.perf_counter() - start:.1f} s'}")


def _say(topic: str, text: str) -> None:
    typer.echo(f"{typer.style(f'{topic:<11}', bold=True)}{text}")


def main() -> None:
    """Run the command line: exit 2 with one line for an expected error, 130 after Ctrl-C."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = int(app(args=arguments or ["--help"], prog_name="symbackprop", standalone_mode=False) or 0)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, head for instance, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        status = 130
    except _UsageError as error:
        return _failed(_usage(error))
    except _EXPECTED as error:
        if os.environ.get("SYMBACKPROP_TRACEBACK"):
            raise
        return _failed(str(error) or type(error).__name__)
    if status == 130:  # what typer makes of Ctrl-C
        _failed("stopped by hand")
    return status


def _usage(error: Any) -> str:
    path = getattr(error.ctx, "command_path", "symbackprop")
    return f"{error.format_message().rstrip('.')}; see {path} --help"


def _failed(message: str) -> int:
    typer.echo(f"symbackprop: {' '.join(message.split())}", err=True)
    return 2


if __name__ == "__main__":
    main()
