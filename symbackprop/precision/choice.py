"""What was chosen for a formula: a form, and the errors of it and of the formula as derived; in words, and as kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mpmath import mp
from sympy import Expr

from symbackprop.precision.codec import from_tree, tree_of
from symbackprop.precision.recipes import Patches, Recipe
from symbackprop.precision.truth import exact


@dataclass(frozen=True)
class Choice:
    """A formula as derived, the form chosen, and the largest errors of both in ULP, of both types, on held-out points.

    Attributes
    ----------
    recipe
        The names of the forms it is made of: one, one for each sign (positive first), or one for each of x > 1,
        0 < x ≤ 1, x < -1 and the rest.
    patches
        Values at 0, +∞ and -∞ themselves, where the form has none.
    expanded
        Where an expansion is used instead, as conditions on x.
    why
        Where a form that is not accurate is worst, and what of it.
    wrong, still_wrong
        How many values at the held-out points were NaN or infinite though the true ones are not: before and after.
    """

    before: Expr
    after: Expr
    recipe: Recipe = ("derived",)
    patches: Patches = ()
    expanded: tuple[str, ...] = ()
    error: float = 0.0
    error_after: float = 0.0
    wrong: int = 0
    still_wrong: int = 0
    why: str = ""

    @property
    def changed(self) -> bool:
        """Whether another form than the derived one was chosen."""
        return self.recipe != ("derived",) or bool(self.patches or self.expanded)

    def remembered(self) -> dict[str, Any]:
        """Return what `recalled` needs: names and numbers, and the form, unless it cannot be built from its parts."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        lists = {"recipe": [*self.recipe], "patches": [[*p] for p in self.patches], "expanded": [*self.expanded]}
        made = {**lists, "why": self.why, **numbers}
        try:
            return made | {"form": tree_of(self.after)}
        except ValueError:
            return made

    @property
    def note(self) -> str:
        """What was gained, in words."""
        lost = f" and {self.wrong} wrong NaN or infinities" if self.wrong else ""
        left = f" and {self.still_wrong} of these" if self.still_wrong else ""
        places = " and at ±∞" if any(at != "0" for at, _ in self.patches) else ""
        why = f" {self.why}" if self.why else ""
        if not self.changed:
            return f"up to {_shown(self.error_after)} ULP{lost}{why}"
        return f"{_shown(self.error)} ULP{lost} become {_shown(self.error_after)}{left}{places}{why}"


def _shown(error: float) -> str:
    return f"{error:.1f}" if error < 100 else f"{error:.1e}"


_NUMBERS = ("error", "error_after", "wrong", "still_wrong")


def is_measure(known: Any) -> bool:
    """Whether what was remembered is what `measured` returned."""
    match known:
        case [float(), int(), int()]:
            return True
    return False


def recalled(f: Expr, known: Any) -> Choice | None:
    """Return the choice that was remembered, None where there is none or it is damaged."""
    try:
        recipe, patches = tuple(known["recipe"]), tuple((str(at), str(value)) for at, value in known["patches"])
        numbers = {name: float(known[name]) for name in _NUMBERS[:2]} | {n: int(known[n]) for n in _NUMBERS[2:]}
        form = _built(f, known["form"])
        expanded = tuple(map(str, known["expanded"]))
        why = str(known["why"])
        return None if form is None else Choice(f, form, recipe, patches, expanded, why=why, **numbers)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError):
        return None


def _built(f: Expr, tree: Any) -> Expr | None:
    """Return the form that was remembered, which need not be found again; None unless it has the values of f."""
    symbols = {s.name: s for s in f.free_symbols}
    try:
        form = from_tree(tree, symbols)
    except (TypeError, ValueError):
        return None
    with mp.workprec(200):
        pairs = [[exact(e, dict.fromkeys(symbols.values(), mp.mpf(p))) for e in (f, form)] for p in _PROBES]
        same = all(abs(a - b) <= mp.mpf("1e-30") * (1 + abs(a)) for a, b in pairs if not mp.isnan(a))
    return form if same else None


_PROBES = ("0.3125", "-0.6875", "2.4375", "-3.1875")  # on both sides of 0 and of ±1, where forms change
