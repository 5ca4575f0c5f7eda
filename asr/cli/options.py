"""Options shared by several commands."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from asr.decoding.options import BOOST, DecodingOptions
from asr.errors import AsrError, ScoreError
from asr.scoring.texts import ENGLISH, LOWER_CASE, UNCHANGED
from asr.scoring.wer import Score
from asr.transcript.formats import FORMATS

align = click.option(
    "--align",
    "rule",
    type=click.Choice(["fewest", "sclite"]),
    default="fewest",
    show_default=True,
    help="Word alignment: with the fewest edits, or as `sclite -s` of NIST's SCTK, which tells cases apart.",
)


class FormatType(click.ParamType):
    """Names of formats: any case, several separated by commas, or `all`."""

    name = "format"

    def __init__(self, *, several: bool) -> None:
        self.several = several

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return "[" + "|".join([*FORMATS, *(["all"] if self.several else [])]) + "]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        names = {name.lower(): name for name in FORMATS}
        wanted = [part.strip().lower() for part in value.split(",")] if self.several else [value.lower()]
        if self.several and "all" in wanted:
            return list(FORMATS)
        for part in wanted:
            if part not in names:
                self.fail(f"{part!r} is not one of {', '.join(FORMATS)}.", param, ctx)
        found = list(dict.fromkeys(names[part] for part in wanted))
        return found if self.several else found[0]

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in FORMATS if name.lower().startswith(incomplete.lower())]


class ModelType(click.ParamType):
    """A model file or the name of a shipped model."""

    name = "model"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from asr import models

        names = [CompletionItem(name) for name in models.shipped() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


class FileType(click.ParamType):
    """A path that the command itself checks; completed like files."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


model = click.option(
    "-m",
    "--model",
    type=ModelType(),
    help="An .onnx file or a shipped model.  [default: $ASR_MODEL, else english]",
)

max_memory = click.option(
    "--max-memory",
    "memory_gib",
    type=click.FloatRange(min=0.1),
    default=4.0,
    show_default=True,
    metavar="GIB",
    help="Give up a file that needs more memory.",
)

timeout = click.option(
    "--timeout",
    "step_s",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Give up a file if half a minute of its audio takes longer.",
)


class ChannelType(click.ParamType):
    """A channel number, counted from 1, or the word `split`."""

    name = "channel"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "split" or isinstance(value, int):
            return value
        if not value.isdecimal() or not int(value):
            self.fail(f"{value!r} is neither a channel number (1, 2, ...) nor the word split.", param, ctx)
        return int(value)


channel = click.option(
    "--channel",
    type=ChannelType(),
    metavar="N|split",
    help="Transcribe channel N only, or `split`: every channel as one speaker.  [default: the mix of all channels]",
)

track = click.option(
    "--track",
    type=click.IntRange(min=1),
    metavar="N",
    help="Transcribe audio track N of videos that have several.  [default: the main one]",
)

plain = click.option("--plain", is_flag=True, help="Leave the words as recognised: in lower case, without punctuation.")

numbers = click.option(
    "--numbers/--no-numbers",
    default=True,
    show_default=True,
    help="Write numbers in digits: 25% instead of twenty five per cent.",
)

max_line_width = click.option(
    "--max-line-width",
    type=click.IntRange(min=10),
    default=42,
    show_default=True,
    metavar="N",
    help="Characters on a line of subtitles (srt, vtt, tsv).",
)

max_lines = click.option(
    "--max-lines", type=click.IntRange(1, 3), default=2, show_default=True, help="Lines of a subtitle (srt, vtt, tsv)."
)

device = click.option(
    "--device",
    type=click.Choice(["cpu", "cuda"]),
    default="cpu",
    show_default=True,
    help="Where the model runs; cuda needs onnxruntime-gpu and a float model (not int8).",
)


def normalisation(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options on the texts to a command, which receives them as `normalisation`, a `Normalisation`."""

    @functools.wraps(command)
    def with_normalisation(*args: Any, normalise: bool, ignore_case: bool, **values: Any) -> Any:
        chosen = ENGLISH if normalise else LOWER_CASE if ignore_case else UNCHANGED
        return command(*args, normalisation=chosen, **values)

    for option in (
        click.option("--ignore-case", is_flag=True, help="Compare in lower case, as sclite does unless given -s."),
        click.option(
            "--normalise",
            "--normalize",
            is_flag=True,
            help="Normalise texts as for English models: lower case, no punctuation, quotation marks are not "
            "apostrophes.",
        ),
    ):
        with_normalisation = option(with_normalisation)
    return with_normalisation


readable = click.option(
    "--readable", is_flag=True, help="Score punctuation and capitals, too, which the references must have."
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


def _hot_words(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, float]:
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


def _listed_hot_words(context: click.Context, parameter: click.Parameter, path: Path | None) -> dict[str, float]:
    """Read WORD or WORD=BOOST from the lines of a file; blank lines and those that begin with # are skipped."""
    if path is None:
        return {}
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise click.BadParameter(f"'{path}' cannot be read ({error.strerror}).", context, parameter) from None
    except UnicodeDecodeError:
        raise click.BadParameter(f"'{path}' is not UTF-8 text.", context, parameter) from None
    lines = [line.strip() for line in text.splitlines()]
    return _hot_words(context, parameter, [line for line in lines if line and not line.startswith("#")])


def decoding(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the decoding options to a command, which receives them as `decoding`, a `DecodingOptions`."""

    @functools.wraps(command)
    def with_decoding(*args: Any, **values: Any) -> Any:
        values["hot_words"] = values.pop("listed_hot_words") | values["hot_words"]
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
                help="Language model to use instead of the embedded one: n-gram (ARPA or packed), a model that holds "
                "one, or LSTM (.onnx).",
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
                help="Word or phrase to boost; may be repeated. A higher boost finds it more often, with more false "
                "alarms.  [default boost: 12]",
            ),
            click.option(
                "--hot-words",
                "listed_hot_words",
                type=click.Path(path_type=Path),
                callback=_listed_hot_words,
                metavar="FILE",
                help="File with a hot word or phrase per line, with =BOOST or without.",
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
