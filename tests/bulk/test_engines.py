"""Whichever engine does a job, however often it is interrupted, the outputs are the same bytes."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from bulk_jobs import EXAMPLES, FakePool, contents, plan, ran, run, text_job

from asr.bulk import coordinator as coordinators
from asr.bulk import engines
from asr.bulk import job as jobs
from asr.bulk import worker as workers
from asr.bulk.store import LocalStore, open_store
from asr.bulk.worker import Machine
from asr.errors import AsrError


@pytest.fixture
def unfinished(finished: Path, tmp_path: Path) -> Path:
    """The same job before it is run."""
    shutil.copytree(finished, tmp_path / "job")
    for name in ("outputs", "done"):
        shutil.rmtree(tmp_path / "job" / name)
    return tmp_path / "job"


def test_parts_of_a_job_are_all_of_it(finished: Path, unfinished: Path) -> None:
    assert "1 shard, 2 recordings" in ran("run", unfinished, "--shard", "2/2", "--workers", 1).stderr
    assert run("status", unfinished).exit_code == 1
    assert "1 shard, 2 recordings" in ran("run", unfinished, "--shard", "1/2", "--workers", 1).stderr
    assert contents(unfinished) == contents(finished)


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_killed_worker_and_a_killed_command_lose_nothing(finished: Path, unfinished: Path) -> None:
    command = [sys.executable, "-m", "asr", "bulk", "run", str(unfinished), "--workers", "1"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    deadline = time.monotonic() + 300
    while not (unfinished / "outputs").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, IndexError):  # it may have ended by now
        os.kill(int(children.read_text().split()[-1]), signal.SIGKILL)
    running.kill()
    running.communicate()
    ran("run", unfinished, "--workers", 1)
    assert contents(unfinished) == contents(finished)


def test_a_job_and_its_recordings_in_a_store(finished: Path) -> None:
    fsspec = pytest.importorskip("fsspec", reason="needs the extra bulk")
    root = f"memory://{time.time_ns()}"
    calls = root.replace("memory://", "memory:///") + "/calls"
    fsspec.filesystem("memory").put(str(EXAMPLES) + "/", f"{root}/calls/", recursive=True)
    plan(f"{root}/job", [f"{root}/calls"])
    ran("run", f"{root}/job", "--workers", 1)
    ran("merge", f"{root}/job", f"{root}/merged.jsonl")
    ran("merge", finished, finished.parent / "merged.jsonl")
    expected = (finished.parent / "merged.jsonl").read_bytes().replace(str(EXAMPLES).encode(), calls.encode())
    assert open_store(root).read("merged.jsonl") == expected
    ran("merge", f"{root}/job", f"{root}/text", "-f", "txt")
    assert open_store(root).names("text") == {f"{path.stem}.txt" for path in EXAMPLES.glob("*.wav")}
    assert "2 shards already done" in ran("run", f"{root}/job").stderr


def test_a_shard_is_tried_three_times_and_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = text_job(tmp_path, str(tmp_path), 6, 2)
    tries: Counter[str] = Counter()
    write = LocalStore.write

    def refuse(self: LocalStore, files: dict[str, bytes]) -> None:
        tries.update(name.partition("-")[0] for name in files)
        if any(name.startswith(f"outputs/{job.shards[1]}-") for name in files):
            raise OSError(5, "Input/output error")
        write(self, files)

    monkeypatch.setattr(workers, "Pool", FakePool)
    monkeypatch.setattr(coordinators, "LONGEST_PAUSE_S", 0.0)
    with monkeypatch.context() as broken:
        broken.setattr(LocalStore, "write", refuse)
        result = run("run", tmp_path, "--workers", 1)
    assert result.exit_code == 1
    assert f"Shard {job.shards[1]} was set aside: OSError: [Errno 5] Input/output error" in result.stderr
    assert tries[f"outputs/{job.shards[1]}"] == 3
    assert jobs.done(LocalStore(str(tmp_path))) == set(job.shards) - {job.shards[1]}

    skipped = run("run", tmp_path)
    assert (skipped.exit_code, skipped.stdout) == (1, "")
    assert skipped.stderr.endswith(
        "2 shards already done and skipped; 1 shard set aside before, which --retry tries again.\n"
    )
    status = run("status", tmp_path)
    assert (status.exit_code, status.stdout.splitlines()) == (
        1,
        [
            "2 of 3 shards done, 4 of 6 recordings transcribed, 10 s of audio; 1 shard set aside.",
            f"  Shard {job.shards[1]} was set aside: OSError: [Errno 5] Input/output error",
        ],
    )
    assert "1 shard, 2 recordings" in ran("run", tmp_path, "--retry").stderr
    assert ran("status", tmp_path).stdout == "3 of 3 shards done, 6 of 6 recordings transcribed, 15 s of audio.\n"


def test_a_job_whose_model_is_damaged_cannot_be_run(tmp_path: Path) -> None:
    job = text_job(tmp_path, str(tmp_path), 1, 1)
    with pytest.raises(AsrError, match=r"\.onnx"):
        list(engines.on_this_machine(str(tmp_path), job.shards, Machine()))


def test_ray_does_the_same(finished: Path, unfinished: Path, tmp_path: Path) -> None:
    """In a cluster of its own, with one worker."""
    pytest.importorskip("ray", reason="needs the extra bulk")
    script = tmp_path / "cluster.py"
    script.write_text(
        "import os, subprocess, sys\n"
        "import ray\n"
        "try:\n"
        "    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level='ERROR')\n"
        "except Exception as error:\n"
        "    sys.exit(f'NO CLUSTER {error}')\n"
        "os.environ['RAY_ADDRESS'] = ray.get_runtime_context().gcs_address\n"
        "command = [sys.executable, '-m', 'asr', 'bulk', 'run', sys.argv[1], '--engine', 'ray']\n"
        "sys.exit(subprocess.run(command, check=False).returncode)\n"
    )
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "300",
        "PYTHONPATH": str(root),
    }
    command = [sys.executable, str(script), str(unfinished)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if "NO CLUSTER" in done.stderr:
        pytest.skip(f"Ray cannot start a cluster here: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    assert "2 shards, 4 recordings" in done.stderr
    assert contents(unfinished) == contents(finished)
