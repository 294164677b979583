import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from symbackprop.train import cache_folder, find_module, import_module, spec_of
from symbackprop.train.files import store
from tests.train.conftest import FAKE

REQUEST = {"activations": ["tanh", "relu"], "loss": "nll", "penalty": "l1+l2", "dtype": "float32"}


def text():
    return FAKE.read_text("utf-8")


def must_not_run():
    pytest.fail("generated again")


def test_a_module_is_generated_once(cache):
    module = find_module(REQUEST, text)
    assert Path(module.__file__).parent == cache
    assert Path(module.__file__).name.startswith("tanh_relu_nll_l1_l2_float32_")
    assert find_module(REQUEST, must_not_run) is module
    assert find_module(dict(reversed(REQUEST.items())), must_not_run) is module


@pytest.mark.parametrize("key", ["loss", "dtype", "initializer"])
def test_another_request_is_another_module(key):
    assert store.module_name(REQUEST) != store.module_name(REQUEST | {key: "other"})


def test_a_changed_package_uses_no_stale_module(monkeypatch):
    before = store.module_name(REQUEST)
    monkeypatch.setattr(store, "fingerprint", lambda: "changed")
    assert store.module_name(REQUEST) != before


def test_a_damaged_cache_is_mended(cache):
    path = Path(find_module(REQUEST, text).__file__)
    path.write_text("half a mod", encoding="utf-8")
    assert find_module(REQUEST, text).SPEC["name"] == "fake"
    assert path.read_text("utf-8") == text()
    assert not list(cache.glob(".*"))


@pytest.mark.parametrize("hindrance", ["a file", "unwritable"])
def test_a_cache_that_fails_is_not_fatal(cache, monkeypatch, hindrance, tmp_path):
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    if hindrance == "a file":
        cache.write_text("")
    else:
        monkeypatch.setattr(os, "access", lambda path, _: not str(path).startswith(str(cache)))
    assert cache_folder() == home / ".cache" / "symbackprop"
    (home / ".cache" / "symbackprop").rmdir()
    (home / ".cache" / "symbackprop").write_text("")
    assert not str(cache_folder()).startswith(str(tmp_path))
    assert find_module(REQUEST, text).SPEC["name"] == "fake"


def test_places_in_order(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("SYMBACKPROP_CACHE_DIR")
    assert cache_folder() == tmp_path / "xdg" / "symbackprop"


def test_notes_belong_to_a_text(cache):
    path = Path(find_module(REQUEST, text).__file__)
    assert store.recall(path, "check") is None
    store.record(path, "check", {"worst": 1e-9})
    assert store.recall(path, "check") == {"worst": 1e-9}
    path.write_text(text() + "\n", encoding="utf-8")
    assert store.recall(path, "check") is None
    cache.joinpath("notes").rename(cache / "elsewhere")
    cache.joinpath("notes").write_text("")
    store.record(path, "check", 1)


def test_the_spec_is_read_without_running(fake):
    assert spec_of(FAKE) == fake.SPEC


ONCE = "SPEC = {"
NOT_OURS = {
    "": "is not a module that symbackprop generated: it has no Trainer.sgd",
    "x = (": "is not Python, expected a module that symbackprop generated",
    "\0": "is not Python",
    "import os\nos.abort()": "it has no Trainer.sgd",
    text().replace("def predict_proba", "def other"): "it has no Trainer.predict_proba",
    text().replace(ONCE, "SPECS = {"): "it has no SPEC with 'name'",
    text().replace('"fake"', "open('x')"): "it has no SPEC with 'name'",
    text().replace('"loss": "nll",', ""): "it has no SPEC with 'loss'",
    text() + "\nprint(1)\n": "runs on import",
    text() + "\nfor _ in (): pass\n": "runs on import",
    text().replace("import json", "import no_such_module"): "cannot be imported: ModuleNotFoundError",
}


@pytest.mark.parametrize(("content", "message"), NOT_OURS.items(), ids=range(len(NOT_OURS)))
def test_a_file_that_is_not_ours(tmp_path, content, message):
    path = tmp_path / "m.py"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as caught:
        import_module(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert not any(str(getattr(m, "__file__", "")) == str(path) for m in sys.modules.values())


@pytest.mark.parametrize(("name", "message"), [("none.py", "does not exist"), ("", "is a folder, expected modules")])
def test_no_file(tmp_path, name, message):
    with pytest.raises(ValueError, match=message):
        import_module(tmp_path / name)


def test_training_loads_neither_sympy_nor_an_extra():
    code = (
        "import symbackprop.train, sys, json;"
        "slow = {'sympy', 'numba', 'rich', 'typer', 'matplotlib', 'sklearn'};"
        "print(json.dumps(sorted(slow & set(sys.modules))))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
