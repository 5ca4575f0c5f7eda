"""All searches behave alike: in chunks as at once, and on clear speech before the end as at the end."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.decoding.fusion import FusionSearch
from asr.decoding.greedy import GreedySearch, greedy
from asr.decoding.protocol import Search, decode
from asr.decoding.rescoring import RescoredSearch
from asr.models.decoding_settings import Rescoring
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" ab")


class Uniform:
    """A language model that gives all tokens, and all texts, the same probability."""

    def start(self, batch: int = 1) -> Any:
        return (np.zeros((1, batch, 1)), np.zeros((1, batch, 1)))

    def log_probs(self, tokens: np.ndarray, state: Any) -> tuple[np.ndarray, Any]:
        return np.full((*tokens.shape, TOKENIZER.size), -np.log(TOKENIZER.size)), state

    def score(self, texts: Sequence[str]) -> list[float]:
        return [-1.0] * len(texts)


NOTHING = Rescoring(weight=0.0, lm_weight=0.0, word_bonus=0.0)
BEAM = BeamSearch(TOKENIZER, BeamOptions(width=10))
SEARCHES: dict[str, Search] = {
    "greedy": GreedySearch(),
    "beam": BEAM,
    "fusion": FusionSearch(TOKENIZER, Uniform(), width=10, lm_weight=0.1, word_bonus=0.0),
    "rescored": RescoredSearch(BEAM, Uniform(), NOTHING),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_clear_speech_is_decoded_alike_before_and_at_the_end(name: str) -> None:
    path = np.array([0, 2, 2, 0, 3, 1, 2, 0, 2, 0])
    rows = np.log(np.full((len(path), 4), 0.01) + 0.96 * np.eye(4)[path]).astype(np.float32)
    stream = SEARCHES[name].start()
    assert stream.best() == []
    for row in rows:
        stream.feed(row[None])
    assert stream.best() == stream.finish() == greedy(rows)


@pytest.mark.parametrize("name", SEARCHES)
def test_in_chunks_the_result_is_the_same(name: str) -> None:
    rows = np.log(np.random.default_rng(3).dirichlet(np.ones(4), 30)).astype(np.float32)
    stream = SEARCHES[name].start()
    for chunk in np.split(rows, [1, 7, 7, 20]):
        stream.feed(chunk)
        stream.best()
    assert stream.finish() == decode(SEARCHES[name], rows)


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("seed", range(20))
def test_tokens_that_were_committed_never_change(name: str, seed: int) -> None:
    rows = np.log(np.random.default_rng(seed).dirichlet(0.4 * np.ones(4), 60) + 1e-6).astype(np.float32)
    stream, committed = SEARCHES[name].start(), []
    for chunk in np.split(rows, [5, 6, 14, 29, 50]):
        stream.feed(chunk)
        best = [token.number for token in stream.best()]
        assert best[: len(committed)] == committed
        committed = best[: max(len(committed), len(best) // 2)]
        stream.commit(len(committed))
        assert [token.number for token in stream.best()] == best
        assert stream.agreed(margin=1e9) >= len(committed)
    assert [token.number for token in stream.finish()][: len(committed)] == committed


@pytest.mark.parametrize("name", SEARCHES)
def test_texts_agree_on_clear_tokens_and_not_on_ambiguous_ones(name: str) -> None:
    path = np.array([0, 2, 0, 3, 0, 1, 0, 2])
    rows = np.log(np.full((len(path), 4), 1e-9) + np.eye(4)[path]).astype(np.float32)
    rows[-1] = np.log([1e-9, 1e-9, 0.5, 0.5])
    stream = SEARCHES[name].start()
    stream.feed(rows)
    assert stream.agreed(margin=0.0) >= 3
    if name != "greedy":
        assert stream.agreed(margin=2.0) == 3
