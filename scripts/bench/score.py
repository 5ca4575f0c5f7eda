#!/usr/bin/env python3
"""How long scoring takes next to jiwer."""

import random

import click
import measure


@click.command()
@click.option(
    "--utterances",
    type=click.IntRange(min=1),
    default=5_000,
    show_default=True,
    help="Number of utterances of 20 words.",
)
@measure.json_option
def main(utterances: int, *, as_json: bool) -> None:
    """Count word and character errors at a WER of about 10 %, next to the same counts by jiwer.

    \b
    Example:
      python scripts/bench/score.py --utterances 1000
    """
    import jiwer

    from asr.scoring.summary import report
    from asr.scoring.wer import score

    references, hypotheses = _texts(utterances)
    seconds = measure.alternate(
        {
            "asr score": lambda: score(references, hypotheses),
            "asr score, with intervals": lambda: report(score(references, hypotheses)),
            "asr score, sclite": lambda: score(references, hypotheses, rule="sclite"),
            "jiwer": lambda: (jiwer.wer(references, hypotheses), jiwer.cer(references, hypotheses)),
        },
        warm_ups=0,
    )
    notes = [f"{name}: {seconds[name] / seconds['jiwer']:.2f} times jiwer" for name in seconds if name != "jiwer"]
    measure.show(measure.Result("seconds", seconds, notes), as_json=as_json)


def _texts(utterances: int) -> tuple[list[str], list[str]]:
    """References of made-up words, and hypotheses with 3 % deletions, 5 % substitutions and 2 % insertions."""
    rng = random.Random(0)
    vocabulary = ["".join(rng.choices("etaoinshrdlu", k=rng.randint(1, 9))) for _ in range(5_000)]

    def recognised(word: str) -> list[str]:
        return rng.choices([[word], [], [rng.choice(vocabulary)], [word, "uh"]], [90, 3, 5, 2])[0]

    references = [rng.choices(vocabulary, k=20) for _ in range(utterances)]
    hypotheses = [[output for word in words for output in recognised(word)] for words in references]
    return [" ".join(words) for words in references], [" ".join(words) for words in hypotheses]


if __name__ == "__main__":
    main()
