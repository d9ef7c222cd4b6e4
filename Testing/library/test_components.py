"""The super-resolution branch in a model card: complete, shown, and honest about what it does not gain."""

from __future__ import annotations

import msgspec
import pytest
import torch

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.load import load_super_resolver
from MRTranslateLib.models.bundle import open_bundle, write_bundle
from MRTranslateLib.models.card import decode_card, encode_card
from MRTranslateLib.models.components import Components, SuperResolutionCard, SuperResolutionQuality
from MRTranslateLib.networks.super_resolution import build_super_resolver
from Testing.library.model_examples import example_card, example_tensors

PARAMETERS = {
    "ratios": [1, 2],
    "num_neighbours": 1,
    "widths": [4, 4],
    "heads": [1, 1],
    "pyramid_widths": [],
    "dense_blocks": 1,
    "growth": 4,
    "blocks_per_scale": 1,
    "modulation_width": 4,
    "deformable_stride": 2,
}
PART = SuperResolutionCard(
    parameters=PARAMETERS, in_plane_ratios=(2, 4), slice_thickness_mm=(3.0, 5.0), thick_slices_start="acquired"
)
ROW = SuperResolutionQuality(
    sources=(Contrast.T1W,),
    target=Contrast.T2W,
    split="val",
    in_plane_ratio=1,
    slice_thickness_mm=5.0,
    num_cases=3,
    brain_psnr=26.0,
    brain_ssim=0.9,
    lesion_psnr=25.0,
    synthesis_brain_psnr=20.0,
    synthesis_brain_ssim=0.7,
    synthesis_lesion_psnr=18.0,
    interpolation_brain_psnr=24.0,
    interpolation_brain_ssim=0.85,
    interpolation_lesion_psnr=24.5,
)


def sharp_card(**row):
    card = msgspec.structs.replace(example_card(), components=Components(super_resolution=PART))
    return msgspec.structs.replace(
        card,
        super_resolution_quality=(msgspec.structs.replace(ROW, **row),),
        super_resolution_protocol="As written.",
        super_resolution_command="python",
    )


def test_a_card_with_a_branch_survives_json():
    assert decode_card(encode_card(sharp_card()), where="model.json") == sharp_card()


def test_its_weights_are_a_file_of_the_bundle_and_are_loaded_from_there(tmp_path):
    torch.manual_seed(3)
    weights = build_super_resolver(PARAMETERS).state_dict()
    write_bundle(tmp_path / "tiny", sharp_card(), example_tensors(), components={"super_resolution": weights})
    bundle = open_bundle(tmp_path / "tiny")
    assert (tmp_path / "tiny" / "super_resolution.safetensors").exists()
    loaded = load_super_resolver(bundle).state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(values, weights[name].half().float()) for name, values in loaded.items())


def test_weights_of_another_size_are_refused(tmp_path):
    weights = build_super_resolver(PARAMETERS | {"growth": 8}).state_dict()
    bundle = write_bundle(tmp_path / "tiny", sharp_card(), example_tensors(), components={"super_resolution": weights})
    with pytest.raises(ModelError, match="do not fit its architecture super_resolution"):
        load_super_resolver(bundle)


def test_a_model_without_a_branch_refuses_with_a_remedy():
    with pytest.raises(ModelError, match=r"model tiny comes without a super-resolution branch.*leave the target out"):
        example_card().require_super_resolution()


@pytest.mark.parametrize(
    ("row", "beats"),
    [
        ({}, True),
        ({"brain_psnr": 23.9}, False),
        ({"lesion_psnr": 24.4}, False),
        ({"lesion_psnr": None, "synthesis_lesion_psnr": None, "interpolation_lesion_psnr": None}, True),
    ],
)
def test_it_beats_interpolation_only_where_it_does_in_the_brain_and_in_lesions(row, beats):
    assert msgspec.structs.replace(ROW, **row).beats_interpolation is beats


def test_the_text_names_each_acquisition_where_interpolation_is_better():
    text = render_card(sharp_card())
    assert "trained for: 2 or 4 times larger pixels, axial slices of 3 or 5 mm" in text
    assert "Better than cubic interpolation of the acquired target everywhere" in text
    worse = " ".join(render_card(sharp_card(brain_psnr=23.0)).split())
    assert "on 0 of 1 measured acquisitions; not, in the brain or in lesions, at: T1w>T2w, slices of 5 mm" in worse
    assert "Takes no low-resolution target" in render_card(example_card())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lesion_psnr": None}, "of the result and of both controls"),
        ({"in_plane_ratio": 0}, "in_plane_ratio"),
        ({"target": "T9w"}, "T9w"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(changes, words):
    with pytest.raises(msgspec.ValidationError, match=words):
        msgspec.convert(msgspec.to_builtins(ROW) | changes, SuperResolutionQuality)


def test_rows_without_a_branch_are_refused():
    with pytest.raises(ValueError, match="components name no super_resolution"):
        msgspec.structs.replace(example_card(), super_resolution_quality=(ROW,)).__post_init__()
