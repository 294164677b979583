"""Losses by their values: convex ones with their minimum at the target are sound, their negatives never are."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from symbackprop import Network, build, cli, derive
from symbackprop.definitions.losses import LOSSES
from symbackprop.derivation.validate import advise
from symbackprop.derivation.validate_loss import advise_on_loss, require_sound

# convex in u with their only minimum at 0, so that f = y is best for every target
CONVEX = ["u**2", "abs(u)", "u**4", "sqrt(1+u**2)-1", "log(cosh(u))", "exp(u)-u-1", "max(0.9*u,-0.1*u)", "u**2 if abs(u) < 1 else 2*abs(u)-1",
          "abs(u)-log(1+abs(u))", "u**2+abs(u)", "log(1+exp(u))+log(1+exp(-u))", "u*arctan(u)"]  # fmt: skip
# largest at p = 0, smallest at p = 1
OF_RIGHT_CLASS = ["-log(p)", "1-p", "(1-p)**2", "1/p", "-sqrt(p)", "-p**3", "-log(p)*(1-p)**2", "exp(-p)"]
SEEDED = settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])  # a loss is short as it is
FACTORS = st.floats(0.05, 20).map(lambda x: float(f"{x:.2g}"))


def unsound(loss, output=None, target=None):
    network = Network((), loss=loss, output=output, target=target)
    require_sound(network.resolved)
    return advise_on_loss(network.resolved)


@st.composite
def between_values(draw):
    parts = draw(st.lists(st.tuples(FACTORS, st.sampled_from(CONVEX), FACTORS), min_size=1, max_size=2))
    shift = "(f-y)" if draw(st.booleans()) else "(y-f)"
    return " + ".join(f"{c:f}*({text.replace('exp', 'EXP').replace('u', f'({s:f}*{shift})').replace('EXP', 'exp')})"
                      for c, text, s in parts)  # fmt: skip


@st.composite
def of_classes(draw):
    parts = draw(st.lists(st.tuples(FACTORS, st.sampled_from(OF_RIGHT_CLASS)), min_size=1, max_size=2))
    return " + ".join(f"{c:f}*({text.replace('exp', 'EXP').replace('p', 'f[y]').replace('EXP', 'exp')})" for c, text in parts)


@SEEDED
@given(between_values(), st.sampled_from([None, "sigmoid", "softmax"]))
def test_convex_losses_with_the_minimum_at_the_target_are_sound_and_their_negatives_are_not(loss, output):
    assert unsound(loss, output) == []
    (line,) = unsound(f"-({loss})", output)
    assert "has no lower bound" in line or "is largest where the output is the target" in line


@SEEDED
@given(of_classes())
def test_losses_that_fall_with_the_right_class_are_sound_and_their_negatives_are_not(loss):
    assert unsound(loss) == []
    (line,) = unsound(f"-({loss})")
    assert "has no lower bound" in line or "is largest where the output is the target" in line


@SEEDED
@given(between_values())
def test_losses_of_the_output_alone_or_the_target_shifted_to_nowhere_are_not_sound(loss):
    assert "whatever the target is" in unsound(loss.replace("(f-y)", "f").replace("(y-f)", "f"))[0]


@pytest.mark.parametrize("loss", [
    "exp(f) - y*f", "log(1+exp(f)) - y*f", "log(1+exp(-y*f))", "max(0, 1-y*f)", "y*f**2 + (1-y)*max(0, 1-f)**2", "1-cos(f-y)",
    "log(1+(f-y)**2)", "1-exp(-(f-y)**2)", "max(abs(f-y)-0.1, 0)", "(f-2*y)**2", "(f-y)**2 - log(1+exp(f))",
])  # fmt: skip
def test_losses_of_the_literature_are_sound_for_the_targets_they_are_meant_for(loss):
    assert unsound(loss) == []


@pytest.mark.parametrize("slope", [0.1, 1, 34.81, 1e4])
def test_a_kink_at_the_target_is_seen_there_however_steep(slope):
    loss = f"{slope}*abs(f-y) + {slope}*abs(f-y)"
    assert unsound(loss, "sigmoid") == []
    assert "is largest where the output is the target" in unsound(f"-({loss})", "sigmoid")[0]


UNSOUND = {
    "f - y": "has no lower bound",
    "-(f-y)**2": "has no lower bound",
    "log(f[y])": "has no lower bound",
    "y*f": "has no lower bound",
    "1/(f-y)": "has no lower bound",
    "log(abs(f-y))": "has no lower bound",
    "-log(1+(f-y)**2)": "has no lower bound",
    "f[y]": "is largest where the output is the target",
    "cos(f-y)": "is largest where the output is the target",
    "f**2": "whatever the target is",
    "exp(f-y)": "whatever the target is",
}


@pytest.mark.parametrize("loss", UNSOUND)
def test_unsound_losses_are_advised_against(loss):
    (line,) = unsound(loss)
    assert UNSOUND[loss] in line
    assert advise(Network((), loss=loss).resolved) == [line]


def test_the_advice_on_a_loss_stands_in_the_module():
    with pytest.warns(match="the loss f - y has no lower bound"):
        module = build(Network((), loss="f - y"))
    assert module.spec["advice"] == advise(Network((), loss="f - y").resolved)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("layered", [False, True])
def test_losses_of_the_table_are_sound_with_their_own_output(name, layered):
    network = Network(("dense(1)",), input=2, loss=name) if layered else Network((), loss=name)
    require_sound(network.resolved)
    assert advise_on_loss(network.resolved) == []


def test_a_loss_as_a_function_is_judged_with_any_output():
    def gaussian(f, y, axis):
        return axis.sum(lambda i: (f[i] - y[i]) ** 2)

    assert unsound(gaussian, "identity") == []
    assert unsound(lambda f, y, axis: -gaussian(f, y, axis), "identity")
    assert unsound(gaussian, lambda a, i, axis: a[i] / (1 + a[i] ** 2), "vector") == []


REFUSED = {
    ("nll", "identity"): "the loss nll is not real at f = -1, .* use the output function softmax",
    ("bce", "identity"): "the loss bce is not real at f = 3 and y = 0, .* use the output function sigmoid",
    ("f - y*log(f)", "identity"): "is not real at f = -1 and y",
    ("sqrt(f-y)", "identity"): "is not real at",
    ("sign(f-y)", None): "is flat almost everywhere",
    ("1 if f*y < 0 else 0", None): "is flat almost everywhere",
    ("heaviside(0.5-f[y])", None): "is flat almost everywhere",
}


@pytest.mark.parametrize(("loss", "output"), REFUSED)
def test_losses_from_which_nothing_can_be_learnt_are_refused_early(loss, output, capsys):
    for make in (derive, build):
        with pytest.raises(ValueError, match=REFUSED[loss, output]) as caught:
            make(Network(loss=loss, output=output))
        assert "\n" not in str(caught.value)
    assert cli.run(["derive", f"--loss={loss}", *([f"--output-function={output}"] if output else [])]) == 2
    assert capsys.readouterr().err.count("\n") == 1
