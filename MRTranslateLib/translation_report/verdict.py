"""What may be believed of a translation and where not, in sentences; never more reassuring than what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from MRTranslateLib.models.card import RouteQuality
from MRTranslateLib.models.components import SuperResolutionQuality
from MRTranslateLib.provenance import Provenance
from MRTranslateLib.translation_report.content import ModelSummary, Place, Region, Statement, Weight

HIGH_CALIBRATED = 0.3
"""A calibrated attention from which a region is named: its voxels are three times as likely as the average to be among
the tenth with the largest errors (a proposal)."""
HIGH_RAW = 0.25
"""The same of the raw difficulty ``(1 - M)^2``: the discriminator takes the place for unreal, ``M`` below 1/2."""
MORE_UNCERTAIN = 1.5
"""Times the brain's mean half-width from which a region is named (a proposal)."""
LOW_COVERAGE = 0.85
"""Of the interval that is meant to hold 90 % of the errors."""
MAX_NAMED = 3
CLOSING: Final = Statement(
    weight="note",
    text="Nothing here says that the image is right where nothing is listed: compare it with the sources before "
    "believing a detail.",
)
_ORDER: Final[tuple[Weight, ...]] = ("caution", "unknown", "note")


def verdict(
    record: Provenance, model: ModelSummary, regions: Sequence[Region], places: Sequence[Place]
) -> tuple[Statement, ...]:
    """The judgement, what speaks against the result first.

    Args:
        record: How the result was made, with attention, uncertainty and checks where they were asked for.
        model: From its card.
        regions: The brain first.
        places: Findings of the checks and hard regions, the largest of each first.
    """
    said = [
        *_findings(record, places),
        *_attention(record, model, places),
        *_uncertainty(record, model, regions),
        *_quality(record, model),
        *_doubts(record),
    ]
    return (*sorted(said, key=lambda statement: _ORDER.index(statement.weight)), CLOSING)


def high_places(record: Provenance, places: Sequence[Place]) -> tuple[Place, ...]:
    """Hard regions whose mean attention is high, the largest first."""
    if record.attention is None:
        return ()
    report = record.attention.report
    least = HIGH_CALIBRATED if report.calibrated else HIGH_RAW
    high = {region.position_mm for region in report.hard_regions if region.mean >= least}
    return tuple(place for place in places if place.kind == "hard region" and place.position_mm in high)


def _findings(record: Provenance, places: Sequence[Place]) -> Iterable[Statement]:
    if record.checks is None:
        yield _unknown("Whether the result shows what no source shows, or hides what one shows, was not checked.")
        return
    if made_up := [place for place in places if place.kind == "hallucination"]:
        have = "structure has" if len(made_up) == 1 else "structures have"
        yield _caution(
            f"{len(made_up)} {have} no counterpart in any source: do not believe "
            f"{'it' if len(made_up) == 1 else 'them'} without looking at the sources. {_largest(made_up)}"
        )
    if lost := [place for place in places if place.kind == "erasure"]:
        are = "structure that a source shows is" if len(lost) == 1 else "structures that a source shows are"
        yield _caution(f"{len(lost)} {are} missing from the result. {_largest(lost)}")
    if not (made_up or lost):
        yield _note(f"The checks against the sources list nothing. {record.checks.statement}")
    elif record.low_resolution is not None:
        yield _note(f"For the checks the low-resolution {record.target} counted as a source where it was acquired.")


def _largest(places: Sequence[Place]) -> str:
    first = max(places, key=lambda place: place.volume_ml)
    what = "It measures" if len(places) == 1 else "The largest measures"
    return f"{what} {first.volume_ml:.1f} ml and lies {where(first)}."


def where(place: Place) -> str:
    """``in the right anterior superior part of the brain (R 30, A 40, S 20 mm)``."""
    along = ", ".join(f"{axis} {value:.0f}" for axis, value in zip("RAS", place.position_mm, strict=True))
    return f"in the {place.place} part of the brain ({along} mm)"


def _attention(record: Provenance, model: ModelSummary, places: Sequence[Place]) -> Iterable[Statement]:
    if record.attention is None:
        why = "no attention map was asked for" if model.makes_attention else "this model makes no attention map"
        yield _unknown(f"Where the result is hard to believe was not assessed: {why}.")
        return
    row = model.attention_quality
    if row is None:
        yield _unknown("How well this model's attention map points at errors was not measured on this route.")
    elif not row.beats_controls:
        yield _caution(_no_better("attention", row.attention, row.gradient))
    high = high_places(record, places)
    for place in high[:MAX_NAMED]:
        yield _caution(
            f"Do not trust the result {where(place)}: attention is high in {place.volume_ml:.1f} ml. {place.text}"
        )
    if len(high) > MAX_NAMED:
        yield _caution(f"Attention is high in {len(high) - MAX_NAMED} more regions, listed below.")
    if not high:
        yield _note("Attention is high nowhere; it finds some errors and misses others.")


