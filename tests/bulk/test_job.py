"""Plans: complete, reproducible, and named by everything that the transcripts depend on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from bulk_jobs import options, text_job
from hypothesis import given
from hypothesis import strategies as st

from asr.bulk import job as jobs
from asr.bulk.recordings import Recording
from asr.bulk.store import LocalStore
from asr.errors import DataError
from asr.readable.options import WritingOptions

RECORDINGS = [Recording(f"{n}", f"/data/{n}.wav") for n in range(5)]


@given(count=st.integers(1, 40), size=st.integers(1, 45))
def test_the_lists_of_the_shards_joined_are_the_input(count: int, size: int) -> None:
    lists = list(jobs._lists([Recording(f"{n}", f"/é/{n}\udcff.wav", n / 3, 1.5) for n in range(count)], size))
    sizes = [len(content.splitlines()) for content in lists]
    assert sizes[:-1] == [size] * (len(lists) - 1)
    assert 1 <= sizes[-1] <= size
    rows = [json.loads(line) for content in lists for line in content.splitlines()]
    assert [Recording(**row) for row in rows] == [
        Recording(f"{n}", f"/é/{n}\udcff.wav", n / 3, 1.5) for n in range(count)
    ]


def test_a_plan_is_read_as_it_was_written_and_can_be_repeated(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "job"))
    first = jobs.plan(store, RECORDINGS, options(tmp_path), shard_size=2)
    assert (len(first.shards), first.recordings) == (3, 5)
    assert jobs.load(store) == first == jobs.plan(store, RECORDINGS, options(tmp_path), shard_size=2)
    assert [one for name in first.shards for one in jobs.read_shard(store, first, name)] == RECORDINGS
    copy = store.folder / first.files["model"]
    assert copy.read_bytes() == b"a model"
    assert first.resolved({"model": copy}) == replace(options(tmp_path), model=copy)


def test_names_depend_on_all_that_transcripts_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = options(tmp_path)
    names = set()
    for number, (recordings, chosen) in enumerate(
        [
            (RECORDINGS[:2], base),
            (RECORDINGS[:2][::-1], base),
            ([replace(RECORDINGS[0], duration_s=1.0), RECORDINGS[1]], base),
            (RECORDINGS[:2], replace(base, channel=1)),
            (RECORDINGS[:2], replace(base, track=1)),
            (RECORDINGS[:2], replace(base, writing=WritingOptions(plain=True))),
            (RECORDINGS[:2], options(tmp_path, beam=4)),
            (RECORDINGS[:2], options(tmp_path, hot_words={"x": 3.0})),
        ]
    ):
        names.add(jobs.plan(LocalStore(str(tmp_path / f"{number}")), recordings, chosen, shard_size=2).shards[0])
    base.model.write_bytes(b"another model")
    names.add(jobs.plan(LocalStore(str(tmp_path / "model")), RECORDINGS[:2], base, shard_size=2).shards[0])
    monkeypatch.setattr(jobs, "__version__", "9")
    names.add(jobs.plan(LocalStore(str(tmp_path / "version")), RECORDINGS[:2], base, shard_size=2).shards[0])
    assert len(names) == 10


def test_a_folder_has_one_job(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "job"))
    jobs.plan(store, RECORDINGS, options(tmp_path), shard_size=2)
    with pytest.raises(DataError, match="The folder has another job"):
        jobs.plan(store, RECORDINGS, options(tmp_path), shard_size=3)


def test_jobs_that_cannot_be_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = LocalStore(str(tmp_path))
    with pytest.raises(DataError, match=r"The folder has no job: make one with `asr bulk plan`\."):
        jobs.load(store)
    job = text_job(tmp_path, str(tmp_path), 3, 2)
    with monkeypatch.context() as patched:
        patched.setattr(jobs, "__version__", "9")
        with pytest.raises(DataError, match=r"planned by version .* of asr, and this is 9"):
            jobs.load(store)
    path = tmp_path / "shards" / f"{job.shards[0]}.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0", b"7"))
    with pytest.raises(DataError, match="was changed after it was planned"):
        jobs.read_shard(store, job, job.shards[0])
    (tmp_path / "job.json").write_text("{")
    with pytest.raises(DataError, match=r"job\.json of the job is damaged"):
        jobs.load(store)


def test_a_shard_is_done_with_its_output_and_its_marker(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path))
    store.write({"outputs/a-1.jsonl": b"", "outputs/b-2.jsonl": b"", "done/b.json": b"", "done/c.json": b""})
    assert jobs.done(store) == {"b"}
