"""The benchmarks: every peer does the same updates, and one that does not cannot win."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest

from symbackprop.bench import bars, bench, machine, report, with_c, with_numpy
from symbackprop.bench.__main__ import chosen
from symbackprop.bench.peers import OURS, PEERS, Absent, Peer
from symbackprop.bench.plot import plot
from symbackprop.bench.side_by_side import compare
from symbackprop.bench.task import Task, make_task, parse_sizes, useful_flops
from tests.conftest import CACHE

SIZES = [(5, 7, 3), (6, 9, 8, 4)]
ABOUT = {"date": "2026-01-01", "machine": {"processor": "a chip", "system": "Linux"}, "repeats": 1, "clock": "wall"}


@pytest.fixture(autouse=True, scope="module")
def cache():
    """Modules in a place of the tests' own, where Numba finds again what it compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYMBACKPROP_CACHE_DIR", str(CACHE / "bench"))
        yield


def small(sizes=SIZES[0], examples=1024):
    """A task on which an update left out, or a penalty, shows."""
    return replace(make_task(sizes).first(examples), learning_rate=0.05)


def named(*names):
    return [peer for peer in PEERS if peer.name in names]


def compared(*peers, task=None):
    return compare(task or small(), peers, repeats=1, seconds=10)


@pytest.fixture
def wrong(monkeypatch):
    """A maker of peers that run a changed task, or nothing."""

    def make(**changes):
        def maker(task):
            return with_numpy.per_example(replace(task, **changes)) if changes else lambda parameters: parameters

        monkeypatch.setattr(with_numpy, "wrong", maker, raising=False)
        return Peer("wrong", "with_numpy.wrong")

    return make


@pytest.mark.parametrize(
    ("peer", "sizes"),
    # the compiler is slow on mini-batches: one depth of these
    [(peer, sizes) for peer in PEERS for sizes in SIZES if not peer.is_ours or peer.batch == 1 or sizes == SIZES[0]],
    ids=lambda part: getattr(part, "name", str(part)),
)
def test_every_peer_ends_with_the_parameters_of_the_reference(peer, sizes):
    task = small(sizes)
    try:
        run = peer.make(task)
    except Absent as word:
        pytest.skip(str(word))
    for _ in range(2):  # a run leaves nothing to the next
        found = run(task.fresh())
    for got, right in zip(found, with_numpy.reference(task, peer.batch), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-4, atol=1e-5)
    assert np.nextafter(np.zeros(1), 1) * 1.0 > 0  # gcc's -ffast-math can switch subnormals off for a whole process


def test_the_reference_of_mini_batches_of_one_example_is_that_of_single_examples():
    task = small(SIZES[1], 50)
    batches = [value.astype(float) for value in task.parameters]
    for n in task.order:
        with_numpy._update_batch(batches, task.X[[n]].astype(float), task.y[[n]], task.learning_rate, task.l2)
    for got, right in zip(batches, with_numpy.reference(task, 1), strict=True):
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "changes",
    [{}, {"l2": 0.0}, {"learning_rate": 0.06}, {"order": np.arange(100)}],
    ids=["does nothing", "forgets the penalty", "steps too far", "leaves examples out"],
)
def test_a_wrong_loop_has_no_rate(wrong, changes):
    comparison = compared(*named("NumPy"), wrong(**changes))
    right, other = comparison.results
    assert right.is_right
    assert not other.is_right
    assert other.word.startswith("wrong: the final loss is")
    assert comparison.result("wrong") is None
    assert "wrong: the final loss" in report.table(comparison)


def test_a_generated_module_that_is_wrong_meets_no_bar(wrong):
    comparison = compared(replace(wrong(), name=OURS), *named("NumPy"), task=small((4, 8, 3)))
    assert {v.word for v in bars.verdicts([comparison])} == {"not met"}
    assert np.isnan(comparison.ratio(comparison.results[1]))


