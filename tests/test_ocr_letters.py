"""The benchmark on OCR letters, on letters made here: its line against the protocol in plain NumPy, and its refusals."""

import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import CACHE

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "ocr_letters.py"
CLASSES, NOISE = 26, 0.3
ARGUMENTS = ["0.02", "1e-5", "[8]", "1e-4", "1e-5", "7", "True"]
NAMES = ["LR", "DC", "SIZES", "L2", "L1", "SEED", "TANH"]


def import_benchmark():
    spec = importlib.util.spec_from_file_location("benchmark_ocr_letters", BENCHMARK)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


bench = import_benchmark()


@pytest.fixture(autouse=True, scope="module")
def cache():
    """Modules in a place of the tests' own, where Numba finds again what it compiled."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYMBACKPROP_CACHE_DIR", str(CACHE / "ocr_letters"))
        yield


def made(rows):
    """One picture for each class, pixels flipped at random, in an order that is not that of the rows."""
    random = np.random.default_rng(0)
    y = random.integers(0, CLASSES, rows)
    pixels = random.integers(0, 2, (CLASSES, 128))[y] ^ (random.random((rows, 128)) < NOISE)
    order = random.permutation(rows).astype(np.uint16)
    return {"X_bits": np.packbits(pixels, axis=1), "y": y.astype(np.uint8), "larochelle_perm": order}


@pytest.fixture(scope="module")
def arrays():
    """As many rows as the letters have, 0.9 MB."""
    return made(52152)


@pytest.fixture(scope="module")
def data(arrays, tmp_path_factory):
    path = tmp_path_factory.mktemp("letters") / "letters.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture
def failure(capsys):
    """The one line with which a call ends."""

    def of(*arguments):
        with pytest.raises(SystemExit) as ended:
            bench.main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if not line.startswith("epoch ")]
        assert (ended.value.code, out, len(lines)) == (2, "", 1)
        return lines[0]

    return of


def in_a_process(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARK.parents[1])}
    command = [sys.executable, BENCHMARK, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


# The protocol once more, without symbackprop: tanh, softmax, derivatives typed in by hand.


def parts_of(arrays, rows):
    order = arrays["larochelle_perm"]
    X, y = np.unpackbits(arrays["X_bits"], axis=1)[order].astype(float), arrays["y"][order].astype(int)
    return [(X[part], y[part]) for part in rows.values()]


def initial(sizes, seed):
    """W1, b1, W2, ...: U(-1, 1)/fan_in and zeros."""
    random = np.random.default_rng(seed)
    return [part for n, m in itertools.pairwise(sizes) for part in (random.uniform(-1, 1, (m, n)) / n, np.zeros(m))]


def forward(parameters, x):
    """All layers of one example, or of many as rows; the last one is log f."""
    layers = [x]
    for W, b in zip(parameters[::2], parameters[1::2], strict=True):
        layers.append(np.tanh(layers[-1] @ W.T + b))
    a = layers[-2] @ parameters[-2].T + parameters[-1]
    a = a - a.max(axis=-1, keepdims=True)
    return [*layers[:-1], a - np.log(np.exp(a).sum(axis=-1, keepdims=True))]


def update(parameters, x, y, step, l2, l1):
    *layers, log_f = forward(parameters, x)
    delta = np.exp(log_f)
    delta[y] -= 1
    for k in reversed(range(len(layers))):
        W, b = parameters[2 * k : 2 * k + 2]
        below = (delta @ W) * (1 - layers[k] ** 2)
        W -= step * (np.outer(delta, layers[k]) + 2 * l2 * W + l1 * np.sign(W))
        b -= step * delta
        delta = below


def error_and_loss(parameters, X, y):
    log_f = forward(parameters, X)[-1]
    return float((log_f.argmax(axis=1) != y).mean()), float(-log_f[np.arange(len(y)), y].mean())


def by_hand(parts, lr, dc, sizes, l2, l1, seed):
    """Return the best epoch, the number of epochs, and error and loss of each part."""
    parameters, t, errors, kept, best = initial(sizes, seed), 0, [], [], 0
    while len(errors) - best < 5:
        for x, y in zip(*parts[0], strict=True):
            update(parameters, x, y, lr / (1 + dc * t), l2, l1)
            t += 1
        errors.append(error_and_loss(parameters, *parts[1])[0])
        kept.append([value.copy() for value in parameters])
        best = int(np.argmin(errors)) + 1
    return best, len(errors), [value for part in parts for value in error_and_loss(kept[best - 1], *part)]


def test_the_line_is_that_of_the_protocol_in_numpy(tmp_path, monkeypatch, capsys):
    arrays, rows = made(1600), {"train": slice(1000), "validation": slice(1000, 1300), "test": slice(1300, None)}
    np.savez(tmp_path / "letters.npz", **arrays)
    monkeypatch.setattr(bench, "ROWS", 1600)
    monkeypatch.setattr(bench, "PARTS", rows)
    bench.main([*ARGUMENTS, "--data", str(tmp_path / "letters.npz"), "--dtype", "float64"])
    out, err = capsys.readouterr()
    *given, best_epoch = out.split("\t")[:10]
    assert given == ["0.02", "1e-05", "[8]", "0.0001", "1e-05", "7", "True", "fan_in", "float64"]
    best, epochs, measured = by_hand(parts_of(arrays, rows), 0.02, 1e-5, (128, 8, CLASSES), 1e-4, 1e-5, 7)
    assert (int(best_epoch), len(err.splitlines())) == (best, epochs)
    assert 1 < best < 500
    np.testing.assert_allclose([float(v) for v in out.split("\t")[10:]], measured, rtol=1e-6)


def test_two_processes_print_the_same_line_and_append_it(data, tmp_path):
    options = ["--data", data, "--output", tmp_path / "lines.tsv"]
    first, second = (in_a_process(*ARGUMENTS, *options) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == second.stdout
    assert first.stdout.count("\n") == 1
    assert (tmp_path / "lines.tsv").read_text("utf-8") == first.stdout * 2


def test_the_header_names_each_field_and_the_errors_are_what_the_wrong_letters_make(data, capsys):
    bench.main(["0.1", "0", "[]", "0", "0", "1", "False", "--data", str(data), "--header", "--initializer", "glorot"])
    out, err = capsys.readouterr()
    header, line = (text.split("\t") for text in out.splitlines())
    fields = dict(zip(header, line, strict=True))
    assert (fields["initializer"], fields["dtype"], fields["sizes"]) == ("glorot", "float32", "[]")
    for part, count in (("train", 32152), ("validation", 10000), ("test", 10000)):
        wrong = float(fields[f"{part}_error"]) * count
        assert wrong == pytest.approx(round(wrong), abs=1e-6)
        assert 0 < wrong < count
    told = [float(text.split("error ")[1].split("%")[0]) for text in err.splitlines()]
    assert fields["best_epoch"] == str(int(np.argmin(told)) + 1)
    assert 100 * float(fields["validation_error"]) == pytest.approx(min(told), abs=0.005)
    assert len(told) == int(fields["best_epoch"]) + 5


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("LR", "0", "a positive number"),
        ("LR", "-1e-3", "a positive number"),
        ("LR", "inf", "a positive number"),
        ("LR", "fast", "a positive number"),
        ("DC", "-1", "0 or a positive number"),
        ("SIZES", "20", "a list of units"),
        ("SIZES", "[20,0]", "a list of units"),
        ("SIZES", "[20,10.5]", "a list of units"),
        ("SIZES", "[2**9]", "a list of units"),
        ("SIZES", "__import__('os')", "a list of units"),
        ("L2", "nan", "0 or a positive number"),
        ("L1", "-inf", "0 or a positive number"),
        ("SEED", "-1", "a whole number"),
        ("SEED", "1.5", "a whole number"),
        ("TANH", "tanh", "True or False"),
    ],
)
def test_a_bad_argument_is_named_with_its_value_and_what_was_expected(failure, data, name, value, expected):
    arguments = [value if name == n else a for n, a in zip(NAMES, ARGUMENTS, strict=True)]
    assert f"argument {name}: {value!r}, expected {expected}" in failure(*arguments, "--data", data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "required: --data"),
        (["--data", "nowhere.npz"], "--data: nowhere.npz does not exist"),
        (["--data", str(BENCHMARK)], "not a readable .npz file"),
        (["--data", "x", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["--data", "x", "--initializer", "he"], "argument --initializer: invalid choice: 'he'"),
        (["--data", "x", "--output", str(BENCHMARK.parent)], "expected a file to append to: Is a directory"),
    ],
)
def test_a_bad_option_is_one_line(failure, options, message):
    assert message in failure(*ARGUMENTS, *options)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("X_bits", lambda X: X[:100], "X_bits is uint8 of (100, 16), expected integers of (52152, 16)"),
        ("y", lambda y: y + 1, "y has 1 to 26, expected 0 to 25"),
        ("y", lambda y: y.astype(float), "y is float64"),
        ("larochelle_perm", lambda rows: rows // 2, "has a row twice"),
    ],
)
def test_data_that_is_not_the_letters_is_refused(failure, arrays, tmp_path, name, change, message):
    np.savez(tmp_path / "wrong.npz", **arrays | {name: change(arrays[name])})
    assert message in failure(*ARGUMENTS, "--data", tmp_path / "wrong.npz")


def test_results_do_not_go_into_the_data(failure, data):
    before = data.read_bytes()
    assert "would be the results too" in failure(*ARGUMENTS, "--data", data, "--output", data)
    assert data.read_bytes() == before


def test_training_that_becomes_non_finite_is_told_in_one_line(failure, data):
    line = failure("1e4", "0", "[3]", "1", "0", "1", "True", "--data", data)
    assert "training became non-finite" in line


def test_a_bad_argument_ends_a_process_with_two_and_no_traceback(data):
    ended = in_a_process("0.1", "0", "[1+1]", "0", "0", "1", "False", "--data", data)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "ocr_letters.py: error: argument SIZES: '[1+1]', expected a list of units from 1 to 9999 such as [200,100,50]"
    ]
