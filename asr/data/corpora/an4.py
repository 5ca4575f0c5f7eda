"""CMU's AN4 (https://github.com/cmusphinx/an4)."""

import re
from pathlib import Path

from asr.data import manifest, traits
from asr.data.corpora import Corpus, collected, few, lines
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent

FOLDERS = {"train": "an4_clstk", "test": "an4test_clstk"}
LINE = re.compile(r"(?:<s>\s*)?(?P<text>.*?)\s*(?:</s>\s*)?\((?P<id>\S+)\)")
SUFFIXES = (".wav", ".flac", ".sph")
"""In order of preference if a recording exists in several formats; case is ignored."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read AN4 in its official layout: train and test, as defined by `source/etc/*.transcription`.

    The speaker is the name of the recording's folder; its first letter, f or m, is the gender. Audio files stay where
    they are.

    Raises:
        DataError: a transcription file is missing or has a malformed line; a transcript has no audio file; two
            speakers of a split have recordings of the same name.
        AudioError: an audio file cannot be read.
    """
    utterances, notes = [], []
    seen: dict[str, str] = {}
    for split, name in FOLDERS.items():
        transcription, folder = source / "etc" / f"an4_{split}.transcription", source / "wav" / name
        texts, recordings = _texts(transcription, seen), _recordings(folder)
        if missing := [name for name in texts if name not in recordings]:
            raise DataError(
                f"{transcription} has transcripts without an audio file ({', '.join(SUFFIXES)}) below {folder}: "
                f"{few(missing)}; add the files or remove the lines."
            )
        if untranscribed := [path for name, path in recordings.items() if name not in texts]:
            notes.append(f"Skipped audio files without a transcript in {transcription}: {few(untranscribed)}.")
        unmeasured = [_utterance(name, recordings[name].absolute(), text, split) for name, text in texts.items()]
        utterances += unmeasured
    return collected(utterances, notes, progress)


def _utterance(name: str, recording: Path, text: str, split: str) -> Utterance:
    """One utterance, its duration still 0."""
    speaker = recording.parent.name
    speaker_traits = traits.of({"gender": speaker[0] if speaker[0] in "fm" else None})
    return Utterance(name, recording, 0.0, text, speaker=speaker, split=split, **speaker_traits)


def _texts(path: Path, seen: dict[str, str]) -> dict[str, str]:
    """Id -> transcript, from lines such as `<s> TWENTY SIX </s> (cen7-fash-b)`; `<s>` and `</s>` are optional."""
    if not path.exists():
        raise DataError(f"{path} is missing; the source must be AN4's folder, which contains etc/ and wav/.")
    texts = {}
    for where, line in lines(path):
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise DataError(f'{where}: "{line.strip()}" is not a transcript followed by an id in parentheses.')
        manifest.claim_id(match["id"], where, seen)
        texts[match["id"]] = match["text"]
    return texts


def _recordings(folder: Path) -> dict[str, Path]:
    """Id -> audio file, from `folder/SPEAKER/ID.wav` and the other suffixes."""
    recordings: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in sorted(path for path in folder.glob("*/*") if path.suffix.lower() == suffix):
            first = recordings.setdefault(path.stem, path)
            if first.parent != path.parent:
                raise DataError(f"{first} and {path} have the same name but different speakers; remove one of them.")
    return recordings
