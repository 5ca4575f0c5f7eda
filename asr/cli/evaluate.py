"""`asr evaluate`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.cli import options, unusable
from asr.cli.progress import bar
from asr.decoding.options import DecodingOptions
from asr.scoring.alignment import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr.models.session import LogProbModel
    from asr.readable.writing import Writing
    from asr.report.evaluate import Evaluated
    from asr.scoring.wer import Score
    from asr.text import Tokenizer

MEDIA = 50
"""Default of --media: adds about 6 MB to the page if utterances last 10 s."""


@click.command()
@click.argument("model", type=options.ModelType(), metavar="[MODEL]")
@click.argument("manifests", nargs=-1, type=click.Path(path_type=Path), metavar="MANIFEST...")
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path),
    help="Write index.html, report.json, report.md, ref.trn and hyp.trn to this folder.",
)
@click.option(
    "--media",
    type=click.IntRange(min=0),
    default=MEDIA,
    show_default=True,
    metavar="N",
    help="With -o: embed audio and spectrograms of the N utterances with the most errors in index.html.",
)
@options.decoding
@options.align
@options.readable
@options.max_wer
@unusable.skip_bad
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
@click.option(
    "--keep", is_flag=True, help="Store the score of each corpus in the model file; `asr info` shows stored scores."
)
def evaluate(
    model: str,
    manifests: tuple[Path, ...],
    *,
    output_dir: Path | None,
    media: int,
    rule: Rule,
    readable: bool,
    max_wer: float | None,
    skip_bad: bool,
    as_json: bool,
    keep: bool,
    decoding: DecodingOptions,
) -> None:
    """Measure the word and character error rates of a model on manifests.

    MODEL is an .onnx file, the name of a shipped model, a run folder or a .safetensors checkpoint (the last two need
    the extra `train`), by default $ASR_MODEL, else english. Decoding is the same as in `asr transcribe`: with the
    settings tuned by `asr tune`, otherwise greedy. References are normalised to the model's alphabet.

    Audio that cannot be read is left out and named; if that is more than 1 % of the utterances, the exit status is 1.

    --readable also scores the text as `asr transcribe` writes it, with punctuation, capitals and numbers: the WER of
    the words as written, and F1 of each mark and of capitals. It needs references that are written so.

    -o writes a report: an HTML page that shows every error and works offline (its spectrograms need the extra
    `report`), a Markdown summary, all results as JSON, and trn files for sclite.

    \b
    Example:
      asr evaluate an4 data/an4/test.jsonl -o report
    """
    import json

    from asr import models
    from asr.decoding import build
    from asr.evaluation import corpora
    from asr.models import card
    from asr.models.session import OnnxModel
    from asr.parallel import cores
    from asr.report import evaluate as evaluation
    from asr.report import output_folder

    model, manifests = _with_default_model(model, manifests)
    if output_dir is not None:
        output_folder.prepare(output_dir)
    loaded = load(model)
    if keep and (model in models.shipped() or not isinstance(loaded, OnnxModel)):
        raise click.UsageError(f"--keep changes the model file and needs an .onnx file of your own, not {model!r}.")
    threads = cores() if isinstance(loaded, OnnxModel) else 1  # torch has its own thread pool
    decoder = build.make(loaded.description, decoding)
    if decoder.remark:
        click.echo(f"Note: {decoder.remark}", err=True)
    test_corpora = corpora.read(manifests)
    writing = _writing(loaded, decoding) if readable else None
    result = None
    with bar() as progress:
        evaluated = evaluation.evaluate(
            loaded,
            test_corpora,
            decoder,
            rule=rule,
            writing=writing,
            threads=threads,
            progress=progress,
        )
        if as_json or keep or output_dir is not None:
            command = _command(model, manifests, rule, decoding, readable=readable)
            result = evaluation.report(evaluated, given=model, command=command)
            if output_dir is not None:
                gallery = evaluation.media(loaded, evaluated, media, progress)
                output_folder.write_report(output_dir, result, gallery)
            if keep:
                card.keep_scores(Path(model), loaded.description, result)
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))
    else:
        _print(evaluated, decoding.hot_words)
        if output_dir is not None:
            click.echo(f"Report: {output_dir / 'index.html'}")
        if keep:
            click.echo(f"Scores stored in {model}")
    total = len(evaluated.utterances) + len(evaluated.unusable)
    remedy = "The scores are of the others: fix or remove these"
    unusable.report(evaluated.unusable, total, remedy, skip_bad=skip_bad)
    options.check_max_wer(evaluated.score, max_wer)


def _print(evaluated: "Evaluated", hot_words: "Iterable[str]") -> None:
    """The table, how the text was decoded, and how fast."""
    from asr.evaluation.readable import render as render_readable
    from asr.scoring.summary import render

    click.echo(f"{render(evaluated.score)}\nDecoding: {evaluated.decoding}.")
    if evaluated.readable is not None:
        click.echo(f"\n{render_readable(evaluated.readable)}\n")
    if hot_words:
        click.echo(_hot_word_recall(evaluated.description.tokenizer, evaluated.score, hot_words))
    duration_s = evaluated.duration_s
    speed = f"{duration_s / evaluated.elapsed_s:.0f} times real time"
    click.echo(f"{duration_s:,.0f} s of audio in {evaluated.elapsed_s:.1f} s: {speed}.")


def _writing(model: "LogProbModel", decoding: DecodingOptions) -> "Writing":
    """What writes the words of the model readably."""
    from asr.transcription.transcriber import open_writing

    if (writing := open_writing(model.description, decoding)) is None:
        raise click.UsageError(
            f"--readable needs a model in the language of the punctuation model, but {model.description.name!r} has "
            "another alphabet."
        )
    return writing


def _hot_word_recall(tokenizer: "Tokenizer", score: "Score", words: "Iterable[str]") -> str:
    """Recall and false alarms of the hot words. A boost of 0 measures them without boosting."""
    from asr.scoring.breakdown import recall

    hot = recall(score, {tokenizer.normalise(word) for word in words})
    share = f" ({100 * hot.found / hot.said:.1f} %)" if hot.said else ""
    alarms = f"{hot.false} false alarm{'' if hot.false == 1 else 's'}"
    return f"Hot words: {hot.found} of {hot.said} recognised{share}, {alarms}."


def _with_default_model(model: str, manifests: tuple[Path, ...]) -> tuple[str, tuple[Path, ...]]:
    """The arguments with the default model if the first one is a manifest."""
    from asr import models

    if model.endswith(".jsonl"):
        model, manifests = os.environ.get("ASR_MODEL") or models.DEFAULT, (Path(model), *manifests)
    if not manifests:
        raise click.UsageError("There is nothing to evaluate: give a manifest, such as data/test.jsonl.")
    return model, manifests


def load(model: str) -> "LogProbModel":
    from asr import models

    path = Path(model)
    if model not in models.shipped() and (path.is_dir() or path.suffix == ".safetensors"):
        from asr.training import checkpoint

        return checkpoint.load(path)
    from asr.models.session import OnnxModel

    return OnnxModel(models.find(model), threads=1)


def _command(model: str, manifests: "Sequence[Path]", rule: Rule, decoding: DecodingOptions, *, readable: bool) -> str:
    """The command that reproduces the numbers of a report."""
    import shlex

    words = ["asr", "evaluate", model, *map(str, manifests), *(() if rule == "fewest" else ("--align", rule))]
    words += ["--readable"] if readable else []
    return shlex.join(words + decoding.command_line())
