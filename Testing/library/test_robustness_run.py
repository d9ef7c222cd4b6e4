"""A robustness run from end to end: what it measures, keeps, resumes, refuses and reports."""

import json
import re
import signal
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import CancelledError, InputError, UsageError
from MRTranslateLib.io import read_volume, write_volume
from MRTranslateLib.models.bundle import write_bundle
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.progress import Progress
from MRTranslateLib.robustness.adversarial import AdversarialSettings
from MRTranslateLib.robustness.plan import RobustnessPlan
from MRTranslateLib.robustness.report import RobustnessReport
from MRTranslateLib.robustness.verdict import percent
from MRTranslateLib.volume import Volume
from Testing.library import robustness_examples
from Testing.library.level_examples import constant_level
from Testing.library.model_examples import example_tensors
from Testing.library.robustness_examples import AFFINE, SHAPE, MeanGenerator, head, run_small


@pytest.fixture
def generator(monkeypatch):
    stub = MeanGenerator()
    monkeypatch.setattr("MRTranslateLib.inference.load.load_generator", lambda bundle: stub)
    return stub


@pytest.fixture
def run(generator, coarse_bundle, tmp_path):
    def call(**options):
        return run_small(coarse_bundle.folder, tmp_path / "run", **options)

    return call


def timeless(report: RobustnessReport) -> list[object]:
    return [msgspec.structs.replace(cell, seconds=0, network_seconds=0) for cell in (report.unperturbed, *report.cells)]


def test_the_unperturbed_cell_has_no_change_and_stronger_artefacts_change_more(run):
    report = run().report
    assert report.unperturbed.regions["brain"].relative_change == 0
    by_name = {cell.key.name: cell.regions["brain"].relative_change for cell in report.cells}
    assert 0 < by_name["blur_level1_clean"] < by_name["blur_level4_clean"]
    assert 0 < by_name["rician_noise_level1_clean"] < by_name["rician_noise_level4_clean"]


def test_gaussian_noise_that_passes_a_copying_generator_is_measured_as_its_standard_deviation(run):
    report = run(plan=RobustnessPlan(perturbations=("gaussian_noise",), levels=(3,)), lesion_mask=None).report
    change = report.cells[0].regions["brain"].change
    # sigma 0.04; values near 1 are clipped, so a little less. The mean absolute value is sigma sqrt(2/pi).
    assert change.nmae == pytest.approx(0.04 * np.sqrt(2 / np.pi), rel=0.05)


def test_the_error_against_a_reference_equal_to_the_source_is_nothing_and_then_that_of_the_change(run):
    image, *_ = head()
    report = run(reference=image).report
    assert report.unperturbed.regions["brain"].error.psnr is None
    for cell in report.cells:
        assert cell.regions["lesion"].error.nmae == pytest.approx(cell.regions["lesion"].change.nmae, rel=1e-4)


def test_a_reference_and_a_lesion_mask_in_another_axis_order_lie_on_the_grid_of_the_source(run):
    image, _, lesion = head()
    mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirror[0, 3] = SHAPE[0] - 1
    flipped = [Volume(one.array[::-1], one.affine @ mirror) for one in (image, lesion)]
    report = run(reference=flipped[0], lesion_mask=flipped[1]).report
    assert report.unperturbed.regions["brain"].error.psnr is None
    assert report.unperturbed.regions["lesion"].error.psnr is None


def test_own_normalisation_brings_the_brightest_tissue_back_to_one(run):
    plan = RobustnessPlan(perturbations=("gamma_above_one",), levels=(5,), tracks=("clean", "own"))
    clean, own = (cell.regions["brain"].change.bias for cell in run(plan=plan).report.cells)
    assert clean == pytest.approx(own, abs=0.02)  # gamma keeps 1 where it is
    plan = RobustnessPlan(perturbations=("blur",), levels=(5,), tracks=("clean", "own"))
    clean, own = (cell.regions["brain"].change.bias for cell in run(plan=plan).report.cells)
    assert own > clean + 0.004  # blur lowers the peaks, own normalisation raises them again


def test_a_killed_run_goes_on_without_redoing_finished_cells_and_ends_as_an_undisturbed_one(
    run, generator, coarse_bundle, tmp_path
):
    whole = run()
    per_cell = generator.num_slices // 5
    folder = tmp_path / "killed"
    dies_after = 3 * per_cell + per_cell // 2
    script = Path(robustness_examples.__file__)
    command = [sys.executable, str(script), str(coarse_bundle.folder), str(folder), str(dies_after)]
    assert subprocess.run(command, cwd=tmp_path, check=False).returncode == -signal.SIGKILL
    kept = {path: path.stat().st_mtime_ns for path in (folder / "cells").glob("*.json")}
    assert len(kept) == 3
    assert not (folder / "report.html").exists()

    generator.num_slices = 0
    resumed = run_small(coarse_bundle.folder, folder)
    assert resumed.num_resumed == 2
    assert generator.num_slices == 3 * per_cell  # two cells and, to hold them against, the clean sources again
    assert all(path.stat().st_mtime_ns == when for path, when in kept.items())
    assert timeless(resumed.report) == timeless(whole.report)


