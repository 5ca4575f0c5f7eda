"""Sampling text from a language model that is a table."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from asr.errors import DataError
from asr.lm.sampling import draw, generate
from asr.text import CharTokenizer

TOKENIZER = CharTokenizer(" ab")  # 1 the space, 2 a, 3 b


class Table:
    """A bigram model; its state is the list of all tokens read."""

    def __init__(self, rows: dict[int, list[float]]) -> None:
        self.rows = rows

    def start(self) -> tuple[int, ...]:
        return ()

    def read(self, tokens: Sequence[int], state: tuple[int, ...]) -> tuple[np.ndarray, tuple[int, ...]]:
        state = (*state, *tokens)
        self.read_so_far = state
        return np.log(np.array(self.rows[state[-1]]) + 1e-12), state


CYCLE = Table({0: [0, 0, 1, 0], 2: [0, 0, 0, 1], 3: [1, 0, 0, 0]})  # a, b, end


def test_sentences_follow_each_other() -> None:
    assert generate(CYCLE, TOKENIZER, "", 7, temperature=1.0, seed=0) == ["ab", "ab", "a"]


def test_the_text_begins_with_the_prompt() -> None:
    assert generate(CYCLE, TOKENIZER, "bBa", 3, temperature=1.0, seed=0) == ["bbab", "a"]
    assert CYCLE.read_so_far == (0, 3, 3, 2, 3, 0, 2)


def test_a_prompt_outside_the_alphabet_is_refused() -> None:
    with pytest.raises(DataError, match="alphabet"):
        generate(CYCLE, TOKENIZER, "xyz", 3, temperature=1.0, seed=0)


def test_the_seed_decides() -> None:
    coin = Table({token: [0.1, 0.1, 0.4, 0.4] for token in range(4)})
    texts = [generate(coin, TOKENIZER, "", 50, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_by_their_probability_to_the_power_of_one_over_the_temperature(temperature: float) -> None:
    probabilities = np.array([0.5, 0.3, 0.2, 0.0])
    random = np.random.default_rng(0)
    with np.errstate(divide="ignore"):
        counts = Counter(draw(np.log(probabilities), temperature, random) for _ in range(20_000))
    expected = probabilities ** (1 / temperature)
    expected /= expected.sum()
    for token, share in enumerate(expected):
        assert abs(counts[token] / 20_000 - share) < 0.015
    assert counts[3] == 0


def test_temperature_zero_takes_the_likeliest() -> None:
    random = np.random.default_rng(0)
    assert {draw(np.log([0.3, 0.4, 0.3]), 0, random) for _ in range(50)} == {1}
