"""Native decoders must stay silent."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_output_on_stderr(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The native decoders must not print anything, whatever the input."""
    yield
    assert capfd.readouterr().err == ""
