"""Ablations: every variant is a whole configuration, cells are kept, the table is mean and spread."""

from __future__ import annotations

import copy
from pathlib import Path

import msgspec
import pytest
import yaml

from training.ablation import AblationConfig, Cell, ablation_table, read_ablation, run_ablation, variant_config
from training.config import ConfigError

SHIPPED = sorted((Path(__file__).parents[2] / "training" / "configs" / "ablations").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_ablation_is_read_with_all_its_variants(path):
    config = read_ablation(path)
    assert len(config.variants) > 1
    assert len(config.seeds) >= 3


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


def test_the_table_holds_mean_and_standard_deviation_over_seeds():
    cells = [Cell("plain", 1, 20.0, 10.0, 15.0), Cell("plain", 2, 22.0, 10.0, 17.0)]
    assert "| plain | 2 | 21.00 ± 1.41 | 10.00 ± 0.00 | 16.00 ± 1.41 |" in ablation_table(cells)
