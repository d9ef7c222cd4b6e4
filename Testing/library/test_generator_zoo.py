"""Every generator behind the adapter keeps the same promises; and a new one plugs in with one small class."""

import copy
import math
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
import yaml

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.load import load_generator
from MRTranslateLib.models.bundle import open_bundle
from MRTranslateLib.networks import generator as generator_module
from MRTranslateLib.networks.conditioning import SourceConditioning
from MRTranslateLib.networks.generator import (
    Generator,
    GeneratorParameters,
    SourceSlices,
    Truth,
    architectures,
    build_generator,
    one_hot,
    register_generator,
)
from MRTranslateLib.networks.unet import TYPICAL_LEVEL
from Testing.library.level_examples import constant_level
from Testing.training.conftest import TINY as TINY_RUN
from Testing.training.conftest import tiny_scan
from training.checkpoint import load_checkpoint
from training.config import config_from_mapping
from training.engine import Run
from training.export import export_bundle

ROOT = Path(__file__).parents[2]
T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR
TINY = {
    "unet25d": {"num_neighbours": 3, "widths": [8, 16], "detail_width": 8, "voxel_width": 8, "blocks_per_level": 1},
    "resnet9": {"num_neighbours": 3, "width": 4},
    "restormer": {"num_neighbours": 3, "width": 4, "heads": [1, 2, 2], "blocks_per_level": 1},
    "swin_unetr": {
        "num_neighbours": 3,
        "feature_size": 12,
        "depths": [1, 1, 1, 2],
        "num_heads": [2, 2, 2, 2],
        "window_size": 4,
    },
    "flow_matching": {"num_neighbours": 3, "widths": [8, 16], "blocks_per_level": 1, "num_sampling_steps": 3},
}
NEW = list(TINY)[1:]
TINY["refined"] = {
    "architecture": "unet25d",
    "parameters": TINY["unet25d"],
    "student": {
        "registration": {
            "widths": [4, 4, 4],
            "bottleneck_width": 4,
            "num_bottleneck_blocks": 1,
            "max_flow_voxels": 2.0,
            "diffeomorphic": False,
        },
        "max_residual": 0.1,
    },
}
TINY["levelled"] = {
    "architecture": "refined",
    "parameters": TINY["refined"],
    "levels": msgspec.to_builtins([constant_level(0.5)]),
}
FLOW_TRUTH_SEED = 11


def built(architecture):
    """With weights none of which is zero, as after some training."""
    torch.manual_seed(0)
    generator = build_generator(architecture, TINY[architecture]).eval()
    with torch.no_grad():
        for values in generator.parameters():
            values.add_(torch.randn_like(values), alpha=0.05)
    return generator


@pytest.fixture(scope="module", params=TINY)
def generator(request):
    return built(request.param)


@pytest.fixture(scope="module")
def flow():
    return built("flow_matching")


def slices(availability=(1, 0, 1, 0, 0), batch_size=2, size=(32, 64), seed=1):
    random = torch.Generator().manual_seed(seed)
    images = torch.rand(batch_size, 5, 3, *size, generator=random)
    images[..., :3, :] = 0  # some background
    height = torch.rand(batch_size, generator=random)
    return SourceSlices(images, torch.tensor([availability] * batch_size).float(), height)


def random_truth(batch, seed=FLOW_TRUTH_SEED):
    random = torch.Generator().manual_seed(5)
    return Truth(torch.rand(batch.images[:, :, 1].shape, generator=random), seed)


def test_every_built_in_architecture_is_tested_here():
    assert set(architectures()) == set(TINY)


def test_every_contrast_has_its_channel_on_the_grid_of_the_input(generator):
    result = generator.sample(slices(), one_hot(FLAIR, 2))
    assert result.shape == (2, 5, 32, 64)
    assert result.dtype == torch.float32
    assert result.isfinite().all()


