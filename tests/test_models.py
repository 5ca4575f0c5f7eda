"""The shipped models are in the wheel, transcribe the examples, and still give their golden transcripts."""

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

import asr
from asr import models
from asr.cli import main
from asr.data.manifest import read
from asr.errors import ModelError
from asr.evaluation.recognition import evaluate, recognise, score_transcripts
from asr.models.session import OnnxModel, describe
from asr.readable.labels import parse
from asr.readable.punctuator import Punctuator
from asr.readable.writing import Writing
from asr.text import ENGLISH, normalise
from asr.transcript.words import Word

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "examples.json").read_text(encoding="utf-8"))
SPOKEN = {
    "an4": {"enter.wav": "enter two nine eight one", "pittsburgh.wav": "p i t t s b u r g h"},
    "english": {
        "captain.wav": "the captain of the ship was a man of few words",
        "morning.wav": "it was a cold morning and the streets were empty",
    },
}
"""The text that was synthesized; see examples/README.md."""
SHARED = ROOT.parent / "shared" / "data"
needs_speech = pytest.mark.skipif(
    not SHARED.is_dir(), reason="requires the speech corpora in ../shared/data, which are missing"
)


@pytest.mark.parametrize("model", SPOKEN)
def test_a_model_transcribes_its_examples(model: str) -> None:
    for name, text in SPOKEN[model].items():
        transcript = asr.transcribe(ROOT / "examples" / name, model)
        assert [word.text for word in transcript.spoken] == text.split(" ")


def test_the_default_model_is_shipped_and_transcribes_the_first_example_of_the_readme() -> None:
    name, text = next(iter(SPOKEN[models.DEFAULT].items()))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"asr transcribe examples/{name}" in readme
    written = asr.transcribe(ROOT / "examples" / name).text
    assert normalise(written, ENGLISH) == text
    assert f"\n{written}\n" in readme


@pytest.mark.parametrize("model", GOLDEN)
def test_golden(model: str) -> None:
    """Words match exactly, times within a frame, confidence within the rounding differences between processors."""
    transcriber = asr.load(model)
    for name, expected in GOLDEN[model].items():
        words = transcriber.transcribe(ROOT / "examples" / name).words
        assert [word.text for word in words] == [word["text"] for word in expected]
        for word, golden in zip(words, expected, strict=True):
            assert word.start_s == pytest.approx(golden["start_s"], abs=0.041)
            assert word.end_s == pytest.approx(golden["end_s"], abs=0.041)
            assert word.confidence == pytest.approx(golden["confidence"], abs=0.02)


def test_every_shipped_model_has_golden_words_and_a_licence() -> None:
    assert set(models.shipped()) == set(GOLDEN)
    for path in models.shipped().values():
        description = OnnxModel(path).description
        assert description.name == path.stem
        assert "AN4" in description.licence and "Apache-2.0" in description.licence


def test_the_default_model_with_its_language_model_is_small() -> None:
    path = models.find(models.DEFAULT)
    description = OnnxModel(path).description
    assert description.precision == "int8" and description.language_model and description.decoding.beam
    assert path.stat().st_size < 25e6


def test_the_punctuation_model_is_small_and_names_its_sources() -> None:
    description = describe(models.PUNCTUATION)
    assert models.find("punctuation") == models.PUNCTUATION
    assert models.PUNCTUATION.stat().st_size <= 3_000_000
    for source in ("ELTeC", "Common Voice", "Tatoeba", "Topical-Chat", "Taskmaster"):
        assert source in description.licence
    with pytest.raises(ModelError, match="kind `acoustic model` is needed"):
        OnnxModel(models.PUNCTUATION)


def test_the_punctuation_model_tells_questions_from_sentences_and_knows_i() -> None:
    writing = Writing(Punctuator(models.PUNCTUATION))
    for text in ("What is your name?", "Where do you live?", "I don't think so.", "She said that I was right."):
        words = [Word(word.text, at, at + 0.9, 1.0) for at, word in enumerate(parse(text))]
        assert " ".join(word.text for word in writing.write(words)) == text


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl")), next(folder.glob("*.tar.gz"))


