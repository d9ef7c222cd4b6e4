"""Every component learns a little on phantoms; the shortened form of ``python -m training smoke``."""

from __future__ import annotations

import pytest

from training.smoke import SmokeError, run_smoke, smoke_cases

SHORT = {
    "unet25d": 1.0,
    "label_correction": 0.5,
    "discriminators_and_attention": 0.5,
    "attacker_worst_of_k": 0.5,
    "teacher_and_student": 0.4,
    "super_resolution": 0.4,
}


@pytest.mark.parametrize("name", SHORT)
def test_a_component_learns_and_can_be_shipped(name, tmp_path):
    results = []
    run_smoke(tmp_path, names=(name,), share_of_steps=SHORT[name], report=results.append)
    assert [result.name for result in results] == [name]
    assert results[0].last < results[0].first


def test_every_generator_and_component_has_a_case():
    names = {case.name for case in smoke_cases()}
    assert {"unet25d", "resnet9", "restormer", "swin_unetr", "flow_matching"} <= names
    assert {"label_correction", "patch_discriminator", "discriminators_and_attention"} <= names
    assert {"teacher_and_student", "super_resolution"} <= names
    assert {"attacker_worst_of_k", "attacker_score_search", "attacker_perturbation_generator"} <= names


def test_a_component_that_does_not_learn_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("training.smoke.FALL", 0.01)
    with pytest.raises(SmokeError, match="unet25d: absolute_error did not fall"):
        run_smoke(tmp_path, names=("unet25d",), share_of_steps=0.1, report=lambda result: None)


def test_an_unknown_component_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(SmokeError, match="unknown component unet: use unet25d"):
        run_smoke(tmp_path, names=("unet",), share_of_steps=0.1, report=lambda result: None)
