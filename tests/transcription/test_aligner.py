"""A known text is aligned with the tokens of a model, whatever else it returns."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from asr import audio, models
from asr.models.session import OnnxModel
from asr.transcription.aligner import align_text

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"


class WithPhones:
    """A model whose log-probs have the columns of two phones as well."""

    def __init__(self, model: OnnxModel) -> None:
        self.model, self.description = model, replace(model.description, phones=("AA", "B"))

    def log_probs(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.pad(rows, ((0, 0), (0, 4))) for rows in self.model.log_probs(waveforms)]


def test_phones_do_not_change_the_alignment() -> None:
    model = OnnxModel(models.find("an4"), threads=1)
    waveform = audio.load(EXAMPLE, model.description.sample_rate)
    expected = align_text(model, waveform, ["enter two nine", "eight one"])
    assert [word.text for word in expected.words] == ["enter", "two", "nine", "eight", "one"]
    assert align_text(WithPhones(model), waveform, ["enter two nine", "eight one"]) == expected
