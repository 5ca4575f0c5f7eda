"""The model in NumPy equals torch's and onnxruntime's, to the last gate."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from asr import cells, models
from asr.errors import ModelError
from asr.export import weights
from asr.export.acoustic import build_graph
from asr.inspect import network
from asr.models.session import OnnxModel
from asr.network import recurrent
from asr.network.torch_model import TorchModel
from tests.inspect.conftest import make

Export = Callable[..., Path]


def intermediates(path: Path, waveform: np.ndarray, operators: set[str]) -> list[np.ndarray]:
    """What onnxruntime computes at every node of some kinds."""
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type in operators]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    lengths = np.array([len(waveform)])
    return [np.asarray(array) for array in session.run(names, {"waveform": waveform[None], "lengths": lengths})]


def test_every_stage_equals_onnxruntimes(toy: TorchModel, exported: Export, speech: np.ndarray) -> None:
    path = exported(toy)
    loaded = network.load(path)
    for waveform in (speech, speech[:100], speech[5000:13_217]):
        trace = network.run(loaded, waveform)
        *maps, ahead_and_back_0, ahead_and_back_1 = intermediates(path, waveform, {"Relu", "LSTM", "GRU"})
        for own, expected in zip(trace.maps, maps, strict=True):
            np.testing.assert_allclose(own.transpose(1, 0, 2).reshape(expected.shape[1:]), expected[0], atol=1e-4)
        for pair, expected in zip(trace.cells, (ahead_and_back_0, ahead_and_back_1), strict=True):
            for side in (0, 1):
                np.testing.assert_allclose(pair[side].output, expected[:, side, 0], atol=1e-4)
        (log_probs,) = OnnxModel(path, threads=1).log_probs([waveform])
        np.testing.assert_allclose(trace.log_probs, log_probs, atol=1e-4)


@pytest.mark.parametrize("int8", [False, True])
def test_gates_and_states_equal_the_reference(
    toy: TorchModel, exported: Export, speech: np.ndarray, int8: bool
) -> None:
    """The textbook step over torch's own weights and layer inputs; of an int8 file, over its dequantised weights."""
    path = exported(toy, int8=int8)
    trace = network.run(network.load(path), speech)
    _, read = weights.read(path)
    net = toy.network.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    inputs: list[torch.Tensor] = []
    hooks = [layer.register_forward_pre_hook(lambda _, x: inputs.append(x[0])) for layer in net.context.layers]
    try:
        net.load_state_dict(read, strict=False)
        (log_probs,) = toy.log_probs([speech])
        np.testing.assert_allclose(trace.log_probs, log_probs, atol=1e-4)
        for layer, x, pair in zip(net.context.layers, inputs, trace.cells, strict=True):
            for one, order, ran in zip((layer.ahead, layer.back), (1, -1), pair, strict=True):
                kind = recurrent.kind_of(one)
                w_x, w_h, b_x, b_h, p = (tensor.detach().double() for tensor in recurrent.weights(one))
                h = c = torch.zeros(w_h.shape[1], dtype=torch.float64)
                for t in range(len(x))[::order]:
                    a, r = w_x @ x[t, 0].double() + b_x, w_h @ h + b_h
                    h, c, gates = cells.step(kind, a, r, h, c, p if len(p) else None)
                    assert gates.keys() == ran.gates.keys()
                    for name, values in {**gates, "state": c, "output": h}.items():
                        own = {**ran.gates, "state": ran.state, "output": ran.output}[name][t]
                        np.testing.assert_allclose(own, values.numpy(), rtol=0, atol=1e-4, err_msg=name)
    finally:
        net.load_state_dict(before)
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("model", models.shipped())
def test_the_shipped_models_are_read(model: str, speech: np.ndarray) -> None:
    """`an4` is of format version 1, and `english` is int8 and has a head over phones, which is left out."""
    path = models.find(model)
    trace = network.run(network.load(path), speech)
    (log_probs,) = OnnxModel(path, threads=1).log_probs([speech])
    letters = log_probs[:, : trace.log_probs.shape[1]]
    assert trace.log_probs.shape[1] == OnnxModel(path).description.tokenizer.size
    difference = np.sqrt(np.square(network.averaged(network.load(path), trace) - letters).mean())
    assert difference < (0.1 if OnnxModel(path).description.precision == "int8" else 1e-4)


@pytest.mark.parametrize(("shifts", "offsets"), [(2, [-1, 1]), (4, [-1, 0, 1, 2])])
def test_shifted_copies_are_averaged(shifts: int, offsets: list[int], speech: np.ndarray, tmp_path: Path) -> None:
    model = make("lstm", shifts=shifts)
    path = tmp_path / "shifted.onnx"
    onnx.save(build_graph(model.network.eval(), model.description.to_metadata()), path)
    loaded = network.load(path)
    assert loaded.offsets == offsets
    (log_probs,) = OnnxModel(path, threads=1).log_probs([speech])
    np.testing.assert_allclose(network.averaged(loaded, network.run(loaded, speech)), log_probs, atol=1e-4)
    assert np.abs(network.run(loaded, speech).log_probs - log_probs).max() > 1e-3


def test_another_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="cannot be inspected because its graph is not as `asr export` writes it"):
        network.load(path)
    path.write_bytes(b"\xff\xff\xff not ONNX")
    with pytest.raises(ModelError, match=r"not a valid \.onnx file"):
        network.load(path)
    with pytest.raises(ModelError, match="cannot be read"):
        network.load(tmp_path / "nowhere.onnx")