def test_the_same_slices_give_the_same_bits(generator):
    code = one_hot(FLAIR, 2)
    first = generator.sample(slices(), code)
    torch.rand(7)  # whatever others draw in between
    assert torch.equal(first, copy.deepcopy(generator).sample(slices(), code))
    assert torch.equal(generator.fast_pred(slices(), code), generator.fast_pred(slices(), code))


@pytest.mark.parametrize(
    ("architecture", "rubbish"),
    [(name, value) for name in TINY for value in (1e3, -1e3)] + [(name, float("nan")) for name in NEW],
)
def test_what_lies_in_an_unavailable_channel_changes_nothing(architecture, rubbish):
    generator, clean, code = built(architecture), slices(), one_hot(FLAIR, 2)
    dirty = SourceSlices(clean.images.clone(), clean.availability, clean.height)
    dirty.images[:, [1, 3, 4]] = rubbish
    assert torch.equal(generator.sample(clean, code), generator.sample(dirty, code))


def test_availability_itself_is_seen(generator):
    # Zeros that were acquired differ from zeros that stand for nothing.
    given, missing = slices([1, 0, 1, 0, 0]), slices([1, 0, 0, 0, 0])
    given.images[:, T2W.channel] = 0
    code = one_hot(FLAIR, 2)
    apart = (generator.sample(given, code) - generator.sample(missing, code))[:, FLAIR.channel, 3:]
    assert apart.abs().mean() > 1e-3


def test_height_is_seen(generator):
    low, high = slices(), slices()
    low.height[:], high.height[:] = 0, 1
    apart = (generator.sample(low, one_hot(FLAIR, 2)) - generator.sample(high, one_hot(FLAIR, 2)))[:, FLAIR.channel]
    assert apart[:, 3:].abs().mean() > 1e-3


def test_brightness_of_a_whole_source_is_seen(generator):
    # It tells the scanner. Normalisation over the slice would remove it, where there is no background.
    dark, bright = slices(), slices()
    dark.images[:] = dark.images * 0.3 + 0.2
    bright.images[:] = dark.images + 0.3
    apart = (generator.sample(dark, one_hot(FLAIR, 2)) - generator.sample(bright, one_hot(FLAIR, 2)))[:, FLAIR.channel]
    assert apart.abs().mean() > 1e-3


def test_all_neighbouring_slices_are_seen(generator):
    near, far = slices(), slices()
    far.images[:, :, [0, 2]] = far.images[:, :, [2, 0]]
    apart = (generator.sample(near, one_hot(FLAIR, 2)) - generator.sample(far, one_hot(FLAIR, 2)))[:, FLAIR.channel]
    assert apart.abs().mean() > 1e-4


@pytest.mark.parametrize("method", ["train_pred", "fast_pred", "sample"])
def test_a_slice_does_not_depend_on_its_batch(generator, method):
    batch, code = slices(batch_size=3), one_hot(T1W, 3)
    code[1] = one_hot(FLAIR, 1)
    for row in range(3):
        alone = SourceSlices(*(values[row : row + 1] for values in vars(batch).values()))
        together, single = (
            getattr(generator, method)(*given) for given in ((batch, code), (alone, code[row : row + 1]))
        )
        wanted = code[row].bool()
        torch.testing.assert_close(together[row][wanted], single[0][wanted], rtol=0, atol=1e-4)


def test_asking_for_one_more_contrast_changes_no_other(generator):
    one, two = one_hot(FLAIR, 2), one_hot(FLAIR, 2) + one_hot(T1W, 2)
    batch = slices([0, 0, 1, 0, 0])
    alone, beside = (generator.sample(batch, code)[:, FLAIR.channel] for code in (one, two))
    torch.testing.assert_close(alone, beside, rtol=0, atol=1e-4)


