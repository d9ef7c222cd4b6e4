"""A slice view with its controller bar, on Slicer's real slice logic, displayable managers and interactor style."""

# ruff: noqa: N801 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import slicer
import vtk
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import QSignalBlocker, Qt

from Testing.slicer_host.ctk_numbers import ctkDoubleSlider
from Testing.slicer_host.node_observers import NodeObservers
from Testing.slicer_host.view import MRMLView

_MANAGERS = (
    "vtkMRMLVolumeGlyphSliceDisplayableManager",
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLOrientationMarkerDisplayableManager",
    "vtkMRMLRulerDisplayableManager",
    "vtkMRMLScalarBarDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLTransformsDisplayableManager2D",
    "vtkMRMLLinearTransformsDisplayableManager",
    "vtkMRMLColorLegendDisplayableManager",
)


def _factory() -> Any:
    factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
    for name in _MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory


class qMRMLSliceView(MRMLView):
    """The image of one slice: blended volume layers below, what the displayable managers add above."""

    def __init__(self, logic: Any) -> None:
        super().__init__(_factory(), logic.GetSliceNode())
        self._logic = logic
        logic.SetDisplayableManagerGroup(self._managers)
        self._logic_tag = logic.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: self._show_image())
        # The wheel has no LightBoxRendererManagerProxy, so the image gets its actor here.
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._actor.SetVisibility(False)
        self._renderer.AddViewProp(self._actor)
        self._style = slicer.vtkMRMLSliceViewInteractorStyle()
        self._style.SetSliceLogic(logic)
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self._interactor)
        self._show_image()

    def _show_image(self) -> None:
        connection = self._logic.GetImageDataConnection()
        self._mapper.SetInputConnection(connection)
        self._actor.SetVisibility(connection is not None)
        self.scheduleRender()

    def release(self) -> None:
        """Let go of the scene."""
        self._style.SetInteractor(None)
        self._style.SetDisplayableManagers(None)
        self._style.SetSliceLogic(None)
        self._logic.RemoveObserver(self._logic_tag)
        self._logic.SetDisplayableManagerGroup(None)
        self._mapper.SetInputConnection(None)
        super().release()

    def mrmlSliceNode(self) -> Any:
        """The vtkMRMLSliceNode."""
        return self._logic.GetSliceNode()

    def interactorStyle(self) -> Any:
        """Slicer's style: wheel scrolls, right button zooms, and so on."""
        return self._style

    def sliceViewInteractorStyle(self) -> Any:
        """The same under its other name."""
        return self._style

    def view_resized(self, width: int, height: int) -> None:
        """Keep the zoom while the window changes."""
        self._logic.ResizeSliceNode(width, height)


class qMRMLSliceControllerWidget(QtWidgets.QFrame):
    """The bar above a slice view: its letter and colour, a slider over the slices, and the offset in millimetres."""

    def __init__(self, logic: Any) -> None:
        super().__init__()
        self._logic = logic
        node = logic.GetSliceNode()
        color = QtGui.QColor.fromRgbF(*node.GetLayoutColor())
        self.setObjectName("sliceController")
        self.setStyleSheet(f"#sliceController {{ background: {color.name()}; }}")
        self._label, self._slider, self._offset = (
            QtWidgets.QLabel(node.GetLayoutLabel()),
            ctkDoubleSlider(),
            QtWidgets.QLabel(),
        )
        self._label.setMinimumWidth(14)
        self._offset.setMinimumWidth(70)
        self._offset.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        layout.addWidget(self._label)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._offset)
        self.setFixedHeight(22)
        self._slider.valueChanged.connect(self.setSliceOffsetValue)
        self._observers = NodeObservers(self)
        self._observers.add(node, vtk.vtkCommand.ModifiedEvent, self._show)
        self._observers.add(logic, vtk.vtkCommand.ModifiedEvent, self._show)
        self._show()

    def _show(self) -> None:
        if self._logic.GetSliceNode() is None or self._logic.GetMRMLScene() is None:
            return
        bounds = [0.0] * 6
        self._logic.GetLowestVolumeSliceBounds(bounds)
        spacing = self._logic.GetLowestVolumeSliceSpacing()
        offset = self._logic.GetSliceOffset()
        with QSignalBlocker(self._slider):
            if bounds[5] > bounds[4]:
                self._slider.setSingleStep(max(spacing[2], 1e-3))
                self._slider.setRange(bounds[4] + spacing[2] / 2, bounds[5] - spacing[2] / 2)
            self._slider.setValue(offset)
        self._offset.setText(f"{offset:.1f} mm")

    def setSliceOffsetValue(self, offset: float) -> None:
        """Move to the slice at ``offset`` millimetres, with the linked views."""
        node = self._logic.GetSliceNode()
        self._logic.StartSliceNodeInteraction(node.SliceToRASFlag)
        self._logic.SetSliceOffset(offset)
        self._logic.EndSliceNodeInteraction()

    def sliceOffsetSlider(self) -> QtWidgets.QWidget:
        """The slider."""
        return self._slider

    def fitSliceToBackground(self) -> None:
        """Zoom so that the background volume fills the view."""
        self._logic.FitSliceToBackground()

    def setSliceVisible(self, visible: bool) -> None:
        """Show the slice in 3D views."""
        self._logic.GetSliceNode().SetSliceVisible(visible)

    def setSliceLink(self, linked: bool) -> None:
        """Link this view with its group."""
        self._logic.GetSliceCompositeNode().SetLinkedControl(linked)

    def mrmlSliceNode(self) -> Any:
        """The vtkMRMLSliceNode."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        """The vtkMRMLSliceCompositeNode."""
        return self._logic.GetSliceCompositeNode()


class qMRMLSliceWidget(QtWidgets.QWidget):
    """Controller bar and view of one slice node."""

    def __init__(self, application_logic: Any, slice_node: Any) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLSliceLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(slice_node.GetScene())
        self._logic.SetSliceNode(slice_node)
        application_logic.GetSliceLogics().AddItem(self._logic)
        self._application_logic = application_logic
        self._view, self._controller = qMRMLSliceView(self._logic), qMRMLSliceControllerWidget(self._logic)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)
        self.setObjectName(f"qMRMLSliceWidget{slice_node.GetLayoutName()}")

    def release(self) -> None:
        """Let go of the scene."""
        self._controller._observers.remove_all()
        self._view.release()
        self._application_logic.GetSliceLogics().RemoveItem(self._logic)
        self._logic.SetMRMLScene(None)

    def sliceLogic(self) -> Any:
        """The vtkMRMLSliceLogic."""
        return self._logic

    def sliceView(self) -> qMRMLSliceView:
        """The view."""
        return self._view

    def sliceController(self) -> qMRMLSliceControllerWidget:
        """The bar."""
        return self._controller

    def mrmlSliceNode(self) -> Any:
        """The vtkMRMLSliceNode."""
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        """The vtkMRMLSliceCompositeNode."""
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        """Zoom so that the background volume fills the view."""
        self._logic.FitSliceToBackground()
