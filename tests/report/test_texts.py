"""The report of a text against its reference, and its page without audio."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asr.report import markdown, texts
from asr.report.document import Document
from asr.report.output_folder import write_report
from asr.scoring.texts import ENGLISH, Texts
from asr.scoring.wer import score


@pytest.fixture
def document() -> Document:
    given = Texts(
        ["One, two!", "three  four", "five six", "seven"],
        ["one two", "three for", "six", "seven"],
        ["ann-1", "ann-2", "bob-1", "bob-2"],
        ["ann", "ann", "bob", "bob"],
    )
    changed = given.changed(ENGLISH.change)
    scored = score(changed.references, changed.hypotheses, ids=changed.ids, speakers=changed.speakers)
    reference, hypothesis = Path("data/ref.trn"), Path("theirs/hyp.trn")
    return texts.build(
        given,
        scored,
        reference=reference,
        hypothesis=hypothesis,
        normalisation=ENGLISH,
        origin={"created": "", "command": "", "made_with": ""},
    )


def test_what_a_text_does_not_tell_is_null(document: Document) -> None:
    assert document["decoding"] is document["speed"] is document["calibration"] is None
    assert document["model"] == {"name": "hyp.trn", "given": "theirs/hyp.trn"}
    assert document["corpora"] == [{"name": "ref.trn", "manifest": "data/ref.trn", "utterances": 4, "duration_s": None}]
    assert document["normalisation"]["changed"] == 1  # white space is no change
    assert (document["parts"]["duration"], document["parts"]["speaking_rate"]) == ([], [])
    assert [part["words"]["errors"] for part in document["parts"]["speaker"]] == [1, 1]
    first = document["utterances"][0]
    assert (first["text"], first["reference"], first["duration_s"], first["recognised"]) == (
        "One, two!",
        "one two",
        None,
        [],
    )
    assert "Decoding" not in markdown.write(document)


def test_its_page_has_all_but_audio_times_and_confidence(
    document: Document, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    write_report(tmp_path, document)
    page = open_page(tmp_path / "index.html")
    assert page.locator("h1").inner_text() == page.title() == "hyp.trn on ref.trn"
    heads = page.locator("#utterances-body thead th").all_inner_texts()
    assert [head.strip("▼") for head in heads] == ["utterance", "WER", "reference and hypothesis", "speaker", "errors"]
    assert page.locator("#confidence, #confidence-link").count() == 0
    assert page.locator(".histogram").count() == 1
    assert "audio" not in page.locator("#show").inner_text()
    page.keyboard.press("n")
    assert "null" not in page.locator("td.detail").inner_text()
    assert "null" not in page.locator("#measured-body").inner_text()
    assert "ENGLISH".lower() in page.locator("#measured-body").inner_text()
