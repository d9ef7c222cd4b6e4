"""A report on one translation as one self-contained HTML page, without scripts and without network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import PurePath

from MRTranslateLib.files import shown
from MRTranslateLib.models.card import RouteQuality
from MRTranslateLib.models.components import AttentionQuality
from MRTranslateLib.page import facts, page, paragraph, section, table, tiles
from MRTranslateLib.provenance import FileRecord
from MRTranslateLib.translation_report.content import KINDS, ModelSummary, Place, Region, ShownSlice, TranslationReport
from MRTranslateLib.translation_report.verdict import whom_measured

Picture = tuple[bytes, str]
"""A PNG and what it shows."""


def render_html(report: TranslationReport, pictures: Sequence[Sequence[Picture]]) -> str:
    """The page.

    Args:
        report: What it says.
        pictures: For each of ``report.slices`` its tiles, left to right.
    """
    model = f"model {report.model.name} {report.model.version}, {report.provenance.created}"
    parts = [
        _verdict(report),
        _pictures(report, pictures),
        _regions(report.regions),
        _places(report.places),
        _model(report.model),
        _doubts(report),
        _provenance(report),
    ]
    return page(report.title, model, parts)


def _verdict(report: TranslationReport) -> str:
    counts = {weight: sum(each.weight == weight for each in report.verdict) for weight in ("caution", "unknown")}
    style = "caution" if counts["caution"] else ""
    said = "".join(f'<li class="{each.weight}">{escape(each.text)}</li>' for each in report.verdict)
    heading = (
        f"{counts['caution']} {'reason' if counts['caution'] == 1 else 'reasons'} for caution, {counts['unknown']} not "
        "assessed"
    )
    return f'<div class="verdict {style}"><strong>{heading}</strong><ul>{said}</ul></div>'


def _pictures(report: TranslationReport, pictures: Sequence[Sequence[Picture]]) -> str:
    explained = (
        "Axial slices seen from below, the patient's right (R) on the left; all images in the same window. Numbered "
        "rings are the places listed below."
    )
    parts = [paragraph(explained, "soft")]
    for each, row in zip(report.slices, pictures, strict=True):
        parts += [f"<h3>{escape(_slice_title(each))}</h3>", tiles(row)]
    return section("Pictures", *parts)


def _slice_title(each: ShownSlice) -> str:
    return f"{each.reason}, S {round(each.superior_mm)} mm"


def _regions(regions: Sequence[Region]) -> str:
    """A column per map that was made; the largest value of each is shaded most."""
    columns = {
        "attention": ([region.attention for region in regions], ".3f", ""),
        "uncertainty": ([region.half_width for region in regions], ".0f", "±"),
    }
    made = {name: column for name, column in columns.items() if column[0][0] is not None}
    rows, shades = [], []
    for at, region in enumerate(regions):
        texts = [_number(values[at], form, before=sign) for values, form, sign in made.values()]
        rows.append((region.name, f"{region.volume_ml:.1f}", *texts))
        shades.append((0.0, 0.0, *(_shade(values, at) for values, _, _ in made.values())))
    told = {
        "attention": "Attention is the mean over the region, 0 to 1, high where the result is hard to believe.",
        "uncertainty": "Uncertainty is the mean half-width of the 90 % interval; 1000 is the brightest of the brain "
        "(its 99.5th percentile).",
    }
    explained = [told[name] if name in made else f"No {name} map was made." for name in columns]
    return section(
        "Regions", table(("region", "ml", *made), rows, shades), *(paragraph(text, "soft") for text in explained)
    )


def _shade(values: Sequence[float | None], at: int) -> float:
    """Strength of a cell's colour: its share of the column's largest value."""
    largest = max((value for value in values if value is not None), default=0.0)
    value = values[at]
    return 0.0 if value is None or largest <= 0 else 0.6 * value / largest


def _places(places: Sequence[Place]) -> str:
    if not places:
        return section("Where to look", paragraph("No place is listed."))
    rows = [
        (
            str(number),
            f"{place.volume_ml:.1f}",
            *(f"{value:.0f}" for value in place.position_mm),
            KINDS[place.kind],
            place.place,
        )
        for number, place in enumerate(places, start=1)
    ]
    told = "".join(f'<li value="{number}">{escape(place.text)}</li>' for number, place in enumerate(places, start=1))
    explained = "Coordinates in mm towards the patient's right (R), front (A) and head (S) in the first source's space."
    header = ("", "ml", "R", "A", "S", "what", "part of the brain")
    return section("Where to look", table(header, rows), paragraph(explained, "soft"), f"<ol>{told}</ol>")


def _model(model: ModelSummary) -> str:
    parts = [
        paragraph(f"{model.name} {model.version}: {model.title}."),
        paragraph(f"For: {model.intended_use} Not for: {model.not_for}"),
        _quality(model.quality, model.attention_quality),
    ]
    if model.quality is not None and model.metrics_protocol:
        parts.append(paragraph(f"How measured: {model.metrics_protocol}", "soft"))
    parts += ["<h3>Known limits</h3>", _list(model.limits)]
    if model.robustness_limits:
        limits = ", ".join(f"{each.region} {100 * each.max_relative_change:.0f} %" for each in model.robustness_limits)
        told = " ".join(dict.fromkeys(each.derived_from for each in model.robustness_limits))
        parts.append(paragraph(f"A robustness run warns of changes above: {limits}. Derived from: {told}"))
    return section("The model", *parts)


def _quality(row: RouteQuality | None, attention: AttentionQuality | None) -> str:
    if row is None:
        return paragraph("This route was not measured.")
    rows = [
        ("PSNR in the brain", _number(row.brain_psnr, ".2f", " dB"), _number(row.baseline_brain_psnr, ".2f", " dB")),
        ("SSIM in the brain", f"{row.brain_ssim:.3f}", "-"),
        ("PSNR in lesions", _number(row.lesion_psnr, ".2f", " dB"), _number(row.baseline_lesion_psnr, ".2f", " dB")),
    ]
    if attention is not None:
        rows.append(("AUROC of attention against errors", f"{attention.attention:.3f}", f"{attention.gradient:.3f}"))
    whom = whom_measured(row)
    return table((f"this route, {whom}", "model", "simple control"), rows)


def _doubts(report: TranslationReport) -> str:
    record = report.provenance
    warnings = _list(record.warnings) if record.warnings else paragraph("No warnings.")
    fallbacks = _list(record.fallbacks) if record.fallbacks else paragraph("No fallbacks: all was done as asked.")
    return section("Warnings and fallbacks", warnings, fallbacks)


def _provenance(report: TranslationReport) -> str:
    record, parameters = report.provenance, report.provenance.parameters
    files = [(f"source {source.contrast}", source.file) for source in record.sources]
    if record.low_resolution is not None:
        files.append((f"low-resolution {record.target}", record.low_resolution.file))
    if record.brain_mask.file is not None:
        files.append(("brain mask", record.brain_mask.file))
    if report.lesion_mask is not None:
        files.append(("lesion mask", report.lesion_mask))
    pairs = [
        ("program", record.program),
        ("model", f"{record.model.name} {record.model.version}"),
        ("weights, SHA-256", record.model.used_sha256),
        *((name, _file_text(file)) for name, file in files),
        *_resolution(report),
        ("brain", f"{record.brain_mask.origin}, {record.brain_mask.volume_ml:.0f} ml"),
        *((f"registration of {name}", text) for name, text in _registrations(report)),
        ("registration", parameters.registration),
        ("bias correction", "yes" if parameters.bias_correction else "no"),
        ("device", f"{record.device}, {parameters.precision}, {parameters.threads} threads"),
        ("result", f"{_name(record.output.path)}, SHA-256 {record.output.sha256}"),
        ("unit", record.output.unit),
        *(() if record.level is None else [("level", record.level.sentence)]),
        ("time", ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in record.seconds.items())),
        ("libraries", ", ".join(f"{name} {version}" for name, version in record.libraries.items())),
        ("platform", record.platform),
        ("notice", record.notice),
    ]
    return section("How this was made", facts(pairs))


def _resolution(report: TranslationReport) -> Iterable[tuple[str, str]]:
    if (low := report.provenance.low_resolution) is not None and low.resolution:
        yield f"resolution of the low-resolution {report.provenance.target}", low.resolution


def _registrations(report: TranslationReport) -> Iterable[tuple[str, str]]:
    record = report.provenance
    moves = {source.contrast.value: source.registration for source in record.sources}
    if record.low_resolution is not None:
        moves[f"the low-resolution {record.target}"] = record.low_resolution.registration
    for name, move in moves.items():
        if move is not None:
            yield name, f"{move.verdict}, {move.rotation_deg:.1f} degrees, {move.translation_mm:.1f} mm"


def _list(texts: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _number(value: float | None, form: str, unit: str = "", *, before: str = "") -> str:
    return "-" if value is None else f"{before}{value:{form}}{unit}"


def _file_text(file: FileRecord) -> str:
    return f"{_name(file.path)}, SHA-256 {file.sha256}"


def _name(path: str | None) -> str:
    """Without folders, which may name people."""
    return "in memory" if path is None else shown(PurePath(path).name)
