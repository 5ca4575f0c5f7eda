"""`scripts/spelled_text.py`: the commonest words, each spelled once, then as many codes."""

import re
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "spelled_text.py"


def test_words_by_frequency_then_codes(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("The cat, the dog; the cat's élan!\nA dog is on a mat: cat cat mat.\n", "utf-8")
    command = [sys.executable, SCRIPT, tmp_path / "text.txt", "--words", "4"]
    first, second = (subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(2))
    assert first == second
    lines = first.splitlines()
    assert lines[:4] == ["c a t", "t h e", "d o g", "m a t"]
    digits = "zero|one|two|three|four|five|six|seven|eight|nine"
    assert len(lines) == 8
    assert all(re.fullmatch(rf"[a-z]( [a-z]){{0,5}}( ({digits})){{0,4}}", line) for line in lines[4:])
