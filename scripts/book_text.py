#!/usr/bin/env python3
"""The sentences of Project Gutenberg's books as text for a language model, without what a recogniser is scored on.

    python scripts/book_text.py books --without data/*/*/test.jsonl --chapters CHAPTERS.TXT > books.txt

Takes each text file (*.txt) below a folder that says it is English, without headers, notes, verse, tables and headings:
a sentence a line, lower case, "Mr." and the like spelled out. Sentences with digits, Roman numerals or foreign letters
are left out, and all that were seen before, for collections repeat stories.

A book is left out if six of its sentences share eight words in a row with a transcript of the manifests (--without), or
if its number or title is that of a book in LibriSpeech's list of chapters (--chapters) that --subsets were read from;
from other books the sentences with such eight words are left out. What was left out is counted on standard error.
"""

import argparse
import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

SPAN = 8
"""Words in a row that two texts do not share by chance."""
HITS = 6
"""Sentences with such words, from which on a book is taken to be the one that was read."""
SUBSETS = ["dev-clean", "dev-other", "test-clean", "test-other", "train-clean-100"]
SHORTEST, LONGEST = 2, 120
"""Words of a sentence that is kept."""
SHORT_LINE = 50
"""Characters: a paragraph with shorter lines but the last is verse or a table."""
TITLES = {"mr": "mister", "mrs": "missus", "messrs": "messieurs", "dr": "doctor", "st": "saint", "capt": "captain"}
TITLE = re.compile(rf"\b({'|'.join(TITLES)})\. ", re.IGNORECASE)
ABBREVIATION = re.compile(
    r"\b([A-Z]|[A-Za-z]\.[A-Za-z]|vol|col|gen|hon|jun|sen|lieut|rev|prof|no|etc|viz|cf|p|pp|ed)\.$", re.I
)
"""An end of a piece of text whose full stop ends no sentence."""
END = re.compile(r"""(?<=[.!?])["'\u201d\u2019)]*\s+(?=["'\u201c\u2018(]*[A-Z])""")
"""White space between two sentences."""
NOTE = re.compile(r"\[[^\]]*\]|\{[^}]*\}|\*")
"""Footnotes, pictures, page numbers, and the marks of notes."""
OTHER = re.compile(r"[\[\]|{}=<>@#*+\\/]|www\.")
"""What is in tables, formulas and addresses."""
ROMAN = re.compile(r"\b(?:[IVXLC]{2,}|[VXLC])\b")
PLAIN = str.maketrans({"\u2019": "'", "\u2018": "'", "_": "", "\u0153": "oe", "\u00e6": "ae"})
START = re.compile(r"^\*\*\* ?START OF.*?\*\*\*", re.MULTILINE | re.DOTALL)
OLD_START = re.compile(r"\*END\*? ?THE SMALL PRINT.*$", re.MULTILINE)
STOP = re.compile(
    r"^(?:\*\*\* ?)?END OF (?:THE|THIS) PROJECT GUTENBERG|^End of (?:the )?Project Gutenberg", re.MULTILINE
)
NUMBER = re.compile(r"(?:EBook|eBook|Etext|EText|E-text) #(\d+)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--without", type=Path, nargs="+", default=[], metavar="MANIFEST")
    parser.add_argument("--chapters", type=Path, metavar="CHAPTERS.TXT")
    parser.add_argument("--subsets", nargs="+", default=SUBSETS, metavar="NAME")
    given = parser.parse_args()
    scored = {span for manifest in given.without for text in _transcripts(manifest) for span in _spans(text.split())}
    numbers, titles = _books_read(given.chapters, given.subsets) if given.chapters else (set(), set())
    seen: set[int] = set()
    counts: Counter[str] = Counter()
    for path in sorted(given.folder.rglob("*.txt")):
        book = path.read_bytes().decode("utf-8", errors="replace").replace("\r", "")
        if "\ufffd" in book:
            book = path.read_bytes().decode("latin-1").replace("\r", "")
        number = NUMBER.search(book)
        if "Language: English" not in book or "COPYRIGHTED Project Gutenberg" in book:
            counts["books, not English or not free"] += 1
        elif (number and int(number[1]) in numbers) or _title(path.stem) in titles:
            counts["books, in the list of chapters"] += 1
        else:
            kept, hits = [], 0
            for words in _sentences(_body(book)):
                if any(span in scored for span in _spans(words)):
                    hits += 1
                else:
                    kept.append(" ".join(words))
            if hits >= HITS:
                counts["books, by their sentences"] += 1
                print(f"{path}: {hits} sentences are in a transcript", file=sys.stderr)
                continue
            counts["books kept"] += 1
            counts["sentences, in a transcript"] += hits
            for sentence in kept:
                if hash(sentence) in seen:
                    counts["sentences, seen before"] += 1
                else:
                    seen.add(hash(sentence))
                    counts["sentences kept"] += 1
                    counts["words kept"] += sentence.count(" ") + 1
                    print(sentence)
    for name, count in counts.items():
        print(f"{name}: {count:,}", file=sys.stderr)


