"""Several processes that train one run together, started by ``torchrun``; one process otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Processes:
    """This process among those of the run.

    Attributes:
        rank: 0 writes checkpoints and logs.
        count: Each draws its own part of every batch.
    """

    rank: int
    count: int

    @property
    def is_first(self) -> bool:
        """Whether this process writes files."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the processes; itself where there is only one.

        Networks here have no batch statistics, so no buffers need to be kept alike.
        """
        if self.count == 1 or not any(parameter.requires_grad for parameter in network.parameters()):
            return network
        return DistributedDataParallel(network, broadcast_buffers=False)

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """Mean of measurements over the processes, for the log."""
        if self.count == 1:
            return values
        tensor = torch.tensor([values[name] for name in sorted(values)], dtype=torch.float64)
        if torch.distributed.get_backend() == "nccl":
            tensor = tensor.cuda()
        torch.distributed.all_reduce(tensor)
        return dict(zip(sorted(values), (tensor / self.count).tolist(), strict=True))

    def told_by_first(self, value: float) -> float:
        """The first process's value."""
        return self.mean({"value": value * self.count if self.is_first else 0.0})["value"]

    def wait(self) -> None:
        """Until every process is here."""
        if self.count > 1:
            torch.distributed.barrier()


ALONE = Processes(0, 1)


def join_processes(device: str) -> tuple[Processes, str]:
    """Join the processes that torchrun started; returns this process and its device.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; with several processes ``cuda`` becomes the one of this process.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return ALONE, device
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
        torch.cuda.set_device(device)
    if not torch.distributed.is_initialized():
        torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Processes(torch.distributed.get_rank(), torch.distributed.get_world_size()), device
