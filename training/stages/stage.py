"""What every stage has: networks it trains, optimizers, and one step."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from MRTranslateLib.errors import MRTranslateError
from MRTranslateLib.networks.generator import Generator
from training.batch import StepBatch
from training.config import OptimizerConfig, TrainingConfig
from training.distributed import Processes
from training.ranger import Ranger


class DivergedError(MRTranslateError):
    """A loss is no number any more; the last checkpoint is from before."""


@dataclass(frozen=True)
class StageContext:
    """What a stage is given.

    Attributes:
        config: Of the whole run.
        networks: All networks of the run by name; ``generator`` is always there.
        device: Where they lie.
        processes: Other processes of the same run.
    """

    config: TrainingConfig
    networks: nn.ModuleDict
    device: torch.device
    processes: Processes

    @property
    def generator(self) -> Generator:
        """The generator as it is trained."""
        generator = self.networks["generator"]
        if not isinstance(generator, Generator):
            raise TypeError("the network named generator is none")
        return generator

    def autocast(self) -> torch.autocast:
        """The run's precision."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")


class Stage(ABC):
    """One stage of a run.

    Attributes:
        trained: Names of the networks whose running average is kept while this stage runs.
        num_neighbours: Slices of each contrast that it needs, odd; the generator's own number at least is drawn.
    """

    trained: tuple[str, ...]
    num_neighbours: int = 1

    @abstractmethod
    def step(self, batch: StepBatch, step: int, random: torch.Generator) -> dict[str, float]:
        """One optimizer step.

        Args:
            batch: The slices.
            step: Finished steps of this stage.
            random: Source of chance of this step, on the CPU.

        Returns:
            Weighted loss terms and measurements by name; ``loss`` is what the generator, or the stage's own network,
            minimised.

        Raises:
            DivergedError: If the loss is not finite.
        """

    def observe(self, clean_psnr_db: float) -> None:
        """Be told how good the run's result is on validation data; stages that hold back an attack listen."""
        del clean_psnr_db

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Optimizers and meters: what a resumed stage needs beside the networks."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from :meth:`state_dict`."""


def make_optimizer(
    parameters: Iterable[nn.Parameter], settings: OptimizerConfig, share: float = 1.0
) -> torch.optim.Optimizer:
    """AdamW, or Ranger where the settings say so, on those that are not frozen.

    Its rate is the schedule's times ``share``, see :func:`set_learning_rate`.
    """
    groups = [{"params": [each for each in parameters if each.requires_grad], "share": share}]
    if settings.method == "ranger":
        return Ranger(groups, lr=settings.peak_learning_rate * share, weight_decay=settings.weight_decay)
    return torch.optim.AdamW(
        groups, lr=settings.peak_learning_rate * share, betas=(0.9, 0.99), weight_decay=settings.weight_decay
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, step: int, settings: OptimizerConfig) -> None:
    """Give every group its learning rate of this step."""
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step, settings) * group["share"]


def learning_rate(step: int, settings: OptimizerConfig) -> float:
    """Linear warm-up, then half a cosine to zero at the last step, or no change at all."""
    if step < settings.num_warmup_steps:
        return settings.peak_learning_rate * (step + 1) / settings.num_warmup_steps
    if settings.schedule == "constant":
        return settings.peak_learning_rate
    progress = (step - settings.num_warmup_steps) / (settings.num_steps - settings.num_warmup_steps)
    return settings.peak_learning_rate * 0.5 * (1 + math.cos(math.pi * progress))


def minimize(losses: Mapping[str, Tensor], optimizers: Iterable[torch.optim.Optimizer], clip_norm: float) -> float:
    """Add the losses up and take one step with each optimizer; returns the sum.

    Raises:
        DivergedError: If the sum is not finite; no weight is changed then.
    """
    total = torch.stack([loss.float() for loss in losses.values()]).sum()
    value = float(total.item())
    if not math.isfinite(value):
        terms = ", ".join(f"{name} {loss.item():.3g}" for name, loss in losses.items())
        raise DivergedError(f"the loss became {value} ({terms})")
    optimizers = list(optimizers)
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            nn.utils.clip_grad_norm_(group["params"], clip_norm)
        optimizer.step()
    return value


@contextmanager
def fixed(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Without gradients for the weights of these networks; through them they still flow."""
    parameters = [parameter for network in networks for parameter in network.parameters() if parameter.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


def values_of(losses: Mapping[str, Tensor]) -> dict[str, float]:
    """Loss terms as numbers, for the log; the device is waited for once."""
    if not losses:
        return {}
    numbers: list[float] = torch.stack([loss.detach().float() for loss in losses.values()]).tolist()
    return dict(zip(losses, numbers, strict=True))
