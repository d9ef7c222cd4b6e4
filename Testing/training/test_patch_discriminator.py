"""The coarse patch discriminator of label correction."""

import pytest
import torch

from training.networks.patch_discriminator import PatchDiscriminator


def test_the_published_width_has_the_published_number_of_parameters():
    assert round(sum(values.numel() for values in PatchDiscriminator().parameters()) / 1e6, 2) == 4.69


@pytest.mark.parametrize(("size", "logits"), [((64, 96), (4, 6)), ((33, 40), (3, 3))])
def test_there_is_a_logit_for_every_16_voxels(size, logits):
    assert PatchDiscriminator(8)(torch.rand(1, 1, *size)).shape == (1, 1, *logits)


def test_a_slice_does_not_depend_on_its_batch_even_in_training_mode():
    torch.manual_seed(0)
    network, images = PatchDiscriminator(8).train(), torch.rand(3, 1, 48, 48)
    torch.testing.assert_close(network(images)[:1], network(images[:1]), rtol=0, atol=1e-5)


def test_a_few_steps_tell_interpolated_slices_from_sharp_ones():
    # Its task: an image moved by half a voxel is the mean of neighbours, and so smoother.
    torch.manual_seed(0)
    network = PatchDiscriminator(8)
    optimizer = torch.optim.Adam(network.parameters(), 2e-3, betas=(0.5, 0.99))
    losses = []
    for _ in range(40):
        sharp = torch.rand(4, 1, 32, 32)
        moved = (sharp + sharp.roll(1, -1)) / 2
        loss = (
            torch.nn.functional.softplus(-network(sharp)).mean() + torch.nn.functional.softplus(network(moved)).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 1
    assert losses[-1] < 0.3


def test_wrong_shapes_and_widths_are_refused_with_their_values():
    with pytest.raises(ValueError, match=r"got \(1, 5, 32, 32\)"):
        PatchDiscriminator(8)(torch.rand(1, 5, 32, 32))
    with pytest.raises(ValueError, match="multiple of 8, got 12"):
        PatchDiscriminator(12)
