"""`asr lm`: train, pack and evaluate language models."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import bar
from asr.errors import ModelError

if TYPE_CHECKING:
    from asr.lm.perplexity import Part

TEXTS = click.argument("texts", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="TEXT...")
MODEL = click.argument("model", type=click.Path(path_type=Path), metavar="LM")
OUTPUT = click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="File to write.",
)
NORMALISE = click.option(
    "--normalise", is_flag=True, help="Normalise the text as the recogniser writes it: lower case, no punctuation."
)


class Prune(click.Command):
    """A command whose option `--prune` takes a variable number of values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--prune" in args:
            first = args.index("--prune") + 1
            last = first
            while last < len(args) and args[last].isdecimal():
                last += 1
            if last > first:
                args = [*args[:first], " ".join(args[first:last]), *args[last:]]
        return super().parse_args(ctx, args)


def _thresholds(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        return [int(number) for number in value.split()]
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a list of whole numbers such as 0 0 1.", context, parameter
        ) from None


@click.group()
def lm() -> None:
    """Train, pack and evaluate language models.

    \b
    Example:
      asr lm train book.txt --normalise -o lm.arpa
    """


@lm.command(cls=Prune)
@TEXTS
@OUTPUT
@click.option("--order", type=click.IntRange(2, 6), default=3, show_default=True, metavar="N", help="N-gram order.")
@click.option(
    "--prune",
    default="0",
    show_default=True,
    callback=_thresholds,
    metavar="N...",
    help="Pruning threshold per order, from 1 up: remove n-grams that occur N times or less. The last number holds for "
    "all higher orders.",
)
@click.option(
    "--vocabulary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Limit the vocabulary to the words of this list, one per line.",
)
@click.option(
    "--vocabulary-size",
    type=click.IntRange(min=1),
    metavar="N",
    help="Limit the vocabulary to the N most frequent words.",
)
@NORMALISE
def train(
    texts: tuple[Path, ...],
    *,
    output: Path,
    order: int,
    prune: list[int],
    vocabulary: Path | None,
    vocabulary_size: int | None,
    normalise: bool,
) -> None:
    """Train an n-gram model on text and write it as an ARPA file.

    TEXT is UTF-8 with one sentence per line, plain or compressed (gzip, xz). It may be larger than memory: temporary
    files go to TMPDIR. The smoothing is interpolated modified Kneser-Ney, with counts, discounts and pruning as in
    KenLM's lmplz. If the name of the output ends in .gz or .xz, it is compressed.

    Without --normalise, words are separated by white space and otherwise unchanged.

    \b
    Example:
      asr lm train book.txt news.txt.xz --normalise --order 3 --prune 0 0 1 -o lm.arpa.gz
    """
    from asr.lm.estimation.train_ngram import train as train_ngram

    if vocabulary and vocabulary_size:
        raise click.UsageError("--vocabulary and --vocabulary-size are mutually exclusive: give one of them.")
    options.check_output(output)
    with bar() as progress:
        orders = train_ngram(
            texts,
            output,
            order=order,
            prune=prune,
            vocabulary=vocabulary,
            vocabulary_size=vocabulary_size,
            normalised=normalise,
            progress=progress,
        )
    click.echo("order      n-grams         kept      D1      D2     D3+")
    for number, order_stats in enumerate(orders, start=1):
        discounts = "".join(f"{discount:8.4f}" for discount in order_stats.discounts)
        remark = "" if order_stats.estimated else "  not estimated"
        click.echo(f"{number:5}{order_stats.counted:13,}{order_stats.kept:13,}{discounts}{remark}")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB")
    if fixed := [str(number) for number, stats in enumerate(orders, start=1) if not stats.estimated]:
        click.echo(
            f"Note: the text is too small or too regular to estimate the discounts of order {', '.join(fixed)}; "
            "default values were used.",
            err=True,
        )


@lm.command()
@MODEL
@OUTPUT
@click.option("--small", is_flag=True, help="Compressed and rounded: about a tenth of the size, slower to open.")
def pack(model: Path, output: Path, small: bool) -> None:
    """Convert an n-gram model to a binary file that opens instantly.

    LM is an ARPA file (plain, gzip or xz) or a packed file. The packed file is memory-mapped: only the pages that are
    needed are read, and processes share them. All values are exact.

    --small makes a file for distribution: compressed by xz to about two bytes per n-gram, with probabilities and
    back-off weights rounded by at most 13 %. `asr lm perplexity` measures the effect.

    \b
    Example:
      asr lm pack lm.arpa -o lm.bin
    """
    from asr.lm import packed

    options.check_output(output)
    ngram = packed.load(model)
    packed.save(ngram, output, "small" if small else "mapped")
    counts = " + ".join(f"{count:,}" for count in ngram.counts)
    click.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB, {counts} n-grams")


