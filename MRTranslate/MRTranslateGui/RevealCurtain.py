"""A curtain over one slice view that shows, right of a line, what a linked view of the same size shows there."""

from __future__ import annotations

from typing import Any

import vtk


class RevealCurtain:
    """Draws the image of ``other`` over the right part of ``view``; both are slice widgets of one linked comparison."""

    def __init__(self, view: Any, other: Any) -> None:
        self._view, self._other = view, other
        self._fraction = 0.5
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        self._mapper.UseCustomExtentsOn()
        self._actor = vtk.vtkActor2D()
        self._actor.SetMapper(self._mapper)
        self._actor.GetProperty().SetDisplayLocationToBackground()
        self._actor.SetLayerNumber(1)  # over the slice, under annotations
        self._renderer = view.sliceView().renderWindow().GetRenderers().GetFirstRenderer()
        self._renderer.AddViewProp(self._actor)
        self._logic = other.sliceLogic()
        self._observation = self._logic.AddObserver(vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def setPosition(self, percent: float) -> None:
        """Hang the curtain's edge at this share of the view's width, 0 (all covered) to 100 (nothing)."""
        self._fraction = min(max(percent / 100.0, 0.0), 1.0)
        self._update()

    def remove(self) -> None:
        """Take the curtain away for good."""
        self._logic.RemoveObserver(self._observation)
        self._renderer.RemoveViewProp(self._actor)
        self._view.sliceView().scheduleRender()

    def _update(self, *_arguments: object) -> None:
        connection = self._logic.GetImageDataConnection()
        width, height = self._other.mrmlSliceNode().GetDimensions()[:2]
        edge = round(self._fraction * width)
        self._actor.SetVisibility(bool(connection) and edge < width)
        if connection:
            self._mapper.SetInputConnection(connection)
            self._mapper.SetCustomDisplayExtents((edge, width - 1, 0, height - 1))
            self._actor.SetPosition(edge, 0)
        self._view.sliceView().scheduleRender()
