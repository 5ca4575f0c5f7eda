#!/usr/bin/env python3
"""How fast a whole training step is next to those of other networks."""

import copy
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click
import measure

if TYPE_CHECKING:
    from asr.cells import CellKind
    from asr.network.acoustic import AcousticModel
    from asr.network.recurrent import Context
    from asr.recipe.network import ContextConfig
    from asr.recipe.recipe import Recipe
    from asr.text import CharTokenizer

SIZES = {
    "an4": (measure.ROOT / "recipes" / "an4" / "base.yaml", measure.AN4 / "train.jsonl"),
    "librispeech": (measure.ROOT / "recipes" / "librispeech" / "100h.yaml", measure.LIBRISPEECH / "train.jsonl"),
}
"""Recipe, and the manifest from which the batch is taken."""

PRECISIONS = ("bf16-mixed", "32-true")
TORCH: "dict[CellKind, str]" = {"lstm": "torch's lstm", "gru": "torch's gru"}


@click.command()
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.Choice(list(SIZES)),
    default=list(SIZES),
    help="Which size; repeatable.",
)
@click.option("--cells", "of_cells", is_flag=True, help="Compare the cells of recurrent layers, not whole networks.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True, help="Runs of each system.")
@measure.json_option
def main(*, sizes: tuple[str, ...], of_cells: bool, runs: int, as_json: bool) -> None:
    """Time training steps on 16 real utterances, one thread, next to packed sequences and to SpeechBrain's CRDNN.

    In bf16 and in 32 bits, with our own gradient of the LSTM and with torch's. Where the processor has no instructions
    for bf16, or ATEN_CPU_CAPABILITY=avx2 and ONEDNN_MAX_CPU_ISA=AVX2 hide them from torch, other rows win.

    Two sizes: recipes/an4/base.yaml on AN4 and recipes/librispeech/100h.yaml on LibriSpeech. Every network gets the
    same batch, features, masking, loss and optimiser, and all take turns step by step. The packed peer is our network
    with the recurrent stack of deepspeech.pytorch: one bidirectional `nn.LSTM` per layer on packed sequences. CRDNN has
    the same number of channels, recurrent layers and cells, the same time reduction, and no layers after the LSTM.

    With --cells the same network has each cell, with our gradient, next to LSTM and GRU with torch's layers and
    gradient; and, as a control, the LSTM's equations one step after the other with torch's gradient.

    Times are CPU times.

    \b
    Example:
      python scripts/bench/train.py --cells --size an4
    """
    import torch

    from asr.training import precision

    torch.set_num_threads(1)
    results: dict[str, float] = {}
    notes = []
    for size in sizes:
        steps, duration_s = _training_steps(*SIZES[size], of_cells=of_cells)
        seconds = measure.alternate(steps, runs=runs, warm_ups=2, clock=time.process_time)
        rates = {name: duration_s / value for name, value in seconds.items()}
        results |= {f"{size}: {name}": rate for name, rate in rates.items()}
        notes += _times_of_torch(size, seconds) if of_cells else [_faster(size, rates)]
    chosen = precision.choose("auto", "cpu")
    notes.append(f"`training.precision: auto` chooses {chosen.name} here: {chosen.reason}")
    measure.show(measure.Result("audio seconds per second", results, notes), as_json=as_json)


def _faster(size: str, rates: dict[str, float]) -> str:
    best = max(rate for name, rate in rates.items() if name.startswith("asr"))
    ratios = [f"{best / rate:.2f} times {name}" for name, rate in rates.items() if not name.startswith("asr")]
    return f"{size}: the fastest asr is {', '.join(ratios)}"


def _times_of_torch(size: str, seconds: dict[str, float]) -> list[str]:
    """The time of every cell as a multiple of that of torch's LSTM, for both precisions."""
    lines = []
    for precision in PRECISIONS:
        times = {name.removesuffix(f", {precision}"): value for name, value in seconds.items() if precision in name}
        ratios = [f"{name} {value / times[TORCH['lstm']]:.2f}" for name, value in times.items()]
        lines.append(f"{size}, {precision}: of the time of {TORCH['lstm']}: {', '.join(ratios)}")
    return lines


def _training_steps(path: Path, manifest: Path, *, of_cells: bool) -> tuple[dict[str, Callable[[], None]], float]:
    """One training step of each system on the same batch, and the duration of the batch in seconds."""
    import torch

    from asr.recipe.files import load_recipe
    from asr.recipe.recipe import Recipe
    from asr.text import CharTokenizer
    from asr.training.acoustic.objective import Objective
    from asr.training.data.batches import AudioReader, batches
    from asr.training.optimiser import build_optimiser

    recipe = load_recipe(path)
    assert isinstance(recipe, Recipe)
    tokenizer = CharTokenizer(recipe.text.alphabet)
    by_duration = sorted(measure.utterances(manifest), key=lambda utterance: utterance.duration)
    middle = len(by_duration) // 2
    batch = next(batches([by_duration[middle : middle + 16]], AudioReader(16_000, 0), tokenizer))

    def make(network: "AcousticModel", precision: torch.dtype) -> Callable[[], None]:
        objective = Objective(recipe.objective, recipe.augmentation, network)
        optimiser = build_optimiser(recipe.optimiser, objective.parameters())

        def step() -> None:
            optimiser.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
                loss = objective(*batch.tensors).total.sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(objective.parameters(), 1.0)
            optimiser.step()

        return step

    networks = _cells(recipe, tokenizer) if of_cells else _peers(recipe, tokenizer)
    types = {"bf16-mixed": torch.bfloat16, "32-true": torch.float32}
    steps = {
        f"{name}, {precision}": make(copy.deepcopy(network), types[precision])
        for name, network in networks.items()
        for precision in PRECISIONS
    }
    return steps, batch.amount


def _peers(recipe: "Recipe", tokenizer: "CharTokenizer") -> "dict[str, AcousticModel]":
    """Our network, and others of its size."""
    from asr.training import checkpoint

    packed = checkpoint.build(recipe, tokenizer).network
    packed.context = _packed_context(recipe.model.context, packed.frontend.output_size)
    peers = {
        "asr": checkpoint.build(recipe, tokenizer).network,
        "asr with torch's gradient": _with_torch(checkpoint.build(recipe, tokenizer).network),
        "packed sequences": packed,
    }
    try:
        peers["SpeechBrain CRDNN"] = _crdnn(recipe, tokenizer.size)
    except ImportError:
        click.echo("SpeechBrain is skipped: pip install --no-deps speechbrain hyperpyyaml ruamel.yaml", err=True)
    return peers


def _cells(recipe: "Recipe", tokenizer: "CharTokenizer") -> "dict[str, AcousticModel]":
    """The network with each cell, with torch's LSTM and GRU, and with a loop over the LSTM's equations."""
    import torch

    from asr.cells import CellKind
    from asr.network import recurrent
    from asr.training import checkpoint

    class StepByStep(recurrent.Bidirectional):
        def forward(self, x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
            zeros = x.new_zeros(x.shape[1], self.ahead.hidden_size)  # pyright: ignore[reportArgumentType]
            forward, backward = (
                recurrent._step_by_step("lstm", recurrent.weights(layer), inputs, zeros, zeros)[0]
                for layer, inputs in ((self.ahead, x), (self.back, recurrent.reorder(x, order)))
            )
            return torch.cat([forward, recurrent.reorder(backward, order)], dim=2)

    def network(kind: CellKind) -> "AcousticModel":
        context = recipe.model.context.model_copy(update={"cell": kind})
        model = recipe.model.model_copy(update={"context": context})
        return checkpoint.build(recipe.model_copy(update={"model": model}), tokenizer).network

    networks = {kind: network(kind) for kind in get_args(CellKind)}
    networks |= {name: _with_torch(network(kind)) for kind, name in TORCH.items()}
    networks["lstm, step by step"] = by_steps = network("lstm")
    for layer in by_steps.context.layers:
        layer.__class__ = StepByStep
    return networks


def _with_torch(network: "AcousticModel") -> "AcousticModel":
    """The network with torch's own gradient of its LSTM or GRU."""
    for layer in network.context.layers:
        layer.own_gradient = False
    return network


def _packed_context(config: "ContextConfig", input_size: int) -> "Context":
    """The recurrent stack of deepspeech.pytorch, with the interface of ours."""
    import torch
    from torch import nn

    from asr.network.recurrent import Context

    class Packed(Context):
        def __init__(self) -> None:
            super().__init__(config, input_size)
            sizes = [input_size] + [self.output_size] * (config.layers - 1)
            lstms = (nn.LSTM(size, config.hidden, bidirectional=True) for size in sizes)
            self.layers = cast("Any", nn.ModuleList(lstms))

        def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> list[torch.Tensor]:
            outputs = []
            for lstm, norm in zip(self.layers, self.norms, strict=True):
                packed = nn.utils.rnn.pack_padded_sequence(self.dropout(x), lengths.cpu(), enforce_sorted=False)
                x = norm(nn.utils.rnn.pad_packed_sequence(lstm(packed)[0], total_length=len(x))[0])
                outputs.append(x)
            return outputs

    return Packed()


def _crdnn(recipe: "Recipe", num_tokens: int) -> "AcousticModel":
    """SpeechBrain's encoder at the recipe's size, between our features and our head.

    Raises:
        ImportError: SpeechBrain is not installed.
    """
    logging.disable()
    import torch
    from speechbrain.lobes.models.CRDNN import CRDNN  # pyright: ignore[reportMissingImports]
    from speechbrain.nnet.RNN import LSTM  # pyright: ignore[reportMissingImports]

    from asr.network.acoustic import AcousticModel

    config, reduction = recipe.model, recipe.model.frontend.time_reduction

    class Network(AcousticModel):
        def __init__(self) -> None:
            super().__init__(config, num_tokens)
            self.frontend = CRDNN(
                input_shape=[None, None, config.features.bands],
                cnn_channels=[config.frontend.channels] * 2,
                time_pooling=True,
                time_pooling_size=reduction,
                rnn_class=LSTM,
                rnn_layers=config.context.layers,
                rnn_neurons=config.context.hidden,
                dropout=config.context.dropout,
                dnn_blocks=0,
            )
            self.context.layers = self.context.norms = cast("Any", torch.nn.ModuleList())

        def output_lengths(self, lengths: torch.Tensor) -> torch.Tensor:
            return self.features.output_lengths(lengths) // reduction

        def encode(self, features: torch.Tensor, lengths: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
            out = self.frontend(features).transpose(0, 1)
            return [out] * config.context.layers, lengths // reduction  # the heads between layers read the last one

    return Network()


if __name__ == "__main__":
    main()
