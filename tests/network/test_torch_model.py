"""Waveforms of different lengths as one batch."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.network.torch_model import pad


@settings(deadline=None)
@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_waveforms_are_stacked_and_padded_with_zeros(sizes: list[int]) -> None:
    waveforms = [torch.arange(1.0, size + 1) for size in sizes]
    padded, lengths = pad(waveforms)
    assert padded.shape == (len(sizes), max(sizes))
    assert lengths.tolist() == sizes
    for row, waveform in zip(padded, waveforms, strict=True):
        assert torch.equal(row[: len(waveform)], waveform)
        assert not row[len(waveform) :].any()
