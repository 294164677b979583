"""Side by side with others on the same work, in a process of its own that has one thread and one core."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from symbackprop.bench.machine import one_thread
from symbackprop.bench.task import parse_sizes
from symbackprop.train.files.atomic import check_writable
from symbackprop.train.files.pictures import check_picture

__all__ = ["NETWORKS", "bench"]

WRONG = 3  # the exit status of the process that measured a wrong result
NETWORKS = ("4-8-3", "64-32-10", "784-128-10", "784-512-512-10", "784-800-10")


def bench(
    networks: Sequence[str] = NETWORKS,
    *,
    peers: Sequence[str] = (),
    repeats: int = 7,
    seconds: float = 0.2,
    clock: str = "wall",
    seed: int = 0,
    output: str | Path | None = None,
    markdown: str | Path | None = None,
    plot: str | Path | None = None,
) -> int:
    """Measure the generated module beside its peers and print the tables.

    Parameters
    ----------
    networks
        Units from inputs to outputs, as ``"784-128-10"``.
    peers
        Parts of the names of those that shall take part, beside the generated module; all by default.
    repeats
        How often every peer runs, in turn.
    seconds
        About how long one run may take: slow peers get fewer examples.
    clock
        ``"wall"``, or ``"cpu"`` where other programs share the core.
    seed
        Of the examples, the first weights and the order.
    output, markdown, plot
        Files to write: everything as JSON, tables as Markdown, a picture.

    Returns
    -------
    int
        0, or 1 where a result was wrong, or 2 where the measurement broke off.

    Raises
    ------
    ValueError
        If a network is not written so, a number is not positive, the clock is neither, or a file cannot be written.
    """
    for network in networks:
        parse_sizes(network)
    if repeats < 1 or not seconds > 0 or clock not in {"wall", "cpu"}:
        raise ValueError(f"repeats {repeats}, seconds {seconds}, clock {clock!r}: expected positive ones, wall or cpu")
    check_picture(None if plot is None else Path(plot))
    files = {"output": output, "markdown": markdown, "plot": plot}
    wanted = {name: str(check_writable(path).absolute()) for name, path in files.items() if path is not None}
    options = {"networks": [*networks], "peers": [*peers], "repeats": repeats, "seconds": seconds, "clock": clock}
    options["seed"] = seed
    command = [sys.executable, "-m", "symbackprop.bench", json.dumps({**options, **wanted})]
    done = subprocess.run(command, env=one_thread(), check=False)  # noqa: S603 (this very program)
    if done.returncode in {0, WRONG}:
        return int(done.returncode == WRONG)
    sys.stderr.write(f"the measurement broke off with exit status {done.returncode}\n")
    return 2
