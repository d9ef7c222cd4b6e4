"""The host's scene is Slicer's own: nodes, geometry and files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host

# Rotated by 30 degrees about the third axis, anisotropic, off centre.
COSINE, SINE = np.cos(np.pi / 6), np.sin(np.pi / 6)
ROTATION = np.array([[COSINE, -SINE, 0.0], [SINE, COSINE, 0.0], [0.0, 0.0, 1.0]])
OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = ROTATION @ np.diag([0.9, 1.1, 3.0])
OBLIQUE[:3, 3] = (-12.0, 34.0, 56.0)


def add_ramp(name: str = "ramp") -> Any:
    import slicer

    ramp = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
    return slicer.util.addVolumeFromArray(ramp, slicer.util.vtkMatrixFromArray(OBLIQUE), name)


def ijk_to_ras(node: Any) -> np.ndarray[Any, Any]:
    import slicer
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return np.asarray(slicer.util.arrayFromVTKMatrix(matrix))


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz", ".mha"])
def test_an_oblique_volume_survives_a_file(slicer_host: Host, tmp_path: Path, ending: str) -> None:
    import slicer

    volume, path = add_ramp(), tmp_path / f"ramp{ending}"
    assert slicer.util.saveNode(volume, str(path))
    loaded = slicer.util.loadVolume(str(path))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), slicer.util.arrayFromVolume(volume))
    np.testing.assert_allclose(ijk_to_ras(loaded), OBLIQUE, atol=1e-5)


def test_simpleitk_reads_the_same_geometry_with_the_first_two_axes_negated(slicer_host: Host, tmp_path: Path) -> None:
    import SimpleITK as sitk
    import slicer

    path = tmp_path / "ramp.nrrd"
    slicer.util.saveNode(add_ramp(), str(path))
    image = sitk.ReadImage(str(path))
    ras_to_lps = np.diag([-1.0, -1.0, 1.0])
    np.testing.assert_allclose(np.reshape(image.GetDirection(), (3, 3)), ras_to_lps @ ROTATION, atol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), ras_to_lps @ OBLIQUE[:3, 3])
    np.testing.assert_allclose(image.GetSpacing(), (0.9, 1.1, 3.0))


def test_a_loaded_volume_is_shown_in_the_slice_views(slicer_host: Host, tmp_path: Path) -> None:
    import slicer

    path = tmp_path / "ramp.nrrd"
    slicer.util.saveNode(add_ramp(), str(path))
    loaded = slicer.util.loadVolume(str(path))
    composite = slicer.app.layoutManager().sliceWidget("Red").mrmlSliceCompositeNode()
    assert composite.GetBackgroundVolumeID() == loaded.GetID()


def test_a_missing_file_raises_with_its_name(slicer_host: Host, tmp_path: Path) -> None:
    import slicer

    with pytest.raises(RuntimeError, match=r"missing\.nrrd"):
        slicer.util.loadVolume(str(tmp_path / "missing.nrrd"))
    slicer_host.problems.found.clear()


def test_attributes_and_references_survive_an_mrb_file(slicer_host: Host, tmp_path: Path) -> None:
    import slicer

    source, synthetic = add_ramp("T1w"), add_ramp("SYNTHETIC FLAIR")
    synthetic.SetAttribute("MRTranslate.ModelName", "all-to-all")
    synthetic.SetNodeReferenceID("source", source.GetID())
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer_host.close_scene()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    loaded = slicer.util.getNode("SYNTHETIC FLAIR")
    assert loaded.GetAttribute("MRTranslate.ModelName") == "all-to-all"
    assert loaded.GetNodeReference("source").GetName() == "T1w"
    np.testing.assert_allclose(ijk_to_ras(loaded), OBLIQUE, atol=1e-5)


def test_volumes_get_a_lookup_table(slicer_host: Host) -> None:
    volume = add_ramp()
    volume.CreateDefaultDisplayNodes()
    assert volume.GetDisplayNode().GetColorNode() is not None


def test_a_segmentation_can_be_filled_and_read(slicer_host: Host) -> None:
    import slicer

    volume = add_ramp()
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lesion")
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(volume)
    segment = segmentation.GetSegmentation().AddEmptySegment("lesion")
    mask = np.zeros((2, 3, 4), dtype=np.uint8)
    mask[1, 1, 2] = 1
    slicer.util.updateSegmentBinaryLabelmapFromArray(mask, segmentation, segment, volume)
    read = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume)
    np.testing.assert_array_equal(read, mask)


def test_each_test_starts_with_a_scene_without_volumes(slicer_host: Host) -> None:
    import slicer

    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0
    add_ramp()
    slicer_host.reset()
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLVolumeNode") == 0
    assert slicer.mrmlScene is slicer_host.scene
