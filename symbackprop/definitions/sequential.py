"""A network as a list of layers and activations, each layer in its place: with its number and its shapes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from sympy import Add, Expr, Indexed, Integer, Mul

from symbackprop.definitions.exact import exact
from symbackprop.definitions.instantiate import LayerInstance, instantiate
from symbackprop.definitions.layer import Layer
from symbackprop.definitions.layer import layer as own_layer
from symbackprop.definitions.layers import LAYERS, dense, layer_of_kind
from symbackprop.definitions.shape_inference import Shape
from symbackprop.expr.equations import Equation
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.indices import fresh, named
from symbackprop.expr.printing import formula
from symbackprop.expr.roles import Role
from symbackprop.expr.suggest import nearest
from symbackprop.expr.symbols import Axis, array, name_of, size

INPUT = "h^0"
LARGEST = 10**8  # elements of one array


@dataclass(frozen=True)
class InPlace:
    """A layer in its place, the axes of its activation's values, and that activation where it has one."""

    instance: LayerInstance
    over: tuple[Axis, ...]
    activation: Any = None


def as_layer(item: Any) -> Any:
    """Return the layer that a text such as ``"conv(8, 5)"`` is, or a table of equations and sizes; others as they are.

    Raises
    ------
    ValueError
        If the text is a call of something that is no layer, or of other things than numbers.
    """
    if isinstance(item, dict):
        return own_layer(**item)
    if not isinstance(item, str) or not (called := re.fullmatch(r"\s*([A-Za-z_]\w*)\s*\((.*)\)\s*", item, re.DOTALL)):
        return item
    kind, inside = called.groups()
    if kind not in LAYERS:
        near = nearest(kind, LAYERS, 1)
        if not near or kind in FUNCTIONS:
            return item  # an activation, such as tanh(a)
        raise ValueError(f"unknown layer {kind!r}: did you mean {near[0]}? known are {', '.join(LAYERS)}")
    values, named = _arguments(item, inside)
    return layer_of_kind(kind, *values, **named)


def _arguments(item: str, inside: str) -> tuple[list[Any], dict[str, Any]]:
    values: list[Any] = []
    named: dict[str, Any] = {}
    for part in filter(None, (p.strip() for p in inside.split(","))):
        name, equals, text = part.rpartition("=")
        try:
            value = ast.literal_eval(text.strip()) if re.fullmatch(r"[\d.eE+-]+|'\w+'|\"\w+\"", text.strip()) else None
        except (ValueError, SyntaxError):
            value = None
        value = text.strip() if value is None and re.fullmatch(r"[A-Za-z]\w*", text.strip()) else value
        if value is None or (equals and not name.strip().isidentifier()):
            raise ValueError(f"the layer {item!r:.60} has {part!r:.30} in its brackets, expected numbers")
        if equals:
            named[name.strip()] = value
        else:
            values.append(value)
    return values, named


def has_layers(items: Sequence[Any]) -> bool:
    """Whether a list describes a network of layers, not only the activations of dense ones."""
    return any(isinstance(item, Layer) for item in items)


def in_place(items: Sequence[Any], input_shape: Sequence[int]) -> tuple[InPlace, ...]:
    """Return the layers of a network with their numbers and shapes.

    Parameters
    ----------
    items
        Layers, each of which an activation may follow; the last one gives the outputs.
    input_shape
        The shape of one input: (784,), or (1, 28, 28) for channels, rows and columns.

    Raises
    ------
    ValueError
        If the list does not begin and end with a layer, or a layer does not fit what is before it.
    """
    shape = _input_shape(input_shape)
    pairs = _pair(items)
    known: dict[str, Shape] = {INPUT: shape}
    resolved: list[InPlace] = []
    below = INPUT
    for k, (layer, activation) in enumerate(pairs, 1):
        last = k == len(pairs)
        output = f"a^{k}" if last or activation is not None else f"h^{k}"
        try:
            instance = _fit(layer, str(k), below, output, known)
        except ValueError as error:
            raise ValueError(f"layer {k}, {layer.name:.60}: {error}") from None
        known |= {e.name: e.shape for e in instance.equations}
        known |= {name: tuple(a.size for a in axes) for name, axes in instance.parameters.items()}
        if wide := next((name for name, axes in known.items() if Mul(*axes) > LARGEST), None):
            raise ValueError(
                f"layer {k}, {layer.name:.60}: {wide.partition('^')[0]} has {Mul(*known[wide])} elements, expected at "
                f"most {LARGEST}"
            )
        below = output if last else f"h^{k}"
        known[below] = instance.shape
        resolved.append(InPlace(instance, instance.output.over, activation))
    if len(known[below]) != 1:
        raise ValueError(
            f"the last layer, {pairs[-1][0].name:.60}, has {len(known[below])} axes; end with dense(outputs)"
        )
    return tuple(resolved)


