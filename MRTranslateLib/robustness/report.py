"""What a robustness run found: one JSON file for programs, one self-contained HTML page for people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Literal

import msgspec

from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.page import facts, folded, page, paragraph, picture, section, table
from MRTranslateLib.provenance import FileRecord, Parameters
from MRTranslateLib.robustness.adversarial import AdversarialResult
from MRTranslateLib.robustness.case import CaseRecord
from MRTranslateLib.robustness.cell import UNPERTURBED, Cell, RegionResult, cell_path
from MRTranslateLib.robustness.charts import Line, chart, legend, nice_top
from MRTranslateLib.robustness.plan import CellKey, RobustnessPlan, Track
from MRTranslateLib.robustness.regions import region_title
from MRTranslateLib.robustness.summary import RegionSummary, ScoreSummary, TypeSummary
from MRTranslateLib.robustness.verdict import Verdict, percent, perturbation_title

JSON_FILE, HTML_FILE = "robustness.json", "report.html"
FULL_SHADE = 0.5
"""Relative change at which a cell of a table is coloured fully."""
_TRACK_TITLES = {"clean": "clean scale", "own": "own normalisation"}


class RobustnessReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a run found and what made it.

    Attributes:
        notice: What everyone who opens the file must know.
        program: Name and version.
        created: UTC, ISO 8601.
        case: Inputs, model and seed.
        plan: What was tried.
        parameters: The user's choices.
        device: Where the network ran.
        libraries: Versions.
        platform: Operating system, processor and Python.
        warnings: What is doubtful about the sources.
        verdict: The judgement in words.
        limits: Of the model; empty where it states none.
        regions: Summary per region.
        types: Summary per perturbation and region.
        unperturbed: The clean sources' cell.
        cells: All others.
        adversarial: The worst case that was found; None if it was not looked for.
        schema_version: Format of this record.
    """

    notice: str
    program: str
    created: str
    case: CaseRecord
    plan: RobustnessPlan
    parameters: Parameters
    device: str
    libraries: dict[str, str]
    platform: str
    warnings: tuple[str, ...]
    verdict: Verdict
    limits: tuple[RobustnessLimit, ...]
    regions: tuple[RegionSummary, ...]
    types: tuple[TypeSummary, ...]
    unperturbed: Cell
    cells: tuple[Cell, ...]
    adversarial: AdversarialResult | None
    schema_version: Literal[1] = 1


def render_html(report: RobustnessReport, folder: Path) -> str:
    """The page.

    Args:
        report: What it says.
        folder: Of the run; its pictures go into the page.
    """
    route = f"{' + '.join(contrast for contrast, _ in report.case.sources)} to SYNTHETIC {report.case.target}"
    model = f"model {report.case.model.name} {report.case.model.version}"
    parts = [_verdict(report), _unperturbed(report, folder), _curves(report), _changes(report)]
    if report.unperturbed.regions["brain"].error is not None:
        parts.append(_errors(report))
    parts += [_scores(report), _pictures(report, folder)]
    if report.adversarial is not None:
        parts.append(_adversarial(report.adversarial, report, folder))
    parts.append(_provenance(report))
    return page(f"Robustness of {route}", f"{model}, {report.created}", parts)


def _verdict(report: RobustnessReport) -> str:
    styles = {None: "", True: "good", False: "caution"}
    told = "".join(paragraph(text) for text in report.verdict.sentences)
    warnings = "".join(paragraph(f"Note on the sources: {text}") for text in report.warnings)
    return f'<div class="verdict {styles[report.verdict.within_limits]}">{told}</div>{warnings}'


def _unperturbed(report: RobustnessReport, folder: Path) -> str:
    target = report.case.target
    caption = f"The unperturbed result. SYNTHETIC {target}, in the slice with most lesion, or most brain."
    return section("Unperturbed", _image(folder, UNPERTURBED, caption))


