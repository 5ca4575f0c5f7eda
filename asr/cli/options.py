"""Options that more than one command has."""

import click

from asr.errors import ScoreError
from asr.scoring.wer import Score

align = click.option(
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    default="fewest",
    show_default=True,
    help="How words are aligned: by the fewest edits, or with the weights and choices of NIST's sclite.",
)

max_wer = click.option(
    "--max-wer",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="End with exit status 1 if the word error rate is above this.",
)


def check_max_wer(score: Score, max_wer: float | None) -> None:
    """Say no to a score above the limit of `--max-wer`, in percent; None is no limit.

    Raises:
        ScoreError: the word error rate is above the limit, or there is none, for want of a reference word.
    """
    rate = score.words.rate
    if max_wer is None:
        return
    if rate is None:
        raise ScoreError(f"The references have no word, so that there is no WER for --max-wer {max_wer:g} to limit.")
    if 100 * rate > max_wer:
        raise ScoreError(f"The WER of {100 * rate:.2f} % is above the limit of --max-wer, {max_wer:g} %.")
