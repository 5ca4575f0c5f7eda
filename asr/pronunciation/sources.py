"""Where pronunciations come from: a dictionary file, or a model file that holds those of its language model's words."""

import base64
import binascii
from pathlib import Path
from typing import TYPE_CHECKING

from asr import models
from asr.errors import DataError, ModelError
from asr.lm.cache import is_made, made_once
from asr.models.description import AcousticDescription
from asr.models.session import describe
from asr.pronunciation import dictionary
from asr.pronunciation.dictionary import Dictionary
from asr.pronunciation.lexicon import Lexicon

if TYPE_CHECKING:
    from asr.pronunciation.letters_to_sounds import Converter


def load(path: Path) -> Dictionary:
    """Read a dictionary, or the pronunciations inside a model: a shipped one by its name, others by their .onnx file.

    Raises:
        DataError: the dictionary cannot be read or has no word, or the model holds no pronunciations.
        ModelError: the model cannot be read.
    """
    if not models.is_named(path):
        return dictionary.load(path)
    description = describe(models.find(str(path)))
    lexicon = embedded(description) if isinstance(description, AcousticDescription) else None
    if lexicon is None:
        raise DataError(f"The model '{path}' holds no pronunciations: give a dictionary in the format of CMUdict.")
    return Dictionary(lexicon.words)


def embedded(description: AcousticDescription) -> Lexicon | None:
    """The pronunciations inside a model file; None for none. Raises ModelError when they are damaged."""
    if not description.lexicon or not description.phones:
        return None
    where = f"The pronunciations inside the model {description.name!r}"
    try:
        lexicon = Lexicon.from_bytes(base64.b64decode(description.lexicon, validate=True))
    except (binascii.Error, ModelError) as error:
        raise ModelError(f"{where} are damaged ({error}): tune the model again.") from None
    if lexicon.phones != description.phones:
        raise ModelError(f"{where} have other phones than its network: tune the model again.")
    return lexicon


def converter(description: AcousticDescription, lexicon: Lexicon) -> "Converter":
    """What pronounces words that a model file has no pronunciation of: learnt from those that it has, then cached."""
    from asr.pronunciation import letters_to_sounds

    return letters_to_sounds.Converter.of_ngram(
        made_once(_source(description), lambda: letters_to_sounds.train(lexicon.words).ngram)
    )


def has_converter(description: AcousticDescription) -> bool:
    """Whether the converter of a model is cached; it takes about ten seconds to make."""
    return is_made(_source(description))


def _source(description: AcousticDescription) -> bytes:
    return b"letters to sounds 1 " + description.lexicon.encode()  # with a number, for another way to learn them
