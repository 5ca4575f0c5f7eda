"""What a process that transcribes a recording may take, and a watch over it: for `workers.py` and the server."""

import ctypes
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

CHECK_S = 1.0
"""How often a process is watched."""

STOPPED_CHECKS = 3
"""In how many checks in a row a process must be stopped (SIGSTOP) to count as such: Ctrl-Z stops all of them."""

OPENING_S = 600.0
"""Time in which a process must have loaded the model."""

Fault = Literal["", "stopped", "slow"]
"""Why a process has to be killed: it was stopped by a signal, or takes longer than it may."""


@dataclass(frozen=True)
class Limits:
    """What a recording may take; None is no limit."""

    memory_gib: float | None = 4.0
    """Memory in GiB that its process may allocate once the model is loaded; files that are mapped do not count."""
    step_s: float | None = 600.0
    """Time in seconds for each step of a recording, about half a minute of audio."""


DEFAULT_LIMITS = Limits()


class Watch:
    """Notices that a process was stopped, or has sent nothing for too long."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._heard = self._checked = time.monotonic()
        self._stopped_checks = 0

    def heard(self) -> None:
        """Take notice that it has sent something, or been given something to do."""
        self._heard = time.monotonic()

    def check(self, limit_s: float | None) -> Fault:
        """Return what is wrong with the process, which may be silent for `limit_s`. Called every `CHECK_S`."""
        now = time.monotonic()
        if (paused_s := now - self._checked - 2 * CHECK_S) > 0:  # this process was stopped, or could not print
            self._heard = min(now, self._heard + paused_s)
        self._checked = now
        self._stopped_checks = self._stopped_checks + 1 if _is_stopped(self._pid) else 0
        if self._stopped_checks >= STOPPED_CHECKS:
            return "stopped"
        return "slow" if limit_s is not None and now - self._heard > limit_s else ""


def _is_stopped(pid: int) -> bool:
    """Whether a process was stopped by a signal (SIGSTOP); False where that cannot be known."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    return status.rpartition(b")")[2].split()[0] in (b"T", b"t")


def how_ended(exit_code: int) -> str:
    """How a process ended, in words."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    reasons = {"SIGKILL": "memory ran out", "SIGBUS": "a file was truncated while it was read"}
    return f"killed by {name}" + (f", perhaps because {reasons[name]}" if name in reasons else "")


def was_killed(exit_code: int) -> bool:
    """Whether a process was ended from outside, so that its recording is not to blame."""
    return exit_code in (-signal.SIGKILL, -signal.SIGTERM)


def limit_memory(gib: float | None) -> None:
    """Let this process allocate no more than so much memory, where the system can do that."""
    if gib is None or sys.platform != "linux":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = int(gib * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most))


def die_with_parent() -> None:
    """On Linux, be killed when the parent is: a process that hangs in a decoder does not notice its closed pipe."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
