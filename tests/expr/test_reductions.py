"""Sums and maxima within one another keep their pieces: their values, before and after symbols are replaced."""

import operator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Gt, Integer, Piecewise, Rational, sympify

from symbackprop.expr.reductions import Maximum, Place, Sum
from symbackprop.expr.symbols import array, index, scalar

i, j, b, c = index("i"), index("j"), array("b"), scalar("c")
NUMBERS = st.lists(st.integers(-9, 9), min_size=3, max_size=3)
KINDS = {Sum: sum, Maximum: max}


def value(expr, numbers):
    """Compute an expression without SymPy's own rules for sums."""
    if isinstance(expr, Sum | Maximum | Place):
        (at, low, high), *others = reversed(expr.limits)
        assert not others
        values = [value(expr.function.xreplace({at: Integer(n)}), numbers) for n in range(int(low), int(high) + 1)]
        return values.index(max(values)) if isinstance(expr, Place) else KINDS[type(expr)](values)
    if isinstance(expr, Piecewise):
        return next(value(e, numbers) for e, holds in expr.args if holds == True)  # noqa: E712
    if expr.is_Add or expr.is_Mul:
        whole = value(expr.args[0], numbers)
        for arg in expr.args[1:]:
            whole = (operator.add if expr.is_Add else operator.mul)(whole, value(arg, numbers))
        return whole
    if expr.is_Indexed:
        return sympify(numbers[int(expr.indices[0])])
    return expr


@settings(max_examples=40, deadline=None)
@given(NUMBERS, st.sampled_from([Sum, Maximum]), st.sampled_from([Sum, Maximum, Place]), st.integers(-3, 3))
def test_what_depends_on_the_outer_index_stays_in_the_inner_reduction(numbers, inner, outer, factor):
    pieces = Piecewise((b[j], Gt(i, j)), (0, True))
    whole = outer(c * (b[i] + inner(pieces, (j, 0, 2))) / 2, (i, 0, 2))
    rows = [Rational(factor * (numbers[n] + KINDS[inner](numbers[m] if n > m else 0 for m in range(3))), 2) for n in range(3)]
    expected = rows.index(max(rows)) if outer is Place else KINDS[outer](rows)
    assert value(whole.xreplace({c: Integer(factor)}), numbers) == expected
    assert not whole.free_symbols & {i, j}


@pytest.mark.parametrize("kind", [Sum, Maximum])
def test_a_reduction_of_its_own_kind_is_one_of_both_indices(kind):
    assert kind(kind(b[i] * b[j], (j, 0, 2)), (i, 0, 2)) == kind(b[i] * b[j], (j, 0, 2), (i, 0, 2))
