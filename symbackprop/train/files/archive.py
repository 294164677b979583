""".npz files, read with distrust: nothing is unpickled, and whatever is wrong with one becomes one line."""

import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np

from symbackprop.train.protocol import Array


def read_arrays(path: str | Path, wanted: Collection[str] | None = None) -> dict[str, Array]:
    """Return arrays of an .npz file by name.

    Parameters
    ----------
    path
        The file.
    wanted
        Names of the arrays to read, all of them by default.

    Raises
    ------
    ValueError
        If the file is missing, damaged, no .npz, holds Python objects, or lacks a wanted array.
    """
    if not Path(path).is_file():
        raise ValueError(f"{path} is a folder, expected a file" if Path(path).is_dir() else f"{path} does not exist")
    if not zipfile.is_zipfile(path):  # np.load would call any other file a pickle
        raise ValueError(f"{path} is not a readable .npz file: it is another kind of file, or cut off")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = list(file.files)
            arrays = {name: np.asarray(file[name]) for name in names if wanted is None or name in wanted}
    except Exception as error:  # noqa: BLE001 (a damaged zip raises nearly anything: zlib.error, NotImplementedError, ...)
        reason = "it holds Python objects" if "pickle" in str(error) else " ".join(str(error).split())[:120]
        raise ValueError(f"{path} is not a readable .npz file: {reason or type(error).__name__}") from None
    for name in wanted or ():
        if name not in arrays:
            raise ValueError(f"{path} has no array {name!r}; its arrays are {', '.join(names)[:200] or 'none'}")
    return arrays
