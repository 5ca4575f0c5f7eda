"""A comparison of two systems as people read it: plain text, and Markdown for a pull request."""

from asr.scoring.alignment import RULES
from asr.scoring.compare import Comparison
from asr.scoring.intervals import FEW_UNITS, MIN_UNITS

MAX_CHANGES = 10
"""Utterances that are shown; JSON has all that changed."""


def render(comparison: Comparison) -> str:
    """Plain text for people; no newline at the end."""
    rows = [("", "WER", "errors", "substituted", "deleted", "inserted", "reference"), *_rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    lines += ["", *_findings(comparison)]
    for a, b in comparison.changes[:MAX_CHANGES]:
        lines += ["", f"{a.id}: {a.words.errors} -> {b.words.errors} errors", f"  reference  {a.reference}"]
        lines += [f"  A          {a.hypothesis}", f"  B          {b.hypothesis}"]
    return "\n".join(line.rstrip() for line in lines)


def markdown(comparison: Comparison) -> str:
    """The same for a pull request; no newline at the end."""
    lines = [
        "| system | WER | errors | substituted | deleted | inserted | reference |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(map(_escaped, row))} |" for row in _rows(comparison)),
        "",
        *(f"- {_escaped(finding)}" for finding in _findings(comparison)),
    ]
    if comparison.changes:
        lines += ["", "| utterance | errors | reference | A | B |", "|---|---|---|---|---|"]
        for a, b in comparison.changes[:MAX_CHANGES]:
            cells = a.id, f"{a.words.errors} -> {b.words.errors}", a.reference, a.hypothesis, b.hypothesis
            lines.append(f"| {' | '.join(map(_escaped, cells))} |")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """With what Markdown or HTML could take for its own made literal."""
    for character in "\\`*_{}[]<>|~#":
        text = text.replace(character, f"\\{character}")
    return text


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    rows = []
    for letter, name, each in zip("AB", comparison.names, (comparison.a, comparison.b), strict=True):
        words = each.words
        counts = words.errors, words.substitutions, words.deletions, words.insertions, words.reference
        rate = "undefined" if words.rate is None else f"{100 * words.rate:.2f} %"
        rows.append((letter if name == letter else f"{letter}: {name}", rate, *(f"{count:,}" for count in counts)))
    return rows


def _findings(comparison: Comparison) -> list[str]:
    change, test, sign = comparison.difference, comparison.mapsswe, comparison.sign
    lines = []
    if change is None:
        lines.append("WER of B less A: undefined, for the references have no word.")
    else:
        interval = change.interval
        sure = f"no interval, which takes {MIN_UNITS} utterances and a difference"
        if interval is not None:
            sure = (
                f"{100 * interval.confidence:.0f} % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f} "
                f"(bootstrap, {interval.draws:,} draws of {interval.units:,} {interval.by}s)"
            )
        lines += [
            f"WER of B less A: {100 * change.rate:+.2f} points, {sure}.",
            f"Probability of improvement: B is better in {100 * change.better:.1f} % of the draws, "
            f"worse in {100 * change.worse:.1f} %.",
        ]
        if interval is not None and interval.units < FEW_UNITS:
            lines.append(f"Warning: {interval.units} {interval.by}s are few, and the interval is rough.")
    sign_verdict = _verdict(sign.significant, sign.a_better > sign.b_better)
    told = f"none, for an utterance is too long to be aligned by: {RULES['sclite']}."
    if test is not None:
        told = f"Z = {test.z:.3f}, p = {_p(test.p)}, {test.segments:,} segments: "
        told += f"{_verdict(test.significant, test.z < 0)}."
    return [
        *lines,
        f"MAPSSWE: {told}",
        f"Sign test: A is better in {sign.a_better:,} utterances, B in {sign.b_better:,}, p = {_p(sign.p)}; "
        f"{sign.equal:,} with as many errors are left out: {sign_verdict}.",
        f"Words aligned by: {RULES[comparison.a.rule]}; for MAPSSWE always {RULES['sclite']}.",
    ]


def _verdict(significant: bool, a_better: bool) -> str:
    return f"{'A' if a_better else 'B'} is better" if significant else "no significant difference"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{p:.1e}"
