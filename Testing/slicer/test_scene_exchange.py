"""Nodes to files and back: exact geometry, whatever spacing and transforms; marks that survive a saved scene."""

import json

import numpy as np
import pytest

from MRTranslateLib.io import read_mask, read_volume, write_volume
from MRTranslateLib.volume import Volume
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
SHAPE = (9, 10, 11)  # k, j, i


@pytest.fixture
def exchange(slicer_host):
    from MRTranslateGui import SceneExchange

    return SceneExchange


@pytest.fixture
def results(slicer_host):
    from MRTranslateGui import Results

    return Results


def rotation():
    import vtk

    transform = vtk.vtkTransform()
    transform.RotateX(17)
    transform.RotateZ(-31)
    return transform


@pytest.fixture
def oblique(slicer_host):
    """An oblique, anisotropic volume with random voxels."""
    import slicer
    import vtk

    array = np.random.default_rng(3).integers(1, 900, SHAPE).astype(np.int16)
    node = slicer.util.addVolumeFromArray(array, name="T1w")
    matrix = vtk.vtkMatrix4x4()
    spacing = vtk.vtkTransform()
    spacing.Scale(0.9, 0.9, 3.0)
    vtk.vtkMatrix4x4.Multiply4x4(rotation().GetMatrix(), spacing.GetMatrix(), matrix)
    for row, value in enumerate((12.5, -40.25, 7.125)):
        matrix.SetElement(row, 3, value)
    node.SetIJKToRASMatrix(matrix)
    return node


def moved(node):
    """Put a node under a rigid transform."""
    import slicer

    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    rigid = rotation()
    rigid.Translate(5, 6, -7)
    transform.SetMatrixTransformToParent(rigid.GetMatrix())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


@pytest.mark.parametrize("transformed", [False, True])
def test_the_library_reads_a_volume_where_it_stands_in_the_world(exchange, oblique, tmp_path, transformed):
    import slicer

    if transformed:
        moved(oblique)
    exchange.exportVolume(oblique, tmp_path / "t1.nrrd")
    read = read_volume(tmp_path / "t1.nrrd")
    np.testing.assert_array_equal(read.array, slicer.util.arrayFromVolume(oblique).transpose(2, 1, 0))
    corner = np.zeros(3)
    oblique.TransformPointToWorld(_ras(oblique, (10, 9, 8)), corner)
    np.testing.assert_allclose((read.affine @ [10, 9, 8, 1])[:3], corner, atol=1e-9)


def _ras(node, ijk):
    import vtk

    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return matrix.MultiplyPoint([*ijk, 1])[:3]


def test_exporting_changes_nothing_about_the_node(exchange, oblique, tmp_path):
    transform = moved(oblique)
    storage, modified = oblique.GetStorageNodeID(), oblique.GetMTime()
    exchange.exportVolume(oblique, tmp_path / "t1.nrrd")
    assert (oblique.GetStorageNodeID(), oblique.GetMTime()) == (storage, modified)
    assert oblique.GetTransformNodeID() == transform.GetID()


@pytest.mark.parametrize("transformed", [False, True])
def test_a_result_gets_exactly_its_sources_geometry(exchange, oblique, tmp_path, transformed):
    import slicer

    if transformed:
        moved(oblique)
    exchange.exportVolume(oblique, tmp_path / "t1.nrrd")
    source = read_volume(tmp_path / "t1.nrrd")
    write_volume(tmp_path / "out.nii", source)
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "out")
    exchange.importOnto(tmp_path / "out.nii", node, oblique)
    np.testing.assert_array_equal(exchange.ijkToWorld(node), exchange.ijkToWorld(oblique))
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(oblique))


@pytest.mark.parametrize("fault", ["shifted", "cropped"])
def test_a_result_on_another_grid_is_refused_and_the_node_left_alone(exchange, oblique, tmp_path, fault):
    import slicer

    affine = exchange.ijkToWorld(oblique)
    array = slicer.util.arrayFromVolume(oblique).transpose(2, 1, 0)
    if fault == "shifted":
        affine[0, 3] += 0.5
    else:
        array = array[:-1]
    write_volume(tmp_path / "out.nii", Volume(np.ascontiguousarray(array), affine))
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "out")
    with pytest.raises(ValueError, match="another grid than T1w"):
        exchange.importOnto(tmp_path / "out.nii", node, oblique)
    assert node.GetImageData() is None


def test_warped_and_empty_volumes_are_refused_in_words(exchange, oblique):
    import slicer

    assert exchange.problemOf(oblique, "T1w") is None
    warp = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    import vtk

    spline = slicer.vtkOrientedBSplineTransform() if hasattr(slicer, "vtkOrientedBSplineTransform") else None
    if spline is None:
        thin = vtk.vtkThinPlateSplineTransform()
        warp = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
        warp.SetAndObserveTransformToParent(thin)
    oblique.SetAndObserveTransformNodeID(warp.GetID())
    assert "warped by the transform warp" in exchange.problemOf(oblique, "T1w")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    assert "empty holds no image" in exchange.problemOf(empty, "T2w")
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "brain")
    assert "no segments" in exchange.problemOf(segmentation, "Brain mask")


