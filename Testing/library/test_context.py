"""Attention over a whole slice at the U-Net's coarsest level."""

import pytest
import torch

from MRTranslateLib.networks.context import ContextBlock, waves
from MRTranslateLib.networks.unet import ConditionalUNet, UNetParameters

SIZE = {"num_neighbours": 1, "widths": (8, 32), "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}


def learned(width=32):
    torch.manual_seed(0)
    block = ContextBlock(width)
    for values in block.parameters():
        torch.nn.init.normal_(values, std=0.3)
    return block


def test_a_block_begins_as_the_identity():
    features = torch.randn(2, 32, 5, 3)
    assert torch.equal(ContextBlock(32)(features), features)


def test_a_place_hears_of_the_other_side_of_the_slice():
    block, features = learned(), torch.randn(1, 32, 4, 9)
    changed = features.clone()
    changed[..., -1] = torch.randn(32, 4)
    assert (block(changed) - block(features))[..., 0].abs().max() > 1e-3


def test_a_place_knows_where_it_is():
    same = torch.ones(1, 32, 6, 6)  # everywhere alike: only the place can tell cells apart
    assert learned()(same).std(dim=(2, 3)).max() > 1e-3


def test_no_two_places_of_a_brain_have_the_same_waves():
    told = waves(12, 10)
    assert torch.cdist(told, told).fill_diagonal_(1.0).min() > 0.1


def test_middle_of_the_slice_is_the_origin_of_its_waves():
    middle = waves(5, 7).view(5, 7, -1)[2, 3]
    torch.testing.assert_close(middle, torch.tensor([0.0] * 8 + [1.0] * 8))


def test_a_unet_with_blocks_that_have_not_learned_is_the_one_without():
    torch.manual_seed(1)
    plain = ConditionalUNet(UNetParameters(**SIZE))
    torch.nn.init.normal_(plain.fuse.last.weight)  # it begins at zero, where nothing else would be seen
    with_context = ConditionalUNet(UNetParameters(**SIZE, context_blocks=2))
    with_context.load_state_dict(plain.state_dict(), strict=False)
    inputs = torch.rand(1, 5, 1, 16, 16), torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([0.5])
    assert torch.equal(plain(*inputs), with_context(*inputs))


def test_blocks_that_have_learned_change_the_translation():
    torch.manual_seed(1)
    network = ConditionalUNet(UNetParameters(**SIZE, context_blocks=1))
    torch.nn.init.normal_(network.fuse.last.weight)
    inputs = torch.rand(1, 5, 1, 16, 16), torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([0.5])
    before = network(*inputs)
    torch.nn.init.normal_(network.context[0].answer.weight)
    assert not torch.equal(network(*inputs), before)


@pytest.mark.parametrize("parameters", [{"context_blocks": -1}, {"context_blocks": 1, "widths": (8, 40)}])
def test_impossible_blocks_are_refused_with_the_value(parameters):
    with pytest.raises(ValueError, match=r"context_blocks must not be negative.* multiple of 32; got -?1"):
        UNetParameters(**{**SIZE, **parameters})
