"""Distillation: each term in closed form, and nothing of it reaches teacher or target."""

import msgspec
import pytest
import torch

from MRTranslateLib.networks.refiner import Refinement, RefinementParameters, Refiner
from MRTranslateLib.networks.registration_unet import RegistrationUNetParameters
from training.losses.distillation import METHODS_WEIGHTS, WITHOUT_TEACHER, DistillationLoss, scale_gradient
from training.networks.teacher import Teacher

NARROW = RegistrationUNetParameters(
    widths=(4, 6, 6), bottleneck_width=8, num_bottleneck_blocks=1, max_flow_voxels=2.0, diffeomorphic=False
)
WIDE = msgspec.structs.replace(NARROW, widths=(8, 8, 8))


def constant(value, channels=1):
    return torch.full((1, channels, 8, 8), value)


EAST = (constant(1.0),)


def refinement(image=0.5, flow=0.0, features=EAST):
    return Refinement(constant(image), constant(flow, 2), None, features)


def terms(student, teacher, target=0.5, widths=(1,)):
    loss = DistillationLoss(widths, widths, max_flow_voxels=8.0)
    return {name: term.item() for name, term in loss(student, teacher, constant(target), constant(1.0)).items()}


def test_a_student_equal_to_teacher_and_target_has_no_loss():
    assert set(terms(refinement(), refinement()).values()) == {0.0}


def test_output_and_target_terms_are_mean_differences_with_the_weights_of_methods_for_0_to_1():
    found = terms(refinement(image=0.5), refinement(image=0.7), target=0.4)
    assert found["output"] == pytest.approx(2 * 0.2, rel=1e-5)
    assert found["target"] == pytest.approx(40 * 0.1, rel=1e-5)


def test_the_flow_term_adds_rows_and_columns_in_units_of_the_longest_flow():
    assert terms(refinement(flow=1.0), refinement(flow=-1.0))["flow"] == pytest.approx(0.5 * (2 + 2) / 8)


def test_the_feature_term_compares_directions_not_lengths_and_adds_up_levels():
    east, north = torch.zeros(1, 2, 4, 4), torch.zeros(1, 2, 4, 4)
    east[:, 0], north[:, 1] = 1, 1
    student, longer = refinement(features=(2 * east, east)), refinement(features=(5 * east, 3 * east))
    assert terms(student, longer, widths=(2, 2))["features"] == pytest.approx(0, abs=1e-6)
    across = refinement(features=(north, east))
    assert terms(student, across, widths=(2, 2))["features"] == pytest.approx(0.1 * 2)  # |(1, 0) - (0, 1)|^2 once


def test_without_teacher_the_target_alone_counts():
    assert (WITHOUT_TEACHER.output, WITHOUT_TEACHER.flow, WITHOUT_TEACHER.features) == (0, 0, 0)
    assert WITHOUT_TEACHER.target == METHODS_WEIGHTS.target


def test_what_lies_outside_the_brain_counts_only_for_smoothness_and_features():
    student, brain = refinement(), constant(1.0)
    student.image[..., 4:], brain[..., 4:] = 9.0, 0
    found = DistillationLoss((1,), (1,), max_flow_voxels=8.0)(student, refinement(), constant(0.5), brain)
    assert found["output"].item() == found["target"].item() == 0


@pytest.fixture
def distilled():
    """A narrow student and a wide teacher after one backward pass of the student's whole loss."""
    torch.manual_seed(0)
    student = Refiner(RefinementParameters(registration=NARROW, max_residual=0.1))
    teacher = Teacher(RefinementParameters(registration=WIDE, max_residual=0.1), with_sources=True)
    loss = DistillationLoss(NARROW.feature_widths, WIDE.feature_widths, max_flow_voxels=8.0)
    for network in (student, teacher):
        torch.nn.init.normal_(network.body.registration.flow_head.weight, std=0.1)
    synthetic, target = torch.rand(2, 2, 1, 16, 16).requires_grad_().unbind()
    target = target.detach().requires_grad_()
    sources, codes = torch.rand(2, 5, 16, 16), torch.ones(2, 5)
    learnt = student(synthetic.detach(), sources, codes, codes)
    taught = teacher(synthetic.detach(), target, sources, codes, codes)
    sum(loss(learnt, taught, target, torch.ones(2, 1, 16, 16)).values()).backward()
    return student, teacher, loss, target


def test_the_students_loss_leaves_the_teacher_without_gradient(distilled):
    _, teacher, _, target = distilled
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert target.grad is None


def test_the_students_loss_reaches_the_student_and_its_adapters(distilled):
    student, _, loss, _ = distilled
    registration = student.body.registration
    for layer in (registration.down[0][0], registration.flow_head, loss.adapters[0], loss.adapters[2]):
        assert layer.weight.grad.abs().max() > 0


def test_a_scaled_gradient_keeps_the_values():
    image = torch.rand(3, 3, requires_grad=True)
    scaled = scale_gradient(image, 0.1)
    assert torch.equal(scaled, image)
    scaled.sum().backward()
    torch.testing.assert_close(image.grad, torch.full((3, 3), 0.1))
