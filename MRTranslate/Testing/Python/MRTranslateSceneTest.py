"""Runs inside Slicer by ``ctest``: results in the scene, without torch and without a worker."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import numpy as np
import slicer
import slicer.util
import vtk


class MRTranslateSceneTest(unittest.TestCase):
    """Geometry and marks of a result survive the way through files and through a saved scene."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()

    def test_an_exported_volume_keeps_its_world_geometry(self) -> None:
        from MRTranslateGui.SceneExchange import exportVolume, ijkToWorld

        node = slicer.util.addVolumeFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5), name="T1w")
        node.SetSpacing(0.9, 1.1, 3.0)
        node.SetOrigin(-10.5, 20.25, 7.0)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        matrix = vtk.vtkTransform()
        matrix.RotateX(12)
        matrix.Translate(3, -4, 5)
        transform.SetMatrixTransformToParent(matrix.GetMatrix())
        node.SetAndObserveTransformNodeID(transform.GetID())
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "volume.nrrd")
            exportVolume(node, path)
            read = slicer.util.loadVolume(str(path))
        np.testing.assert_allclose(ijkToWorld(read), ijkToWorld(node), atol=1e-9)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(read), slicer.util.arrayFromVolume(node))

    def test_marks_survive_saving_the_scene(self) -> None:
        from MRTranslateGui import Results

        source = slicer.util.addVolumeFromArray(np.ones((3, 4, 5)), name="T1w")
        node = slicer.util.addVolumeFromArray(np.ones((3, 4, 5)), name=Results.syntheticName("FLAIR", source))
        record = {"model": {"name": "m", "version": "1.2.3"}, "warnings": ['"quoted"; with: signs & \u00e4']}
        Results.mark(node, kind="volume", target="FLAIR", sources={"T1w": source}, reference=None, provenance=record)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "scene.mrb"))
            assert slicer.util.saveScene(path)
            slicer.mrmlScene.Clear()
            slicer.util.loadScene(path)
        read = slicer.util.getNode("SYNTHETIC FLAIR from T1w")
        assert Results.isSynthetic(read)
        assert Results.provenanceOf(read) == record
        assert read.GetNodeReference(Results.FIRST_SOURCE_REFERENCE).GetName() == "T1w"
