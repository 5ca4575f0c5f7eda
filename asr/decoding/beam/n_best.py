"""The best texts of a search that kept only the best of the prefixes with one future.

What was left out for a prefix could stand in its place in every text that goes on from there: what follows adds the
same to both. So the search is a lattice, whose best paths are taken one after the other, as Eppstein (1998) finds the k
shortest paths.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np

from asr.decoding.beam.rules import Record
from asr.decoding.beam.tree import tokens_of
from asr.decoding.compiled import compiled

End = tuple[float, float, float, int]
"""Score, the logarithms of both probabilities, and node of a prefix that is a whole text."""


class Path(NamedTuple):
    """A text and what it is worth; the fields are those of `asr.decoding.beam.search.Hypothesis`."""

    text: str
    tokens: tuple[int, ...]
    score: float
    ctc_log_prob: float
    lm_log_prob: float


def best_texts(  # noqa: PLR0917 - all of a search, for its `Stream` alone
    ends: Sequence[End],
    nodes: Record,
    merges: Record,
    log_probs: np.ndarray | None,
    write: Callable[[Sequence[int]], str],
    how_many: int,
) -> list[Path]:
    """The best texts that the search remembers, best first; of paths that write the same only the best.

    With what the search heard, each gets the probability of all paths of its tokens. Else it is that of those that were
    searched, and exact only for prefixes that were never left out.

    Args:
        ends: where texts end.
        nodes: the tree, of type `tree.NODE`.
        merges: what was left out, of type `pruning.MERGE`, in the order of time.
        log_probs: what the search heard. Shape: (T, V)
        write: tokens -> text.
        how_many: texts at most.
    """
    found = []
    probabilities = None if log_probs is None else np.exp(log_probs, dtype=np.float64)
    for path, is_searched in islice(_paths(ends, nodes, merges, write), how_many):
        if probabilities is None:
            found.append(path)
            continue
        exact = forward(probabilities, np.array(path.tokens, np.int64))
        if is_searched:  # several tokens may write a text, and the search has added them up
            exact = max(exact, path.ctc_log_prob)
        found.append(path._replace(score=path.score + exact - path.ctc_log_prob, ctc_log_prob=exact))
    return sorted(found, key=lambda path: -path.score)


def _paths(
    ends: Sequence[End], nodes: Record, merges: Record, write: Callable[[Sequence[int]], str]
) -> Iterator[tuple[Path, bool]]:
    """Yield texts, about the best first, and whether each is a prefix that was never left out.

    About, because how likely the sound makes a text is told from when one prefix was left out for another, and not all
    paths of both had come then.
    """
    number = count()
    waiting = [(-score, next(number), ctc, lm, node, (), len(merges)) for score, ctc, lm, node in ends]
    heapq.heapify(waiting)
    seen = set()
    while waiting:
        cost, _, ctc, lm, node, after, latest = heapq.heappop(waiting)
        tokens = *tokens_of(nodes, node).tolist(), *after
        text = write(tokens)
        if text in seen:
            continue
        seen.add(text)
        yield Path(text, tokens, -cost, ctc, lm), latest == len(merges)
        for length in range(len(tokens) - len(after), 0, -1):
            kept = nodes[node]
            place = int(kept["merged"])
            while place != 0:
                other, lost = nodes[merges[place]["node"]], float(merges[place]["lost"])
                if place < latest:  # else it was left out later than what stands behind it was said
                    change = lost + float(other["settled"] - kept["settled"])
                    more = lm + float(other["lm"] - kept["lm"])
                    found = (cost - change, next(number), ctc + lost, more, int(merges[place]["node"]))
                    heapq.heappush(waiting, (*found, tokens[length:], place))
                place = int(merges[place]["next"])
            node = int(kept["parent"])


@compiled
def forward(probabilities: np.ndarray, tokens: np.ndarray) -> float:
    """The log-probability of the tokens over all their paths (Graves et al. 2006). Shape: (T, V), (L,)

    Rabiner's (1989) scaling stands for logarithms, which take ten times as long.
    """
    frames, size = len(probabilities), 2 * len(tokens) + 1
    reached = np.zeros(size)  # the states: a blank, a token, a blank ...
    reached[0], scale = 1.0, 0.0
    for frame in range(frames):
        blank, most = probabilities[frame, 0], 0.0
        for state in range(min(size - 1, 2 * frame + 1), -1, -1):
            place, total = state >> 1, reached[state]
            if state > 0:
                total += reached[state - 1]
            if state & 1 == 0:
                total *= blank
            else:
                if place > 0 and tokens[place] != tokens[place - 1]:
                    total += reached[state - 2]
                total *= probabilities[frame, tokens[place]]
            reached[state] = total
            most = max(most, total)
        if 0 < most < 1e-60:
            reached /= most
            scale += np.log(most)
    total = reached[size - 1] + (reached[size - 2] if size > 1 and frames else 0.0)
    return np.log(total) + scale if total > 0 else -np.inf
