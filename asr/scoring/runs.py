"""Comparison of two systems of which several runs were scored, for example trainings with other random seeds.

The question is whether another run of B, on other speakers, would be better than another run of A. So both are sources
of chance: speakers, the same for both systems, and runs, for each system its own. MAPSSWE and the sign test know only
the first; the interval of the difference (`asr.scoring.intervals`) has both.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from asr.errors import DataError
from asr.scoring.compare import Facts, matched
from asr.scoring.intervals import Difference, Interval, bootstrap, difference, groups
from asr.scoring.wer import Counts, Score


@dataclass(frozen=True, slots=True)
class Rate:
    """An error rate over several runs."""

    mean: float | None
    """Of the runs, as a fraction; None without reference tokens."""
    deviation: float | None
    """Standard deviation from run to run, with n - 1."""
    interval: Interval | None
    """Of the mean, over speakers or utterances, and runs."""


@dataclass(frozen=True, slots=True)
class Runs:
    """A system with the scores of its runs."""

    name: str
    names: tuple[str, ...]
    """Of the runs."""
    scores: tuple[Score, ...]
    words: Rate
    characters: Rate
    facts: Facts
    """What is known of all runs alike: `model`, `decoding`, `data` and `date`."""

    @property
    def errors(self) -> float:
        """Word errors, mean of the runs."""
        return statistics.fmean(score.words.errors for score in self.scores)


@dataclass(frozen=True, slots=True)
class RunsComparison:
    """Two systems with several runs each, and the difference of their mean word error rates."""

    a: Runs
    b: Runs
    difference: Difference | None
    """None without reference words."""

    def to_dict(self) -> dict[str, Any]:
        """For JSON.

        - `rule`: of the word alignment
        - `systems`: for A and B `name`, `facts`, `words` and `characters` (`mean` and `deviation` of the runs' rates,
          fractions, and the mean's `interval`, as below), and `runs` (`name`, `words` and `characters` as in
          Counts.to_dict)
        - `difference`: `rate` (B minus A, a fraction), `better` and `worse` (shares of the draws in which B is better,
          or worse), `interval` (`low`, `high`, `confidence`, `by`, `units`, `draws`; or null); null without reference
          words
        """
        return {
            "rule": self.a.scores[0].rule,
            "systems": [
                {
                    "name": system.name,
                    "facts": dict(system.facts),
                    "words": asdict(system.words),
                    "characters": asdict(system.characters),
                    "runs": [
                        {"name": name, "words": score.words.to_dict(), "characters": score.characters.to_dict()}
                        for name, score in zip(system.names, system.scores, strict=True)
                    ],
                }
                for system in (self.a, self.b)
            ],
            "difference": None if self.difference is None else asdict(self.difference),
        }


def compare_runs(
    names: tuple[str, str],
    runs: tuple[Sequence[Score], Sequence[Score]],
    *,
    names_of_runs: tuple[Sequence[str], Sequence[str]],
    facts: tuple[Facts, Facts] = ({}, {}),
    draws: int = 10_000,
    confidence: float = 0.95,
    seed: int = 0,
) -> RunsComparison:
    """Match the utterances of all runs by their ids and test the difference of the mean word error rates.

    The interval is by speaker if `intervals.groups` allows it, else by utterance.

    Raises:
        DataError: a system has one run only; runs have different utterances or references, or duplicate ids.
        ValueError: the runs are aligned by different rules.
    """
    if min(map(len, runs)) < 2:
        (one, _), (other, count) = sorted(zip(names, map(len, runs), strict=True), key=lambda named: named[1])
        raise DataError(
            f"{one} has one run and {other} {count}: give at least two runs of each, from which one sees how much "
            "runs differ, or compare one run with one run."
        )
    if len({score.rule for scores in runs for score in scores}) > 1:
        raise ValueError("The runs are aligned by different rules.")
    first, first_name = runs[0][0], names_of_runs[0][0]
    speakers = groups([utterance.speaker for utterance in first.utterances])
    chance: dict[str, Any] = {"draws": draws, "confidence": confidence, "seed": seed}
    systems, errors = [], []
    for place in (0, 1):
        utterances = [
            [second for _, second in matched(first, score, (first_name, name))]
            for score, name in zip(runs[place], names_of_runs[place], strict=True)
        ]
        words, characters = (
            _rate([[count(u) for u in run] for run in utterances], speakers, chance)
            for count in (lambda u: u.words, lambda u: u.characters)
        )
        systems.append(
            Runs(names[place], tuple(names_of_runs[place]), tuple(runs[place]), words, characters, facts[place])
        )
        errors.append(np.array([[utterance.words.errors for utterance in run] for run in utterances]))
    reference = np.array([utterance.words.reference for utterance in first.utterances])
    return RunsComparison(systems[0], systems[1], difference(errors[0], errors[1], reference, speakers, **chance))


def _rate(runs: Sequence[Sequence[Counts]], speakers: Sequence[str] | None, chance: Mapping[str, Any]) -> Rate:
    errors = np.array([[count.errors for count in run] for run in runs])
    reference = np.array([count.reference for count in runs[0]])
    if not reference.any():
        return Rate(None, None, None)
    rates = errors.sum(axis=1) / reference.sum()
    return Rate(float(rates.mean()), float(rates.std(ddof=1)), bootstrap(errors, reference, speakers, **chance))
