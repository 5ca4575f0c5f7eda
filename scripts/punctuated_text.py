"""Write the texts that `recipes/punctuation/` is trained on, from checkouts of the repositories named in its README.

    python scripts/punctuated_text.py CHECKOUTS data/punctuation

Every line is a passage of at most 100 words with its punctuation and capitals. Numbers are spelled out, as they are
spoken. The held-out parts are whole novels, and sentences and conversations that are not in the training part.
"""

import argparse
import json
import lzma
import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from pathlib import Path

from num2words import num2words

LONGEST = 100
"""Words in a line."""
LATEST_NOVEL = 1925
"""Year of the last novels that are used."""
HELD_OUT_NOVELS = 6
"""Novels for the dev part, and as many for the test part."""
NOVEL_WORDS = 4_500_000
"""Words of novels to train on."""
HELD_OUT_LINES = {"novels": 500, "everyday": 2_000, "dialogue": 500}
"""Lines of each kind in the dev part, and in the test part."""
REPEATS = 2
"""How often the training part has the everyday sentences and the conversations, of which there are fewer."""

TITLES = {"Mr": "Mister", "Mrs": "Missus", "Dr": "Doctor", "St": "Saint"}
SENTENCE = re.compile(r"(?<=[.?!])['\"\u2019\u201d)]*\s+(?=['\"\u2018\u201c(]*[A-Z])")
OPENING, CLOSING = "'\"\u2018\u201c(", "'\"\u2019\u201d)"
SHORT = re.compile(r"\b(?:Mr|Mrs|Dr|St|[A-Z])\.$")


def spelled(text: str) -> str:
    """The text with its numbers in words, and titles in full."""
    text = re.sub(r"\b(Mr|Mrs|Dr|St)\b\.?", lambda match: TITLES[match[1]], text)
    text = re.sub(r"\b\d{1,3}(?:,\d{3})+\b(?!\.\d)", lambda match: _words(match[0].replace(",", "")), text)
    text = re.sub(r"\b(\d+)(?:st|nd|rd|th)\b", lambda match: _words(match[1], "ordinal"), text)
    text = re.sub(r"\$(\d+)(?!\.\d)", lambda match: f"{_words(match[1])} dollars", text)
    text = re.sub(r"(\d)\s?%", r"\1 percent", text)
    text = re.sub(r"\b(1[1-9]\d\d|20[1-9]\d)\b(?!\.\d)", lambda match: _words(match[1], "year"), text)
    return re.sub(r"(?<![.:/\d])\b\d{1,9}\b(?![.:/]\d)", lambda match: _words(match[0]), text)


def _words(digits: str, kind: str = "cardinal") -> str:
    return num2words(int(digits), to=kind).replace(",", "")


def passages(paragraphs: Iterable[str]) -> Iterator[str]:
    """Join paragraphs and split them into lines of whole sentences."""
    line: list[str] = []
    for paragraph in paragraphs:
        for sentence in _sentences(spelled(" ".join(paragraph.split()))):
            words = len(sentence.split())
            is_whole = sentence.rstrip(CLOSING).endswith((".", "?", "!")) and sentence.lstrip(OPENING)[:1].isupper()
            is_clean = not re.search(r"\d|[_*\[\]{}<>|@#/\\]", sentence) and sentence.upper() != sentence
            if not (is_whole and is_clean and words <= LONGEST):
                if line:
                    yield " ".join(line)
                line = []
                continue
            if line and len(" ".join(line).split()) + words > LONGEST:
                yield " ".join(line)
                line = []
            line.append(sentence)
    if line:
        yield " ".join(line)


def _sentences(paragraph: str) -> list[str]:
    found: list[str] = []
    for part in SENTENCE.split(paragraph):
        if found and SHORT.search(found[-1]):
            found[-1] += f" {part}"
        else:
            found.append(part)
    return [sentence for sentence in found if sentence]


