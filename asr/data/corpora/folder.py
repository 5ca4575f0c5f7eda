"""A person's own recordings: a folder of sound files, each with its text in a .txt file of the same name beside it."""

from collections import defaultdict
from pathlib import Path

from asr.data.corpora import Corpus, few, measured
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.files import below
from asr.progress import Progress, silent, tracked


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read `NAME.txt` and the sound file `NAME.*` beside it, in `source` and the folders below; all go to "all".

    The id is the path from `source` without its ending. In a folder below `source`, the first folder's name is the
    speaker; sound files right in `source` have none. Lines of a text become one. Hidden files are passed over.

    Raises:
        DataError: `source` is not a folder, or has no pair; a text cannot be read, is not UTF-8 or is empty; a text has
            two sound files.
        AudioError: a sound file cannot be read.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder; give the one that holds the sound files and their texts.")
    texts: list[Path] = []
    sounds: dict[Path, list[Path]] = defaultdict(list)
    for path in below(source):
        (texts if path.suffix.lower() == ".txt" else sounds[path.with_suffix("")]).append(path)
    pairs = {text: sounds.pop(text.with_suffix(""), []) for text in texts}
    if two := [f"{text} ({few(path.name for path in paths)})" for text, paths in pairs.items() if len(paths) > 1]:
        raise DataError(f"Texts with more than one file of their name beside them: {few(two)}; keep one of each.")
    if not any(pairs.values()):
        raise DataError(f"{source} has no sound file with its text beside it; a.wav needs a.txt, in UTF-8.")
    utterances = [_utterance(text, paths[0], source) for text, paths in pairs.items() if paths]
    silent = [text for text, paths in pairs.items() if not paths]
    untold = [path for paths in sounds.values() for path in paths]
    notes = [f"Left out, for no sound file is beside it: {few(silent)}."] if silent else []
    notes += [f"Left out, for no .txt file is beside it: {few(untold)}."] if untold else []
    return Corpus([measured(utterance) for utterance in tracked(utterances, "measuring", progress)], notes)


def _utterance(text: Path, sound: Path, source: Path) -> Utterance:
    """One pair, its duration 0 until it is measured."""
    try:
        transcript = " ".join(text.read_text(encoding="utf-8-sig").split())
    except OSError as error:
        raise DataError(f"{text} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{text}: this is not UTF-8 text; save the file as UTF-8.") from error
    if not transcript:
        raise DataError(f"{text} is empty; write into it what {sound.name} says, or delete both.")
    name = text.relative_to(source).with_suffix("")
    speaker = name.parts[0] if len(name.parts) > 1 else None
    return Utterance(
        id=name.as_posix(),
        audio_filepath=sound.absolute(),
        duration=0.0,
        text=transcript,
        offset=0.0,
        speaker=speaker,
        split="all",
    )
