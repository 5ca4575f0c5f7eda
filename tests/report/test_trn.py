"""The trn files, as read by sclite."""

import shutil
import subprocess
from pathlib import Path

import pytest

from asr.report import trn


def lines(*utterances: tuple[str | None, str]) -> list[str]:
    rows = [{"speaker": speaker, "id": name, "reference": "a b", "hypothesis": ""} for speaker, name in utterances]
    reference, hypothesis = trn.write({"utterances": rows})
    assert [line.replace("a b", "") for line in reference.splitlines()] == hypothesis.splitlines()
    return reference.splitlines()


def test_the_speaker_is_prepended_to_the_id() -> None:
    assert lines(("mjwl", "an391-mjwl-b")) == ["a b (mjwl-an391-mjwl-b)"]
    assert lines((None, "an391-mjwl-b")) == ["a b (an391-mjwl-b)"]
    assert lines(("19", "19-227-0000"), ("1", "19-227-0000")) == ["a b (19-227-0000)", "a b (1-19-227-0000)"]


def test_an_id_that_only_seems_to_begin_with_the_speaker() -> None:
    assert lines(("F01", "F01_s2-utt3"), ("F01", "F01_utt3")) == ["a b (F01-F01_s2-utt3)", "a b (F01_utt3)"]


def test_characters_that_would_end_a_speaker_or_an_id_are_replaced() -> None:
    assert lines(("anna-maria o_x", "a (b) c")) == ["a b (anna.maria.o.x-a..b..c)"]


@pytest.mark.skipif(shutil.which("sctk") is None, reason="SCTK is not installed (Debian: apt-get install sctk)")
def test_sclite_reads_them_and_finds_the_speakers(made, tmp_path: Path) -> None:
    for name, text in zip(("ref", "hyp"), trn.write(made.document), strict=True):
        (tmp_path / f"{name}.trn").write_text(text)
    command = ["sctk", "sclite", "-r", tmp_path / "ref.trn", "trn", "-h", tmp_path / "hyp.trn", "trn", "-i", "spu_id"]
    done = subprocess.run([*command, "-o", "rsum", "stdout"], capture_output=True, text=True, check=True)
    rows = {row.split()[1]: row.replace("|", " ").split() for row in done.stdout.splitlines() if row.count("|") > 3}
    utterances = made.document["utterances"]
    for speaker in {utterance["speaker"] for utterance in utterances}:
        own = [utterance for utterance in utterances if utterance["speaker"] == speaker]
        assert rows[speaker][1:3] == [str(len(own)), str(sum(u["words"]["reference"] for u in own))]
