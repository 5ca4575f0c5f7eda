"""From audio files to words with times, through the public functions, with the toy model that reads tones."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

import asr
from asr.data.manifest import read
from asr.errors import AsrError, AudioError, ModelError
from asr.models.session import OnnxModel

RATE = 16_000


def tone(frequency_hz: float, duration_s: float = 0.15) -> np.ndarray:
    time_s = np.arange(round(duration_s * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * frequency_hz * time_s) * np.hanning(len(time_s))


def silence(duration_s: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.002, round(duration_s * RATE))


@pytest.fixture
def transcriber(smoke_model: Path):
    return asr.load(smoke_model)


def test_words_and_their_times(transcriber, tmp_path: Path) -> None:
    """Two words with a long gap: the times must be within the tones."""
    a, b = np.concatenate([tone(400), tone(1100)]), tone(1700)
    samples = np.concatenate([np.zeros(1920), a, np.zeros(1920), b, np.zeros(1920)])
    samples += silence(len(samples) / RATE)  # the toy was only trained with noise
    soundfile.write(tmp_path / "x.wav", samples, RATE)
    transcript = transcriber.transcribe(tmp_path / "x.wav")
    assert transcript.text == "ac d"
    assert transcript.duration_s == pytest.approx(len(samples) / RATE)
    assert transcript.source == str(tmp_path / "x.wav")
    assert transcript.model == "smoke"
    first, second = transcript.words
    slack = 0.08  # two frames
    assert 0.12 - slack <= first.start_s < first.end_s <= 0.42 + slack
    assert 0.54 - slack <= second.start_s < second.end_s <= 0.69 + slack
    assert all(0.5 < word.confidence <= 1 for word in transcript.words)


def test_path_bytes_and_stream_agree_at_any_rate(transcriber, smoke_corpus: Path) -> None:
    utterance = read(smoke_corpus / "dev.jsonl")[0]
    path = utterance.audio_filepath
    texts = {
        transcriber.transcribe(path).text,
        transcriber.transcribe(str(path)).text,
        transcriber.transcribe(path.read_bytes()).text,
        transcriber.transcribe(io.BytesIO(path.read_bytes())).text,
        transcriber.transcribe(soundfile.read(path, dtype="float32")[0]).text,
    }
    assert texts == {utterance.text}
    stereo, rate = soundfile.read(path)
    buffer = io.BytesIO()
    soundfile.write(buffer, np.stack([stereo, stereo], axis=1).repeat(3, axis=0), 3 * rate, format="FLAC")
    assert transcriber.transcribe(buffer.getvalue()).text == utterance.text


def test_threads_share_a_transcriber(transcriber, smoke_corpus: Path) -> None:
    utterances = read(smoke_corpus / "dev.jsonl")
    with ThreadPoolExecutor(4) as pool:
        transcripts = list(pool.map(transcriber.transcribe, [u.audio_filepath for u in utterances]))
    assert [t.text for t in transcripts] == [u.text for u in utterances]


def test_a_batch_gives_the_same_log_probs_as_single_runs(smoke_model: Path, smoke_corpus: Path) -> None:
    model = OnnxModel(smoke_model)
    waveforms = [soundfile.read(u.audio_filepath, dtype="float32")[0] for u in read(smoke_corpus / "dev.jsonl")]
    for together, alone in zip(model.log_probs(waveforms), map(model.log_probs, [[w] for w in waveforms]), strict=True):
        np.testing.assert_allclose(together, alone[0], atol=1e-4)


def test_silence_has_no_words(transcriber) -> None:
    for waveform in (np.zeros(1), np.zeros(RATE), silence(3.0)):
        assert transcriber.transcribe(waveform.astype(np.float32)).text == ""


def test_a_long_recording_gives_the_text_of_its_parts(transcriber, smoke_corpus: Path) -> None:
    """Longer than a window: words on both sides of each seam appear once."""
    parts, texts, duration_s = [], [], 0.0
    for utterance in 6 * read(smoke_corpus / "dev.jsonl"):
        parts += [soundfile.read(utterance.audio_filepath)[0], silence(0.12)]
        texts.append(utterance.text)
        duration_s += utterance.duration + 0.12
    assert duration_s > 100
    transcript = transcriber.transcribe(np.concatenate(parts).astype(np.float32))
    assert transcript.text == " ".join(texts)
    starts = [word.start_s for word in transcript.words]
    assert starts == sorted(starts)
    assert transcript.words[-1].end_s <= duration_s


def test_the_public_function_and_json(smoke_model: Path, smoke_corpus: Path) -> None:
    utterance = read(smoke_corpus / "dev.jsonl")[1]
    transcript = asr.transcribe(utterance.audio_filepath, model=str(smoke_model))
    assert json.loads(transcript.to("json"))["text"] == utterance.text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        (b"", "not a valid ONNX file"),
        (b"RIFF....WAVE", "not a valid ONNX file"),
    ],
)
def test_a_bad_model_is_reported_in_one_sentence(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as caught:
        asr.load(path)
    assert "\n" not in str(caught.value)


def test_a_truncated_model_and_a_foreign_one(smoke_model: Path, tmp_path: Path) -> None:
    import onnx

    whole = smoke_model.read_bytes()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="not a valid ONNX file"):
        asr.load(tmp_path / "half.onnx")
    foreign = onnx.load(smoke_model)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    with pytest.raises(ModelError, match="has no asr format version in its metadata"):
        asr.load(tmp_path / "foreign.onnx")


def test_an_unknown_name_lists_the_shipped_models() -> None:
    with pytest.raises(
        ModelError, match=r"Model 'welsh' is neither a file nor a shipped model: give a path or one of an4, english\."
    ):
        asr.load("welsh")


def test_a_missing_file_is_an_audio_error(transcriber, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"missing\.wav"):
        transcriber.transcribe(tmp_path / "missing.wav")


def test_less_than_a_frame_contains_no_word(transcriber) -> None:
    assert transcriber.transcribe(np.full(10, 0.5, np.float32)).words == ()


def test_a_model_whose_tokens_do_not_fit_is_refused(smoke_model: Path, tmp_path: Path) -> None:
    import onnx

    model = onnx.load(smoke_model)
    for prop in model.metadata_props:
        if prop.key == "tokenizer":
            prop.value = json.dumps({"type": "characters", "alphabet": " abc"})
    onnx.save(model, tmp_path / "short.onnx")
    with pytest.raises(ModelError, match="has no output log_probs for its 5 tokens"):
        asr.load(tmp_path / "short.onnx")


def test_samples_of_any_kind_agree_with_the_file(transcriber, smoke_corpus: Path) -> None:
    utterance = read(smoke_corpus / "dev.jsonl")[0]
    samples, rate = soundfile.read(utterance.audio_filepath, dtype="int16")
    left = np.stack([samples, np.zeros_like(samples)], axis=1)
    for variant, options in (
        (samples, {}),
        (samples / 32768.0, {"sample_rate": rate}),
        (np.repeat(samples, 2), {"sample_rate": 2 * rate}),
        (left, {"channel": 1}),
    ):
        transcript = transcriber.transcribe(variant, **options)
        assert transcript.text == utterance.text
        assert transcript.duration_s == pytest.approx(len(samples) / rate, abs=1e-4)
    assert transcriber.transcribe(left, channel=2).text == ""


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        (np.zeros((2, 2, 2)), {}, r"shape \(2, 2, 2\)"),
        (np.zeros(0), {}, r"shape \(0,\)"),
        (np.zeros(9, complex), {}, "type complex128"),
        (np.full(9, np.nan), {}, "not a number"),
        (np.zeros(9), {"channel": 2}, "have 1 channels, but channel 2"),
        (np.zeros(9), {"sample_rate": -1}, "rate is -1 Hz"),
    ],
)
def test_bad_samples_are_reported_in_one_sentence(
    transcriber, samples: np.ndarray, options: dict, message: str
) -> None:
    with pytest.raises(AudioError, match=message):
        transcriber.transcribe(samples, **options)


def test_words_are_yielded_while_the_audio_is_read(smoke_model: Path, smoke_corpus: Path, monkeypatch) -> None:
    """The first words of a long recording are available before its end has been read."""
    transcriber = asr.load(smoke_model)
    parts = [soundfile.read(u.audio_filepath, dtype="float32")[0] for u in 12 * read(smoke_corpus / "dev.jsonl")]
    waveform = np.concatenate([np.concatenate([part, silence(0.12).astype(np.float32)]) for part in parts])
    read_offsets = []

    def blocks(*_: object, **__: object):
        for first in range(0, len(waveform), RATE):
            read_offsets.append(first)
            yield waveform[first : first + RATE]

    monkeypatch.setattr(transcriber, "_blocks", blocks)
    words = transcriber.words("anything")
    first = next(words)
    assert len(read_offsets) < 0.7 * len(waveform) / RATE
    assert (first, *words) == transcriber.transcribe("anything").words


def test_many_files_in_processes(smoke_model: Path, smoke_corpus: Path, tmp_path: Path) -> None:
    utterances = read(smoke_corpus / "dev.jsonl")[:4]
    (tmp_path / "bad.wav").write_text("no audio")
    paths = [*(u.audio_filepath for u in utterances), tmp_path / "bad.wav"]
    results = dict(asr.transcribe_all(paths, smoke_model, workers=2, beam=4))
    assert isinstance(results.pop(str(tmp_path / "bad.wav")), AudioError)
    texts = {path: transcript.text for path, transcript in results.items() if isinstance(transcript, asr.Transcript)}
    assert texts == {str(u.audio_filepath): u.text for u in utterances}
    with pytest.raises(ModelError):
        next(asr.transcribe_all(paths, tmp_path / "no.onnx"))


def test_split_channels_have_the_words_and_the_progress_of_each_alone(
    transcriber, smoke_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if they are decoded in several groups, and from samples."""
    monkeypatch.setattr("asr.transcription.transcriber.TOGETHER", 2)
    parts = [soundfile.read(utterance.audio_filepath)[0] for utterance in read(smoke_corpus / "dev.jsonl")[:3]]
    call = np.zeros((max(map(len, parts)), 3))
    for column, part in enumerate(parts):
        call[: len(part), column] = part
    soundfile.write(tmp_path / "call.wav", call, RATE, subtype="FLOAT")
    alone = [transcriber.transcribe(tmp_path / "call.wav", channel=channel).text for channel in (1, 2, 3)]
    assert all(alone)
    for source in (tmp_path / "call.wav", call):
        done: list[float] = []
        reported: list[tuple[int, str]] = []

        def on_words(words, done_s, done=done, reported=reported) -> None:
            done.append(done_s)
            reported.extend((word.channel, word.text) for word in words)

        transcript = transcriber.transcribe(source, channel="split", on_words=on_words)
        for channel, text in enumerate(alone, start=1):
            assert " ".join(word.text for word in transcript.words if word.channel == channel) == text
            assert " ".join(word for number, word in reported if number == channel) == text
        assert done == sorted(done) and done[-1] == pytest.approx(len(call) / RATE)


