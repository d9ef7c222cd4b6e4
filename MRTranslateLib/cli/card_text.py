"""A model card for people to read in a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from MRTranslateLib.attention.calibrate import statement
from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.models.card import ModelCard, RouteQuality
from MRTranslateLib.models.components import AttentionQuality, SuperResolutionQuality
from MRTranslateLib.models.limits import RobustnessLimit
from MRTranslateLib.models.route import CardRoute
from MRTranslateLib.models.training_run import TrainingRun
from MRTranslateLib.models.uncertainty import LowResolutionUncertainty, UncertaintyQuality

WIDTH = 100
QUALITY_COLUMNS = (
    "route",
    "split",
    "cases",
    "brain dB",
    "(regression)",
    "SSIM",
    "with lesion",
    "lesion dB",
    "(regression)",
)
ATTENTION_COLUMNS = (
    "route",
    "split",
    "cases",
    "attention AUROC",
    "(gradient)",
    "with lesion",
    "attention AUROC",
    "(nearness to lesion)",
)

UNCERTAINTY_COLUMNS = (
    "route",
    "split",
    "cases",
    "coverage of 90 %",
    "(worst)",
    "mean half-width",
    "uncertainty AUROC",
    "(gradient)",
    "with lesion",
    "uncertainty AUROC",
    "(nearness to lesion)",
)


SUPER_RESOLUTION_COLUMNS = (
    "route",
    "acquired",
    "split",
    "cases",
    "brain dB",
    "(synthesis)",
    "(cubic)",
    "SSIM",
    "(synthesis)",
    "(cubic)",
    "with lesion",
    "lesion dB",
    "(synthesis)",
    "(cubic)",
)


def render_card(card: ModelCard) -> str:
    """The card as plain text, without a newline at the end; all of it but configuration, parameters and hashes."""
    preprocessing, ranges = card.preprocessing, card.value_ranges
    in_plane, slices = preprocessing.in_plane_spacing_mm, preprocessing.slice_spacing_mm
    sections = [
        f"{card.name} {card.version}: {card.title}",
        _paragraph("Use", card.intended_use),
        _paragraph("Not for", card.not_for),
        f"Takes any of {', '.join(card.sources)}; makes {', '.join(card.targets)} where that is not given.",
        f"Network {', '.join(card.architecture.names)}, trained: {', '.join(card.systems_trained)}.",
        _specialist(card),
        _levels(card),
        _attention(card),
        _uncertainty(card),
        _super_resolution(card),
        _quality(card),
        render_predecessor(card),
        "\n".join(["Limits:", *(_item(limit) for limit in card.limits)]),
        render_limits(card.robustness_limits),
        f"Seen in training: {in_plane[0]:g} to {in_plane[1]:g} mm in plane, {slices[0]:g} to {slices[1]:g} mm between "
        f"slices.\nIntensities: {preprocessing.percentile:g}th percentile of the brain becomes 1; written so that "
        f"{ranges.written_unit:g} is that percentile.",
        "\n".join(
            [
                "Training data:",
                *(
                    _item(f"{data.name} ({data.num_people} people, {data.licence}). {data.attribution}")
                    for data in card.training_data
                ),
            ]
        ),
        _training_run("Training run", card.training_run),
        *(_training_run(f"Training run of the {part}", run) for part, run in _runs_of_their_own(card).items()),
        "\n".join(
            [
                "Files:",
                *(f"  {name}: {record.bytes} bytes, SHA-256 {record.sha256}" for name, record in card.files.items()),
            ]
        ),
    ]
    return "\n\n".join(section for section in sections if section)


def _quality(card: ModelCard) -> str:
    if not card.quality:
        return "No route was measured."
    table = render_table([QUALITY_COLUMNS, *(_row(row) for row in card.quality)], "llrrrrrrr")
    return f"{table}\n\n{_paragraph('How measured', card.metrics_protocol)}\n  {card.metrics_command}"


def _training_run(heading: str, run: TrainingRun) -> str:
    return (
        f"{heading}: {run.num_steps} steps, {run.hours:g} h on {run.hardware}, torch {run.torch_version}, "
        f"seed {run.seed},\ncommit {run.commit}, data {run.data_fingerprint}\n  {run.command}"
    )


def _runs_of_their_own(card: ModelCard) -> dict[str, TrainingRun]:
    """Of components that the card's own run has not trained, by what they are."""
    specialist, branch = card.components.specialist, card.components.super_resolution
    runs = {
        "specialist": None if specialist is None else specialist.training_run,
        "super-resolution branch": None if branch is None else branch.training_run,
    }
    return {part: run for part, run in runs.items() if run is not None}


