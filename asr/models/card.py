"""The scores on a model's card: how evaluations store them in the model file, and how they are printed."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.models.description import AcousticDescription
from asr.models.rewrite import rewrite

MIN_WORDS = 100
"""Minimum number of words for the scores of a group of speakers to be meaningful."""

HEADER = ("corpus", "speech", "WER", "95 % interval", "CER", "words", "decoding")


def with_scores(description: AcousticDescription, report: Mapping[str, Any]) -> AcousticDescription:
    """Add the score of each corpus of a report (asr.report.document) to a description.

    `scores["evaluations"]` is a list of objects with `corpus`, `decoding`, `utterances`, `duration_s`, `words` (in the
    references), `wer` and `cer` (fractions), `low`, `high` and `by` of the WER's confidence interval (may be null), and
    `groups`: for each group of speakers with at least `MIN_WORDS` its `trait`, `value`, and `words` to `by`. An
    evaluation replaces an earlier one of the same corpus with the same decoding.
    """
    evaluations = {(entry["corpus"], entry["decoding"]): entry for entry in description.scores.get("evaluations", [])}
    durations_s = {corpus["name"]: corpus["duration_s"] for corpus in report["corpora"]}
    for corpus in report["parts"]["corpus"]:
        groups = [group for group in report["parts"]["group"] if group["corpus"] == corpus["name"]]
        groups = [group for group in groups if group["words"]["reference"] >= MIN_WORDS]
        evaluations[corpus["name"], report["decoding"]] = {
            "corpus": corpus["name"],
            "decoding": report["decoding"],
            "utterances": corpus["utterances"],
            "duration_s": durations_s[corpus["name"]],
            **_rates(corpus),
            "groups": [{"trait": group["trait"], "value": group["value"]} | _rates(group) for group in groups],
        }
    ordered = [evaluations[key] for key in sorted(evaluations)]
    return replace(description, scores={**description.scores, "evaluations": ordered})


def keep_scores(path: Path, description: AcousticDescription, report: Mapping[str, Any]) -> None:
    """Write the scores of a report to the model file at `path`, whose description is `description`."""
    rewrite(path, path, with_scores(description, report).to_metadata())


def _rates(scores: Mapping[str, Any]) -> dict[str, Any]:
    interval = scores["words"]["interval"] or {"low": None, "high": None, "by": None}
    return {
        "words": scores["words"]["reference"],
        "wer": scores["words"]["rate"],
        "cer": scores["characters"]["rate"],
        **{name: interval[name] for name in ("low", "high", "by")},
    }


def table(evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    """Format a table: a header, then each evaluation followed by its groups of speakers."""
    rows: list[tuple[str, ...]] = [HEADER]
    for evaluation in evaluations:
        duration = f"{evaluation['duration_s'] / 60:.0f} min"
        rows.append((evaluation["corpus"], duration, *_cells(evaluation), evaluation["decoding"]))
        for group in evaluation.get("groups", []):
            name = group["value"] if group["trait"] == "gender" else f"{group['trait']} {group['value']}"
            rows.append((f"  {name}", "", *_cells(group), ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left_aligned = {0, len(HEADER) - 1}
    return [
        "  ".join(
            cell.ljust(width) if column in left_aligned else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def in_short(evaluations: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The best evaluation of each corpus, without its groups of speakers and with a short name of the decoding."""
    best: dict[str, Mapping[str, Any]] = {}
    for evaluation in evaluations:
        if evaluation["wer"] < best.get(evaluation["corpus"], {"wer": float("inf")})["wer"]:
            best[evaluation["corpus"]] = evaluation
    return [
        {**evaluation, "groups": [], "decoding": _first_words(evaluation["decoding"])} for evaluation in best.values()
    ]


def _first_words(decoding: str) -> str:
    """The description of a decoding without what is in parentheses."""
    return re.sub(r" *\([^)]*\)", "", decoding)


def _cells(rates: Mapping[str, Any]) -> tuple[str, str, str, str]:
    interval = "-" if rates["low"] is None else f"{100 * rates['low']:.1f} - {100 * rates['high']:.1f} %"
    wer, cer = ("-" if rate is None else f"{100 * rate:.2f} %" for rate in (rates["wer"], rates["cer"]))
    return wer, interval, cer, f"{rates['words']:,}"
