import io
import struct

import pytest

from symbackprop.train import Epoch, History, plot_history, progress_report
from symbackprop.train.run.progress import Live, Plain, shown_error, shown_speed

RATE = {"output": "softmax"}
ROOT = {"output": "identity", "loss": "squared"}
EPOCHS = tuple(Epoch(n, 1 / n, 0.5, e, 412_345.6, n / 10) for n, e in enumerate((0.2, 0.025, 0.03), 1))


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(report):
    report.begin(100, 50)
    for epoch in EPOCHS:
        report.part(epoch.number, 25, 0.3, 4e5)
        report.epoch(epoch, EPOCHS[min(epoch.number - 1, 1)])
    report.end()


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    report = progress_report(RATE, stream)
    assert isinstance(report, Plain)
    run(report)
    first, _, last = stream.getvalue().splitlines()
    words = "epoch 1 training loss 1.00000 validation error 20.00 % best 20.00 % (epoch 1) 412 k/s"
    assert " ".join(first.split()) == words
    assert "\x1b" not in stream.getvalue()
    assert last.index("validation") == first.index("validation")
    assert "best   2.50 % (epoch 2)" in last


def test_a_live_table_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    stream = Terminal()
    report = progress_report(ROOT, stream)
    assert isinstance(report, Live)
    run(report)
    text = stream.getvalue()
    for words in ("examples/second", "training loss", "validation error", "best so far 0.025 in epoch 2"):
        assert words in text


def test_plain_lines_on_a_dumb_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(progress_report(RATE, Terminal()), Plain)


@pytest.mark.parametrize(
    ("speed", "text"),
    [(1_236_000, "1.24 M/s"), (412_345, "412 k/s"), (1000, "1.00 k/s"), (33.333, "33.3 /s")],
)
def test_speeds_have_three_digits(speed, text):
    assert shown_speed(speed) == text


def test_errors_are_percentages_where_they_are_rates():
    assert (shown_error(RATE, 0.02222), shown_error(ROOT, 0.022222)) == ("2.22 %", "0.02222")


@pytest.mark.parametrize("spec", [RATE, ROOT])
@pytest.mark.parametrize("count", [1, 3])
def test_the_picture(tmp_path, spec, count):
    history = History(EPOCHS[:count], EPOCHS[min(count, 2) - 1], "look-ahead")
    path = plot_history(tmp_path / "out" / "curve.png", history, spec, "a title", 0.02)
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", head[16:24])
    assert min(width, height) > 600
