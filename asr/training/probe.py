"""What a step costs, measured before the first one; the largest batch follows from it."""

import os
from collections.abc import Callable
from dataclasses import replace

import torch

from asr.training.data.batches import Batch

try:
    import resource
except ImportError:  # not on Windows, where the memory of a CPU run stays unknown
    resource = None

GPU_SHARE, CPU_SHARE = 0.8, 0.5
"""So much of a device's memory may a batch fill; the processor's serves other programs, too."""
FEWEST_STEPS = 50
"""An epoch of fewer steps than this would hardly train, however much memory there is."""


def largest_batch_s(
    step: Callable[[Batch], object],
    longest: Batch,
    most_s: float,
    peak: Callable[[], int],
    limit_bytes: int,
) -> float:
    """The longest batch, in seconds of audio with its padding, whose step is expected to fit into `limit_bytes`.

    Copies of the `longest` utterance are tried, twice as many each time, while the growth of the `peak` so far says
    that the next will fit, and while they are not longer than `most_s`.
    """
    longest_s = longest.amount
    copies, before, grew = 1, peak(), False
    while True:
        step(_copies(longest, copies))
        now = peak()
        # What an utterance adds shows once the peak has grown twice; until then it is less than all memory shared out.
        each = (now - before) / (copies / 2) if grew else now / copies
        room = (limit_bytes - now) / each if each else copies
        if copies * 2 * longest_s > most_s or room < copies:
            return max(longest_s, min(most_s, (copies + max(0.0, min(room, copies))) * longest_s))
        copies, before, grew = 2 * copies, now, now > before


def most_useful_s(total_s: float, processes: int) -> float:
    """The longest batch of one process that leaves an epoch over `total_s` of audio `FEWEST_STEPS` steps."""
    return total_s / FEWEST_STEPS / processes


def peak_bytes(device: torch.device) -> int:
    """Most memory that was in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if resource is None:
        return 0
    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if os.uname().sysname == "Darwin" else usage * 1024


def limit_bytes(device: torch.device) -> int:
    """The memory that a run may fill."""
    if device.type == "cuda":
        return int(GPU_SHARE * torch.cuda.get_device_properties(device).total_memory)
    return int(CPU_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _copies(batch: Batch, count: int) -> Batch:
    """A batch of one utterance as one of `count`."""
    return replace(
        batch,
        utterances=batch.utterances * count,
        waveform=batch.waveform.repeat(count, 1),
        lengths=batch.lengths.repeat(count),
        targets=batch.targets.repeat(count, 1),
        target_lengths=batch.target_lengths.repeat(count),
        weights=batch.weights.repeat(count),
        phones=(batch.phones[0].repeat(count, 1), batch.phones[1].repeat(count)) if batch.phones else (),
    )


def wait(device: torch.device) -> None:
    """Wait for a GPU, which runs asynchronously."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
