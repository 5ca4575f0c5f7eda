"""What a session leaves on the user's disk, and what it says about damaged files."""

import os
import subprocess
import sys
from pathlib import Path

import fuzz
import pytest

from asr.errors import ModelError
from asr.models.session import OnnxModel

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


def test_metadata_that_are_not_text_are_one_sentence(tmp_path: Path) -> None:
    """Protobuf's writers check their texts, and onnxruntime's reader does not."""
    data = fuzz.model().SerializeToString()
    assert data.count(b"A toy.") == 1
    (tmp_path / "m.onnx").write_bytes(data.replace(b"A toy.", b"A\xff\xaf\x80oy"))
    with pytest.raises(
        ModelError, match=r"m\.onnx' has damaged metadata \(invalid start byte\): export or copy it again"
    ):
        OnnxModel(tmp_path / "m.onnx")
