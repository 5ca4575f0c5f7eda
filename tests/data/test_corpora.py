"""Corpora: held-out speakers and written manifests, on invented speakers and on the real AN4."""

import json
import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from corpus_files import RATE, put
from hypothesis import given
from hypothesis import strategies as st

from asr import audio
from asr.data import corpora, manifest
from asr.data.corpora import Corpus, jsonl
from asr.data.manifest import Utterance
from asr.errors import DataError

REAL_AN4 = Path(__file__).parents[2] / "../shared/data/an4.jsonl"


def utterances_of(*speakers: str | None, split: str = "train") -> list[Utterance]:
    return [
        Utterance(f"{split}-{number}", Path("/a.wav"), 1.0, "A", speaker=speaker, split=split)
        for number, speaker in enumerate(speakers)
    ]


def dev_of(utterances: list[Utterance]) -> set[str | None]:
    return {utterance.speaker for utterance in utterances if utterance.split == "dev"}


AN4_LIKE = [f"f{number}" for number in range(21)] + [f"m{number}" for number in range(53)]


@given(st.data())
def test_holding_out_keeps_all_utterances_and_shares_no_speaker(data):
    names = data.draw(st.lists(st.text("fmx1", min_size=1, max_size=3), min_size=2, max_size=30))
    count = data.draw(st.integers(1, len(set(names)) - 1)) if len(set(names)) > 1 else 0
    before = utterances_of(*names) + utterances_of(*names, split="test")
    after = corpora.hold_out(before, count, data.draw(st.integers()))
    assert len(dev_of(after)) == count
    assert not dev_of(after) & {utterance.speaker for utterance in after if utterance.split == "train"}
    assert [replace(u, split=b.split) for u, b in zip(after, before, strict=True)] == before
    assert [u for u in after if u.split == "test"] == [u for u in before if u.split == "test"]


def test_women_and_men_are_held_out_in_proportion():
    for count in range(1, len(AN4_LIKE)):
        dev = dev_of(corpora.hold_out(utterances_of(*AN4_LIKE), count))
        women = sum(str(name).startswith("f") for name in dev)
        assert abs(women - count * 21 / 74) <= 0.5


def test_the_draw_depends_on_names_and_seed_alone():
    shuffled = random.Random(1).sample(AN4_LIKE, len(AN4_LIKE))
    first = dev_of(corpora.hold_out(utterances_of(*AN4_LIKE), 10, 0))
    assert dev_of(corpora.hold_out(utterances_of(*shuffled, *shuffled), 10, 0)) == first
    assert dev_of(corpora.hold_out(utterances_of(*AN4_LIKE), 10, 1)) != first


@pytest.mark.parametrize(
    ("utterances", "message"),
    [
        (
            utterances_of("a", "b", split="test"),
            "with a train split and without a dev split, but this one has test: use --dev-speakers 0.",
        ),
        (
            utterances_of("a") + utterances_of("b", split="dev"),
            "without a dev split, but this one has train, dev: use --dev-speakers 0.",
        ),
        (utterances_of("a", None, "b"), "cannot be held out because train utterances have no speaker: train-1."),
        (utterances_of("a", "b", "a"), "2 dev speakers are too many: train has 2, and at least one must remain."),
    ],
)
def test_speakers_that_cannot_be_held_out(utterances, message):
    with pytest.raises(DataError, match=re.escape(message)):
        corpora.hold_out(utterances, 2)


def test_writing_one_manifest_per_split(tmp_path):
    parts = {name: utterances_of("a", split=name) for name in ("zoo", "test", "all", "dev", "train")}
    files = corpora.write([utterance for part in parts.values() for utterance in part], tmp_path / "new" / "out")
    assert list(files) == ["train", "dev", "test", "all", "zoo"]
    assert {name: manifest.read(path) for name, path in files.items()} == parts


def test_writing_to_a_folder_that_cannot_be_created(tmp_path):
    put(tmp_path / "file", "")
    with pytest.raises(DataError, match=r"file cannot be created as a folder: File exists\."):
        corpora.write(utterances_of("a"), tmp_path / "file")


# The real AN4


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Corpus:
    if not REAL_AN4.is_file():
        pytest.skip(f"{REAL_AN4} is not here")
    return jsonl.read(REAL_AN4, tmp_path_factory.mktemp("an4"))


def test_real_an4_is_complete(real):
    rows = [json.loads(line) for line in REAL_AN4.read_text().splitlines()]
    assert Counter(utterance.split for utterance in real.utterances) == {"train": 948, "test": 130}
    assert [(u.id, u.text, u.duration, u.speaker) for u in real.utterances] == [
        (row["id"], row["text"], row["duration"], row["speaker"]) for row in rows
    ]
    assert real.notes == []


def test_real_an4_dev_set(real):
    parts = corpora.split_up(corpora.hold_out(real.utterances, 10))
    speakers = {name: {utterance.speaker for utterance in part} for name, part in parts.items()}
    assert {name: len(names) for name, names in speakers.items()} == {"train": 64, "dev": 10, "test": 10}
    assert not speakers["train"] & speakers["dev"]
    assert len(parts["train"]) + len(parts["dev"]) == 948
    # In full: scores on this part are compared over the years, so no change may move it unseen.
    assert " ".join(sorted(map(str, speakers["dev"]))) == "flrp fsrb fwxs mcen mgah mmal mmap mrcb mrjc2 mtos"


def test_real_an4_durations_are_those_of_the_audio(real):
    for utterance in random.Random(0).sample(real.utterances, 20):
        samples = audio.load(utterance.audio_filepath, RATE)
        assert len(samples) / RATE == pytest.approx(utterance.duration, abs=0.02)
