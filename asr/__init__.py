"""Small, fast, honest speech recognition.

    import asr
    print(asr.transcribe("interview.wav").text)

    transcriber = asr.load("my-model.onnx")
    for word in transcriber.transcribe("interview.wav").words:
        print(word.start_s, word.text, word.confidence)

Nothing here imports PyTorch.
"""

import functools
import os
from typing import TYPE_CHECKING, BinaryIO

from asr.transcript import Transcript, Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.runtime.transcriber import Transcriber

__version__ = "0.1.0"
__all__ = ["Transcript", "Word", "__version__", "load", "transcribe"]


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    beam: int | None = None,
    lm: str | os.PathLike[str] | None = None,
    no_lm: bool = False,
    rescore: str | os.PathLike[str] | None = None,
    hot_words: "Mapping[str, float] | None" = None,
) -> "Transcriber":
    """Open a model and choose how its text is found.

    Args:
        model: the path of an `.onnx` file, the name of a shipped model, or None for the default one.
        beam: prefixes that the beam search keeps; 0 decodes greedily; None: as the model was tuned.
        lm: a language model in the place of the model's own: n-grams, ARPA or packed, or an LSTM (`.onnx`).
        no_lm: use no language model in the search, not even the model's own.
        rescore: an LSTM language model (`.onnx`) that chooses among the best texts.
        hot_words: word -> what it adds to the score of a text, such as 8.

    Raises:
        ModelError: there is no such model, or it is damaged.
        AsrError: what is wished for contradicts itself or does not fit the model.
    """
    from pathlib import Path

    from asr import models
    from asr.runtime import decoders
    from asr.runtime.session import OnnxModel
    from asr.runtime.transcriber import Transcriber

    opened = OnnxModel(models.find(models.DEFAULT if model is None else os.fspath(model)))
    decoder = decoders.make(
        opened.description,
        beam=beam,
        lm=None if lm is None else Path(lm),
        no_lm=no_lm,
        rescore=None if rescore is None else Path(rescore),
        hot_words=hot_words,
    )
    return Transcriber(opened, decoder)


def transcribe(source: "str | os.PathLike[str] | bytes | BinaryIO", model: str | None = None) -> Transcript:
    """Turn a sound file, its bytes or an open binary file into text; the model stays loaded for the next call.

    Raises:
        AudioError: `source` cannot be read as sound.
        ModelError: there is no such model, or it is damaged.
    """
    return _loaded(model).transcribe(source)


_loaded = functools.lru_cache(maxsize=2)(load)
