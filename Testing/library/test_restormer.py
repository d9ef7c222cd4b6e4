"""Restormer-U, system C's synthesis module."""

import numpy as np
import pytest
import torch
from torch import nn

from MRTranslateLib.networks.restormer import (
    ChannelAttention,
    ChannelNorm,
    GatedFeedForward,
    RestormerBlock,
    RestormerParameters,
    RestormerUNet,
)

PAPER = RestormerParameters(num_neighbours=1, width=48, heads=(1, 2, 4, 4, 4, 4), blocks_per_level=2)
SMALL = RestormerParameters(num_neighbours=1, width=4, heads=(1, 2, 2, 4, 4), blocks_per_level=1)


@pytest.fixture
def network():
    torch.manual_seed(0)
    return RestormerUNet(SMALL, in_channels=3).eval()


def test_the_paper_s_size_has_30_million_parameters():
    with torch.device("meta"):
        network = RestormerUNet(PAPER, in_channels=1, out_channels=1)
    assert sum(values.numel() for values in network.parameters()) == pytest.approx(30.0e6, abs=0.05e6)


def test_the_paper_s_pyramid_has_the_paper_s_widths_and_sizes():
    with torch.device("meta"):
        network = RestormerUNet(PAPER, in_channels=1, out_channels=1)
    sizes = [256 // stride for stride in network.pyramid_strides]
    assert list(zip(network.pyramid_widths, sizes, strict=True)) == [
        (384, 8),
        (384, 16),
        (384, 32),
        (192, 64),
        (96, 128),
        (48, 256),
    ]


def test_maps_are_as_the_network_says_on_slices_that_are_not_square(network):
    prediction, pyramid = network(torch.rand(2, 3, 32, 48))
    assert prediction.shape == (2, 5, 32, 48)
    expected = [
        (2, width, 32 // stride, 48 // stride)
        for width, stride in zip(network.pyramid_widths, network.pyramid_strides, strict=True)
    ]
    assert [tuple(maps.shape) for maps in pyramid] == expected


def test_the_finest_map_is_what_the_head_reads(network):
    prediction, pyramid = network(torch.rand(1, 3, 32, 32))
    torch.testing.assert_close(network.head(pyramid[-1]), prediction)


def test_the_smallest_input_is_one_voxel_at_the_coarsest_level(network):
    assert network(torch.rand(1, 3, SMALL.size_multiple, SMALL.size_multiple))[1][0].shape[-2:] == (1, 1)


def test_every_weight_is_reached_by_the_gradient(network):
    prediction, _ = network(torch.rand(1, 3, 32, 32))
    prediction.square().sum().backward()
    assert [name for name, values in network.named_parameters() if values.grad is None or not values.grad.any()] == []


def test_a_slice_does_not_depend_on_its_batch(network):
    batch = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network(batch)[0][1:2], network(batch[1:2])[0], rtol=0, atol=1e-5)


def test_what_lies_far_away_is_seen(network):
    # Attention over channels pools over the whole slice.
    near, far = torch.rand(1, 3, 64, 64), None
    far = near.clone()
    far[..., 60:, 60:] += 1
    with torch.no_grad():
        assert not torch.equal(network(near)[0][..., :2, :2], network(far)[0][..., :2, :2])


def test_a_voxel_is_normalised_over_its_channels():
    features = torch.rand(2, 16, 3, 5) * 7 + 2
    normalised = ChannelNorm(16)(features)
    torch.testing.assert_close(normalised.mean(dim=1), torch.zeros(2, 3, 5), rtol=0, atol=1e-5)
    torch.testing.assert_close(normalised.var(dim=1, correction=0), torch.ones(2, 3, 5), rtol=0, atol=1e-3)


def test_attention_equals_its_formula():
    torch.manual_seed(1)
    attention = ChannelAttention(4, 2, qkv=nn.Conv2d(4, 12, 1, bias=False)).double()
    nn.init.constant_(attention.temperature, 1.7)
    features = torch.randn(1, 4, 3, 2, dtype=torch.float64)
    weight = attention.qkv.weight.detach().numpy()[:, :, 0, 0]
    q, k, v = np.split(weight @ features.numpy().reshape(4, 6), 3)
    attended = np.empty((4, 6))
    for head in (slice(0, 2), slice(2, 4)):
        unit_q, unit_k = (each[head] / np.linalg.norm(each[head], axis=1, keepdims=True) for each in (q, k))
        scores = np.exp(1.7 * unit_q @ unit_k.T)
        attended[head] = scores / scores.sum(axis=1, keepdims=True) @ v[head]
    expected = attention.merge.weight.detach().numpy()[:, :, 0, 0] @ attended
    np.testing.assert_allclose(attention(features).detach().numpy().reshape(4, 6), expected, atol=1e-12)


def test_a_closed_gate_lets_nothing_through():
    layer = GatedFeedForward(4)
    hidden = layer.reduce.weight.shape[1]
    with torch.no_grad():
        layer.expand.weight[:hidden] = -50  # GELU of -200 is 0
        layer.local.weight.fill_(0.5)
    assert not layer(torch.ones(1, 4, 6, 6)).any()


def test_a_block_whose_last_layers_are_zero_changes_nothing():
    block, features = RestormerBlock(8, 2), torch.rand(1, 8, 6, 6)
    nn.init.zeros_(block.attention[1].merge.weight)
    nn.init.zeros_(block.feed_forward[1].reduce.weight)
    torch.testing.assert_close(block(features), features, rtol=0, atol=0)


def test_a_few_steps_on_one_slice_bring_the_error_down():
    torch.manual_seed(0)
    network, inputs = RestormerUNet(SMALL, in_channels=1, out_channels=1), torch.rand(1, 1, 32, 32)
    truth = 1 - inputs.roll(1, dims=-1)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    errors = []
    for _ in range(60):
        error = (network(inputs)[0] - truth).abs().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.4 * errors[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_neighbours": 2}, "odd"),
        ({"width": 5}, "even"),
        ({"blocks_per_level": 0}, "1 or more"),
        ({"heads": ()}, "heads"),
        ({"heads": (3,)}, "heads must divide"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change, message):
    good = {"num_neighbours": 1, "width": 4, "heads": (1, 2), "blocks_per_level": 1}
    with pytest.raises(ValueError, match=message):
        RestormerParameters(**(good | change))
