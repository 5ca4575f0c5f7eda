"""`scripts/bench/`: one program per speed claim, with help that ends in an example, named in docs/benchmarks.md."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = sorted(path for path in (ROOT / "scripts" / "bench").glob("*.py") if path.name != "measure.py")


def test_there_are_benchmarks() -> None:
    assert len(BENCHMARKS) >= 9


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_help_shows_an_example(path: Path) -> None:
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = [line.strip() for line in done.stdout.splitlines()]
    example = text[text.index("Example:") + 1].split()
    assert example[:2] == ["python", f"scripts/bench/{path.name}"]
    assert {word for word in example if word.startswith("--")} <= set(
        done.stdout.replace(" ".join(example), "").split()
    )


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_the_documentation_names_it(path: Path) -> None:
    words = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split()
    assert f"python scripts/bench/{path.name}" in " ".join(words)


def test_json_is_one_object_with_unit_and_results() -> None:
    command = [sys.executable, ROOT / "scripts" / "bench" / "score.py", "--utterances", "20", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    output = json.loads(done.stdout)
    assert output["unit"] == "seconds"
    assert output["results"].keys() >= {"asr score", "jiwer"}
    assert all(value > 0 for value in output["results"].values())
