"""No command looks up a host or connects to one, whatever its dependencies might like to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
WATCH = """
import os, sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "urllib.Request"):
        with open(os.environ["WATCHED"], "a") as file:
            file.write(f"{event} {arguments!r}\\n")

sys.addaudithook(watch)
"""
"""Python's own record of what reaches for the network, in every process that it starts."""


def watched(folder: Path, *command: str) -> str:
    """Run Python with the watch, as a user outside of continuous integration; return what it recorded."""
    (folder / "sitecustomize.py").write_text(WATCH)
    environment = {name: value for name, value in os.environ.items() if name not in {"CI", "GITHUB_ACTIONS"}}
    environment |= {"PYTHONPATH": str(folder), "WATCHED": str(folder / "record"), "HOME": str(folder / "home")}
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    record = folder / "record"
    return record.read_text() if record.exists() else ""


def test_the_watch_sees_a_look_up(tmp_path: Path) -> None:
    assert "socket.getaddrinfo" in watched(tmp_path, "-c", "import socket; socket.getaddrinfo('localhost', 80)")


@pytest.mark.parametrize(
    "command",
    [
        ["transcribe", "captain.wav", "morning.wav", "-f", "all", "-o", "OUT", "--workers", "2"],
        ["transcribe", "captain.wav", "-m", "an4", "--beam", "0"],
        ["bulk", "plan", "captain.wav", "OUT"],
        ["info"],
        ["recipe", "show", "smoke.yaml"],
        ["evaluate", "an4", "MANIFEST", "-o", "OUT"],
        ["train", "smoke.yaml", "--run-dir", "OUT", "--check"],
    ],
    ids=lambda command: command[0],
)
def test_no_command_reaches_for_the_network(command: list[str], tmp_path: Path) -> None:
    manifest = tmp_path / "m.jsonl"
    manifest.write_text(f'{{"audio_filepath": "{EXAMPLES}/enter.wav", "duration": 1.8, "text": "ENTER TWO"}}\n')
    recipe = EXAMPLES.parent / "recipes" / "smoke.yaml"
    data = f"data.train=[{manifest}]", f"data.dev=[{manifest}]", "text.alphabet=' abcdefghijklmnopqrstuvwxyz'"
    values = {"MANIFEST": str(manifest), "OUT": str(tmp_path / "out"), "smoke.yaml": str(recipe)}
    arguments = [values.get(word, str(EXAMPLES / word) if word.endswith(".wav") else word) for word in command]
    assert watched(tmp_path, "-m", "asr", *arguments, *(data if command[0] == "train" else ())) == ""
