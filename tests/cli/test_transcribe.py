"""`asr transcribe` as a user runs it."""

import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from asr.cli import main
from asr.data.manifest import Utterance, read
from asr.text import ENGLISH, normalise


@pytest.fixture
def speech(smoke_corpus: Path) -> list[Utterance]:
    return read(smoke_corpus / "dev.jsonl")[:3]


def run(model: Path | str, *arguments: object, stdin: bytes | None = None) -> Result:
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


def test_skipped_text_is_noted(smoke_model: Path, speech: list[Utterance]) -> None:
    path = speech[0].audio_filepath
    result = run(smoke_model, path, "--min-confidence", "1")
    assert (result.exit_code, result.stdout) == (0, "\n")
    assert (
        result.stderr == f"Note: {path}: no words with a confidence of 1 or more; --min-confidence 0 shows all words.\n"
    )


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
    assert re.search(r"2 files, [\d.]+ s of audio in .*; 1 failed\.\n$", result.stderr)
    written = {path.name: path.read_text() for path in out.iterdir()}
    assert written == {f"{u.audio_filepath.stem}.txt": u.text + "\n" for u in speech[:2]}


def test_a_folder_that_cannot_be_created_does_not_stop_the_others(
    smoke_model: Path, speech: list[Utterance], tmp_path: Path
) -> None:
    for name, utterance in zip(("a/x", "b/y"), speech, strict=False):
        target = tmp_path / "in" / f"{name}.wav"
        target.parent.mkdir(parents=True)
        target.write_bytes(utterance.audio_filepath.read_bytes())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").write_text("a file")
    result = run(smoke_model, tmp_path / "in", "--output-dir", tmp_path / "out")
    assert result.exit_code == 1
    assert f"Error: Cannot create the folder '{tmp_path}/out/a'" in result.stderr
    assert (tmp_path / "out" / "b" / "y.txt").read_text() == speech[1].text + "\n"


