"""A finished job of real recordings."""

from pathlib import Path

import pytest
from bulk_jobs import plan, ran


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished job of all examples, which are made by a synthesizer."""
    job = tmp_path_factory.mktemp("bulk") / "job"
    plan(job)
    ran("run", job, "--workers", 1)
    return job
