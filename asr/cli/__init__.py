"""The command line. Each command lives in its own file and is imported only when it is called."""

import importlib
from typing import Any

import click

from asr.errors import AsrError, MissingExtra, message_of
from asr.version import __version__

COMMANDS = {
    "transcribe": "Transcribe audio and video files.",
    "bulk": "Transcribe large collections in shards.",
    "listen": "Transcribe a microphone or a pipe while it is spoken.",
    "serve": "Serve OpenAI's transcription interface and live audio.",
    "align": "Align a known text with its recording: the time of each word.",
    "inspect": "Show on a page what the network does with a recording.",
    "info": "Show what a model file contains.",
    "prepare": "Convert a corpus to manifests.",
    "data": "Summarise and validate manifests.",
    "train": "Train a model from a recipe.",
    "recipe": "Show, compare and document recipes.",
    "lm": "Train, pack and evaluate language models.",
    "tune": "Tune the decoding of a model on a dev set.",
    "export": "Export a training run to one .onnx file.",
    "evaluate": "Measure a model's word error rate on a manifest.",
    "compare": "Compare two evaluated systems, with significance tests.",
    "score": "Score a hypothesis text against its reference.",
}
"""Command name -> its line in `asr --help`; the command itself is `asr.cli.NAME:NAME`."""

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
"""Hidden aliases for one release: old option name -> current name."""


class LazyGroup(click.Group):
    """A click group that imports a command only when it is called."""

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
        """Add the closest command name to click's "No such command" error."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            matches = difflib.get_close_matches(args[0], COMMANDS, n=1) if args else []
            if not matches:
                raise
            raise click.UsageError(f"{error.message} Did you mean `{matches[0]}`?", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table above, so that `asr --help` imports none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and report a user error as one sentence with exit status 1."""
        try:
            return super().invoke(ctx)
        except (AsrError, ImportError, OSError, MemoryError) as error:
            raise _as_click_error(error, f"`asr {ctx.invoked_subcommand}`") from error


def _as_click_error(error: Exception, what: str) -> Exception:
    """Convert a domain error into a click error; the only place that does."""
    if isinstance(error, AsrError):
        return click.ClickException(message_of(error))
    if isinstance(error, MemoryError):
        return click.ClickException(f"{what} needs more memory than there is: give it less to do at once.")
    if isinstance(error, BrokenPipeError):
        return error  # click exits quietly on a closed pipe
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        return click.ClickException(str(MissingExtra(what, "train", package))) if package in TRAIN_PACKAGES else error
    sentence = _reason(error)
    if package := _failing_import(error):
        sentence = (
            f"{what} needs the package {package}, which is installed but cannot be loaded ({sentence}), usually "
            "because its version is incompatible with another package: `pip install -c constraints.txt '.[train]'` "
            "in a checkout of asr installs compatible versions."
        )
    elif isinstance(error, OSError) and error.filename:
        sentence = f"'{error.filename}' cannot be read or written ({error.strerror}): choose another path."
    return click.ClickException(message_of(sentence))


def _reason(error: Exception) -> str:
    """The message of an exception on one line, without the final full stop."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


def _failing_import(error: Exception) -> str | None:
    """The innermost installed package that was being imported when the error was raised, or None.

    An incompatible compiled library raises an OSError or ImportError inside the package that loads it.
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
