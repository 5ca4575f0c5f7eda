"""`asr transcribe`."""

import sys
from pathlib import Path
from typing import Any

import click

from asr.cli import options
from asr.errors import AsrError
from asr.transcript import FORMATS


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILES...")
@click.option("--model", help="An .onnx file or a shipped model.  [default: an4: spelled words, numbers]")
@click.option("--format", "format_", type=click.Choice(list(FORMATS)), default="txt", show_default=True)
@click.option(
    "--output-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one file for each input into this folder, made if need be, instead of printing.",
)
@options.decoding
def transcribe(
    files: tuple[str, ...], *, model: str | None, format_: str, output_dir: Path | None, **wishes: Any
) -> None:
    """Turn sound FILES into text.

    Any format that libsndfile or FFmpeg reads, any sample rate; "-" is standard input. The text is lower case
    without punctuation; it is found as the model was tuned (`asr tune`), else greedily. A file that cannot be read is
    reported, the others go on, and the exit status is 1 then.

    \b
    Example:
      asr transcribe interview.wav --format srt > interview.srt
    """
    import asr
    from asr.transcript import write

    if len(files) > 1 and format_ != "txt" and output_dir is None:
        raise click.UsageError(f"Several {format_} documents in one stream are none: give --output-dir, or one file.")
    transcriber = asr.load(model, **wishes)
    if transcriber.decoder.remark:
        click.echo(f"Note: {transcriber.decoder.remark}", err=True)
    targets = _targets(files, format_, output_dir)
    failed = 0
    for file in files:
        try:
            transcript = transcriber.transcribe(file)
            if output_dir:
                write(transcript, targets[file], format_)
        except AsrError as error:
            click.echo(f"Error: {error}", err=True)
            failed += 1
            continue
        if output_dir:
            click.echo(click.format_filename(targets[file]))
        else:
            label = f"{click.format_filename(file)}: " if len(files) > 1 else ""
            click.echo(label + transcript.to(format_), nl=False)
    if failed:
        if len(files) > 1:
            click.echo(f"{failed} of {len(files)} files could not be transcribed.", err=True)
        sys.exit(1)


def _targets(files: tuple[str, ...], format_: str, output_dir: Path | None) -> dict[str, Path]:
    """Which input goes to which file. Raises AsrError when two would go to the same one."""
    if output_dir is None:
        return {}
    output_dir.mkdir(parents=True, exist_ok=True)
    targets: dict[str, Path] = {}
    for file in files:
        target = output_dir / f"{'stdin' if file == '-' else Path(file).stem}.{format_}"
        for other, taken in targets.items():
            if taken == target and other != file:
                raise AsrError(f"'{other}' and '{file}' would both be written to '{target}': transcribe them apart.")
        targets[file] = target
    return targets
