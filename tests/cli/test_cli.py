"""The command line: most of it against the hand-written module of tests/train, the rest against generated ones."""

import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest

import symbackprop
from symbackprop import cli
from symbackprop.train.files.atomic import shown
from tests.train.conftest import FAKE
from tests.train.files.test_store import NOT_OURS


@dataclass
class Result:
    name: str = "central differences"
    difference: float = 1e-9
    bar: float = 1e-6
    passed: bool = True
    note: str = ""


@pytest.fixture
def results():
    return [Result(), Result("complex step", 1e-15, 1e-12)]


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch, results, request):
    """An empty folder; gradient checks that cost nothing, except for real modules."""
    if "real" not in request.fixturenames:
        monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setattr(symbackprop, "check_module", lambda _, **__: results, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def flowers(place):
    random = np.random.default_rng(1)
    lines = ["length,width,species"]
    for n in range(90):
        x = random.normal(size=2) + 4 * np.eye(3, 2)[n % 3]
        lines.append(f"{x[0]:.3f},{x[1]:.3f},{['ant', 'bee', 'cow'][n % 3]}")
    (place / "flowers.csv").write_text("\n".join(lines))
    return "flowers.csv"


TOPICS = [
    "kernels", "gradients", "data", "network", "compiled", "training", "epoch", "stopped", "test", "model", "picture", "settings",
]  # fmt: skip
COMMANDS = ["derive", "generate", "train", "predict", "check"]
FAST = ("--module", str(FAKE), "--learning-rate", "0.1", "--epochs", "5")


@pytest.fixture
def run(capsys):
    def run(*arguments, code=0):
        capsys.readouterr()
        status = cli.run(list(arguments))
        out, err = capsys.readouterr()
        assert status == code, err
        assert len(err.splitlines()) == (code > 1), err
        assert not err or err.startswith("symbackprop: ")
        return err.removeprefix("symbackprop: ").strip() if code > 1 else out

    return run


def test_train_tells_what_it_does_and_predict_uses_it(run, flowers, place):
    lines = dict(line.split(maxsplit=1) for line in run("train", flowers, *FAST).splitlines())
    assert list(lines) == TOPICS
    assert "90 examples, 2 inputs, 3 classes" in lines["data"]
    assert "62 to train, 14 to validate, 14 to test" in lines["data"]
    assert "2 checks passed; the nearest to its bar: central differences" in lines["gradients"]
    assert lines["network"] == "2-3, 9 parameters"
    assert lines["training"] == "at most 5 epochs, learning rate 0.1, decay 1e-05, l2 0.0001"
    assert (lines["model"], lines["picture"]) == ("out/model.npz", "out/learning_curve.png")
    assert (place / lines["picture"]).read_bytes().startswith(b"\x89PNG")
    predicted = run("predict", "out/model.npz", flowers, "--module", str(FAKE)).splitlines()
    assert np.mean(np.array(predicted) == np.resize(["ant", "bee", "cow"], 90)) > 0.9
    assert "checked before" in run("train", flowers, *FAST)


def test_probabilities_and_csv(run, flowers, place):
    run("train", flowers, *FAST)
    use = ("predict", "out/model.npz", flowers, "--module", str(FAKE))
    rows = [[float(v) for v in line.split(",")] for line in run(*use, "--proba").splitlines()[1:]]
    np.testing.assert_allclose(np.sum(rows, axis=1), 1, atol=1e-6)
    assert run(*use, "--output", "p.csv") == "wrote 90 predictions to p.csv\n"
    assert (place / "p.csv").read_text().splitlines()[:2] == ["prediction", "ant"]
    run(*use, "--proba", "-o", "p.csv")
    assert (place / "p.csv").read_text().splitlines()[0] == "p(ant),p(bee),p(cow)"


def test_archives(run, place):
    y = np.arange(60) % 2
    X = np.random.default_rng(0).normal(size=(60, 2, 2)) + 3 * y[:, None, None]
    np.savez(place / "d.npz", X=X, answer=y)
    run("train", "d.npz", "--label", "answer", *FAST, "-o", "m.npz", "--plot", "p/curve.png")
    assert (place / "p" / "curve.png").exists()
    assert set(run("predict", "m.npz", "d.npz", "--module", str(FAKE)).split()) == {"0", "1"}


def test_a_model_of_own_formulas_asks_for_its_module(run, flowers):
    run("train", flowers, *FAST)
    assert "name it with --module PATH" in run("predict", "out/model.npz", flowers, code=2)


BAD = {
    "foo": "No such command 'foo'",
    "train --fo": "No such option: --fo",
    "train --epochs x": "Invalid value for '--epochs'",
    "train --epochs 0": "epochs is 0, expected at least 1",
    "train --look-ahead 0": "look ahead is 0, expected at least 1",
    "train --seed -1": "seed is -1, expected at least 0",
    "train --learning-rate 0": "learning rate is 0.0, expected a positive number",
    "train --learning-rate=-1": "learning rate is -1.0, expected a positive number",
    "train --learning-rate nan": "learning rate is nan, expected a positive number",
    "train --decay -1": "decay is -1.0, expected 0 or a positive number",
    "train --hidden 64,x": "hidden is '64,x', expected positive numbers of units such as 64,32, or none",
    "train --hidden 0": "hidden is '0', expected positive numbers",
    "train --hidden 8,8 --hidden-layers 1": "hidden 8,8 has 2 layers, but 1 hidden layers were asked for",
    "train --hidden 8,8,8 --activation tanh --activation relu": "2 activations for 3 hidden layers",
    "train --activation tahn": "unknown activation 'tahn': did you mean tanh",
    "train --loss nl": "unknown loss 'nl': did you mean nll",
    "train --dtype float16": "'float16'",
    "train none.csv": "none.csv does not exist",
    "train flowers.csv --label kind --module FAKE": "flowers.csv has no column 'kind': its first line is length",
    "train flowers.csv --label width --module FAKE": "column 'species': 'ant', expected a number",
    "train flowers.csv --module none.py": "none.py does not exist, expected a module",
    "train flowers.csv --module flowers.csv": "flowers.csv is not a module that symbackprop generated",
    "train flowers.csv --module FAKE --hidden 3": "hidden 3 has 1 layers, but 0 hidden layers",
    "train flowers.csv --module FAKE --l1 1": "l1 is 1, but the network has no l1; it needs --penalty l1",
    "train flowers.csv --output old --module FAKE": "old is a folder, expected the name of a file",
    "train flowers.csv --plot flowers.csv/p.png": "flowers.csv is not a folder",
    "predict": "Missing argument",
    "predict none.npz flowers.csv": "none.npz does not exist",
    "predict flowers.csv flowers.csv": "flowers.csv is no model, expected the .npz that train wrote",
    "check none.py": "none.py does not exist",
    "check flowers.csv": "flowers.csv is not a module that symbackprop generated",
    "generate": "Missing option",
    "generate --activation tahn -o m.py": "unknown activation 'tahn': did you mean tanh",
    "generate --hidden-layers -1 -o m.py": "hidden layers is -1",
    "generate -o old": "old is a folder",
    "generate --hidden-layers 1001 -o m.py": "hidden layers is 1001, expected 0 to 1000",
    "train --hidden-layers -1": "hidden layers is -1, expected 0 to 1000",
    "derive --output-function=": "unknown output ''",
    "derive --update=": "unknown update ''",
    "audit tanh --seed -1": "seed is -1, expected at least 0",
    "bench --seed -1": "seed is -1, expected at least 0",
    "derive --penalty l3": "unknown penalty 'l3': did you mean l2 or l1",
    "derive --step-size invers": "unknown step size 'invers': did you mean inverse",
    "generate -o flowers.csv": "flowers.csv is not a name that Python can import, expected one such as flowers_net.py",
    "train flowers.csv -o flowers.csv": "flowers.csv is the data and would be the model too",
    "train flowers.csv -o a.npz --plot a.npz": "a.npz is the model and would be the picture too",
    "predict out/model.npz flowers.csv -o flowers.csv": "flowers.csv is the data and would be the predictions too",
    "derive --activation prelu --learn slope": "--learn is 'slope', expected a name and its value, a finite number, such as slope=0.5",
    "derive --activation prelu --learn slope=nan": "--learn is 'slope=nan', expected",
    "derive --activation prelu --learn-per-unit =1": "--learn-per-unit is '=1', expected",
    "derive --activation prelu --learn slope=1 --learn slope=2": "--learn gives 'slope' twice",
    "train --activation prelu --learn W=1": "learned has the name 'W', expected a word",
    "train --learn slope=1": "no activation uses the learnt parameter 'slope', they use none",
    "generate --activation prelu --learn slope=1 --learn-per-unit slope=1 -o m.py": "'slope' is in both",
    "derive --format pdf": "--format is 'pdf': for a page to print, write latex and typeset it; known are text, latex",
    "derive --format txt": "--format is 'txt': did you mean text?",
    "predict out/model.npz flowers.csv --probabilities": "--proba",
    "predict flowers.csv out/model.npz": "expected the .npz that train wrote; write symbackprop predict out/model.npz",
    "predict out/model.npz flowers.csv --label x": "--label is 'x', but labels are only looked at with --score",
    "train flowers.csv --module FAKE --activation relu": "--activation cannot be chosen, since FAKE has been generated",
    "train flowers.csv --module FAKE --dtype float64": "--dtype cannot be chosen, since FAKE has been generated",
    "train flowers.csv --module FAKE --hidden-layers 0": "--hidden-layers cannot be chosen",
    "train --label x": "--label is 'x', but no data was named",
    "train --set momentum": "--set is 'momentum', expected a name and its value, a finite number, such as momentum=0.5",
    "train --set momentum=1 --update momentum": "momentum is 1.0, expected a number from 0 to below 1",
    "train --set momentum=0.5": "momentum is 0.5, but the network has no momentum; it needs --update momentum or nesterov",
    "train --set momentu=0.5 --update momentum": "did you mean momentum? this network has decay, l2, momentum",
    "train --set warmup=0 --step-size warmup": "warmup is 0.0, expected a positive number",
    "train --set learning_rate=1": "--set has learning_rate, which is an option of its own: --learning-rate 1",
    "train --set γ=0.5 --step-size steps": "did you mean gamma?",
    "train --dropout 1": "dropout is 1.0, expected a number from 0 to below 1",
    "train flowers.csv --plot p.bmp": "the picture is p.bmp, expected a name that ends in .png, .pdf or .svg",
    "train flowers.csv --hidden 1000000000000": "units has 6e+12 parameters, which take at least 72,000 GB, and this",
    "train --config none.toml": "none.toml does not exist, expected a TOML file with the settings of a run",
    "train flowers.csv --ignore kind --module FAKE": "flowers.csv has no column 'kind'",
    "check old": "old is a folder, expected modules that symbackprop generated, such as old/x.py",
    "check out/model.npz": "out/model.npz is not a module that symbackprop generated, a .py, but a model or data",
    "generate -o z.txt": "z.txt is not a name that Python can import, expected one such as z_net.py",
    "generate -o 9x.py": "9x.py is not a name that Python can import, expected one such as net_9x.py",
    "generate -o class.py": "class.py is not a name that Python can import",
    "generate -o random.py": "random.py would be imported in place of random itself",
    "derive --activation gamma(a)": "the unknown function gamma; known are exp",
    "derive --activation α*a": "the formula 'α*a' has at column 1 'α' (Greek small letter alpha)",
    "plot-activation tanh -o p.jpg": "the picture is p.jpg, expected a name that ends in",
}


@pytest.mark.parametrize(("command", "message"), BAD.items(), ids=BAD)
def test_bad_input_is_one_line_and_changes_nothing(run, flowers, place, command, message):
    assert flowers
    (place / "out").mkdir()
    (place / "old").mkdir()
    for name in ("out/model.npz", "out/learning_curve.png", "m.py"):
        (place / name).write_text("old")
    assert message.replace("FAKE", shown(FAKE)) in run(*command.replace("FAKE", str(FAKE)).split(), code=2)
    assert {p.read_text() for p in (place / "out").iterdir()} == {(place / "m.py").read_text()} == {"old"}
    assert sorted(p.name for p in place.iterdir() if p.name != "cache") == ["flowers.csv", "m.py", "old", "out"]


@pytest.mark.parametrize("content", list(NOT_OURS)[:4])
def test_a_module_that_is_not_ours_is_not_run(run, place, content):
    (place / "m.py").write_text(content)
    assert run("check", "m.py", code=2).startswith("m.py is not")


def test_divergence_in_the_first_epoch_leaves_the_old_model(run, flowers, place):
    (place / "m.npz").write_text("old")
    message = run("train", flowers, *FAST, "--learning-rate", "1e300", "-o", "m.npz", code=2)
    assert re.match(r"epoch 1: example \d+: the loss became .* at step size [\d.]+e\+299", message)
    assert (place / "m.npz").read_text() == "old"
    assert not (place / "out").exists()


@pytest.fixture
def third_epoch(fake, monkeypatch):
    """Make something happen when the third epoch of the fake module begins."""

    def happen(event):
        before, calls = fake.Trainer.sgd, []

        def sgd(self, X, y, **keywords):
            calls.append(len(y))
            if calls.count(62) == 3:
                raise event
            return before(self, X, y, **keywords)

        monkeypatch.setattr(fake.Trainer, "sgd", sgd)

    return happen


@pytest.fixture
def fake():
    from symbackprop.train import import_module  # noqa: PLC0415

    return import_module(FAKE)


def test_later_divergence_keeps_the_last_good_parameters_beside(run, flowers, place, third_epoch):
    third_epoch(FloatingPointError("example 5: the loss became inf at step size 0.1"))
    (place / "m.npz").write_text("old")
    message = run("train", flowers, *FAST, "-o", "m.npz", code=2)
    assert message.startswith("epoch 3: example 5: the loss became inf at step size 0.1; the parameters of epoch ")
    assert "are in m.last-good.npz" in message
    assert (place / "m.npz").read_text() == "old"
    assert run("predict", "m.last-good.npz", flowers, "--module", str(FAKE))


def test_ctrl_c_keeps_the_best_parameters(run, flowers, third_epoch):
    third_epoch(KeyboardInterrupt())
    out = run("train", flowers, *FAST)
    assert re.search(r"stopped +by Ctrl-C in epoch 3; the parameters of epoch [12] are kept", out)
    assert run("predict", "out/model.npz", flowers, "--module", str(FAKE))


@pytest.mark.parametrize("place_of_it", ["read_data", "train_model"])
def test_ctrl_c_elsewhere_is_130(run, flowers, monkeypatch, place_of_it):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"symbackprop.cli.train.{place_of_it}", interrupt)
    assert run("train", flowers, *FAST, code=130) == "stopped by hand"


