"""`asr export`."""

from pathlib import Path

import click

from asr.errors import DataError


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
def export(run: Path, model: Path, manifests: tuple[Path, ...], utterances: int) -> None:
    """Turn RUN, a run folder or a checkpoint, into MODEL, one self-describing .onnx file.

    The file takes a raw waveform and gives log-probs; the feature stage is inside. It is written only if its
    log-probs equal torch's, within 0.001, on real speech, heard alone and in padded batches.

    \b
    Example:
      asr export runs/an4 an4.onnx
    """
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
    difference = exporter.export(loaded, model, speech[:: max(1, len(speech) // utterances)][:utterances])
    size = model.stat().st_size / 1e6
    click.echo(f"Wrote {model} ({size:.1f} MB); largest difference of log-probs from torch: {difference:.1e}.")
