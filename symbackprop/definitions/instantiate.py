"""A layer placed in a network: with its number, its shapes inferred, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from sympy import Expr, Indexed, Integer, Mul, Symbol

from symbackprop.definitions.fans import fans_of, is_added
from symbackprop.definitions.intermediates import at_place, inner_sums
from symbackprop.definitions.layer import Layer
from symbackprop.definitions.shape_inference import (
    Shape,
    accesses,
    fill_in,
    letters,
    require_within,
    shape_of,
    sizes_of,
)
from symbackprop.expr.equations import Equation
from symbackprop.expr.names import Allocator
from symbackprop.expr.reductions import Maximum, Place, outermost
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, array, array_of_integers, index, name_of, names_in, scalar, symbols_in
from symbackprop.parse.index_equation import IndexEquation

INDICES = "ijkpquvocdghw"  # others mean something in a kernel: x, y, l, f, t, and r, s, n count examples
_TAKEN = frozenset("zuvrqpw")


@dataclass(frozen=True)
class LayerInstance:
    """A layer in its place: the equations of its values, with layer numbers in the names, and its new parameters.

    Attributes
    ----------
    equations
        The last one defines the layer's values, `output`, with the axes `axes`.
    parameters
        Their axes by name, in the order in which they occur.
    fans
        The fan-in and fan-out of those that are drawn.
    values
        The initial value of those that start alike.
    """

    layer: Layer
    equations: tuple[Equation, ...]
    parameters: Mapping[str, tuple[Axis, ...]]
    fans: Mapping[str, tuple[Expr, Expr]]
    values: Mapping[str, float]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its parameters and of what it computes."""
        return (*self.parameters, *(e.name for e in self.equations))

    @property
    def output(self) -> Equation:
        """The equation of the layer's values."""
        return self.equations[-1]

    @property
    def shape(self) -> Shape:
        """The sizes of the layer's values."""
        return self.output.shape


def instantiate(layer: Layer, number: str, below: str, output: str, known: Mapping[str, Shape],
          by_letter: Mapping[str, Expr] | None = None) -> LayerInstance:  # fmt: skip
    """Return a layer with its shapes inferred.

    Parameters
    ----------
    layer
        The layer.
    number
        Of the layer, a part of all its names.
    below, output
        The name of what it reads as `h`, and of what it calls `a`.
    known
        Shapes of all arrays that are computed before it, and of all parameters so far.
    by_letter
        Further sizes by letter, of a network whose sizes are symbols.

    Raises
    ------
    ValueError
        If a size is found nowhere, shapes contradict one another, or a read is out of range.
    """
    names = {"h": below, "a": output, **{word: _global(name) for word, name in layer.uses.items()}}
    for word, name in names.items():
        if word in layer.uses and name not in known:
            raise ValueError(f"the layer {layer.name!r:.60} uses {layer.uses[word]!r}, which no earlier layer has")
    sizes = {**{letter: Integer(n) for letter, n in layer.sizes.items()}, **(by_letter or {})}
    return _Instantiation(layer, number, names, dict(known), sizes).instantiate()


def _global(name: str) -> str:
    """Return W^1 for W1, h^0 for x."""
    letter, layer_ = re.fullmatch(r"(.*?)(\d*)", name).groups()  # type: ignore[union-attr]
    return "h^0" if name == "x" else f"{letter}^{layer_}"


def _spare_names(used: set[str]) -> Iterator[str]:
    """Yield names for intermediate quantities that a layer does not use itself: z, w, ..., zz, ww, ...

    What begins with v and goes on is the velocity of something.
    """
    names = (letter * n for n in count(1) for letter in sorted(_TAKEN, reverse=True) if n == 1 or letter != "v")
    return (name for name in names if name not in used)


_Read = tuple[Indexed, IndexEquation, Mapping[Symbol, Expr]]  # of a parameter


