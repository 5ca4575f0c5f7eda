"""int8: an utterance's log-probs do not depend on what is beside it, the sums are the right ones, the file is small."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from onnx import TensorProto, helper, numpy_helper

from asr.cli import main
from asr.data.manifest import read
from asr.errors import ModelError
from asr.export import exporter
from asr.export.acoustic import build_graph
from asr.export.quantise import LARGEST, input_ranges, quantise, to_int8
from asr.models.session import OnnxModel
from asr.recipe.files import recipe_from_tree
from asr.text import CharTokenizer
from asr.training import checkpoint

HIDDEN = 12
LAYERS = 2
DATA = {"train": ["x.jsonl"], "dev": ["x.jsonl"]}
SIZES = {"features": {"bands": 23}, "frontend": {"channels": 3}, "context": {"layers": LAYERS, "hidden": HIDDEN}}


def build(model: dict) -> checkpoint.TorchModel:
    recipe = recipe_from_tree({"name": "toy", "data": DATA, "model": model}, "in the test")
    return checkpoint.build(recipe, CharTokenizer(recipe.text.alphabet))


def waveform(seed: int, size: int = 12_000, loudness: float = 0.1) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=size) * loudness).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> checkpoint.TorchModel:
    """Random weights, so large that cells saturate and a wrong step shows."""
    model = build(SIZES)
    torch.manual_seed(0)
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    model.network.features.mean.normal_(-5, 1)
    model.network.features.std.uniform_(1, 3)
    return model


@pytest.fixture(scope="module")
def plain(model: checkpoint.TorchModel) -> onnx.ModelProto:
    return build_graph(model.network.eval(), model.description.to_metadata())


@pytest.fixture(scope="module")
def int8(model: checkpoint.TorchModel, plain: onnx.ModelProto) -> onnx.ModelProto:
    return quantise(plain, input_ranges(model, [waveform(seed) for seed in range(3)]))


@pytest.fixture(scope="module")
def opened(int8: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    onnx.save(int8, path)
    return OnnxModel(path, threads=1)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}


@pytest.fixture(scope="module")
def without_ends(int8: onnx.ModelProto) -> onnx.ModelProto:
    """The int8 graph with zeros at the ends of the ranges, so that onnxruntime fits its scales to the batch."""
    broken = onnx.ModelProto()
    broken.CopyFrom(int8)
    values = constants(broken)
    columns = {node.input[2] for node in broken.graph.node if node.op_type == "Pad" and len(node.input) == 3}
    biases = {node.input[3] for node in broken.graph.node if node.op_type == "DynamicQuantizeLSTM"}
    assert len(columns) == 2 * LAYERS
    for weight in broken.graph.initializer:
        if weight.name in columns:
            weight.CopyFrom(numpy_helper.from_array(np.zeros_like(values[weight.name]), weight.name))
        if weight.name in biases:
            bias = values[weight.name].reshape(2, 8, HIDDEN + 2).copy()
            bias[:, :, HIDDEN:] = 0
            weight.CopyFrom(numpy_helper.from_array(bias.reshape(2, -1), weight.name))
    return broken


def inside(model: onnx.ModelProto, names: Sequence[str]) -> Callable[..., list[np.ndarray]]:
    """A function from waveform and lengths to the named tensors within a graph."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    opened.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(opened.SerializeToString(), options)

    def run(waveform: np.ndarray, lengths: Sequence[int]) -> list[np.ndarray]:
        inputs = {"waveform": waveform, "lengths": np.array(lengths, dtype=np.int64)}
        return [np.asarray(array) for array in session.run(list(names), inputs)]

    return run


def worst_neighbour(model: OnnxModel, waveforms: Sequence[np.ndarray]) -> float:
    """The largest difference between the log-probs of one waveform alone and beside all others."""
    together = model.log_probs(waveforms)
    alone = [model.log_probs([waveform])[0] for waveform in waveforms]
    return max(float(np.abs(a - b).max()) for a, b in zip(alone, together, strict=True))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(1, 20_000), st.sampled_from([0.0, 1e-3, 0.1, 1.0, 100.0])),
        min_size=2,
        max_size=9,
    )
)
def test_neighbours_change_nothing(opened: OnnxModel, batch: list[tuple[int, int, float]]) -> None:
    assert worst_neighbour(opened, [waveform(*row) for row in batch]) <= 1e-6


def test_without_the_ends_neighbours_would_change_much(without_ends: onnx.ModelProto, tmp_path: Path) -> None:
    """The test above can fail."""
    onnx.save(without_ends, tmp_path / "broken.onnx")
    rows = [waveform(0), waveform(1, loudness=1.0), waveform(2, size=20_000)]
    assert worst_neighbour(OnnxModel(tmp_path / "broken.onnx", threads=1), rows) > 1e-3