def _curves(report: RobustnessReport) -> str:
    """Small multiples, all on one scale, a colour per region."""
    regions = tuple(report.unperturbed.regions)
    largest = max((cell.regions[name].relative_change or 0.0 for cell in report.cells for name in regions), default=0)
    top = nice_top(100 * largest)
    limits: dict[str, float] = {limit.region: 100 * limit.max_relative_change for limit in report.limits}
    charts = []
    for perturbation in report.plan.perturbations:
        lines = [
            Line(_percents(cells, name), style, track != report.plan.tracks[0], limits.get(name))
            for track in report.plan.tracks
            if (cells := _by_level(report, perturbation, track))
            for style, name in enumerate(regions)
        ]
        charts.append(chart(perturbation_title(perturbation), lines, top))
    both = "Solid: clean scale; dashed: own normalisation." if len(report.plan.tracks) > 1 else ""
    explained = (
        "Mean absolute change from the unperturbed result, relative to its mean in the region. "
        f"Levels are of rising strength; the physical parameters stand with the pictures. {both}"
    )
    names = [region_title(name) for name in regions]
    return section(
        "Change by level", paragraph(explained), legend(names), f'<div class="charts">{"".join(charts)}</div>'
    )


def _changes(report: RobustnessReport) -> str:
    """A table per region; brain and lesion are open."""
    header = ("perturbation", *(f"level {level}" for level in report.plan.levels), "per level")
    slopes = {(each.perturbation, each.track, each.region): each.slope_per_level for each in report.types}
    tables = []
    for name in report.unperturbed.regions:
        rows, shades = [], []
        for perturbation, track, cells in _groups(report):
            changes = [cells[level].regions[name].relative_change for level in report.plan.levels]
            slope = slopes[perturbation, track, name]
            rows.append((_row_title(report, perturbation, track), *map(_percent, changes), _percent(slope)))
            shades.append((0.0, *((change or 0.0) / FULL_SHADE for change in changes)))
        opened = name in ("brain", "lesion")
        voxels = report.unperturbed.regions[name].change.num_voxels
        title = f"{region_title(name).capitalize()} ({voxels} voxels)"
        tables.append(folded(title, table(header, rows, shades), is_open=opened))
    return section("Change in numbers", *tables)


def _errors(report: RobustnessReport) -> str:
    """PSNR and SSIM against the real scan, per region."""
    header = ("perturbation", "clean", *(f"level {level}" for level in report.plan.levels))
    tables = []
    for name, clean in report.unperturbed.regions.items():
        rows = [
            (
                _row_title(report, perturbation, track),
                _error_text(clean),
                *(_error_text(cells[level].regions[name]) for level in report.plan.levels),
            )
            for perturbation, track, cells in _groups(report)
        ]
        tables.append(folded(region_title(name).capitalize(), table(header, rows), is_open=name in ("brain", "lesion")))
    explained = "PSNR in dB (higher is better) and SSIM (1 is perfect) against the real scan."
    return section(f"Error against the real {report.case.target}", paragraph(explained), *tables)


def _scores(report: RobustnessReport) -> str:
    """ROOD's two scores, and the worst types."""
    header = ("perturbation", "overall", "degradation", "PSNR overall", "PSNR degradation")
    tables = []
    for name in report.unperturbed.regions:
        rows = [
            (
                _row_title(report, each.perturbation, each.track),
                f"{each.consistency_ssim.overall:.4f}",
                f"{each.consistency_ssim.degradation:.4f}",
                *_decibels(each.error_psnr_db),
            )
            for each in report.types
            if each.region == name
        ]
        tables.append(folded(region_title(name).capitalize(), table(header, rows), is_open=name == "brain"))
    worst = table(
        ("region", "mean overall", "mean degradation", "worst type", "worst against the real scan"),
        [
            (
                f"{region_title(each.region)}{_track_suffix(report, each.track)}",
                f"{each.mean_overall:.4f}",
                f"{each.mean_degradation:.4f}",
                perturbation_title(each.worst),
                perturbation_title(each.worst_against_reference) if each.worst_against_reference else "-",
            )
            for each in report.regions
        ],
    )
    explained = (
        "Scores as in ROOD-MRI, from the SSIM against the unperturbed result (1 is no change) and, where the real scan "
        "is known, from the PSNR against it. Overall is a weighted mean over clean and perturbed sources, degradation "
        "the weighted mean loss; level s weighs (2/3) to the power of s."
    )
    return section("Scores", paragraph(explained), worst, *tables)


