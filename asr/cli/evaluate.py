"""`asr evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from asr.runtime.session import LogProbModel


@click.command()
@click.argument("model")
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every utterance in it.")
def evaluate(model: str, manifests: tuple[Path, ...], as_json: bool) -> None:
    """Measure the word and character error rates of MODEL on the utterances of one or more manifests.

    MODEL is an .onnx file, the name of a shipped model, a run folder or a .safetensors checkpoint (the last two need
    the extra `train`). Texts are decoded greedily, without a language model. References are normalised to the model's
    alphabet.

    \b
    Example:
      asr evaluate an4 data/an4/test.jsonl
    """
    import json
    import time

    from rich.console import Console
    from rich.progress import Progress

    from asr.data import manifest
    from asr.runtime.evaluation import evaluate as run
    from asr.scoring.summary import render, report

    loaded = _load(model)
    utterances = [u for path in manifests for u in manifest.read(path)]
    console = Console(stderr=True)
    started = time.monotonic()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("transcribing", total=sum(u.duration for u in utterances))
        score = run(loaded, utterances, progress=lambda u: progress.advance(task, u.duration))
    elapsed_s = time.monotonic() - started
    duration_s = sum(u.duration for u in utterances)
    if as_json:
        result = report(score) | {"model": model, "duration_s": duration_s, "elapsed_s": elapsed_s}
        result["details"] = [utterance.to_dict() for utterance in score.utterances]
        click.echo(json.dumps(result, ensure_ascii=False))
        return
    click.echo(render(score))
    click.echo(f"{duration_s:,.0f} s of sound in {elapsed_s:.1f} s: {duration_s / elapsed_s:.0f} times real time.")


def _load(model: str) -> "LogProbModel":
    from asr import models

    path = Path(model)
    if model not in models.shipped() and (path.is_dir() or path.suffix == ".safetensors"):
        from asr.training import checkpoint

        return checkpoint.load(path)
    from asr.runtime.session import OnnxModel

    return OnnxModel(models.find(model))
