"""Plain English of the field: some words of a private dialect that once filled the texts stay out of them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXTS = [*(ROOT / "asr").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
INSTEAD = {
    r"anew": "again",
    r"by heart": "overfit",
    r"foretell|foretold": "predict",
    r"goes on|went on": "continues",
    r"in the place of": "instead of",
    r"passed over": "skipped",
    r"told": "reported",
    r"whole or not at all": "atomically",
    r"wish(es|ed)?": "options",
}
"""Words -> what to write."""


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_words_are_those_of_the_field(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = [
        f"line {text[: match.start()].count(chr(10)) + 1}: '{match.group()}', write '{better}'"
        for words, better in INSTEAD.items()
        for match in re.finditer(rf"\b({words})\b", text, flags=re.IGNORECASE)
    ]
    assert not found, "; ".join(found)
