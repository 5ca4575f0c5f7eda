"""Transcripts as phone tokens, and a training run with a head over phones from its recipe to its exported file."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from asr.cli import main
from asr.errors import DataError
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchModel
from asr.pronunciation import letters_to_sounds
from asr.text import BOUNDARY
from asr.training import checkpoint
from asr.training.acoustic import phones

ROOT = Path(__file__).resolve().parents[3]
DICTIONARY = """;;; a comment
THE  DH AH0
THE(2)  DH IY0
CAT  K AE1 T
SAT  S AE1 T
TEA  T IY1
"""
PHONES = ("T", "S", "K", "IY", "DH", "AH", "AE")


@pytest.fixture
def dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "dictionary.txt"
    path.write_text(DICTIONARY)
    return path


def test_a_transcript_has_the_first_pronunciations_with_boundaries(
    dictionary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters_to_sounds, "train", lambda _: pytest.fail("there is nothing to convert"))
    targets = phones.load(dictionary, PHONES, ["the cat sat", "tea"])
    token = {name: number for number, name in enumerate(PHONES, start=2)}
    expected = [token[name] if name else BOUNDARY for name in ["DH", "AH", "", "K", "AE", "T", "", "S", "AE", "T"]]
    assert targets.encode("the cat sat") == expected
    assert targets.encode("tea") == [token["T"], token["IY"]]
    assert targets.encode("") == []
    assert targets.encode("the dog sat") == []
    assert targets.summary == (
        "7; of 4 words 4 are in the dictionary, 0 are pronounced by rules, 0 have no pronunciation"
    )
    assert pickle.loads(pickle.dumps(targets)).encode("the cat sat") == expected


def test_words_that_the_dictionary_lacks_are_converted(dictionary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Converter:
        def pronounce(self, word: str) -> tuple[str, ...]:
            return {"sea": ("S", "IY")}.get(word, ())

    given = []
    monkeypatch.setattr(letters_to_sounds, "train", lambda words: given.append(words) or Converter())
    targets = phones.load(dictionary, PHONES, ["the sea", "the xyz", "cat"])
    assert given[0]["the"] == (("DH", "AH"), ("DH", "IY"))
    assert targets.encode("the sea") == [6, 7, BOUNDARY, 3, 5]
    assert targets.encode("the xyz") == []
    assert "of 4 words 2 are in the dictionary, 1 are pronounced by rules, 1 have no pronun" in targets.summary


def test_phones_that_the_model_lacks_are_named(dictionary: Path) -> None:
    with pytest.raises(DataError, match=r"have phones that `model.phones` does not have \(AH, IY\): add them there"):
        phones.load(dictionary, ("AE", "DH", "K", "S", "T"), [])


# Training

LETTERS = "abcdef"
NAMES = [f"{letter.upper()}{letter.upper()}" for letter in LETTERS]


@pytest.fixture(scope="module")
def toy_dictionary(smoke_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One phone per letter, with most of the words of the corpus of tones."""
    words = {word for part in ("train", "dev") for word in _words(smoke_corpus / f"{part}.jsonl")}
    assert len(words) > 50
    path = tmp_path_factory.mktemp("toy") / "dictionary.txt"
    lines = (f"{word} {' '.join(NAMES[LETTERS.index(letter)] for letter in word)}\n" for word in sorted(words)[5:])
    path.write_text("".join(lines))
    return path


def _words(manifest: Path) -> set[str]:
    from asr.data.manifest import read

    return {word for utterance in read(manifest) for word in utterance.text.split()}


def with_phones(dictionary: Path, names: list[str]) -> list[str]:
    return [f"model.phones=[{', '.join(names)}]", f"objective.pronunciations={dictionary}"]


def train(overrides: list[str], run_dir: Path, *more: str) -> Result:
    command = ["train", str(ROOT / "recipes" / "smoke.yaml"), *overrides, *more, "--run-dir", str(run_dir)]
    return CliRunner().invoke(main, command)


