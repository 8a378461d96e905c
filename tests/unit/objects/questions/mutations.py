"""Texts near those that a proxy sends: most are one or two changes away from a good one."""

import random
from collections.abc import Iterator, Sequence

MILLION = 1_000_000
_ODD = "\0\t\n\r !\"#%&'+,./:;=?@\\|~\x7fAZaz09é￿ "


def mutated(seeds: Sequence[str], words: Sequence[str], number: int, *, seed: int = 1) -> Iterator[str]:
    """So many texts, the same for the same seed; `words` are what the grammar is made of."""
    random_numbers = random.Random(seed)
    choice, below = random_numbers.choice, random_numbers.randrange
    for _ in range(number):
        text = choice(seeds)
        for _ in range(below(3)):
            at, way = below(len(text) + 1), below(6)
            if way == 0:
                text = text[:at] + choice(_ODD) + text[at:]
            elif way == 1:
                text = text[:at] + text[at + 1 :]
            elif way == 2:
                text = text[:at] + choice(words) + text[at:]
            elif way == 3:
                text = text[:at] + text[at : at + 8].swapcase() + text[at + 8 :]
            elif way == 4:
                text = text[:at] + choice(seeds)[at:]
            else:
                text = text.replace(choice(words), choice(words), 1)
        yield text
