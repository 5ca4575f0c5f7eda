"""Which utterances stand together, and what comes out when they are read."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.data.manifest import Utterance
from asr.recipe.augmentation import AugmentationConfig
from asr.text import CharTokenizer
from asr.training.data.augmentation import Augmenter
from asr.training.data.batches import JITTER, AudioReader, Batch, batches, plan_epoch

RATE = 16_000
TOKENIZER = CharTokenizer(" abc")
GIB = 2**30


def utterances(durations_s: Iterable[float]) -> list[Utterance]:
    """Made-up ones: nothing reads their sound."""
    return [
        Utterance(f"u{index}", Path(f"{index}.wav"), float(duration_s), "a")
        for index, duration_s in enumerate(durations_s)
    ]


def many(count: int = 150, seed: int = 0) -> list[Utterance]:
    return utterances(np.random.default_rng(seed).uniform(0.5, 15, count))


def ids(plan: Sequence[Sequence[Utterance]]) -> list[list[str]]:
    return [[utterance.id for utterance in batch] for batch in plan]


def recorded(folder: Path, sizes: Sequence[int] = (1600, 4000, 2345, 800, 3000, 1200)) -> list[Utterance]:
    """Noise on disk, each recording with a transcript of another length."""
    random = np.random.default_rng(1)
    made = []
    for index, size in enumerate(sizes):
        path = folder / f"{index}.wav"
        soundfile.write(path, random.uniform(-0.5, 0.5, size), RATE, subtype="PCM_16")
        made.append(Utterance(f"u{index}", path, size / RATE, "abc a b"[: index + 1]))
    return made


def samples(utterance: Utterance) -> np.ndarray:
    return soundfile.read(utterance.audio_filepath, dtype="float32")[0]


def assert_same(ours: list[Batch], theirs: list[Batch]) -> None:
    assert ids([batch.utterances for batch in ours]) == ids([batch.utterances for batch in theirs])
    for one, other in zip(ours, theirs, strict=True):
        for name in ("waveform", "lengths", "targets", "target_lengths", "weights"):
            # resampling in one thread and in several differs in the last bit
            torch.testing.assert_close(getattr(one, name), getattr(other, name), rtol=0, atol=1e-6)


# The plan

durations = st.lists(st.floats(0.1, 20), min_size=1, max_size=40)
limits = st.floats(1, 60)
numbers = st.integers(0, 2**32)


def longest(batch: Sequence[Utterance]) -> float:
    return max(utterance.duration for utterance in batch)


def planned(
    spoken: Sequence[Utterance], limit_s: float, *, seed: int, epoch: int, ascending: bool = False
) -> list[list[Utterance]]:
    """The plan with utterances in the places of their numbers."""
    plan = plan_epoch([u.duration for u in spoken], limit_s, seed=seed, epoch=epoch, ascending=ascending)
    return [[spoken[number] for number in batch] for batch in plan]


@settings(deadline=None)
@given(durations, limits, numbers, numbers, st.booleans())
def test_every_utterance_comes_once_in_batches_within_the_limit(
    durations_s: list[float], limit_s: float, seed: int, epoch: int, ascending: bool
) -> None:
    spoken = utterances(durations_s)
    plan = planned(spoken, limit_s, seed=seed, epoch=epoch, ascending=ascending)
    assert sorted(u.id for batch in plan for u in batch) == sorted(u.id for u in spoken)
    assert all(len(batch) == 1 or len(batch) * longest(batch) <= limit_s for batch in plan)
    assert longest(plan[0]) == max(durations_s), "what needs the most memory comes first"


@settings(deadline=None)
@given(durations, limits, numbers)
def test_batches_do_not_overlap_in_duration_by_more_than_the_jitter(
    durations_s: list[float], limit_s: float, epoch: int
) -> None:
    spans = [
        (min(u.duration for u in batch), longest(batch))
        for batch in planned(utterances(durations_s), limit_s, seed=1, epoch=epoch)
    ]
    overlap = max((min(a[1], b[1]) / max(a[0], b[0]) for a, b in itertools.combinations(spans, 2)), default=1.0)
    assert overlap <= JITTER[1] / JITTER[0] * (1 + 1e-9)


@settings(deadline=None)
@given(durations, limits, numbers)
def test_in_ascending_order_batches_grow_after_the_first(durations_s: list[float], limit_s: float, epoch: int) -> None:
    plan = planned(utterances(durations_s), limit_s, seed=1, epoch=epoch, ascending=True)
    for before, after in itertools.combinations(plan[1:], 2):
        assert longest(before) / min(u.duration for u in after) <= JITTER[1] / JITTER[0] * (1 + 1e-9)
    shuffled = planned(utterances(durations_s), limit_s, seed=1, epoch=epoch)
    assert sorted(ids(plan)) == sorted(ids(shuffled)), "only their order differs"


def test_the_same_seed_and_epoch_give_the_same_plan() -> None:
    assert planned(many(), 40, seed=3, epoch=2) == planned(many(), 40, seed=3, epoch=2)


def test_another_epoch_or_seed_gives_other_neighbours() -> None:
    plans = [planned(many(), 40, seed=seed, epoch=epoch) for seed, epoch in ((1, 0), (1, 1), (2, 0))]
    together = [{frozenset(batch) for batch in ids(plan)} for plan in plans]
    for one, other in itertools.combinations(together, 2):
        assert len(one & other) < len(one) / 4, "not only the order of the batches changes"


def test_without_ascending_the_batches_after_the_first_are_shuffled() -> None:
    (first, *rest), (_, *ascending) = (planned(many(), 40, seed=1, epoch=0, ascending=a) for a in (False, True))
    assert longest(first) == max(u.duration for u in many())
    assert ids(rest) not in (ids(ascending), ids(ascending)[::-1])
    assert sorted(ids(rest)) == sorted(ids(ascending))


def test_batches_are_full_and_little_of_them_is_padding() -> None:
    for epoch in range(3):
        plan = planned(many(2000), 60, seed=1, epoch=epoch)
        padded_s = [len(batch) * longest(batch) for batch in plan]
        assert max(padded_s) <= 60
        assert sum(padded_s) < 1.1 * sum(u.duration for batch in plan for u in batch)
        assert sum(padded_s) > 0.9 * 60 * len(plan)


def test_an_utterance_longer_than_the_limit_stands_alone() -> None:
    spoken = utterances([3, 50, 3, 60, 3])
    plan = planned(spoken, 10, seed=1, epoch=0)
    assert sorted(map(sorted, ids(plan))) == [["u0", "u2", "u4"], ["u1"], ["u3"]]
    assert planned(spoken[1:2], 10, seed=1, epoch=0) == [spoken[1:2]]


# What is read


def test_a_batch_holds_the_samples_and_the_tokens(tmp_path: Path) -> None:
    spoken = recorded(tmp_path)
    plan = [spoken[:1], spoken[1:4], spoken[4:]]
    read = list(batches(plan, AudioReader(RATE, cache_gib=1), TOKENIZER))
    assert ids([batch.utterances for batch in read]) == ids(plan)
    for batch in read:
        for row, utterance in enumerate(batch.utterances):
            length, target_length = int(batch.lengths[row]), int(batch.target_lengths[row])
            np.testing.assert_array_equal(batch.waveform[row, :length].numpy(), samples(utterance))
            assert not batch.waveform[row, length:].any()
            assert TOKENIZER.decode(batch.targets[row, :target_length].tolist()) == utterance.text.strip()
            assert not batch.targets[row, target_length:].any()
        assert batch.waveform.shape == (len(batch.utterances), batch.lengths.max())
        assert batch.targets.shape == (len(batch.utterances), batch.target_lengths.max())
        assert batch.amount == pytest.approx(float(batch.lengths.sum()) / RATE)


@pytest.mark.parametrize(("amplitude", "heard_db"), [(0.001, -18), (0.5, 20 * np.log10(0.5 / 3**0.5)), (1.0, -6)])
def test_a_recording_is_learnt_from_at_the_level_at_which_it_is_transcribed(
    tmp_path: Path, amplitude: float, heard_db: float
) -> None:
    made = tmp_path / "a.wav"
    soundfile.write(made, np.random.default_rng(1).uniform(-amplitude, amplitude, 2 * RATE), RATE, subtype="FLOAT")
    waveform = AudioReader(RATE, 0)(Utterance("a", made, 2.0, "a"))
    assert 10 * np.log10(float(waveform.square().mean())) == pytest.approx(heard_db, abs=0.5)


def test_a_stretch_of_a_file_is_read_and_no_more(tmp_path: Path) -> None:
    (whole,) = recorded(tmp_path, [8000])
    stretch = Utterance("part", whole.audio_filepath, 0.125, "a", offset=0.25)
    np.testing.assert_array_equal(AudioReader(RATE, 0)(stretch).numpy(), samples(whole)[4000:6000])


def test_recordings_and_stretches_that_share_an_id_are_told_apart(tmp_path: Path) -> None:
    """train and dev may each have an utterance "u0", and one reader reads both."""
    made = []
    for name, size in (("train", 800), ("dev", 1600)):
        (tmp_path / name).mkdir()
        made += recorded(tmp_path / name, [size])
    path = made[1].audio_filepath
    made += [Utterance("u0", path, 0.05, "a"), Utterance("u0", path, 0.05, "a", offset=0.05)]
    reader, whole = AudioReader(RATE, cache_gib=1), samples(made[1])
    for expected, utterance in zip((samples(made[0]), whole, whole[:800], whole[800:]), made, strict=True):
        np.testing.assert_array_equal(reader(utterance).numpy(), expected)


@pytest.mark.parametrize("workers", [0, 1])
def test_audio_that_cannot_be_used_is_skipped_and_named(tmp_path: Path, workers: int) -> None:
    spoken = recorded(tmp_path)
    (tmp_path / "notes.wav").write_text("these are notes")
    not_finite = tmp_path / "nan.wav"
    soundfile.write(not_finite, np.array([0.1, np.nan, 0.1], np.float32).repeat(800), RATE, subtype="FLOAT")
    notes = replace(spoken[0], id="notes", audio_filepath=tmp_path / "notes.wav")
    nan = replace(spoken[0], id="nan", audio_filepath=not_finite, duration=0.1)
    gone = replace(spoken[0], id="gone", audio_filepath=tmp_path / "gone.wav")
    cut = replace(spoken[1], id="cut", duration=spoken[1].duration + 0.15)
    plan = [[spoken[0], notes, spoken[1]], [gone, nan, cut], [spoken[2]]]
    mixed, empty, good = batches(plan, AudioReader(RATE, 1), TOKENIZER, workers=workers)
    assert mixed.names == [spoken[0].id, spoken[1].id] and mixed.skipped.keys() == {"notes"}
    assert "is not an audio file" in mixed.skipped["notes"]
    assert empty.skipped.keys() == {"gone", "nan", "cut"}
    assert empty.amount == 0 and empty.weights.tolist() == [0], "silence that does not count keeps the process busy"
    assert "not a number" in empty.skipped["nan"]
    assert good.names == [spoken[2].id] and not good.skipped


def test_an_empty_transcript_has_no_tokens_beside_others_and_alone(tmp_path: Path) -> None:
    spoken, silent = (
        Utterance(name, utterance.audio_filepath, utterance.duration, text)
        for utterance, (name, text) in zip(recorded(tmp_path, [800, 900]), [("a", "ab"), ("b", "")], strict=True)
    )
    for plan, shape in (([[spoken, silent]], (2, 2)), ([[silent]], (1, 0))):
        (batch,) = batches(plan, AudioReader(RATE, 0), TOKENIZER)
        assert batch.targets.dtype == torch.int64
        assert batch.targets.shape == shape
        assert batch.target_lengths[-1] == 0


def test_two_workers_read_what_one_process_reads(tmp_path: Path) -> None:
    spoken = recorded(tmp_path)
    plan = [spoken[:2], spoken[2:3], spoken[3:5], spoken[5:]]
    augmenter = Augmenter(AugmentationConfig(speeds=(0.9, 1.0, 1.1), gain_db=6.0), RATE)

    def read(workers: int, seed: tuple[int, int]) -> list[Batch]:
        reader = AudioReader(RATE, cache_gib=1)
        return list(batches(plan, reader, TOKENIZER, augmenter=augmenter, seed=seed, workers=workers))

    alone = read(0, (1, 0))
    assert_same(read(2, (1, 0)), alone)
    assert_same(read(0, (1, 0)), alone)
    with pytest.raises(AssertionError):
        assert_same(read(0, (1, 1)), alone)


def test_augmentation_depends_on_the_position_not_on_what_was_drawn_before(tmp_path: Path) -> None:
    spoken = recorded(tmp_path)
    augmenter = Augmenter(AugmentationConfig(gain_db=6.0), RATE)
    reader = AudioReader(RATE, cache_gib=1)
    plans = [[spoken[:2], spoken[2:4]], [spoken[4:], spoken[2:4]]]
    second = [list(batches(plan, reader, TOKENIZER, augmenter=augmenter, seed=(1, 0)))[1:] for plan in plans]
    assert_same(*second)


def test_an_utterance_that_comes_twice_is_augmented_twice(tmp_path: Path) -> None:
    (utterance,) = recorded(tmp_path, [1000])
    augmenter = Augmenter(AugmentationConfig(gain_db=6.0), RATE)
    first, second = batches([[utterance], [utterance]], AudioReader(RATE, 1), TOKENIZER, augmenter=augmenter)
    assert first.waveform.shape != second.waveform.shape or not torch.equal(first.waveform, second.waveform)


@pytest.mark.parametrize("workers", [0, 2])
def test_reading_can_begin_in_the_middle(workers: int, tmp_path: Path) -> None:
    spoken = recorded(tmp_path)
    plan = [spoken[:2], spoken[2:3], spoken[3:5], spoken[5:]]
    reader, augmenter = AudioReader(RATE, cache_gib=1), Augmenter(AugmentationConfig(gain_db=6.0), RATE)
    whole = list(batches(plan, reader, TOKENIZER, augmenter=augmenter))
    assert_same(list(batches(plan, reader, TOKENIZER, augmenter=augmenter, first=2, workers=workers)), whole[2:])
    assert list(batches(plan, reader, TOKENIZER, first=4, workers=workers)) == []


@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_processes_share_a_batch_without_loss_or_repetition(parts: int, tmp_path: Path) -> None:
    spoken = recorded(tmp_path)
    plan, reader = [spoken[:3], spoken[3:4], spoken[4:]], AudioReader(RATE, cache_gib=1)
    whole = list(batches(plan, reader, TOKENIZER))
    assert all(batch.weights.tolist() == [1] * len(batch.utterances) for batch in whole)
    shares = [list(batches(plan, reader, TOKENIZER, part=(number, parts))) for number in range(parts)]
    for batch, *mine in zip(whole, *shares, strict=True):
        assert sum(share.amount for share in mine) == pytest.approx(batch.amount)
        counted = [u.id for share in mine for u, weight in zip(share.utterances, share.weights, strict=True) if weight]
        assert sorted(counted) == sorted(u.id for u in batch.utterances)
        for share in mine:
            assert share.utterances, "nobody stands idle"
            assert set(share.weights.tolist()) in ({0.0}, {1.0})
            if not share.weights.any():
                assert not share.waveform.any(), "silence, and nothing is read for it"
                continue
            sizes = [len(samples(utterance)) for utterance in share.utterances]
            assert share.lengths.tolist() == sizes


def test_cached_sound_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    path = tmp_path / "float.wav"
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3000)
    noise[::50] *= 3  # some too loud for 16 bits
    soundfile.write(path, noise, RATE, subtype="FLOAT")
    utterance = Utterance("u", path, 3000 / RATE, "a")
    cached = AudioReader(RATE, cache_gib=1)
    first, again, uncached = cached(utterance), cached(utterance), AudioReader(RATE, cache_gib=0)(utterance)
    assert torch.equal(first, again)
    assert torch.equal(first, uncached)
    np.testing.assert_allclose(first.numpy(), np.clip(samples(utterance), -1, 1), atol=1 / 32768)
    again.zero_()  # who changes what he was given does not change the cache
    assert torch.equal(cached(utterance), uncached)


def test_the_cache_keeps_as_much_as_it_may(tmp_path: Path) -> None:
    spoken = recorded(tmp_path, [1000, 1000, 400, 1000])
    before = [samples(utterance) for utterance in spoken]
    reader = AudioReader(RATE, cache_gib=(2 * 1000 + 2 * 400) / GIB)  # two bytes a sample: the first and the third
    for utterance in spoken:
        reader(utterance)
    for utterance in spoken:
        soundfile.write(utterance.audio_filepath, np.zeros(round(utterance.duration * RATE)), RATE)
    remembered = [bool(reader(utterance).any()) for utterance in spoken]
    assert remembered == [True, False, True, False]
    np.testing.assert_array_equal(reader(spoken[0]).numpy(), before[0])