class _Instantiation:
    """The state while the equations of a layer are placed one after the other."""

    def __init__(self, layer: Layer, number: str, names: dict[str, str], known: dict[str, Shape],
                 by_letter: dict[str, Expr]) -> None:  # fmt: skip
        self.layer, self.number, self.known, self.by_letter = layer, number, known, by_letter
        self.allocator = Allocator(number)
        self.names = {w: self.allocator.allocate(w) for w in dict.fromkeys(_words(layer)) if w not in names} | names
        self.equations: list[Equation] = []
        self.parameters: dict[str, tuple[Axis, ...]] = {}
        self.fans: dict[str, tuple[Expr, Expr]] = {}
        self.values: dict[str, float] = {}
        self.origins: dict[str, str] = {}  # where the shape of a parameter was found
        self.open: dict[str, list[_Read]] = {}  # where those are read whose shape is not known yet
        self.unchecked: list[tuple[IndexEquation, dict[Symbol, Expr]]] = []
        equations = layer.equations
        used = {a.name for e in equations for a in accesses(e.rhs)} | {name_of(e.lhs) for e in equations}
        self.spare = _spare_names(used | {i.name for e in equations for i in letters(e)})

    def instantiate(self) -> LayerInstance:
        for equation in self.layer.equations:
            self._instantiate(equation)
        for name in [*self.open]:
            self._close(name, last=True)
        for equation, sizes in self.unchecked:
            require_within(equation, self._known_as_written(), sizes)
        reached = _reach({self.equations[-1].name}, self.equations)
        for name in (*(e.name for e in self.equations), *self.parameters):
            if name not in reached:
                text = next(
                    e.text for e in self.layer.equations if name in map(self._name, {name_of(e.lhs), *names_in(e.rhs)})
                )
                raise ValueError(f"{name.partition('^')[0]} in {text!r} never reaches a, and would learn nothing")
        return LayerInstance(self.layer, tuple(self.equations), self.parameters, self.fans, self.values)

    def _instantiate(self, written: IndexEquation) -> None:
        sizes = sizes_of(written, self._known_as_written(), self.by_letter, self.layer.equations)
        self.unchecked.append((fill_in(self._write_count(written), sizes), sizes))
        equation, sizes = _apart(fill_in(self._rename(self._write_count(written)), sizes), sizes)
        self._find_parameters(equation, sizes)
        lhs, name = equation.lhs, name_of(equation.lhs)
        self.known[name] = shape_of(equation, lhs, sizes) if isinstance(lhs, Indexed) else ()
        axes = [Axis(i.name, sizes[i]) for i in letters(equation) if isinstance(lhs, Indexed) and lhs.has(i)]
        roles = {"a": Role.PRE_ACTIVATION, "h": Role.VALUES} if name == self.names["a"] else {}
        self._add(Equation(lhs, equation.rhs, tuple(axes), roles.get(name[0], Role.INTERMEDIATE)), sizes)

    def _known_as_written(self) -> dict[str, Shape]:
        """Return the shapes that are known, by the names that the layer's equations have for them."""
        words = {w for e in self.layer.equations for w in (*names_in(e.lhs), *names_in(e.rhs))}
        return {word: self.known[self._name(word)] for word in words if self._name(word) in self.known}

    def _write_count(self, written: IndexEquation) -> IndexEquation:
        """Return an equation with n, where it is no parameter of the layer, as how many values the layer below has."""
        equations = self.layer.equations
        arrays = (access.name for e in equations for access in accesses(e.rhs))
        if "n" in {*self.layer.initial, *(name_of(e.lhs) for e in equations), *arrays}:
            return written
        swap = {scalar("n"): Mul(*self.known.get(self.names["h"], ()))}
        return IndexEquation(written.lhs, written.rhs.xreplace(swap), written.text)

    def _add(self, equation: Equation, sizes: Mapping[Symbol, Expr]) -> None:
        """Add an equation; sums within functions, and maxima, become equations of their own before it."""
        rhs = equation.rhs
        for node in sorted(outermost(rhs, Maximum), key=str):
            rhs = rhs.xreplace({node: self._maximum(node, sizes, equation)})
        for node in inner_sums(rhs):
            rhs = rhs.xreplace({node: self._define(node, node, sizes, equation)})
        self.equations.append(Equation(equation.lhs, rhs, equation.over, equation.role))

    def _define(self, node: Expr, rhs: Expr, sizes: Mapping[Symbol, Expr], of: Equation,
               more: tuple[Symbol, ...] = ()) -> Expr:  # fmt: skip
        """Define an array for an expression that occurs within an equation; return its element there."""
        free = node.free_symbols
        axes = [Axis(i.name, sizes[i]) for i in (*(a.index for a in of.over), *more) if i in free or i in more]
        axes += [Axis(i.name, sizes[i]) for i in sizes if i in free and i not in {a.index for a in axes}]
        name = self.allocator.allocate(next(self.spare))
        target = array(name)[tuple(a.index for a in axes)] if axes else scalar(name)
        self.known[name] = tuple(a.size for a in axes)
        self._add(Equation(target, rhs, tuple(axes), Role.INTERMEDIATE), sizes)
        return target

    def _maximum(self, node: Expr, sizes: Mapping[Symbol, Expr], of: Equation) -> Expr:
        """Define where a maximum is; return the element that is there: a tie goes to the first."""
        body, bound = node.function, tuple(limit[0] for limit in reversed(node.limits))
        if not isinstance(body, Indexed):
            body = self._define(body, body, sizes, of, bound)
        here = Place(body, *node.limits)
        axes = [a for a in of.over if a.index in here.free_symbols]
        name = self.allocator.allocate(next(self.spare))
        label = array_of_integers(name)
        target = label[tuple(a.index for a in axes)] if axes else label[Integer(0)]
        self.equations.append(Equation(target, here, tuple(axes), Role.PLACE_OF_MAXIMUM))
        return body.xreplace(at_place(target, bound, sizes))

    def _rename(self, written: IndexEquation) -> IndexEquation:
        swap: dict[Any, Any] = {}
        for side in (written.lhs, written.rhs):
            for node in side.atoms(Indexed):
                integer = bool(node.base.label.is_integer)
                make = array_of_integers if integer else array
                swap[node.base] = make(self._name(name_of(node)))
            labels = {node.base.label for node in side.atoms(Indexed)}
            swap |= {s: scalar(self._name(s.name)) for s in symbols_in(side) - labels if not s.is_integer}
        return IndexEquation(written.lhs.xreplace(swap), written.rhs.xreplace(swap), written.text)

    def _name(self, name: str) -> str:
        """Return what a word of the layer is called in the network."""
        return self.names.get(name, f"{name}^{self.number}")

    def _find_parameters(self, equation: IndexEquation, sizes: Mapping[Symbol, Expr]) -> None:
        of_parameters = [a for a in accesses(equation.rhs) if a.name not in self.known or a.name in self.origins]
        for name in dict.fromkeys(a.name for a in sorted(of_parameters, key=lambda a: str(a.element))):
            elements = sorted({a.element for a in of_parameters if a.name == name}, key=str)
            self._shape_of_parameter(name, [(e, equation, sizes) for e in elements])
        read = {a.element.base.label for a in accesses(equation.rhs)}
        for symbol in sorted(symbols_in(equation.rhs) - read, key=str):
            if not symbol.is_integer and symbol.name not in self.known:
                self.known[symbol.name] = ()
                self._new_parameter(symbol, equation, sizes, ())

    def _shape_of_parameter(self, name: str, reads: list[_Read]) -> None:
        """Find the shape of a parameter; where fixed indices alone lead to an axis, further equations may tell."""
        for element, equation, sizes in reads:
            shape = shape_of(equation, element, sizes, self._rows(name))
            before = self.known.get(name, shape)
            told = [n if place.is_Integer else m for place, n, m in zip(element.indices, before, shape, strict=False)]
            if name in self.known and (len(before) != len(shape) or tuple(told) != before):
                self._two_shapes(name, (element, equation, sizes), before, self.origins[name])
        if name not in self.known:
            self.parameters.setdefault(name, ())
            self.open.setdefault(name, []).extend(reads)
            self._close(name, last=False)

    def _two_shapes(self, name: str, read: _Read, other: Shape, where: str) -> None:
        element, equation, sizes = read
        shape = _by(shape_of(equation, element, sizes, self._rows(name)))
        raise ValueError(
            f"{name.partition('^')[0]} has the shape {shape} in {equation.text!r}, but {_by(other)} in {where!r}"
        )

    def _close(self, name: str, *, last: bool) -> None:
        """Give a parameter its shape if every axis is read over an index, or, in the end, at each of its elements."""
        reads, shape = self.open[name], []
        for k in range(len(reads[0][0].indices)):
            at = [(e.indices[k], shape_of(equation, e, sizes, self._rows(name))[k]) for e, equation, sizes in reads]
            told = [size for place, size in at if not place.is_Integer]
            fixed = {int(place) for place, _ in at if place.is_Integer}
            if len({*told}) > 1:
                one, other = (next(r for r, (p, n) in zip(reads, at, strict=True) if n == size and not p.is_Integer)
                              for size in (told[0], next(n for n in told if n != told[0])))  # fmt: skip
                self._two_shapes(name, other, shape_of(one[1], one[0], one[2], self._rows(name)), one[1].text)
            if not told and not last:
                return
            if not told and fixed != {*range(max(fixed) + 1)}:
                element, equation, _ = reads[0]
                at_ = f"{name.partition('^')[0]}[{','.join(map(str, element.indices))}]"
                raise ValueError(f"{at_} in {equation.text!r} reads one element of an axis whose size is found "
                                 "nowhere, expected a read over an index, or at each index from 0")  # fmt: skip
            shape.append(told[0] if told else Integer(max(fixed) + 1))
        element, equation, sizes = max(reads, key=lambda read: len([i for i in read[0].indices if not i.is_Integer]))
        self.known[name] = tuple(shape)
        del self.open[name]
        self._new_parameter(element, equation, sizes, self.known[name])

    def _rows(self, name: str) -> int | None:
        return next((n for word, n in self.layer.rows.items() if self._name(word) == name), None)

    def _new_parameter(self, element: Expr, equation: IndexEquation, sizes: Mapping[Symbol, Expr],
                       shape: Shape) -> None:  # fmt: skip
        name = name_of(element)
        self.origins[name] = equation.text
        indices = element.indices if isinstance(element, Indexed) else ()
        distinct = all(i.is_Symbol for i in indices) and len(set(indices)) == len(indices)
        letters_ = [i.name for i in indices] if distinct else list("ijkopq"[: len(indices)])
        self.parameters[name] = tuple(Axis(i, n) for i, n in zip(letters_, shape, strict=True))
        word = next((w for w in self.layer.initial if self._name(w) == name), None)
        if word is not None:
            self.values[name] = float(self.layer.initial[word])
        elif is_added(element, equation):
            self.values[name] = 0.0
        else:
            self.fans[name] = fans_of(element, equation, sizes, {*self.known} - {*self.origins})


