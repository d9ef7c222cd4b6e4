"""The report of a translation: what it says and shows, that it says no more than is known, how it is asked for."""

from __future__ import annotations

import io
import json
import re
from html import escape
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest
from PIL import Image

from MRTranslateLib.attention.report import HardRegion
from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.inference import explain
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import write_volume
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.models.card import RouteQuality
from MRTranslateLib.models.components import AttentionQuality, Components, SuperResolutionCard, SuperResolutionQuality
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.plausibility.report import ChecksRecord, Finding
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import FileRecord, LowResolutionRecord, read_sidecar
from MRTranslateLib.rerun import rerun
from MRTranslateLib.translation_report.build import part_of_brain, translation_report
from MRTranslateLib.translation_report.content import ModelSummary, Place, Region, TranslationReport
from MRTranslateLib.translation_report.images import Images
from MRTranslateLib.translation_report.page import render_html
from MRTranslateLib.translation_report.pictures import pictures
from MRTranslateLib.translation_report.slices import Wanted, choose_slices
from MRTranslateLib.translation_report.tiles import HEAD, Overlay, Ring, tile
from MRTranslateLib.translation_report.verdict import CLOSING, high_places, verdict
from MRTranslateLib.volume import Volume
from MRTranslateLib.worker.translate import TranslateParameters, run_translate
from Testing.library.model_examples import example_tensors

T1W, T2W, FLAIR = Contrast.T1W, Contrast.T2W, Contrast.FLAIR


@pytest.fixture(scope="module")
def phantom():
    """A glioma at 3 mm: small and quick."""
    return make_phantom(3, grid=brain_grid((3, 3, 3)), contrasts=(T1W, T2W))


CHECKED = ChecksRecord(findings=(), statement="Small ones are missed.")


@pytest.fixture
def quick_checks(monkeypatch):
    """The real checks take a second a run and have tests of their own: here they find nothing."""
    monkeypatch.setattr(explain, "findings_of", lambda *_, **__: CHECKED)


@pytest.fixture
def run(copy_generator, coarse_bundle, phantom, quick_checks):
    """``translate`` of the phantom's T1w and T2w to FLAIR."""

    def call(sources=None, bundle=coarse_bundle, **options):
        sources = sources or {contrast: phantom.volumes[contrast] for contrast in (T1W, T2W)}
        options = {"brain_mask": phantom.brain_mask, **options}
        return translate(sources, FLAIR, model=bundle.folder, device="cpu", threads=1, **options)

    return call


@pytest.fixture
def html(run, tmp_path):
    def call(**options):
        run(report=tmp_path / "report.html", overwrite=True, **options)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return call


