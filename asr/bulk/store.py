"""Folders on the local disk and in object stores: whole files are written, read and listed, never changed in place.

A URL such as s3://bucket/folder is opened with fsspec, which the extra `bulk` installs; a local folder needs nothing.
A local file replaces the old one atomically. Object stores cannot rename, so a file there is one put; as some show a
file before it is complete, what counts as done has a second file, written after it.
"""

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from asr.errors import AsrError, DataError, MissingExtra
from asr.files import replacing

URL = re.compile(r"(?P<protocol>[a-z][a-z0-9+.-]+)://", re.IGNORECASE)


def is_url(path: str) -> bool:
    """Whether a path is a URL such as s3://bucket/file; file:// counts as one."""
    return URL.match(path) is not None


class Store(Protocol):
    """A folder whose files are named by relative paths with slashes. All methods may be called from several threads."""

    def read(self, name: str) -> bytes:
        """The content of a file. Raises FileNotFoundError if there is none, OSError if it cannot be read."""
        ...

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write whole files, name -> content, and replace those that exist. Raises OSError."""
        ...

    def names(self, folder: str) -> set[str]:
        """The names of the files in a subfolder, without the folder; none if there is no such folder."""
        ...

    def local(self, name: str, scratch: Path) -> Path:
        """A file as one on the local disk: itself, or a copy in the folder `scratch`. Raises OSError."""
        ...


def open_store(path: str) -> Store:
    """Open a folder, which need not exist yet.

    Raises:
        MissingExtra: a URL needs fsspec, or the package for its protocol.
        DataError: no package knows the protocol of the URL.
    """
    if path.startswith("file://"):
        path = path.removeprefix("file://")
    return RemoteStore(path) if is_url(path) else LocalStore(path)


class LocalStore:
    """A folder on the local disk, or on a file system that all machines share."""

    def __init__(self, path: str) -> None:
        self.folder = Path(path)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def write(self, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            with replacing(path) as file:
                file.write(content)

    def names(self, folder: str) -> set[str]:
        try:
            return {entry.name for entry in os.scandir(self.folder / folder) if not entry.name.startswith(".")}
        except FileNotFoundError:
            return set()

    def local(self, name: str, scratch: Path) -> Path:
        return self.folder / name


class RemoteStore:
    """A folder in any store that fsspec reaches."""

    def __init__(self, url: str) -> None:
        self.system, root = file_system(url)
        self.url, self.root = url, root.rstrip("/")

    def read(self, name: str) -> bytes:
        with os_errors(self.url):
            return self.system.cat_file(f"{self.root}/{name}")

    def write(self, files: Mapping[str, bytes]) -> None:
        with os_errors(self.url):
            if not self.system.async_impl:  # others need the folder first; object stores have none
                for folder in {name.rpartition("/")[0] for name in files}:
                    self.system.makedirs(f"{self.root}/{folder}", exist_ok=True)
            self.system.pipe({f"{self.root}/{name}": content for name, content in files.items()})

    def names(self, folder: str) -> set[str]:
        try:
            with os_errors(self.url):
                found = self.system.ls(f"{self.root}/{folder}", detail=False, refresh=True)
        except FileNotFoundError:
            return set()
        return {path.rstrip("/").rpartition("/")[2] for path in found} - {"", folder}

    def local(self, name: str, scratch: Path) -> Path:
        path = scratch / name.replace("/", "-")
        with os_errors(self.url):
            self.system.get_file(f"{self.root}/{name}", str(path))
        return path


@contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """Open a file for writing, which appears at a path or URL when the block succeeds. Raises OSError."""
    if not is_url(path):
        with replacing(Path(path)) as file:
            yield file
        return
    system, remote = file_system(path)
    with tempfile.NamedTemporaryFile() as file:
        yield file
        file.flush()
        with os_errors(path):
            system.put_file(file.name, remote)


@contextmanager
def os_errors(url: str) -> Iterator[None]:
    """Raise the errors that each store has of its own, of credentials and networks, as OSError."""
    try:
        yield
    except (OSError, ImportError, ValueError):
        raise
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")
        raise OSError(
            f"'{url}' cannot be read or written ({reason}): check the address and the credentials."
        ) from error


def file_system(url: str) -> tuple[Any, str]:
    """The file system of a URL, and its path in there.

    Raises:
        MissingExtra: fsspec or the package for the protocol is not installed.
        DataError: no package knows the protocol.
        AsrError: the store refuses to be opened.
    """
    try:
        import fsspec.core
    except ModuleNotFoundError as error:
        raise MissingExtra(f"The URL '{url}'", "bulk", error.name or "fsspec") from None
    try:
        with os_errors(url):
            system, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise AsrError(f"'{url}' needs a package of its own ({reason}): install it next to the extra `bulk`.") from None
    except ValueError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DataError(f"'{url}' cannot be opened ({reason}): give a folder, or a URL that fsspec knows.") from None
    return system, path
