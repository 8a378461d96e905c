"""Texts near those that a proxy sends: most are one or two changes away from a good one."""

import random
from collections.abc import Iterator, Sequence

MILLION = 1_000_000
_ODD = "\0\t\n\r !\"#%&'+,./:;=?@\\|~\x7fAZaz09é￿ "


def mutated(seeds: Sequence[str], words: Sequence[str], number: int, *, seed: int = 1) -> Iterator[str]:
    """So many texts, the same for the same seed; `words` are what the grammar is made of."""
    chance = random.Random(seed).random
    odd, many_seeds, many_words = len(_ODD), len(seeds), len(words)
    for _ in range(number):
        text = seeds[int(chance() * many_seeds)]
        for _ in range(int(chance() * 3)):
            at, way = int(chance() * (len(text) + 1)), int(chance() * 6)
            if way == 0:
                text = text[:at] + _ODD[int(chance() * odd)] + text[at:]
            elif way == 1:
                text = text[:at] + text[at + 1 :]
            elif way == 2:
                text = text[:at] + words[int(chance() * many_words)] + text[at:]
            elif way == 3:
                text = text[:at] + text[at : at + 8].swapcase() + text[at + 8 :]
            elif way == 4:
                text = text[:at] + seeds[int(chance() * many_seeds)][at:]
            else:
                text = text.replace(words[int(chance() * many_words)], words[int(chance() * many_words)], 1)
        yield text
