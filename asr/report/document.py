"""The report as one JSON object, from which the other files are made.

`report.json`, format 1. Rates are fractions of 1, times are in seconds, null means not available.

- `format`: 1
- `origin`: `made_with` (program and version), `created` (UTC, ISO 8601), `command`
- `model`: fields of the model's description: `name`, `given` (as on the command line), `parameters`, ...
- `decoding`: description of the decoding
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
- `calibration`: `words`, `correct`, `confidence` (mean), `error` (expected calibration error), `auc`, and `bins`, each
  `low`, `high`, `words`, `correct`, `confidence`, `accuracy`, `interval`; null when no word was recognised
- `corpora`: `name`, `manifest`, `utterances`, `duration_s`
- `utterances`: in the manifests' order: `id`, `corpus`, `speaker`, its `gender`, `age` and `accent`, `duration_s`,
  `text` (as in the manifest), `reference`, `hypothesis`, `words` and `characters` (`rate`, `errors`, `substitutions`,
  `deletions`, `insertions`, `reference`), `pairs` (arrays `[kind, reference word, hypothesis word]`), `confidence`
  (mean of the words'), and `recognised`: the hypothesis' words with `text`, `start_s`, `end_s`, `confidence`
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from asr.data.traits import TRAITS
from asr.evaluation.corpora import Corpus
from asr.scoring.breakdown import DURATION_EDGES_S, RATE_EDGES, Part, by_name, by_range, word_errors
from asr.scoring.calibration import calibrate
from asr.scoring.summary import remarks, report
from asr.scoring.wer import Score
from asr.transcript.transcript import Transcript
from asr.transcript.words import Word

FORMAT = 1
"""Incremented when a program for older reports could misread a newer one."""
MAX_WORD_ERRORS = 1_000
"""Maximum number of word errors in the list."""
NORMALISATION = "nfkc-lower-alphabet"
"""The name of the normalisation by `asr.text.normalise`."""
DESCRIPTION = (
    "References: Unicode NFKC, lower case, typographic apostrophes become plain ones, single quotation marks are "
    "removed; punctuation and symbols outside "
    "the model's alphabet become spaces (apostrophes are removed), white space one space. Letters and digits outside "
    "the alphabet are kept and count as errors. Hypotheses: as the model outputs them."
)

Document = dict[str, Any]


def build(
    corpora: Sequence[Corpus],
    transcripts: Sequence[Transcript],
    score: Score,
    *,
    alphabet: str,
    model: Mapping[str, Any],
    decoding: str,
    elapsed_s: float,
    cores: int,
    origin: Mapping[str, str],
) -> Document:
    """Build the report that the module's docstring describes.

    Shape:
        transcripts, score.utterances: one per utterance of the corpora, in the same order.
    """
    utterances = [utterance for corpus in corpora for utterance in corpus.utterances]
    corpus_names = [corpus.name for corpus in corpora for _ in corpus.utterances]
    durations_s = [utterance.duration for utterance in utterances]
    rates = [s.words.reference / u.duration for s, u in zip(score.utterances, utterances, strict=True)]
    errors = word_errors(score)
    summary = _summary(score)
    return {
        "format": FORMAT,
        "origin": dict(origin),
        "model": dict(model),
        "decoding": decoding,
        "normalisation": _normalisation([u.text for u in utterances], score, alphabet),
        "rule": score.rule,
        "speed": {
            "duration_s": round(sum(durations_s), 3),
            "elapsed_s": round(elapsed_s, 3),
            "real_time_factor": elapsed_s / sum(durations_s),
            "cores": cores,
        },
        "summary": summary | {"remarks": remarks(summary["words"]["interval"], score)},
        "parts": {
            "corpus": _parts(by_name(score, corpus_names)),
            "speaker": _parts(by_name(score, [utterance.speaker for utterance in utterances])),
            "group": _groups(score, corpora),
            "duration": _parts(by_range(score, durations_s, DURATION_EDGES_S)),
            "speaking_rate": _parts(by_range(score, rates, RATE_EDGES)),
        },
        "word_errors": [asdict(error) for error in errors[:MAX_WORD_ERRORS]],
        "word_errors_distinct": len(errors),
        "calibration": _calibration(score, transcripts),
        "corpora": [
            {
                "name": corpus.name,
                "manifest": str(corpus.path),
                "utterances": len(corpus.utterances),
                "duration_s": round(sum(utterance.duration for utterance in corpus.utterances), 3),
            }
            for corpus in corpora
        ],
        "utterances": [
            scored.to_dict()
            | {
                "corpus": name,
                **{trait: getattr(utterance, trait) for trait in TRAITS},
                "duration_s": utterance.duration,
                "text": utterance.text,
                "confidence": None if transcript.confidence is None else round(transcript.confidence, 4),
                "recognised": [_word(word) for word in transcript.words],
            }
            for name, utterance, scored, transcript in zip(
                corpus_names, utterances, score.utterances, transcripts, strict=True
            )
        ],
    }


def _normalisation(texts: Sequence[str], score: Score, alphabet: str) -> dict[str, Any]:
    references = [utterance.reference for utterance in score.utterances]
    unwritable = Counter(character for text in references for character in set(text) - set(alphabet))
    return {
        "name": NORMALISATION,
        "description": DESCRIPTION,
        "alphabet": alphabet,
        "changed": sum(text != reference for text, reference in zip(texts, references, strict=True)),
        "unwritable": dict(sorted(unwritable.items())),
    }


def _parts(parts: Sequence[Part]) -> list[dict[str, Any]]:
    return [{"name": part.name, "low": part.low, "high": part.high} | _summary(part.score) for part in parts]


def _groups(score: Score, corpora: Sequence[Corpus]) -> list[dict[str, Any]]:
    """Groups of speakers within each corpus, because corpora differ more than groups of speakers."""
    groups = []
    for corpus in corpora:
        for trait in TRAITS:
            values = [getattr(u, trait) if other is corpus else None for other in corpora for u in other.utterances]
            parts = _parts(by_name(score, values))
            prefix = f"{corpus.name}, " if len(corpora) > 1 else ""
            prefix += "" if trait == "gender" else f"{trait} "
            if len(parts) > 1:
                groups += [
                    part
                    | {"name": f"{prefix}{part['name']}", "corpus": corpus.name, "trait": trait, "value": part["name"]}
                    for part in parts
                ]
    return groups


def _summary(score: Score) -> dict[str, Any]:
    """The report of a score without the alignment rule, which the document states once."""
    return {name: value for name, value in report(score).items() if name != "rule"}


def _calibration(score: Score, transcripts: Sequence[Transcript]) -> dict[str, Any] | None:
    """Calibration of the word confidence; a recognised word is correct if it is a hit in the alignment."""
    calibration = calibrate(
        [word.confidence for transcript in transcripts for word in transcript.words],
        [p.kind == "hit" for u in score.utterances for p in u.pairs if p.hypothesis is not None],
    )
    if calibration is None:
        return None
    bins = [asdict(bin_) | {"interval": list(bin_.interval)} for bin_ in calibration.bins]
    return asdict(calibration) | {"bins": bins}


def _word(word: Word) -> dict[str, Any]:
    return {
        "text": word.text,
        "start_s": round(word.start_s, 3),
        "end_s": round(word.end_s, 3),
        "confidence": round(word.confidence, 4),
    }
