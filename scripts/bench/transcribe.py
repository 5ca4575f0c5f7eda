#!/usr/bin/env python3
"""How fast the AN4 test set is transcribed."""

import os

import click
import measure


@click.command()
@measure.json_option
def main(*, as_json: bool) -> None:
    """Transcribe the AN4 test set with the shipped AN4 model, and every fourth file of it with pocketsphinx.

    \b
    Example:
      python scripts/bench/transcribe.py
    """
    from asr.evaluation.recognition import reader, recognise
    from asr.models.session import OnnxModel

    test = measure.utterances(measure.AN4 / "test.jsonl")
    model = OnnxModel(measure.AN4_MODEL, threads=1)
    threads = os.cpu_count() or 1
    seconds = measure.alternate({"": lambda: recognise(model, test, threads=threads)}, warm_ups=0)
    rates = {"asr, AN4 model": sum(utterance.duration for utterance in test) / seconds[""]}
    notes = []
    part, read = test[::4], reader(16_000)
    try:
        peer_s = measure.pocketsphinx_seconds((read(utterance) * 32767).astype("int16") for utterance in part)
        rates["pocketsphinx, US English"] = sum(utterance.duration for utterance in part) / peer_s
    except ImportError:
        notes.append("pocketsphinx is not installed: pip install pocketsphinx")
    measure.show(measure.Result("audio seconds per second", rates, notes), as_json=as_json)


if __name__ == "__main__":
    main()
