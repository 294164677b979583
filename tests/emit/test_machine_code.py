"""A module computes what its text says, and starts warm, whatever was imported, moved, edited or damaged before."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from symbackprop import Network
from tests import modules
from tests.test_generated import FOLDER

REGISTERED = ("package", "top", "path")  # under a name that Python finds again
WAYS = (*REGISTERED, "unregistered", "run")
PLACES = ("", "cache", "file", "file/cache")  # of machine code: beside the module, or in the folder named


class Disk:
    """A folder of modules: what their texts compute, and which of them start warm."""

    def __init__(self, root, process):
        self.root, self.process = root, process
        self.text = modules.text_of(Network((), loss="squared"))
        self.place, self.versions, self.warm = "", {}, set()
        (root / "file").touch()
        self.write("p/m.py", 7)

    def write(self, name, version, *, by_hand=False):
        """Write a text that computes `version` more; by hand, its header stays as it was."""
        self.path(name).write_text(self.edited(version, by_hand=by_hand), "utf-8")
        self.versions[name] = version
        self.warm.clear()

    def edited(self, version, *, by_hand=False):
        # of numbers that occur nowhere else the bytecode, which Numba looks at, is the same
        before, forward, after = self.text.partition("def forward(")
        text = before + forward + after.replace("total = zero", f"total = real({version})", 1)
        return text if by_hand else text.replace("digest of what follows:", f"digest {version}:", 1)

    def path(self, name):
        path = self.root / name
        path.parent.mkdir(exist_ok=True)
        return path

    def copy(self, old, new):
        self.path(new).write_bytes((self.root / old).read_bytes())
        self.versions[new] = self.versions[old]
        self.warm.clear()

    def rename(self, old, new):
        self.copy(old, new)
        if old != new:
            (self.root / old).unlink()
            del self.versions[old]

    def move_package(self, new):
        """Move a package, with the machine code in it, to another name."""
        old = next(iter(self.versions)).split("/")[0]
        if old != new:
            shutil.rmtree(self.root / new, ignore_errors=True)
            (self.root / old).rename(self.root / new)
            there = [name for name in self.versions if name.startswith(old)]
            kept = {name: v for name, v in self.versions.items() if not name.startswith((old, new))}
            self.versions = kept | {new + name[len(old) :]: self.versions[name] for name in there}
        self.warm.clear()

    def damage(self, suffix, change):
        """Change the bytes of what has been kept."""
        for path in self.root.rglob(f"*{suffix}"):
            path.write_bytes(change(path.read_bytes()))
        self.warm.clear()

    def use(self, *uses, fault=""):
        """Load and call modules, all at once; return the hits."""
        place = str(self.root / self.place) if self.place else ""
        jobs = [[str(self.root), place, name, how, fault] for name, how in uses]
        self.process.stdin.write(json.dumps(jobs) + "\n")
        self.process.stdin.flush()
        answers = json.loads(self.process.stdout.readline())
        for (name, how), answer in zip(uses, answers, strict=True):
            assert "error" not in answer, answer["error"]
            assert answer["version"] == pytest.approx(self.versions[name], abs=1e-12), (name, how)
            assert answer["hits"] + answer["misses"] == 1
            assert answer["hits"] or (self.place, name, how) not in self.warm or fault
        if not fault:
            self.warm |= {(self.place, name, how) for name, how in uses if how in REGISTERED}
        return [answer["hits"] for answer in answers]


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if name not in {"XDG_CACHE_HOME", "NUMBA_CACHE_DIR"}}
    # no .pyc: Python itself takes a text for an older one of the same second and size
    environment = kept | {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.machine_code_process"]
    with subprocess.Popen(
        command, env=environment, cwd=Path(__file__).parents[2], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        yield process
        process.stdin.close()


@pytest.fixture(scope="module")
def make_disk(process, tmp_path_factory):
    return lambda: Disk(tmp_path_factory.mktemp("disk"), process)


@pytest.fixture
def disk(make_disk):
    return make_disk()


@pytest.mark.parametrize("place", ["", "cache"])
def test_every_order_of_names_works_and_each_name_starts_warm_the_second_time(disk, place):
    disk.place = place
    for how in [*WAYS, *reversed(WAYS)]:
        disk.use(("p/m.py", how))
    assert [disk.use(("p/m.py", how)) for how in REGISTERED] == [[1], [1], [1]]


def test_a_package_that_was_moved_with_its_machine_code_works(disk):
    """What was compiled under the name p.m must not be looked for under it, or p would have to be there."""
    disk.use(("p/m.py", "package"))
    disk.move_package("q")
    disk.use(("q/m.py", "package"))
    assert disk.use(("q/m.py", "package")) == [1]


def test_two_processes_at_once(disk):
    disk.use(*[("p/m.py", how) for how in REGISTERED], ("p/m.py", "package"))
    assert disk.use(*[("p/m.py", how) for how in REGISTERED]) == [1, 1, 1]


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("change", [lambda old: b"", lambda old: old[: len(old) // 2]], ids=["empty", "half"])
def test_a_damaged_cache_is_renewed(disk, suffix, change):
    disk.use(("p/m.py", "package"))
    disk.damage(suffix, change)
    assert disk.use(("p/m.py", "package")) == [0]
    assert disk.use(("p/m.py", "package")) == [1]


def test_code_of_other_types_is_not_taken(disk):
    """Two processes that keep code of two types at once may give both the same file."""
    disk.use(("p/m.py", "package"))
    disk.use(("p/m.py", "package"), fault="strided")
    first, second = sorted(disk.root.rglob("*forward*.nbc"))
    first.write_bytes(second.read_bytes())
    disk.warm.clear()
    assert disk.use(("p/m.py", "package")) == [0]
    disk.use(("p/m.py", "package"), fault="strided")


def test_code_of_a_text_that_was_replaced_while_it_was_read_is_not_kept_for_the_new_one(disk):
    disk.path("p/m.new").write_text(disk.edited(8), "utf-8")
    disk.use(("p/m.py", "overtaken"))
    disk.write("p/m.py", 8)
    disk.use(("p/m.py", "package"))


@pytest.mark.parametrize(
    ("place", "fault"),
    [("", "full"), ("cache", "full"), ("", "read-only"), ("file", "read-only"), ("file/cache", "nowhere")],
)
def test_without_a_place_for_machine_code_it_compiles(disk, place, fault):
    disk.place = place
    disk.use(("p/m.py", "package"), fault=fault)
    disk.use(("p/m.py", "path"))
    disk.use(("p/m.py", "path"), fault=fault)


@pytest.mark.slow
def test_recipes_3_and_5_and_training_with_the_same_file_in_any_order(tmp_path):
    package = tmp_path / "generated"
    package.mkdir()
    for name in ("__init__.py", "linear_nll.py"):
        shutil.copy(FOLDER / name, package)
    np.savetxt(tmp_path / "rows.csv", np.c_[np.random.default_rng(0).random((60, 3)), np.arange(60) % 3], delimiter=",")
    recipe = "from generated.linear_nll import *; Trainer((3, 3)).predict(np.ones((1, 3))); print(forward.stats.cache_hits)"
    command = ["-m", "symbackprop"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "NUMBA_CACHE_DIR": ""}
    orders = [
        ["-c", recipe],
        [*command, "check", "generated/linear_nll.py"],
        [*command, "train", "rows.csv", "--module", "generated/linear_nll.py", "--epochs", "1"],
    ]
    for arguments in [*orders, *reversed(orders)]:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    assert ": 1" in done.stdout


FILES = st.sampled_from(["p/m.py", "p/n.py", "q/m.py"])
PICKS = st.integers(0, 2)
CHANGES = st.one_of(
    st.tuples(st.just("write"), FILES, st.integers(7, 9), st.booleans()),
    st.tuples(st.just("copy"), PICKS, FILES),
    st.tuples(st.just("rename"), PICKS, FILES),
    st.tuples(st.just("move"), st.sampled_from("pq")),
    st.tuples(st.just("damage"), st.sampled_from([".nbi", ".nbc", ".py*.nb?"]), st.integers(0, 300)),
    st.tuples(st.just("place"), st.sampled_from(PLACES)),
    st.tuples(st.just("nothing")),
)
USES = st.lists(st.tuples(PICKS, st.sampled_from(WAYS)), min_size=1, max_size=2)
FAULTS = st.sampled_from(["", "", "", "full", "read-only", "nowhere"])


def apply(disk, kind, *arguments):
    """Do to a disk what a user might."""
    if kind == "write":
        name, version, by_hand = arguments
        disk.write(name, version, by_hand=by_hand)
    elif kind in {"copy", "rename"}:
        getattr(disk, kind)(pick(disk, arguments[0]), arguments[1])
    elif kind == "move":
        disk.move_package(*arguments)
    elif kind == "damage":
        suffix, length = arguments
        disk.damage(suffix, lambda old: old[:length])
    elif kind == "place":
        (disk.place,) = arguments


def pick(disk, number):
    names = sorted(disk.versions)
    return names[number % len(names)]


@pytest.mark.slow
@settings(max_examples=8, phases=[Phase.generate])  # a step takes a second: shrinking would take an hour
@given(steps=st.lists(st.tuples(CHANGES, USES, FAULTS), min_size=3, max_size=6))
def test_whatever_was_done_before_a_module_computes_what_its_text_says(make_disk, steps):
    disk = make_disk()
    for change, uses, fault in steps:
        apply(disk, *change)
        disk.use(*[(pick(disk, number), how) for number, how in uses], fault=fault)
