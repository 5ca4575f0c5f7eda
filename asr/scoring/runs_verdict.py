"""Renders a comparison of two systems with several runs each as plain text, and as Markdown for a pull request."""

from asr.errors import printable
from asr.scoring.alignment import RULES
from asr.scoring.intervals import FEW_UNITS, MIN_UNITS, Interval
from asr.scoring.runs import Rate, Runs, RunsComparison
from asr.scoring.verdict import escaped

HEADER = ("", "WER", "between runs", "CER", "between runs", "WER of each run")


def render_runs(comparison: RunsComparison) -> str:
    """Render as plain text; no newline at the end."""
    rows = [HEADER, *_rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    lines += ["", *_findings(comparison), "", runs_conclusion(comparison)]
    return "\n".join(printable(line).rstrip() for line in lines)


def runs_markdown(comparison: RunsComparison) -> str:
    """Render as Markdown; no newline at the end."""
    lines = [
        f"**{escaped(runs_conclusion(comparison))}**",
        "",
        f"| {' | '.join(('system', *HEADER[1:]))} |",
        "|---|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(map(escaped, row))} |" for row in _rows(comparison)),
        "",
        *(f"- {escaped(line)}" for line in _findings(comparison)),
    ]
    return "\n".join(lines)


def runs_conclusion(comparison: RunsComparison) -> str:
    """Say which system is better, or that this cannot be said: by whether the interval includes zero."""
    if comparison.difference is None:
        return "The references contain no words, so neither system can be said to be better."
    interval = comparison.difference.interval
    a, b = comparison.a.errors, comparison.b.errors
    if interval is None:
        return f"No difference can be shown: a run of A makes {a:,.1f} word errors and a run of B {b:,.1f}."
    what = f"the interval over {interval.by}s and runs"
    if interval.low <= 0 <= interval.high:
        return (
            f"No difference can be shown: a run of A makes {a:,.1f} word errors and a run of B {b:,.1f}, and {what} "
            "includes zero."
        )
    better, most, least = ("B", a, b) if b < a else ("A", b, a)
    return (
        f"{better} is better: {100 * (most - least) / most:.0f} % fewer word errors ({most:,.1f} -> {least:,.1f} per "
        f"run), and {what} excludes zero."
    )


def _rows(comparison: RunsComparison) -> list[tuple[str, ...]]:
    return [
        (f"{letter}: {system.name}", *_rate(system.words), *_rate(system.characters), _rates(system))
        for letter, system in (("A", comparison.a), ("B", comparison.b))
    ]


def _rate(rate: Rate) -> tuple[str, str]:
    if rate.mean is None or rate.deviation is None:
        return "undefined", ""
    interval = "" if rate.interval is None else f" ({_bounds(rate.interval)})"
    return f"{100 * rate.mean:.2f} %{interval}", f"{100 * rate.deviation:.2f}"


def _bounds(interval: Interval) -> str:
    return f"{100 * interval.low:.2f} - {100 * interval.high:.2f}"


def _rates(system: Runs) -> str:
    rates = [score.words.rate for score in system.scores]
    return ", ".join("undefined" if rate is None else f"{100 * rate:.2f}" for rate in rates)


def _findings(comparison: RunsComparison) -> list[str]:
    change = comparison.difference
    lines = [
        f"{letter}: {'; '.join(f'{name} {value}' for name, value in system.facts.items())}."
        for letter, system in (("A", comparison.a), ("B", comparison.b))
        if system.facts
    ]
    if change is None:
        return [*lines, "Change in WER (B - A): undefined because the references contain no words."]
    interval = change.interval
    interval_text = f"no interval, which takes at least {MIN_UNITS} utterances and a difference"
    if interval is not None:
        runs = f"{len(comparison.a.scores)} runs of A and {len(comparison.b.scores)} of B"
        interval_text = (
            f"{100 * interval.confidence:.0f} % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f} "
            f"({interval.units:,} {interval.by}s, {runs}; bootstrap, {interval.draws:,} draws)"
        )
    lines += [
        f"Change in WER (B - A): {100 * change.rate:+.2f} points, {interval_text}.",
        f"Probability of improvement: B is better in {100 * change.better:.1f} % of the draws, "
        f"worse in {100 * change.worse:.1f} %.",
    ]
    if interval is not None and interval.units < FEW_UNITS:
        lines.append(f"Warning: with only {interval.units} {interval.by}s the interval is imprecise.")
    return [*lines, f"Words aligned by: {RULES[comparison.a.scores[0].rule]}."]
