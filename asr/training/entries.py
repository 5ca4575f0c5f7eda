"""What a run notes of its inputs, so that a resumed run plans the same batches whatever the manifests hold by then."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from asr.errors import ModelError
from asr.files import replacing


@dataclass(frozen=True, slots=True)
class Entry:
    """An utterance of a run as its batches are planned: what must stay the same for a resumed run to be exact."""

    id: str
    duration_s: float
    checksum: int
    """CRC-32 of the transcript."""


def write_entries(entries: Iterable[Entry], path: Path) -> None:
    """Note the utterances that a run plans its batches from, a JSON array [id, duration in s, checksum] a line."""
    with replacing(path) as file:
        file.writelines(json.dumps([entry.id, entry.duration_s, entry.checksum]).encode() + b"\n" for entry in entries)


def read_entries(path: Path) -> Iterator[Entry]:
    """Read back what `write_entries` wrote, one by one. Raises ModelError when the file is missing or damaged."""
    try:
        with path.open("rb") as file:
            for line in file:
                yield Entry(*json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"'{path}' cannot be read ({error}): restore it, or start a new run with --init.") from None
