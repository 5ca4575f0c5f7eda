"""The report's folder: each file whole or not there."""

import json
from collections.abc import Mapping
from pathlib import Path

from asr.errors import AsrError
from asr.files import replacing
from asr.report import html, markdown, trn
from asr.report.document import Document
from asr.report.media import Gallery


def write_report(folder: Path, document: Document, gallery: Gallery) -> None:
    """Write report.json, report.md, ref.trn, hyp.trn and index.html; the folder is made where it is missing.

    Raises:
        AsrError: something cannot be written.
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
    """Make the folder, before anything that takes long. Raises AsrError where that is impossible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AsrError(
            f"The folder {folder} cannot be made ({error.strerror}): name one that is there, or a new one."
        ) from error


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts by file name. Raises AsrError where one cannot be written."""
    prepare(folder)
    for name, text in files.items():
        try:
            with replacing(folder / name) as file:
                file.write(text.encode(errors="replace"))  # a path need not be UTF-8
        except OSError as error:
            raise AsrError(f"{folder / name} cannot be written ({error.strerror}): name another folder.") from error
