"""Evaluation pairs every hypothesis with its own reference, independent of order, batches and ids."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from asr.data.manifest import Utterance
from asr.evaluation.recognition import BATCH, evaluate, recognise
from asr.models.description import AcousticDescription
from asr.text import CharTokenizer
from asr.transcription import windows
from asr.transcription.transcriber import Transcriber

TOKENIZER = CharTokenizer(" abcdefghij")


@pytest.fixture(autouse=True)
def samples_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without adapting the level, because the fake model reads numbers from samples."""
    monkeypatch.setattr(windows.Leveller, "__call__", lambda _self, waveform: (waveform, False))


class Parrot:
    """A fake model whose log-probs spell the digits of the waveform's first sample in thousandths: 0.012 -> "bc"."""

    description = AcousticDescription(name="parrot", sample_rate=1000, frame_shift_s=0.01, tokenizer=TOKENIZER)

    def __init__(self) -> None:
        self.batches: list[int] = []

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        self.batches.append(len(waveforms))
        return [self._spell(f"{round(1000 * float(w[0]))}") for w in waveforms]

    def _spell(self, digits: str) -> np.ndarray:
        tokens = [t for digit in digits for t in (TOKENIZER.alphabet.index("abcdefghij"[int(digit)]) + 1, 0)]
        rows = np.full((len(tokens), TOKENIZER.size), -9.0)
        rows[np.arange(len(tokens)), tokens] = -0.01
        return rows


def letters(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


@pytest.mark.parametrize("count", [1, BATCH, 3 * BATCH + 1])
def test_each_hypothesis_is_paired_with_its_reference(count: int) -> None:
    random = np.random.default_rng(count)
    numbers = random.permutation(1000)[:count].tolist()
    # All utterances have the same id, as in two manifests; every third reference is wrong.
    utterances = [
        Utterance("same", Path(str(n)), float(random.uniform(1, 9)), "j j" if i % 3 == 2 else letters(n).upper())
        for i, n in enumerate(numbers)
    ]
    model, reported = Parrot(), []

    def report(task: str, done: float, total: float | None) -> None:
        reported.append((done, total))

    score = evaluate(model, utterances, read=lambda u: np.array([float(str(u.audio_filepath)) / 1000]), progress=report)
    assert [u.hypothesis for u in score.utterances] == [letters(n) for n in numbers]
    assert score.sentence_errors == count // 3
    assert len(reported) == count
    assert reported == sorted(reported)
    total_s = sum(u.duration for u in utterances)
    assert reported[-1] == pytest.approx((total_s, total_s))
    assert max(model.batches) <= BATCH
    assert sum(model.batches) == count


def test_long_utterances_run_in_windows_and_in_their_own_batch() -> None:
    """An hour and seven short utterances must not be padded to a batch of eight hours."""

    class Counting(Parrot):
        def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
            self.sizes = [*getattr(self, "sizes", []), sum(map(len, waveforms))]
            return [
                np.pad(rows, ((0, len(waveform) // 10 - len(rows)), (0, 0)), constant_values=-9.0)
                for rows, waveform in zip(super().log_probs(waveforms), waveforms, strict=True)
            ]

    waveforms = {"long": np.full(200_000, 0.012), "short": np.full(3_000, 0.034)}  # at 1 kHz: 200 s and 3 s
    utterances = [Utterance(name, Path(name), len(w) / 1000, "") for name, w in waveforms.items()]
    model = Counting()
    score = evaluate(model, utterances, read=lambda u: waveforms[u.id])
    assert max(model.sizes) <= 40_000
    assert score.utterances[1].hypothesis == "de"


def test_words_have_the_same_times_and_confidence_as_in_transcription() -> None:
    """A recording alone and in a batch with recordings of other lengths."""
    random = np.random.default_rng(0)
    names = [str(n) for n in random.permutation(1000)[: 2 * BATCH]]
    utterances = [Utterance(name, Path(name), float(random.uniform(1, 9)), "") for name in names]
    model = Parrot()

    def read(utterance: Utterance) -> np.ndarray:
        return np.full(round(1000 * utterance.duration), float(utterance.id) / 1000)

    transcripts = recognise(model, utterances, read=read)
    for utterance, transcript in zip(utterances, transcripts, strict=True):
        assert transcript == Transcriber(model).transcribe(read(utterance))
        assert [word.text for word in transcript.words] == [letters(int(utterance.id))]
