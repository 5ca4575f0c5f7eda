"""`asr tune`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asr.cli import options
from asr.cli.progress import bar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asr.decoding.build import SearchModel
    from asr.evaluation.tuning import DevSet, Tuned
    from asr.models.description import AcousticDescription
    from asr.pronunciation.lexicon import Lexicon


@click.command()
@click.argument("model")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST...")
@click.option(
    "--lm",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Language model to tune for: an n-gram model (ARPA or packed), a model that holds one, such as english, or an "
    "LSTM (.onnx).",
)
@click.option(
    "--rescore",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also tune for an LSTM language model (.onnx) that rescores the n-best list.",
)
@click.option(
    "--weights",
    type=(click.FloatRange(0), float),
    metavar="WEIGHT BONUS",
    help="LM weight and word bonus to use instead of searching for them, such as those found on other speech.",
)
@click.option(
    "--beam",
    type=click.IntRange(1, 10_000),
    metavar="N",
    help="Beam width: number of prefixes kept.  [default: 100, over phones 200, with an LSTM 16]",
)
@click.option(
    "--include-lm",
    is_flag=True,
    help="Embed the n-gram model (packed as with `asr lm pack --small`) in the model file.",
)
@click.option(
    "--pronunciations",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Embed pronunciations of the language model's words, too, for a model with a head over phones. FILE is a "
    "dictionary in the format of CMUdict, or a model that holds pronunciations. Words that it lacks are pronounced by "
    "the rules found in it.",
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
    weights: tuple[float, float] | None,
    beam: int | None,
    include_lm: bool,
    pronunciations: Path | None,
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

    A model with a head over phones searches for words by their pronunciations if it holds them (--pronunciations).

    Without --lm, a model with an embedded language model is tuned for that one; for other models, only the temperature
    for greedy decoding is fitted.

    \b
    Example:
      asr tune my.onnx data/mine/dev.jsonl --lm lm.bin --include-lm
    """
    import base64
    from dataclasses import replace

    from asr import models
    from asr.data import manifest
    from asr.decoding import build
    from asr.evaluation import tuning
    from asr.models import rewrite
    from asr.models.session import OnnxModel
    from asr.pronunciation import sources
    from asr.report import tuning as tables

    options.check_output(output)
    options.check_output(picture)
    if output is None and model in models.shipped():
        raise click.UsageError(f"{model!r} is a shipped model and is not overwritten: write the tuned copy with -o.")
    path = models.find(model)
    loaded = OnnxModel(path, threads=1)
    description = loaded.description
    first_pass_lm, embedded_lm = _language_model(description, lm, include_lm)
    lexicon = sources.embedded(description) if lm is None else None
    if pronunciations is not None:
        lexicon = _lexicon(description, first_pass_lm if include_lm else None, pronunciations)
    rescorer = build.open_for_rescoring(description, rescore) if rescore is not None else None
    if first_pass_lm is None:
        _refuse({"picture": picture, "weights": weights}, "needs a language model: give it with --lm")
        _refuse({"beam": None if rescorer else beam}, "needs a language model: give it with --lm or --rescore")
    if weights is not None:
        _refuse({"picture": picture}, "draws the weights that were tried, and with --weights none are")
    has_lm = first_pass_lm is not None or rescorer is not None
    width = (beam or build.default_width(first_pass_lm, lexicon)) if has_lm else 0
    with bar() as progress:
        utterances = [utterance for path in manifests for utterance in manifest.read(path)]
        dev_set = tuning.run_model(loaded, utterances, progress)
        tuned = tuning.tune(
            dev_set,
            width=width,
            lm=first_pass_lm,
            lexicon=lexicon,
            weights=weights,
            rescorer=rescorer,
            progress=progress,
        )

    click.echo(tables.table(tuned.stages))
    if tuned.trials:
        click.echo(tables.grid_of(tuned))
    click.echo(tables.confidence(tuned))
    min_confidence = description.decoding.min_confidence if min_confidence is None else min_confidence
    _say_skipped(dev_set, tuned, min_confidence)
    used = {"lm": lm, "rescore": rescore, "pronunciations": pronunciations}
    settings = replace(tuned.settings, min_confidence=min_confidence, tuned=_how(tuned, manifests, used))
    target = output or path
    embedded_lexicon = "" if lexicon is None else base64.b64encode(lexicon.to_bytes()).decode()
    described = replace(description, decoding=settings, language_model=embedded_lm, lexicon=embedded_lexicon)
    rewrite.rewrite(path, target, described.to_metadata())
    click.echo(f"Wrote {target} ({target.stat().st_size / 1e6:.1f} MB).")
    if picture is not None:
        tables.draw(tuned, picture)
        click.echo(f"Wrote {picture}.")


def _say_skipped(dev_set: "DevSet", tuned: "Tuned", min_confidence: float) -> None:
    from asr.evaluation import tuning

    if not min_confidence:
        return
    num_skipped, num_correct = tuning.skipped(dev_set, tuned, min_confidence)
    click.echo(
        f"A minimum confidence of {min_confidence:g} skips {num_skipped} of {len(dev_set.utterances)} utterances, "
        f"which loses {num_correct} correct words."
    )


def _refuse(values: "Mapping[str, Any]", reason: str) -> None:
    """Raises UsageError if one of the options was given."""
    for name, value in values.items():
        if value is not None:
            raise click.UsageError(f"--{name} {reason}.")


def _how(tuned: "Tuned", manifests: "Sequence[Path]", used: "Mapping[str, Path | None]") -> dict[str, Any]:
    """What the model file says of its tuning."""
    rates = {stage.name: stage.score.words.rate for stage in tuned.stages}
    files = {name: path and str(path) for name, path in used.items()}
    return {"manifests": list(map(str, manifests)), **files, "dev_wer": rates}


def _lexicon(description: "AcousticDescription", lm: "SearchModel | None", path: Path) -> "Lexicon":
    """The pronunciations of the words of a language model to embed.

    Raises:
        DataError: the dictionary cannot be read, or has phones that the model does not have.
    """
    from asr.errors import DataError
    from asr.pronunciation import letters_to_sounds, sources
    from asr.pronunciation.lexicon import Lexicon

    if lm is None or lm.unit != "word" or not description.phones:
        raise click.UsageError(
            "--pronunciations needs a model with a head over phones and a language model that is embedded: give --lm "
            "and --include-lm, and a model whose recipe has `model.phones`."
        )
    known = sources.load(path)
    if others := set(known.phones) - set(description.phones):
        raise DataError(
            f"The pronunciations '{path}' have phones that the model does not have ({', '.join(sorted(others))}): give "
            "the dictionary that it was trained with."
        )
    found = Lexicon.of_words(lm.words, known, letters_to_sounds.train(known.words))
    return Lexicon(description.phones, found.words)


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
