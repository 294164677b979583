"""What becomes of a failure that nobody foresaw: one line that names what was typed, at the door where it came in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

FORESEEN = (ValueError, OSError, MemoryError, ImportError)  # each says in a line what it is about
LONGEST = 200


class UnforeseenError(ValueError):
    """Something that was typed, and with which the generator could not go on; its cause has the traceback."""


@contextmanager
def named_if_it_fails(what: str, typed: object) -> Iterator[None]:
    """Turn a failure that nobody foresaw, such as SymPy's recursion without end, into one line with what was typed.

    Parameters
    ----------
    what
        What was typed: ``"formula"``.
    typed
        Its text, or an object whose text is shown.

    Raises
    ------
    UnforeseenError
        In place of any exception that is none of `FORESEEN`, or is one of several lines.
    """
    try:
        yield
    except FORESEEN as error:
        if "\n" in str(error):
            raise _unforeseen(what, typed, error) from error
        raise
    except Exception as error:  # whatever SymPy, or a function of the user's own, may raise
        raise _unforeseen(what, typed, error) from error


def _unforeseen(what: str, typed: object, error: Exception) -> UnforeseenError:
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return UnforeseenError(
        f"the {what} {_short(str(typed))} cannot be worked with ({_short(said)}); write it in another way, "
        "such as x if condition else y in place of max, and please report it"
    )


def _short(text: str) -> str:
    line = re.sub(r"\s+", " ", text)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."
