"""Your own recordings: a folder of audio files, each with its transcript in a .txt file of the same name."""

from collections import defaultdict
from pathlib import Path

from asr.audio.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES
from asr.data.corpora import Corpus, collected, few
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.files import below
from asr.progress import Progress, silent


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read pairs of `NAME.txt` and an audio file `NAME.*` in `source` and the folders below; their split is "all".

    The id is the path relative to `source` without its suffix. The speaker is the first folder of this path; audio
    files directly in `source` have no speaker. The lines of a text are joined. Hidden files are skipped.

    Raises:
        DataError: `source` is not a folder or has no pair; a text cannot be read, is not UTF-8 or is empty; a text has
            two audio files.
        AudioError: an audio file cannot be read.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give the folder with the audio files and their texts.")
    texts: list[Path] = []
    audio_files: dict[Path, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for path in below(source):
        suffix = path.suffix.lower()
        if suffix == ".txt":
            texts.append(path)
        elif suffix in AUDIO_SUFFIXES + VIDEO_SUFFIXES:
            audio_files[path.with_suffix("")].append(path)
        else:
            others.append(path)
    pairs = {text: audio_files.pop(text.with_suffix(""), []) for text in texts}
    if ambiguous := [f"{text} ({few(path.name for path in paths)})" for text, paths in pairs.items() if len(paths) > 1]:
        raise DataError(f"Texts with more than one audio file of the same name: {few(ambiguous)}; keep one of each.")
    if not any(pairs.values()):
        raise DataError(f"{source} has no audio file with a text of the same name; a.wav needs a.txt, in UTF-8.")
    utterances = [_utterance(text, paths[0], source) for text, paths in pairs.items() if paths]
    texts_only = [text for text, paths in pairs.items() if not paths]
    audio_only = [path for paths in audio_files.values() for path in paths]
    notes = [f"Skipped texts without an audio file: {few(texts_only)}."] if texts_only else []
    notes += [f"Skipped audio files without a .txt file: {few(audio_only)}."] if audio_only else []
    notes += [f"Skipped files that are neither audio nor .txt: {few(others)}."] if others else []
    return collected(utterances, notes, progress)


def _utterance(text: Path, audio_file: Path, source: Path) -> Utterance:
    """The utterance of one pair, its duration still 0."""
    try:
        transcript = " ".join(text.read_text(encoding="utf-8-sig").split())
    except OSError as error:
        raise DataError(f"{text} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{text}: this is not UTF-8 text; save the file as UTF-8.") from error
    if not transcript:
        raise DataError(f"{text} is empty; write the transcript of {audio_file.name} into it, or delete both.")
    name = text.relative_to(source).with_suffix("")
    speaker = name.parts[0] if len(name.parts) > 1 else None
    return Utterance(
        id=name.as_posix(),
        audio_filepath=audio_file.absolute(),
        duration=0.0,
        text=transcript,
        offset=0.0,
        speaker=speaker,
        split="all",
    )
