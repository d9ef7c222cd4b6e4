"""Parts of a configuration that do not fit each other are refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from Testing.training.test_stages import NETWORKS, REGISTRATION, SUPER_RESOLUTION, stage_values
from training.ablation import read_ablation
from training.config import ConfigError, config_from_mapping, read_config
from training.fitness import refuse_unfit

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_fits(path):
    refuse_unfit(read_config(path), where=str(path))


def refused(values, message):
    with pytest.raises(ConfigError, match=message) as error:
        refuse_unfit(config_from_mapping(values, where="run.yaml"), where="run.yaml")
    assert str(error.value).startswith("run.yaml: ")


def test_slices_that_the_generator_cannot_divide_are_refused_with_some_that_it_can(tiny_values):
    tiny_values["generator"]["parameters"]["widths"] = [8, 16, 16, 16]
    tiny_values["data"]["crop_voxels"] = [44, 32]
    refused(tiny_values, r"data\.crop_voxels 44 x 32 must be multiples of 16 for .* unet25d: take 48 x 32, for example")
    tiny_values["data"]["crop_voxels"] = [48, 32]
    refuse_unfit(config_from_mapping(tiny_values, where="run.yaml"), where="run.yaml")


def test_slices_that_the_super_resolution_branch_cannot_divide_are_refused(tiny_values):
    deeper = {"ratios": [1, 2, 4, 8], "widths": [16, 8, 8, 8], "heads": [2, 1, 1, 1]}
    tiny_values["networks"] |= {"super_resolution": SUPER_RESOLUTION | deeper}
    tiny_values["data"]["crop_voxels"] = [36, 40]
    refused(tiny_values, r"36 x 40 must be multiples of 8 for networks\.super_resolution: take 32 x 40, for example")


@pytest.mark.parametrize(
    ("network", "settings", "least"),
    [
        ("label_correction", REGISTRATION | {"widths": [8] * 6}, 128),
        ("student", {"registration": REGISTRATION | {"widths": [8] * 5}, "max_residual": 0.0}, 64),
        ("difference_projection", 4, 33),
    ],
)
def test_slices_too_small_for_a_network_are_refused(tiny_values, network, settings, least):
    tiny_values["networks"] |= {network: settings}
    refused(tiny_values, rf"data\.crop_voxels 32 x 32 must be {least} or more for networks\.{network}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ratios": [8]}, r"stage finer needs ratio 8 in networks\.super_resolution\.ratios, which has 1, 2, 4"),
        ({"ratios": [3]}, "stage finer needs ratio 3"),
    ],
)
def test_a_ratio_that_the_branch_has_no_entrance_for_is_refused(tiny_values, changes, message):
    optimizer = tiny_values["stages"][0]["optimizer"]
    tiny_values["data"]["crop_voxels"] = [48, 48]
    tiny_values["networks"] = NETWORKS
    tiny_values["stages"] = [stage_values("super_resolution", optimizer, name="finer", **changes)]
    refused(tiny_values, message)


def test_thick_slices_need_a_branch_with_ratio_1(tiny_values):
    optimizer = tiny_values["stages"][0]["optimizer"]
    tiny_values["data"]["crop_voxels"] = [48, 48]
    tiny_values["networks"] = NETWORKS | {"super_resolution": SUPER_RESOLUTION | {"ratios": [2, 4]}}
    tiny_values["stages"] = [stage_values("super_resolution", optimizer, name="finer")]
    refused(tiny_values, r"stage finer needs ratio 1 .* \(thick slices need 1\)")


def test_a_component_that_no_bundle_may_hold_is_refused_with_its_size(tiny_values):
    widths = {"widths": [80, 64, 48, 24], "heads": [8, 4, 2, 1], "ratios": [1, 2, 4, 8], "dense_blocks": 2}
    more = {"growth": 32, "blocks_per_scale": 2, "modulation_width": 64}
    tiny_values["networks"] |= {"super_resolution": SUPER_RESOLUTION | widths | more}
    refused(
        tiny_values,
        r"networks\.super_resolution has \d+\.\d\d M weights, 19\.\d MiB in a bundle, where a component may have "
        r"16 MiB: choose smaller widths, below 8\.3 M weights",
    )


def test_the_limit_is_that_of_the_bundle(tiny_values, monkeypatch):
    tiny_values["networks"] |= {"local_discriminator": NETWORKS["local_discriminator"]}
    config = config_from_mapping(tiny_values, where="run.yaml")
    network = refuse_unfit(config, where="run.yaml")["local_discriminator"]
    size = 2 * sum(values.numel() for values in network.state_dict().values())
    monkeypatch.setattr("training.fitness.MAX_COMPONENT_BYTES", size)
    refuse_unfit(config, where="run.yaml")
    monkeypatch.setattr("training.fitness.MAX_COMPONENT_BYTES", size - 1)
    refused(tiny_values, r"networks\.local_discriminator has 0\.0\d M weights")


def test_a_variant_of_an_ablation_that_does_not_fit_is_refused_by_name(tmp_path):
    shipped = (CONFIGS[0].parent / "ablations" / "system_a.yaml").read_text()
    path = tmp_path / "grid.yaml"
    path.write_text(shipped.replace("crop_voxels: [64, 64]", "crop_voxels: [40, 64]"))
    with pytest.raises(ConfigError, match=r"grid\.yaml, variant restormer-clean-no_student: data\.crop_voxels 40 x 64"):
        read_ablation(path)
