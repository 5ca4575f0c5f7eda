"""The page that shows two systems side by side, and the same results as JSON and Markdown."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from asr.pages.assemble import assemble
from asr.report.html import short_pairs
from asr.report.output_folder import write_files
from asr.report.systems import System
from asr.scoring.alignment import RULES
from asr.scoring.compare import Comparison
from asr.scoring.summary import report
from asr.scoring.verdict import conclusion, mapsswe_verdict, markdown

FORMAT = 1
"""Format version of comparison.json."""


def write_comparison(comparison: Comparison, systems: tuple[System, System], folder: Path) -> None:
    """Write index.html, comparison.json (`format` and Comparison.to_dict) and comparison.md to a folder.

    The utterances on the page link to the pages of both systems' reports if these exist; the links are relative, so
    that all three folders can be moved together.

    Raises:
        AsrError: a file cannot be written.
    """
    links = [_link(system.page, folder) for system in systems]
    corpora = systems[0].corpora
    write_files(
        folder,
        {
            "index.html": assemble("comparison", _title(comparison), {"data": _data(comparison, links, corpora)}),
            "comparison.md": markdown(comparison) + "\n",
            "comparison.json": json.dumps({"format": FORMAT} | comparison.to_dict(), ensure_ascii=False, indent=1)
            + "\n",
        },
    )


def _title(comparison: Comparison) -> str:
    return f"{comparison.names[0]} and {comparison.names[1]}"


def _link(page: Path | None, folder: Path) -> str | None:
    if page is None or not page.is_file():
        return None
    return quote(Path(os.path.relpath(page.resolve(), folder.resolve())).as_posix())


def _data(comparison: Comparison, links: list[str | None], corpora: Mapping[str, str]) -> dict[str, Any]:
    """The data for comparison.js: `to_dict`, the summaries of both systems, and all utterances with both alignments."""
    results = comparison.to_dict()
    return {
        "conclusion": conclusion(comparison),
        "names": comparison.names,
        "facts": comparison.facts,
        "links": links,
        "rule_name": RULES[comparison.a.rule],
        "mapsswe_rule_name": RULES["sclite"],
        "summaries": [report(score) for score in (comparison.a, comparison.b)],
        "mapsswe_verdict": comparison.mapsswe and mapsswe_verdict(comparison.mapsswe),
        **{key: results[key] for key in ("difference", "mapsswe", "sign")},
        "utterances": [
            [
                a.id,
                corpora.get(a.id),
                a.speaker,
                *(short_pairs([list(pair) for pair in utterance.pairs]) for utterance in (a, b)),
            ]
            for a, b in zip(comparison.a.utterances, comparison.b.utterances, strict=True)
        ],
    }
