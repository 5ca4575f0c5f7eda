"""Shallow fusion compared with a sum over all paths, with a language model that is a table."""

import itertools
from typing import Any

import numpy as np
import pytest

from asr.decoding.fusion import FusionSearch
from asr.decoding.protocol import decode
from asr.errors import AsrError
from asr.lm.protocol import END
from asr.text import BLANK, CharTokenizer, SubwordTokenizer, Tokenizer

CHARACTERS = CharTokenizer(" ab")
SUBWORDS = SubwordTokenizer(" ab", ("▁", "▁a", "b"), b"")


class Trigrams:
    """A language model over triples of tokens; its state is the token before the last."""

    def __init__(self, size: int, seed: int) -> None:
        table = np.random.default_rng(seed).dirichlet(np.ones(size), (size, size))
        self.table = np.log(table)
        self.calls = 0

    def start(self, batch: int = 1) -> Any:
        return (np.zeros((1, batch, 1), int), np.zeros((1, batch, 1)))

    def log_probs(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        self.calls += 1
        before = state[0][0, :, 0]
        rows = self.table[before, tokens[:, 0]]
        return rows[:, None, :], (tokens[None, :, :], state[1])

    def log_prob(self, tokens: tuple[int, ...]) -> float:
        history = (END, END, *tokens, END)
        return sum(self.table[a, b, c] for a, b, c in zip(history, history[1:], history[2:], strict=False))


def numbers(search: FusionSearch, rows: np.ndarray) -> tuple[int, ...]:
    return tuple(token.number for token in decode(search, rows))


def collapse(path: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(token for token, _ in itertools.groupby(path) if token != BLANK)


def by_hand(rows: np.ndarray, model: Trigrams, tokenizer: Tokenizer, weight: float, bonus: float) -> tuple[int, ...]:
    totals: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        text = collapse(path)
        totals[text] = np.logaddexp(totals.get(text, -np.inf), sum(row[t] for row, t in zip(rows, path, strict=True)))
    return max(
        totals,
        key=lambda text: totals[text] + weight * model.log_prob(text) + bonus * len(tokenizer.words(text)),
    )


@pytest.mark.parametrize("tokenizer", [CHARACTERS, SUBWORDS], ids=["characters", "subwords"])
@pytest.mark.parametrize("seed", range(12))
def test_without_pruning_it_is_the_sum_over_all_paths(tokenizer: Tokenizer, seed: int) -> None:
    rows = np.log(np.random.default_rng(seed).dirichlet(np.ones(4), 5))
    model = Trigrams(4, seed)
    search = FusionSearch(tokenizer, model, width=10_000, lm_weight=0.8, word_bonus=1.1)
    assert numbers(search, rows) == by_hand(rows, model, tokenizer, 0.8, 1.1)


def test_the_language_model_decides_where_the_acoustic_model_is_unsure() -> None:
    model = Trigrams(4, 0)
    model.table[:] = np.log([0.1, 0.1, 0.7, 0.1])  # prefers `a`
    rows = np.log([[0.02, 0.02, 0.47, 0.49], [0.97, 0.01, 0.01, 0.01]])
    for weight, token in ((0.0, 3), (1.0, 2)):
        search = FusionSearch(CHARACTERS, model, width=5, lm_weight=weight, word_bonus=0.0)
        (decoded,) = decode(search, rows)
        assert (decoded.number, decoded.start, decoded.end) == (token, 0, 1)


def test_the_model_runs_at_most_once_per_frame() -> None:
    rows = np.log(np.random.default_rng(1).dirichlet(np.ones(4), 40))
    model = Trigrams(4, 1)
    numbers(FusionSearch(CHARACTERS, model, width=8, lm_weight=0.5, word_bonus=0.0), rows)
    assert model.calls <= 41


def test_no_frames_and_no_width() -> None:
    assert numbers(FusionSearch(CHARACTERS, Trigrams(4, 0), width=3, lm_weight=1, word_bonus=0), np.zeros((0, 4))) == ()
    with pytest.raises(AsrError, match="1 or more"):
        FusionSearch(CHARACTERS, Trigrams(4, 0), width=0, lm_weight=1, word_bonus=0)
