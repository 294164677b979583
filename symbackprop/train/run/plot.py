"""The picture of a training run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from symbackprop.train.files.pictures import new_figure, write_picture
from symbackprop.train.protocol import Spec, counts_misses, error_kind
from symbackprop.train.run.progress import shown_error

if TYPE_CHECKING:
    from symbackprop.train.run.history import History

_LOSS, _ERROR, _BEST, _QUIET = "#3465a4", "#c4601d", "#2e7d32", "#666666"


def plot_history(path: str | Path, history: "History", spec: Spec, title: str, test_error: float) -> Path:
    """Draw the learning curves: training loss above, validation error below, the best epoch marked.

    Parameters
    ----------
    path
        The file to make or replace: .png, .pdf or .svg.
    history
        Of `fit`.
    spec
        The SPEC of the module: whether errors are percentages.
    title
        What was trained on what; the test error is added.
    test_error
        As from `misses`.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed; the message says how to get it.
    ValueError
        If the path cannot be written, or its name ends in something else.
    """
    figure = new_figure()
    above, below = figure.subplots(2, 1, sharex=True)
    numbers = [epoch.number for epoch in history.epochs]
    factor = 100 if counts_misses(spec) else 1
    _curve(above, numbers, [e.training_loss for e in history.epochs], _LOSS, "training loss")
    label = "validation error [%]" if counts_misses(spec) else f"validation error ({error_kind(spec)})"
    _curve(below, numbers, [factor * e.validation_error for e in history.epochs], _ERROR, label)
    if min(e.training_loss for e in history.epochs) > 0:
        above.set_yscale("log")
    below.set_ylim(bottom=0)
    _mark(above, below, history, spec, factor)
    below.set_xlabel("epoch")
    below.xaxis.get_major_locator().set_params(integer=True)
    figure.suptitle(f"{title}\ntest error {shown_error(spec, test_error)}", fontsize=12)
    return write_picture(path, figure)


def _curve(axes: Any, numbers: list[int], values: list[float], color: str, label: str) -> None:
    axes.plot(numbers, values, color=color, linewidth=1.6, marker="o" if len(numbers) < 50 else "", markersize=3)
    axes.set_ylabel(label, color=color)
    axes.grid(visible=True, which="major", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _mark(above: Any, below: Any, history: "History", spec: Spec, factor: int) -> None:
    best = history.best
    for axes in (above, below):
        axes.axvline(best.number, color=_BEST, linewidth=1.2, linestyle="--")
    below.plot([best.number], [factor * best.validation_error], "o", color=_BEST, markersize=8)
    left = best.number < history.epochs[-1].number / 2
    below.annotate(  # high up: the curve is low by then
        f"best: epoch {best.number}, {shown_error(spec, best.validation_error)}",
        (best.number, 0.93),
        xycoords=below.get_xaxis_transform(),
        xytext=(8 if left else -8, 0),
        textcoords="offset points",
        ha="left" if left else "right",
        color=_BEST,
    )
    above.text(
        0.995,
        0.97,
        f"stopped: {history.reason}",
        transform=above.transAxes,
        ha="right",
        va="top",
        color=_QUIET,
    )
