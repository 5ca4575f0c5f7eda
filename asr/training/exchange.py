"""The processes that train together."""

from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor


class Exchange:
    """What the processes tell each other; every process has to make the same calls."""

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
