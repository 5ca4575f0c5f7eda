"""Jobs for tests: of files that a pool in this process reads, and of real recordings through the command line."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from asr.bulk import job as jobs
from asr.bulk.job import Job
from asr.bulk.recordings import Recording
from asr.bulk.store import open_store
from asr.cli import main
from asr.decoding.options import DecodingOptions
from asr.errors import AsrError, AudioError
from asr.files import TEMPORARY
from asr.readable.options import WritingOptions
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class FakePool:
    """Instead of processes: recognises the content of text files, and has results in another order than recordings."""

    behind = 3
    """How many recordings are taken before the first has its result."""

    def __init__(self, *_: object, **__: object) -> None:
        self.is_closed = False

    def run(self, recordings: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[int, Transcript | AsrError]]:
        pending: list[tuple[int, Transcript | AsrError]] = []
        for index, (source, selection) in enumerate(recordings):
            pending.append((index, self.result(source, selection)))
            if len(pending) > self.behind:
                yield pending.pop()
        yield from reversed(pending)

    def result(self, source: str, selection: Mapping[str, Any]) -> Transcript | AsrError:
        try:
            text = Path(source).read_text()
        except OSError:
            return AudioError(f"'{source}' does not exist: give the path of an audio file.")
        words = (Word(text, selection.get("offset_s", 0.0), 1.0, 0.5), Word(str(selection["channel"]), 0.0, 1.0, 0.5))
        return Transcript(words, 2.5, source, "fake")

    def close(self) -> None:
        self.is_closed = True


def options(folder: Path, **decoding: Any) -> jobs.Options:
    """Options with a file that is no model."""
    model = folder / "model.onnx"
    if not model.exists():
        model.write_bytes(b"a model")
    return jobs.Options(model=model, decoding=DecodingOptions(**decoding), writing=WritingOptions(), channel=2)


def text_job(folder: Path, url: str, count: int, shard_size: int) -> Job:
    """A job of text files."""
    recordings = []
    for number in range(count):
        path = folder / f"{number}.txt"
        path.write_text(f"text{number}")
        recordings.append(Recording(f"{number}", str(path)))
    return jobs.plan(open_store(url), recordings, options(folder), shard_size=shard_size)


def run(*arguments: object) -> Result:
    """Run `asr bulk`."""
    return CliRunner().invoke(main, ["bulk", *map(str, arguments)])


def ran(*arguments: object) -> Result:
    """Run `asr bulk`, which must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def plan(job: object, inputs: Sequence[object] = (EXAMPLES,), *options: object) -> Result:
    """Plan a job with the small model, decoded greedily, two recordings a shard unless the options differ."""
    return ran("plan", *inputs, job, "-m", "an4", "--beam", 0, "--shard-size", 2, *options)


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder, but what a process that was just killed was writing: that is deleted a while later."""
    files = [path for path in folder.rglob("*") if path.is_file() and not TEMPORARY.fullmatch(path.name)]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