def test_the_wheel_contains_the_models_and_no_tests(built: tuple[Path, Path]) -> None:
    info = f"asr-{asr.__version__}.dist-info"
    with zipfile.ZipFile(built[0]) as archive:
        names = archive.namelist()
        for path in models.shipped().values():
            assert archive.read(f"asr/models/{path.name}") == path.read_bytes()
        assert archive.read("asr/models/punctuation/english.onnx") == models.PUNCTUATION.read_bytes()
        pages = [path for path in (ROOT / "asr" / "pages").rglob("*") if path.suffix in {".html", ".js", ".css", ".gz"}]
        assert len(pages) >= 6
        for path in pages:
            assert archive.read(path.relative_to(ROOT).as_posix()) == path.read_bytes()
        notice = (ROOT / "asr" / "models" / "NOTICE.txt").read_bytes()
        assert archive.read("asr/models/NOTICE.txt") == archive.read(f"{info}/licenses/asr/models/NOTICE.txt") == notice
        assert archive.read(f"{info}/sboms/sbom.cdx.json") == (ROOT / "sbom.cdx.json").read_bytes()
    assert {name.partition("/")[0] for name in names} == {"asr", info}
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_source_distribution_contains_what_its_readme_links_to(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", readme)
    assert len(links) >= 10
    assert {*links, "asr/models/NOTICE.txt", "asr/models/english.onnx"} <= names
    assert not any(name.startswith((".ci", "data/", "runs/")) for name in names)


def test_building_again_gives_the_same_files(built: tuple[Path, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    for path in built:
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_info_shows_the_notices_that_the_licences_ask_for() -> None:
    for name in models.shipped():
        shown = CliRunner().invoke(main, ["info", name, "--full"])
        assert shown.exit_code == 0
        assert "PROVIDED BY CARNEGIE MELLON" in shown.stdout and "Vassil Panayotov" in shown.stdout
    assert "CARNEGIE" not in CliRunner().invoke(main, ["info", "an4"]).stdout


def test_the_bill_of_materials_is_up_to_date() -> None:
    command, env = [sys.executable, "scripts/update_sbom", "--check"], os.environ | {"PYTHONPATH": "."}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@needs_speech
def test_the_english_model_on_books(tmp_path: Path) -> None:
    """The score in the README; int8 may round differently on another processor, so a word or two may differ."""
    command = ["prepare", "jsonl", str(SHARED / "librispeech-train-clean-5.jsonl"), str(tmp_path)]
    subprocess.run([sys.executable, "-m", "asr", *command], check=True, capture_output=True)
    transcriber, utterances = asr.load("english"), read(tmp_path / "test.jsonl")
    transcripts = recognise(transcriber.model, utterances, transcriber.decoder, threads=2)
    rate = score_transcripts(transcriber.model.description, utterances, transcripts).words.rate
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    stated = re.search(r"\| `english`.*?LibriSpeech.*?\| ([\d.]+) % \|", readme)
    assert stated and rate == pytest.approx(float(stated[1]) / 100, abs=0.005)


@needs_speech
def test_the_an4_model_on_the_an4_test_set(tmp_path: Path) -> None:
    """The score in the README, on the recordings themselves."""
    command = ["prepare", "jsonl", str(SHARED / "an4.jsonl"), str(tmp_path)]
    subprocess.run([sys.executable, "-m", "asr", *command], check=True, capture_output=True)
    score = evaluate(OnnxModel(models.find("an4")), read(tmp_path / "test.jsonl"))
    readme = (ROOT / "recipes" / "an4" / "README.md").read_text(encoding="utf-8")
    assert score.words.rate is not None
    assert f"{100 * score.words.rate:.2f} %" in readme
    assert f"{score.words.errors} of {score.words.reference} words" in readme
