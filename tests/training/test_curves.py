"""The picture shows what was measured."""

from pathlib import Path

import numpy as np
from matplotlib.image import imread

from asr.training.acoustic.task import COLUMNS
from asr.training.curves import draw


def epochs(rates: list[float]) -> list[dict[str, float]]:
    numbered = enumerate(rates, start=1)
    return [{"epoch": i, "loss": 1 / i, "dev_wer": rate, "dev_cer": rate / 2} for i, rate in numbered]


def test_different_runs_give_different_pictures(tmp_path: Path) -> None:
    pictures = []
    for rates in ([1.0, 0.5, 0.2], [1.0, 0.5, 0.3], [1.0, 0.0]):
        draw(epochs(rates), (COLUMNS["wer"], COLUMNS["cer"]), tmp_path / "curves.png", "a run")
        pictures.append(imread(tmp_path / "curves.png"))
    assert pictures[0].shape[:2] == (540, 960)
    for one, other in ((0, 1), (1, 2)):
        assert np.abs(pictures[one] - pictures[other]).max() > 0.5


def test_one_epoch_is_a_picture(tmp_path: Path) -> None:
    draw(epochs([1.0]), (COLUMNS["wer"], COLUMNS["cer"]), tmp_path / "curves.png", "a run")
    blue = np.abs(imread(tmp_path / "curves.png")[:, :, :3] - np.array([0, 0x72, 0xB2]) / 255).max(axis=2) < 0.02
    assert blue.sum() > 20  # the mark of the best epoch
