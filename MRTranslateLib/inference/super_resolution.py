"""Super-resolves an acquired low-resolution target with the help of what was synthesised (system C, METHODS 3.1, 4.1).

Whatever the acquisition's orientation, it is imitated on its own grid: the synthetic volume is sampled on sub-voxels of
that grid, then k-space is cropped along its pixels and the slice profile is applied across its slices (proposals; the
paper crops k-space on the grid of the image). The same interpolation brings both back, so what differs between them is
what the acquisition shows the synthetic volume to lack. In the same way a branch may be told what the acquisition would
have hidden of the sources.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import ModelError
from MRTranslateLib.inference.device import Execution
from MRTranslateLib.inference.low_resolution import SEEN_TOLERANCE, AcquiredSlices, LowResolution
from MRTranslateLib.inference.prepare import Prepared
from MRTranslateLib.inference.slices import SliceJob, SliceResult, run_settings, translate_slices
from MRTranslateLib.models.components import SuperResolutionCard
from MRTranslateLib.networks.generator import Generator
from MRTranslateLib.networks.k_space import along_axis, coarse_centres, k_space_matrix, zero_filling_matrix
from MRTranslateLib.networks.low_resolution_target import LowResolutionTarget, hidden_details
from MRTranslateLib.networks.slice_profile import reconstruction_matrix, slice_profile_matrix
from MRTranslateLib.networks.super_resolution import SuperResolver
from MRTranslateLib.preprocessing.normalization import BRAIN_PERCENTILE
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.volume import Volume, from_slices, to_slices

LEAST_SHARE = 0.8
"""No acquisition that is worth using lowers the 99.5th percentile further; where it seems to, the synthesis failed."""
SYNTHESIS_SHARE = 0.6
"""Of the time, about; the rest is the branch's."""


def super_resolve(
    generator: Generator,
    resolver: SuperResolver,
    component: SuperResolutionCard,
    prepared: Prepared,
    low: LowResolution,
    execution: Execution,
    progress: Progress,
) -> SliceResult:
    """Synthesise the whole brain and super-resolve the acquired target with it.

    Args:
        generator: Weights loaded.
        resolver: Weights loaded; both are moved to the device and left there.
        component: What the resolver was trained for.
        prepared: The sources.
        low: What was acquired of the contrast that is wanted.
        execution: Where and how.
        progress: Told of stages ``translate`` and ``super-resolve``, 0..1 over both.

    Returns:
        The slices ``prepared.indices``, 0..1.

    Raises:
        ModelError: If the resolver needs what this version does not give it.
        CancelledError: If the caller asks to stop.
    """
    synthesis = synthesize_brain(generator, prepared, low.target, execution, progress.part(0.0, SYNTHESIS_SHARE))
    scaled = at_full_resolution_scale(low, prepared, synthesis.slices)
    resolved = resolve_slices(
        resolver, component, prepared, scaled, synthesis.slices, execution, progress.part(SYNTHESIS_SHARE, 1.0)
    )
    fallbacks = (*synthesis.fallbacks, *resolved.fallbacks)
    return SliceResult(resolved.slices, resolved.device, fallbacks, synthesis.curve)


def synthesize_brain(
    generator: Generator, prepared: Prepared, target: Contrast, execution: Execution, progress: Progress
) -> SliceResult:
    """Every slice of the brain's box, ``(S, H, W)``, also those between the output's; zero where no source shows any.

    The slices may be a part of the brain's: its range then ends beyond them.

    Arguments and errors as for :func:`super_resolve`.
    """
    first, last = prepared.brain_range
    rows = np.arange(max(first, 0), min(last + 1, _shape(prepared)[0]))
    job = replace(SliceJob.of(prepared, target), indices=rows)
    made = translate_slices(generator, job, execution, progress)
    volume = np.zeros(_shape(prepared), np.float32)
    volume[rows] = made.slices
    tissue = np.logical_or.reduce([source > 0 for source in prepared.slices.values()])
    return SliceResult(volume * tissue, made.device, made.fallbacks, made.curve)


