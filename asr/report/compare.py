"""The page that shows two systems side by side, and the same results as JSON and Markdown."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asr.pages.assemble import assemble
from asr.report.html import short_pairs
from asr.report.output_folder import write_files
from asr.scoring.alignment import RULES
from asr.scoring.compare import Comparison
from asr.scoring.summary import report
from asr.scoring.verdict import conclusion, markdown

FORMAT = 1
"""Format version of comparison.json."""


def write_comparison(comparison: Comparison, a: Path, b: Path, folder: Path) -> None:
    """Write index.html, comparison.json (`format` and Comparison.to_dict) and comparison.md to a folder.

    The utterances on the page link to the reports `a` and `b` (folders or the report.json in them) if these have an
    index.html; the links are relative, so that all three folders can be moved together.

    Raises:
        AsrError: a file cannot be written.
    """
    links = [_link(path if path.is_dir() else path.parent, folder) for path in (a, b)]
    write_files(
        folder,
        {
            "index.html": assemble("comparison", _title(comparison), {"data": _data(comparison, links)}),
            "comparison.md": markdown(comparison) + "\n",
            "comparison.json": json.dumps({"format": FORMAT} | comparison.to_dict(), ensure_ascii=False, indent=1)
            + "\n",
        },
    )


def _title(comparison: Comparison) -> str:
    return f"{comparison.names[0]} and {comparison.names[1]}"


def _link(report_folder: Path, folder: Path) -> str | None:
    page = report_folder / "index.html"
    return quote(Path(os.path.relpath(page.resolve(), folder.resolve())).as_posix()) if page.is_file() else None


def _data(comparison: Comparison, links: list[str | None]) -> dict[str, Any]:
    """The data for comparison.js: `to_dict`, the summaries of both systems, and all utterances with both alignments."""
    results = comparison.to_dict()
    return {
        "conclusion": conclusion(comparison),
        "names": comparison.names,
        "links": links,
        "rule_name": RULES[comparison.a.rule],
        "mapsswe_rule_name": RULES["sclite"],
        "summaries": [report(score) for score in (comparison.a, comparison.b)],
        **{key: results[key] for key in ("difference", "mapsswe", "sign")},
        "utterances": [
            [a.id, a.speaker, *(short_pairs([list(pair) for pair in utterance.pairs]) for utterance in (a, b))]
            for a, b in zip(comparison.a.utterances, comparison.b.utterances, strict=True)
        ],
    }
