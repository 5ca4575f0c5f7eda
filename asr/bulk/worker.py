"""The worker of all engines: it transcribes shards with the processes and limits of `asr transcribe`."""

import hashlib
import json
import shutil
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

from asr.bulk import job as jobs
from asr.bulk.lines import to_line
from asr.bulk.recordings import Recording
from asr.bulk.store import file_system, is_url, open_store, os_errors
from asr.errors import AsrError, AudioError, DataError
from asr.models.session import Device
from asr.parallel import map_ordered
from asr.transcript.transcript import Transcript
from asr.transcription.processes import DEFAULT_LIMITS, Limits
from asr.transcription.transcriber import open_transcriber
from asr.transcription.workers import Pool

PREFETCHED = 2
"""Shards that are read, with their recordings where those are in a store, before they are transcribed."""
CONNECTIONS = 16
"""Recordings that are read from a store at once."""
LONGEST_SUFFIX = 16
"""Characters of a URL's suffix that the copy of its file gets."""


@dataclass(frozen=True)
class Machine:
    """How a worker uses its machine, on which no transcript depends."""

    processes: int = 1
    limits: Limits = DEFAULT_LIMITS
    device: Device = "cpu"


@dataclass(frozen=True)
class Done:
    """What the marker of a shard says of its output."""

    sha256: str
    """Digest of the output, whose name has its first digits."""
    recordings: int
    audio_s: float
    failures: Sequence[Mapping[str, str]]
    """Source and error of each recording that has no transcript."""


@dataclass(frozen=True)
class Outcome:
    """How a shard ended."""

    shard: str
    done: Done | None
    """None if it has no output."""
    reason: str = ""
    """Why it has none."""
    is_outage: bool = False
    """Whether that is because the store could not be read or written, which may pass."""


@dataclass
class _Open:
    """A shard that is being transcribed."""

    name: str
    recordings: Sequence[Recording]
    folder: Path
    """Of the copies of recordings that are in a store."""
    paths: dict[str, str]
    """Source -> path of the file on the local disk."""
    results: dict[int, Transcript | AsrError] = field(default_factory=dict)
    """Position in the shard -> its transcript, or why there is none."""

    @property
    def is_complete(self) -> bool:
        return len(self.results) == len(self.recordings)


