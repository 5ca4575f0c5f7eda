"""One bad file never ends a run: it is skipped, named and counted, up to a share; texts are refused all at once."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from asr.cli import main
from asr.training import loop

ROOT = Path(__file__).resolve().parents[2]
Row = dict[str, Any]


class Killed(BaseException):
    """Stands for SIGKILL: nothing in the program may catch it."""


@pytest.fixture
def rows(smoke_corpus: Path) -> list[Row]:
    rows = [json.loads(line) for line in (smoke_corpus / "train.jsonl").read_text().splitlines()]
    return [row | {"audio_filepath": str(smoke_corpus / row["audio_filepath"])} for row in rows]


def planted(rows: list[Row], folder: Path) -> list[Row]:
    """Rows, four of them with a file of each bad kind: missing, no audio, cut off, not finite."""
    (folder / "notes.wav").write_text("these are notes")
    soundfile.write(folder / "short.wav", np.zeros(800), 16_000)
    soundfile.write(folder / "nan.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    names = ("gone.wav", "notes.wav", "short.wav", "nan.wav")
    bad = [
        row | {"audio_filepath": str(folder / name)} | ({"duration": 1.0, "text": "ab"} if name == "nan.wav" else {})
        for row, name in zip(rows, names, strict=False)
    ]
    return [*bad, *rows[4:]]


def write(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def train(manifest: Path, dev: Path, run_dir: Path, *options: str) -> Result:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), f"data.train=[{manifest}]", f"data.dev=[{dev}]"]
    command += ["training.epochs=2", "training.lstm_gradient=own", "training.save_every_s=1e-9"]
    return CliRunner().invoke(main, [*command, "--run-dir", str(run_dir), *options])


def test_bad_files_are_named_and_a_killed_run_resumes_to_the_same_weights(
    rows: list[Row], smoke_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One file is broken while the run is under way, in its first epoch: it is noticed when it is read again."""
    wav = tmp_path / "breaks.wav"
    whole = Path(rows[10]["audio_filepath"]).read_bytes()
    rows = planted(rows, tmp_path)
    rows[10] |= {"audio_filepath": str(wav)}
    manifest, dev = write(tmp_path / "train.jsonl", rows), smoke_corpus / "dev.jsonl"
    options = ["data.max_bad_share=0.05", "data.cache_gib=0"]
    usual = loop.Trainer.step

    def run(name: str, kill_at: int | None) -> Result:
        wav.write_bytes(whole)
        steps = iter(range(10**6))

        def step(self, batches, rate):
            number = next(steps)
            if number == kill_at:
                raise Killed
            if number == 11:
                wav.write_bytes(whole[:100])
            return usual(self, batches, rate)

        with monkeypatch.context() as patch:
            patch.setattr(loop.Trainer, "step", step)
            if kill_at is None:
                return train(manifest, dev, tmp_path / name, *options)
            with pytest.raises(Killed):
                train(manifest, dev, tmp_path / name, *options)
        return train(manifest, dev, tmp_path / name, *options, "--resume")

    result = run("whole", None)
    assert result.exit_code == 0, result.output
    for index, reason in enumerate(("gone.wav", "not an audio file", "short.wav", "nan.wav")):
        named = [line for line in result.output.splitlines() if line.startswith(f"Skipped: '{rows[index]['id']}'")]
        assert len(named) == 1 and reason in named[0]
    assert f"Skipped: '{rows[10]['id']}'" in result.output
    again = run("cut", 20)
    assert again.exit_code == 0, again.output
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("whole", "cut"))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_too_many_end_the_run_with_the_list(rows: list[Row], smoke_corpus: Path, tmp_path: Path) -> None:
    manifest = write(tmp_path / "train.jsonl", planted(rows, tmp_path))
    result = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run")
    assert result.exit_code == 1
    assert (
        "3 of 120 utterances have audio that cannot be used, and `data.max_bad_share` (=0.005) allows 1"
        in result.output
    )
    assert f"\n  '{rows[0]['id']}': " in result.output
    assert not (tmp_path / "run" / "recipe.yaml").exists()


