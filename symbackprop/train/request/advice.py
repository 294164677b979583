"""What a module is advised against in its SPEC, said once a process: it holds for a module of the cache too."""

import functools
import warnings
from collections.abc import Mapping
from typing import Any


class AdviceWarning(UserWarning):
    """A formula is legal, but probably not what is wanted."""


def advice_of(spec: Mapping[str, Any]) -> list[str]:
    """Return the lines with which a module advises against some of its formulas, those not yet returned before.

    Parameters
    ----------
    spec
        Of the module; its "advice", where it has any, is a list of lines.

    Returns
    -------
    list of str
        Empty the second time in this process.
    """
    lines = [line for line in spec.get("advice", ()) if line not in _said()]
    _said().update(lines)
    return lines


def warn_of(spec: Mapping[str, Any], stacklevel: int = 2) -> None:
    """Give an `AdviceWarning` for each line of a SPEC that was not yet said in this process."""
    for line in advice_of(spec):
        warnings.warn(line, AdviceWarning, stacklevel=stacklevel + 1)


@functools.cache
def _said() -> set[str]:
    return set()
