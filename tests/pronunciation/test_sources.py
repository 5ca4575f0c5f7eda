"""Pronunciations from a dictionary file or from inside a model."""

import base64
import dataclasses
from pathlib import Path

import pytest

from asr import models
from asr.errors import DataError, ModelError
from asr.models.description import AcousticDescription
from asr.models.session import OnnxModel
from asr.pronunciation import sources
from asr.pronunciation.lexicon import Lexicon

LEXICON = Lexicon(("AH", "N", "OW"), {"no": (("N", "OW"),), "know": (("N", "OW"),), "a": (("AH",), ("OW",))})


@pytest.fixture(scope="module")
def description() -> AcousticDescription:
    packed = base64.b64encode(LEXICON.to_bytes()).decode()
    plain = OnnxModel(models.find("an4")).description
    return dataclasses.replace(plain, phones=LEXICON.phones, lexicon=packed)


def test_a_model_holds_the_pronunciations_that_were_put_in(description: AcousticDescription) -> None:
    assert sources.embedded(description) == LEXICON
    assert sources.embedded(dataclasses.replace(description, lexicon="")) is None
    assert sources.embedded(dataclasses.replace(description, phones=())) is None  # no head to search in


@pytest.mark.parametrize("damage", ["%%%", "AAAA", base64.b64encode(LEXICON.to_bytes()[:-9]).decode()])
def test_damaged_ones_are_refused(description: AcousticDescription, damage: str) -> None:
    with pytest.raises(ModelError, match=r"inside the model 'an4' are damaged .*: tune the model again"):
        sources.embedded(dataclasses.replace(description, lexicon=damage))


def test_those_of_another_network_are_refused(description: AcousticDescription) -> None:
    with pytest.raises(ModelError, match="have other phones than its network: tune the model again"):
        sources.embedded(dataclasses.replace(description, phones=("AH", "N", "UW")))


def test_a_dictionary_is_a_file_and_a_model_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.txt").write_text("no N OW1\n")
    assert sources.load(Path("own.txt")).words == {"no": (("N", "OW"),)}
    with pytest.raises(DataError, match="The model 'an4' holds no pronunciations: give a dictionary"):
        sources.load(Path("an4"))
    Path("an4").write_text("ab AE B\n")  # a file of this name is meant
    assert sources.load(Path("an4")).words == {"ab": (("AE", "B"),)}
    with pytest.raises(ModelError, match="does not exist"):
        sources.load(Path("none.onnx"))
    with pytest.raises(DataError, match="No such file"):
        sources.load(Path("none.txt"))
