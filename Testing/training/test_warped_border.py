"""What came from beyond a warped slice."""

import torch

from MRTranslateLib.networks.warp import warp
from training.data.warped_border import came_from_inside


def constant(rows, columns, size=(6, 8)):
    return torch.tensor([rows, columns]).view(1, 2, 1, 1).expand(1, 2, *size).clone()


def test_all_of_an_unmoved_slice_came_from_inside():
    assert came_from_inside(constant(0.0, 0.0)).min() == 1


def test_a_shift_hides_as_many_rows_and_columns_as_it_brought_in():
    inside = came_from_inside(constant(2.0, -1.5))[0, 0]
    expected = torch.ones(6, 8)
    expected[4:], expected[:, :2] = 0, 0
    assert torch.equal(inside, expected)


def test_what_is_not_hidden_is_the_same_whatever_lies_beyond_the_slice():
    random = torch.Generator().manual_seed(0)
    image, flow = torch.rand(4, 1, 20, 20, generator=random), 3 * torch.randn(4, 2, 20, 20, generator=random)
    inside = came_from_inside(flow)
    by_border, by_zeros = (warp(image, flow, outside=outside) * inside for outside in ("border", "zeros"))
    torch.testing.assert_close(by_border, by_zeros, atol=1e-5, rtol=0)
    assert 0.5 < inside.mean() < 1
