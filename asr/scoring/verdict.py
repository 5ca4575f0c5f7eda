"""Renders a comparison of two systems as plain text, and as Markdown for a pull request."""

from asr.errors import printable
from asr.scoring.alignment import RULES
from asr.scoring.compare import Comparison
from asr.scoring.intervals import FEW_UNITS, MIN_UNITS
from asr.scoring.significance import MIN_SEGMENTS, Mapsswe

MAX_CHANGES = 10
"""Number of changed utterances shown; the JSON has all of them."""


def render(comparison: Comparison) -> str:
    """Render as plain text; no newline at the end."""
    rows = [("", "WER", "errors", "substituted", "deleted", "inserted", "reference"), *_rows(comparison)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]
    lines += ["", *_abouts(comparison), *_findings(comparison)]
    for a, b in comparison.changes[:MAX_CHANGES]:
        lines += ["", f"{a.id}: {a.words.errors} -> {b.words.errors} errors", f"  reference  {a.reference}"]
        lines += [f"  A          {a.hypothesis}", f"  B          {b.hypothesis}"]
    lines += ["", conclusion(comparison)]
    return "\n".join(printable(line).rstrip() for line in lines)


def markdown(comparison: Comparison) -> str:
    """Render as Markdown; no newline at the end."""
    lines = [
        f"**{escaped(conclusion(comparison))}**",
        "",
        "| system | WER | errors | substituted | deleted | inserted | reference |",
        "|---|--:|--:|--:|--:|--:|--:|",
        *(f"| {' | '.join(map(escaped, row))} |" for row in _rows(comparison)),
        "",
        *(f"- {escaped(line)}" for line in (*_abouts(comparison), *_findings(comparison))),
    ]
    if comparison.changes:
        lines += ["", "| utterance | errors | reference | A | B |", "|---|---|---|---|---|"]
        for a, b in comparison.changes[:MAX_CHANGES]:
            cells = a.id, f"{a.words.errors} -> {b.words.errors}", a.reference, a.hypothesis, b.hypothesis
            lines.append(f"| {' | '.join(map(escaped, cells))} |")
    return "\n".join(lines)


def conclusion(comparison: Comparison) -> str:
    """Say which system is better, or that this cannot be said: by MAPSSWE if it decides, else by the sign test."""
    a, b = comparison.a.words, comparison.b.words
    if comparison.difference is None:
        return "The references contain no words, so neither system can be said to be better."
    segments, sign = comparison.mapsswe, comparison.sign
    if segments is not None and segments.decides:
        name, test, favours_b = "MAPSSWE", segments, segments.z > 0
    else:
        name, test, favours_b = "sign test", sign, sign.b_better > sign.a_better
    if not test.significant:
        return (
            f"No difference can be shown: A makes {a.errors:,} word errors and B {b.errors:,}, and chance alone makes "
            f"such a difference or a larger one with a probability of {_p(test.p)} ({name})."
        )
    if a.errors == b.errors or favours_b != (b.errors < a.errors):
        return (
            f"No difference can be shown: A makes {a.errors:,} word errors and B {b.errors:,}, but the {name} favours "
            f"{'B' if favours_b else 'A'}."
        )
    better, most, least = ("B", a.errors, b.errors) if b.errors < a.errors else ("A", b.errors, a.errors)
    share = f"{100 * (most - least) / most:.0f} % fewer word errors"
    certainty = "p < 0.001" if test.p < 0.001 else f"p = {_p(test.p)}"
    interval = comparison.difference.interval
    doubt = ""
    if interval is not None and interval.low <= 0 <= interval.high:
        doubt = f" But the interval over {interval.by}s includes zero: with other {interval.by}s it may be different."
    return (
        f"{better} is better: {share} ({most:,} -> {least:,}); a difference this large is not chance "
        f"({name}, {certainty}).{doubt}"
    )


def escaped(text: str) -> str:
    """Escape characters with a meaning in Markdown or HTML."""
    for character in "\\`*_{}[]<>|~#":
        text = text.replace(character, f"\\{character}")
    return text


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    rows = []
    for letter, name, score in zip("AB", comparison.names, (comparison.a, comparison.b), strict=True):
        words = score.words
        counts = words.errors, words.substitutions, words.deletions, words.insertions, words.reference
        rate = "undefined" if words.rate is None else f"{100 * words.rate:.2f} %"
        rows.append((letter if name == letter else f"{letter}: {name}", rate, *(f"{count:,}" for count in counts)))
    return rows


def _abouts(comparison: Comparison) -> list[str]:
    """What A and B are, as far as it is known."""
    return [
        f"{letter}: {'; '.join(f'{name} {value}' for name, value in facts.items())}."
        for letter, facts in zip("AB", comparison.facts, strict=True)
        if facts
    ]


def _findings(comparison: Comparison) -> list[str]:
    change, test, sign = comparison.difference, comparison.mapsswe, comparison.sign
    lines = []
    if change is None:
        lines.append("Change in WER (B - A): undefined because the references contain no words.")
    else:
        interval = change.interval
        interval_text = f"no interval, which takes at least {MIN_UNITS} utterances and a difference"
        if interval is not None:
            interval_text = (
                f"{100 * interval.confidence:.0f} % interval {100 * interval.low:+.2f} to {100 * interval.high:+.2f} "
                f"(bootstrap, {interval.draws:,} draws of {interval.units:,} {interval.by}s)"
            )
        lines += [
            f"Change in WER (B - A): {100 * change.rate:+.2f} points, {interval_text}.",
            f"Probability of improvement: B is better in {100 * change.better:.1f} % of the draws, "
            f"worse in {100 * change.worse:.1f} %.",
        ]
        if interval is not None and interval.units < FEW_UNITS:
            lines.append(f"Warning: with only {interval.units} {interval.by}s the interval is imprecise.")
    sign_verdict = _verdict(sign.significant, sign.a_better > sign.b_better)
    mapsswe = f"none, because an utterance is too long to be aligned by {RULES['sclite']}."
    if test is not None:
        mapsswe = f"Z = {test.z:.3f}, p = {_p(test.p)}, {test.segments:,} segments: "
        mapsswe += f"{mapsswe_verdict(test)}."
    return [
        *lines,
        f"MAPSSWE: {mapsswe}",
        f"Sign test: A is better in {sign.a_better:,} utterances, B in {sign.b_better:,}, "
        f"equal in {sign.equal:,} (ignored), p = {_p(sign.p)}: {sign_verdict}.",
        f"Words aligned by: {RULES[comparison.a.rule]}; for MAPSSWE always {RULES['sclite']}.",
    ]


def mapsswe_verdict(test: Mapsswe) -> str:
    """Which system MAPSSWE favours, or why it does not say."""
    if test.decides:
        return _verdict(test.significant, test.z < 0)
    if test.segments < MIN_SEGMENTS:
        return f"too few for a verdict, which takes {MIN_SEGMENTS}"
    return "no verdict, because all of them differ alike"


def _verdict(significant: bool, a_better: bool) -> str:
    return f"{'A' if a_better else 'B'} is better" if significant else "no significant difference"


def _p(p: float) -> str:
    return f"{p:.3f}" if p >= 0.001 else f"{max(p, 1e-99):.1e}"