def _uncertainty(record: Provenance, model: ModelSummary, regions: Sequence[Region]) -> Iterable[Statement]:
    if record.uncertainty is None:
        yield _unknown("How far the intensities may be off was not assessed: no uncertainty map was asked for.")
        return
    report, row = record.uncertainty.report, model.uncertainty_quality
    summary = report.summary
    is_narrow = report.coverage is not None and report.coverage < LOW_COVERAGE
    yield _caution(summary) if not report.calibrated or is_narrow else _note(summary)
    if row is None:
        yield _unknown("How well this model's uncertainty map points at errors was not measured on this route.")
    elif not row.beats_controls:
        yield _caution(_no_better("uncertainty", row.uncertainty, row.gradient))
    brain, *parts = regions
    if not brain.half_width:
        return
    ratios = {part.name: (part.half_width or 0.0) / brain.half_width for part in parts}
    named = sorted((name for name in ratios if ratios[name] >= MORE_UNCERTAIN), key=lambda name: -ratios[name])
    for name in named[:MAX_NAMED]:
        yield _caution(f"The uncertainty in the {name} is {ratios[name]:.1f} times that of the brain.")


def _no_better(name: str, area: float, gradient: float) -> str:
    return (
        f"On validation people the {name} map pointed at errors no better than a simple control (AUROC {area:.2f}; 0.5 "
        f"is guessing, the gradient of the sources has {gradient:.2f}): take it as a hint only."
    )


def _quality(record: Provenance, model: ModelSummary) -> Iterable[Statement]:
    """What validation people say of this route, held against the regression."""
    if record.low_resolution is not None:
        yield _note("The quality below was measured without a low-resolution target, which this result had.")
        yield from _gain(model.super_resolution_quality)
        return
    row = model.quality
    if row is None:
        yield _unknown("How good this route is was not measured on people whom the model had not seen.")
        return
    of = whom_measured(row)
    pairs = (
        ("brain", row.brain_psnr, row.baseline_brain_psnr),
        ("lesions", row.lesion_psnr, row.baseline_lesion_psnr),
    )
    for region, psnr, baseline in pairs:
        if psnr is None:
            yield _unknown(f"How good this route is in {region} was not measured.")
        elif baseline is None:
            yield _unknown(
                f"In the {region} of {of} this route reached {psnr:.1f} dB; it was not compared with a simple method."
            )
        else:
            yield _compared(region, of, psnr, baseline)


def _gain(row: SuperResolutionQuality | None) -> Iterable[Statement]:
    """What an acquired target like this one gains, held against its own interpolation."""
    if row is None:
        yield _unknown("What a low-resolution target like this one gains on this route was not measured.")
        return
    numbers = f"in the brain {row.brain_psnr:.1f} against {row.interpolation_brain_psnr:.1f} dB"
    if row.lesion_psnr is not None and row.interpolation_lesion_psnr is not None:
        numbers += f", in lesions {row.lesion_psnr:.1f} against {row.interpolation_lesion_psnr:.1f}"
    alike = f"of {whom_measured(row)} with {row.setting} ({numbers})"
    if row.beats_interpolation:
        yield _note(f"Such results were nearer to the truth than the low-resolution target, interpolated, {alike}.")
    else:
        yield _caution(f"Such results are not better than the low-resolution target, interpolated: {alike}.")


def whom_measured(row: RouteQuality | SuperResolutionQuality) -> str:
    """``4 validation people``."""
    split = "validation" if row.split == "val" else row.split
    return f"{row.num_cases} {split} {'person' if row.num_cases == 1 else 'people'}"


def _compared(region: str, of: str, psnr: float, baseline: float) -> Statement:
    gain = round(psnr - baseline, 1)
    numbers = f"in the {region} of {of} ({psnr:.1f} against {baseline:.1f} dB)"
    if gain < 0:
        return _caution(f"This route loses to a simple voxel-by-voxel regression {numbers}.")
    if gain < 0.5:
        return _caution(f"This route is hardly better than a simple voxel-by-voxel regression {numbers}.")
    return _note(f"This route beat a simple voxel-by-voxel regression {numbers}.")


def _doubts(record: Provenance) -> Iterable[Statement]:
    if record.warnings:
        is_one = len(record.warnings) == 1
        yield _caution(f"There {'is' if is_one else 'are'} {_count(len(record.warnings), 'warning')}, listed below.")
    if record.fallbacks:
        yield _note(f"Not all was done as asked: {_count(len(record.fallbacks), 'fallback')}, listed below.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _caution(text: str) -> Statement:
    return Statement(weight="caution", text=text)


def _unknown(text: str) -> Statement:
    return Statement(weight="unknown", text=text)


def _note(text: str) -> Statement:
    return Statement(weight="note", text=text)
