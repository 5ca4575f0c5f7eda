"""Kaldi's data folders (https://kaldi-asr.org/doc/data_prep.html): wav.scp, text, and maybe segments, utt2spk and
spk2gender."""

import math
from pathlib import Path

from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_files, check_split, few, lines, measured
from asr.data.manifest import Utterance
from asr.errors import DataError
from asr.progress import Progress, silent, tracked

Table = dict[str, tuple[str, str]]
"""First field of a line -> (where the line is, the rest of it)."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read a data folder; the split is the folder's name.

    Without `segments` an utterance is a whole recording and has its id. As in Kaldi, a relative path in wav.scp counts
    from the current folder, and a segment that ends at -1 goes to the end of its recording. Sound files stay where
    they are. Without `utt2spk` the speakers are unknown.

    Raises:
        DataError: a file is missing, or has a line of another form or an id twice; wav.scp has a command; an
            utterance has no sound or no speaker; a sound file is missing.
        AudioError: a sound file to be measured cannot be read.
    """
    split = source.absolute().name
    check_split(split, str(source))
    text, told_by, spoken_by = source / "text", source / "segments", source / "utt2spk"
    texts, recordings = _table(text), _recordings(source / "wav.scp")
    if told_by.exists():
        stretches = _segments(told_by, recordings)
    else:
        told_by = source / "wav.scp"
        stretches = {name: (path, 0.0, 0.0) for name, path in recordings.items()}
    if not texts:
        raise DataError(f"{text} has no lines; at least one is needed.")
    if missing := [name for name in texts if name not in stretches]:
        raise DataError(f"{text} has utterances that {told_by} lacks: {few(missing)}; add them there or take them out.")
    speakers = {name: speaker for name, (_, speaker) in _table(spoken_by).items()} if spoken_by.exists() else None
    if speakers is not None and (nameless := [name for name in texts if not speakers.get(name)]):
        raise DataError(f"{text} has utterances without a speaker in {spoken_by}: {few(nameless)}; add them there.")

    spk2gender = source / "spk2gender"
    genders = {name: gender for name, (_, gender) in _table(spk2gender).items()} if spk2gender.exists() else {}

    utterances = []
    for name, (_, transcript) in texts.items():
        path, offset, duration = stretches[name]
        speaker = None if speakers is None else speakers[name]
        told = traits.of({"gender": genders.get(speaker or "")})
        utterances.append(Utterance(name, path, duration, transcript, offset, speaker, split, **told))
    check_files((utterance.audio_filepath for utterance in utterances), source / "wav.scp")
    untold = [name for name in stretches if name not in texts]
    notes = [f"Left out, for {text} has no transcript: {few(untold)}."] if untold else []
    return Corpus([measured(utterance) for utterance in tracked(utterances, "measuring", progress)], notes)


def _table(path: Path) -> Table:
    """The lines of one of Kaldi's files, `ID REST`; blank ones are passed over."""
    if not path.exists():
        raise DataError(f"{path} is missing; the source has to be one of Kaldi's data folders, with wav.scp and text.")
    table: Table = {}
    seen: dict[str, str] = {}
    for where, line in lines(path):
        if not line.isspace():
            name, *rest = line.strip().split(maxsplit=1)
            manifest.claim_id(name, where, seen)
            table[name] = where, "".join(rest)
    return table


def _recordings(path: Path) -> dict[str, Path]:
    """Recording -> sound file, from lines `RECORDING PATH`."""
    recordings = {}
    for name, (where, value) in _table(path).items():
        if value.endswith("|"):
            raise DataError(
                f'{where}: "{value}" is a command, and commands of a corpus are not run; '
                "write its output to a sound file first, and give that file's path."
            )
        if not value:
            raise DataError(f'{where}: the recording "{name}" has no path.')
        recordings[name] = Path(value).absolute()
    return recordings


def _segments(path: Path, recordings: dict[str, Path]) -> dict[str, tuple[Path, float, float]]:
    """Utterance -> (sound file, offset, duration in seconds or 0), from lines `UTTERANCE RECORDING BEGIN END`."""
    stretches = {}
    for name, (where, value) in _table(path).items():
        try:
            recording, begin, end = value.split()
            begin_s, end_s = float(begin), float(end)
        except ValueError as error:
            raise DataError(
                f'{where}: "{name} {value}" is not an utterance, its recording, and its begin and end in seconds.'
            ) from error
        if recording not in recordings:
            raise DataError(f'{where}: wav.scp has no recording "{recording}".')
        to_the_end = end_s == -1
        if not 0 <= begin_s < math.inf or not (to_the_end or begin_s < end_s < math.inf):
            raise DataError(
                f"{where}: the segment goes from {begin} to {end} s; it has to begin at 0 or later and end after that."
            )
        # Rounded, for 2.36 - 1.1 is 1.2599999999999998.
        duration = 0.0 if to_the_end else round(end_s - begin_s, 9)
        stretches[name] = recordings[recording], begin_s, duration
    return stretches
