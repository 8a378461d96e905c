"""Text that others wrote, for a terminal: what came from a cluster or a file may hold anything."""

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def plain(text: object) -> str:
    """As it is, but without what moves a cursor, turns the direction or is not seen: that is written as an escape."""
    return "".join(_escaped(char) for char in str(text))


def one_line(text: object) -> str:
    """The same of what may have line breaks: they become spaces."""
    return plain(" ".join(str(text).split()))


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii") if unicodedata.category(char) in _UNSEEN else char