def test_a_finished_run_is_only_reported_again(run, generator):
    run()
    generator.num_slices = 0
    assert run().num_resumed == 4
    assert generator.num_slices == 0


def test_a_cancelled_run_keeps_its_finished_cells_and_says_how_to_go_on(run, tmp_path):
    progress = Progress(lambda stage, fraction: progress.cancelled.set() if fraction > 0.64 else None)
    with pytest.raises(CancelledError, match=r"cancelled after 2 of 4 cells, which are kept in .*run: the same"):
        run(progress=progress)
    assert not (tmp_path / "run" / "report.html").exists()
    assert run().num_resumed == 2


def test_progress_rises_to_the_report(run):
    steps = []
    run(progress=lambda stage, fraction: steps.append((stage, fraction)))
    fractions = [fraction for _, fraction in steps]
    assert fractions == sorted(fractions)
    assert steps[-1] == ("report", 0.97)


def test_the_folder_of_another_case_is_refused_unless_it_may_be_overwritten(run):
    run()
    with pytest.raises(UsageError, match=r"differs in lesion_mask: choose another folder"):
        run(lesion_mask=None)
    assert run(lesion_mask=None, overwrite=True).num_resumed == 0


def test_more_levels_are_added_to_an_earlier_run(run):
    run()
    assert run(plan=RobustnessPlan(perturbations=("rician_noise", "blur"), levels=(1, 2, 4))).num_resumed == 4


def test_a_reference_on_another_grid_is_refused(run):
    with pytest.raises(InputError, match=r"the reference .* lies on another grid than the first source"):
        run(reference=Volume(np.ones(SHAPE, np.float32), AFFINE + np.diag([1.0, 0, 0, 0])))


def test_a_damaged_cell_is_named(run, tmp_path):
    run()
    cell = tmp_path / "run" / "cells" / "blur_level1_clean.json"
    cell.write_text("{")
    with pytest.raises(InputError, match=r"blur_level1_clean\.json is no cell .* remove it and run again"):
        run()


def test_volumes_are_written_where_asked_in_the_units_of_translate(run, tmp_path):
    run(keep_volumes=True)
    volume = read_volume(tmp_path / "run" / "cells" / "none_level0_clean.nii.gz")
    image, brain, _ = head()
    assert volume.shape == image.shape
    scale = np.percentile(image.array[brain.array > 0], 99.5)
    inside = brain.array > 0
    expected = np.clip(image.array / scale, 0, 1) * 1000
    assert np.abs(volume.array - expected)[inside].max() <= 0.51
    assert not volume.array[~inside].any()


def test_a_dropped_source_leaves_the_other_alone(generator, coarse_bundle, tmp_path):
    image, brain, _ = head()
    other = image.with_array(np.where(image.array > 0, 1000 - image.array, 0).astype(np.float32))
    plan = RobustnessPlan(perturbations=("dropped_source",), levels=(5,))
    from MRTranslateLib import robustness_run

    options = {"brain_mask": brain, "model": coarse_bundle.folder, "device": "cpu", "threads": 1, "plan": plan}
    report = robustness_run({"T1w": image, "T2w": other}, "FLAIR", output=tmp_path / "run", **options).report
    (cell,) = report.cells
    assert len(cell.perturbed) == 1
    assert cell.regions["brain"].relative_change > 0.05  # the mean of two became the other one alone
    assert abs(cell.regions["brain"].change.bias) < 0.15  # and not its half, as if the lost one were black


def test_the_search_finds_more_than_chance_and_keeps_its_bounds(run):
    found = run(adversarial=AdversarialSettings(num_queries=25, num_slices=2)).report.adversarial
    assert found.clean_score == 0
    assert found.worst_score > 1.1 * found.random_score > 0
    assert found.worst_score <= found.max_change


def test_the_search_is_not_repeated_when_the_run_goes_on(run, generator):
    settings = AdversarialSettings(num_queries=5, num_slices=1)
    first = run(adversarial=settings).report.adversarial
    generator.num_slices = 0
    assert run(adversarial=settings).report.adversarial == first
    assert generator.num_slices == 0


def test_the_search_judges_results_at_the_level_that_the_sources_tell(generator, coarse_bundle, tmp_path):
    def mean_result(level):
        generator.levels = (constant_level(level),)
        settings = AdversarialSettings(num_queries=5, num_slices=1)
        found = run_small(coarse_bundle.folder, tmp_path / f"{level}", adversarial=settings).report.adversarial
        return found.worst_score / found.relative  # the change is given as a share of the mean result, too

    assert mean_result(0.6) > 1.3 * mean_result(0.4)


