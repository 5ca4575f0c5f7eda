"""The systems of a comparison: reports of `asr evaluate -o` and `asr score -o`, or texts against one reference.

A system may have been trained several times; then its reports are in one folder.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr.errors import DataError
from asr.scoring.alignment import RULES, Rule
from asr.scoring.compare import Comparison, Facts
from asr.scoring.compare import compare as compare_scores
from asr.scoring.runs import RunsComparison
from asr.scoring.runs import compare_runs as compare_scores_of_runs
from asr.scoring.texts import Normalisation, read_pair
from asr.scoring.wer import Score, score


@dataclass(frozen=True, slots=True)
class System:
    """A system to compare."""

    name: str
    """As the user named it: the path of its report or text."""
    score: Score
    facts: Facts
    """What it is: `model`, `decoding`, `data` and `date`, as far as they are known."""
    corpora: Mapping[str, str]
    """Corpus by id of the utterance, as far as it is known."""
    page: Path | None
    """Where the page of its report may be."""


def compare(a: System, b: System) -> Comparison:
    """Compare the scores of two systems. Raises DataError if they are not on the same utterances."""
    return compare_scores(a.score, b.score, names=(a.name, b.name), facts=(a.facts, b.facts))


def compare_runs(paths: tuple[Path, Path], runs: tuple[Sequence[System], Sequence[System]]) -> RunsComparison:
    """Compare systems with several runs. Raises DataError if they are not on the same utterances, or only one has."""
    return compare_scores_of_runs(
        (str(paths[0]), str(paths[1])),
        ([run.score for run in runs[0]], [run.score for run in runs[1]]),
        names_of_runs=([run.name for run in runs[0]], [run.name for run in runs[1]]),
        facts=(_common_facts(runs[0]), _common_facts(runs[1])),
    )


def _common_facts(runs: Sequence[System]) -> Facts:
    return {name: value for name, value in runs[0].facts.items() if all(run.facts.get(name) == value for run in runs)}


def read_texts(reference: Path, a: Path, b: Path, rule: Rule, normalisation: Normalisation) -> tuple[System, System]:
    """Score two texts against one reference; formats are those of `asr.scoring.texts`.

    Raises:
        DataError: a file cannot be read, is malformed, or does not match the reference.
    """
    systems = []
    for path in (a, b):
        texts = read_pair(reference, path).changed(normalisation.change)
        scored = score(texts.references, texts.hypotheses, ids=texts.ids, speakers=texts.speakers, rule=rule)
        systems.append(System(str(path), scored, {"data": str(reference)}, {}, None))
    return systems[0], systems[1]


def reports_in(path: Path) -> list[Path]:
    """The reports of a system's runs, in the order of their names, if `path` is a folder of reports; else `path`."""
    if path.is_file() or (path / "report.json").exists():
        return [path]
    return sorted(report.parent for report in path.glob("*/report.json")) or [path]


def read_reports(*paths: Path, rule: Rule | None = None) -> list[System]:
    """Read reports, each a `report.json` or its folder, aligned by `rule` or as in the reports.

    Raises:
        DataError: a file cannot be read or is not a report, or the rules differ and none is given.
    """
    reports = [_read_report(path) for path in paths]
    rules: list[Rule] = [report.get("rule", "fewest") for report in reports]
    for path, other in zip(paths, rules, strict=True):
        if rule is None and other != rules[0]:
            raise DataError(
                f"{paths[0]} is aligned by the rule {rules[0]} and {path} by {other}: choose one for all with --align."
            )
    return [_system(path, report, rule or rules[0]) for path, report in zip(paths, reports, strict=True)]


def _system(path: Path, report: dict[str, Any], rule: Rule) -> System:
    utterances = report["utterances"]
    scored = score(
        *([utterance[key] for utterance in utterances] for key in ("reference", "hypothesis")),
        ids=[utterance["id"] for utterance in utterances],
        speakers=[utterance["speaker"] for utterance in utterances],
        rule=rule,
    )
    corpora = {u["id"]: u["corpus"] for u in utterances if isinstance(u.get("corpus"), str)}
    page = (path if path.is_dir() else path.parent) / "index.html"
    return System(str(path), scored, _facts(report), corpora, page)


def _facts(report: Mapping[str, Any]) -> Facts:
    """What the report says of itself; a report may come from elsewhere, so whatever is no text is left out."""
    model, origin, corpora = (report.get(key) for key in ("model", "origin", "corpora"))
    names = [corpus.get("name") for corpus in corpora if isinstance(corpus, dict)] if isinstance(corpora, list) else []
    created = origin.get("created") if isinstance(origin, dict) else None
    facts = {
        "model": _model(model) if isinstance(model, dict) else None,
        "decoding": report.get("decoding"),
        "data": ", ".join(name for name in names if isinstance(name, str)),
        "date": created[: len("2000-01-01")] if isinstance(created, str) else None,
    }
    return {name: value for name, value in facts.items() if isinstance(value, str) and value}


def _model(model: Mapping[str, Any]) -> str:
    """The name of the model, what the user gave if it is something else, and its size."""
    name, given, parameters = (model.get(key) for key in ("name", "given", "parameters"))
    texts = [str(name)] if isinstance(name, str) else []
    if isinstance(given, str) and given != name:
        texts.append(f"({given})")
    if isinstance(parameters, int):
        texts.append(f"with {parameters:,} parameters")
    return " ".join(texts)


def _read_report(path: Path) -> dict[str, Any]:
    path = path / "report.json" if path.is_dir() else path
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"Cannot read {path}: {error.strerror}.") from error
    except ValueError:
        report = None
    if report is None or not _is_report(report):
        raise DataError(
            f"{path} is not a report: give the output of `asr evaluate ... -o FOLDER`, or a text and its --reference."
        )
    return report


def _is_report(report: Any) -> bool:
    """Whether the JSON has everything that a comparison needs."""
    return (
        isinstance(report, dict)
        and report.get("rule", "fewest") in list(RULES)
        and isinstance(report.get("utterances"), list)
        and len(report["utterances"]) > 0
        and all(_is_utterance(utterance) for utterance in report["utterances"])
    )


def _is_utterance(utterance: Any) -> bool:
    return (
        isinstance(utterance, dict)
        and all(isinstance(utterance.get(key), str) for key in ("id", "reference", "hypothesis"))
        and isinstance(utterance.get("speaker", 0), str | None)
    )
