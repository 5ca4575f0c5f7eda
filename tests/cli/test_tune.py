"""`asr tune` and the decoding options of the other commands, as a user runs them."""

import base64
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from asr.cli import main
from asr.data import manifest
from asr.decoding.beam.options import BeamOptions
from asr.decoding.beam.search import BeamSearch
from asr.evaluation.recognition import reader
from asr.lm import packed
from asr.models.session import OnnxModel
from asr.pronunciation import sources
from asr.scoring.wer import score
from asr.transcription import windows


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def lm(smoke_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    parts = ("train", "dev")  # the words of the toy's corpus are random, so another part's would be unknown
    texts = [utterance.text for part in parts for utterance in manifest.read(smoke_corpus / f"{part}.jsonl")]
    (folder / "text.txt").write_text("\n".join(texts) + "\n")
    assert run("lm", "train", folder / "text.txt", "-o", folder / "lm.arpa").exit_code == 0
    return folder / "lm.arpa"


@pytest.fixture(scope="module")
def noisy_dev(smoke_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dev set with enough noise that the toy model makes errors."""
    import soundfile

    folder = tmp_path_factory.mktemp("noisy")
    random = np.random.default_rng(0)
    rows = []
    for utterance in manifest.read(smoke_corpus / "dev.jsonl"):
        samples, rate = soundfile.read(utterance.audio_filepath, dtype="float32")
        noise = random.normal(size=len(samples)).astype(np.float32) * samples.std() * 0.03
        soundfile.write(folder / f"{utterance.id}.wav", (samples + noise).clip(-1, 1), rate)
        rows.append(
            json.dumps(
                {
                    "id": utterance.id,
                    "audio_filepath": f"{utterance.id}.wav",
                    "duration": len(samples) / rate,
                    "text": utterance.text,
                    "speaker": utterance.speaker,
                }
            )
        )
    (folder / "dev.jsonl").write_text("\n".join(rows) + "\n")
    return folder / "dev.jsonl"


def test_given_weights_are_stored_as_they_are(smoke_model: Path, noisy_dev: Path, lm: Path, tmp_path: Path) -> None:
    model, given = tmp_path / "model.onnx", ["--lm", lm, "--beam", 20, "--weights", 0.35, -0.75]
    shutil.copy(smoke_model, model)
    result = run("tune", model, noisy_dev, *given)
    assert result.exit_code == 0, result.output
    assert "LM weight" not in result.output
    found = OnnxModel(model).description.decoding
    assert (found.lm_weight, found.word_bonus) == (0.35, -0.75)
    assert found.lm_size == packed.load(lm).size
    for wrong, reason in (
        (["--weights", 1, 0], "--weights needs a language model: give it with --lm"),
        (["--beam", 8], "--beam needs a language model: give it with --lm or --rescore"),
        (["--picture", tmp_path / "grid.png"], "--picture needs a language model: give it with --lm"),
        ([*given, "--picture", tmp_path / "grid.png"], "--picture draws the weights that were tried"),
    ):
        result = run("tune", smoke_model, noisy_dev, *wrong)
        assert result.exit_code == 2
        assert reason in " ".join(result.output.split())


def test_the_best_cell_of_the_grid_is_stored_in_the_file(
    smoke_model: Path, noisy_dev: Path, lm: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model.onnx"
    shutil.copy(smoke_model, model)
    picture = tmp_path / "grid.png"
    result = run("tune", model, noisy_dev, "--lm", lm, "--include-lm", "--beam", 20, "--picture", picture)
    assert result.exit_code == 0, result.output
    with Image.open(picture) as image:
        assert image.size[0] > 300

    loaded = OnnxModel(model)
    settings = loaded.description.decoding
    assert (settings.beam, settings.lm_size) == (20, tuple(packed.load(lm).counts))
    lines = result.stdout.splitlines()
    bonuses = next(line for line in lines if line.startswith("LM weight ")).split()[2:]
    grid = {
        (float(match[1]), float(bonus)): rate
        for line in lines
        if (match := re.match(r" +(-?[\d.]+) +(\d+\.\d\d[ *] *)+$", line))
        for bonus, rate in zip(bonuses, re.findall(r"\d+\.\d\d[ *]?", line)[-len(bonuses) :], strict=True)
    }
    assert len(grid) >= 49
    best = min(float(rate.rstrip("* ")) for rate in grid.values())
    (marked,) = (pair for pair, rate in grid.items() if rate.endswith("*"))
    assert marked == (settings.lm_weight, settings.word_bonus)
    assert float(grid[marked].rstrip("* ")) == best

    # The cell says what a search with these weights gives.
    utterances = manifest.read(noisy_dev)
    read = reader(loaded.description.sample_rate)
    options = BeamOptions(width=20, lm_weight=settings.lm_weight, word_bonus=settings.word_bonus)
    ngram = packed.loads(packed.dumps(packed.load(lm)), "lm")
    log_probs = [windows.log_probs(loaded, read(utterance)) for utterance in utterances]
    prior = np.log(np.exp(np.concatenate(log_probs)).mean(axis=0))
    assert settings.log_prior == pytest.approx(0.6 * prior, abs=1e-3)
    search = BeamSearch(loaded.description.tokenizer, options, ngram=ngram, log_prior=np.array(settings.log_prior))
    texts = [search.decode(rows)[0].text for rows in log_probs]
    counted = score([utterance.text for utterance in utterances], texts).words
    assert f"{100 * counted.errors / counted.reference:.2f}" == f"{best:.2f}"

    # The tuned settings are the default of the other commands.
    decoded = json.loads(run("evaluate", model, noisy_dev, "--json").stdout)
    assert decoded["summary"]["words"]["errors"] == counted.errors
    assert decoded["decoding"].startswith("beam search of 20 prefixes, the model's own language model")
    greedy = json.loads(run("evaluate", model, noisy_dev, "--json", "--beam", 0).stdout)
    assert greedy["decoding"].startswith("greedy")
    assert greedy["summary"]["words"]["errors"] > counted.errors


def test_the_temperature_calibrates_the_confidence(smoke_model: Path, noisy_dev: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned.onnx"
    result = run("tune", smoke_model, noisy_dev, "-o", tuned)
    assert result.exit_code == 0, result.output
    match = re.search(r"temperature ([\d.]+), calibration error ([\d.]+) % -> ([\d.]+) %", result.stdout)
    assert match is not None
    temperature, before, after = map(float, match.groups())
    assert temperature != 1
    assert OnnxModel(tuned).description.decoding.temperature == temperature
    reports = [json.loads(run("evaluate", model, noisy_dev, "--json").stdout) for model in (smoke_model, tuned)]
    assert [100 * report["calibration"]["error"] for report in reports] == pytest.approx([before, after], abs=0.06)
    untuned, fitted = map(cross_entropy, reports)  # it is what is fitted; the calibration error mostly follows
    assert fitted < untuned


def cross_entropy(report: dict[str, Any]) -> float:
    """How badly the confidence of the recognised words predicts whether they are right."""
    values = []
    for utterance in report["utterances"]:
        is_hit = [kind == "hit" for kind, _, hypothesis in utterance["pairs"] if hypothesis is not None]
        for right, word in zip(is_hit, utterance["recognised"], strict=True):
            confidence = min(max(word["confidence"], 1e-6), 1 - 1e-6)
            values.append(-math.log(confidence if right else 1 - confidence))
    return sum(values) / len(values)


def test_unsure_speech_is_skipped_unless_the_user_wants_it(smoke_model: Path, noisy_dev: Path, tmp_path: Path) -> None:
    tuned, count = tmp_path / "tuned.onnx", len(manifest.read(noisy_dev))
    result = run("tune", smoke_model, noisy_dev, "--min-confidence", 1, "-o", tuned)
    assert result.exit_code == 0, result.output
    match = re.search(rf"skips (\d+) of {count} utterances, which loses (\d+) correct words", result.stdout)
    assert match is not None
    num_skipped, num_correct = map(int, match.groups())
    assert num_skipped > 0
    assert num_correct > 0

    def hits(*options: object) -> int:
        words = json.loads(run("evaluate", tuned, noisy_dev, "--json", *options).stdout)["summary"]["words"]
        return words["reference"] - words["substitutions"] - words["deletions"]

    assert hits("--min-confidence", 0) - hits() == num_correct
    assert hits("--min-confidence", 0) > 0


def test_tuning_again_keeps_the_embedded_language_model(
    smoke_model: Path, noisy_dev: Path, lm: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copy(smoke_model, tmp_path / "m.onnx"))
    assert run("tune", path, noisy_dev, "--lm", lm, "--include-lm", "--min-confidence", "0.2").exit_code == 0
    before = OnnxModel(path).description
    assert run("tune", path, noisy_dev).exit_code == 0
    after = OnnxModel(path).description
    assert after.language_model == before.language_model
    new, old = after.decoding, before.decoding
    assert (new.beam, new.lm_weight, new.word_bonus) == (old.beam, old.lm_weight, old.word_bonus)
    assert new.min_confidence == 0.2
    result = run("tune", path, noisy_dev, "--lm", lm)
    assert result.exit_code == 2
    assert "has an embedded language model" in " ".join(result.stderr.split())


@pytest.mark.parametrize("option", ["--beam=20", "--picture=grid.png"])
def test_options_that_need_a_language_model_are_refused_without(
    smoke_model: Path, noisy_dev: Path, tmp_path: Path, option: str
) -> None:
    result = run("tune", smoke_model, noisy_dev, "-o", tmp_path / "m.onnx", option)
    assert result.exit_code == 2
    assert "language model" in result.stderr
    assert not (tmp_path / "m.onnx").exists()


def test_a_shipped_model_is_not_changed(noisy_dev: Path) -> None:
    result = run("tune", "an4", noisy_dev)
    assert result.exit_code == 2
    assert "with -o" in " ".join(result.stderr.split())


def test_options_are_repeated_in_the_report(smoke_model: Path, noisy_dev: Path, lm: Path) -> None:
    arguments = ["--beam", "8", "--lm", str(lm), "--min-confidence", "0.01", "--hot-word", "a=2.5"]
    result = run("evaluate", smoke_model, noisy_dev, "--json", *arguments)
    assert result.exit_code == 0, result.output
    command = json.loads(result.stdout)["origin"]["command"]
    assert command == " ".join(["asr evaluate", str(smoke_model), str(noisy_dev), *arguments])
    assert "asr tune" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hot-word", "a=b"], "the boost 'b' is not a number"),
        (["--hot-word", "ß"], "cannot be written in the model's alphabet"),
        (["--beam", "0", "--hot-word", "a"], "Greedy decoding"),
        (["--lm", "missing.arpa"], "missing.arpa"),
        (["--rescore", "missing.onnx"], "missing.onnx"),
    ],
)
def test_an_invalid_option_is_one_sentence(
    smoke_model: Path, noisy_dev: Path, arguments: list[str], message: str
) -> None:
    for command in (["transcribe", "--model", smoke_model], ["evaluate", smoke_model]):
        result = run(*command, noisy_dev, *arguments)
        assert result.exit_code != 0
        assert message in result.stderr
        assert "Traceback" not in result.stderr


@pytest.fixture(scope="module")
def phone_model(smoke_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy model with a head over phones, which are its letters by other names."""
    from asr.recipe.files import recipe_from_tree
    from asr.training import checkpoint

    source = checkpoint.load(smoke_model)
    tree = dict(source.description.recipe)
    letters = sorted(set(source.description.tokenizer.alphabet) - {" "})
    tree["model"] = {**tree["model"], "phones": [f"{letter}-sound" for letter in letters]}
    tree["objective"] = {"pronunciations": "toy.txt"}
    model = checkpoint.build(recipe_from_tree(tree, "of the toy"), source.description.tokenizer)
    tokens = source.description.tokenizer.alphabet
    rows = [0, *(1 + tokens.index(letter) for letter in [" ", *letters])]
    head = {f"phone_head.{name}": getattr(source.network.head, name).detach()[rows] for name in ("weight", "bias")}
    model.network.load_state_dict(model.network.state_dict() | source.network.state_dict() | head)
    folder = tmp_path_factory.mktemp("phones")
    checkpoint.save(folder / "model.safetensors", model.network, model.description, made_with="", created="", scores={})
    result = run("export", folder / "model.safetensors", folder / "model.onnx")
    assert result.exit_code == 0, result.output
    return folder / "model.onnx"


def test_pronunciations_are_embedded_and_searched(
    phone_model: Path, noisy_dev: Path, lm: Path, smoke_corpus: Path, tmp_path: Path
) -> None:
    dictionary, model = tmp_path / "toy.txt", tmp_path / "model.onnx"
    texts = [u.text for part in ("train", "dev") for u in manifest.read(smoke_corpus / f"{part}.jsonl")]
    words = sorted(set(" ".join(texts).split()))
    spelled = [f"{word} {' '.join(f'{letter}-sound' for letter in word)}\n" for word in words[::2]]  # others by rules
    dictionary.write_text("".join(spelled))

    refused = run("tune", phone_model, noisy_dev, "--lm", lm, "--pronunciations", dictionary, "-o", model)
    assert (refused.exit_code, "--include-lm" in refused.output) == (2, True)
    result = run(
        "tune", phone_model, noisy_dev, "--lm", lm, "--include-lm", "--pronunciations", dictionary, "-o", model
    )
    assert result.exit_code == 0, result.output

    def evaluated(*options: object) -> dict[str, Any]:
        result = run("evaluate", model, noisy_dev, "--json", *options)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    by_phones, by_letters, hot = (
        evaluated(),
        evaluated("--lm", lm),
        evaluated("--hot-word", words[0], "--hot-word", "fedcbafed"),
    )
    assert all("words found by their phones" in found["decoding"] for found in (by_phones, hot))
    assert "phones" not in by_letters["decoding"] + evaluated("--no-lm")["decoding"]
    errors = [found["summary"]["words"]["errors"] for found in (by_phones, by_letters)]
    assert errors[0] <= errors[1] * 1.1 + 1
    description = OnnxModel(model).description
    assert len(description.decoding.log_prior) == description.columns
    again = run("tune", model, noisy_dev, "-o", tmp_path / "again.onnx")  # with what is embedded
    assert again.exit_code == 0, again.output
    assert OnnxModel(tmp_path / "again.onnx").description.lexicon == description.lexicon
    known = sources.load(model).words  # a dictionary for other models
    assert known[words[1]] == (tuple(f"{letter}-sound" for letter in words[1]),)

    # What is embedded serves another model, such as one that was trained on from this one.
    copy, packed = tmp_path / "copy.onnx", tmp_path / "packed.bin"
    result = run("tune", phone_model, noisy_dev, "--lm", model, "--include-lm", "--pronunciations", model, "-o", copy)
    assert result.exit_code == 0, result.output
    copied = OnnxModel(copy).description
    assert (copied.language_model, copied.lexicon) == (description.language_model, description.lexicon)
    assert copied.decoding.lm_weight == description.decoding.lm_weight
    packed.write_bytes(base64.b64decode(description.language_model))
    assert evaluated("--lm", copy)["summary"] == evaluated("--lm", packed)["summary"]
    result = run("evaluate", copy, noisy_dev, "--lm", phone_model)
    assert (result.exit_code, "holds no language model" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("fixture", "status", "message"),
    [("phone_model", 1, "have phones that the model does not have (D, ER, W)"), ("smoke_model", 2, "model.phones")],
)
def test_pronunciations_fit_the_head_over_phones(
    fixture: str,
    status: int,
    message: str,
    noisy_dev: Path,
    lm: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    dictionary, tuned = tmp_path / "other.txt", tmp_path / "model.onnx"
    dictionary.write_text("word W ER D\n")
    options = ["--lm", lm, "--include-lm", "--pronunciations", dictionary, "-o", tuned]
    result = run("tune", request.getfixturevalue(fixture), noisy_dev, *options)
    assert (result.exit_code, message in result.output) == (status, True)
    assert not tuned.exists()
