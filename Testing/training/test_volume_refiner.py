"""The 3-D refiner starts as the identity, sees what it should, and takes flicker away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.metrics import peak_signal_noise_ratio, slice_flicker
from training.data.phantom_scans import phantom_scans
from training.losses.masked_error import masked_absolute_error
from training.losses.slice_change import slice_change_error
from training.networks.volume_refiner import VolumeRefiner, VolumeRefinerParameters
from training.refined_volume import refine_volume

SMALL = {"width": 8, "num_blocks": 1, "kernel_slices": 5, "in_plane_stride": 4, "max_correction": 0.2}
T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


def untrained(**changes):
    torch.manual_seed(0)
    return VolumeRefiner(VolumeRefinerParameters(**(SMALL | changes)))


def awake(**changes):
    refiner = untrained(**changes)
    torch.nn.init.normal_(refiner.head.weight, std=0.5)
    return refiner


def volumes(size=(7, 18, 21)):
    """A brain of ones in a frame of background, T1w and T2w given, FLAIR wanted."""
    random = torch.Generator().manual_seed(1)
    synthetic, sources = (torch.rand(1, count, *size, generator=random) for count in (1, 5))
    brain = torch.zeros(1, 1, *size)
    brain[..., 1:-1, 2:-2, 2:-2] = 1
    code = [torch.tensor([[float(each in chosen) for each in Contrast]]) for chosen in ((T1W, T2W), (FLAIR,))]
    return [synthetic, sources, *code, brain]


def test_untrained_it_changes_nothing_to_the_bit():
    inputs = volumes()
    assert torch.equal(untrained()(*inputs), inputs[0])


@pytest.mark.parametrize("stride", [1, 4, 5])
def test_no_correction_exceeds_its_bound_and_none_is_made_outside_the_brain(stride):
    inputs = volumes()
    refiner = awake(in_plane_stride=stride)
    torch.nn.init.constant_(refiner.head.bias, 50.0)
    change = refiner(*inputs) - inputs[0]
    torch.testing.assert_close(change, 0.2 * inputs[4])


def test_the_correction_is_smooth_in_plane():
    # One value per 4 x 4 voxels, interpolated: along a row its slope changes at the middles of the coarse voxels only.
    inputs = volumes((3, 16, 16))
    inputs[4][:] = 1
    change = (awake()(*inputs) - inputs[0])[0, 0, 1, 8]
    bend = change.diff(n=2).abs()
    within = [column for column in range(14) if column % 4 in (2, 3)]  # all three voxels between the same two middles
    assert bend[within].max() < 1e-6
    assert bend.max() > 1e-4


@pytest.mark.parametrize("which", ["synthetic", "source", "availability", "target code", "neighbouring slice"])
def test_everything_that_is_given_is_seen(which):
    refiner, inputs = awake(), volumes()
    before = refiner(*inputs) - inputs[0]
    changed = [values.clone() for values in inputs]
    if which == "synthetic":
        changed[0][..., 3, 5:9, 5:9] += 0.3
    elif which == "source":
        changed[1][:, T1W.channel, 3, 5:9, 5:9] += 0.3
    elif which == "availability":
        changed[2][:, T2W.channel] = 0
    elif which == "target code":
        changed[3] = changed[3].roll(1, 1)
    else:
        changed[0][..., 1, 5:9, 5:9] += 0.3
    after = refiner(*changed) - changed[0]
    assert (after - before)[..., 3, :, :].abs().max() > 1e-5


def test_what_missing_contrasts_hold_does_not_matter():
    refiner, inputs = awake(), volumes()
    before = refiner(*inputs)
    inputs[1][:, FLAIR.channel] = torch.nan
    assert torch.equal(refiner(*inputs), before)


def test_background_does_not_enter_the_means():
    refiner, inputs = awake(), volumes()
    before = refiner(*inputs) * inputs[4]
    inputs[0] = torch.where(inputs[4] > 0, inputs[0], 0.9)
    inputs[1] = torch.where(inputs[4] > 0, inputs[1], 0.9)
    torch.testing.assert_close(refiner(*inputs) * inputs[4], before)


def test_volumes_of_different_grids_are_refused():
    inputs = volumes()
    inputs[1] = inputs[1][:, :, 1:]
    with pytest.raises(ValueError, match="must be volumes of one grid"):
        untrained()(*inputs)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0}, "width, num_blocks and in_plane_stride"),
        ({"kernel_slices": 4}, "kernel_slices must be odd and positive, got 4"),
        ({"max_correction": 0.0}, r"max_correction must be in \(0, 1\], got 0.0"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        VolumeRefinerParameters(**(SMALL | change))


def flickering(scan, seed):
    """FLAIR whose slices each have a brightness of their own, as slice-wise networks give."""
    truth = scan.images[FLAIR].astype(np.float32) / 255
    offsets = np.random.default_rng(seed).normal(0, 0.04, (len(truth), 1, 1)).astype(np.float32)
    return (truth + offsets).clip(0, 1) * scan.brain


def tensors(scan, seed):
    sources = torch.zeros(1, 5, *scan.brain.shape)
    for contrast in (T1W, T2W):
        sources[0, contrast.channel] = torch.from_numpy(scan.images[contrast] / np.float32(255))
    code = [torch.tensor([[float(each in chosen) for each in Contrast]]) for chosen in ((T1W, T2W), (FLAIR,))]
    brain = torch.from_numpy(scan.brain.astype(np.float32))[None, None]
    truth = torch.from_numpy(scan.images[FLAIR] / np.float32(255))[None, None]
    return [torch.from_numpy(flickering(scan, seed))[None, None], sources, *code, brain], truth


def test_on_unseen_phantoms_it_lowers_flicker_without_lowering_psnr():
    *seen, unseen = phantom_scans(3, spacing_mm=6.0, first_seed=60)
    refiner = untrained()
    optimizer = torch.optim.AdamW(refiner.parameters(), lr=5e-3)
    for step in range(50):
        inputs, truth = tensors(seen[step % 2], seed=step)
        refined = refiner(*inputs)
        loss = masked_absolute_error(refined, truth, inputs[4]) + slice_change_error(refined, truth, inputs[4])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    truth, before = unseen.images[FLAIR] / np.float32(255), flickering(unseen, seed=999)
    after = refine_volume(refiner, unseen, ((T1W, T2W), FLAIR), before)
    ratios = [slice_flicker(truth, image, mask=unseen.brain, axis=0) for image in (before, after)]
    quality = [peak_signal_noise_ratio(truth, image, data_range=1.0, mask=unseen.brain) for image in (before, after)]
    assert ratios[0] > 1.05
    assert abs(ratios[1] - 1) < 0.5 * abs(ratios[0] - 1)
    assert quality[1] > quality[0] + 1
