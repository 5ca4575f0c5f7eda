"""The search for the largest batch on a device whose memory is a formula."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from asr.cli import main
from asr.data.manifest import Utterance
from asr.recipe.files import load_recipe
from asr.recipe.recipe import Recipe
from asr.training.data.batches import Batch
from asr.training.probe import largest_batch_s

ROOT = Path(__file__).resolve().parents[2]


class Device:
    """Memory that grows with the batch above what is in use anyway, and remembers its peak, as a real one does."""

    def __init__(self, *, used: int, each: int) -> None:
        self.used, self.each, self.top, self.tried = used, each, used, []

    def step(self, batch: Batch) -> None:
        rows = len(batch.utterances)
        assert [len(part) for part in batch.tensors] == [rows] * 4
        self.tried.append(rows)
        self.top = max(self.top, self.used // 2 + self.each * rows)  # the rest was freed before the step

    def peak(self) -> int:
        return self.top


def one(duration_s: float) -> Batch:
    utterance = Utterance(id="a", audio_filepath=Path("a.wav"), offset=0.0, duration=duration_s, text="a")
    length = torch.tensor([1])
    return Batch([utterance], torch.zeros(1, 160), length, torch.ones(1, 1, dtype=torch.long), length, torch.ones(1))


@pytest.mark.parametrize(("used", "each", "limit"), [(1000, 10, 2000), (0, 100, 1000), (400, 1, 1000), (10, 7, 999)])
def test_the_batch_fills_the_memory_and_never_more(used: int, each: int, limit: int) -> None:
    device = Device(used=used, each=each)
    found = largest_batch_s(device.step, one(10.0), 1e9, device.peak, limit)
    fits = (limit - used // 2) / each
    assert 0.45 * fits <= found / 10 <= fits + 1e-9
    assert max(device.tried) <= fits


def test_no_batch_is_longer_than_is_useful() -> None:
    device = Device(used=0, each=1)
    assert largest_batch_s(device.step, one(10.0), 175.0, device.peak, 10**9) == 175.0
    assert max(device.tried) * 10 <= 175


def test_the_longest_utterance_is_the_least() -> None:
    device = Device(used=0, each=100)
    assert largest_batch_s(device.step, one(10.0), 3.0, device.peak, 10) == 10.0
    assert device.tried == [1]


def test_auto_is_noted_as_a_number_with_which_the_run_resumes(smoke_overrides: list[str], tmp_path: Path) -> None:
    command = [
        "train",
        str(ROOT / "recipes" / "smoke.yaml"),
        *smoke_overrides,
        "training.epochs=1",
        "data.batch_duration_s=auto",
    ]
    result = CliRunner().invoke(main, [*command, "--run-dir", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    recipe = load_recipe(tmp_path / "run" / "recipe.yaml")
    assert isinstance(recipe, Recipe)
    noted = recipe.data.batch_duration_s
    assert isinstance(noted, float)
    assert f"batches     {noted} s with padding" in result.output
    # The smoke corpus has 99 s of speech: its fiftieth part, heard at 0.9 of the speed at the slowest.
    assert 1.9 < noted < 2.5
    again = CliRunner().invoke(main, [*command, "--run-dir", str(tmp_path / "run"), "--resume"])
    assert again.exit_code == 0, again.output