@lm.command()
@MODEL
@TEXTS
@NORMALISE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def perplexity(model: Path, texts: tuple[Path, ...], *, normalise: bool, as_json: bool) -> None:
    """Measure how well a language model predicts text.

    LM is an n-gram model (ARPA: plain, gzip or xz; or packed) or an LSTM (.onnx). TEXT has one sentence per line. The
    end of a sentence counts as one word and one character.

    An n-gram model scores all out-of-vocabulary words as <unk>, without the cost of their spelling; the second row
    excludes them. An LSTM spells every word; lines with characters outside its alphabet are skipped. Compare the two
    by bits per character; perplexities are comparable only between models with the same vocabulary.

    \b
    Example:
      asr lm perplexity lm.bin dev.txt
    """
    rows, numbers, remark = (_measure_lstm if model.suffix == ".onnx" else _measure_ngram)(model, texts, normalise)
    if as_json:
        numbers |= {
            name.partition(" ")[0]: asdict(part)
            | {
                "perplexity": part.perplexity,
                "bits_per_word": part.bits_per_word,
                "bits_per_character": part.bits_per_character,
            }
            for name, part in rows.items()
        }
        click.echo(json.dumps(numbers, indent=2))
        return
    click.echo("             perplexity  bits per word  bits per character")
    for name, part in rows.items():
        click.echo(f"{name:11}{part.perplexity:12.2f}{part.bits_per_word:15.3f}{part.bits_per_character:20.4f}")
    click.echo(f"\n{numbers['sentences']:,} sentences, {numbers['words']:,} words, {remark}")


def _measure_ngram(
    model: Path, texts: tuple[Path, ...], normalise: bool
) -> "tuple[dict[str, Part], dict[str, Any], str]":
    """Evaluate an n-gram model: the rows of the table, the numbers for JSON, and a remark."""
    from asr.lm import packed
    from asr.lm.perplexity import measure

    ngram = packed.load(model)
    with bar() as progress:
        result = measure(ngram, texts, normalise, lambda share: progress("reading", share, 1.0))
    remark = f"{result.unknown:,} unknown ({100 * result.unknown / result.words:.2f} %)"
    return {"all words": result.all, "known words": result.known}, asdict(result), remark


def _measure_lstm(
    model: Path, texts: tuple[Path, ...], normalise: bool
) -> "tuple[dict[str, Part], dict[str, Any], str]":
    """Evaluate an LSTM, for which text is always normalised; returns the same as `_measure_ngram`."""
    from asr.lm.lstm import OnnxLanguageModel
    from asr.lm.perplexity import measure_speller

    loaded = OnnxLanguageModel(model)
    with bar() as progress:
        result = measure_speller(
            loaded, loaded.description.tokenizer, texts, lambda share: progress("reading", share, 1.0)
        )
    return {"all words": result.all}, asdict(result), f"{result.left_out:,} lines skipped"


@lm.command()
@MODEL
@click.option("--prompt", default="", metavar="TEXT", help="Beginning of the text.")
@click.option(
    "--length",
    default=300,
    show_default=True,
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of tokens to generate.",
)
@click.option(
    "--temperature",
    default=0.7,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="T",
    help="Sampling temperature: 1 samples from the model's distribution, less is more cautious, 0 is greedy.",
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="N", help="Random seed.")
def generate(model: Path, *, prompt: str, length: int, temperature: float, seed: int) -> None:
    """Generate text with an LSTM language model.

    LM is an .onnx file that `asr export` made from a language model run. Tokens are sampled one at a time, each given
    all tokens before it. Each line is a sentence.

    \b
    Example:
      asr lm generate lm.onnx --prompt "the captain"
    """
    from asr.lm.lstm import OnnxLanguageModel
    from asr.lm.sampling import generate as sample

    if model.is_file() and model.suffix != ".onnx":
        raise ModelError(
            f"'{model}' is not an .onnx file, and only an LSTM language model can generate text: make one with `asr "
            "train recipes/lm/english.yaml` and `asr export`."
        )
    loaded = OnnxLanguageModel(model, threads=1)  # one token at a time: nothing to parallelise
    tokenizer = loaded.description.tokenizer
    click.echo("\n".join(sample(loaded, tokenizer, prompt, length, temperature=temperature, seed=seed)))
