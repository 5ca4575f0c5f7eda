"""Write the report folder; each file is written atomically."""

import json
from collections.abc import Mapping
from pathlib import Path

from asr.errors import AsrError
from asr.files import replacing
from asr.report import html, markdown, trn
from asr.report.document import Document
from asr.report.media import NO_MEDIA, Gallery


def write_report(folder: Path, document: Document, gallery: Gallery = NO_MEDIA) -> None:
    """Write report.json, report.md, ref.trn, hyp.trn and index.html; the folder is created if it is missing.

    Raises:
        AsrError: a file cannot be written.
    """
    reference, hypothesis = trn.write(document)
    write_files(
        folder,
        {
            "index.html": html.write(document, gallery),
            "report.md": markdown.write(document),
            "ref.trn": reference,
            "hyp.trn": hypothesis,
            "report.json": json.dumps(document, ensure_ascii=False, allow_nan=False) + "\n",
        },
    )


def prepare(folder: Path) -> None:
    """Create the folder before any work that takes long. Raises AsrError if that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AsrError(
            f"The folder {folder} cannot be created ({error.strerror}): choose an existing or a new folder."
        ) from error


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write text files given by name. Raises AsrError if one cannot be written."""
    prepare(folder)
    for name, text in files.items():
        try:
            with replacing(folder / name) as file:
                file.write(text.encode(errors="replace"))  # paths may not be valid UTF-8
        except OSError as error:
            raise AsrError(f"{folder / name} cannot be written ({error.strerror}): choose another folder.") from error
