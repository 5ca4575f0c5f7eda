"""The page of a transcript in a real browser, beside its recording and without it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asr.transcript.transcript import Transcript, write
from asr.transcript.words import Word

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "captain.wav"
WORDS = (
    Word("the", 0.1, 0.3, 0.9),
    Word("captain</script><b>", 0.4, 0.9, 0.2),
    Word("مرحبا", 2.0, 2.4, 0.8),
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    sounds = tmp_path / "sounds # 100%"
    sounds.mkdir()
    shutil.copy(EXAMPLE, sounds / "a captain?.wav")
    return tmp_path


def test_a_word_is_played_and_marked(folder: Path, open_page: Callable[..., Any], until: Callable[..., None]) -> None:
    source = folder / "sounds # 100%" / "a captain?.wav"
    (folder / "texts").mkdir()
    write(Transcript(WORDS, 3.0, str(source), "toy"), folder / "texts" / "a.html", "html")
    shutil.copytree(folder, folder.parent / "moved")  # the link to the recording is relative
    shutil.rmtree(source.parent)
    page = open_page(folder.parent / "moved" / "texts" / "a.html")
    assert page.locator("h1").inner_text() == "a captain?.wav"
    assert page.locator("#about").inner_text() == "0:03 · 3 words · model toy · mean confidence 63 %"
    assert page.locator(".words button").all_inner_texts() == [word.text for word in WORDS]
    assert page.locator(".unsure").all_inner_texts() == [WORDS[1].text]
    page.evaluate("document.querySelector('audio').playbackRate = 0.1")  # the word is over soon, a busy machine slow
    page.locator(".words button").nth(2).click()
    until(page, "document.querySelector('audio').currentTime > 2")
    until(page, "document.querySelector('.now') !== null")
    assert page.locator(".now").inner_text() == WORDS[2].text
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("source", [None, "-"])
def test_without_a_recording_it_asks_for_one(
    tmp_path: Path, open_page: Callable[..., Any], until: Callable[..., None], source: str | None
) -> None:
    write(Transcript(WORDS[:1], 3.0, source), tmp_path / "a.html", "html")
    page = open_page(tmp_path / "a.html")
    page.get_by_label("Choose the recording's file to listen:").set_input_files(EXAMPLE)
    page.locator(".words button").first.click()
    until(page, "document.querySelector('audio').currentTime > 0.1")


def test_no_words(tmp_path: Path, open_page: Callable[..., Any]) -> None:
    write(Transcript((), 3.0), tmp_path / "a.html", "html")
    assert "No words were recognised." in open_page(tmp_path / "a.html").locator("#text").inner_text()
