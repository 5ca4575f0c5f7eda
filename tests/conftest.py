"""A trained toy for the tests that need one: the smoke recipe on its corpus of tones, a few seconds of training."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# A busy thread pool beside another one slows torch a hundredfold on few cores; sleeping threads do not.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
CACHE = tempfile.TemporaryDirectory(prefix="asr-cache-")
"""In the place of the user's own, which toys should not fill."""
os.environ["XDG_CACHE_HOME"] = CACHE.name

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def smoke_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the smoke corpus: train.jsonl, dev.jsonl and audio/."""
    out = tmp_path_factory.mktemp("smoke")
    subprocess.run([sys.executable, ROOT / "scripts" / "smoke_corpus.py", out], check=True)
    return out


@pytest.fixture(scope="session")
def smoke_overrides(smoke_corpus: Path) -> list[str]:
    """KEY=VALUE arguments that point recipes/smoke.yaml at the corpus."""
    return [f"data.train=[{smoke_corpus}/train.jsonl]", f"data.dev=[{smoke_corpus}/dev.jsonl]"]


@pytest.fixture(scope="session")
def smoke_run(smoke_overrides: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of `asr train recipes/smoke.yaml`, run as a user runs it."""
    run_dir = tmp_path_factory.mktemp("runs") / "smoke"
    command = [sys.executable, "-m", "asr", "train", ROOT / "recipes" / "smoke.yaml", *smoke_overrides]
    done = subprocess.run([*command, "--run-dir", run_dir], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (run_dir / "printed.txt").write_text(done.stdout, encoding="utf-8")
    return run_dir


@pytest.fixture(scope="session")
def smoke_model(smoke_run: Path) -> Path:
    """The toy as an .onnx file."""
    path = smoke_run.parent / "smoke.onnx"
    command = [sys.executable, "-m", "asr", "export", smoke_run, path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return path
