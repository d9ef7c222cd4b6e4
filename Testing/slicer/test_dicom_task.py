"""A result of the scene as DICOM: by the real library, from the nodes as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pydicom
import pytest

from MRTranslateLib.io import read_volume
from MRTranslateLib.provenance import sidecar_path
from Testing.library.dicom_examples import clinical_series, oblique_volume, synthetic, write_result
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


@pytest.fixture
def logic(slicer_host):
    """The console with a worker that works here and now."""
    from MRTranslateGui.Console import Console
    from MRTranslateGui.InProcessWorker import InProcessWorker
    from MRTranslateGui.TaskRunner import TaskRunner

    made = Console(InProcessWorker())
    made.runner = TaskRunner(made.worker, lambda step: step())
    yield made
    made.close()


def node_of(volume, name, record, kind):
    """A node as a translation leaves it in the scene."""
    import slicer
    import vtk

    from MRTranslateGui import Results

    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    matrix = vtk.vtkMatrix4x4()
    for row in range(4):
        for column in range(4):
            matrix.SetElement(row, column, volume.affine[row, column])
    node.SetIJKToRASMatrix(matrix)
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(volume.array.T))
    Results.mark(node, kind=kind, target="FLAIR", sources={"T1w": node}, reference=None, provenance=record)
    return node


@pytest.fixture
def scene(slicer_host, tmp_path):
    """A result with its maps in the scene, and the folder of its source's series."""
    from MRTranslateGui import Results

    grid = oblique_volume()
    clinical_series(tmp_path / "series", grid)
    write_result(tmp_path / "flair.nrrd", synthetic(grid), source=tmp_path / "series", maps=True)
    record = json.loads(sidecar_path(tmp_path / "flair.nrrd").read_text(encoding="utf-8"))
    node = node_of(read_volume(tmp_path / "flair.nrrd"), "SYNTHETIC FLAIR", record, "volume")
    for name, role in (("attention", Results.ATTENTION_REFERENCE), ("uncertainty", Results.UNCERTAINTY_REFERENCE)):
        made = node_of(read_volume(tmp_path / f"{name}.nii.gz"), f"SYNTHETIC {name}", record, name)
        node.SetNodeReferenceID(role, made.GetID())
    return node, tmp_path / "series"


def test_every_slice_says_what_it_is_and_lies_where_the_node_does(logic, scene, tmp_path):
    node, series = scene
    files = logic.exportDICOM(node, tmp_path / "out", series)
    slices = [pydicom.dcmread(path) for path in files if Path(path).parent.name != "maps"]
    assert len(slices) == node.GetImageData().GetDimensions()[2]
    assert {one.SyntheticData for one in slices} == {"YES"}
    assert {one.ImageType[0] for one in slices} == {"DERIVED"}
    assert {str(one.PatientID) for one in slices} == {"P-0815"}
    made = read_volume(tmp_path / "out")
    brightest = np.unravel_index(np.argmax(made.array), made.shape)
    assert np.allclose((made.affine @ [*brightest, 1])[:3], landmark_of(node), atol=1e-3)


def landmark_of(node):
    import slicer

    from MRTranslateGui.SceneExchange import ijkToWorld

    k, j, i = np.unravel_index(np.argmax(slicer.util.arrayFromVolume(node)), slicer.util.arrayFromVolume(node).shape)
    return (ijkToWorld(node) @ [i, j, k, 1])[:3]


def test_maps_go_along_unless_they_are_not_wanted(logic, scene, tmp_path):
    node, series = scene
    names = {path.rpartition("/")[2] for path in logic.exportDICOM(node, tmp_path / "out", series)}
    assert {"attention.dcm", "uncertainty.dcm"} <= names
    without = logic.exportDICOM(node, tmp_path / "plain", series, maps=False)
    assert not [path for path in without if Path(path).parent.name == "maps"]


def test_a_result_that_was_painted_on_is_refused(logic, scene, tmp_path):
    import slicer

    node, series = scene
    slicer.util.arrayFromVolume(node)[0, 0, 0] += 1
    slicer.util.arrayFromVolumeModified(node)
    with pytest.raises(RuntimeError, match="it was altered, replaced or damaged since"):
        logic.exportDICOM(node, tmp_path / "out", series)
    assert not (tmp_path / "out").exists()


def test_an_acquired_volume_is_refused(logic, slicer_host, tmp_path):
    import slicer

    node = slicer.util.addVolumeFromArray(np.ones((4, 4, 4)), name="T1w")
    with pytest.raises(ValueError, match="T1w is no result of MRTranslate"):
        logic.exportDICOM(node, tmp_path / "out", tmp_path)
