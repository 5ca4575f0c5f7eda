"""N-best lists of a search with recombination.

A prefix that was recombined into another one could replace it in every continuation, because any continuation adds the
same to the scores of both. So the search forms a lattice, whose best paths are enumerated like the k shortest paths of
Eppstein (1998).
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np

from asr.compiled import compiled
from asr.decoding.beam.rules import Record
from asr.decoding.beam.tree import tokens_of

End = tuple[float, float, float, int, tuple[int, ...]]
"""Score, CTC and LM log-probability, and node of a prefix that is a complete text, and the token that completes it."""


class Path(NamedTuple):
    """A text with its scores; the fields are those of `asr.decoding.beam.search.Hypothesis`."""

    text: str
    tokens: tuple[int, ...]
    score: float
    ctc_log_prob: float
    lm_log_prob: float


def best_texts(  # noqa: PLR0917 - the state of a search, passed by its stream only
    ends: Sequence[End],
    nodes: Record,
    merges: Record,
    log_probs: np.ndarray | None,
    write: Callable[[Sequence[int]], str],
    emitted: Callable[[Sequence[int]], np.ndarray],
    limit: int,
) -> list[Path]:
    """The best texts of the lattice, best first; of paths with the same text only the best.

    With `log_probs`, the CTC probability of each is summed over all paths of its tokens. Without, it covers the paths
    that were searched only, and is exact only for prefixes that were never recombined into others.

    Args:
        ends: the prefixes that are complete texts.
        nodes: the tree, of type `tree.NODE`.
        merges: recombined prefixes, of type `pruning.MERGE`, in order of time.
        log_probs: the frames that were searched. Shape: (T, V)
        write: tokens -> text.
        emitted: tokens -> the columns of the log-probs that emit them.
        limit: maximum number of texts.
    """
    texts = []
    probabilities = None if log_probs is None else np.exp(log_probs, dtype=np.float64)
    for path, is_searched in islice(_paths(ends, nodes, merges, write), limit):
        if probabilities is None:
            texts.append(path)
            continue
        exact = forward(probabilities, emitted(path.tokens))
        if is_searched:  # the search has summed over all token sequences of the text
            exact = max(exact, path.ctc_log_prob)
        texts.append(path._replace(score=path.score + exact - path.ctc_log_prob, ctc_log_prob=exact))
    return sorted(texts, key=lambda path: -path.score)


def _paths(
    ends: Sequence[End], nodes: Record, merges: Record, write: Callable[[Sequence[int]], str]
) -> Iterator[tuple[Path, bool]]:
    """Yield texts, approximately best first, and whether each is a prefix that was never recombined.

    Approximately, because the score difference of two prefixes is that of the time of their recombination, when not all
    paths of both had been searched.
    """
    tie_break = count()
    heap = [(-score, next(tie_break), ctc, lm, node, last, len(merges)) for score, ctc, lm, node, last in ends]
    heapq.heapify(heap)
    seen = set()
    while heap:
        cost, _, ctc, lm, node, suffix, latest = heapq.heappop(heap)
        tokens = *tokens_of(nodes, node).tolist(), *suffix
        text = write(tokens)
        if text in seen:
            continue
        seen.add(text)
        yield Path(text, tokens, -cost, ctc, lm), latest == len(merges)
        for length in range(len(tokens) - len(suffix), 0, -1):
            winner = nodes[node]
            place = int(winner["merged"])
            while place != 0:
                loser, difference = nodes[merges[place]["node"]], float(merges[place]["difference"])
                if place < latest:  # else it was recombined after the suffix had begun
                    change = difference + float(loser["settled"] - winner["settled"])
                    new_lm = lm + float(loser["lm"] - winner["lm"])
                    entry = (cost - change, next(tie_break), ctc + difference, new_lm, int(merges[place]["node"]))
                    heapq.heappush(heap, (*entry, tokens[length:], place))
                place = int(merges[place]["next"])
            node = int(winner["parent"])


@compiled
def forward(probabilities: np.ndarray, tokens: np.ndarray) -> float:
    """CTC forward algorithm: log-probability of the tokens over all their paths (Graves et al. 2006).

    Uses scaling (Rabiner 1989) instead of logarithms, which take ten times as long. Shape: (T, V), (L,)
    """
    frames, size = len(probabilities), 2 * len(tokens) + 1
    alpha = np.zeros(size)  # the states: blank, token, blank, ...
    alpha[0], scale = 1.0, 0.0
    for frame in range(frames):
        blank, highest = probabilities[frame, 0], 0.0
        for state in range(min(size - 1, 2 * frame + 1), -1, -1):
            place, total = state >> 1, alpha[state]
            if state > 0:
                total += alpha[state - 1]
            if state & 1 == 0:
                total *= blank
            else:
                if place > 0 and tokens[place] != tokens[place - 1]:
                    total += alpha[state - 2]
                total *= probabilities[frame, tokens[place]]
            alpha[state] = total
            highest = max(highest, total)
        if 0 < highest < 1e-60:
            alpha /= highest
            scale += np.log(highest)
    total = alpha[size - 1] + (alpha[size - 2] if size > 1 and frames else 0.0)
    return np.log(total) + scale if total > 0 else -np.inf
