"""`asr export`."""

from pathlib import Path

import click

from asr.cli import options
from asr.errors import DataError
from asr.models.description import LanguageDescription


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "--manifest",
    "manifests",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Speech to compare the file with torch on; may be repeated.  [default: the recipe's dev manifests]",
)
@click.option("--utterances", default=64, show_default=True, type=click.IntRange(1), help="So many of them.")
@click.option("--int8", is_flag=True, help="Recurrent layers in 8-bit whole numbers: small and fast.")
def export(run: Path, model: Path, manifests: tuple[Path, ...], utterances: int, int8: bool) -> None:
    """Turn RUN, a run folder or a checkpoint, into MODEL, one self-describing .onnx file.

    The file takes a raw waveform and gives log-probs; the feature stage is inside. It is written only if its
    log-probs equal torch's, within 0.001, on real speech, heard alone and in padded batches. A language model is
    compared on sentences that it writes itself.

    With --int8 an acoustic model's file is about a quarter of the size and runs about twice as fast, in onnxruntime
    only. Its log-probs may then differ from torch's by 0.1, as the root mean square; they do not depend on what else
    is in a batch. The speech also serves to find the range of the numbers inside.

    \b
    Example:
      asr export runs/an4 an4-int8.onnx --int8
    """
    from asr.training import checkpoint

    options.check_output(model)
    if checkpoint.kind(run) == LanguageDescription.kind:
        if int8:
            raise click.UsageError(
                f"--int8 is for acoustic models, and {str(run)!r} is a language model: leave it out."
            )
        difference = _export_language(run, model, utterances)
    else:
        difference = _export_acoustic(run, model, manifests, utterances, int8)
    size = model.stat().st_size / 1e6
    what = "root mean square" if int8 else "largest"
    click.echo(f"Wrote {model} ({size:.1f} MB); {what} difference of log-probs from torch: {difference:.1e}.")


def _export_acoustic(run: Path, model: Path, manifests: tuple[Path, ...], utterances: int, int8: bool) -> float:
    from asr.data import manifest
    from asr.export import exporter
    from asr.training import checkpoint

    loaded = checkpoint.load(run)
    chosen = manifests or tuple(Path(p) for p in loaded.description.recipe["data"]["dev"])
    missing = [str(path) for path in chosen if not path.exists()]
    if missing:
        raise DataError(
            f"The speech to compare the file with torch on is not there ({', '.join(missing)}): run this where the "
            "training ran, or name another manifest by --manifest."
        )
    speech = [u for path in chosen for u in manifest.read(path)]
    return exporter.export(loaded, model, speech[:: max(1, len(speech) // utterances)][:utterances], int8=int8)


def _export_language(run: Path, model: Path, sentences: int) -> float:
    """Compared on what the model itself writes."""
    from asr.export import language
    from asr.lm.sampling import generate
    from asr.training.language import checkpoint
    from asr.training.language.task import TorchReader

    loaded = checkpoint.load(run)
    reader, tokenizer = TorchReader(loaded.network), loaded.description.tokenizer
    texts = [generate(reader, tokenizer, "", 50, temperature=1.0, seed=seed)[0] for seed in range(sentences)]
    return language.export(loaded, model, texts)
