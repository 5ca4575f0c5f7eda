"""Errors about the content."""

import struct
from pathlib import Path

import numpy as np
import pytest
from signals import PNG, RATE, WHOLE, WHOLE_WAV, av_encoded, encoded, index_first, sine, speechlike, sphere

from asr.audio import blocks, duration_s, load
from asr.errors import AudioError


@pytest.mark.parametrize(
    "data",
    [
        b"Text, and a lot of it.\n" * 200,
        "Text in two bytes per letter.\n".encode("utf-16") * 200,
        b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< >>\nendobj\n" * 50,
        PNG + bytes(200),
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(2000),
        b"PK\x03\x04" + bytes(2000),
        bytes(5000),
        np.random.default_rng(1).bytes(50_000),
        b"x",
        b"RIFF",
        b"RIFF\x10\0\0\0WAVE",
        b"OggS"[:3],
        b"ID3\x04\0\0\0\0\0\x0a" + bytes(20),
        b"caff\0\1\0\0free" + struct.pack(">q", -100) + bytes(100),
        b"NIST_1A\n   1024\n".ljust(1024) + bytes(100),
        b".snd" + bytes(100),
    ],
)
def test_not_audio(data: bytes) -> None:
    for read in (lambda: load(data, RATE), lambda: duration_s(data)):
        with pytest.raises(AudioError, match="the given bytes is not an audio file, or is damaged: give a WAV, FLAC"):
            read()


def test_raw_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(np.arange(5000, dtype="<i2").tobytes())
    with pytest.raises(AudioError, match=r"x\.raw' is not an audio file, or is damaged"):
        load(path, RATE)


