"""The decoder that a model's settings and the user's options ask for."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.decoding.decoder import Decoder
from asr.decoding.fusion import FusionSearch
from asr.decoding.options import DecodingOptions
from asr.decoding.protocol import Search
from asr.decoding.rescoring import RescoredSearch
from asr.errors import AsrError, ModelError
from asr.lm import packed
from asr.lm.cache import open_unpacked
from asr.lm.lstm import OnnxLanguageModel
from asr.lm.ngram import Ngram
from asr.lm.protocol import LanguageModel, Unit
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription

DEFAULT_WIDTH: Mapping[Unit, int] = {"word": 100, "token": 16}
"""Prefixes that are kept where no number was given or tuned, by what the language model predicts: each LSTM step reads
all of them. Without a language model as for words."""
UNTUNED = Rescoring(weight=0.5, lm_weight=0.25, word_bonus=1.0)
"""Where a second language model is given and the model was not tuned for one."""

SearchModel = Ngram | OnnxLanguageModel
"""The language models that a search can read; `unit` tells them apart."""


def make(description: AcousticDescription, options: DecodingOptions | None = None) -> Decoder:
    """Choose and prepare a decoder.

    Args:
        description: of the model; it says how it was tuned and may hold a language model.
        options: what overrides that.

    Raises:
        AsrError: a hot word cannot be written in the model's alphabet, or a language model cannot be read or does not
            fit the model or the other options.
    """
    options = options or DecodingOptions()
    settings = description.decoding
    width = settings.beam if options.beam is None else options.beam
    if width == 0 and not options.need_search:
        decoder = Decoder(temperature=settings.temperature)
    else:
        decoder = _searching(description, width, options)
    least = settings.min_confidence if options.min_confidence is None else options.min_confidence
    return replace(decoder, min_confidence=least)


def _searching(description: AcousticDescription, width: int, options: DecodingOptions) -> Decoder:
    """A decoder with a beam search; a `width` of 0 is the default of a search of its kind."""
    settings = description.decoding
    first, name = None, ""
    if options.lm is not None:
        first, name = open_for_search(description, options.lm), str(options.lm)
    elif not options.no_lm:
        first, name = own_language_model(description), "the model's own language model"
    width = width or default_width(first)
    parts = [f"beam search of {width} prefixes"]
    if first is None:
        parts.append("no language model")
    else:
        weights = f"weight {settings.lm_weight:g}, bonus {settings.word_bonus:g} a word"
        parts.append(f"{name} ({first.kind}, {weights})")
    if options.rescore is None:
        search = make_search(description, settings, width, first, options.hot_words)
    else:
        lists = beam_search(description, settings, width, words_only(first), options.hot_words)
        by = settings.rescoring or UNTUNED
        search = RescoredSearch(lists, open_for_rescoring(description, options.rescore), by)
        parts.append(f"best texts rescored by {options.rescore} (weight {by.weight:g})")
    if count := len(options.hot_words):
        parts.append(f"{count} hot word{'s' if count > 1 else ''}")
    remarks = [_untuned(settings, first, options.rescore), _compiling(first)]
    return Decoder(search, settings.temperature, about=", ".join(parts), remark=" ".join(filter(None, remarks)))


def default_width(lm: LanguageModel | None) -> int:
    """Prefixes that a search with this language model keeps where nothing says how many."""
    return DEFAULT_WIDTH["word" if lm is None else lm.unit]


def make_search(
    description: AcousticDescription,
    settings: Settings,
    width: int,
    lm: SearchModel | None,
    hot_words: Mapping[str, float] | None = None,
) -> Search:
    """The search that settings describe.

    Raises:
        AsrError: hot words with an LSTM, or what `BeamSearch` raises.
    """
    if lm is not None and lm.unit == "token":
        if hot_words:
            raise AsrError("Hot words go with an n-gram model or with none, not with an LSTM in the search (lm).")
        return FusionSearch(
            description.tokenizer, lm, width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus
        )
    return beam_search(description, settings, width, lm, hot_words)


def beam_search(
    description: AcousticDescription,
    settings: Settings,
    width: int,
    ngram: Ngram | None,
    hot_words: Mapping[str, float] | None = None,
) -> BeamSearch:
    """The search that settings describe with an n-gram model or none. Raises what `BeamSearch` raises."""
    options = BeamOptions(width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus)
    return BeamSearch(description.tokenizer, options, ngram=ngram, hot_words=hot_words)


def words_only(lm: SearchModel | None) -> Ngram | None:
    """The language model of a search whose texts are rescored. Raises AsrError when it is an LSTM."""
    if lm is not None and lm.unit == "token":
        raise AsrError(
            "The texts of a search with an LSTM (lm) cannot be rescored by another (rescore): give one of them."
        )
    return lm


def open_for_search(description: AcousticDescription, path: Path) -> SearchModel:
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


def open_for_rescoring(description: AcousticDescription, path: Path) -> OnnxLanguageModel:
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


def _untuned(settings: Settings, lm: LanguageModel | None, rescore: Path | None) -> str:
    """What is not as it was tuned."""
    if lm is not None and lm.size != settings.lm_size:
        return "The weights were not tuned for this language model: `asr tune` finds better ones on speech of your own."
    if rescore is not None and settings.rescoring is None:
        return "The weights were not tuned for rescoring: `asr tune --rescore` finds better ones."
    return ""


def _compiling(lm: LanguageModel | None) -> str:
    """Why the first text takes its time."""
    if lm is not None and lm.unit == "token":
        return ""
    from asr.decoding.beam.kernel import is_compiled

    if is_compiled():
        return ""
    return "The search is compiled now, which takes some ten seconds, and kept for all later runs."
