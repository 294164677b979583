"""A kernel that reads what nothing has bound is refused, with the name; the others pass."""

import pytest
from sympy import Integer, Symbol

from symbackprop import Network, build
from symbackprop.expr.symbols import Finite, array, scalar, size
from symbackprop.loops import verify as verification
from symbackprop.loops.ir import Accumulate, Argument, Assign, Call, If, Kernel, Loop, Row
from symbackprop.loops.verify import verify

n, m = size("n"), size("m")
i, j = (Symbol(name, integer=True, nonnegative=True) for name in "ij")
a, b, c = map(array, "abc")
s, t = scalar("s"), scalar("t")


def kernel(*body, returns=()):
    return Kernel("run", (Argument("a", (n,)), Argument("t")), (Argument("b", (n,)),), body, returns)


GOOD = {
    "an update in the order of examples": kernel(Loop(i, n, (Loop(j, n, (Accumulate(a[j], a[j] * t),)),), ordered=True)),
    "an update of each element": kernel(Loop(i, n, (Accumulate(a[i], a[i] * t),))),
    "an argument": kernel(Assign(s, a[0] + t)),
    "a work array after its first assignment": kernel(Assign(b[0], a[0]), Accumulate(b[0], a[1])),
    "the index of a loop": kernel(Loop(i, n, (Assign(b[i], a[i] * i),))),
    "a size": kernel(Assign(s, a[0] / n)),
    "a row": kernel(Row("c", "a", Integer(0)), Assign(s, c[0])),
    "what a loop accumulates": kernel(Assign(s, t), Loop(i, n, (Accumulate(s, a[i]),)), returns=(s,)),
}
BAD = {
    "a scalar nobody assigned": (kernel(Assign(t, s)), "s"),
    "an array nobody has": (kernel(Assign(s, c[0])), "c"),
    "a work array before its first assignment": (kernel(Assign(s, b[0])), "b"),
    "a sum that does not begin": (kernel(Accumulate(s, a[0])), "s"),
    "an accumulated element": (kernel(Accumulate(b[0], a[0])), "b"),
    "an index outside of its loop": (kernel(Assign(s, a[i])), "i"),
    "an index before its loop": (kernel(Assign(s, a[i]), Loop(i, n, (Assign(b[i], t),))), "i"),
    "an index after its loop": (kernel(Loop(i, n, (Assign(b[i], t),)), Assign(s, a[i])), "i"),
    "a size of nothing": (kernel(Loop(i, m, (Assign(b[i], t),))), "m"),
    "a condition": (kernel(If(s > 0, (Assign(t, a[0]),))), "s"),
    "a finite condition": (kernel(If(~Finite(s), (Assign(t, a[0]),))), "s"),
    "within a condition": (kernel(If(t > 0, (Assign(t, s),))), "s"),
    "a row of nothing": (kernel(Row("r", "c", Integer(0))), "c"),
    "the row's number": (kernel(Row("r", "a", i)), "i"),
    "a result": (kernel(Assign(b[0], t), returns=(s,)), "s"),
    "an update that a sum reads": (kernel(Loop(i, n, (Loop(j, n, (Accumulate(a[j], a[j] * t),)),))), "a[j]"),
    "another element of its target": (kernel(Loop(i, n, (Assign(a[0], a[i] + a[0]),))), "a[0]"),
    "an array and a number of one name": (kernel(Assign(scalar("a"), a[0])), "a"),
    "two names printed alike": (kernel(Assign(scalar("l1"), t), Assign(scalar("λ₁"), t)), "λ₁"),
    "its own value": (kernel(Assign(s, s + 1)), "s"),
    "an index of the target": (kernel(Assign(b[i], t)), "i"),
}


@pytest.mark.parametrize("name", GOOD)
def test_accepts(name):
    verify(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_refuses(name):
    wrong, what = BAD[name]
    with pytest.raises(ValueError, match=r"kernel run: ") as raised:
        verify(wrong)
    message = str(raised.value)
    assert message.removeprefix("kernel run: ").startswith(what)
    assert "\n" not in message


def test_every_kernel_of_a_module_is_verified(monkeypatch):
    verified = []
    monkeypatch.setattr("symbackprop.compiler.verify", lambda kernel, functions: verified.append((kernel, functions)))
    made = build(Network(())).kernels
    assert {*made} <= {kernel for kernel, _ in verified}
    assert {"forward", "loss", "backward", "sgd"} <= {k.name for k, _ in verified}
    assert all({"exp", "real", "np", "sgd"} <= {*functions} for _, functions in verified)


def test_a_name_is_not_that_of_a_function():
    with pytest.raises(ValueError, match="kernel run: s is printed as the function s"):
        verify(kernel(Assign(s, t)), {"s"})


def _calling(depth):
    """A kernel that fills two arrays, in calls of one that does, and so on; all called twice."""
    arguments = (Argument("a", (n,)), Argument("b", (n,)))
    call = Call(_calling(depth - 1), (a, b)) if depth else Loop(i, n, (Assign(a[i], Integer(0)), Assign(b[i], i)))
    return Kernel(f"run{depth}", arguments, (), (call, call))


def test_what_is_called_is_looked_at_twice_however_deep_the_calls_are(monkeypatch):
    looked_at = []
    real = verification._unbound
    monkeypatch.setattr(verification, "_unbound", lambda kernel, bound: looked_at.append(kernel) or real(kernel, bound))
    verification._filled.cache_clear()
    verify(_calling(12))
    assert len(looked_at) <= 2 * 13


def test_a_called_kernel_fills_what_it_assigns_before_it_reads_it():
    filling = Kernel("fill", (Argument("a", (n,)),), (), (Loop(i, n, (Assign(a[i], Integer(0)),)),))
    adding = Kernel("add", (Argument("a", (n,)),), (), (Loop(i, n, (Accumulate(a[i], Integer(1)),)),))
    own = (Argument("b", (n,)),)
    verify(Kernel("run", (), own, (Call(filling, (b,)), Call(adding, (b,)))))
    with pytest.raises(ValueError, match="kernel run: b is read before it is bound"):
        verify(Kernel("run", (), own, (Call(adding, (b,)), Call(filling, (b,)))))
