"""Distinction maps and incremental modulation."""

import pytest
import torch

from MRTranslateLib.networks.modulation import IncrementalModulation, distinction_map, modulate


def features(seed=0, channels=4):
    return torch.randn(2, channels, 6, 8, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def test_no_increment_is_the_identity():
    nothing = torch.zeros(2, 4, 6, 8)
    torch.testing.assert_close(modulate(features(), nothing, nothing), features(), rtol=0, atol=1e-5)


def test_no_increment_is_the_identity_even_where_a_channel_is_constant():
    constant, nothing = torch.full((1, 2, 5, 5), 0.7), torch.zeros(1, 2, 5, 5)
    torch.testing.assert_close(modulate(constant, nothing, nothing), constant, rtol=0, atol=1e-6)


def test_a_shift_increment_is_added():
    shift = features(seed=1)
    torch.testing.assert_close(
        modulate(features(), torch.zeros_like(shift), shift), features() + shift, rtol=0, atol=1e-5
    )


def test_a_constant_scale_increment_adds_to_the_standard_deviation_and_keeps_the_mean():
    given, increment = features(), torch.full((2, 4, 6, 8), 0.5)
    changed = modulate(given, increment, torch.zeros_like(given))
    torch.testing.assert_close(changed.mean(dim=(2, 3)), given.mean(dim=(2, 3)), rtol=0, atol=1e-5)
    deviation, before = (each.std(dim=(2, 3), correction=0) for each in (changed, given))
    torch.testing.assert_close(deviation, before + 0.5, rtol=0, atol=1e-4)


def test_every_channel_of_every_slice_has_its_own_statistics():
    given = features()
    brighter = given.clone()
    brighter[1, 2] = 10 * brighter[1, 2] - 4
    one, other = (modulate(each, torch.ones_like(each), torch.zeros_like(each)) for each in (given, brighter))
    same = torch.ones(2, 4, dtype=torch.bool)
    same[1, 2] = False
    torch.testing.assert_close(one[same], other[same], rtol=0, atol=0)


def test_an_untrained_modulation_is_the_identity():
    layer = IncrementalModulation(4, 8)
    torch.testing.assert_close(layer(features(), torch.rand(2, 1, 6, 8)), features(), rtol=0, atol=1e-5)


def test_a_trained_modulation_follows_its_map():
    torch.manual_seed(0)
    layer = IncrementalModulation(4, 8)
    torch.nn.init.normal_(layer.shift.weight)
    one, other = (layer(features(), torch.full((2, 1, 6, 8), value)) for value in (-1.0, 1.0))
    assert (one - other).abs().max() > 0.01


def test_the_paper_s_layers_have_the_paper_s_size():
    # conv3x3 1-64-128-128, then one 3x3 each for Gamma and Beta
    layers = [(1, 64), (64, 128), (128, 128), (128, 48), (128, 48)]
    expected = sum(9 * given * made + made for given, made in layers)
    assert sum(values.numel() for values in IncrementalModulation(48, 128).parameters()) == expected


@pytest.mark.parametrize(("factor", "similarity"), [(1.0, 1.0), (5.0, 1.0), (-2.0, -1.0)])
def test_features_that_point_alike_are_similar_whatever_their_size(factor, similarity):
    result = distinction_map(features(), factor * features())
    torch.testing.assert_close(result, torch.full((2, 1, 6, 8), similarity), rtol=0, atol=1e-5)


def test_features_at_right_angles_are_not_similar():
    one, other = torch.zeros(2, 1, 2, 3, 3)
    one[:, 0], other[:, 1] = 2, 3
    assert not distinction_map(one, other).any()
