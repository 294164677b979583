"""The commands put together, and what their errors become."""

import os
import signal
import sys
from typing import Annotated, Any

import typer

from symbackprop import __version__
from symbackprop.cli.activation import audit, plot_activation
from symbackprop.cli.bench import bench
from symbackprop.cli.check import check
from symbackprop.cli.derive import derive
from symbackprop.cli.generate import generate
from symbackprop.cli.predict import predict
from symbackprop.cli.train import train

# what click calls ClickException, wherever this version of typer has it from
_UsageError: type[Exception] = typer.BadParameter.__bases__[0].__bases__[0]
FAULT = 70  # the exit status where a fault is ours
_EXPECTED = (ValueError, OSError, FloatingPointError, ImportError, MemoryError)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 (a flag)
    if wanted:
        typer.echo(f"symbackprop {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="symbackprop",
    help="Write a network as formulas, see its gradients derived, train it one example at a time.",
    epilog="Start with: symbackprop train",
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _program(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass


app.command(epilog="Example: symbackprop derive --activation tanh --format latex")(derive)
app.command(epilog="Example: symbackprop generate --activation relu --hidden-layers 2 -o relu_2_nll.py")(generate)
app.command(epilog="Examples: symbackprop train, symbackprop train flowers.csv --label species --hidden 16,8")(train)
app.command(epilog="Examples: symbackprop predict out/model.npz flowers.csv -o predictions.csv, the same with --score")(
    predict
)
app.command(epilog="Example: symbackprop check generated/tanh_nll_l2.py generated/rbf.py")(check)
app.command("plot-activation", epilog='Example: symbackprop plot-activation "a*tanh(log(1+exp(a)))" -o mish.png')(
    plot_activation
)
app.command(epilog='Example: symbackprop audit "a*tanh(log(1+exp(a)))" -o mish.png')(audit)
app.command(epilog="Example: symbackprop bench --network 784-128-10")(bench)


def main() -> None:
    """Run the command line: exit 2 with one line for an error, 130 after Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a kill ends as Ctrl-C does: with the best parameters
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
        return _fail(_usage(error))
    except _EXPECTED as error:
        if os.environ.get("SYMBACKPROP_TRACEBACK"):
            raise
        return _fail(_memory(error) if isinstance(error, MemoryError) else str(error) or type(error).__name__)
    except Exception as error:
        if os.environ.get("SYMBACKPROP_TRACEBACK"):
            raise
        words = f"{type(error).__name__}: {error}"
        _fail(f"an error that nobody foresaw: {words:.300}; SYMBACKPROP_TRACEBACK=1 shows where, please report it")
        return FAULT
    if status == 130:  # what typer makes of Ctrl-C
        _fail("stopped by hand")
    return status


def _usage(error: Any) -> str:
    path = getattr(error.ctx, "command_path", "symbackprop")
    return f"{error.format_message().rstrip('.')}; see {path} --help"


def _memory(error: MemoryError) -> str:
    return f"there is not enough memory for this: {error or 'it is full'}; choose fewer units, or fewer examples"


def _fail(message: str) -> int:
    line = " ".join(message.split()).encode("utf-8", "backslashreplace").decode()  # names of files may be other bytes
    typer.echo(f"symbackprop: {line}", err=True)
    return 2
