"""Random networks compute what their definitions say, exactly where they are rational: `make fuzz` looks at many."""

import pytest

from tests.fuzz import networks
from tests.fuzz.networks import Case, OwnLayer, agree
from tests.fuzz.tape import Number, slopes

SEEDS = range(1, 11)
FEW = 10


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(seed, capsys):
    assert networks.run(FEW, seed) == 0, capsys.readouterr().out


def test_a_wrong_definition_is_seen():
    shape, total = (("i", 2), ("j", 3)), ("sum", ("j",), ("*", _read("W", "i", "j"), _read("h", "j")))
    own = OwnLayer((("a", ("i",), ("+", total, _read("b", "i"))),), shape, "a/(1 + a**2)")
    last = OwnLayer((("a", ("i",), ("sum", ("j",), ("*", _read("W", "i", "j"), _read("h", "j")))),), (("i", 1), ("j", 2)), "")
    case = Case((own, last), (3,), penalty="l2", update="momentum", weighted=True)
    assert agree(case)
    networks.RATIONAL["a/(1 + a**2)"], right = (lambda a: a / (a**2 + 2)), networks.RATIONAL["a/(1 + a**2)"]
    try:
        with pytest.raises(AssertionError, match="the loss of example 0"):
            agree(case)
    finally:
        networks.RATIONAL["a/(1 + a**2)"] = right


def test_the_tape_knows_the_chain_rule():
    u, v = Number(3), Number(2)
    assert slopes((u * v + u**2) / v, [u, v, Number(1)]) == [4, -2.25, 0]


def _read(name, *letters):
    return ("read", name, tuple((((1, letter),), 0) for letter in letters))
