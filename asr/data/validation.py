"""Validate manifests: every audio file is read and checked against its transcript and against the other utterances.

The thresholds were tested on 3,000 recordings of eight public corpora with good and poor microphones: the lowest level
was -50 dBFS, and one recording was clipped. Of 100 recordings amplified to 6 dB above full scale and clipped there, 87
count as clipped; amplified to exactly full scale, none.
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
    "unreadable": "the audio cannot be read",
    "duration": "manifest and audio file differ by more than 0.1 s",
    "silent": "the level (RMS without DC offset) is below -60 dBFS",
    "clipped": "more than 0.1 % of the samples are within 1 % of full scale",
    "too-short": "the audio has fewer frames than CTC needs for the text",
    "empty": "no text is left after normalisation",
    "alphabet": "the text has characters outside the alphabet",
    "duplicate-id": "the id occurs in several manifests",
    "duplicate-audio": "the samples are identical to those of another utterance",
    "shared-speaker": "the speaker is in several splits",
}
"""Kind of finding -> its meaning, in the order of reports."""

SLACK_S = 0.1
SILENCE_DBFS = -60.0
FULL_SCALE = 0.99
"""Slightly below 1 because coding and resampling change the samples of clipped audio."""
CLIPPED_SHARE = 0.001
CHUNK = 64
"""Utterances queued per thread."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An utterance and its manifest."""

    manifest: Path
    utterance: Utterance


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem of one utterance."""

    kind: str
    """A key of `KINDS`."""
    id: str
    manifest: str
    value: str
    """The observed value, in a few words."""


def validate(
    entries: Sequence[Entry],
    alphabet: str = ENGLISH,
    time_reduction: int = 4,
    workers: int = 1,
    progress: Progress = silent,
) -> list[Finding]:
    """Return all findings, sorted by kind and then by entry. The result does not depend on the number of workers.

    A finding about several utterances is reported for the later ones and names the first. Splits are compared by their
    names up to the first "-" or "_" (train-clean-5 and train-clean-100 may share speakers); the split of an utterance
    without one is the name of its manifest.

    Args:
        entries: the utterances of all manifests.
        alphabet: the characters allowed in normalised text.
        time_reduction: spectrogram frames of 10 ms per frame of the model.
        workers: number of threads that read audio files.
        progress: receives the seconds of audio that are done.

    Raises:
        DataError: the alphabet is invalid.
    """
    tokenizer = CharTokenizer(alphabet)
    audio_results = _check_audio_of(entries, tokenizer, time_reduction, workers)
    ids: dict[str, Entry] = {}
    samples: dict[bytes, Entry] = {}
    speakers: dict[str, dict[str, Entry]] = {}
    findings = []
    done_s, total_s = 0.0, sum(entry.utterance.duration for entry in entries)
    for entry, (audio_faults, fingerprint) in zip(entries, audio_results, strict=True):
        utterance = entry.utterance
        faults = audio_faults | _text_faults(utterance.text, tokenizer)
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


def _check_audio_of(
    entries: Sequence[Entry], tokenizer: CharTokenizer, time_reduction: int, workers: int
) -> Iterator[tuple[dict[str, str], bytes | None]]:
    """Yield the result of `_check_audio` for each entry, in order. Decoding releases the GIL, so threads suffice."""
    # A file is segmented if any utterance starts inside it; otherwise each utterance is expected to be the whole file.
    segmented = {entry.utterance.audio_filepath for entry in entries if entry.utterance.offset}

    def check(entry: Entry) -> tuple[dict[str, str], bytes | None]:
        utterance = entry.utterance
        text = tokenizer.normalise(utterance.text)
        return _check_audio(utterance, utterance.audio_filepath in segmented, text, time_reduction)

    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(entries), CHUNK * workers):
            yield from pool.map(check, entries[start : start + CHUNK * workers])


def _check_audio(
    utterance: Utterance, is_segment: bool, text: str, time_reduction: int
) -> tuple[dict[str, str], bytes | None]:
    """Return the problems of the audio (kind -> value), and a hash of the samples, None without samples."""
    path, offset_s, faults = utterance.audio_filepath, utterance.offset, {}
    end_s = offset_s + utterance.duration
    try:
        if is_segment:
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
