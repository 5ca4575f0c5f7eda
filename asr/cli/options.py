"""Options shared by several commands."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from asr.decoding.options import BOOST, DecodingOptions
from asr.errors import AsrError, ScoreError
from asr.scoring.wer import Score

align = click.option(
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    default="fewest",
    show_default=True,
    help="Word alignment: with the fewest edits, or as `sclite -s` of NIST's SCTK, which tells cases apart.",
)

normalise = click.option(
    "--normalise",
    "--normalize",
    is_flag=True,
    help="Normalise both texts as for English models: lower case, no punctuation, quotation marks are not apostrophes.",
)

max_wer = click.option(
    "--max-wer",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="Exit with status 1 if the word error rate is above PERCENT.",
)


def check_output(path: Path | None) -> None:
    """Raise AsrError if a file cannot be written because its folder does not exist; called before any work."""
    if path is not None and not path.absolute().parent.is_dir():
        raise AsrError(
            f"'{path}' cannot be written because the folder '{path.parent}' does not exist: create it first."
        )


def check_max_wer(score: Score, max_wer: float | None) -> None:
    """Check a score against the limit of `--max-wer`, in percent; None means no limit.

    Raises:
        ScoreError: the word error rate is above the limit, or undefined because the references contain no words.
    """
    rate = score.words.rate
    if max_wer is None:
        return
    if rate is None:
        raise ScoreError("The references contain no words, so the WER is undefined and --max-wer cannot be checked.")
    if 100 * rate > max_wer:
        raise ScoreError(f"The WER of {100 * rate:.2f} % is above the limit of {max_wer:g} % (--max-wer).")


def _hot_words(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """Parse WORD or WORD=BOOST into a mapping from word to boost."""
    boosts = {}
    for value in values:
        word, separator, boost = value.partition("=")
        try:
            boosts[word] = float(boost) if separator else BOOST
        except ValueError:
            raise click.BadParameter(
                f"{value!r}: the boost {boost!r} is not a number; write it like {word}=12.", context, parameter
            ) from None
    return boosts


def decoding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the decoding options to a command, which receives them as `decoding`, a `DecodingOptions`."""

    @functools.wraps(command)
    def with_decoding(*args: Any, **values: Any) -> Any:
        fields = {field.name: values.pop(field.name) for field in dataclasses.fields(DecodingOptions)}
        return command(*args, decoding=DecodingOptions(**fields), **values)

    for option in reversed(
        (
            click.option(
                "--beam",
                type=click.IntRange(0, 10_000),
                metavar="N",
                help="Beam width: number of prefixes kept; 0 decodes greedily.  [default: as tuned]",
            ),
            click.option(
                "--lm",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Language model to use instead of the embedded one: n-gram (ARPA or packed) or LSTM (.onnx).",
            ),
            click.option(
                "--no-lm", is_flag=True, help="Use no language model in the search, not even the embedded one."
            ),
            click.option(
                "--rescore",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="LSTM language model (.onnx) that rescores the n-best list.",
            ),
            click.option(
                "--hot-word",
                "hot_words",
                multiple=True,
                callback=_hot_words,
                metavar="WORD[=BOOST]",
                help="Word to boost; may be repeated. A higher boost recognises it more often, with more false "
                "alarms.  [default boost: 12]",
            ),
            click.option(
                "--min-confidence",
                type=click.FloatRange(0, 1),
                metavar="C",
                help="Skip stretches, such as music, in which the mean word confidence is below C; 0 skips nothing.  "
                "[default: as tuned]",
            ),
        )
    ):
        with_decoding = option(with_decoding)
    return with_decoding
