"""`asr train --check` tells a set-up that can learn from one that cannot."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

ROOT = Path(__file__).resolve().parents[2]


def check(smoke_overrides: list[str], *more: str) -> Result:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *smoke_overrides, *more, "--check"]
    return CliRunner().invoke(main, command)


def test_a_good_set_up_learns_a_batch(
    smoke_overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = check(smoke_overrides)
    assert result.exit_code == 0, result.output
    assert "this set-up can learn" in result.stdout
    assert list(tmp_path.iterdir()) == []  # no run folder is left


def test_a_hopeless_learning_rate_is_told_with_an_example(smoke_overrides: list[str]) -> None:
    result = check(smoke_overrides, "optimiser.learning_rate=1e-9")
    assert result.exit_code == 1
    assert "After 400 steps on one batch" in result.output
    assert "hypothesis '" in result.output
