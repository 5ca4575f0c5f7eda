"""What is wrong with manifests: every sound file is read, and held against its transcript and against the others.

The thresholds were tried on 3,000 recordings of eight public corpora, good and poor microphones among them: the lowest
level was -50 dBFS, and one recording was clipped. Of 100 recordings raised 6 dB above full scale and cut off there, 87
count as clipped; raised to just full scale, none.
"""

import hashlib
import math
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr import audio
from asr.data.frames import SAMPLE_RATE, frames_needed, num_frames
from asr.data.manifest import Utterance
from asr.errors import AudioError
from asr.progress import Progress, silent
from asr.text import ENGLISH, CharTokenizer

KINDS = {
    "unreadable": "the sound cannot be read",
    "duration": "manifest and sound file differ by more than 0.1 s",
    "silent": "the level, RMS about the mean, is below -60 dBFS",
    "clipped": "more than 0.1 % of the samples are within 1 % of full scale",
    "too-short": "CTC needs more frames for the text than the sound has",
    "empty": "no text is left after normalisation",
    "alphabet": "the text has characters outside the alphabet",
    "duplicate-id": "the id stands in several manifests",
    "duplicate-audio": "the samples are those of another utterance",
    "shared-speaker": "the speaker is in several splits",
}
"""Kind of finding -> what it means, in the order of reports."""


SLACK_S = 0.1
SILENCE_DBFS = -60.0
FULL_SCALE = 0.99
"""A little below 1, for coding and resampling move the samples of a clipped sound."""
CLIPPED_SHARE = 0.001
CHUNK = 64
"""Utterances that each thread may be ahead."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An utterance and the manifest where it stands."""

    manifest: Path
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with one utterance."""

    kind: str
    """A key of `KINDS`."""
    id: str
    manifest: str
    value: str
    """What was found, in a few words."""


def validate(
    entries: Sequence[Entry],
    alphabet: str = ENGLISH,
    time_reduction: int = 4,
    workers: int = 1,
    progress: Progress = silent,
) -> list[Finding]:
    """Everything that is wrong, kind by kind, in the order of the entries. The number of workers changes nothing.

    What concerns several utterances is found at the later ones and names the first. A split is what stands before the
    first "-" or "_" of its name (train-clean-5 and train-clean-100 may share speakers), a manifest's name where an
    utterance has none.

    Args:
        alphabet: what texts are normalised to.
        time_reduction: spectrogram frames of 10 ms for one frame of the model.
        workers: threads that read sound files.
        progress: gets the seconds of audio that are done.

    Raises:
        DataError: the alphabet cannot be one.
    """
    tokenizer = CharTokenizer(alphabet)
    heard = _heard(entries, tokenizer, time_reduction, workers)
    ids: dict[str, Entry] = {}
    samples: dict[bytes, Entry] = {}
    speakers: dict[str, dict[str, Entry]] = {}
    findings = []
    done_s, total_s = 0.0, sum(entry.utterance.duration for entry in entries)
    for entry, (sound_faults, fingerprint) in zip(entries, heard, strict=True):
        utterance = entry.utterance
        faults = sound_faults | _text_faults(utterance.text, tokenizer)
        if (first := ids.setdefault(utterance.id, entry)) is not entry:
            faults["duplicate-id"] = f"also in {first.manifest}"
        if fingerprint and (first := samples.setdefault(fingerprint, entry)).utterance.id != utterance.id:
            faults["duplicate-audio"] = f"same samples as {first.utterance.id} in {first.manifest}"
        if utterance.speaker is not None:
            split = _split(entry)
            splits = speakers.setdefault(utterance.speaker, {})
            if split not in splits:
                if splits:
                    other, first = next(iter(splits.items()))
                    faults["shared-speaker"] = f"{utterance.speaker} in {split}, and in {other} ({first.manifest})"
                splits[split] = entry
        findings += [Finding(kind, utterance.id, str(entry.manifest), value) for kind, value in faults.items()]
        done_s += utterance.duration
        progress("reading", done_s, total_s)
    return sorted(findings, key=lambda finding: list(KINDS).index(finding.kind))


def _split(entry: Entry) -> str:
    name = entry.utterance.split or entry.manifest.stem
    return re.split("[-_]", name)[0] or name


def _text_faults(text: str, tokenizer: CharTokenizer) -> dict[str, str]:
    normalised = tokenizer.normalise(text)
    if not normalised:
        return {"empty": repr(text)}
    outside = sorted(set(normalised) - set(tokenizer.alphabet))
    return {"alphabet": ", ".join(f"{c!r} (U+{ord(c):04X})" for c in outside)} if outside else {}


def _heard(
    entries: Sequence[Entry], tokenizer: CharTokenizer, time_reduction: int, workers: int
) -> Iterator[tuple[dict[str, str], bytes | None]]:
    """What `_listen` says of each entry, in their order. Decoding releases Python's lock, so threads suffice."""
    # A file is cut up if any utterance begins within it; else each utterance is meant to be the whole of it.
    cut_up = {entry.utterance.audio_filepath for entry in entries if entry.utterance.offset}

    def listen(entry: Entry) -> tuple[dict[str, str], bytes | None]:
        utterance = entry.utterance
        text = tokenizer.normalise(utterance.text)
        return _listen(utterance, utterance.audio_filepath in cut_up, text, time_reduction)

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(entries), CHUNK * workers):
            yield from pool.map(listen, entries[start : start + CHUNK * workers])


def _listen(utterance: Utterance, is_part: bool, text: str, time_reduction: int) -> tuple[dict[str, str], bytes | None]:
    """What is wrong with an utterance's sound (kind -> value), and a fingerprint of its samples if it has some."""
    path, offset_s, faults = utterance.audio_filepath, utterance.offset, {}
    end_s = offset_s + utterance.duration
    try:
        if is_part:
            file_s = audio.duration_s(path)
            if end_s > file_s + SLACK_S:
                faults["duration"] = f"from {offset_s:.2f} to {end_s:.2f} s in a file of {file_s:.2f} s"
            if offset_s >= file_s:
                return faults, None
            waveform = audio.load(path, SAMPLE_RATE, offset_s=offset_s, duration_s=min(end_s, file_s) - offset_s)
        else:
            waveform = audio.load(path, SAMPLE_RATE)
            file_s = len(waveform) / SAMPLE_RATE
            if abs(file_s - utterance.duration) > SLACK_S:
                faults["duration"] = f"{utterance.duration:.2f} s in the manifest, {file_s:.2f} s in the file"
    except AudioError as error:
        return {"unreadable": str(error)}, None

    level, clipped = float(waveform.std(dtype=np.float64)), float(np.mean(np.abs(waveform) >= FULL_SCALE))
    level_dbfs = 20 * math.log10(level) if level else -math.inf
    if level_dbfs < SILENCE_DBFS:
        faults["silent"] = f"{level_dbfs:.0f} dBFS"
    if clipped > CLIPPED_SHARE:
        faults["clipped"] = f"{100 * clipped:.1f} % of the samples"
    frames, needed = num_frames(len(waveform), time_reduction), frames_needed(text)
    if frames < needed:
        faults["too-short"] = f"{frames} frames, {needed} needed"
    return faults, hashlib.blake2b(waveform.tobytes(), digest_size=16).digest()
