"""Stable forms, remembered on disk between runs, and the section of a derivation that shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from symbackprop.expr.equations import Derivation, Equation, Step
from symbackprop.expr.roles import Role
from symbackprop.precision.apply import Forms
from symbackprop.train.files.store import recall_forms, record_forms


@contextmanager
def remembered_forms() -> Iterator[Forms]:
    """Return what chooses forms, with what was chosen in other runs; what is new is written for the next.

    A file that is damaged, of other code, or cannot be written is as good as none.
    """
    known = recall_forms()
    forms = Forms(dict(known))
    yield forms
    if forms.known != known:
        record_forms(forms.known)


def stable_section(given: Iterable[Equation], derived: Iterable[Equation], forms: Forms) -> Derivation | None:
    """Return the steps from formulas to the forms that are computed; None where all are computed as derived.

    What is `derived` may read the values of what is `given`.
    """
    steps: dict[str, Step] = {}
    stored = tuple(given)
    for equation in (*stored, *derived):
        for change in (c for c in forms.changes(equation, stored) if c.after != c.derived):
            sides = (change.derived, change.before, change.after)
            step = Step(Role.STABLE_FORM, *sides, equation.over, change.given, change.choice.note)
            steps.setdefault(str(replace(step, over=(), given=())), step)
    if not steps:
        return None
    return Derivation("Computed in forms that keep their digits", steps=tuple(steps.values()))
