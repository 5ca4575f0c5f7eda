"""What the benchmarks have in common: alternating runs, their medians, and the result as a table or as JSON."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

if TYPE_CHECKING:
    import numpy as np

    from asr.data.manifest import Utterance

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "pittsburgh.wav"
AN4_MODEL = ROOT / "asr" / "models" / "an4.onnx"
AN4 = ROOT / "data" / "an4"
LIBRISPEECH = ROOT / "data" / "librispeech" / "train-clean-5"
RUNS = 7

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of the table.")


@dataclass
class Result:
    """What was measured, its value for each system, and remarks that only the table shows."""

    unit: str
    values: dict[str, float]
    notes: list[str] = field(default_factory=list)


def show(result: Result, *, as_json: bool) -> None:
    """Print a table, or one object {"unit": ..., "results": {system: value}}."""
    if as_json:
        click.echo(json.dumps({"unit": result.unit, "results": result.values}))
        return
    width = max(map(len, result.values))
    click.echo(f"{'':<{width}}  {result.unit}")
    for name, value in result.values.items():
        click.echo(f"{name:<{width}}  {value:.3g}")
    for note in result.notes:
        click.echo(note)


def alternate(
    systems: Mapping[str, Callable[[], object]],
    *,
    runs: int = RUNS,
    warm_ups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Median seconds of each system.

    The systems take turns, so that a machine whose speed drifts treats them alike.
    """
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for run in range(warm_ups + runs):
        for name, system in systems.items():
            started = clock()
            system()
            if run >= warm_ups:
                seconds[name].append(clock() - started)
    return {name: statistics.median(values) for name, values in seconds.items()}


class Cost(NamedTuple):
    """Wall time and peak resident memory of a process."""

    seconds: float
    megabytes: float


def alternate_processes(commands: Mapping[str, Sequence[str]], *, runs: int = RUNS) -> dict[str, Cost]:
    """Median cost of each command as a whole process, after one warm-up; the commands take turns.

    Raises:
        ClickException: a command failed.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for run in range(1 + runs):
        for name, command in commands.items():
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise click.ClickException(f"{' '.join(command)} failed with status {process.returncode}.")
            if run:
                costs[name].append(Cost(time.perf_counter() - started, usage.ru_maxrss / 1024))
    return {name: Cost(*map(statistics.median, zip(*values, strict=True))) for name, values in costs.items()}


def utterances(manifest: Path) -> "list[Utterance]":
    """The utterances of a prepared corpus.

    Raises:
        ClickException: the manifest does not exist.
    """
    from asr.data.manifest import read

    if not manifest.exists():
        recipe = "an4" if manifest.parent == AN4 else "mini_librispeech"
        raise click.ClickException(
            f"{manifest} does not exist: create it with `asr prepare` as recipes/{recipe}/README.md describes."
        )
    return list(read(manifest))


def pocketsphinx_seconds(waveforms: "Iterable[np.ndarray]") -> float:
    """Seconds that pocketsphinx takes for audio at 16 kHz, with the model of US English that comes with it.

    The time includes that of reading, if the waveforms are read on demand.

    Shape: (S_i,), 16-bit integers

    Raises:
        ImportError: pocketsphinx is not installed.
    """
    import pocketsphinx  # pyright: ignore[reportMissingImports]

    decoder = pocketsphinx.Decoder(samprate=16_000, loglevel="FATAL")
    started = time.perf_counter()
    for waveform in waveforms:
        decoder.start_utt()
        decoder.process_raw(waveform.tobytes(), full_utt=True)
        decoder.end_utt()
    return time.perf_counter() - started
