"""What a formula does by its values: refused, noted in the derivation, advised against, drawn."""

import math
import os
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import sympy

from symbackprop import Network, build, cli, derive
from symbackprop.definitions.activations import ACTIVATIONS, a
from symbackprop.definitions.penalties import PENALTIES
from symbackprop.derivation.validate import advise, derivative, kinks, refuse, values
from symbackprop.explain.plot import plot_activation
from symbackprop.expr.functions import FUNCTIONS
from symbackprop.parse.formula import parse
from symbackprop.train.request.advice import AdviceWarning, advice_of, warn_of

AT = np.array([-3.0, -1.0, -0.25, 0.0, 0.25, 1.0, 3.0])


def scalar(text):
    return Network((text,)).resolved.activations[0].at_start()


@pytest.mark.parametrize("text", [*ACTIVATIONS, "abs(a**2-1)", "max(a, min(a**3, 2))", "1 if -1 < a <= 1 else a",
                                  "1 if not a > 1 else a", "a if a < -1 or a > 1 else 0", "erfc(a)*2**a"])  # fmt: skip
def test_values_are_those_of_sympy(text):
    for found, point in zip(values(scalar(text), a, AT), AT, strict=True):
        right = scalar(text).subs(a, sympy.Rational(str(point))).evalf(20)
        assert abs(found - complex(right)) < 1e-12


def test_what_is_not_real_is_complex_and_what_overflows_infinite():
    assert values(sympy.log(a), a, np.array([-1.0])).imag == pytest.approx(np.pi)
    assert np.isinf(values(sympy.exp(sympy.exp(a)), a, np.array([50.0])).real)


@pytest.mark.parametrize(
    "text", ["sqrt(a)", "log(a)", "a**0.5", "asin(a)", "acosh(a)", "atanh(a)", "log(a**3)", "a**1.5"]
)
def test_formulas_that_are_not_real_everywhere_are_refused_with_a_place(text):
    for make in (derive, build):
        with pytest.raises(ValueError, match=r"is not real at a = -?\d") as raised:
            make(Network((text,)))
        assert "\n" not in str(raised.value)
    with pytest.raises(ValueError, match="the penalty .* is not real at w = "):
        derive(Network(penalty=text.replace("a*", "w*").replace("(a)", "(w)")))


@pytest.mark.parametrize("text", ["sign(a)", "heaviside(a-1)", "1 if a > 0 else 2", "sign(a)+sign(a-1)", "3",
                                  "0*a+7", "a-a"])  # fmt: skip
def test_formulas_that_are_flat_almost_everywhere_are_refused(text):
    for make in (derive, build):
        with pytest.raises(ValueError, match="is flat almost everywhere"):
            make(Network((text,)))


@pytest.mark.parametrize("text", ["floor(a)", "round(a)", "ceil(a)"])
def test_steps_are_not_even_parsed(text):
    with pytest.raises(ValueError, match="flat almost everywhere"):
        parse(text, {"a": a})


KINKS = {
    "relu": ["its derivative jumps at a = 0 from 0 to 1, and is 0 there"],
    "tanh": [],
    "elu": [],
    "abs(a)": ["its derivative jumps at a = 0 from -1 to 1, and is 0 there"],
    "abs(a**2-1)": [f"its derivative jumps at a = {n} from -2 to 2, and is 0 there" for n in (-1, 1)],
    "a*abs(a)": [],
    "a if a > 0 else a-1": ["jumps at a = 0 from -1 to 1e-07, of which its derivative knows nothing"],
    "max(a, 0.5)": ["its derivative jumps at a = 0.5 from 0 to 1, and is 0 there"],
}


@pytest.mark.parametrize("text", KINKS)
def test_kinks_are_told_in_the_derivation(text):
    assert kinks(scalar(text)) == KINKS[text]
    notes = [step.note for step in derive(Network((text,))) if step.rule == "partial derivative" and step.note]
    assert notes == (["; ".join(KINKS[text])] if KINKS[text] else [])
    derive(Network((text,))).check()


