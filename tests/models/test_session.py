"""What a session leaves on the user's disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "examples" / "captain.wav")


@pytest.mark.parametrize(
    "command",
    [
        ["-m", "asr", "transcribe", "--beam", "0", EXAMPLE],
        ["-c", f"import asr; asr.load(beam=0).transcribe({EXAMPLE!r})"],
    ],
)
def test_no_telemetry_is_written_or_queued(command: list[str], tmp_path: Path) -> None:
    """onnxruntime would write a device ID and a database of events below the user's cache folder."""
    silenced = {"CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED", "XDG_CACHE_HOME"}
    environment = {name: value for name, value in os.environ.items() if name not in silenced} | {"HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
