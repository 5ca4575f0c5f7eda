"""The systems of a comparison, as read from reports that may come from elsewhere, and from texts."""

import json
from pathlib import Path

import pytest

from asr.errors import DataError
from asr.report.systems import compare, compare_runs, read_reports, read_texts, reports_in
from asr.scoring.alignment import Rule
from asr.scoring.texts import ENGLISH, UNCHANGED
from asr.scoring.wer import Score, score

REFERENCES = [f"one two three {number % 3}" for number in range(20)]


def system(every: int, rule: Rule = "fewest") -> Score:
    """The output of a system that deletes a word in each `every`th utterance."""
    texts = [text if place % every else text.replace("two ", "") for place, text in enumerate(REFERENCES)]
    return score(REFERENCES, texts, speakers=[f"s{place % 4}" for place in range(20)], rule=rule)


def scores(a: Path, b: Path, rule: Rule | None = None) -> tuple[Score, ...]:
    return tuple(read.score for read in read_reports(a, b, rule=rule))


def write(path: Path, result: Score, **fields: object) -> Path:
    path.write_text(json.dumps({"utterances": [u.to_dict() for u in result.utterances]} | fields), encoding="utf-8")
    return path


def test_reports_are_read_from_files_and_folders(tmp_path: Path) -> None:
    a, b = system(2), system(3)
    write(tmp_path / "report.json", a)
    assert scores(tmp_path, write(tmp_path / "b.json", b, rule="fewest")) == (a, b)


def test_the_rule_is_that_of_the_reports_unless_given(tmp_path: Path) -> None:
    a = write(tmp_path / "a.json", system(2), rule="sclite")
    b = write(tmp_path / "b.json", system(3), rule="sclite")
    c = write(tmp_path / "c.json", system(3))
    assert scores(a, b) == (system(2, "sclite"), system(3, "sclite"))
    assert scores(a, b, "fewest") == scores(a, c, "fewest") == (system(2), system(3))
    with pytest.raises(DataError, match=r"a.json is aligned by the rule sclite and \S+c.json by fewest: choose one"):
        read_reports(a, c)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"utterances": 130}',
        '{"utterances": []}',
        '{"utterances": [{"id": "a"}]}',
        '{"utterances": [{"id": "a", "reference": "a", "hypothesis": null, "speaker": null}]}',
        '{"utterances": [{"id": "a", "reference": "a", "hypothesis": "a"}]}',
        '{"utterances": [{"id": "a", "reference": "a", "hypothesis": "a", "speaker": null}], "rule": "best"}',
        '{"utterances": [{"id": "a", "reference": "a", "hypothesis": "a", "speaker": null}], "rule": ["fewest"]}',
        b"\xff",
    ],
)
def test_files_that_are_not_reports(tmp_path: Path, content: str | bytes) -> None:
    good = write(tmp_path / "good.json", system(2))
    bad = tmp_path / "bad.json"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(
        DataError, match=r"bad.json is not a report: give the output of `asr evaluate ... -o FOLDER`, or"
    ):
        read_reports(good, bad)


def test_a_missing_report(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^Cannot read \S+report.json: No such file or directory.$"):
        read_reports(tmp_path, tmp_path)


def test_what_a_report_says_of_its_system(tmp_path: Path) -> None:
    facts = {
        "model": {"name": "english", "given": "old.onnx", "parameters": 6_602_365, "licence": "none"},
        "decoding": "greedy",
        "corpora": [{"name": "clean/test"}, {"name": "other/test"}],
        "origin": {"created": "2020-02-02T02:02:02+00:00"},
    }
    a, b = write(tmp_path / "a.json", system(2), **facts), write(tmp_path / "b.json", system(3))
    first, second = read_reports(a, b)
    assert first.facts == {
        "model": "english (old.onnx) with 6,602,365 parameters",
        "decoding": "greedy",
        "data": "clean/test, other/test",
        "date": "2020-02-02",
    }
    assert second.facts == {}
    assert compare(first, second).facts == (first.facts, {})
    assert (first.name, first.page) == (str(a), tmp_path / "index.html")


@pytest.mark.parametrize("odd", [7, ["x"], {"name": 7, "created": [1]}, [{"name": {}}, 3], None, True])
def test_odd_facts_of_a_foreign_report_are_left_out(tmp_path: Path, odd: object) -> None:
    path = write(tmp_path / "a.json", system(2), model=odd, decoding=odd, corpora=odd, origin=odd)
    assert read_reports(path, path)[0].facts == {}


def test_texts_are_scored_against_one_reference(tmp_path: Path) -> None:
    files = {"r.txt": "One, two.\nthree\n", "a.txt": "one two\nfour\n", "b.txt": "one too\nthree\n"}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    reference, a_path, b_path = (tmp_path / name for name in files)
    a, b = read_texts(reference, a_path, b_path, "fewest", ENGLISH)
    assert (a.score.words.errors, b.score.words.errors, a.score.words.reference) == (1, 1, 3)
    assert (a.name, a.facts, a.page) == (str(a_path), {"data": str(reference)}, None)
    assert read_texts(reference, a_path, b_path, "fewest", UNCHANGED)[0].score.words.errors == 3
    (tmp_path / "b.txt").write_text("one\n")
    with pytest.raises(DataError, match="matched line by line"):
        read_texts(reference, a_path, b_path, "fewest", ENGLISH)


def test_a_folder_of_reports_has_the_runs_of_a_system(tmp_path: Path) -> None:
    for name, every in (("2", 3), ("10", 4), ("1", 2)):
        (tmp_path / "a" / name).mkdir(parents=True)
        write(tmp_path / "a" / name / "report.json", system(every))
    (tmp_path / "a" / "notes").mkdir()
    paths = reports_in(tmp_path / "a")
    assert paths == [tmp_path / "a" / name for name in ("1", "10", "2")]
    assert [read.score for read in read_reports(*paths)] == [system(2), system(4), system(3)]
    assert reports_in(tmp_path / "a" / "1") == [tmp_path / "a" / "1"]
    assert reports_in(tmp_path / "a" / "1" / "report.json") == [tmp_path / "a" / "1" / "report.json"]
    with pytest.raises(DataError, match="Cannot read"):
        read_reports(*reports_in(tmp_path / "missing"))


def test_runs_have_the_facts_that_all_of_them_share(tmp_path: Path) -> None:
    for place, decoding in enumerate(("greedy", "greedy", "beam")):
        write(tmp_path / f"{place}.json", system(place + 2), decoding=decoding, model={"name": "m"})
    runs = read_reports(*(tmp_path / f"{place}.json" for place in range(3)))
    comparison = compare_runs((Path("a"), Path("b")), (runs[:2], runs[1:]))
    assert (comparison.a.facts, comparison.b.facts) == ({"model": "m", "decoding": "greedy"}, {"model": "m"})
    assert (comparison.a.name, comparison.a.names[1]) == ("a", str(tmp_path / "1.json"))
