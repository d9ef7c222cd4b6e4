"""The conditional U-Net and its adapter."""

import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.generator import SourceSlices, build_generator, one_hot

SIZE = {"num_neighbours": 3, "widths": [8, 16], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return build_generator("unet25d", SIZE).eval()


def slices(availability, batch_size=2, seed=1):
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(batch_size, 5, 3, 16, 24, generator=random)
    return SourceSlices(images, torch.tensor([availability] * batch_size).float(), torch.full((batch_size,), 0.5))


def test_every_contrast_is_predicted_on_the_grid_of_the_input(generator):
    assert generator.sample(slices([1, 0, 0, 0, 0]), one_hot(Contrast.FLAIR, 2)).shape == (2, 5, 16, 24)


def test_what_lies_in_an_unavailable_channel_changes_nothing(generator):
    clean = slices([1, 0, 1, 0, 0])
    dirty = SourceSlices(clean.images.clone(), clean.availability, clean.height)
    dirty.images[:, [1, 3, 4]] = 1e3
    code = one_hot(Contrast.FLAIR, 2)
    torch.testing.assert_close(generator.sample(clean, code), generator.sample(dirty, code), rtol=0, atol=0)


def test_availability_itself_is_seen(generator):
    # Zeros that were acquired differ from zeros that stand for nothing.
    given, missing = slices([1, 0, 1, 0, 0]), slices([1, 0, 0, 0, 0])
    given.images[:, Contrast.T2W.channel] = 0
    code = one_hot(Contrast.FLAIR, 2)
    with torch.no_grad():
        for module in generator.modules():
            if hasattr(module, "modulation"):
                torch.nn.init.normal_(module.modulation.weight)
    assert not torch.equal(generator.sample(given, code), generator.sample(missing, code))


def test_a_slice_does_not_depend_on_its_batch(generator):
    batch, code = slices([1, 0, 0, 0, 0], batch_size=4), one_hot(Contrast.T2W, 4)
    alone = SourceSlices(*(values[:1] for values in vars(batch).values()))
    torch.testing.assert_close(generator.sample(batch, code)[:1], generator.sample(alone, code[:1]), rtol=0, atol=1e-5)


def test_sampling_keeps_no_gradients_and_training_does(generator):
    batch, code = slices([1, 0, 0, 0, 0]), one_hot(Contrast.T2W, 2)
    assert not generator.sample(batch, code).requires_grad
    assert generator.train_pred(batch, code).requires_grad


def test_the_voxel_path_is_blind_to_what_lies_far_away(generator):
    network, near, far = generator.network, slices([1, 0, 1, 0, 0]), slices([1, 0, 1, 0, 0])
    far.images[..., 12:, :] = 0.9  # beyond the squares of 4 and 12 voxels around row 0, and the interpolation
    one, other = (network.voxel_views(each.images, each.availability) for each in (near, far))
    torch.testing.assert_close(one[..., :4, :], other[..., :4, :], rtol=0, atol=1e-5)
    assert not torch.allclose(one[..., 12:, :], other[..., 12:, :])


def test_an_untrained_u_net_adds_nothing_to_the_voxel_path(generator):
    batch = slices([1, 0, 1, 0, 0], batch_size=1)
    whole = generator.sample(batch, one_hot(Contrast.FLAIR, 1))[0]
    views = generator.network.voxel_views(batch.images, batch.availability)[0].flatten(1).T
    count = len(views)
    alone = generator.network.predict_voxels(views, batch.availability.expand(count, -1), batch.height.expand(count))
    torch.testing.assert_close(whole.flatten(1).T, alone, rtol=0, atol=1e-5)


def test_there_is_no_batch_normalisation(generator):
    assert not [module for module in generator.modules() if "BatchNorm" in type(module).__name__]


def test_the_shipped_size_has_two_to_six_million_parameters():
    shipped = {
        "num_neighbours": 5,
        "widths": [32, 96, 192, 320],
        "detail_width": 16,
        "voxel_width": 96,
        "blocks_per_level": 1,
    }
    count = sum(values.numel() for values in build_generator("unet25d", shipped).parameters())
    assert 2e6 < count < 6e6


@pytest.mark.parametrize(
    ("architecture", "parameters", "message"),
    [
        ("unet9d", SIZE, "unknown architecture 'unet9d'"),
        ("unet25d", SIZE | {"widths": [7]}, "multiples of 8"),
        ("unet25d", SIZE | {"num_neighbours": 2}, "odd"),
        ("unet25d", SIZE | {"num_neighbours": "3"}, "num_neighbours"),
        ("unet25d", {}, "num_neighbours"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_name(architecture, parameters, message):
    with pytest.raises(ModelError, match=message):
        build_generator(architecture, parameters)


def test_the_level_of_a_slice_is_that_of_the_voxel_path_alone():
    torch.manual_seed(3)
    generator = build_generator("unet25d", SIZE | {"level_from_voxels": True}).eval()
    torch.nn.init.normal_(generator.network.fuse.last.weight)
    given = slices([1, 0, 1, 0, 0])
    given.images[:, :, :, :5] = 0
    whole = generator.sample(given, one_hot(Contrast.FLAIR, 2))
    torch.nn.init.zeros_(generator.network.fuse.last.weight)
    voxels = generator.sample(given, one_hot(Contrast.FLAIR, 2))
    tissue = (given.images[:, [0, 2], 1] > 0).any(dim=1, keepdim=True)
    difference = (whole - voxels) * tissue
    assert difference.abs().max() > 0.01
    assert difference.sum((2, 3)).abs().max() / tissue.sum((2, 3)).min() < 1e-6
