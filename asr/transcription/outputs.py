"""Write transcripts to an output folder that mirrors the folders of the recordings."""

from collections.abc import Sequence
from pathlib import Path

from asr.errors import AsrError
from asr.transcript.transcript import Transcript, write
from asr.transcription.inputs import Input


def targets(recording: Input, output_dir: Path, formats: Sequence[str]) -> dict[str, Path]:
    """Map each format to its output file."""
    return {format_: output_dir / f"{recording.name}.{format_}" for format_ in formats}


def is_done(recording: Input, output_dir: Path, formats: Sequence[str]) -> bool:
    """Check that all output files exist and none is older than the recording."""
    try:
        changed = Path(recording.source).stat().st_mtime
        return all(target.stat().st_mtime >= changed for target in targets(recording, output_dir, formats).values())
    except OSError:
        return False


def write_all(transcript: Transcript, recording: Input, output_dir: Path, formats: Sequence[str]) -> list[Path]:
    """Write one file per format, creating folders as needed. Raises AsrError if a file cannot be written."""
    files = targets(recording, output_dir, formats)
    for format_, target in files.items():
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AsrError(f"Cannot create the folder '{target.parent}': {error.strerror}.") from error
        write(transcript, target, format_)
    return list(files.values())
