"""Texts for punctuation models: numbers in words, and whole sentences only."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from punctuated_text import (  # noqa: E402  # pyright: ignore[reportMissingImports]
    LONGEST,
    passages,
    spelled,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mr. Tom paid $5 in 1999.", "Mister Tom paid five dollars in nineteen ninety-nine."),
        ("The 21st of 1,200 at 50%.", "The twenty-first of one thousand two hundred at fifty percent."),
        ("At 5:30, 2.5 of them.", "At 5:30, 2.5 of them."),
    ],
)
def test_spelled(text: str, expected: str) -> None:
    assert spelled(text) == expected


def test_passages_are_whole_sentences() -> None:
    paragraphs = ["It was late. We left, Mr. Smith said.", "THE END", "and so on.", "'What?' she asked at 5:30.", "Go!"]
    assert list(passages(paragraphs)) == ["It was late. We left, Mister Smith said.", "Go!"]
    long = list(passages(["One two three four five six seven. "] * 40))
    assert all(len(line.split()) <= LONGEST for line in long)
    assert sum(len(line.split()) for line in long) == 40 * 7


def test_the_script_writes_all_parts(tmp_path: Path) -> None:
    novels = tmp_path / "x+100_english_novels" / "corpus"
    talks = tmp_path / "y+Topical-Chat" / "conversations"
    everyday = tmp_path / "z+common-voice" / "server" / "data" / "en"
    for folder in (novels, talks, everyday):
        folder.mkdir(parents=True)
    for number in range(13):
        text = "".join(f"In chapter {chapter} of book {number} he left.\n\n" for chapter in range(1_000))
        (novels / f"A_B{number}_1900.txt").write_text(text, encoding="utf-8")
    (novels / "A_Late_1926.txt").write_text("Too late.\n\n" * 900, encoding="utf-8")
    (everyday / "a.txt").write_text("".join(f"I have {n} cats.\n" for n in range(4_100)), encoding="utf-8")
    for name in ("valid", "test"):
        turns = ", ".join(f'{{"message": "Have you seen {n} of them, {name}?"}}' for n in range(20))
        (talks / f"{name}.json").write_text(f'{{"1": {{"content": [{turns}]}}}}', encoding="utf-8")
    command = [sys.executable, ROOT / "scripts" / "punctuated_text.py", tmp_path, tmp_path / "out"]
    subprocess.run(command, check=True, capture_output=True)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"train.txt.xz"} | {
        f"{p}-{k}.txt" for p in ("dev", "test") for k in ("novels", "everyday", "dialogue")
    }
    dev, test = ((tmp_path / "out" / f"{part}-everyday.txt").read_text().splitlines() for part in ("dev", "test"))
    assert len(dev) == len(test) == 2_000
    assert not set(dev) & set(test)
    assert "Too late" not in "".join(path.read_text() for path in (tmp_path / "out").glob("*-novels.txt"))
