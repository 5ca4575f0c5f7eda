"""Comparison of two systems on the same utterances: difference, significance, and the utterances that changed.

The difference of error rates is B minus A: negative if B is better. `asr.scoring.verdict` renders it as text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from asr.errors import DataError
from asr.scoring.alignment import Pair, align, too_long
from asr.scoring.intervals import Difference, difference, groups
from asr.scoring.significance import Mapsswe, SignTest, mapsswe, sign_test
from asr.scoring.wer import Score, Utterance

Facts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Scores of both systems, with utterances in the order of A, and the tests of their difference."""

    names: tuple[str, str]
    a: Score
    b: Score
    difference: Difference | None
    """Of the word error rates; None without reference words."""
    mapsswe: Mapsswe | None
    """Always on alignments by the rule `sclite`, so that it equals SCTK's; None if an utterance is too long for that
    rule."""
    sign: SignTest
    """Over utterances."""
    changes: tuple[tuple[Utterance, Utterance], ...]
    """Utterances of A and B whose number of word errors differs: largest change first, then in A's order."""
    facts: tuple[Facts, Facts] = ({}, {})
    """What A and B are: `model`, `decoding`, `data` and `date`, as far as they are known."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON.

        - `rule`: of the word alignment
        - `systems`: for A and B `name`, `words` and `characters` as in Counts.to_dict, and `facts` (`model`,
          `decoding`, `data`, `date`, as far as they are known)
        - `difference`: `rate` (B minus A, a fraction), `better` and `worse` (shares of the draws in which B is better,
          or worse), `interval` (`low`, `high`, `confidence`, `by`, `units`, `draws`; or null); null without reference
          words
        - `mapsswe`: `segments`, `mean`, `deviation`, `z` (of A's errors minus B's, as in SCTK), `p`, `significant`,
          `decides` (whether they are enough for a verdict); null if an utterance is too long for the rule `sclite`
        - `sign`: `a_better`, `b_better`, `equal` (utterances), `p`, `significant`
        - `changes`: `id`, `speaker`, `reference`, and arrays of A's and B's `hypotheses` and `errors`
        """
        return {
            "rule": self.a.rule,
            "systems": [
                {
                    "name": name,
                    "facts": dict(facts),
                    "words": system.words.to_dict(),
                    "characters": system.characters.to_dict(),
                }
                for name, facts, system in zip(self.names, self.facts, (self.a, self.b), strict=True)
            ],
            "difference": None if self.difference is None else asdict(self.difference),
            "mapsswe": self.mapsswe
            and asdict(self.mapsswe) | {"significant": self.mapsswe.significant, "decides": self.mapsswe.decides},
            "sign": asdict(self.sign) | {"significant": self.sign.significant},
            "changes": [
                {
                    "id": a.id,
                    "speaker": a.speaker,
                    "reference": a.reference,
                    "hypotheses": [a.hypothesis, b.hypothesis],
                    "errors": [a.words.errors, b.words.errors],
                }
                for a, b in self.changes
            ],
        }


def compare(
    a: Score,
    b: Score,
    *,
    names: tuple[str, str] = ("A", "B"),
    facts: tuple[Facts, Facts] = ({}, {}),
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Match the utterances of two scores by their ids and test the difference of their word error rates.

    The interval is by speaker if `intervals.groups` allows it for the speakers of A, else by utterance.

    Raises:
        DataError: the scores have different utterances, different references for an utterance, or duplicate ids.
        ValueError: the scores are aligned by different rules.
    """
    if a.rule != b.rule:
        raise ValueError(f"The scores are aligned by different rules, {a.rule} and {b.rule}.")
    pairs = matched(a, b, names)
    b = replace(b, utterances=tuple(second for _, second in pairs))
    errors_a, errors_b = ([utterance.words.errors for utterance in system.utterances] for system in (a, b))
    return Comparison(
        names,
        a,
        b,
        difference(
            np.array(errors_a),
            np.array(errors_b),
            np.array([utterance.words.reference for utterance in a.utterances]),
            groups([utterance.speaker for utterance in a.utterances]),
            draws=draws,
            confidence=confidence,
            seed=seed,
        ),
        mapsswe(_as_sclite(a), _as_sclite(b)) if _is_short(a) and _is_short(b) else None,
        sign_test(errors_a, errors_b),
        tuple(sorted((pair for pair in pairs if _change(pair)), key=lambda pair: -abs(_change(pair)))),
        facts,
    )


def _change(pair: tuple[Utterance, Utterance]) -> int:
    return pair[1].words.errors - pair[0].words.errors


def _is_short(score: Score) -> bool:
    """Whether no utterance is too long for the rule `sclite`."""
    return not any(too_long(u.reference.split(), u.hypothesis.split()) for u in score.utterances)


def _as_sclite(score: Score) -> Sequence[Sequence[Pair]]:
    if score.rule == "sclite":
        return [utterance.pairs for utterance in score.utterances]
    return [align(u.reference.split(), u.hypothesis.split(), "sclite") for u in score.utterances]


def matched(a: Score, b: Score, names: tuple[str, str]) -> list[tuple[Utterance, Utterance]]:
    """The utterances of two scores by their ids, in the order of A.

    Raises:
        DataError: the scores have different utterances, different references for an utterance, or duplicate ids.
    """
    in_a, in_b = (_by_id(system, name) for system, name in zip((a, b), names, strict=True))
    for utterances, others, name, other in ((in_a, in_b, *names), (in_b, in_a, *reversed(names))):
        missing = [id_ for id_ in utterances if id_ not in others]
        if missing:
            raise DataError(
                f"{other} lacks {len(missing):,} of the {len(utterances):,} utterances of {name}, the first is "
                f"'{missing[0]}': "
                "compare reports on the same utterances."
            )
    pairs = [(utterance, in_b[id_]) for id_, utterance in in_a.items()]
    for first, second in pairs:
        if first.reference != second.reference:
            raise DataError(
                f"The references of '{first.id}' differ, '{first.reference}' in {names[0]} and '{second.reference}' in "
                f"{names[1]}: compare reports on the same texts with the same normalisation."
            )
    return pairs


def _by_id(score: Score, name: str) -> dict[str, Utterance]:
    utterances = {utterance.id: utterance for utterance in score.utterances}
    if len(utterances) < len(score.utterances):
        seen: set[str] = set()
        duplicate = next(u.id for u in score.utterances if u.id in seen or seen.add(u.id))
        raise DataError(f"{name} has the id '{duplicate}' twice: utterances are matched by id, so ids must be unique.")
    return utterances