def test_what_is_not_installed_is_left_out_with_a_word(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "symbackprop.bench.with_torch", raising=False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with_c._library.cache_clear()
    comparison = compared(*named(OURS, "PyTorch optim.SGD", "C, naive"), task=small((4, 8, 3)))
    words = {result.peer.name: result.word for result in comparison.results}
    assert words == {
        OURS: "",
        "C, naive": "left out: there is no gcc",
        "PyTorch optim.SGD": "left out: torch is not installed",
    }
    assert {v.word for v in bars.verdicts([comparison])} == {"not measured"}


def test_the_generated_module_is_as_fast_as_itself():
    comparison = compared(*named(OURS, "NumPy"))
    ours, numpy = comparison.results
    assert comparison.ratio(ours) == 1
    assert comparison.ratio(numpy) == pytest.approx(ours.rate / numpy.rate)
    assert 0 < comparison.part_of_peak(ours) < 1


def test_slow_peers_get_fewer_examples():
    quick, slow = (compare(small(), named("NumPy"), repeats=2, seconds=s).results[0] for s in (10, 1e-9))
    assert (quick.examples, slow.examples) == (1024, 128)
    assert slow.is_right
    assert len(slow.seconds) == 2


def test_bars_compare_with_the_median_and_the_peak():
    comparison = compared(*named(OURS, "Numba loops by hand"), task=small((4, 8, 3)))
    ours, loops = comparison.results
    ours.seconds, loops.seconds = [1.0, 1.0, 1.0], [1.5, 1.7, 9.0]
    found = {v.peer: v for v in bars.verdicts([comparison])}
    assert found["Numba loops by hand"].measured == pytest.approx(1.7)
    assert found["Numba loops by hand"].word == "met"
    assert found["JAX jit(scan)"].word == "not measured"


def test_every_bar_names_a_peer():
    names = {peer.name for peer in PEERS} | {bars.SGEMM}
    assert {peer for network in bars.BARS.values() for peer in network} <= names


def test_useful_operations():
    assert useful_flops((2, 3)) == 4 * 6
    assert useful_flops((784, 512, 512, 10)) == 4 * 784 * 512 + 6 * 512 * 512 + 6 * 512 * 10


def test_tasks_have_classes_to_learn_and_whole_mini_batches():
    task = make_task((784, 512, 512, 10))
    assert isinstance(task, Task)
    assert task.order.size % 128 == 0
    assert len(np.unique(task.y)) == 10
    assert task.name == "784-512-512-10"


@pytest.mark.parametrize("text", ["", "4", "4-3", "4-0-3", "4-x-3", "4,8,3", "-4-8-3"])
def test_a_network_not_written_as_sizes_is_refused(text):
    with pytest.raises(ValueError, match="such as 784-128-10"):
        parse_sizes(text)


def test_peers_are_chosen_by_parts_of_their_names():
    assert [p.name for p in chosen(["numpy", "JAX"])] == [OURS, "JAX jit(scan)", "NumPy"]
    assert chosen([]) == list(PEERS)


def test_reports_say_what_was_measured(tmp_path):
    comparisons = [compared(*named(OURS, "NumPy"), task=small(sizes)) for sizes in ((4, 8, 3), SIZES[0])]
    text = report.markdown(comparisons, ABOUT)
    assert text.startswith("Measured on 2026-01-01: a chip")
    assert "| examples/s | 4-8-3 | 5-7-3 |" in text
    assert "| 4-8-3 | JAX jit(scan) | 7.00x | - | not measured |" in text
    data = json.loads(report.as_json(comparisons, ABOUT))
    assert [r["peer"] for r in data["networks"][1]["results"]] == [OURS, "NumPy"]
    assert data["bars"][0]["verdict"] == "not measured"
    plot(tmp_path / "a.png", comparisons, "title")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_bench_measures_in_a_process_of_its_own(tmp_path, capfd):
    files = {"output": tmp_path / "b.json", "markdown": tmp_path / "b.md"}
    assert bench(["4-8-3"], peers=["numpy"], repeats=2, seconds=0.01, **files) == 0
    printed = capfd.readouterr().out
    assert "4-8-3, sgemm" in printed
    assert "at least  7.00x:      -  not measured" in printed
    assert json.loads(files["output"].read_text("utf-8"))["repeats"] == 2
    assert "NumPy" in files["markdown"].read_text("utf-8")


def test_bench_says_when_its_process_breaks_off(monkeypatch, capfd):
    monkeypatch.setattr("sys.executable", "false")
    assert bench(["4-8-3"]) == 2
    assert "broke off with exit status 1" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"networks": ["7"]}, "such as 784-128-10"),
        ({"repeats": 0}, "repeats 0"),
        ({"seconds": float("nan")}, "seconds nan"),
        ({"clock": "sun"}, "clock 'sun'"),
        ({"plot": "."}, "is a folder"),
    ],
)
def test_bench_refuses_before_it_measures(changes, message):
    with pytest.raises(ValueError, match=message):
        bench(**changes)


def test_the_machine_is_described_with_what_the_environment_says_of_it(monkeypatch):
    monkeypatch.setattr(machine, "_facts", lambda: {"flags": "sse2 avx512f", "model name": "a chip"})
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    assert machine.described()["processor"] == "a chip, AVX-512"
    assert "OPENBLAS_CORETYPE" not in machine.described()
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert machine.described()["OPENBLAS_CORETYPE"] == "Haswell"
    assert machine.one_thread()["OPENBLAS_NUM_THREADS"] == "1"
    monkeypatch.setattr(machine, "_facts", dict)
    assert machine.described()["processor"]
