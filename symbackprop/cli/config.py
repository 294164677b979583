"""Settings in a file, by the names of the options: written beside a model, and taken by ``--config``."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

from symbackprop.expr.suggest import did_you_mean
from symbackprop.train.request.network_file import read_toml

_NOT_IN_FILES = {"config", "quiet", "help"}


def take_config(wanted: Callable[[str], bool]) -> Callable[[typer.Context, Path | None], Path | None]:
    """Return the callback of ``--config``: what the file says are the defaults of the command's options.

    Parameters
    ----------
    wanted
        Whether an option is taken from the file; it may have others, of other commands, too.
    """

    def callback(ctx: typer.Context, path: Path | None) -> Path | None:
        if path is not None:
            ctx.default_map = _defaults(ctx, path, wanted)
        return path

    return callback


def _defaults(ctx: typer.Context, path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    root: Any = ctx.find_root().command
    known = {option_name(p): p for c in root.commands.values() for p in c.params if p.name not in _NOT_IN_FILES}
    mine = {option_name(p): p for p in ctx.command.params if p.name not in _NOT_IN_FILES}
    values = {}
    for key, value in read_toml(path, "the settings of a run").items():
        name = key.replace("_", "-")
        if name not in known:
            raise ValueError(f"{path} has the entry {key!r:.40}, which is no option; {did_you_mean(name, known)}see "
                             f"{ctx.command_path} --help")  # fmt: skip
        if name in mine and wanted(mine[name].name or ""):
            values[mine[name].name or ""] = _as_typed(path, key, mine[name], value)
    return values


def option_name(parameter: Any) -> str:
    """Return what an option, or an argument, is called in a file: ``step-size``."""
    long = [name for name in getattr(parameter, "opts", ()) if name.startswith("--")]
    return (long[0] if long else parameter.name).removeprefix("--").replace("_", "-")


def _as_typed(path: Path, key: str, parameter: Any, value: Any) -> Any:
    """Return a value as if it were typed; what it means is for the option to say."""
    several, is_flag = getattr(parameter, "multiple", False), getattr(parameter, "is_flag", False)
    match value:
        case bool() if is_flag:
            return value
        case int() | float() if is_flag and not isinstance(value, bool):
            return True  # a rate, where this command only asks whether
        case str() | int() | float() if not is_flag and not isinstance(value, bool):
            return [str(value)] if several else str(value)
        case list() if not is_flag and all(isinstance(v, str | int | float) and not isinstance(v, bool) for v in value):
            if several:
                return list(map(str, value))
            if key == "hidden":
                return ",".join(map(str, value)) or "none"
        case dict() if several and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value.values()):
            return [f"{name}={number}" for name, number in value.items()]
    kind = "true or false" if is_flag else "a list of texts, or a table of numbers" if several else "a text or a number"
    raise ValueError(f"{path} has {key} = {value!r:.60}, expected {kind}")


def settings_text(title: str, entries: Mapping[str, Any]) -> str:
    """Return settings as TOML; what is None is left out.

    >>> print(settings_text("one", {"seed": 0, "hidden": None, "set": {"momentum": 0.9}}), end="")
    # one
    seed = 0
    set = {"momentum" = 0.9}

    Raises
    ------
    ValueError
        If a text cannot be written as UTF-8, as the name of a file of other bytes.
    """
    lines = [f"{key} = {_toml(value)}" for key, value in entries.items() if value is not None]
    text = "\n".join([f"# {title}", *lines, ""])
    for key, value in entries.items():
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise ValueError(f"{key} is {value!a:.60}, which is not UTF-8 and cannot be noted; rename it") from None
    return text


def _toml(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case Mapping():
            return "{" + ", ".join(f"{_toml(str(k))} = {_toml(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(_toml, value)) + "]"
    # JSON's escapes are TOML's, but for the one character that only TOML wants escaped
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