def test_wrong_gradients_are_not_trained(run, flowers, place, results):
    results[1] = Result("complex step", 0.5, 1e-12, passed=False)
    assert "wrong gradients: complex step differs by 5.0e-01" in run("train", flowers, *FAST, code=2)
    assert not (place / "out").exists()
    assert "FAILED" in run("check", str(FAKE), code=1)


def test_check_prints_a_table(run, capsys, results):
    out = run("check", str(FAKE))
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["central", "differences", "1.0e-09", "1e-06", "passed"],
        ["complex", "step", "1.0e-15", "1e-12", "passed"],
    ]
    results.append(Result("sgd", 1, 1e-9, passed=False, note="block 3"))
    assert cli.run(["check", str(FAKE)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].split() == ["sgd", "1.0e+00", "1e-09", "FAILED", "block", "3"]


@pytest.mark.parametrize("absent", ["matplotlib", "matplotlib.figure"])
def test_without_matplotlib_only_the_picture_is_missing(run, flowers, monkeypatch, place, absent):
    monkeypatch.setitem(sys.modules, absent, None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert 'none: a picture needs matplotlib: pip install "symbackprop[demo]"' in run("train", flowers, *FAST)
    (place / "out" / "model.npz").unlink()
    assert "a picture needs matplotlib" in run("train", flowers, *FAST, "--plot", "p.png", code=2)
    assert not (place / "out" / "model.npz").exists()


def test_without_scikit_learn_the_digits_say_how_to_get_it(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert 'the digits need scikit-learn: pip install "symbackprop[demo]"' in run("train", *FAST, code=2)


@pytest.mark.parametrize("command", [[], ["--help"], *([c, "--help"] for c in COMMANDS)])
def test_help(run, command):
    assert "Usage: symbackprop" in run(*command)
    if command[:-1]:
        assert "Example" in run(*command)


# The rest needs generated modules: SymPy, Numba, some seconds.


@pytest.fixture(scope="session")
def real(tmp_path_factory):
    """The environment of processes that share one cache."""
    cache = tmp_path_factory.mktemp("cache")
    return os.environ | {
        "SYMBACKPROP_CACHE_DIR": str(cache),
        "NUMBA_CACHE_DIR": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }


def process(real, *arguments, code=0):
    command = [sys.executable, "-m", "symbackprop", *arguments]
    done = subprocess.run(command, env=real, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def test_the_digits_and_a_second_process_without_sympy(real, place):
    first = process(real, "train")
    error = float(re.search(r"test error ([\d.]+) % of 270 examples", first)[1])
    assert error <= 4
    assert "generated in" in first
    assert (place / "out" / "learning_curve.png").exists()
    probe = (
        "import sys; from symbackprop.cli import run; code = run(['train', '-o', 'second.npz']);"
        "assert not {'sympy', 'mpmath'} & set(sys.modules); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], env=real, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "found: " in done.stdout
    assert "checked before" in done.stdout
    assert re.findall(r"^epoch.*?best", done.stdout, re.MULTILINE) == re.findall(r"^epoch.*?best", first, re.MULTILINE)
    with np.load("out/model.npz") as one, np.load("second.npz") as two:
        assert all(np.array_equal(one[name], two[name]) for name in one.files)


def test_independent_labels_and_measured_values(real, place):
    X = np.random.default_rng(0).normal(size=(80, 2))
    np.savetxt(place / "d.csv", np.c_[X, X > 0, 1000 + 50 * X[:, 0]], delimiter=",")
    process(real, "train", "d.csv", "--loss", "bce", "--label", "2", "--label", "3", "--hidden", "none", "-o", "b.npz")
    predicted = np.array([line.split(",") for line in process(real, "predict", "b.npz", "d.csv").splitlines()[1:]], int)
    assert np.mean(predicted == (X > 0)) > 0.9
    process(real, "train", "d.csv", "--loss", "squared", "--hidden-layers", "0", "-o", "s.npz")
    predicted = np.array(process(real, "predict", "s.npz", "d.csv").split(), float)
    np.testing.assert_allclose(predicted, 1000 + 50 * X[:, 0], rtol=0.01)
    assert "predicts values, not probabilities" in process(real, "predict", "s.npz", "d.csv", "--proba", code=2)


def test_generate_writes_the_same_bytes_again_and_check_passes(real, place):
    options = ("generate", "--activation", "relu", "--hidden-layers", "2", "--loss", "squared", "--penalty", "none")
    assert process(real, *options, "--dtype", "float64", "-o", "m.py") == "wrote m.py\n"
    before = (place / "m.py").read_bytes()
    process(real, *options, "--dtype", "float64", "-o", "m.py")
    assert (place / "m.py").read_bytes() == before
    assert "passed" in process(real, "check", "m.py")


def test_learnt_parameters_are_trained_and_predict_again(real, place):
    x = np.random.default_rng(0).normal(size=(60, 2))
    np.savez(place / "d.npz", X=x, y=(x[:, 0] > 0).astype(int))
    process(real, "train", "d.npz", "--activation", "prelu", "--learn", "slope=0.5", "--hidden", "3", "--epochs", "2")
    with np.load(place / "out" / "model.npz") as model:
        assert model["slope1"].shape == (1,)
        assert model["slope1"][0] != 0.5
    assert len(process(real, "predict", "out/model.npz", "d.npz").split()) == 60


def test_the_command_in_the_header_generates_the_module_again(run, place):
    options = ("--activation", "swish", "--learn-per-unit", "beta=2", "--penalty", "none")
    run("generate", *options, "-o", "s.py")
    text = (place / "s.py").read_text("utf-8")
    run(*text.split("Regenerate with:")[1].split("The digest of")[0].split()[1:])
    assert (place / "s.py").read_text("utf-8") == text
    assert "∂l/∂beta⁽ᵏ⁾ᵢ" in run("derive", *options)


@pytest.mark.parametrize(("form", "words"), [("text", "∂l/∂a"), ("latex", r"\frac"), ("markdown", "#")])
def test_derive_prints_mathematics(real, form, words):
    assert words in process(real, "derive", "--activation", "tanh", "--format", form)


def test_many_layers_are_told_before_they_are_generated(run, monkeypatch, capsys):
    told = []
    monkeypatch.setattr(symbackprop, "build", lambda *_, **__: told.append(capsys.readouterr().err) or 1 / 0)
    cli.run(["generate", "--hidden-layers", "100", "-o", "m.py"])
    (line,) = told
    assert line.startswith("symbackprop: warning: 100 hidden layers are written out one by one, in about 23,000 lines")


def test_a_default_in_words_stands_in_one_pair_of_brackets(run):
    text = " ".join(run("train", "--help").replace("│", " ").split())
    assert "[default: tanh]" in text
    assert "[default: (" not in text


@pytest.mark.parametrize("form", ["text", "latex", "markdown"])
def test_derive_prints_vectors(run, form):
    sign = "⊙" if form == "text" else r"\odot"
    assert sign in run("derive", "--vectors", "--format", form)
    assert sign not in run("derive", "--format", form)


def test_a_signal_ends_with_the_best_parameters_or_130(real, place):
    y = np.arange(20000) % 10
    np.savez(place / "d.npz", X=np.random.default_rng(0).normal(size=(20000, 300)) + y[:, None], y=y)
    command = [
        sys.executable,
        "-u",
        "-m",
        "symbackprop",
        "train",
        "d.npz",
        "--epochs",
        "9999",
        "--look-ahead",
        "9999",
    ]
    heard = {
        "preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    }  # a job behind & ignores it
    with subprocess.Popen(
        command, env=real, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **heard
    ) as child:
        assert any(line.startswith("epoch") for line in child.stdout)
        time.sleep(0.2)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (0, "")
    assert "by Ctrl-C in epoch" in out
    assert "out/model.npz" in out
