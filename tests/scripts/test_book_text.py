"""`scripts/book_text.py`: sentences of books, without books and sentences that a recogniser is scored on."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "book_text.py"
HEADER = """The Project Gutenberg EBook of {title}

Title: {title}

Release Date: June, 2004  [EBook #{number}]
Language: {language}

*** START OF THIS PROJECT GUTENBERG EBOOK {title} ***

CHAPTER I

"""
FOOTER = "\n\nEnd of Project Gutenberg's {title}\n\nThe licence of a book. It is not text.\n"
TEXT = """\
"I saw Mr. Smith," said Anne; "he is the boys' friend." It was late\u2014too late. Dr. Vane
left at 5 o'clock. On p. 3 [Illustration: a cat] of *Vol. IV a caf\u00e9 was shown! The cat's
asleep.

  A verse of short lines
  that nobody may want.

It was late--too late.

They walked along the river until the sun went down behind the hills. Nobody
came."""


def book(folder: Path, title: str, text: str = TEXT, *, number: int = 7, language: str = "English") -> None:
    named = {"title": title, "number": number, "language": language}
    (folder / f"{title}.txt").write_text(HEADER.format(**named) + text + FOOTER.format(**named), "utf-8")


def run(folder: Path, *options: object) -> tuple[list[str], str]:
    command = [sys.executable, SCRIPT, folder, *options]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return done.stdout.splitlines(), done.stderr


def test_sentences_of_a_book(tmp_path: Path) -> None:
    book(tmp_path, "Anne")
    sentences, counts = run(tmp_path)
    assert sentences == [
        "i saw mister smith said anne he is the boys' friend",
        "it was late too late",
        "the cat's asleep",
        "they walked along the river until the sun went down behind the hills",
        "nobody came",
    ]
    assert "sentences, seen before: 1\n" in counts
    assert "sentences kept: 5\n" in counts


def test_books_that_were_read_and_books_in_other_languages_are_left_out(tmp_path: Path) -> None:
    for number, title in enumerate(["The Blue Castle: A Tale", "Emma", "Faust", "Kept"], start=1):
        text = f"The story of {title.split(':')[0]} is told here."
        book(tmp_path, title, text, number=number, language="German" if title == "Faust" else "English")
    chapters = tmp_path / "CHAPTERS.TXT"
    chapters.write_text(
        "; a comment\n"
        "1 | 110 | 19.77 | test-clean | 53 | 999 | One | Blue Castle (version 2)\n"
        "2 | 110 | 19.77 | dev-clean | 53 | 2 | One | Another title\n"
        "3 | 110 | 19.77 | train-other-500 | 53 | 4 | One | Kept\n",
        "utf-8",
    )
    assert run(tmp_path, "--chapters", chapters)[0] == ["the story of kept is told here"]


def test_sentences_and_books_of_the_transcripts_are_left_out(tmp_path: Path) -> None:
    said = [f"In chapter {letter} he went to the market and bought a horse." for letter in "abcdef"]
    (tmp_path / "test.jsonl").write_text("".join(json.dumps({"text": text[:-1].upper()}) + "\n" for text in said))
    book(tmp_path, "Read", " ".join(said) + " This is another sentence.")
    book(tmp_path, "Quoted", " ".join(said[:5]) + " This one is its own.")
    assert run(tmp_path, "--without", tmp_path / "test.jsonl")[0] == ["this one is its own"]
