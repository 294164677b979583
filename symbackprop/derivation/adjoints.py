"""Derivatives by the arrays of a layer, found once for all layers that differ in their numbers alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from symbackprop.calculus.chain_rule import Target, backpropagate
from symbackprop.derivation.rename import Labels, labels_in, of_layer, relabelled
from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.reductions import Place
from symbackprop.expr.symbols import names_in

Question = tuple[Target, tuple[Equation, ...], tuple[Equation, ...]]


@dataclass(frozen=True)
class Adjoint:
    """∂l/∂p of an array, as it was derived for all layers of a kind, and what their numbers are here."""

    general: Derivation
    labels: Labels

    @cached_property
    def results(self) -> tuple[Equation, ...]:
        """The adjoint, and what is added to it where it is read."""
        return relabelled(self.general.results, self.labels)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The local slopes, the chain rule's sum, and the result."""
        return relabelled(self.general.steps, self.labels)


@dataclass(frozen=True)
class Adjoints:
    """What reads the arrays of a network, and the derivatives that were found so far, by what they were found from.

    Attributes
    ----------
    equations
        All that one example computes, the loss the last.
    output
        The definition of the outputs, through whose values the slope of the loss may be written.
    """

    equations: tuple[Equation, ...]
    output: Equation
    known: dict[Question, Derivation] = field(default_factory=dict)

    def derive(self, want: Target, k: int) -> Adjoint:
        """Return ∂l/∂p of an array of layer k.

        Where it reads layers k - 1, k and k + 1 alone it is that of every layer like it; layers that share weights, or
        skip others, stay as they are.
        """
        users = self.users(want)
        reads_loss = self.equations[-1] in users
        question = (want, users, (self.output,) if reads_loss else ())
        around = of_layer(k)
        labels = around if _labels(question) <= {*around} else {}
        general = relabelled(question, labels)
        if general not in self.known:
            wanted, equations, stored = general
            self.known[general] = backpropagate(equations, [wanted], stored=stored, scattered=True)
        return Adjoint(self.known[general], {new: old for old, new in labels.items()})

    def users(self, want: Target) -> tuple[Equation, ...]:
        """Return the equations that read an array; where a maximum is does not change with what it is one of."""
        return tuple(e for e in self.equations if want.name in names_in(e.rhs) and not e.rhs.has(Place))


def _labels(question: Question) -> set[str]:
    want, users, stored = question
    return labels_in(want.element).union(*map(_of_equation, (*users, *stored)), *(labels_in(a.size) for a in want.axes))


def _of_equation(equation: Equation) -> set[str]:
    sizes = (axis.size for axis in equation.over)
    return set[str]().union(*(labels_in(e) for e in (equation.lhs, equation.rhs, *sizes)))
