"""Comparisons whose answer is lost to rounding: exp(u) > 1 is false where exp(u) rounds to 1, though u be above 0.

SymPy takes numbers to the other side, whichever way it was written. So where that decides, what is compared with 0 is
the difference of the sides, in a form that keeps its sign.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from mpmath import mp
from sympy import Expr, Piecewise, S, Symbol

from symbackprop.expr.conditions import compared, left_alone
from symbackprop.precision.truth import Truth
from symbackprop.precision.ulp_error import FORMATS, computed

_MAGNITUDES = np.exp2(np.arange(-126, 128, 3))
POINTS = np.concatenate([s * m * _MAGNITUDES for s in (1, -1) for m in (1, 1.37)]).astype(np.float32)


def wrong_answers(relation: Any, x: Symbol) -> int:
    """Return at how many of some points, of all magnitudes, a comparison has another answer in float32 than exactly."""
    holds = Piecewise((S.One, relation), (S.Zero, True), evaluate=False)
    try:
        found = np.broadcast_to(computed(holds, {x: POINTS}), POINTS.shape)
    except NotImplementedError:
        return 0  # not known
    truth = Truth(holds, x, {}, FORMATS["float32"])
    true = [truth(float(point)) for point in POINTS]
    return sum(not mp.isnan(t) and f != t for f, t in zip(found, true, strict=True))


def with_difference(relation: Any, form: Expr) -> Any:
    """Return a comparison with the difference of its sides in another form."""
    return compared(type(relation), left_alone(form), S.Zero)
