"""The whole of it: letters, words, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr.decoding.greedy import greedy
from asr.errors import AudioError, ModelError
from asr.inspect import inspection, network, numbers
from asr.inspect.inspection import Inspection
from asr.models.session import OnnxModel
from asr.network.torch_model import TorchModel
from asr.transcription.transcriber import Transcriber

Inspect = Callable[..., Inspection]


def test_letters_are_those_of_the_best_path(toy: TorchModel, inspected: Inspect) -> None:
    found = inspected(toy)
    path = greedy(found.log_probs)
    assert [letter.token for letter in found.letters] == [token.number for token in path]
    assert found.letters
    for letter, token in zip(found.letters, path, strict=True):
        assert token.start <= letter.frame < token.end
        assert letter.probability == pytest.approx(np.exp(token.log_prob))
        assert letter.connectivity.shape == (len(found.trace.features),)
        assert letter.connectivity.max() > 0
    assert found.difference < 1e-5


def test_the_numbers_are_json_and_those_of_the_trace(toy: TorchModel, inspected: Inspect) -> None:
    found = inspected(toy)
    read = json.loads(json.dumps(numbers.document(found), allow_nan=False))
    ran = found.trace.cells[1][1]
    directions = read["layers"][1]["backward"]
    assert directions["cell"] == read["model"]["cell"] == toy.network.config.context.cell
    assert directions["gates"].keys() == ran.gates.keys()
    for name, values in ran.gates.items():
        np.testing.assert_allclose(directions["gates"][name], values, atol=6e-5)
    np.testing.assert_allclose(directions["state"], ran.state, atol=6e-5)
    np.testing.assert_allclose(read["spectrogram"], found.trace.features, atol=6e-5)
    np.testing.assert_allclose(read["posteriors"], np.exp(found.log_probs), atol=6e-5)
    assert len(read["band_hz"]) == 23
    assert sorted(read["band_hz"]) == read["band_hz"]
    assert 50 < read["band_hz"][0] < 200 < 6000 < read["band_hz"][-1] < 8000


def test_a_recording_that_is_too_long_is_refused_and_a_part_of_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 31 * 16_000), 16_000)
    with pytest.raises(AudioError, match=r"longer than the 30 s that can be looked into: choose a part of it"):
        inspection.read(str(path), 16_000)
    part = inspection.read(str(path), 16_000, start_s=10, duration_s=2)
    np.testing.assert_allclose(part, np.linspace(-0.5, 0.5, 31 * 16_000)[160_000:192_000], atol=1e-4)


def test_less_than_a_window_and_silence_are_shown(toy: TorchModel, exported: Callable[..., Path]) -> None:
    path = exported(toy)
    transcriber = Transcriber(OnnxModel(path, threads=1))
    for waveform in (np.zeros(8000, np.float32), np.full(30, 0.1, np.float32)):
        found = inspection.inspect(path, transcriber, waveform)
        json.dumps(numbers.document(found), allow_nan=False)
        assert len(found.trace.log_probs) == len(found.log_probs)


def test_weights_that_compute_something_else_are_noticed(
    toy: TorchModel, exported: Callable[..., Path], speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = exported(toy)
    loaded = network.load(path)
    loaded.head_bias[3] += 5
    monkeypatch.setattr(network, "load", lambda _: loaded)
    with pytest.raises(ModelError, match="differs from what onnxruntime"):
        inspection.inspect(path, Transcriber(OnnxModel(path, threads=1)), speech)


@pytest.mark.parametrize("int8", [False, True])
def test_a_model_with_phones_is_inspected_by_its_tokens(
    toy_with_phones: TorchModel, exported: Callable[..., Path], speech: np.ndarray, int8: bool
) -> None:
    path = exported(toy_with_phones, int8=int8)
    found = inspection.inspect(path, Transcriber(OnnxModel(path, threads=1)), speech)
    tokens = found.description.tokenizer.size
    assert found.log_probs.shape[1] == found.trace.log_probs.shape[1] == tokens
    assert found.difference < (inspection.TOLERANCE["int8"] if int8 else 1e-5)
    assert max(found.tokens) < tokens
    assert len(numbers.document(found)["tokens"]) == tokens
