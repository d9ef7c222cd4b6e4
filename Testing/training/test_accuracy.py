"""The accuracy of a discriminator."""

import pytest
import torch

from training.losses.adversarial import ADVERSARIAL_LOSSES
from training.networks.accuracy import DiscriminatorAccuracy, accuracy

REAL, SYNTHETIC = torch.tensor([[2.0, 0.4, -1.0, 0.6]] * 2), torch.tensor([[-2.0, 0.6, -1.0, 0.7]] * 2)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("binary_cross_entropy", 3 / 4 + 2 / 4),  # against 0
        ("least_squares", 2 / 4 + 2 / 4),  # against 1/2
        ("relativistic_average", 3 / 4 + 2 / 4),  # against the other side's mean, -0.425 and 0.5
    ],
)
def test_a_vote_is_right_on_the_side_its_loss_pulls_it_to(name, right):
    margins = ADVERSARIAL_LOSSES[name].margins(REAL, SYNTHETIC, None)
    assert accuracy(margins) == pytest.approx(right / 2)


def test_a_discriminator_that_calls_everything_real_is_right_half_the_time():
    all_real = torch.full((4, 1, 3, 3), 2.0)
    assert accuracy((all_real, -all_real)) == 0.5


def test_a_vote_of_zero_is_half_right_and_votes_without_weight_do_not_count():
    margins = torch.tensor([0.0, 1.0, -1.0])
    assert accuracy((margins, margins), torch.tensor([1.0, 1.0, 0.0])) == pytest.approx(0.75)
    assert accuracy((margins, margins), torch.zeros(3)) == 0.5


def test_a_constant_accuracy_is_reported_from_the_first_step_on():
    meter = DiscriminatorAccuracy(window_steps=50)
    assert meter.value == 0.5
    for _ in range(3):
        meter.update(0.9)
        assert meter.value == pytest.approx(0.9)


def test_old_steps_are_forgotten_exponentially():
    meter = DiscriminatorAccuracy(window_steps=10)
    values = [0.2, 0.4, 1.0]
    for value in values:
        meter.update(value)
    weights = [0.81, 0.9, 1.0]
    assert meter.value == pytest.approx(sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights))


def test_a_resumed_meter_goes_on_as_if_never_stopped():
    meter, resumed = DiscriminatorAccuracy(5), DiscriminatorAccuracy(5)
    meter.update(0.3)
    resumed.load_state_dict(meter.state_dict())
    for one in (meter, resumed):
        one.update(0.8)
    assert resumed.value == meter.value


def test_a_window_below_one_step_is_refused():
    with pytest.raises(ValueError, match=r"window_steps must be 1 or more, got 0\.5"):
        DiscriminatorAccuracy(0.5)
