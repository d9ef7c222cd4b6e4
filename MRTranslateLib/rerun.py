"""Makes a result again from its sidecar and says whether it is the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from MRTranslateLib.errors import InputError, ModelError, UsageError
from MRTranslateLib.files import same_place, shown
from MRTranslateLib.inference.low_resolution import ROLE as LOW_RESOLUTION
from MRTranslateLib.inference.result import TranslationResult
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.inference.translate import translate
from MRTranslateLib.io import read_volume
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import FileRecord, OutputRecord, Provenance, content_sha256, read_sidecar, sidecar_path
from MRTranslateLib.volume import Volume, same_grid


@dataclass(frozen=True, eq=False)
class RerunResult:
    """A repeated run.

    Attributes:
        identical: Whether every voxel and the grid are the same, of the maps too where there were some, and no file
            was altered.
        differences: Why they may differ: other model, program, libraries, device, threads; a sentence each.
        altered: Files beside the sidecar that are not what the run wrote: altered, replaced or damaged since.
        former: The sidecar.
        result: The new result.
    """

    identical: bool
    differences: tuple[str, ...]
    altered: tuple[Path, ...]
    former: Provenance
    result: TranslationResult


def rerun(
    sidecar: str | PathLike[str],
    *,
    output: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    store: ModelStore | None = None,
) -> RerunResult:
    """Repeat the run that a sidecar describes, from the same files with the same parameters.

    A file that has moved is looked for beside the sidecar under its own name. What the run wrote is looked for there
    too, and compared with what the sidecar says of it.

    Args:
        sidecar: The ``.json`` beside a result.
        output: Where to write the new result; None keeps it in memory.
        model: Name or folder of the model to use; None for that of the run: from the store where it has the same
            weights, else from the folder that was given then, else what the store has of that name.
        overwrite: Replace an existing output.
        progress: As for ``translate``.
        store: As for ``translate``.

    Raises:
        UsageError: If the new result would take the place of the former one.
        InputError: If the sidecar cannot be read, or a source is missing, changed, or was never a file.
        ModelError: If the model is no longer there.
        MRTranslateError: As ``translate``.
    """
    path = Path(sidecar)
    former = read_sidecar(path)
    if output is not None and same_place(sidecar_path(Path(output)), path):
        raise UsageError(
            f"{shown(Path(output))} would take the place of what {shown(path)} describes: choose another name"
        )
    store = store or ModelStore()
    sources = {source.contrast: _find(source.file, source.contrast.value, path) for source in former.sources}
    mask = former.brain_mask.file
    parameters = former.parameters
    maps = [record for record in (former.attention, former.uncertainty) if record is not None]
    lesion = maps[0].lesion_mask if maps else None
    low = former.low_resolution
    result = translate(
        sources,
        former.target,
        output=output,
        brain_mask=None if mask is None else _find(mask, "brain mask", path, labels=True),
        attention=former.attention is not None,
        uncertainty=former.uncertainty is not None,
        lesion_mask=None if lesion is None else _find(lesion, "lesion mask", path, labels=True),
        low_resolution=None if low is None else _find(low.file, LOW_RESOLUTION, path),
        checks=former.checks is not None,
        model=_model(former, path, store) if model is None else model,
        device=parameters.device,
        precision=parameters.precision,
        threads=parameters.threads,
        registration=parameters.registration,
        bias_correction=parameters.bias_correction,
        overwrite=overwrite,
        progress=progress,
        store=store,
    )
    altered = tuple(_altered(former, result, path.parent))
    return RerunResult(
        _hashes(result.provenance) == _hashes(former) and not altered,
        tuple(_differences(former, result.provenance)),
        altered,
        former,
        result,
    )


def _model(former: Provenance, sidecar: Path, store: ModelStore) -> str:
    """Name or folder of the model of a run, as near to its weights as can be had."""
    record = former.model
    stored = {model.name: model.card for model in store.list()}
    card = stored.get(record.name)
    hashes = set() if card is None else {file.sha256 for file in card.files.values()}
    if hashes >= {record.weights_sha256, record.used_sha256}:
        return record.name
    if record.folder is not None and Path(record.folder).is_dir():
        return record.folder
    if record.folder is None and record.name in stored:
        return record.name
    raise ModelError(
        f"{shown(sidecar)} was made with model {record.name} {record.version}, which is no longer there: install "
        "it, or name its folder (--model)"
    )


def _altered(former: Provenance, result: TranslationResult, folder: Path) -> Iterator[Path]:
    """What lies beside the sidecar and is not what the run wrote."""
    made = [
        (former.output, result.volume),
        (None if former.attention is None else former.attention.output, result.attention),
        (None if former.uncertainty is None else former.uncertainty.output, result.uncertainty),
    ]
    for record, repeated in made:
        if record is None or record.path is None or repeated is None:
            continue
        path = folder / Path(record.path).name
        if path.exists() and not _is_as_written(path, record, repeated.affine):
            yield path


def _is_as_written(path: Path, record: OutputRecord, affine: NDArray[np.float64]) -> bool:
    """Whether a file holds what its record says; hashed with the affine of the run, of which a format keeps less."""
    try:
        volume = read_volume(path)
    except InputError:
        return False
    unrounded = Volume(volume.array, affine)
    return same_grid(volume, unrounded) and content_sha256(unrounded.array, affine) == record.sha256


def _find(record: FileRecord, role: str, sidecar: Path, *, labels: bool = False) -> Path | Volume:
    """The unchanged input, where it was or beside the sidecar."""
    if record.path is None:
        raise InputError(
            f"{shown(sidecar)}: {role} was handed over in memory, so the run cannot be repeated from files"
        )
    candidates = [Path(record.path), sidecar.parent / Path(record.path).name]
    unfit: list[InputError] = []
    for candidate in filter(Path.exists, candidates):
        try:
            if load_image(candidate, role, labels=labels).record.sha256 == record.sha256:
                return candidate
            raise InputError(f"{shown(candidate)} has changed since the run; restore it to repeat the run")
        except InputError as error:
            unfit.append(error)
    if unfit:
        raise unfit[0]
    raise InputError(f"{role} is neither at {shown(candidates[0])} nor beside {shown(sidecar)}; put it there")


def _hashes(record: Provenance) -> tuple[str, ...]:
    """Of everything that a run made."""
    maps = (record.attention, record.uncertainty)
    return (record.output.sha256, *(each.output.sha256 for each in maps if each is not None))


def _specialist(record: Provenance) -> str:
    return (record.model.specialist_sha256 or "none")[:12]


def _discriminator(record: Provenance) -> str:
    return "none" if record.attention is None else record.attention.weights_sha256[:12]


def _interval(record: Provenance) -> str:
    return "none" if record.uncertainty is None else f"{record.uncertainty.report.statement!r}"


def _branch(record: Provenance) -> str:
    return "none" if record.low_resolution is None else record.low_resolution.weights_sha256[:12]


def _differences(former: Provenance, repeated: Provenance) -> list[str]:
    pairs = {
        "program": (former.program, repeated.program),
        "model weights": (former.model.weights_sha256[:12], repeated.model.weights_sha256[:12]),
        "specialist's weights": (_specialist(former), _specialist(repeated)),
        "local discriminator": (_discriminator(former), _discriminator(repeated)),
        "meaning of the uncertainty": (_interval(former), _interval(repeated)),
        "super-resolution branch": (_branch(former), _branch(repeated)),
        "device": (former.device, repeated.device),
        "platform": (former.platform, repeated.platform),
        **{name: (former.libraries.get(name), version) for name, version in repeated.libraries.items()},
    }
    return [f"{name} was {old} and is {new}" for name, (old, new) in pairs.items() if old != new]
