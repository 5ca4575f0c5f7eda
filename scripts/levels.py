#!/usr/bin/env python3
"""How much the level of a recording changes the word error rate."""

import io
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import soundfile

from asr import models
from asr.data.manifest import read
from asr.evaluation.recognition import reader, score_transcripts
from asr.transcription.transcriber import Transcriber, open_transcriber
from asr.transcription.windows import DEFAULT


@click.command()
@click.argument("model")
@click.argument("manifest", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--gain", "gains_db", type=float, multiple=True, default=[0, -20, -30, -40, 20], help="In dB; repeatable."
)
def main(model: str, manifest: Path, gains_db: tuple[float, ...]) -> None:
    """Transcribe each utterance at several levels, as MODEL does it and without adapting to the level.

    \b
    Example:
      python scripts/levels.py english data/an4/dev.jsonl --gain 0 --gain -40
    """
    transcriber = open_transcriber(models.find(model))
    rate = transcriber.model.description.sample_rate
    read_audio = reader(rate)
    utterances = read(manifest)
    waveforms = [read_audio(utterance) for utterance in utterances]
    as_it_is = replace(DEFAULT, adapts_level=False, silence_db=-65.0)
    for gain_db in gains_db:
        rates = []
        for windowing in (DEFAULT, as_it_is):
            adapted = Transcriber(transcriber.model, transcriber.decoder, windowing=windowing)
            gain = np.float32(10 ** (gain_db / 20))
            transcripts = [adapted.transcribe(_file(waveform * gain, rate)) for waveform in waveforms]
            words = score_transcripts(adapted.model.description, utterances, transcripts).words
            rates.append(f"{100 * words.errors / words.reference:.2f}")
        click.echo(f"{gain_db:+.0f} dB: WER {rates[0]} %, without adapting {rates[1]} %")


def _file(waveform: np.ndarray, rate: int) -> bytes:
    """A WAV file of floats, which may exceed 1."""
    file = io.BytesIO()
    soundfile.write(file, waveform, rate, format="WAV", subtype="FLOAT")
    return file.getvalue()


if __name__ == "__main__":
    main()
