"""What training looks like: a live table on a terminal, one plain line per epoch elsewhere."""

import sys
from collections import deque
from typing import TYPE_CHECKING, TextIO

from symbackprop.train.protocol import Spec, counts_misses
from symbackprop.train.run.history import Epoch, Report

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_ROWS = 8  # epochs on the screen


def progress_report(spec: Spec, stream: TextIO | None = None) -> Report:
    """Return a live display where the stream is a terminal and rich is installed, else plain lines.

    Parameters
    ----------
    spec
        The SPEC of the module: whether an error is a rate.
    stream
        Where to write, standard output by default.
    """
    stream = stream or sys.stdout
    if stream.isatty():
        try:
            from rich.console import Console  # noqa: PLC0415 (an extra; plain lines do without it)
        except ImportError:
            return Plain(spec, stream)
        console = Console(file=stream)
        if console.is_terminal and not console.is_dumb_terminal:
            return Live(spec, console)
    return Plain(spec, stream)


def shown_error(spec: Spec, error: float) -> str:
    """Return an error as people read it: a percentage where it is a rate."""
    return f"{100 * error:.2f} %" if counts_misses(spec) else f"{error:.4g}"


def shown_speed(examples_per_second: float) -> str:
    """Return a speed to three digits: 1.24 M/s, 312 k/s."""
    for unit, name in ((1e6, "M/s"), (1e3, "k/s")):
        if examples_per_second >= unit:
            return f"{examples_per_second / unit:#.3g}".rstrip(".") + f" {name}"
    return f"{examples_per_second:#.3g}".rstrip(".") + " /s"


class Plain(Report):
    """One line per epoch."""

    def __init__(self, spec: Spec, stream: TextIO) -> None:
        self.spec, self.stream = spec, stream
        self.width = 1

    def begin(self, epochs: int, examples: int) -> None:
        """Learn how wide the number of an epoch gets."""
        del examples
        self.width = len(str(epochs))

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """Print the epoch."""
        line = (
            f"epoch {epoch.number:{self.width}d}   training loss {epoch.training_loss:8.5f}   "
            f"validation error {shown_error(self.spec, epoch.validation_error):>8}   "
            f"best {shown_error(self.spec, best.validation_error):>8} (epoch {best.number})   "
            f"{shown_speed(epoch.examples_per_second)}"
        )
        print(line, file=self.stream, flush=True)


class Live(Report):
    """The last epochs as a table, drawn anew ten times a second, and a bar for the epoch that runs."""

    def __init__(self, spec: Spec, console: "Console") -> None:
        from rich.live import Live as Screen  # noqa: PLC0415 (an extra)

        self.spec = spec
        self.rows: deque[tuple[Epoch, bool]] = deque(maxlen=_ROWS)
        self.best: Epoch | None = None
        self.epochs = self.examples = 1
        self.number, self.done, self.speed = 1, 0, 0.0
        self.screen = Screen(console=console, refresh_per_second=10, get_renderable=self.drawn)

    def begin(self, epochs: int, examples: int) -> None:
        """Start to draw."""
        self.epochs, self.examples = epochs, examples
        self.screen.start()

    def part(self, number: int, done: int, loss: float, examples_per_second: float) -> None:
        """Move the bar; the next drawing shows it."""
        del loss  # of half an epoch: it would only flicker
        self.number, self.done, self.speed = number, done, examples_per_second

    def epoch(self, epoch: Epoch, best: Epoch) -> None:
        """Add a row."""
        self.rows.append((epoch, epoch is best))
        self.best = best

    def end(self) -> None:
        """Draw once more, and leave it there."""
        self.done = 0
        self.screen.stop()

    def drawn(self) -> "RenderableType":
        """Return the table and the bar as they are now."""
        from rich.console import Group  # noqa: PLC0415 (an extra)

        return Group(self._table(), *([self._bar()] if self.done else []))

    def _table(self) -> "RenderableType":
        from rich import box  # noqa: PLC0415 (an extra)
        from rich.table import Table  # noqa: PLC0415 (an extra)

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in ("epoch", "examples/second", "training loss", "validation error", "best so far"):
            table.add_column(name, justify="right")
        # drawn in a thread of its own while rows are added
        for epoch, new in tuple(self.rows):
            table.add_row(
                f"{epoch.number}/{self.epochs}",
                shown_speed(epoch.examples_per_second),
                f"{epoch.training_loss:.5f}",
                shown_error(self.spec, epoch.validation_error),
                "●" if new else "",
                style="bold green" if new else "",
            )
        if self.best:
            error = shown_error(self.spec, self.best.validation_error)
            table.caption = f"best so far {error} in epoch {self.best.number}"
        return table

    def _bar(self) -> "RenderableType":
        from rich.columns import Columns  # noqa: PLC0415 (an extra)
        from rich.progress_bar import ProgressBar  # noqa: PLC0415 (an extra)
        from rich.text import Text  # noqa: PLC0415 (an extra)

        text = f"epoch {self.number}  {self.done}/{self.examples}  {shown_speed(self.speed)}"
        return Columns([ProgressBar(total=self.examples, completed=self.done, width=30), Text(text)])