def test_gradients_reach_every_weight(generator):
    # A weight without one is dead, and would stop training on several GPUs.
    generator.zero_grad()
    batch, code = slices(size=(64, 64)), one_hot(FLAIR, 2) + one_hot(T1W, 2)
    predicted = generator.train_pred(batch, code, random_truth(batch))
    noise = torch.randn(predicted.shape, generator=torch.Generator().manual_seed(3))
    loss = (predicted * code[:, :, None, None] * noise).sum() + sum(generator.own_losses().values())
    other = 1 - code  # networks that predict all in one pass are taught several contrasts at once
    (loss + (predicted * other[:, :, None, None] * noise).sum()).backward()
    dead = [name for name, values in generator.named_parameters() if values.grad is None or not values.grad.any()]
    assert not dead


def test_a_white_box_can_follow_gradients_to_the_sources(generator):
    batch = slices()
    batch.images.requires_grad_()
    generator.train_pred(batch, one_hot(FLAIR, 2))[:, FLAIR.channel].sum().backward()
    assert batch.images.grad[:, [0, 2]].abs().sum() > 0
    assert not batch.images.grad[:, [1, 3, 4]].any()


def test_sampling_and_scoring_keep_no_gradients(generator):
    assert not generator.sample(slices(), one_hot(T1W, 2)).requires_grad
    assert not generator.fast_pred(slices(), one_hot(T1W, 2)).requires_grad
    assert generator.train_pred(slices(), one_hot(T1W, 2)).requires_grad


def test_odd_multiples_of_the_size_multiple_are_translated(generator):
    multiple = generator.size_multiple
    size = (3 * multiple, 5 * multiple)
    assert generator.sample(slices(size=size), one_hot(T1W, 2)).shape[-2:] == size


@pytest.mark.parametrize("architecture", NEW)
@pytest.mark.parametrize("surplus", [(0, 2), (2, 0)])
def test_other_sizes_are_refused_with_what_was_wanted(architecture, surplus):
    generator = built(architecture)
    height, width = (generator.size_multiple + more for more in surplus)
    with pytest.raises(ValueError, match=rf"multiples of {generator.size_multiple}, got 3 of {height} x {width}$"):
        generator.sample(slices(size=(height, width)), one_hot(T1W, 2))


@pytest.mark.parametrize("architecture", NEW)
def test_another_number_of_slices_is_refused(architecture):
    generator, batch = built(architecture), slices()
    with pytest.raises(ValueError, match=r"takes 3 slices per contrast .*, got 1 of 32 x 64$"):
        generator.sample(SourceSlices(batch.images[:, :, :1], batch.availability, batch.height), one_hot(T1W, 2))


def test_nothing_is_normalised_over_the_batch(generator):
    names = {type(module).__name__ for module in generator.modules()}
    assert not [name for name in names if "BatchNorm" in name]
    assert [name for name in names if name in {"GroupNorm", "InstanceNorm2d", "LayerNorm", "ChannelNorm"}]


def test_half_precision_stays_close(generator):
    code = one_hot(FLAIR, 2)
    with torch.inference_mode():
        full = generator.sample(slices(), code)
        with torch.autocast("cpu", torch.bfloat16):
            half = generator.sample(slices(), code)
    assert (full - half).abs().mean() < 0.05


@pytest.fixture
def own_registry(monkeypatch):
    """Registrations of a test are forgotten after it."""
    monkeypatch.setattr(generator_module, "_families", dict(generator_module._families))


