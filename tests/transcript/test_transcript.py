"""Merging channels, mean confidence, and writing files."""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_transcripts import SMALL, by_channel, one_channel

from asr.errors import AsrError
from asr.transcript.formats import FORMATS, render
from asr.transcript.transcript import Transcript, merged, write
from asr.transcript.words import Word


@settings(deadline=None)
@given(st.lists(one_channel(), min_size=1, max_size=3))
def test_merged_channels_are_ordered_phrase_by_phrase(channels: list[Transcript]) -> None:
    whole = merged(channels)
    assert whole.duration_s == max(transcript.duration_s for transcript in channels)
    channel_words = by_channel(whole.words)
    for channel, transcript in enumerate(channels, start=1):
        assert [replace(word, channel=None) for word in channel_words.get(channel, [])] == list(transcript.words)

    def separates(before: Word, after: Word) -> bool:
        return before.channel != after.channel or round(1000 * after.start_s) - round(1000 * before.end_s) >= 700

    pairs = list(itertools.pairwise(whole.words))
    phrases = [*whole.words[:1], *(after for before, after in pairs if separates(before, after))]
    starts = [(word.start_s, word.channel) for word in phrases]
    assert starts == sorted(starts)


def test_confidence_is_the_mean_over_words() -> None:
    assert SMALL.confidence == pytest.approx((0.98765 + 0.5 + 1.0 + 0.25) / 4)


def test_unknown_format(tmp_path: Path) -> None:
    message = (
        "Unknown transcript format 'doc': choose one of txt, json, srt, vtt, tsv, ctm, TextGrid, audacity, html\\."
    )
    with pytest.raises(AsrError, match=message):
        SMALL.to("doc")
    with pytest.raises(AsrError, match=message):
        write(SMALL, tmp_path / "a.doc", "doc")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FORMATS)
def test_write_replaces_the_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"talk.{name}"
    path.write_text("old and much longer than the new content\n" * 100)
    write(SMALL, path, name)
    assert path.read_bytes() == render(SMALL, name, folder=tmp_path).encode("utf-8")
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_keeps_the_old_file_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    path = tmp_path / "talk.txt"
    path.write_text("old\n")
    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(AsrError, match=r"Cannot write .*talk\.txt: No space left on device\."):
        write(SMALL, path, "txt")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_write_to_an_impossible_path(tmp_path: Path) -> None:
    with pytest.raises(AsrError, match=r"Cannot write .*none/talk\.txt: No such file or directory\."):
        write(SMALL, tmp_path / "none" / "talk.txt", "txt")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(AsrError, match=r"Cannot write .*folder: Is a directory\."):
        write(SMALL, folder, "txt")
    assert list(tmp_path.iterdir()) == [folder]