@pytest.fixture(scope="module")
def phone_run(smoke_overrides: list[str], toy_dictionary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of the smoke recipe with a head over phones."""
    run_dir = tmp_path_factory.mktemp("runs") / "phones"
    result = train([*smoke_overrides, *with_phones(toy_dictionary, NAMES)], run_dir)
    assert result.exit_code == 0, result.output
    assert "are in the dictionary, 5 are pronounced by rules" in " ".join(result.output.split())
    return run_dir


def test_letters_and_phones_are_learnt(phone_run: Path, smoke_corpus: Path) -> None:
    model = checkpoint.load(phone_run)
    assert model.description.phones == tuple(NAMES)
    assert model.description.scores["dev"]["wer"]["rate"] == 0
    assert wrongly_spoken(model, smoke_corpus / "dev.jsonl") <= 1


def test_they_are_learnt_with_mmi_too(
    smoke_overrides: list[str], toy_dictionary: Path, smoke_corpus: Path, tmp_path: Path
) -> None:
    result = train([*smoke_overrides, *with_phones(toy_dictionary, NAMES), "objective.phone_mmi=0.9"], tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert wrongly_spoken(checkpoint.load(tmp_path / "run"), smoke_corpus / "dev.jsonl") <= 1


def wrongly_spoken(model: TorchModel, manifest: Path) -> int:
    """How many of 20 utterances have another best path than their phones."""
    wrong = total = 0
    for text, found in spoken(model, manifest):
        expected = [BOUNDARY if letter == " " else LETTERS.index(letter) + 2 for letter in text]
        total, wrong = total + 1, wrong + (found != expected)
    assert total == 20
    return wrong


def spoken(model: TorchModel, manifest: Path) -> list[tuple[str, list[int]]]:
    """The transcript of each utterance, and the phone tokens of the best path."""
    from asr.data.manifest import read
    from asr.evaluation.recognition import reader

    result, load = [], reader(model.description.sample_rate)
    for utterance in read(manifest):
        (log_probs,) = model.log_probs([load(utterance)])
        assert log_probs.shape[1] == model.description.columns
        path = log_probs[:, model.description.tokenizer.size :].argmax(axis=1)
        changes = path[np.r_[True, path[1:] != path[:-1]]]
        result.append((utterance.text, changes[changes != 0].tolist()))
    return result


def test_the_exported_file_has_the_phones(phone_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "phones.onnx"
    result = CliRunner().invoke(main, ["export", str(phone_run), str(path)])
    assert result.exit_code == 0, result.output
    before, exported, after = checkpoint.load(phone_run), OnnxModel(path), checkpoint.load(path)
    assert exported.description == before.description == after.description
    torch.testing.assert_close(after.network.state_dict(), before.network.state_dict(), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("names", "fresh"),
    [(NAMES, []), ([*NAMES, "GG"], ["phone_head.weight", "phone_head.bias"])],
    ids=["same phones", "other phones"],
)
def test_a_run_can_start_from_a_model_with_phones(
    names: list[str],
    fresh: list[str],
    phone_run: Path,
    smoke_overrides: list[str],
    toy_dictionary: Path,
    tmp_path: Path,
) -> None:
    more = ["--init", str(phone_run), "training.epochs=1", "optimiser.learning_rate=1e-9"]
    result = train([*smoke_overrides, *with_phones(toy_dictionary, names)], tmp_path / "tuned", *more)
    assert result.exit_code == 0, result.output
    assert f"newly initialised: {', '.join(fresh) or 'nothing'}" in " ".join(result.output.split())
    before, after = (checkpoint.load(path).network.state_dict() for path in (phone_run, tmp_path / "tuned"))
    same = [name for name in before if name not in fresh]
    torch.testing.assert_close({n: after[n] for n in same}, {n: before[n] for n in same}, rtol=0, atol=1e-6)


def test_a_run_can_start_from_a_model_without_phones(
    smoke_run: Path, smoke_overrides: list[str], toy_dictionary: Path, tmp_path: Path
) -> None:
    more = ["--init", str(smoke_run), "training.epochs=1", "optimiser.learning_rate=1e-9"]
    result = train([*smoke_overrides, *with_phones(toy_dictionary, NAMES)], tmp_path / "tuned", *more)
    assert result.exit_code == 0, result.output
    assert "newly initialised: phone_head.weight, phone_head.bias" in " ".join(result.output.split())
    before, after = (checkpoint.load(path) for path in (smoke_run, tmp_path / "tuned"))
    new = after.network.state_dict()
    torch.testing.assert_close(
        {name: new[name] for name in before.network.state_dict()}, before.network.state_dict(), rtol=0, atol=1e-6
    )


def test_a_run_without_phones_can_start_from_a_model_with_phones(
    phone_run: Path, smoke_overrides: list[str], tmp_path: Path
) -> None:
    more = ["--init", str(phone_run), "training.epochs=1", "optimiser.learning_rate=1e-9"]
    result = train(smoke_overrides, tmp_path / "tuned", *more)
    assert result.exit_code == 0, result.output
    assert "newly initialised: nothing" in result.output
    assert checkpoint.load(tmp_path / "tuned").network.phone_head is None


def test_a_stopped_run_with_phones_can_be_resumed_and_checked(
    smoke_overrides: list[str], toy_dictionary: Path, tmp_path: Path
) -> None:
    overrides = [*smoke_overrides, *with_phones(toy_dictionary, NAMES)]
    assert train(overrides, tmp_path / "run", "training.epochs=1").exit_code == 0
    result = train(overrides, tmp_path / "run", "training.epochs=2", "--resume")
    assert result.exit_code == 0, result.output


def test_the_shipped_english_model_is_read_for_fine_tuning() -> None:
    model = checkpoint.load(ROOT / "asr" / "models" / "english.onnx")
    assert len(model.description.phones) == 39
    assert model.network.phone_head is not None
    assert model.network.phone_head.out_features == 39 + 2  # the blank, and the boundary between two words
