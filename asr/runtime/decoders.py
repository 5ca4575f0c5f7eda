"""The decoder that a model and a user's wishes ask for."""

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asr.decoding.decoder import Decoder, in_pieces
from asr.decoding.greedy import Token, greedy
from asr.decoding.settings import Rescoring, Settings
from asr.errors import AsrError, ModelError
from asr.runtime.description import Description

if TYPE_CHECKING:
    from asr.decoding.beam import BeamSearch
    from asr.decoding.ngram import Ngram
    from asr.decoding.rescoring import SentenceScorer
    from asr.runtime.language import OnnxLanguageModel

BEAM = 100
"""Prefixes that are kept where a beam search is asked for and no number was given or tuned."""
BOOST = 8.0
"""What a hot word adds to the score of a text where no boost is given."""
PIECE_S = 40.0
"""A beam search hears a recording in pieces of this length at most, cut at pauses."""
UNTUNED = Rescoring(weight=0.5, lm_weight=0.25, word_bonus=1.0)
"""Where a second language model is given and the model was not tuned for one."""


def make(
    description: Description,
    *,
    beam: int | None = None,
    lm: Path | None = None,
    no_lm: bool = False,
    rescore: Path | None = None,
    hot_words: Mapping[str, float] | None = None,
) -> Decoder:
    """Choose and prepare a decoder.

    Args:
        description: of the model; it says how it was tuned and may hold a language model.
        beam: prefixes that are kept; 0 decodes greedily; None: as the model was tuned, else 100 if something below
            needs a search, else 0.
        lm: an n-gram model, ARPA or packed, in the place of the model's own.
        no_lm: use no n-gram model, not even the model's own.
        rescore: an LSTM language model that chooses among the best texts.
        hot_words: word -> boost.

    Raises:
        AsrError: the wishes contradict each other, a hot word cannot be written in the model's alphabet, or a language
            model cannot be read or does not fit the model.
    """
    settings = description.decoding
    wished = lm is not None or rescore is not None or bool(hot_words)
    width = beam if beam is not None else settings.beam or (BEAM if wished else 0)
    if lm is not None and no_lm:
        raise AsrError("A language model is given and forbidden (lm, no_lm): choose one of the two.")
    if width == 0:
        if wished:
            raise AsrError(
                "Greedy decoding (a beam of 0) uses no language model and no hot words: give a beam of 1 or more."
            )
        return Decoder(greedy, settings.temperature)

    ngram, name = None, ""
    if lm is not None:
        from asr.decoding import packed

        ngram, name = packed.load(lm), str(lm)
    elif not no_lm:
        ngram, name = own_language_model(description), "the model's own language model"
    search = beam_search(description, settings, width, ngram, hot_words)
    find, parts = search.tokens, [f"beam search of {width} prefixes"]
    if ngram is None:
        parts.append("no language model")
    else:
        parts.append(
            f"{name} ({ngram.order}-gram, weight {settings.lm_weight:g}, bonus {settings.word_bonus:g} a word)"
        )
    if rescore is not None:
        second, by = open_second(description, rescore), settings.rescoring or UNTUNED
        find = partial(rescored, search, second, by)
        parts.append(f"best texts rescored by {rescore} (weight {by.weight:g})")
    if hot_words:
        parts.append(f"{len(hot_words)} hot word{'s' if len(hot_words) > 1 else ''}")
    limit = max(1, round(PIECE_S / description.frame_shift_s))
    return Decoder(in_pieces(find, limit), settings.temperature, ", ".join(parts), _remark(settings, ngram, rescore))


def beam_search(
    description: Description,
    settings: Settings,
    width: int,
    ngram: "Ngram | None",
    hot_words: Mapping[str, float] | None = None,
) -> "BeamSearch":
    """The search that settings describe."""
    from asr.decoding.beam import BeamOptions, BeamSearch

    options = BeamOptions(width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus)
    return BeamSearch(description.tokenizer, options, ngram=ngram, hot_words=hot_words)


def own_language_model(description: Description) -> "Ngram | None":
    """The n-gram model inside a model file. Raises ModelError when it is damaged."""
    if not description.language_model:
        return None
    from asr.decoding import packed

    where = f"The language model inside the model {description.name!r}"
    try:
        return packed.loads(base64.b64decode(description.language_model, validate=True), where)
    except binascii.Error as error:
        raise ModelError(f"{where} is damaged ({error}): tune the model again.") from None


def open_second(description: Description, path: Path) -> "OnnxLanguageModel":
    """The LSTM language model for rescoring. Raises ModelError when it does not know the model's letters."""
    from asr.runtime.language import OnnxLanguageModel

    second = OnnxLanguageModel(path)
    if missing := set(description.tokenizer.alphabet) - set(second.description.tokenizer.alphabet):
        raise ModelError(
            f"The language model '{path}' does not know {', '.join(map(repr, sorted(missing)))}, which the model "
            f"{description.name!r} writes: train it on text in the same alphabet."
        )
    return second


def rescored(search: "BeamSearch", second: "SentenceScorer", by: Rescoring, log_probs: np.ndarray) -> list[Token]:
    """The tokens of the text that both language models and the sound like best. Shape: log_probs (T, V)"""
    from asr.decoding import rescoring
    from asr.decoding.alignment import align

    hypotheses = search.decode(log_probs, rescoring.N_BEST)
    return align(log_probs, rescoring.best(hypotheses, second, search, by).tokens) if hypotheses else []


def _remark(settings: Settings, ngram: "Ngram | None", rescore: Path | None) -> str:
    """What is not as it was tuned."""
    if ngram is not None and tuple(ngram.counts) != settings.ngrams:
        return "The weights were not tuned for this language model: `asr tune` finds better ones on speech of your own."
    if rescore is not None and settings.rescoring is None:
        return "The weights were not tuned for rescoring: `asr tune --rescore` finds better ones."
    return ""