def at_full_resolution_scale(low: LowResolution, prepared: Prepared, synthetic: NDArray[np.float32]) -> LowResolution:
    """The acquired target in units in which 1 is the 99.5th percentile of its contrast at full resolution.

    Large voxels blur the brightest away: in T2w, the 99.5th percentile falls by 3 to 8 % (measured at slices of 3 mm
    and at four times larger pixels), and a target normalised by its own would be brighter than everything the networks
    know by as much. How far it falls is read from the synthetic volume, never from a real one (proposal).

    Args:
        low: Normalised by its own percentile.
        prepared: The sources.
        synthetic: ``(S, H, W)``, every slice of the brain's box.
    """
    box = _box_grid(prepared, synthetic.shape)
    inside = resample(prepared.brain.volume, box, interpolation="nearest").array
    inside_low = resample(prepared.brain.volume, low.volume, transform=low.back, interpolation="nearest").array
    full = float(np.percentile(from_slices(synthetic)[inside], BRAIN_PERCENTILE))
    blurred = as_acquired(low, box.with_array(from_slices(synthetic)))
    share = float(np.percentile(blurred[inside_low], BRAIN_PERCENTILE)) / full if full > 0 else 1.0
    values = low.volume.array * np.float32(np.clip(share, LEAST_SHARE, 1.0))
    return replace(low, volume=low.volume.with_array(values))


def resolve_slices(
    resolver: SuperResolver,
    component: SuperResolutionCard,
    prepared: Prepared,
    low: LowResolution,
    synthetic: NDArray[np.float32],
    execution: Execution,
    progress: Progress,
) -> SliceResult:
    """Super-resolve with a synthetic volume ``(S, H, W)`` of the brain's box; see :func:`super_resolve`."""
    inputs = branch_inputs(resolver, component, prepared, low, synthetic)
    result = np.empty((len(prepared.indices), *synthetic.shape[1:]), np.float32)
    device, fallbacks = execution.device, list[str]()
    with run_settings(execution), torch.inference_mode():
        resolver.to(device).eval()
        done = 0
        while done < len(prepared.indices):
            progress.step("super-resolve", done / len(prepared.indices))
            try:
                predicted = _run(resolver, inputs, int(prepared.indices[done]), execution, device)
            except torch.OutOfMemoryError:
                if device == "cpu":
                    raise
                device = "cpu"
                resolver.to(device)
                torch.cuda.empty_cache()
                fallbacks.append("GPU memory ran out: super-resolved on the CPU")
                continue
            result[done] = predicted[: result.shape[1], : result.shape[2]]
            done += 1
    return SliceResult(result, device, tuple(fallbacks))


def acquired_slices(low: LowResolution, prepared: Prepared) -> AcquiredSlices:
    """What was acquired, to be looked at beside sources and result."""
    grid = _box_grid(prepared, _shape(prepared))
    values, covered = on_grid(low, low.volume.array, grid), covered_by(low, grid)
    return AcquiredSlices(values.clip(0, 1) * covered, covered)


@dataclass(frozen=True, eq=False)
class BranchInputs:
    """Everything the branch reads of one volume; ``H`` and ``W`` are multiples of its ``size_multiple``.

    Attributes:
        images: ``(S, H / r, W / r)``, the acquired target without surroundings; what the branch compares it with where
            it shows nothing.
        share: ``(S, H / r, W / r)``, how much of what each voxel shows is brain; it rings like the images.
        seen: The same acquisition of the synthetic volume; None where the branch was trained to compare in plane alone.
        synthetic: ``(S, H, W)``.
        sources: ``(5, S, H, W)``, zero where not given.
        voxel_size: Along slice, row and column axis, in voxels of the working grid.
        offsets: Where the neighbouring slices lie.
        hidden: ``(5, S, H, W)``, what the acquisition would not have shown of the sources, zero where not given; None
            for a branch that is not conditioned.
        target_code: ``(5,)``, one-hot, of the contrast that is wanted.
    """

    images: NDArray[np.float32]
    share: NDArray[np.float32]
    seen: NDArray[np.float32] | None
    synthetic: NDArray[np.float32]
    sources: NDArray[np.float32]
    voxel_size: tuple[float, float, float]
    offsets: tuple[int, ...]
    hidden: NDArray[np.float32] | None
    target_code: NDArray[np.float32]


