"""Compiled functions without a usable cache: slower to start, and otherwise the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from asr import compiled

SCRIPT = """
from asr.compiled import compiled

@compiled
def double(x):
    return 2 * x

print(double(21), double.stats.cache_path)
"""


def run(script: Path, **environment: str) -> str:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(compiled.__file__).parents[1]), **environment}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "code" / "script.py"
    path.parent.mkdir()
    path.write_text(SCRIPT)
    return path


def test_a_cache_beside_the_source_is_used(script: Path) -> None:
    assert run(script, HOME=str(script.parent)).startswith("42 ")
    assert list(script.parent.glob("__pycache__/*.nbi"))


def test_without_any_folder_for_the_cache_functions_still_run(script: Path) -> None:
    """A file where each folder would have to be: nobody, not even root, can write below it."""
    (script.parent / "__pycache__").write_text("")
    (script.parent / ".cache").write_text("")
    assert run(script, HOME=str(script.parent), XDG_CACHE_HOME=str(script.parent / ".cache")) == "42 None\n"


def test_a_cache_folder_of_the_user_that_cannot_be_made_is_no_error(script: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (script.parent / "__pycache__").write_text("")
    assert run(script, NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"), HOME=str(tmp_path / "file")) == "42 None\n"


def test_a_damaged_cache_is_compiled_again(script: Path) -> None:
    run(script)
    for file in script.parent.glob("__pycache__/*.nb[ic]"):
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    assert run(script).startswith("42 ")


def test_a_full_disk_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    @compiled.compiled
    def triple(x: int) -> int:
        return 3 * x

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(triple._cache._cache, "save_overload", full)
    assert triple(2) == 6
