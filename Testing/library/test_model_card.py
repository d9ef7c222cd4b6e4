from __future__ import annotations

import json
import math

import msgspec
import pytest

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.models.card import Predecessor, decode_card, encode_card
from MRTranslateLib.models.components import AttentionCalibration, AttentionQuality
from Testing.library.model_examples import example_card, example_components

T1W, T2W, PDW, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.PDW, Contrast.FLAIR

FALLING = {"raw": [0.1, 0.2], "calibrated": [0.2, 0.1], "statement": "x"}
WIDE = {"raw": [0.1, 0.2], "calibrated": [0.2, 1.1], "statement": "x"}
ATTENTION_ROW = {
    "sources": ["T1w"],
    "target": "T2w",
    "split": "val",
    "num_cases": 2,
    "attention": 0.7,
    "gradient": 0.6,
    "num_lesion_cases": 1,
    "attention_lesion_cases": 0.65,
    "distance": 0.625,
}


def changed(path: str, value: object) -> bytes:
    """The example card as JSON with one key set, or removed for ``...``."""
    card = json.loads(encode_card(example_card()))
    *parents, key = [int(part) if part.isdigit() else part for part in path.split("/")]
    place = card
    for part in parents:
        place = place[part]
    if value is ...:
        del place[key]
    else:
        place[key] = value
    return json.dumps(card).encode()


def test_a_card_survives_json():
    assert decode_card(encode_card(example_card()), where="model.json") == example_card()