@pytest.mark.parametrize("text", [*KINKS, "max(a, 0)*sign(a-1)", "min(1, abs(a-2))", "sqrt(abs(a)+1)", "abs(sin(a))*a"])
def test_derivatives_are_finite_at_kinks(text):
    at = np.arange(-4, 4.25, 0.25)
    assert np.isfinite(values(derivative(scalar(text)), a, at)).all()


ADVICE = {
    "1/a": ["is not finite at a = 0"],
    "exp(a)": ["has a derivative above 1000 at a = 6.95"],
    "exp(exp(a))": ["is not finite at a = 6.6", "has a derivative above 1000 at a = 1.7"],
    "gaussian": ["is even around 0"],
    "a**2": ["is even around 0"],
    "tanh": [],
    "relu": [],
    "sine": [],
    "sqrt(abs(a))": [],  # even, but steep at 0
}


@pytest.mark.parametrize("text", ADVICE)
def test_advice(text, tmp_path, monkeypatch, capsys):
    found = advise(Network((text,)).resolved)
    assert len(found) == len(ADVICE[text])
    assert all(word in line for word, line in zip(ADVICE[text], found, strict=True))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build(Network((text,)))
    assert [str(w.message) for w in caught if issubclass(w.category, AdviceWarning)] == found
    monkeypatch.chdir(tmp_path)
    assert cli.run(["generate", f"--activation={text}", "-o", "x.py"]) == 0
    assert capsys.readouterr().err.splitlines() == [f"symbackprop: warning: {line}" for line in found]


def test_what_starts_flat_and_learns_a_slope_is_legal_and_advised_against():
    (line,) = advise(Network(("slope*a",), learned={"slope": 0}).resolved)
    assert "is constant where its learnt parameters start" in line
    refuse(Network(("slope*a",), learned={"slope": 0}).resolved)
    with pytest.raises(ValueError, match="is flat almost everywhere"):
        refuse(Network(("slope*sign(a)",), learned={"slope": 0}).resolved)


