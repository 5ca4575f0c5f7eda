"""The scores on a model's card: what evaluations leave in its file, and how people read it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asr.models.description import AcousticDescription
from asr.models.rewrite import rewrite

MIN_WORDS = 100
"""A group of speakers with fewer words says nothing of others like them."""

HEADER = ("corpus", "speech", "WER", "95 % interval", "CER", "words", "decoding")


def with_scores(description: AcousticDescription, report: Mapping[str, Any]) -> AcousticDescription:
    """The description with the score of each corpus of a report (asr.report.document) among its `scores`.

    `scores["evaluations"]` is a list of objects: `corpus`, `decoding`, `utterances`, `duration_s`, `words` (of the
    references), `wer` and `cer` (fractions), and `low`, `high` and `by` of the WER's interval (null for none), and
    `groups`, of speakers: `trait`, `value`, and `words` to `by` of each that has `MIN_WORDS`. An evaluation of the same
    corpus by the same decoding takes the place of the one before.
    """
    kept = {(each["corpus"], each["decoding"]): each for each in description.scores.get("evaluations", [])}
    durations_s = {corpus["name"]: corpus["duration_s"] for corpus in report["corpora"]}
    for part in report["parts"]["corpus"]:
        groups = [each for each in report["parts"]["group"] if each["corpus"] == part["name"]]
        groups = [each for each in groups if each["words"]["reference"] >= MIN_WORDS]
        kept[part["name"], report["decoding"]] = {
            "corpus": part["name"],
            "decoding": report["decoding"],
            "utterances": part["utterances"],
            "duration_s": durations_s[part["name"]],
            **_rates(part),
            "groups": [{"trait": each["trait"], "value": each["value"]} | _rates(each) for each in groups],
        }
    evaluations = [kept[key] for key in sorted(kept)]
    return replace(description, scores={**description.scores, "evaluations": evaluations})


def keep_scores(path: Path, description: AcousticDescription, report: Mapping[str, Any]) -> None:
    """Write the scores of a report into the model file at `path`, described by `description`."""
    rewrite(path, path, with_scores(description, report).to_metadata())


def _rates(part: Mapping[str, Any]) -> dict[str, Any]:
    interval = part["words"]["interval"] or {"low": None, "high": None, "by": None}
    return {
        "words": part["words"]["reference"],
        "wer": part["words"]["rate"],
        "cer": part["characters"]["rate"],
        **{name: interval[name] for name in ("low", "high", "by")},
    }


def table(evaluations: Sequence[Mapping[str, Any]]) -> list[str]:
    """The evaluations, a line each below a header, and below each its groups of speakers."""
    rows: list[tuple[str, ...]] = [HEADER]
    for each in evaluations:
        rows.append((each["corpus"], f"{each['duration_s'] / 60:.0f} min", *_cells(each), each["decoding"]))
        for group in each.get("groups", []):
            name = group["value"] if group["trait"] == "gender" else f"{group['trait']} {group['value']}"
            rows.append((f"  {name}", "", *_cells(group), ""))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = {0, len(HEADER) - 1}
    return [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cells(rates: Mapping[str, Any]) -> tuple[str, str, str, str]:
    interval = "-" if rates["low"] is None else f"{100 * rates['low']:.1f} - {100 * rates['high']:.1f} %"
    wer, cer = ("-" if rate is None else f"{100 * rate:.2f} %" for rate in (rates["wer"], rates["cer"]))
    return wer, interval, cer, f"{rates['words']:,}"
