#!/usr/bin/env python3
"""What transcribing and training on 960, 10,000 and 1,000,000 hours take, from rates: the tables of docs/scale.md.

    python scripts/scale_costs.py [--hours 960 10000 1000000] [--transcribe-rate 158] [--train-rate 85] ...

Rates are seconds of audio per second. The defaults were measured on a CPU: give those of your machines, GPUs included,
for which nothing is assumed here.
"""

import argparse
from collections.abc import Callable, Sequence

Row = tuple[str, Callable[[float], str]]
"""A name, and the value for so many hours."""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--hours", type=float, nargs="+", default=[960, 10_000, 1_000_000])
    add("--cores", type=int, default=16, help="cores, or GPUs, of a machine")
    add("--days", type=float, default=1, help="time to transcribe in")
    add("--train-days", type=float, default=7, help="time to train in")
    add("--transcribe-rate", type=float, default=158, help="of one core; docs/benchmarks.md has 316 for two")
    add("--train-rate", type=float, default=85, help="of one core with instructions for bf16, 6.6 M parameters")
    add("--epochs", type=float, default=20, help="recipes/librispeech/960h.yaml")
    add("--efficiency", type=float, default=0.9, help="of many processes that train together")
    add("--batch-s", type=float, default=100, help="seconds of audio in a batch of one process")
    add("--parameters", type=float, default=6.6e6)
    add("--clip-s", type=float, default=12.3, help="mean length of a training utterance")
    add("--recording-s", type=float, default=300, help="mean length of a recording to transcribe")
    add("--shard-size", type=int, default=100, help="recordings in a shard")
    add("--mb-per-hour", type=float, default=10.5, help="audio in Opus, as the corpora here are kept")
    add("--output-mb-per-hour", type=float, default=2.8, help="a shard's output, of speech without pauses")
    add("--list-bytes", type=float, default=74, help="a recording in a shard's list")
    add("--plan-us", type=float, default=31, help="CPU time to plan a recording in microseconds")
    add("--plan-bytes", type=float, default=300, help="memory to plan a recording")
    add("--row-bytes", type=float, default=374, help="an utterance in a manifest")
    add("--hours-to-failure", type=float, default=24, help="mean time until a worker is lost")
    add("--dev-hours", type=float, default=10, help="speech of the dev set, which is evaluated after each epoch")
    return parser.parse_args(arguments)


def span(hours: float) -> str:
    """A time in the unit that suits it."""
    if hours < 1 / 60:
        return f"{3600 * hours:,.0f} s"
    if hours < 2:
        return f"{60 * hours:,.0f} min"
    return f"{hours:,.0f} h" if hours < 72 else f"{hours / 24:,.0f} days"


def size(bytes_: float) -> str:
    """A size in the unit that suits it."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if bytes_ >= factor:
            return f"{bytes_ / factor:,.{0 if bytes_ >= 10 * factor else 1}f} {unit}"
    return f"{bytes_ / 1e3:,.0f} kB"


def transcription(o: argparse.Namespace) -> list[Row]:
    """Rows of the table of transcription."""
    shard_h = o.shard_size * o.recording_s / o.transcribe_rate / 3600

    def recordings(hours: float) -> float:
        return 3600 * hours / o.recording_s

    def shards(hours: float) -> float:
        return max(1, recordings(hours) / o.shard_size)

    def core_h(hours: float) -> float:
        return hours / o.transcribe_rate

    def machines(hours: float) -> float:
        return max(1, -(-core_h(hours) // (24 * o.days * o.cores)))

    def rate(hours: float) -> float:
        return machines(hours) * o.cores * o.transcribe_rate / 3600 * o.mb_per_hour * 1e6

    return [
        ("recordings", lambda h: f"{recordings(h):,.0f}"),
        ("shards", lambda h: f"{shards(h):,.0f}"),
        ("time of a shard on one core", lambda _: span(shard_h)),
        ("core-hours", lambda h: f"{core_h(h):,.0f}"),
        ("one machine takes", lambda h: span(core_h(h) / o.cores)),
        (f"machines for {o.days:g} day(s)", lambda h: f"{machines(h):,.0f}"),
        ("audio read", lambda h: size(h * o.mb_per_hour * 1e6)),
        ("read per second, all machines", lambda h: size(rate(h))),
        ("outputs written", lambda h: size(h * o.output_mb_per_hour * 1e6)),
        ("requests: recordings, lists, outputs, markers", lambda h: f"{recordings(h) + 3 * shards(h):,.0f}"),
        ("requests to list what is done", lambda h: f"{2 * -(-shards(h) // 1000):,.0f}"),
        ("shard lists", lambda h: size(recordings(h) * o.list_bytes)),
        ("to plan: CPU time", lambda h: span(recordings(h) * o.plan_us / 3.6e9)),
        ("to plan: memory", lambda h: size(recordings(h) * o.plan_bytes)),
        ("work lost with workers", lambda _: f"{100 * shard_h / 2 / o.hours_to_failure:.2f} %"),
        ("if each file were a shard: objects", lambda h: f"{3 * recordings(h):,.0f}"),
    ]


def training(o: argparse.Namespace) -> list[Row]:
    """Rows of the table of training."""

    def utterances(hours: float) -> float:
        return 3600 * hours / o.clip_s

    def core_h(hours: float) -> float:
        return hours * o.epochs / o.train_rate

    def processes(hours: float) -> float:
        return max(1, -(-core_h(hours) // (24 * o.train_days * o.efficiency)))

    gradient = 4 * o.parameters
    step_s = o.batch_s / o.train_rate
    return [
        ("utterances", lambda h: f"{utterances(h):,.0f}"),
        ("core-hours of an epoch", lambda h: f"{h / o.train_rate:,.0f}"),
        (f"core-hours of {o.epochs:g} epochs", lambda h: f"{core_h(h):,.0f}"),
        ("one core takes", lambda h: span(core_h(h))),
        (f"cores for {o.train_days:g} days", lambda h: f"{processes(h):,.0f}"),
        (f"machines of {o.cores}", lambda h: f"{-(-processes(h) // o.cores):,.0f}"),
        ("audio in a batch of all", lambda h: span(processes(h) * o.batch_s / 3600)),
        ("steps", lambda h: f"{h * 3600 * o.epochs / (processes(h) * o.batch_s):,.0f}"),
        ("audio stored", lambda h: size(h * o.mb_per_hour * 1e6)),
        ("read per second, all processes", lambda h: size(processes(h) * o.train_rate / 3600 * o.mb_per_hour * 1e6)),
        ("gradients per second and process", lambda h: size(2 * gradient / step_s if processes(h) > 1 else 0)),
        ("manifest", lambda h: size(utterances(h) * o.row_bytes)),
        ("a checkpoint with its optimiser and average", lambda _: size(4 * gradient)),
        ("evaluation of one epoch", lambda _: f"{60 * o.dev_hours / o.transcribe_rate:,.1f} core-min"),
        (
            "evaluation, share of the work",
            lambda h: f"{100 * o.epochs * o.dev_hours / o.transcribe_rate / core_h(h):.3f} %",
        ),
    ]


def table(title: str, hours: Sequence[float], rows: Sequence[Row]) -> str:
    """A table with a column for each number of hours."""
    lines = [f"| {title} | {' | '.join(f'{h:,.0f} h' for h in hours)} |", "|---" * (len(hours) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(value(h) for h in hours)} |" for name, value in rows]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    options = parse(arguments)
    print(table("transcription", options.hours, transcription(options)))
    print(table("training", options.hours, training(options)))


if __name__ == "__main__":
    main()