def test_advice_stands_in_the_module_and_is_said_once_a_process():
    spec = {"advice": ["a line that no formula has", "another"]}
    assert advice_of(spec) == spec["advice"]
    assert advice_of(spec) == []
    assert advice_of({}) == []
    with pytest.warns(AdviceWarning, match="a third line"):
        warn_of({"advice": ["a third line", "another"]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of({"advice": ["a third line", "another"]})


ADVISED = """
import sys
from symbackprop import cli
sys.exit(max(cli.run(["train", "data.csv", "--activation", "a**2", "--hidden", "2", "--epochs", "1"]) for _ in range(2)))
"""


def test_every_process_is_told_what_a_cached_module_is_advised_against(tmp_path):
    rows = [f"{n},{n % 5},{'left' if n % 2 else 'right'}" for n in range(40)]
    (tmp_path / "data.csv").write_text("\n".join(["u,v,side", *rows]))
    environment = {**os.environ, "SYMBACKPROP_CACHE_DIR": str(tmp_path / "cache"), "NUMBA_DISABLE_JIT": "1"}
    for _ in range(2):  # the second finds the module in the cache
        done = subprocess.run(
            [sys.executable, "-c", ADVISED], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr.count("symbackprop: warning: the activation a² is even around 0") == 1


@pytest.mark.parametrize("text", ["3", "0*w", "sign(w)", "heaviside(w - 1)", "w - w + 2"])
def test_penalties_without_a_slope_are_refused(text, capsys):
    for make in (derive, build):
        with pytest.raises(ValueError, match="it would change nothing"):
            make(Network(penalty=text))
    assert cli.run(["derive", f"--penalty={text}"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "text", ["w", "-w**2", "-w**64", "-exp(w)", "-log(1+w**2)", "-sqrt(abs(w))", "w*sin(w)", "w**3"]
)
def test_penalties_without_a_lower_bound_are_advised_against(text):
    (line,) = advise(Network(penalty=text).resolved)
    assert "has no lower bound" in line


@pytest.mark.parametrize(
    "text",
    [
        *PENALTIES,
        "w**2",
        "log(1+w**2)",
        "w**4-w**2",
        "cos(w)",
        "-arctan(w)",
        "w**2*exp(-w)",
        "max(abs(w), 1)",
        "-gauss",
    ],
)
def test_penalties_with_a_lower_bound_are_not(text):
    assert advise(Network(penalty=text.replace("gauss", "exp(-w**2)")).resolved) == []


def test_penalties_that_are_infinite_somewhere_are_advised_against():
    (line,) = advise(Network(penalty="1/abs(w)").resolved)
    assert line.endswith("is not finite at w = 0: training may stop there")


def test_kinks_are_printed(tmp_path, capsys):
    assert cli.run(["plot-activation", "max(a, 0.1*a)", "-o", str(tmp_path / "x.png")]) == 0
    assert "kink: its derivative jumps at a = 0 from 0.1 to 1" in capsys.readouterr().out


def test_a_learnt_parameter_is_drawn_at_its_initial_value(tmp_path, capsys):
    options = ["max(a, slope*a)", "--learn", "slope=0.1", "-o", str(tmp_path / "x.png")]
    assert cli.run(["plot-activation", *options]) == 0
    first, second, _ = capsys.readouterr().out.splitlines()
    assert first == "slope = 0.1, the value from which it is learnt"
    assert second.startswith("kink: its derivative jumps at a = 0 from 0.1 to 1")


WRONG = {
    "a loss without outputs": (lambda: Network(loss="y**2"), "does not depend on the outputs f"),
    "a function of numbers": (lambda: Network((math.tanh,)), "use SymPy's functions"),
    "an initial value": (lambda: refuse(Network(("log(exp(a*beta)+1)/beta",), learned={"beta": 0}).resolved),
                         "is not finite with beta = 0"),
    "twice": (lambda: Network(("slope*a",), learned={"slope": 1}, constants={"slope": 2}), "both a constant and learnt"),
    "no real loss": (lambda: build(Network(loss="-y*log(f)-(1-y)*log(1-f)")),
                     "use the output function softmax or sigmoid"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_is_said(name):
    make, message = WRONG[name]
    with pytest.raises(ValueError) as caught:
        make()
    assert message in str(caught.value)


def test_nested_functions_take_their_time_but_end():
    start = time.process_time()
    build(Network(("tanh(" * 12 + "a" + ")" * 12,)))
    assert time.process_time() - start < 20


@pytest.mark.parametrize("text", [*ACTIVATIONS, "1/a", "exp(exp(a))"])
def test_every_activation_can_be_drawn(text, tmp_path):
    assert plot_activation(tmp_path / "g.png", Network((text,))).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["foo(a)", "-o", "x.png"], "unknown function foo"),
        (["tanh", "-o", "x.png", "--span", "0"], "the span is 0.0, expected a positive number"),
        (["tanh", "-o", "x.png", "--span", "nan"], "the span is nan"),
        (["b*a", "-o", "x.png", "--constant", "b"], "--constant is 'b', expected a name and its value, a finite number, such as b=0.5"),
        (["sqrt(a)", "-o", "x.png"], "is not real at a = -0.05"),
        (["b*a", "-o", "x.png", "--constant", "b=1", "--constant", "b=2"], "--constant gives 'b' twice, expected it once"),
        (["tanh", "-o", "x.jpg"], "the picture is x.jpg, expected a name that ends in .png, .pdf or .svg"),
    ],
)
def test_bad_input_draws_nothing(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run(["plot-activation", *arguments]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_every_function_of_the_parser_can_be_drawn_and_differentiated(tmp_path):
    for name, count in ((name, function.inputs) for name, function in FUNCTIONS.items()):
        inside = {"acosh": "2+a**2", "asin": "a/(1+a**2)", "acos": "a/(1+a**2)", "atanh": "a/(1+a**2)", "sqrt": "1+a**2",
                  "log": "1+a**2", "log1p": "a**2", "tan": "a/(1+a**2)", "log2": "1+a**2", "log10": "1+a**2", "atan2": "a, 0.5"}.get(name, "a")  # fmt: skip
        text = f"a + {name}({inside}{'' if count else ', 0.5'})"
        assert values(derivative(scalar(text)), a, AT).shape == AT.shape, name
        plot_activation(tmp_path / "g.png", Network((text,)))
