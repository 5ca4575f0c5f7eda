"""Errors that are not mistakes in the input: broken packages, full disks, closed pipes; and renamed options."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from asr import cli
from asr.cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "error", ["OSError('/x/libtorchaudio.so: undefined symbol: _ZN3c10')", "ImportError('DLL load')"]
)
def test_a_package_that_does_not_load_is_named_with_the_remedy(error: str, tmp_path: Path) -> None:
    """torchaudio built for another version of torch fails in the middle of its own import."""
    package = tmp_path / "torchaudio"
    package.mkdir()
    (package / "__init__.py").write_text("from torchaudio import _extension\n")
    (package / "_extension.py").write_text(f"raise {error}\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from asr.cli import main; main()"
    recipe = str(ROOT / "recipes" / "smoke.yaml")
    done = subprocess.run([sys.executable, "-c", code, "train", recipe], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "Error: `asr train` needs the package torchaudio, which is installed but cannot be loaded"
    )
    assert "constraints.txt" in done.stderr
    assert "Traceback" not in done.stderr


def run(monkeypatch: pytest.MonkeyPatch, error: Exception) -> str:
    """The output of `asr info` when it raises `error`."""

    @click.command()
    def info() -> None:
        raise error

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: info)
    result = CliRunner().invoke(main, ["info"])
    assert result.exit_code == 1
    return result.output


def test_an_os_error_without_a_file_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, OSError("/x/lib.so: cannot open shared object")) == (
        "Error: /x/lib.so: cannot open shared object\n"
    )
    assert run(monkeypatch, OSError(24, "Too many open files")) == "Error: [Errno 24] Too many open files\n"


def test_an_os_error_with_a_file_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sentence = run(monkeypatch, PermissionError(13, "Permission denied", "/x/y"))
    assert sentence == "Error: '/x/y' cannot be read or written (Permission denied): choose another path.\n"


def test_missing_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, MemoryError()) == (
        "Error: `asr info` needs more memory than there is: give it less to do at once.\n"
    )


def test_renamed_options_are_accepted_and_hidden() -> None:
    wav = str(ROOT / "examples" / "enter.wav")
    texts = [
        CliRunner().invoke(main, ["transcribe", wav, "--model", "an4", option, "1"]).stdout
        for option in ("--least-confidence", "--min-confidence")
    ]
    assert texts[0] == texts[1]
    shown = CliRunner().invoke(main, ["transcribe", "--help"]).stdout
    assert "--min-confidence" in shown and "least-confidence" not in shown
