"""A folder on the disk and one in a store do the same."""

import time
from pathlib import Path

import pytest

from asr.bulk import store as stores
from asr.bulk.store import Store, is_url, open_store, writing
from asr.errors import AsrError, DataError, MissingExtra


@pytest.fixture(params=["local", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "memory":
        pytest.importorskip("fsspec", reason="needs the extra bulk")
        return open_store(f"memory://{time.time_ns()}/job")
    prefix = "file://" if request.param == "file" else ""
    return open_store(f"{prefix}{tmp_path}/job")


def test_what_is_written_is_read_and_listed(store: Store, tmp_path: Path) -> None:
    assert store.names("done") == set()
    store.write({"done/a.json": b"1", "done/b.json": b"2", "job.json": b"3"})
    store.write({"done/a.json": b"4"})
    assert store.names("done") == {"a.json", "b.json"}
    assert [store.read(name) for name in ("done/a.json", "done/b.json", "job.json")] == [b"4", b"2", b"3"]
    assert store.local("done/b.json", tmp_path).read_bytes() == b"2"
    with pytest.raises(FileNotFoundError):
        store.read("done/c.json")


def test_a_file_that_is_being_written_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / ".asr-0123456789abcdef.tmp").write_bytes(b"half")
    assert open_store(str(tmp_path)).names("done") == set()


def test_a_file_appears_only_if_its_block_succeeds(tmp_path: Path) -> None:
    pytest.importorskip("fsspec", reason="needs the extra bulk")
    url = f"memory://{time.time_ns()}/out.jsonl"
    for path in (str(tmp_path / "out.jsonl"), url):
        folder, _, name = path.rpartition("/")
        with pytest.raises(ZeroDivisionError), writing(path) as file:
            file.write(b"half")
            raise ZeroDivisionError
        with pytest.raises(FileNotFoundError):
            open_store(folder).read(name)
        with writing(path) as file:
            file.write(b"all")
        assert open_store(folder).read(name) == b"all"


def test_errors_that_a_store_has_of_its_own_are_os_errors() -> None:
    message = r"'s3://x' cannot be read or written \(KeyError: 'no credentials'\): check"
    with pytest.raises(OSError, match=message), stores.os_errors("s3://x"):
        raise KeyError("no credentials")


def test_urls_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec", reason="needs the extra bulk")
    with pytest.raises(DataError, match="'strange://x' cannot be opened"):
        open_store("strange://x")
    with pytest.raises(AsrError, match=r"needs a package of its own"):
        open_store("dask://x")
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(MissingExtra, match=r"\.\[bulk\]"):
        open_store("s3://bucket")


@pytest.mark.parametrize(("path", "expected"), [("s3://a/b", True), ("a/b", False), ("/a:/b", False), ("C:/a", False)])
def test_urls(path: str, expected: bool) -> None:
    assert is_url(path) is expected
