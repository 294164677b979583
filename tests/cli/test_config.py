"""A run can be had again from the settings beside its model; a kill leaves no half a file; settings are read with distrust."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symbackprop import cli
from symbackprop.cli import config
from symbackprop.train.data.table import labelled, notes_on, read_table
from tests.train.conftest import FAKE

texts = st.text(st.characters(codec="utf-8"), max_size=20)
numbers = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
values = texts | numbers | st.booleans() | st.lists(texts, max_size=3) | st.dictionaries(texts, numbers, max_size=3)


@given(st.dictionaries(st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), values, max_size=5))
def test_what_is_written_is_toml_of_the_same_values(entries):
    assert tomllib.loads(config.settings_text("title", entries)) == entries


def test_a_name_that_is_no_text_is_refused_before_training():
    with pytest.raises(ValueError, match="data is .* not UTF-8"):
        config.settings_text("title", {"data": "\udcff.csv"})


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYMBACKPROP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("symbackprop.check_module", lambda *_, **__: [Passed()], raising=False)
    random = np.random.default_rng(2)
    y = np.arange(60) % 3
    rows = np.c_[np.arange(60), random.normal(size=(60, 2)) + 4 * np.eye(3, 2)[y], y]
    np.savetxt("d.csv", rows, delimiter=",", header=",u,v,kind", comments="", fmt="%.6g")

    def run(*arguments, code=0):
        capsys.readouterr()
        assert cli.run(list(map(str, arguments))) == code
        return capsys.readouterr()

    return run


class Passed:
    name, difference, bar, passed, note = "x", 0.0, 1.0, True, ""


def same(one, other):
    with np.load(one) as a, np.load(other) as b:
        return all(np.array_equal(a[name], b[name]) for name in a.files)


def test_a_run_again_has_the_same_bits_and_typed_options_go_first(run):
    run("train", "d.csv", "--module", FAKE, "--seed", 5, "--epochs", 4, "--learning-rate", 0.07, "--l2", 0.3, "-o", "a.npz")
    run("train", "--config", "a.run.toml", "-o", "b.npz")
    assert same("a.npz", "b.npz")
    assert tomllib.loads(Path("b.run.toml").read_text()).items() >= {"seed": 5, "l2": 0.3, "decay": 1e-5}.items()
    run("train", "--config", "a.run.toml", "--seed", 6, "-o", "c.npz")
    assert not same("a.npz", "c.npz")


BAD = {
    "seeds = 1": "has the entry 'seeds', which is no option; did you mean seed?",
    "epochs = [1]": "has epochs = [1], expected a text or a number",
    "epochs = true": "has epochs = True, expected a text or a number",
    "epochs = 'x'": "Invalid value for '--epochs'",
    "report = 1.5e3\nexact-form = 'no'": "has exact-form = 'no', expected true or false",
    "set = {momentum = 'x'}": "expected a list of texts, or a table of numbers",
    "epochs = 1979-05-27": "expected a text or a number",
    "epochs = ": "is not TOML",
    "x = " + "[" * 5000: "is not TOML",
    "epochs = 0": "epochs is 0, expected at least 1",
}


@pytest.mark.parametrize(("text", "message"), BAD.items())
def test_bad_settings_are_one_line(run, tmp_path, text, message):
    (tmp_path / "s.toml").write_text(text)
    err = run("train", "d.csv", "--module", FAKE, "--config", "s.toml", code=2).err
    assert message in err
    assert len(err.splitlines()) == 1


def test_quiet_says_nothing_and_a_report_is_a_result(run):
    found = run("train", "d.csv", "--module", FAKE, "--epochs", 2, "--quiet")
    assert found.out == ""
    assert "the first column has no name" in found.err
    assert run("train", "d.csv", "--module", FAKE, "--epochs", 2, "--quiet", "--report").out.startswith("error")
    table = run("predict", "out/model.npz", "d.csv", "--module", FAKE, "--score", "-o", "p.csv").out
    assert "true \\ predicted" in table
    assert len(Path("p.csv").read_text().splitlines()) == 61


def test_an_index_is_no_input_whether_it_is_in_the_file_or_not(run, tmp_path):
    run("train", "d.csv", "--module", FAKE, "--epochs", 2)
    with_index = run("predict", "out/model.npz", "d.csv", "--module", FAKE).out
    lines = [line.split(",", 1)[1] for line in (tmp_path / "d.csv").read_text().splitlines()]
    (tmp_path / "e.csv").write_text("\n".join(lines))
    run("train", "e.csv", "--module", FAKE, "--epochs", 2, "-o", "e.npz")
    assert run("predict", "e.npz", "d.csv", "--module", FAKE).out == with_index
    assert run("predict", "e.npz", "e.csv", "--module", FAKE).out == with_index


def notes_of(tmp_path, text, **more):
    (tmp_path / "t.csv").write_text(text)
    table = read_table(tmp_path / "t.csv", labelled(tmp_path / "t.csv", ["-1"], **more))
    return table.X.shape[1], " ".join(notes_on(table))


@pytest.mark.parametrize(("head", "inputs", "word"), [
    (",a,y", 1, "left out"), ("Unnamed: 0,a,y", 1, "left out"), ("id,a,y", 2, "--ignore id"), ("0.5,1,0", 2, ""),
])  # fmt: skip
def test_columns_that_count_rows(tmp_path, head, inputs, word):
    rows = "\n".join(f"{n},{n * n},{n % 2}" for n in range(12))
    found, note = notes_of(tmp_path, f"{head}\n{rows}")
    assert found == inputs
    assert word in note
    assert bool(note) == bool(word)


def test_an_only_input_may_count(tmp_path):
    assert notes_of(tmp_path, "t,y\n" + "\n".join(f"{n},{n % 2}" for n in range(12))) == (1, "")
    assert notes_of(tmp_path, "id,a,y\n0,1,0\n1,2,1", ignored=["id"]) == (1, "")


def test_a_kill_while_a_picture_is_drawn_leaves_nothing_of_it(tmp_path):
    probe = (
        "import os, signal; from matplotlib.figure import Figure; from symbackprop.train.files.pictures import write_picture\n"
        "class Slow(Figure):\n"
        "    def savefig(self, file, **_):\n"
        "        file.write(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "write_picture('p.png', Slow())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, env=env, check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.iterdir()) == []
