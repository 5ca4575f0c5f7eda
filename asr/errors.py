"""What can go wrong for a user, said in one sentence.

Every error that a user can cause is an `AsrError`. Its message is one sentence that says what, where, the value,
the rule and the remedy; the command line prints it and exits with a non-zero status. Anything else that is raised
is a defect of the program and keeps its traceback.
"""


class AsrError(Exception):
    """A mistake in the input, told in one sentence."""


class AudioError(AsrError):
    """A sound file, or bytes, that cannot be read as sound."""


class DataError(AsrError):
    """A corpus, manifest or text file that breaks its format."""


class RecipeError(AsrError):
    """A recipe with an unknown key, a value out of range, or a combination that cannot work."""


class ModelError(AsrError):
    """A model file or run folder that is missing, damaged or made for another version."""


class ScoreError(AsrError):
    """A score that misses the limit it was given."""


class MissingExtra(AsrError):
    """A command that needs packages which the plain install leaves out."""

    def __init__(self, what: str, extra: str, missing: str) -> None:
        super().__init__(
            f"{what} needs the package {missing}, which the plain install leaves out: "
            f"install it with `pip install '.[{extra}]'` in a checkout of asr."
        )
