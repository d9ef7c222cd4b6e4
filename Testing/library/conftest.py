"""A model whose translation is known by hand, for tests of everything around the network."""

from __future__ import annotations

import msgspec
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.bundle import Bundle, write_bundle
from MRTranslateLib.models.card import Architecture
from MRTranslateLib.networks.generator import Generator, build_generator
from MRTranslateLib.networks.local_discriminator import build_local_discriminator
from Testing.library.model_examples import example_card, example_components, example_tensors


class CopyGenerator(Generator):
    """Gives every target the mean of the available sources, and remembers what it was asked."""

    num_neighbours = 3
    size_multiple = 16

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))
        self.batches = []

    def train_pred(self, slices, target_code):
        self.batches.append((slices, target_code))
        middle = slices.images[:, :, self.num_neighbours // 2]
        mean = middle.sum(dim=1) / slices.availability.sum(dim=1)[:, None, None]
        return self.weight * mean[:, None].expand(-1, len(Contrast), -1, -1)


@pytest.fixture
def copy_generator(monkeypatch) -> CopyGenerator:
    """Stands in for whatever generator a bundle holds."""
    generator = CopyGenerator()
    monkeypatch.setattr("MRTranslateLib.inference.load.load_generator", lambda bundle: generator)
    return generator


def make_bundle(
    parent, name: str, in_plane_mm: tuple[float, float], slices_mm: float, *, attention: bool = False
) -> Bundle:
    card = example_card(name)
    offered = (Contrast.T1W, Contrast.T1W_GD, Contrast.T2W, Contrast.FLAIR)
    preprocessing = msgspec.structs.replace(
        card.preprocessing,
        in_plane_spacing_mm=in_plane_mm,
        slice_spacing_mm=(in_plane_mm[0] - 0.1, in_plane_mm[1] + 0.1),
        neighbour_spacing_mm=slices_mm,
    )
    card = msgspec.structs.replace(card, sources=offered, targets=offered, preprocessing=preprocessing, quality=())
    if not attention:
        return write_bundle(parent / name, card, example_tensors())
    card = msgspec.structs.replace(card, components=example_components())
    torch.manual_seed(5)
    discriminator = build_local_discriminator(card.components.local_discriminator.parameters)
    weights = {"local_discriminator": discriminator.state_dict()}
    return write_bundle(parent / name, card, example_tensors(), components=weights)


@pytest.fixture(scope="session")
def copy_bundle(tmp_path_factory) -> Bundle:
    """A valid bundle that offers every contrast but PDw and works at 1 mm, as the shipped model does."""
    return make_bundle(tmp_path_factory.mktemp("models"), "copy", (0.85, 1.2), 1.0)


@pytest.fixture(scope="session")
def coarse_bundle(tmp_path_factory) -> Bundle:
    """The same at 3 mm, where phantoms are small and everything is quick."""
    return make_bundle(tmp_path_factory.mktemp("models"), "coarse", (2.5, 3.5), 3.0)


@pytest.fixture(scope="session")
def attentive_bundle(tmp_path_factory) -> Bundle:
    """``coarse_bundle`` with an untrained local discriminator."""
    return make_bundle(tmp_path_factory.mktemp("models"), "attentive", (2.5, 3.5), 3.0, attention=True)


@pytest.fixture(scope="session")
def coarse_unet(coarse_bundle, tmp_path_factory) -> Bundle:
    """A model that works at 3 mm with the real network, small and untrained: for processes where nothing stands in."""
    size = {"num_neighbours": 1, "widths": [8], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
    architecture = Architecture(name="unet25d", parameters=size)
    card = msgspec.structs.replace(coarse_bundle.card, name="unet", architecture=architecture, files={})
    generator = build_generator(architecture.name, size)
    return write_bundle(tmp_path_factory.mktemp("models") / "unet", card, generator.state_dict())
