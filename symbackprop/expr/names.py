"""Names that the generator makes, kept apart from those that a user gives.

A name of a layer is printed with the layer's number behind it: ``total`` of layer 2 is ``total2``, and ``dW1`` is what
the gradient of ``W`` of layer 1 is called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from symbackprop.expr.printing import identifier, split

# of the network, of shifted sums, of what kernels sum and share, and of functions and settings that end in a number
NUMBERED = frozenset(
    ("F", "N", "X", "Y", "e", "expm", "f", "l", "m", "mask", "masks", "patches", "row_max", "row_sum", "s", "shared",
     "t", "total", "x", "y")
)  # fmt: skip
# what is made of a name: gradients, velocities, means, sums over a batch, norms of units, copies of a state
OF_EACH = ("∂l/∂{}", "v{}", "mean_{}", "sum_{}", "norm{}", "old_{}")


COPIED = frozenset({"total", "shared"})  # of which tiles have several: total_1, total_2


def marked(letter: str) -> str:
    """Return a user's letter, with a mark where kernels have it with a number behind it.

    >>> marked("W"), marked("s"), marked("total")
    ('W', 's_', 'total__')
    """
    return letter + "_" * ((letter in NUMBERED) + (letter in COPIED))


def apart(name: str, taken: Iterable[str]) -> str:
    """Return a name, its letter marked by as many underscores as keep its identifier apart from others.

    >>> apart("G^1", {"W^1"}), apart("G^1", {"G^1", "W^1"})
    ('G^1', 'G_^1')
    """
    letter, layer = split(name)
    used = {identifier(other) for other in taken}
    while identifier(made := f"{letter}^{layer}") in used:
        letter += "_"
    return made


def require_apart(names: Collection[str]) -> None:
    """Raise ValueError if a name of a network is printed as another one is, or as what is made of another one."""
    owners: dict[str, str] = {}
    for name in names:
        if (other := owners.setdefault(identifier(name), name)) != name:
            raise ValueError(f"{_shown(name)} and {_shown(other)} would both be {identifier(name)} in kernels; "
                             f"call one of them otherwise")  # fmt: skip
    for template in OF_EACH:
        for name in names:
            made = identifier(template.format(name))
            if made in owners:
                what = "the gradient" if template == OF_EACH[0] else "what an update keeps"
                raise ValueError(f"{_shown(owners[made])} would be {made} in kernels, as {what} of {_shown(name)}; "
                                 "call it otherwise")  # fmt: skip


def _shown(name: str) -> str:
    letter, layer = split(name)
    return f"{letter!r} of layer {layer}" if layer else repr(letter)
