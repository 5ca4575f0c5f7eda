"""The script that fetches onnxruntime-web takes nothing but the package that was reviewed."""

import subprocess
import sys
from pathlib import Path

from asr.pages import onnxruntime_web

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "fetch_onnxruntime_web"


def fetch(archive: Path) -> str:
    command = [sys.executable, str(SCRIPT), "--archive", str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr


def test_another_package_is_refused(tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in onnxruntime_web.FOLDER.glob("*")}
    (tmp_path / "other.tgz").write_bytes(b"other")
    assert f"but that of version {onnxruntime_web.VERSION} is {onnxruntime_web.SHA256}" in fetch(tmp_path / "other.tgz")
    assert before == {path: path.stat().st_mtime_ns for path in onnxruntime_web.FOLDER.glob("*")}


def test_a_missing_package(tmp_path: Path) -> None:
    assert "missing.tgz' cannot be read (No such file or directory)" in fetch(tmp_path / "missing.tgz")
