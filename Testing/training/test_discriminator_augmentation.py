"""Augmentation before the discriminators: exact moves, shared by all images, differentiable, never always."""

import pytest
import torch

from training.data.discriminator_augmentation import (
    CUT_SIZE,
    MAX_LOG_GAIN,
    MAX_SHIFT,
    DiscriminatorAugmentation,
    draw_augmentation,
)

SIZE = (32, 24)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(count=2, channels=1):
    return torch.rand(count, channels, *SIZE, generator=seeded(9))


def by_hand(rows=None, columns=None, kept=None, gain=1.0):
    return DiscriminatorAugmentation(
        torch.arange(SIZE[0])[None] if rows is None else rows,
        torch.arange(SIZE[1])[None] if columns is None else columns,
        torch.ones(1, 1, *SIZE) if kept is None else kept,
        torch.full((1, 1, 1, 1), gain),
    )


def test_a_shift_moves_whole_voxels_and_fills_with_background():
    image = noise(1)
    moved = by_hand(rows=torch.arange(SIZE[0])[None] + 3).move(image)
    assert torch.equal(moved[:, :, :-3], image[:, :, 3:])
    assert moved[:, :, -3:].abs().max() == 0


def test_mirroring_exchanges_left_and_right():
    image = noise(1)
    assert torch.equal(by_hand(columns=torch.arange(SIZE[1]).flip(0)[None]).move(image), image.flip(-1))


def test_only_the_judged_image_is_made_brighter():
    image, drawn = noise(1), by_hand(gain=1.25)
    assert torch.equal(drawn.move(image), image)
    torch.testing.assert_close(drawn.judged(image), 1.25 * image)


def test_probability_zero_changes_nothing():
    image = noise()
    drawn = draw_augmentation(image, 0.0, seeded())
    assert torch.equal(drawn.judged(image), image)


def test_with_probability_one_every_change_is_made_within_its_bounds():
    count = 200
    drawn = draw_augmentation(noise(count), 1.0, seeded())
    assert (drawn.columns.diff(dim=1) == -1).all()
    assert (drawn.rows[:, 0].abs() <= MAX_SHIFT * SIZE[0]).all()
    assert (drawn.rows[:, 0] != 0).float().mean() > 0.7
    cut = (1 - drawn.kept).sum(dim=(1, 2, 3))
    assert (cut == round(CUT_SIZE * SIZE[0]) * round(CUT_SIZE * SIZE[1])).all()
    assert drawn.gain.log().abs().max() <= MAX_LOG_GAIN + 1e-6
    assert drawn.gain.std() > 0.01


def test_each_change_is_made_to_the_asked_share_of_slices():
    drawn = draw_augmentation(noise(2000), 0.3, seeded())
    assert (drawn.columns[:, 1] < drawn.columns[:, 0]).float().mean().item() == pytest.approx(0.3, abs=0.05)
    assert ((1 - drawn.kept).amax(dim=(1, 2, 3))).mean().item() == pytest.approx(0.3, abs=0.05)
    assert (drawn.gain != 1).float().mean().item() == pytest.approx(0.3, abs=0.05)


def test_all_channels_and_all_images_of_a_slice_move_alike():
    image = noise(4)
    drawn = draw_augmentation(image, 1.0, seeded(3))
    assert torch.equal(drawn.move(image.expand(-1, 3, -1, -1)), drawn.move(image).expand(-1, 3, -1, -1))


def test_the_gradient_goes_back_to_the_voxels_that_are_shown():
    image = noise(1).requires_grad_()
    kept = torch.ones(1, 1, *SIZE)
    kept[..., :4, :] = 0
    by_hand(rows=torch.arange(SIZE[0])[None] + 3, kept=kept, gain=2.0).judged(image).sum().backward()
    expected = torch.full_like(image, 2.0)
    expected[:, :, :7] = 0
    assert torch.equal(image.grad, expected)


def test_a_probability_beyond_one_is_refused():
    with pytest.raises(ValueError, match=r"probability must be in 0\.\.1, got 1\.5"):
        draw_augmentation(noise(), 1.5, seeded())
