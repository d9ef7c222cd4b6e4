"""Apply's tooltip says everything that is missing."""

import dataclasses

import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.models.bundle import read_card
from MRTranslateLib.models.store import ModelStore
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


@pytest.fixture
def readiness(slicer_host):
    from MRTranslateGui import Readiness

    return Readiness


@pytest.fixture
def model(slicer_host):
    """The shipped model, as if it made no maps and took no low-resolution target."""
    from MRTranslateGui.ModelCatalog import readCatalog

    shipped = readCatalog().models[0]
    card = {key: value for key, value in shipped.card.items() if key not in ("components", "uncertainty_calibrations")}
    return dataclasses.replace(shipped, card=card)


def test_the_first_model_offered_is_the_one_the_library_takes_by_default(slicer_host):
    from MRTranslateGui.ModelCatalog import readCatalog

    assert readCatalog().models[0].folder.name == ModelStore().default_name()


@pytest.fixture
def request_of(readiness, model):
    complete = readiness.Request(sources={"T1w": "n1", "T2w": "n2"}, target="FLAIR", model=model)
    return lambda **changes: dataclasses.replace(complete, **changes)


def test_a_complete_request_lacks_nothing(readiness, request_of):
    assert readiness.whatIsMissing(request_of()) == []
    assert readiness.readyText(request_of()) == "Make a synthetic FLAIR from T1w, T2w."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": {}}, "at least one acquired scan"),
        ({"model": None}, "No model is installed"),
        ({"target": ""}, "Choose the target contrast"),
        ({"target": "T1w"}, "both source and target"),
        ({"target": "PDw"}, "does not make PDw"),
        ({"sources": {"PDw": "n1"}}, "does not take PDw"),
        ({"sources": {"T1w": "n1", "T2w": "n1"}}, "same volume is chosen as T1w and T2w"),
        ({"reference": "n1"}, "reference is also a source"),
        ({"outputs": ("n1",)}, "would overwrite an input"),
        ({"outputs": ("n3",), "reference": "n3"}, "would overwrite an input"),
        ({"outputs": ("n5",), "acquiredOutputs": ("DWI",)}, "The output DWI holds an image that is not synthetic"),
        ({"lowResolution": "n4"}, "cannot use a low-resolution target"),
        ({"attention": True}, "makes no attention map"),
        ({"problems": ("T1w: the volume x holds no image.",)}, "holds no image"),
    ],
)
def test_each_fault_is_named(readiness, request_of, changes, words):
    missing = readiness.whatIsMissing(request_of(**changes))
    assert len(missing) == 1
    assert words in missing[0]


@pytest.mark.parametrize(
    ("rows", "missing"),
    [([], ["FLAIR with a low-resolution target"]), (["T2w"], ["FLAIR with a low-resolution target"]), (["FLAIR"], [])],
)
def test_an_uncertainty_map_with_a_low_resolution_target_needs_a_calibration_for_both(
    readiness, request_of, model, rows, missing
):
    part = {"components": {"super_resolution": {}}, "uncertainty_calibrations": [{"target": "FLAIR"}]}
    part |= {"low_resolution_uncertainty": [{"calibration": {"target": target}} for target in rows]}
    able = dataclasses.replace(model, card=model.card | part)
    said = readiness.whatIsMissing(request_of(model=able, lowResolution="n4", uncertainty=True))
    assert len(said) == len(missing)
    assert all(words in text for words, text in zip(missing, said, strict=True))


def test_all_faults_are_named_at_once(readiness, request_of):
    missing = readiness.whatIsMissing(request_of(sources={"T1w": "n1", "T2w": "n1"}, outputs=("n1",), attention=True))
    assert len(missing) == 3


def test_no_target_left_is_said(readiness, request_of):
    everything = {role: role for role in ("T1w", "T1wGd", "T2w", "FLAIR")}
    assert "no contrast that is not already given" in readiness.whatIsMissing(request_of(sources=everything))[0]


def test_the_panel_offers_the_routes_that_the_library_offers(model):
    card = read_card(model.folder)
    for sources in ((), ("T1w",), ("T1w", "T2w"), ("PDw",), ("T1w", "PDw"), ("T1w", "T1wGd", "T2w", "FLAIR")):
        for target in Contrast:
            assert model.offers(sources, target.value) == card.offers([Contrast(name) for name in sources], target)


def test_a_damaged_card_is_reported_and_the_others_are_shown(slicer_host, model, tmp_path):
    from MRTranslateGui.ModelCatalog import readCatalog

    for name in ("broken", "empty"):
        (tmp_path / name).mkdir()
    (tmp_path / "broken" / "model.json").write_text("{")
    (tmp_path / "empty" / "model.json").write_text("{}")
    catalog = readCatalog([(model.folder.parent, True), (tmp_path, False)])
    assert model.folder in {each.folder for each in catalog.models}
    assert len(catalog.models) == sum(stored.shipped for stored in ModelStore().list())
    assert [problem.partition(":")[0] for problem in catalog.problems] == ["broken", "empty"]


def test_the_card_is_readable_without_the_packages_that_come_later(slicer_host, monkeypatch):
    import sys

    from MRTranslateGui.ModelCatalog import readCatalog

    for name in [name for name in sys.modules if name.startswith("MRTranslateLib.models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "msgspec", None)
    assert readCatalog().models


def test_the_card_says_first_what_it_is_not_for_and_how_good_the_route_is(slicer_host, model):
    from MRTranslateGui.ModelCardText import cardHtml, routeQuality

    html = cardHtml(model, ("T1w", "T2w"), "FLAIR")
    assert html.index(model.card["not_for"]) < html.index(model.card["intended_use"])
    assert f"PSNR {model.qualityOn(('T1w', 'T2w'), 'FLAIR')['brain_psnr']:.1f} dB" in html
    assert "never measured" in routeQuality(
        dataclasses.replace(model, card={**model.card, "quality": ()}), ("T1w",), "T2w"
    )
    assert all(limit in html for limit in model.card["limits"])


@pytest.fixture
def attentive(slicer_host, model):
    """The shipped model as if it had a local discriminator."""
    part = {"parameters": {}, "calibration": {"raw": [0, 1], "calibrated": [0, 1], "statement": "A probability."}}
    row = {"attention": 0.75, "gradient": 0.5}
    card = {**model.card, "components": {"local_discriminator": part}, "attention_quality": [row]}
    return dataclasses.replace(model, card=card)


def test_attention_is_offered_from_the_component_and_not_from_what_was_trained(readiness, request_of, attentive, model):
    assert attentive.makesAttention
    assert not attentive.usesLowResolution
    assert readiness.whatIsMissing(request_of(model=attentive, attention=True)) == []
    bare = {key: value for key, value in model.card.items() if key != "components"}
    for card in (bare, {**model.card, "components": {"local_discriminator": None}}):
        trained = dataclasses.replace(model, card={**card, "systems_trained": ["supervised", "B", "C"]})
        assert not trained.makesAttention
        assert not trained.usesLowResolution


def test_the_card_says_what_attention_means_and_what_it_is_worth(attentive, model):
    from MRTranslateGui.ModelCardText import cardHtml

    html = cardHtml(attentive, ("T1w",), "FLAIR")
    assert "A probability." in html
    assert "AUROC 0.75 (0.5 is chance; source edges 0.50)" in html
    bare = dataclasses.replace(model, card={key: model.card[key] for key in model.card if key != "components"})
    assert "This model makes none." in cardHtml(bare, ("T1w",), "FLAIR")
