"""Scores on a model's card, from an evaluation to `asr info`."""

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


def test_the_scores_that_an_evaluation_keeps_are_its_own(smoke_model: Path, smoke_corpus: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(smoke_model, tmp_path / "m.onnx"))
    before = OnnxModel(path).description.scores
    manifest = smoke_corpus / "dev.jsonl"
    report = json.loads(call("evaluate", path, manifest, "--keep", "--json"))
    call("evaluate", path, manifest, "--keep", "--beam", "4")
    call("evaluate", path, manifest, "--keep")  # once more: in the place of the first
    scores = json.loads(call("info", path, "--json"))["scores"]
    assert {name: scores[name] for name in before} == before
    beam, greedy = scores["evaluations"]
    assert "beam" in beam["decoding"] and greedy["decoding"] == report["decoding"]
    words = report["summary"]["words"]
    assert (greedy["wer"], greedy["words"]) == (words["rate"], words["reference"])
    assert greedy["cer"] == report["summary"]["characters"]["rate"]
    assert greedy["duration_s"] == report["speed"]["duration_s"]
    shown = call("info", path)
    assert f"{100 * words['rate']:.2f} %" in shown and greedy["corpus"] in shown


def test_groups_of_speakers_are_kept_where_they_say_something(
    smoke_model: Path, smoke_corpus: Path, tmp_path: Path
) -> None:
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
    assert [each["value"] for each in groups] == ["female", "male", "common"]  # "rare" has a word or two
    assert sum(each["words"] for each in groups[:2]) == report["summary"]["words"]["reference"]
    shown = call("info", path)
    assert "\n  female " in shown and "\n  accent common " in shown


def test_a_shipped_model_and_a_checkpoint_keep_nothing(smoke_corpus: Path) -> None:
    result = CliRunner().invoke(main, ["evaluate", "an4", str(smoke_corpus / "dev.jsonl"), "--keep"])
    assert result.exit_code == 2
    assert "--keep writes into an .onnx file of your own, and 'an4' is none." in result.stderr
