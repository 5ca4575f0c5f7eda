"""Shards hold what their manifest holds, bit for bit, for this program and for Lhotse."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from lhotse import CutSet, MonoCut
from safetensors.torch import load_file

from asr.cli import main
from asr.data import manifest
from asr.data.manifest import Utterance
from asr.errors import AudioError, DataError
from asr.training.data import shar
from asr.training.data.batches import AudioReader

RATE = 16_000
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def spoken(smoke_corpus: Path) -> list[Utterance]:
    return manifest.read(smoke_corpus / "train.jsonl")[:25]


@pytest.fixture
def shards(spoken: list[Utterance], tmp_path: Path) -> Path:
    folder = tmp_path / "shards"
    assert shar.write(spoken, str(folder), shard_size=10, sample_rate=RATE) == (3, {})
    return folder


def check(found: list[Utterance], spoken: list[Utterance]) -> None:
    reader = AudioReader(RATE, 0)
    assert len(found) == len(spoken)
    for one, other in zip(found, spoken, strict=True):
        assert (one.id, one.text, one.speaker, one.split) == (other.id, other.text, other.speaker, other.split)
        torch.testing.assert_close(reader(one), reader(other), rtol=0, atol=0)


def test_the_samples_are_those_of_the_manifest(shards: Path, spoken: list[Utterance]) -> None:
    check(list(shar.utterances(str(shards))), spoken)


def test_any_store_will_do(spoken: list[Utterance]) -> None:
    url = "memory://somewhere/shards"
    shar.write(spoken, url, shard_size=20, sample_rate=RATE)
    check(list(shar.utterances(str(Path(url)))), spoken)  # pathlib drops one of the slashes
    fsspec.filesystem("memory").rm("/somewhere", recursive=True)


def without_origin(cut: MonoCut) -> MonoCut:
    """Lhotse adds what it cannot write."""
    cut.custom = {"tar": (cut.custom or {})["tar"]}
    return cut


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Lhotse leaves files open
def test_lhotse_reads_them(shards: Path, spoken: list[Utterance]) -> None:
    cuts = list(CutSet.from_shar(in_dir=shards))
    assert [(cut.id, cut.supervisions[0].text) for cut in cuts] == [(one.id, one.text) for one in spoken]
    reader = AudioReader(RATE, 0)
    np.testing.assert_array_equal(cuts[0].load_audio()[0], reader(spoken[0]).numpy())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Lhotse leaves files open
def test_what_lhotse_wrote_is_read(shards: Path, spoken: list[Utterance], tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    CutSet.from_shar(in_dir=str(shards)).map(without_origin).to_shar(
        tmp_path / "theirs", fields={"recording": "flac"}, shard_size=10
    )
    check(list(shar.utterances(str(tmp_path / "theirs"))), spoken)
    cuts = [
        json.loads(line)
        for path in sorted((tmp_path / "theirs").glob("cuts.*"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert "tar" in cuts[0]["custom"]  # of the tars that they were copied from, which is not believed


def test_the_same_weights_as_from_the_manifest(smoke_corpus: Path, tmp_path: Path) -> None:
    everything = manifest.read(smoke_corpus / "train.jsonl")
    shar.write(everything, str(tmp_path / "shards"), shard_size=50, sample_rate=RATE)
    for name, given in (("files", smoke_corpus / "train.jsonl"), ("shards", f"shar:{tmp_path}/shards")):
        command = ["train", str(ROOT / "recipes" / "smoke.yaml"), f"data.train=[{given}]", "training.epochs=1"]
        command += [f"data.dev=[{smoke_corpus}/dev.jsonl]", "training.lstm_gradient=own"]
        result = CliRunner().invoke(main, [*command, "--run-dir", str(tmp_path / name)])
        assert result.exit_code == 0, result.output
    one, other = (load_file(tmp_path / name / "state.safetensors") for name in ("files", "shards"))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_bad_audio_is_left_out(spoken: list[Utterance], tmp_path: Path) -> None:
    gone = Utterance("gone", tmp_path / "gone.wav", 1.0, "text")
    count, bad = shar.write([spoken[0], gone], str(tmp_path / "shards"), shard_size=10, sample_rate=RATE)
    assert count == 1
    assert list(bad) == ["gone"]
    assert [one.id for one in shar.utterances(str(tmp_path / "shards"))] == [spoken[0].id]


def test_shards_are_not_mixed_with_others(shards: Path, spoken: list[Utterance]) -> None:
    with pytest.raises(DataError, match="holds shards already"):
        shar.write(spoken, str(shards), shard_size=10, sample_rate=RATE)


def rewrite(shards: Path, change: object) -> None:
    path = shards / "cuts.000000.jsonl.gz"
    rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    rows[0] |= change  # type: ignore[operator]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"supervisions": []}, "one supervision"),
        ({"supervisions": [{"text": 3}]}, '"text" must be a string'),
        ({"type": "MixedCut"}, "one channel"),
        ({"duration": -1}, "more than 0"),
        ({"custom": None, "id": "other"}, "has no sound of the cut 'other'"),
        ({"custom": None, "id": [1]}, "has no sound of the cut"),
        ({"custom": {"tar": [512, 2**61]}, "id": "other"}, "has no sound of the cut 'other'"),
    ],
)
def test_bad_lists(shards: Path, change: dict[str, object], message: str) -> None:
    rewrite(shards, change)
    with pytest.raises(DataError, match=message):
        list(shar.utterances(str(shards)))


def test_damaged_shards(shards: Path, tmp_path: Path) -> None:
    first = next(shar.utterances(str(shards)))
    tar = shards / "recording.000000.tar"
    tar.write_bytes(tar.read_bytes()[:1000])
    with pytest.raises(AudioError, match=r"gave .* bytes instead of"):
        shar.read_member(first.audio_filepath)
    tar.unlink()
    with pytest.raises(DataError, match="does not exist"):
        list(shar.utterances(str(shards)))
    (shards / "cuts.000000.jsonl.gz").write_bytes(b"not gzip")
    tar.write_bytes(b"")
    with pytest.raises(DataError, match="is damaged"):
        list(shar.utterances(str(shards)))
    with pytest.raises(DataError, match="cannot be read"):
        list(shar.utterances(str(tmp_path / "nowhere")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no shards"):
        list(shar.utterances(str(tmp_path / "empty")))


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(b"")
    for place in ("0+999999999999", f"{'9' * 18}+1"):
        with pytest.raises(AudioError):
            shar.read_member(tmp_path / "x.tar" / f"{place}:a")
    assert not shar.is_member(tmp_path / "x.tar" / f"{'9' * 30}+1:a")


def test_one_flipped_byte_is_noticed(shards: Path) -> None:
    path = shards / "cuts.000001.jsonl.gz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is damaged|not UTF-8|not JSON"):
        list(shar.utterances(str(shards)))


def test_a_store_without_empty_folders(spoken: list[Utterance], monkeypatch: pytest.MonkeyPatch) -> None:
    """As s3fs: a folder is there once there is a file in it."""
    files = fsspec.filesystem("memory")
    monkeypatch.setattr(type(files), "makedirs", lambda *_args, **_options: None)
    assert shar.write(spoken[:2], "memory://bucket/new", shard_size=2, sample_rate=RATE) == (1, {})
    files.rm("/bucket", recursive=True)


def test_a_members_place_is_that_in_its_tar(shards: Path) -> None:
    first = next(shar.utterances(str(shards)))
    with tarfile.open(fileobj=io.BytesIO((shards / "recording.000000.tar").read_bytes())) as tar:
        member = tar.next()
        assert member is not None and (content := tar.extractfile(member)) is not None
        assert shar.read_member(first.audio_filepath) == content.read()
