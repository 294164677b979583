"""A network as later stages read it: every choice a formula, every layer with its number, made once by `resolve`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sympy import Expr, Integer, Mul, nan, oo, zoo

from symbackprop.definitions.exact import exact
from symbackprop.definitions.initializers import Initializer
from symbackprop.definitions.layer import Layer
from symbackprop.definitions.update_rules import Update
from symbackprop.expr.equations import Equation
from symbackprop.expr.printing import formula
from symbackprop.expr.roles import Role
from symbackprop.expr.symbols import Axis, array, scalar

WEIGHT = "weight"  # of an example, a factor of its loss


@dataclass(frozen=True)
class Activation:
    """g(a), and what it learns.

    Attributes
    ----------
    text
        As a name, or a formula in one spelling.
    formula
        Of the symbol a and of the names of what it learns.
    initial
        The value where each of these starts.
    per_unit
        Those of them that each unit has one of.
    """

    text: str
    formula: Expr
    initial: Mapping[str, float]
    per_unit: frozenset[str]

    def at_start(self, beside: float = 0) -> Expr:
        """Return g(a), a formula of one symbol; what it learns has its initial value, or one so far beside it.

        Raises
        ------
        ValueError
            If the formula is not finite there.
        """
        values = {scalar(name): exact(value + beside) for name, value in self.initial.items()}
        g = self.formula.xreplace(values)
        if g.has(zoo, nan, oo):
            shown = ", ".join(f"{name} = {value}" for name, value in values.items())
            raise ValueError(f"the activation {formula(self.formula)} is not finite with {shown}; start elsewhere")
        return g


@dataclass(frozen=True)
class Parameter:
    """An array that is learnt.

    Attributes
    ----------
    name, axes
        With its layer's number; without axes it is one number.
    initial
        Where its elements start; None where they are drawn.
    fans
        The fan-in and fan-out of those that are drawn, where the layer tells them.
    is_of_activation
        Whether an activation learns it.
    is_weight
        Whether it is penalised, and its units' norms may be bounded.
    state
        The names of the arrays that training keeps beside it.
    """

    name: str
    axes: tuple[Axis, ...]
    initial: float | None = None
    fans: tuple[Expr, Expr] | None = None
    is_of_activation: bool = False
    is_weight: bool = False
    state: tuple[str, ...] = ()

    @property
    def element(self) -> Expr:
        """One element of it, at the indices of its axes."""
        return array(self.name)[tuple(axis.index for axis in self.axes)] if self.axes else scalar(self.name)

    @property
    def shape(self) -> tuple[Expr, ...]:
        """The sizes of its axes."""
        return tuple(axis.size for axis in self.axes)

    @property
    def sizes(self) -> tuple[Expr, ...]:
        """The sizes of its array; what has no axis is an array of one element."""
        return self.shape or (Integer(1),)


@dataclass(frozen=True)
class ResolvedLayer:
    """A layer in its place.

    Attributes
    ----------
    number
        1 for the first hidden layer, L + 1 for the last.
    definition
        What it is.
    equations
        Of its values before the activation, these the last; all names have the layer's number.
    activation
        None where it has none.
    activated
        The equation of h = g(a), and with dropout u = g(a) and h = u times its mask.
    parameters
        Those of its equations, then what its activation learns.
    penalties
        Ω⁽ᵏ⁾ = Σ p(w) over its weights, an equation for each coefficient.
    mask
        The name and the axes of what dropout multiplies with; None where nothing does.
    """

    number: int
    definition: Layer
    equations: tuple[Equation, ...]
    activation: Activation | None
    activated: tuple[Equation, ...]
    parameters: tuple[Parameter, ...]
    penalties: tuple[Equation, ...]
    mask: tuple[str, tuple[Axis, ...]] | None

    @property
    def pre_activation(self) -> Equation:
        """The equation of a⁽ᵏ⁾."""
        return self.equations[-1]

    @property
    def width(self) -> Expr:
        """How many values it has."""
        return Mul(*self.pre_activation.shape)

    @property
    def item(self) -> str:
        """The layer and its activation as they are written in a list."""
        return self.definition.name + (f", {self.activation.text}" if self.activation else "")

    @property
    def without_mask(self) -> ResolvedLayer:
        """The layer with all its units."""
        if self.mask is None:
            return self
        value, masked = self.activated
        return replace(self, activated=(replace(value, lhs=masked.lhs),), mask=None)


@dataclass(frozen=True)
class ResolvedNetwork:
    """A network whose choices were looked up, and whose layers are in their places.

    Attributes
    ----------
    layers
        From layer 1 to L + 1.
    input_sizes
        The sizes of one input's axes.
    output
        The equation of fᵢ.
    loss_of_output
        l without the weight of the example.
    weighted
        Whether l is multiplied by one.
    target_kind
        ``"label"`` where y is the number of a class, ``"vector"`` where it is an array.
    penalties
        p(w) by its coefficient.
    update, initializer
        The rule of an update and what is added to it; the distribution of initial weights.
    step_size
        The formula of α_t.
    hyperparameters
        The constants of step size, update and penalties, with their defaults.
    names
        The choices as plain strings, formulas as text, and the constants where there are any.
    """

    layers: tuple[ResolvedLayer, ...]
    input_sizes: tuple[Expr, ...]
    output: Equation
    loss_of_output: Expr
    weighted: bool
    target_kind: str
    penalties: Mapping[str, Expr]
    update: Update
    initializer: Initializer
    step_size: Expr
    hyperparameters: Mapping[str, float]
    names: Mapping[str, Any]

    @property
    def depth(self) -> int:
        """The number of hidden layers, L."""
        return len(self.layers) - 1

    @property
    def is_generic(self) -> bool:
        """Whether sizes are symbols, so that one module serves all of them: layers are then shown as layer k."""
        return not all(size.is_number for size in self.input_sizes)

    @property
    def output_size(self) -> Expr:
        """How many outputs there are."""
        return self.layers[-1].width

    @property
    def loss(self) -> Equation:
        """The equation of l, the loss of one example."""
        factor = scalar(WEIGHT) if self.weighted else Integer(1)
        return Equation(scalar("l"), factor * self.loss_of_output, (), Role.LOSS)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All parameters, layer by layer."""
        return tuple(p for layer in self.layers for p in layer.parameters)

    @property
    def initial_values(self) -> dict[str, float]:
        """Where parameters start that are neither drawn nor 0 as biases are, what activations learn the last."""
        every = sorted(self.parameters, key=lambda p: p.is_of_activation)
        return {p.name: p.initial for p in every if p.initial or (p.is_of_activation and p.initial is not None)}

    @property
    def activations(self) -> tuple[Activation, ...]:
        """The activations, each once."""
        used = {layer.activation.text: layer.activation for layer in self.layers if layer.activation}
        return tuple(used.values())

    @property
    def masks(self) -> dict[str, tuple[Axis, ...]]:
        """The axes of every mask of dropout by its name."""
        return dict(layer.mask for layer in self.layers if layer.mask)

    @property
    def reads_integers(self) -> bool:
        """Whether inputs are integers, at which tables are read."""
        return any(layer.definition.reads_integers for layer in self.layers)

    @property
    def predicting(self) -> ResolvedNetwork:
        """The network that predicts, which has all its units: itself where none is left out."""
        return self if not self.masks else replace(self, layers=tuple(layer.without_mask for layer in self.layers))
