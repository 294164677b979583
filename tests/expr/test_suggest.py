"""What a misspelt name may have meant: distances against the recursive definition, and mistakes people make."""

from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from symbackprop.definitions.activations import ACTIVATIONS
from symbackprop.expr import suggest
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.symbols import scalar
from symbackprop.parse.formula import parse
from tests.hostile import LOOKALIKES

NAMES = sorted({*ACTIVATIONS, *FUNCTIONS})
letters = st.text("abc", max_size=6)


@cache
def recursive(one, other):
    if not one or not other:
        return len(one) + len(other)
    costs = [
        recursive(one[1:], other) + 1,
        recursive(one, other[1:]) + 1,
        recursive(one[1:], other[1:]) + (one[0] != other[0]),
    ]
    if one[:2] == other[:2][::-1] and len(one) > 1:
        costs.append(recursive(one[2:], other[2:]) + 1)
    return min(costs)


@given(letters, letters)
def test_distance_is_what_the_definition_says(one, other):
    assert suggest.distance(one, other) == recursive(one, other)


@given(st.sampled_from(NAMES), st.integers(0, 20), st.sampled_from(["drop", "double", "swap", "change"]))
def test_a_name_with_one_mistake_is_found(name, at, mistake):
    assume(len(name) > 3)
    i = at % (len(name) - 1)
    wrong = {
        "drop": name[:i] + name[i + 1 :],
        "double": name[: i + 1] + name[i:],
        "swap": name[:i] + name[i + 1] + name[i] + name[i + 2 :],
        "change": name[:i] + "q" + name[i + 1 :],
    }[mistake]
    near = suggest.nearest(wrong, NAMES, len(NAMES))
    assert name in near
    assert all(recursive(wrong, near[0]) <= recursive(wrong, other) for other in near)


@given(st.text(max_size=12))
def test_what_is_nothing_like_a_name_gets_no_suggestion(text):
    for near in suggest.nearest(text, NAMES):
        assert recursive(text.casefold(), near) <= max(1, len(text) // 3) or near.startswith(text.casefold()[:3])


@pytest.mark.parametrize("name", ["gamma", "factorial", "zeta", "floor"])
def test_functions_that_are_not_there_are_not_mistaken_for_others(name):
    with pytest.raises(ValueError, match=name) as caught:
        parse(f"{name}(a)", {"a": scalar("a")})
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize("text", [c for c in LOOKALIKES if c[-1].isprintable() and not c[-1].isascii()])
def test_a_character_that_looks_like_another_is_named(text):
    with pytest.raises(ValueError, match=r"\([A-Z][a-z -]+\)|\\") as caught:
        parse(text, {"a": scalar("a")})
    assert "\\u" not in str(caught.value)
    assert "\n" not in str(caught.value)
