"""Ablations: every variant is a whole configuration, cells are kept, the table is mean and spread."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import pytest
import yaml

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import json_text
from training.ablation import (
    AblationConfig,
    Cell,
    ablation_table,
    cell_settings,
    read_ablation,
    run_ablation,
    shortened,
    variant_config,
)
from training.checkpoint import load_checkpoint
from training.config import ConfigError

SHIPPED = sorted((Path(__file__).parents[2] / "training" / "configs" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_ablation_is_read_with_all_its_variants(path):
    config = read_ablation(path)
    assert len(config.names) > 1
    assert len(config.seeds) >= 3


def test_the_shipped_grid_of_system_a_is_that_of_methods():
    config = read_ablation(next(path for path in SHIPPED if path.stem == "system_a"))
    assert len(config.names) == 2 * 4 * 3
    built = {name: variant_config(config, name, 1, where="grid") for name in config.names}
    assert sum(any(stage.attack is not None for stage in each.stages) for each in built.values()) == 12
    assert len({each.generator.architecture for each in built.values()}) == 3
    students = [each.stages[1] for each in built.values() if len(each.stages) == 2]
    assert [stage.teacher for stage in students].count("none") == 6
    assert len(students) == 18


@pytest.fixture
def small(tiny_values):
    template = copy.deepcopy(tiny_values)
    template["voxel_stage"]["num_steps"] = 0
    template["stages"][0]["optimizer"]["num_steps"] = 3
    return {
        "template": template,
        "variants": {"plain": {}, "gentle": {"losses": {"lesion": 1.0}}},
        "seeds": [1],
        "train_people": 2,
        "test_people": 1,
        "spacing_mm": 6.0,
        "route": ["T1w", "FLAIR"],
        "unseen_perturbations": ["gaussian_noise"],
        "unseen_level": 5.0,
    }


def test_a_variant_changes_what_it_names_and_keeps_the_rest(small):
    config = msgspec.convert(small, AblationConfig)
    plain, gentle = (variant_config(config, name, 5, where="test") for name in ("plain", "gentle"))
    assert (plain.seed, gentle.seed) == (5, 5)
    assert gentle.losses.lesion == 1.0
    assert msgspec.structs.replace(gentle, losses=plain.losses) == plain


def test_finished_cells_are_not_run_again(small, tmp_path):
    config = msgspec.convert(small, AblationConfig)
    reported = []
    cells = run_ablation(config, tmp_path, report=reported.append)
    assert [cell.variant for cell in cells] == ["plain", "gentle"]
    assert [cell.variant for cell in reported] == ["plain", "gentle"]
    assert all(5 < cell.brain < 60 for cell in cells)
    (tmp_path / "gentle-1.json").unlink()
    reported.clear()
    assert run_ablation(config, tmp_path, report=reported.append) == cells
    assert [cell.variant for cell in reported] == ["gentle"]


def test_a_wrong_variant_is_refused_by_file_variant_and_key(small, tmp_path):
    small["variants"]["gentle"] = {"losses": {"leison": 1.0}}
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(small))
    with pytest.raises(ConfigError, match=r"wrong\.yaml, variant gentle.*leison"):
        read_ablation(path)


@pytest.fixture
def grid(small):
    axes = {
        "lesion": {"even": {"losses": {"lesion": 1.0}}, "heavy": {"losses": {"lesion": 5.0}}},
        "steps": {"few": {"stages": {"base": {"optimizer": {"num_steps": 3}}}}, "more": {}},
    }
    small["template"]["stages"][0]["optimizer"]["num_steps"] = 6
    return small | {"variants": {"plain": {}}, "grid": axes}


def test_a_grid_is_every_combination_of_its_choices(grid):
    config = msgspec.convert(grid, AblationConfig)
    assert config.names == ["plain", "even-few", "even-more", "heavy-few", "heavy-more"]
    built = [variant_config(config, name, 1, where="test") for name in config.names]
    assert [(each.losses.lesion, each.num_steps) for each in built] == [(2, 6), (1, 3), (1, 6), (5, 3), (5, 6)]


def test_stages_are_changed_and_left_out_by_name(small):
    stage = small["template"]["stages"][0]
    small["template"]["stages"] = [stage, stage | {"name": "second"}]
    small["variants"] = {"one": {"stages": {"base": None, "second": {"optimizer": {"ema_decay": 0.5}}}}}
    config = msgspec.convert(small, AblationConfig)
    (left,) = variant_config(config, "one", 1, where="test").stages
    assert (left.name, left.optimizer.ema_decay, left.optimizer.num_steps) == ("second", 0.5, 3)
    small["variants"] = {"one": {"stages": {"bass": None}}}
    with pytest.raises(ConfigError, match="test, variant one: no stage is named bass: use base, second"):
        variant_config(msgspec.convert(small, AblationConfig), "one", 1, where="test")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variants": {}, "grid": {}}, "needs seeds, and variants or a grid"),
        ({"seeds": []}, "needs seeds"),
        ({"variants": {"even-few": {}}}, "different names"),
        ({"grid": {"lesion": {"even-handed": {}}}}, "choice 'even-handed' of the grid must not hold '-'"),
    ],
)
def test_an_ablation_that_compares_nothing_or_mixes_up_names_is_refused(grid, tmp_path, changes, message):
    path = tmp_path / "wrong.yaml"
    path.write_text(yaml.safe_dump(grid | changes))
    with pytest.raises(ConfigError, match=rf"wrong\.yaml.*{message}"):
        read_ablation(path)


def test_a_trial_is_short_and_never_mistaken_for_the_ablation_itself(small, tmp_path):
    config = msgspec.convert(small | {"seeds": [1, 2], "variants": {"plain": {}}}, AblationConfig)
    reported = []
    (trial,) = run_ablation(config, tmp_path, report=reported.append, num_steps=2)
    assert (trial.seed, load_checkpoint(tmp_path / "plain-1-trial-2").step) == (1, 2)
    assert not (tmp_path / "plain-1.json").exists()


def test_a_shortened_refine_stage_leaves_the_student_a_step(tmp_path):
    config = read_ablation(next(path for path in SHIPPED if path.stem == "system_a"))
    base, refine = shortened(variant_config(config, "unet25d-clean-flow", 1, where="test"), 2).stages
    assert (base.optimizer.num_steps, refine.optimizer.num_steps, refine.teacher_steps) == (2, 2, 1)


def test_the_table_holds_mean_and_standard_deviation_over_seeds():
    cells = [Cell("plain", 1, 20.0, 10.0, 15.0), Cell("plain", 2, 22.0, 10.0, 17.0)]
    assert "| plain | 2 | 21.00 ± 1.41 | 10.00 ± 0.00 | 16.00 ± 1.41 |" in ablation_table(cells)


def test_a_variant_whose_phantoms_have_no_lesions_has_none_in_the_table():
    assert "| plain | 1 | 21.00 ± 0.00 | - | 16.00 ± 0.00 |" in ablation_table([Cell("plain", 1, 21.0, None, 16.0)])


@pytest.mark.parametrize(("stored", "why"), [("{}", "no scores of this version"), (None, "of another configuration")])
def test_scores_of_something_else_are_not_taken_for_a_cells_own(tmp_path, stored, why):
    config = read_ablation(next(path for path in SHIPPED if path.stem == "mechanisms"))
    other = json_text(Cell("plain", 1, 20.0, None, 15.0, cell_settings(config, "plain", 2)))
    (tmp_path / "plain-1.json").write_text(stored or other)
    with pytest.raises(InputError, match=rf"plain-1.json: .*{why}.*remove it, or give another folder"):
        run_ablation(config, tmp_path, report=print)