def test_the_search_takes_the_level_of_the_whole_translation_not_of_the_slices_it_attacks(
    generator, coarse_bundle, tmp_path
):
    def slices_translated(name, *levels):
        generator.levels, generator.num_slices = levels, 0
        settings = AdversarialSettings(num_queries=5, num_slices=1)
        run_small(coarse_bundle.folder, tmp_path / name, adversarial=settings)
        return generator.num_slices

    plain = slices_translated("plain")
    of_another_target = msgspec.structs.replace(constant_level(0.5), target=Contrast.T1W_GD)
    assert slices_translated("other", of_another_target) == plain
    assert slices_translated("level", constant_level(0.5)) > plain + 10


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.addresses = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]


@pytest.fixture
def html(run):
    return run(adversarial=AdversarialSettings(num_queries=5, num_slices=1)).html_path.read_text(encoding="utf-8")


def test_the_page_fetches_nothing(html):
    page = Page()
    page.feed(html)
    assert page.addresses
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"https?:|url\(|@import", html)


def test_the_page_says_what_it_must(html):
    page = Page()
    page.feed(html)
    assert page.tags.count("img") == 1 + 4 + 1
    for text in ("not for diagnostic use", "SYNTHETIC FLAIR", "No limits are stated for this model", "SHA-256"):
        assert text in html
    assert 'name="viewport"' in html


def test_every_tag_of_the_page_is_closed(html):
    void = {"meta", "img", "line", "polyline", "circle", "rect", "br"}
    opened = []

    class Nesting(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag not in void:
                opened.append(tag)

        def handle_startendtag(self, tag, attrs):
            assert tag in void

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Nesting().feed(html)
    assert opened == []


def test_names_of_files_are_shown_as_text_and_without_their_folders(generator, coarse_bundle, tmp_path):
    image, brain, _ = head()
    secret = tmp_path / "Jane Doe"
    secret.mkdir()
    path = secret / "a<b>&.nii.gz"
    write_volume(path, image)
    from MRTranslateLib import robustness_run

    plan = RobustnessPlan(perturbations=("blur",), levels=(1,))
    options = {"brain_mask": brain, "model": coarse_bundle.folder, "device": "cpu", "threads": 1, "plan": plan}
    result = robustness_run({"T1w": path}, "FLAIR", output=tmp_path / "run", **options)
    html = result.html_path.read_text(encoding="utf-8")
    assert "a&lt;b&gt;&amp;.nii.gz" in html
    assert "Jane Doe" not in html


def test_the_json_report_reads_back_as_what_was_reported(run):
    result = run()
    assert msgspec.json.decode(result.json_path.read_bytes(), type=RobustnessReport) == result.report
    assert "not for diagnostic use" in json.loads(result.json_path.read_text())["notice"]


@pytest.fixture
def judged(generator, coarse_bundle, tmp_path):
    """A run of a model whose card limits the change of the brain."""

    def call(max_relative_change):
        limit = RobustnessLimit(
            region="brain", max_relative_change=max_relative_change, derived_from="Three people, by hand."
        )
        card = msgspec.structs.replace(coarse_bundle.card, robustness_limits=(limit,), files={})
        bundle = write_bundle(tmp_path / card.name, card, example_tensors(), replace=True)
        return run_small(bundle.folder, tmp_path / f"run {max_relative_change}")

    return call


def test_a_change_beyond_the_limits_of_the_card_is_a_caution_on_the_page_and_in_the_json_file(judged):
    result = judged(0.0001)
    said = "Caution: rician noise from level 1 on changes the brain by more than 0.01 %."
    verdict = result.report.verdict
    assert verdict.within_limits is False
    assert verdict.sentences[0] == said
    assert "Limits: Three people, by hand." in verdict.sentences
    assert f'<div class="verdict caution"><p>{said}</p>' in result.html_path.read_text(encoding="utf-8")
    written = json.loads(result.json_path.read_text())
    assert written["verdict"]["sentences"][0] == said
    assert written["limits"][0]["max_relative_change"] == 0.0001


def test_a_limit_between_two_levels_says_above_which(judged):
    changes = {cell.key: cell.regions["brain"].relative_change for cell in judged(9.0).report.cells}
    noise = {key.level: change for key, change in changes.items() if key.perturbation == "rician_noise"}
    limit = (noise[1] + noise[4]) / 2
    assert f"Caution: rician noise above level 1 changes the brain by more than {percent(limit)}." in (
        judged(limit).report.verdict.sentences
    )


def test_changes_within_the_limits_of_the_card_are_said_to_be_on_the_page_and_in_the_json_file(judged):
    result = judged(9.0)
    said = "Within limits: no perturbation up to level 4 changes the brain by more than 900 %."
    assert result.report.verdict.within_limits is True
    assert f'<div class="verdict good"><p>{said}</p>' in result.html_path.read_text(encoding="utf-8")
    assert json.loads(result.json_path.read_text())["verdict"]["sentences"][0] == said
