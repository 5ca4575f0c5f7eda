"""The models that come with the package."""

from pathlib import Path

from asr.errors import ModelError

DEFAULT = "an4"
"""What is used when no model is asked for."""


def shipped() -> dict[str, Path]:
    """Name -> file."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.onnx"))}


def find(model: str) -> Path:
    """The file of a model given by path or by the name of a shipped one. Raises ModelError."""
    path = Path(model)
    if path.suffix == ".onnx" or path.exists():
        return path
    known = shipped()
    if model not in known:
        raise ModelError(f"Model '{model}' is neither a file nor one that is shipped ({', '.join(known)}).")
    return known[model]
