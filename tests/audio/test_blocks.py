"""Blocks."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from signals import RATE, Pipe, av_encoded, compressed, encoded, reference, with_data_size

from asr.audio import blocks, decoders, load
from asr.errors import AudioError


@settings(max_examples=60, deadline=None)
@given(
    rate=st.sampled_from([1000, 8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000, 768_000])
    | st.integers(1000, 10**5),
    sample_rate=st.sampled_from([8000, 16_000, 44_100]),
    shape=st.tuples(st.integers(1, 5000), st.integers(1, 3)),
    values=st.integers(1, 10_000),
    piece=st.integers(1, 3000),
)
def test_any_chunk_sizes_give_the_same_samples(
    rate: int, sample_rate: int, shape: tuple[int, int], values: int, piece: int
) -> None:
    samples = np.random.default_rng(values).normal(size=shape).astype(np.float32)
    data = encoded(samples, "WAV", "FLOAT", rate)
    expected = reference(samples, rate, sample_rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "BLOCK_VALUES", values)
        if not len(expected):
            with pytest.raises(AudioError, match="contains no audio"):
                list(blocks(data, sample_rate))
            return
        parts = list(blocks(Pipe(data, piece), sample_rate))  # type: ignore[arg-type]
    assert all(part.ndim == 1 and len(part) and part.dtype == np.float32 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    np.testing.assert_array_equal(load(data, sample_rate), expected)


@pytest.mark.parametrize("kind", ["FLAC", "MP3", "bare MP3", "OGG/VORBIS", "OGG/OPUS", "ipod aac", "webm libopus"])
@settings(max_examples=8, deadline=None)
@given(values=st.integers(5000, 100_000), piece=st.integers(1000, 10_000), channel=st.sampled_from([None, 1]))
def test_any_chunk_sizes_of_compressed_audio(kind: str, values: int, piece: int, channel: int | None) -> None:
    data = compressed(kind)
    expected = load(data, RATE, channel=channel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoders, "BLOCK_VALUES", values)
        parts = list(blocks(Pipe(data, piece), RATE, channel=channel))  # type: ignore[arg-type]
    # the last bit of libmpg123's output depends on the number of samples requested
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=0, atol=1e-7 if kind == "MP3" else 0)


@pytest.mark.parametrize("left", [1, 30, 100])
def test_the_end_of_opus_does_not_depend_on_the_blocks(left: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = compressed("OGG/OPUS")
    whole = load(data, 48_000)
    monkeypatch.setattr(decoders, "BLOCK_VALUES", len(whole) - left)
    np.testing.assert_array_equal(load(data, 48_000), whole)


@pytest.mark.parametrize("kind", ["WAV behind a tag", "FLAC", "matroska flac"])
def test_memory_does_not_grow_with_the_length(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "long"
    minutes = 5
    if kind == "FLAC":
        path.write_bytes(encoded(np.zeros(minutes * 60 * RATE, np.float32), "FLAC"))
    elif kind == "matroska flac":
        path.write_bytes(av_encoded(np.zeros(minutes * 60 * RATE, np.float32), "matroska", "flac"))
    else:
        size = minutes * 60 * RATE * 2
        with path.open("wb") as file:
            file.write(b"ID3\x04\0\0\0\0\0\x14" + bytes(20))
            file.write(with_data_size(encoded(np.zeros(0), "WAV", "PCM_16"), size, 36 + size))
            file.truncate(file.tell() + size)
    total = 0
    tracemalloc.start()
    for block in blocks(path, RATE):
        total += len(block)
        del block
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == minutes * 60 * RATE
    assert peak < 8e6  # the whole would be 19 MB


def test_blocks_need_not_be_consumed(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    path.write_bytes(encoded(np.zeros(10**6), "WAV"))
    iterator = blocks(path, RATE)
    assert len(next(iterator)) < 10**6
    iterator.close()  # type: ignore[attr-defined]  # a file left open would be a warning, which is an error here


def test_no_block_follows_a_non_finite_one() -> None:
    samples = np.zeros(10**6, np.float32)
    samples[500_000] = np.nan
    samples_read = 0
    with pytest.raises(AudioError, match=r"contains 1 samples that are infinite, not a number or beyond ±1e10"):
        for block in blocks(encoded(samples, "WAV", "FLOAT"), RATE):
            samples_read += len(block)
    assert 0 < samples_read <= 500_000
