import json
import os
from dataclasses import replace

import numpy as np
import pytest

from symbackprop.train import About, Model, load_model, save_model
from symbackprop.train.data.scaling import Scaling, fit_inputs, identity
from symbackprop.train.files.atomic import check_writable, replace_file, shown


@pytest.fixture
def model(fake, blobs):
    X, y = blobs
    trainer = fake.Trainer((2, 3))
    scaling = fit_inputs(X)
    trainer.sgd(scaling.apply(X), y)
    about = About(("ant", "bee", "cow"), ("a", "b"), ("2",), {"activations": [], "loss": "nll"})
    return Model(fake.SPEC, (2, 3), trainer.t, trainer.parameters, scaling, identity(3), about)


def test_a_model_comes_back_as_it_was(tmp_path, model, fake, blobs):
    loaded = load_model(save_model(tmp_path / "new" / "m.npz", model))
    assert (loaded.spec, loaded.sizes, loaded.t, loaded.about) == (model.spec, (2, 3), 180, model.about)
    for name, values in model.parameters.items():
        np.testing.assert_array_equal(loaded.parameters[name], values)
    X, y = blobs
    np.testing.assert_array_equal(loaded.values(fake, X), model.values(fake, X))
    names = loaded.predict(fake, X)
    assert np.mean(names == np.array(["ant", "bee", "cow"])[y]) > 0.95
    assert loaded.trainer(fake).t == 180


def test_the_module_itself_loads_it(tmp_path, model, fake):
    trainer = fake.Trainer.load(save_model(tmp_path / "m.npz", model))
    np.testing.assert_array_equal(trainer.parameters["W1"], model.parameters["W1"])


def test_it_is_used_on_however_the_text_of_its_layers_was_noted(tmp_path, model, fake):
    """Earlier versions noted the raw text of a layer of one's own; a model's shapes and functions say what fits it."""
    spec = fake.SPEC | {"preactivation": "\n  a[i] = sum(W[i,j]*h[j], j)\n", "network": "another text"}
    earlier = load_model(save_model(tmp_path / "m.npz", replace(model, spec=spec)))
    np.testing.assert_array_equal(earlier.trainer(fake).parameters["W1"], model.parameters["W1"])


def test_another_module_is_refused(model, fake, monkeypatch):
    monkeypatch.setitem(fake.SPEC, "loss", "squared")
    changed = Model(fake.SPEC | {"loss": "nll"}, *[getattr(model, f) for f in list(vars(model))[1:]])
    with pytest.raises(ValueError, match="the module has loss 'squared', the model was trained with 'nll'"):
        changed.trainer(fake)


def test_real_values_return_in_their_units(model):
    class Module:
        SPEC = model.spec | {"output": "identity"}

        class Trainer:
            def __init__(self, sizes):
                del sizes
                self.parameters = {k: v.copy() for k, v in model.parameters.items()}

            def predict_proba(self, X):
                return np.zeros((len(X), 3))

    outputs = Scaling(np.array([1.0, 2, 3]), np.ones(3))
    real = Model(Module.SPEC, (2, 3), 0, model.parameters, model.inputs, outputs, About())
    np.testing.assert_array_equal(real.predict(Module, np.ones((2, 2))), [[1, 2, 3], [1, 2, 3]])


DAMAGE = {
    "no spec": (lambda a: a.pop("spec"), "it has no 'spec'"),
    "no key": (lambda a: a.update(spec=np.array("{}")), "it has no 'name'"),
    "no json": (lambda a: a.update(spec=np.array("{")), "damaged"),
    "a list": (lambda a: a.update(about=np.array("[]")), "damaged"),
    "nan": (lambda a: a["W1"].fill(np.nan), "W1 is not finite float64"),
    "dtype": (lambda a: a.update(b1=a["b1"].astype("float32")), "b1 is not finite float64"),
    "sizes": (lambda a: a.update(sizes=np.array([2, 4, 3])), r"sizes \(2, 4, 3\)"),
    "scaling": (lambda a: a.update(input_shift=np.ones(3)), "input_shift is not 2 finite numbers"),
    "classes": (lambda a: a.update(sizes=np.array([2, 4])), "output_shift is not 4 finite"),
    "request": (
        lambda a: a.update(about=np.array(json.dumps({"classes": [], "features": [], "labels": [], "request": 1}))),
        "its request is no dictionary",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_model_is_named(tmp_path, model, case):
    path = save_model(tmp_path / "m.npz", model)
    with np.load(path) as file:
        arrays = dict(file)
    damage, message = DAMAGE[case]
    damage(arrays)
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=message) as caught:
        load_model(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_truncation_is_noticed(tmp_path, model):
    whole = save_model(tmp_path / "m.npz", model).read_bytes()
    for n in range(0, len(whole) - 1, 97):
        (tmp_path / "cut.npz").write_bytes(whole[:n])
        with pytest.raises(ValueError, match=r"cut\.npz is not a (readable|symbackprop)"):
            load_model(tmp_path / "cut.npz")


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(ValueError, match=r"none\.npz does not exist"):
        load_model(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", X=np.ones(3))
    with pytest.raises(ValueError, match=r"other\.npz is not a symbackprop model: it has no 'spec'"):
        load_model(tmp_path / "other.npz")


def test_wrong_parameters_are_noticed(model, fake):
    other = Model(model.spec, (2, 4), 0, model.parameters, model.inputs, identity(4), About())
    with pytest.raises(ValueError, match=r"parameters are not those of the sizes \(2, 4\)"):
        other.trainer(fake)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "f"
    replace_file(path, lambda file: file.write(b"old"))

    def fail(file):
        file.write(b"half")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        replace_file(path, fail)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_is_one_line(tmp_path):
    def fail(file):
        del file
        raise OSError(28, "No space left on device")

    with pytest.raises(ValueError, match=r"cannot write .*f: No space left on device"):
        replace_file(tmp_path / "f", fail)


def test_where_no_file_can_be_written(tmp_path, monkeypatch):
    (tmp_path / "f").write_text("")
    with pytest.raises(ValueError, match="is a folder, expected the name of a file"):
        check_writable(tmp_path)
    with pytest.raises(ValueError, match="f is not a folder"):
        check_writable(tmp_path / "f" / "g")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="no permission to write in"):
        check_writable(tmp_path / "new" / "g")


def test_paths_for_people(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    assert shown(tmp_path / "out" / "m") == "out/m"
    assert shown(tmp_path.parent / "m") == "~/m"
    assert shown("/m") == "/m"
