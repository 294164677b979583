"""CSV files: numbers in all columns but the label's; an error names file, line, column and value."""

import csv
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TextIO

import numpy as np

from symbackprop.train.data.source_location import is_number
from symbackprop.train.protocol import Array

Row = tuple[int, list[str]]  # number of its last line, and its fields


@dataclass(frozen=True)
class Layout:
    """Which columns are inputs, which are labels, which are neither; whether the first row has their names."""

    header: bool
    inputs: tuple[int, ...]
    labels: tuple[int, ...]
    left_out: tuple[int, ...] = ()
    is_index: bool = False  # the first of those left out, by its name


@dataclass(frozen=True, eq=False)
class Table:
    """The columns of a CSV file.

    Attributes
    ----------
    X
        float64 (N, inputs), not yet checked for NaN.
    labels
        Text (N, label columns).
    names
        Of the inputs; empty without a header, or where a name occurs twice.
    columns
        The names of all columns, numbers where there is no header.
    layout
        Which of them are inputs and labels.
    lines
        The line of each row.
    """

    X: Array
    labels: Array
    names: tuple[str, ...]
    columns: tuple[str, ...]
    layout: Layout
    lines: tuple[int, ...]


def read_table(path: Path, arrange: Callable[[list[str], list[str]], Layout]) -> Table:
    """Read a CSV file, separated by tabs, semicolons or commas, whichever of them the first line has.

    Parameters
    ----------
    path
        UTF-8 text.
    arrange
        Chooses the columns, given the first two rows (the second one empty where there is none).

    Raises
    ------
    ValueError
        If a row has another number of fields, or an input is not a number: with file, line, column and value.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _table(path, _rows(file), arrange)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    except csv.Error as error:
        raise ValueError(f"{path} cannot be read as CSV: {error}") from None


def labelled(
    path: Path, labels: Sequence[str], ignored: Sequence[str] = ()
) -> Callable[[list[str], list[str]], Layout]:
    """Return the arrangement of a training file: the named label columns, every other column an input.

    A first column without a name is the index of a data frame, and no input.

    Parameters
    ----------
    path
        To be named in errors.
    labels
        Numbers (0 is the first column, -1 the last), or names in the header.
    ignored
        Columns that are neither labels nor inputs, in the same way.
    """

    def arrange(first: list[str], second: list[str]) -> Layout:
        chosen = tuple(_column(path, first, label) for label in labels)
        left_out = tuple(_column(path, first, name) for name in ignored)
        if both := set(chosen) & set(left_out):
            raise ValueError(f"{path}: the column {first[min(both)]!r} is to be a label and to be ignored")
        rest = tuple(j for j in range(len(first)) if j not in {*chosen, *left_out})
        is_index = len(rest) > 1 and rest[0] == 0 and _is_frame_index(first[0])
        inputs = rest[is_index:]
        if not inputs:
            raise ValueError(f"{path} has {len(first)} column(s), all labels: expected at least one column of inputs")
        named = is_index or any(not _is_index(label) for label in (*labels, *ignored))
        left_out = (*((0,) if is_index else ()), *left_out)
        return Layout(named or _is_header(first, second, inputs, chosen), inputs, chosen, left_out, is_index)

    return arrange


def unlabelled(
    path: Path, names: Sequence[str], width: int, labels: Sequence[str], left_out: Sequence[int] = ()
) -> Callable[[list[str], list[str]], Layout]:
    """Return the arrangement of a file to predict: the inputs a model was trained on, by name or by position.

    Parameters
    ----------
    path
        To be named in errors.
    names
        The model's inputs; empty if it was trained without a header.
    width
        The number of the model's inputs.
    labels
        The numbers of the label columns it was trained with; they may still be there.
    left_out
        The numbers of columns that were neither; all of them or none may still be there.
    """

    def arrange(first: list[str], second: list[str]) -> Layout:
        missing = [name for name in names if name not in first]
        if names and not missing:
            return Layout(header=True, inputs=tuple(first.index(name) for name in names), labels=())
        inputs = tuple(range(len(first)))
        if len(first) == width + len(labels) + len(left_out):
            dropped = {*(_column(path, first, label) for label in labels), *left_out}
            inputs = tuple(j for j in inputs if j not in dropped)
        header = _is_header(first, second, inputs, ())
        if header and missing:
            raise ValueError(f"{path} has no column {missing[0]!r}, which the model was trained with")
        if len(inputs) != width:
            raise ValueError(f"{path} has {len(inputs)} columns of inputs, the model expects {width}")
        return Layout(header, inputs, ())

    return arrange


def scored(
    path: Path, names: Sequence[str], width: int, labels: Sequence[str], targets: Sequence[str], left_out: Sequence[int]
) -> Callable[[list[str], list[str]], Layout]:
    """Return the arrangement of a file whose labels are compared with predictions.

    Parameters
    ----------
    path, names, width, left_out
        As for `unlabelled`.
    labels
        Numbers or names of the label columns.
    targets
        Their names where the model was trained, which are looked for first; empty where there are none.
    """

    def arrange(first: list[str], second: list[str]) -> Layout:
        by_name = bool(targets) and all(name in first for name in targets)
        if not by_name and len(first) < width + len(labels):
            raise ValueError(f"{path} has {len(first)} columns, expected labels beside the {width} inputs; see --label")
        chosen = tuple(first.index(t) for t in targets) if by_name else tuple(_column(path, first, n) for n in labels)
        layout = unlabelled(path, names, width, list(map(str, chosen)), left_out)(first, second)
        if both := set(chosen) & set(layout.inputs):
            raise ValueError(f"{path}: the column {first[min(both)]!r} is an input of the model, no label; see --label")
        return replace(layout, labels=chosen)

    return arrange


def _rows(file: TextIO) -> Iterator[Row]:
    """Yield the rows that are not blank."""
    line = file.readline()
    file.seek(0)
    delimiter = next((d for d in "\t;" if d in line), ",")
    reader = csv.reader(file, delimiter=delimiter, strict=True)
    for row in reader:
        if any(map(str.strip, row)):  # seldom looks past the first field
            yield reader.line_num, row


def _table(path: Path, rows: Iterator[Row], arrange: Callable[[list[str], list[str]], Layout]) -> Table:
    head = [row for row in (next(rows, None), next(rows, None)) if row]
    if not head:
        raise ValueError(f"{path} is empty: expected one line for each example")
    first, second = ([field.strip() for field in row] for _, row in (*head, (0, []))[:2])
    layout = arrange(first, second)
    names = tuple(first if layout.header else map(str, range(len(first))))
    numbers, labels, lines = array("d"), [], array("q")
    for line, row in chain(head[layout.header :], rows):
        if len(row) != len(first):
            raise ValueError(f"{path} line {line} has {len(row)} fields, expected {len(first)} as in the first line")
        try:
            numbers.extend([float(row[j]) for j in layout.inputs])
        except ValueError:
            raise ValueError(_not_a_number(path, line, row, names, layout)) from None
        labels.append([row[j].strip() for j in layout.labels])
        lines.append(line)
    if not lines:
        raise ValueError(f"{path} has a header and nothing else: expected one line for each example")
    X = np.frombuffer(numbers, np.float64).reshape(len(lines), len(layout.inputs))
    inputs = tuple(names[j] for j in layout.inputs)
    known = layout.header and len(set(inputs)) == len(inputs)  # a name used twice finds no column
    return Table(X, np.array(labels, dtype=np.str_), inputs if known else (), names, layout, tuple(lines))


def _not_a_number(path: Path, line: int, row: list[str], names: Sequence[str], layout: Layout) -> str:
    j = next(j for j in layout.inputs if not is_number(row[j]))
    value = repr(row[j].strip()) if row[j].strip() else "empty"
    hint = "; if line 1 is a header, choose the label column by its name" if line == 1 else ""
    return f"{path} line {line}, column {names[j]!r}: {value}, expected a number{hint}"


def _is_header(first: list[str], second: list[str], inputs: Sequence[int], labels: Sequence[int]) -> bool:
    """Return whether the first row has names: no input in it is a number, or its label alone is none."""
    if not any(is_number(first[j]) for j in inputs):
        return True
    alone = all(is_number(first[j]) for j in inputs) and len(second) == len(first)
    return alone and any(is_number(second[j]) and not is_number(first[j]) for j in labels)


def notes_on(table: Table) -> tuple[str, ...]:
    """Return what someone should know of a table's columns: an index that was left out, or perhaps is there."""
    if table.layout.is_index:
        return ("the first column has no name, as the index of a data frame, and is left out",)
    if len(table.layout.inputs) < 2 or len(table.X) < 10:
        return ()
    first = table.X[:, 0]
    if first[0] in {0, 1} and (np.diff(first) == 1).all():
        name = table.columns[table.layout.inputs[0]]
        return (f"column {name!r} counts the rows and is taken as an input; if it is an index, use --ignore {name}",)
    return ()


def _is_frame_index(name: str) -> bool:
    """Return whether pandas wrote a column as an index: without a name, or read such a file and wrote it again."""
    return name == "" or re.fullmatch(r"Unnamed: \d+", name) is not None


def _is_index(label: str) -> bool:
    return label.removeprefix("-").isdecimal()


def _column(path: Path, first: list[str], label: str) -> int:
    """Return the position of a column, by number if the label is one, else by name."""
    if not _is_index(label):
        if label in first:
            return first.index(label)
        raise ValueError(f"{path} has no column {label!r}: its first line is {', '.join(first)[:120]}")
    if not -len(first) <= int(label) < len(first):
        raise ValueError(f"{path} has no column {label}: it has {len(first)} columns, numbered from 0")
    return int(label) % len(first)
