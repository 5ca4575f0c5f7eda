"""`asr lm`: language models."""

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
OUTPUT = click.option("-o", "--output", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
NORMALISE = click.option(
    "--normalise", is_flag=True, help="Take the text as the recogniser would write it: lower case, no punctuation."
)


class Prune(click.Command):
    """Lets `--prune` take as many numbers as follow it."""

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
        raise click.BadParameter(f"{value!r} has to be numbers, such as 0 0 1.", context, parameter) from None


@click.group()
def lm() -> None:
    """Train and measure language models, which know what words make sense together.

    \b
    Example:
      asr lm train book.txt --normalise -o lm.arpa
    """


@lm.command(cls=Prune)
@TEXTS
@OUTPUT
@click.option("--order", type=click.IntRange(2, 6), default=3, show_default=True, metavar="N", help="Words in a row.")
@click.option(
    "--prune",
    default="0",
    show_default=True,
    callback=_thresholds,
    metavar="N...",
    help="For each order from 1 up: leave out n-grams that the text has so often or less. The last number holds for "
    "all higher orders.",
)
@click.option(
    "--vocabulary", type=click.Path(path_type=Path), metavar="FILE", help="Only the words in this list, one a line."
)
@click.option("--vocabulary-size", type=click.IntRange(min=1), metavar="N", help="Only the N most frequent words.")
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

    TEXT is UTF-8 with a sentence a line, plain or packed by gzip or xz, and may be larger than memory: temporary files
    go where TMPDIR says. The smoothing is interpolated modified Kneser-Ney, with counts, discounts and pruning as in
    KenLM's lmplz. An output named .gz or .xz is packed.

    Without --normalise words are what stands between white space, as it stands.

    \b
    Example:
      asr lm train book.txt news.txt.xz --normalise --order 3 --prune 0 0 1 -o lm.arpa.gz
    """
    from asr.lm.estimation.train_ngram import train as train_ngram

    if vocabulary and vocabulary_size:
        raise click.UsageError("--vocabulary and --vocabulary-size are two ways to choose the words: give one.")
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
    for number, each in enumerate(orders, start=1):
        amounts = "".join(f"{amount:8.4f}" for amount in each.discounts)
        click.echo(f"{number:5}{each.counted:13,}{each.kept:13,}{amounts}{'' if each.estimated else '  not estimated'}")
    click.echo(f"{output}: {output.stat().st_size / 1e6:.2f} MB")
    if fixed := [str(number) for number, each in enumerate(orders, start=1) if not each.estimated]:
        click.echo(
            f"Note: the text is too small or too regular to estimate the discounts of order {', '.join(fixed)}; "
            "fixed ones were taken.",
            err=True,
        )


@lm.command()
@MODEL
@OUTPUT
@click.option("--small", is_flag=True, help="About a tenth of the size, rounded, and slower to open.")
def pack(model: Path, output: Path, small: bool) -> None:
    """Turn an n-gram model into one file that opens at once.

    LM is an ARPA file (plain, gzip or xz) or a packed one. The packed file is mapped into memory, so that nothing is
    read that is not needed, and several processes share it; no number is changed.

    With --small it is made for shipping: packed by xz, about two bytes an n-gram, with probabilities and back-off
    weights rounded, by 3 % at most. `asr lm perplexity` says what that costs.

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

    LM is an n-gram model, ARPA (plain, gzip or xz) or packed, or an LSTM's .onnx file; TEXT has a sentence a line. The
    end of a sentence counts as a word, and as a character.

    An n-gram model gives words outside its vocabulary the probability of <unk>, which pays for no spelling; the second
    row leaves them out. An LSTM pays for the spelling of every word, and lines that it cannot spell are left out. Bits
    a character compare the two; perplexities of models with different vocabularies do not compare.

    \b
    Example:
      asr lm perplexity lm.bin dev.txt
    """
    rows, numbers, remark = (_spelled if model.suffix == ".onnx" else _foretold)(model, texts, normalise)
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
    click.echo("             perplexity  bits a word  bits a character")
    for name, part in rows.items():
        click.echo(f"{name:11}{part.perplexity:12.2f}{part.bits_per_word:13.3f}{part.bits_per_character:18.4f}")
    click.echo(f"\n{numbers['sentences']:,} sentences, {numbers['words']:,} words, {remark}")


def _foretold(model: Path, texts: tuple[Path, ...], normalise: bool) -> "tuple[dict[str, Part], dict[str, Any], str]":
    """What an n-gram model makes of text: the rows of the table, all numbers, and a remark."""
    from asr.lm import packed
    from asr.lm.perplexity import measure

    ngram = packed.load(model)
    with bar() as progress:
        result = measure(ngram, texts, normalise, lambda share: progress("reading", share, 1.0))
    remark = f"{result.unknown:,} unknown ({100 * result.unknown / result.words:.2f} %)"
    return {"all words": result.all, "known words": result.known}, asdict(result), remark


def _spelled(model: Path, texts: tuple[Path, ...], normalise: bool) -> "tuple[dict[str, Part], dict[str, Any], str]":
    """The same of an LSTM, for which text is always normalised."""
    from asr.lm.lstm import OnnxLanguageModel
    from asr.lm.perplexity import measure_speller

    loaded = OnnxLanguageModel(model)
    with bar() as progress:
        result = measure_speller(
            loaded, loaded.description.tokenizer, texts, lambda share: progress("reading", share, 1.0)
        )
    return {"all words": result.all}, asdict(result), f"{result.left_out:,} lines left out"


@lm.command()
@MODEL
@click.option("--prompt", default="", metavar="TEXT", help="What the text begins with.")
@click.option(
    "--length", default=300, show_default=True, type=click.IntRange(min=1), metavar="N", help="Tokens to add."
)
@click.option(
    "--temperature",
    default=0.7,
    show_default=True,
    type=click.FloatRange(min=0),
    metavar="T",
    help="1 draws from the model's own distribution, less is more cautious, 0 always takes the likeliest token.",
)
@click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(min=0), metavar="N", help="Another, other text."
)
def generate(model: Path, *, prompt: str, length: int, temperature: float, seed: int) -> None:
    """Let an LSTM language model write.

    LM is an .onnx file that `asr export` made from a language model's run. Each token is drawn from what the model
    expects after all before it; a line is a sentence.

    \b
    Example:
      asr lm generate lm.onnx --prompt "the captain"
    """
    from asr.lm.lstm import OnnxLanguageModel
    from asr.lm.sampling import generate as write

    if model.is_file() and model.suffix != ".onnx":
        raise ModelError(
            f"'{model}' is not an .onnx file, and only an LSTM language model can write: `asr train "
            "recipes/lm/english.yaml` and `asr export` make one."
        )
    loaded = OnnxLanguageModel(model, threads=1)  # one token at a time leaves nothing to share
    tokenizer = loaded.description.tokenizer
    click.echo("\n".join(write(loaded, tokenizer, prompt, length, temperature=temperature, seed=seed)))
