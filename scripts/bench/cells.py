#!/usr/bin/env python3
"""How fast a layer of each recurrent cell trains, next to torch's own layers and to one step after the other."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, get_args

import click
import measure

if TYPE_CHECKING:
    import torch

    from asr.network.recurrent import Bidirectional

SIZES = {"an4": (72, 256), "librispeech": (350, 384)}
"""Frames and cells per direction: those of the recipes, whose median utterances last 2.9 and 14 s."""


@click.command()
@click.option("--batch", type=click.IntRange(min=1), default=16, show_default=True, help="Utterances in the batch.")
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.Choice(list(SIZES)),
    default=list(SIZES),
    help="Which size; repeatable.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=measure.RUNS, show_default=True, help="Runs of each system."
)
@measure.json_option
def main(batch: int, sizes: tuple[str, ...], runs: int, *, as_json: bool) -> None:
    """Time one bidirectional layer of each cell, forward and backward, in one thread.

    In 32 bits and in bf16, at the sizes of the recipes an4 and librispeech, next to `nn.LSTM` and `nn.GRU`; as a
    control, the LSTM's equations one step after the other with torch's gradient. Times are CPU times.

    \b
    Example:
      python scripts/bench/cells.py --size an4
    """
    import torch

    from asr.cells import CellKind
    from asr.network.recurrent import OF_TORCH, Bidirectional

    torch.set_num_threads(1)
    torch.manual_seed(0)
    milliseconds, notes = {}, []
    for size in sizes:
        frames, hidden = SIZES[size]
        layers = {kind: Bidirectional(kind, 2 * hidden, hidden) for kind in get_args(CellKind)}
        x = torch.randn(frames, batch, 2 * hidden, requires_grad=True)
        order = torch.arange(frames * batch).view(frames, batch).flip(0).flatten()  # no padding
        dy = torch.randn(frames, batch, 2 * hidden)
        for precision in ("32 bits", "bf16"):
            step = partial(_step, x, order, dy, bf16=precision == "bf16")
            systems: dict[str, Callable[[], None]] = {kind: partial(step, layer) for kind, layer in layers.items()}
            systems |= {f"torch's {kind}": partial(step, layers[kind], own=False) for kind in OF_TORCH}
            systems["lstm, step by step"] = partial(step, layers["lstm"], by_steps=True)
            seconds = measure.alternate(systems, runs=runs, clock=time.process_time)
            milliseconds |= {f"{size}, {precision}: {name}": 1000 * value for name, value in seconds.items()}
            peer = seconds["torch's lstm"]
            ratios = [f"{name} {value / peer:.2f}" for name, value in seconds.items()]
            notes.append(f"{size}, {precision}: of the time of torch's lstm: {', '.join(ratios)}")
            for kind in OF_TORCH:
                difference = _difference(layers[kind], x, step)
                notes.append(f"{size}, {precision}: gradients of {kind} differ by {difference:.1e} of the largest")
    notes.append(f"torch uses {torch.backends.cpu.get_cpu_capability()}")
    measure.show(measure.Result("milliseconds", milliseconds, notes), as_json=as_json)


def _step(
    x: "torch.Tensor",
    order: "torch.Tensor",
    dy: "torch.Tensor",
    layer: "Bidirectional",
    *,
    bf16: bool,
    own: bool = True,
    by_steps: bool = False,
) -> None:
    """Run the layer and compute the gradients of its input and its weights. Shape: x and dy (T, B, 2H)"""
    import torch

    from asr.network import recurrent

    x.grad = None
    layer.zero_grad()
    layer.own_gradient = own
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        if by_steps:
            zeros = x.new_zeros(x.shape[1], dy.shape[2] // 2)
            directions = (
                recurrent._step_by_step("lstm", recurrent.weights(one), x, zeros, zeros)[0]
                for one in (layer.ahead, layer.back)
            )
            y = torch.cat(list(directions), dim=2)
        else:
            y = layer(x, order)
    y.backward(dy.to(y.dtype))


def _difference(layer: "Bidirectional", x: "torch.Tensor", step: Callable[..., None]) -> float:
    """Maximum difference between our gradients and torch's, relative to the largest number of each tensor."""
    gradients = []
    for own in (True, False):
        step(layer, own=own)
        gradients.append([tensor.grad for tensor in (x, *layer.parameters())])
    return max(
        float((ours - reference).abs().max() / reference.abs().max())
        for ours, reference in zip(*gradients, strict=True)
    )


if __name__ == "__main__":
    main()
