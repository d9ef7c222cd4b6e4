"""Configurations are typed and closed."""

from pathlib import Path

import pytest
import yaml

from training.config import ConfigError, config_from_mapping, read_config

CONFIGS = sorted((Path(__file__).parents[2] / "training" / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_read_and_named_as_its_file(path):
    assert read_config(path).name == path.stem


def change(values, key, value):
    *sections, last = key.split(".")
    for section in sections:
        values = values[int(section) if section.isdigit() else section]
    values[last] = value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seed", "7", r"Expected `int`, got `str` - at `\$\.seed`"),
        ("sede", 7, "sede"),
        ("stages.0.optimizer.peak_learning_rate", "2e-4", r"at `\$\.stages\[0\]\.optimizer\.peak_learning_rate`"),
        ("stages.0.optimizer.peak_learning_rate", 2.0, "peak_learning_rate must be in"),
        ("stages.0.optimizer.num_warmup_steps", 8, "num_warmup_steps 8 must be below num_steps 8"),
        ("data.crop_voxels", [32], r"at `\$\.data\.crop_voxels`"),
        ("data.crop_voxels", [8, 32], "crop_voxels must be at least 16"),
        ("data.lesion_fraction", 1.5, "lesion_fraction must be in 0..1"),
        ("augmentation.noise", -0.1, "noise must be in 0..90"),
        ("precision", "fp16", "precision must be fp32 or bf16"),
        ("log_every_steps", 0, "must be 1 or more"),
        ("stages", [], "at least one stage"),
        ("stages.0.kind", "adversary", "Invalid value 'adversary'"),
        ("losses.own", -1.0, r"own must not be negative, got -1\.0 - at `\$\.losses`"),
        ("networks.patch_discriminator", "8", r"at `\$\.networks\.patch_discriminator`"),
    ],
)
def test_a_wrong_value_is_refused_with_file_and_key(tiny_values, key, value, message):
    change(tiny_values, key, value)
    with pytest.raises(ConfigError, match=message) as error:
        config_from_mapping(tiny_values, where="run.yaml")
    assert str(error.value).startswith("run.yaml: ")


@pytest.mark.parametrize("key", ["seed", "data.realign", "stages.0.optimizer.ema_decay", "losses"])
def test_a_missing_key_is_refused_with_its_name(tiny_values, key):
    *sections, last = key.split(".")
    section = tiny_values
    for name in sections:
        section = section[int(name) if name.isdigit() else name]
    del section[last]
    with pytest.raises(ConfigError, match=f"missing required field `{last}`"):
        config_from_mapping(tiny_values, where="run.yaml")


@pytest.mark.parametrize("text", ["a: [", "", "- 1", "\x00"])
def test_a_file_that_is_no_configuration_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken\.yaml"):
        read_config(path)


CORRECTION = {
    "learning_rate_share": 1.0,
    "start_step": 0,
    "known_motion_affine_level": 1.0,
    "known_motion_elastic_voxels": 1.0,
    "known_motion_of": "target",
}
REFINE = {"kind": "refine", "generator_learning_rate_share": 0.0, "generator_gradient": 0.0, "attack": None}
SUPER_RESOLUTION = {"kind": "super_resolution", "distinction": 1.0, "feature_matching": 0.0, "adversarial": 0.0}


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ({"label_correction": CORRECTION | {"adversarial": -0.1}}, "adversarial must not be negative, got -0.1"),
        (
            {"label_correction": CORRECTION | {"adversarial": 0.1, "learning_rate_share": 0.0}},
            "adversarial reaches label correction only",
        ),
        (
            {"label_correction": CORRECTION | {"adversarial": 0.1}, "batch_size": 1},
            r"stage base: a relativistic loss compares slices of a batch, so batch_size must be 2 or more .*, got 1",
        ),
        (REFINE | {"teacher": "real", "teacher_steps": 8}, "teacher_steps 8 must be below num_steps 8"),
        (
            REFINE | {"teacher": "real", "teacher_steps": 1, "teacher_average": 1.0},
            r"teacher_average must be in \[0, 1\), got 1\.0",
        ),
        (SUPER_RESOLUTION | {"ratios": [], "slice_thickness_mm": []}, "must name at least one degradation"),
        (SUPER_RESOLUTION | {"ratios": [1], "slice_thickness_mm": []}, "ratios must be 2 or more, got 1"),
        (
            SUPER_RESOLUTION | {"ratios": [], "slice_thickness_mm": [0.0]},
            "slice_thickness_mm must be positive, got 0.0",
        ),
        (
            SUPER_RESOLUTION | {"ratios": [2], "slice_thickness_mm": [], "adversarial": 0.1, "batch_size": 1},
            "stage base: a relativistic loss",
        ),
    ],
)
def test_a_stage_that_cannot_work_is_refused_with_file_and_place(tiny_values, stage, message):
    (base,) = tiny_values["stages"]
    settings = dict(stage)
    optimizer = base["optimizer"] | {"batch_size": settings.pop("batch_size", 4)}
    kept = base if "kind" not in stage else {"name": "base"}
    tiny_values["stages"] = [kept | {"optimizer": optimizer} | settings]
    with pytest.raises(ConfigError, match=rf"^run\.yaml: .*{message}.* - at `\$\.stages\[0\]"):
        config_from_mapping(tiny_values, where="run.yaml")


def test_what_was_added_after_the_first_checkpoints_may_be_missing_and_is_off(tiny_values):
    config = config_from_mapping(tiny_values, where="old")
    assert (config.losses.own, config.networks.patch_discriminator) == (1.0, None)
    (stage,) = tiny_values["stages"]
    sizes = {"bottleneck_width": 8, "num_bottleneck_blocks": 1, "max_flow_voxels": 4.0, "diffeomorphic": False}
    tiny_values["networks"]["label_correction"] = sizes | {"widths": [8, 8, 8]}
    tiny_values["stages"] = [stage | {"label_correction": CORRECTION}]
    correction = config_from_mapping(tiny_values, where="old").stages[0].label_correction
    assert (correction.adversarial, correction.subtract_mean_flow) == (0.0, False)


def test_a_saved_configuration_reads_back_equal(tiny_config, tmp_path):
    import msgspec

    (tmp_path / "c.yaml").write_text(yaml.safe_dump(msgspec.to_builtins(tiny_config)))
    assert read_config(tmp_path / "c.yaml") == tiny_config
