"""Which reference word became which hypothesis word: by the fewest edits, or as NIST's sclite aligns.

`fewest` is the edit distance (V. Levenshtein 1966), on which error rates are defined; of several alignments with as few
edits, jiwer's is taken. `sclite` gives a substitution the cost 4 and a deletion or insertion the cost 3, as NIST's SCTK
does. It may count more errors: it rather deletes and inserts than misses a word that both texts have. Of several
alignments with the same cost, the one is taken that, read from the end, pairs two words where it can, else inserts,
else deletes. That is sclite's own choice, found by experiment: the alignments are equal pair for pair.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from asr.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from jiwer import AlignmentChunk

Kind = Literal["hit", "substitution", "deletion", "insertion"]

Rule = Literal["fewest", "sclite"]

RULES: dict[Rule, str] = {"fewest": "fewest edits", "sclite": "sclite's weights (4, 3, 3)"}
"""Rule -> what tables call it."""

SUBSTITUTION, GAP = 4, 3
"""The costs of sclite; a gap is a deletion or an insertion."""

MAX_CELLS = 1_000_000_000
"""Reference words times hypothesis words of the longest utterance that `sclite` takes: one byte of memory each."""


class Pair(NamedTuple):
    """One column of an alignment."""

    kind: Kind
    reference: str | None
    """The word of the reference; None in an insertion."""
    hypothesis: str | None
    """The word of the hypothesis; None in a deletion."""


def align(reference: Sequence[str], hypothesis: Sequence[str], rule: Rule = "fewest") -> tuple[Pair, ...]:
    """Pair the words of both texts in their order; every word is in one pair.

    Raises:
        DataError: an utterance is too long for `sclite`, whose time and memory grow with the product of the lengths.
    """
    return _weighted(reference, hypothesis) if rule == "sclite" else _fewest(reference, hypothesis)


def chunks(reference: Sequence[str], hypothesis: Sequence[str]) -> "list[AlignmentChunk]":
    """The alignment with the fewest edits as jiwer's runs of equal, substituted, deleted and inserted tokens."""
    import jiwer

    # The texts are split already; jiwer takes any function in the place of its own, which its annotations do not say.
    process: Any = jiwer.process_words
    return process([list(reference)], [list(hypothesis)], _as_it_is, _as_it_is).alignments[0]


def _as_it_is(texts: list[list[str]]) -> list[list[str]]:
    return texts


def _fewest(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    for chunk in chunks(reference, hypothesis):
        said = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        heard = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            pairs += [Pair("deletion", word, None) for word in said]
        elif chunk.type == "insert":
            pairs += [Pair("insertion", None, word) for word in heard]
        else:
            pairs += [_pair(*words) for words in zip(said, heard, strict=True)]
    return tuple(pairs)


def too_long(reference: Sequence[str], hypothesis: Sequence[str]) -> bool:
    """Whether two texts are more than the rule `sclite` takes."""
    return len(reference) * len(hypothesis) > MAX_CELLS


def _weighted(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[Pair, ...]:
    """Follow the moves back from the end of both texts."""
    if too_long(reference, hypothesis):
        raise DataError(
            f"An utterance of {len(reference):,} words beside {len(hypothesis):,} is too long for the alignment "
            f"`sclite`, which takes at most {MAX_CELLS:,} as their product: cut it, or align by the fewest edits."
        )
    moves = _moves(reference, hypothesis)
    pairs = []
    i, j = len(reference), len(hypothesis)
    while i or j:
        if i and j and moves[i - 1, j - 1] == PAIR:
            i, j = i - 1, j - 1
            pairs.append(_pair(reference[i], hypothesis[j]))
        elif j and (not i or moves[i - 1, j - 1] == INSERT):
            j -= 1
            pairs.append(Pair("insertion", None, hypothesis[j]))
        else:
            i -= 1
            pairs.append(Pair("deletion", reference[i], None))
    return tuple(reversed(pairs))


PAIR, INSERT, DELETE = 0, 1, 2


def _moves(reference: Sequence[str], hypothesis: Sequence[str]) -> "np.ndarray":
    """The last move of the cheapest alignment of each two beginnings, row by row (R. Wagner and M. Fischer 1974).

    Within a row, an insertion adds GAP to the cell on its left: without that slope, what is left is a running minimum.

    Shape:
        -> (reference words, hypothesis words)
    """
    import numpy as np

    numbers = {word: number for number, word in enumerate({*reference, *hypothesis})}
    heard = np.array([numbers[word] for word in hypothesis], dtype=np.int64)
    slope = GAP * np.arange(len(heard) + 1)
    moves = np.empty((len(reference), len(heard)), dtype=np.uint8)
    above = slope
    for number, word in enumerate(reference):
        paired = above[:-1] + SUBSTITUTION * (heard != numbers[word])
        row = above + GAP
        np.minimum(row[1:], paired, out=row[1:])
        row = np.minimum.accumulate(row - slope) + slope
        moves[number] = np.where(row[1:] == paired, PAIR, np.where(row[1:] == row[:-1] + GAP, INSERT, DELETE))
        above = row
    return moves


def _pair(said: str, heard: str) -> Pair:
    return Pair("hit" if said == heard else "substitution", said, heard)