@pytest.mark.parametrize(
    ("architecture", "changes", "message"),
    [
        ("resnet9", {"width": 0}, "width must be 1 or more, got 0"),
        ("resnet9", {"width": "4"}, "width"),
        ("resnet9", {"num_neighbours": 4}, "num_neighbours must be odd and positive, got 4"),
        ("resnet9", {"depth": 9}, "unknown depth, known are num_neighbours, width"),
        ("unet25d", {"depth": 9}, "unknown depth"),
        ("restormer", {"heads": [3]}, r"heads must divide the widths \(4,\)"),
        ("swin_unetr", {"feature_size": 10}, "feature_size must be a multiple of 12, got 10"),
        ("swin_unetr", {"num_heads": [5, 2, 2, 2]}, r"num_heads must divide the widths \(12, 24, 48, 96\)"),
        ("swin_unetr", {"depths": [1, 1, 1]}, "depths"),
        ("swin_unetr", {"depths": [1, 1, 1, 0]}, "depths must be 1 or more"),
        ("swin_unetr", {"window_size": 1}, "window_size must be in 2..16, got 1"),
        ("flow_matching", {"widths": [12]}, "widths must be multiples of 8"),
        ("flow_matching", {"widths": []}, "widths must be multiples of 8"),
        ("flow_matching", {"num_sampling_steps": 0}, "num_sampling_steps in 1..1000, got 1 and 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused_with_their_name(architecture, changes, message):
    with pytest.raises(ModelError, match=rf"^parameters of architecture '{architecture}' do not fit: .*{message}"):
        build_generator(architecture, TINY[architecture] | changes)


@pytest.mark.parametrize("architecture", TINY)
def test_a_missing_parameter_is_named(architecture):
    with pytest.raises(ModelError, match=next(iter(TINY[architecture]))):
        build_generator(architecture, {})


@pytest.mark.parametrize("architecture", ["swin_unetr", "flow_matching"])
def test_without_monai_the_sentence_says_what_to_install(architecture, monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(ModelError, match=r"needs monai, which this Python does not have: pip install monai$"):
        build_generator(architecture, TINY[architecture])


def test_generators_without_monai_do_not_load_it():
    code = "import sys\nfrom MRTranslateLib.networks.generator import build_generator\n" + "".join(
        f"build_generator({name!r}, {TINY[name]!r})\n" for name in ("unet25d", "resnet9", "restormer")
    )
    subprocess.run([sys.executable, "-c", code + "assert 'monai' not in sys.modules"], check=True, cwd=ROOT)


def run_config(architecture, parameters):
    values = yaml.safe_load(TINY_RUN)
    values["generator"] = {"architecture": architecture, "parameters": parameters}
    values["voxel_stage"]["num_steps"] = 0
    return config_from_mapping(values, where="tiny")


def trained_and_exported(architecture, parameters, folder):
    """Two steps of supervised training, then the road of every shipped model: checkpoint, bundle, generator."""
    scans = [tiny_scan("sub-a", 1), tiny_scan("sub-b", 2)]
    run = Run(run_config(architecture, parameters), scans, folder / "run", data_fingerprint="none", device="cpu")
    before = copy.deepcopy(run.generator.state_dict())
    for _ in range(2):
        run.train_step()
    assert any(not torch.equal(values, before[name]) for name, values in run.generator.state_dict().items())
    (folder / "run").mkdir()
    run.save()
    bundle = folder / "models" / "tiny-model"
    export_bundle(load_checkpoint(folder / "run"), bundle, version="1.0.0", command="none", hardware="none")
    return run.result.eval(), load_generator(open_bundle(bundle))


@pytest.mark.parametrize("architecture", NEW)
def test_every_architecture_can_be_trained_shipped_and_loaded(architecture, tmp_path):
    trained, shipped = trained_and_exported(architecture, TINY[architecture], tmp_path)
    code = one_hot(FLAIR, 2)
    apart = (trained.sample(slices(), code) - shipped.sample(slices(), code))[:, FLAIR.channel].abs()
    assert apart.mean() < 5e-3  # weights are shipped as float16


class VoxelLineParameters(GeneratorParameters, frozen=True, kw_only=True):
    """The smallest generator has nothing to choose but how many slices it is given."""


class VoxelLine(Generator):
    """A linear regression per voxel: the example of how to plug in a generator from outside the library.

    What it takes: ``num_neighbours`` and ``size_multiple``, and ``train_pred`` from slices to ``(B, 5, H, W)``.
    ``SourceConditioning`` is optional; it zeroes what is unavailable, centres what is there, and restores the units.
    """

    size_multiple = 1

    def __init__(self, parameters):
        super().__init__()
        self.num_neighbours = parameters.num_neighbours
        self.conditioning = SourceConditioning(self.num_neighbours, self.size_multiple)
        self.line = torch.nn.Conv2d(self.conditioning.num_channels, len(Contrast), 1)

    def train_pred(self, slices, target_code, truth=None):
        return self.conditioning.restore(self.line(self.conditioning(slices)))


@pytest.mark.usefixtures("own_registry")
def test_any_generator_plugs_in_with_one_small_class(tmp_path):
    register_generator("voxel_line", VoxelLineParameters, VoxelLine)
    trained, shipped = trained_and_exported("voxel_line", {"num_neighbours": 3}, tmp_path)
    assert isinstance(shipped, VoxelLine)
    batch, code = slices(size=(17, 23)), one_hot(FLAIR, 2)
    torch.testing.assert_close(shipped.sample(batch, code), trained.sample(batch, code), rtol=0, atol=5e-3)
    with pytest.raises(ModelError, match=r"architecture 'voxel_line' do not fit: .*unknown width"):
        build_generator("voxel_line", {"num_neighbours": 3, "width": 4})


@pytest.mark.usefixtures("own_registry")
def test_a_name_is_registered_once():
    with pytest.raises(ValueError, match="'resnet9' is registered already"):
        register_generator("resnet9", VoxelLineParameters, VoxelLine)


def test_a_registration_of_another_test_is_forgotten():
    with pytest.raises(ModelError, match="unknown architecture 'voxel_line': this version knows unet25d, resnet9"):
        build_generator("voxel_line", {"num_neighbours": 3})


def flair_of(predicted, batch):
    """FLAIR where there is tissue."""
    return predicted[:, FLAIR.channel][(batch.images[:, [0, 2], 1] > 0).any(dim=1)]


@pytest.fixture
def told_flow(flow):
    """A flow that knows the truth of FLAIR, and so the velocity that leads there from any point; with its batch."""
    told, batch = copy.deepcopy(flow), slices()
    truth = random_truth(batch)
    image = told.conditioning.relative(truth.images)[:, FLAIR.channel : FLAIR.channel + 1]
    told._velocity = lambda point, time, flows: (image - point) / (time / 1000)[:, None, None, None] * flows.tissue
    return told, batch, truth


def test_a_flow_that_knows_the_way_arrives_from_noise_and_from_any_point(told_flow):
    told, batch, truth = told_flow
    code = one_hot(FLAIR, 2)
    for predicted in (told.sample(batch, code), told.fast_pred(batch, code), told.train_pred(batch, code, truth)):
        torch.testing.assert_close(flair_of(predicted, batch), flair_of(truth.images, batch), rtol=0, atol=1e-4)


def test_the_velocity_loss_is_zero_for_who_knows_the_way(told_flow):
    told, batch, truth = told_flow
    told.train_pred(batch, one_hot(FLAIR, 2), truth)
    assert told.own_losses()["velocity"] < 1e-6


@pytest.fixture
def ignorant_flow(flow):
    """A flow whose network says nothing, as before training."""
    ignorant = copy.deepcopy(flow)
    for values in ignorant.network.out[2].parameters():
        torch.nn.init.zeros_(values)
    return ignorant


def test_an_ignorant_network_leaves_the_best_linear_guess_of_the_velocity(ignorant_flow):
    # Of x1 - x0 given t x1 + (1 - t) x0 with unit variances 1 / (t^2 + (1 - t)^2) remains: pi / 2 on average over t.
    batch, code, losses = slices(batch_size=8), one_hot(FLAIR, 8), []
    ignorant_flow.network = torch.nn.Conv2d(1, 1, 1)
    ignorant_flow.network.forward = lambda inputs, time: torch.zeros_like(inputs[:, :4])
    random = torch.Generator().manual_seed(2)
    for seed in range(40):
        image = ignorant_flow.conditioning.restore(torch.randn(batch.images[:, :, 1].shape, generator=random))
        ignorant_flow.train_pred(batch, code, Truth(image, seed))
        losses.append(ignorant_flow.own_losses()["velocity"].item())
    assert sum(losses) / len(losses) == pytest.approx(math.pi / 2, rel=0.04)


def test_the_one_step_of_an_ignorant_network_is_the_typical_level_without_any_noise(ignorant_flow):
    predicted = flair_of(ignorant_flow.fast_pred(slices(), one_hot(FLAIR, 2)), slices())
    torch.testing.assert_close(predicted, torch.full_like(predicted, TYPICAL_LEVEL[FLAIR.channel]))


def test_chance_in_training_follows_from_the_seed_alone(flow):
    batch, code = slices(), one_hot(FLAIR, 2)
    one, same, other = (flow.train_pred(batch, code, random_truth(batch, seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


def test_the_noise_of_a_translation_is_out_of_reach_of_the_sources(ignorant_flow):
    clean, attacked = slices(), slices()
    attacked.images[:] = attacked.images * 0.9
    code = one_hot(FLAIR, 2)
    # With a network that says nothing a function of the noise is left: the same for every slice and source.
    noise = ignorant_flow.sample(clean, code)
    assert torch.equal(noise, ignorant_flow.sample(attacked, code))
    assert torch.equal(noise[0], noise[1])
    assert flair_of(noise, clean).std() > 0.05


def test_outside_tissue_every_point_of_a_path_is_zero(flow):
    # So the background in use is the one of training, wherever the network would have led.
    predicted = flow.sample(slices(), one_hot(FLAIR, 2))[:, FLAIR.channel, :3]
    torch.testing.assert_close(predicted, torch.full_like(predicted, TYPICAL_LEVEL[FLAIR.channel]))


def test_one_step_of_sampling_is_the_fast_prediction(flow):
    single = copy.deepcopy(flow)
    single.num_sampling_steps = 1
    batch, code = slices(), one_hot(FLAIR, 2)
    torch.testing.assert_close(single.sample(batch, code), flow.fast_pred(batch, code))
    assert not torch.allclose(flow.sample(batch, code), flow.fast_pred(batch, code), atol=1e-3)


def test_without_a_truth_there_are_no_losses_of_its_own(flow):
    batch, code = slices(), one_hot(FLAIR, 2)
    flow.train_pred(batch, code, random_truth(batch))
    assert set(flow.own_losses()) == {"velocity"}
    assert torch.equal(flow.train_pred(batch, code), flow.fast_pred(batch, code))
    assert flow.own_losses() == {}


def test_scoring_an_attack_keeps_the_losses_of_the_step(flow):
    batch, code = slices(), one_hot(FLAIR, 2)
    flow.train_pred(batch, code, random_truth(batch))
    flow.fast_pred(batch, code)
    flow.sample(batch, code)
    assert set(flow.own_losses()) == {"velocity"}


def test_a_flow_can_be_copied_in_the_middle_of_training(flow):
    batch = slices()
    flow.train_pred(batch, one_hot(FLAIR, 2), random_truth(batch))
    copied = copy.deepcopy(flow)
    assert copied.own_losses() == {}
    assert torch.equal(copied.sample(batch, one_hot(FLAIR, 2)), flow.sample(batch, one_hot(FLAIR, 2)))


def test_a_flow_learns_its_velocity():
    torch.manual_seed(0)
    flow, batch, code = build_generator("flow_matching", TINY["flow_matching"]), slices(), one_hot(FLAIR, 2)
    truth = Truth(batch.images[:, :, 1].flip(1) * 0.2 + 0.5, 0)
    optimizer, losses = torch.optim.Adam(flow.parameters(), lr=3e-3), []
    for step in range(40):
        flow.train_pred(batch, code, Truth(truth.images, step))
        loss = flow.own_losses()["velocity"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])
