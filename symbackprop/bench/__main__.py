"""The process that measures: `bench` starts it, so that no library is loaded before its threads are forbidden."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from symbackprop.bench import WRONG, report
from symbackprop.bench.machine import described, limits, stay_on_one_core
from symbackprop.bench.peers import OURS, PEERS, Peer
from symbackprop.bench.plot import plot
from symbackprop.bench.side_by_side import Comparison, compare
from symbackprop.bench.task import make_task, parse_sizes
from symbackprop.train.files.atomic import write_text


def main(options: dict[str, Any]) -> int:
    """Measure, print and write; return WRONG where a result was wrong, otherwise 0."""
    stay_on_one_core()  # before a peer is imported, and counts the cores
    numbers = {name: options[name] for name in ("repeats", "seconds", "clock")}
    about = {"date": datetime.now(UTC).date().isoformat(), "machine": described(), **numbers}
    told = "".join(f"\n{name}={value} in the environment" for name, value in limits().items())
    _say(about["machine"]["processor"] + told + "\n")
    comparisons = []
    for network in options["networks"]:
        task = make_task(parse_sizes(network), options["seed"])
        comparisons.append(compare(task, chosen(options["peers"]), **numbers))
        _say(report.table(comparisons[-1]) + "\n")
    _say(report.bars(comparisons))
    _write(options, comparisons, about)
    return WRONG if any(r.word.startswith("wrong") for c in comparisons for r in c.results) else 0


def chosen(parts: Sequence[str]) -> list[Peer]:
    """Return the peers with one of these parts in their names, and the generated module."""
    wanted = [part.lower() for part in parts]
    return [p for p in PEERS if p.name == OURS or not wanted or any(part in p.name.lower() for part in wanted)]


def _write(options: dict[str, Any], comparisons: list[Comparison], about: dict[str, Any]) -> None:
    if "output" in options:
        write_text(options["output"], report.as_json(comparisons, about))
    if "markdown" in options:
        write_text(options["markdown"], report.markdown(comparisons, about))
    if "plot" in options:
        title = f"Per-example SGD on one core, {about['date']}\n{about['machine']['processor']}"
        plot(options["plot"], comparisons, title)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
