#!/usr/bin/env python3
"""Words spelled letter by letter, and codes of letters and digits, as text for a language model.

    python scripts/spelled_text.py text.txt.xz > spelled.txt

Books spell no names and dictate no number plates, so a language model of books takes spelled letters for a mistake and
leaves them out. This gives it some to learn from: the commonest words of a text (plain, .gz or .xz), each spelled once,
and as many random codes of one to six letters and up to four digits. A seed always gives the same.
"""

import argparse
import string
from pathlib import Path

import numpy as np

from asr.lm.sentences import count_words

LETTERS = np.array(list(string.ascii_lowercase))
DIGITS = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
SHORTEST = 3
"""Letters of a word that is spelled."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, nargs="+")
    parser.add_argument("--words", type=int, default=20_000, metavar="N", help="and as many codes  [20,000]")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    given = parser.parse_args()
    counts = {word.decode(): count for word, count in count_words(given.text, normalised=True).items()}
    spelled = [word for word in counts if len(word) >= SHORTEST and set(word) <= set(LETTERS)]
    spelled.sort(key=lambda word: (-counts[word], word))
    for word in spelled[: given.words]:
        print(*word)
    random = np.random.default_rng(given.seed)
    for _ in range(given.words):
        print(*random.choice(LETTERS, random.integers(1, 7)), *random.choice(DIGITS, random.integers(5)))


if __name__ == "__main__":
    main()
