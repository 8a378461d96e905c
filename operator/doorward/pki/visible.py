"""Text that says what it shows: no character that nobody sees, one spelling for one look (PRECIS has the same aims, RFC 8264)."""

import unicodedata

_LINES = frozenset({"Cc", "Cs", "Zl", "Zp"})
_UNSEEN = frozenset({"Cf", "Cn", "Co"})
"""Format characters, what this Unicode does not know, and what each font draws as it likes."""
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the direction of text: what an auditor reads would not be what the certificate says."""
_BLANK = (
    *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0xFFFC, 0xFFFC), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159), (0xE0100, 0xE01EF)),
)
"""Letters, marks and symbols without a look of their own: fillers, variation selectors, blanks (Default_Ignorable, and more)."""


def holds_control(text: str) -> bool:
    """Whether there is a control character, a line break, half a character or a turn of direction in it."""
    return any(unicodedata.category(char) in _LINES or char in _TURNING for char in text)


def unseen(text: str) -> str | None:
    """The first character that nobody sees, as `U+200B`; None: there is none. White space is a plain space and no other."""
    found = next((char for char in text if _is_unseen(char)), None)
    return None if found is None else f"U+{ord(found):04X}"


def _is_unseen(char: str) -> bool:
    if char.isascii():
        return False
    category = unicodedata.category(char)
    return category in _UNSEEN or category == "Zs" or any(low <= ord(char) <= high for low, high in _BLANK)


def normal(text: str) -> str:
    """The one spelling of what it shows: NFKC. A fullwidth or mathematical `a` becomes `a`, a letter and its accent one."""
    return unicodedata.normalize("NFKC", text)


def has_loose_mark(text: str) -> bool:
    """Whether a combining mark stands on no letter, encloses one, or stands on it twice."""
    on_letter, marks = False, set[str]()
    for char in unicodedata.normalize("NFD", text):
        category = unicodedata.category(char)
        if not category.startswith("M"):
            on_letter, marks = category.startswith("L"), set()
        elif not on_letter or category == "Me" or char in marks:
            return True
        else:
            marks.add(char)
    return False
