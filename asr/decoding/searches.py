"""Beam searches with the language models that a model and a user's wishes ask for."""

import base64
import binascii
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from asr.decoding import rescoring
from asr.decoding.beam.search import BeamOptions, BeamSearch
from asr.decoding.decoder import Decoder
from asr.decoding.forced_alignment import align
from asr.decoding.fusion import FusionSearch
from asr.decoding.greedy import Token
from asr.errors import AsrError, ModelError
from asr.lm import packed
from asr.lm.cache import open_unpacked
from asr.lm.lstm import OnnxLanguageModel
from asr.lm.ngram import Ngram
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription

BEAM, FUSED_BEAM = 100, 16
"""Prefixes that are kept where no number was given or tuned, and where an LSTM reads all of them."""
UNTUNED = Rescoring(weight=0.5, lm_weight=0.25, word_bonus=1.0)
"""Where a second language model is given and the model was not tuned for one."""

LanguageModel = Ngram | OnnxLanguageModel


def make(
    description: AcousticDescription,
    width: int,
    *,
    lm: Path | None,
    no_lm: bool,
    rescore: Path | None,
    hot_words: Mapping[str, float],
) -> Decoder:
    """What `asr.decoding.build.make` says; a `width` of 0 is that of a search of its kind."""
    settings = description.decoding
    first, name = None, ""
    if lm is not None:
        first, name = open_first(description, lm), str(lm)
    elif not no_lm:
        first, name = own_language_model(description), "the model's own language model"
    width = width or (FUSED_BEAM if isinstance(first, OnnxLanguageModel) else BEAM)
    search = make_search(description, settings, width, first, hot_words)
    find, parts = search.tokens, [f"beam search of {width} prefixes"]
    if first is None:
        parts.append("no language model")
    else:
        kind = f"{first.order}-gram" if isinstance(first, Ngram) else "LSTM"
        parts.append(f"{name} ({kind}, weight {settings.lm_weight:g}, bonus {settings.word_bonus:g} a word)")
    if rescore is not None:
        if not isinstance(search, BeamSearch):
            raise AsrError(
                "The texts of a search with an LSTM (lm) cannot be rescored by another (rescore): give one of them."
            )
        by = settings.rescoring or UNTUNED
        find = partial(rescored, search, open_second(description, rescore), by)
        parts.append(f"best texts rescored by {rescore} (weight {by.weight:g})")
    if hot_words:
        parts.append(f"{len(hot_words)} hot word{'s' if len(hot_words) > 1 else ''}")
    remarks = [_remark(settings, first, rescore), _first_use(search)]
    return Decoder(find, settings.temperature, about=", ".join(parts), remark=" ".join(filter(None, remarks)))


def make_search(
    description: AcousticDescription,
    settings: Settings,
    width: int,
    lm: LanguageModel | None,
    hot_words: Mapping[str, float] | None = None,
) -> BeamSearch | FusionSearch:
    """The search that settings describe.

    Raises:
        AsrError: hot words beside an LSTM, or what `BeamSearch` raises.
    """
    if isinstance(lm, OnnxLanguageModel):
        if hot_words:
            raise AsrError("Hot words go with an n-gram model or with none, not with an LSTM in the search (lm).")
        return FusionSearch(
            description.tokenizer, lm, width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus
        )
    options = BeamOptions(width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus)
    return BeamSearch(description.tokenizer, options, ngram=lm, hot_words=hot_words)


def open_first(description: AcousticDescription, path: Path) -> LanguageModel:
    """The language model of a search: an n-gram model, or an LSTM's .onnx file.

    Raises:
        AsrError: it cannot be read, or the LSTM reads other tokens than the model writes.
    """
    if path.suffix != ".onnx":
        return packed.load(path)
    lstm = OnnxLanguageModel(path, threads=1)
    if lstm.description.tokenizer != description.tokenizer:
        raise ModelError(
            f"The language model '{path}' reads other tokens than the model {description.name!r} writes, so it cannot "
            "judge each of them: let it choose among whole texts (--rescore), or train it with the same tokens."
        )
    return lstm


def open_second(description: AcousticDescription, path: Path) -> OnnxLanguageModel:
    """The LSTM language model for rescoring. Raises ModelError when it does not know the model's letters."""
    second = OnnxLanguageModel(path)
    if missing := set(description.tokenizer.alphabet) - set(second.description.tokenizer.alphabet):
        raise ModelError(
            f"The language model '{path}' does not know {', '.join(map(repr, sorted(missing)))}, which the model "
            f"{description.name!r} writes: train it on text in the same alphabet."
        )
    return second


def own_language_model(description: AcousticDescription) -> Ngram | None:
    """The n-gram model inside a model file. Raises ModelError when it is damaged."""
    if not description.language_model:
        return None
    where = f"The language model inside the model {description.name!r}"
    try:
        return open_unpacked(base64.b64decode(description.language_model, validate=True), where)
    except binascii.Error as error:
        raise ModelError(f"{where} is damaged ({error}): tune the model again.") from None


def size_of(lm: LanguageModel | None) -> tuple[int, ...]:
    """By which another language model than was tuned for is noticed."""
    if lm is None:
        return ()
    return tuple(lm.counts) if isinstance(lm, Ngram) else (lm.description.parameters,)


def rescored(search: BeamSearch, second: rescoring.SentenceScorer, by: Rescoring, log_probs: np.ndarray) -> list[Token]:
    """The tokens of the text that both language models and the sound like best. Shape: log_probs (T, V)"""
    hypotheses = search.decode(log_probs, rescoring.N_BEST)
    return align(log_probs, rescoring.best(hypotheses, second, search, by).tokens) if hypotheses else []


def _remark(settings: Settings, lm: LanguageModel | None, rescore: Path | None) -> str:
    """What is not as it was tuned."""
    if lm is not None and size_of(lm) != settings.lm_size:
        return "The weights were not tuned for this language model: `asr tune` finds better ones on speech of your own."
    if rescore is not None and settings.rescoring is None:
        return "The weights were not tuned for rescoring: `asr tune --rescore` finds better ones."
    return ""


def _first_use(search: BeamSearch | FusionSearch) -> str:
    """Why the first text takes its time."""
    if isinstance(search, BeamSearch):
        from asr.decoding.beam.kernel import is_compiled

        if not is_compiled():
            return "The search is compiled now, which takes some ten seconds, and kept for all later runs."
    return ""
