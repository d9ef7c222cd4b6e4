"""The local discriminator: what it looks at, how far it sees, and what its confidence means."""

import msgspec
import pytest
import torch
from torch.nn.utils import parametrize

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.generator import one_hot
from MRTranslateLib.networks.local_discriminator import (
    LocalDiscriminator,
    LocalDiscriminatorParameters,
    bake_spectral_norm,
    build_local_discriminator,
    dense_confidence,
    difficulty,
    gradient_magnitude,
)

SMALL = LocalDiscriminatorParameters(
    widths=(8, 8, 16, 16), normalization="group", spectral_norm=True, sees_sources=True, logit_stride_voxels=8
)


def small(seed=0, **changes):
    torch.manual_seed(seed)
    return LocalDiscriminator(msgspec.structs.replace(SMALL, **changes))


def example(height=32, width=48, batch_size=2, availability=(1, 0, 1, 0, 0)):
    """Sources, availability, target code (FLAIR) and candidate; tissue everywhere."""
    random = torch.Generator().manual_seed(1)
    sources = torch.rand(batch_size, 5, height, width, generator=random) + 0.01
    candidate = torch.rand(batch_size, 1, height, width, generator=random)
    return sources, torch.tensor([availability] * batch_size).float(), one_hot(Contrast.FLAIR, batch_size), candidate


