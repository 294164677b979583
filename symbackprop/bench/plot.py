"""The figures as a picture: a panel for each network, a bar for each peer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symbackprop.bench.report import sgemm, times
from symbackprop.bench.side_by_side import Comparison
from symbackprop.train.files.pictures import new_figure, write_picture

_COLORS = {("ours", 1): "#3465a4", ("peer", 1): "#a0a0a0", ("ours", 32): "#a9c1e4", ("peer", 32): "#dadada"}
_LEGEND = (
    "blue: generated, grey: others; pale: mini-batches, which make fewer updates\n"
    "in brackets: how many times faster the generated module is, with the schedule it chooses itself"
)


def plot(path: str | Path, comparisons: Sequence[Comparison], title: str) -> None:
    """Draw examples a second on a logarithmic scale.

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed.
    """
    figure = new_figure(9, 0.8 + 3.6 * len(comparisons))
    panels = figure.subplots(len(comparisons), 1, squeeze=False)[:, 0]
    for axes, comparison in zip(panels, comparisons, strict=True):
        _panel(axes, comparison)
    panels[-1].set_xlabel("examples per second")
    figure.suptitle(f"{title}\n{_LEGEND}", fontsize=10)
    write_picture(path, figure, dpi=110)


def _panel(axes: Any, comparison: Comparison) -> None:
    right = [result for result in comparison.results if result.is_right][::-1]
    names, rates = [r.peer.name for r in right], [r.rate for r in right]
    colors = [_COLORS["ours" if r.peer.is_ours else "peer", min(r.peer.batch, 32)] for r in right]
    bars = axes.barh(names, rates, color=colors)
    labels = [f"{r.rate:,.0f} ({times(comparison.ratio(r))})" for r in right]
    axes.bar_label(bars, labels, padding=3, fontsize=7)
    axes.set_xscale("log")
    if rates:
        axes.set_xlim(min(rates) / 3, max(rates) * 8)
    axes.set_title(f"{comparison.task.name}   ({sgemm(comparison)})", fontsize=10, loc="left")
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
