"""Word alignment of reference and hypothesis: with the fewest edits, or like NIST's sclite.

`fewest` minimises the edit distance (V. Levenshtein 1966), which defines the error rates; ties are resolved as in
jiwer. `sclite` assigns cost 4 to a substitution and 3 to a deletion or insertion, as NIST's SCTK does. It may count
more errors, because it prefers a deletion and an insertion to missing a word that both texts share. Ties are resolved
from the end of the texts: pair two words if possible, else insert, else delete. This is sclite's own choice, determined
by experiment: the alignments are identical pair for pair.
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
"""Rule -> its name in tables."""

SUBSTITUTION, GAP = 4, 3
"""Costs of sclite; a gap is a deletion or an insertion."""

MAX_CELLS = 1_000_000_000
"""Limit of `sclite` on reference words times hypothesis words of an utterance: one byte of memory each."""


class Pair(NamedTuple):
    """One column of an alignment."""

    kind: Kind
    reference: str | None
    """The word of the reference; None in an insertion."""
    hypothesis: str | None
    """The word of the hypothesis; None in a deletion."""


def align(reference: Sequence[str], hypothesis: Sequence[str], rule: Rule = "fewest") -> tuple[Pair, ...]:
    """Align the words of both texts in order; every word is in exactly one pair.

    Raises:
        DataError: the texts are too long for `sclite`, whose time and memory grow with the product of the lengths.
    """
    return _weighted(reference, hypothesis) if rule == "sclite" else _fewest(reference, hypothesis)


def chunks(reference: Sequence[str], hypothesis: Sequence[str]) -> "list[AlignmentChunk]":
    """The alignment with the fewest edits, as jiwer's runs of equal, substituted, deleted and inserted tokens."""
    import jiwer

    # The texts are already split; jiwer accepts any function as a transform, although its annotations do not say so.
    process: Any = jiwer.process_words
    return process([list(reference)], [list(hypothesis)], _unchanged, _unchanged).alignments[0]


def _unchanged(texts: list[list[str]]) -> list[list[str]]:
    return texts


def _fewest(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[Pair, ...]:
    pairs: list[Pair] = []
    for chunk in chunks(reference, hypothesis):
        reference_words = reference[chunk.ref_start_idx : chunk.ref_end_idx]
        hypothesis_words = hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            pairs += [Pair("deletion", word, None) for word in reference_words]
        elif chunk.type == "insert":
            pairs += [Pair("insertion", None, word) for word in hypothesis_words]
        else:
            pairs += [_pair(*words) for words in zip(reference_words, hypothesis_words, strict=True)]
    return tuple(pairs)


def too_long(reference: Sequence[str], hypothesis: Sequence[str]) -> bool:
    """Whether two texts exceed the limit of the rule `sclite`."""
    return len(reference) * len(hypothesis) > MAX_CELLS


def _weighted(reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[Pair, ...]:
    """Trace the moves back from the end of both texts."""
    if too_long(reference, hypothesis):
        raise DataError(
            f"An utterance with {len(reference):,} reference and {len(hypothesis):,} hypothesis words is too long for "
            f"the rule `sclite`: their product may be at most {MAX_CELLS:,}; split it, or align by the fewest edits."
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
    """The last move of the cheapest alignment of each pair of prefixes, row by row (R. Wagner and M. Fischer 1974).

    Within a row, an insertion adds GAP to the cell on its left; after subtracting this slope it is a running minimum.

    Shape:
        -> (R, H) for R reference and H hypothesis words
    """
    import numpy as np

    numbers = {word: number for number, word in enumerate({*reference, *hypothesis})}
    columns = np.array([numbers[word] for word in hypothesis], dtype=np.int64)
    slope = GAP * np.arange(len(columns) + 1)
    moves = np.empty((len(reference), len(columns)), dtype=np.uint8)
    above = slope
    for number, word in enumerate(reference):
        paired = above[:-1] + SUBSTITUTION * (columns != numbers[word])
        row = above + GAP
        np.minimum(row[1:], paired, out=row[1:])
        row = np.minimum.accumulate(row - slope) + slope
        moves[number] = np.where(row[1:] == paired, PAIR, np.where(row[1:] == row[:-1] + GAP, INSERT, DELETE))
        above = row
    return moves


def _pair(reference: str, hypothesis: str) -> Pair:
    return Pair("hit" if reference == hypothesis else "substitution", reference, hypothesis)
