"""A network: one choice from each table, or a formula of your own in its place; it yields its layers' equations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias

from sympy import Add, Expr, Indexed, Integer, Mul, nan, oo, zoo

from symbackprop.definitions.activation_parameters import Values, applied, as_texts, check_used, values_of
from symbackprop.definitions.activations import ACTIVATIONS, PARAMETRIC, Parametric, a
from symbackprop.definitions.exact import exact
from symbackprop.definitions.initializers import INITIALIZERS, Initializer
from symbackprop.definitions.instantiate import place
from symbackprop.definitions.layers import PREACTIVATIONS, made
from symbackprop.definitions.losses import LOSSES, OUTPUTS, Loss
from symbackprop.definitions.penalties import PENALTIES, w
from symbackprop.definitions.sequential import InPlace, as_layer, has_layers, in_place
from symbackprop.definitions.step_sizes import FACTORS, step_size
from symbackprop.definitions.update_rules import Update, update_of
from symbackprop.definitions.user_formulas import exact_constants, is_typed, require_used, typed, typed_loss
from symbackprop.expr.equations import Equation
from symbackprop.expr.indices import fresh, named
from symbackprop.expr.names import apart, require_apart
from symbackprop.expr.printing import formula, split
from symbackprop.expr.reductions import Sum
from symbackprop.expr.suggest import did_you_mean
from symbackprop.expr.symbols import LABEL, Axis, array, scalar, size
from symbackprop.parse.lexer import normalised

Formula: TypeAlias = str | Expr | Callable[..., Expr]
WEIGHT = "weight"  # of an example, a factor of its loss
_BELOW = {"k": "k-1", "k+1": "k", "L+1": "L"}
_ACTIVATIONS: dict[str, Any] = {**ACTIVATIONS, **PARAMETRIC}


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
    learned: Values = ()
    learned_per_unit: Values = ()
    input: tuple[int, ...] | int = ()
    update: str = "sgd"
    weighted: bool = False
    dropout: bool = False
    layers: tuple[InPlace, ...] = field(init=False, default=(), repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.activations, str) or not isinstance(self.activations, tuple | list):
            object.__setattr__(self, "activations", (self.activations,))
        object.__setattr__(self, "activations", tuple(map(as_layer, self.activations)))
        given = self.input if isinstance(self.input, tuple | list) else (self.input,)
        found = in_place(self.activations, given) if has_layers(self.activations) else ()
        object.__setattr__(self, "layers", found)
        if self.input and not found:
            raise ValueError(f"the input is {self.input!r}, but there is no layer; expected a list such as [dense(10)]")
        if found and not any(layer.placed.parameters for layer in found):
            raise ValueError("the network has no parameter: there is nothing to learn; add a layer such as dense(10)")
        object.__setattr__(self, "constants", tuple(sorted(dict(self.constants).items())))
        for what in ("learned", "learned_per_unit"):
            object.__setattr__(self, what, values_of(getattr(self, what), what))
        for what, table, choice in (
            *(("activation", _ACTIVATIONS, g) for g in self.used_activations),
            ("loss", LOSSES, self.loss),
            ("penalty", PENALTIES, self.penalty),
            ("initializer", INITIALIZERS, self.initializer),
            *(("step size", FACTORS, name) for name in self.step_size.split("+")),
            ("pre-activation", PREACTIVATIONS, self.preactivation),
            ("output", OUTPUTS, "softmax" if self.output is None else self.output),
        ):
            self._chosen(what, table, choice)
        update_of(self.update)
        _check_flags(weighted=self.weighted, dropout=self.dropout)
        if self.target not in {None, "label", "vector"}:
            raise ValueError(f"the target is {self.target!r}, expected 'label' or 'vector'")
        if both := sorted(self.exact_constants.keys() & dict((*self.learned, *self.learned_per_unit)).keys()):
            raise ValueError(f"{both[0]} is both a constant and learnt, expected one of them")
        require_used(self.exact_constants, [*self.used_activations, self.loss, self.penalty])
        if self.learned or self.learned_per_unit:
            check_used(dict(self.learned), dict(self.learned_per_unit), self.initial_values())
        if found or self.learned or self.learned_per_unit:  # of others no name is the user's
            require_apart(self._array_names())

    @property
    def typed(self) -> str:
        """What was given for activations or layers, loss and penalty, as it was written."""
        return ", ".join(getattr(x, "__name__", str(x)) for x in (*self.activations, self.loss, self.penalty))

    @property
    def exact_constants(self) -> dict[str, Expr]:
        """The named constants as exact numbers."""
        return exact_constants(dict(self.constants))

    def _chosen(self, what: str, table: Mapping[str, Any], choice: Any) -> Any:
        """Return the entry of a table, or the formula in its place."""
        if not is_typed(what, choice, table):
            return _choose(what, table, choice)
        if what == "loss":
            return typed_loss(choice, self.exact_constants)
        learnt = {name: scalar(name) for name in dict((*self.learned, *self.learned_per_unit))}
        return typed(what, choice, self.exact_constants | (learnt if what == "activation" else {}))

    @property
    def depth(self) -> int:
        """The number of hidden layers, L."""
        return len(self.hidden)

    @property
    def hidden(self) -> tuple[Formula | None, ...]:
        """The activation of each hidden layer, None where it has none."""
        return tuple(layer.activation for layer in self.layers[:-1]) if self.layers else self.activations

    @property
    def used_activations(self) -> tuple[Formula, ...]:
        """The activations, each once."""
        return tuple(dict.fromkeys(g for g in self.hidden if g is not None))

    @property
    def input_sizes(self) -> tuple[Expr, ...]:
        """The sizes of one input's axes."""
        return tuple(map(Integer, self._shape(0))) if self.layers else (size("n^0"),)

    def _shape(self, k: int) -> tuple[Expr, ...]:
        if k:
            return self.layers[k - 1].placed.shape
        return tuple(self.input) if isinstance(self.input, tuple | list) else (self.input,)

    def width(self, layer: str) -> Expr:
        """Return how many values a layer has."""
        if not self.layers:
            return size(f"n^{layer}")
        return Mul(*self._shape({"L+1": self.depth + 1, "L": self.depth}.get(layer) or int(layer)))

    @property
    def output_size(self) -> Expr:
        """How many outputs there are."""
        return self.width(str(self.depth + 1))

    @property
    def reads_integers(self) -> bool:
        """Whether inputs are integers, at which tables are read."""
        return any(layer.placed.layer.reads_integers for layer in self.layers)

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
        return step_size(self.step_size)

    @property
    def chosen_update(self) -> Update:
        """The rule of an update and what is added to it."""
        return update_of(self.update)

    def pre_activation(self, layer: str) -> Equation:
        """Return a⁽ᵏ⁾ᵢ of one layer, from its parameters and the layer below."""
        return self.layer(layer)[-1]

    def layer(self, layer: str) -> tuple[Equation, ...]:
        """Return the equations of one layer, the last of which defines its pre-activations."""
        if self.layers:
            return self.layers[int(layer) - 1].placed.equations
        i, j = self._axis("i", layer), self._axis("j", _below(layer))
        make = _choose("pre-activation", PREACTIVATIONS, self.preactivation)
        if make is PREACTIVATIONS["dense"]:
            return _dense(layer, _below(layer), i.size, j.size)
        if not callable(make):
            kind = self.preactivation
            raise ValueError(f"the pre-activation {kind!r} is a layer: use Network([{kind}(...), ...])")  # noqa: TRY004
        arrays = [array(f"{letter}^{layer}") for letter in "Wb"]
        rhs = named(fresh(exact(make(*arrays, array(f"h^{_below(layer)}"), i.index, j))))  # sums may share an index
        return (Equation(array(f"a^{layer}")[i.index], rhs, (i,), "pre-activation"),)

    def scalar_activation(self, g: Formula, beside: float = 0) -> Expr:
        """Return g(a), a formula of one symbol; what it learns has its initial value, or one so far beside it."""
        values = {scalar(name): exact(value + beside) for name, value in self._parametric(g)[1].items()}
        made = self._of_names(g).xreplace(values)
        if made.has(zoo, nan, oo):
            shown = ", ".join(f"{name} = {value}" for name, value in values.items())
            raise ValueError(f"the activation {formula(self._of_names(g))} is not finite with {shown}; start elsewhere")
        return made

    def activation(self, g: Formula, layer: str) -> Equation:
        """Return h⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ) of one hidden layer."""
        axes, per_unit = self._axes("j", layer), set(map(scalar, dict(self.learned_per_unit)))
        at = tuple(axis.index for axis in axes)
        swap: dict[Expr, Expr] = {
            s: array(f"{s.name}^{layer}")[at] if s == a or s in per_unit else scalar(f"{s.name}^{layer}")
            for s in self._of_names(g).free_symbols
        }
        return Equation(array(f"h^{layer}")[at], self._of_names(g).xreplace(swap), axes, "activation")

    def activated(self, g: Formula, layer: str) -> tuple[Equation, ...]:
        """Return h⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ), or with dropout u⁽ᵏ⁾ⱼ = g(a⁽ᵏ⁾ⱼ) and h⁽ᵏ⁾ⱼ = u⁽ᵏ⁾ⱼ times its mask."""
        made = self.activation(g, layer)
        if not self.dropout:
            return (made,)
        taken = self.layers[int(layer) - 1].placed.names if self.layers else ()
        names = apart(f"u^{layer}", taken), f"mask^{layer}"
        u, mask = (array(name)[made.lhs.indices] for name in names)
        return replace(made, lhs=u), Equation(made.lhs, mask * u, made.over, "dropout")

    def _axes(self, name: str, layer: str) -> tuple[Axis, ...]:
        """Return the axes of one layer's values."""
        return self.layers[int(layer) - 1].placed.output.over if self.layers else (self._axis(name, layer),)

    def _of_names(self, g: Formula) -> Expr:
        """Return an activation as a formula of the symbol a and of its learnt parameters' names."""
        made, values = self._parametric(g)
        return applied(made, a, a, {name: scalar(name) for name in values})

    def _parametric(self, g: Formula) -> tuple[Any, dict[str, float]]:
        """Return the formula of an activation, and the initial values of what it may have learnt."""
        made = self._chosen("activation", _ACTIVATIONS, g)
        made = made if isinstance(made, Parametric) else Parametric(made, {})
        return made.formula, {**made.initial, **dict(self.learned), **dict(self.learned_per_unit)}

    def learnt(self, g: Formula, layer: str) -> dict[str, tuple[Axis, ...]]:
        """Return the learnt parameters in the activation of one layer, an axis for those that each unit has."""
        per_unit, used = dict(self.learned_per_unit), sorted(s.name for s in self._of_names(g).free_symbols - {a})
        return {f"{name}^{layer}": self._axes("i", layer) if name in per_unit else () for name in used}

    def _array_names(self) -> tuple[str, ...]:
        """Return the names of all parameters, and of what layers compute, with their numbers."""
        layers = [str(k) for k in range(1, self.depth + 2)]
        computed = (e.name for k in layers for e in self.layer(k))
        return (*dict.fromkeys((*(n for k in layers for n in self.parameters(k)), *computed)),)

    def initial_values(self) -> dict[str, float]:
        """Return the initial value of each learnt parameter of each layer; all units of a layer start alike."""
        layers = [(g, self.learnt(g, str(k))) for k, g in enumerate(self.hidden, 1) if g is not None]
        placed = {name: value for layer in self.layers for name, value in layer.placed.values.items() if value}
        return placed | {name: self._parametric(g)[1][split(name)[0]] for g, names in layers for name in names}

    def outputs(self, layer: str = "L+1") -> Equation:
        """Return fᵢ, the output of the last pre-activation."""
        i, j = self._axis("i", layer), self._axis("j", layer)
        make = _choose("output", OUTPUTS, self.output or self.chosen_loss.output)
        return Equation(array("f")[i.index], exact(make(array(f"a^{layer}"), i.index, j)), (i,), "output")

    def losses(self, layer: str = "L+1") -> Equation:
        """Return l, the loss of one example."""
        y = LABEL if self.target_kind == "label" else array("y")
        loss = exact(self.chosen_loss.formula(array("f"), y, self._axis("i", layer)))
        return Equation(scalar("l"), scalar(WEIGHT) * loss if self.weighted else loss, (), "loss")

    def penalties(self) -> Mapping[str, Expr]:
        """Return the formula p(w) of each penalty by its coefficient."""
        made = self._chosen("penalty", PENALTIES, self.penalty)
        return made if isinstance(made, dict) else {"λ": applied(made, w, w)}

    def parameters(self, layer: str) -> dict[str, tuple[Axis, ...]]:
        """Return the parameters of one layer with their axes: weights (two), biases, and of layer 1, 2 ... the learnt.

        A learnt parameter that all units of a layer share has no axis.
        """
        hidden = self.hidden[int(layer) - 1 : int(layer)] if layer.isdecimal() else ()
        learnt = {name: axes for g in hidden if g is not None for name, axes in self.learnt(g, layer).items()}
        return self._of_layer(layer) | learnt

    def _of_layer(self, layer: str) -> dict[str, tuple[Axis, ...]]:
        """Return the parameters of one layer's pre-activation, weights before biases."""
        if self.layers:
            return dict(self.layers[int(layer) - 1].placed.parameters)
        equation = self.pre_activation(layer)
        axes = {axis.index: axis for axis in (self._axis("i", layer), self._axis("j", _below(layer)))}
        found = {
            str(e.base.label): tuple(axes[i] for i in e.indices)
            for e in equation.rhs.atoms(Indexed)
            if not str(e.base.label).startswith("h^") and all(i in axes for i in e.indices)
        }
        return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))

    def weights(self, layer: str) -> dict[str, tuple[Axis, ...]]:
        """Return the parameters of one layer that are penalised: those of two or more axes that are no biases."""
        constant = self.layers[int(layer) - 1].placed.values if self.layers else {}
        return {n: axes for n, axes in self._of_layer(layer).items() if len(axes) > 1 and n not in constant}

    def penalised(self, layer: str) -> list[Equation]:
        """Return Ω⁽ᵏ⁾ = Σ p(w) over the weights of one layer, one equation per coefficient."""
        equations = []
        for n, p in enumerate(self.penalties().values()):
            terms = [
                Sum(p.xreplace({w: array(name)[tuple(i.index for i in axes)]}), *(i.limits for i in reversed(axes)))
                for name, axes in self.weights(layer).items()
            ]
            mark = "₁₂"[n] if len(self.penalties()) > 1 else ""
            equations.append(Equation(scalar(f"Ω{mark}^{layer}"), Add(*terms), (), "penalty"))
        return equations

    def item(self, k: int) -> str:
        """Return a layer of a network of layers, and its activation, as they are written."""
        g = self._name(self.hidden[k - 1] if k <= self.depth else None)
        return self.layers[k - 1].placed.layer.name + (f", {g}" if g != "none" else "")

    def names(self) -> dict[str, Any]:
        """Return the choices as plain strings, formulas as text, and the constants where there are any."""
        loss = _text(self.loss) if isinstance(self.loss, str) else formula(replace(self, weighted=False).losses().rhs)
        output = self.output or self.chosen_loss.output
        more = {"constants": dict(self.constants), "update": self.update if self.update != "sgd" else "",
                "weighted": int(self.weighted), "dropout": int(self.dropout)}  # fmt: skip
        return {name: value for name, value in more.items() if value} | {
            "preactivation": self._preactivations(),
            "activations": [self._name(g) for g in self.hidden],
            "output": output if isinstance(output, str) else formula(self.outputs().rhs),
            "loss": loss,
            "target": self.target_kind,
            "penalty": _text(self.penalty) if isinstance(self.penalty, str) else formula(self.penalties()["λ"]),
            "initializer": self.initializer,
            "step_size": self.step_size,
            **as_texts(self.initial_values(), dict(self.learned_per_unit)),
        }

    def _name(self, g: Formula | None) -> str:
        return "none" if g is None else _text(g) if isinstance(g, str) else formula(self._of_names(g))

    def _preactivations(self) -> str:
        """Return the kinds of layer as text."""
        if self.layers:
            return ", ".join(layer.placed.layer.name for layer in self.layers)
        return self.preactivation if isinstance(self.preactivation, str) else formula(self.pre_activation("k").rhs)

    def _axis(self, name: str, layer: str) -> Axis:
        return Axis(name, self.width(layer))


def _check_flags(**flags: Any) -> None:
    for what, flag in flags.items():
        if not isinstance(flag, bool):
            raise ValueError(f"{what} is {flag!r:.60}, expected True or False; a rate is given to sgd")  # noqa: TRY004


@cache
def _dense(layer: str, below: str, rows: Expr, columns: Expr) -> tuple[Equation, ...]:
    """Return the equations of a dense layer, whose text is read once."""
    known = {f"h^{below}": (columns,)}
    return place(made("dense", 1), layer, f"h^{below}", f"a^{layer}", known, {"i": rows}).equations


def _below(layer: str) -> str:
    return _BELOW.get(layer) or str(int(layer) - 1)


def _choose(what: str, table: Mapping[str, Any], choice: Any) -> Any:
    if not isinstance(choice, str):
        return choice
    if choice in table:
        return table[choice]
    raise ValueError(f"unknown {what} {choice!r}: {did_you_mean(choice, table)}known are {', '.join(table)}")


def _text(choice: str) -> str:
    """Return a name as it is, a typed formula in one spelling."""
    known = {*_ACTIVATIONS, *LOSSES, *PENALTIES}
    return choice if choice in known else normalised(choice)
