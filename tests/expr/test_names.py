"""No name that a user can give meets one that the generator makes: it is kept apart, or refused in one line."""

import warnings

import pytest

from symbackprop import Network, averagepool, build, check_module, conv, dense, layer
from symbackprop.expr.names import NUMBERED, OF_EACH, apart, require_apart

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


@pytest.mark.parametrize("network", [parameter, value, learnt, learnt_in_dense])
@pytest.mark.parametrize("word", MADE)
def test_a_word_of_the_generator_is_kept_apart_or_refused(network, word):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = network(word)
        except ValueError as error:
            refusal = str(error)
        else:
            refusal = ""
            results = check_module(build(made, dtype="float64", exact_form=True), compiled=())
            assert all(r.passed for r in results), results
    assert word in refusal or not refusal
    assert "\n" not in refusal


def test_apart():
    assert apart("G^1", {"G^2", "W^1"}) == "G^1"
    assert apart("G^1", {"G^1", "G_^1"}) == "G__^1"
    assert apart("∂l/∂W^1", {"dW^1"}) == "∂l/∂W_^1"


@pytest.mark.parametrize(("names", "what"), [
    (["W^1", "dW^1"], "dW1"), (["vW^2", "W^2"], "vW2"), (["W^1", "mean_W^1"], "mean_W1"), (["β^1", "beta^1"], "beta1"),
])  # fmt: skip
def test_names_that_are_printed_alike_are_refused(names, what):
    with pytest.raises(ValueError, match=f"would (both )?be {what} in kernels"):
        require_apart(names)
