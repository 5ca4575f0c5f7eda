#!/usr/bin/env python3
"""How far words are dragged away from where they are said by speech that is not in the text."""

from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np

import asr
from asr.data.manifest import read
from asr.evaluation.recognition import reader
from asr.transcription.aligner import align_text, found_share

RATE = 16_000
PAUSE_S = 0.5


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path, exists=True))
@click.argument("others", type=click.Path(path_type=Path, exists=True))
@click.option("--count", default=100, show_default=True, help="Number of utterances.")
def main(manifest: Path, others: Path, count: int) -> None:
    """Align utterances of MANIFEST alone, and with one of OTHERS, of 3 to 15 s, before, after, around and inside.

    Prints the differences of word starts to the alignment of the utterance alone, and how many words of another text
    are found in it.

    \b
    Example:
      python scripts/foreign_speech.py data/librispeech/train-clean-5/dev.jsonl data/ljspeech/train.jsonl
    """
    model = asr.load(beam=0, no_lm=True).model
    utterances = read(manifest)[:count]
    announcements = [u for u in read(others) if 3 <= u.duration <= 15][: len(utterances)]
    differences: dict[str, list[float]] = {}
    shares: dict[str, list[float]] = {"the right text": [], "another text": []}
    read_audio = reader(RATE)
    for number, utterance in enumerate(utterances):
        bare = read_audio(utterance)
        other = read_audio(announcements[number % len(announcements)])
        alone = align_text(model, bare, [utterance.text]).words
        shares["the right text"].append(found_share(alone))
        wrong = utterances[(number + 1) % len(utterances)].text.split()[: len(alone)]
        shares["another text"].append(found_share(align_text(model, bare, [" ".join(wrong)]).words))
        for name, waveform, shifts_s in _mixtures(bare, other, alone):
            found = align_text(model, waveform, [utterance.text]).words
            differences.setdefault(name, []).extend(
                abs(word.start_s - expected.start_s - shift_s)
                for word, expected, shift_s in zip(found, alone, shifts_s, strict=True)
            )
    for name, values in differences.items():
        median, high = np.percentile(values, [50, 95])
        far = np.mean(np.array(values) > 0.5)
        click.echo(f"{name:7} median {median:.3f} s, 95th percentile {high:.3f} s, beyond 0.5 s {100 * far:.1f} %")
    for name, values in shares.items():
        low, median, high = np.percentile(values, [5, 50, 95])
        click.echo(f"{name}: found {100 * median:.0f} % (5th to 95th percentile {100 * low:.0f} to {100 * high:.0f})")


def _mixtures(
    bare: np.ndarray, other: np.ndarray, words: "tuple[asr.Word, ...]"
) -> Iterator[tuple[str, np.ndarray, list[float]]]:
    """The utterance with the other speech in several places, and by how much each word is later."""
    pause = np.zeros(round(PAUSE_S * RATE), np.float32)
    before_s = len(other) / RATE + PAUSE_S
    yield "before", np.concatenate([other, pause, bare]), [before_s] * len(words)
    yield "after", np.concatenate([bare, pause, other]), [0.0] * len(words)
    yield "both", np.concatenate([other, pause, bare, pause, other]), [before_s] * len(words)
    middle = len(words) // 2
    cut = round((words[middle - 1].end_s + words[middle].start_s) / 2 * RATE) if middle else 0
    inside = np.concatenate([bare[:cut], pause, other, pause, bare[cut:]])
    later_s = before_s + PAUSE_S
    yield "inside", inside, [0.0 if number < middle else later_s for number in range(len(words))]


if __name__ == "__main__":
    main()
