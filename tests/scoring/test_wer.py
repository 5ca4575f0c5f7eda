"""Error counts compared with a textbook edit distance and with jiwer."""

import json
import random

import jiwer
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.scoring.alignment import align
from asr.scoring.wer import Counts, score


def distance(a: list[str], b: list[str]) -> int:
    """The edit distance from `a` to `b` by the textbook recursion, row by row."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, row = row, [i]
        for j, y in enumerate(b, start=1):
            row.append(min(above[j] + 1, row[-1] + 1, above[j - 1] + (x != y)))
    return row[-1]


def check(counts: Counts, reference: list[str], hypothesis: list[str]) -> None:
    assert counts.errors == distance(reference, hypothesis)
    assert counts.reference == len(reference)
    assert counts.hits + counts.substitutions + counts.insertions == len(hypothesis)
    assert min(counts.hits, counts.substitutions, counts.deletions, counts.insertions) >= 0
    assert counts.rate == (counts.errors / len(reference) if reference else None)


LINES = st.lists(st.sampled_from(["a", "b", "ab", "é", " ", "\t", "  ", ""]), max_size=9).map(" ".join)


@settings(deadline=None)
@given(st.lists(st.tuples(LINES, LINES), min_size=1, max_size=5))
def test_fewest_edits(pairs: list[tuple[str, str]]) -> None:
    result = score([reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs])
    for utterance, (reference, hypothesis) in zip(result.utterances, pairs, strict=True):
        words = reference.split(), hypothesis.split()
        check(utterance.words, *words)
        check(utterance.characters, list(" ".join(words[0])), list(" ".join(words[1])))
    assert result.sentence_errors == sum(reference.split() != hypothesis.split() for reference, hypothesis in pairs)
    for kind in ("words", "characters"):
        for field in ("hits", "substitutions", "deletions", "insertions", "errors", "reference"):
            counts = [getattr(getattr(utterance, kind), field) for utterance in result.utterances]
            assert getattr(getattr(result, kind), field) == sum(counts)


@pytest.mark.parametrize(
    ("reference", "hypothesis", "words", "characters"),
    [
        ("a b c", "a b c", Counts(3), Counts(5)),
        ("one two three four", "one two four", Counts(3, 0, 1, 0), Counts(12, 0, 6, 0)),
        ("a b c d", "a x c d e", Counts(3, 1, 0, 1), Counts(6, 1, 0, 2)),
        ("ab", "a b", Counts(0, 1, 0, 1), Counts(2, 0, 0, 1)),
        ("The end", "the end.", Counts(0, 2, 0, 0), Counts(6, 1, 0, 1)),
        ("", "", Counts(), Counts()),
        ("", "no one", Counts(0, 0, 0, 2), Counts(0, 0, 0, 6)),
        ("no one", "", Counts(0, 0, 2, 0), Counts(0, 0, 6, 0)),
        (" a \t b\n", "a b", Counts(2), Counts(3)),
        # The rule `sclite` finds 6 errors here: 3 deletions and 3 insertions around two hits.
        ("p q r one two", "one two s t u", Counts(0, 5, 0, 0), Counts(4, 9, 0, 0)),
    ],
)
def test_by_hand(reference: str, hypothesis: str, words: Counts, characters: Counts) -> None:
    (utterance,) = score([reference], [hypothesis]).utterances
    assert utterance.words == words
    assert utterance.characters == characters


def test_the_rule_applies_to_words_only() -> None:
    fewest, sclite = (score(["p q r one two"], ["one two s t u"], rule=rule) for rule in ("fewest", "sclite"))
    assert (fewest.rule, sclite.rule) == ("fewest", "sclite")
    assert (fewest.words, sclite.words) == (Counts(0, 5, 0, 0), Counts(2, 0, 3, 3))
    assert fewest.characters == sclite.characters
    assert sclite.utterances[0].pairs == align([*"pqr", "one", "two"], ["one", "two", *"stu"], "sclite")


def test_any_script() -> None:
    (utterance,) = score(["東京 は　晴れ שלום नमस्ते"], ["東京 が 晴れ שלום नमस्त"]).utterances
    assert utterance.words == Counts(3, 2, 0, 0)
    assert utterance.characters == Counts(17, 1, 1, 0)
    assert score(["é"], ["e\u0301"]).words == Counts(0, 1, 0, 0)  # two encodings of one letter: not normalised


def test_a_corpus_against_jiwer() -> None:
    dice = random.Random(0)
    vocabulary = ["".join(dice.choices("etaoin", k=dice.randint(1, 6))) for _ in range(200)]

    def noisy(words: list[str]) -> str:
        replacements = [
            dice.choices([[word], [], [dice.choice(vocabulary)], [word, "uh"]], [8, 1, 1, 1])[0] for word in words
        ]
        return " ".join(word for replacement in replacements for word in replacement)

    texts = [dice.choices(vocabulary, k=dice.randint(0, 40)) for _ in range(500)]
    references, hypotheses = [" ".join(words) for words in texts], [noisy(words) for words in texts]
    result = score(references, hypotheses)
    assert result.words.rate == pytest.approx(jiwer.wer(references, hypotheses), abs=1e-12)
    assert result.characters.rate == pytest.approx(jiwer.cer(references, hypotheses), abs=1e-12)
    output = jiwer.process_words(references, hypotheses)
    assert result.words == Counts(output.hits, output.substitutions, output.deletions, output.insertions)
    assert 0.2 < result.words.errors / result.words.reference < 0.4


def test_to_dict() -> None:
    result = score([" one  two", ""], ["one too", "uh"], ids=["x", "y"], speakers=["ann", None])
    shown = {
        "words": result.words.to_dict(),
        "characters": result.characters.to_dict(),
        "sentence_errors": result.sentence_errors,
        "utterances": [utterance.to_dict() for utterance in result.utterances],
    }
    assert json.loads(json.dumps(shown)) == {
        "words": {"rate": 1.0, "errors": 2, "substitutions": 1, "deletions": 0, "insertions": 1, "reference": 2},
        "characters": {
            "rate": 3 / 7,
            "errors": 3,
            "substitutions": 1,
            "deletions": 0,
            "insertions": 2,
            "reference": 7,
        },
        "sentence_errors": 2,
        "utterances": [
            {
                "id": "x",
                "speaker": "ann",
                "reference": "one two",
                "hypothesis": "one too",
                "words": {
                    "rate": 0.5,
                    "errors": 1,
                    "substitutions": 1,
                    "deletions": 0,
                    "insertions": 0,
                    "reference": 2,
                },
                "characters": {
                    "rate": 1 / 7,
                    "errors": 1,
                    "substitutions": 1,
                    "deletions": 0,
                    "insertions": 0,
                    "reference": 7,
                },
                "pairs": [["hit", "one", "one"], ["substitution", "two", "too"]],
            },
            {
                "id": "y",
                "speaker": None,
                "reference": "",
                "hypothesis": "uh",
                "words": {
                    "rate": None,
                    "errors": 1,
                    "substitutions": 0,
                    "deletions": 0,
                    "insertions": 1,
                    "reference": 0,
                },
                "characters": {
                    "rate": None,
                    "errors": 2,
                    "substitutions": 0,
                    "deletions": 0,
                    "insertions": 2,
                    "reference": 0,
                },
                "pairs": [["insertion", None, "uh"]],
            },
        ],
    }


def test_ids_are_line_numbers_unless_given() -> None:
    assert [utterance.id for utterance in score(["a", "b"], ["a", "b"]).utterances] == ["1", "2"]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="no utterances"):
        score([], [])
    with pytest.raises(ValueError, match="longer"):
        score(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="shorter"):
        score(["a", "b"], ["a", "b"], ids=["x", "y"], speakers=["ann"])