class Page(HTMLParser):
    """Tags, addresses and texts of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self.alternatives, self.texts, self._open = [], [], [], [], []
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag not in {"meta", "img"}:
            self._open.append(tag)
        self.addresses += [value for name, value in attributes if name in {"src", "href"}]
        self.alternatives += [value for name, value in attributes if name == "alt"]
        assert not any(name.startswith("on") for name, _ in attributes)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] != "style":
            self.texts.append(data)


# What is written, and when


def test_a_report_is_written_with_image_and_sidecar(run, tmp_path):
    run(output=tmp_path / "out.nii.gz", report=tmp_path / "page.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "out.nii.gz", "page.html"]


def test_a_report_needs_no_other_file(run, tmp_path):
    run(report=tmp_path / "report.json")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_report_includes_the_checks_which_are_else_made_when_asked(run, tmp_path):
    assert run().provenance.checks is None
    assert run(checks=True).provenance.checks == CHECKED
    assert run(report=tmp_path / "report.json").provenance.checks == CHECKED


def test_the_translation_itself_is_the_same_with_and_without_a_report(run, tmp_path):
    assert run().provenance.output.sha256 == run(report=tmp_path / "report.html").provenance.output.sha256


def test_the_json_report_reads_back_and_the_page_says_the_same(run, tmp_path):
    record = run(output=tmp_path / "out.nii", report=tmp_path / "report.json").provenance
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=TranslationReport)
    written = read_sidecar(tmp_path / "out.json")
    assert msgspec.structs.replace(report.provenance, seconds=written.seconds) == written
    assert report.provenance.output == record.output
    run(report=tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for said in (*(each.text for each in report.verdict), *report.model.limits, report.title):
        assert escape(said) in page


@pytest.mark.parametrize("name", ["report.txt", "report", "nowhere/report.html"])
def test_a_report_that_could_not_be_written_is_refused_before_the_work(run, tmp_path, name):
    told = []
    with pytest.raises(UsageError, match="cannot write"):
        run(report=tmp_path / name, progress=lambda stage, fraction: told.append(stage))
    assert told == []


def test_a_report_in_the_place_of_a_sidecar_is_refused(run, tmp_path):
    with pytest.raises(UsageError, match=r"will be the sidecar of .*out\.nii\.gz"):
        run(output=tmp_path / "out.nii.gz", report=tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_report_is_kept_and_nothing_is_written(run, tmp_path):
    (tmp_path / "page.html").write_text("mine")
    with pytest.raises(UsageError, match=r"page\.html exists"):
        run(output=tmp_path / "out.nii.gz", report=tmp_path / "page.html")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("page.html", "mine")]
    run(report=tmp_path / "page.html", overwrite=True)
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_when_the_image_cannot_be_written_there_is_no_report_either(run, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("MRTranslateLib.io.write_volume", full)
    with pytest.raises(OSError, match="No space left"):
        run(output=tmp_path / "out.nii.gz", report=tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []


# The page


def test_the_page_is_titled_with_what_was_made_and_warns_first(html):
    page = Page(html())
    titles = [text for text in page.texts if text.startswith("SYNTHETIC")]
    assert titles[:2] == ["SYNTHETIC FLAIR from T1w + T2w"] * 2  # of the window and of the page
    assert titles[2].endswith("not for diagnostic use.")


def test_the_page_fetches_nothing_runs_nothing_and_closes_every_tag(html):
    text = html()
    page = Page(text)
    assert len(page.addresses) >= 9
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", text)
    assert 'name="viewport"' in text


def test_sections_come_from_the_verdict_to_the_provenance(html):
    text = html()
    marks = ['class="verdict', *(f"<h2>{name}" for name in ("Pictures", "Regions", "Where to look", "The model"))]
    places = [text.index(mark) for mark in (*marks, "<h2>Warnings", "<h2>How this was made")]
    assert places == sorted(places)


def test_each_slice_shows_the_sources_and_the_result_named_as_synthetic(html):
    shown = [text.split(",")[0] for text in Page(html()).alternatives]
    assert shown == ["T1w", "T2w", "SYNTHETIC FLAIR"] * 3


def test_maps_are_shown_over_the_result(html, attentive_bundle):
    shown = [text.rsplit(", axial", 1)[0] for text in Page(html(bundle=attentive_bundle, attention=True)).alternatives]
    assert shown[:4] == ["T1w", "T2w", "SYNTHETIC FLAIR", "SYNTHETIC FLAIR, attention"]


def test_the_uncertainty_map_is_shown_and_its_regions_are_measured(html, run, tmp_path):
    run(report=tmp_path / "report.json", uncertainty=True)
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=TranslationReport)
    measured = report.provenance.uncertainty.report.regions
    assert [region.half_width for region in report.regions] == [region.mean_half_width for region in measured]
    assert "SYNTHETIC FLAIR, uncertainty" in {
        t.rsplit(", axial", 1)[0] for t in Page(html(uncertainty=True)).alternatives
    }


@pytest.mark.parametrize("name", ["<script>alert(1)<b>.nii.gz", "a&quot;'\"><img src=x onerror=alert(1)>.nii"])
def test_names_of_files_are_text_whatever_they_hold_and_stand_without_their_folders(html, phantom, tmp_path, name):
    folder = tmp_path / "Jane Doe"
    folder.mkdir()
    write_volume(folder / name, phantom.volumes[T1W])
    text = html(sources={T1W: folder / name, T2W: phantom.volumes[T2W]})
    page = Page(text)
    assert any(name in each for each in page.texts)
    assert "script" not in page.tags
    assert all(address.startswith("data:") for address in page.addresses)
    assert "Jane Doe" not in text


def test_what_a_card_says_is_text_whatever_it_holds(html, coarse_bundle, tmp_path):
    hostile = "</p><script>alert(1)</script>"
    card = msgspec.structs.replace(coarse_bundle.card, title=hostile, limits=(hostile,), not_for=hostile, files={})
    bundle = write_bundle(tmp_path / card.name, card, example_tensors())
    page = Page(html(bundle=bundle))
    assert "script" not in page.tags
    assert any(hostile in text for text in page.texts)


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_checks_say_is_text_whatever_it_holds(html, monkeypatch, number):
    hostile = "</li><script>alert(1)</script>"
    found = (msgspec.structs.replace(finding("erasure", 1.0), sentence=hostile),) * number
    checks = ChecksRecord(findings=found, statement=hostile)
    monkeypatch.setattr(explain, "findings_of", lambda *_, **__: checks)
    page = Page(html())
    assert "script" not in page.tags
    assert any(hostile in text for text in page.texts)


def test_the_page_tells_the_limits_of_robustness_and_what_they_were_derived_from(html, coarse_bundle, tmp_path):
    limit = RobustnessLimit(region="rim", max_relative_change=0.16, derived_from="seven people, by hand.")
    card = msgspec.structs.replace(coarse_bundle.card, robustness_limits=(limit,), files={})
    text = html(bundle=write_bundle(tmp_path / card.name, card, example_tensors()))
    assert "changes above: rim 16 %. Derived from: seven people, by hand." in text


# Regions and places


def test_a_lesion_mask_divides_the_regions_without_any_map(run, phantom, tmp_path):
    run(report=tmp_path / "report.json", lesion_mask=phantom.labels)
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=TranslationReport)
    volumes = {region.name: region.volume_ml for region in report.regions}
    inside = (phantom.labels.array != 0) & (phantom.brain_mask.array != 0)
    assert volumes["lesion"] == pytest.approx(inside.sum() * 0.027, abs=1e-3)
    parts = ("lesion", "rim of 5 mm", "healthy remainder")
    assert sum(volumes[name] for name in parts) == pytest.approx(volumes["brain"], abs=0.01)
    assert {(region.attention, region.half_width) for region in report.regions} == {(None, None)}
    assert report.lesion_mask is not None
    assert any(each.reason == "Most of the lesion mask" for each in report.slices)


def test_without_a_mask_the_regions_are_octants_with_the_means_of_the_map(run, attentive_bundle, tmp_path):
    run(report=tmp_path / "report.json", bundle=attentive_bundle, attention=True)
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=TranslationReport)
    measured = report.provenance.attention.report
    assert [(region.name, region.attention) for region in report.regions] == [
        (region.name, region.mean) for region in measured.regions
    ]
    assert len(report.regions) == 9
    assert [place.position_mm for place in report.places] == [region.position_mm for region in measured.hard_regions]


FAR, NEAR = (30.0, 40.0, 20.0), (-30.0, -40.0, -5.0)


def finding(kind, volume_ml, position_mm=FAR):
    return Finding(
        kind=kind,
        center_ras_mm=position_mm,
        volume_ml=volume_ml,
        contrast=None if kind == "hallucination" else T2W,
        sign="bright",
        score=2.0,
        sentence=f"Something of {volume_ml} ml.",
    )


def test_findings_come_first_the_largest_of_them_and_their_slices_are_shown(html, run, monkeypatch, tmp_path, phantom):
    middle = (phantom.brain_mask.affine @ [*np.argwhere(phantom.brain_mask.array).mean(axis=0), 1.0])[:3]
    low, high = (tuple((middle + np.array([20, 10, step])).tolist()) for step in (-30, 24))
    checks = ChecksRecord(findings=(finding("erasure", 1.0, low), finding("hallucination", 4.0, high)), statement="-")
    monkeypatch.setattr(explain, "findings_of", lambda *_, **__: checks)
    run(report=tmp_path / "report.json")
    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=TranslationReport)
    assert [place.volume_ml for place in report.places] == [4.0, 1.0]
    assert [place.place for place in report.places] == ["right anterior superior", "right anterior inferior"]
    assert [each.reason for each in report.slices[:2]] == [
        "Place 1: no counterpart in a source",
        "Place 2: missing from the result",
    ]
    assert report.slices[0].superior_mm == pytest.approx(high[2], abs=1.6)
    text = html()
    assert "Something of 4.0 ml." in text
    assert text.index("Place 1") < text.index("Place 2")


def test_parts_of_the_brain_are_named_from_the_patients_view():
    centre = (5.0, -10.0, 20.0)
    assert part_of_brain((40.0, 0.0, 30.0), centre) == "right anterior superior"
    assert part_of_brain((-40.0, -20.0, 10.0), centre) == "left posterior inferior"
    assert part_of_brain((8.0, 0.0, 10.0), centre) == "midline anterior inferior"


# The verdict


@pytest.fixture
def record(run):
    """A translation without anything beside it."""
    return msgspec.structs.replace(run().provenance, warnings=())


@pytest.fixture
def attentive_record(run, attentive_bundle):
    return msgspec.structs.replace(run(bundle=attentive_bundle, attention=True).provenance, warnings=())


BRAIN = Region(name="brain", volume_ml=1400.0, attention=None, half_width=None)


def quality(brain=(22.0, 20.0), lesion=(18.0, 15.0)):
    return RouteQuality(
        sources=(T1W, T2W),
        target=FLAIR,
        split="val",
        num_cases=4,
        brain_psnr=brain[0],
        brain_ssim=0.8,
        lesion_psnr=lesion[0],
        baseline_brain_psnr=brain[1],
        baseline_lesion_psnr=lesion[1],
    )


def model(**changes):
    plain = ModelSummary(
        name="m",
        version="1.0.0",
        title="t",
        intended_use="u",
        not_for="n",
        limits=(),
        makes_attention=False,
        quality=quality(),
        attention_quality=None,
        uncertainty_quality=None,
        metrics_protocol="p",
        robustness_limits=(),
    )
    return msgspec.structs.replace(plain, **changes)


def said(record, weight, *, of=None, regions=(BRAIN,), places=()):
    return " ".join(s.text for s in verdict(record, of or model(), regions, places) if s.weight == weight)


def place(kind, volume_ml, position_mm=FAR):
    return Place(kind=kind, position_mm=position_mm, place="right anterior superior", volume_ml=volume_ml, text="So.")


def checked(record, *findings):
    return msgspec.structs.replace(record, checks=ChecksRecord(findings=findings, statement="Small ones are missed."))


def test_what_was_not_assessed_is_said_not_to_have_been(record):
    unknown = said(record, "unknown", of=model(quality=None))
    assert "was not checked" in unknown
    assert "hard to believe was not assessed: this model makes no attention map" in unknown
    assert "intensities may be off was not assessed" in unknown
    assert "was not measured on people whom the model had not seen" in unknown
    assert "no attention map was asked for" in said(record, "unknown", of=model(makes_attention=True))


def test_a_verdict_ends_with_a_warning_against_trust_and_begins_with_cautions(record):
    statements = verdict(checked(record), model(quality=quality((20.0, 22.0))), (BRAIN,), ())
    assert statements[-1] == CLOSING
    weights = [statement.weight for statement in statements]
    assert weights == sorted(weights, key=("caution", "unknown", "note").index)
    assert set(weights) == {"caution", "unknown", "note"}


def test_structures_without_counterpart_and_lost_ones_are_counted_with_the_largest_place(record):
    places = (place("hallucination", 3.1), place("hallucination", 1.0, NEAR), place("erasure", 2.0, NEAR))
    caution = said(checked(record, finding("hallucination", 1.0)), "caution", places=places)
    assert "2 structures have no counterpart in any source" in caution
    assert (
        "largest measures 3.1 ml and lies in the right anterior superior part of the brain (R 30, A 40, S 20 mm)"
        in (caution)
    )
    assert "1 structure that a source shows is missing from the result. It measures 2.0 ml" in caution


def test_an_empty_list_of_findings_comes_with_what_the_checks_cannot_find(record):
    assert "list nothing. Small ones are missed." in said(checked(record), "note")
    assert said(checked(record), "caution") == ""


def with_hard_regions(record, *means, calibrated=True):
    regions = tuple(
        HardRegion(position_mm=(10.0 * at, 40.0, 20.0), volume_ml=12.0, mean=mean, maximum=mean)
        for at, mean in enumerate(means)
    )
    report = msgspec.structs.replace(record.attention.report, hard_regions=regions, calibrated=calibrated)
    attention = msgspec.structs.replace(record.attention, report=report)
    places = tuple(place("hard region", each.volume_ml, each.position_mm) for each in regions)
    return msgspec.structs.replace(record, attention=attention), places


def test_regions_of_high_attention_are_not_to_be_trusted(attentive_record):
    record, places = with_hard_regions(attentive_record, 0.5, 0.2)
    caution = said(record, "caution", places=places)
    assert caution.count("Do not trust the result") == 1
    assert "in the right anterior superior part of the brain (R 0, A 40, S 20 mm): attention is high in 12.0 ml" in (
        caution
    )
    assert high_places(record, places) == places[:1]


def test_more_than_three_regions_of_high_attention_are_counted(attentive_record):
    record, places = with_hard_regions(attentive_record, 0.5, 0.5, 0.5, 0.5, 0.5)
    caution = said(record, "caution", places=places)
    assert caution.count("Do not trust the result") == 3
    assert "Attention is high in 2 more regions" in caution


def test_no_high_attention_does_not_reassure(attentive_record):
    record, places = with_hard_regions(attentive_record, 0.1)
    assert "Attention is high nowhere; it finds some errors and misses others." in said(record, "note", places=places)


def test_what_is_high_differs_between_calibrated_and_raw_attention(attentive_record):
    assert high_places(*with_hard_regions(attentive_record, 0.27, calibrated=True)) == ()
    assert len(high_places(*with_hard_regions(attentive_record, 0.27, calibrated=False))) == 1


def area(attention, gradient):
    return AttentionQuality(
        sources=(T1W, T2W),
        target=FLAIR,
        split="val",
        num_cases=4,
        attention=attention,
        gradient=gradient,
        num_lesion_cases=0,
        attention_lesion_cases=None,
        distance=None,
    )


def test_a_map_that_does_not_beat_its_controls_is_said_not_to(attentive_record):
    worse = said(attentive_record, "caution", of=model(attention_quality=area(0.55, 0.61)))
    assert "pointed at errors no better than a simple control (AUROC 0.55; 0.5 is guessing" in worse
    assert "no better" not in said(attentive_record, "caution", of=model(attention_quality=area(0.7, 0.61)))
    assert "was not measured on this route" in said(attentive_record, "unknown")


@pytest.fixture
def doubtful_record(run):
    return msgspec.structs.replace(run(uncertainty=True).provenance, warnings=())


def region(name, half_width):
    return Region(name=name, volume_ml=10.0, attention=None, half_width=half_width)


def test_a_region_that_is_much_more_uncertain_than_the_brain_is_named(doubtful_record):
    regions = (region("brain", 50.0), region("lesion", 101.0), region("rim of 5 mm", 60.0))
    caution = said(doubtful_record, "caution", regions=regions)
    assert "The uncertainty in the lesion is 2.0 times that of the brain." in caution
    assert "rim" not in caution


@pytest.mark.parametrize(
    ("calibrated", "coverage", "weight"),
    [(False, None, "caution"), (True, 0.7, "caution"), (True, 0.9, "note"), (True, None, "note")],
)
def test_an_interval_that_holds_too_few_errors_is_a_caution(doubtful_record, calibrated, coverage, weight):
    report = msgspec.structs.replace(
        doubtful_record.uncertainty.report, calibrated=calibrated, coverage=coverage, summary="The interval is so."
    )
    uncertainty = msgspec.structs.replace(doubtful_record.uncertainty, report=report)
    record = msgspec.structs.replace(doubtful_record, uncertainty=uncertainty)
    assert "The interval is so." in said(record, weight, regions=(region("brain", 50.0),))


@pytest.mark.parametrize(
    ("brain", "weight", "words"),
    [
        ((19.1, 19.9), "caution", "loses to a simple voxel-by-voxel regression in the brain of 4 validation people"),
        ((20.0, 19.9), "caution", "hardly better than a simple voxel-by-voxel regression in the brain"),
        ((22.0, 19.9), "note", "beat a simple voxel-by-voxel regression in the brain of 4 validation people (22.0 ag"),
        ((22.0, None), "unknown", "reached 22.0 dB; it was not compared with a simple method"),
    ],
)
def test_the_route_is_held_against_the_regression(record, brain, weight, words):
    assert words in said(record, weight, of=model(quality=quality(brain)))


def test_lesions_are_judged_by_themselves(record):
    assert "in the lesions of 4 validation people (14.0 against 15.0 dB)" in (
        said(record, "caution", of=model(quality=quality(lesion=(14.0, 15.0))))
    )
    assert "in lesions was not measured" in said(record, "unknown", of=model(quality=quality(lesion=(None, None))))


def test_warnings_are_counted_among_the_cautions(record):
    warned = msgspec.structs.replace(record, warnings=("T1w looks odd.", "T2w too."))
    assert "There are 2 warnings, listed below." in said(warned, "caution")


LOW = LowResolutionRecord(
    file=FileRecord(path="/home/jane/flair_5mm.nii.gz", sha256="0" * 64),
    percentile_value=1.0,
    registration=None,
    voxel_size=(1.0, 1.0, 4.0),
    in_plane_ratio=1,
    weights_sha256="0",
    spacing_mm=(0.9375, 0.9375, 5.0),
)


def test_with_a_low_resolution_target_it_is_said_what_looked_at_it_and_what_did_not(record):
    with_low = msgspec.structs.replace(checked(record, finding("erasure", 1.0)), low_resolution=LOW)
    note = said(with_low, "note", places=(place("erasure", 1.0),))
    assert "measured without a low-resolution target" in note
    assert "For the checks the low-resolution FLAIR counted as a source" in note


def gain(brain=(30.0, 28.0), lesion=(31.0, 29.0), thickness_mm=5.0):
    return SuperResolutionQuality(
        sources=(T1W,),
        target=FLAIR,
        split="val",
        in_plane_ratio=1,
        slice_thickness_mm=thickness_mm,
        num_cases=4,
        brain_psnr=brain[0],
        brain_ssim=0.9,
        lesion_psnr=lesion[0],
        synthesis_brain_psnr=18.0,
        synthesis_brain_ssim=0.6,
        synthesis_lesion_psnr=16.0,
        interpolation_brain_psnr=brain[1],
        interpolation_brain_ssim=0.9,
        interpolation_lesion_psnr=lesion[1],
    )


@pytest.mark.parametrize(
    ("row", "weight", "text"),
    [
        (gain(), "note", "were nearer to the truth than the low-resolution target, interpolated, of 4 validation"),
        (gain(lesion=(28.0, 29.0)), "caution", "are not better than the low-resolution target, interpolated"),
        (None, "unknown", "What a low-resolution target like this one gains on this route was not measured"),
    ],
)
def test_with_a_low_resolution_target_it_is_said_what_such_a_one_gains_and_nothing_of_translation(
    record, row, weight, text
):
    with_low = msgspec.structs.replace(record, low_resolution=LOW)
    of = model(super_resolution_quality=row)
    assert text in said(with_low, weight, of=of)
    assert "regression" not in said(with_low, "note", of=of) + said(with_low, "caution", of=of)


@pytest.mark.parametrize(("voxel_size", "thickness_mm"), [((1, 1, 4), 5.0), ((1, 1, 3.2), 3.0), ((1, 1, 12), None)])
def test_the_acquisition_most_like_that_of_the_result_is_told_of(record, coarse_bundle, voxel_size, thickness_mm):
    given = tuple(source.contrast for source in record.sources)
    rows = tuple(msgspec.structs.replace(gain(thickness_mm=mm), sources=given) for mm in (3.0, 5.0))
    branch = SuperResolutionCard(
        parameters={}, in_plane_ratios=(2,), slice_thickness_mm=(3.0, 5.0), thick_slices_start="acquired"
    )
    card = msgspec.structs.replace(
        coarse_bundle.card, components=Components(super_resolution=branch), super_resolution_quality=rows
    )
    low = msgspec.structs.replace(LOW, voxel_size=voxel_size)
    images = images_with(Volume(np.full((8, 9, 6), 1.0, np.float32), np.eye(4)))
    report = translation_report(msgspec.structs.replace(record, low_resolution=low), card, images, lesion_mask=None)
    found = report.model.super_resolution_quality
    assert (None if found is None else found.slice_thickness_mm) == thickness_mm


def images_with(acquired):
    """A block of brain at 1 mm; sources and result grey, what was acquired as given."""
    brain = Volume(np.ones((8, 9, 6), bool), np.eye(4))
    grey = Volume(np.full(brain.shape, 0.5, np.float32), np.eye(4))
    return Images(brain, grey, {T1W: grey}, None, None, None, acquired)


def test_the_acquired_low_resolution_target_is_shown_with_name_and_resolution(record, coarse_bundle):
    images = images_with(Volume(np.full((8, 9, 6), 1.0, np.float32), np.eye(4)))
    with_low = msgspec.structs.replace(record, low_resolution=LOW)
    report = translation_report(with_low, coarse_bundle.card, images, lesion_mask=None)
    rows = pictures(report, images)
    names = [name.rsplit(", axial", 1)[0] for _, name in rows[0]]
    assert names == ["T1w", "FLAIR as acquired, 0.938 x 0.938 x 5 mm", "SYNTHETIC FLAIR"]
    shades = [np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png, _ in rows[0]]
    middle = [int(shade[HEAD + 9, shade.shape[1] // 2]) for shade in shades]
    assert middle[1] == 255 > middle[0] == middle[2]
    page = render_html(report, rows)
    assert "flair_5mm.nii.gz" in page
    assert "jane" not in page
    assert "0.938 x 0.938 x 5 mm" in page
    assert len(pictures(report, images_with(None))[0]) == 2


def test_a_long_title_stays_within_its_tile():
    title = "T1wGd as acquired, 0.938 x 0.938 x 5 mm"
    image = np.asarray(Image.open(io.BytesIO(tile(title, np.zeros((60, 60), np.float32), (1.0, 1.0)))).convert("L"))
    written = np.flatnonzero((image[:HEAD] > 100).any(axis=0))
    assert written[0] >= 4
    assert written[-1] < image.shape[1] - 4


# Slices and tiles


BALL = np.sum(np.stack(np.meshgrid(*[np.linspace(-1, 1, 40)] * 3)) ** 2, axis=0) < 0.8


def test_slices_go_through_what_was_found_in_its_order_and_not_twice_through_the_same():
    wanted = [Wanted(20, "first"), Wanted(22, "near it"), Wanted(10, "second"), Wanted(0, "outside the brain")]
    chosen = choose_slices(wanted, BALL, 2.0)
    assert [(each.at, each.reason) for each in chosen[:2]] == [(20, "first"), (10, "second")]
    assert len(chosen) == 3
    assert all(BALL[:, :, each.at].any() for each in chosen)


def test_there_are_at_most_five_slices_and_at_least_three():
    assert len(choose_slices([Wanted(at, "x") for at in range(5, 35, 4)], BALL, 2.0)) == 5
    assert len(choose_slices([], BALL, 2.0)) == 3
    assert len(choose_slices([], BALL[:, :, 19:20], 2.0)) == 1


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"), dtype=int)


def test_a_tile_has_the_patients_right_on_the_left_and_the_front_above():
    plane = np.zeros((100, 120), np.float32)
    plane[80:90, 100:110] = 1  # right, anterior
    picture = pixels(tile("", plane, (1.0, 1.0)))[HEAD : HEAD + 240]
    rows, columns = np.argwhere(picture.min(axis=2) > 240).mean(axis=0)  # whiter than the letters
    assert rows == pytest.approx((120 - 105) * 2, abs=2)
    assert columns == pytest.approx((300 - 200) / 2 + (100 - 85) * 2, abs=2)


def test_every_tile_has_the_same_window():
    plane = np.full((100, 100), 0.5, np.float32)
    plane[0, 0] = 0.9
    assert pixels(tile("", plane, (1.0, 1.0)))[HEAD + 100, 150].tolist() == [128] * 3


def test_title_letters_and_notice_are_burnt_in():
    plane = np.zeros((100, 100), np.float32)
    titled, plain = (pixels(tile(title, plane, (1.0, 1.0))) for title in ("SYNTHETIC FLAIR", ""))
    assert (titled != plain)[:HEAD].any()
    assert not (titled != plain)[HEAD:].any()
    letters = plain[HEAD : HEAD + 200].max(axis=2) > 100
    assert letters[:, :20].any()
    assert letters[:, -20:].any()
    assert (plain[HEAD + 200 :].max(axis=2) > 150).any()


def test_an_overlay_colours_where_its_values_are_high_and_leaves_the_rest_grey():
    plane, values = np.full((100, 100), 0.5, np.float32), np.zeros((100, 100), np.float32)
    values[60:80, 40:60] = 0.5
    picture = pixels(tile("", plane, (1.0, 1.0), overlay=Overlay(values, 0.5, "unit")))
    inside, outside = picture[HEAD + 100, 50 + 60], picture[HEAD + 100, 50 + 140]
    assert np.ptp(outside) == 0
    assert inside[0] - inside[2] > 50  # the top of the scale is yellow


def test_a_ring_runs_around_its_place():
    plane = np.zeros((100, 120), np.float32)
    picture = pixels(tile("", plane, (1.0, 1.0), rings=[Ring(70.0, 90.0, 10.0, 3)]))[HEAD : HEAD + 240]
    yellow = np.argwhere((picture[:, :, 0] > 200) & (picture[:, :, 2] < 120))
    x, y = 50 + (100 - 0.5 - 70) * 2, (120 - 0.5 - 90) * 2
    radii = np.hypot(yellow[:, 0] - y, yellow[:, 1] - x)
    assert np.median(radii) == pytest.approx(20, abs=1.5)


# The other ways to ask


@pytest.fixture
def files(phantom, tmp_path):
    for contrast, volume in phantom.volumes.items():
        write_volume(tmp_path / f"{contrast}.nii.gz", volume)
    return tmp_path


def command(bundle, folder, *arguments):
    sources = [word for name in ("T1w", "T2w") for word in ("--source", f"{name}={folder}/{name}.nii.gz")]
    words = ["translate", *sources, "--target", "FLAIR", "--output", f"{folder}/out.nii.gz", "--device", "cpu"]
    return [*words, "--model", str(bundle.folder), "--threads", "1", *map(str, arguments)]


def test_the_command_says_what_the_checks_found_and_where_the_report_is(
    copy_generator, coarse_bundle, quick_checks, files, capsys
):
    assert main(command(coarse_bundle, files, "--report", files / "page.html", "--progress", "none")) == 0
    out = capsys.readouterr().out
    assert "Checks against the sources" in out
    assert f"Report written to {files}/page.html" in out


def test_the_command_tells_programs_what_the_checks_found(copy_generator, coarse_bundle, quick_checks, files, capsys):
    assert main(command(coarse_bundle, files, "--report", files / "page.json", "--progress", "json")) == 0
    event = json.loads(capsys.readouterr().out.splitlines()[-1])
    written = json.loads((files / "page.json").read_text())
    assert event["checks"] == written["provenance"]["checks"]
    assert event["report_file"] == str(files / "page.json")


def test_the_command_checks_without_a_report(copy_generator, coarse_bundle, files, capsys):
    assert main(command(coarse_bundle, files, "--checks", "--progress", "none")) == 0
    assert "Checks against the sources" in capsys.readouterr().out
    assert read_sidecar(files / "out.json").checks is not None


def test_a_rerun_repeats_the_checks_and_not_the_report(copy_generator, coarse_bundle, quick_checks, files):
    main(command(coarse_bundle, files, "--report", files / "page.html", "--progress", "none"))
    (files / "page.html").unlink()
    again = rerun(files / "out.json", store=ModelStore(shipped_folder=coarse_bundle.folder.parent))
    assert again.identical
    assert again.result.provenance.checks == read_sidecar(files / "out.json").checks
    assert not (files / "page.html").exists()


def test_the_workers_job_writes_the_report_where_it_is_asked(copy_generator, coarse_bundle, quick_checks, files):
    parameters = {
        "sources": {"T1w": str(files / "T1w.nii.gz")},
        "target": "FLAIR",
        "output": str(files / "synthetic.nii"),
        "report": str(files / "page.html"),
        "model": str(coarse_bundle.folder),
        "device": "cpu",
        "threads": 1,
    }
    answer = run_translate(msgspec.convert(parameters, TranslateParameters), Progress())
    assert answer.report == parameters["report"]
    assert (files / "page.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_sources_on_turned_grids_are_shown_the_right_way_round(html, phantom):
    # The same page, pictures included, from the same head stored with its first axis to the left.
    def flipped(volume):
        turned = Volume(volume.array[::-1], volume.affine @ np.diag([-1.0, 1, 1, 1]))
        turned.affine[:3, 3] = (volume.affine @ [volume.shape[0] - 1, 0, 0, 1])[:3]
        return turned

    plain = Page(html()).addresses
    sources = {contrast: flipped(phantom.volumes[contrast]) for contrast in (T1W, T2W)}
    assert Page(html(sources=sources, brain_mask=flipped(phantom.brain_mask))).addresses == plain
