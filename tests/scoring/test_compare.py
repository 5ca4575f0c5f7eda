"""Comparisons checked against their components, which have tests of their own, and against SCTK."""

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sctk

from asr.errors import DataError
from asr.scoring.alignment import Rule
from asr.scoring.compare import compare
from asr.scoring.intervals import difference
from asr.scoring.significance import sign_test
from asr.scoring.verdict import render
from asr.scoring.wer import Score, score

IDS = [f"u{number}" for number in range(40)]
SPEAKERS = [f"s{number % 5}" for number in range(40)]


def system(seed: int, rate: float, rule: Rule = "fewest", order: list[int] | None = None) -> Score:
    """The output of a system on the same 40 utterances of 5 speakers."""
    texts, dice = random.Random(0), random.Random(seed)
    references = [" ".join(texts.choices("abcdef", k=8)) for _ in IDS]
    hypotheses = [
        " ".join(dice.choice(["", "x", f"{word} x"]) if dice.random() < rate else word for word in text.split())
        for text in references
    ]
    order = order or list(range(40))
    return score(
        *([texts[place] for place in order] for texts in (references, hypotheses)),
        ids=[IDS[place] for place in order],
        speakers=[SPEAKERS[place] for place in order],
        rule=rule,
    )


def test_the_components() -> None:
    a, b = system(1, 0.3), system(2, 0.1)
    got = compare(a, b)
    errors = [[utterance.words.errors for utterance in system_.utterances] for system_ in (a, b)]
    reference = np.array([utterance.words.reference for utterance in a.utterances])
    assert got.difference == difference(np.array(errors[0]), np.array(errors[1]), reference, SPEAKERS)
    assert got.difference is not None
    assert got.difference.rate == (b.words.errors - a.words.errors) / 320
    assert got.sign == sign_test(*errors)
    assert got.mapsswe is not None
    assert got.mapsswe.z > 2  # A's errors minus B's, as in SCTK: B is better
    assert got.difference.interval is not None
    assert got.difference.interval.high < 0  # B's rate minus A's


def test_an_utterance_too_long_for_sctk_has_no_mapsswe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asr.scoring.alignment.MAX_CELLS", 63)  # an utterance has 8 words
    got = compare(system(1, 0.3), system(2, 0.1))
    assert got.mapsswe is None
    assert got.to_dict()["mapsswe"] is None
    assert "MAPSSWE: none, because an utterance is too long" in render(got)
    assert got.difference == compare(system(1, 0.3), system(2, 0.1)).difference


def test_utterances_are_matched_by_id() -> None:
    a, b = system(1, 0.3), system(2, 0.1)
    shuffled = system(2, 0.1, order=random.Random(3).sample(range(40), 40))
    assert shuffled.utterances != b.utterances
    assert compare(a, shuffled) == compare(a, b)


def test_changes_come_largest_first_then_in_order() -> None:
    changes = compare(system(1, 0.3), system(2, 0.1)).changes
    keys = [(-abs(b.words.errors - a.words.errors), IDS.index(a.id)) for a, b in changes]
    assert keys == sorted(keys)
    assert all(a.id == b.id and size for (a, b), (size, _) in zip(changes, keys, strict=True))
    unchanged = {*IDS} - {a.id for a, _ in changes}
    assert len(unchanged) == compare(system(1, 0.3), system(2, 0.1)).sign.equal


def test_a_system_and_itself() -> None:
    a = system(1, 0.3)
    got = compare(a, a)
    assert got.difference is not None
    assert (got.difference.rate, got.difference.interval, got.difference.better) == (0.0, None, 0.0)
    assert got.mapsswe is not None
    assert (got.mapsswe.z, got.mapsswe.significant, got.sign.p, got.changes) == (0.0, False, 1.0, ())


@sctk.needs_sctk
@pytest.mark.parametrize("rule", ["fewest", "sclite"])
def test_mapsswe_is_that_of_sc_stats_under_both_rules(tmp_path: Path, rule: Rule) -> None:
    a, b = system(1, 0.3, rule), system(2, 0.2, rule)
    got = compare(a, b).mapsswe
    assert got is not None
    references = [utterance.reference.split() for utterance in a.utterances]
    sgml = [
        sctk.sclite(references, [u.hypothesis.split() for u in scored.utterances], tmp_path, name)
        for name, scored in (("a", a), ("b", b))
    ]
    segments, _, _, z, differ = sctk.mapsswe(*sgml)
    assert (got.segments, got.z, got.significant) == (segments, pytest.approx(z, abs=5.1e-4), differ)


def test_to_dict_is_json() -> None:
    comparison = compare(system(1, 0.3), system(2, 0.1), names=("old", "new"))
    data = json.loads(json.dumps(comparison.to_dict()))
    assert data["rule"] == "fewest"
    assert [entry["name"] for entry in data["systems"]] == ["old", "new"]
    assert data["systems"][1]["words"] == comparison.b.words.to_dict()
    assert comparison.difference is not None
    assert data["difference"]["interval"]["by"] == "speaker"
    assert data["difference"]["better"] == comparison.difference.better
    assert data["mapsswe"]["significant"] is True
    assert data["sign"]["equal"] == comparison.sign.equal
    first, (a, b) = data["changes"][0], comparison.changes[0]
    assert first == {
        "id": a.id,
        "speaker": a.speaker,
        "reference": a.reference,
        "hypotheses": [a.hypothesis, b.hypothesis],
        "errors": [a.words.errors, b.words.errors],
    }
    assert len(data["changes"]) == len(comparison.changes)


def test_different_utterances_are_refused() -> None:
    a = system(1, 0.3)
    fewer = replace(a, utterances=a.utterances[3:])
    with pytest.raises(DataError, match=r"^new lacks 3 of the 40 utterances of old, the first is 'u0': compare"):
        compare(a, fewer, names=("old", "new"))
    with pytest.raises(DataError, match=r"^B lacks 3 of the 40 utterances of A, the first is 'u0'"):
        compare(a, fewer)
    with pytest.raises(DataError, match=r"^A lacks 3 of the 40 utterances of B, the first is 'u0'"):
        compare(fewer, a)


def test_different_references_are_refused() -> None:
    a, b = score(["a b", "c"], ["a", "c"]), score(["a b", "C"], ["a", "c"])
    with pytest.raises(DataError, match=r"^The references of '2' differ, 'c' in A and 'C' in B: compare reports"):
        compare(a, b)


def test_duplicate_ids_are_refused() -> None:
    duplicate = score(["a", "b", "c"], ["a", "b", "c"], ids=["x", "y", "x"])
    with pytest.raises(DataError, match=r"^B has the id 'x' twice"):
        compare(score(["a", "b"], ["a", "b"], ids=["x", "y"]), duplicate)


def test_rules_must_agree() -> None:
    with pytest.raises(ValueError, match="different rules, fewest and sclite"):
        compare(system(1, 0.3), system(1, 0.3, "sclite"))
