"""The processes that train together, and the devices that they train on."""

import os
from datetime import timedelta
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.loggers.logger import Logger
from lightning_fabric.strategies.ddp import DDPStrategy
from torch import Tensor

TIMEOUT = timedelta(minutes=10)
"""How long a process waits for the others; nothing that a run does takes as long in one piece."""


def device_type(accelerator: str) -> str:
    """What a recipe's `training.accelerator` means here: "cpu" or "cuda"."""
    return "cuda" if accelerator == "gpu" or (accelerator == "auto" and torch.cuda.is_available()) else "cpu"


def make_fabric(accelerator: str, precision: str, logger: Logger) -> Fabric:
    """Fabric for one process, or for those that torchrun has started."""
    devices, nodes = (int(os.environ.get(f"{unit}_WORLD_SIZE", "1")) for unit in ("LOCAL", "GROUP"))
    return Fabric(
        accelerator=accelerator,
        strategy=DDPStrategy(timeout=TIMEOUT) if devices * nodes > 1 else "auto",
        devices=devices,
        num_nodes=nodes,
        precision=cast("Any", precision),
        loggers=logger,
    )


class Exchange:
    """Collective operations; every process has to make the same calls."""

    def __init__(self, fabric: Fabric) -> None:
        self.fabric = fabric
        self.rank, self.processes = fabric.global_rank, fabric.world_size

    def gather(self, value: Any) -> list[Any]:
        """The values of all processes, in their order."""
        if self.processes == 1:
            return [value]
        values: list[Any] = [None] * self.processes
        torch.distributed.all_gather_object(values, value)
        return values

    def sums(self, *values: float) -> tuple[float, ...]:
        """The sums of some numbers over all processes."""
        if self.processes == 1:
            return values
        totals = self.fabric.all_reduce(torch.tensor(values, device=self.fabric.device), reduce_op="sum")
        return tuple(cast("Tensor", totals).tolist())
