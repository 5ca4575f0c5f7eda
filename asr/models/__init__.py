"""The models shipped with the package."""

import os
from pathlib import Path

from asr.errors import ModelError

DEFAULT = "english"
"""Name of the model to use if none is given, not even by the environment variable ASR_MODEL."""

PUNCTUATION = Path(__file__).parent / "punctuation" / "english.onnx"
"""The punctuation model, which writes the text of English models."""


def shipped() -> dict[str, Path]:
    """Map the name of each shipped model to its file."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.onnx"))}


def notices(path: Path) -> str:
    """The notices that accompany a shipped model wherever it goes; empty for other models."""
    return (path.parent / "NOTICE.txt").read_text(encoding="utf-8") if path in shipped().values() else ""


def is_named(path: Path) -> bool:
    """Whether a path, which may also be that of another file, is an .onnx file or the name of a shipped model."""
    return path.suffix == ".onnx" or (str(path) in shipped() and not path.is_file())


def find(model: str | None = None) -> Path:
    """Find a model file by the name of a shipped model, which takes precedence, or by path.

    None means the one that the environment variable ASR_MODEL names, else the default. Raises ModelError.
    """
    if model is None:
        model = os.environ.get("ASR_MODEL") or DEFAULT
    files = shipped() | {"punctuation": PUNCTUATION}
    if model in files:
        return files[model]
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file():
        return path
    raise ModelError(
        f"Model '{model}' is neither a file nor a shipped model: give a path or one of {', '.join(shipped())}."
    )