def test_a_segmentation_becomes_labels_on_the_sources_grid_and_leaves_no_node(exchange, oblique, tmp_path):
    import slicer

    labels = np.zeros(SHAPE, np.uint8)
    labels[2:5, 3:7, 4:9], labels[6:8, 3:7, 4:9] = 1, 2
    labelmap = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    slicer.util.updateVolumeFromArray(labelmap, labels)
    labelmap.CopyOrientation(oblique)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "lesions")
    slicer.vtkSlicerSegmentationsModuleLogic.ImportLabelmapToSegmentationNode(labelmap, segmentation)
    before = slicer.mrmlScene.GetNumberOfNodes()
    exchange.exportMask(segmentation, tmp_path / "mask.nrrd", oblique)
    assert slicer.mrmlScene.GetNumberOfNodes() == before
    read = read_mask(tmp_path / "mask.nrrd")
    np.testing.assert_allclose(read.affine, exchange.ijkToWorld(oblique), atol=1e-6)
    np.testing.assert_array_equal(read.array, labels.transpose(2, 1, 0))


def test_marks_and_references_survive_saving_and_loading_the_scene(results, oblique, tmp_path):
    import slicer

    record = {
        "model": {"name": "m", "version": "1.2.3", "weights_sha256": "ab"},
        "warnings": ['"a"; b:c & <d> \u00e4 %20\n'],
    }
    node = results.newVolume(results.syntheticName("FLAIR", oblique))
    slicer.util.updateVolumeFromArray(node, np.ones(SHAPE, np.int16))
    results.mark(node, kind="volume", target="FLAIR", sources={"T1w": oblique}, reference=oblique, provenance=record)
    assert slicer.util.saveScene(str(tmp_path / "scene.mrb"))
    slicer.mrmlScene.Clear()
    slicer.util.loadScene(str(tmp_path / "scene.mrb"))
    read = slicer.util.getNode("SYNTHETIC FLAIR from T1w")
    assert results.isSynthetic(read)
    assert results.provenanceOf(read) == record
    assert read.GetAttribute("MRTranslate.Model.version") == "1.2.3"
    for reference in (results.FIRST_SOURCE_REFERENCE, results.REFERENCE_REFERENCE, "MRTranslate.Source.T1w"):
        assert read.GetNodeReference(reference).GetName() == "T1w"


def test_a_result_written_into_a_users_node_says_synthetic_in_its_name(results, oblique):
    node = results.newVolume("my output")
    results.mark(node, kind="volume", target="FLAIR", sources={"T1w": oblique}, reference=None, provenance={})
    assert node.GetName() == "SYNTHETIC my output"


def test_marking_again_forgets_the_former_sources(results, oblique):
    node, other = results.newVolume("x"), results.newVolume("T2w")
    results.mark(
        node, kind="volume", target="FLAIR", sources={"T1w": oblique, "T2w": other}, reference=other, provenance={}
    )
    results.mark(node, kind="volume", target="FLAIR", sources={"T2w": other}, reference=None, provenance={})
    assert node.GetNodeReference("MRTranslate.Source.T1w") is None
    assert node.GetNodeReference(results.REFERENCE_REFERENCE) is None
    assert node.GetNodeReference(results.FIRST_SOURCE_REFERENCE) is other


def test_a_result_lies_in_the_study_of_its_source(results, oblique):
    import slicer

    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    item = hierarchy.GetItemByDataNode(oblique) or hierarchy.CreateItem(study, oblique)
    hierarchy.SetItemParent(item, study)
    node = results.newVolume("SYNTHETIC")
    results.placeBeside(node, oblique)
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == study


def test_the_window_is_the_sources_in_the_results_unit(results, oblique):
    node = results.newVolume("SYNTHETIC")
    oblique.CreateDefaultDisplayNodes()
    results.setWindow(oblique, 500, 200)
    results.matchWindow(node, oblique, likeUnit=400)
    assert (node.GetDisplayNode().GetWindow(), node.GetDisplayNode().GetLevel()) == (1250, 500)


def test_the_provenance_is_stored_as_plain_json(results, oblique):
    node = results.newVolume("x")
    results.mark(
        node, kind="volume", target="FLAIR", sources={"T1w": oblique}, reference=None, provenance={"a": [1, None]}
    )
    assert json.loads(node.GetAttribute(results.PROVENANCE_ATTRIBUTE)) == {"a": [1, None]}
