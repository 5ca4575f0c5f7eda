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
    "--lm",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Language model to tune for: an n-gram model (ARPA or packed) or an LSTM (.onnx).",
)
@click.option(
    "--rescore",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also tune for an LSTM language model (.onnx) that rescores the n-best list.",
)
@click.option(
    "--beam",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Beam width: number of prefixes kept.  [default: 100, with an LSTM 16]",
)
@click.option(
    "--include-lm",
    is_flag=True,
    help="Embed the n-gram model (packed as with `asr lm pack --small`) in the model file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the tuned model to FILE instead of changing MODEL.",
)
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    metavar="C",
    help="Default of `asr transcribe --min-confidence` for this model: skip stretches, such as music, in which the "
    "mean word confidence is below C.  [default: unchanged]",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PNG",
    help="Draw the WER over the grid of weights (needs the extra `report`).",
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
    """Tune the LM weight, word bonus and confidence of MODEL on a dev set.

    MODEL is an .onnx file; the settings are stored in it. MANIFEST is a dev set: speech like the speech to be
    recognised, neither trained on nor used for testing, because tuning biases its score.

    With --lm, LM weight and word bonus are chosen by grid search; an untuned language model can increase the WER. Then
    the temperature that calibrates the word confidence is fitted. `asr transcribe --lm FILE` uses these settings; with
    --include-lm, `asr transcribe` uses them without --lm.

    Without --lm, a model with an embedded language model is tuned for that one; for other models, only the temperature
    for greedy decoding is fitted.

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
        raise click.UsageError(f"{model!r} is a shipped model and is not overwritten: write the tuned copy with -o.")
    path = models.find(model)
    loaded = OnnxModel(path, threads=1)
    first_pass_lm, embedded_lm = _language_model(loaded.description, lm, include_lm)
    rescorer = build.open_for_rescoring(loaded.description, rescore) if rescore is not None else None
    if first_pass_lm is None and picture is not None:
        raise click.UsageError("--picture draws the weights of a language model and needs one: give it with --lm.")
    if first_pass_lm is None and rescorer is None:
        width = 0
        if beam is not None:
            raise click.UsageError("--beam needs a language model: give it with --lm or --rescore.")
    else:
        width = beam or build.default_width(first_pass_lm)
    with bar() as progress:
        utterances = [utterance for path in manifests for utterance in manifest.read(path)]
        dev_set = tuning.run_model(loaded, utterances, progress)
        tuned = tuning.tune(dev_set, width=width, lm=first_pass_lm, rescorer=rescorer, progress=progress)

    click.echo(tables.table(tuned.stages))
    if tuned.trials:
        click.echo(tables.grid_of(tuned))
    click.echo(tables.confidence(tuned))
    if min_confidence is None:
        min_confidence = loaded.description.decoding.min_confidence
    if min_confidence:
        num_skipped, num_correct = tuning.skipped(dev_set, tuned, min_confidence)
        click.echo(
            f"A minimum confidence of {min_confidence:g} skips {num_skipped} of {len(dev_set.utterances)} utterances, "
            f"which loses {num_correct} correct words."
        )
    names = {"manifests": [str(path) for path in manifests], "lm": lm and str(lm), "rescore": rescore and str(rescore)}
    rates = {stage.name: stage.score.words.rate for stage in tuned.stages}
    settings = replace(tuned.settings, min_confidence=min_confidence, tuned=names | {"dev_wer": rates})
    target = output or path
    rewrite.rewrite(
        path, target, replace(loaded.description, decoding=settings, language_model=embedded_lm).to_metadata()
    )
    click.echo(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB).")
    if picture is not None:
        tables.draw(tuned, picture)
        click.echo(f"Wrote {picture}.")


def _language_model(
    description: "AcousticDescription", lm: Path | None, include: bool
) -> "tuple[SearchModel | None, str]":
    """The language model for the search, and the packed one to embed in the model file (base64)."""
    import base64

    from asr.decoding import build
    from asr.lm import packed

    embedded = description.language_model
    first_pass_lm = build.own_language_model(description) if lm is None else build.open_for_search(description, lm)
    if not include:
        if lm is not None and embedded:
            raise click.UsageError(
                f"The model {description.name!r} has an embedded language model, which would be used with the weights "
                f"tuned for '{lm}': replace it with --include-lm, or tune the model as it was exported."
            )
        return first_pass_lm, embedded
    if lm is None or first_pass_lm is None or first_pass_lm.unit != "word":
        raise click.UsageError("--include-lm needs an n-gram model: give it with --lm.")
    contents = packed.dumps(first_pass_lm)
    # Tune with the rounded model that is embedded.
    return packed.loads(contents, str(lm)), base64.b64encode(contents).decode()
