"""Typed formulas on the whole way: command line, module, model file; and what is hostile gets nowhere."""

import ast
import json
import shlex

import numpy as np
import pytest

from symbackprop import Network, build, cli, derive
from symbackprop.train.files.model import load_model
from tests.hostile import HOSTILE

MISH, PENALTY, LOSS = "a*tanh(log(1+exp(a)))", "log(1+w**2)", "sqrt(1+(f-y)**2)-1"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Run a command in an empty folder; return its status and what it printed."""
    monkeypatch.chdir(tmp_path)

    def command(line, *more):
        status = cli.run([*shlex.split(line), *more])
        out, err = capsys.readouterr()
        return status, out, err

    return command


@pytest.mark.parametrize("option", ["--activation", "--penalty", "--loss"])
def test_hostile_texts_end_with_2_and_one_line(run, tmp_path, option):
    for text in sorted(set(HOSTILE))[::3]:
        if (option, text) in {("--loss", "f"), ("--loss", "y")}:
            continue
        status, out, err = run("generate -o x.py", f"{option}={text}")
        assert (status, out) == (2, ""), text
        assert err.count("\n") == 1, text
        assert err.startswith("symbackprop: "), text
        assert not list(tmp_path.iterdir()), text


def test_a_module_of_typed_formulas_can_be_generated_again(run, tmp_path):
    line = f"generate --activation '{MISH}' --activation 'a*exp(-beta*a**2)' --penalty '{PENALTY}' --loss '{LOSS}'"
    assert run(f"{line} --constant beta=1.5 -o one.py")[0] == 0
    text = (tmp_path / "one.py").read_text("utf-8")
    header = ast.get_docstring(ast.parse(text))
    command = " ".join(header.split("Regenerate with:")[1].split("The digest of")[0].split())
    assert command.startswith("symbackprop generate ")
    assert "beta = 1.5 in a * exp(-beta * a ** 2)\n" in header
    (tmp_path / "one.py").rename(tmp_path / "first.py")
    assert run(command.removeprefix("symbackprop "))[0] == 0
    assert (tmp_path / "one.py").read_text("utf-8") == text


def test_other_spellings_are_the_same_network():
    one, other = (
        build(Network((text,), penalty="l2"), name="n").text for text in ("a/(1+exp(-a))", " a / ( 1+exp( -a))")
    )
    assert one == other


def test_train_and_predict_with_typed_formulas(run, tmp_path, monkeypatch):
    monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(tmp_path / "cache"))
    X = np.random.default_rng(0).uniform(-1, 1, (80, 2))
    np.savez("xy.npz", X=X, y=X[:, 0] * 3 + 1)
    options = (
        f"--activation 'a/(1+beta*abs(a))' --constant beta=2 --loss '{LOSS}' --penalty '{PENALTY}' --strength 1e-5"
    )
    status, out, err = run(f"train xy.npz --hidden 4 --epochs 3 {options}")
    assert (status, err) == (0, ""), err
    assert "penalty 1e-05" in out
    about = load_model(tmp_path / "out/model.npz").about
    assert about.request["constants"] == {"beta": 2.0}
    status, out, err = run("predict out/model.npz xy.npz")
    assert (status, err) == (0, ""), err
    assert len(out.splitlines()) == 80


def test_derive_shows_a_typed_loss_of_the_right_class(run):
    status, out, _ = run("derive --activation a**3 --loss=-log(f[y])")
    assert status == 0
    assert "fᵢ - 1[i=y]" in out
    assert "3 ∂l/∂h⁽ᵏ⁾ᵢ a⁽ᵏ⁾ᵢ²" in out


@pytest.mark.parametrize(
    "network",
    [
        Network((MISH,), LOSS, PENALTY),
        Network(("a*exp(-beta*a**2)",), "-log(f[y])", "abs(w)", constants={"beta": 0.5}),
        Network(("max(a, 0.1*a)",), "y*log(1/f) + (1-y)*log(1/(1-f))", output="sigmoid"),
    ],
)
def test_every_step_of_typed_formulas_checks_itself(network):
    derive(network).check()
    spec = build(network).spec
    assert json.loads(json.dumps(spec)) == spec


def test_the_output_of_a_typed_loss():
    assert Network(loss=LOSS).resolved.names["output"] == "identity"
    assert Network(loss=LOSS, output="sigmoid").resolved.names["output"] == "sigmoid"
    assert (Network(loss="-log(f[y])").resolved.target_kind, Network(loss=LOSS).resolved.target_kind) == ("label", "vector")


@pytest.mark.parametrize(
    ("constants", "message"),
    [
        ({"a": 1.0}, "the constant 'a' has a name that cannot be used"),
        ({"exp": 1.0}, "the constant 'exp' has a name"),
        ({"x y": 1.0}, "the constant 'x y' has a name"),
        ({"__import__": 1.0}, "the constant '__import__' has a name"),
        ({"b\n": 1.0}, r"the constant 'b\\n' has a name"),
        ({"beta": "1"}, "the constant beta is '1', expected a number"),
        ({"beta": float("nan")}, "the constant beta is nan, expected a number"),
        ({"beta": 1e300}, "the constant beta is 1e[+]300, expected a number from 1e-30 to 1e30"),
        ({"beta": True}, "the constant beta is True, expected a number"),
        ({"gamma": 1.0}, "the constant gamma is used in no formula"),
    ],
)
def test_constants_that_cannot_be(constants, message):
    with pytest.raises(ValueError, match=message):
        Network(("beta*a" if "beta" in constants else "2*a",), constants=constants)


def test_constants_are_equal_by_value_and_exact():
    one, other = (Network(("beta*a", "c*a"), constants=c) for c in ({"beta": 0.1, "c": 2}, {"c": 2, "beta": 0.1}))
    assert one == other
    assert hash(one) == hash(other)
    assert str(one.resolved.layers[0].activated[0].rhs) == "a^1[j]/10"


def test_a_typed_formula_may_learn_its_parameters(run, tmp_path):
    text = "a if a > 0 else slope*a"
    network = Network((text,), penalty="l2", learned={"slope": 0.25})
    derive(network).check()
    (result,) = derive(network).result("learnt parameters")
    assert str(result).startswith("∂l/∂slope⁽ᵏ⁾ = Σᵢ {0 if a⁽ᵏ⁾ᵢ > 0;")
    assert build(network).spec["initial"]["values"] == {"slope1": 0.25}
    assert run("generate -o one.py --learn slope=0.25", f"--activation={text}")[0] == 0
    spec = (tmp_path / "one.py").read_text("utf-8")
    assert '"learned": ["slope=0.25"]' in spec
    assert "--learn slope=0.25" in " ".join(spec.split())
    for line in ("--learn=other=1", ""):
        status, _, err = run(f"generate -o two.py {line}", f"--activation={text}")
        assert status == 2
        assert "slope" in err
