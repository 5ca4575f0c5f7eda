"""onnxruntime-web, which runs models in the browser: `scripts/fetch_onnxruntime_web` puts it here."""

from asr.pages.assemble import PAGES

VERSION = "1.30.0"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"
"""Of the package in the npm registry."""
FOLDER = PAGES / "onnxruntime-web"
"""Where its files are, each compressed by gzip."""
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""Those of the package that are needed: the part that runs on processors."""


def is_installed() -> bool:
    """Whether its files are there."""
    return all((FOLDER / f"{name}.gz").is_file() for name in FILES)
