"""What commands tell while they work."""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import typer

PATIENCE, BEAT = 2.0, 0.5  # seconds without a word, and between two words


def say(topic: str, text: str) -> None:
    """Print a line about a topic."""
    typer.echo(f"{typer.style(f'{topic:<11}', bold=True)}{text}")


def silent(_topic: str, _text: str) -> None:
    """Print nothing, in place of `say`."""


def tell(text: str, *, quiet: bool) -> None:
    """Print a line, unless it shall be quiet."""
    if not quiet:
        typer.echo(text)


def advise(lines: Iterable[str]) -> None:
    """Print warnings, as of what formulas are advised against, to standard error."""
    for line in lines:
        typer.echo(f"symbackprop: warning: {' '.join(line.split())}", err=True)


def waiting(*, quiet: bool) -> Callable[[str], Any]:
    """Return what shows that work goes on, as a context: on a terminal only, and not at all where quiet."""
    return nullcontext if quiet or not sys.stderr.isatty() else _seconds


@contextmanager
def _seconds(what: str) -> Iterator[None]:
    """Count seconds on the last line of the terminal, which is blank again afterwards."""
    done, start = threading.Event(), time.perf_counter()

    def count() -> None:
        pause = PATIENCE
        while not done.wait(pause):
            sys.stderr.write(f"\r{what}: {time.perf_counter() - start:.0f} s")
            sys.stderr.flush()
            pause = BEAT

    counter = threading.Thread(target=count, daemon=True)
    counter.start()
    try:
        yield
    finally:
        done.set()
        counter.join()
        if time.perf_counter() - start > PATIENCE:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
