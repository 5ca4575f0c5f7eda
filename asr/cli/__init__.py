"""The command line. Each command lives in its own file and is imported only when it is called."""

import importlib
from typing import Any

import click

from asr.errors import AsrError, MissingExtra
from asr.version import __version__

COMMANDS = {
    "transcribe": "Turn sound files into text.",
    "align": "Find when each word of a known text is spoken.",
    "info": "Say what a model file says of itself.",
    "prepare": "Turn a corpus into manifests.",
    "data": "Say what manifests hold, and what is wrong with them.",
    "train": "Train a model from a recipe.",
    "recipe": "Show, compare and describe recipes.",
    "lm": "Train, pack and measure language models.",
    "tune": "Find the weights of a language model on a dev part.",
    "export": "Turn a training run into one .onnx file.",
    "evaluate": "Measure a model's word error rate on a manifest.",
    "compare": "Say whether one of two evaluated systems is better.",
    "score": "Compare two text files: reference and hypothesis.",
}
"""Name -> the one line that `asr --help` shows; the command itself is `asr.cli.NAME:NAME`."""

TRAIN_PACKAGES = {
    "torch",
    "torchaudio",
    "lhotse",
    "lightning_fabric",
    "matplotlib",
    "onnx",
    "safetensors",
    "sentencepiece",
    "tensorboard",
}


RENAMED = {"least-confidence": "min-confidence"}
"""Options by the names of the release before -> their names; they are still understood, and not shown."""


class LazyGroup(click.Group):
    """A click group that knows its commands by name and imports one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        try:
            return getattr(importlib.import_module(f"asr.cli.{cmd_name}"), cmd_name)
        except ModuleNotFoundError as error:
            raise _as_click_error(error, f"`asr {cmd_name}`") from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Add the nearest command to click's "No such command"."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1) if args else []
            if not near:
                raise
            raise click.UsageError(f"{error.message} Did you mean `{near[0]}`?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table above, so that `asr --help` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; a user's mistake becomes one sentence and exit status 1."""
        try:
            return super().invoke(ctx)
        except (AsrError, ImportError, OSError) as error:
            raise _as_click_error(error, f"`asr {ctx.invoked_subcommand}`") from error


def _as_click_error(error: Exception, what: str) -> Exception:
    """The one place where domain errors become the command line's."""
    if isinstance(error, AsrError):
        return click.ClickException(str(error))
    if isinstance(error, BrokenPipeError):
        return error  # click ends quietly when nobody reads
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return click.ClickException(str(MissingExtra(what, "train", package))) if package in TRAIN_PACKAGES else error
    sentence = _reason(error)
    if package := _being_imported(error):
        sentence = (
            f"{what} needs the package {package}, which is installed but cannot be loaded ({sentence}), usually "
            "because its version does not fit another package's: `pip install -c constraints.txt '.[train]'` in a "
            "checkout of asr installs versions that fit."
        )
    elif isinstance(error, OSError) and error.filename:
        sentence = f"'{error.filename}' cannot be read or written ({error.strerror}): choose another place."
    return click.ClickException(sentence)


def _reason(error: Exception) -> str:
    """What an exception says, on one line."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _being_imported(error: Exception) -> str | None:
    """The installed package whose code was being loaded when the error arose: the innermost one, else None.

    A compiled library that does not fit raises an OSError or ImportError on behalf of the package.
    """
    package, trace = None, error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if trace.tb_frame.f_code.co_name == "<module>" and module not in ("asr", "__main__"):
            package = module
        trace = trace.tb_next
    return package


@click.group(
    cls=LazyGroup,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "token_normalize_func": lambda token: RENAMED.get(token, token),
    },
)
@click.version_option(__version__, prog_name="asr")
def main() -> None:
    """Small, fast, honest speech recognition.

    \b
    Example:
      asr transcribe interview.wav
    """