def _pictures(report: RobustnessReport, folder: Path) -> str:
    """Every cell, folded by perturbation; that which changes the brain most is open."""
    groups = list(_groups(report))
    worst = next((each.worst for each in report.regions if each.region == "brain"), None)
    shown = []
    for perturbation, track, cells in groups:
        strips = [
            _image(
                folder,
                cell.key,
                f"Level {cell.level}: {cell.label}; SYNTHETIC {report.case.target} changed by "
                f"{_percent(cell.regions['brain'].relative_change)} in the brain.",
            )
            for cell in cells.values()
        ]
        is_worst = perturbation == worst and track == report.plan.tracks[0]
        shown.append(folded(_row_title(report, perturbation, track), *strips, is_open=is_worst))
    return section("Pictures", *shown)


def _adversarial(found: AdversarialResult, report: RobustnessReport, folder: Path) -> str:
    what = "change of the result" if found.score == "change" else "error against the real scan"
    told = (
        f"A search of {found.settings.num_queries} translations of {len(found.slices)} slices looked for a smooth "
        f"change of the sources, of at most {255 * found.max_change:.0f}/255 in any voxel and at least "
        f"{found.min_psnr_db:g} dB, that spoils the result most. The mean {what} went from {found.clean_score:.4f} to "
        f"{found.worst_score:.4f}, a step of {percent(found.relative)} of the brain's mean; random fields within the "
        f"same bounds reached {found.random_score:.4f}. A longer search may find worse."
    )
    caption = f"The slice that suffered most. SYNTHETIC {report.case.target}; the added field is magnified."
    png = (folder / "adversarial.png").read_bytes()
    return section("Worst case found by search", paragraph(told), picture(png, caption, caption))


def _provenance(report: RobustnessReport) -> str:
    case, parameters = report.case, report.parameters
    files = (
        *((f"source {contrast}", file) for contrast, file in case.sources),
        ("brain mask", case.brain_mask),
        ("reference", case.reference),
        ("lesion mask", case.lesion_mask),
    )
    seconds = sum(cell.seconds for cell in (report.unperturbed, *report.cells))
    pairs = [
        ("program", report.program),
        ("model", f"{case.model.name} {case.model.version}"),
        ("weights, SHA-256", case.model.used_sha256),
        *((name, _file_text(file)) for name, file in files if file is not None),
        ("registration", parameters.registration),
        ("bias correction", "yes" if parameters.bias_correction else "no"),
        ("device", f"{report.device}, {parameters.precision}, {parameters.threads} threads"),
        ("seed", str(report.plan.seed)),
        ("time of all cells", f"{seconds:.0f} s"),
        ("libraries", ", ".join(f"{name} {version}" for name, version in report.libraries.items())),
        ("platform", report.platform),
    ]
    return section("How this was made", facts(pairs))


def _groups(report: RobustnessReport) -> Iterator[tuple[str, Track, dict[int, Cell]]]:
    for perturbation in report.plan.perturbations:
        for track in report.plan.tracks:
            yield perturbation, track, _by_level(report, perturbation, track)


def _by_level(report: RobustnessReport, perturbation: str, track: Track) -> dict[int, Cell]:
    return {cell.level: cell for cell in report.cells if (cell.perturbation, cell.track) == (perturbation, track)}


def _percents(cells: dict[int, Cell], region: str) -> dict[int, float]:
    changes = {level: cell.regions[region].relative_change for level, cell in cells.items()}
    return {level: 100 * change for level, change in changes.items() if change is not None}


def _row_title(report: RobustnessReport, perturbation: str, track: Track) -> str:
    return perturbation_title(perturbation) + _track_suffix(report, track)


def _track_suffix(report: RobustnessReport, track: Track) -> str:
    return f", {_TRACK_TITLES[track]}" if len(report.plan.tracks) > 1 else ""


def _image(folder: Path, key: CellKey, caption: str) -> str:
    return picture(cell_path(folder, key, ".png").read_bytes(), caption, caption)


def _percent(share: float | None) -> str:
    return "-" if share is None else percent(share)


def _error_text(result: RegionResult) -> str:
    if result.error is None:
        return "-"
    psnr = "inf" if result.error.psnr is None else f"{result.error.psnr:.1f}"
    return f"{psnr} / {result.error.ssim:.3f}"


def _decibels(score: ScoreSummary | None) -> tuple[str, str]:
    return ("-", "-") if score is None else (f"{score.overall:.2f} dB", f"{score.degradation:.2f} dB")


def _file_text(file: FileRecord) -> str:
    """Name without folders, which may name people, and content."""
    return f"{'in memory' if file.path is None else PurePath(file.path).name}, SHA-256 {file.sha256}"