def _transcripts(manifest: Path) -> Iterator[str]:
    with manifest.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["text"].lower()


def _spans(words: list[str]) -> Iterator[str]:
    return (" ".join(words[i : i + SPAN]) for i in range(len(words) - SPAN + 1))


def _books_read(chapters: Path, subsets: Iterable[str]) -> tuple[set[int], set[str]]:
    """Return the numbers and titles of the books that the subsets were read from."""
    numbers, titles = set(), set()
    for line in chapters.read_text(encoding="utf-8").splitlines():
        fields = [field.strip() for field in line.split("|")]
        if not line.startswith(";") and len(fields) >= 8 and fields[3] in subsets:
            titles.add(_title(fields[-1]))
            if fields[5].isdigit():
                numbers.add(int(fields[5]))
    return numbers, titles - {""}


def _title(title: str) -> str:
    """Return a title without subtitle, article, volume and version, for comparison."""
    main = re.split(r"[:;,/(]|\bby\b|\bvolume\b|\bvol\b|\bversion\b", title.lower(), maxsplit=1)[0]
    words = re.findall(r"[a-z0-9]+", main)
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) else words)


def _body(book: str) -> str:
    start = START.search(book) or OLD_START.search(book)
    begin = start.end() if start else 0
    stop = STOP.search(book, begin)
    return book[begin : stop.start() if stop else len(book)]


def _sentences(body: str) -> Iterator[list[str]]:
    for paragraph in re.split(r"\n\s*\n", body):
        lines = paragraph.strip("\n").split("\n")
        indented = sum(line.startswith("  ") for line in lines)
        is_verse = len(lines) > 1 and (max(map(len, lines[:-1])) < SHORT_LINE or indented > len(lines) / 2)
        text = " ".join(NOTE.sub("", " ".join(lines)).split())
        if is_verse or text.upper() == text or not re.search(r"[.!?]", text) or OTHER.search(text):
            continue
        text = text.replace("&c.", "et cetera").replace("&", "and")
        text = TITLE.sub(lambda title: TITLES[title[1].lower()].capitalize() + " ", text)
        piece = ""
        for part in END.split(text):
            piece = f"{piece} {part}" if piece else part
            if ABBREVIATION.search(piece):
                continue
            words = _words(piece)
            if words and SHORTEST <= len(words) <= LONGEST:
                yield words
            piece = ""


def _words(sentence: str) -> list[str]:
    """Return the words of a sentence, lower case, or none if there is something in it that is not spelled."""
    if ROMAN.search(sentence) or any(character.isdigit() for character in sentence):
        return []
    plain = unicodedata.normalize("NFKD", sentence.translate(PLAIN))
    plain = "".join(character for character in plain.lower() if not unicodedata.combining(character))
    if not re.fullmatch(r"[a-z0-9\s'\"\u201c\u201d.,;:!?()\-\u2013\u2014`]*", plain):
        return []
    words = re.sub(r"[^a-z']+", " ", plain).split()
    return [word for word in words if word.strip("'")]


if __name__ == "__main__":
    main()
