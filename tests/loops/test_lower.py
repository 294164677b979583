"""Lowered, hoisted and shared, written as Python and run: equations leave the values of their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from sympy import Max, Piecewise, Sum, exp, sin

from symbackprop.calculus.chain import backpropagate
from symbackprop.indices import canonical, named
from symbackprop.emit.to_numba import functions, kernel_text
from symbackprop.loops.ir import Accumulate, Argument, Assign, Kernel, Loop, walk
from symbackprop.loops.lower import lower
from symbackprop.loops.passes.cse import share
from symbackprop.loops.passes.hoist import hoist
from symbackprop.loops.verify import verify
from symbackprop.notation import identifier
from symbackprop.symbols import Axis, Maximum, array, scalar, size
from symbackprop.terms import Equation
from tests.calculus import values
from tests.calculus.test_chain import AT, MODELS, SCALARS, shapes_of
from tests.calculus.test_rules import formulas

n, m, k = map(size, "nmk")
i, j = Axis("i", n), Axis("j", m)
I, J = i.index, j.index  # noqa: E741
W, q, x, v = map(array, "Wqxv")
PASSES = {
    "plain": lambda body: body,
    "hoisted": hoist,
    "shared": share,
    "both": lambda body: hoist(share(body)),
    "twice": lambda body: hoist(share(hoist(share(body)))),
}


def run(equations, arrays, change):
    """Compute equations by loops written as Python; return {(name, indices): number}."""
    defined = {e.name for e in equations}
    shapes = {}
    for name, indices in arrays:
        shapes[name] = np.maximum(shapes.get(name, 0), np.array(indices, int) + 1)
    filled = {name: np.full(shape, np.nan) for name, shape in shapes.items() if len(shape)}
    for (name, indices), number in arrays.items():
        if len(indices) and name not in defined:
            filled[name][indices] = float(number)
    given = {name: float(number) for (name, at), number in arrays.items() if not at and name not in defined}
    returns = tuple(e.lhs for e in equations if not e.over)
    body = change(tuple(s for e in equations for s in lower(e)))
    arguments = [Argument(s.name, (s,)) for s in AT]  # an array of each size
    arguments += [Argument(name, tuple(map(size, "_" * len(shape)))) for name, shape in shapes.items() if len(shape)]
    kernel = Kernel("run", (*arguments, *map(Argument, given)), (), body, returns)
    verify(kernel)
    names = {"kernel": lambda f: f, "real": float, "zero": 0.0, "one": 1.0, "np": np}
    names |= {name: getattr(math, name) for name in functions([kernel])}
    sizes = {f"size_{s.name}": np.empty(number) for s, number in AT.items()}
    exec(kernel_text(kernel), names)
    got = names["run"](*sizes.values(), *filled.values(), *given.values())
    got = got if isinstance(got, tuple) else (got,) * len(returns)
    made = {(name, at): value for name, a in filled.items() for at, value in np.ndenumerate(a)}
    return made | {(e.name, ()): value for e, value in zip(returns, got, strict=True)}


def assert_computed(equations, arrays, change):
    """The precondition of `lower`: no bound index has the name of one around it."""
    equations = tuple(Equation(e.lhs, named(canonical(e.rhs)), e.over) for e in equations)
    expected = values.compute(equations, arrays, AT)
    found = run(equations, dict(expected), change)
    for e in equations:
        for (name, at), number in expected.items():
            if name == e.name:
                assert found[name, at] == pytest.approx(float(number), rel=1e-11, abs=1e-12), f"{e} at {at}"


@pytest.mark.parametrize("change", PASSES.values(), ids=PASSES)
@pytest.mark.parametrize("name", [*MODELS, *SCALARS])
def test_models_and_their_derivatives(name, change):
    equations, wanted = {**MODELS, **SCALARS}[name]
    derived = backpropagate(equations, wanted).results
    arrays = values.Arrays(1, shapes_of((equations, wanted)))
    assert_computed((*equations, *derived), arrays, change)
