"""`asr export`."""

from pathlib import Path

import click

from asr.cli import options
from asr.errors import DataError
from asr.models.description import AcousticDescription, LanguageDescription, PunctuationDescription


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Speech on which the exported model is compared with torch; may be repeated.  [default: the recipe's dev "
    "manifests]",
)
@click.option(
    "--utterances",
    default=64,
    show_default=True,
    type=click.IntRange(1),
    metavar="N",
    help="Number of utterances to compare on.",
)
@click.option("--int8", is_flag=True, help="Quantise the recurrent layers to int8: smaller and faster.")
@click.option(
    "--shifts",
    type=click.IntRange(1),
    metavar="N",
    help="Average over N shifted copies of the spectrogram: fewer errors, but slower.  [default: the recipe's "
    "model.shifts]",
)
def export(
    run: Path, model: Path, manifests: tuple[Path, ...], utterances: int, *, int8: bool, shifts: int | None
) -> None:
    """Export RUN, a run folder or a checkpoint, to MODEL, one self-describing .onnx file.

    The file maps a raw waveform to log-probs; feature extraction is part of the graph. It is written only if its
    log-probs agree with torch within 0.001 on real speech, both one utterance at a time and in padded batches. A
    language model is compared on sentences that it generates, a punctuation model on its dev texts.

    --int8 makes the file of an acoustic or punctuation model about four times smaller and about 1.5 times as fast; it
    then runs in onnxruntime only. Its log-probs may differ from torch by 0.1 (root mean square; 0.2 of a punctuation
    model) and do not depend on the other utterances of a batch. The same speech or text calibrates the quantisation
    ranges.

    \b
    Example:
      asr export runs/an4 an4-int8.onnx --int8
    """
    from asr.training import checkpoint

    options.check_output(model)
    kind = checkpoint.kind(run)
    if shifts and kind != AcousticDescription.kind:
        raise click.UsageError(f"{str(run)!r} is not an acoustic model, so it has no --shifts: omit it.")
    if kind == LanguageDescription.kind:
        if int8:
            raise click.UsageError(f"{str(run)!r} is a language model, which has no int8 form: omit --int8.")
        difference = _export_language(run, model, utterances)
    elif kind == PunctuationDescription.kind:
        difference = _export_punctuation(run, model, utterances, int8)
    else:
        difference = _export_acoustic(run, model, manifests, utterances, int8=int8, shifts=shifts)
    size = model.stat().st_size / 1e6
    measure = "root mean square" if int8 else "largest"
    click.echo(
        f"Wrote {model} ({size:.1f} MB); {measure} difference between its log-probs and torch's: {difference:.1e}."
    )


def _export_acoustic(
    run: Path, model: Path, manifests: tuple[Path, ...], utterances: int, *, int8: bool, shifts: int | None
) -> float:
    from asr.data import manifest
    from asr.export import exporter
    from asr.training import checkpoint

    loaded = checkpoint.load(run, shifts)
    paths = manifests or tuple(Path(p) for p in loaded.description.recipe["data"]["dev"])
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise DataError(
            f"The speech for the comparison with torch is missing ({', '.join(missing)}): run the export where the "
            "model was trained, or give another manifest with --manifest."
        )
    speech = [u for path in paths for u in manifest.read(path)]
    return exporter.export(loaded, model, speech[:: max(1, len(speech) // utterances)][:utterances], int8=int8)


def _export_language(run: Path, model: Path, sentences: int) -> float:
    """Export a language model and compare it with torch on sentences that it generates."""
    from asr.export import language
    from asr.lm.sampling import generate
    from asr.training.language import checkpoint
    from asr.training.language.objective import TorchReader

    loaded = checkpoint.load(run)
    reader, tokenizer = TorchReader(loaded.network), loaded.description.tokenizer
    texts = [generate(reader, tokenizer, "", 50, temperature=1.0, seed=seed)[0] for seed in range(sentences)]
    return language.export(loaded, model, texts)


def _export_punctuation(run: Path, model: Path, texts: int, int8: bool) -> float:
    """Export a punctuation model and compare it with torch on passages of its dev texts."""
    from asr.export import punctuation
    from asr.lm.sentences import lines
    from asr.readable.labels import parse
    from asr.training.punctuation import checkpoint

    loaded = checkpoint.load(run)
    paths = [Path(path) for path in loaded.description.recipe["data"]["dev"]]
    passages = [line for _, line in lines(paths)]
    words = [[word.text for word in parse(line)] for line in passages[:: max(1, len(passages) // texts)]]
    return punctuation.export(loaded, model, [text for text in words if text][:texts], int8=int8)
