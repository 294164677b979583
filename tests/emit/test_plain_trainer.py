"""The lecture's loop alone: short, checked like any module, and the same updates as those of the whole module."""

import re

import numpy as np
import pytest

from symbackprop import Network, build, check_module, cli
from symbackprop.train.files.modules import import_module, spec_of
from tests import modules

NETWORKS = {
    "tanh": Network(("tanh",), penalty="l2"),
    "two": Network(("sigmoid", "prelu"), loss="bce", penalty="l1"),
    "none": Network((), loss="squared", initializer="normal"),
}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
LABELS = (X[:, 0] > X[:, 1]).astype(int)


def plain(network, dtype="float64"):
    return build(network, name="module", dtype=dtype, only="plain").text


def targets(network):
    return LABELS if network.resolved.target_kind == "label" else np.c_[LABELS, 1 - LABELS].astype(float)


def sizes(network):
    return (*(5, 4, 6)[:network.resolved.depth + 1], 2)


@pytest.mark.parametrize("name", NETWORKS)
def test_it_computes_the_updates_of_the_whole_module(name):
    network = NETWORKS[name]
    short, whole = (modules.interpret(text) for text in (plain(network), modules.text_of(network)))
    one, other = (module.Trainer(sizes(network), seed=3) for module in (short, whole))
    for trainer in (one, other):
        trainer.sgd(X, targets(network), order=[3, 3, 0, 7, *range(40)], learning_rate=0.1)
    for parameter, values in other.parameters.items():
        np.testing.assert_allclose(one.parameters[parameter], values, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(one.loss(X, targets(network)), other.loss(X, targets(network)), rtol=1e-11)
    assert (one.predict(X) == other.predict(X)).all() or network.loss == "squared"
    assert one.t == other.t == 44


def test_it_fits_on_the_pages_of_a_handout_passes_its_check_and_trains(tmp_path):
    path = tmp_path / "lecture.py"
    assert cli.run(["generate", "--only", "plain", "-o", str(path)]) == 0
    rows = path.read_text("utf-8").splitlines()
    assert len(rows) <= 450
    assert max(map(len, rows)) <= 100
    assert "--only plain" in path.read_text("utf-8").split("Regenerate with:")[1].split("import")[0]
    assert all(result.passed for result in check_module(path, compiled=()))
    trainer = import_module(path, plain=True).Trainer((5, 8, 2), seed=1)
    losses = [trainer.sgd(X, LABELS, learning_rate=0.2) for _ in range(60)]
    assert losses[-1] < losses[0] / 3
    assert (trainer.predict(X) == LABELS).mean() > 0.9


def test_bad_input_is_refused_and_nothing_is_learnt():
    trainer = modules.interpret(plain(NETWORKS["tanh"])).Trainer((5, 4, 2))
    before = {name: values.copy() for name, values in trainer.parameters.items()}
    for bad in (
        lambda: trainer.sgd(X[:, :4], LABELS),
        lambda: trainer.sgd(X, LABELS + 1),
        lambda: trainer.sgd(X, LABELS[1:]),
        lambda: trainer.sgd(X, LABELS + 0.5),
        lambda: trainer.sgd(X[:0], LABELS[:0]),
        lambda: trainer.sgd(X, LABELS, order=[40]),
        lambda: trainer.sgd(X, LABELS, momentum=0.9),
        lambda: trainer.predict(X[0]),
        lambda: type(trainer)((5, 2)),
        lambda: type(trainer)((5, 0, 2)),
    ):
        with pytest.raises(ValueError, match="expected|is no list") as raised:
            bad()
        assert "\n" not in str(raised.value)
    assert all((trainer.parameters[name] == values).all() for name, values in before.items())
    assert trainer.t == 0


@pytest.mark.parametrize(
    "more", [["--dropout"], ["--weighted"], ["--update", "momentum"], ["--explain-schedule"], ["--network", "x.toml"]]
)
def test_what_cannot_be_combined_is_said_at_once(more, tmp_path, capsys):
    path = tmp_path / "lecture.py"
    assert cli.run(["generate", "--only", "plain", *more, "-o", str(path)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert f"{more[0]} cannot be chosen, since --only plain writes the lecture's loop" in said
    assert not path.exists()


def test_other_words_are_refused(tmp_path, capsys):
    assert cli.run(["generate", "--only", "fast", "-o", str(tmp_path / "x.py")]) == 2
    assert "--only is 'fast', expected plain" in capsys.readouterr().err
    with pytest.raises(ValueError, match="only is 'fast', expected 'plain'"):
        build(Network(()), only="fast")
    for network in (Network(("tanh",), dropout=True), Network(("tanh",), update="momentum")):
        with pytest.raises(ValueError, match=r"only is 'plain', whose Trainer knows no (dropout|the update momentum)"):
            build(network, only="plain")


def test_where_a_whole_module_is_needed_it_is_refused_in_one_line(tmp_path):
    path = tmp_path / "lecture.py"
    path.write_text(plain(NETWORKS["none"]), "utf-8")
    assert spec_of(path, plain=True)["only"] == "plain"
    with pytest.raises(ValueError, match=re.escape(f"{path} has the lecture's loop alone; generate it without")):
        spec_of(path)
