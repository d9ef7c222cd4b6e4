"""Makes a result again from its sidecar and says whether it is the same."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from MRTranslateLib.errors import InputError
from MRTranslateLib.files import shown
from MRTranslateLib.inference.low_resolution import ROLE as LOW_RESOLUTION
from MRTranslateLib.inference.sources import load_image
from MRTranslateLib.inference.translate import TranslationResult, translate
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.progress import Progress
from MRTranslateLib.provenance import FileRecord, Provenance, read_sidecar
from MRTranslateLib.volume import Volume


@dataclass(frozen=True, eq=False)
class RerunResult:
    """A repeated run.

    Attributes:
        identical: Whether every voxel and the grid are the same, of the maps too where there were some.
        differences: Why they may differ: other model, program, libraries, device, threads; a sentence each.
        former: The sidecar.
        result: The new result.
    """

    identical: bool
    differences: tuple[str, ...]
    former: Provenance
    result: TranslationResult


def rerun(
    sidecar: str | PathLike[str],
    *,
    output: str | PathLike[str] | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    store: ModelStore | None = None,
) -> RerunResult:
    """Repeat the run that a sidecar describes, from the same files with the same parameters.

    A file that has moved is looked for beside the sidecar under its own name.

    Args:
        sidecar: The ``.json`` beside a result.
        output: Where to write the new result; None keeps it in memory.
        overwrite: Replace an existing output.
        progress: As for ``translate``.
        store: As for ``translate``.

    Raises:
        InputError: If the sidecar cannot be read, or a source is missing, changed, or was never a file.
        MRTranslateError: As ``translate``.
    """
    path = Path(sidecar)
    former = read_sidecar(path)
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
        model=former.model.name,
        device=parameters.device,
        precision=parameters.precision,
        threads=parameters.threads,
        registration=parameters.registration,
        bias_correction=parameters.bias_correction,
        overwrite=overwrite,
        progress=progress,
        store=store,
    )
    return RerunResult(
        _hashes(result.provenance) == _hashes(former),
        tuple(_differences(former, result.provenance)),
        former,
        result,
    )


def _find(record: FileRecord, role: str, sidecar: Path, *, labels: bool = False) -> Path | Volume:
    """The unchanged input, where it was or beside the sidecar."""
    if record.path is None:
        raise InputError(
            f"{shown(sidecar)}: {role} was handed over in memory, so the run cannot be repeated from files"
        )
    candidates = [Path(record.path), sidecar.parent / Path(record.path).name]
    for candidate in candidates:
        if candidate.exists():
            if load_image(candidate, role, labels=labels).record.sha256 != record.sha256:
                raise InputError(f"{shown(candidate)} has changed since the run; restore it to repeat the run")
            return candidate
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
