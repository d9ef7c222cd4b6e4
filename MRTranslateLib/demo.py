"""The main job from end to end on a phantom: files in, synthetic contrast, sidecar, metrics and picture out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import UsageError
from MRTranslateLib.figure import Panel, comparison_figure
from MRTranslateLib.files import atomic_file, json_text, refuse_unfit_output, shown, write_text_atomic
from MRTranslateLib.inference.result import TranslationResult
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import write_volume
from MRTranslateLib.metrics.files import evaluate_volumes
from MRTranslateLib.metrics.regions import Report
from MRTranslateLib.phantoms import Phantom, make_phantom
from MRTranslateLib.preprocessing.normalization import SYNTHETIC_UNITS, brain_scale, normalize
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume, to_canonical

SEED = 4
SOURCES = (Contrast.T1W, Contrast.T2W)
TARGET = Contrast.FLAIR
FILES = (
    *(f"phantom_{contrast}.nii.gz" for contrast in (*SOURCES, TARGET)),
    "phantom_lesion.nii.gz",
    f"synthetic_{TARGET}.nii.gz",
    f"synthetic_{TARGET}.json",
    "metrics.json",
    "comparison.png",
)
"""What the demo writes."""


@dataclass(frozen=True, eq=False)
class DemoResult:
    """What the demo made.

    Attributes:
        translation: The synthetic FLAIR.
        report: Its metrics against the phantom's own FLAIR.
        files: Everything that was written.
    """

    translation: TranslationResult
    report: Report
    files: tuple[Path, ...]


def run_demo(
    folder: Path, *, model: str | None = None, overwrite: bool = False, progress: Progress | None = None
) -> DemoResult:
    """Scan a phantom with a glioma, translate its T1w and T2w to FLAIR, and compare with its real FLAIR.

    Args:
        folder: Created if it is not there; existing files in it are kept unless ``overwrite``.
        model: As for ``translate``.
        overwrite: Replace files of an earlier demo.
        progress: As for ``translate``.

    Raises:
        UsageError: If the folder cannot be made or holds files of an earlier demo.
        MRTranslateError: As ``translate``.
    """
    _make_folder(folder)
    for name in FILES:
        refuse_unfit_output(folder / name, overwrite=overwrite)
    phantom = make_phantom(SEED, contrasts=(*SOURCES, TARGET))
    for contrast, volume in phantom.volumes.items():
        write_volume(folder / f"phantom_{contrast}.nii.gz", volume, overwrite=overwrite)
    write_volume(folder / "phantom_lesion.nii.gz", phantom.labels, overwrite=overwrite)
    translation = translate(
        {contrast: folder / f"phantom_{contrast}.nii.gz" for contrast in SOURCES},
        TARGET,
        output=folder / f"synthetic_{TARGET}.nii.gz",
        model=model,
        overwrite=overwrite,
        progress=progress,
    )
    report = evaluate_volumes(
        translation.volume,
        phantom.volumes[TARGET],
        brain_mask=phantom.brain_mask,
        lesion_mask=phantom.labels,
    )
    write_text_atomic(folder / "metrics.json", json_text(report), overwrite=overwrite)
    with atomic_file(folder / "comparison.png", overwrite=overwrite) as picture:
        phantom_figure(phantom, translation, picture)
    return DemoResult(translation, report, tuple(folder / name for name in FILES))


def phantom_figure(phantom: Phantom, translation: TranslationResult, path: Path) -> None:
    """Write the picture: sources, synthetic, reference, error, in the planes through the lesion's middle."""

    def shown_as(volume: Volume) -> Volume:
        scale = brain_scale(volume, phantom.brain_mask)
        return to_canonical(volume.with_array(normalize(volume.array, scale)))

    reference = shown_as(phantom.volumes[TARGET])
    synthetic = to_canonical(translation.volume).array.astype(np.float32) / np.float32(SYNTHETIC_UNITS)
    lesion = to_canonical(phantom.labels).array > 0
    centre = ndimage.center_of_mass(lesion) if lesion.any() else [n / 2 for n in lesion.shape]
    right, anterior, superior = (round(float(index)) for index in centre)
    panels = [Panel(f"Phantom {contrast}", shown_as(phantom.volumes[contrast]).array) for contrast in SOURCES]
    panels += [
        Panel(f"SYNTHETIC {TARGET}", synthetic),
        Panel(f"Phantom {TARGET}", reference.array),
        Panel("Absolute error", np.abs(synthetic - reference.array), is_error=True),
    ]
    model = translation.provenance.model
    caption = f"Model {model.name} {model.version}; intensities relative to the 99.5th percentile of the brain"
    image = comparison_figure(panels, reference.spacing_mm, (right, anterior, superior), caption)
    image.save(path, format="PNG")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make the folder {shown(folder)}: {error.strerror}; choose another") from None
