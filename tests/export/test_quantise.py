"""int8: log-probs do not depend on the rest of the batch, the arithmetic is correct, and the file is small."""

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
from asr.export.quantise import MAX_WEIGHT, Calibration, calibrate, quantise, to_int8, to_int8_for
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
    """Random weights, large enough for cells to saturate and for a wrong step to show."""
    model = build(SIZES)
    torch.manual_seed(0)
    for parameter in model.network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    model.network.features.mean.normal_(-5, 1)
    model.network.features.std.uniform_(1, 3)
    return model


def calibrated(model: checkpoint.TorchModel, waveforms: list[np.ndarray]) -> list[Calibration]:
    return calibrate(model.network.context, lambda wave: model.log_probs([wave]), waveforms)


@pytest.fixture(scope="module")
def float_model(model: checkpoint.TorchModel) -> onnx.ModelProto:
    return build_graph(model.network.eval(), model.description.to_metadata())


@pytest.fixture(scope="module")
def int8(model: checkpoint.TorchModel, float_model: onnx.ModelProto) -> onnx.ModelProto:
    return quantise(float_model, calibrated(model, [waveform(seed) for seed in range(3)]))


@pytest.fixture(scope="module")
def opened(int8: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> OnnxModel:
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    onnx.save(int8, path)
    return OnnxModel(path, threads=1)


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {weight.name: numpy_helper.to_array(weight) for weight in model.graph.initializer}


@pytest.fixture(scope="module")
def without_ends(int8: onnx.ModelProto) -> onnx.ModelProto:
    """The int8 graph with zeros instead of the range ends, so that onnxruntime adapts its scales to the batch."""
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
    """Return a function from waveform and lengths to the named inner tensors of a graph."""
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


def batch_difference(model: OnnxModel, waveforms: Sequence[np.ndarray]) -> float:
    """Maximum difference between the log-probs of each waveform alone and in a batch with all others."""
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
def test_the_rest_of_the_batch_changes_nothing(opened: OnnxModel, batch: list[tuple[int, int, float]]) -> None:
    assert batch_difference(opened, [waveform(*row) for row in batch]) <= 1e-6


def test_without_the_range_ends_the_batch_matters(without_ends: onnx.ModelProto, tmp_path: Path) -> None:
    """Shows that the test above can fail."""
    onnx.save(without_ends, tmp_path / "broken.onnx")
    rows = [waveform(0), waveform(1, loudness=1.0), waveform(2, size=20_000)]
    assert batch_difference(OnnxModel(tmp_path / "broken.onnx", threads=1), rows) > 1e-3


def test_threads_change_nothing(opened: OnnxModel, int8: onnx.ModelProto, tmp_path: Path) -> None:
    onnx.save(int8, tmp_path / "int8.onnx")
    rows = [waveform(seed, size=9_000 + 999 * seed) for seed in range(6)]
    three_threads = OnnxModel(tmp_path / "int8.onnx", 3).log_probs(rows)
    for actual, expected in zip(opened.log_probs(rows), three_threads, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def test_later_frames_change_no_scale(int8: onnx.ModelProto, without_ends: onnx.ModelProto) -> None:
    """The forward direction of the first layer does not depend on later frames, not even on their range."""
    speech = waveform(0, size=16_000)
    other = speech.copy()
    other[8_000:] = 0
    other[12_000] = 1
    earlier = 10  # frames of 40 ms, all before the two waveforms differ
    for graph, same in ((int8, True), (without_ends, False)):
        output = next(node.output[0] for node in graph.graph.node if node.op_type == "Slice" and "lstm" in node.name)
        a, b = (inside(graph, [output])(samples[None], [16_000])[0][:, 0] for samples in (speech, other))
        assert np.array_equal(a[:earlier], b[:earlier]) == same
        assert not np.array_equal(a[earlier + 5 :], b[earlier + 5 :])


def rounded(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Round to the nearest of 256 values that span low to high and include 0."""
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(x / scale) + zero, 0, 255) - zero) * scale


def reference(x: np.ndarray, w: np.ndarray, r: np.ndarray, b: np.ndarray, ends: tuple[float, float]) -> np.ndarray:
    """Run one direction of a layer, with weights already rounded, in float arithmetic that rounds where int8 does.

    Shape: (T, D) -> (T, H)
    """
    x = rounded(np.clip(x, *ends), *ends)
    h, c, out = np.zeros(HIDDEN), np.zeros(HIDDEN), []
    for step, row in enumerate(x):
        recurrent = rounded(h, -np.tanh(step), np.tanh(step)) if step else h
        i, o, f, g = np.split(w @ row + r @ recurrent + b.reshape(2, -1).sum(axis=0), 4)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        out.append(h)
    return np.array(out)


@pytest.mark.parametrize("layer", range(LAYERS))
def test_a_layer_equals_one_with_dequantised_weights(
    layer: int, model: checkpoint.TorchModel, float_model: onnx.ModelProto, int8: onnx.ModelProto
) -> None:
    float_node = [node for node in float_model.graph.node if node.op_type == "LSTM"][layer]
    run = inside(int8, [float_node.input[0], float_node.output[0]])
    low, high, inputs, outputs = calibrated(model, [waveform(seed) for seed in range(3)])[layer]
    w, r, b = (constants(float_model)[name].astype(np.float64) for name in float_node.input[1:4])
    rows = np.stack([waveform(7), waveform(8)])
    x_TBD, y_T2BH = run(rows, [12_000, 7_000])
    frames = len(x_TBD)
    for row, length in enumerate((frames, int(np.ceil(frames * 7 / 12)))):
        used = y_T2BH[:, 0, row].any(axis=1).sum()
        assert abs(used - length) <= 1
        x = x_TBD[:used, row].astype(np.float64)
        for direction in (0, 1):
            order = slice(None, None, 1 - 2 * direction)
            quantised = to_int8_for(w[direction], inputs), to_int8_for(r[direction], outputs[direction])
            w_rounded, r_rounded = (matrix * scales[:, None].astype(np.float64) for matrix, scales in quantised)
            expected = reference(x[order], w_rounded, r_rounded, b[direction], (low, high))[order]
            np.testing.assert_allclose(y_T2BH[:used, direction, row], expected, rtol=0, atol=1e-5)


@given(
    arrays.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 8)), elements=st.floats(-1e6, 1e6, width=32))
)
def test_quantised_weights_are_within_half_a_step(weights: np.ndarray) -> None:
    quantised, scales = to_int8(weights)
    assert np.abs(quantised.astype(int)).max() <= MAX_WEIGHT
    assert (scales > 0).all()
    assert (np.abs(quantised * scales[:, None] - weights) <= scales[:, None] * 0.5001).all()


def test_two_products_fit_in_16_bits() -> None:
    """x86 CPUs without VNNI add two products of an unsigned and a signed byte in 16 bits."""
    assert np.iinfo(np.int16).max >= 2 * 255 * MAX_WEIGHT


def test_ranges_are_those_of_the_exported_graph(model: checkpoint.TorchModel, float_model: onnx.ModelProto) -> None:
    rows = [waveform(seed, size=5_000 + 3_000 * seed) for seed in range(3)]
    names = [node.input[0] for node in float_model.graph.node if node.op_type == "LSTM"]
    inputs = [inside(float_model, names)(row[None], [len(row)]) for row in rows]
    for layer, (low, high, *_) in enumerate(calibrated(model, rows)):
        assert low == pytest.approx(min(0, *(arrays_[layer].min() for arrays_ in inputs)), abs=1e-4)
        assert high == pytest.approx(max(0, *(arrays_[layer].max() for arrays_ in inputs)), abs=1e-4)
    assert not any(layer._forward_hooks for layer in model.network.context.layers)


def test_products_are_those_of_the_exported_graph(model: checkpoint.TorchModel, float_model: onnx.ModelProto) -> None:
    """Of the inputs of a layer, and of its outputs in each direction, over all frames of all recordings."""
    rows = [waveform(seed, size=5_000 + 3_000 * seed) for seed in range(3)]
    nodes = [node for node in float_model.graph.node if node.op_type == "LSTM"]
    names = [*(node.input[0] for node in nodes), *(node.output[0] for node in nodes)]
    found = [inside(float_model, names)(row[None], [len(row)]) for row in rows]
    for layer, (_, _, inputs, outputs) in enumerate(calibrated(model, rows)):
        x_TD = np.concatenate([arrays_[layer][:, 0] for arrays_ in found]).astype(np.float64)
        y_T2H = np.concatenate([arrays_[LAYERS + layer][:, :, 0] for arrays_ in found]).astype(np.float64)
        np.testing.assert_allclose(inputs, np.einsum("td,te->de", x_TD, x_TD), rtol=1e-3, atol=1e-3)
        np.testing.assert_allclose(outputs, np.einsum("tnh,tng->nhg", y_T2H, y_T2H), rtol=1e-3, atol=1e-3)


def test_compensated_rounding_changes_products_less_than_rounding_to_the_nearest() -> None:
    random = np.random.default_rng(0)
    inputs = random.normal(size=(500, 8)) @ random.normal(size=(8, 40)) + 0.1 * random.normal(size=(500, 40))
    weights = random.normal(size=(30, 40)).astype(np.float32)

    def error(quantised: np.ndarray, scales: np.ndarray) -> float:
        return float(np.square(inputs @ (quantised * scales[:, None] - weights).T).mean())

    nearest, compensated = to_int8(weights), to_int8_for(weights, inputs.T @ inputs)
    np.testing.assert_array_equal(compensated[1], nearest[1])
    assert np.abs(compensated[0].astype(int)).max() <= MAX_WEIGHT
    assert error(*compensated) < 0.3 * error(*nearest)


def test_compensated_rounding_follows_its_definition() -> None:
    """After each rounding, the others of the row become the best there are: a least-squares problem each time."""
    random = np.random.default_rng(1)
    inputs, weights = random.normal(size=(50, 5)) * [1, 5, 2, 4, 3], random.normal(size=(1, 5)).astype(np.float32)
    products = inputs.T @ inputs
    quantised, scales = to_int8_for(weights, products)
    damped = products + np.eye(5) * 0.01 * np.diag(products).mean()
    left, remaining = weights[0].astype(np.float64) / scales[0], [1, 3, 4, 2, 0]
    for column in [1, 3, 4, 2, 0]:
        rounded = np.clip(np.rint(left[column]), -MAX_WEIGHT, MAX_WEIGHT)
        assert quantised[0, column] == rounded
        error, left[column] = rounded - left[column], rounded
        remaining = remaining[1:]
        if remaining:
            left[remaining] -= np.linalg.solve(damped[np.ix_(remaining, remaining)], damped[remaining, column] * error)


def test_inputs_that_are_always_zero_are_rounded_to_the_nearest() -> None:
    weights = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    np.testing.assert_array_equal(to_int8_for(weights, np.zeros((6, 6)))[0], to_int8(weights)[0])


def test_only_the_recurrent_layers_and_the_precision_change(
    float_model: onnx.ModelProto, int8: onnx.ModelProto
) -> None:
    before, after = ([node.op_type for node in graph.graph.node] for graph in (float_model, int8))
    assert before.count("LSTM") == after.count("DynamicQuantizeLSTM") == LAYERS
    assert "LSTM" not in after
    assert [(opset.domain, opset.version) for opset in int8.opset_import] == [("", 17), ("com.microsoft", 1)]
    old, new = ({entry.key: entry.value for entry in graph.metadata_props} for graph in (float_model, int8))
    assert new == old | {"precision": "int8"}


def test_a_model_of_default_size_shrinks_to_three_tenths() -> None:
    """The recurrent layers shrink to a quarter; the Fourier kernel and the frontend are unchanged."""
    model = build({})
    float_model = build_graph(model.network.eval(), model.description.to_metadata())
    quantised = quantise(float_model, calibrated(model, [waveform(0)]))
    assert quantised.ByteSize() < 0.3 * float_model.ByteSize()


def test_nan_weights_are_refused(model: checkpoint.TorchModel, float_model: onnx.ModelProto) -> None:
    damaged = onnx.ModelProto()
    damaged.CopyFrom(float_model)
    names = next(node.input for node in damaged.graph.node if node.op_type == "LSTM")
    weight = next(weight for weight in damaged.graph.initializer if weight.name == names[2])
    values = numpy_helper.to_array(weight).copy()
    values[0, 0, 0] = np.nan
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    with pytest.raises(ModelError, match="not finite"):
        quantise(damaged, calibrated(model, [waveform(0)]))


@pytest.fixture(scope="module")
def smoke_int8(smoke_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained toy model in int8, exported with the command."""
    path = tmp_path_factory.mktemp("smoke") / "int8.onnx"
    result = CliRunner().invoke(main, ["export", str(smoke_run), str(path), "--int8"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "root mean square difference between its log-probs and torch's: " in result.stdout
    return path


def test_a_trained_model_gives_the_same_words(smoke_int8: Path, smoke_model: Path, smoke_corpus: Path) -> None:
    reports = [
        json.loads(
            CliRunner().invoke(main, ["evaluate", str(path), str(smoke_corpus / "train.jsonl"), "--json"]).stdout
        )
        for path in (smoke_model, smoke_int8)
    ]
    float_texts, int8_texts = ([(u["id"], u["hypothesis"]) for u in report["utterances"]] for report in reports)
    assert float_texts == int8_texts
    assert reports[0]["summary"]["words"]["reference"] > 200


def test_the_difference_is_the_root_mean_square(smoke_int8: Path, smoke_run: Path, smoke_corpus: Path) -> None:
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
        monkeypatch.setattr("asr.export.quantise.MAX_WEIGHT", 1)
    else:
        with torch.no_grad():
            model.network.head.bias[0] = float("nan")
    with pytest.raises(ModelError, match=r"differ from torch's by .* at most 0\.1 is allowed; nothing was written"):
        exporter.export(model, tmp_path / "x.onnx", speech, int8=True)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_is_reported_in_one_sentence(smoke_int8: Path, tmp_path: Path) -> None:
    whole = smoke_int8.read_bytes()
    for size in (0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        (tmp_path / "part.onnx").write_bytes(whole[:size])
        with pytest.raises(ModelError, match=r"part\.onnx") as caught:
            OnnxModel(tmp_path / "part.onnx")
        assert "\n" not in str(caught.value)


def test_a_language_model_is_not_quantised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "kind", lambda run: "language model")
    result = CliRunner().invoke(main, ["export", "some-lm", str(tmp_path / "lm.onnx"), "--int8"])
    assert result.exit_code == 2
    assert "'some-lm' is a language model" in result.stderr
    assert list(tmp_path.iterdir()) == []
