"""System C's super-resolution branch and its unification with synthesis."""

import dataclasses

import msgspec
import pytest
import torch
from torch.nn import functional

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.networks.deformable_convolution import DeformableConv2d
from MRTranslateLib.networks.generator import SourceSlices, build_generator, one_hot
from MRTranslateLib.networks.guide import EncodedGuide, PyramidGuide
from MRTranslateLib.networks.k_space import k_space_enlarge, k_space_resample
from MRTranslateLib.networks.low_resolution_target import LowResolutionTarget
from MRTranslateLib.networks.super_resolution import (
    build_super_resolver,
    translate_or_super_resolve,
)

PAPER = {
    "num_neighbours": 1,
    "pyramid_widths": [384, 384, 384, 192, 96, 48],
    "dense_blocks": 2,
    "growth": 32,
    "blocks_per_scale": 2,
    "modulation_width": 128,
    "deformable_stride": 1,
}
SMALL = {
    "ratios": [1, 2, 4, 8],
    "num_neighbours": 3,
    "widths": [8, 8, 4, 4],
    "heads": [2, 2, 1, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 4,
    "blocks_per_scale": 1,
    "modulation_width": 4,
    "deformable_stride": 2,
}
LAPTOP = SMALL | {"widths": [64, 48, 32, 16], "heads": [4, 4, 2, 1], "growth": 16, "modulation_width": 16}
UNET = {"num_neighbours": 3, "widths": [8, 16], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1}
RESTORMER = {"num_neighbours": 3, "width": 4, "heads": [1, 2, 2, 4], "blocks_per_level": 1}
HEIGHT, WIDTH = 16, 24


def untrained(changes=None):
    torch.manual_seed(0)
    return build_super_resolver(SMALL | (changes or {})).eval()


def awake(changes=None):
    """A branch whose zero-initialised layers hold chance, so that everything it sees reaches its output."""
    resolver = untrained(changes)
    with torch.no_grad():
        for values in resolver.parameters():
            if not values.any():
                values.normal_(std=0.2)
    return resolver


def slices(batch_size=2):
    images = torch.rand(batch_size, 5, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(1))
    availability = torch.tensor([[1.0, 0, 1, 0, 0]]).expand(batch_size, -1)
    return SourceSlices(images * availability[:, :, None, None, None], availability, torch.full((batch_size,), 0.5))


def low(ratio, batch_size=2, num_neighbours=3):
    random = torch.Generator().manual_seed(2)
    images = torch.rand(batch_size, num_neighbours, HEIGHT // ratio, WIDTH // ratio, generator=random)
    return LowResolutionTarget(images, torch.tensor([[1.0, ratio, ratio]]).expand(batch_size, -1))


def inputs(batch_size=2):
    random = torch.Generator().manual_seed(3)
    return (torch.rand(batch_size, count, HEIGHT, WIDTH, generator=random) for count in (1, 5))


def generator(architecture="unet25d", parameters=None):
    torch.manual_seed(0)
    return build_generator(architecture, parameters or UNET).eval()


@pytest.mark.parametrize(("ratio", "scales", "millions"), [(2, 2, 6.9), (4, 3, 22.5), (8, 4, 80.0)])
def test_the_paper_s_sizes_are_met(ratio, scales, millions):
    widths, heads = [384, 192, 96, 48][-scales:], [8, 4, 2, 1][-scales:]
    with torch.device("meta"):
        resolver = build_super_resolver(PAPER | {"ratios": [ratio], "widths": widths, "heads": heads})
    count = sum(values.numel() for values in resolver.parameters())
    assert count / 1e6 == pytest.approx(millions, rel=0.005)


def test_the_laptop_s_size_is_at_most_3_million_parameters():
    assert sum(values.numel() for values in untrained(LAPTOP).parameters()) <= 3e6


@pytest.mark.parametrize(("architecture", "parameters"), [("unet25d", UNET), ("restormer", RESTORMER)])
def test_an_infinite_ratio_is_the_synthesis_to_the_bit(architecture, parameters):
    synthesis, code = generator(architecture, parameters), one_hot(Contrast.FLAIR, 2)
    alone = synthesis.sample(slices(), code)
    assert torch.equal(translate_or_super_resolve(synthesis, awake(), slices(), code), alone)
    assert torch.equal(translate_or_super_resolve(synthesis, None, slices(), code), alone)


def test_an_infinite_ratio_returns_the_very_tensor_the_generator_made(monkeypatch):
    synthesis, made = generator(), torch.rand(2, 5, HEIGHT, WIDTH)
    monkeypatch.setattr(synthesis, "sample", lambda slices, code: made)
    assert translate_or_super_resolve(synthesis, awake(), slices(), one_hot(Contrast.FLAIR, 2)) is made


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
def test_an_untrained_branch_without_a_synthetic_image_is_the_interpolated_low_resolution_target(ratio):
    given, (synthetic, sources) = low(ratio), inputs()
    expected = k_space_enlarge(given.images[:, 1:2], (HEIGHT, WIDTH))
    result = untrained()(given, 0 * synthetic, sources).prediction
    torch.testing.assert_close(result, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("voxel_size", "regridded"),
    [((1, 2, 2), False), ((1, 8, 8), False), ((1, 4, 4), True), ((1, 4, 1), True), ((1, 3.2, 1.5), True)],
)
def test_an_untrained_branch_leaves_a_synthetic_image_alone_that_agrees_with_what_was_acquired(voxel_size, regridded):
    truth, sources = inputs()
    seen = k_space_resample(truth, (round(HEIGHT / voxel_size[1]), round(WIDTH / voxel_size[2])))
    if regridded:
        seen = k_space_enlarge(seen, (HEIGHT, WIDTH))
    given = LowResolutionTarget(seen.expand(-1, 3, -1, -1), torch.tensor([voxel_size] * 2))
    torch.testing.assert_close(untrained()(given, truth, sources).prediction, truth, rtol=0, atol=1e-5)


def test_thick_slices_correct_a_synthetic_volume_by_what_they_show_of_it():
    # three thin slices are averaged; the synthetic volume is darker than the truth by a constant
    thin, (_, sources) = torch.rand(2, 3, HEIGHT, WIDTH), inputs()
    thick = thin.mean(dim=1, keepdim=True)
    given = LowResolutionTarget(thick.expand(-1, 3, -1, -1), torch.tensor([[3.0, 1, 1]] * 2), synthetic=thick - 0.2)
    result = untrained()(given, thin[:, 1:2] - 0.2, sources).prediction
    torch.testing.assert_close(result, thin[:, 1:2], rtol=0, atol=1e-6)


def test_a_level_that_synthesis_missed_is_corrected_by_what_was_acquired():
    truth, sources = inputs()
    given = LowResolutionTarget(k_space_resample(truth, (4, 6)).expand(-1, 3, -1, -1), torch.tensor([[1.0, 4, 4]] * 2))
    torch.testing.assert_close(untrained()(given, truth + 0.2, sources).prediction, truth, rtol=0, atol=1e-5)


def test_each_row_has_its_own_voxel_size():
    given, (synthetic, sources) = low(1), inputs()
    mixed = LowResolutionTarget(given.images, torch.tensor([[1.0, 4, 4], [1, 2, 1]]))
    both = untrained()(mixed, synthetic, sources).prediction
    for row in (0, 1):
        alone = LowResolutionTarget(given.images[row, None], mixed.voxel_size[row, None])
        result = untrained()(alone, synthetic[row, None], sources[row, None]).prediction
        torch.testing.assert_close(result[0], both[row], rtol=0, atol=1e-5)


def test_what_a_generator_leaves_outside_the_brain_changes_nothing():
    synthetic, sources = inputs()
    sources[..., :6] = 0
    other = synthetic.clone()
    other[..., :6] = 7
    one, two = (awake()(low(4), each, sources).prediction for each in (synthetic, other))
    torch.testing.assert_close(one, two, rtol=0, atol=0)


@pytest.mark.parametrize(("ratio", "strides"), [(1, (8, 4, 2, 1)), (2, (2, 1)), (4, (4, 2, 1)), (8, (8, 4, 2, 1))])
def test_there_is_a_distinction_map_for_every_scale_from_the_ratio_s_on(ratio, strides):
    maps = awake()(low(ratio), *inputs()).distinction
    assert [tuple(each.shape) for each in maps] == [(2, 1, HEIGHT // stride, WIDTH // stride) for stride in strides]
    assert all(each.abs().max() <= 1 + 1e-5 for each in maps)


@pytest.mark.parametrize("changed", ["neighbours", "voxel size", "synthetic", "sources"])
@pytest.mark.parametrize("ratio", [1, 4])
def test_everything_that_is_given_is_seen(changed, ratio):
    resolver, given, (synthetic, sources) = awake(), low(ratio), inputs()
    before = resolver(given, synthetic, sources).prediction
    if changed == "neighbours":
        images = given.images.clone()
        images[:, 2] += 1
        given = LowResolutionTarget(images, given.voxel_size)
    elif changed == "voxel size":
        given = LowResolutionTarget(given.images, given.voxel_size + torch.tensor([4.0, 0, 0]))
    elif changed == "synthetic":
        synthetic = synthetic + torch.rand(synthetic.shape)
    else:
        sources = sources + torch.rand(sources.shape)
    assert not torch.allclose(resolver(given, synthetic, sources).prediction, before, atol=1e-5)


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
def test_every_weight_of_the_way_learns(ratio):
    resolver = awake({"ratios": [ratio]})
    resolved = resolver(low(ratio), *inputs())
    (resolved.prediction.square().sum() + sum(each.sum() for each in resolved.distinction)).backward()
    first = {1: 0, 8: 0, 4: 1, 2: 2}[ratio]
    passed = tuple(f"{kind}.{level}." for level in range(first) for kind in ("scales", "up"))
    learned = {name for name, values in resolver.named_parameters() if values.grad is not None and values.grad.any()}
    assert {name for name, _ in resolver.named_parameters() if not name.startswith(passed)} - learned == set()


def test_only_the_wanted_contrast_is_super_resolved():
    synthesis, code = generator(), one_hot(Contrast.FLAIR, 2)
    alone, both = (
        synthesis.sample(slices(), code),
        translate_or_super_resolve(synthesis, awake(), slices(), code, low(2)),
    )
    others = [contrast.channel for contrast in Contrast if contrast is not Contrast.FLAIR]
    assert torch.equal(both[:, others], alone[:, others])
    assert not torch.allclose(both[:, Contrast.FLAIR.channel], alone[:, Contrast.FLAIR.channel])
    assert not both.requires_grad


def test_the_generator_s_own_tensor_is_not_written_into(monkeypatch):
    synthesis, made = generator(), torch.rand(2, 5, HEIGHT, WIDTH)
    before = made.clone()
    monkeypatch.setattr(synthesis, "sample", lambda slices, code: made)
    translate_or_super_resolve(synthesis, awake(), slices(), one_hot(Contrast.FLAIR, 2), low(2))
    assert torch.equal(made, before)


def test_alignment_and_attention_are_deformable_from_the_given_stride_on():
    # at strides 8, 4, 2 and 1: one layer that aligns and one that attends per scale
    counts = [
        sum(isinstance(module, DeformableConv2d) for module in scale.modules())
        for scale in untrained({"deformable_stride": 4}).scales
    ]
    assert counts == [2, 2, 0, 0]


def test_the_branch_sees_the_synthetic_image_of_the_wanted_contrast_and_the_middle_sources():
    synthesis, resolver, given = generator(), awake(), slices()
    code = torch.stack([one_hot(Contrast.FLAIR, 1)[0], one_hot(Contrast.T1W_GD, 1)[0]])
    images = synthesis.sample(given, code)
    synthetic = torch.stack([images[0, Contrast.FLAIR.channel], images[1, Contrast.T1W_GD.channel]])[:, None]
    expected = resolver(low(4), synthetic, given.images[:, :, 1]).prediction[:, 0]
    result = translate_or_super_resolve(synthesis, resolver, given, code, low(4))
    torch.testing.assert_close(result[0, Contrast.FLAIR.channel], expected[0])
    torch.testing.assert_close(result[1, Contrast.T1W_GD.channel], expected[1])


def test_what_lies_in_an_unavailable_channel_changes_nothing():
    synthesis, resolver, clean, code = generator(), awake(), slices(), one_hot(Contrast.FLAIR, 2)
    dirty = SourceSlices(clean.images.clone(), clean.availability, clean.height)
    dirty.images[:, [1, 3, 4]] = 1e3
    one, other = (translate_or_super_resolve(synthesis, resolver, each, code, low(2)) for each in (clean, dirty))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_a_restormer_s_own_pyramid_guides():
    synthesis, code = generator("restormer", RESTORMER), one_hot(Contrast.FLAIR, 2)
    resolver = awake({"pyramid_widths": synthesis.network.pyramid_widths})
    images, pyramid = synthesis.predict_with_pyramid(slices())
    synthetic, middle = images[:, Contrast.FLAIR.channel, None], slices().images[:, :, 1]
    expected = resolver(low(8), synthetic, middle, pyramid).prediction
    result = translate_or_super_resolve(synthesis, resolver, slices(), code, low(8))
    torch.testing.assert_close(result[:, Contrast.FLAIR.channel], expected[:, 0].detach())
    other = resolver(low(8), synthetic, middle, [features.flip(1) for features in pyramid]).prediction
    assert not torch.allclose(other, expected, atol=1e-5)


def test_half_precision_takes_nothing_from_a_synthetic_image_that_agrees_with_what_was_acquired():
    truth, sources = inputs()
    given = LowResolutionTarget(k_space_resample(truth, (4, 6)).expand(-1, 3, -1, -1), torch.tensor([[1.0, 4, 4]] * 2))
    with torch.autocast("cpu", torch.bfloat16):
        prediction = untrained()(given, truth, sources).prediction
    torch.testing.assert_close(prediction, truth, rtol=0, atol=1e-5)


def test_the_layers_are_told_what_the_synthetic_image_lacks():
    # The same image and the same guide; only what the acquisition would have shown of the synthetic volume differs.
    resolver, given, (synthetic, sources) = awake(), low(1), inputs()
    one, other = (
        resolver(LowResolutionTarget(given.images, given.voxel_size, seen), synthetic, sources).distinction[0]
        for seen in (synthetic, 1 - synthetic)
    )
    assert not torch.allclose(one, other, atol=1e-5)


def test_a_pyramid_of_the_wanted_widths_is_taken_as_it_is():
    pyramid = [torch.rand(1, width, size, size) for width, size in ((9, 2), (8, 4), (4, 8))]
    guides = PyramidGuide((9, 8, 4), (8, 4))(torch.empty(0), pyramid)
    assert guides[0] is pyramid[1]
    assert guides[1] is pyramid[2]


def test_an_encoded_guide_has_the_wanted_widths_and_sizes():
    guides = EncodedGuide(6, (12, 8, 4))(torch.cat(list(inputs()), dim=1))
    assert [tuple(each.shape) for each in guides] == [(2, 12, 4, 6), (2, 8, 8, 12), (2, 4, 16, 24)]


def told(given, sources, **changes):
    """A low-resolution target with what a conditioned branch wants to know."""
    known = {"hidden": torch.zeros_like(sources), "target_code": one_hot(Contrast.FLAIR, len(sources))}
    return dataclasses.replace(given, **known | changes)


@pytest.mark.parametrize(
    "changes", [{"hidden": torch.ones(2, 5, HEIGHT, WIDTH)}, {"target_code": one_hot(Contrast.T2W, 2)}]
)
@pytest.mark.parametrize("ratio", [1, 4])
def test_a_conditioned_branch_heeds_what_it_is_told(ratio, changes):
    resolver, (synthetic, sources) = awake({"conditioned": True}), inputs()
    one, other = (
        resolver(told(low(ratio), sources, **known), synthetic, sources).prediction for known in ({}, changes)
    )
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("missing", ["hidden", "target_code"])
def test_a_conditioned_branch_says_so_when_it_is_not_told(missing):
    resolver, (synthetic, sources) = untrained({"conditioned": True}), inputs()
    with pytest.raises(ValueError, match="give hidden, target_code"):
        resolver(told(low(1), sources, **{missing: None}), synthetic, sources)


def test_a_border_that_is_mixed_with_nothing_comes_back_as_bright_as_the_rest():
    # a brain of constant brightness seen at a quarter of the resolution, whatever the synthetic image
    brain = torch.zeros(2, 1, HEIGHT, WIDTH)
    brain[:, :, 3:13, 5:18] = 1
    given = LowResolutionTarget(
        k_space_resample(0.6 * brain, (4, 6)).expand(-1, 3, -1, -1), torch.tensor([[1.0, 4, 4]] * 2)
    )
    sources = 0.5 * brain.expand(-1, 5, -1, -1)
    result = untrained()(given, 0.2 * brain, sources).prediction
    torch.testing.assert_close(result, 0.6 * brain, rtol=0, atol=0.06)


def test_of_slices_that_are_half_nothing_the_brain_comes_back():
    (synthetic, sources), thin = inputs(), torch.full((2, 1, HEIGHT, WIDTH), 0.7)
    given = LowResolutionTarget(
        (0.5 * thin).expand(-1, 3, -1, -1),
        torch.tensor([[5.0, 1, 1]] * 2),
        share=torch.full((2, 3, HEIGHT, WIDTH), 0.5),
    )
    torch.testing.assert_close(untrained()(given, synthetic, sources).prediction, thin, rtol=0, atol=1e-5)


def test_a_slice_does_not_depend_on_its_batch():
    resolver, given, (synthetic, sources) = awake(), low(2, batch_size=3), inputs(batch_size=3)
    alone = LowResolutionTarget(given.images[1:2], given.voxel_size[1:2])
    together = resolver(given, synthetic, sources).prediction[1:2]
    torch.testing.assert_close(resolver(alone, synthetic[1:2], sources[1:2]).prediction, together, rtol=0, atol=1e-5)


def test_a_generator_without_a_pyramid_cannot_guide_a_branch_that_needs_one():
    resolver = untrained({"pyramid_widths": [8, 8, 4, 4]})
    with pytest.raises(ModelError, match="feature pyramid"):
        translate_or_super_resolve(generator(), resolver, slices(), one_hot(Contrast.FLAIR, 2), low(2))


@pytest.mark.parametrize("code", [torch.zeros(2, 5), torch.ones(2, 5)])
def test_a_low_resolution_target_is_of_one_contrast(code):
    with pytest.raises(ValueError, match="exactly one"):
        translate_or_super_resolve(generator(), untrained(), slices(), code, low(2))


def test_a_low_resolution_target_needs_a_branch():
    with pytest.raises(ValueError, match="needs a resolver"):
        translate_or_super_resolve(generator(), None, slices(), one_hot(Contrast.FLAIR, 2), low(2))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3, 8, 6), "does not cover"),
        ((2, 1, 8, 12), "3 slices"),
        ((2, 3, 5, 8), "ratios"),
        ((2, 3, 1, 1), "ratios"),
    ],
)
def test_a_low_resolution_target_that_does_not_fit_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        untrained()(LowResolutionTarget(torch.rand(shape), torch.ones(2, 3)), *inputs())


