"""The recurrent layers against torch's own on packed sequences."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from asr.cells import CellKind
from asr.network.recurrent import OF_TORCH, Bidirectional, Context, flip_order, reorder
from asr.recipe.network import ContextConfig

shapes = st.tuples(st.integers(1, 5), st.integers(1, 9)).flatmap(
    lambda bt: st.tuples(st.just(bt[1]), st.lists(st.integers(0, bt[1]), min_size=bt[0], max_size=bt[0]))
)


def numbered(num_frames: int, lengths: list[int]) -> Tensor:
    """A tensor of distinct numbers. Shape: -> (T, B, 2)"""
    return torch.arange(len(lengths) * num_frames * 2).reshape(num_frames, len(lengths), 2)


@settings(deadline=None)
@given(shapes)
def test_each_sequence_is_flipped_within_its_length(shape: tuple[int, list[int]]) -> None:
    num_frames, lengths = shape
    x = numbered(num_frames, lengths)
    expected = x.numpy().copy()
    for column, length in enumerate(lengths):
        expected[:length, column] = np.flip(expected[:length, column], axis=0)
    np.testing.assert_array_equal(reorder(x, flip_order(torch.tensor(lengths), num_frames)).numpy(), expected)


@settings(deadline=None)
@given(shapes)
def test_flipping_twice_changes_nothing(shape: tuple[int, list[int]]) -> None:
    num_frames, lengths = shape
    x, order = numbered(num_frames, lengths), flip_order(torch.tensor(lengths), num_frames)
    assert torch.equal(reorder(reorder(x, order), order), x)


def test_the_gradient_of_reorder_is_correct() -> None:
    x = torch.randn(5, 3, 2, dtype=torch.float64, requires_grad=True)
    order = flip_order(torch.tensor([5, 2, 0]), 5)
    assert torch.autograd.gradcheck(lambda x: reorder(x, order), x)


def reference(kind: CellKind, layer: Bidirectional) -> nn.LSTM | nn.GRU:
    """torch's bidirectional layer with the layer's weights."""
    theirs = OF_TORCH[kind](5, 7, bidirectional=True)
    weights = dict(layer.ahead.state_dict())
    weights |= {f"{name}_reverse": tensor for name, tensor in layer.back.state_dict().items()}
    theirs.load_state_dict(weights)
    return theirs


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("seed", range(3))
def test_a_layer_equals_a_packed_bidirectional_one_of_torch(kind: CellKind, seed: int) -> None:
    torch.manual_seed(seed)
    layer = Bidirectional(kind, 5, 7)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    lengths = torch.tensor([3, 12, 1, 9])
    x = torch.randn(12, 4, 5)
    packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(reference(kind, layer)(packed)[0])
    for column, length in enumerate(lengths.tolist()):
        x[length:, column] = 1e3  # ignored by packed sequences, so it must not matter here
    ours = layer(x, flip_order(lengths, 12))
    for column, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(ours[:length, column], expected[:length, column], rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", get_args(CellKind))
def test_padding_changes_nothing(kind: CellKind) -> None:
    """Alone, and in a batch beside a longer sequence, with anything in the padding."""
    torch.manual_seed(0)
    layer = Bidirectional(kind, 5, 7)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    x = torch.randn(12, 2, 5)
    together = layer(x, flip_order(torch.tensor([12, 8]), 12))
    alone = layer(x[:8, 1:], flip_order(torch.tensor([8]), 8))
    torch.testing.assert_close(together[:8, 1], alone[:, 0], rtol=0, atol=1e-6)


def test_the_first_frame_depends_on_the_last_and_vice_versa() -> None:
    torch.manual_seed(0)
    context = Context(ContextConfig(layers=1, hidden=4, dropout=0.0), 3)
    x, lengths = torch.randn(10, 1, 3), torch.tensor([10])
    (before,) = context(x, lengths)
    for changed, seen in ((0, 9), (9, 0)):
        y = x.clone()
        y[changed, 0] += 1
        assert not torch.equal(context(y, lengths)[0][seen, 0], before[seen, 0])


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_every_layer_outputs_normalised_frames_of_the_stated_size(layers: int) -> None:
    torch.manual_seed(0)
    context = Context(ContextConfig(layers=layers, hidden=6), 5).eval()
    outputs = context(torch.randn(8, 2, 5), torch.tensor([8, 8]))
    assert len(outputs) == layers
    for out in outputs:
        assert out.shape == (8, 2, context.output_size)
        torch.testing.assert_close(out.mean(dim=2), torch.zeros(8, 2), rtol=0, atol=1e-5)


def test_each_layer_reads_the_previous_one() -> None:
    torch.manual_seed(0)
    config = ContextConfig(layers=3, hidden=6)
    three, two = Context(config, 5).eval(), Context(config.model_copy(update={"layers": 2}), 5).eval()
    two.load_state_dict({name: weight for name, weight in three.state_dict().items() if ".2." not in name})
    x, lengths = torch.randn(8, 2, 5), torch.tensor([8, 5])
    first, second, third = three(x, lengths)
    torch.testing.assert_close(two(x, lengths), [first, second])
    torch.testing.assert_close(third, three.norms[2](three.layers[2](second, flip_order(lengths, 8))))


def test_dropout_works_in_training_only() -> None:
    torch.manual_seed(0)
    context = Context(ContextConfig(layers=1, hidden=6, dropout=0.5), 5)
    x, lengths = torch.randn(8, 2, 5), torch.tensor([8, 5])
    assert not torch.equal(context(x, lengths)[0], context(x, lengths)[0])
    context.eval()
    assert torch.equal(context(x, lengths)[0], context(x, lengths)[0])
