"""Errors that a user can cause, each explained in one sentence.

Every such error is an `AsrError`. Its message is one sentence that says what, where, the value, the rule and the
remedy; the command line prints it and exits with a non-zero status. Any other exception is a bug and keeps its
traceback.
"""

import re


def printable(text: str) -> str:
    """Escape control characters, with which a name could forge lines or steer a terminal.

    A line break stays if the next line is indented, as in lists.
    """
    return re.sub(r"\n(?!  )|[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", lambda match: ascii(match[0])[1:-1], text)


MAX_LINE = 5000
"""Longest line of an error message, in characters: room for the longest path."""


def message_of(error: object) -> str:
    """The message of an error, safe to print: as `printable`, and long lines without their middle.

    They quote what is in hostile files.
    """
    half = MAX_LINE // 2 - 10
    return "\n".join(
        line if len(line) <= MAX_LINE else f"{line[:half]} ... {line[-half:]}"
        for line in printable(str(error)).split("\n")
    )


class AsrError(Exception):
    """An error in the input, explained in one sentence."""


class AudioError(AsrError):
    """A file, stream or array that cannot be read as audio."""


class ArgumentTypeError(AsrError, TypeError):
    """An argument of a type that the function cannot take."""


class DataError(AsrError):
    """A corpus, manifest or text file that violates its format."""


class RecipeError(AsrError):
    """A recipe with an unknown key, a value out of range, or an impossible combination of values."""


class ModelError(AsrError):
    """A model file or run folder that is missing, damaged or written by an incompatible version."""


class ScoreError(AsrError):
    """A score that misses its required limit."""


class MissingExtra(AsrError):
    """A command that needs packages which the base install does not include."""

    def __init__(self, what: str, extra: str, missing: str) -> None:
        super().__init__(
            f"{what} needs the package {missing}, which the base install does not include: "
            f"install it with `pip install '.[{extra}]'` in a checkout of asr."
        )