def test_a_channel_other_than_a_number_or_split_is_refused() -> None:
    with pytest.raises(AsrError, match="no channel 'both'"):
        asr.load("an4").transcribe(np.zeros(16_000, np.float32), channel="both")  # type: ignore[arg-type]


def test_transposed_samples_are_refused() -> None:
    with pytest.raises(AsrError, match=r"\(2, 16000\) would have 16,000 channels"):
        asr.load("an4").transcribe(np.zeros((2, 16_000), np.float32))


def test_a_segment_of_a_file_is_transcribed_like_a_file_of_it(transcriber, smoke_corpus: Path, tmp_path: Path) -> None:
    path = max(read(smoke_corpus / "dev.jsonl"), key=lambda utterance: utterance.duration).audio_filepath
    samples, rate = soundfile.read(path, dtype="float32")
    first, last = rate // 4, len(samples) - rate // 4
    soundfile.write(tmp_path / "part.wav", samples[first:last], rate, subtype="FLOAT")
    segment = {"offset_s": first / rate, "duration_s": (last - first) / rate}
    found, expected = transcriber.transcribe(path, **segment), transcriber.transcribe(tmp_path / "part.wav")
    assert found.words == expected.words
    assert found.duration_s == expected.duration_s == pytest.approx((last - first) / rate)
    for source, channel in ((samples, None), (path, "split")):
        with pytest.raises(AudioError, match="A segment is one of a file, and of one channel"):
            transcriber.transcribe(source, channel=channel, **segment)
