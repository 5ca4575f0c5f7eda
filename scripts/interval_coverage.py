#!/usr/bin/env python3
"""Measure how often the 95 % interval of a WER holds the true one, in simulated test sets whose speakers differ.

python scripts/interval_coverage.py [CORPORA]

Each corpus draws speakers with error rates of their own (beta distributed), 15 to 45 utterances of each, and 20 words
an utterance on average; the true WER is known. CORPORA (default 1,000) are made for each line of the table: so many
speakers, who differ so much (mean and standard deviation of their WERs). A column is the share of the corpora whose
interval holds the truth: `asr`'s by speaker; percentiles of the draws by speaker, as Bisani and Ney (2004) have them;
`asr`'s by utterance; that of the difference between two systems, by speaker, where the truth is 0; and that of the
difference of two systems with three runs each, whose rates differ from run to run by 5 % of themselves (standard
deviation), next to the same of their first runs alone, which cannot know it.
"""

import sys

import numpy as np

from asr.scoring import intervals

SPEAKERS = (40, 10, 4)
POPULATIONS = {"mild": (0.10, 0.04), "realistic": (0.10, 0.06), "wild": (0.10, 0.10), "low": (0.03, 0.02)}
"""Mean and standard deviation of the speakers' error rates."""
COLUMNS = ("asr", "percentile", "by utterance", "difference", "of runs", "of first runs")
DRAWS = 1_000
RUNS = 3
RUN_DEVIATION = 0.05
"""Standard deviation of the factor by which a run's error rates differ from those of its system."""


def speakers(count: int, mean: float, deviation: float, random: np.random.Generator) -> np.ndarray:
    """Error rates from the beta distribution with this mean and standard deviation. Shape: -> (speakers,)"""
    size = mean * (1 - mean) / deviation**2 - 1
    return random.beta(mean * size, (1 - mean) * size, count)


def corpus(rates: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Errors, reference words and speaker of each utterance.

    Shape:
        rates: (speakers, systems) -> (U, systems), (U,), U
    """
    owners = np.repeat(np.arange(len(rates)), random.integers(15, 46, len(rates)))
    words = 1 + random.negative_binomial(2, 2 / (2 + 19), len(owners))
    errors = random.binomial(words[:, None], rates[owners])
    return errors, words, [f"speaker {owner}" for owner in owners]


def percentiles(errors: np.ndarray, words: np.ndarray, names: list[str], seed: int) -> tuple[float, float]:
    """The 2.5 % and 97.5 % points of the rates drawn by speaker."""
    drawn = intervals._draw(intervals._units(np.stack([errors, words], axis=1), names), DRAWS, seed)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return float(low), float(high)


def coverage(count: int, mean: float, deviation: float, corpora: int, seed: int = 0) -> dict[str, float]:
    """Column -> share of the corpora."""
    random = np.random.default_rng(seed)
    held: dict[str, int] = dict.fromkeys(COLUMNS, 0)
    for number in range(corpora):
        # Of the second system each speaker's rate is another draw, half as far from the first's as a stranger's.
        first, second = speakers(count, mean, deviation, random), speakers(count, mean, deviation, random)
        errors, words, names = corpus(np.stack([first, (first + second) / 2], axis=1), random)
        bounds = {"percentile": percentiles(errors[:, 0], words, names, number)}
        for name, by in (("asr", names), ("by utterance", None)):
            interval = intervals.bootstrap(errors[:, 0], words, by, draws=DRAWS, seed=number)
            bounds[name] = (interval.low, interval.high) if interval else (0.0, 0.0)
        for name, (low, high) in bounds.items():
            held[name] += low <= mean <= high
        luck = np.random.default_rng([seed, number])
        factors = np.maximum(0, luck.normal(1, RUN_DEVIATION, (2, RUNS)))
        both = np.stack([first, (first + second) / 2], axis=1)
        rates_of_runs = np.minimum(1, both[:, :, None] * factors).reshape(count, -1)
        runs, words_of_runs, speakers_of_runs = corpus(rates_of_runs, luck)
        for name, a, b, by_words, by in (
            ("difference", errors[:, 0], errors[:, 1], words, names),
            ("of runs", runs[:, :RUNS].T, runs[:, RUNS:].T, words_of_runs, speakers_of_runs),
            ("of first runs", runs[:, 0], runs[:, RUNS], words_of_runs, speakers_of_runs),
        ):
            difference = intervals.difference(a, b, by_words, by, draws=DRAWS, seed=number)
            assert difference is not None
            interval = difference.interval
            held[name] += interval is not None and interval.low <= 0 <= interval.high
    return {name: held_by / corpora for name, held_by in held.items()}


def main(corpora: int) -> None:
    """Print the table."""
    print(f"{'speakers':>8}  {'population':<24}  asr     percentile  by utterance  difference  of runs   of first runs")
    for name, (mean, deviation) in POPULATIONS.items():
        for count in SPEAKERS:
            shares = coverage(count, mean, deviation, corpora)
            population = f"{name}: {100 * mean:.0f} +- {100 * deviation:.0f} %"
            print(
                f"{count:>8}  {population:<24}  {100 * shares['asr']:.1f} %  {100 * shares['percentile']:8.1f} %  "
                f"{100 * shares['by utterance']:10.1f} %  {100 * shares['difference']:8.1f} %  "
                f"{100 * shares['of runs']:7.1f} %  {100 * shares['of first runs']:11.1f} %",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
