"""What a job has done, and its transcripts."""

import json
import shutil
from pathlib import Path

import pytest
from bulk_jobs import contents

from asr.bulk import job as jobs
from asr.bulk import results
from asr.bulk.store import LocalStore
from asr.errors import DataError


@pytest.fixture
def job(finished: Path, tmp_path: Path) -> LocalStore:
    """A copy of a finished job."""
    shutil.copytree(finished, tmp_path / "job")
    return LocalStore(str(tmp_path / "job"))


def test_the_status_counts_what_is_done_aside_and_left(job: LocalStore) -> None:
    planned = jobs.load(job)
    found = results.status(job, planned)
    assert (found.shards, found.recordings, list(found.done), found.left) == (2, 4, list(planned.shards), 0)
    assert found.is_complete
    first, second = planned.shards
    (job.folder / jobs.output_name(first, found.done[first].sha256)).unlink()
    jobs.set_aside(job, first, "it fails")
    jobs.set_aside(job, second, "it was done after all")
    found = results.status(job, planned)
    assert (list(found.done), found.aside, found.left) == ([second], {first: "it fails"}, 0)
    assert not found.is_complete


def test_merging_checks_what_it_reads(job: LocalStore) -> None:
    planned = jobs.load(job)
    found = results.status(job, planned)
    name = jobs.output_name(planned.shards[1], found.done[planned.shards[1]].sha256)
    path = job.folder / name
    assert b"".join(results.outputs(job, found)).endswith(path.read_bytes())
    job.write({jobs.output_name(planned.shards[1], "0" * 64): b"of a worker that had other bytes and no marker"})
    assert b"".join(results.outputs(job, found)).endswith(path.read_bytes())
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DataError, match=f"{name} of the job is missing, changed or damaged"):
        list(results.outputs(job, found))
    path.unlink()
    with pytest.raises(DataError, match=f"{name} of the job is missing, changed or damaged"):
        list(results.outputs(job, found))
    (job.folder / "done" / f"{planned.shards[0]}.json").write_text("{")
    with pytest.raises(DataError, match=f"done/{planned.shards[0]}.json of the job is damaged"):
        results.status(job, planned)


def test_recordings_that_failed_are_left_out(tmp_path: Path) -> None:
    lines = [b'{"name": "a", "error": "bad"}\n', b'{"name": "b", "text": "\\"error\\"", "words": []}\n']
    results.to_file([b"".join(lines)], str(tmp_path / "out.jsonl"))
    assert (tmp_path / "out.jsonl").read_bytes() == lines[1]
    results.to_formats([lines[0]], LocalStore(str(tmp_path / "out")), ["txt"])
    assert not (tmp_path / "out").exists()


def test_reasons_differ_in_more_than_names_and_numbers() -> None:
    failures = [
        {"source": "/data/1.wav", "error": "'/data/1.wav' ends after 10 s of 20 s."},
        {"source": "/data/2.wav", "error": "'/data/2.wav' is not audio."},
        {"source": "/data/3.wav", "error": "'/data/3.wav' ends after 4 s of 9 s."},
    ]
    assert results.by_reason(failures) == [(2, failures[0]["error"]), (1, failures[1]["error"])]


def test_formats_are_those_of_transcribe(finished: Path, tmp_path: Path) -> None:
    """But for confidences, which are means of numbers that were rounded before."""
    from bulk_jobs import EXAMPLES, ran
    from click.testing import CliRunner

    from asr.cli import main

    ran("merge", finished, tmp_path / "bulk", "-f", "all")
    options = ["-m", "an4", "--beam", "0", "-q", "-f", "all"]
    CliRunner().invoke(main, ["transcribe", str(EXAMPLES), "-o", str(tmp_path / "plain"), *options])
    merged, transcribed = contents(tmp_path / "bulk"), contents(tmp_path / "plain")
    assert merged.keys() == transcribed.keys()
    for name, content in merged.items():
        if name.endswith(".json"):
            rows = [json.loads(one) for one in (content, transcribed[name])]
            assert rows[0].pop("confidence") == pytest.approx(rows[1].pop("confidence"), abs=2e-4)
            assert rows[0] == rows[1]
        elif not name.endswith(".html"):
            assert content == transcribed[name], name
