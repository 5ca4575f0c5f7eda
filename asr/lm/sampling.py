"""Generates text with a language model by ancestral sampling."""

import numpy as np

from asr.lm.protocol import END, Reader
from asr.text import Tokenizer


def generate(
    model: Reader, tokenizer: Tokenizer, prompt: str, num_tokens: int, *, temperature: float, seed: int
) -> list[str]:
    """Continue the prompt by `num_tokens` tokens and split the text into sentences; the last one may be unfinished.

    Probabilities are raised to the power of 1 / `temperature` before a token is drawn: 1 is the model's own
    distribution, lower values are more conservative, and 0 always takes the likeliest token. The same seed gives the
    same text.

    Raises:
        DataError: the prompt has a character outside the tokenizer's alphabet.
    """
    random = np.random.default_rng(seed)
    prefix = tokenizer.encode(prompt)
    sentences = [list(prefix)]
    log_probs, state = model.read([END, *prefix], model.start())
    for _ in range(num_tokens):
        token = draw(log_probs, temperature, random)
        if token == END:
            sentences.append([])
        else:
            sentences[-1].append(token)
        log_probs, state = model.read([token], state)
    return [" ".join(tokenizer.decode(tokens).split()) for tokens in sentences]


def draw(log_probs: np.ndarray, temperature: float, random: np.random.Generator) -> int:
    """Draw a token. Shape: log_probs (V,)"""
    if temperature == 0:
        return int(log_probs.argmax())
    scores = log_probs.astype(np.float64) / temperature
    weights = np.exp(scores - scores.max()).cumsum()
    return int(np.searchsorted(weights, random.random() * weights[-1], side="right"))
