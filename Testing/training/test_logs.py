"""Tables, curves and pictures of a run."""

from __future__ import annotations

import csv

import numpy as np
from PIL import Image

from training.logs import append_row, draw_curves


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_value_that_comes_later_gets_a_column_and_loses_nothing(tmp_path):
    path = tmp_path / "base.csv"
    append_row(path, {"step": 1, "loss": 0.5})
    append_row(path, {"step": 2, "loss": 0.4, "student": 0.1})
    append_row(path, {"step": 3, "student": 0.2})
    assert [(row["step"], row["loss"], row["student"]) for row in rows_of(path)] == [
        ("1", "0.5", ""),
        ("2", "0.4", "0.1"),
        ("3", "", "0.2"),
    ]


def test_curves_show_a_falling_loss_as_a_line_that_falls(tmp_path):
    for step in range(30):
        append_row(tmp_path / "base.csv", {"step": step, "seconds": step, "loss": 1.0 - step / 30})
    draw_curves(tmp_path)
    picture = np.asarray(Image.open(tmp_path / "curves.png")).astype(int)
    blue = (picture[..., 2] > 150) & (picture[..., 0] < 80)
    columns = np.flatnonzero(blue.any(axis=0))
    heights = [float(np.flatnonzero(blue[:, column]).mean()) for column in columns]
    assert len(columns) > 100
    assert heights[-1] > heights[0] + 50  # rows count downwards


def test_a_run_without_tables_draws_nothing(tmp_path):
    draw_curves(tmp_path)
    assert not (tmp_path / "curves.png").exists()
