"""A job of real speech, made by a synthesizer, and its outputs."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

Run = Callable[..., Result]


def run(*arguments: object) -> Result:
    """Run `asr bulk`."""
    return CliRunner().invoke(main, ["bulk", *map(str, arguments)])


def ran(*arguments: object) -> Result:
    """Run `asr bulk`, which must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result


def plan(job: object, inputs: Sequence[object] = (EXAMPLES,), *options: object) -> None:
    """Plan a job that is decoded greedily, two recordings a shard unless the options say otherwise."""
    ran("plan", *inputs, job, "-m", "an4", "--beam", 0, "--shard-size", 2, *options)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished job of all examples."""
    job = tmp_path_factory.mktemp("bulk") / "job"
    plan(job)
    ran("run", job, "--workers", 1)
    return job


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
