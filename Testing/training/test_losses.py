"""Losses against closed forms and scikit-image."""

import msgspec
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from MRTranslateLib.contrast import Contrast
from training.losses.masked_error import masked_absolute_error, masked_squared_error
from training.losses.multi_scale_ssim import multi_scale_dissimilarity
from training.losses.structural_similarity import STRIDE_VOXELS, WINDOW_VOXELS, structural_dissimilarity
from training.losses.supervised import importance, supervised_terms


def constant(value):
    return torch.full((1, 1, 8, 8), value)


def test_a_constant_error_is_its_own_mean():
    weight = torch.ones(1, 1, 8, 8)
    assert masked_absolute_error(constant(0.7), constant(0.5), weight).item() == pytest.approx(0.2)
    assert masked_squared_error(constant(0.7), constant(0.5), weight).item() == pytest.approx(0.04)


def test_what_lies_outside_the_mask_does_not_count():
    predicted, weight = constant(0.5), torch.zeros(1, 1, 8, 8)
    weight[..., :4] = 1
    predicted[..., 4:] = 99.0
    assert masked_absolute_error(predicted, constant(0.5), weight).item() == 0
    assert masked_squared_error(predicted, constant(0.5), weight).item() == 0


def test_an_empty_mask_gives_zero_and_no_nan():
    weight = torch.zeros(1, 1, 8, 8)
    assert masked_absolute_error(constant(1.0), constant(0.0), weight).item() == 0
    assert structural_dissimilarity(constant(1.0), constant(0.0), weight).item() == 0


def test_dissimilarity_equals_scikit_image_at_the_windows_it_looks_at():
    rng = np.random.default_rng(0)
    truth = rng.random((33, 33))
    predicted = truth + 0.1 * rng.standard_normal((33, 33))
    _, full = structural_similarity(
        truth, predicted, win_size=WINDOW_VOXELS, data_range=1.0, use_sample_covariance=False, full=True
    )
    interior = np.zeros((33, 33))
    interior[4:-4, 4:-4] = 1  # scikit-image mirrors at the border, we average what is there
    looked_at = np.zeros_like(interior)
    looked_at[::STRIDE_VOXELS, ::STRIDE_VOXELS] = interior[::STRIDE_VOXELS, ::STRIDE_VOXELS]
    expected = ((1 - full) * looked_at).sum() / looked_at.sum()
    as_tensor = [torch.from_numpy(values)[None, None] for values in (predicted, truth, interior)]
    assert structural_dissimilarity(*as_tensor).item() == pytest.approx(expected, abs=1e-9)


def test_equal_images_have_no_dissimilarity():
    image = torch.rand(1, 1, 16, 16)
    assert structural_dissimilarity(image, image, torch.ones_like(image)).item() == pytest.approx(0, abs=1e-6)


def test_multi_scale_similarity_counts_as_the_configuration_says_and_is_off_by_default(tiny_config):
    random = torch.Generator().manual_seed(0)
    predicted, truth = (torch.rand(2, 1, 32, 32, generator=random) for _ in range(2))
    brain = torch.ones(2, 1, 32, 32)
    plain = supervised_terms(predicted, truth, brain, brain, tiny_config.losses)
    weights = msgspec.structs.replace(tiny_config.losses, multi_scale_similarity=0.5)
    chosen = supervised_terms(predicted, truth, brain, brain, weights)
    assert set(chosen) - set(plain) == {"multi_scale_similarity"}
    expected = 0.5 * multi_scale_dissimilarity(predicted, truth, brain)
    torch.testing.assert_close(chosen["multi_scale_similarity"], expected)


@pytest.mark.parametrize(
    ("sources", "times"), [(["T1w"], 8), (["T1w", "T1wGd"], 8), (["T2w"], 3), (["T1w", "FLAIR"], 3), (["PDw"], 8)]
)
def test_a_lesion_that_no_t2w_or_flair_shows_counts_more(tiny_config, sources, times):
    weights = msgspec.structs.replace(tiny_config.losses, lesion=3.0, hidden_lesion=8.0)
    availability = torch.zeros(1, len(Contrast))
    availability[0, [Contrast(name).channel for name in sources]] = 1
    brain = torch.tensor([[[[0.0, 1.0, 1.0]]]])
    lesion = torch.tensor([[[[1.0, 0.0, 1.0]]]])
    assert importance(brain, lesion, availability, weights).flatten().tolist() == [0, 1, times]


def test_hidden_lesions_count_as_others_by_default(tiny_config):
    brain = torch.ones(1, 1, 1, 1)
    counted = importance(brain, brain, torch.zeros(1, len(Contrast)), tiny_config.losses)
    assert counted.item() == tiny_config.losses.lesion
