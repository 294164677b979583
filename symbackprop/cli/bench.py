"""``symbackprop bench``: the generated loops beside those of others."""

from pathlib import Path
from typing import Annotated

import typer


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
