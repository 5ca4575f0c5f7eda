"""The models shipped with the package."""

from pathlib import Path

from asr.errors import ModelError

DEFAULT = "english"
"""Name of the model to use if none is given."""


def shipped() -> dict[str, Path]:
    """Map the name of each shipped model to its file."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.onnx"))}


def find(model: str) -> Path:
    """Find a model file by the name of a shipped model, which takes precedence, or by path. Raises ModelError."""
    files = shipped()
    if model in files:
        return files[model]
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file():
        return path
    raise ModelError(
        f"Model '{model}' is neither a file nor a shipped model: give a path or one of {', '.join(files)}."
    )
