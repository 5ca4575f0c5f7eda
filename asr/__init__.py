"""Small, fast speech recognition.

    import asr
    print(asr.transcribe("interview.wav").text)

    transcriber = asr.load("my-model.onnx")
    for word in transcriber.transcribe("interview.wav").words:
        print(word.start_s, word.text, word.confidence)

Text is readable, with punctuation, capitals and numbers; `.spoken` has the words as they were recognised.

Nothing here imports PyTorch.
"""

import functools
import os
from typing import TYPE_CHECKING, BinaryIO

from asr.errors import ArgumentTypeError, AsrError, AudioError, DataError, ModelError
from asr.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from asr.models.session import Device
    from asr.scoring.wer import Score
    from asr.transcript.transcript import Transcript
    from asr.transcript.words import Word
    from asr.transcription.transcriber import Transcriber

__all__ = [
    "ArgumentTypeError",
    "AsrError",
    "AudioError",
    "DataError",
    "ModelError",
    "Score",
    "Transcriber",
    "Transcript",
    "Word",
    "__version__",
    "align",
    "load",
    "score",
    "transcribe",
    "transcribe_all",
]


LAZY = {
    "Score": "asr.scoring.wer",
    "Transcript": "asr.transcript.transcript",
    "Transcriber": "asr.transcription.transcriber",
    "Word": "asr.transcript.words",
}
"""Class -> its module, which is imported when the class is first used, so that importing this package takes no time."""


def __getattr__(name: str) -> "Any":
    """Import what is in `LAZY`."""
    if name not in LAZY:
        raise AttributeError(f"module 'asr' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(LAZY[name]), name)


def load(
    model: str | os.PathLike[str] | None = None,
    *,
    beam: int | None = None,
    lm: str | os.PathLike[str] | None = None,
    no_lm: bool = False,
    rescore: str | os.PathLike[str] | None = None,
    hot_words: "Mapping[str, float] | Sequence[str] | None" = None,
    min_confidence: float | None = None,
    plain: bool = False,
    numbers: bool = True,
    threads: int = 0,
    device: "Device" = "cpu",
) -> "Transcriber":
    """Load a model and configure decoding.

    Transcripts of English models are readable text: sentences with punctuation and capitals, and numbers in digits.
    `Transcript.spoken` has the words as they were recognised.

    Args:
        model: path of an `.onnx` file, name of a shipped model, or None for the one that the environment variable
            ASR_MODEL names, else the default model.
        beam: beam width; 0 decodes greedily; None uses the model's tuned setting.
        lm: language model to use instead of the bundled one: an n-gram model (ARPA or packed) or an LSTM (`.onnx`).
        no_lm: search without a language model, not even the bundled one.
        rescore: LSTM language model (`.onnx`) that rescores the n-best list.
        hot_words: words to recognise more often, as a list or with the score bonus of each, by default 12.
        min_confidence: drop stretches of speech, such as music, in which the mean word confidence is lower; 0 keeps
            everything; None uses the model's tuned setting.
        plain: leave the words as they are recognised, in lower case without punctuation.
        numbers: write numbers in digits.
        threads: number of windows of a long recording to run in parallel; 0 means one per core.
        device: "cpu", or "cuda" for an NVIDIA GPU, which requires onnxruntime-gpu and a model that is not int8.

    Raises:
        ModelError: the model does not exist, is damaged, or cannot run on the device.
        AsrError: the options contradict each other or do not fit the model.
        ArgumentTypeError: `model` or `hot_words` is of another type.
    """
    from pathlib import Path

    from asr import models
    from asr.decoding.options import DecodingOptions
    from asr.parallel import cores
    from asr.readable.options import WritingOptions
    from asr.transcription.transcriber import open_transcriber

    if model is not None and not isinstance(model, str | os.PathLike):
        raise ArgumentTypeError(f"`model` must be a path or a name, not of type {type(model).__name__}.")
    if threads < 0:
        raise AsrError(f"The number of threads is {threads}, but it must be 0 or more: 0 means one thread per core.")
    options = DecodingOptions(
        beam=beam,
        lm=None if lm is None else Path(lm),
        no_lm=no_lm,
        rescore=None if rescore is None else Path(rescore),
        hot_words=_boosts(hot_words),
        min_confidence=min_confidence,
    )
    file = models.find(None if model is None else os.fspath(model))
    written = WritingOptions(plain=plain, numbers=numbers)
    return open_transcriber(file, options, threads=threads or cores(), device=device, written=written)


def _boosts(hot_words: "Mapping[str, float] | Sequence[str] | None") -> "dict[str, float]":
    from collections.abc import Mapping

    from asr.decoding.options import BOOST

    if isinstance(hot_words, str) or not (hot_words is None or hasattr(hot_words, "__iter__")):
        raise ArgumentTypeError(
            f'`hot_words` must be a list of words or a mapping from words to boosts, such as ["{hot_words}"], not of '
            f"type {type(hot_words).__name__}."
        )
    if isinstance(hot_words, Mapping):
        return dict(hot_words)
    return dict.fromkeys(hot_words or (), BOOST)


def transcribe(source: "str | os.PathLike[str] | bytes | BinaryIO", model: str | None = None) -> "Transcript":
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


def align(
    source: "str | os.PathLike[str] | bytes | BinaryIO",
    text: str,
    model: str | os.PathLike[str] | None = None,
) -> "Transcript":
    """Find when each word of a known text is spoken.

    Words keep their spelling; lines and sentences of the text are kept (`Word.ends_sentence`). A word that is not in
    the recording has the confidence 0.

    Raises:
        AudioError: `source` cannot be read as audio.
        DataError: the text has no words, or words with characters outside the model's alphabet.
        ModelError: the model does not exist or is damaged.
    """
    from asr import audio
    from asr.transcription.aligner import align_text

    loaded = _loaded(None if model is None else os.fspath(model), beam=0, no_lm=True, plain=True).model
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    waveform = audio.load(source, loaded.description.sample_rate)
    return align_text(loaded, waveform, text.splitlines(), source=name)


def score(references: "Sequence[str]", hypotheses: "Sequence[str]", *, normalise: bool = False) -> "Score":
    """Compare recognised texts with what was said: `score(...).words.rate` is the word error rate.

    Args:
        references: what was said, one text for each utterance.
        hypotheses: what was recognised, in the same order.
        normalise: ignore case and punctuation, as for English models.

    Raises:
        ArgumentTypeError: a single string was given instead of a list of them.
        DataError: the two differ in length, or are empty.
    """
    from asr.scoring.wer import score
    from asr.text import ENGLISH
    from asr.text import normalise as normalised

    if isinstance(references, str) or isinstance(hypotheses, str):
        raise ArgumentTypeError("`score` takes two lists of texts, not strings: score([reference], [hypothesis]).")
    if len(references) != len(hypotheses) or not references:
        raise DataError(
            f"There are {len(references)} references and {len(hypotheses)} hypotheses: give as many of both, at "
            "least one."
        )
    if normalise:
        references, hypotheses = ([normalised(text, ENGLISH) for text in texts] for texts in (references, hypotheses))
    return score(references, hypotheses)


_loaded = functools.lru_cache(maxsize=2)(load)
