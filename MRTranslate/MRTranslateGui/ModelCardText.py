"""The model card in the panel: what it is for, how well it does this route, what it was trained on, its limits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from slicer.i18n import tr as _

from .ModelCatalog import ModelEntry


def cardHtml(model: ModelEntry, sources: Collection[str], target: str) -> str:
    """The card as HTML for a text browser; the route's quality first, since that is what the user is about to get."""
    card = model.card
    parts = [
        f"<h3>{escape(model.name)} {escape(model.version)}</h3><p>{escape(card['title'])}</p>",
        _heading(_("Not for")) + _paragraph(card["not_for"]),
        _heading(_("Quality on this route")) + f"<p>{escape(routeQuality(model, sources, target))}</p>",
        _heading(_("Intended use")) + _paragraph(card["intended_use"]),
        _heading(_("Attention map")) + _paragraph(attentionText(model)),
        _heading(_("Low-resolution target")) + _paragraph(lowResolutionText(model)),
        _heading(_("Limits")) + _list(card["limits"]),
        _heading(_("Measured routes")) + _qualityTable(card["quality"]),
        _heading(_("Trained on")) + _list(_dataSentence(data) for data in card["training_data"]),
        _heading(_("How it was measured")) + _paragraph(card["metrics_protocol"]),
    ]
    return "".join(parts)


def routeQuality(model: ModelEntry, sources: Collection[str], target: str) -> str:
    """One sentence on how well this route was measured to work."""
    if not model.offers(sources, target):
        return _("Choose inputs and a target contrast to see how well the model does there.")
    route = f"{' + '.join(sources)} \N{RIGHTWARDS ARROW} {target}"
    row = model.qualityOn(sources, target)
    if row is None:
        return _("{route}: never measured. Judge the result with special care.").format(route=route)
    text = _("{route}: brain PSNR {psnr:.1f} dB, SSIM {ssim:.2f} on {cases} scans ({split})").format(
        route=route, psnr=row["brain_psnr"], ssim=row["brain_ssim"], cases=row["num_cases"], split=row["split"]
    )
    if row["lesion_psnr"] is not None:
        text += _("; in lesions {psnr:.1f} dB").format(psnr=row["lesion_psnr"])
    if row["baseline_brain_psnr"] is not None:
        text += _("; a simple regression reaches {psnr:.1f} dB").format(psnr=row["baseline_brain_psnr"])
    return text + "."


def attentionText(model: ModelEntry) -> str:
    """What the attention map of this model means and is worth."""
    if not model.makesAttention:
        return _("This model makes none.")
    calibration = model.card["components"]["local_discriminator"].get("calibration")
    text = _("The values were not compared with errors: they rank places within one image.")
    if calibration is not None:
        text = str(calibration["statement"])
    rows = model.card.get("attention_quality", ())
    if not rows:
        return text + " " + _("How well it points at errors was not measured.")
    mean, control = (sum(row[name] for row in rows) / len(rows) for name in ("attention", "gradient"))
    measured = _(
        "It finds the worst tenth of the voxels with AUROC {mean:.2f} (0.5 is chance; source edges {control:.2f})."
    )
    return text + " " + measured.format(mean=mean, control=control)


def lowResolutionText(model: ModelEntry) -> str:
    """What this model makes of a target that was acquired at low resolution, and whether that gains anything."""
    if not model.usesLowResolution:
        return _("This model cannot use one.")
    rows = model.card.get("super_resolution_quality", ())
    if not rows:
        return _("It sharpens one if it was acquired. How much is gained was not measured.")
    better = sum(_beatsInterpolation(row) for row in rows)
    mean, control = (sum(row[name] for row in rows) / len(rows) for name in ("brain_psnr", "interpolation_brain_psnr"))
    text = _(
        "It sharpens one if it was acquired: brain PSNR {mean:.1f} dB, by interpolation alone {control:.1f} dB. In the "
        "brain and in lesions it is better than interpolation in {better} of {number} measured acquisitions."
    )
    return text.format(mean=mean, control=control, better=better, number=len(rows))


def _beatsInterpolation(row: Mapping[str, Any]) -> bool:
    """As ``SuperResolutionQuality.beats_interpolation`` of the library (a test compares them)."""
    lesion = row["lesion_psnr"] is None or row["lesion_psnr"] > row["interpolation_lesion_psnr"]
    return row["brain_psnr"] > row["interpolation_brain_psnr"] and lesion


def _dataSentence(data: Mapping[str, Any]) -> str:
    return _("{name}: {people} people, {licence}. {attribution}").format(
        name=data["name"], people=data["num_people"], licence=data["licence"], attribution=data["attribution"]
    )


def _qualityTable(rows: Collection[Mapping[str, Any]]) -> str:
    if not rows:
        return f"<p>{escape(_('No route was measured.'))}</p>"
    head = "".join(f"<th align='left'>{escape(text)}</th>" for text in (_("Route"), "PSNR", "SSIM", _("lesion PSNR")))
    body = "".join(
        f"<tr><td>{escape('+'.join(row['sources']))} &rarr; {escape(row['target'])}&nbsp;</td>"
        f"<td>{row['brain_psnr']:.1f}&nbsp;</td><td>{row['brain_ssim']:.2f}&nbsp;</td>"
        f"<td>{'-' if row['lesion_psnr'] is None else format(row['lesion_psnr'], '.1f')}</td></tr>"
        for row in rows
    )
    return f"<table>{'<tr>' + head + '</tr>'}{body}</table>"


def _heading(text: str) -> str:
    return f"<h4>{escape(text)}</h4>"


def _paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _list(items: Collection[str] | Any) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
