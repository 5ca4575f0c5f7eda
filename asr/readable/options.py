"""The user's options of written text, shared by the command line, `asr.load` and workers."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class WritingOptions:
    """How recognised words are written."""

    plain: bool = False
    """Leave the words as they are recognised: in lower case, without punctuation."""
    numbers: bool = True
    """Write numbers in digits."""
