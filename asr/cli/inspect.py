"""`asr inspect`."""

from pathlib import Path

import click

from asr.cli import options


@click.command()
@click.argument("file", type=options.FileType())
@options.model
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="PAGE",
    help="Write the page to this file.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers behind the page as one JSON object.")
@click.option("--start", "start_s", type=click.FloatRange(min=0), default=0.0, metavar="SECONDS", help="Begin here.")
@click.option(
    "--duration",
    "duration_s",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Length of the part to look into.  [default: up to the end]",
)
def inspect(
    file: str, *, model: str | None, output: Path | None, as_json: bool, start_s: float, duration_s: float | None
) -> None:
    """Show what the network does with a recording, on a page to explore: from the sound to the words.

    The page shows waveform, spectrogram and feature maps, the gates and the state of every cell over time, the
    probabilities of the letters, and which moments of the sound drove each letter. FILE lasts up to 30 s, or choose a
    part of it; a few seconds are best to look at. The page is one file that needs no network.

    \b
    Example:
      asr inspect captain.wav -o captain.html
    """
    import json

    from asr import models
    from asr.cli.progress import bar
    from asr.files import replacing
    from asr.inspect import inspection, numbers, page
    from asr.readable.options import WritingOptions
    from asr.transcription.transcriber import open_transcriber

    if output is None and not as_json:
        raise click.UsageError("Say where to write the page, such as `-o page.html`, or print its numbers with --json.")
    options.check_output(output)
    path = models.find(model)
    transcriber = open_transcriber(path, written=WritingOptions(plain=True))
    waveform = inspection.read(file, transcriber.model.description.sample_rate, start_s=start_s, duration_s=duration_s)
    with bar() as progress:
        inspected = inspection.inspect(path, transcriber, waveform, progress)
    if output is not None:
        with replacing(output) as written:
            written.write(page.build(inspected, Path(file).name).encode())
    if as_json:
        click.echo(json.dumps(numbers.document(inspected), ensure_ascii=False))
