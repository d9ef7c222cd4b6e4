"""The host's views are real: what is in the scene is in the pixels, and linked views move together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host

SIZE = 32
TWO_SLICE_VIEWS = """
<layout type="horizontal" split="true">
 <item><view class="vtkMRMLSliceNode" singletontag="Left">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">L</property>
 </view></item>
 <item><view class="vtkMRMLSliceNode" singletontag="Right">
  <property name="orientation" action="default">Axial</property>
  <property name="viewlabel" action="default">R</property>
 </view></item>
</layout>
"""


def slice_widget(name: str = "Red") -> Any:
    import slicer

    return slicer.app.layoutManager().sliceWidget(name)


def show_uniform_background(value: int = 50) -> Any:
    """A grey volume with a window from 0 to 100, filling all slice views."""
    import slicer

    volume = slicer.util.addVolumeFromArray(np.full((SIZE, SIZE, SIZE), value, dtype=np.int16), name="background")
    volume.CreateDefaultDisplayNodes()
    volume.GetDisplayNode().SetAutoWindowLevel(False)
    volume.GetDisplayNode().SetWindowLevelMinMax(0, 100)
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
    return volume


def central_pixel(name: str = "Red") -> np.ndarray[Any, Any]:
    pixels = slice_widget(name).sliceView().pixels()
    height, width, _ = pixels.shape
    return np.asarray(pixels[height // 2 - 5, width // 2 - 5], dtype=int)


@pytest.mark.parametrize("view", ["Red", "Yellow", "Green"])
def test_half_the_window_is_half_bright(slicer_host: Host, view: str) -> None:
    show_uniform_background(50)
    np.testing.assert_allclose(central_pixel(view), 127, atol=2)


def test_a_heat_map_overlay_is_red_where_it_is_hot_and_grey_where_it_is_transparent(slicer_host: Host) -> None:
    import slicer

    show_uniform_background(50)
    hot = np.zeros((SIZE, SIZE, SIZE), dtype=np.float32)
    hot[:, :, : SIZE // 2] = 0.7
    attention = slicer.util.addVolumeFromArray(hot, name="attention")
    attention.CreateDefaultDisplayNodes()
    display = attention.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeRed")
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(0, 0.7)
    display.SetLowerThreshold(0.1)
    display.SetApplyThreshold(True)
    slicer.util.setSliceViewerLayers(foreground=attention, foregroundOpacity=1.0)
    pixels = slice_widget().sliceView().pixels().astype(int)
    height, width, _ = pixels.shape
    # Radiological view: the first columns (i = 0, right) are on the left side of the picture... of an identity matrix.
    left, right = pixels[height // 2, width // 2 - 30], pixels[height // 2, width // 2 + 30]
    hot_pixel, cold_pixel = (left, right) if left[0] > right[0] else (right, left)
    assert hot_pixel[0] > 200
    assert hot_pixel[1] < 40
    np.testing.assert_allclose(cold_pixel, 127, atol=3)


def test_patient_right_is_on_the_left_of_an_axial_view(slicer_host: Host) -> None:
    import slicer

    volume = show_uniform_background(0)
    array = slicer.util.arrayFromVolume(volume)
    array[:, :, SIZE // 2 :] = 100  # i grows to the right of the patient: the IJK to RAS matrix is the identity
    slicer.util.arrayFromVolumeModified(volume)
    pixels = slice_widget("Red").sliceView().pixels()
    height, width, _ = pixels.shape
    assert pixels[height // 2, width // 2 - 40, 0] > 250
    assert pixels[height // 2, width // 2 + 40, 0] < 5


def test_the_wheel_scrolls_by_one_slice(slicer_host: Host) -> None:
    import qt

    show_uniform_background()
    view, logic = slice_widget().sliceView(), slice_widget().sliceLogic()
    before = logic.GetSliceOffset()
    position = qt.QPointF(view.width / 2, view.height / 2)
    angle = qt.QPoint(0, 120)
    event = qt.QWheelEvent(
        position, position, qt.QPoint(), angle, qt.Qt.NoButton, qt.Qt.NoModifier, qt.Qt.NoScrollPhase, False
    )
    slicer_host.app.sendEvent(view, event)
    assert abs(logic.GetSliceOffset() - before) == pytest.approx(1.0)


def two_axial_views(*, linked: bool) -> tuple[Any, Any]:
    import slicer

    layout_node = slicer.app.layoutManager().layoutLogic().GetLayoutNode()
    layout_node.AddLayoutDescription(1501, TWO_SLICE_VIEWS)
    slicer.app.layoutManager().setLayout(1501)
    widgets = slice_widget("Left"), slice_widget("Right")
    for widget in widgets:
        widget.mrmlSliceCompositeNode().SetLinkedControl(linked)
        widget.mrmlSliceCompositeNode().SetHotLinkedControl(linked)
    show_uniform_background()
    return widgets


@pytest.mark.parametrize("linked", [True, False])
def test_linked_views_scroll_together_and_others_do_not(slicer_host: Host, linked: bool) -> None:
    left, right = two_axial_views(linked=linked)
    left.sliceController().setSliceOffsetValue(7.0)
    assert left.sliceLogic().GetSliceOffset() == pytest.approx(7.0)
    assert (right.sliceLogic().GetSliceOffset() == pytest.approx(7.0)) is linked


def test_a_layout_shows_the_views_it_names_and_only_those(slicer_host: Host) -> None:
    import slicer

    two_axial_views(linked=False)
    assert slice_widget("Left").visible
    assert not slice_widget("Red").visible
    assert slicer.app.layoutManager().layout == 1501
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert slice_widget("Red").visible
    assert not slice_widget("Left").visible


def test_a_corner_annotation_changes_the_picture(slicer_host: Host) -> None:
    import vtk

    show_uniform_background()
    view = slice_widget().sliceView()
    before = view.pixels()
    view.cornerAnnotation().SetText(vtk.vtkCornerAnnotation.UpperRight, "SYNTHETIC")
    changed = np.argwhere((view.pixels() != before).any(axis=2))
    height, width, _ = before.shape
    assert len(changed) > 50
    assert (changed[:, 0] < height / 3).all()
    assert (changed[:, 1] > width / 2).all()


def test_a_colour_legend_is_drawn_at_the_side(slicer_host: Host) -> None:
    import slicer

    volume = show_uniform_background()
    view = slice_widget().sliceView()
    before = view.pixels()
    legend = slicer.modules.colors.logic().AddDefaultColorLegendDisplayNode(volume)
    legend.SetVisibility(True)
    slicer_host.app.processEvents()
    changed = np.argwhere((view.pixels() != before).any(axis=2))
    assert len(changed) > 200
    assert changed[:, 1].min() > before.shape[1] / 2


def test_a_segmentation_is_drawn_on_the_slice(slicer_host: Host) -> None:
    import slicer

    volume = show_uniform_background()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lesion")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = segmentation.GetSegmentation().AddEmptySegment("lesion", "lesion", (1.0, 0.0, 0.0))
    mask = np.zeros((SIZE, SIZE, SIZE), dtype=np.uint8)
    mask[8:24, 8:24, 8:24] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    slicer_host.app.processEvents()
    red, green, _ = central_pixel()
    assert red > green + 30


def test_closing_the_scene_empties_the_views(slicer_host: Host) -> None:
    show_uniform_background(100)
    assert central_pixel()[0] > 250
    slicer_host.close_scene()
    assert central_pixel()[0] == 0


def test_views_are_written_as_png(slicer_host: Host, tmp_path: Path) -> None:
    from PIL import Image

    from Testing.slicer_host import screenshot

    show_uniform_background()
    screenshot.grab_views(tmp_path / "views.png", 640, 480)
    slice_widget().sliceView().capture(tmp_path / "red.png")
    with Image.open(tmp_path / "views.png") as picture:
        assert picture.size == (640, 480)
        assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10
    with Image.open(tmp_path / "red.png") as picture:
        assert picture.size == (slice_widget().sliceView().width, slice_widget().sliceView().height)
