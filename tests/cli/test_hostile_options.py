"""No value of any option of any command ends in a traceback: what cannot be meant is refused in one line."""

import numpy as np
import pytest
import typer

import symbackprop
import symbackprop.bench
import symbackprop.check.accuracy
import symbackprop.explain.plot
from symbackprop import cli
from symbackprop.cli.options import NETWORK
from symbackprop.cli.program import app
from symbackprop.derivation.validate import refuse
from tests.train.conftest import FAKE

VALUES = ["nan", "inf", "-1", "0", "1e30", "", "word", "٣", ".", "none/there.py", "\x00", "9" * 400, "[", "a\nb", "\udcff"]
WHOLE, REAL = {"0", "٣", "9" * 400}, {"0", "٣", "1e30"}  # what may be meant: digits of other scripts are digits
NAMES = {"nan", "inf", "-1", "0", "1e30", "word", "٣", ".", "none/there.py", "9" * 400, "[", "a\nb", "\udcff"}
MEANT = {  # by option: values that are understood
    "peer": {*NAMES, "", "\x00"}, "epochs": {"٣", "9" * 400}, "look-ahead": {"٣", "9" * 400}, "points": set(),
    "learning-rate": {"٣", "1e30"}, "span": {"٣"}, "dropout": {"0"}, "hidden": {"٣", "9" * 400}, "ignore": {"0"},
    "hidden-layers": {"0", "٣"}, "label": {"0", "-1"}, "plot": set(), "markdown": NAMES - {"."},
    "output": NAMES - {"."}, "learn": set(),
}  # fmt: skip
BASES = {
    "derive": ["--exact-form"], "generate": ["--exact-form", "--output=m.py"], "train": ["d.csv", "--epochs=1"],
    "predict": ["m.npz", "d.csv", "--score", "--module", str(FAKE)], "check": [str(FAKE)],
    "plot-activation": ["tanh", "--output=p.png"], "audit": ["tanh"], "bench": [],
}  # fmt: skip


class Reached(BaseException):  # noqa: N818 (no error: the value was understood, and the work would begin)
    """The work is not done here."""


def reached(*_, **__):
    raise Reached


def checked(network, **_):
    refuse(network.resolved)
    raise Reached


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data and a model."""
    made = tmp_path_factory.mktemp("hostile")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made)
        patch.setenv("SYMBACKPROP_CACHE_DIR", str(made / "cache"))
        patch.setattr(symbackprop, "check_module", lambda *_, **__: [])
        patch.setattr("symbackprop.cli.train.recall", lambda *_: "checked")
        X = np.random.default_rng(0).normal(size=(60, 2)) + 3 * np.arange(60)[:, None] % 2
        rows = [f"{a:.3f},{b:.3f},{'ab'[n % 2]}" for n, (a, b) in enumerate(X)]
        (made / "d.csv").write_text("\n".join(["x1,x2,kind", *rows]))
        assert cli.run(["train", "d.csv", "--module", str(FAKE), "--epochs=1", "-o", "m.npz", "--quiet"]) == 0
        for target, stub in {
            "symbackprop.compiler.assembled": reached, "symbackprop.derive": checked, "symbackprop.bench.subprocess.run": reached,
            "symbackprop.check.accuracy._audited": reached, "symbackprop.explain.plot.new_figure": reached,
            "symbackprop.cli.train.train_model": reached,
        }.items():  # fmt: skip
            patch.setattr(target, stub)
        yield made


def options():
    for name, command in typer.main.get_command(app).commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option" and not parameter.is_flag and parameter.name != "help":
                yield name, max(parameter.opts, key=len).removeprefix("--"), parameter.metavar


def meant(option, kind):
    """Return which values an option may understand."""
    return MEANT.get(option, {"N": WHOLE, "X": REAL}.get(kind, set()))


@pytest.mark.parametrize(("command", "option", "kind"), [*options()])
def test_what_cannot_be_meant_is_refused_in_one_line(place, capsys, command, option, kind):
    base = [text for text in BASES[command] if not text.startswith(f"--{option}=")]
    if command == "train" and option.replace("-", "_") not in {*NETWORK, "module", "hidden", "set"}:
        base += ["--module", str(FAKE)]
    for value in VALUES:
        try:
            status = cli.run([command, *base, f"--{option}={value}"])
        except Reached:
            status = "reached"
        shown = capsys.readouterr().err
        lines = [line for line in shown.splitlines() if not line.startswith("symbackprop: warning")]
        if status != 2:
            assert value in meant(option, kind), (value, status, shown)
            assert status in {0, "reached"}, (value, shown)
        else:
            assert len(lines) == 1, (value, shown)
        assert "nobody foresaw" not in shown


def test_there_are_options_of_every_command():
    assert {command for command, _, _ in options()} == set(BASES)
