"""`asr align`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asr.cli import options
from asr.errors import DataError

if TYPE_CHECKING:
    from asr.transcript.transcript import Transcript


@click.command()
@click.argument("audio", type=options.FileType())
@click.argument("text", type=options.FileType())
@options.model
@click.option(
    "-f",
    "--format",
    "format_",
    type=options.FormatType(several=False),
    default="json",
    show_default=True,
    help="Output format.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file instead of standard output.",
)
def align(audio: str, text: str, model: str | None, format_: str, output: Path | None) -> None:
    """Align a known text with its recording: the time of each word.

    AUDIO is an audio file, TEXT its transcript in UTF-8; "-" reads TEXT from standard input. Words keep their
    spelling; numbers and symbols must be written out as they are spoken. Sentences and lines of the text are kept:
    subtitles break there. The start and end of a word are placed where the audio around its letters falls silent.

    The recording may contain what is not in the text, such as an announcement. Words that are not spoken get the
    confidence 0 and no time of their own.

    \b
    Example:
      asr align chapter.mp3 chapter.txt --format srt > chapter.srt
    """
    import asr
    from asr import audio as audio_files
    from asr.transcript.transcript import write
    from asr.transcription.aligner import align_text

    lines, name = _lines(text)
    loaded = asr.load(model, beam=0, plain=True).model
    waveform = audio_files.load(audio, loaded.description.sample_rate)
    transcript = align_text(loaded, waveform, lines, text=name, source=audio)
    _report_missing(transcript, name, audio)
    if output:
        write(transcript, output, format_)
    else:
        click.echo(transcript.to(format_), nl=False)


def _report_missing(transcript: "Transcript", text: str, audio: str) -> None:
    """Say which words are not in the recording; raise a DataError if they are most of the text."""
    from asr.transcription.aligner import LEAST_FOUND, found_share

    missing = [word.text for word in transcript.words if not word.confidence]
    count, total = len(missing), len(transcript.words)
    if (share := found_share(transcript.words)) < LEAST_FOUND:
        raise DataError(
            f"{text} does not seem to be what is spoken in '{audio}': {100 * share:.0f} % of it were found there, of "
            "another text 20 % would be; give the text of this recording, or the recording of this text."
        )
    if not missing:
        return
    some = ", ".join(map(repr, missing[:5])) + (", ..." if count > 5 else "")
    click.echo(f"Note: {count:,} of {total:,} words were not found in the recording (confidence 0): {some}.", err=True)


def _lines(text: str) -> tuple[list[str], str]:
    """Read a text file or standard input; return its lines and its name in messages."""
    name = "standard input" if text == "-" else f"'{text}'"
    try:
        content = sys.stdin.buffer.read() if text == "-" else Path(text).read_bytes()
    except OSError as error:
        raise DataError(f"{name} cannot be read ({error.strerror}): give the path of a text file.") from error
    try:
        return content.decode("utf-8-sig").split("\n"), name
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: the byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8."
        ) from error
