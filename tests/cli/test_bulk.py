"""`asr bulk` as a user runs it: what is wrong is reported in a sentence."""

import json
from pathlib import Path

import pytest
from bulk_jobs import EXAMPLES, contents, plan, ran, run


def test_a_plan_leaves_out_what_cannot_be_used_and_says_so(tmp_path: Path) -> None:
    result = run("plan", EXAMPLES / "captain.wav", tmp_path / "no.wav", tmp_path / "job", "-m", "an4")
    assert result.exit_code == 1
    assert result.stderr == f"Error: '{tmp_path / 'no.wav'}' does not exist: give the path of an audio file.\n"
    assert result.stdout == f"1 shard of 1 recording: '{tmp_path / 'job'}'.\n"
    assert json.loads((tmp_path / "job" / "job.json").read_bytes())["recordings"] == 1


def test_nothing_to_plan(tmp_path: Path) -> None:
    result = run("plan", tmp_path / "job")
    assert result.exit_code == 2
    assert "There is nothing to plan" in result.stderr
    assert run("plan", tmp_path / "no.wav", tmp_path / "job").exit_code == 1
    assert not (tmp_path / "job").exists()


def test_options_that_do_not_fit_are_reported_by_the_plan(tmp_path: Path) -> None:
    result = run("plan", EXAMPLES, tmp_path / "job", "-m", "an4", "--beam", 0, "--hot-word", "x")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Greedy decoding")
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"audio_filepath": "x.wav", "offset": 0, "duration": 1}\n')
    result = run("plan", manifest, tmp_path / "job", "-m", "an4", "--channel", "split")
    assert result.stderr.startswith("Error: The manifest has segments of files")


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/0"])
def test_parts_that_are_none(part: str, tmp_path: Path) -> None:
    result = run("run", tmp_path, "--shard", part)
    assert result.exit_code == 2
    assert f"'{part}' is not K/N" in result.stderr


@pytest.mark.parametrize("command", [["run"], ["status"], ["merge"]])
def test_a_folder_without_a_job(command: list[str], tmp_path: Path) -> None:
    result = run(*command, tmp_path, *(["out"] if command == ["merge"] else []))
    assert result.exit_code == 1
    assert result.stderr == "Error: The folder has no job: make one with `asr bulk plan`.\n"


def test_segments_of_a_manifest_and_a_recording_that_is_none(tmp_path: Path) -> None:
    """The second half of a recording has its last words, and a bad recording leaves a result with its error."""
    (tmp_path / "notes.wav").write_text("these are notes")
    rows = [
        {"id": "all", "audio_filepath": str(EXAMPLES / "enter.wav")},
        {"id": "end", "audio_filepath": str(EXAMPLES / "enter.wav"), "offset": 0.7, "duration": 1.0},
        {"id": "bad", "audio_filepath": "notes.wav"},
    ]
    manifest = tmp_path / "m.jsonl"
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))
    job, out = tmp_path / "job", tmp_path / "out.jsonl"
    plan(job, [manifest], "--shard-size", 5)
    result = run("run", job, "--workers", 1)
    assert result.exit_code == 1
    assert "; 1 recording failed.\n  1 recording: " in result.stderr
    assert f"'{tmp_path / 'notes.wav'}'" in result.stderr

    status = run("status", job)
    assert (status.exit_code, status.stdout.splitlines()[0][:60]) == (
        1,
        "1 of 1 shard done, 2 of 3 recordings transcribed, 2.8 s of audio; 1 recording failed."[:60],
    )
    failed = run("status", job, "--failed").stdout
    assert failed.startswith(f"{tmp_path / 'notes.wav'}\t'{tmp_path / 'notes.wav'}'")

    assert run("merge", job, out).exit_code == 1
    merged = [json.loads(line) for line in out.read_bytes().splitlines()]
    assert [line["name"] for line in merged] == ["all", "end"]
    assert merged[1]["duration_s"] == pytest.approx(1.0)
    assert 0 < len(merged[1]["words"]) < len(merged[0]["words"])
    assert merged[1]["words"][-1]["text"] == merged[0]["words"][-1]["text"]

    (tmp_path / "notes.wav").write_bytes((EXAMPLES / "captain.wav").read_bytes())
    assert "1 shard already done" in ran("run", job).stderr
    assert "3 recordings" in ran("run", job, "--retry", "--workers", 1).stderr
    assert ran("status", job).stdout.startswith("1 of 1 shard done, 3 of 3 recordings")


def test_an_unfinished_job_is_merged_on_request(tmp_path: Path) -> None:
    job = tmp_path / "job"
    plan(job)
    ran("run", job, "--shard", "1/2", "--workers", 1, "-q")
    result = run("merge", job, tmp_path / "out")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Only 1 of 2 shards are done")
    assert not (tmp_path / "out").exists()
    result = run("merge", job, tmp_path / "out", "-f", "srt,txt", "--partial")
    assert result.exit_code == 1
    assert result.stderr.endswith("; 1 shard left.\n")
    assert contents(tmp_path / "out").keys() == {"captain.srt", "captain.txt", "enter.srt", "enter.txt"}
