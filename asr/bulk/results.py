"""What a job has done so far, and its transcripts in one file or in the usual formats."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asr.bulk import job as jobs
from asr.bulk import lines
from asr.bulk.job import Job
from asr.bulk.store import LocalStore, Store, writing
from asr.bulk.worker import Done
from asr.errors import DataError
from asr.parallel import map_ordered
from asr.progress import Progress, silent
from asr.transcript.formats import EXTENSIONS, render
from asr.transcript.subtitles import STANDARD, Layout

CONNECTIONS = 16
"""Files of a job that are read at once."""


@dataclass(frozen=True)
class Status:
    """What a job has done so far."""

    shards: int
    recordings: int
    done: Mapping[str, Done]
    """Shard -> its marker."""
    aside: Mapping[str, str]
    """Shard that was set aside -> why."""

    @property
    def left(self) -> int:
        """Number of shards that no worker has ended."""
        return self.shards - len(self.done) - len(self.aside)

    @property
    def failures(self) -> list[Mapping[str, str]]:
        """Source and error of each recording that has no transcript, in shards that are done."""
        return [failure for done in self.done.values() for failure in done.failures]

    @property
    def is_complete(self) -> bool:
        """Whether there is a transcript of every recording."""
        return len(self.done) == self.shards and not self.failures


def status(store: Store, job: Job) -> Status:
    """Read all markers of a job. Raises DataError if one is damaged, OSError if it cannot be read."""
    finished, aside = jobs.done(store), jobs.aside(store)
    done = [name for name in job.shards if name in finished]
    rest = [name for name in job.shards if name in aside and name not in finished]
    markers = map_ordered(lambda name: _row(store, f"done/{name}.json"), done, CONNECTIONS)
    reasons = map_ordered(lambda name: str(_row(store, f"aside/{name}.json").get("reason")), rest, CONNECTIONS)
    return Status(
        len(job.shards),
        job.recordings,
        {name: Done(**row) for name, row in zip(done, markers, strict=True)},
        dict(zip(rest, reasons, strict=True)),
    )


def _row(store: Store, name: str) -> dict[str, Any]:
    try:
        return json.loads(store.read(name))
    except ValueError as error:
        raise DataError(f"The file {name} of the job is damaged ({error}): delete it and run the job again.") from None


def by_reason(failures: Iterable[Mapping[str, str]]) -> list[tuple[int, str]]:
    """Count failures that differ in names and numbers only: (count, the first of them), the most frequent first."""
    counts: dict[str, tuple[int, str]] = {}
    for failure in failures:
        error = failure["error"]
        kind = re.sub(r"\d+", "0", error.replace(failure["source"], ""))
        count, first = counts.get(kind, (0, error))
        counts[kind] = count + 1, first
    return sorted(counts.values(), key=lambda pair: -pair[0])


def outputs(store: Store, status: Status, progress: Progress = silent) -> Iterator[bytes]:
    """Yield the output of each shard that is done, in the order of the plan.

    Raises:
        DataError: the output that a marker was written for is missing, changed or damaged.
        OSError: an output cannot be read.
    """
    names = [jobs.output_name(shard, done.sha256) for shard, done in status.done.items()]
    contents = map_ordered(lambda name: _output(store, name), names, CONNECTIONS)
    for number, (content, (shard, done)) in enumerate(zip(contents, status.done.items(), strict=True), start=1):
        if content is None or hashlib.sha256(content).hexdigest() != done.sha256:
            raise DataError(
                f"The file {names[number - 1]} of the job is missing, changed or damaged: delete done/{shard}.json and "
                "run the job again."
            )
        yield content
        progress("merging", number, len(status.done))


def _output(store: Store, name: str) -> bytes | None:
    """An output; None if there is none."""
    try:
        return store.read(name)
    except FileNotFoundError:
        return None


def to_formats(contents: Iterable[bytes], out: Store, formats: Sequence[str], layout: Layout = STANDARD) -> None:
    """Write each transcript in the usual formats, named like its recording. Raises OSError if that is not possible."""
    for content in contents:
        for line in lines.parse(content):
            if "error" in line:
                continue
            transcript = lines.transcript(line)
            for format_ in formats:
                name = f"{line['name']}.{EXTENSIONS[format_]}"
                folder = (out.folder / name).parent if isinstance(out, LocalStore) else None
                text = render(transcript, format_, layout, folder) or "\n"
                out.write({name: text.encode(errors="replace")})


def to_file(contents: Iterable[bytes], path: str) -> None:
    """Write the transcripts to one JSONL file, at a path or URL. Raises OSError if that is not possible."""
    with writing(path) as file:
        for content in contents:
            file.writelines(line for line in content.splitlines(keepends=True) if "error" not in json.loads(line))
