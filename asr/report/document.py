"""The report as one JSON object, from which the other files are made.

`report.json`, format 1. Rates are fractions of 1, times are in seconds, null means not available.

- `format`: 1
- `origin`: `made_with` (program and version), `created` (UTC, ISO 8601), `command`
- `model`: fields of the model's description: `name`, `given` (as on the command line), `parameters`, ...
- `decoding`: description of the decoding; null for a text of another program (`asr score`), as are `speed`,
  `calibration`, the `alphabet`, and all durations
- `normalisation`: `name`, `description`, `alphabet`; `changed`, the number of references that it changed; `unwritable`,
  the characters in references that the model cannot output, each with its number of references
- `rule`: of the word alignment, "fewest" or "sclite"
- `speed`: `duration_s` of all audio, `elapsed_s` to recognise it, `real_time_factor` (elapsed / duration), `cores`
- `summary`: `utterances`, `words`, `characters`, `sentences`, as in `asr score --json`; `remarks`, sentences on the
  interval
- `parts`: `corpus`, `speaker`, `duration` (s), `speaking_rate` (reference words / s), each an array of objects: `name`,
  `low`, `high` (of a range: at least `low`, below `high`), and `utterances`, `words`, `characters`, `sentences`
  `group`: the speakers of a corpus by gender, age and accent, if it has at least two values; with `corpus`, `trait` and
  its `value`
- `word_errors`: the most frequent, at most 1,000: `kind`, `reference`, `hypothesis`, `count`, `utterances`
  (the number of utterances with it), `said` (occurrences of the word in the references)
- `word_errors_distinct`: the number of distinct word errors
- `calibration`: of the word confidence: `words`, `correct`, `confidence` (mean), `error` (expected calibration error),
  `auc`, and `bins`, each `low`, `high`, `words`, `correct`, `confidence`, `accuracy`, `interval`; null when no word was
  recognised
- `readable`: of `--readable`, else null: `words`, written with punctuation and capitals, as in `summary`; `labels`, an
  array of `label` (a mark, or "capitals"), `f1`, `interval` (`low`, `high`), `correct`, `predicted`, `reference`
- `corpora`: `name`, `manifest`, `utterances`, `duration_s`
- `utterances`: in the manifests' order: `id`, `corpus`, `speaker`, its `gender`, `age` and `accent`, `duration_s`,
  `text` (as in the manifest), `reference`, `hypothesis`, `words` and `characters` (`rate`, `errors`, `substitutions`,
  `deletions`, `insertions`, `reference`), `pairs` (arrays `[kind, reference word, hypothesis word]`), `confidence`
  (mean of the words'), and `recognised`: the hypothesis' words with `text`, `start_s`, `end_s`, `confidence`
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from asr.data.traits import TRAITS
from asr.scoring.breakdown import DURATION_EDGES_S, RATE_EDGES, Part, by_name, by_range, word_errors
from asr.scoring.summary import remarks, report
from asr.scoring.wer import Score
from asr.transcript.words import Word
from asr.version import __version__

FORMAT = 1
"""Incremented when a program for older reports could misread a newer one."""
MAX_WORD_ERRORS = 1_000
"""Maximum number of word errors in the list."""
Document = dict[str, Any]


def origin(command: str) -> dict[str, str]:
    """Where a report comes from: this program, now, by a command that reproduces the numbers."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return {"made_with": f"asr {__version__}", "created": created, "command": command}


@dataclass(frozen=True, slots=True)
class Details:
    """What is known of an utterance besides its score."""

    corpus: str
    text: str
    """The reference before normalisation."""
    duration_s: float | None = None
    traits: Mapping[str, str | None] = field(default_factory=dict)
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    """Of the hypothesis, with times."""


def build(
    score: Score,
    details: Sequence[Details],
    *,
    model: Mapping[str, Any],
    decoding: str | None,
    normalisation: Mapping[str, Any],
    speed: Mapping[str, Any] | None,
    calibration: Mapping[str, Any] | None,
    readable: Mapping[str, Any] | None = None,
    manifests: Mapping[str, str],
    origin: Mapping[str, str],
) -> Document:
    """Build the report that the module's docstring describes; `manifests` maps the names of the corpora to their files.

    Shape:
        score.utterances, details: one per utterance, in the same order.
    """
    errors = word_errors(score)
    summary = _summary(score)
    durations_s = [known.duration_s for known in details if known.duration_s is not None]
    if len(durations_s) < len(details):
        durations_s, rates = [], []
    else:
        rates = [s.words.reference / duration for s, duration in zip(score.utterances, durations_s, strict=True)]
    return {
        "format": FORMAT,
        "origin": dict(origin),
        "model": dict(model),
        "decoding": decoding,
        "normalisation": dict(normalisation),
        "rule": score.rule,
        "speed": speed and dict(speed),
        "summary": summary | {"remarks": remarks(summary["words"]["interval"], score)},
        "parts": {
            "corpus": _parts(by_name(score, [known.corpus for known in details])),
            "speaker": _parts(by_name(score, [utterance.speaker for utterance in score.utterances])),
            "group": _groups(score, details, list(manifests)),
            "duration": _parts(by_range(score, durations_s, DURATION_EDGES_S)) if durations_s else [],
            "speaking_rate": _parts(by_range(score, rates, RATE_EDGES)) if rates else [],
        },
        "word_errors": [asdict(error) for error in errors[:MAX_WORD_ERRORS]],
        "word_errors_distinct": len(errors),
        "calibration": calibration and dict(calibration),
        "readable": readable and dict(readable),
        "corpora": [_corpus(name, manifest, details) for name, manifest in manifests.items()],
        "utterances": [
            scored.to_dict()
            | {
                "corpus": known.corpus,
                **{trait: known.traits.get(trait) for trait in TRAITS},
                "duration_s": known.duration_s,
                "text": known.text,
                "confidence": None if known.confidence is None else round(known.confidence, 4),
                "recognised": [_word(word) for word in known.words],
            }
            for scored, known in zip(score.utterances, details, strict=True)
        ],
    }


def _corpus(name: str, manifest: str, details: Sequence[Details]) -> dict[str, Any]:
    durations_s = [known.duration_s for known in details if known.corpus == name]
    known_s = [duration_s for duration_s in durations_s if duration_s is not None]
    return {
        "name": name,
        "manifest": manifest,
        "utterances": len(durations_s),
        "duration_s": round(sum(known_s), 3) if len(known_s) == len(durations_s) else None,
    }


def _parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [{"name": part.name, "low": part.low, "high": part.high} | _summary(part.score) for part in parts]


def _groups(score: Score, details: Sequence[Details], corpora: Sequence[str]) -> list[dict[str, Any]]:
    """Groups of speakers within each corpus, because corpora differ more than groups of speakers."""
    groups = []
    for corpus in corpora:
        for trait in TRAITS:
            values = [known.traits.get(trait) if known.corpus == corpus else None for known in details]
            parts = _parts(by_name(score, values))
            prefix = f"{corpus}, " if len(corpora) > 1 else ""
            prefix += "" if trait == "gender" else f"{trait} "
            if len(parts) > 1:
                groups += [
                    part | {"name": f"{prefix}{part['name']}", "corpus": corpus, "trait": trait, "value": part["name"]}
                    for part in parts
                ]
    return groups


def _summary(score: Score) -> dict[str, Any]:
    """The report of a score without the alignment rule, which the document states once."""
    return {name: value for name, value in report(score).items() if name != "rule"}


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 4),
    }
