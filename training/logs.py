"""What a person looks at while a run goes on: tables, curves and pictures in its folder."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.files import atomic_file
from MRTranslateLib.networks.generator import Generator
from training.batch import StepBatch

PANEL_WIDTH, PANEL_HEIGHT, MARGIN = 420, 220, 46
LINE = (31, 119, 180)


def append_row(path: Path, row: dict[str, float]) -> None:
    """Add a row to a CSV table; a value that is new gets a column of its own, one that is missing stays empty."""
    rounded = {name: round(value, 5) for name, value in row.items()}
    columns, rows = _read_table(path)
    if set(row) <= set(columns):
        with path.open("a", encoding="utf-8", newline="") as file:
            csv.DictWriter(file, columns).writerow(rounded)
        return
    columns += [name for name in row if name not in columns]
    with atomic_file(path, overwrite=True) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows([*rows, rounded])


def _read_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.exists():
        return [], []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
        return list(reader.fieldnames or ()), rows


def draw_curves(folder: Path) -> None:
    """Draw every column of every table of a run over its steps, as ``curves.png``."""
    curves = []
    for path in sorted(folder.glob("*.csv")):
        columns, rows = _read_table(path)
        for name in columns:
            points = [(float(row["step"]), float(row[name])) for row in rows if row[name]]
            if name not in ("step", "seconds") and len(points) > 1:
                curves.append((f"{path.stem}: {name}", points))
    if not curves:
        return
    across = 3
    down = -(-len(curves) // across)
    canvas = Image.new("RGB", (across * PANEL_WIDTH, down * PANEL_HEIGHT), "white")
    for index, (title, points) in enumerate(curves):
        canvas.paste(_panel(title, points), (index % across * PANEL_WIDTH, index // across * PANEL_HEIGHT))
    _save(canvas, folder / "curves.png")


def _panel(title: str, points: list[tuple[float, float]]) -> Image.Image:
    panel = Image.new("RGB", (PANEL_WIDTH, PANEL_HEIGHT), "white")
    draw = ImageDraw.Draw(panel)
    steps, values = (np.array(column) for column in zip(*points, strict=True))
    low, high = float(values.min()), float(values.max())
    width, height = PANEL_WIDTH - MARGIN - 12, PANEL_HEIGHT - 56
    x = MARGIN + width * (steps - steps[0]) / max(float(np.ptp(steps)), 1)
    y = 28 + height * (1 - (values - low) / max(high - low, 1e-12))
    draw.rectangle((MARGIN, 28, MARGIN + width, 28 + height), outline=(200, 200, 200))
    draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=LINE, width=2)
    draw.text((MARGIN, 8), title, fill="black")
    draw.text((2, 22), f"{high:.3g}", fill="black")
    draw.text((2, 18 + height), f"{low:.3g}", fill="black")
    draw.text((MARGIN, 34 + height), f"step {steps[0]:.0f}", fill="black")
    draw.text((MARGIN + width - 60, 34 + height), f"{steps[-1]:.0f}", fill="black")
    return panel


@torch.no_grad()
def draw_samples(path: Path, generator: Generator, batch: StepBatch) -> None:
    """One row a wanted contrast: a source, the translation, the truth and their difference, all in one window."""
    pairs = batch.pairs()
    predicted = pairs.pick(generator.fast_pred(batch.slices, batch.target_code)).clamp(0, 1) * pairs.brain
    rows, names = [], []
    for index in range(len(pairs.rows)):
        given = int(pairs.availability[index].argmax())
        truth, synthetic = pairs.truth[index, 0], predicted[index, 0]
        difference = 0.5 + (synthetic - truth) * pairs.brain[index, 0]
        rows.append(torch.cat([pairs.sources[index, given], synthetic, truth, difference], dim=1).float().cpu().numpy())
        names.append(
            f"{list(Contrast)[given]} | {list(Contrast)[int(pairs.channels[index])]} synthetic | real | difference"
        )
    picture = Image.fromarray(_grey(np.concatenate(rows)))
    draw = ImageDraw.Draw(picture)
    for index, name in enumerate(names):
        draw.text((2, index * rows[0].shape[0] + 1), name, fill=255)
    _save(picture, path)


def _grey(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    result: NDArray[np.uint8] = (image.clip(0, 1) * 255).round().astype(np.uint8)
    return result


def _save(picture: Image.Image, path: Path) -> None:
    with atomic_file(path, overwrite=True) as temporary:
        picture.save(temporary, format="PNG")
