"""A job: a folder with everything that its workers need, and what they have done.

    JOB/job.json              model, options, and the names of the shards in order; written last, never changed
    JOB/files/                the model and the language models
    JOB/shards/NAME.jsonl     the recordings of a shard, never changed
    JOB/outputs/NAME.jsonl    its transcripts
    JOB/done/NAME.json        written after the output, with its digest and its counts
    JOB/aside/NAME.json       why a shard was set aside after its tries

The name of a shard is a hash of its list, of the options, of the model's content and of the version of asr: the same
name always means the same output, whoever makes it, so a shard may be done twice without harm.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from asr.bulk.recordings import Recording
from asr.bulk.store import Store
from asr.decoding.options import DecodingOptions
from asr.errors import DataError
from asr.readable.options import WritingOptions
from asr.transcription.transcriber import Channel
from asr.version import __version__

FILES = ("model", "lm", "rescore")
"""Options that are files, which a job keeps copies of."""

DIGITS = 16
"""Hexadecimal digits of names: a collision among a million shards has a probability of 3e-8."""

TOGETHER = 1000
"""Shards that are written at once."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a transcript depends on besides the recording."""

    model: Path
    decoding: DecodingOptions
    writing: WritingOptions
    channel: Channel = None
    track: int | None = None


@dataclass(frozen=True)
class Job:
    """What `job.json` has."""

    version: str
    """Version of asr that planned the job."""
    options: Mapping[str, Any]
    """The fields of `Options` in one level, with the names of the job's own copies instead of paths."""
    shards: Sequence[str]
    """Names of the shards, in the order of the input."""
    recordings: int

    @property
    def files(self) -> dict[str, str]:
        """Option -> name in the job's folder, of those that are files and given."""
        return {option: self.options[option] for option in FILES if self.options[option] is not None}

    def resolved(self, files: Mapping[str, Path]) -> Options:
        """The options with the files at other places: option -> path."""
        values: dict[str, Any] = dict(self.options) | {option: files.get(option) for option in FILES}
        parts = {
            name: kind(**{field.name: values.pop(field.name) for field in fields(kind)})
            for name, kind in (("decoding", DecodingOptions), ("writing", WritingOptions))
        }
        return Options(**parts, **values)

    def shard_name(self, content: bytes) -> str:
        """The name of the shard with this list."""
        return _shard_name(self.version, self.options, content)


def plan(store: Store, recordings: Sequence[Recording], options: Options, *, shard_size: int) -> Job:
    """Cut recordings into shards of `shard_size`, and write the job. The same arguments give the same job.

    Raises:
        DataError: the folder has another job.
        OSError: a file cannot be read or written.
    """
    paths = {"model": options.model, "lm": options.decoding.lm, "rescore": options.decoding.rescore}
    named = {option: _file_name(path) if path is not None else None for option, path in paths.items()}
    values = {**asdict(options.decoding), **asdict(options.writing), "channel": options.channel, "track": options.track}
    values |= named
    contents = {_shard_name(__version__, values, content): content for content in _lists(recordings, shard_size)}
    job = Job(__version__, values, list(contents), len(recordings))
    if (existing := _read(store)) is not None:
        if existing != job:
            raise DataError(
                "The folder has another job, of other recordings or options: plan this one in a new folder."
            )
        return job
    for option, path in paths.items():
        if path is not None:
            store.write({str(named[option]): path.read_bytes()})
    for first in range(0, len(job.shards), TOGETHER):
        store.write({f"shards/{name}.jsonl": contents[name] for name in job.shards[first : first + TOGETHER]})
    store.write({"job.json": json.dumps(asdict(job), indent=1).encode()})
    return job


def _lists(recordings: Sequence[Recording], size: int) -> Iterator[bytes]:
    """Yield the list of each shard: one JSON object per line, in ASCII."""
    for first in range(0, len(recordings), size):
        rows = (recording.to_row() for recording in recordings[first : first + size])
        yield "".join(json.dumps(row) + "\n" for row in rows).encode()


def _shard_name(version: str, options: Mapping[str, Any], content: bytes) -> str:
    """Hash a shard's list and everything else that its output depends on."""
    rest = json.dumps([version, options], sort_keys=True).encode()
    return hashlib.sha256(rest + b"\n" + content).hexdigest()[:DIGITS]


def _file_name(path: Path) -> str:
    """The name of a job's copy of a file, by its content."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
    return f"files/{digest}{path.suffix}"


def _read(store: Store) -> Job | None:
    try:
        row = json.loads(store.read("job.json"))
        return Job(**row)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise DataError(f"The file job.json of the job is damaged ({error}): plan the job in a new folder.") from None


def load(store: Store) -> Job:
    """Read a job.

    Raises:
        DataError: the folder has no job, or a damaged one, or one that another version of asr planned.
        OSError: it cannot be read.
    """
    job = _read(store)
    if job is None:
        raise DataError("The folder has no job: make one with `asr bulk plan`.")
    if job.version != __version__:
        raise DataError(
            f"The job was planned by version {job.version} of asr, and this is {__version__}, whose transcripts may "
            "differ: use the same version, or plan the job again in a new folder."
        )
    return job


def read_shard(store: Store, job: Job, name: str) -> list[Recording]:
    """Read the list of a shard.

    Raises:
        DataError: the list was changed after it was planned.
        OSError: it cannot be read.
    """
    content = store.read(f"shards/{name}.jsonl")
    if job.shard_name(content) != name:
        raise DataError(f"The list shards/{name}.jsonl was changed after it was planned: plan the job in a new folder.")
    return [Recording(**json.loads(line)) for line in content.splitlines()]


def output_name(shard: str, sha256: str) -> str:
    """The file of a shard's output, by its content: no worker overwrites what another's marker is about."""
    return f"outputs/{shard}-{sha256[:DIGITS]}.jsonl"


def done(store: Store) -> set[str]:
    """Names of the shards that are done: those with an output and a marker."""
    outputs = _stems(store.names("outputs"), ".jsonl")
    return {name.partition("-")[0] for name in outputs} & _stems(store.names("done"), ".json")


def aside(store: Store) -> set[str]:
    """Names of the shards that were set aside, of which some may have been done since."""
    return _stems(store.names("aside"), ".json")


def _stems(names: Iterable[str], suffix: str) -> set[str]:
    return {name.removesuffix(suffix) for name in names if name.endswith(suffix)}


def set_aside(store: Store, name: str, reason: str) -> None:
    """Set a shard aside, until it is tried again on request. Raises OSError."""
    store.write({f"aside/{name}.json": json.dumps({"reason": reason}).encode()})
