"""Sound in, transcript out."""

import os
from typing import BinaryIO

import numpy as np

from asr import audio
from asr.decoding.decoder import Decoder
from asr.decoding.words import to_words
from asr.runtime import windows
from asr.runtime.session import LogProbModel
from asr.transcript import Transcript


class Transcriber:
    """A model with its decoder. Safe to use from several threads."""

    def __init__(self, model: LogProbModel, decoder: Decoder | None = None) -> None:
        """Without a decoder: greedily."""
        self.model, self.decoder = model, decoder or Decoder()

    def transcribe(self, source: str | os.PathLike | bytes | BinaryIO) -> Transcript:
        """Transcribe a sound file, its bytes, an open binary file, or standard input ("-").

        Raises:
            AudioError: `source` cannot be read as sound.
        """
        waveform = audio.load(source, self.model.description.sample_rate)
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else None
        return self.transcribe_waveform(waveform, str(name) if name is not None else None)

    def transcribe_waveform(self, waveform: np.ndarray, source: str | None = None) -> Transcript:
        """Transcribe float32 samples in -1..1 at the model's sample rate. Shape: (S,)"""
        description = self.model.description
        duration_s = len(waveform) / description.sample_rate
        is_sound = duration_s >= description.frame_shift_s  # less than a frame holds no word, whatever the model says
        tokens = self.decoder(windows.log_probs(self.model, waveform)) if is_sound else []
        return Transcript(
            words=to_words(tokens, description.tokenizer, description.frame_shift_s, duration_s),
            duration_s=duration_s,
            source=source,
            model=description.name,
        )
