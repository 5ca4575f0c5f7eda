"""Outputs of shards: complete, in the order of the list, with the reason of what failed, and a marker after them."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from bulk_jobs import FakePool, options, text_job

from asr.bulk import job as jobs
from asr.bulk import worker as workers
from asr.bulk.recordings import Recording
from asr.bulk.store import LocalStore, open_store
from asr.bulk.worker import Machine, Outcome, Worker


@pytest.fixture(autouse=True)
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "Pool", FakePool)


def lines(folder: Path, shard: str) -> list[dict[str, Any]]:
    (path,) = (folder / "outputs").glob(f"{shard}-*.jsonl")
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_outputs_are_in_order_though_results_are_not(tmp_path: Path) -> None:
    job = text_job(tmp_path, str(tmp_path), 7, 2)
    with Worker(str(tmp_path), Machine()) as worker:
        outcomes = {outcome.shard: outcome.done for outcome in worker.run(job.shards)}
    assert outcomes.keys() == set(job.shards)
    written = [line for shard in job.shards for line in lines(tmp_path, shard)]
    assert [(line["name"], line["text"], line["source"]) for line in written] == [
        (f"{n}", f"text{n} 2", f"{tmp_path}/{n}.txt") for n in range(7)
    ]
    for shard, done in outcomes.items():
        assert done is not None
        output = (tmp_path / jobs.output_name(shard, done.sha256)).read_bytes()
        assert (done.sha256, done.audio_s) == (hashlib.sha256(output).hexdigest(), 2.5 * done.recordings)
        assert json.loads((tmp_path / "done" / f"{shard}.json").read_bytes())["sha256"] == done.sha256


def test_a_worker_does_one_shard_after_the_other(tmp_path: Path) -> None:
    job = text_job(tmp_path, str(tmp_path), 4, 2)
    with Worker(str(tmp_path), Machine()) as worker:
        for shard in job.shards:
            (outcome,) = worker.run([shard])
            assert outcome.shard == shard
    assert jobs.done(LocalStore(str(tmp_path))) == set(job.shards)


def test_a_recording_that_fails_has_its_error_in_the_output(tmp_path: Path) -> None:
    job = text_job(tmp_path, str(tmp_path), 3, 3)
    (tmp_path / "1.txt").unlink()
    with Worker(str(tmp_path), Machine()) as worker:
        (outcome,) = worker.run(job.shards)
    error = f"'{tmp_path}/1.txt' does not exist: give the path of an audio file."
    assert lines(tmp_path, job.shards[0])[1] == {"name": "1", "source": f"{tmp_path}/1.txt", "error": error}
    assert outcome.done is not None
    assert outcome.done.failures == [{"source": f"{tmp_path}/1.txt", "error": error}]
    assert (outcome.done.recordings, outcome.done.audio_s) == (3, 5.0)


def test_the_marker_comes_after_the_output_and_not_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = text_job(tmp_path, str(tmp_path), 4, 2)
    written: list[str] = []

    def write(self: LocalStore, files: dict[str, bytes]) -> None:
        (name,) = files
        if name.startswith(f"outputs/{job.shards[0]}"):
            raise OSError(28, "No space left on device")
        written.append(name)

    monkeypatch.setattr(LocalStore, "write", write)
    with Worker(str(tmp_path), Machine()) as worker:
        first, second = sorted(worker.run(job.shards), key=lambda outcome: job.shards.index(outcome.shard))
    assert first == Outcome(job.shards[0], None, "OSError: [Errno 28] No space left on device", is_outage=True)
    assert second.done is not None
    assert written == [jobs.output_name(job.shards[1], second.done.sha256), f"done/{job.shards[1]}.json"]


def test_a_shard_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path) -> None:
    job = text_job(tmp_path, str(tmp_path), 4, 2)
    (tmp_path / "shards" / f"{job.shards[0]}.jsonl").write_bytes(b"")
    with Worker(str(tmp_path), Machine()) as worker:
        outcomes = {outcome.shard: outcome for outcome in worker.run(job.shards)}
    assert outcomes[job.shards[0]].reason.startswith(f"The list shards/{job.shards[0]}.jsonl was changed")
    assert outcomes[job.shards[1]].done is not None


def test_recordings_in_a_store_are_copied_and_named_by_their_url(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra bulk")
    root = f"memory://{time.time_ns()}"
    fsspec.filesystem("memory").pipe({f"{root}/a.wav": b"spoken"})
    (tmp_path / "local.txt").write_text("here")
    recordings = [
        Recording("first", f"{root}/a.wav", 0.25, 1.0),
        Recording("second", f"{root}/a.wav", 0.5, 1.0),
        Recording("missing", f"{root}/no.wav"),
        Recording("local", str(tmp_path / "local.txt")),
        Recording("signed", f"{root}/a.wav?signature=a.{'b' * 300}"),
        Recording("no address", "http://a..b/x.wav"),
        Recording("no store", "nosuch://x.wav"),
    ]
    job = jobs.plan(open_store(f"{root}/job"), recordings, options(tmp_path), shard_size=7)
    with Worker(f"{root}/job", Machine()) as worker:
        scratch = Path(worker.scratch.name)
        (outcome,) = worker.run(job.shards)
        assert [path for path in scratch.iterdir() if path.is_dir()] == []
    assert not scratch.exists()
    assert outcome.done is not None
    output = open_store(f"{root}/job").read(jobs.output_name(job.shards[0], outcome.done.sha256))
    found = [json.loads(line) for line in output.splitlines()]
    assert [(line["name"], line["source"]) for line in found] == [(one.name, one.source) for one in recordings]
    assert [line["words"][0]["text"] for line in found if "words" in line] == ["spoken", "spoken", "here"]
    assert [line["words"][0]["start_s"] for line in found if "words" in line] == [0.25, 0.5, 0.0]
    for line in (found[2], *found[4:]):
        assert line["error"] == f"'{line['source']}' does not exist: give the URL of an audio file."


def test_a_shard_of_missing_recordings_is_done(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs the extra bulk")
    root = f"memory://{time.time_ns()}"
    job = jobs.plan(open_store(root), [Recording("x", f"{root}/x.wav")], options(tmp_path), shard_size=1)
    with Worker(root, Machine()) as worker:
        (outcome,) = worker.run(job.shards)
    assert outcome.done is not None
    assert len(outcome.done.failures) == 1


def test_a_store_that_fails_is_no_fault_of_the_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra bulk")
    root = f"memory://{time.time_ns()}"
    fsspec.filesystem("memory").pipe({f"{root}/x.wav": b"spoken"})
    job = jobs.plan(LocalStore(str(tmp_path)), [Recording("x", f"{root}/x.wav")], options(tmp_path), shard_size=1)

    def refuse(*_: object) -> None:
        raise ConnectionResetError("connection reset")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "get_file", refuse)
    with Worker(str(tmp_path), Machine()) as worker:
        (outcome,) = worker.run(job.shards)
    assert outcome == Outcome(job.shards[0], None, "ConnectionResetError: connection reset", is_outage=True)
