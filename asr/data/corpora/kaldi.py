"""Kaldi's data folders (https://kaldi-asr.org/doc/data_prep.html): wav.scp and text, optionally segments, utt2spk and
spk2gender."""

import math
from dataclasses import replace
from pathlib import Path

from asr.audio import duration_s
from asr.data import manifest, traits
from asr.data.corpora import Corpus, check_split, collected, few, lines
from asr.data.manifest import Utterance
from asr.errors import AsrError, DataError
from asr.progress import Progress, silent

OVERSHOOT_S = 0.5
"""How far a segment may extend beyond its recording, as in Kaldi's extract-segments."""

Table = dict[str, tuple[str, str]]
"""First field of a line -> (file and line number, rest of the line)."""


def read(source: Path, progress: Progress = silent) -> Corpus:
    """Read a data folder; the split is the folder's name.

    Without `segments` each recording is one utterance with the same id. As in Kaldi, relative paths in wav.scp are
    relative to the current folder, a segment that ends at -1 extends to the end of its recording, and one that ends up
    to `OVERSHOOT_S` later ends there. Audio files stay where they are. Without `utt2spk` the speakers are unknown.

    Raises:
        DataError: a file is missing, has a malformed line, or an id twice; wav.scp has a command; an utterance has no
            recording or no speaker; an audio file is missing.
        AudioError: an audio file to be collected cannot be read.
    """
    split = source.absolute().name
    check_split(split, str(source))
    text, segments, utt2spk = source / "text", source / "segments", source / "utt2spk"
    texts, recordings = _table(text), _recordings(source / "wav.scp")
    if segments.exists():
        audio_segments = _segments(segments, recordings)
    else:
        segments = source / "wav.scp"
        audio_segments = {name: (path, 0.0, 0.0) for name, path in recordings.items()}
    if not texts:
        raise DataError(f"{text} has no lines; at least one is needed.")
    if missing := [name for name in texts if name not in audio_segments]:
        raise DataError(
            f"{text} has utterances that are missing in {segments}: {few(missing)}; add them there or remove them."
        )
    speakers = {name: speaker for name, (_, speaker) in _table(utt2spk).items()} if utt2spk.exists() else None
    if speakers is not None and (nameless := [name for name in texts if not speakers.get(name)]):
        raise DataError(f"{text} has utterances without a speaker in {utt2spk}: {few(nameless)}; add them there.")

    spk2gender = source / "spk2gender"
    genders = {name: gender for name, (_, gender) in _table(spk2gender).items()} if spk2gender.exists() else {}

    utterances = []
    for name, (_, transcript) in texts.items():
        path, offset, duration = audio_segments[name]
        speaker = None if speakers is None else speakers[name]
        speaker_traits = traits.of({"gender": genders.get(speaker or "")})
        utterances.append(Utterance(name, path, duration, transcript, offset, speaker, split, **speaker_traits))
    untranscribed = [name for name in audio_segments if name not in texts]
    notes = [f"Skipped recordings without a transcript in {text}: {few(untranscribed)}."] if untranscribed else []
    durations_s = {path: _duration_s(path) for path in {u.audio_filepath for u in utterances if u.duration}}
    return collected([_within(u, durations_s.get(u.audio_filepath)) for u in utterances], notes, progress)


def _duration_s(path: Path) -> float | None:
    """The duration of a recording; None if it cannot be read, which is reported where its utterances are measured."""
    try:
        return duration_s(path)
    except AsrError:
        return None


def _within(utterance: Utterance, file_s: float | None) -> Utterance:
    """The utterance, with an unknown duration (0) where it extends a little beyond its recording or that is unread."""
    if not utterance.duration:
        return utterance
    beyond_s = utterance.offset + utterance.duration - file_s if file_s is not None else 0.0
    return replace(utterance, duration=0.0) if file_s is None or 0 < beyond_s <= OVERSHOOT_S else utterance


def _table(path: Path) -> Table:
    """Read one of Kaldi's files with lines `ID REST`; blank lines are skipped."""
    if not path.exists():
        raise DataError(f"{path} is missing; the source must be a Kaldi data folder, which contains wav.scp and text.")
    table: Table = {}
    seen: dict[str, str] = {}
    for where, line in lines(path):
        if not line.isspace():
            name, *rest = line.strip().split(maxsplit=1)
            manifest.claim_id(name, where, seen)
            table[name] = where, "".join(rest)
    return table


def _recordings(path: Path) -> dict[str, Path]:
    """Recording -> audio file, from lines `RECORDING PATH`."""
    recordings = {}
    for name, (where, value) in _table(path).items():
        if value.endswith("|"):
            raise DataError(
                f'{where}: "{value}" is a command, and commands in a corpus are not run; '
                "write its output to an audio file first, and give the path of that file."
            )
        if not value:
            raise DataError(f'{where}: the recording "{name}" has no path.')
        recordings[name] = Path(value).absolute()
    return recordings


def _segments(path: Path, recordings: dict[str, Path]) -> dict[str, tuple[Path, float, float]]:
    """Utterance -> (audio file, offset, duration in seconds or 0), from lines `UTTERANCE RECORDING BEGIN END`."""
    segments = {}
    for name, (where, value) in _table(path).items():
        try:
            recording, begin, end, *channel = value.split()
            begin_s, end_s = float(begin), float(end)
            if channel not in ([], ["0"], ["1"], ["A"]):
                raise ValueError  # noqa: TRY301
        except ValueError as error:
            raise DataError(
                f'{where}: "{name} {value}" is not of the form UTTERANCE RECORDING BEGIN END, with times in seconds '
                "and perhaps the channel of a mono recording, 0."
            ) from error
        if recording not in recordings:
            raise DataError(f'{where}: wav.scp has no recording "{recording}".')
        to_the_end = end_s == -1
        if not 0 <= begin_s < math.inf or not (to_the_end or begin_s < end_s < math.inf):
            raise DataError(
                f"{where}: the segment is from {begin} to {end} s; it must begin at 0 or later and end after its begin."
            )
        # Rounded because 2.36 - 1.1 is 1.2599999999999998.
        duration = 0.0 if to_the_end else round(end_s - begin_s, 9)
        segments[name] = recordings[recording], begin_s, duration
    return segments
