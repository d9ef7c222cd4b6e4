from __future__ import annotations

import numpy as np
import pytest

from MRTranslateLib.figure import ERROR_RANGE, Panel, comparison_figure

SHAPE = (100, 120, 90)
SPACING_MM = (1.5, 1.5, 1.5)
"""150 x 180 x 135 mm: at 1.6 pixels per mm, 240 right to left, 288 front to back, 216 top to bottom."""
LANDMARK = (80, 100, 60)
TOPS = (30, 30 + 288 + 4, 30 + 288 + 216 + 8)
"""Of the axial, coronal and sagittal row: below the titles, with gaps of 4."""
HEIGHTS = (288, 216, 216)


def grey_block(shape=SHAPE, value=0.2) -> np.ndarray:
    return np.full(shape, value, np.float32)


def with_landmark() -> np.ndarray:
    array = grey_block()
    array[tuple(slice(at - 1, at + 2) for at in LANDMARK)] = 1
    return array


def figure(*panels: Panel, point=LANDMARK, spacing_mm=SPACING_MM, caption="Model tiny") -> np.ndarray:
    return np.asarray(comparison_figure(panels, spacing_mm, point, caption)).astype(int)


def tile(pixels: np.ndarray, row: int, column: int = 0) -> np.ndarray:
    left = 4 + column * 292
    return pixels[TOPS[row] : TOPS[row] + HEIGHTS[row], left : left + 288]


def bright_spot(pixels: np.ndarray) -> tuple[float, float]:
    """Row and column of the middle of what is brighter than the letters of orientation, in pixels."""
    row, column = np.argwhere(pixels.min(axis=2) > 170).mean(axis=0) + 0.5
    return float(row), float(column)


def test_the_picture_has_a_column_per_panel_and_room_for_titles_legend_and_caption():
    image = comparison_figure([Panel("a", grey_block())] * 3, SPACING_MM, LANDMARK, "Model tiny")
    assert image.mode == "RGB"
    assert image.size == (3 * 292 + 4, 30 + 288 + 216 + 216 + 3 * 4 + 46 + 34)


@pytest.mark.parametrize("column", [0, 1])
def test_axial_shows_the_patients_right_on_the_left_and_the_front_on_top(column):
    spot = bright_spot(tile(figure(*[Panel("", with_landmark())] * 2), 0, column))
    np.testing.assert_allclose(spot, ((119 - 100 + 0.5) * 2.4, 24 + (99 - 80 + 0.5) * 2.4), atol=1)


def test_coronal_shows_the_patients_right_on_the_left_and_the_vertex_on_top():
    spot = bright_spot(tile(figure(Panel("", with_landmark())), 1))
    np.testing.assert_allclose(spot, ((89 - 60 + 0.5) * 2.4, 24 + (99 - 80 + 0.5) * 2.4), atol=1)


def test_sagittal_shows_the_front_on_the_left_and_the_vertex_on_top():
    pixels = tile(figure(Panel("", grey_block()), Panel("", with_landmark())), 2, column=1)
    np.testing.assert_allclose(bright_spot(pixels), ((89 - 60 + 0.5) * 2.4, (119 - 100 + 0.5) * 2.4), atol=1)


def test_thick_slices_are_stretched_to_their_size_in_the_patient():
    thin = figure(Panel("", grey_block()))
    thick = figure(Panel("", grey_block((100, 120, 30))), spacing_mm=(1.5, 1.5, 4.5), point=(50, 60, 15))
    assert thick.shape == thin.shape


def test_a_brain_in_a_corner_of_a_large_field_of_view_is_shown_whole():
    array = np.zeros((220, 220, 200), np.float32)
    array[: SHAPE[0], : SHAPE[1], : SHAPE[2]] = 1
    shown = figure(Panel("", array), point=(50, 60, 45))
    axial = shown[30 : 30 + 305, 4 : 4 + 305].min(axis=2) > 170  # cropped to 120 voxels and 7 of margin
    assert axial.sum() == pytest.approx(240 * 288, rel=0.02)


def test_a_point_outside_the_content_shows_the_nearest_plane_in_it():
    np.testing.assert_array_equal(
        figure(Panel("", with_landmark()), point=(500, -3, 89)), figure(Panel("", with_landmark()), point=(99, 0, 89))
    )


def test_an_empty_volume_makes_a_black_tile_and_no_error():
    pixels = figure(Panel("", grey_block(value=0.0)))
    assert not tile(pixels, 0)[:, 30:].any()


def error_colour(value: float) -> list[int]:
    return tile(figure(Panel("", grey_block()), Panel("e", grey_block(value=value), is_error=True)), 0, 1)[
        144, 144
    ].tolist()


def test_no_error_is_black():
    assert error_colour(0.0) == [0, 0, 0]


def test_errors_are_coloured_up_to_the_end_of_the_scale_and_no_further():
    assert error_colour(ERROR_RANGE) == error_colour(3 * ERROR_RANGE) == [252, 255, 164]


def test_a_larger_error_is_lighter():
    luminance = [np.dot(error_colour(share * ERROR_RANGE), (0.2126, 0.7152, 0.0722)) for share in np.linspace(0, 1, 9)]
    assert all(np.diff(luminance) > 5)


def test_images_are_grey_from_0_to_1_and_clipped_beyond():
    colours = [tile(figure(Panel("", grey_block(value=value))), 0)[144, 144].tolist() for value in (0.2, 1.0, 1.7)]
    assert colours == [[51] * 3, [255] * 3, [255] * 3]


def coloured(pixels: np.ndarray) -> np.ndarray:
    """Whether a pixel has the amber of the notice."""
    return (pixels[..., 0] > 180) & (pixels[..., 2] < 100)


@pytest.mark.parametrize("caption", ["", "Model tiny", "A very long caption " * 12])
def test_the_notice_stands_whole_at_the_foot_whatever_the_caption(caption):
    foot = figure(Panel("", grey_block()), caption=caption)[-34:]
    columns = np.flatnonzero(coloured(foot).any(axis=0))
    whole = np.flatnonzero(coloured(figure(*[Panel("", grey_block())] * 4, caption="")[-34:]).any(axis=0))
    assert columns.size == whole.size > 60
    assert columns[-1] < foot.shape[1] - 4
    if caption:
        written = np.flatnonzero((foot.min(axis=2) > 120).any(axis=0))
        assert written[-1] < columns[0]


def test_only_an_error_panel_has_a_colour_scale():
    def legend(*panels: Panel) -> np.ndarray:
        return figure(*panels)[-34 - 46 : -34]

    image, error = Panel("", grey_block()), Panel("", grey_block(), is_error=True)
    assert (legend(image, image) == legend(image, image)[0, 0]).all()
    assert (legend(image, error)[:, :292] == legend(image, image)[0, 0]).all()
    assert (legend(image, error)[:, 292:].max(axis=(0, 1)) > 150).all()
