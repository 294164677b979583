"""``symbackprop bench``: the generated loops beside those of others."""

from pathlib import Path
from typing import Annotated

import typer

from symbackprop.cli.options import check_seed, option

_Path = Path | None


def bench(
    network: Annotated[
        list[str] | None,
        option("Units from inputs to outputs, as 784-128-10; may be repeated.", default=False, metavar="N-N"),
    ] = None,
    peer: Annotated[list[str] | None, option("Part of a peer's name; may be repeated.", default=False)] = None,
    markdown: Annotated[_Path, option("A file for the tables.", default=False, metavar="PATH")] = None,
    plot: Annotated[_Path, option("A file for the picture: .png, .pdf, .svg.", default=False, metavar="PATH")] = None,
    seed: Annotated[int, option("Of the examples, the weights and the order.", metavar="N")] = 0,
    output: Annotated[_Path, option("A file for everything, as JSON.", default=False, metavar="PATH")] = None,
) -> None:
    """Measure the generated loops beside NumPy, PyTorch, JAX, scikit-learn and C, whichever are installed."""
    from symbackprop.bench import NETWORKS  # noqa: PLC0415 (few commands need it)
    from symbackprop.bench import bench as measure  # noqa: PLC0415

    status = measure(
        network or NETWORKS, peers=peer or (), seed=check_seed(seed), markdown=markdown, plot=plot, output=output
    )
    if status:
        raise typer.Exit(status)