def _specialist(card: ModelCard) -> str:
    """Which routes are a second generator's."""
    specialist = card.components.specialist
    if specialist is None:
        return ""
    routes = ", ".join(_route(route) for route in specialist.routes)
    return _paragraph(f"A second network ({specialist.architecture.name}) translates", routes)


def _levels(card: ModelCard) -> str:
    """From which source the brightness of which target is told."""
    return "\n\n".join(
        _paragraph(
            f"Level of {level['target']}",
            f"The median of the brain is told from the {level['source']} and the result as a whole, if that is given: "
            f"{level['relative_error']:.0%} off (root mean square) on people it was not fitted on.",
        )
        for level in card.architecture.parameters.get("levels", ())
    )


def _attention(card: ModelCard) -> str:
    """What the attention map is worth."""
    component = card.components.local_discriminator
    if component is None:
        return "Makes no attention map: it comes without a local discriminator."
    heading = _paragraph("Makes an attention map", statement(component.calibration))
    if not card.attention_quality:
        return f"{heading}\nHow well the map points at errors was not measured."
    measured = _paragraph("How measured", card.attention_protocol)
    return f"{heading}\n\n{render_attention_quality(card.attention_quality)}\n\n{measured}\n  {card.attention_command}"


def render_attention_quality(rows: Sequence[AttentionQuality]) -> str:
    """What was measured of an attention map as a table with a verdict, without a newline at the end."""
    better = sum(row.beats_controls for row in rows)
    table = render_table([ATTENTION_COLUMNS, *(_attention_row(row) for row in rows)], "llrrrrrr")
    return f"{table}\nThe map beats every naive control on {better} of {len(rows)} measured routes."


def _uncertainty(card: ModelCard) -> str:
    """What the uncertainty map is worth."""
    if not card.uncertainty_calibrations:
        return "Makes an uncertainty map that is not calibrated: it shows the bare spread."
    tables = (_item(table.statement) for table in card.uncertainty_calibrations)
    parts = ["\n".join(["Makes an uncertainty map:", *tables])]
    if card.uncertainty_quality:
        measured = _paragraph("How measured", card.uncertainty_protocol)
        parts += [render_uncertainty_quality(card.uncertainty_quality), f"{measured}\n  {card.uncertainty_command}"]
    if card.low_resolution_uncertainty:
        parts.append(render_low_resolution_uncertainty(card.low_resolution_uncertainty))
    return "\n\n".join(parts)


def render_uncertainty_quality(rows: Sequence[UncertaintyQuality]) -> str:
    """What was measured of an uncertainty map as a table with a verdict, without a newline at the end."""
    better = sum(row.beats_controls for row in rows)
    table = render_table([UNCERTAINTY_COLUMNS, *(_uncertainty_row(row) for row in rows)], "llrrrrrrrrr")
    return f"{table}\nThe map beats every naive control on {better} of {len(rows)} measured routes."


def render_low_resolution_uncertainty(rows: Sequence[LowResolutionUncertainty]) -> str:
    """What was measured of an uncertainty map with an acquired target, without a newline at the end."""
    heading = ("acquired", *UNCERTAINTY_COLUMNS)
    measured = ((row.setting, *_uncertainty_row(quality)) for row in rows for quality in row.quality)
    tables = "\n".join(["With a low-resolution target:", *(_item(row.calibration.statement) for row in rows)])
    return f"{tables}\n\n{render_table([heading, *measured], 'lllrrrrrrrrr')}"


def _uncertainty_row(row: UncertaintyQuality) -> tuple[str, ...]:
    return (
        _route(row),
        row.split,
        str(row.num_cases),
        _share(row.coverage),
        _share(row.lowest_coverage),
        f"{row.mean_half_width:.3f}",
        f"{row.uncertainty:.3f}",
        f"{row.gradient:.3f}",
        str(row.num_lesion_cases),
        _share(row.uncertainty_lesion_cases),
        _share(row.distance),
    )


