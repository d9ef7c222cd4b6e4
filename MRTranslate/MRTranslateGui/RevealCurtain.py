"""A curtain over one slice view that shows, right of its edge, what a linked view shows of the same places."""

from __future__ import annotations

from typing import Any

import slicer.util
import vtk

EDGE_ATTRIBUTE = "MRTranslate.CurtainEdge"
"""On the slice composite node of a view with a curtain: its edge, 0..1 of the width from the left."""
EDGE_COLOR = (1.0, 0.85, 0.2)


class RevealCurtain(slicer.util.VTKObservationMixin):
    """Draws the image of ``other`` over the right part of ``view``, both slice widgets showing the same plane.

    Nothing is drawn before :meth:`setPosition`.
    The views may differ in size and zoom: each pixel of ``view`` is looked up where its place lies in ``other``.
    """

    def __init__(self, view: Any, other: Any) -> None:
        slicer.util.VTKObservationMixin.__init__(self)
        self._view, self._other = view, other
        self._fraction = 1.0
        self._toOther = vtk.vtkMatrix4x4()
        self._lookUp = vtk.vtkImageReslice()
        self._lookUp.SetInterpolationModeToLinear()
        self._lookUp.SetResliceAxes(self._toOther)
        self._lookUp.SetOutputOrigin(0.0, 0.0, 0.0)
        self._lookUp.SetOutputSpacing(1.0, 1.0, 1.0)
        self._lookUp.SetBackgroundColor(0.0, 0.0, 0.0, 255.0)
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._mapper.UseCustomExtentsOn()
        self._image = vtk.vtkActor2D()
        self._image.SetMapper(self._mapper)
        self._image.GetProperty().SetDisplayLocationToBackground()
        self._image.SetLayerNumber(1)  # over the slice, under annotations
        self._line = vtk.vtkLineSource()
        self._edge = _lineActor(self._line)
        self._renderer = view.sliceView().renderWindow().GetRenderers().GetFirstRenderer()
        for actor in (self._image, self._edge):
            self._renderer.AddViewProp(actor)
        for watched in (other.sliceLogic(), other.mrmlSliceNode(), view.mrmlSliceNode()):
            self.addObserver(watched, vtk.vtkCommand.ModifiedEvent, self._update)

    def setPosition(self, percent: float) -> None:
        """Hang the curtain's edge at this share of the view's width, 0 (all covered) to 100 (nothing)."""
        self._fraction = min(max(percent / 100.0, 0.0), 1.0)
        self._view.mrmlSliceCompositeNode().SetAttribute(EDGE_ATTRIBUTE, f"{self._fraction:.4f}")
        self._update()

    def remove(self) -> None:
        """Take the curtain away for good."""
        self.removeObservers()
        for actor in (self._image, self._edge):
            self._renderer.RemoveViewProp(actor)
        self._view.mrmlSliceCompositeNode().RemoveAttribute(EDGE_ATTRIBUTE)
        self._view.sliceView().scheduleRender()

    def _update(self, *_arguments: object) -> None:
        connection = self._other.sliceLogic().GetImageDataConnection()
        width, height = self._view.mrmlSliceNode().GetDimensions()[:2]
        edge = round(self._fraction * width)
        isDrawn = bool(connection) and edge < width
        self._image.SetVisibility(isDrawn)
        self._edge.SetVisibility(isDrawn)
        if isDrawn:
            self._followViews()
            self._lookUp.SetInputConnection(connection)
            self._lookUp.SetOutputExtent(0, width - 1, 0, height - 1, 0, 0)
            self._mapper.SetInputConnection(self._lookUp.GetOutputPort())
            self._mapper.SetCustomDisplayExtents((edge, width - 1, 0, height - 1))
            self._image.SetPosition(edge, 0)
            self._line.SetPoint1(edge, 0, 0)
            self._line.SetPoint2(edge, height, 0)
        self._view.sliceView().scheduleRender()

    def _followViews(self) -> None:
        """From pixels of the view over the patient to pixels of the other view; the plane is the same."""
        fromPatient = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self._other.mrmlSliceNode().GetXYToRAS(), fromPatient)
        vtk.vtkMatrix4x4.Multiply4x4(fromPatient, self._view.mrmlSliceNode().GetXYToRAS(), self._toOther)
        for column in range(4):
            self._toOther.SetElement(2, column, float(column == 2))


def _lineActor(line: Any) -> Any:
    mapper = vtk.vtkPolyDataMapper2D()
    mapper.SetInputConnection(line.GetOutputPort())
    actor = vtk.vtkActor2D()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*EDGE_COLOR)
    return actor
