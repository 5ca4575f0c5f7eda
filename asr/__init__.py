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
    from asr.runtime.transcriber import Transcriber

__version__ = "0.1.0"
__all__ = ["Transcript", "Word", "__version__", "load", "transcribe"]


def load(model: str | os.PathLike[str] | None = None) -> "Transcriber":
    """Open a model: the path of an `.onnx` file, the name of a shipped model, or the default one.

    Raises:
        ModelError: there is no such model, or it is damaged.
    """
    from asr import models
    from asr.runtime.session import OnnxModel
    from asr.runtime.transcriber import Transcriber

    return Transcriber(OnnxModel(models.find(models.DEFAULT if model is None else os.fspath(model))))


def transcribe(source: "str | os.PathLike[str] | bytes | BinaryIO", model: str | None = None) -> Transcript:
    """Turn a sound file, its bytes or an open binary file into text; the model stays loaded for the next call.

    Raises:
        AudioError: `source` cannot be read as sound.
        ModelError: there is no such model, or it is damaged.
    """
    return _loaded(model).transcribe(source)


_loaded = functools.lru_cache(maxsize=2)(load)
