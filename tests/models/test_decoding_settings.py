"""Decoding settings in a model file."""

from typing import Any

import pytest

from asr.errors import AsrError
from asr.models.decoding_settings import Rescoring, Settings


def test_settings_round_trip() -> None:
    settings = Settings(
        beam=7,
        lm_weight=0.75,
        word_bonus=-1.5,
        rescoring=Rescoring(weight=0.4, lm_weight=0.2, word_bonus=0.5),
        temperature=1.7,
        min_confidence=0.3,
        lm_size=(5, 4, 3),
        tuned={"dev_wer": {"greedy": 0.5}},
    )
    assert Settings.from_dict(settings.to_dict()) == settings


@pytest.mark.parametrize(
    "damaged",
    [
        {"beams": 3},
        {"beam": "x"},
        {"temperature": 0.0},
        {"min_confidence": 1.5},
        {"lm_weight": float("nan")},
        {"rescoring": {"weight": 1.0}},
    ],
)
def test_damaged_settings_are_reported(damaged: dict[str, Any]) -> None:
    with pytest.raises(AsrError, match="the decoding settings are damaged"):
        Settings.from_dict(damaged)
