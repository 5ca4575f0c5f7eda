"""The Python interface: public names, wrong types, pickling, and a strict type check of a user's script."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import asr

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SPOKEN = "Enter two nine eight one."


@pytest.fixture(scope="module")
def transcriber() -> asr.Transcriber:
    return asr.load("an4", threads=1)


def test_every_public_name_is_there() -> None:
    for name in asr.__all__:
        assert getattr(asr, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        asr.nothing  # noqa: B018


def test_a_transcript_as_a_string_is_its_text(transcriber: asr.Transcriber) -> None:
    assert str(transcriber.transcribe(EXAMPLES / "enter.wav")) == SPOKEN


def test_a_transcriber_is_pickled_by_its_path_and_options(transcriber: asr.Transcriber) -> None:
    again = pickle.loads(pickle.dumps(transcriber))
    assert repr(again) == repr(transcriber)
    assert "'an4'" in repr(again)
    assert again.transcribe(EXAMPLES / "enter.wav").text == SPOKEN


@pytest.mark.parametrize("source", [None, 3, {"a": 1}, object()])
def test_what_is_no_audio_is_a_type_error_that_says_so(transcriber: asr.Transcriber, source: object) -> None:
    with pytest.raises(TypeError, match=f"object of type {type(source).__name__}: give a path") as caught:
        transcriber.transcribe(source)  # type: ignore[arg-type]
    assert isinstance(caught.value, asr.AsrError)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: asr.load(3), "`model` must be a path or a name, not of type int"),  # type: ignore[arg-type]
        (lambda: asr.load("an4", hot_words="pittsburgh"), r'list of words .* such as \["pittsburgh"\]'),  # type: ignore[arg-type]
        (lambda: asr.score("a", "b"), "two lists of texts"),
    ],
)
def test_wrong_types_of_arguments_are_type_errors(call, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call()


def test_hot_words_may_be_a_list() -> None:
    assert "1 hot word" in repr(asr.load("an4", hot_words=["pittsburgh"]))


def test_align_and_score() -> None:
    words = asr.align(EXAMPLES / "enter.wav", "Enter two, nine eight one.", "an4").words
    assert [word.text for word in words] == ["Enter", "two,", "nine", "eight", "one."]
    assert [word.ends_sentence for word in words] == [False] * 4 + [True]
    assert asr.score(["The cat."], ["the cat"], normalise=True).words.errors == 0
    assert asr.score(["a b", "c"], ["a x", "c"]).words.rate == pytest.approx(1 / 3)
    with pytest.raises(asr.DataError, match="1 references and 2 hypotheses"):
        asr.score(["a"], ["a", "b"])


def test_the_model_of_the_environment_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASR_MODEL", "an4")
    assert "'an4'" in repr(asr.load(threads=1))


def test_importing_asr_loads_neither_numpy_nor_onnxruntime() -> None:
    code = "import sys, asr; print({'numpy', 'onnxruntime', 'numba', 'torch'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_types_are_declared() -> None:
    assert (Path(asr.__file__).parent / "py.typed").is_file()
