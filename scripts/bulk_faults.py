#!/usr/bin/env python3
"""Measure `asr bulk` on real clips: its speed, and that nothing is lost or done twice when processes are killed.

    python scripts/bulk_faults.py speed MANIFEST [--rounds 3]
    python scripts/bulk_faults.py faults MANIFEST [--engine ray|parts|s3] [--runs 20]

`speed` compares a Ray cluster of two workers with one worker, with two processes without Ray, and with `asr transcribe
--workers 2`, in turns. `faults` kills (SIGKILL) a random worker at a random moment and then the command itself, and
runs it again: the outputs must be byte for byte those of an undisturbed run. `ray` starts a cluster of its own on this
machine, `parts` runs two processes with --shard 1/2 and 2/2, and `s3` does the same with the job and the recordings in
a local S3-compatible server (needs the packages s3fs and moto[server]).
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from asr.bulk.store import Store, open_store
from asr.data import manifest

ROOT = Path(__file__).resolve().parents[1]
PORT = 5577
ENVIRONMENT = os.environ | {
    "OMP_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONPATH": str(ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_raylet_start_wait_time_s": "600",
    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{PORT}",
    "AWS_ACCESS_KEY_ID": "x",
    "AWS_SECRET_ACCESS_KEY": "x",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def asr(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "asr", *map(str, arguments)]


def call(*arguments: object) -> float:
    """Run a command that must succeed; return its time in seconds."""
    started = time.monotonic()
    done = subprocess.run(asr(*arguments), env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
    return time.monotonic() - started


@contextlib.contextmanager
def ray_cluster(work: Path) -> Iterator[int]:
    """A cluster of two cores on this machine; gives the process that starts its workers."""
    ray = str(Path(sys.executable).with_name("ray"))
    options = ["--head", "--num-cpus", "2", "--include-dashboard=false", "--disable-usage-stats", "--port", "6390"]
    command = [ray, "start", *options, "--temp-dir", str(work / "ray"), "--block"]
    head = subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ENVIRONMENT["RAY_ADDRESS"] = "127.0.0.1:6390"
    try:
        deadline = time.monotonic() + 120
        with_token = {"RAY_AUTH_MODE": "token"} if (Path.home() / ".ray" / "auth_token").exists() else {}
        while subprocess.run(
            [ray, "status"], env=ENVIRONMENT | with_token, capture_output=True, check=False
        ).returncode:
            if time.monotonic() > deadline:
                sys.exit("The Ray cluster has not started.")
            time.sleep(1)
        yield head.pid
    finally:
        head.terminate()
        head.wait()


@contextlib.contextmanager
def s3_server() -> Iterator[None]:
    """A server that speaks S3's protocol and keeps all in its memory."""
    command = [str(Path(sys.executable).with_name("moto_server")), "-p", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.environ.update({name: value for name, value in ENVIRONMENT.items() if name.startswith("AWS")})
    try:
        time.sleep(5)
        import fsspec

        fsspec.filesystem("s3").mkdir("clips")
        fsspec.filesystem("s3").mkdir("jobs")
        yield
    finally:
        server.kill()
        server.wait()


def processes() -> dict[int, tuple[int, str]]:
    """Process -> parent and command line."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            found[int(folder.name)] = parent, (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return found


def cpu_s(of: int) -> float:
    """CPU time of a process and all below it, also of those that have ended."""
    table = processes()
    ticks = 0
    for pid in table:
        above = pid
        while above in table and above != of:
            above = table[above][0]
        if above == of:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def workers(of: int) -> list[int]:
    """Ray's actors and the processes that transcribe, below a process."""
    table = processes()
    found = []
    for pid, (parent, command) in table.items():
        above = parent
        while above in table and above != of:
            above = table[above][0]
        is_worker = command.startswith("ray::_Actor") or "spawn_main" in command
        if above == of and is_worker:
            found.append(pid)
    return found


def contents(store: Store) -> dict[str, bytes]:
    """All outputs and markers of a job."""
    return {
        f"{folder}/{name}": store.read(f"{folder}/{name}")
        for folder in ("outputs", "done")
        for name in sorted(store.names(folder))
    }


def put_clips(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """Copy the clips to the S3 server."""
    import fsspec

    system = fsspec.filesystem("s3")
    for row in rows:
        system.put_file(str(row["audio_filepath"]), f"clips/{row['id']}{Path(str(row['audio_filepath'])).suffix}")
    return [
        row | {"audio_filepath": f"s3://clips/{row['id']}{Path(str(row['audio_filepath'])).suffix}"} for row in rows
    ]


def select(path: Path, count: int) -> list[dict[str, object]]:
    """The first clips of a manifest, as rows."""
    rows = []
    for utterance in manifest.read(path)[:count]:
        rows.append({"id": utterance.id, "audio_filepath": str(utterance.audio_filepath)})
    return rows


def speed(arguments: argparse.Namespace, work: Path) -> None:
    """Print a table of times."""
    clips = work / "clips"
    for row in select(arguments.manifest, arguments.clips):
        path = Path(str(row["audio_filepath"]))
        (clips / str(row["id"])).parent.mkdir(parents=True, exist_ok=True)
        (clips / f"{row['id']}{path.suffix}").symlink_to(path)
    size = -(-arguments.clips // arguments.shards)
    options = ["-m", arguments.model]
    times: dict[str, list[tuple[float, float]]] = {}
    folder = work / "speed"
    with ray_cluster(work):
        for round_ in range(arguments.rounds):
            for name, how in {
                "Ray, two workers": ["--engine", "ray", "--workers", 2],
                "Ray, one worker": ["--engine", "ray", "--workers", 1],
                "local, two processes": ["--workers", 2],
                "asr transcribe --workers 2": None,
                "local, one process": ["--workers", 1],
            }.items():
                shutil.rmtree(folder, ignore_errors=True)
                if how is not None:
                    call("bulk", "plan", clips, folder, "--shard-size", size, *options)
                before_s = cpu_s(os.getpid())
                if how is None:
                    took_s = call("transcribe", clips, "-o", folder, "-f", "json", "--workers", 2, "-q", *options)
                else:
                    took_s = call("bulk", "run", folder, "-q", *how)
                    time.sleep(2)  # for Ray to end its workers
                spent_s = cpu_s(os.getpid()) - before_s
                times.setdefault(name, []).append((took_s, spent_s))
                print(f"round {round_}: {name}: {took_s:.1f} s, CPU {spent_s:.1f} s", flush=True)
    audio_s = sum(json.loads(path.read_bytes())["audio_s"] for path in (folder / "done").iterdir())
    print(f"\n{arguments.clips} clips, {audio_s:.0f} s, {arguments.shards} shards, {arguments.model}\n")
    print("| engine | seconds of each round | CPU seconds | least | times real time | per CPU second |")
    print("|---|---|---|---|---|---|")
    for name, found in times.items():
        took, spent = ([one[index] for one in found] for index in (0, 1))
        each, cpu = (", ".join(f"{one:.1f}" for one in values) for values in (took, spent))
        rates = f"{audio_s / min(took):.0f} | {audio_s / min(spent):.0f}"
        print(f"| {name} | {each} | {cpu} | {min(took):.1f} | {rates} |")


def faults(arguments: argparse.Namespace, work: Path) -> None:
    """Kill and resume."""
    rows = select(arguments.manifest, arguments.clips)
    with contextlib.ExitStack() as stack:
        of = os.getpid()
        if arguments.engine == "ray":
            of = stack.enter_context(ray_cluster(work))
        if arguments.engine == "s3":
            stack.enter_context(s3_server())
            rows = put_clips(rows)
        listed = work / "clips.jsonl"
        listed.write_text("".join(json.dumps(row) + "\n" for row in rows))
        size = -(-len(rows) // arguments.shards)

        def folder(name: str) -> str:
            return f"s3://jobs/{name}" if arguments.engine == "s3" else str(work / name)

        def commands(job: str) -> list[list[str]]:
            if arguments.engine == "ray":
                return [asr("bulk", "run", job, "--engine", "ray")]
            return [asr("bulk", "run", job, "--shard", f"{k}/2", "--workers", 1) for k in (1, 2)]

        reference = folder("reference")
        call("bulk", "plan", listed, reference, "--shard-size", size, "-m", arguments.model)
        names = [
            "job.json",
            *(f"{part}/{name}" for part in ("files", "shards") for name in open_store(reference).names(part)),
        ]
        planned = {name: open_store(reference).read(name) for name in names}
        started = time.monotonic()
        call("bulk", "run", reference, "--workers", 1)
        expected = contents(open_store(reference))
        print(f"{len(rows)} clips, {len(expected) // 2} shards, undisturbed: {time.monotonic() - started:.1f} s")
        wrong = killed = interrupted = 0
        for number in range(arguments.runs):
            job = folder(f"run{number}")
            open_store(job).write(planned)
            killed_now, interrupted_now, done = _disturbed(commands(job), of, open_store(job), len(expected) // 2)
            killed += killed_now
            interrupted += interrupted_now
            for running in [
                subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL) for command in commands(job)
            ]:
                running.wait()
            resumed_s = [call(*command[3:]) for command in commands(job)]
            found = contents(open_store(job))
            outputs = [_output(found, shard) for shard in json.loads(planned["job.json"])["shards"]]
            names = [json.loads(line)["name"] for output in outputs for line in output.splitlines()]
            is_same = found == expected and names == [row["id"] for row in rows]
            wrong += not is_same
            same = "equal" if is_same else "DIFFERENT"
            print(
                f"run {number}: {killed_now} worker and {interrupted_now} command(s) killed with {done} shards done; "
                f"resumed: {len(names)} lines, {len(set(names))} names, {same} bytes; again: {max(resumed_s):.1f} s",
                flush=True,
            )
        print(f"{arguments.runs} runs, {killed} workers and {interrupted} commands killed, {wrong} wrong")


def _output(found: dict[str, bytes], shard: str) -> bytes:
    """The output of a shard, which must be its only one."""
    (content,) = (content for name, content in found.items() if name.startswith(f"outputs/{shard}-"))
    return content


def _disturbed(commands: list[list[str]], of: int, store: Store, shards: int) -> tuple[int, int, int]:
    """Run commands, kill a worker and then the commands; return how many of each were killed, and the shards done."""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    running = [subprocess.Popen(command, env=ENVIRONMENT, **silent) for command in commands]  # type: ignore[call-overload]
    first, second = sorted(random.sample(range(shards), 2))
    killed = interrupted = 0
    while any(one.poll() is None for one in running):
        done = len(store.names("done"))
        if done >= first and not killed and (found := workers(of)):
            time.sleep(random.uniform(0, 1))
            with contextlib.suppress(ProcessLookupError):
                os.kill(random.choice(found), signal.SIGKILL)
                killed = 1
        if done >= second:
            time.sleep(random.uniform(0, 1))
            for one in running:
                if one.poll() is None:
                    one.kill()
                    interrupted += 1
                one.wait()
        time.sleep(0.05)
    return killed, interrupted, len(store.names("done"))


def main() -> None:
    """Parse the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "faults"])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--shards", type=int, default=50)
    parser.add_argument("--model", default="english")
    parser.add_argument("--engine", choices=["ray", "parts", "s3"], default="ray")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="bulk-", ignore_cleanup_errors=True) as work:
        (speed if arguments.what == "speed" else faults)(arguments, Path(work))


if __name__ == "__main__":
    main()
