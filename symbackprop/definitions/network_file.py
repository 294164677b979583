"""From a TOML file to the network of layers that it describes."""

from __future__ import annotations

from pathlib import Path

from symbackprop.definitions.network import Network
from symbackprop.train.request.network_file import read_network


def network_of_file(path: str | Path) -> Network:
    """Return the network that a file describes.

    Parameters
    ----------
    path
        A TOML file; see `symbackprop.train.request.network_file.read_network`. Its `dtype` is for `build` to be told.

    Raises
    ------
    ValueError
        If the file is none, or describes no network; the message says what is wrong.
    """
    entries = read_network(path)
    layers, shape = entries.pop("layers"), tuple(entries.pop("input"))
    entries.pop("dtype", None)
    return Network(layers, input=shape, **entries)
