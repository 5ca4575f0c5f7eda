"""The speech of a run: manifests read and checked, the tokens, and the statistics that the feature stage needs."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from asr import audio
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import AudioError, DataError
from asr.network.features import Features
from asr.recipe.training import DataConfig, TextConfig
from asr.text import CharTokenizer, Tokenizer, train_subwords
from asr.training.data.batches import SLACK_S, AudioReader

STATISTICS_UTTERANCES = 500
"""Number of training utterances that give the mean and deviation of each mel band."""
LISTED = 100
"""Number of bad utterances that an error lists one by one."""
READERS = 4
"""Threads that look at headers; most of the time they wait for the disk."""
HEADERS = 20_000
"""Number of headers that are read, a third of a millisecond each; of a larger corpus as many, evenly spaced."""


def read_manifests(paths: Sequence[Path]) -> list[Utterance]:
    """All utterances of some manifests.

    Raises:
        DataError: a manifest is bad, or an id is in two of them.
    """
    utterances = [utterance for path in paths for utterance in manifest.read(path)]
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise DataError(f"Utterance '{utterance.id}' is in two of {', '.join(map(str, paths))}: give it once.")
        seen.add(utterance.id)
    return utterances


def within_alphabet(utterances: Sequence[Utterance], text: TextConfig, *, skip_bad: bool) -> list[Utterance]:
    """The utterances whose transcripts the alphabet can write.

    Raises:
        DataError: there are others, all of which it lists, and `skip_bad` does not say to leave them out.
    """
    alphabet = set(text.alphabet)
    characters = CharTokenizer(text.alphabet)
    outside: dict[str, list[str]] = {}
    for utterance in utterances:
        normalised = characters.normalise(utterance.text)
        if not alphabet.issuperset(normalised):
            outside[utterance.id] = sorted(set(normalised) - alphabet)
    if not outside:
        return list(utterances)
    if skip_bad:
        return [utterance for utterance in utterances if utterance.id not in outside]
    counts = Counter(character for found in outside.values() for character in found)
    which = ", ".join(f"{_named(character)} in {count:,}" for character, count in counts.most_common())
    listed = [f"\n  '{name}': {', '.join(map(_named, found))}" for name, found in list(outside.items())[:LISTED]]
    more = f"\n  and {len(outside) - LISTED:,} more" if len(outside) > LISTED else ""
    raise DataError(
        f"{len(outside):,} of {len(utterances):,} training transcripts have characters outside `text.alphabet` "
        f"({which}): correct them, extend the alphabet, or leave these utterances out with --skip-bad."
        + "".join(listed)
        + more
    )


def _named(character: str) -> str:
    return f"{character!r} (U+{ord(character):04X})"


def make_tokenizer(config: TextConfig, utterances: Iterable[Utterance]) -> Tokenizer:
    """The tokens that the recipe asks for; sub-words are found in the transcripts of the utterances.

    Raises:
        DataError: the alphabet is bad, or does not hold a character of a transcript.
    """
    if not config.subwords:
        return CharTokenizer(config.alphabet)
    return train_subwords((utterance.text for utterance in utterances), config.alphabet, config.subwords)


def split_trainable(
    utterances: Sequence[Utterance],
    tokenizer: Tokenizer,
    num_frames: Callable[[np.ndarray], np.ndarray],
    data: DataConfig,
) -> tuple[list[Utterance], dict[str, str]]:
    """Utterances to train on, and the others by id with the reason why they cannot be.

    An utterance needs a CTC frame for each token and one between equal neighbours.

    Args:
        num_frames: output frames of the model for durations in seconds at the fastest speed. Shape: (N,) -> (N,)

    Raises:
        DataError: none is left to train on.
    """
    good: list[Utterance] = []
    reasons: dict[str, str] = {}
    frames = num_frames(np.array([utterance.duration for utterance in utterances])).tolist()
    for utterance, available in zip(utterances, frames, strict=True):
        tokens = _distinct(utterance.text, tokenizer)
        if not len(tokens):
            reasons[utterance.id] = "has no text"
        elif len(tokens) + np.count_nonzero(tokens[1:] == tokens[:-1]) > available:
            reasons[utterance.id] = f"is too short for its transcript ({utterance.duration:.2f} s)"
        elif utterance.duration > data.max_duration_s:
            reasons[utterance.id] = f"is longer than `data.max_duration_s` ({utterance.duration:.1f} s)"
        else:
            good.append(utterance)
    if not good:
        examples = "; ".join(f"'{name}' {reason}" for name, reason in list(reasons.items())[:3])
        raise DataError(f"None of the {len(utterances)} training utterances can be trained on: {examples}.")
    return good, reasons


def _distinct(text: str, tokenizer: Tokenizer) -> np.ndarray:
    """Numbers that are equal where the tokens of a text are. Shape: -> (L,)

    A character is its own number, which spares looking up each of the hundred million of a large corpus.
    """
    if isinstance(tokenizer, CharTokenizer):
        return np.frombuffer(tokenizer.normalise(text).encode("utf-32-le"), dtype=np.uint32)
    return np.array(tokenizer.encode(text))


def unusable_audio(utterances: Sequence[Utterance]) -> dict[str, str]:
    """Utterances whose file is missing, empty, has no readable header or is shorter than they say, with the reason.

    Every file is looked for, and up to `HEADERS` of their headers are read; a file can still turn out to be damaged
    when it is decoded.
    """
    by_file: dict[Path, list[Utterance]] = {}
    for utterance in utterances:
        by_file.setdefault(utterance.audio_filepath, []).append(utterance)

    with_header = set(list(by_file)[:: -(-len(by_file) // HEADERS)] if by_file else ())

    def look(path: Path) -> float | AudioError:
        """The duration in seconds; infinite where the header is not read."""
        try:
            is_there = path not in with_header and path.is_file() and path.stat().st_size
            return math.inf if is_there else audio.duration_s(path)
        except AudioError as error:
            return error

    reasons: dict[str, str] = {}
    with ThreadPoolExecutor(READERS) as pool:
        for path, found in zip(by_file, pool.map(look, by_file), strict=True):
            for utterance in by_file[path]:
                if isinstance(found, AudioError):
                    reasons[utterance.id] = str(found)
                elif utterance.offset + utterance.duration > found + SLACK_S:
                    reasons[utterance.id] = (
                        f"'{path}' lasts {found:.2f} s, and the utterance ends at "
                        f"{utterance.offset + utterance.duration:.2f} s: correct the manifest, or copy the file again."
                    )
    return reasons


def undecodable(utterances: Sequence[Utterance], names: Collection[str], reader: AudioReader) -> dict[str, str]:
    """Those of some utterances, by name, that cannot be decoded, with the reason."""
    reasons = {}
    for utterance in utterances:
        if utterance.id in names:
            try:
                reader(utterance)
            except AudioError as error:
                reasons[utterance.id] = str(error)
    return reasons


def check_share_of_bad(reasons: dict[str, str], total: int, data: DataConfig) -> None:
    """Raises DataError with the list when more utterances are unusable than the recipe allows."""
    allowed = max(1, int(data.max_bad_share * total))
    if len(reasons) <= allowed:
        return
    listed = "".join(f"\n  '{name}': {reason}" for name, reason in list(reasons.items())[:LISTED])
    more = f"\n  and {len(reasons) - LISTED:,} more" if len(reasons) > LISTED else ""
    raise DataError(
        f"{len(reasons):,} of {total:,} utterances have audio that cannot be used, and `data.max_bad_share` "
        f"(={data.max_bad_share:g}) allows {allowed:,}: fix or remove them, or raise it.{listed}{more}"
    )


def check_dev(utterances: Sequence[Utterance], tokenizer: Tokenizer) -> None:
    """Raises DataError when there is no word to measure an error rate by."""
    if not any(tokenizer.normalise(utterance.text) for utterance in utterances):
        raise DataError("The dev manifests hold no word, so no error rate can be measured: give transcribed speech.")


@torch.no_grad()
def set_statistics(features: Features, utterances: Sequence[Utterance], reader: AudioReader, seed: int) -> None:
    """Measure each band's mean and standard deviation on a sample of the utterances and put them into the model.

    Utterances that cannot be read are skipped here; the loop names them when their batch comes.

    Raises:
        AudioError: none of the sample can be read.
    """
    chosen = np.random.default_rng(seed).permutation(len(utterances))[:STATISTICS_UTTERANCES]
    frames, failure = [], None
    for index in sorted(chosen):
        try:
            waveform = reader(utterances[index])
        except AudioError as error:
            failure = error
            continue
        frames.append(features.log_mel(waveform[None], torch.tensor([len(waveform)]))[0])
    if not frames:
        assert failure is not None
        raise failure
    together = torch.cat(frames).double()
    features.mean.copy_(together.mean(dim=0))
    features.std.copy_(together.std(dim=0).clamp(min=1e-3))
