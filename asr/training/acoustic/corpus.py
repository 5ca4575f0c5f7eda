"""The speech of a run: manifests read and checked, the tokens, and the statistics that the feature stage needs."""

import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from asr import audio
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.data.table import UtteranceTable
from asr.errors import AudioError, DataError
from asr.network.features import Features
from asr.recipe.training import DataConfig, TextConfig
from asr.text import CharTokenizer, Tokenizer, train_subwords
from asr.training.data import shar
from asr.training.data.batches import SLACK_S, AudioReader

STATISTICS_UTTERANCES = 500
"""Number of training utterances that give the mean and deviation of each mel band."""
LISTED = 100
"""Number of bad utterances that an error lists one by one."""
READERS = 4
"""Threads that look at headers; most of the time they wait for the disk."""
HEADERS = 5_000
"""Number of headers that are read, one to three milliseconds each; of a larger corpus as many, evenly spaced."""
AT_ONCE = 256
"""Utterances that a thread looks at before it takes others."""


def read_manifests(paths: Sequence[Path]) -> UtteranceTable:
    """All utterances of some manifests, or of the shards in a folder: `shar:` and its path or URL.

    Raises:
        DataError: a manifest is bad, or an id is in two of them.
    """
    seen: set[str] = set()

    def once() -> Iterator[Utterance]:
        for path in paths:
            for utterance in _utterances(path):
                if utterance.id in seen:
                    raise DataError(
                        f"Utterance '{utterance.id}' is in two of {', '.join(map(str, paths))}: give it once."
                    )
                seen.add(utterance.id)
                yield utterance

    return UtteranceTable(once())


def _utterances(path: Path) -> Iterator[Utterance]:
    """The utterances of a manifest, or of shards."""
    name = str(path)
    return shar.utterances(name.removeprefix(shar.PREFIX)) if name.startswith(shar.PREFIX) else manifest.iterate(path)


def within_alphabet(
    utterances: UtteranceTable, text: TextConfig, *, skip_bad: bool
) -> tuple[UtteranceTable, list[str]]:
    """The utterances whose transcripts the alphabet can write, and the ids of the others.

    Raises:
        DataError: there are others, all of which it lists, and `skip_bad` does not say to leave them out.
    """
    alphabet = set(text.alphabet)
    characters = CharTokenizer(text.alphabet)
    outside: dict[int, list[str]] = {}
    for place, transcript in enumerate(utterances.texts):
        normalised = characters.normalise(transcript)
        if not alphabet.issuperset(normalised):
            outside[place] = sorted(set(normalised) - alphabet)
    if not outside:
        return utterances, []
    names = {utterances[place].id: found for place, found in outside.items()}
    if skip_bad:
        kept = [place for place in range(len(utterances)) if place not in outside]
        return utterances.at(kept), list(names)
    counts = Counter(character for found in names.values() for character in found)
    which = ", ".join(f"{_named(character)} in {count:,}" for character, count in counts.most_common())
    listed = [f"\n  '{name}': {', '.join(map(_named, found))}" for name, found in list(names.items())[:LISTED]]
    more = f"\n  and {len(names) - LISTED:,} more" if len(names) > LISTED else ""
    raise DataError(
        f"{len(names):,} of {len(utterances):,} training transcripts have characters outside `text.alphabet` "
        f"({which}): correct them, extend the alphabet, or leave these utterances out with --skip-bad."
        + "".join(listed)
        + more
    )


def _named(character: str) -> str:
    return f"{character!r} (U+{ord(character):04X})"


def make_tokenizer(config: TextConfig, utterances: UtteranceTable) -> Tokenizer:
    """The tokens that the recipe asks for; sub-words are found in the transcripts of the utterances.

    Raises:
        DataError: the alphabet is bad, or does not hold a character of a transcript.
    """
    if not config.subwords:
        return CharTokenizer(config.alphabet)
    return train_subwords(utterances.texts, config.alphabet, config.subwords)


