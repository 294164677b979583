"""Names and characters in messages: what was probably meant, and what is really there."""

import unicodedata
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], most: int = 2) -> list[str]:
    """Return the names that someone may have meant: few letters away, or one the beginning of the other.

    >>> nearest("tahn", ["sine", "tanh", "relu"]), nearest("l3", ["l1", "l2"]), nearest("gamma", ["max", "exp"])
    (['tanh'], ['l1', 'l2'], [])
    """
    typed = name.casefold()
    near = [(distance(typed, other.casefold()), other) for other in known]
    return [other for far, other in sorted(near, key=lambda pair: pair[0]) if _is_near(typed, other, far)][:most]


def did_you_mean(name: str, known: Iterable[str], most: int = 2) -> str:
    """Return "did you mean this or that? " with the blank behind it, or nothing."""
    near = nearest(name, known, most)
    return f"did you mean {' or '.join(near)}? " if near else ""


def distance(one: str, other: str) -> int:
    """Return the fewest letters to put in, take out, change or swap with the next, to get from one name to the other.

    References
    ----------
    Optimal string alignment: Damerau 1964, Wagner and Fischer 1974.

    >>> distance("tahn", "tanh"), distance("", "abc"), distance("nl", "nll")
    (1, 3, 1)
    """
    before, last = [0] * (len(other) + 1), list(range(len(other) + 1))
    for i, letter in enumerate(one):
        row = [i + 1]
        for j, its in enumerate(other):
            cost = min(last[j + 1] + 1, row[j] + 1, last[j] + (letter != its))
            if i and j and letter == other[j - 1] and one[i - 1] == its:
                cost = min(cost, before[j - 1] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def shown_character(character: str) -> str:
    """Return a character as it looks, with its name where it is none of ASCII: it may look like another one.

    >>> shown_character("^"), shown_character("α")
    ("'^'", "'α' (Greek small letter alpha)")
    """
    name = "" if character.isascii() else unicodedata.name(character, "").capitalize()
    return f"{character!r} ({name})" if name else repr(character)


def _is_near(typed: str, other: str, far: int) -> bool:
    if far <= max(1, len(typed) // 3):
        return far < max(len(typed), len(other))
    short, long = sorted((typed, other.casefold()), key=len)
    return len(short) >= 3 and long.startswith(short)
