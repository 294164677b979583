"""A network as users write it: one choice from each table, or a formula of your own in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sympy import Expr

from symbackprop.definitions.activation_parameters import Values, values_of
from symbackprop.definitions.choices import Formula
from symbackprop.definitions.layer import Layer
from symbackprop.definitions.resolve import resolve
from symbackprop.definitions.resolved import ResolvedNetwork
from symbackprop.definitions.sequential import as_layer, has_layers
from symbackprop.definitions.user_formulas import exact_constants, require_used


@dataclass(frozen=True)
class Network:
    """A feed-forward network of L hidden layers and an output layer, with everything SGD needs to know.

    Each field takes a name from its table in `symbackprop.definitions`, or a formula: a SymPy expression, a function
    that returns one, or, for activations, the loss and the penalty, a text (see `symbackprop.parse.formula.parse`).

    Parameters
    ----------
    activations
        One entry per hidden layer, none for softmax or linear regression; or layers, ``[conv(8, 5), "relu",
        maxpool(2), dense(64), "tanh", dense(10)]``, each of which an activation may follow. A formula is an
        expression in one symbol, a function of a, ``lambda a: a / (1 + a**2)``, or a text in a, ``"a if a > 0 else
        0.1*(exp(a) - 1)"``; of a and what is learnt, ``lambda a, slope: ...`` or ``"a if a > 0 else slope*a"``.
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
        ``"constant"`` (α), ``"inverse"`` (α/(1 + δt), t counted in updates), ``"power"``, ``"steps"``, ``"cosine"``,
        ``"warmup"``; several joined by + multiply: ``"warmup+inverse"``.
    preactivation
        Without layers of one's own: ``"dense"`` or a function of (W, b, h, i, axis):
        ``lambda W, b, h, i, axis: b[i] + axis.sum(lambda j: sin(W[i, j]) * h[j])``.
    output
        ``"softmax"``, ``"sigmoid"``, ``"identity"``; by default the loss's own, softmax for an own loss.
    target
        For an own loss: ``"label"`` (y is the number of a class) or ``"vector"``; by default what the output suggests.
    constants
        Numbers that texts may use by name: ``{"beta": 1.5}``.
    learned, learned_per_unit
        Parameters of activations that are learnt with the weights, with initial values: ``{"slope": 0.25}``, one in
        each layer that uses them, or one for each unit. ``"prelu"`` and ``"swish"`` have one of their own.
    input
        With layers, the shape of one input: ``(784,)``, or ``(1, 28, 28)`` for channels, rows and columns.
    update
        ``"sgd"`` (θ + αΔ), ``"momentum"`` or ``"nesterov"``, and joined by + ``"clip"`` (by the norm of an example's
        whole gradient), ``"max_norm"`` (of a unit's weights) and ``"average"`` (of the parameters, to predict with).
    weighted
        Every example has a weight, a factor of its loss.
    dropout
        Activations are multiplied by masks while training.

    Raises
    ------
    ValueError
        If a name is in no table, and the message has the nearest names; if a text is no formula of its variables; if
        a constant or a learnt parameter is in no formula.

    Examples
    --------
    >>> print(Network(activations=("tanh",)).resolved.layers[0].pre_activation)
    a⁽¹⁾ᵢ = b⁽¹⁾ᵢ + Σⱼ W⁽¹⁾ᵢⱼ h⁽⁰⁾ⱼ
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
    learned: Values = ()
    learned_per_unit: Values = ()
    input: tuple[int, ...] | int = ()
    update: str = "sgd"
    weighted: bool = False
    dropout: bool = False
    resolved: ResolvedNetwork = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.activations, str) or not isinstance(self.activations, tuple | list):
            object.__setattr__(self, "activations", (self.activations,))
        object.__setattr__(self, "activations", tuple(map(as_layer, self.activations)))
        if self.input and not has_layers(self.activations):
            raise ValueError(f"the input is {self.input!r}, but there is no layer; expected a list such as [dense(10)]")
        object.__setattr__(self, "constants", tuple(sorted(dict(self.constants).items())))
        for what in ("learned", "learned_per_unit"):
            object.__setattr__(self, what, values_of(getattr(self, what), what))
        _check_flags(weighted=self.weighted, dropout=self.dropout)
        if self.target not in {None, "label", "vector"}:
            raise ValueError(f"the target is {self.target!r}, expected 'label' or 'vector'")
        if both := sorted(self.exact_constants.keys() & dict((*self.learned, *self.learned_per_unit)).keys()):
            raise ValueError(f"{both[0]} is both a constant and learnt, expected one of them")
        formulas = (g for g in self.activations if not isinstance(g, Layer))
        require_used(self.exact_constants, [*formulas, self.loss, self.penalty])
        object.__setattr__(self, "resolved", resolve(self))

    @property
    def typed(self) -> str:
        """What was given for activations or layers, loss and penalty, as it was written."""
        return ", ".join(getattr(x, "__name__", str(x)) for x in (*self.activations, self.loss, self.penalty))

    @property
    def exact_constants(self) -> dict[str, Expr]:
        """The named constants as exact numbers."""
        return exact_constants(dict(self.constants))

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one input; nothing where sizes are symbols."""
        return tuple(self.input) if isinstance(self.input, tuple | list) else (self.input,)


def _check_flags(**flags: Any) -> None:
    for what, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{what} is {flag!r:.60}, expected True or False; a rate is given to sgd")  # noqa: TRY004
