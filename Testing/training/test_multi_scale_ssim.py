"""MS-SSIM against scikit-image's SSIM at each scale."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.measure import block_reduce
from skimage.metrics import structural_similarity

from training.losses.multi_scale_ssim import C1, multi_scale_dissimilarity, scale_exponents

PAPER = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])


def smooth_pair(height, width, seed=0):
    rng = np.random.default_rng(seed)
    truth = gaussian_filter(rng.random((height, width)), 3)
    truth = (truth - truth.min()) / (truth.max() - truth.min())
    return truth + 0.05 * rng.standard_normal((height, width)), truth


def reference(predicted, truth, mask, num_scales):
    """By scikit-image: SSIM = luminance * contrast-structure, luminance from means that scipy computes."""
    exponents = PAPER[:num_scales] / PAPER[:num_scales].sum()
    result = 1.0
    for scale, exponent in enumerate(exponents):
        if scale:
            predicted, truth, mask = (
                block_reduce(image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2], (2, 2), np.mean)
                for image in (predicted, truth, mask)
            )
        _, similarity = structural_similarity(
            truth, predicted, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, full=True
        )
        mean_p, mean_t = (gaussian_filter(image, 1.5, truncate=3.5) for image in (predicted, truth))
        luminance = (2 * mean_p * mean_t + C1) / (mean_p**2 + mean_t**2 + C1)
        measured = similarity if scale == num_scales - 1 else similarity / luminance
        inside = (slice(5, -5), slice(5, -5))
        result *= np.average(measured[inside], weights=mask[inside]) ** exponent
    return result


def tensors(*images):
    return [torch.from_numpy(image)[None, None] for image in images]


@pytest.mark.parametrize(("height", "width", "num_scales"), [(180, 191, 5), (64, 70, 3), (11, 30, 1)])
def test_it_equals_scikit_image_scale_by_scale(height, width, num_scales):
    predicted, truth = smooth_pair(height, width)
    everywhere = np.ones_like(truth)
    expected = 1 - reference(predicted, truth, everywhere, num_scales)
    assert multi_scale_dissimilarity(*tensors(predicted, truth, everywhere)).item() == pytest.approx(expected, abs=1e-9)


def test_inside_a_mask_it_equals_scikit_image_weighted_by_the_halved_mask():
    predicted, truth = smooth_pair(96, 80)
    rows, columns = np.mgrid[:96, :80]
    mask = ((rows - 50) ** 2 / 40**2 + (columns - 40) ** 2 / 30**2 < 1).astype(float)
    predicted, truth = predicted * mask, truth * mask
    expected = 1 - reference(predicted, truth, mask, 3)
    assert multi_scale_dissimilarity(*tensors(predicted, truth, mask)).item() == pytest.approx(expected, abs=1e-9)


def test_slices_and_channels_are_averaged_and_empty_masks_do_not_count():
    pairs = [smooth_pair(48, 48, seed) for seed in range(3)]
    predicted, truth = (torch.from_numpy(np.stack(images))[:, None] for images in zip(*pairs, strict=True))
    weight = torch.ones_like(truth)
    weight[2] = 0
    alone = [multi_scale_dissimilarity(predicted[i : i + 1], truth[i : i + 1], weight[:1]).item() for i in range(2)]
    together = multi_scale_dissimilarity(predicted, truth, weight).item()
    assert together == pytest.approx(sum(alone) / 2)
    assert multi_scale_dissimilarity(predicted, truth, 0 * weight).item() == 0


def test_equal_images_have_no_dissimilarity_and_inverted_ones_a_finite_gradient():
    truth = torch.rand(1, 1, 48, 48)
    everywhere = torch.ones_like(truth)
    assert multi_scale_dissimilarity(truth, truth, everywhere).item() == pytest.approx(0, abs=1e-5)
    inverted = (1 - truth).requires_grad_()
    loss = multi_scale_dissimilarity(inverted, truth, everywhere)
    loss.backward()
    assert 0.9 < loss.item() <= 1
    assert inverted.grad.isfinite().all()


def test_exponents_sum_to_one_and_five_scales_need_176_voxels():
    assert sum(scale_exponents(64)) == pytest.approx(1)
    assert [len(scale_exponents(size)) for size in (175, 176)] == [4, 5]
    assert scale_exponents(176) == pytest.approx(PAPER / PAPER.sum())


def test_an_image_smaller_than_a_window_is_refused():
    image = torch.rand(1, 1, 10, 64)
    with pytest.raises(ValueError, match="11 voxels or more, got 10"):
        multi_scale_dissimilarity(image, image, image)
