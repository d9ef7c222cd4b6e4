"""Draw every perturbation at every level on a phantom, to be looked at.

Run from the repository root::

    python Testing/picture_perturbations.py perturbations.png [--hard] [--renormalise] [--contrast T2w] [--seed 1]

One row per perturbation, one column per level. Axial slices in radiological convention; thick slices are shown as a
coronal plane, across the slices.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from MRTranslateLib.contrast import Contrast, parse_contrast
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.preprocessing.normalization import brain_scale, normalize
from MRTranslateLib.robustness.perturbations import NUM_LEVELS, PERTURBATIONS, Perturbation, perturb
from MRTranslateLib.volume import to_canonical, to_slices

HEIGHT = 230
"""Rows of a picture; its width follows."""
LABEL = 16
TITLE_WIDTH = 150
MARGIN_VOXELS = 6


def phantom_volume(contrast: Contrast, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A glioma at 1 mm: normalised slices ``(S, H, W)`` and the brain mask, in canonical axes, field of view 240 mm."""
    phantom = make_phantom(seed, grid=brain_grid(), contrasts=[contrast], noise=0.01, bias=0.1)
    image, mask = to_canonical(phantom.volumes[contrast]), to_canonical(phantom.brain_mask)
    brain = to_slices(mask.array) != 0
    values = to_slices(normalize(image.array, brain_scale(image, mask))) * brain
    return torch.from_numpy(np.ascontiguousarray(values)), torch.from_numpy(np.ascontiguousarray(brain))


def row_of(
    perturbation: Perturbation, volume: torch.Tensor, brain: torch.Tensor, args: argparse.Namespace
) -> Image.Image:
    """All levels of one perturbation side by side, the clean image first."""
    across = perturbation.name in ("thick_slices", "dropped_source")
    middle = int(brain.sum(dim=(1, 2)).argmax())
    seed, kept = args.seed, brain.any(dim=1 if across else 0)
    row = int(brain.any(dim=0).any(dim=1).nonzero().float().mean())
    rows, columns = (with_margin(kept.any(dim=axis)) for axis in (1, 0))
    around = slice(0, None) if across else slice(middle - 1, middle + 2)
    pictures = []
    for level in range(NUM_LEVELS + 1):
        worse = perturb(
            volume[around],
            perturbation.name,
            level,
            seed=seed,
            voxel_size_mm=(1.0, 1.0, 1.0),
            brain=brain[around],
            renormalise=args.renormalise,
            hard=args.hard,
        )
        plane = (worse[:, row] if across else worse[1])[rows, columns]
        pictures.append(labelled(plane.numpy(), perturbation.at(level, hard=args.hard).label if level else "clean"))
    width = sum(picture.width for picture in pictures) + TITLE_WIDTH
    strip = Image.new("RGB", (width, HEIGHT + LABEL), (18, 18, 20))
    title = perturbation.title.replace(" ", "\n")
    ImageDraw.Draw(strip).text((8, HEIGHT / 2), title, (235, 235, 235), ImageFont.load_default(17), anchor="lm")
    left = TITLE_WIDTH
    for picture in pictures:
        strip.paste(picture, (left, 0))
        left += picture.width
    return strip


def with_margin(occupied: torch.Tensor) -> slice:
    """From the first to the last place that is occupied, and a little more."""
    places = occupied.nonzero()[:, 0]
    return slice(max(int(places[0]) - MARGIN_VOXELS, 0), int(places[-1]) + 1 + MARGIN_VOXELS)


def labelled(plane: NDArray[np.float32], label: str) -> Image.Image:
    """One picture, anterior (or superior) up and the patient's right on the left, with its parameters below."""
    grey = np.round(np.clip(plane[::-1, ::-1], 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(grey))
    scale = min(HEIGHT / picture.height, 0.85 * HEIGHT / picture.width)
    picture = picture.resize((round(picture.width * scale), round(picture.height * scale)), Image.Resampling.BICUBIC)
    canvas = Image.new("RGB", (round(0.85 * HEIGHT) + 4, HEIGHT + LABEL), (18, 18, 20))
    canvas.paste(picture, ((canvas.width - picture.width) // 2, (HEIGHT - picture.height) // 2))
    draw = ImageDraw.Draw(canvas)
    draw.text((canvas.width / 2, HEIGHT + LABEL / 2), label, (220, 220, 220), ImageFont.load_default(12), anchor="mm")
    return canvas


def main() -> None:
    """Read the arguments, draw, save."""
    parser = argparse.ArgumentParser(description="Draw every perturbation at every level on a phantom.")
    parser.add_argument("output", type=Path)
    parser.add_argument("--contrast", type=parse_contrast, default=Contrast.T2W)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hard", action="store_true", help="the levels of ROOD-MRI")
    parser.add_argument("--renormalise", action="store_true", help="scale by the spoilt image's own percentile")
    args = parser.parse_args()
    volume, brain = phantom_volume(args.contrast, seed=3)
    chosen = [entry for entry in PERTURBATIONS.values() if entry.hard_levels or not args.hard]
    strips = [row_of(entry, volume, brain, args) for entry in chosen]
    page = Image.new("RGB", (max(strip.width for strip in strips), sum(strip.height for strip in strips)))
    top = 0
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    page.save(args.output)


if __name__ == "__main__":
    main()
