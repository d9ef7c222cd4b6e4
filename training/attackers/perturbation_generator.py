"""Attacker A3: a network that draws the perturbation, trained against a substitute (METHODS 1.6, proposal).

The substitute imitates the victim's *outputs*; its weights are its own, so the attack reaches the victim by transfer
and stays black-box. (METHODS calls it "EMA student of G": read as a student of G, not as a copy of G's weights.)
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from MRTranslateLib.robustness.attack.base import Attack, Attacker, Budget, Predict, Score, Search
from MRTranslateLib.robustness.attack.bounds import attackable, project
from training.attackers.small_networks import PatchDiscriminator, SmallUNet

RMS_SHARE = 0.75
"""Root mean square change inside the brain above which it is punished, as a share of the L-infinity bound."""


@dataclass(frozen=True)
class PerturbationGeneratorConfig:
    """Sizes and weights.

    Attributes:
        in_channels: Sources times neighbouring slices.
        out_channels: Of the victim's output.
        widths: Of the perturbation generator.
        substitute_widths: Of the substitute.
        learning_rate: Of all three networks (Adam, beta1 0.5).
        refresh_every_steps: How often the substitute that is attacked takes over the running average of the one that
            learns.
        ema_decay: Of that average.
        rms_weight: For large perturbations.
        variation_weight: For rough ones.
        realism_weight: For ones the discriminator sees; METHODS' 0.1 halved, as errors are halved by the range 0..1.
    """

    in_channels: int
    out_channels: int
    widths: tuple[int, ...] = (32, 64, 128, 256)
    substitute_widths: tuple[int, ...] = (32, 64, 128)
    learning_rate: float = 2e-4
    refresh_every_steps: int = 500
    ema_decay: float = 0.999
    rms_weight: float = 10.0
    variation_weight: float = 1.0
    realism_weight: float = 0.05


class PerturbationGenerator(Attacker, nn.Module):
    """AdvGAN-type attacker: ``x_adv = clip(x + eps tanh(P(x)), 0, 1)`` inside the brain.

    References:
        C. Xiao et al. Generating adversarial examples with adversarial networks. IJCAI 2018.
    """

    num_steps: Tensor

    def __init__(self, config: PerturbationGeneratorConfig) -> None:
        nn.Module.__init__(self)
        self.config = config
        self.perturber = SmallUNet(config.in_channels, config.in_channels, config.widths, normalize=True)
        self.student = SmallUNet(config.in_channels, config.out_channels, config.substitute_widths, normalize=False)
        self.student_average = copy.deepcopy(self.student).requires_grad_(False)
        self.substitute = copy.deepcopy(self.student).requires_grad_(False)
        self.discriminator = PatchDiscriminator(config.in_channels, config.widths[0])
        self.register_buffer("num_steps", torch.zeros((), dtype=torch.long))
        self.optimizers = {
            name: torch.optim.Adam(network.parameters(), config.learning_rate, betas=(0.5, 0.999))
            for name, network in (
                ("perturber", self.perturber),
                ("student", self.student),
                ("discriminator", self.discriminator),
            )
        }

    def attack(self, images: Tensor, brain: Tensor, score: Score, budget: Budget, *, seed: int) -> Attack:
        """See :meth:`Attacker.attack`; asks twice, and the seed decides nothing: the network has no chance in it."""
        search = Search(images, brain, score, budget)
        with torch.no_grad():
            worse = self._perturbed(search.images, search.brain, _linf(budget))
        search.propose(project(worse, search.images, search.brain, budget.bounds))
        return search.result()

    def fit_step(
        self, images: Tensor, brain: Tensor, target: Tensor, weight: Tensor, predict: Predict, budget: Budget
    ) -> dict[str, float]:
        """One step of student, perturbation generator and discriminator.

        Args:
            images: Clean sources, as for :meth:`attack`.
            brain: Its mask.
            target: ``(B, out_channels, H, W)``, what the victim should have said.
            weight: Same shape, where that counts.
            predict: The victim by its outputs; asked twice.
            budget: Bounds of the attack; queries here do not count.

        Returns:
            The losses by name.
        """
        images, brain = images.detach().float(), brain.detach()
        linf = _linf(budget)
        with torch.enable_grad():
            worse = self._perturbed(images, brain, linf)
            losses = {"student": self._learn_victim([images, worse.detach()], predict)}
            losses |= self._learn_attack(images, worse, attackable(images, brain), target, weight, linf)
            losses["discriminator"] = self._learn_realism(images, worse.detach())
        self.num_steps += 1
        if int(self.num_steps) % self.config.refresh_every_steps == 0:
            self.substitute.load_state_dict(self.student_average.state_dict())
        return losses

    def _perturbed(self, images: Tensor, brain: Tensor, linf: float) -> Tensor:
        change = linf * torch.tanh(self.perturber(_as_channels(images))).view(images.shape)
        return (images + change * attackable(images, brain)).clamp(0, 1)

    def _learn_victim(self, batches: list[Tensor], predict: Predict) -> float:
        """The student follows the victim's outputs on clean and on perturbed images."""
        loss = torch.zeros((), device=batches[0].device)
        for images in batches:
            with torch.no_grad():
                seen = predict(images.clone()).detach().float()
            loss = loss + (self.student(_as_channels(images)) - seen).abs().mean() / len(batches)
        self._step("student", loss)
        with torch.no_grad():
            # Early on the average follows quickly, or the first substitute would still be half untrained.
            taken = max(1 - self.config.ema_decay, 9 / (10 + int(self.num_steps)))
            for average, latest in zip(self.student_average.parameters(), self.student.parameters(), strict=True):
                average.lerp_(latest, taken)
        return float(loss.detach())

    def _learn_attack(
        self, images: Tensor, worse: Tensor, inside: Tensor, target: Tensor, weight: Tensor, linf: float
    ) -> dict[str, float]:
        """Raise the substitute's error; stay small, smooth and unsuspicious."""
        change = worse - images
        predicted = self.substitute(_as_channels(worse))
        error = ((predicted - target).abs() * weight).sum() / weight.sum().clamp(min=1)
        # The small number keeps the root's slope finite where there is no change.
        count = inside.flatten(1).sum(dim=1).clamp(min=1)
        rms = (change.square().flatten(1).sum(dim=1) / count + 1e-12).sqrt()
        too_large = (rms - RMS_SHARE * linf).clamp(min=0).mean()
        rough = change.diff(dim=-1).abs().mean() + change.diff(dim=-2).abs().mean()
        seen = (self.discriminator(_as_channels(worse)) - 1).square().mean()
        config = self.config
        total = -error + config.rms_weight * too_large + config.variation_weight * rough + config.realism_weight * seen
        self._step("perturber", total)
        return {"substitute_error": float(error.detach()), "perturber": float(total.detach())}

    def _learn_realism(self, images: Tensor, worse: Tensor) -> float:
        real, made = (self.discriminator(_as_channels(batch)) for batch in (images, worse))
        loss = 0.5 * ((real - 1).square().mean() + made.square().mean())
        self._step("discriminator", loss)
        return float(loss.detach())

    def _step(self, name: str, loss: Tensor) -> None:
        optimizer = self.optimizers[name]
        parameters = optimizer.param_groups[0]["params"]
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        optimizer.step()
        optimizer.zero_grad()


def _as_channels(images: Tensor) -> Tensor:
    """Sources and neighbouring slices side by side, ``(B, C * N, H, W)``."""
    return images.flatten(1, -3)


def _linf(budget: Budget) -> float:
    if budget.bounds.linf is None:
        raise ValueError("a perturbation generator needs an L-infinity bound, got None")
    return budget.bounds.linf
