"""Files that are either the old one or the new one, never half of each."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO


def replace_file(path: str | Path, write: Callable[[BinaryIO], Any]) -> Path:
    """Write a file beside its place, flush it to the disk, and move it there in one step.

    Parameters
    ----------
    path
        The file to make or replace; missing folders are made.
    write
        Called with the open binary file. If it raises, what was at `path` before is still there.

    Raises
    ------
    ValueError
        If the place cannot be written.
    """
    path = check_writable(path)
    # in the same folder, since a rename is atomic only within one file system
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if draft.exists():
            draft.unlink()
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Write text as UTF-8, whole or not at all; see `replace_file`."""
    return replace_file(path, lambda file: file.write(text.encode()))


def apart(read: Mapping[str, Path | None], written: Mapping[str, Path | None]) -> None:
    """Raise ValueError if a command would write a file over another one that it reads or writes."""
    seen = {path.resolve(): what for what, path in read.items() if path is not None}
    for what, path in written.items():
        if path is None:
            continue
        if path.resolve() in seen:
            other = seen[path.resolve()]
            raise ValueError(f"{path} is {other} and would be {what} too, expected a file of its own for each")
        seen[path.resolve()] = what


def check_writable(path: str | Path) -> Path:
    """Return the path if a file can be written there; to be asked before the long work, not after it.

    Raises
    ------
    ValueError
        If it is a folder, or its folder can neither be written nor made.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected the name of a file to write")
    folder = next((p for p in path.absolute().parents if p.exists()), path.absolute().parent)
    if not folder.is_dir():
        raise ValueError(f"cannot write {path}: {shown(folder)} is not a folder")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"cannot write {path}: no permission to write in {shown(folder)}")
    return path


def shown(path: str | Path) -> str:
    """Return a path as people write it: from the current folder, or from ~ for the home folder."""
    path = Path(path).absolute()
    for folder, prefix in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path.is_relative_to(folder):
            return prefix + str(path.relative_to(folder))
    return str(path)
