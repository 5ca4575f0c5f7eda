"""`asr tune`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.cli import options
from asr.cli.progress import bar

if TYPE_CHECKING:
    from asr.decoding.build import SearchModel
    from asr.models.description import AcousticDescription


@click.command()
@click.argument("model")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST...")
@click.option(
    "--lm", type=click.Path(path_type=Path), metavar="FILE", help="An n-gram model, ARPA or packed, or an LSTM (.onnx)."
)
@click.option(
    "--rescore",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Tune for an LSTM language model, .onnx, that chooses among the best texts, too.",
)
@click.option(
    "--beam",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Prefixes that the search keeps.  [default: 100; with an LSTM 16]",
)
@click.option(
    "--include-lm",
    is_flag=True,
    help="Put the n-gram model, in its small form, into the model file: one file does all.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the tuned model here instead of changing MODEL.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="C",
    help="Let the model leave out stretches of speech in which the words' mean confidence is below C, such as music.  "
    "[default: as before]",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="Draw the grid (needs the extra `report`).",
)
def tune(
    model: str,
    manifests: tuple[Path, ...],
    *,
    lm: Path | None,
    rescore: Path | None,
    beam: int | None,
    include_lm: bool,
    min_confidence: float | None,
    output: Path | None,
    picture: Path | None,
) -> None:
    """Find what a language model should count for MODEL, an .onnx file, and keep it in the file.

    MANIFEST names a dev part: speech of the kind to be recognised that was not trained on and is not the test part
    either, for a score on it would flatter from then on. With --lm a grid of LM weights and word bonuses is searched;
    untuned, a language model can make the text worse. Then one temperature is found that makes the confidence of words
    say how likely they are right. From then on `asr transcribe --lm FILE` decodes with these weights, and without --lm
    if the language model was put into the file.

    Without --lm a model that has a language model inside is tuned for that. For another one only the temperature is
    found, for greedy decoding.

    \b
    Example:
      asr tune my.onnx data/mine/dev.jsonl --lm lm.bin --include-lm
    """
    from dataclasses import replace

    from asr import models
    from asr.data import manifest
    from asr.decoding import build
    from asr.evaluation import tuning
    from asr.models import rewrite
    from asr.models.session import OnnxModel
    from asr.report import tuning as tables

    options.check_output(output)
    options.check_output(picture)
    if output is None and model in models.shipped():
        raise click.UsageError(f"The model {model!r} belongs to the program: give -o for a tuned copy of it.")
    path = models.find(model)
    loaded = OnnxModel(path, threads=1)
    first, kept = _language_model(loaded.description, lm, include_lm)
    second = build.open_for_rescoring(loaded.description, rescore) if rescore is not None else None
    if first is None and picture is not None:
        raise click.UsageError("--picture draws the weights of a language model in the search: give it with --lm.")
    if first is None and second is None:
        width = 0
        if beam is not None:
            raise click.UsageError("--beam needs a language model: give it with --lm or --rescore.")
    else:
        width = beam or build.default_width(first)
    with bar() as progress:
        heard = tuning.listen(loaded, [u for each in manifests for u in manifest.read(each)], progress)
        tuned = tuning.tune(heard, width=width, lm=first, second=second, progress=progress)

    click.echo(tables.table(tuned.stages))
    if tuned.trials:
        click.echo(tables.grid_of(tuned))
    click.echo(tables.confidence(tuned))
    least = loaded.description.decoding.min_confidence if min_confidence is None else min_confidence
    if least:
        count, right = tuning.left_out(heard, tuned, least)
        click.echo(
            f"Below a confidence of {least:g} nothing is said: in {count} of {len(heard.utterances)} "
            f"utterances, which loses {right} right words."
        )
    names = {"manifests": [str(each) for each in manifests], "lm": lm and str(lm), "rescore": rescore and str(rescore)}
    rates = {stage.name: stage.score.words.rate for stage in tuned.stages}
    settings = replace(tuned.settings, min_confidence=least, tuned=names | {"dev_wer": rates})
    target = output or path
    rewrite.rewrite(path, target, replace(loaded.description, decoding=settings, language_model=kept).to_metadata())
    click.echo(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB).")
    if picture is not None:
        tables.draw(tuned, picture)
        click.echo(f"Wrote {picture}.")


def _language_model(
    description: "AcousticDescription", lm: Path | None, include: bool
) -> "tuple[SearchModel | None, str]":
    """What the search reads, and what of it is kept in the model's file."""
    import base64

    from asr.decoding import build
    from asr.lm import packed

    own = description.language_model
    first = build.own_language_model(description) if lm is None else build.open_for_search(description, lm)
    if not include:
        if lm is not None and own:
            raise click.UsageError(
                f"The model {description.name!r} has a language model inside, which would be used with the weights of "
                f"'{lm}': put that in its place (--include-lm), or tune the model as it was exported."
            )
        return first, own
    if lm is None or first is None or first.unit != "word":
        raise click.UsageError("--include-lm needs an n-gram model: give it with --lm.")
    contents = packed.dumps(first)
    return packed.loads(contents, str(lm)), base64.b64encode(contents).decode()  # what is rounded is what is tuned for
