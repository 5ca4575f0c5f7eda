"""`asr transcribe` as a user runs it."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main
from asr.data.manifest import Utterance, read


@pytest.fixture
def speech(smoke_corpus: Path) -> list[Utterance]:
    return read(smoke_corpus / "dev.jsonl")[:3]


def run(model: Path, *arguments: object, stdin: bytes | None = None) -> Result:
    command = ["transcribe", "--model", str(model), *map(str, arguments)]
    return CliRunner().invoke(main, command, input=stdin)


def test_one_file_prints_its_text_and_nothing_else(smoke_model: Path, speech: list[Utterance]) -> None:
    result = run(smoke_model, speech[0].audio_filepath)
    assert (result.exit_code, result.stdout, result.stderr) == (0, speech[0].text + "\n", "")


def test_several_files_are_labelled(smoke_model: Path, speech: list[Utterance]) -> None:
    result = run(smoke_model, *(u.audio_filepath for u in speech))
    assert result.stdout == "".join(f"{u.audio_filepath}: {u.text}\n" for u in speech)


def test_standard_input(smoke_model: Path, speech: list[Utterance]) -> None:
    result = run(smoke_model, "-", stdin=speech[0].audio_filepath.read_bytes())
    assert (result.exit_code, result.stdout) == (0, speech[0].text + "\n")


def test_formats(smoke_model: Path, speech: list[Utterance]) -> None:
    path = speech[0].audio_filepath
    assert json.loads(run(smoke_model, path, "--format", "json").stdout)["text"] == speech[0].text
    assert run(smoke_model, path, "--format", "vtt").stdout.startswith("WEBVTT\n")
    srt = run(smoke_model, path, "--format", "srt").stdout
    assert re.match(r"1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\n", srt)
    assert speech[0].text.split()[0] in srt


def test_a_bad_file_does_not_stop_the_others(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    bad = tmp_path / "notes.wav"
    bad.write_text("these are notes")
    out = tmp_path / "out"
    files = [speech[0].audio_filepath, bad, speech[1].audio_filepath]
    result = run(smoke_model, *files, "--output-dir", out, "--format", "txt")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: '{bad}'")
    assert result.stderr.endswith("1 of 3 files could not be transcribed.\n")
    written = {path.name: path.read_text() for path in out.iterdir()}
    assert written == {f"{u.audio_filepath.stem}.txt": u.text + "\n" for u in speech[:2]}


def test_two_inputs_never_share_an_output(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    twin = tmp_path / "twin" / speech[0].audio_filepath.name
    twin.parent.mkdir()
    twin.write_bytes(speech[0].audio_filepath.read_bytes())
    result = run(smoke_model, speech[0].audio_filepath, twin, "--output-dir", tmp_path / "out")
    assert result.exit_code == 1
    assert "would both be written to" in result.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_usage_errors_exit_with_2(smoke_model: Path, speech: list[Utterance]) -> None:
    assert run(smoke_model).exit_code == 2
    assert run(smoke_model, speech[0].audio_filepath, "--format", "doc").exit_code == 2


def test_a_shipped_name_means_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders called an4 are everywhere: data/an4, runs/an4, recipes/an4."""
    (tmp_path / "an4").mkdir()
    example = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"
    monkeypatch.chdir(tmp_path)
    for model in ([], ["--model", "an4"]):
        result = CliRunner().invoke(main, ["transcribe", *model, str(example)])
        assert (result.exit_code, result.stdout) == (0, "enter two nine eight one\n")
    assert CliRunner().invoke(main, ["info", "an4"]).exit_code == 0


def test_an_empty_model_name_is_not_the_default(speech: list[Utterance]) -> None:
    result = CliRunner().invoke(main, ["transcribe", "--model", "", str(speech[0].audio_filepath)])
    assert result.exit_code == 1
    assert "Model '' is neither a file nor one that is shipped" in result.stderr


def test_an_output_folder_that_cannot_be(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(smoke_model, speech[0].audio_filepath, "--output-dir", tmp_path / "file" / "x")
    assert result.exit_code == 1
    assert "cannot be read or written (Not a directory)" in result.stderr


def test_several_documents_need_a_folder(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    files = [u.audio_filepath for u in speech]
    for format_ in ("srt", "vtt", "json"):
        assert run(smoke_model, *files, "--format", format_).exit_code == 2
        assert run(smoke_model, *files, "--format", format_, "--output-dir", tmp_path).exit_code == 0
    assert len(list(tmp_path.iterdir())) == 9


def test_a_name_without_utf8_form_is_written(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    name = str(tmp_path / "caf") + "\udce9.wav"
    Path(name).write_bytes(speech[0].audio_filepath.read_bytes())
    result = run(smoke_model, name, "--format", "json", "--output-dir", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    (written,) = (tmp_path / "out").iterdir()
    assert json.loads(written.read_text())["text"] == speech[0].text
