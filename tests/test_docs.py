"""What the documents say is there: every command has help with an example and appears in the README."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import asr
from asr.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""What users read; each `asr` command is shown in at least one of them."""


def commands() -> dict[str, click.Command]:
    """Every command and subcommand by its full name."""
    found: dict[str, click.Command] = {}
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found.update({f"{name} {sub}": below for sub, below in command.commands.items()})
    return found


@pytest.mark.parametrize("name", commands())
def test_help_ends_in_an_example_of_the_command(name: str) -> None:
    text = commands()[name].help
    assert text is not None
    example = text.rstrip().splitlines()
    assert example[-2].strip() == "Example:"
    assert example[-1].strip().startswith(f"asr {name} ")


@pytest.mark.parametrize("name", commands())
def test_the_documentation_shows_the_command(name: str) -> None:
    assert any(re.search(rf"\basr {name}\b", document.read_text(encoding="utf-8")) for document in DOCS)


def test_the_readme_is_one_page() -> None:
    lines = README.splitlines()
    assert len(lines) <= 120
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_says_what_the_command_does(name: str) -> None:
    """`asr --help` does not import the commands, so its one-liners must be kept in step with them."""
    overview = subprocess.run(
        [sys.executable, "-m", "asr", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert re.search(rf"^  {name} +{re.escape(COMMANDS[name])}$", overview, flags=re.MULTILINE)


def test_every_asr_command_line_in_the_documents_parses() -> None:
    """Options and subcommands named in README, CONTRIBUTING and recipes exist."""
    known = commands()
    lines = []
    for document in [*DOCS, ROOT / "CONTRIBUTING.md", *ROOT.glob("recipes/**/*.md")]:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE):
            if language == "sh":
                lines += re.findall(r"(?:^|&& |bin/)(asr [^|&>\n]*)", block, flags=re.MULTILINE)
    assert len(lines) >= 10
    for line in lines:
        _, *words = shlex.split(line, comments=True)
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        if name.startswith("-"):
            continue
        assert name in known, line
        options = {option for parameter in known[name].params for option in parameter.opts}
        used = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert used <= options | {"--help"}, line


@pytest.mark.parametrize("document", DOCS, ids=lambda document: document.name)
def test_files_named_in_the_documentation_exist(document: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text(encoding="utf-8")):
        assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", ["README.md", "docs/python-api.md"])
def test_the_python_examples_run_as_scripts(document: str, tmp_path: Path) -> None:
    blocks = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / document).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert blocks
    for number, block in enumerate(blocks):
        script = tmp_path / f"example{number}.py"
        script.write_text(block, encoding="utf-8")
        done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "captain" in done.stdout


@pytest.mark.parametrize("model", ["an4", "english"])
def test_the_program_that_reads_a_model_without_this_package(model: str, tmp_path: Path) -> None:
    """It gives the text of greedy decoding; recordings at a usual level are not changed before."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs/models.md").read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "read.py").write_text(block, encoding="utf-8")
    recording = ROOT / "examples" / "enter.wav"
    command = [sys.executable, "-W", "error", "read.py", str(ROOT / "asr" / "models" / f"{model}.onnx"), str(recording)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    expected = asr.load(model, beam=0, min_confidence=0).transcribe(recording)
    assert done.stdout.split() == [word.text for word in expected.spoken]
    assert len(expected.spoken) >= 5
