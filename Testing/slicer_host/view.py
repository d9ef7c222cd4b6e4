"""What slice views and 3D views share: a real VTK render window, drawn off screen and shown in a Qt widget."""

# ruff: noqa: N815 (the names are Slicer's)

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Qt
from vtkmodules.util.numpy_support import vtk_to_numpy

_RENDER_DELAY_MS = 15
_BUTTONS = {
    Qt.MouseButton.LeftButton: "LeftButton",
    Qt.MouseButton.RightButton: "RightButton",
    Qt.MouseButton.MiddleButton: "MiddleButton",
}


class MRMLView(QtWidgets.QWidget):
    """A render window whose content is made by Slicer's displayable managers of one view node."""

    rendering_paused: ClassVar[bool] = False

    def __init__(self, factory: Any, view_node: Any) -> None:
        """Show ``view_node`` with the displayable managers registered at ``factory``."""
        super().__init__()
        self.setMinimumSize(60, 60)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.WheelFocus)
        self._image: QtGui.QImage | None = None
        self._render_window = vtk.vtkRenderWindow()
        self._render_window.SetOffScreenRendering(1)
        self._render_window.SetMultiSamples(0)
        self._render_window.SetSize(60, 60)
        self._renderer = vtk.vtkRenderer()
        self._render_window.AddRenderer(self._renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()
        self._interactor.SetRenderWindow(self._render_window)
        self._interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self._interactor.Initialize()
        self._managers = slicer.vtkMRMLDisplayableManagerGroup()
        self._managers.Initialize(factory, self._renderer)
        self._managers.SetMRMLDisplayableNode(view_node)
        self._managers_tag = self._managers.AddObserver(vtk.vtkCommand.UpdateEvent, lambda *_: self.scheduleRender())
        self._corner_annotation = vtk.vtkCornerAnnotation()
        self._corner_annotation.SetMaximumLineHeight(0.07)
        self._corner_annotation.SetMaximumFontSize(14)
        self._renderer.AddViewProp(self._corner_annotation)
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_RENDER_DELAY_MS)
        self._timer.timeout.connect(self._render_if_shown)

    def release(self) -> None:
        """Let go of the scene; the view is dead afterwards."""
        self._timer.stop()
        self._managers.RemoveObserver(self._managers_tag)
        self._managers.SetMRMLDisplayableNode(None)
        self._render_window.Finalize()

    # What modules call ----------------------------------------------------------------------------------------------

    def renderWindow(self) -> Any:
        """The vtkRenderWindow."""
        return self._render_window

    def renderer(self) -> Any:
        """The vtkRenderer of the whole window."""
        return self._renderer

    def interactor(self) -> Any:
        """The vtkRenderWindowInteractor."""
        return self._interactor

    def displayableManagerByClassName(self, class_name: str) -> Any:
        """One of the displayable managers, or None."""
        return self._managers.GetDisplayableManagerByClassName(class_name)

    def cornerAnnotation(self) -> Any:
        """The vtkCornerAnnotation on top of the view."""
        return self._corner_annotation

    def setCornerAnnotationText(self, text: str) -> None:
        """Text of the upper left corner, as ctkVTKAbstractView."""
        self._corner_annotation.SetText(vtk.vtkCornerAnnotation.UpperLeft, text)
        self.scheduleRender()

    cornerAnnotationText = QtCore.Property(
        str,
        lambda self: self._corner_annotation.GetText(vtk.vtkCornerAnnotation.UpperLeft) or "",
        setCornerAnnotationText,
    )

    def scheduleRender(self) -> None:
        """Draw soon, once for many changes."""
        if not self._timer.isActive():
            self._timer.start()

    def _render_if_shown(self) -> None:
        if self.isVisible() and not MRMLView.rendering_paused:
            self.forceRender()

    def forceRender(self) -> None:
        """Draw now."""
        self._render_window.Render()
        pixels = np.ascontiguousarray(self._read_pixels())
        height, width, _ = pixels.shape
        rgb = QtGui.QImage.Format.Format_RGB888
        self._image = QtGui.QImage(pixels.data, width, height, 3 * width, rgb).copy()
        self.update()

    def _read_pixels(self) -> NDArray[np.uint8]:
        reader = vtk.vtkWindowToImageFilter()
        reader.SetInput(self._render_window)
        reader.ReadFrontBufferOff()
        reader.ShouldRerenderOff()
        reader.Update()
        image = reader.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels: NDArray[np.uint8] = vtk_to_numpy(image.GetPointData().GetScalars())
        return pixels.reshape(height, width, 3)[::-1]

    # For tests ------------------------------------------------------------------------------------------------------

    def pixels(self) -> NDArray[np.uint8]:
        """What the view shows now: (height, width, 3), red green blue 0..255, first row on top."""
        self._render_window.Render()
        return self._read_pixels().copy()

    def capture(self, path: Path) -> None:
        """Write what the view shows now as an image file."""
        self.forceRender()
        if self._image is None or not self._image.save(str(path)):
            raise OSError(f"the view could not be written to {path}")

    # Qt events, handed to VTK -----------------------------------------------------------------------------------------

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Show the last image."""
        if self._image is None and not MRMLView.rendering_paused:
            self.forceRender()
        if self._image is not None:
            QtGui.QPainter(self).drawImage(self.rect(), self._image)

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Draw in the new size."""
        width, height = max(1, event.size().width()), max(1, event.size().height())
        self._interactor.UpdateSize(width, height)
        self._render_window.SetSize(width, height)
        self.view_resized(width, height)
        self._interactor.InvokeEvent("ConfigureEvent")
        self.scheduleRender()

    def view_resized(self, width: int, height: int) -> None:
        """Tell the view's logic; pixels."""

    def _forward(self, event: QtGui.QMouseEvent | QtGui.QWheelEvent, name: str) -> None:
        position, modifiers = event.position(), event.modifiers()
        control = bool(modifiers & Qt.KeyboardModifier.ControlModifier)
        shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        self._interactor.SetEventInformationFlipY(
            int(position.x()), int(position.y()), int(control), int(shift), chr(0), 0, None
        )
        self._interactor.InvokeEvent(name)

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        """To VTK."""
        self._forward(event, f"{_BUTTONS.get(event.button(), 'MiddleButton')}PressEvent")

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        """To VTK."""
        self._forward(event, f"{_BUTTONS.get(event.button(), 'MiddleButton')}ReleaseEvent")

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        """To VTK."""
        self._forward(event, "MouseMoveEvent")

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        """To VTK."""
        self._forward(event, "MouseWheelForwardEvent" if event.angleDelta().y() > 0 else "MouseWheelBackwardEvent")
