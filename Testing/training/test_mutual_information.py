"""Mutual information of translation and sources against closed forms."""

import math

import pytest
import torch

from training.losses.mutual_information import negative_mutual_information

EVERYWHERE, ACQUIRED = torch.ones(1, 1, 16, 16), torch.ones(1, 1)


def halves(low, high, along):
    image = torch.full((1, 1, 16, 16), low)
    if along == "rows":
        image[..., :8, :] = high
    else:
        image[..., :8] = high
    return image


def test_images_of_two_equal_halves_that_fall_together_share_one_bit():
    source, translation = halves(0.1, 0.9, "rows"), halves(0.8, 0.3, "rows")
    found = negative_mutual_information(translation, source, ACQUIRED, EVERYWHERE)
    assert found.item() == pytest.approx(-math.log(2), abs=1e-4)


def test_halves_that_cross_share_nothing():
    found = negative_mutual_information(halves(0.1, 0.9, "columns"), halves(0.1, 0.9, "rows"), ACQUIRED, EVERYWHERE)
    assert found.item() == pytest.approx(0, abs=1e-5)


def test_only_acquired_sources_and_brain_count():
    sources = torch.cat([halves(0.1, 0.9, "rows"), halves(0.6, 0.3, "rows")], dim=1)
    translation, brain = halves(0.2, 0.7, "rows"), EVERYWHERE.clone()
    translation[..., 12:], brain[..., 12:] = 0.5, 0
    found = negative_mutual_information(translation, sources, torch.tensor([[1.0, 0.0]]), brain)
    assert found.item() == pytest.approx(-math.log(2), abs=1e-4)


def test_the_mean_over_sources_is_taken_over_those_that_were_acquired():
    sources = torch.cat([halves(0.1, 0.9, "rows"), halves(0.1, 0.9, "columns")], dim=1)
    found = negative_mutual_information(halves(0.2, 0.7, "rows"), sources, torch.ones(1, 2), EVERYWHERE)
    assert found.item() == pytest.approx(-math.log(2) / 2, abs=1e-4)


def test_its_gradient_leads_a_shifted_translation_back():
    rows = torch.arange(32.0)[:, None].expand(1, 1, 32, 32)
    source, shift = (rows / 5).sin() * 0.4 + 0.5, torch.tensor(1.5, requires_grad=True)
    translation = 0.5 - 0.4 * ((rows + shift) / 5).sin()
    negative_mutual_information(translation, source, ACQUIRED, torch.ones(1, 1, 32, 32)).backward()
    assert shift.grad > 0


def test_an_empty_brain_shares_nothing_and_has_no_nan():
    image = halves(0.1, 0.9, "rows")
    assert negative_mutual_information(image, image, ACQUIRED, 0 * EVERYWHERE).item() == 0
