"""Builds the decoder from a model's settings and the user's options."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from asr import models
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.decoding.decoder import Decoder
from asr.decoding.fusion import FusionSearch
from asr.decoding.greedy import GreedySearch
from asr.decoding.options import DecodingOptions
from asr.decoding.phone_search import PhoneSearch
from asr.decoding.protocol import Search
from asr.decoding.rescoring import RescoredSearch
from asr.errors import AsrError, ModelError
from asr.lm import packed
from asr.lm.cache import Order, open_unpacked
from asr.lm.lstm import OnnxLanguageModel
from asr.lm.ngram import Ngram
from asr.lm.protocol import LanguageModel, Unit
from asr.models.decoding_settings import Rescoring, Settings
from asr.models.description import AcousticDescription
from asr.models.session import describe
from asr.parallel import once
from asr.pronunciation import sources
from asr.pronunciation.lexicon import Lexicon

DEFAULT_WIDTH: Mapping[Unit, int] = {"word": 100, "token": 16}
"""Default beam width by the unit that the language model predicts, if none was given or tuned; smaller for tokens,
because the LSTM runs on every prefix. Without a language model, that for words."""
PHONE_OPTIONS = BeamOptions(width=200, threshold=13.0, token_threshold=-6.0)
"""Default width, and pruning, of a search over phones: 19.23 % on LibriSpeech's dev parts of recipes/english, with the
options of other searches 19.56 % in nine tenths of the time."""
UNTUNED = Rescoring(weight=0.5, lm_weight=0.25, word_bonus=1.0)
"""Used when a model that was not tuned for rescoring is given a second language model."""

BY_PHONES = "words found by their phones"
"""What the description of a `PhoneSearch` adds to that of its language model."""
SearchModel = Ngram | OnnxLanguageModel
"""The language models that a search supports, distinguished by `unit`."""


def make(description: AcousticDescription, options: DecodingOptions | None = None) -> Decoder:
    """Choose and prepare a decoder.

    Args:
        description: metadata of the model: its tuned decoding settings and, optionally, a language model.
        options: override the model's settings.

    Raises:
        AsrError: a hot word cannot be written in the model's alphabet, or a language model cannot be read or is
            incompatible with the model or the other options.
    """
    options = options or DecodingOptions()
    settings = description.decoding
    width = settings.beam if options.beam is None else options.beam
    if width == 0 and not options.need_search:
        decoder = Decoder(temperature=settings.temperature)
    else:
        decoder = _beam_decoder(description, width, options)
    min_confidence = settings.min_confidence if options.min_confidence is None else options.min_confidence
    return replace(decoder, min_confidence=min_confidence)


def _beam_decoder(description: AcousticDescription, width: int, options: DecodingOptions) -> Decoder:
    """Build a decoder with a beam search; a `width` of 0 means the default for the kind of language model."""
    settings = description.decoding
    lm, name = None, ""
    lexicon = None
    if options.lm is not None:
        lm, name = open_for_search(description, options.lm), str(options.lm)
    elif not options.no_lm:
        if options.rescore is None:
            lexicon = sources.embedded(description)
        lm, name = own_language_model(description, lexicon), "the model's own language model"
        lexicon = None if lm is None else lexicon
    default = default_width(lm, lexicon)
    if options.beam is None and lexicon is None and description.lexicon:
        width = min(width or default, default)  # what was tuned is for phones, where a wide beam costs less
    width = width or default
    about = [f"beam search of {width} prefixes"]
    if lm is None:
        about.append("no language model")
    else:
        weights = f"weight {settings.lm_weight:g}, word bonus {settings.word_bonus:g}"
        about.append(f"{name} ({lm.kind}, {weights})")
    if lexicon is not None:
        about.append(BY_PHONES)
    if options.rescore is None:
        search = make_search(description, settings, width, lm, hot_words=options.hot_words, lexicon=lexicon)
    else:
        first_pass = beam_search(description, settings, width, words_only(lm), options.hot_words)
        rescoring = settings.rescoring or UNTUNED
        search = RescoredSearch(first_pass, open_for_rescoring(description, options.rescore), rescoring)
        about.append(f"best texts rescored by {options.rescore} (weight {rescoring.weight:g})")
    if count := len(options.hot_words):
        about.append(f"{count} hot word{'s' if count > 1 else ''}")
    remarks = [_untuned_remark(settings, lm, options.rescore), _compilation_remark(lm)]
    if lexicon is not None:
        remarks.append(_pronunciation_remark(description, lexicon, options.hot_words))
    return Decoder(search, settings.temperature, about=", ".join(about), remark=" ".join(filter(None, remarks)))


def with_hot_words(decoder: Decoder, description: AcousticDescription, hot_words: Mapping[str, float]) -> Decoder:
    """The same decoder with other hot words; a greedy one becomes a beam search without a language model.

    Raises:
        AsrError: a hot word cannot be written in the model's alphabet, or the search supports none.
    """
    if not hot_words:
        return decoder
    if isinstance(decoder.search, BeamSearch | PhoneSearch):
        return replace(decoder, search=decoder.search.with_hot_words(hot_words))
    if isinstance(decoder.search, GreedySearch):
        return replace(decoder, search=hot_word_search(description, hot_words))
    raise AsrError("Hot words cannot be combined with an LSTM language model (lm, rescore): give one of the two.")


def hot_word_search(description: AcousticDescription, hot_words: Mapping[str, float] | None = None) -> BeamSearch:
    """The search that replaces greedy decoding when there are hot words: without a language model."""
    return beam_search(description, description.decoding, default_width(None), None, hot_words)


def default_width(lm: LanguageModel | None, lexicon: Lexicon | None = None) -> int:
    """The beam width with this language model, and this lexicon over phones, if none is given or tuned."""
    if lexicon is not None:
        return PHONE_OPTIONS.width
    return DEFAULT_WIDTH["word" if lm is None else lm.unit]


def make_search(
    description: AcousticDescription,
    settings: Settings,
    width: int,
    lm: SearchModel | None,
    *,
    hot_words: Mapping[str, float] | None = None,
    lexicon: Lexicon | None = None,
) -> Search:
    """Build the search that the settings describe, with a lexicon and an n-gram model one over phones.

    That is fast where the words of `lm` have the lexicon's order.

    Raises:
        AsrError: hot words are combined with an LSTM; also whatever `BeamSearch` raises.
    """
    if lm is not None and lm.unit == "token":
        if hot_words:
            raise AsrError("Hot words cannot be combined with an LSTM in the search (lm): use an n-gram model or none.")
        return FusionSearch(
            description.tokenizer, lm, width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus
        )
    if lexicon is None or lm is None:
        return beam_search(description, settings, width, lm, hot_words)
    letters_prior, log_prior = np.split(np.array(settings.log_prior), [description.tokenizer.size])
    weights = {"lm_weight": settings.lm_weight, "word_bonus": settings.word_bonus}
    options = replace(PHONE_OPTIONS, width=width, **weights)
    by_phones = BeamSearch(description.tokenizer, options, ngram=lm, pronunciations=lexicon, log_prior=log_prior)

    def by_letters() -> BeamSearch:
        spelled = own_language_model(description) if description.language_model else lm
        return beam_search(description, settings, min(width, default_width(lm)), spelled)

    converter = once(partial(sources.converter, description, lexicon))
    search = PhoneSearch(lambda: by_phones, letters_prior, once(by_letters), converter)
    return search.with_hot_words(hot_words) if hot_words else search


def beam_search(
    description: AcousticDescription,
    settings: Settings,
    width: int,
    ngram: Ngram | None,
    hot_words: Mapping[str, float] | None = None,
) -> BeamSearch:
    """Build the search that the settings describe, with an n-gram model or none. Raises whatever `BeamSearch` does."""
    options = BeamOptions(width=width, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus)
    log_prior = np.array(settings.log_prior[: description.tokenizer.size]) if ngram is not None else np.zeros(0)
    return BeamSearch(description.tokenizer, options, ngram=ngram, hot_words=hot_words, log_prior=log_prior)


def words_only(lm: SearchModel | None) -> Ngram | None:
    """Check the language model of a first pass before rescoring. Raises AsrError when it is an LSTM."""
    if lm is not None and lm.unit == "token":
        raise AsrError(
            "The results of a search with an LSTM (lm) cannot be rescored with another LSTM (rescore): give only one."
        )
    return lm


def open_for_search(description: AcousticDescription, path: Path) -> SearchModel:
    """Open a language model for the search: an n-gram model or the recogniser that holds one, or an LSTM's .onnx file.

    Raises:
        AsrError: it cannot be read, the recogniser holds none, or the LSTM does not use the tokens of the acoustic
            model.
    """
    if not models.is_named(path):
        return packed.load(path)
    path = models.find(str(path))
    holder = describe(path)
    if isinstance(holder, AcousticDescription):
        if (ngram := own_language_model(holder)) is None:
            raise ModelError(f"The model '{path}' holds no language model: give an n-gram model, or a model with one.")
        return ngram
    lstm = OnnxLanguageModel(path, threads=1)
    if lstm.description.tokenizer != description.tokenizer:
        raise ModelError(
            f"The language model '{path}' uses other tokens than the model {description.name!r}, so it cannot score "
            "them during the search: use it for rescoring (--rescore), or train it with the same tokens."
        )
    return lstm


def open_for_rescoring(description: AcousticDescription, path: Path) -> OnnxLanguageModel:
    """Open an LSTM language model for rescoring. Raises ModelError when its alphabet lacks characters of the model."""
    lstm = OnnxLanguageModel(path)
    if missing := set(description.tokenizer.alphabet) - set(lstm.description.tokenizer.alphabet):
        raise ModelError(
            f"The alphabet of the language model '{path}' lacks {', '.join(map(repr, sorted(missing)))}, which the "
            f"model {description.name!r} can output: train it on text in the same alphabet."
        )
    return lstm


def own_language_model(description: AcousticDescription, lexicon: Lexicon | None = None) -> Ngram | None:
    """Open the n-gram model inside a model file, with its words in the order of a lexicon if one is given.

    Raises:
        ModelError: it is damaged.
    """
    if not description.language_model:
        return None
    where = f"The language model inside the model {description.name!r}"
    try:
        order = None if lexicon is None else Order(description.lexicon.encode(), lexicon.in_order)
        return open_unpacked(base64.b64decode(description.language_model, validate=True), where, order)
    except binascii.Error as error:
        raise ModelError(f"{where} is damaged ({error}): tune the model again.") from None


def _untuned_remark(settings: Settings, lm: LanguageModel | None, rescore: Path | None) -> str:
    """A warning if the weights were not tuned for this combination; else empty."""
    if lm is not None and lm.size != settings.lm_size:
        return "The weights were not tuned for this language model: `asr tune` finds better ones on your own speech."
    if rescore is not None and settings.rescoring is None:
        return "The weights were not tuned for rescoring: `asr tune --rescore` finds better ones."
    return ""


def _compilation_remark(lm: LanguageModel | None) -> str:
    """A notice if the search has yet to be compiled; else empty."""
    if lm is not None and lm.unit == "token":
        return ""
    from asr.decoding.beam.kernel import is_cached, is_compiled

    if is_compiled():
        return ""
    if not is_cached():
        return (
            "Compiling the search, which takes about ten seconds in every run, because there is no folder to keep the "
            "result in: set NUMBA_CACHE_DIR to one that you may write."
        )
    return "Compiling the search, which takes about ten seconds; later runs use the cached result."


def _pronunciation_remark(description: AcousticDescription, lexicon: Lexicon, hot_words: Mapping[str, float]) -> str:
    """A notice if the pronunciation of a hot word has yet to be learnt; else empty."""
    words = {word for phrase in hot_words for word in description.tokenizer.normalise(phrase).split()}
    unknown = sorted(words - lexicon.words.keys())
    if not unknown or sources.has_converter(description):
        return ""
    return (
        f"Learning from the model's pronunciations how to pronounce {unknown[0]!r}, which takes about ten seconds; "
        "later runs use the cached result."
    )
