"""Sound in, transcript out."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from asr import audio
from asr.audio.samples import mono
from asr.decoding import build
from asr.decoding.decoder import Decoder
from asr.decoding.options import DecodingOptions
from asr.decoding.tokens_to_words import to_words
from asr.errors import AudioError
from asr.models.session import Device, LogProbModel, OnnxModel
from asr.progress import Progress, silent
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word
from asr.transcription import windows

Channel = int | Literal["split"] | None


class Transcriber:
    """A model with its decoder. Safe to use from several threads."""

    def __init__(
        self,
        model: LogProbModel,
        decoder: Decoder | None = None,
        threads: int = 1,
        windowing: windows.Windowing = windows.DEFAULT,
    ) -> None:
        """Without a decoder: greedily. `threads` windows of a long sound are heard at a time."""
        self.model, self.decoder, self.threads, self.windowing = model, decoder or Decoder(), threads, windowing

    def transcribe(
        self,
        source: audio.Source | np.ndarray,
        sample_rate: int | None = None,
        *,
        channel: Channel = None,
        progress: Progress = silent,
    ) -> Transcript:
        """Transcribe a sound of any length.

        Args:
            source: a sound file, its bytes, an open binary file, standard input ("-"), or samples. Samples are
                in -1..1, shape (S,) or (S, channels).
            sample_rate: of samples, in Hz; None means the model's. Files say theirs.
            channel: the number, from 1, of the only channel to hear; "split" hears each by itself, as a speaker of
                its own; None hears the average of all.
            progress: gets the seconds that are transcribed, of all channels' mean; their total is not known.

        Raises:
            AudioError: `source` cannot be read as sound, or has no such channel.
        """
        if isinstance(channel, str) and channel != "split":
            raise AudioError(f"There is no channel {channel!r}: give a number from 1 on, or 'split' to hear each.")
        if channel == "split":
            return self._split(source, sample_rate, progress)
        heard = _Counted(self._blocks(source, sample_rate, channel), self.model.description.sample_rate, progress)
        words = tuple(self._words(heard))
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return Transcript(
            words,
            heard.duration_s,
            source=str(name) if name is not None else None,
            model=self.model.description.name,
        )

    def words(
        self, source: audio.Source | np.ndarray, sample_rate: int | None = None, *, channel: int | None = None
    ) -> Iterator[Word]:
        """Yield the words of a sound as they are found, about half a minute after each other. As `transcribe`."""
        yield from self._words(
            _Counted(self._blocks(source, sample_rate, channel), self.model.description.sample_rate, silent)
        )

    def _split(self, source: audio.Source | np.ndarray, sample_rate: int | None, progress: Progress) -> Transcript:
        """Each channel by itself, one after the other, and all words together."""
        if isinstance(source, np.ndarray):
            return self._each(source, sample_rate, source.shape[1] if source.ndim > 1 else 1, progress)
        kept = audio.buffered(source)  # a pipe can be read only once
        try:
            return self._each(kept, sample_rate, audio.channels(kept), progress)
        finally:
            if kept is not source and not isinstance(kept, str | os.PathLike | bytes):
                kept.close()

    def _each(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, count: int, progress: Progress
    ) -> Transcript:
        heard: list[Transcript] = []

        def of_all(task: str, done_s: float, total_s: float | None) -> None:
            before_s = sum(transcript.duration_s for transcript in heard)
            progress(task, (before_s + done_s) / count, total_s)

        for number in range(1, count + 1):
            heard.append(self.transcribe(source, sample_rate, channel=number, progress=of_all))
        return merged(heard) if count > 1 else heard[0]

    def _words(self, heard: "_Counted") -> Iterator[Word]:
        description = self.model.description
        rows = windows.stream(self.model, heard, self.threads, self.windowing)
        for tokens in self.decoder.stream(rows, description.tokenizer):
            duration_s = heard.duration_s
            if duration_s >= description.frame_shift_s:  # less than a frame holds no word, whatever the model says
                yield from to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s)

    def _blocks(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, channel: int | None
    ) -> Iterable[np.ndarray]:
        wanted = self.model.description.sample_rate
        if isinstance(source, np.ndarray):
            return [mono(source, sample_rate or wanted, wanted, channel=channel)]
        if sample_rate is not None:
            raise AudioError("A file says its own sample rate: give `sample_rate` with samples alone.")
        return audio.blocks(source, wanted, channel=channel)


class _Counted:
    """Blocks of sound, and how much of it went by."""

    def __init__(self, blocks: Iterable[np.ndarray], sample_rate: int, progress: Progress) -> None:
        self.blocks, self.sample_rate, self.progress = blocks, sample_rate, progress
        self.samples = 0

    @property
    def duration_s(self) -> float:
        return self.samples / self.sample_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks:
            self.samples += len(block)
            yield block
            self.progress("transcribing", self.duration_s, None)


def open_transcriber(
    model: Path, options: DecodingOptions | None = None, *, threads: int = 1, device: Device = "cpu"
) -> Transcriber:
    """A transcriber with the model in a file, decoding as it was tuned but for the `options`.

    Raises:
        ModelError: there is no such model, it is damaged, or it cannot run on the device.
        AsrError: the options do not fit the model.
    """
    opened = OnnxModel(model, threads=1, device=device)
    return Transcriber(opened, build.make(opened.description, options), threads)
