#!/usr/bin/env python3
"""How much faster and smaller the shipped AN4 model is in int8 than in 32 bits."""

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import click
import measure


@click.command()
@measure.json_option
def main(*, as_json: bool) -> None:
    """Run the shipped AN4 model in 32 bits and in int8 on windows of the AN4 dev set, with one thread and with two.

    Two threads share a session of one thread, which is faster than a session of two.

    \b
    Example:
      python scripts/bench/int8.py
    """
    import numpy as np

    from asr.evaluation.recognition import reader
    from asr.export import exporter
    from asr.models.session import OnnxModel
    from asr.training import checkpoint
    from asr.transcription import windows

    dev = measure.utterances(measure.AN4 / "dev.jsonl")
    shipped = checkpoint.load(measure.AN4_MODEL)
    sample_rate = shipped.description.sample_rate
    size = round(windows.DEFAULT.longest_s * sample_rate)
    samples = np.resize(np.concatenate([reader(sample_rate)(utterance) for utterance in dev]), (16, size))
    batches = [list(samples[first : first + 4]) for first in range(0, 16, 4)]
    notes = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        models = {}
        for precision in ("32 bits", "int8"):
            path = Path(folder) / "model.onnx"
            difference = exporter.export(shipped, path, dev[::4], int8=precision == "int8")
            models[precision] = OnnxModel(path, threads=1)
            notes.append(f"{precision}: {path.stat().st_size / 1e6:.1f} MB, differs from torch by {difference:.1e}")

        def run(mapping: Callable, model: OnnxModel) -> None:
            list(mapping(model.log_probs, batches))

        seconds = measure.alternate(
            {
                f"{precision}, {threads}": partial(run, mapping, model)
                for threads, mapping in {"1 thread": map, "2 threads": pool.map}.items()
                for precision, model in models.items()
            }
        )
        first, *others = batches[0]
        (alone,) = models["int8"].log_probs([first])
        in_batch, *_ = models["int8"].log_probs([first, *(100 * waveform for waveform in others)])
        difference = np.abs(alone - in_batch).max()
        notes.append(f"int8, log-probs alone and in a batch with louder audio: {difference:.1g} apart")
    rates = {name: samples.size / sample_rate / value for name, value in seconds.items()}
    measure.show(measure.Result("audio seconds per second", rates, notes), as_json=as_json)


if __name__ == "__main__":
    main()
