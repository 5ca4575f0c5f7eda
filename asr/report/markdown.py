"""The report in Markdown, short enough for a pull request."""

from typing import Any

from asr.report.document import Document
from asr.scoring.alignment import RULES

ROWS = 10
"""Maximum number of rows for speakers and word errors."""


def write(document: Document) -> str:
    """Build the summary, the breakdowns with at least two parts, the most frequent errors, and the settings."""
    summary, model = document["summary"], document["model"]
    parts = document["parts"]
    corpora = ", ".join(f"`{corpus['name']}`" for corpus in document["corpora"])
    blocks = [
        f"## `{model['name']}` on {corpora}",
        _table(
            ("", "rate", "95 % interval", "errors", "substituted", "deleted", "inserted", "of"),
            [
                ("words (WER)", *_counts(summary["words"])),
                ("characters (CER)", *_counts(summary["characters"])),
                (
                    "sentences (SER)",
                    percent(summary["sentences"]["rate"]),
                    "",
                    f"{summary['sentences']['errors']:,}",
                    *("", "", ""),
                    f"{summary['sentences']['total']:,}",
                ),
            ],
        ),
        *(_parts(title, parts[key]) for key, title in PARTS.items() if len(parts[key]) > 1),
        *_word_errors(document),
        *_calibration(document["calibration"]),
        *_readable(document["readable"]),
        _settings(document),
    ]
    return "\n\n".join(blocks) + "\n"


PARTS = {
    "corpus": "corpus",
    "speaker": "speaker",
    "group": "speaker group",
    "duration": "duration, s",
    "speaking_rate": "words per second",
}


def percent(rate: float | None) -> str:
    """A fraction in percent."""
    return "undefined" if rate is None else f"{100 * rate:.2f} %"


def interval(words: dict[str, Any]) -> str:
    """The confidence interval of a report's `words` or `characters`."""
    ends = words["interval"]
    return "-" if ends is None else f"{100 * ends['low']:.2f} - {100 * ends['high']:.2f} %"


def _counts(counts: dict[str, Any]) -> tuple[str, ...]:
    names = ("errors", "substitutions", "deletions", "insertions", "reference")
    return (percent(counts["rate"]), interval(counts), *(f"{counts[name]:,}" for name in names))


def _parts(title: str, parts: list[dict[str, Any]]) -> str:
    """A table with ranges in their order, or names by decreasing WER; at most `ROWS` rows."""
    if parts[0]["low"] is None and parts[0]["high"] is None:
        parts = sorted(parts, key=lambda part: -(part["words"]["rate"] or 0))
    table = _table(
        (title, "WER", "95 % interval", "errors", "words", "utterances"),
        [
            (
                _cell(part["name"]),
                percent(part["words"]["rate"]),
                interval(part["words"]),
                f"{part['words']['errors']:,}",
                f"{part['words']['reference']:,}",
                f"{part['utterances']:,}",
            )
            for part in parts[:ROWS]
        ],
    )
    remaining = len(parts) - ROWS
    return table if remaining <= 0 else f"{table}\n\n... and {remaining:,} more with a lower WER."


def _word_errors(document: Document) -> list[str]:
    errors = document["word_errors"][:ROWS]
    rows = [
        (error["kind"], _cell(error["reference"]), _cell(error["hypothesis"]), str(error["count"])) for error in errors
    ]
    return [_table(("error", "reference", "hypothesis", "count"), rows)] if rows else []


def _calibration(calibration: dict[str, Any] | None) -> list[str]:
    if calibration is None:
        return []
    auc = "undefined" if calibration["auc"] is None else f"{calibration['auc']:.3f}"
    return [
        f"Confidence: mean {percent(calibration['confidence'])}; "
        f"{percent(calibration['correct'] / calibration['words'])} of {calibration['words']:,} recognised words are "
        f"correct; expected calibration error {percent(calibration['error'])}, AUC {auc}."
    ]


def _readable(readable: dict[str, Any] | None) -> list[str]:
    if readable is None:
        return []
    rows = [
        ("words (WER)", percent(readable["words"]["rate"]), interval(readable["words"])),
        *((f"{one['label']} (F1)", percent(one["f1"]), interval(one)) for one in readable["labels"]),
    ]
    return [_table(("readable text", "rate", "95 % interval"), rows)]


def _settings(document: Document) -> str:
    origin, speed = document["origin"], document["speed"]
    lines = [
        f"- `{origin['command']}`, {origin['made_with']}, {origin['created']}",
        *([] if document["decoding"] is None else [f"- Decoding: {document['decoding']}."]),
        f"- Words aligned by: {RULES[document['rule']]}. Normalisation: {document['normalisation']['name']}.",
    ]
    if speed is not None:
        lines.append(
            f"- {speed['duration_s']:,.0f} s of audio in {speed['elapsed_s']:,.1f} s: real-time factor "
            f"{speed['real_time_factor']:.4f} on {speed['cores']} cores."
        )
    return "\n".join([*lines, *(f"- {remark}" for remark in document["summary"]["remarks"])])


def _cell(text: str | None) -> str:
    """A table cell without active Markdown."""
    return "" if text is None else "`" + text.replace("`", "'").replace("|", "\\|") + "`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table, text left-aligned and numbers right-aligned."""
    align = ["---" if not any(row[column][:1].isdigit() for row in rows) else "--:" for column in range(len(head))]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, tuple(align), *rows))
