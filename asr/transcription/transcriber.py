"""Transcribe recordings: audio in, transcript out."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from asr import audio, models
from asr.audio.samples import as_array, mono
from asr.audio.sources import Buffer
from asr.decoding import build
from asr.decoding.decoder import Decoder
from asr.decoding.live import Rules
from asr.decoding.options import DecodingOptions
from asr.decoding.tokens_to_words import to_words
from asr.errors import ArgumentTypeError, AudioError
from asr.models.description import AcousticDescription
from asr.models.session import Device, LogProbModel, OnnxModel
from asr.readable.options import WritingOptions
from asr.readable.punctuator import Punctuator
from asr.readable.writing import Writing, spellings
from asr.transcript.transcript import Transcript, merged
from asr.transcript.words import Word, on_channel
from asr.transcription import windows
from asr.transcription.live import LiveStream

Channel = int | Literal["split"] | None

DEFAULT_WRITING = WritingOptions()

Item = TypeVar("Item")

TOGETHER = 32
"""Number of channels that are decoded at once: about a minute of each is in memory, 12 MB at 48 kHz."""

OnWords = Callable[[Sequence[Word], float], None]
"""Receives the next words, and the seconds transcribed so far, averaged over the channels."""


def ignore(_words: Sequence[Word], _done_s: float) -> None:
    """Ignore words until the transcript is complete."""


class Transcriber:
    """A model with its decoder. Safe to use from several threads."""

    def __init__(
        self,
        model: LogProbModel,
        decoder: Decoder | None = None,
        threads: int = 1,
        windowing: windows.Windowing = windows.DEFAULT,
        writing: Writing | None = None,
    ) -> None:
        """Decode greedily if `decoder` is None. `threads` windows of a long recording run in parallel.

        Without `writing`, words stay as they are recognised.
        """
        self.writing = writing
        self.model, self.decoder, self.threads, self.windowing = model, decoder or Decoder(), threads, windowing
        self.reopen: Callable[[], Transcriber] | None = None
        """Opens the same model with the same options in another process."""

    def __repr__(self) -> str:
        return f"<Transcriber: model {self.model.description.name!r}, {self.decoder.about}>"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by the path of the model and the options, which the other process opens again."""
        if self.reopen is None:
            raise ArgumentTypeError("Only a Transcriber that was opened by `asr.load` can be pickled.")
        return self.reopen, ()

    def with_hot_words(self, hot_words: Mapping[str, float]) -> "Transcriber":
        """The same model with other hot words: word -> boost.

        This takes no time; at the first use half a second, if words are found by their phones and one is new to the
        model, and once, if it has to be pronounced by its spelling, some ten seconds.

        Raises:
            AsrError: a hot word cannot be written in the model's alphabet, or the search supports none.
        """
        decoder = build.with_hot_words(self.decoder, self.model.description, hot_words)
        writing = self.writing and replace(self.writing, spellings=spellings(list(hot_words)))
        return Transcriber(self.model, decoder, self.threads, self.windowing, writing)

    def transcribe(
        self,
        source: audio.Source | np.ndarray,
        sample_rate: int | None = None,
        *,
        channel: Channel = None,
        track: int | None = None,
        offset_s: float = 0.0,
        duration_s: float | None = None,
        on_words: OnWords = ignore,
    ) -> Transcript:
        """Transcribe a recording of any length, or a segment of it.

        The words are written with punctuation, capitals and numbers, unless the transcriber was opened with `plain`.

        Args:
            source: an audio file, its bytes, an open binary file, standard input ("-"), or samples of shape (S,) or
                (S, channels): floats in -1..1 or integers, as an array, a list or a buffer.
            sample_rate: sample rate of samples in Hz; None means the model's. Ignored for files.
            channel: number of the channel to transcribe, from 1; "split" transcribes every channel as a separate
                speaker; None transcribes the mix of all channels.
            track: number of the audio track of a video, from 1; None means the main one.
            offset_s, duration_s: the segment of a file to transcribe, from whose start times then count; by default all
                of it. A segment has one channel: `channel` cannot be "split".
            on_words: receives the words as they are recognised, about every half minute of audio, also when there are
                none. With "split" the channels come one after the other, so its words are not in order of time.

        Raises:
            AudioError: `source` cannot be read as audio, or has no such channel, track or segment.
            ArgumentTypeError: `source` is of another type.
        """
        samples = as_array(source)
        segment = {"offset_s": offset_s, "duration_s": duration_s} if offset_s or duration_s is not None else {}
        if segment and (samples is not None or channel == "split"):
            raise AudioError("A segment is one of a file, and of one channel: give a file, and no channel 'split'.")
        if isinstance(channel, str) and channel != "split":
            raise AudioError(
                f"There is no channel {channel!r}: give a number, from 1, or 'split' for every channel separately."
            )
        if channel == "split":
            return self._transcribe_channels(source if samples is None else samples, sample_rate, track, on_words)
        read = self._blocks(source if samples is None else samples, sample_rate, channel, track, **segment)
        blocks = _CountedBlocks(read, self.model.description.sample_rate)
        words: list[Word] = []
        for found in self._segments(blocks):
            words += found
            on_words(found, blocks.duration_s)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return Transcript(
            tuple(words),
            blocks.duration_s,
            source=str(name) if name is not None else None,
            model=self.model.description.name,
        )

    def words(
        self, source: audio.Source | np.ndarray, sample_rate: int | None = None, *, channel: int | None = None
    ) -> Iterator[Word]:
        """Yield the words as they are recognised, about every half minute of audio. Arguments as in `transcribe`."""
        samples = as_array(source)
        read = self._blocks(source if samples is None else samples, sample_rate, channel, None)
        blocks = _CountedBlocks(read, self.model.description.sample_rate)
        for found in self._segments(blocks):
            yield from found

    def stream(
        self,
        sample_rate: int | None = None,
        *,
        silence_s: float = Rules.silence_s,
        longest_s: float = Rules.longest_s,
        wait_s: float = Rules.wait_s,
    ) -> LiveStream:
        """Begin to transcribe live audio of one channel: feed samples or PCM bytes as they come, and get words.

        Args:
            sample_rate: of the samples, in Hz; None means the model's.
            silence_s: time without words that ends an utterance.
            longest_s: length at which an utterance is ended.
            wait_s: longest wait for a word to be certain, from its end on.

        Raises:
            AudioError: the sample rate is not one of audio.
            AsrError: a time is out of its range.
        """
        rules = Rules(silence_s=silence_s, longest_s=longest_s, wait_s=wait_s)
        return LiveStream(self.model, self.decoder, sample_rate, rules)

    def _transcribe_channels(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, track: int | None, on_words: OnWords
    ) -> Transcript:
        """Transcribe all channels and merge their words."""
        if isinstance(source, np.ndarray):
            return self._merge_channels(source, sample_rate, None, source.shape[1] if source.ndim > 1 else 1, on_words)
        buffered = audio.buffered(source)  # a pipe can be read only once
        try:
            return self._merge_channels(buffered, sample_rate, track, audio.channels(buffered, track), on_words)
        finally:
            if isinstance(buffered, Buffer):
                buffered.close()

    def _merge_channels(
        self,
        source: audio.Source | np.ndarray,
        sample_rate: int | None,
        track: int | None,
        num_channels: int,
        on_words: OnWords,
    ) -> Transcript:
        if num_channels == 1:
            return self.transcribe(source, sample_rate, track=track, on_words=on_words)
        rate = self.model.description.sample_rate
        parts: list[tuple[_CountedBlocks, list[Word]]] = []
        for first in range(1, num_channels + 1, TOGETHER):
            numbers = range(first, min(first + TOGETHER, num_channels + 1))
            with self._separate(source, sample_rate, numbers, track) as streams:
                blocks = [_CountedBlocks(stream, rate) for stream in streams]
                parts += [(counted, []) for counted in blocks]
                for number, found in _in_turns(numbers, [self._segments(counted) for counted in blocks]):
                    words = [on_channel(word, number) for word in found]
                    parts[number - 1][1].extend(words)
                    on_words(words, sum(counted.duration_s for counted, _ in parts) / num_channels)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return merged(
            [
                Transcript(
                    tuple(words),
                    counted.duration_s,
                    source=str(name) if name is not None else None,
                    model=self.model.description.name,
                )
                for counted, words in parts
            ]
        )

    @contextmanager
    def _separate(
        self, source: audio.Source | np.ndarray, sample_rate: int | None, numbers: Sequence[int], track: int | None
    ) -> Iterator[Sequence[Iterable[np.ndarray]]]:
        """Give the blocks of several channels."""
        if isinstance(source, np.ndarray):
            yield [self._blocks(source, sample_rate, number, None) for number in numbers]
            return
        with audio.separate(source, self.model.description.sample_rate, numbers, track=track) as streams:
            yield streams

    def _segments(self, blocks: "_CountedBlocks") -> Iterator[tuple[Word, ...]]:
        """Yield the words of one segment after the other as they are written, also of those without words."""
        if self.writing is None:
            yield from self._recognised(blocks)
            return
        stream = self.writing.start()
        for words in self._recognised(blocks):
            yield tuple(stream.feed(words))
        yield tuple(stream.finish())

    def _recognised(self, blocks: "_CountedBlocks") -> Iterator[tuple[Word, ...]]:
        """Yield the words of one segment after the other as they are recognised."""
        description = self.model.description
        rows = windows.stream(self.model, blocks, self.threads, self.windowing)
        for tokens in self.decoder.stream(rows, description.tokenizer):
            duration_s = blocks.duration_s
            # Less than one frame cannot contain a word, whatever the model outputs.
            is_long_enough = duration_s >= description.frame_shift_s
            yield (
                to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s) if is_long_enough else ()
            )

    def _blocks(
        self,
        source: audio.Source | np.ndarray,
        sample_rate: int | None,
        channel: int | None,
        track: int | None,
        **segment: Any,
    ) -> Iterable[np.ndarray]:
        wanted = self.model.description.sample_rate
        if isinstance(source, np.ndarray):
            return [mono(source, sample_rate or wanted, wanted, channel=channel)]
        if sample_rate is not None:
            raise AudioError("A file says its own sample rate: give `sample_rate` with samples alone.")
        return audio.blocks(source, wanted, channel=channel, track=track, **segment)