def test_two_inputs_never_share_an_output(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    """Files of the same name are distinguished by their folders."""
    twins = [tmp_path / "in" / day / "call.wav" for day in ("monday", "tuesday")]
    for twin, utterance in zip(twins, speech, strict=False):
        twin.parent.mkdir(parents=True)
        twin.write_bytes(utterance.audio_filepath.read_bytes())
    assert run(smoke_model, *twins).stdout == "".join(f"{t}: {u.text}\n" for t, u in zip(twins, speech, strict=False))
    run(smoke_model, *twins, speech[2].audio_filepath, "--output-dir", tmp_path / "out")
    written = {str(path.relative_to(tmp_path / "out")): path.read_text() for path in (tmp_path / "out").rglob("*.txt")}
    names = ["monday/call.txt", "tuesday/call.txt", f"{speech[2].audio_filepath.stem}.txt"]
    assert written == {name: utterance.text + "\n" for name, utterance in zip(names, speech, strict=True)}


def test_usage_errors_exit_with_2(smoke_model: Path, speech: list[Utterance]) -> None:
    assert run(smoke_model).exit_code == 2
    assert run(smoke_model, speech[0].audio_filepath, "--format", "doc").exit_code == 2


def test_a_shipped_name_means_the_shipped_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders called an4 are everywhere: data/an4, runs/an4, recipes/an4."""
    (tmp_path / "an4").mkdir()
    example = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["transcribe", "--model", "an4", str(example)])
    assert (result.exit_code, result.stdout) == (0, "Enter two nine eight one.\n")
    assert CliRunner().invoke(main, ["info", "an4"]).exit_code == 0


def test_an_empty_model_name_is_not_the_default(speech: list[Utterance]) -> None:
    result = CliRunner().invoke(main, ["transcribe", "--model", "", str(speech[0].audio_filepath)])
    assert result.exit_code == 1
    assert "Model '' is neither a file nor a shipped model" in result.stderr


def test_an_output_folder_that_cannot_be_created(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = run(smoke_model, speech[0].audio_filepath, "--output-dir", tmp_path / "file" / "x")
    assert result.exit_code == 1
    assert "cannot be read or written (Not a directory)" in result.stderr


def test_several_files_in_a_structured_format_need_a_folder(
    smoke_model: Path, speech: list[Utterance], tmp_path: Path
) -> None:
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


@pytest.fixture
def tree(speech: list[Utterance], tmp_path: Path) -> Path:
    """A folder with recordings in it and in its subfolders."""
    for utterance, name in zip(speech, ("one.wav", "more/two.wav", "more/still/three.wav"), strict=True):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(utterance.audio_filepath.read_bytes())
    return tmp_path / "calls"


def written(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_becomes_a_folder_of_texts(
    smoke_model: Path, speech: list[Utterance], tree: Path, tmp_path: Path, workers: str
) -> None:
    out = tmp_path / "out"
    result = run(smoke_model, tree, "--output-dir", out, "--format", "txt", "--format", "srt", "--workers", workers)
    assert result.exit_code == 0, result.stderr
    files = written(out)
    assert {name: text for name, text in files.items() if name.endswith("txt")} == {
        "one.txt": speech[0].text + "\n",
        "more/two.txt": speech[1].text + "\n",
        "more/still/three.txt": speech[2].text + "\n",
    }
    assert len(files) == 6
    assert sorted(result.stdout.split()) == sorted(str(out / name) for name in files)
    assert "3 files, " in result.stderr


def test_texts_are_printed_in_the_order_of_the_inputs(smoke_model: Path, speech: list[Utterance], tree: Path) -> None:
    result = run(smoke_model, tree, "--workers", "2")
    texts = dict(line.split(": ") for line in result.stdout.splitlines())
    assert list(texts.items()) == [
        (str(tree / "more/still/three.wav"), speech[2].text),
        (str(tree / "more/two.wav"), speech[1].text),
        (str(tree / "one.wav"), speech[0].text),
    ]


def test_resume_skips_finished_files(smoke_model: Path, speech: list[Utterance], tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(smoke_model, tree, "--output-dir", out).exit_code == 0
    (out / "one.txt").unlink()
    (out / "more/two.txt").write_text("kept")
    changed = tree / "more/still/three.wav"
    changed.write_bytes(speech[0].audio_filepath.read_bytes())
    os.utime(changed, (time.time() + 10, time.time() + 10))
    result = run(smoke_model, tree, "--output-dir", out, "--resume")
    assert "2 files, " in result.stderr
    assert "1 already done and skipped" in result.stderr
    assert written(out) == {
        "more/still/three.txt": speech[0].text + "\n",
        "more/two.txt": "kept",
        "one.txt": speech[0].text + "\n",
    }
    again = run(smoke_model, tree, "--output-dir", out, "--resume", "--format", "json")
    assert "3 files, " in again.stderr


def test_a_list_and_nothing(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("".join(f"{u.audio_filepath}\n" for u in speech))
    result = run(smoke_model, "--list", tmp_path / "list.txt")
    assert [line.split(": ")[1] for line in result.stdout.splitlines()] == [u.text for u in speech]
    assert run(smoke_model, "--list", "-", stdin=str(speech[0].audio_filepath).encode()).stdout == speech[0].text + "\n"


def test_channels_are_speakers(smoke_model: Path, speech: list[Utterance], tmp_path: Path) -> None:
    left, rate = soundfile.read(speech[0].audio_filepath)
    right, _ = soundfile.read(speech[1].audio_filepath)
    call = np.zeros((len(left) + rate + len(right), 2))
    call[: len(left), 0] = left
    call[-len(right) :, 1] = right
    soundfile.write(tmp_path / "call.wav", call, rate)
    assert run(smoke_model, tmp_path / "call.wav", "--channel", 1).stdout == speech[0].text + "\n"
    assert run(smoke_model, tmp_path / "call.wav", "--channel", 2).stdout == speech[1].text + "\n"
    both = run(smoke_model, tmp_path / "call.wav", "--channel", "split")
    assert both.stdout == f"1: {speech[0].text}\n2: {speech[1].text}\n"
    piped = run(smoke_model, "-", "--channel", "split", stdin=(tmp_path / "call.wav").read_bytes())
    assert piped.stdout == both.stdout
    wrong = run(smoke_model, tmp_path / "call.wav", "--channel", 3)
    assert (wrong.exit_code, wrong.stdout) == (1, "")
    assert run(smoke_model, tmp_path / "call.wav", "--channel", "left").exit_code == 2


def test_an_unavailable_device_is_one_sentence(smoke_model: Path, speech: list[Utterance]) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime can use a GPU")
    result = run(smoke_model, speech[0].audio_filepath, "--device", "cuda")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: The installed onnxruntime does not support the device 'cuda': install")
    assert result.stderr.count("\n") == 1


CAPTAIN = Path(__file__).resolve().parents[2] / "examples" / "captain.wav"
SPOKEN = "the captain of the ship was a man of few words"


def test_the_text_is_readable_unless_plain() -> None:
    readable = run("english", CAPTAIN, "--no-times").stdout
    assert readable != f"{SPOKEN}\n"
    assert readable[0] == "T"
    assert normalise(readable, ENGLISH) == SPOKEN
    assert run("english", CAPTAIN, "--no-times", "--plain").stdout == f"{SPOKEN}\n"


def test_json_has_the_spoken_words_too() -> None:
    readable = json.loads(run("english", CAPTAIN, "-f", "json").stdout)
    plain = json.loads(run("english", CAPTAIN, "-f", "json", "--plain").stdout)
    assert readable["spoken_text"] == plain["text"] == SPOKEN
    assert [one for word in readable["words"] for one in word["spoken"]] == plain["words"]
    assert "spoken_text" not in plain


def test_hot_words_keep_their_capitals() -> None:
    assert "CapTain" in run("english", CAPTAIN, "--hot-word", "CapTain=0.1").stdout


def test_a_model_of_another_alphabet_stays_plain(smoke_model: Path, speech: list[Utterance]) -> None:
    source = speech[0].audio_filepath
    assert run(smoke_model, source).stdout == run(smoke_model, source, "--plain").stdout
