"""Texts in three formats: matching, empty texts, and every error message."""

import random
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.scoring.texts import Texts, read_pair


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def pair(reference: str, hypothesis: str, suffixes: tuple[str, str] = (".trn", ".trn")) -> Texts:
    paths = Path(f"ref{suffixes[0]}"), Path(f"hyp{suffixes[1]}")
    for path, content in zip(paths, (reference, hypothesis), strict=True):
        path.write_text(content, encoding="utf-8")
    return read_pair(*paths)


def test_plain_text() -> None:
    assert pair("one two\n\n東京 は\n", "one\nuh\n東京 が", (".txt", "")) == Texts(
        ["one two", "", "東京 は"], ["one", "uh", "東京 が"], ["1", "2", "3"], [None] * 3
    )


def test_trn_in_any_order() -> None:
    got = pair(
        ";; a comment (x-1)\none two (ann-2)\n(bob_1)\n\nשלום (really) (ann-1)\n",
        "שלום(ann-1)\r\nuh (bob_1)\none  (ann-2)  \n",
    )
    assert got.ids == ["ann-2", "bob_1", "ann-1"]
    assert [text.split() for text in got.references] == [["one", "two"], [], ["שלום", "(really)"]]
    assert [text.split() for text in got.hypotheses] == [["one"], ["uh"], ["שלום"]]
    assert got.speakers == ["ann", "bob", "ann"]


def test_the_order_does_not_matter() -> None:
    lines = [f"word{number} (s{number % 3}-{number})" for number in range(30)]
    shuffled = random.Random(0).sample(lines, len(lines))
    got = pair("\n".join(lines), "\n".join(shuffled))
    assert got.references == got.hypotheses


@pytest.mark.parametrize(
    ("ids", "speakers"),
    [
        (["ann-1", "ann-2", "bob-1"], ["ann", "ann", "bob"]),
        (["ann_1_x", "ann_2", "bob_1"], ["ann", "ann", "bob"]),
        (["a_b-1", "a_b-2", "a_c-1"], ["a_b", "a_b", "a_c"]),  # as sclite: a hyphen before an underscore
        (["1089-134686-0000", "1089-134686-0001", "x"], ["1089", "1089", None]),
        (["an1-ann-b", "an2-ann-b", "an3-bob-b"], [None, None, None]),  # one each: no speakers
    ],
)
def test_speakers_of_trn_ids(ids: list[str], speakers: list[str | None]) -> None:
    lines = "".join(f"a ({id_})\n" for id_ in ids)
    assert pair(lines, lines).speakers == speakers


REF_CTM = "f1 A 0.5 0.2 world\nf1 A 0.1 .2 hello\nf2 1 0 1 good\nf1 B 0.3 0.1 hi\n"


def test_two_ctm_files_by_file_and_channel() -> None:
    got = pair(REF_CTM, ";; made by x\nf1 B 2 0.1 no 0.7\nf1 A 0.1 0.2 hello 0.9\nf3 1 0 1 uh\n", (".ctm", ".ctm"))
    assert got == Texts(
        ["hello world", "good", "hi", ""], ["hello", "", "no", "uh"], ["f1 A", "f2 1", "f1 B", "f3 1"], [None] * 4
    )


@pytest.mark.parametrize("nothing", ["", ";; made by x\n\n"])
def test_a_ctm_file_of_silence(nothing: str) -> None:
    assert pair("hello (s-1)\ngood (s-2)\n", nothing, (".trn", ".ctm")).hypotheses == ["", ""]
    assert pair(REF_CTM, nothing, (".ctm", ".ctm")).hypotheses == ["", "", ""]


def test_trn_and_ctm_are_matched_by_file() -> None:
    trn, ctm = "hello world (s-1)\ngood (s-2)\n(t-1)\n", "s-1 1 0.5 0.2 word\ns-1 1 0.1 0.2 hello\nt-1 1 0 1 uh\n"
    got = pair(trn, ctm, (".trn", ".ctm"))
    assert [text.strip() for text in got.references] == ["hello world", "good", ""]
    assert (got.hypotheses, got.ids, got.speakers) == (["hello word", "", "uh"], ["s-1", "s-2", "t-1"], ["s", "s", "t"])
    other_way = pair(ctm, trn, (".ctm", ".TRN"))
    assert sorted(zip(other_way.ids, other_way.references, strict=True)) == sorted(
        zip(got.ids, got.hypotheses, strict=True)
    )


