"""From which points of a flow's path losses of the predicted image reach the generator."""

import pytest
import torch

from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.flow_matching import NUM_TIMES, gradient_share
from MRTranslateLib.networks.generator import SourceSlices, Truth, build_generator

SIZES = {"num_neighbours": 1, "widths": [8, 16], "blocks_per_level": 1, "num_sampling_steps": 2}


def test_the_late_half_counts_fully_and_the_early_one_not_at_all():
    remaining = torch.tensor([0.001, 0.5, 0.501, 1.0])
    assert gradient_share(remaining, "late").tolist() == [1, 1, 0, 0]


def test_the_signal_to_noise_ratio_is_the_squared_ratio_of_what_is_done_to_what_remains():
    remaining = torch.tensor([0.001, 0.5, 0.75, 1.0])
    assert gradient_share(remaining, "snr").tolist() == pytest.approx([1, 1, 1 / 9, 0])


@pytest.mark.parametrize(("form", "remaining", "share"), [("late", 0.8, 0.0), ("late", 0.2, 1.0), ("snr", 0.8, 1 / 16)])
def test_the_prediction_is_the_same_and_its_gradient_the_share(monkeypatch, form, remaining, share):
    code = torch.eye(5)[1:2]
    random = torch.Generator().manual_seed(3)
    batch = SourceSlices(torch.rand(1, 5, 1, 32, 32, generator=random) + 0.1, torch.eye(5)[:1], torch.zeros(1))
    truth = Truth(torch.rand(1, 5, 32, 32, generator=random), 5)
    found = {}
    for name in ("all", form):
        torch.manual_seed(0)
        flow = build_generator("flow_matching", SIZES | {"image_loss": name})
        last = flow.network.out[-1].conv
        torch.nn.init.normal_(last.weight, std=0.1)  # MONAI begins with zeros
        chance = flow._chance

        def at_time(seed, flows, chance=chance):
            noise, time = chance(seed, flows)
            return noise, torch.full_like(time, round(remaining * NUM_TIMES))

        monkeypatch.setattr(flow, "_chance", at_time)
        predicted = flow.train_pred(batch, code, truth)
        (predicted[:, 1] - 2).square().mean().backward()
        found[name] = (predicted.detach(), last.weight.grad)
    assert torch.equal(found[form][0], found["all"][0])
    assert found["all"][1].abs().max() > 1e-6
    torch.testing.assert_close(found[form][1], share * found["all"][1], rtol=1e-3, atol=1e-8)


def test_another_word_is_refused():
    with pytest.raises(ModelError, match="image_loss"):
        build_generator("flow_matching", SIZES | {"image_loss": "early"})
