"""Layers in index notation: gradients of every parameter against numbers, every schedule against the definition."""

import warnings

import numpy as np
import pytest

from symbackprop import Network, build, check_module, cli, derive, render
from symbackprop.definitions.layers import LAYERS, conv, dense, maxpool
from symbackprop.train.files.modules import import_module
from tests.layer_cases import BUILT_IN, ONE, OWN
from tests.test_generated import FOLDER

ALL = BUILT_IN | OWN | {f"one element: {name}": case for name, case in ONE.items()}


@pytest.fixture(autouse=True)
def _without_advice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def network(name):
    items, shape, options = ALL[name]
    return Network(items, input=shape, **options)


@pytest.mark.parametrize("name", ALL)
def test_gradients_and_updates(name):
    for result in check_module(build(network(name), dtype="float64"), compiled=()):
        assert result.passed, result


def test_rational_layers_are_checked_over_fractions():
    exact = {n for n, (_, _, options) in ALL.items() if options["loss"] == "squared"}
    assert len(exact) >= 20
    found = check_module(build(network("conv"), dtype="float64"), compiled=())
    assert not next(r for r in found if r.name == "exact fractions").note


def test_every_kind_of_layer_is_checked():
    used = {layer.definition.name.split("(")[0] for name in BUILT_IN for layer in network(name).resolved.layers}
    assert used >= set(LAYERS)


@pytest.mark.parametrize("name", ["conv", "maxpool", "embedding", "tied", "layer_normalised", "zeros beyond the edges"])
def test_the_steps_of_a_derivation_check_themselves(name):
    smaller = {
        "conv": ([conv(2, 2), "tanh", dense(2)], (1, 3, 3), {"loss": "nll"}),
        "maxpool": ([maxpool(2), dense(2)], (1, 2, 4), {"loss": "nll"}),
    }
    items, shape, options = smaller.get(name, ALL[name])
    for step in derive(Network(items, input=shape, **options)):
        if "place of the maximum" not in step.remark and step.rule != "update":
            step.check()


@pytest.mark.parametrize("name", [*BUILT_IN, *OWN, "one element: an output", "one element: a hidden unit"])
def test_every_network_is_derived_and_shown(name):
    assert "Results" in render(derive(network(name)))


@pytest.mark.slow
def test_every_order_trains_a_convolutional_network_alike():
    """That of generated/, whose compiled kernels are checked one by one there."""
    module = import_module(FOLDER / "convolutions.py")
    X = np.random.default_rng(0).random((40, 64), np.float32)
    y = np.arange(40) % 10
    trainers = [module.Trainer(seed=1, schedule=s) for s in module.SCHEDULES]
    for trainer in trainers:
        trainer.sgd(X, y, learning_rate=0.05, l2=1e-3)
    for one, other in zip(*(t.parameters.values() for t in trainers), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-5)
    assert (trainers[0].predict(X.reshape(40, 1, 8, 8)) == trainers[0].predict(X)).all()


def test_a_trainer_is_saved_and_loaded(tmp_path):
    path = tmp_path / "net.py"
    build(Network([conv(2, 2), "tanh", dense(2)], input=(1, 3, 3)), name="net").write(path)
    module = import_module(path)
    trainer = module.Trainer(seed=3)
    trainer.save(tmp_path / "net.npz")
    again = module.Trainer.load(tmp_path / "net.npz")
    assert all((again.parameters[n] == p).all() for n, p in trainer.parameters.items())
    with pytest.raises(ValueError, match=r"sizes are \(9, 5, 2\), this module has fixed ones: \(9, 8, 2\)"):
        module.Trainer((9, 5, 2))


@pytest.mark.slow
def test_layers_on_the_command_line(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.toml").write_text(
        'input = [1, 8, 8]\nlayers = ["averagepool(2)", "tanh", "dense(10)"]'
    )
    assert cli.run(["train", "--network", "net.toml", "--epochs", "4"]) == 0
    shown = capsys.readouterr().out
    assert "64-16-10" in shown
    assert float(shown.split("test error ")[1].split(" %")[0]) < 25
    assert cli.run(["generate", "--network", "net.toml", "-o", "net.py"]) == 0
    assert cli.run(["derive", "--network", "net.toml"]) == 0
    assert "averagepool(2), dense(10); softmax, nll" in capsys.readouterr().out
    assert cli.run(["derive", "--network", "net.toml", "--activation", "tanh"]) == 2
    assert "--activation cannot be chosen, since net.toml says it" in capsys.readouterr().err
    np.savez("data.npz", X=np.ones((20, 5)), y=np.arange(20) % 2)
    assert cli.run(["train", "data.npz", "--network", "net.toml"]) == 2
    assert (
        "the data has 5 inputs and 2 outputs, but the network is for 64 inputs (1 x 8 x 8)" in capsys.readouterr().err
    )