def split_trainable(
    utterances: UtteranceTable,
    tokenizer: Tokenizer,
    num_frames: Callable[[np.ndarray], np.ndarray],
    data: DataConfig,
) -> tuple[UtteranceTable, dict[str, str]]:
    """Utterances to train on, and the others by id with the reason why they cannot be.

    An utterance needs a CTC frame for each token and one between equal neighbours.

    Args:
        num_frames: output frames of the model for durations in seconds at the fastest speed. Shape: (N,) -> (N,)

    Raises:
        DataError: none is left to train on.
    """
    good: list[int] = []
    reasons: dict[int, str] = {}
    durations_s = utterances.durations_s
    known = zip(utterances.texts, durations_s.tolist(), num_frames(durations_s).tolist(), strict=True)
    for place, (text, duration_s, available) in enumerate(known):
        tokens = _distinct(text, tokenizer)
        if not len(tokens):
            reasons[place] = "has no text"
        elif len(tokens) + np.count_nonzero(tokens[1:] == tokens[:-1]) > available:
            reasons[place] = f"is too short for its transcript ({duration_s:.2f} s)"
        elif duration_s > data.max_duration_s:
            reasons[place] = f"is longer than `data.max_duration_s` ({duration_s:.1f} s)"
        else:
            good.append(place)
    named = {utterances[place].id: reason for place, reason in reasons.items()}
    if not good:
        examples = "; ".join(f"'{name}' {reason}" for name, reason in list(named.items())[:3])
        raise DataError(f"None of the {len(utterances)} training utterances can be trained on: {examples}.")
    return utterances.at(good), named


def _distinct(text: str, tokenizer: Tokenizer) -> np.ndarray:
    """Numbers that are equal where the tokens of a text are. Shape: -> (L,)

    A character is its own number, which spares looking up each of the hundred million of a large corpus.
    """
    if isinstance(tokenizer, CharTokenizer):
        return np.frombuffer(tokenizer.normalise(text).encode("utf-32-le"), dtype=np.uint32)
    return np.array(tokenizer.encode(text))


def unusable_audio(utterances: Iterable[Utterance], every: int = 1) -> dict[str, str]:
    """Utterances whose file is missing, empty, has no readable header or is shorter than they say, with the reason.

    Every file is looked for, and the headers of one in `every` are read; a file can still turn out to be damaged when
    it is decoded.
    """

    def look(some: Sequence[tuple[int, Utterance]]) -> dict[str, str]:
        reasons = {}
        for number, utterance in some:
            if shar.is_member(utterance.audio_filepath):  # its tar is there
                continue
            if number % every == 0 or not _is_filled(utterance.audio_filepath):
                reason = _fault(utterance)
                if reason:
                    reasons[utterance.id] = reason
        return reasons

    reasons: dict[str, str] = {}
    numbered = enumerate(utterances)
    groups = iter(lambda: list(islice(numbered, AT_ONCE)), [])
    with ThreadPoolExecutor(READERS) as pool:
        while some := list(islice(groups, READERS)):  # so that no more than these are in memory
            for found in pool.map(look, some):
                reasons |= found
    return reasons


def _is_filled(path: Path) -> bool:
    """Whether there is a file that is not empty."""
    try:
        known = path.stat()
    except (OSError, ValueError):  # also a name with a null byte
        return False
    return stat.S_ISREG(known.st_mode) and known.st_size > 0


def _fault(utterance: Utterance) -> str | None:
    """Why the header of its file, or its length, says that an utterance cannot be used."""
    path, end_s = utterance.audio_filepath, utterance.offset + utterance.duration
    try:
        found_s = audio.duration_s(path)
    except AudioError as error:
        return str(error)
    if end_s <= found_s + SLACK_S:
        return None
    return (
        f"'{path}' lasts {found_s:.2f} s, and the utterance ends at {end_s:.2f} s: correct the manifest, or copy the "
        "file again."
    )


def undecodable(utterances: Iterable[Utterance], reader: AudioReader) -> dict[str, str]:
    """The utterances that cannot be decoded, with the reason."""
    reasons = {}
    for utterance in utterances:
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
    failure = None
    count, mean = 0, torch.zeros_like(features.mean, dtype=torch.float64)
    squares = torch.zeros_like(mean)  # of the distances from the mean, which are merged as Chan et al. (1983) do
    for index in sorted(chosen):
        try:
            waveform = reader(utterances[index])
        except AudioError as error:
            failure = error
            continue
        frames = features.log_mel(waveform[None], torch.tensor([len(waveform)]))[0].double()
        apart, share = frames.mean(dim=0) - mean, len(frames) / (count + len(frames))
        squares += ((frames - frames.mean(dim=0)) ** 2).sum(dim=0) + apart**2 * (count * share)
        mean += apart * share
        count += len(frames)
    if not count:
        assert failure is not None
        raise failure
    features.mean.copy_(mean)
    features.std.copy_((squares / max(1, count - 1)).sqrt().clamp(min=1e-3))
