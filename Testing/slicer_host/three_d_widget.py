"""A 3D view, minimal: real displayable managers for models, segmentations and slices; no volume rendering."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import slicer
from PySide6 import QtWidgets

from Testing.slicer_host.view import MRMLView

# Volume rendering is left out: in software it takes half a minute for one picture.
_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLViewDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
    "vtkMRMLMarkupsDisplayableManager",
)


def _factory() -> Any:
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    for name in _MANAGERS:
        if not factory.IsDisplayableManagerRegistered(name):
            factory.RegisterDisplayableManager(name)
    return factory


class qMRMLThreeDView(MRMLView):
    """The 3D scene of one view node."""

    def __init__(self, view_node: Any) -> None:
        super().__init__(_factory(), view_node)
        self._node = view_node
        self._style = slicer.vtkMRMLThreeDViewInteractorStyle()
        self._style.SetDisplayableManagers(self._managers)
        self._style.SetInteractor(self._interactor)

    def release(self) -> None:
        """Let go of the scene."""
        # The style keeps its managers: slicer-core crashes when they are taken from a 3D style.
        self._interactor.SetInteractorStyle(None)
        super().release()

    def mrmlViewNode(self) -> Any:
        """The vtkMRMLViewNode."""
        return self._node

    def resetFocalPoint(self) -> None:
        """Look at the middle of what is shown."""
        self._renderer.ResetCamera()
        self.scheduleRender()

    resetCamera = resetFocalPoint


class qMRMLThreeDWidget(QtWidgets.QWidget):
    """Bar and view of one 3D view node."""

    def __init__(self, application_logic: Any, view_node: Any) -> None:
        super().__init__()
        self._logic = slicer.vtkMRMLViewLogic()
        self._logic.SetMRMLApplicationLogic(application_logic)
        self._logic.SetMRMLScene(view_node.GetScene())
        self._view, self._controller = qMRMLThreeDView(view_node), QtWidgets.QLabel(view_node.GetLayoutLabel())
        self._controller.setFixedHeight(22)
        self._controller.setStyleSheet("background: rgb(116, 113, 208); padding-left: 4px;")
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._controller)
        layout.addWidget(self._view, 1)

    def release(self) -> None:
        """Let go of the scene."""
        self._view.release()
        self._logic.SetMRMLScene(None)

    def threeDView(self) -> qMRMLThreeDView:
        """The view."""
        return self._view

    def threeDController(self) -> QtWidgets.QWidget:
        """The bar."""
        return self._controller

    def mrmlViewNode(self) -> Any:
        """The vtkMRMLViewNode."""
        return self._view.mrmlViewNode()

    def viewLogic(self) -> Any:
        """The vtkMRMLViewLogic."""
        return self._logic
