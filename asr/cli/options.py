"""Options that more than one command has."""

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
    help="How words are aligned: by the fewest edits, or with the weights and choices of NIST's sclite.",
)

max_wer = click.option(
    "--max-wer",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="End with exit status 1 if the word error rate is above this.",
)


def check_output(path: Path | None) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if path is not None and not path.absolute().parent.is_dir():
        raise AsrError(f"'{path}' cannot be written, for there is no folder '{path.parent}': make it first.")


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


def _hot_words(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, float]:
    """WORD or WORD=BOOST -> word and boost."""
    found = {}
    for value in values:
        word, given, boost = value.partition("=")
        try:
            found[word] = float(boost) if given else BOOST
        except ValueError:
            raise click.BadParameter(
                f"{value!r}: the boost {boost!r} is not a number; write it like {word}=12.", context, parameter
            ) from None
    return found


def decoding(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how text is found; the command gets them as `decoding`, a `DecodingOptions`."""

    @functools.wraps(command)
    def gathering(*args: Any, **values: Any) -> Any:
        chosen = {field.name: values.pop(field.name) for field in dataclasses.fields(DecodingOptions)}
        return command(*args, decoding=DecodingOptions(**chosen), **values)

    for option in reversed(
        (
            click.option(
                "--beam",
                type=click.IntRange(0, 10_000),
                metavar="N",
                help="Keep N prefixes in a beam search; 0 decodes greedily.  [default: as the model was tuned]",
            ),
            click.option(
                "--lm",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A language model in the place of the model's own: n-grams, ARPA or packed, or an LSTM, .onnx.",
            ),
            click.option(
                "--no-lm", is_flag=True, help="Use no language model in the search, not even the model's own."
            ),
            click.option(
                "--rescore",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="An LSTM language model, .onnx, that chooses among the best texts.",
            ),
            click.option(
                "--hot-word",
                "hot_words",
                multiple=True,
                callback=_hot_words,
                metavar="WORD[=BOOST]",
                help="A word to listen for; may be repeated. A higher boost finds it more often, and where it is not.  "
                "[default boost: 12]",
            ),
            click.option(
                "--min-confidence",
                type=click.FloatRange(0, 1),
                metavar="C",
                help="Leave out a stretch of speech in which the words' mean confidence is below C, such as music; 0 "
                "leaves out none.  [default: as the model was tuned]",
            ),
        )
    ):
        gathering = option(gathering)
    return gathering