@pytest.mark.parametrize("is_mended", [True, False])
def test_too_many_in_the_middle_end_the_run_until_they_are_mended_or_allowed(
    rows: list[Row], smoke_corpus: Path, tmp_path: Path, *, is_mended: bool
) -> None:
    """The headers are sound, so that only decoding finds out."""
    for name in ("one", "two"):
        soundfile.write(tmp_path / f"{name}.wav", np.full(16_000, np.nan, np.float32), 16_000, subtype="FLOAT")
    bad = [
        row | {"audio_filepath": str(tmp_path / f"{name}.wav"), "duration": 1.0, "text": "ab"}
        for row, name in zip(rows, ("one", "two"), strict=False)
    ]
    manifest = write(tmp_path / "train.jsonl", [*bad, *rows[2:]])
    options = ["training.accelerator=cpu"]
    result = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run", *options)
    assert result.exit_code == 1
    assert "2 of 120 utterances have audio that cannot be used" in result.output
    again = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run", "--resume", *options)
    assert again.exit_code == 1
    assert "2 of 120 utterances have audio that cannot be used" in again.output
    if is_mended:
        for name in ("one", "two"):
            soundfile.write(tmp_path / f"{name}.wav", np.zeros(16_000, np.float32), 16_000, subtype="FLOAT")
    else:
        options.append("data.max_bad_share=0.1")
    resumed = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run", "--resume", *options)
    assert resumed.exit_code == 0, resumed.output


def test_bad_dev_files_are_named_before_the_first_step(rows: list[Row], smoke_corpus: Path, tmp_path: Path) -> None:
    dev = [json.loads(line) for line in (smoke_corpus / "dev.jsonl").read_text().splitlines()]
    dev = [row | {"audio_filepath": str(smoke_corpus / row["audio_filepath"])} for row in dev]
    dev[3] |= {"audio_filepath": str(tmp_path / "gone.wav")}
    manifest = write(tmp_path / "train.jsonl", rows)
    result = train(manifest, write(tmp_path / "dev.jsonl", dev), tmp_path / "run")
    assert result.exit_code == 0, result.output
    before, _, _ = result.output.partition("recipe      smoke")
    assert f"Skipped in dev: '{dev[3]['id']}'" in before
    assert "dev         19 utterances" in result.output


def test_texts_outside_the_alphabet_are_listed_all_at_once(rows: list[Row], smoke_corpus: Path, tmp_path: Path) -> None:
    for index, text in ((1, "abz"), (5, "ab 3"), (7, "zed")):
        rows[index]["text"] = text
    manifest = write(tmp_path / "train.jsonl", rows)
    result = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run")
    assert result.exit_code == 1
    assert "3 of 120 training transcripts have characters outside `text.alphabet` ('z' (U+007A) in 2, " in result.output
    for index in (1, 5, 7):
        assert f"\n  '{rows[index]['id']}': " in result.output
    assert "--skip-bad" in result.output
    assert not (tmp_path / "run").exists()
    skipped = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run", "--skip-bad")
    assert skipped.exit_code == 0, skipped.output
    assert "train       117 utterances" in skipped.output
    assert f"Skipped: '{rows[5]['id']}' has characters outside the alphabet." in skipped.output


def test_long_utterances_are_skipped(rows: list[Row], smoke_corpus: Path, tmp_path: Path) -> None:
    longest = max(rows, key=lambda row: row["duration"])
    manifest = write(tmp_path / "train.jsonl", rows)
    limit = longest["duration"] - 1e-6
    result = train(manifest, smoke_corpus / "dev.jsonl", tmp_path / "run", f"data.max_duration_s={limit}")
    assert result.exit_code == 0, result.output
    assert f"Skipped: '{longest['id']}' is longer than `data.max_duration_s`" in result.output
