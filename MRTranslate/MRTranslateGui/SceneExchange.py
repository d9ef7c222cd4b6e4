"""Nodes to files for the worker, and files back to nodes on exactly the source's geometry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _

from .RawVolumeFile import readNifti, writeNrrd

GRID_TOLERANCE_MM = 0.01
"""A result's corners may differ this much from its source's: NIfTI rounds to single precision."""


def nodeOf(nodeID: str) -> Any:
    """The node of that ID.

    Raises:
        ValueError: If it was deleted meanwhile.
    """
    node = slicer.mrmlScene.GetNodeByID(nodeID)
    if node is None:
        raise ValueError(_("An input was deleted from the scene while it was needed: nothing was loaded. Apply again."))
    return node


def problemOf(node: Any, name: str) -> str | None:
    """Why a node cannot be handed to the worker, as one sentence; None if it can.

    Args:
        node: A volume, labelmap or segmentation node.
        name: How the panel calls it, for example ``T1w``.
    """
    if node.IsA("vtkMRMLSegmentationNode"):
        if node.GetSegmentation().GetNumberOfSegments() == 0:
            return _("{name}: the segmentation {node} holds no segments.").format(name=name, node=node.GetName())
    else:
        image = node.GetImageData()
        if image is None or image.GetNumberOfPoints() == 0:
            return _("{name}: the volume {node} holds no image.").format(name=name, node=node.GetName())
        if image.GetNumberOfScalarComponents() != 1:
            return _("{name}: the volume {node} has several values per voxel.").format(name=name, node=node.GetName())
    transform = node.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        return _("{name}: {node} is warped by the transform {transform}: harden it first.").format(
            name=name, node=node.GetName(), transform=transform.GetName()
        )
    return None


def ijkToWorld(node: Any) -> np.ndarray[Any, Any]:
    """A volume's 4 x 4 matrix from voxels to world RAS in mm, its parent transform included."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    transform = node.GetParentTransformNode()
    if transform is not None:
        toWorld = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToWorld(toWorld)
        vtk.vtkMatrix4x4.Multiply4x4(toWorld, matrix, matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def lieOnOneGrid(first: Any, second: Any) -> bool:
    """Whether the voxels of two volumes lie at the same places of the world; not if one of them has none."""
    images = first.GetImageData(), second.GetImageData()
    if None in images or images[0].GetDimensions() != images[1].GetDimensions():
        return False
    return bool(np.abs(ijkToWorld(first) - ijkToWorld(second)).max() < 1e-3)


def exportVolume(node: Any, path: Path) -> None:
    """Write a volume where it stands in the world; the node itself, its transform and its storage stay as they are.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the node holds no scalar volume.
    """
    writeNrrd(path, slicer.util.arrayFromVolume(node), ijkToWorld(node))


def exportMask(node: Any, path: Path, like: Any) -> None:
    """Write a labelmap as it is, or a segmentation as labels 1, 2, ... on the grid of the volume ``like``.

    Raises:
        OSError: If the file cannot be written.
        ValueError: If the segmentation cannot be drawn on that grid.
    """
    if not node.IsA("vtkMRMLSegmentationNode"):
        exportVolume(node, path)
        return
    before = set(_nodeIDs())
    labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "MRTranslate temporary labels")
    labels.SetHideFromEditors(True)
    segments = vtk.vtkStringArray()
    node.GetSegmentation().GetSegmentIDs(segments)
    try:
        export = slicer.vtkSlicerSegmentationsModuleLogic.ExportSegmentsToLabelmapNode
        if not export(node, segments, labels, like):
            raise ValueError(_("the segmentation {node} cannot be drawn as labels").format(node=node.GetName()))
        exportVolume(labels, path)
    finally:  # the labels bring a display node and a colour table with them
        for nodeID in set(_nodeIDs()) - before:
            if temporary := slicer.mrmlScene.GetNodeByID(nodeID):
                slicer.mrmlScene.RemoveNode(temporary)


def _nodeIDs() -> list[str]:
    scene = slicer.mrmlScene
    return [scene.GetNthNode(index).GetID() for index in range(scene.GetNumberOfNodes())]


def importOnto(path: Path, node: Any, like: Any) -> None:
    """Fill ``node`` with the file's voxels, on the grid and under the transform of the volume ``like``.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If the file lies on another grid than ``like``; nothing is changed then.
    """
    fillOnto(node, *readNifti(path), like)


def fillOnto(
    node: Any, array: np.ndarray[Any, Any], affine: np.ndarray[Any, Any], like: Any, *, underTransform: bool = True
) -> None:
    """The same with voxels and matrix as :func:`readNifti` gives them; without ``like``'s transform if so asked.

    Raises:
        ValueError: As :func:`importOnto`.
    """
    _requireGrid(array, affine, like)
    matrix = vtk.vtkMatrix4x4()
    like.GetIJKToRASMatrix(matrix)
    node.SetIJKToRASMatrix(matrix)
    if underTransform:
        node.SetAndObserveTransformNodeID(like.GetTransformNodeID())
    slicer.util.updateVolumeFromArray(node, array)


def _requireGrid(array: np.ndarray[Any, Any], affine: np.ndarray[Any, Any], like: Any) -> None:
    shape = tuple(reversed(like.GetImageData().GetDimensions()))
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    corners[:, :3] *= np.array(shape[::-1]) - 1
    apart = float(np.abs(corners @ (affine - ijkToWorld(like)).T).max())
    if array.shape != shape or apart > GRID_TOLERANCE_MM:
        raise ValueError(
            _("the result lies on another grid than {node}, {apart:.3g} mm apart: it was not loaded").format(
                node=like.GetName(), apart=apart
            )
        )
