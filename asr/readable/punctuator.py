"""An exported punctuation model in onnxruntime: labels the words of a text."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr.errors import ModelError
from asr.models.description import punctuation_from_metadata
from asr.models.session import open_session
from asr.readable.labels import CASES, MARKS
from asr.readable.pieces import MAX_PIECES, as_rows

INPUTS = {"pieces", "pauses", "lengths"}


class Punctuator:
    """A punctuation model file."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Open a model file.

        Raises:
            ModelError: no such file, not ONNX, or not a punctuation model made by `asr export`.
        """
        self._session = open_session(path, threads)
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.description = punctuation_from_metadata(metadata, f"'{path}'")
        outputs = {node.name: node.shape[-1] for node in self._session.get_outputs()}
        is_right = {node.name for node in self._session.get_inputs()} == INPUTS
        is_right = is_right and outputs == {"marks": len(MARKS), "cases": len(CASES)}
        rows = self.description.recipe.get("punctuation", {}).get("rows")
        if not is_right or not isinstance(rows, int) or rows < 2:
            raise ModelError(f"Model '{path}' does not label words by the marks {MARKS[1:]}: export it again.")
        self._rows = rows
        self._path = path

    def log_probs(self, words: Sequence[str], pauses: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Natural-log probabilities of the marks after and the cases of the words of one text, in lower case.

        Args:
            words: of the text.
            pauses: class of the pause after each (`asr.readable.pauses`).

        Shape: T words -> (T, len(MARKS)), (T, len(CASES))
        """
        inputs = {
            "pieces": as_rows(list(words), self._rows).reshape(1, -1, MAX_PIECES),
            "pauses": np.array([pauses], dtype=np.int64),
            "lengths": np.array([len(words)], dtype=np.int64),
        }
        try:
            marks, cases = self._session.run(["marks", "cases"], inputs)
        except Exception as error:  # onnxruntime's exceptions have no other common base class
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ModelError(f"Model '{self._path}' cannot be run ({reason}): export it again.") from None
        return np.asarray(marks)[0], np.asarray(cases)[0]
