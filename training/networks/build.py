"""All networks of a run by name, as its configuration asks for them."""

from __future__ import annotations

from torch import nn

from MRTranslateLib.networks.generator import build_generator
from MRTranslateLib.networks.local_discriminator import LocalDiscriminator
from MRTranslateLib.networks.refiner import Refiner
from MRTranslateLib.networks.super_resolution import SuperResolver
from training.config import TrainingConfig
from training.networks.difference_projection import DifferenceProjectionDiscriminator
from training.networks.global_discriminator import GlobalDiscriminator
from training.networks.label_correction import LabelCorrection
from training.networks.patch_discriminator import PatchDiscriminator
from training.networks.teacher import Teacher
from training.networks.volume_refiner import VolumeRefiner

AVERAGED = ("generator", "student", "super_resolution", "volume_refiner")
"""Networks of which a running average is kept: those whose images are looked at, no judges."""


def build_networks(config: TrainingConfig) -> nn.ModuleDict:
    """Untrained networks; those whose parameters are null are left out.

    Raises:
        ModelError: If the generator's architecture or parameters do not fit.
    """
    sizes = config.networks
    networks = nn.ModuleDict({"generator": build_generator(config.generator.architecture, config.generator.parameters)})
    if sizes.label_correction is not None:
        networks["label_correction"] = LabelCorrection(sizes.label_correction)
    if sizes.local_discriminator is not None:
        networks["local_discriminator"] = LocalDiscriminator(sizes.local_discriminator)
    if sizes.global_discriminator is not None:
        networks["global_discriminator"] = GlobalDiscriminator(sizes.global_discriminator)
    if sizes.teacher is not None:
        networks["teacher"] = Teacher(sizes.teacher, with_sources=sizes.teacher.with_sources)
    if sizes.student is not None:
        networks["student"] = Refiner(sizes.student)
    if sizes.super_resolution is not None:
        networks["super_resolution"] = SuperResolver(sizes.super_resolution)
    if sizes.difference_projection is not None:
        networks["difference_projection"] = DifferenceProjectionDiscriminator(sizes.difference_projection)
    if sizes.patch_discriminator is not None:
        networks["patch_discriminator"] = PatchDiscriminator(sizes.patch_discriminator)
    if sizes.volume_refiner is not None:
        networks["volume_refiner"] = VolumeRefiner(sizes.volume_refiner)
    return networks
