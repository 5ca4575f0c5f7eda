"""Transcribe recordings: audio in, transcript out."""

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
        """Decode greedily if `decoder` is None. `threads` windows of a long recording run in parallel."""
        self.model, self.decoder, self.threads, self.windowing = model, decoder or Decoder(), threads, windowing

    def transcribe(
        self,
        source: audio.Source | np.ndarray,
        sample_rate: int | None = None,
        *,
        channel: Channel = None,
        progress: Progress = silent,
    ) -> Transcript:
        """Transcribe a recording of any length.

        Args:
            source: an audio file, its bytes, an open binary file, standard input ("-"), or samples in -1..1 of
                shape (S,) or (S, channels).
            sample_rate: sample rate of samples in Hz; None means the model's. Ignored for files.
            channel: number of the channel to transcribe, from 1; "split" transcribes every channel as a separate
                speaker; None transcribes the average of all channels.
            progress: receives the seconds transcribed, averaged over the channels; their total is unknown.

        Raises:
            AudioError: `source` cannot be read as audio, or has no such channel.
        """
        if isinstance(channel, str) and channel != "split":
            raise AudioError(
                f"There is no channel {channel!r}: give a number, from 1, or 'split' for every channel separately."
            )
        if channel == "split":
            return self._transcribe_channels(source, sample_rate, progress)
        blocks = _CountedBlocks(
            self._blocks(source, sample_rate, channel), self.model.description.sample_rate, progress
        )
        words = tuple(self._words(blocks))
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return Transcript(
            words,
            blocks.duration_s,
            source=str(name) if name is not None else None,
            model=self.model.description.name,
        )

    def words(
        self, source: audio.Source | np.ndarray, sample_rate: int | None = None, *, channel: int | None = None
    ) -> Iterator[Word]:
        """Yield the words as they are recognised, about every half minute of audio. Arguments as in `transcribe`."""
        yield from self._words(
            _CountedBlocks(self._blocks(source, sample_rate, channel), self.model.description.sample_rate, silent)
        )

    def _transcribe_channels(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, progress: Progress
    ) -> Transcript:
        """Transcribe the channels one after the other and merge their words."""
        if isinstance(source, np.ndarray):
            return self._merge_channels(source, sample_rate, source.shape[1] if source.ndim > 1 else 1, progress)
        buffered = audio.buffered(source)  # a pipe can be read only once
        try:
            return self._merge_channels(buffered, sample_rate, audio.channels(buffered), progress)
        finally:
            if buffered is not source and not isinstance(buffered, str | os.PathLike | bytes):
                buffered.close()

    def _merge_channels(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, num_channels: int, progress: Progress
    ) -> Transcript:
        transcripts: list[Transcript] = []

        def report_mean(task: str, done_s: float, total_s: float | None) -> None:
            finished_s = sum(transcript.duration_s for transcript in transcripts)
            progress(task, (finished_s + done_s) / num_channels, total_s)

        for channel in range(1, num_channels + 1):
            transcripts.append(self.transcribe(source, sample_rate, channel=channel, progress=report_mean))
        return merged(transcripts) if num_channels > 1 else transcripts[0]

    def _words(self, blocks: "_CountedBlocks") -> Iterator[Word]:
        description = self.model.description
        rows = windows.stream(self.model, blocks, self.threads, self.windowing)
        for tokens in self.decoder.stream(rows, description.tokenizer):
            duration_s = blocks.duration_s
            if (
                duration_s >= description.frame_shift_s
            ):  # less than one frame cannot contain a word, whatever the model outputs
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


class _CountedBlocks:
    """Blocks of audio that count the samples read and report progress."""

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
    """Open a model file for transcription, with its tuned decoding settings overridden by `options`.

    Raises:
        ModelError: the model does not exist, is damaged, or cannot run on the device.
        AsrError: the options do not fit the model.
    """
    onnx_model = OnnxModel(model, threads=1, device=device)
    return Transcriber(onnx_model, build.make(onnx_model.description, options), threads)