def _in_turns(numbers: Sequence[int], parts: Sequence[Iterator[Item]]) -> Iterator[tuple[int, Item]]:
    """Yield (number, item): the next item of each iterator, then again, until all have ended."""
    pending = dict(zip(numbers, parts, strict=True))
    while pending:
        for number, items in list(pending.items()):
            try:
                yield number, next(items)
            except StopIteration:
                del pending[number]


class _CountedBlocks:
    """Blocks of audio that count the samples read."""

    def __init__(self, blocks: Iterable[np.ndarray], sample_rate: int) -> None:
        self.blocks, self.sample_rate = blocks, sample_rate
        self.samples = 0

    @property
    def duration_s(self) -> float:
        return self.samples / self.sample_rate

    def __iter__(self) -> Iterator[np.ndarray]:
        for block in self.blocks:
            self.samples += len(block)
            yield block


def open_transcriber(
    model: Path,
    options: DecodingOptions | None = None,
    *,
    threads: int = 1,
    device: Device = "cpu",
    written: WritingOptions = DEFAULT_WRITING,
) -> Transcriber:
    """Open a model file for transcription, with its tuned decoding settings overridden by `options`.

    Text is written readably, as `written` says, where the model's alphabet is that of the shipped punctuation model.

    Raises:
        ModelError: the model does not exist, is damaged, or cannot run on the device.
        AsrError: the options do not fit the model.
    """
    onnx_model = OnnxModel(model, threads=1, device=device)
    writing = None if written.plain else open_writing(onnx_model.description, options, written)
    transcriber = Transcriber(onnx_model, build.make(onnx_model.description, options), threads, writing=writing)
    transcriber.reopen = partial(
        open_transcriber, Path(model).absolute(), options, threads=threads, device=device, written=written
    )
    return transcriber


def open_writing(
    description: AcousticDescription,
    options: DecodingOptions | None = None,
    written: WritingOptions = DEFAULT_WRITING,
) -> Writing | None:
    """What writes the words of a model readably; None if they are not in the language of the punctuation model."""
    punctuator = Punctuator(models.PUNCTUATION)
    if set(description.tokenizer.alphabet) != set(punctuator.description.tokenizer.alphabet):
        return None
    return Writing(punctuator, written.numbers, spellings(list(options.hot_words)) if options else {})
