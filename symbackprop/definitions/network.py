"""A network: one choice from each table, or a formula of your own in its place; it yields its layers' equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

from sympy import Add, Expr, Float, Indexed, Rational, S, Sum, Symbol

from symbackprop.definitions.activations import ACTIVATIONS, a
from symbackprop.definitions.initializers import INITIALIZERS, Initializer
from symbackprop.definitions.losses import LOSSES, OUTPUTS, Loss
from symbackprop.definitions.penalties import PENALTIES, w
from symbackprop.definitions.preactivations import PREACTIVATIONS
from symbackprop.definitions.schedules import STEP_SIZES
from symbackprop.definitions.typed import exact_constants, is_typed, require_used, typed, typed_loss
from symbackprop.notation import formula
from symbackprop.spelling import normalised
from symbackprop.symbols import LABEL, Axis, array, scalar, size
from symbackprop.terms import Equation

Formula: TypeAlias = str | Expr | Callable[..., Expr]
_BELOW = {"k": "k-1", "k+1": "k", "L+1": "L"}


@dataclass(frozen=True)
class Network:
    """A feed-forward network of L hidden layers and an output layer, with everything SGD needs to know.

    Each field takes a name from its table in `symbackprop.definitions`, or a formula: a SymPy expression, a function
    that returns one, or, for activations, the loss and the penalty, a text (see `symbackprop.formula.parse`).

    Parameters
    ----------
    activations
        One entry per hidden layer, none for softmax or linear regression. A formula is an expression in one symbol,
        a function of a, ``lambda a: a / (1 + a**2)``, or a text in a, ``"a if a > 0 else 0.1*(exp(a) - 1)"``.
    loss
        ``"nll"``, ``"bce"``, ``"squared"``, or a function of (f, y, axis):
        ``lambda f, y, axis: -log(f[y]) + axis.sum(lambda i: f[i] ** 2) / 10``. A text in f and y,
        ``"sqrt(1 + (f - y)**2) - 1"``, is summed over the outputs, identity by default; one in f[y] is that of a class.
    penalty
        ``"none"``, ``"l2"``, ``"l1"``, ``"l1+l2"``, or p(w), Ω = Σ p(w): ``lambda w: w**4`` or ``"w**4"``, with the
        coefficient λ.
    initializer
        ``"glorot"``, ``"he"``, ``"lecun"``, ``"fan_in"`` or ``"normal"``.
    step_size
        ``"constant"`` (α) or ``"inverse"`` (α/(1 + δt), t counted in updates).
    preactivation
        ``"dense"`` or a function of (W, b, h, i, axis):
        ``lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j])``.
    output
        ``"softmax"``, ``"sigmoid"``, ``"identity"``; by default the loss's own, softmax for an own loss.
    target
        For an own loss: ``"label"`` (y is the number of a class) or ``"vector"``; by default what the output suggests.
    constants
        Numbers that texts may use by name: ``{"beta": 1.5}``.

    Raises
    ------
    ValueError
        If a name is in no table, and the message has the nearest names; if a text is no formula of its variables.

    Examples
    --------
    >>> print(Network(activations=("tanh",)).pre_activation("k"))
    a⁽ᵏ⁾ᵢ = b⁽ᵏ⁾ᵢ + Σⱼ W⁽ᵏ⁾ᵢⱼ h⁽ᵏ⁻¹⁾ⱼ
    """

    activations: tuple[Formula, ...] = ("tanh",)
    loss: Formula = "nll"
    penalty: Formula = "none"
    initializer: str = "glorot"
    step_size: str = "inverse"
    preactivation: Formula = "dense"
    output: Formula | None = None
    target: str | None = None
    constants: Mapping[str, float] | tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.activations, str) or not isinstance(self.activations, tuple | list):
            object.__setattr__(self, "activations", (self.activations,))
        object.__setattr__(self, "activations", tuple(self.activations))
        object.__setattr__(self, "constants", tuple(sorted(dict(self.constants).items())))
        for what, table, choice in (
            *(("activation", ACTIVATIONS, g) for g in self.activations),
            ("loss", LOSSES, self.loss),
            ("penalty", PENALTIES, self.penalty),
            ("initializer", INITIALIZERS, self.initializer),
            ("step size", STEP_SIZES, self.step_size),
            ("pre-activation", PREACTIVATIONS, self.preactivation),
            ("output", OUTPUTS, self.output or "softmax"),
        ):
            self._chosen(what, table, choice)
        if self.target not in {None, "label", "vector"}:
            raise ValueError(f"the target is {self.target!r}, expected 'label' or 'vector'")
        require_used(self.exact_constants, [*self.activations, self.loss, self.penalty])

    @property
    def exact_constants(self) -> dict[str, Expr]:
        """The named constants as exact numbers."""
        return exact_constants(dict(self.constants))

    def _chosen(self, what: str, table: Mapping[str, Any], choice: Any) -> Any:
        """Return the entry of a table, or the formula in its place."""
        if not is_typed(what, choice, table):
            return _choose(what, table, choice)
        return typed_loss(choice, self.exact_constants) if what == "loss" else typed(what, choice, self.exact_constants)

    @property
    def depth(self) -> int:
        """The number of hidden layers, L."""
        return len(self.activations)

    @property
    def chosen_loss(self) -> Loss:
        """The loss with its output and kind of target."""
        if isinstance(self.loss, str):
            return self._chosen("loss", LOSSES, self.loss)
        output = self.output if isinstance(self.output, str) else "softmax"
        return Loss(self.loss, output, "label" if output == "softmax" else "vector")

    @property
    def target_kind(self) -> str:
        """``"label"`` where y is the number of a class, ``"vector"`` where it is an array."""
        return self.target or self.chosen_loss.target

    @property
    def chosen_initializer(self) -> Initializer:
        """The distribution of the initial weights."""
        return INITIALIZERS[self.initializer]

    @property
    def step_size_formula(self) -> Expr:
        """The step size α_t."""
        return STEP_SIZES[self.step_size]

    def pre_activation(self, layer: str) -> Equation:
        """Return a⁽ᵏ⁾ᵢ of one layer, from its parameters and the layer below."""
        i, j = _axis("i", layer), _axis("j", _below(layer))
        make = _choose("pre-activation", PREACTIVATIONS, self.preactivation)
        arrays = [array(f"{letter}^{layer}") for letter in "Wb"]
        rhs = _exact(make(*arrays, array(f"h^{_below(layer)}"), i.index, j))
        return Equation(array(f"a^{layer}")[i.index], rhs, (i,), "pre-activation")

    def scalar_activation(self, g: Formula) -> Expr:
        """Return g(a), a formula of one symbol."""
        return _apply(self._chosen("activation", ACTIVATIONS, g), a, a)

    def activation(self, g: Formula, layer: str) -> Equation:
        """Return h⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ) of one hidden layer."""
        j = _axis("j", layer)
        rhs = self.scalar_activation(g).xreplace({a: array(f"a^{layer}")[j.index]})
        return Equation(array(f"h^{layer}")[j.index], rhs, (j,), "activation")

    def outputs(self, layer: str = "L+1") -> Equation:
        """Return fᵢ, the output of the last pre-activation."""
        i, j = _axis("i", layer), _axis("j", layer)
        make = _choose("output", OUTPUTS, self.output or self.chosen_loss.output)
        return Equation(array("f")[i.index], _exact(make(array(f"a^{layer}"), i.index, j)), (i,), "output")

    def losses(self, layer: str = "L+1") -> Equation:
        """Return l, the loss of one example."""
        y = LABEL if self.target_kind == "label" else array("y")
        return Equation(scalar("l"), _exact(self.chosen_loss.formula(array("f"), y, _axis("i", layer))), (), "loss")

    def penalties(self) -> Mapping[str, Expr]:
        """Return the formula p(w) of each penalty by its coefficient."""
        made = self._chosen("penalty", PENALTIES, self.penalty)
        return made if isinstance(made, dict) else {"λ": _apply(made, w, w)}

    def parameters(self, layer: str) -> dict[str, tuple[Axis, ...]]:
        """Return the parameter arrays of one layer with their axes, weights (two axes) before biases."""
        equation = self.pre_activation(layer)
        axes = {axis.index: axis for axis in (_axis("i", layer), _axis("j", _below(layer)))}
        found = {
            str(e.base.label): tuple(axes[i] for i in e.indices)
            for e in equation.rhs.atoms(Indexed)
            if not str(e.base.label).startswith("h^") and all(i in axes for i in e.indices)
        }
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))

    def penalised(self, layer: str) -> list[Equation]:
        """Return Ω⁽ᵏ⁾ = Σ p(w) over the weights of one layer, one equation per coefficient."""
        equations = []
        for n, p in enumerate(self.penalties().values()):
            terms = [
                Sum(p.xreplace({w: array(name)[axes[0].index, axes[1].index]}), axes[1].limits, axes[0].limits)
                for name, axes in self.parameters(layer).items()
                if len(axes) > 1
            ]
            mark = "₁₂"[n] if len(self.penalties()) > 1 else ""
            equations.append(Equation(scalar(f"Ω{mark}^{layer}"), Add(*terms), (), "penalty"))
        return equations

    def names(self) -> dict[str, Any]:
        """Return the choices as plain strings, formulas as text, and the constants where there are any."""
        loss = _text(self.loss) if isinstance(self.loss, str) else formula(self.losses().rhs)
        output = self.output or self.chosen_loss.output
        constants = {"constants": dict(self.constants)} if self.constants else {}
        return constants | {
            "preactivation": self.preactivation
            if isinstance(self.preactivation, str)
            else formula(self.pre_activation("k").rhs),
            "activations": [_text(g) if isinstance(g, str) else formula(_apply(g, a, a)) for g in self.activations],
            "output": output if isinstance(output, str) else formula(self.outputs().rhs),
            "loss": loss,
            "target": self.target_kind,
            "penalty": _text(self.penalty) if isinstance(self.penalty, str) else formula(self.penalties()["λ"]),
            "initializer": self.initializer,
            "step_size": self.step_size,
        }


def _below(layer: str) -> str:
    return _BELOW.get(layer) or str(int(layer) - 1)


def _axis(name: str, layer: str) -> Axis:
    return Axis(name, size(f"n^{layer}"))


def _choose(what: str, table: Mapping[str, Any], choice: Any) -> Any:
    if not isinstance(choice, str):
        return choice
    if choice in table:
        return table[choice]
    near = get_close_matches(choice, table, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise ValueError(f"unknown {what} {choice!r}: {hint}known are {', '.join(table)}")


def _text(choice: str) -> str:
    """Return a name as it is, a typed formula in one spelling."""
    known = {*ACTIVATIONS, *LOSSES, *PENALTIES}
    return choice if choice in known else normalised(choice)


def _apply(made: Any, argument: Expr, symbol: Symbol) -> Expr:
    """Return a formula of one symbol, or a function of it, at an argument."""
    if callable(made) and not isinstance(made, Expr):
        return _exact(made(argument))
    made = _exact(made)
    free = made.free_symbols
    if not free <= {symbol} and len(free) != 1:
        raise ValueError(f"the formula {made} has the symbols {sorted(map(str, free))}, expected one")
    return made.xreplace(dict.fromkeys(free, symbol)).xreplace({symbol: argument})


def _exact(made: Any) -> Expr:
    """Return an expression in which a float such as 0.1 is the decimal number it was written as."""
    if isinstance(made, bool) or not isinstance(made, Expr | int | float):
        kind = type(made).__name__
        raise ValueError(f"a formula is {made!r}, a {kind}, expected a SymPy expression of its arguments")  # noqa: TRY004
    made = S.One * made
    for number in (S.NaN, S.Infinity, S.NegativeInfinity, S.ComplexInfinity, S.ImaginaryUnit):
        if made.has(number):
            raise ValueError(f"the formula {made} has {number} in it, expected real and finite numbers")
    return made.xreplace({x: Rational(str(float(x))) for x in made.atoms(Float)})
