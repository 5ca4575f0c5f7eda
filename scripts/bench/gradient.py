#!/usr/bin/env python3
"""How much faster our own gradient of the LSTM is than torch's."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click
import measure

if TYPE_CHECKING:
    import torch

    from asr.network.recurrent import BiLSTM

SIZES = {"an4": (72, 256), "librispeech": (350, 384)}
"""Frames and cells per direction: those of the recipes, whose median utterances last 2.9 and 14 s."""


@click.command()
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Utterances in the batch.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=measure.RUNS, show_default=True, help="Runs of each system."
)
@measure.json_option
def main(batch: int, runs: int, *, as_json: bool) -> None:
    """Time one bidirectional LSTM layer, forward and backward, with our own gradient and with torch's, in one thread.

    In 32 bits and in bf16, at the sizes of the recipes an4 and librispeech. Times are CPU times. On a processor with
    AVX-512, ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2 show what one without would do.

    \b
    Example:
      python scripts/bench/gradient.py --batch 16
    """
    import torch

    from asr.network.recurrent import BiLSTM

    torch.set_num_threads(1)
    torch.manual_seed(0)
    milliseconds, notes = {}, []
    for size, (frames, hidden) in SIZES.items():
        layer = BiLSTM(2 * hidden, hidden)
        x = torch.randn(frames, batch, 2 * hidden, requires_grad=True)
        order = torch.arange(frames * batch).view(frames, batch).flip(0).flatten()  # no padding
        dy = torch.randn(frames, batch, 2 * hidden)
        for precision in ("32 bits", "bf16"):
            step = partial(_step, layer, x, order, dy, bf16=precision == "bf16")
            systems: dict[str, Callable[[], None]] = {
                f"{gradient}, {passes}": partial(step, own=gradient == "own", backward=passes != "forward")
                for passes in ("forward", "forward and backward")
                for gradient in ("own", "torch")
            }
            seconds = measure.alternate(systems, runs=runs, clock=time.process_time)
            milliseconds |= {f"{size}, {precision}: {name}": 1000 * value for name, value in seconds.items()}
            own, peer = (seconds[f"{gradient}, forward and backward"] for gradient in ("own", "torch"))
            own_backward, peer_backward = own - seconds["own, forward"], peer - seconds["torch, forward"]
            notes.append(
                f"{size}, {precision}: own is {own / peer:.2f} of torch, {own_backward / peer_backward:.2f} without "
                f"the forward pass; gradients differ by {_difference(layer, x, step):.1e} of the largest"
            )
    notes.append(f"torch uses {torch.backends.cpu.get_cpu_capability()}")
    measure.show(measure.Result("milliseconds", milliseconds, notes), as_json=as_json)


def _step(
    layer: "BiLSTM",
    x: "torch.Tensor",
    order: "torch.Tensor",
    dy: "torch.Tensor",
    *,
    bf16: bool,
    own: bool,
    backward: bool = True,
) -> None:
    """Run the layer, and compute the gradients of its input and its weights. Shape: x and dy (T, B, 2H)"""
    import torch

    x.grad = None
    layer.zero_grad()
    layer.own_gradient = own
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = layer(x, order)
    if backward:
        y.backward(dy.to(y.dtype))


def _difference(layer: "BiLSTM", x: "torch.Tensor", step: Callable[..., None]) -> float:
    """Maximum difference between the two gradients, relative to the largest number of each tensor."""
    gradients = []
    for own in (True, False):
        step(own=own)
        gradients.append([tensor.grad for tensor in (x, *layer.parameters())])
    return max(
        float((ours - reference).abs().max() / reference.abs().max())
        for ours, reference in zip(*gradients, strict=True)
    )


if __name__ == "__main__":
    main()
