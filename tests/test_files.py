"""Files are written atomically, and folders are listed recursively."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from asr.files import below, remove_orphans, replacing


def test_new_content_appears_only_on_success(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_keeps_the_old_file_and_no_temporary_file(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_followed_and_permissions_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    with replacing(pipe) as file:
        file.write(b"hello")
    reader.join(10)
    assert received == [b"hello"] and pipe.is_fifo()


def test_an_error_names_the_requested_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error, replacing(tmp_path / "none" / "x.bin"):
        pass
    assert error.value.filename == str(tmp_path / "none" / "x.bin")


@pytest.mark.skipif(sys.platform == "win32", reason="needs locks that end with the process")
def test_temporary_files_of_killed_processes_are_deleted_and_those_of_others_kept(tmp_path: Path) -> None:
    program = """if True:
        import pathlib, sys, time
        from asr.files import replacing
        with replacing(pathlib.Path(sys.argv[1])):
            print(flush=True)
            time.sleep(600)"""
    command = [sys.executable, "-c", program, str(tmp_path / "x")]
    writers = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline()
    other = tmp_path / ".asr-notes.tmp"
    other.touch()
    old = time.time() - 60
    for path in tmp_path.iterdir():
        os.utime(path, (old, old))
    remove_orphans(tmp_path)
    assert len(list(tmp_path.iterdir())) == 3, "both are being written"
    writers[0].send_signal(signal.SIGKILL)
    writers[0].communicate()
    remove_orphans(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    writers[1].kill()
    writers[1].communicate()
    with replacing(tmp_path / "y") as file:
        file.write(b"new")
    assert {path.name for path in tmp_path.iterdir()} == {".asr-notes.tmp", "y"}


def test_contents_are_on_the_disk_before_they_replace_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"old")
    synced = []

    def fsync(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_size, path.read_bytes()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as file:
        file.write(b"newer")
    assert synced == [(5, b"old")]


def test_a_missing_folder_has_no_orphans(tmp_path: Path) -> None:
    remove_orphans(tmp_path / "none")


def test_files_are_listed_recursively_through_links(tmp_path: Path) -> None:
    far = tmp_path / "far"
    for path in ("far/x.wav", "here/a/b.wav", "here/a.wav", "here/.hidden/c.wav", "here/.d.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    here = tmp_path / "here"
    (here / "linked").symlink_to(far)
    (far / "circle").symlink_to(here)
    (here / "broken").symlink_to(tmp_path / "nowhere")
    assert below(here) == [here / "a/b.wav", here / "a.wav", here / "linked/x.wav"]
