"""The registration U-Net: the size that METHODS measured, the start as identity, the cap."""

import msgspec
import pytest
import torch

from MRTranslateLib.networks.registration_unet import RegistrationUNet, RegistrationUNetParameters
from MRTranslateLib.networks.warp import folding_share

PUBLISHED = RegistrationUNetParameters(
    widths=(32, 64, 64, 64, 64, 64, 64),
    bottleneck_width=128,
    num_bottleneck_blocks=3,
    max_flow_voxels=8.0,
    diffeomorphic=False,
)
SMALL = msgspec.structs.replace(PUBLISHED, widths=(6, 8, 8, 8), bottleneck_width=12, num_bottleneck_blocks=1)


def build(parameters=SMALL, in_channels=2, seed=0):
    torch.manual_seed(seed)
    return RegistrationUNet(in_channels, parameters)


def test_the_published_size_has_the_2_06_million_parameters_that_methods_measured():
    assert round(sum(parameter.numel() for parameter in build(PUBLISHED).parameters()) / 1e6, 2) == 2.06


@pytest.mark.parametrize("parameters", [SMALL, PUBLISHED], ids=["small", "published"])
def test_untrained_it_moves_by_less_than_a_hundredth_of_a_voxel(parameters):
    size = parameters.min_size
    flow = build(parameters)(torch.rand(1, 2, size, size)).flow
    assert 0 < flow.abs().max() < 1e-2


@pytest.mark.parametrize("size", [(32, 32), (48, 37), (33, 64)])
def test_any_size_from_the_smallest_on_gives_a_flow_for_every_voxel_and_three_levels_of_features(size):
    found = build()(torch.rand(2, 2, *size))
    assert found.flow.shape == (2, 2, *size)
    assert tuple(features.shape[1] for features in found.features) == SMALL.feature_widths == (8, 8, 6)
    assert [features.shape[2] for features in found.features] == [size[0] // 4, size[0] // 2, size[0]]
    assert found.head_features.shape == (2, 6, *size)


def test_no_displacement_exceeds_the_cap_and_it_is_reached():
    network = build()
    torch.nn.init.constant_(network.flow_head.bias, 100.0)
    assert network(torch.rand(1, 2, 32, 32)).flow.abs().max().item() == pytest.approx(8.0)


def test_a_wild_head_folds_unless_the_flow_is_diffeomorphic():
    shares = []
    for diffeomorphic in (False, True):
        network = build(msgspec.structs.replace(SMALL, diffeomorphic=diffeomorphic), seed=3)
        torch.nn.init.normal_(network.flow_head.weight, std=0.3, generator=torch.Generator().manual_seed(1))
        images = torch.rand(1, 2, 32, 32, generator=torch.Generator().manual_seed(2))
        shares.append(folding_share(network(images).flow, torch.ones(1, 1, 32, 32)).item())
    assert shares[0] > 0.01
    assert shares[1] < shares[0] / 5


def test_the_flow_stays_float32_where_convolutions_run_in_bfloat16():
    with torch.autocast("cpu", torch.bfloat16):
        assert build()(torch.rand(1, 2, 32, 32)).flow.dtype == torch.float32


def test_a_slice_does_not_depend_on_the_others_of_its_batch():
    network, images = build().eval(), torch.rand(3, 2, 32, 32)
    torch.nn.init.normal_(network.flow_head.weight, std=0.1)
    torch.testing.assert_close(network(images).flow[:1], network(images[:1]).flow, atol=1e-3, rtol=0)


def test_too_small_slices_are_refused_with_the_size_that_is_needed():
    with pytest.raises(ValueError, match=r"\(31, 40\) voxels are too small for 4 poolings: at least 32"):
        build()(torch.rand(1, 2, 31, 40))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"widths": (8, 8)}, r"widths must be 3 or more.*\(8, 8\)"),
        ({"max_flow_voxels": 0.0}, "max_flow_voxels must be positive, got 0.0"),
        ({"num_bottleneck_blocks": 0}, "must be 1 or more"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        msgspec.structs.replace(SMALL, **change)
