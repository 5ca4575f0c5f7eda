"""`asr evaluate` as a user runs it, with the shipped model on the examples."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr import audio
from asr.cli import main
from asr.report.systems import read_reports

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """One utterance with a correct reference, and one whose reference differs from what was spoken."""
    texts = {"enter": "ENTER TWO NINE EIGHT ONE", "pittsburgh": "P. I. T. T. S. B. O. R. G. H."}
    recordings = {name: EXAMPLES / f"{name}.wav" for name in texts}
    rows = [
        {
            "id": name,
            "audio_filepath": str(recordings[name]),
            "duration": audio.duration_s(recordings[name]),
            "text": text,
        }
        for name, text in texts.items()
    ]
    path = tmp_path / "said.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_the_table(manifest: Path) -> None:
    result = run("an4", manifest)
    assert result.exit_code == 0
    assert re.search(r"^words \(WER\) +6\.67 % .* 1 +1 +0 +0 +15$", result.output, flags=re.MULTILINE)
    assert re.search(r"^5 s of audio in [\d.]+ s: \d+ times real time\.$", result.output, flags=re.MULTILINE)


def test_json_is_the_report(manifest: Path) -> None:
    document = json.loads(run("an4", manifest, "--json", "--align", "sclite").output)
    assert (document["format"], document["rule"]) == (1, "sclite")
    assert document["origin"]["command"] == f"asr evaluate an4 {manifest} --align sclite"
    assert document["model"]["name"] == document["model"]["given"] == "an4"
    assert document["normalisation"]["changed"] == 2
    first, second = document["utterances"]
    assert first["hypothesis"] == first["reference"] == "enter two nine eight one"
    assert [pair for pair in second["pairs"] if pair[0] != "hit"] == [["substitution", "o", "u"]]
    assert [word["text"] for word in second["recognised"]] == list("pittsburgh")
    starts_s = [word["start_s"] for word in second["recognised"]]
    assert starts_s == sorted(starts_s)
    assert 0 < starts_s[-1] < second["duration_s"]


def test_a_report_is_written_and_can_be_compared(manifest: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "new"
    result = run("an4", manifest, "-o", folder, "--media", "1")
    assert result.exit_code == 0, result.output
    assert f"Report: {folder / 'index.html'}\n" in result.output
    names = {"index.html", "report.json", "report.md", "ref.trn", "hyp.trn"}
    assert {path.name for path in folder.iterdir()} == names
    assert (folder / "hyp.trn").read_text() == "enter two nine eight one (enter)\np i t t s b u r g h (pittsburgh)\n"
    assert {utterance.id for utterance in read_reports(folder, folder)[0].score.utterances} == {"enter", "pittsburgh"}
    media = re.search(r'id="media">(.*?)</script>', (folder / "index.html").read_text(encoding="utf-8"))
    assert media is not None
    assert json.loads(media[1]).keys() == {"1"}  # the second utterance has the most errors


def test_audio_that_cannot_be_read_is_left_out_and_named(manifest: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF and no more")
    row = {"id": "broken", "audio_filepath": str(tmp_path / "broken.wav"), "duration": 1.0, "text": "LOST"}
    with manifest.open("a") as file:
        file.write(json.dumps(row) + "\n" + json.dumps(row | {"id": "gone", "audio_filepath": "gone.wav"}) + "\n")
    result = run("an4", manifest)
    assert result.exit_code == 1
    assert re.search(r"^words \(WER\) +6\.67 % .* 1 +1 +0 +0 +15$", result.stdout, flags=re.MULTILINE)
    assert "Left out: 2 of 4 utterances, whose audio cannot be used:\n" in result.stderr
    assert f"'{tmp_path / 'broken.wav'}' is not an audio file, or is damaged" in result.stderr
    assert "The scores are of the others" in result.stderr
    assert run("an4", manifest, "--skip-bad").exit_code == 0
    manifest.write_text(json.dumps(row) + "\n")
    assert "None of the utterances can be read. The first: " in run("an4", manifest, "--skip-bad").stderr


@pytest.mark.parametrize(("limit", "status"), [("6.67", 0), ("6.66", 1)])
def test_max_wer_sets_the_exit_status(manifest: Path, limit: str, status: int) -> None:
    result = run("an4", manifest, "--max-wer", limit)
    assert result.exit_code == status
    assert "words (WER)" in result.stdout
    expected = "" if status == 0 else f"Error: The WER of 6.67 % is above the limit of {limit} % (--max-wer).\n"
    assert result.stderr == expected


def test_a_folder_that_cannot_be_created_is_reported_before_the_work(manifest: Path) -> None:
    result = run("no-such-model", manifest, "-o", manifest)
    assert result.exit_code == 1
    sentence = f"The folder {manifest} cannot be created (File exists): choose an existing or a new folder."
    assert result.stderr == f"Error: {sentence}\n"


def test_two_manifests_are_two_corpora(manifest: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(manifest.read_text().splitlines()[0])
    document = json.loads(run("an4", manifest, other, "--json").output)
    names = [f"{tmp_path.name}/said", f"{tmp_path.name}/other"]
    assert [corpus["name"] for corpus in document["corpora"]] == names
    assert [utterance["id"] for utterance in document["utterances"]] == [
        f"{names[0]}/enter",
        "pittsburgh",
        f"{names[1]}/enter",
    ]


def test_readable_text(manifest: Path) -> None:
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    rows[0] = {**rows[0], "audio_filepath": str(EXAMPLES / "captain.wav")}
    rows[0] |= {"duration": audio.duration_s(EXAMPLES / "captain.wav")}
    rows[0]["text"] = "The captain of the ship was a man of few words!"
    manifest.write_text(json.dumps(rows[0]) + "\n")
    result = run("english", manifest, "--readable")
    assert result.exit_code == 0
    assert re.search(r"^words \(WER\) +0\.00 %", result.output, flags=re.MULTILINE)
    assert re.search(r"^readable text.*\nwords \(WER\) +9\.09 % .* 10 +11 +11$", result.output, flags=re.MULTILINE)
    assert re.search(r"^! \(F1\) +0\.00 %", result.output, flags=re.MULTILINE)


def test_readable_text_needs_written_references(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace("P. I. T. T. S. B. O. R. G. H.", "P I T T S"))
    result = run("english", manifest, "--readable")
    assert result.exit_code == 1
    assert "needs references with punctuation and capitals" in result.stderr
