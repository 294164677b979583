"""Names of a network's arrays, printed apart from one another and from those that the generator makes.

A name of a layer is printed with the layer's number behind it: ``total`` of layer 2 is ``total2``, and ``dW1`` is what
the gradient of ``W`` of layer 1 is called.
"""

from __future__ import annotations

from collections.abc import Iterable

from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.printing import identifier, split

# of the network, of shifted sums, of what kernels sum and share, and of functions and settings that end in a number
NUMBERED = frozenset(
    ("F", "N", "X", "Y", "e", "expm", "f", "l", "m", "mask", "masks", "patches", "row_max", "row_sum", "s", "shared",
     "t", "total", "x", "y")
)  # fmt: skip
# what is made of a name: gradients, velocities, means, sums over a batch, norms of units, copies of a state
OF_EACH = ("∂l/∂{}", "v{}", "mean_{}", "sum_{}", "norm{}", "old_{}")


COPIED = frozenset({"total", "shared"})  # of which tiles have several: total_1, total_2
_SHARED = ("a", "h", "∂l/∂a", "∂l/∂h")  # what every layer has


class Allocator:
    """Hands out the names of one layer, printed apart from all that the generator has, and from all made of them.

    >>> layer = Allocator("2")
    >>> [layer.allocate(word) for word in ("W", "s", "total", "vW", "exp")]
    ['W^2', 's_^2', 'total__^2', 'vW_^2', 'exp_^2']
    """

    def __init__(self, layer: str, others: Iterable[str] = ()) -> None:
        self.layer = layer
        self._used = {identifier(f"{name}^{layer}") for name in _SHARED} | FUNCTIONS.keys()
        for name in others:
            self._used |= _made_of(name)

    def allocate(self, word: str) -> str:
        """Return a word with the layer's number, and as many underscores between them as keep it apart."""
        while self._meets_another(word):
            word += "_"
        name = f"{word}^{self.layer}"
        self._used |= _made_of(name)
        return name

    def _meets_another(self, word: str) -> bool:
        kernels_own = word in NUMBERED or word in {f"{letter}_" for letter in COPIED}
        return kernels_own or bool(_made_of(f"{word}^{self.layer}") & self._used)


def word_of(name: str) -> str:
    """Return what a user calls an array of a layer: without number and marks."""
    return split(name)[0].rstrip("_")


def apart(name: str, others: Iterable[str]) -> str:
    """Return a name, its letter marked by as many underscores as keep its identifier apart from others.

    >>> apart("G^1", {"W^1"}), apart("G^1", {"G^1", "W^1"})
    ('G^1', 'G_^1')
    """
    letter, layer = split(name)
    used = {identifier(other) for other in others}
    while identifier(candidate := f"{letter}^{layer}") in used:
        letter += "_"
    return candidate


def _made_of(name: str) -> set[str]:
    return {identifier(name), *(identifier(template.format(name)) for template in OF_EACH)}