def _super_resolution(card: ModelCard) -> str:
    """What the model makes of an acquired low-resolution target."""
    component = card.components.super_resolution
    if component is None:
        return "Takes no low-resolution target: it comes without a super-resolution branch."
    heading = _paragraph("Takes a low-resolution target, trained for", component.seen)
    if not card.super_resolution_quality:
        return f"{heading}\nWhat it gains by that was not measured."
    measured = _paragraph("How measured", card.super_resolution_protocol)
    table = render_super_resolution_quality(card.super_resolution_quality)
    return f"{heading}\n\n{table}\n\n{measured}\n  {card.super_resolution_command}"


def render_super_resolution_quality(rows: Sequence[SuperResolutionQuality]) -> str:
    """What a low-resolution target gains as a table with a verdict, without a newline at the end."""
    table = render_table([SUPER_RESOLUTION_COLUMNS, *(_super_resolution_row(row) for row in rows)], "lllrrrrrrrrrrr")
    worse = [f"{_route(row)}, {row.setting}" for row in rows if not row.beats_interpolation]
    verdict = "Better than cubic interpolation of the acquired target everywhere, in the brain and in lesions."
    if worse:
        verdict = _paragraph(
            f"Better than cubic interpolation on {len(rows) - len(worse)} of {len(rows)} measured acquisitions; not, "
            "in the brain or in lesions, at",
            "; ".join(worse),
        )
    return f"{table}\n{verdict}"


def _super_resolution_row(row: SuperResolutionQuality) -> tuple[str, ...]:
    return (
        _route(row),
        row.setting,
        row.split,
        str(row.num_cases),
        *map(_decibels, (row.brain_psnr, row.synthesis_brain_psnr, row.interpolation_brain_psnr)),
        *map(_share, (row.brain_ssim, row.synthesis_brain_ssim, row.interpolation_brain_ssim)),
        _count(row.num_lesion_cases),
        *map(_decibels, (row.lesion_psnr, row.synthesis_lesion_psnr, row.interpolation_lesion_psnr)),
    )


def render_limits(limits: Sequence[RobustnessLimit]) -> str:
    """How far a perturbation may change a result, without a newline at the end."""
    if not limits:
        return "No limits are stated for a robustness run to hold a result against."
    items = (_item(f"{limit.region}: {100 * limit.max_relative_change:.0f} %") for limit in limits)
    told = (_paragraph("Derived from", text) for text in dict.fromkeys(limit.derived_from for limit in limits))
    heading = _paragraph("Limits of robustness", "a perturbation that changes the result more than this is told of")
    return "\n".join([heading, *items, *told])


def render_predecessor(card: ModelCard) -> str:
    """Brain and lesion PSNR beside those of the model that was replaced, for the routes that both were measured on."""
    if card.predecessor is None:
        return ""
    former = {(row.sources, row.target): row for row in card.predecessor.quality}
    rows: list[tuple[str, ...]] = [("route", "brain dB", "(before)", "lesion dB", "(before)")]
    for row in card.quality:
        before = former.get((row.sources, row.target))
        if before is not None:
            route = _route(row)
            values = (row.brain_psnr, before.brain_psnr, row.lesion_psnr, before.lesion_psnr)
            rows.append((route, *(_decibels(value) for value in values)))
    heading = f"Replaced {card.predecessor.name} {card.predecessor.version}, measured in the same way (dB):"
    return "\n".join([heading, render_table(rows, "lrrrr")])


def _attention_row(row: AttentionQuality) -> tuple[str, ...]:
    return (
        _route(row),
        row.split,
        str(row.num_cases),
        f"{row.attention:.3f}",
        f"{row.gradient:.3f}",
        str(row.num_lesion_cases),
        _share(row.attention_lesion_cases),
        _share(row.distance),
    )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _row(row: RouteQuality) -> tuple[str, ...]:
    return (
        _route(row),
        row.split,
        str(row.num_cases),
        _decibels(row.brain_psnr),
        _decibels(row.baseline_brain_psnr),
        f"{row.brain_ssim:.3f}",
        _count(row.num_lesion_cases),
        _decibels(row.lesion_psnr),
        _decibels(row.baseline_lesion_psnr),
    )


def _route(row: CardRoute) -> str:
    return f"{'+'.join(row.sources)}>{row.target}"


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _paragraph(heading: str, text: str) -> str:
    return textwrap.fill(f"{heading}: {text}", WIDTH)


def _item(text: str) -> str:
    return textwrap.fill(text, WIDTH, initial_indent="  - ", subsequent_indent="    ")
