"""The picture of an activation and its derivative."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from symbackprop.definitions.activations import a
from symbackprop.definitions.network import Network
from symbackprop.derivation.validate import derivative, kinks, refuse, values
from symbackprop.expr.printing import formula
from symbackprop.train.files.pictures import new_figure, write_picture

_COLORS = {"g": "#3465a4", "g′": "#c4601d"}
_LONGEST = 90  # of a formula in the picture


def plot_activation(path: str | Path, network: Network, span: float = 6.0) -> Path:
    """Draw g(a) and g'(a) of a network's first activation, its kinks marked.

    Parameters
    ----------
    path
        The file to make or replace: .png, .pdf or .svg.
    network
        Of one hidden layer, whose activation is drawn.
    span
        From -span to span.

    Raises
    ------
    ValueError
        If the span is not a positive number, or the path cannot be written.
    ModuleNotFoundError
        If matplotlib is not installed; the message says how to get it.
    """
    if not 0 < span <= 1e6:
        raise ValueError(f"the span is {span}, expected a positive number up to 1e6")
    refuse(network.resolved)
    g = network.resolved.activations[0].at_start()
    at = np.linspace(-span, span, 2401)
    figure = new_figure()
    axes = figure.subplots()
    for name, expr in {"g": g, "g′": derivative(g)}.items():
        numbers = _break_at_jumps(values(expr, a, at).real)
        axes.plot(at, numbers, color=_COLORS[name], linewidth=1.8, label=_label(name, expr))
    axes.axhline(0, color="#999999", linewidth=0.8)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.grid(visible=True, color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(-span, span)
    axes.set_xlabel("a")
    figure.legend(loc="outside upper center", frameon=False, fontsize=10)
    if words := kinks(g):
        figure.supxlabel("\n".join(words), fontsize=9, color="#666666")
    return write_picture(path, figure)


def _break_at_jumps(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Leave out what is not finite, and join no line over a jump."""
    drawn = np.where(np.isfinite(numbers), numbers, np.nan)
    steps = abs(np.diff(drawn))
    usual = np.nanmedian(steps) if np.isfinite(steps).any() else 0
    drawn[1:][steps > max(100 * usual, 0.05 * np.nanmax(abs(drawn), initial=0))] = np.nan
    return drawn


def _label(name: str, expr: Any) -> str:
    text = formula(expr)
    return f"{name}(a) = {text if len(text) <= _LONGEST else text[: _LONGEST - 3] + '...'}"