def test_threads_change_nothing(opened: OnnxModel, int8: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(int8, tmp_path / "int8.onnx")
    rows = [waveform(seed, size=9_000 + 999 * seed) for seed in range(6)]
    for ours, theirs in zip(opened.log_probs(rows), OnnxModel(tmp_path / "int8.onnx", 3).log_probs(rows), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_what_comes_later_in_a_window_changes_no_scale(int8: onnx.ModelProto, without_ends: onnx.ModelProto) -> None:
    """The forward direction of the first layer knows nothing of later frames, not even how large their numbers are."""
    speech = waveform(0, size=16_000)
    other = speech.copy()
    other[8_000:] = 0
    other[12_000] = 1
    earlier = 10  # frames of 40 ms, which end before the two differ
    for graph, same in ((int8, True), (without_ends, False)):
        output = next(node.output[0] for node in graph.graph.node if node.op_type == "Slice" and "lstm" in node.name)
        a, b = (inside(graph, [output])(samples[None], [16_000])[0][:, 0] for samples in (speech, other))
        assert np.array_equal(a[:earlier], b[:earlier]) == same
        assert not np.array_equal(a[earlier + 5 :], b[earlier + 5 :])


def rounded(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """The nearest of 256 numbers that span low to high and hold 0."""
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale


def nearest(weights: np.ndarray) -> np.ndarray:
    """The weights after int8, of each row in steps of a 64th of its largest."""
    steps = np.abs(weights).max(axis=1, keepdims=True) / 64
    return np.rint(weights / steps) * steps


def reference(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """One direction of a layer on one sequence, in floats that are rounded where int8 rounds. (T, D) -> (T, H)"""
    x, w, r = rounded(np.clip(x, *ends), *ends), nearest(w), nearest(r)
    h, c, out = np.zeros(HIDDEN), np.zeros(HIDDEN), []
    for step, row in enumerate(x):
        heard = rounded(h, -np.tanh(step), np.tanh(step)) if step else h
        i, o, f, g = np.split(w @ row + r @ heard + b.reshape(2, -1).sum(axis=0), 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        out.append(h)
    return np.array(out)


@pytest.mark.parametrize("layer", range(LAYERS))
def test_a_layer_gives_what_dequantised_weights_give(
    layer: int, model: checkpoint.TorchModel, plain: onnx.ModelProto, int8: onnx.ModelProto
) -> None:
    float_node = [node for node in plain.graph.node if node.op_type == "LSTM"][layer]
    run = inside(int8, [float_node.input[0], float_node.output[0]])
    ranges = input_ranges(model, [waveform(seed) for seed in range(3)])
    w, r, b = (constants(plain)[name].astype(np.float64) for name in float_node.input[1:4])
    rows = np.stack([waveform(7), waveform(8)])
    x_TBD, y_T2BH = run(rows, [12_000, 7_000])
    frames = len(x_TBD)
    for row, length in enumerate((frames, int(np.ceil(frames * 7 / 12)))):
        used = y_T2BH[:, 0, row].any(axis=1).sum()
        assert abs(used - length) <= 1
        x = x_TBD[:used, row].astype(np.float64)
        for direction in (0, 1):
            forwards = slice(None, None, 1 - 2 * direction)
            expected = reference(x[forwards], w[direction], r[direction], b[direction], ranges[layer])[forwards]
            np.testing.assert_allclose(y_T2BH[:used, direction, row], expected, rtol=0, atol=1e-5)


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.floats(-1e6, 1e6, width=32))
)
def test_whole_numbers_are_within_half_a_step(weights: np.ndarray) -> None:
    numbers, scales = to_int8(weights)
    assert np.abs(numbers.astype(int)).max() <= LARGEST
    assert (scales > 0).all()
    assert (np.abs(numbers * scales[:, None] - weights) <= scales[:, None] * 0.5001).all()


def test_two_products_fit_in_16_bits() -> None:
    """What an x86 processor without VNNI adds up before it widens: two of an unsigned and a signed byte."""
    assert np.iinfo(np.int16).max >= 2 * 255 * LARGEST


def test_ranges_are_those_of_the_exported_graph(model: checkpoint.TorchModel, plain: onnx.ModelProto) -> None:
    rows = [waveform(seed, size=5_000 + 3_000 * seed) for seed in range(3)]
    names = [node.input[0] for node in plain.graph.node if node.op_type == "LSTM"]
    found = [inside(plain, names)(row[None], [len(row)]) for row in rows]
    for layer, (low, high) in enumerate(input_ranges(model, rows)):
        assert low == pytest.approx(min(0, *(arrays_[layer].min() for arrays_ in found)), abs=1e-4)
        assert high == pytest.approx(max(0, *(arrays_[layer].max() for arrays_ in found)), abs=1e-4)
    assert not any(hooks for layer in model.network.context.layers for hooks in [layer._forward_pre_hooks])


def test_only_the_recurrent_layers_and_the_precision_change(plain: onnx.ModelProto, int8: onnx.ModelProto) -> None:
    before, after = ([node.op_type for node in graph.graph.node] for graph in (plain, int8))
    assert before.count("LSTM") == after.count("DynamicQuantizeLSTM") == LAYERS
    assert "LSTM" not in after
    assert [(opset.domain, opset.version) for opset in int8.opset_import] == [("", 17), ("com.microsoft", 1)]
    old, new = ({entry.key: entry.value for entry in graph.metadata_props} for graph in (plain, int8))
    assert new == old | {"precision": "int8"}


def test_a_model_of_usual_size_shrinks_to_three_tenths() -> None:
    """Less than a quarter of what is in the layers; the Fourier kernel and the frontend stay as they are."""
    model = build({})
    plain = build_graph(model.network.eval(), model.description.to_metadata())
    quantised = quantise(plain, [(-4.0, 4.0)] * 3)
    assert quantised.ByteSize() < 0.3 * plain.ByteSize()


def test_weights_that_are_no_numbers_are_refused(model: checkpoint.TorchModel, plain: onnx.ModelProto) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(plain)
    names = next(node.input for node in damaged.graph.node if node.op_type == "LSTM")
    weight = next(weight for weight in damaged.graph.initializer if weight.name == names[2])
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ModelError, match="not finite"):
        quantise(damaged, [(-1.0, 1.0)] * LAYERS)


@pytest.fixture(scope="module")
def smoke_int8(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained toy in int8, exported as a user does it."""
    path = tmp_path_factory.mktemp("smoke") / "int8.onnx"
    result = CliRunner().invoke(main, ["export", str(smoke_run), str(path), "--int8"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "root mean square difference of log-probs from torch: " in result.stdout
    return path


def test_a_trained_model_reads_the_same_words(smoke_int8: Path, smoke_model: Path, smoke_corpus: Path) -> None:
    reports = [
        json.loads(
            CliRunner().invoke(main, ["evaluate", str(path), str(smoke_corpus / "train.jsonl"), "--json"]).stdout
        )
        for path in (smoke_model, smoke_int8)
    ]
    ours, theirs = ([(u["id"], u["hypothesis"]) for u in report["utterances"]] for report in reports)
    assert ours == theirs
    assert reports[0]["summary"]["words"]["reference"] > 200


def test_the_measure_is_the_root_mean_square(smoke_int8: Path, smoke_run: Path, smoke_corpus: Path) -> None:
    speech = read(smoke_corpus / "dev.jsonl")[:1]
    trained, exported = checkpoint.load(smoke_run), OnnxModel(smoke_int8)
    waveform = exporter.reader(16_000)(speech[0])
    difference = trained.log_probs([waveform])[0] - exported.log_probs([waveform])[0]
    expected = np.sqrt(np.mean(difference**2))
    assert exporter.mean_difference(trained, exported, speech) == pytest.approx(expected, rel=1e-3)
    assert 0 < expected < exporter.INT8_TOLERANCE


@pytest.mark.parametrize("damage", ["coarse", "nan"])
def test_a_graph_that_differs_is_not_written(
    damage: str, smoke_run: Path, smoke_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, speech = checkpoint.load(smoke_run), read(smoke_corpus / "dev.jsonl")
    if damage == "coarse":
        monkeypatch.setattr("asr.export.quantise.LARGEST", 2)
    else:
        with torch.no_grad():
            model.network.head.bias[0] = float("nan")
    with pytest.raises(ModelError, match=r"differ from torch's by .* at most 0\.1 is allowed; nothing was written"):
        exporter.export(model, tmp_path / "x.onnx", speech, int8=True)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_gets_one_sentence(smoke_int8: Path, tmp_path: Path) -> None:
    whole = smoke_int8.read_bytes()
    for size in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        (tmp_path / "part.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"part\.onnx") as caught:
            OnnxModel(tmp_path / "part.onnx")
        assert "\n" not in str(caught.value)


def test_a_language_model_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "kind", lambda run: "language model")
    result = CliRunner().invoke(main, ["export", "some-lm", str(tmp_path / "lm.onnx"), "--int8"])
    assert result.exit_code == 2
    assert "'some-lm' is a language model" in result.stderr
    assert list(tmp_path.iterdir()) == []
