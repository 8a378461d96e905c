"""Text that others wrote, for a terminal: what came from a cluster or a file may hold anything."""

from doorward.pki import visible


def plain(text: object) -> str:
    """As it is, but without what moves a cursor, turns the direction or is not seen: that is written as an escape."""
    return "".join(_escaped(char) for char in str(text))


def one_line(text: object) -> str:
    """The same of what may have line breaks: they become spaces."""
    return plain(" ".join(str(text).split()))


def _escaped(char: str) -> str:
    hides = visible.holds_control(char) or visible.unseen(char) is not None
    return char.encode("unicode_escape").decode("ascii") if hides else char