def test_contrasts_are_written_by_name():
    assert json.loads(encode_card(example_card()))["quality"][0]["sources"] == ["T1w", "T2w"]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("title", ..., r"missing required field `title`"),
        ("tittle", "x", r"unknown field `tittle`"),
        ("title", 7, r"Expected `str`, got `int` - at `\$\.title`"),
        ("name", "../evil", r"\$\.name"),
        ("name", "tiny\n", r"\$\.name"),
        ("name", ".hidden", r"\$\.name"),
        ("version", "1.0", r"\$\.version"),
        ("sources", [], r"sources must name at least one"),
        ("targets", ["T2w", "T2w"], r"targets must name at least one and each once"),
        ("sources/0", "T9w", r"T9w.*\$\.sources"),
        ("systems_trained/0", "Z", r"\$\.systems_trained"),
        ("quality/0/target", "T1w", r"T1w is among the sources.*\$\.quality"),
        ("quality/0/target", "PDw", r"T1w\+T2w>PDw, which is not offered"),
        ("quality/0/brain_psnr", "21", r"\$\.quality\[0\]\.brain_psnr"),
        ("quality/0/num_cases", 0, r"\$\.quality\[0\]\.num_cases"),
        ("preprocessing/percentile", 101, r"\$\.preprocessing\.percentile"),
        ("preprocessing/slice_spacing_mm", [3, 1], r"slice_spacing_mm must be smallest and largest.*got 3 and 1"),
        ("training_data/0/licence", "", r"\$\.training_data\[0\]\.licence"),
        ("training_run/extra", 1, r"unknown field `extra`.*\$\.training_run"),
        ("files", {"w.safetensors": {"sha256": "0" * 63, "bytes": 1}}, r"sha256"),
        ("files", {"w.safetensors": {"sha256": "0" * 64, "bytes": -1}}, r"bytes"),
        ("files", {"../w.safetensors": {"sha256": "0" * 64, "bytes": 1}}, r"'\.\./w\.safetensors'.*not the plain name"),
        ("files", {"/etc/passwd": {"sha256": "0" * 64, "bytes": 1}}, r"not the plain name"),
        ("files", {"a\\b": {"sha256": "0" * 64, "bytes": 1}}, r"not the plain name"),
        ("files", {"Model.json": {"sha256": "0" * 64, "bytes": 1}}, r"not the plain name"),
        ("components", {"super_duper": {}}, r"unknown field `super_duper`.*\$\.components"),
        ("components", {"local_discriminator": {}}, r"missing required field `parameters`"),
        ("components", {"local_discriminator": {"parameters": {}, "weights": 1}}, r"unknown field `weights`"),
        ("components", {"local_discriminator": {"parameters": {}, "calibration": FALLING}}, r"must not fall"),
        ("components", {"local_discriminator": {"parameters": {}, "calibration": WIDE}}, r"<= 1.*calibrated"),
        ("attention_quality", [ATTENTION_ROW], r"but components name no local_discriminator"),
        ("attention_quality", [ATTENTION_ROW | {"target": "PDw"}], r"T1w>PDw, which is not offered"),
        ("attention_quality", [ATTENTION_ROW | {"attention": 1.5}], r"<= 1.*\$\.attention_quality"),
        ("schema_version", 2, r"schema version 2, this MRTranslate reads version 1: update MRTranslate"),
        ("schema_version", 0, r"schema version 0, .* install a newer version of the model"),
        ("schema_version", ..., r"missing required field `schema_version`"),
    ],
)
def test_a_wrong_card_is_refused_with_the_key_and_the_reason(path, value, message):
    with pytest.raises(ModelError, match=message) as raised:
        decode_card(changed(path, value), where="tiny/model.json")
    assert str(raised.value).startswith("tiny/model.json ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"a": "\xff"}',
        b"\x80\x04K\x01.",
        b'{"schema_version": 1, "a": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_card_at_all_is_refused(data):
    with pytest.raises(ModelError, match=r"model\.json is not a valid model card"):
        decode_card(data, where="model.json")


def test_a_card_from_a_newer_program_is_told_apart_from_a_broken_one():
    with pytest.raises(ModelError, match="update MRTranslate"):
        decode_card(b'{"schema_version": 3, "whatever": "is new"}', where="model.json")


def test_numbers_that_json_cannot_say_are_refused_when_the_card_is_made():
    with pytest.raises(ValueError, match="brain_psnr must be finite, got inf"):
        msgspec.structs.replace(example_card().quality[0], brain_psnr=math.inf)


@pytest.mark.parametrize(
    ("sources", "target", "offered"),
    [
        ((T1W,), T2W, True),
        ((T1W, T2W), FLAIR, True),
        ((FLAIR,), T2W, True),
        ((T1W, T2W), T2W, False),
        ((T2W,), T1W, False),
        ((PDW,), T2W, False),
        ((T1W, PDW), T2W, False),
        ((), T2W, False),
    ],
)
def test_any_subset_of_the_sources_goes_to_any_other_target(sources, target, offered):
    assert example_card().offers(sources, target) is offered


def test_a_route_not_offered_is_refused_with_what_is():
    with pytest.raises(ModelError, match=r"does not offer T1w\+PDw>T2w: it takes any of T1w, T2w, FLAIR and makes T2w"):
        example_card().require_route((T1W, PDW), T2W)


def test_versions_are_ordered_by_number():
    cards = [example_card(version=version) for version in ("0.9.9", "0.10.0", "1.0.0")]
    assert sorted(cards, key=lambda card: card.version_numbers) == cards


def test_the_text_of_a_card_says_what_matters():
    text = render_card(example_card())
    for part in (
        "tiny 1.0.0: An example",
        "Not for: Anything else.",
        "It has three weights.",
        "Nobody's (1 people, CC0). Drawn by",
        "python -m training fit none.yaml",
        "0.5 to 1 mm in plane",
    ):
        assert part in text
    row = next(line for line in text.splitlines() if line.startswith("T1w+T2w>FLAIR"))
    assert row.split() == ["T1w+T2w>FLAIR", "val", "4", "21.50", "17.00", "0.875", "-", "17.25", "-"]


def attentive_card(**row: object):
    components = example_components(
        AttentionCalibration(raw=(0.1, 0.9), calibrated=(0.0, 0.4), statement="Measured so.")
    )
    card = msgspec.structs.replace(example_card(), components=components)
    return msgspec.structs.replace(card, attention_quality=(msgspec.convert(ATTENTION_ROW | row, AttentionQuality),))


def test_a_card_with_a_local_discriminator_survives_json():
    assert decode_card(encode_card(attentive_card()), where="model.json") == attentive_card()


def test_a_card_from_before_there_were_components_has_none():
    card = json.loads(encode_card(example_card()))
    for key in ("components", "attention_quality", "attention_protocol", "attention_command"):
        del card[key]
    assert decode_card(json.dumps(card).encode(), where="model.json") == example_card()


def test_a_model_without_local_discriminator_refuses_attention_with_a_remedy():
    with pytest.raises(
        ModelError, match=r"model tiny comes without a local discriminator.*leave the map out"
    ) as raised:
        example_card().require_attention()
    assert raised.value.exit_code == 4


def test_the_text_of_a_card_says_what_attention_means_and_whether_it_beats_the_controls():
    text = render_card(attentive_card())
    assert "Makes an attention map: Measured so." in text
    assert "beats every naive control on 1 of 1 measured routes" in text
    assert "Makes no attention map" in render_card(example_card())


@pytest.mark.parametrize(
    ("row", "beats"),
    [
        ({}, True),
        ({"gradient": 0.7}, False),
        ({"distance": 0.66}, False),
        ({"num_lesion_cases": 0, "distance": None, "attention_lesion_cases": None}, True),
    ],
)
def test_attention_beats_its_controls_only_when_it_beats_each_on_the_same_people(row, beats):
    assert attentive_card(**row).attention_quality[0].beats_controls is beats


def test_the_text_of_a_card_tells_the_model_that_it_replaced_and_how_good_that_was():
    card = example_card()
    former = tuple(msgspec.structs.replace(row, brain_psnr=12.34, lesion_psnr=None) for row in card.quality)
    successor = msgspec.structs.replace(card, predecessor=Predecessor(name="old", version="0.1.0", quality=former))
    text = render_card(successor)
    assert "Replaced old 0.1.0" in text
    row = next(line for line in text.splitlines() if "12.34" in line)
    assert f"{card.quality[0].brain_psnr:.2f}" in row
    assert "Replaced" not in render_card(card)
    assert decode_card(encode_card(successor), where="model.json") == successor