def novels(folder: Path) -> dict[str, list[str]]:
    """Title -> paragraphs."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*ELTeC-eng/**/level1/*.xml")):
        root = ET.parse(path).getroot()
        for parent in root.iter():
            for note in [child for child in parent if child.tag.endswith("}note")]:
                note.text = ""
        found[path.stem] = [" ".join(node.itertext()) for node in root.iter() if node.tag.endswith("}p")][3:]
    for path in sorted(folder.glob("*100_english_novels/corpus/*.txt")):
        if int(path.stem.rpartition("_")[2]) <= LATEST_NOVEL:
            text = path.read_text(encoding="utf-8-sig").replace("\r", "")
            found[path.stem] = re.split(r"\n\s*\n" if "\n\n" in text else r"\n", text)[5:]
    return found


def everyday(folder: Path) -> list[str]:
    """Sentences of Common Voice and Tatoeba, each once."""
    names = [*folder.glob("*common-voice/server/data/en/*.txt"), *folder.glob("*LASER/data/tatoeba/v1/*-eng.eng")]
    lines = {line.strip() for name in sorted(names) for line in name.read_text(encoding="utf-8").splitlines()}
    return [line for line in sorted(lines) if line.lstrip(OPENING)[:1].isupper()]


def dialogue(folder: Path) -> tuple[list[list[str]], list[list[str]]]:
    """The turns of conversations: those to train on, and those held out."""
    train, held_out = [], []
    for path in sorted(folder.glob("*Topical-Chat/conversations/*.json")):
        for conversation in json.loads(path.read_text(encoding="utf-8")).values():
            turns = [turn["message"].strip() for turn in conversation["content"]]
            (held_out if "test" in path.name else train).append(turns)
    for path in sorted(folder.glob("*Taskmaster/TM-4-2024/data/*.json")):
        for conversation in json.loads(path.read_text(encoding="utf-8")):
            train.append([turn["text"].strip() for turn in conversation["utterances"]])
    return train, held_out


def main() -> None:
    """Write train.txt.xz, and dev and test texts of each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    draw = random.Random(1)
    arguments.output.mkdir(parents=True, exist_ok=True)

    books = novels(arguments.checkouts)
    titles = sorted(books)
    draw.shuffle(titles)
    held_out_titles = titles[: 2 * HELD_OUT_NOVELS]
    print("held out:", ", ".join(held_out_titles))
    parts = {
        kind: [line for title in chosen for line in passages(books[title])]
        for kind, chosen in (
            ("dev", held_out_titles[:HELD_OUT_NOVELS]),
            ("test", held_out_titles[HELD_OUT_NOVELS:]),
            ("train", titles[2 * HELD_OUT_NOVELS :]),
        )
    }
    sentences = [line for sentence in everyday(arguments.checkouts) for line in passages([sentence])]
    draw.shuffle(sentences)
    to_train, to_hold_out = dialogue(arguments.checkouts)
    conversations = sorted({line for turns in to_train for line in passages(t for t in turns if t[:1].isupper())})
    others = sorted({line for turns in to_hold_out for line in passages(t for t in turns if t[:1].isupper())})
    draw.shuffle(others)
    held_out = {"novels": None, "everyday": sentences, "dialogue": others}
    for kind, count in HELD_OUT_LINES.items():
        for number, part in enumerate(("dev", "test")):
            lines = held_out[kind]
            chosen = draw.sample(parts[part], count) if lines is None else lines[number * count : (number + 1) * count]
            _write(arguments.output / f"{part}-{kind}.txt", chosen)
    draw.shuffle(parts["train"])
    train, words = [], 0
    for line in parts["train"]:
        words += len(line.split())
        if words > NOVEL_WORDS:
            break
        train.append(line)
    train += REPEATS * (sentences[2 * HELD_OUT_LINES["everyday"] :] + conversations)
    draw.shuffle(train)
    with lzma.open(arguments.output / "train.txt.xz", "w") as file:
        file.writelines(f"{line}\n".encode() for line in train)
    print(f"train.txt.xz: {len(train):,} lines, {sum(len(line.split()) for line in train):,} words")


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print(f"{path.name}: {len(lines):,} lines, {sum(len(line.split()) for line in lines):,} words")


if __name__ == "__main__":
    main()