def branch_inputs(
    resolver: SuperResolver,
    component: SuperResolutionCard,
    prepared: Prepared,
    low: LowResolution,
    synthetic: NDArray[np.float32],
) -> BranchInputs:
    """Bring the acquired target to the ratio at which it enters, and imitate the acquisition.

    Raises:
        ModelError: If the resolver needs a feature pyramid, or has no entry for this target.
    """
    if resolver.size.pyramid_widths:
        raise ModelError("this super-resolution branch needs the generator's features, which are not kept: train anew")
    ratio = low.entry_ratio(resolver.size.ratios)
    if ratio not in resolver.size.ratios:
        raise ModelError(
            f"the super-resolution branch enters at in-plane ratios {resolver.size.ratios} only, and {low.image.name} "
            "has too small pixels for that: choose a model that was trained on thick slices"
        )
    padding = [(0, -length % resolver.size.size_multiple) for length in synthetic.shape[1:]]
    padded = np.pad(synthetic, [(0, 0), *padding])
    grid = _entry_grid(prepared, padded.shape, ratio)
    fine = _box_grid(prepared, padded.shape)
    inside = np.pad(np.logical_or.reduce([source > 0 for source in prepared.slices.values()]), [(0, 0), *padding])
    share = _shown(low, inside.astype(np.float32), fine, grid)
    acquired = on_grid(low, low.volume.array, grid)
    if not low.stripped:
        acquired = acquired * share
    right, anterior, superior = low.working_sizes
    # Weights that were trained to start from the slices themselves saw no synthetic volume of thick slices.
    in_plane_alone = (
        component.thick_slices_start == "acquired" and ratio == 1 and max(right, anterior) <= SEEN_TOLERANCE
    )
    seen = None if in_plane_alone else _shown(low, padded, fine, grid)
    count = resolver.size.num_neighbours
    stride = prepared.grid.neighbour_stride if ratio == 1 else 0  # as in training
    sources = np.zeros((len(Contrast), *padded.shape), np.float32)
    for contrast, values in prepared.slices.items():
        sources[contrast.channel] = np.pad(values, [(0, 0), *padding])
    return BranchInputs(
        images=np.where(covered_by(low, grid), acquired, padded * share if seen is None else seen),
        share=share,
        seen=seen,
        synthetic=padded,
        sources=sources,
        voxel_size=(superior, anterior, right),
        offsets=tuple((position - count // 2) * stride for position in range(count)),
        hidden=_hidden(low, sources, inside, fine) if resolver.size.conditioned else None,
        target_code=np.eye(len(Contrast), dtype=np.float32)[low.target.channel],
    )


def _shown(low: LowResolution, slices: NDArray[np.float32], fine: Volume, grid: Volume) -> NDArray[np.float32]:
    """What the acquisition of ``low`` would have shown of slices of ``fine``, as ``(S, H, W)`` of ``grid``."""
    return on_grid(low, as_acquired(low, fine.with_array(from_slices(slices))), grid)


def _hidden(
    low: LowResolution, sources: NDArray[np.float32], inside: NDArray[np.bool_], fine: Volume
) -> NDArray[np.float32]:
    """What the acquisition of ``low`` would not have shown of sources ``(5, S, H, W)``; zero beyond its scan."""
    share, covered = torch.from_numpy(_shown(low, inside.astype(np.float32), fine, fine)), covered_by(low, fine)
    hidden = np.zeros_like(sources)
    for channel, source in enumerate(sources):
        if source.any():
            shown = torch.from_numpy(_shown(low, source, fine, fine))
            hidden[channel] = hidden_details(torch.from_numpy(source), shown, share).numpy() * covered
    return hidden


def as_acquired(low: LowResolution, volume: Volume) -> NDArray[np.float32]:
    """What the acquisition of ``low`` would have shown of another volume.

    Args:
        low: Its geometry counts: k-space is cropped along its pixels, the slice profile applied across its slices.
        volume: On canonical axes, 0..1, not much coarser than the working grid.

    Returns:
        float32, shape of ``low.volume``; 0..1 but for ringing.
    """
    counts = [max(1, round(size)) for size in low.sizes]
    fine = _subdivided(low.volume, counts)
    sampled = resample(volume, fine, transform=low.back, interpolation="bspline")
    values = torch.from_numpy(sampled.array)
    for axis, count in enumerate(counts):
        if count == 1:
            continue
        num_fine = values.shape[axis]
        if axis == low.slice_axis:
            matrix = slice_profile_matrix(coarse_centres(num_fine, num_fine // count), num_fine, count)
        else:
            matrix = k_space_matrix(num_fine, num_fine // count)
        values = along_axis(values, matrix, axis)
    result: NDArray[np.float32] = values.abs().numpy()
    return result


def on_grid(low: LowResolution, array: NDArray[np.float32], grid: Volume) -> NDArray[np.float32]:
    """Values on the grid of ``low`` at the voxels of another one, as slices; zero beyond its scan.

    Thick slices are brought back as the smoothest thin ones that average to them, and k-space along pixels that are
    larger than those of ``grid`` is filled with zeros, as in training; elsewhere cubic splines.
    """
    counts = [
        max(1, round(size / grid.spacing_mm[axis]))
        for size, axis in zip(low.volume.spacing_mm, low.working_axes, strict=True)
    ]
    values = torch.from_numpy(np.ascontiguousarray(array))
    for axis, count in enumerate(counts):
        if count > 1:
            values = along_axis(values, _refining_matrix(values.shape[axis], count, thick=axis == low.slice_axis), axis)
    finer = _subdivided(low.volume, counts).with_array(values.numpy())
    return np.ascontiguousarray(
        to_slices(resample(finer, grid, transform=low.transform, interpolation="bspline").array)
    )


def covered_by(low: LowResolution, grid: Volume) -> NDArray[np.bool_]:
    """Of which voxels of a grid, as slices, the scan of ``low`` shows anything."""
    field = low.volume.with_array(np.ones(low.volume.shape, np.uint8))
    covered = resample(field, grid, transform=low.transform, interpolation="nearest")
    return np.ascontiguousarray(to_slices(covered.array > 0))


def _refining_matrix(num_voxels: int, count: int, *, thick: bool) -> torch.Tensor:
    """From voxels along an axis to ``count`` as many, float64; ``thick`` for slices of a multi-slice scan."""
    num_fine = num_voxels * count
    if thick:
        return reconstruction_matrix(coarse_centres(num_fine, num_voxels), num_fine, count)
    return zero_filling_matrix(num_fine, num_voxels)


def _run(
    resolver: SuperResolver, inputs: BranchInputs, row: int, execution: Execution, device: str
) -> NDArray[np.float32]:
    """One slice ``(H, W)``, clipped to 0..1; beyond the ends of the volume the neighbours are those at the ends."""
    rows = [min(max(row + offset, 0), len(inputs.images) - 1) for offset in inputs.offsets]

    def batch(values: NDArray[np.float32]) -> torch.Tensor:
        return torch.from_numpy(values)[None].to(device)

    low_resolution = LowResolutionTarget(
        batch(inputs.images[rows]),
        torch.tensor([inputs.voxel_size], device=device),
        synthetic=None if inputs.seen is None else batch(inputs.seen[row, None]),
        share=batch(inputs.share[rows]),
        hidden=None if inputs.hidden is None else batch(inputs.hidden[:, row]),
        target_code=batch(inputs.target_code),
    )
    with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=execution.precision == "bf16"):
        resolved = resolver(low_resolution, batch(inputs.synthetic[row, None]), batch(inputs.sources[:, row]))
    prediction: NDArray[np.float32] = resolved.prediction[0, 0].float().clamp(0, 1).cpu().numpy()
    return prediction


def _shape(prepared: Prepared) -> tuple[int, int, int]:
    num_slices, height, width = next(iter(prepared.slices.values())).shape
    return num_slices, height, width


def _box_grid(prepared: Prepared, shape: tuple[int, ...]) -> Volume:
    """The brain's box in the working grid, canonical axes, for slices ``(S, H, W)``; the array is a placeholder."""
    affine = prepared.grid.grid.affine.copy()
    affine[:, 3] = affine @ [*(part.start for part in prepared.box), 1.0]
    return Volume(np.broadcast_to(np.float32(0), shape[::-1]), affine)


def _entry_grid(prepared: Prepared, shape: tuple[int, ...], ratio: int) -> Volume:
    """The box with ``ratio`` times larger pixels, same edges."""
    box = _box_grid(prepared, shape)
    affine = box.affine @ np.diag([ratio, ratio, 1.0, 1.0])
    affine[:, 3] = box.affine @ [(ratio - 1) / 2, (ratio - 1) / 2, 0.0, 1.0]
    right, anterior, superior = box.shape
    return Volume(np.broadcast_to(np.float32(0), (right // ratio, anterior // ratio, superior)), affine)


def _subdivided(volume: Volume, counts: list[int]) -> Volume:
    """The grid that cuts each voxel into ``counts`` parts along its axes; the array is a placeholder."""
    affine = volume.affine @ np.diag([*(1 / count for count in counts), 1.0])
    affine[:, 3] = volume.affine @ [*((1 / count - 1) / 2 for count in counts), 1.0]
    shape = tuple(length * count for length, count in zip(volume.shape, counts, strict=True))
    return Volume(np.broadcast_to(np.float32(0), shape), affine)