@pytest.mark.parametrize("normalization", ["group", "instance", "none"])
@pytest.mark.parametrize(("height", "width"), [(16, 16), (32, 48), (37, 61)])
def test_any_size_gives_a_logit_per_8_voxels_and_a_confidence_per_voxel(normalization, height, width):
    network = small(normalization=normalization)
    inputs = example(height, width)
    assert network(*inputs).shape == (2, 1, -(-height // 8), -(-width // 8))
    confidence = network.confidence(*inputs)
    assert confidence.shape == (2, 1, height, width)
    assert 0 < confidence.min() < confidence.max() < 1


@pytest.mark.parametrize("stride", [4, 2, 1])
@pytest.mark.parametrize(("height", "width"), [(32, 48), (37, 61)])
def test_finer_logits_come_at_their_stride_and_give_a_confidence_per_voxel(stride, height, width):
    network = small(logit_stride_voxels=stride)
    inputs = example(height, width)
    assert network(*inputs).shape == (2, 1, -(-height // stride), -(-width // stride))
    assert network.confidence(*inputs).shape == (2, 1, height, width)


def test_the_gradient_magnitude_of_a_ramp_is_its_slope_and_the_border_is_no_edge():
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(10.0), indexing="ij")
    found = gradient_magnitude(torch.stack([0.3 * rows + 0.4 * columns, torch.full((12, 10), 7.0)])[None])
    torch.testing.assert_close(found[0, 0, 2:-2, 2:-2], torch.full((8, 6), 0.5))
    torch.testing.assert_close(found[0, 1], torch.zeros(12, 10), atol=1e-6, rtol=0)


@pytest.mark.parametrize("missing", [0.0, float("nan")])
def test_edges_are_those_of_candidate_and_given_sources(missing):
    network = small(sees_edges=True).eval()
    sources, availability, code, candidate = example(48, 48)
    before = network(sources, availability, code, candidate)
    sources[:, 1] = missing
    torch.testing.assert_close(network(sources, availability, code, candidate), before)
    planes = network.condition(sources, availability, code, candidate)
    steeper = network.condition(sources, availability, code, candidate * 2)
    assert planes.shape[1] == network.condition.out_channels
    assert (steeper[:, -1] >= planes[:, -1] - 1e-6).all()


def test_with_a_logit_per_voxel_a_single_voxel_of_the_candidate_moves_its_own_confidence_most():
    network = small(normalization="none", logit_stride_voxels=1).eval()
    *condition, candidate = example(64, 64, batch_size=1)
    moved = candidate.clone()
    moved[0, 0, 30, 20] += 0.5
    change = (network.confidence(*condition, moved) - network.confidence(*condition, candidate))[0, 0].abs()
    row, column = divmod(int(change.argmax()), 64)
    assert abs(row - 30) <= 2
    assert abs(column - 20) <= 2


def test_a_logit_sees_78_voxels_and_a_confidence_no_more_than_94():
    # Without normalisation, whose statistics are those of the whole slice. METHODS 2.3 expects 46 to 94.
    network = small(normalization="none").eval()
    *condition, candidate = example(160, 160, batch_size=1)
    for measured, expected in (
        (network(*condition, candidate.requires_grad_())[0, 0, 10, 10], {78}),
        (network.confidence(*condition, candidate)[0, 0, 80, 80], range(78, 95)),
    ):
        (gradient,) = torch.autograd.grad(measured, candidate)
        for axis in (0, 1):
            seen = gradient[0, 0].abs().amax(dim=1 - axis).nonzero()
            assert int(seen.max() - seen.min()) + 1 in expected


def test_a_logit_lies_in_the_middle_of_what_it_sees():
    network = small(normalization="none").eval()
    *condition, candidate = example(160, 160, batch_size=1)
    (gradient,) = torch.autograd.grad(network(*condition, candidate.requires_grad_())[0, 0, 10, 10], candidate)
    seen = gradient[0, 0].abs().amax(dim=1).nonzero()
    assert float(seen.min() + seen.max()) / 2 == pytest.approx(10 * 8 + 3.5, abs=4)


def test_what_the_candidate_shows_outside_the_tissue_of_the_sources_is_not_looked_at():
    network = small()
    sources, availability, code, candidate = example()
    sources[..., :20] = 0
    other = candidate.clone()
    other[..., :20] = 5.0
    network.eval()
    torch.testing.assert_close(
        network(sources, availability, code, candidate), network(sources, availability, code, other), rtol=0, atol=0
    )


def test_what_lies_in_an_unavailable_contrast_changes_nothing():
    network = small().eval()
    sources, availability, code, candidate = example()
    dirty = sources.clone()
    dirty[:, [1, 3, 4]] = torch.nan
    torch.testing.assert_close(
        network(sources, availability, code, candidate), network(dirty, availability, code, candidate), rtol=0, atol=0
    )


@pytest.mark.parametrize("sees_sources", [True, False])
def test_sources_and_availability_matter_only_if_they_are_to_be_seen(sees_sources):
    network = small(sees_sources=sees_sources).eval()
    sources, availability, code, candidate = example()
    before = network(sources, availability, code, candidate)
    assert torch.equal(before, network(sources.flip(-1), availability, code, candidate)) != sees_sources
    fewer = availability.clone()
    fewer[:, 2] = 0
    assert torch.equal(before, network(sources, fewer, code, candidate)) != sees_sources


def test_the_same_slice_is_judged_differently_as_another_contrast():
    network = small(sees_sources=False, logit_stride_voxels=8).eval()
    sources, availability, code, candidate = example()
    as_t2w = network(sources, availability, one_hot(Contrast.T2W, 2), candidate)
    assert not torch.allclose(network(sources, availability, code, candidate), as_t2w)


def test_a_slice_does_not_depend_on_its_batch_even_in_training_mode():
    network, inputs = small(spectral_norm=False).train(), example(batch_size=3)
    alone = network(*(values[:1] for values in inputs))
    torch.testing.assert_close(network(*inputs)[:1], alone, rtol=0, atol=1e-5)


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_the_largest_singular_value_of_every_weight_is_one_with_spectral_norm_alone(spectral_norm):
    network = small(spectral_norm=spectral_norm)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                module.weight = 7 * module.weight if spectral_norm else torch.nn.Parameter(7 * module.weight)
    inputs = example()
    for _ in range(60):
        network(*inputs)  # each pass in training mode improves the estimate by one power iteration
    largest = []
    for module in network.eval().modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
            out_first = module.weight.transpose(0, 1) if isinstance(module, torch.nn.ConvTranspose2d) else module.weight
            largest.append(torch.linalg.matrix_norm(out_first.flatten(1), ord=2).item())
    assert len(largest) == 6
    if spectral_norm:
        assert largest == pytest.approx([1.0] * 6, abs=0.01)
    else:
        assert min(largest) > 1.5


def test_the_baked_copy_judges_alike_and_keeps_no_estimate():
    network, inputs = small(), example()
    network(*inputs)
    assert network.training
    before = {name: values.clone() for name, values in network.state_dict().items()}
    baked = bake_spectral_norm(network)
    torch.testing.assert_close(baked(*inputs), network.eval()(*inputs), rtol=0, atol=1e-6)
    assert all(torch.equal(values, before[name]) for name, values in network.state_dict().items())
    assert not any(parametrize.is_parametrized(module) for module in baked.modules())
    assert not baked.settings.spectral_norm
    rebuilt = build_local_discriminator(msgspec.to_builtins(baked.settings))
    rebuilt.load_state_dict(baked.state_dict())
    torch.testing.assert_close(rebuilt.eval()(*inputs), baked(*inputs), rtol=0, atol=0)


def test_confidence_is_the_sigmoid_between_the_centres_of_8_voxel_cells():
    logits = torch.tensor([[[[-2.0, 2.0]]]])
    confidence = dense_confidence(logits, 8, 16, 8)
    # Cell centres lie at 3.5 and 11.5; halfway between them the logit is 0.
    expected = torch.sigmoid(torch.tensor([-2.0, -2.0 + 4 * 0.5 / 8, -0.25, 0.25, 2.0]))
    torch.testing.assert_close(confidence[0, 0, 4, [0, 4, 7, 8, 15]], expected)


def test_difficulty_is_the_square_of_what_is_missing_to_one_and_carries_no_gradient():
    confidence = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    attention = difficulty(confidence)
    assert attention.tolist() == [1.0, 0.25, 0.0]
    assert not attention.requires_grad


def test_mixed_precision_keeps_a_float32_confidence():
    network = small().eval()
    with torch.autocast("cpu", torch.bfloat16):
        confidence = network.confidence(*example())
    assert confidence.dtype == torch.float32
    assert (confidence - network.confidence(*example())).abs().max() < 0.02


def test_slices_of_different_sizes_are_refused_with_both_shapes():
    sources, availability, code, candidate = example()
    with pytest.raises(ValueError, match=r"got \(2, 5, 32, 40\) and \(2, 1, 32, 48\)"):
        small()(sources[..., :40], availability, code, candidate)


def test_an_availability_of_another_batch_is_refused():
    sources, availability, code, candidate = example()
    with pytest.raises(ValueError, match=r"must be \(2, 5\), got \(1, 5\)"):
        small()(sources, availability[:1], code, candidate)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"widths": [8, 8, 16]}, "length 4"),
        ({"widths": [8, 8, 16, 20]}, "multiples of 8"),
        ({"normalization": "batch"}, "batch"),
        ({"dropout": 0.5}, "dropout"),
        ({"spectral_norm": 1}, "bool"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_by_name(change, complaint):
    with pytest.raises(ModelError, match=f"local discriminator do not fit.*{complaint}"):
        build_local_discriminator(msgspec.to_builtins(SMALL) | change)