def test_a_full_grid_that_the_scales_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="multiples of 8"):
        untrained()(
            LowResolutionTarget(torch.rand(1, 3, 6, 6), torch.ones(1, 3)),
            torch.rand(1, 1, 12, 12),
            torch.rand(1, 5, 12, 12),
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ratios": [3]}, "ratios"),
        ({"ratios": [16]}, "ratios"),
        ({"ratios": []}, "ratios"),
        ({"num_neighbours": 2}, "odd"),
        ({"widths": [8, 8, 4, 3]}, "even"),
        ({"heads": [2, 2, 1]}, "heads"),
        ({"heads": [3, 2, 1, 1]}, "heads"),
        ({"pyramid_widths": [8, 4]}, "cannot guide 4"),
        ({"growth": 0}, "growth"),
        ({"modulation_width": 3}, "modulation_width"),
        ({"strides": [1]}, "strides"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(change, message):
    with pytest.raises(ModelError, match=message):
        untrained(change)


@pytest.mark.parametrize("ratio", [1, 4])
def test_a_few_steps_bring_the_error_down(ratio):
    # The sources show where the edges are; the synthetic image has them at the wrong contrast.
    torch.manual_seed(0)
    resolver = untrained()
    shapes = (functional.avg_pool2d(torch.rand(2, 1, 32, 32), 7, 1, 3) > 0.5).float()
    truth, synthetic = 0.3 + 0.4 * shapes, 0.3 + 0.1 * shapes
    coarse = k_space_resample(truth, (8, 8)).expand(-1, 3, -1, -1)
    images = coarse if ratio == 4 else functional.interpolate(coarse, scale_factor=4.0, mode="bilinear")
    given = LowResolutionTarget(images, torch.tensor([[1.0, 4, 4]] * 2))
    optimizer = torch.optim.Adam(resolver.parameters(), lr=5e-3)
    errors = []
    for _ in range(30):
        error = (resolver(given, synthetic, 0.1 + shapes.expand(-1, 5, -1, -1)).prediction - truth).abs().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.75 * errors[0]


def test_a_branch_that_starts_from_nothing_makes_the_whole_image_itself():
    # METHODS 3.2: no residual. Untrained, it is tissue of a typical level; neither synthesis nor scan shows through.
    synthetic, sources = inputs()
    sources[..., :4] = 0
    resolver = untrained({"starts_from": "nothing"})
    images = resolver(low(4), synthetic, sources).prediction
    assert torch.equal(images, 0.55 * (sources > 0).any(dim=1, keepdim=True))


def test_a_branch_that_starts_from_nothing_still_sees_what_was_acquired():
    synthetic, sources = inputs()
    resolver = awake({"starts_from": "nothing"})
    one, other = low(4), low(4)
    other.images[:, :, 1, 1] += 0.3
    assert (
        resolver(one, synthetic, sources).prediction - resolver(other, synthetic, sources).prediction
    ).abs().max() > 0


def test_what_a_branch_starts_from_is_in_its_card_only_where_it_is_not_the_usual():
    def card(changes):
        return msgspec.to_builtins(untrained(changes).size)

    assert "starts_from" not in card({})
    assert card({"starts_from": "nothing"})["starts_from"] == "nothing"
