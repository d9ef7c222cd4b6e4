"""Modulated deformable convolution against plain convolution, shifts and a slow reference."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from MRTranslateLib.networks.deformable_convolution import DeformableConv2d, deformable_convolution

SIZE = (7, 9)


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def still(batch=2):
    """No displacement, all factors 1."""
    return torch.zeros(batch, 18, *SIZE, dtype=torch.float64), torch.ones(batch, 9, *SIZE, dtype=torch.float64)


def bilinear(image, row, column):
    """Value of a zero-extended image between its voxels, by hand."""
    value, top, left = 0.0, int(np.floor(row)), int(np.floor(column))
    for i, j in ((top, left), (top, left + 1), (top + 1, left), (top + 1, left + 1)):
        if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
            value += (1 - abs(row - i)) * (1 - abs(column - j)) * image[i, j]
    return value


def slow_reference(inputs, weight, offset, mask):
    """Six nested loops over the definition (one group)."""
    batch, channels, height, width = inputs.shape
    result = np.zeros((batch, weight.shape[0], height, width))
    for b, row, column in np.ndindex(batch, height, width):
        for tap in range(9):
            y = row + tap // 3 - 1 + offset[b, 2 * tap, row, column]
            x = column + tap % 3 - 1 + offset[b, 2 * tap + 1, row, column]
            for channel in range(channels):
                value = mask[b, tap, row, column] * bilinear(inputs[b, channel], y, x)
                result[b, :, row, column] += weight[:, channel, tap // 3, tap % 3] * value
    return result


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_without_displacement_it_is_a_plain_convolution(groups):
    inputs, weight = random(2, 4, *SIZE), random(8, 4 // groups, 3, 3, seed=1)
    result = deformable_convolution(inputs, weight, *still(), groups=groups)
    torch.testing.assert_close(result, functional.conv2d(inputs, weight, padding=1, groups=groups), rtol=0, atol=1e-12)


def test_without_displacement_it_is_a_plain_convolution_in_single_precision():
    inputs, weight = random(1, 4, 64, 64).float(), random(4, 4, 3, 3, seed=1).float()
    result = deformable_convolution(inputs, weight, torch.zeros(1, 18, 64, 64), torch.ones(1, 9, 64, 64))
    torch.testing.assert_close(result, functional.conv2d(inputs, weight, padding=1), rtol=0, atol=2e-4)


@pytest.mark.parametrize(("rows", "columns"), [(1, 0), (0, 2), (-2, 3)])
def test_a_whole_displacement_convolves_the_shifted_image(rows, columns):
    inputs, weight = random(1, 2, *SIZE), random(3, 2, 3, 3, seed=1)
    offset, mask = still(batch=1)
    offset[:, 0::2], offset[:, 1::2] = rows, columns
    everywhere = functional.conv2d(functional.pad(inputs, (4, 4, 4, 4)), weight)  # of the zero-extended image
    expected = everywhere[..., 3 + rows : 3 + rows + SIZE[0], 3 + columns : 3 + columns + SIZE[1]]
    torch.testing.assert_close(deformable_convolution(inputs, weight, offset, mask), expected, rtol=0, atol=1e-12)


def test_between_voxels_it_equals_a_slow_reference():
    inputs, weight = random(2, 2, *SIZE), random(3, 2, 3, 3, seed=1)
    offset, mask = 2.3 * random(2, 18, *SIZE, seed=2), random(2, 9, *SIZE, seed=3)
    expected = slow_reference(*(values.numpy() for values in (inputs, weight, offset, mask)))
    result = deformable_convolution(inputs, weight, offset, mask).numpy()
    np.testing.assert_allclose(result, expected, atol=1e-10)


def test_what_is_sampled_outside_the_image_is_zero():
    offset, mask = still(batch=1)
    result = deformable_convolution(
        torch.ones_like(mask[:, :1]), torch.ones_like(mask[:1, :1, :3, :3]), offset + 20, mask
    )
    assert not result.any()


def test_gradients_are_those_of_finite_differences():
    inputs, weight = random(1, 2, 4, 5), random(2, 2, 3, 3, seed=1)
    # Away from whole voxels, where bilinear interpolation has a kink.
    offset = random(1, 18, 4, 5, seed=2).round() + 0.2 + 0.6 * torch.rand(1, 18, 4, 5, dtype=torch.float64)
    mask = random(1, 9, 4, 5, seed=3)
    arguments = [values.requires_grad_() for values in (inputs, weight, offset, mask)]
    assert torch.autograd.gradcheck(deformable_convolution, arguments, fast_mode=True)


def test_half_precision_does_not_coarsen_positions():
    # bfloat16 counts 256, 258, 260: positions added up in it would miss every second column.
    inputs = random(1, 1, 1, 300).bfloat16()
    weight = torch.zeros(1, 1, 3, 3, dtype=torch.bfloat16)
    weight[..., 1, 1] = 1
    offset, mask = torch.zeros(1, 18, 1, 300, dtype=torch.bfloat16), torch.ones(1, 9, 1, 300, dtype=torch.bfloat16)
    torch.testing.assert_close(deformable_convolution(inputs, weight, offset, mask), inputs, rtol=0, atol=1e-2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_a_gpu_computes_the_same():
    arguments = (
        random(2, 2, *SIZE),
        random(3, 2, 3, 3, seed=1),
        random(2, 18, *SIZE, seed=2),
        random(2, 9, *SIZE, seed=3),
    )
    result = deformable_convolution(*(values.cuda() for values in arguments)).cpu()
    torch.testing.assert_close(result, deformable_convolution(*arguments), rtol=0, atol=1e-10)


def test_an_untrained_layer_is_a_plain_convolution_whatever_steers_it():
    layer = DeformableConv2d(4, 6, steering_channels=8).double()
    features, steering = random(2, 4, *SIZE), random(2, 8, *SIZE, seed=1)
    expected = functional.conv2d(features, layer.weight, padding=1)
    torch.testing.assert_close(layer(features, steering), expected, rtol=0, atol=1e-12)


def test_a_layer_can_steer_itself():
    layer = DeformableConv2d(4, 6, steering_channels=4).double()
    features = random(2, 4, *SIZE)
    torch.nn.init.normal_(layer.offset.weight)
    torch.testing.assert_close(layer(features), layer(features, features), rtol=0, atol=0)


def test_an_untrained_layer_learns_to_steer_from_its_first_step():
    layer = DeformableConv2d(2, 2, steering_channels=2)
    layer(torch.rand(1, 2, *SIZE)).square().sum().backward()
    assert layer.offset.weight.grad.any()
    assert layer.mask.weight.grad.any()


def test_a_layer_learns_a_known_displacement():
    torch.manual_seed(0)
    layer = DeformableConv2d(1, 1, steering_channels=1)
    with torch.no_grad():
        layer.weight.zero_()
        layer.weight[..., 1, 1] = 1
    layer.weight.requires_grad_(False)
    smooth = functional.avg_pool2d(torch.rand(1, 1, 24, 24), 5, 1, 2)
    truth = smooth.roll(-1, dims=-1)
    optimizer = torch.optim.Adam([*layer.offset.parameters(), *layer.mask.parameters()], lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        (layer(smooth) - truth)[..., 4:-4, 4:-4].square().mean().backward()
        optimizer.step()
    displacement = layer.offset(smooth)[0, [8, 9], 4:-4, 4:-4].mean(dim=(1, 2))  # row and column of the middle tap
    torch.testing.assert_close(displacement, torch.tensor([0.0, 1.0]), rtol=0, atol=0.25)


@pytest.mark.parametrize(
    ("changed", "shape", "groups"),
    [
        ("offset", (2, 9, *SIZE), 1),
        ("mask", (2, 18, *SIZE), 1),
        ("weight", (3, 3, 3, 3), 1),
        ("weight", (3, 2, 3, 3), 3),
    ],
)
def test_shapes_that_do_not_fit_are_refused(changed, shape, groups):
    offset, mask = still()
    arguments = {"inputs": random(2, 2, *SIZE), "weight": random(3, 2, 3, 3), "offset": offset, "mask": mask}
    with pytest.raises(ValueError, match=r"do(es)? not fit"):
        deformable_convolution(**(arguments | {changed: random(*shape)}), groups=groups)
