"""F1 of the punctuation and capitals that a punctuation model writes, beside those of a rule.

    python scripts/punctuation_f1.py MODEL TEXT...
    python scripts/punctuation_f1.py MODEL --speech FOLDER...

A TEXT has a passage with punctuation and capitals in each line. Its words are labelled twice: each line alone, and all
lines as one recording. A FOLDER has recognised words, NAME.json (`asr transcribe --plain -f json`), and what was read,
NAME.txt: the labels of the words that are right are compared, with and without the pauses between the words.

The rule writes a capital at the start of a recording and for "I", a full stop at its end, and both at pauses of 0.6 s.
Intervals are of a bootstrap over lines. Lines with characters outside the model's alphabet are skipped.
"""

import argparse
import difflib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.readable.labels import CAPITAL, LOWER, MARKS, LabelledWord, case_of, parse
from asr.readable.pauses import UNKNOWN
from asr.readable.punctuator import Punctuator
from asr.readable.writing import Writing
from asr.scoring.f1 import F1, count, interval
from asr.transcript.words import Word

PAUSE_S = 0.6
"""Pause at which the rule ends a sentence."""
LABELS = (*MARKS[1:], "capitals")


class WithoutPauses:
    """A punctuator that does not get to know the pauses."""

    def __init__(self, punctuator: Punctuator) -> None:
        self.punctuator = punctuator

    def log_probs(self, words: Sequence[str], pauses: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """As `Punctuator.log_probs`."""
        return self.punctuator.log_probs(words, [UNKNOWN] * len(pauses))


def by_model(punctuator: Punctuator | WithoutPauses, words: Sequence[Word]) -> list[LabelledWord]:
    """The labels that a model gives."""
    writing = Writing(punctuator, numbers=False)  # pyright: ignore[reportArgumentType]
    labelled = []
    for word, spoken in zip(writing.write(words), words, strict=True):
        mark = MARKS.index(word.text[-1]) if word.text[-1] in MARKS else 0
        labelled.append(LabelledWord(spoken.text, mark, case_of(word.text)))
    return labelled


def by_rule(words: Sequence[Word]) -> list[LabelledWord]:
    """The labels that the rule gives."""
    labelled, begins = [], True
    for number, word in enumerate(words):
        is_last = number == len(words) - 1
        ends = is_last or words[number + 1].start_s - word.end_s >= PAUSE_S
        is_capital = begins or word.text == "i" or word.text.startswith("i'")
        mark = MARKS.index(".") if ends else 0
        labelled.append(LabelledWord(word.text, mark, CAPITAL if is_capital else LOWER))
        begins = ends
    return labelled


def counts(reference: Sequence[LabelledWord], found: Sequence[LabelledWord]) -> list[F1]:
    """The counts of each label of a line."""
    marks, guesses = (np.array([word.mark for word in words], dtype=int) for words in (reference, found))
    capitals, others = (np.array([word.case != LOWER for word in words], dtype=int) for words in (reference, found))
    return [*(count(marks, guesses, mark) for mark in range(1, len(MARKS))), count(capitals, others, 1)]


def report(name: str, lines: Sequence[Sequence[F1]]) -> None:
    """Print the F1 of each label with its interval, and their means."""
    cells, rates = [], []
    for number in range(len(LABELS)):
        of_label = [line[number] for line in lines]
        sums = F1(*np.sum([(one.correct, one.predicted, one.reference) for one in of_label], axis=0).tolist())
        low, high = interval(of_label) or (0.0, 0.0)
        rates.append(sums.rate or 0.0)
        cells.append(f"{LABELS[number]} {100 * rates[-1]:.1f} ({100 * low:.1f}-{100 * high:.1f})")
    means = f"mean of , . ? {100 * np.mean(rates[:3]):.1f}, of , . ? ! {100 * np.mean(rates[:4]):.1f}"
    print(f"{name:<28} {'  '.join(cells)}  {means}", flush=True)


def untimed(labelled: Sequence[LabelledWord]) -> list[Word]:
    """Words as recognised, without times."""
    return [Word(word.text, 0.0, 0.0, 1.0) for word in labelled]


def text(path: Path, model: WithoutPauses) -> None:
    """Score a text."""
    known = set(model.punctuator.description.tokenizer.alphabet)
    lines = [parse(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and all(set(word.text) <= known for word in line)]
    print(f"{path}: {len(lines):,} lines, {sum(map(len, lines)):,} words")
    report("  rule, each line alone", [counts(line, by_rule(untimed(line))) for line in lines])
    report("  model, each line alone", [counts(line, by_model(model, untimed(line))) for line in lines])
    together = by_model(model, untimed([word for line in lines for word in line]))
    ends = np.cumsum([len(line) for line in lines])
    parts = [together[end - len(line) : end] for line, end in zip(lines, ends, strict=True)]
    report("  model, one recording", [counts(*pair) for pair in zip(lines, parts, strict=True)])


def speech(folder: Path, model: Punctuator) -> None:
    """Score recognised words."""
    table: dict[str, list[list[F1]]] = {}
    right = total = 0
    for path in sorted(folder.glob("*.json")):
        reference = parse(path.with_suffix(".txt").read_text(encoding="utf-8"))
        fields = json.loads(path.read_text(encoding="utf-8"))["words"]
        words = [Word(word["text"], word["start_s"], word["end_s"], word["confidence"]) for word in fields]
        one, other = [word.text for word in reference], [word.text for word in words]
        blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_matching_blocks()
        pairs = [(block.a + k, block.b + k) for block in blocks for k in range(block.size)]
        right, total = right + len(pairs), total + len(reference)
        chosen = [reference[at] for at, _ in pairs]
        for name, labelled in (
            ("  rule", by_rule(words)),
            ("  model without pauses", by_model(WithoutPauses(model), words)),
            ("  model with pauses", by_model(model, words)),
        ):
            table.setdefault(name, []).append(counts(chosen, [labelled[at] for _, at in pairs]))
    print(f"{folder}: {right:,} of {total:,} words are recognised")
    for name, lines in table.items():
        report(name, lines)


def main() -> None:
    """Score texts or speech."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("paths", type=Path, nargs="+")
    parser.add_argument("--speech", action="store_true")
    arguments = parser.parse_args()
    model = Punctuator(arguments.model)
    for path in arguments.paths:
        if arguments.speech:
            speech(path, model)
        else:
            text(path, WithoutPauses(model))


if __name__ == "__main__":
    main()
