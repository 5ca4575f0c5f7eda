"""Recognise live audio: samples in pieces of any size in, final words and a tentative tail out."""

from collections.abc import Iterator, Sequence

import numpy as np

from asr.audio.rates import MAX_RATE, MIN_RATE
from asr.audio.samples import Resampler, as_array
from asr.decoding.decoder import Decoder
from asr.decoding.live import LiveDecoder, Rules, Update
from asr.errors import ArgumentTypeError, AudioError
from asr.models.session import LogProbModel
from asr.transcription.windows import LIVE, Stitcher, WindowCutter, Windowing, run_window


class LiveStream:
    """One live recording. Its updates depend on the samples only, not on the pieces in which they come.

    Every 0.24 s of audio, the model reads the last 6.2 s; the frames up to 0.96 s before the end of these are decoded.
    Not safe to use from several threads at once.
    """

    def __init__(
        self,
        model: LogProbModel,
        decoder: Decoder,
        sample_rate: int | None = None,
        rules: Rules | None = None,
        windowing: Windowing = LIVE,
    ) -> None:
        """Begin a recording at `sample_rate`, by default that of the model. Raises AudioError for an odd rate."""
        wanted = model.description.sample_rate
        self.sample_rate = wanted if sample_rate is None else sample_rate
        """Of the samples that are fed, in Hz."""
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise AudioError(
                f"The sample rate is {self.sample_rate} Hz, but it must be between {MIN_RATE:,} and {MAX_RATE:,} Hz."
            )
        self.num_samples = 0
        """Number of samples that were fed."""
        self._model = model
        self._cutter = WindowCutter(model.description, windowing)
        self._stitcher = Stitcher(model.description, windowing)
        self._decoder = LiveDecoder(decoder, model.description, rules or Rules())
        self._odd_byte, self._is_finished = b"", False
        self._resampler = Resampler(self.sample_rate, wanted)

    @property
    def duration_s(self) -> float:
        """Duration of what was fed."""
        return self.num_samples / self.sample_rate

    def feed(self, samples: np.ndarray | Sequence[float] | bytes | bytearray | memoryview) -> list[Update]:
        """Take the next samples of the single channel and return what they change, an update per 0.24 s.

        Args:
            samples: floats in -1..1 or 16-bit integers, of shape (S,); or the bytes of little-endian 16-bit integers,
                which may be divided anywhere.

        Raises:
            AudioError: the samples have several channels, are not finite or of another type, or the stream is finished.
        """
        return list(self.updates(samples))

    def updates(self, samples: np.ndarray | Sequence[float] | bytes | bytearray | memoryview) -> Iterator[Update]:
        """Yield the updates of `feed` one by one, as they are computed."""
        if self._is_finished:
            raise AudioError("The stream is finished: begin another one with `transcriber.stream()`.")
        waveform = self._waveform(samples)
        if not len(waveform):
            return
        self.num_samples += len(waveform)
        yield from self._run(self._resampler.feed(waveform))

    def finish(self) -> list[Update]:
        """End the stream: return its last words. Nothing that was fed is lost."""
        if self._is_finished:
            return []
        self._is_finished = True
        if not self.num_samples:
            return []
        updates = list(self._run(self._resampler.finish()))
        rows = self._stitcher.add(*run_window(self._model, self._cutter.finish()))
        return [*updates, self._decoder.finish(rows, self.duration_s)]

    def _run(self, waveform: np.ndarray) -> Iterator[Update]:
        for window in self._cutter.feed(waveform):
            yield self._decoder.feed(self._stitcher.add(*run_window(self._model, window)))

    def _waveform(self, samples: object) -> np.ndarray:
        """Convert samples to floats. Shape: -> (S,)"""
        if isinstance(samples, bytes | bytearray | memoryview):
            content = self._odd_byte + bytes(samples)
            even = len(content) // 2 * 2
            self._odd_byte = content[even:]
            return np.frombuffer(content[:even], "<i2").astype(np.float32) / np.float32(32768)
        array = as_array(samples)
        if array is None:
            raise ArgumentTypeError(f"Samples must be an array or bytes, not of type {type(samples).__name__}.")
        if array.ndim != 1:
            raise AudioError(f"Samples of shape {array.shape} are not of one channel: feed an array (samples,).")
        if array.dtype == np.int16:
            return array.astype(np.float32) / np.float32(32768)
        if array.dtype.kind != "f" and array.size:
            raise AudioError(f"Samples of type {array.dtype} cannot be fed: give floats in -1..1 or 16-bit integers.")
        if not np.isfinite(array).all():
            raise AudioError("Some of the samples are infinite or not a number: give finite ones.")
        return array.astype(np.float32)
