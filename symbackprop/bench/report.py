"""The figures as a table for the terminal, as JSON and as Markdown."""

import json
import math
from collections.abc import Sequence
from typing import Any

from symbackprop.bench.bars import SGEMM, Verdict, verdicts
from symbackprop.bench.side_by_side import Comparison, Result


def table(comparison: Comparison) -> str:
    """Return one network's figures, a line for each peer."""
    lines = [f"{comparison.task.name}, {sgemm(comparison)}", f"{'':34}{'examples/s':>12}{'ratio':>8}{'of sgemm':>10}"]
    for result in comparison.results:
        name = f"  {result.peer.name:32}"
        if result.is_right:
            part = f"{comparison.part_of_peak(result):.1%}"
            lines.append(f"{name}{result.rate:12,.0f}{times(comparison.ratio(result)):>8}{part:>10}")
        else:
            lines.append(f"{name}  {result.word}")
    return "\n".join(lines)


def bars(comparisons: Sequence[Comparison]) -> str:
    """Return the verdicts, one a line."""
    return "\n".join(
        f"  {v.network:16}{v.peer:34}at least {shown(v, v.bar):>6}: {shown(v, v.measured):>6}  {v.word}"
        for v in verdicts(comparisons)
    )


def as_json(comparisons: Sequence[Comparison], about: dict[str, Any]) -> str:
    """Return everything that was measured."""
    networks = [
        {"network": c.task.name, "sgemm_flops": c.sgemm, "results": [_result(c, r) for r in c.results]}
        for c in comparisons
    ]
    bars = [verdict.as_dict() for verdict in verdicts(comparisons)]
    return json.dumps({**about, "networks": networks, "bars": bars}, indent=2, ensure_ascii=False) + "\n"


def markdown(comparisons: Sequence[Comparison], about: dict[str, Any]) -> str:
    """Return the tables and, before them, what was measured, when and on what."""
    return "\n\n".join((_preface(about), _rates(comparisons), _verdicts(comparisons))) + "\n"


def sgemm(comparison: Comparison) -> str:
    """Return the speed of sgemm between the runs."""
    return f"sgemm {sorted(comparison.sgemm)[len(comparison.sgemm) // 2] / 1e9:.0f} GFLOP/s"


def times(ratio: float) -> str:
    """Return a ratio as people write it.

    >>> times(2.345), times(12.345), times(234.5), times(float("nan"))
    ('2.35x', '12.3x', '234x', '-')
    """
    if math.isnan(ratio):  # the generated module was wrong
        return "-"
    return f"{ratio:.{2 if ratio < 10 else 1 if ratio < 100 else 0}f}x"


def shown(verdict: Verdict, value: float | None) -> str:
    """Return what was asked or measured: a ratio, or a part of sgemm."""
    if value is None:
        return "-"
    return f"{value:.0%}" if verdict.peer == SGEMM else times(value)


def _result(comparison: Comparison, result: Result) -> dict[str, Any]:
    found = {"peer": result.peer.name, "examples_an_update": result.peer.batch, "word": result.word}
    if not result.is_right:
        return found
    return {
        **found,
        "examples": result.examples,
        "seconds": result.seconds,
        "examples_per_second": result.rate,
        "ratio": comparison.ratio(result),
        "part_of_sgemm": comparison.part_of_peak(result),
        "loss": result.loss,
        "expected_loss": result.expected,
    }


def _preface(about: dict[str, Any]) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in about["machine"].items() if k not in {"processor", "system"})
    return (
        f"Measured on {about['date']}: {about['machine']['processor']}, {about['machine']['system']}, one core, one "
        f"thread, float32, {about['clock']} time. {versions}.\n\n"
        "Exact SGD of tanh networks with softmax, -log f[y] and L2: the same first parameters, examples, order, step "
        f"size and λ for all; final losses within 1e-4 of a float64 reference. Medians of {about['repeats']} "
        "interleaved repeats. In brackets: how many times faster `Trainer.sgd` of the generated module is, the whole "
        "call, with the schedule it chooses itself. A share of sgemm counts 4nm useful operations for the first layer "
        "and 6nm for the others."
    )


def _rates(comparisons: Sequence[Comparison]) -> str:
    head = ["examples/s", *(c.task.name for c in comparisons)]
    rows = [head, ["---"] * len(head)]
    for n, result in enumerate(comparisons[0].results):
        rows.append([result.peer.name, *(_cell(c, c.results[n]) for c in comparisons)])
    rows.append(["sgemm alone", *(sgemm(c).removeprefix("sgemm ") for c in comparisons)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(comparison: Comparison, result: Result) -> str:
    if not result.is_right:
        return result.word
    share = f", {comparison.part_of_peak(result):.0%} of sgemm" if result.peer.is_ours else ""
    return f"{_rounded(result.rate)} ({times(comparison.ratio(result))}{share})"


def _rounded(rate: float) -> str:
    """Return three digits.

    >>> _rounded(1234567), _rounded(12345), _rounded(560)
    ('1.23 M', '12.3 k', '560')
    """
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if rate >= size:
            return f"{rate / size:.3g} {unit}"
    return f"{rate:.3g}"


def _verdicts(comparisons: Sequence[Comparison]) -> str:
    rows = ["| network | faster than | at least | measured | |", "|---|---|---|---|---|"]
    for v in verdicts(comparisons):
        rows += [f"| {v.network} | {v.peer} | {shown(v, v.bar)} | {shown(v, v.measured)} | {v.word} |"]
    return "\n".join(rows)
