"""The models that come with the package."""

from pathlib import Path

from asr.errors import ModelError

DEFAULT = "english"
"""What is used when no model is asked for."""


def shipped() -> dict[str, Path]:
    """Name -> file."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.onnx"))}


def find(model: str) -> Path:
    """The file of a model given by the name of a shipped one, which goes first, or by path. Raises ModelError."""
    known = shipped()
    if model in known:
        return known[model]
    path = Path(model)
    if path.suffix == ".onnx" or path.is_file():
        return path
    raise ModelError(f"Model '{model}' is neither a file nor one that is shipped ({', '.join(known)}).")
