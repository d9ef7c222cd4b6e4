"""Rectified flow: a generator that follows a straight path from noise to the wanted contrast.

Between noise ``x0`` and the real slice ``x1`` lie the points ``x_t = (1 - t) x0 + t x1``, where t runs from 0 to 1; a
network learns the velocity ``x1 - x0`` from ``x_t``, t and the sources (Liu, Gong, Liu, ICLR 2023; Lipman et al., ICLR
2023). From any point one step of the remaining length gives ``x1_hat = x_t + (1 - t) v`` (METHODS 1.8, stated for the
family; how it is conditioned here is a proposal). Network and schedule are MONAI's.

The network does not give the velocity itself but what is missing to the best linear guess of it from the point, for
images and noise of unit variance: ``v = (2t - 1) / s^2 x_t + F / s`` with ``s^2 = t^2 + (1 - t)^2``, and it sees
``x_t / s`` (the preconditioning of Karras et al., NeurIPS 2022, worked out for the straight path; our proposal). At
pure noise that makes F the image, so a prediction in one step need not first copy the noise in order to remove it.

Each wanted contrast is a flow of its own, so that asking for a second one does not change the first. The noise of a
translation is always the same: the same sources give the same bits, an attack can change the sources alone, and
neighbouring slices start from one pattern and do not flicker on its account.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from MRTranslateLib.networks.conditioning import SourceConditioning
from MRTranslateLib.networks.generator import Generator, GeneratorParameters, SourceSlices, Truth
from MRTranslateLib.networks.unet import NUM_CONTRASTS, NUM_GROUPS

if TYPE_CHECKING:
    from monai.networks.schedulers.rectified_flow import RFlowScheduler

NUM_TIMES = 1000
"""MONAI counts time backwards and in steps: ``NUM_TIMES`` is pure noise (t = 0), 0 the image (t = 1)."""
NUM_HEADS = 4
NOISE_SEED = 20261121


class FlowMatchingParameters(GeneratorParameters, frozen=True, kw_only=True):
    """Size of a flow-matching generator.

    Attributes:
        widths: Channels at 1/2, 1/4, 1/8, ... of the resolution; multiples of 8. Attention at the last only.
        blocks_per_level: Residual blocks at each level of the encoder; the decoder has one more.
        num_sampling_steps: Euler steps of a translation; each costs one pass.
        image_loss: From where on the path losses of the predicted image reach the generator, beside its own: from
            ``all`` of it, its ``late`` half, or by the signal-to-noise ratio up to 1, ``snr``. METHODS 1.8 proposes the
            last two for refinement losses: far from the image the prediction is a blur by right.
    """

    widths: tuple[int, ...]
    blocks_per_level: int
    num_sampling_steps: int
    image_loss: Literal["all", "late", "snr"] = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.widths or any(width < NUM_GROUPS or width % NUM_GROUPS for width in self.widths):
            raise ValueError(f"widths must be multiples of {NUM_GROUPS}, got {self.widths}")
        if self.blocks_per_level < 1 or not 1 <= self.num_sampling_steps <= NUM_TIMES:
            raise ValueError(
                f"need blocks_per_level >= 1 and num_sampling_steps in 1..{NUM_TIMES}, "
                f"got {self.blocks_per_level} and {self.num_sampling_steps}"
            )


@dataclass(frozen=True)
class _Flows:
    """One flow for each wanted contrast of each slice, P in all.

    Attributes:
        rows: ``(P,)``, slice of the batch.
        contrasts: ``(P,)``, channel of the wanted contrast.
        condition: ``(P, C, H, W)``, sources, their availability, height, and which contrast is wanted.
        tissue: ``(P, 1, H, W)``, 1 where there is something to translate; elsewhere every point of the path is 0.
    """

    rows: Tensor
    contrasts: Tensor
    condition: Tensor
    tissue: Tensor


class FlowMatchingGenerator(Generator):
    """Rectified flow on MONAI's ``DiffusionModelUNet`` behind the adapter, at half resolution by pixel-unshuffle."""

    def __init__(self, parameters: FlowMatchingParameters) -> None:
        from monai.networks.nets.diffusion_model_unet import DiffusionModelUNet

        super().__init__()
        self.num_neighbours, self.size_multiple = parameters.num_neighbours, 2 ** len(parameters.widths)
        self.conditioning = SourceConditioning(self.num_neighbours, self.size_multiple)
        self.network = DiffusionModelUNet(
            spatial_dims=2,
            in_channels=4 * (1 + self.conditioning.num_channels + NUM_CONTRASTS),
            out_channels=4,
            num_res_blocks=parameters.blocks_per_level,
            channels=parameters.widths,
            attention_levels=[False] * len(parameters.widths),  # the block below the last level attends by itself
            norm_num_groups=NUM_GROUPS,
            num_head_channels=parameters.widths[-1] // NUM_HEADS,
        )
        self.num_sampling_steps, self.image_loss = parameters.num_sampling_steps, parameters.image_loss
        self._losses: dict[str, Tensor] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Losses carry a graph, and a generator with one could be neither copied nor sent to another process.
        return {**self.__dict__, "_losses": {}}

    def train_pred(self, slices: SourceSlices, target_code: Tensor, truth: Truth | None = None) -> Tensor:
        """With the truth, ``x1_hat`` from a random point of its path; without, the one step from noise.

        See :meth:`Generator.train_pred`. Far from the image ``x1_hat`` is blurred, as the mean of what is possible is.
        """
        flows = self._flows(slices, target_code)
        self._losses = {}
        if truth is None:
            return self._one_step(flows, target_code)
        noise, time = self._chance(truth.seed, flows)
        image = self.conditioning.relative(truth.images)[flows.rows, flows.contrasts][:, None] * flows.tissue
        point = self._scheduler().add_noise(image, noise, time)
        velocity = self._velocity(point, time, flows)
        squared_error = (velocity - (image - noise)).square().sum((1, 2, 3)) / flows.tissue.sum((1, 2, 3)).clamp(min=1)
        self._losses = {"velocity": squared_error.mean()}
        remaining = (time / NUM_TIMES)[:, None, None, None]
        ends = point + remaining * velocity
        if self.image_loss != "all":
            fixed = ends.detach()
            ends = fixed + gradient_share(remaining, self.image_loss) * (ends - fixed)
        return self._collect(ends, flows, target_code)

    @torch.no_grad()
    def fast_pred(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """One step from the fixed noise; see :meth:`Generator.fast_pred`. Leaves :meth:`own_losses` alone."""
        return self._one_step(self._flows(slices, target_code), target_code)

    @torch.no_grad()
    def sample(self, slices: SourceSlices, target_code: Tensor) -> Tensor:
        """A few Euler steps from the fixed noise; see :meth:`Generator.sample`."""
        flows = self._flows(slices, target_code)
        point, scheduler = self._fixed_noise(flows), self._scheduler()
        for time, next_time in pairwise([*scheduler.timesteps.tolist(), 0]):
            velocity = self._velocity(point, torch.full_like(flows.rows, time), flows)
            point, _ = scheduler.step(velocity, time, point, next_time)
        return self._collect(point, flows, target_code)

    def own_losses(self) -> dict[str, Tensor]:
        """``velocity``: mean squared error of the velocity over tissue, in typical spreads; empty without a truth."""
        return dict(self._losses)

    def _scheduler(self) -> RFlowScheduler:
        # Made when needed: it calls itself a torch module without being one, so no module can hold it.
        from monai.networks.schedulers.rectified_flow import RFlowScheduler

        scheduler = RFlowScheduler(NUM_TIMES, use_discrete_timesteps=True, spatial_dim=2)
        scheduler.set_timesteps(self.num_sampling_steps)
        return scheduler

    def _flows(self, slices: SourceSlices, target_code: Tensor) -> _Flows:
        rows, contrasts = target_code.nonzero(as_tuple=True)
        sources = self.conditioning(slices)[rows]
        wanted = functional.one_hot(contrasts, NUM_CONTRASTS).to(sources.dtype)
        planes = wanted[:, :, None, None].expand(-1, -1, *sources.shape[-2:])
        tissue = self.conditioning.tissue(slices)[rows]
        return _Flows(rows, contrasts, torch.cat([sources, planes], dim=1), tissue)

    def _one_step(self, flows: _Flows, target_code: Tensor) -> Tensor:
        noise = self._fixed_noise(flows)
        velocity = self._velocity(noise, torch.full_like(flows.rows, NUM_TIMES), flows)
        return self._collect(noise + velocity, flows, target_code)

    def _velocity(self, point: Tensor, time: Tensor, flows: _Flows) -> Tensor:
        """``(P, 1, H, W)``, typical spreads per unit of time."""
        way = (1 - time / NUM_TIMES)[:, None, None, None]  # t: 0 at the noise, 1 at the image
        variance = way.square() + (1 - way).square()
        inputs = functional.pixel_unshuffle(torch.cat([point * variance.rsqrt(), flows.condition], dim=1), 2)
        missing = functional.pixel_shuffle(self.network(inputs, time), 2).float()
        velocity: Tensor = (2 * way - 1) / variance * point + variance.rsqrt() * missing
        return velocity * flows.tissue

    def _fixed_noise(self, flows: _Flows) -> Tensor:
        """One pattern for every slice, drawn on the CPU so that every device has the same."""
        random = torch.Generator().manual_seed(NOISE_SEED)
        pattern = torch.randn(1, 1, *flows.tissue.shape[-2:], generator=random)
        return pattern.to(flows.tissue.device) * flows.tissue

    def _chance(self, seed: int, flows: _Flows) -> tuple[Tensor, Tensor]:
        """Noise and time for each flow; time is uniform and never 0, where there is nothing left to learn."""
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(flows.tissue.shape, generator=random)
        time = torch.randint(1, NUM_TIMES + 1, (len(noise),), generator=random)
        return noise.to(flows.tissue.device) * flows.tissue, time.to(flows.tissue.device)

    def _collect(self, points: Tensor, flows: _Flows, target_code: Tensor) -> Tensor:
        """Ends of the flows as intensities in their places ``(B, 5, H, W)``; 0 where nothing was wanted."""
        relative = points.new_zeros(*target_code.shape, *points.shape[-2:])
        relative = relative.index_put((flows.rows, flows.contrasts), points[:, 0])
        return self.conditioning.restore(relative) * target_code[:, :, None, None]


def gradient_share(remaining: Tensor, form: Literal["late", "snr"]) -> Tensor:
    """How much of an image loss's gradient passes at each point of the path (METHODS 1.8, a proposal).

    Args:
        remaining: ``1 - t``, 0 at the image, 1 at pure noise.
        form: ``late``: 1 up to the middle of the path, else 0. ``snr``: ``(t / (1 - t))^2``, at most 1.
    """
    if form == "late":
        return (remaining <= 0.5).to(remaining)
    return ((1 - remaining) / remaining).square().clamp(max=1)