def test_playlists_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would open their entries, which may be any file or URL."""
    monkeypatch.chdir(tmp_path)
    Path("secret.wav").write_bytes(WHOLE_WAV)
    for text in ("ffconcat version 1.0\nfile secret.wav\n", "#EXTM3U\n#EXTINF:2,\nsecret.wav\n#EXT-X-ENDLIST\n"):
        with pytest.raises(AudioError, match="is not an audio file"):
            load(text.encode(), RATE)


def test_video_without_audio() -> None:
    with pytest.raises(AudioError, match="the given bytes has no audio track: give a WAV"):
        load(av_encoded(np.zeros(0), "mp4", "aac", pictures=10), RATE)


def test_audio_in_an_unknown_encoding() -> None:
    data = av_encoded(sine(rate=48_000), "webm", "libopus", 48_000).replace(b"A_OPUS", b"A_WHAT")
    with pytest.raises(AudioError, match="the given bytes has an audio track that FFmpeg cannot decode: give a WAV"):
        load(data, RATE)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "FLAC", "CAF"])
def test_no_samples(format: str) -> None:
    if format == "FLAC":  # libsndfile would write nothing at all
        data = encoded(sine(), "FLAC")
        data = b"fLaC\x80" + data[5:21] + bytes([data[21] & 0xF0]) + bytes(20)
    else:
        data = encoded(np.zeros((0, 1)), format)
    for read in (lambda: load(data, RATE), lambda: duration_s(data)):
        with pytest.raises(AudioError, match="the given bytes contains no audio: it has a header but no samples"):
            read()


@pytest.mark.parametrize("format", ["WAV", "RF64", "AIFF", "AU", "CAF", "NIST", "MP3"])
def test_fewer_bytes_than_stated(format: str) -> None:
    data = sphere(WHOLE) if format == "NIST" else encoded(WHOLE, format)
    for cut in (len(data) // 2, len(data) - 200):
        for read in (lambda cut=cut: load(data[:cut], RATE), lambda cut=cut: duration_s(data[:cut])):
            with pytest.raises(
                AudioError,
                match=r"the given bytes is truncated: its header states .*, but it .*; copy",
            ):
                read()


def test_the_bytes_are_counted() -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16")
    odd_chunk = b"note" + struct.pack("<I", 5) + b"hello\0"
    for data in (wav, wav[:36] + odd_chunk + wav[36:]):
        with pytest.raises(AudioError, match="states 64000 bytes of audio, but it has 63900"):
            load(data[:-100], RATE)


def test_the_bytes_of_a_compressed_sphere_are_not_counted() -> None:
    data = sphere(WHOLE)[:9000].replace(b"-s3 pcm\nend_head\n", b"-s26 pcm,embedded-shorten-v2.00\nend_head\n")
    with pytest.raises(AudioError) as caught:  # not a Shorten stream, so FFmpeg finds nothing in it
        load(data, RATE)
    assert "states" not in str(caught.value)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_without_its_last_page(subtype: str) -> None:
    data = encoded(speechlike(5.0), "OGG", subtype)
    for cut in (len(data) - 1, len(data) // 2 + 1, 40):
        with pytest.raises(AudioError, match=r"is truncated: its last Ogg page is incomplete|is damaged|no audio"):
            load(data[:cut], RATE)


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_ogg_whose_end_is_not_marked_is_whole(subtype: str) -> None:
    """Recorders on phones leave out the mark, as here by cutting the last page off."""
    data = encoded(speechlike(5.0), "OGG", subtype)
    whole = load(data, RATE)
    rest = load(data[: data.rindex(b"OggS")], RATE)
    assert 0 < len(rest) < len(whole)
    np.testing.assert_allclose(rest[1000:-2000], whole[1000 : len(rest) - 2000], atol=0.01)


@pytest.mark.parametrize("format", ["WAV", "AIFF", "AU", "FLAC", "MP3", "OGG"])
def test_what_is_there_of_a_truncated_file_comes_before_the_error(format: str) -> None:
    data = encoded(speechlike(6.0), format)
    read: list[np.ndarray] = []
    with pytest.raises(AudioError, match="truncated"):
        read.extend(blocks(data[: len(data) * 2 // 3], RATE))
    total_s = sum(map(len, read)) / RATE
    assert 3.0 < total_s < 4.6


def test_flac_truncated_or_damaged() -> None:
    data = encoded(speechlike(20.0), "FLAC")
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 0xFF
    for broken in (data[: len(data) // 2], bytes(damaged)):
        with pytest.raises(
            AudioError, match=r"is damaged or truncated: it cannot be decoded after \d+\.\d+ s of 20\.000 s; copy"
        ):
            load(broken, RATE)
    np.testing.assert_array_equal(  # the audio before the damage is intact
        load(data[: len(data) // 2], RATE, offset_s=1, duration_s=2), load(data, RATE, offset_s=1, duration_s=2)
    )


def test_mp3_with_a_hole(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encoded(WHOLE, "MP3"))
    data[5000:6000] = bytes(1000)
    with pytest.raises(
        AudioError, match=r"is truncated: its header states 2\.000 s, but it ends after [01]\.\d+ s; copy"
    ):
        load(bytes(data), RATE)
    capfd.readouterr()  # libmpg123 comments on the hole


def test_two_rates_in_one_stream() -> None:
    data = av_encoded(sine(), "adts", "aac") + av_encoded(sine(rate=8000), "adts", "aac", 8000)
    with pytest.raises(
        AudioError, match=r"changes its sample rate from 16000 Hz to 8000 Hz after 1\.\d+ s: convert it"
    ):
        load(data, RATE)


def test_mp4_without_its_index() -> None:
    data = av_encoded(sine(), "mp4", "aac")
    with pytest.raises(AudioError, match=r"is truncated: its index \(the 'moov' box of MP4 and M4A\) is missing; copy"):
        load(data[: data.index(b"moov") - 4], RATE)


def test_mp4_with_its_index_first_truncated() -> None:
    data = index_first(av_encoded(speechlike(5.0), "mp4", "aac"))
    assert load(data, RATE).shape == (5 * RATE,)
    for cut, there in ((len(data) // 2, "[123]"), (len(data) * 95 // 100, "4")):
        with pytest.raises(
            AudioError, match=rf"is truncated: its header states 5\.000 s, but it ends after {there}\.\d+ s; copy"
        ):
            load(data[:cut], RATE)


def test_webm_truncated() -> None:
    data = av_encoded(speechlike(5.0, 48_000), "webm", "libopus", 48_000)
    with pytest.raises(AudioError, match=r"is truncated: its header states 5\.\d+ s, but it ends after [123]\.\d+ s"):
        load(data[: len(data) // 2], RATE)


def test_damaged_aac() -> None:
    data = bytearray(av_encoded(speechlike(5.0), "adts", "aac"))
    starts = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0]
    for at in starts[20:40]:
        data[at + 7 : at + 40] = b"\xff" * 33
    with pytest.raises(
        AudioError, match=r"is damaged or truncated: not all of its audio can be decoded; copy it again"
    ):
        load(bytes(data), RATE)


@pytest.mark.parametrize(("rate", "wrong"), [(RATE, 1), (RATE, 999), (RATE, 768_001), (RATE, 2**31 - 1)])
def test_absurd_rate(rate: int, wrong: int) -> None:
    wav = encoded(WHOLE, "WAV", "PCM_16", rate)
    with pytest.raises(AudioError, match=f"has a sample rate of {wrong} Hz, but it must be between 1000 and 768000 Hz"):
        load(wav[:24] + struct.pack("<I", wrong) + wav[28:], RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1.1e10, -3.4e38])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_not_finite(value: float, rate: int) -> None:
    samples = np.zeros((20 * rate, 2), np.float32)
    samples[12 * rate, 1] = value
    samples[12 * rate + 5] = value, -value
    samples[15 * rate, 0] = value
    with pytest.raises(
        AudioError,
        match=r"contains 3 samples that are infinite, not a number or beyond ±1e10, the first at 12\.000 s: write it",
    ):
        load(encoded(samples, "WAV", "FLOAT", rate), RATE)


def test_samples_too_large_for_32_bits() -> None:
    samples = sine()
    data = av_encoded(samples, "mov", "pcm_f64le").replace(
        np.float64(samples[9]).tobytes(), np.float64(1e300).tobytes()
    )
    with pytest.raises(
        AudioError, match=r"samples that are infinite, not a number or beyond ±1e10, the first at 0\.001 s"
    ):
        load(data, RATE)


def test_large_samples_are_accepted() -> None:
    samples = np.float32(2.0**31) * sine()
    np.testing.assert_array_equal(load(encoded(samples, "WAV", "FLOAT"), RATE), samples)


def test_integers_of_64_bits() -> None:
    wav = bytearray(encoded(WHOLE, "WAV", "PCM_32"))
    wav[32:36] = struct.pack("<HH", 8, 64)
    with pytest.raises(
        AudioError, match=r"has 64-bit integer samples, which are not supported: convert them to 32 bits"
    ):
        load(bytes(wav), RATE)
