#!/usr/bin/env python3
"""How much faster dropout by random bytes is than torch's."""

import time
from collections.abc import Callable

import click
import measure

SHAPE = (350, 16, 768)
"""Frames, utterances and numbers per frame: the input of an LSTM layer of recipes/librispeech/100h.yaml."""


@click.command()
@click.option("-p", "--probability", type=click.FloatRange(0, 0.99), default=0.25, show_default=True)
@click.option("--runs", type=click.IntRange(min=1), default=31, show_default=True, help="Runs of each system.")
@measure.json_option
def main(probability: float, runs: int, *, as_json: bool) -> None:
    """Time dropout by random bytes, forward and backward, next to `nn.Dropout`, on one thread.

    The table also shows how long the random numbers alone take: bytes drawn eight at once, as here, bytes drawn one by
    one, and the Bernoulli draws of `nn.Dropout`. Times are CPU times.

    \b
    Example:
      python scripts/bench/dropout.py -p 0.2
    """
    import torch

    from asr.network.dropout import Dropout

    torch.set_num_threads(1)
    torch.manual_seed(0)
    x = torch.randn(SHAPE, requires_grad=True)
    dy = torch.randn(SHAPE)
    layers = {"asr": Dropout(probability), "torch": torch.nn.Dropout(probability)}

    def both_passes(layer: torch.nn.Module) -> Callable[[], None]:
        def run() -> None:
            x.grad = None
            layer(x).backward(dy)

        return run

    systems: dict[str, Callable[[], object]] = {
        "asr, forward": lambda: layers["asr"](x),
        "torch, forward": lambda: layers["torch"](x),
        "asr, forward and backward": both_passes(layers["asr"]),
        "torch, forward and backward": both_passes(layers["torch"]),
        "random bytes, eight at once": lambda: torch.empty(x.numel() // 8 + 1, dtype=torch.int64).random_(
            -(2**63), None
        ),
        "random bytes, one by one": lambda: torch.empty(x.numel(), dtype=torch.uint8).random_(0, 256),
        "torch's Bernoulli draws": lambda: torch.empty(SHAPE).bernoulli_(1 - probability),
    }
    seconds = measure.alternate(systems, runs=runs, clock=time.process_time)
    pairs = [
        ("asr, forward", "torch, forward"),
        ("asr, forward and backward", "torch, forward and backward"),
        ("random bytes, eight at once", "random bytes, one by one"),
        ("random bytes, eight at once", "torch's Bernoulli draws"),
    ]
    notes = [f"{ours}: {seconds[ours] / seconds[peer]:.3f} of {peer}" for ours, peer in pairs]
    for name, layer in layers.items():
        notes.append(f"{name} sets {100 * (layer(x) == 0).double().mean():.2f} % of the numbers to zero")
    milliseconds = {name: 1000 * value for name, value in seconds.items()}
    measure.show(measure.Result("milliseconds", milliseconds, notes), as_json=as_json)


if __name__ == "__main__":
    main()
