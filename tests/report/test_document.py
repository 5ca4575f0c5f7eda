"""report.json: all numbers follow from the utterances in it."""

import json
from pathlib import Path

import pytest

from asr.data.manifest import Utterance
from asr.evaluation.corpora import Corpus
from asr.report import document, recognised
from asr.report.document import Document
from asr.scoring.wer import score
from asr.text import ENGLISH, normalise
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word


def test_it_is_json_with_missing_values() -> None:
    utterance = Utterance("1", Path("1.wav"), 2.0, "")
    built = build([utterance], [()])
    assert json.loads(json.dumps(built, allow_nan=False)) == built
    assert built["summary"]["words"]["rate"] is None
    assert built["calibration"] is None
    assert built["parts"]["speaker"] == []
    assert built["utterances"][0]["confidence"] is None


def build(utterances: list[Utterance], words: list[tuple[Word, ...]]) -> Document:
    transcripts = [Transcript(recognised, 1.0) for recognised in words]
    scored = score(
        [normalise(utterance.text, ENGLISH) for utterance in utterances],
        [transcript.text for transcript in transcripts],
        ids=[utterance.id for utterance in utterances],
        speakers=[utterance.speaker for utterance in utterances],
    )
    corpora = [Corpus("c", Path("c.jsonl"), tuple(utterances))]
    return recognised.build(
        corpora, transcripts, scored, alphabet=ENGLISH, model={}, decoding="greedy", elapsed_s=0.5, cores=2, origin={}
    )


def test_the_summary_is_the_sum_of_the_utterances(made) -> None:
    utterances, words = made.document["utterances"], made.document["summary"]["words"]
    for name in ("errors", "substitutions", "deletions", "insertions", "reference"):
        assert words[name] == sum(utterance["words"][name] for utterance in utterances)
    assert words["rate"] == words["errors"] / words["reference"]
    for kind, name in {"substitution": "substitutions", "deletion": "deletions", "insertion": "insertions"}.items():
        assert words[name] == sum(pair[0] == kind for utterance in utterances for pair in utterance["pairs"])
    assert made.document["summary"]["sentences"]["errors"] == sum(u["words"]["errors"] > 0 for u in utterances)
    assert words["interval"]["by"] == "speaker"


@pytest.mark.parametrize("kind", ["corpus", "speaker", "group", "duration", "speaking_rate"])
def test_the_parts_add_up(made, kind: str) -> None:
    parts, summary = made.document["parts"][kind], made.document["summary"]
    assert len(parts) >= (1 if kind == "speaking_rate" else 2)
    assert sum(part["utterances"] for part in parts) == summary["utterances"]
    assert sum(part["words"]["errors"] for part in parts) == summary["words"]["errors"]


def test_groups_need_two_values_within_a_corpus() -> None:
    def utterance(name: str, gender: str | None = None, age: str | None = None) -> Utterance:
        return Utterance(name, Path(name), 1.0, "one two", gender=gender, age=age)

    words = (Word("one", 0.0, 0.5, 0.9),)
    utterances = [
        utterance("1", gender="female", age="20-29"),
        utterance("2", gender="male", age="20-29"),
        utterance("3"),
    ]
    parts = build(utterances, [words, (), words])["parts"]["group"]
    assert [(part["name"], part["trait"], part["value"], part["utterances"]) for part in parts] == [
        ("female", "gender", "female", 1),
        ("male", "gender", "male", 1),
    ]
    assert [part["words"]["errors"] for part in parts] == [1, 2]


def test_pairs_spell_both_texts_and_recognised_words_the_hypothesis(made) -> None:
    for utterance in made.document["utterances"]:
        for side, name in ((1, "reference"), (2, "hypothesis")):
            assert " ".join(p[side] for p in utterance["pairs"] if p[side] is not None) == utterance[name]
        assert " ".join(word["text"] for word in utterance["recognised"]) == utterance["hypothesis"]


def test_calibration_knows_which_words_are_hits() -> None:
    """The confident words are correct and the unsure one is wrong, after a deletion that shifts the alignment."""
    utterances = [Utterance("1", Path("1.wav"), 2.0, "ONE two three four")]
    words = [("one", 0.99), ("free", 0.42), ("four", 0.98)]
    built = build(utterances, [tuple(Word(text, 0.1, 0.2, confidence) for text, confidence in words)])
    calibration = built["calibration"]
    assert (calibration["words"], calibration["correct"], calibration["auc"]) == (3, 2, 1.0)
    assert [bin_["accuracy"] for bin_ in calibration["bins"]] == [0.0, 1.0]


def test_normalisation_is_documented() -> None:
    texts = ["one two", "One, two!", "room 12", "über 1"]
    utterances = [Utterance(str(place), Path("a.wav"), 1.0, text) for place, text in enumerate(texts)]
    normalisation = build(utterances, [()] * 4)["normalisation"]
    assert normalisation["name"] == "nfkc-lower-alphabet"
    assert normalisation["alphabet"] == ENGLISH
    assert normalisation["changed"] == 1
    assert normalisation["unwritable"] == {"1": 2, "2": 1, "ü": 1}


def test_the_speaking_rate_is_in_reference_words_per_second() -> None:
    utterances = [Utterance(str(n), Path("a.wav"), 2.0, "one " * n) for n in (2, 7)]
    parts = build(utterances, [(), ()])["parts"]["speaking_rate"]
    assert [(part["low"], part["high"], part["utterances"]) for part in parts] == [(1.0, 1.5, 1), (3.5, 4.0, 1)]


def test_speed(made) -> None:
    speed = made.document["speed"]
    assert speed["real_time_factor"] == pytest.approx(1.5 / sum(u["duration_s"] for u in made.document["utterances"]))


def test_the_docstring_names_every_key(made) -> None:
    text = document.__doc__
    assert text is not None
    missing = [key for key in made.document if f"- `{key}`" not in text]
    assert not missing
    assert [key for key in made.document["utterances"][0] if f"`{key}`" not in text] == []