class Worker:
    """Processes with the model of a job loaded, which transcribe its shards."""

    def __init__(self, url: str, machine: Machine) -> None:
        """Open the job in the folder or at the URL. Raises AsrError or OSError if that is not possible."""
        self.store = open_store(url)
        self.job = jobs.load(self.store)
        self.scratch = tempfile.TemporaryDirectory(prefix="asr-bulk-")
        files = {option: self.store.local(name, Path(self.scratch.name)) for option, name in self.job.files.items()}
        options = self.job.resolved(files)
        self.selection = {"channel": options.channel, "track": options.track}
        opened = partial(
            open_transcriber, options.model, options.decoding, device=machine.device, written=options.writing
        )
        # Not copies of this process, which may have threads of Ray or of a store.
        self.pool = Pool(opened, machine.processes, machine.limits, method="spawn")

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes and delete the copies of files."""
        self.pool.close()
        self.scratch.cleanup()

    def run(self, names: Iterable[str]) -> Iterator[Outcome]:
        """Transcribe shards and write their outputs; yield the outcome of each as it ends.

        The processes continue with the next shard before one has ended, and names are taken from the iterable then.

        Raises:
            AsrError: the model cannot be loaded, or the processes cannot be started.
        """
        ended: deque[Outcome] = deque()
        places: dict[int, tuple[_Open, int]] = {}

        def recordings() -> Iterator[tuple[str, dict[str, Any]]]:
            count = 0
            for shard in map_ordered(self._open, names, PREFETCHED):
                if isinstance(shard, Outcome):
                    ended.append(shard)
                    continue
                if shard.is_complete:
                    ended.append(self._finish(shard))
                    continue
                for position, recording in enumerate(shard.recordings):
                    if position not in shard.results:
                        places[count] = shard, position
                        count += 1
                        yield shard.paths[recording.source], self.selection | _segment(recording)

        for index, result in self.pool.run(recordings()):
            shard, position = places.pop(index)
            shard.results[position] = _of(shard, position, result)
            if shard.is_complete:
                ended.append(self._finish(shard))
            while ended:
                yield ended.popleft()
        yield from ended

    def _open(self, name: str) -> _Open | Outcome:
        """Read a shard, and its recordings where they are in a store."""
        try:
            found = jobs.read_shard(self.store, self.job, name)
            shard = _Open(name, found, Path(self.scratch.name) / name, {one.source: one.source for one in found})
            urls = [source for source in shard.paths if is_url(source)]
            shard.folder.mkdir(exist_ok=True)
            suffixes = [Path(url.partition("?")[0]).suffix[:LONGEST_SUFFIX] for url in urls]
            targets = [shard.folder / f"{number}{suffix}" for number, suffix in enumerate(suffixes)]
            missing = set()
            for url, path in map_ordered(_fetch, zip(urls, targets, strict=True), CONNECTIONS):
                if path is None:
                    missing.add(url)
                else:
                    shard.paths[url] = str(path)
        except (AsrError, OSError) as error:
            shutil.rmtree(Path(self.scratch.name) / name, ignore_errors=True)
            return _failure(name, error)
        for position, one in enumerate(found):
            if one.source in missing:
                shard.results[position] = AudioError(f"'{one.source}' does not exist: give the URL of an audio file.")
        return shard

    def _finish(self, shard: _Open) -> Outcome:
        """Write the output of a shard, then its marker."""
        results = [shard.results[position] for position in range(len(shard.recordings))]
        pairs = list(zip(shard.recordings, results, strict=True))
        content = b"".join(to_line(recording, result) for recording, result in pairs)
        done = Done(
            sha256=hashlib.sha256(content).hexdigest(),
            recordings=len(pairs),
            audio_s=round(sum(one.duration_s for one in results if isinstance(one, Transcript)), 3),
            failures=[{"source": one.source, "error": str(result)} for one, result in pairs if _failed(result)],
        )
        try:
            self.store.write({jobs.output_name(shard.name, done.sha256): content})
            self.store.write({f"done/{shard.name}.json": json.dumps(asdict(done)).encode() + b"\n"})
        except OSError as error:
            return _failure(shard.name, error)
        finally:
            shutil.rmtree(shard.folder, ignore_errors=True)
        return Outcome(shard.name, done)


def _failed(result: Transcript | AsrError) -> bool:
    return isinstance(result, AsrError)


def _segment(recording: Recording) -> dict[str, Any]:
    if recording.duration_s is None:
        return {}
    return {"offset_s": recording.offset_s, "duration_s": recording.duration_s}


def _of(shard: _Open, position: int, result: Transcript | AsrError) -> Transcript | AsrError:
    """A result that names the source of the recording, not the local copy."""
    source = shard.recordings[position].source
    if isinstance(result, AsrError):
        return AudioError(str(result).replace(shard.paths[source], source))
    return replace(result, source=source)


def _fetch(job: tuple[str, Path]) -> tuple[str, Path | None]:
    """Copy a file from a store to the local disk; None if there is none, or no such store. Raises OSError."""
    url, path = job
    try:
        system, remote = file_system(url)
        with os_errors(url):
            system.get_file(remote, str(path))
    except (FileNotFoundError, ValueError, DataError):  # also what is no address
        return url, None
    return url, path


def _failure(shard: str, error: AsrError | OSError) -> Outcome:
    if isinstance(error, AsrError):
        return Outcome(shard, None, str(error))
    return Outcome(shard, None, f"{type(error).__name__}: {' '.join(str(error).split())}", is_outage=True)
