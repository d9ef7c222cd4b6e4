"""Feature matching against its closed form."""

import pytest
import torch

from training.losses.feature_matching import feature_matching


def test_layers_count_alike_whatever_their_size():
    real = [torch.zeros(2, 4, 8, 8), torch.zeros(2, 16, 2, 2)]
    synthetic = [torch.full((2, 4, 8, 8), 0.5), torch.full((2, 16, 2, 2), -0.1)]
    assert feature_matching(synthetic, real).item() == pytest.approx((0.5 + 0.1) / 2)


def test_only_the_synthetic_features_get_a_gradient():
    real, synthetic = (torch.rand(1, 2, 3, 3, requires_grad=True) for _ in range(2))
    feature_matching([synthetic], [real]).backward()
    assert real.grad is None
    assert synthetic.grad.abs().sum() > 0


def test_a_missing_layer_is_refused():
    with pytest.raises(ValueError, match=r"zip\(\) argument 2 is (longer|shorter)"):
        feature_matching([torch.zeros(1)], [torch.zeros(1), torch.zeros(1)])
