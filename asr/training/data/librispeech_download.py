"""Download LibriSpeech with lhotse, which imports torch: only preparing a corpus for training asks for it."""

import tarfile
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path

from asr.data.corpora.librispeech import FOLDER
from asr.errors import DataError

URL = "https://www.openslr.org/resources"
"""lhotse's default URL, but with https, because the archives are not verified with a checksum."""


def download(source: Path, parts: Sequence[str]) -> None:
    """Download the missing parts to `source/LibriSpeech`, or to `source` if that is its name.

    lhotse (extra `train`) downloads PART.tar.gz next to the folder LibriSpeech, resuming an interrupted download, and
    unpacks it, which verifies gzip's checksums; the archive is kept. `LibriSpeech/PART/.completed` then marks the part
    as complete. lhotse deletes a part without this mark before unpacking; therefore a part from another source, which
    has neither mark nor archive, is never passed to it.

    Raises:
        DataError: a part cannot be downloaded or unpacked.
        ModuleNotFoundError: a part must be downloaded, and the extra is not installed.
    """
    target = source.absolute().parent if source.absolute().name == FOLDER else source

    for part in parts:
        folder, archive = target / FOLDER / part, target / f"{part}.tar.gz"
        is_interrupted = archive.exists() and not (folder / ".completed").exists()
        if not is_interrupted and (folder.is_dir() or (source / part).is_dir()):
            continue
        from lhotse.recipes.librispeech import download_librispeech

        try:
            download_librispeech(target, part, base_url=URL)
        except (OSError, HTTPException, EOFError, tarfile.TarError, zlib.error) as error:
            raise DataError(
                f"{part} cannot be downloaded to {target} ({error}); run the command again to resume, or delete "
                f"{archive} to start again."
            ) from error
