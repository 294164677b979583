"""No name that a user can give meets one that the generator makes: it is printed apart, or no name in a formula."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import Network, averagepool, build, check_module, conv, dense, layer
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.expr.names import NUMBERED, OF_EACH, Allocator, apart, word_of
from symbackprop.expr.printing import identifier

MADE = sorted(NUMBERED) + [t.format("W").replace("∂l/∂", "d") for t in OF_EACH] + [
    *"GHDKApuSE", "norm", "row", "step", "largest", "count", "block", "weight", "losses", "kernel", "real", "exp", "n",
]  # fmt: skip
EVERYTHING = {"loss": "squared", "update": "momentum+clip+max_norm+average", "dropout": True}
G = "a/(1 + a**2)"


def parameter(word):
    return Network([layer(f"a[i] = b[i] + {word}[i]*sum(W[i,j]*h[j], j)", i=2), G, dense(2)], input=(3,), **EVERYTHING)


def value(word):
    text = f"{word}[i] = sum(W[i,j]*h[j], j); a[i] = b[i] + {word}[i]**2"
    return Network([layer(text, i=2), G, dense(2)], input=(3,), **EVERYTHING)


def learnt(word):
    items = [conv(2, 2), f"a/(1 + {word}*a**2)", averagepool(2), dense(2)]
    return Network(items, input=(1, 5, 5), learned={word: 0.5}, **EVERYTHING)


def learnt_in_dense(word):
    return Network((f"a/(1 + {word}*a**2)",), learned={word: 0.5}, **EVERYTHING)


READ_OTHERWISE = {*FUNCTIONS, "e", "f", "h", "l", "n", "y", "a", "x"}  # what a formula means by these words


@pytest.mark.parametrize("network", [parameter, value, learnt, learnt_in_dense])
@pytest.mark.parametrize("word", MADE)
def test_a_word_of_the_generator_is_printed_apart(network, word):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, refusal = _made_or_refused(network, word)
        if refusal:
            assert word in READ_OTHERWISE or (len(word) == 1 and "learnt" in network.__name__), refusal
            assert word in refusal
            assert "\n" not in refusal
        else:
            results = check_module(build(made, dtype="float64", exact_form=True), compiled=())
            assert all(r.passed for r in results), results


def _made_or_refused(network, word):
    try:
        return network(word), ""
    except ValueError as error:
        return None, str(error)


WORDS = st.sampled_from([*NUMBERED, "W", "v", "vW", "vvW", "d", "dW", "ddW", "mean_W", "mean_", "old_W", "norm", "normW",
                         "sum_W", "W_", "total_", "log", "atan", "slope"])  # fmt: skip


@given(st.lists(WORDS, unique=True), st.integers(1, 12))
def test_no_two_names_are_printed_alike_nor_what_is_made_of_them(words, number):
    layer_of_one = Allocator(str(number))
    names = [layer_of_one.allocate(word) for word in words]
    printed = [{identifier(template.format(name)) for template in ("{}", *OF_EACH)} for name in names]
    assert sum(map(len, printed)) == len(set().union(*printed))
    of_kernels = {f"{word}{number}" for word in NUMBERED} | {f"{word}_{number}" for word in ("total", "shared")}
    assert not {identifier(name) for name in names} & (of_kernels | FUNCTIONS.keys())
    assert [word_of(name) for name in names] == [word.rstrip("_") for word in words]


def test_apart():
    assert apart("G^1", {"G^2", "W^1"}) == "G^1"
    assert apart("G^1", {"G^1", "G_^1"}) == "G__^1"
    assert apart("∂l/∂W^1", {"dW^1"}) == "∂l/∂W_^1"
