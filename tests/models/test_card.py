"""Scores on a model's card, from `asr evaluate` to `asr info`."""

import json
import shutil
from pathlib import Path

from click.testing import CliRunner

from asr.cli import main
from asr.models.session import OnnxModel


def call(*arguments: object) -> str:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result.stdout


def test_an_evaluation_stores_its_scores(smoke_model: Path, smoke_corpus: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(smoke_model, tmp_path / "m.onnx"))
    before = OnnxModel(path).description.scores
    manifest = smoke_corpus / "dev.jsonl"
    report = json.loads(call("evaluate", path, manifest, "--keep", "--json"))
    call("evaluate", path, manifest, "--keep", "--beam", "4")
    call("evaluate", path, manifest, "--keep")  # replaces the first evaluation
    scores = json.loads(call("info", path, "--json"))["scores"]
    assert {name: scores[name] for name in before} == before
    beam, greedy = scores["evaluations"]
    assert "beam" in beam["decoding"] and greedy["decoding"] == report["decoding"]
    words = report["summary"]["words"]
    assert (greedy["wer"], greedy["words"]) == (words["rate"], words["reference"])
    assert greedy["cer"] == report["summary"]["characters"]["rate"]
    assert greedy["duration_s"] == report["speed"]["duration_s"]
    shown = call("info", path, "--full")
    assert f"{100 * words['rate']:.2f} %" in shown and greedy["corpus"] in shown


def test_groups_of_speakers_with_enough_words_are_stored(smoke_model: Path, smoke_corpus: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(smoke_model, tmp_path / "m.onnx"))
    rows = [json.loads(line) for line in (smoke_corpus / "dev.jsonl").read_text().splitlines()]
    lines = []
    for number, row in enumerate(50 * rows):
        row |= {"id": str(number), "gender": "fm"[number % 2], "accent": "rare" if number < 2 else "common"}
        row["audio_filepath"] = str(smoke_corpus / row["audio_filepath"])
        lines.append(json.dumps(row))
    (tmp_path / "dev.jsonl").write_text("\n".join(lines))
    report = json.loads(call("evaluate", path, tmp_path / "dev.jsonl", "--keep", "--json"))
    groups = json.loads(call("info", path, "--json"))["scores"]["evaluations"][0]["groups"]
    assert [group["value"] for group in groups] == ["female", "male", "common"]  # "rare" has too few words
    assert sum(group["words"] for group in groups[:2]) == report["summary"]["words"]["reference"]
    shown = call("info", path, "--full")
    assert "\n  female " in shown and "\n  accent common " in shown


def test_scores_are_not_stored_in_a_shipped_model(smoke_corpus: Path) -> None:
    result = CliRunner().invoke(main, ["evaluate", "an4", str(smoke_corpus / "dev.jsonl"), "--keep"])
    assert result.exit_code == 2
    assert "--keep changes the model file and needs an .onnx file of your own, not 'an4'." in result.stderr
