"""`asr inspect` as a user runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asr.cli import main

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "enter.wav"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)])


def test_the_page_and_the_numbers_are_of_the_same_run(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = run(EXAMPLE, "--model", "an4", "-o", page, "--json", "--duration", "0.8")
    assert (result.exit_code, result.stderr) == (0, "")
    numbers = json.loads(result.stdout)
    assert numbers["words"][0]["text"] == "enter"
    assert "".join(letter["text"] for letter in numbers["letters"]).startswith("enter")
    assert numbers["duration_s"] == pytest.approx(0.8)
    assert "Inside an4: enter.wav" in page.read_text(encoding="utf-8")


def test_neither_torch_nor_onnx_is_loaded(tmp_path: Path) -> None:
    arguments = ["inspect", str(EXAMPLE), "-m", "an4", "-o", str(tmp_path / "page.html"), "--duration", "0.4"]
    code = f"import sys\nfrom asr.cli import main\nmain({arguments!r}, standalone_mode=False)\n"
    code += "sys.exit(bool({'torch', 'onnx', 'librosa', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([EXAMPLE], "Say where to write the page, such as `-o page.html`, or print its numbers with --json."),
        (["nowhere.wav", "-o", "page.html"], "nowhere.wav"),
        ([EXAMPLE, "-o", "nowhere/page.html"], "the folder 'nowhere' does not exist: create it first."),
        ([EXAMPLE, "-m", "nowhere", "-o", "page.html"], "neither a file nor a shipped model"),
        ([EXAMPLE, "-o", "page.html", "--start", "9"], "correct the offset or the duration"),
    ],
)
def test_mistakes_are_one_sentence(
    arguments: list[str | Path], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code != 0
    assert sentence in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert not list(tmp_path.iterdir())
