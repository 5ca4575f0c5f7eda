"""The program `asr`: the command line with its streams and signals in order."""

import os
import signal
import sys
from typing import Any, NoReturn

import click

from asr.cli import main


def run() -> NoReturn:
    """Run the command line and exit; interrupted, die by the signal, so that a calling shell stops, too."""
    _prepare_streams()
    signals = _Signals()
    try:
        code = main(prog_name="asr", standalone_mode=False)  # None, or the status given to `Context.exit`
    except (click.Abort, KeyboardInterrupt):
        _die(signal.SIGINT)
    except BaseException as error:
        if signals.received is not None:  # also where a package, interrupted in its import, makes an error of it
            _die(signals.received)
        if isinstance(error, click.ClickException):
            error.show()
            code = error.exit_code
        elif isinstance(error, SystemExit):
            code = error.code
        else:
            raise
    finally:
        signals.release()
    sys.exit(_flushed(code))


class _Terminated(BaseException):
    """SIGTERM arrived: what is open is closed on the way up, as for Ctrl-C."""


class _Signals:
    """Remembers which signal has arrived, and raises the exception that closes what is open."""

    received: signal.Signals | None = None

    def __init__(self) -> None:
        signal.signal(signal.SIGTERM, self.terminate)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it is ignored in the background
            signal.signal(signal.SIGINT, self.interrupt)

    def release(self) -> None:
        """Let signals end the program at once: all is done, and an exception would be printed while Python exits."""
        for number in (signal.SIGTERM, signal.SIGINT):
            if signal.getsignal(number) in (self.terminate, self.interrupt):
                signal.signal(number, signal.SIG_DFL)

    def terminate(self, *_: object) -> None:
        self.received = signal.SIGTERM
        raise _Terminated

    def interrupt(self, *_: object) -> None:
        self.received = signal.SIGINT
        raise KeyboardInterrupt


def _die(number: signal.Signals) -> NoReturn:
    """End by a signal, or, where that is not possible, with the exit status that shells give it."""
    signal.signal(number, signal.SIG_DFL)
    if os.name == "posix":
        os.kill(os.getpid(), number)
    os._exit(128 + number)


class _Nowhere:
    """Standard output where there is none: writing to it is an error, as it should be."""

    encoding, errors = "utf-8", "strict"

    def write(self, text: str) -> int:
        if text:
            raise OSError(9, "it is closed", "standard output")
        return 0

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


def _prepare_streams() -> None:
    """Replace closed streams, and characters that an encoding lacks by their codes, instead of failing."""
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - open until the end
    if sys.stdout is None:
        sys.stdout = _Nowhere()  # type: ignore[assignment]
    for stream in (sys.stdout, sys.stderr):
        if (reconfigure := getattr(stream, "reconfigure", None)) is not None:
            reconfigure(errors="backslashreplace")


def _flushed(code: Any) -> Any:
    """The exit status, or 1 if the last of the output could not be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - Python flushes it again
        return code
    except OSError as error:
        sys.stderr.write(f"Error: The output could not be written ({error.strerror or error}).\n")
        return code or 1
    return code
