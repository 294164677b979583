import re

import pytest

from symbackprop.train.request import choices

SPEC = {"hyperparameters": {"decay": 0.0, "l2": 0.0}, "loss": "nll"}
NOBODY_SAID = {"decay": None, "l2": None, "l1": None}


def test_hyperparameters_are_those_of_the_module():
    assert choices.hyperparameters(SPEC, NOBODY_SAID) == {"decay": 1e-5, "l2": 1e-4}
    assert choices.hyperparameters(SPEC, NOBODY_SAID | {"l2": 0.0}) == {"decay": 1e-5, "l2": 0.0}
    assert choices.hyperparameters({"hyperparameters": []}, NOBODY_SAID) == {}


@pytest.mark.parametrize(("name", "needed"), [("l1", "--penalty l1 or l1+l2"), ("decay", "--step-size inverse")])
def test_a_hyperparameter_without_effect_is_refused(name, needed):
    spec = {"hyperparameters": ["l2"]}
    with pytest.raises(ValueError, match=f"{name} is 0.5, but the network has no {name}; it needs {re.escape(needed)}"):
        choices.hyperparameters(spec, NOBODY_SAID | {name: 0.5})


@pytest.mark.parametrize(
    ("loss", "rate"),
    [("nll", 0.02), ("bce", 0.02), ("squared", 0.01), ("-log(f[y])", 0.02), ("sqrt(1+(f-y)**2)-1", 0.01)],
)
def test_the_learning_rate_goes_with_the_output(loss, rate):
    asked = {"epochs": 1, "look_ahead": 1, "seed": 0, "given": NOBODY_SAID}
    output = choices.output_for(loss, None)
    assert choices.settings(output, learning_rate=None, **asked).learning_rate == rate
    assert choices.settings(output, learning_rate=0.5, **asked).learning_rate == 0.5


@pytest.mark.parametrize("given", [["beta"], ["beta="], ["beta=x"], ["beta=nan"], ["beta=inf"], ["b=1", "b=2"]])
def test_a_constant_that_is_no_name_and_number_is_refused(given):
    with pytest.raises(ValueError, match=f"--constant (is '{given[-1]}', expected a name and its value|gives 'b' twice)"):
        choices.named_numbers("--constant", given)


def test_a_request_keeps_what_typed_formulas_need():
    more = {"output": "identity", "constants": {"beta": 1.5}}
    asked = choices.request(["a*exp(-beta*a**2)"], loss="abs(f-y)", penalty="l2", **more)
    assert choices.network_arguments(asked).items() >= more.items()
    plain = choices.request(["tanh"], loss="nll", penalty="l2")
    assert not set(more) & set(plain)
    for wrong in ({"constants": [1]}, {"output": 3}, {"more": 1}):
        with pytest.raises(ValueError, match="use --module PATH"):
            choices.network_arguments(plain | wrong)


@pytest.mark.parametrize("asked", [{}, {"activations": ["tanh"]}, choices.request([1], loss="nll", penalty="l2")])
def test_a_request_out_of_a_file_is_checked(asked):
    with pytest.raises(ValueError, match="use --module PATH"):
        choices.network_arguments(asked)


def test_a_request_may_say_what_is_learnt():
    asked = choices.request(["prelu"], loss="nll", penalty="l2", learned={"slope": 0.1})
    assert choices.network_arguments(asked)["learned"] == {"slope": 0.1}
    for bad in ({"slope": "0.1"}, [["slope", 0.1]], None):
        with pytest.raises(ValueError, match="use --module PATH"):
            choices.network_arguments({**asked, "learned": bad})


def test_a_request_from_before_parameters_were_learnt_is_still_answered():
    asked = choices.request(["tanh"], loss="nll", penalty="l2")
    del asked["learned"], asked["learned_per_unit"]
    assert choices.network_arguments(asked)["activations"] == ("tanh",)
