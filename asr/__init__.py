"""Small, fast speech recognition.

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
    """Load a model and configure decoding.

    Args:
        model: path of an `.onnx` file, name of a shipped model, or None for the default model.
        beam: beam width; 0 decodes greedily; None uses the model's tuned setting.
        lm: language model to use instead of the bundled one: an n-gram model (ARPA or packed) or an LSTM (`.onnx`).
        no_lm: search without a language model, not even the bundled one.
        rescore: LSTM language model (`.onnx`) that rescores the n-best list.
        hot_words: word -> score bonus, such as 12.
        min_confidence: drop stretches of speech, such as music, in which the mean word confidence is lower; 0 keeps
            everything; None uses the model's tuned setting.
        threads: number of windows of a long recording to run in parallel; 0 means one per core.
        device: "cpu", or "cuda" for an NVIDIA GPU, which requires onnxruntime-gpu and a model that is not int8.

    Raises:
        ModelError: the model does not exist, is damaged, or cannot run on the device.
        AsrError: the options contradict each other or do not fit the model.
    """
    from pathlib import Path

    from asr import models
    from asr.decoding.options import DecodingOptions
    from asr.parallel import cores
    from asr.transcription.transcriber import open_transcriber

    if threads < 0:
        raise AsrError(f"The number of threads is {threads}, but it must be 0 or more: 0 means one thread per core.")
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
    """Transcribe an audio file, its bytes or an open binary file; the model stays loaded for the next call.

    Raises:
        AudioError: `source` cannot be read as audio.
        ModelError: the model does not exist or is damaged.
    """
    return _loaded(model).transcribe(source)


def transcribe_all(
    sources: "Sequence[str | os.PathLike[str]]",
    model: str | os.PathLike[str] | None = None,
    *,
    workers: int = 0,
    **options: "Any",
) -> "Iterator[tuple[str, Transcript | AsrError]]":
    """Transcribe many audio files in parallel: yield (source, transcript or error) as each one finishes.

    The work is spread over several processes, so that a file which crashes a decoder affects no other file. Scripts
    must call this function under `if __name__ == "__main__":`, because the worker processes import the script.

    Args:
        sources: paths.
        model: as in `load`.
        workers: number of processes; 0 means one per core.
        options: as in `load`.

    Raises:
        ModelError: the model does not exist or is damaged.
        AsrError: the options contradict each other or do not fit the model.
    """
    from asr.parallel import cores
    from asr.transcription.workers import transcribe_all

    load(model, **options)  # report wrong options here, not once per process
    paths = [os.fspath(source) for source in sources]
    count = min(workers or cores(), max(1, len(paths)))
    load_worker = functools.partial(load, model, **{"threads": 1} | options)
    for number, result in transcribe_all(paths, load_worker, workers=count):
        yield paths[number], result


_loaded = functools.lru_cache(maxsize=2)(load)
