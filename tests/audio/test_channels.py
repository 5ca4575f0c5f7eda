"""Channels."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from signals import RATE, STEREO, av_encoded, av_encoded_channels, encoded, sine

from asr import audio
from asr.audio import channels, load, separate
from asr.errors import AudioError


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "matroska flac", "matroska pcm_s16le", "mov pcm_f32le"])
def test_one_channel_of_two(kind: str) -> None:
    container, _, codec = kind.partition(" ")
    data = av_encoded_channels(STEREO, container, codec) if codec else encoded(STEREO, kind, "PCM_16")
    assert channels(data) == 2
    for channel in (1, 2):
        waveform = load(data, RATE, channel=channel)
        np.testing.assert_allclose(waveform, STEREO[:, channel - 1], rtol=0, atol=1 / 32768)
    np.testing.assert_allclose(load(data, RATE), STEREO.mean(axis=1), rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("rate", [RATE, 11_025])
@pytest.mark.parametrize("kind", ["WAV", "matroska flac"])
def test_separate_channels_are_those_read_alone(kind: str, rate: int) -> None:
    container, _, codec = kind.partition(" ")
    data = av_encoded_channels(STEREO, container, codec) if codec else encoded(STEREO, kind, "PCM_16")
    for numbers in ([1, 2], [2], [2, 1]):
        with separate(data, rate, numbers) as streams:
            parts: list[list[np.ndarray]] = [[] for _ in numbers]
            for blocks in itertools.zip_longest(*streams):
                for part, block in zip(parts, blocks, strict=True):
                    part.extend([] if block is None else [block])
        for number, part in zip(numbers, parts, strict=True):
            np.testing.assert_array_equal(np.concatenate(part), load(data, rate, channel=number))


def test_separate_channels_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    opened = audio._opened

    @contextmanager
    def counted(*source: object) -> Iterator[object]:
        with opened(*source) as reader:  # type: ignore[arg-type]
            original = reader.blocks
            yield replace(reader, blocks=lambda *span: (decoded.append(end) or (end, b) for end, b in original(*span)))

    monkeypatch.setattr(audio, "_opened", counted)
    many = np.tile(STEREO, (1, 20))
    with separate(encoded(many, "WAV"), RATE, range(1, 41)) as streams:
        assert len([np.concatenate(list(stream)) for stream in streams]) == 40
    assert decoded[-1] == len(many) and sorted(set(decoded)) == decoded


def test_separate_channels_that_do_not_exist_or_end_early() -> None:
    with (
        pytest.raises(AudioError, match="has 1 channel, but channel 2"),
        separate(encoded(sine(), "WAV"), RATE, [1, 2]),
    ):
        pass
    data = av_encoded_channels(STEREO, "adts", "aac") + av_encoded(sine(), "adts", "aac")
    changes = pytest.raises(AudioError, match="changes its number of channels from 2 to 1")
    with changes, separate(data, RATE, [2]) as (stream,):
        list(stream)


def test_one_channel_of_a_segment() -> None:
    segment = load(encoded(STEREO, "WAV", "FLOAT"), RATE, channel=2, offset_s=0.5, duration_s=1.0)
    np.testing.assert_array_equal(segment, STEREO[8000:24_000, 1])


@pytest.mark.parametrize(("count", "phrase"), [(1, "1 channel"), (2, "2 channels")])
@pytest.mark.parametrize("channel", [-1, 0, 3])
def test_no_such_channel(count: int, phrase: str, channel: int) -> None:
    with pytest.raises(
        AudioError,
        match=rf"^the given bytes has {phrase}, but channel {channel} was requested: give a number from 1 to {count}",
    ):
        load(encoded(STEREO[:, :count], "WAV"), RATE, channel=channel)


def test_a_second_channel_that_ends_early() -> None:
    data = av_encoded_channels(STEREO, "adts", "aac") + av_encoded(sine(), "adts", "aac")
    with pytest.raises(
        AudioError,
        match=r"changes its number of channels from 2 to 1 before [23]\.\d+ s: convert it to a constant number",
    ):
        load(data, RATE, channel=2)
    assert len(load(data, RATE, channel=1)) == pytest.approx(3 * RATE, abs=0.2 * RATE)
    assert len(load(data, RATE)) == len(load(data, RATE, channel=1))