def dense_in_place(activations: Sequence[Any], kind: str | Callable[..., Expr]) -> tuple[InPlace, ...]:
    """Return a layer for each activation, and the last one, dense or of a function, whose sizes are symbols.

    The function takes (W, b, h, i, axis) and returns the pre-activation of unit i.

    Raises
    ------
    ValueError
        If the kind is another layer than the dense one.
    """
    if kind != "dense" and not callable(kind):
        raise ValueError(f"the pre-activation {kind!r} is a layer: use Network([{kind}(...), ...])")
    make = partial(_of_function, kind) if callable(kind) else generic_dense
    return tuple(
        InPlace(make(str(k), str(k - 1)), (Axis("j", size(f"n^{k}")),), g)
        for k, g in enumerate((*activations, None), 1)
    )


@cache
def dense_layer() -> Layer:
    """Return the dense layer, whose text is read once."""
    return dense(1)


@cache
def generic_dense(number: str, below: str) -> LayerInstance:
    """Return a dense layer of no certain size."""
    read, layer = f"h^{below}", replace(dense_layer(), name="dense", sizes={}, identity="dense")
    return instantiate(layer, number, read, f"a^{number}", {read: (size(f"n^{below}"),)}, {"i": size(f"n^{number}")})


def _of_function(make: Callable[..., Expr], number: str, below: str) -> LayerInstance:
    """Return a layer with a function's formula; what this reads over the layer's indices alone are its parameters."""
    equation = _equation_of(make, number, below)
    axes = {axis.index: axis for axis in (*equation.over, Axis("j", size(f"n^{below}")))}
    axes_read = {
        name_of(e): tuple(axes[n] for n in e.indices)
        for e in equation.rhs.atoms(Indexed)
        if name_of(e) != f"h^{below}" and all(n in axes for n in e.indices)
    }
    parameters = dict(sorted(axes_read.items(), key=lambda item: (-len(item[1]), item[0])))
    name = formula(_equation_of(make, "k", "k-1").rhs)
    return LayerInstance(Layer(name, (), identity=name), (equation,), parameters, {}, {})


def _equation_of(make: Callable[..., Expr], number: str, below: str) -> Equation:
    i, j = Axis("i", size(f"n^{number}")), Axis("j", size(f"n^{below}"))
    rhs = exact(make(array(f"W^{number}"), array(f"b^{number}"), array(f"h^{below}"), i.index, j))
    rhs = named(fresh(rhs))  # sums may share an index
    return Equation(array(f"a^{number}")[i.index], rhs, (i,), Role.PRE_ACTIVATION)


def _input_shape(shape: Any) -> Shape:
    sizes = tuple(shape) if isinstance(shape, list | tuple) else (shape,)
    if not sizes or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes):
        raise ValueError(
            f"the input is {shape!r}, expected the shape of one example: input=(784,), or input=(1, 28, 28) for "
            "channels, rows and columns"
        )
    return tuple(map(Integer, sizes))


def _pair(items: Sequence[Any]) -> list[tuple[Layer, Any]]:
    pairs: list[tuple[Layer, Any]] = []
    for item in items:
        if isinstance(item, Layer):
            pairs.append((item, None))
        elif not pairs or pairs[-1][1] is not None:
            what = "begins with" if not pairs else f"has after another activation, {pairs[-1][1]!r:.40},"
            raise ValueError(f"the network {what} the activation {item!r:.40}, expected a layer such as dense(64)")
        else:
            pairs[-1] = (pairs[-1][0], item)
    if pairs[-1][1] is not None:
        raise ValueError(
            f"the network ends with the activation {pairs[-1][1]!r:.40}, expected a layer: what comes after the last "
            "one is the output function"
        )
    return pairs


def _fit(layer: Layer, number: str, below: str, output: str, known: Mapping[str, Shape]) -> LayerInstance:
    """Return a layer in its place; one that reads a vector gets the values below in a row."""
    shape = known[below]
    if layer.reads_integers and below != INPUT:
        raise ValueError("it reads integers, which only the network's inputs are; put it first")
    if layer.rank != 1 or len(shape) < 2:
        if layer.rank and layer.rank != len(shape):
            axes = " x ".join(map(str, shape))
            raise ValueError(
                f"it reads {layer.rank} indices of the layer below, which has {len(shape)}: {axes}"
                + ("; give the network's input as input=(channels, rows, columns)" if below == INPUT else "")
            )
        return instantiate(layer, number, below, output, known)
    row = f"flat^{number}"
    flat = _in_a_row(below, row, shape)
    instance = instantiate(layer, number, row, output, {**known, row: (Mul(*shape),)})
    return replace(instance, equations=(flat, *instance.equations))


def _in_a_row(below: str, row: str, shape: Shape) -> Equation:
    """Return the equation of a vector with all elements of an array, row by row."""
    axes = tuple(Axis(letter, n) for letter, n in zip("cpqij"[: len(shape)], shape, strict=True))
    steps = [Mul(*shape[n + 1 :]) for n in range(len(shape))]
    at = Add(*(axis.index * step for axis, step in zip(axes, steps, strict=True)))
    indices = tuple(axis.index for axis in axes)
    return Equation(array(row)[at], array(below)[indices], axes, Role.IN_A_ROW)
