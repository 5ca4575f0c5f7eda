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

from asr.errors import AsrError
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word
from asr.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from asr.models.session import Device
    from asr.transcription.transcriber import Transcriber

__all__ = ["Transcript", "Word", "__version__", "load", "transcribe", "transcribe_all"]


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    beam: int | None = None,
    lm: str | os.PathLike[str] | None = None,
    no_lm: bool = False,
    rescore: str | os.PathLike[str] | None = None,
    hot_words: "Mapping[str, float] | None" = None,
    min_confidence: float | None = None,
    threads: int = 0,
    device: "Device" = "cpu",
) -> "Transcriber":
    """Open a model and choose how its text is found.

    Args:
        model: the path of an `.onnx` file, the name of a shipped model, or None for the default one.
        beam: prefixes that the beam search keeps; 0 decodes greedily; None: as the model was tuned.
        lm: a language model in the place of the model's own: n-grams, ARPA or packed, or an LSTM (`.onnx`).
        no_lm: use no language model in the search, not even the model's own.
        rescore: an LSTM language model (`.onnx`) that chooses among the best texts.
        hot_words: word -> what it adds to the score of a text, such as 12.
        min_confidence: a stretch of speech in which the words' mean confidence is lower is left out, such as music; 0
            leaves out none; None: as the model was tuned.
        threads: windows of a long sound that are heard at a time; 0: one for each core.
        device: "cpu", or "cuda" for an NVIDIA GPU, which needs onnxruntime-gpu and a model that is not int8.

    Raises:
        ModelError: there is no such model, it is damaged, or it cannot run on the device.
        AsrError: what is wished for contradicts itself or does not fit the model.
    """
    from pathlib import Path

    from asr import models
    from asr.decoding.options import DecodingOptions
    from asr.parallel import cores
    from asr.transcription.transcriber import open_transcriber

    if threads < 0:
        raise AsrError(f"{threads} threads cannot work: give 1 or more, or 0 for one for each core.")
    options = DecodingOptions(
        beam=beam,
        lm=None if lm is None else Path(lm),
        no_lm=no_lm,
        rescore=None if rescore is None else Path(rescore),
        hot_words=hot_words or {},
        min_confidence=min_confidence,
    )
    file = models.find(models.DEFAULT if model is None else os.fspath(model))
    return open_transcriber(file, options, threads=threads or cores(), device=device)


def transcribe(source: "str | os.PathLike[str] | bytes | BinaryIO", model: str | None = None) -> Transcript:
    """Turn a sound file, its bytes or an open binary file into text; the model stays loaded for the next call.

    Raises:
        AudioError: `source` cannot be read as sound.
        ModelError: there is no such model, or it is damaged.
    """
    return _loaded(model).transcribe(source)


def transcribe_all(
    sources: "Sequence[str | os.PathLike[str]]",
    model: str | os.PathLike[str] | None = None,
    *,
    workers: int = 0,
    **options: "Any",
) -> "Iterator[tuple[str, Transcript | AsrError]]":
    """Yield (source, its transcript or what was wrong with it) for many sound files, as they are ready.

    Several processes share the work, so that a file which crashes a decoder costs that file only. A script calls it
    below `if __name__ == "__main__":`, for the processes import the script.

    Args:
        sources: paths.
        model: as in `load`.
        workers: processes; 0: one for each core.
        options: as in `load`.

    Raises:
        ModelError: there is no such model, or it is damaged.
        AsrError: what is wished for contradicts itself or does not fit the model.
    """
    from asr.parallel import cores
    from asr.transcription.workers import transcribe_all

    load(model, **options)  # what is wrong with the options is said here and not in each process
    paths = [os.fspath(source) for source in sources]
    count = min(workers or cores(), max(1, len(paths)))
    opened = functools.partial(load, model, **{"threads": 1} | options)
    for number, found in transcribe_all(paths, opened, workers=count):
        yield paths[number], found


_loaded = functools.lru_cache(maxsize=2)(load)
