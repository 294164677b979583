"""A network of layers in a file: ``layers = ["conv(8, 5)", "relu", "maxpool(2)", "dense(10)"]``, as TOML."""

import tomllib
from pathlib import Path
from typing import Any

from symbackprop.expr.suggest import nearest

LARGEST = 100_000  # bytes
TEXTS = ("loss", "penalty", "initializer", "step_size", "dtype", "output", "update")
LAYER = ("equations", "initial", "rows", "uses")  # keys of a layer's table; all others are numbers
TABLES = ("constants", "learned", "learned_per_unit")


def read_network(path: str | Path) -> dict[str, Any]:
    """Return what a file says of a network, by the names that `Network` has for it.

    Parameters
    ----------
    path
        A TOML file with `input`, the shape of one example, and `layers`: texts such as ``"dense(64)"``, names or
        formulas of activations, and tables ``{equations = "a[i] = ...", i = 8}``. It may have %s and the tables %s.

    Raises
    ------
    ValueError
        If it cannot be read, is no TOML, or has something else; the message names the file and the entry.
    """
    path = Path(path)
    entries = read_toml(path, "input and layers")
    for key in ("input", "layers"):
        if key not in entries:
            raise ValueError(f'{path} has no {key}; expected input = [64] and layers = ["dense(32)", "tanh", ...]')
    for key, value in entries.items():
        _check(path, key, value)
    return entries


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """Return the entries of a TOML file; ValueError, one line that says what was expected of it, if it is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} has more than {LARGEST} bytes, expected {what}")
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path} does not exist, expected a TOML file with {what}") from None
    except IsADirectoryError:
        raise ValueError(f"{path} is a folder, expected a TOML file with {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not TOML: {error}") from None


if read_network.__doc__:
    read_network.__doc__ %= (", ".join(TEXTS), ", ".join(TABLES))


def _check(path: Path, key: str, value: Any) -> None:
    expected = {
        "input": (_is_shape, "a list of positive integers such as [1, 28, 28]"),
        "layers": (_are_layers, "a list of texts, and of tables with equations"),
        **dict.fromkeys(TEXTS, (lambda v: isinstance(v, str), "a text")),
        **dict.fromkeys(TABLES, (_are_numbers, "a table of numbers")),
    }
    if key not in expected:
        raise ValueError(f"{path} has the entry {key!r:.40}, expected {', '.join(expected)}")
    for item in value if key == "layers" and isinstance(value, list) else ():
        _check_layer(path, item)
    fits, wanted = expected[key]
    if not fits(value):
        raise ValueError(f"{path} has {key} = {value!r:.60}, expected {wanted}")


def _check_layer(path: Path, item: Any) -> None:
    """Raise ValueError if the table of a layer has a key that none has, or the value of another."""
    for name, value in item.items() if isinstance(item, dict) else ():
        if is_layer({"equations": "", name: value}):
            continue
        close = nearest(name, LAYER, 1)
        near = f"did you mean {close[0]!r}? It may have" if close and name not in LAYER else "expected"
        raise ValueError(f"{path} has {name} = {value!r:.40} in the layer {item.get('equations', item)!r:.60}; {near} "
                         "equations, a text; initial and rows, tables of numbers; uses, a table of names; and numbers "
                         "for indices and constants")  # fmt: skip


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(n) is int and n > 0 for n in value)


def _are_layers(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_layer, value))


def is_layer(item: Any) -> bool:
    """Whether a value describes a layer or an activation: a text, or a table of equations, sizes and numbers."""
    if isinstance(item, str):
        return True
    if not isinstance(item, dict) or not isinstance(item.get("equations"), str):
        return False
    rest = {name: value for name, value in item.items() if name != "equations"}
    return all(_is_number(value) or (name in {"initial", "rows"} and _are_numbers(value))
               or (name == "uses" and isinstance(value, dict) and all(isinstance(v, str) for v in value.values()))
               for name, value in rest.items())  # fmt: skip


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))