def _words(layer: Layer) -> Iterator[str]:
    """Yield what a layer's equations define and read."""
    for equation in layer.equations:
        yield name_of(equation.lhs)
        yield from sorted(a.name for a in accesses(equation.rhs))
        yield from sorted(s.name for s in symbols_in(equation.rhs) if not s.is_integer)


def _apart(equation: IndexEquation, sizes: Mapping[Symbol, Expr]) -> tuple[IndexEquation, dict[Symbol, Expr]]:
    """Return an equation whose indices have no name that a network gives to something else, as y to its target."""
    free = [letter for letter in INDICES if index(letter) not in sizes]
    swap: dict[Symbol, Symbol] = {}
    for i in (i for i in sizes if i.name not in INDICES):
        wanted = {"y": "p", "x": "q"}.get(i.name, "")  # rows and columns
        free.remove(letter := wanted if wanted in free else free[0])
        swap[i] = index(letter)
    renamed = {swap.get(i, i): n for i, n in sizes.items()}
    bound = {i: swap.get(i, i) for i in sizes}
    return IndexEquation(equation.lhs.xreplace(bound), equation.rhs.xreplace(bound), equation.text), renamed


def _reach(names: set[str], equations: Iterable[Equation]) -> set[str]:
    """Return the names from which some arrays are computed, these included."""
    for equation in reversed([*equations]):
        if equation.name in names:
            names |= names_in(equation.rhs)
    return names


def _by(shape: Shape) -> str:
    return " x ".join(map(str, shape)) or "of a scalar"