@pytest.mark.parametrize(
    ("reference", "hypothesis", "suffixes", "sentence"),
    [
        (
            "a\nb\n",
            "a\n",
            (".txt", ".txt"),
            "ref.txt has 2 lines, but hyp.txt has 1: plain texts are matched line by line; leave an empty line where "
            "nothing was said or recognised.",
        ),
        (
            "a\n",
            "a (s-1)\n",
            (".txt", ".trn"),
            "ref.txt is plain text without ids, but the other file has ids: give two plain texts, or two files that "
            "end in .trn or .ctm.",
        ),
        (
            "a (s-1)\nb c\n",
            "a (s-1)\n",
            (".trn", ".trn"),
            "ref.trn, line 2: 'b c' does not end in an id like '(ann-001)'.",
        ),
        (
            "a (s-1)\n;;\nb (s-1)\n",
            "a (s-1)\n",
            (".trn", ".trn"),
            "ref.trn, line 3: duplicate id 's-1', already in line 1; ids must be unique.",
        ),
        (
            "a (s-1)\nb (s-2)\nc (s-3)\n",
            "a (s-1)\n",
            (".trn", ".trn"),
            "hyp.trn lacks 2 of the 3 ids of ref.trn, the first is 's-2': add a line for each; for an empty text just "
            "'(s-2)'.",
        ),
        (
            "a (s-1)\n",
            "a (s-1)\nb (S-1)\n",
            (".trn", ".trn"),
            "ref.trn lacks 1 of the 2 ids of hyp.trn, the first is 'S-1': add a line for each; for an empty text just "
            "'(S-1)'.",
        ),
        ("", "s-1 1 0 1 a\n", (".ctm", ".ctm"), "ref.ctm has no words: there is nothing to score against."),
        (
            "a (s-1)\n",
            "a (t-1)\n",
            (".trn", ".trn"),
            "ref.trn and hyp.trn have no id in common: the first are 's-1' and 't-1'.",
        ),
        (
            "a (s-1)\n",
            "s-1 1 0 1 a\ns-2 1 0 1 a\n",
            (".trn", ".ctm"),
            "ref.trn lacks 1 of the 2 ids of hyp.ctm, the first is 's-2': add a line for each; for an empty text just "
            "'(s-2)'.",
        ),
        (
            "a { b / c } (s-1)\n",
            "a (s-1)\n",
            (".trn", ".trn"),
            "ref.trn, line 1: alternatives like '{ a / b }' are not supported; write only what was said.",
        ),
        (
            "a (s-1)\n",
            "s-1 1 0 1 a\ns-1 2 0 1 a\n",
            (".trn", ".ctm"),
            "hyp.ctm, line 2: 's-1' has the channels 1 and 2, but trn ids have no channel; give both files as ctm.",
        ),
        (
            REF_CTM,
            "f1 A zero 1 a\n",
            (".ctm", ".ctm"),
            "hyp.ctm, line 1: 'f1 A zero 1 a' is not 'file channel start duration word', with both times in seconds.",
        ),
        (
            REF_CTM,
            "f1 A 0 1\n",
            (".ctm", ".ctm"),
            "hyp.ctm, line 1: 'f1 A 0 1' is not 'file channel start duration word', with both times in seconds.",
        ),
        (
            REF_CTM,
            "f1 A * * <ALT_BEGIN>\n",
            (".ctm", ".ctm"),
            "hyp.ctm, line 1: alternatives (<ALT_BEGIN> ... <ALT> ... <ALT_END>) are not supported; keep only what was "
            "said.",
        ),
        (
            REF_CTM,
            "f1 A 1.5 -0.1 hello\n",
            (".ctm", ".ctm"),
            "hyp.ctm, line 1: the start 1.5 and the duration -0.1 must not be negative: correct them, or leave the "
            "line "
            "out.",
        ),
        (
            ";; nothing\n\n",
            "a (s-1)\n",
            (".trn", ".trn"),
            "ref.trn has no utterances: every line is blank or a comment.",
        ),
    ],
)
def test_errors(reference: str, hypothesis: str, suffixes: tuple[str, str], sentence: str) -> None:
    with pytest.raises(DataError) as caught:
        pair(reference, hypothesis, suffixes)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("suffix", [".stm", ".srt", ".vtt", ".json", ".tsv", ".TextGrid"])
def test_files_of_other_formats_are_refused_by_name(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_text("hello there\n")
    with pytest.raises(DataError, match="would count as words"):
        read_pair(path, path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("a b (ann-1)\nc d (ann-2)\n", "trn lines"),
        ("1\n00:00:01,000 --> 00:00:02,000\nhello there\n", "subtitles"),
        ("WEBVTT\n\n00:01.000 --> 00:02.000\nhello\n\n00:02.000 --> 00:03.000\nthere\n", "subtitles"),
        ('{"text": "hello"}\n{"text": "there"}\n', "JSON"),
        ("f1 A 0.5 0.2 world\nf1 A 0.1 0.2 hello\n", "ctm lines"),
    ],
)
def test_other_formats_under_the_name_of_plain_text_are_refused(content: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(DataError, match=kind):
        read_pair(path, path)


def test_kaldis_text_files_are_matched_by_id(tmp_path: Path) -> None:
    (tmp_path / "ref").write_text("utt-1 hello there\nutt-2 you\nutt-3\n")
    (tmp_path / "hyp").write_text("utt-3 oh\nutt-1 hello there\nutt-2\n")
    texts = read_pair(tmp_path / "ref", tmp_path / "hyp")
    assert texts.ids == ["utt-1", "utt-2", "utt-3"]
    assert texts.references == ["hello there", "you", ""]
    assert texts.hypotheses == ["hello there", "", "oh"]


def test_trn_is_read_as_sclite_reads_it(tmp_path: Path) -> None:
    (tmp_path / "r.trn").write_text("a @ b;tag (s-1)\n@ (s-2)\n")
    texts = read_pair(tmp_path / "r.trn", tmp_path / "r.trn")
    assert texts.references == ["a b", ""]
    for line, message in (("{a/b} c (s-1)", "alternatives"), ("a* b (s-1)", r"'a\*' is marked")):
        (tmp_path / "r.trn").write_text(line + "\n")
        with pytest.raises(DataError, match=message):
            read_pair(tmp_path / "r.trn", tmp_path / "r.trn")
