"""The node selector lists what is in the scene, and keeps to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from Testing.slicer_host.host import Host


@pytest.fixture
def selector(slicer_host: Host) -> Any:
    import slicer

    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.noneEnabled = True
    box.addEnabled = False
    box.removeEnabled = False
    box.setMRMLScene(slicer.mrmlScene)
    return box


def add(name: str, class_name: str = "vtkMRMLScalarVolumeNode") -> Any:
    import slicer

    return slicer.mrmlScene.AddNewNodeByClass(class_name, name)


def shown(selector: Any) -> list[str]:
    box = selector.comboBox()
    return [box.itemText(index) for index in range(box.count)]


def pick(selector: Any, text: str) -> None:
    """What a user does: choose a line of the open list."""
    box = selector.comboBox()
    index = box.findText(text)
    assert index >= 0, f"{text} is not offered among {shown(selector)}"
    box.currentIndex = index
    box.activated(index)


def test_it_lists_the_nodes_of_its_types_only(selector: Any) -> None:
    add("T1w")
    add("transform", "vtkMRMLLinearTransformNode")
    assert shown(selector) == ["None", "T1w"]


def test_subclasses_are_listed_unless_child_types_are_off(selector: Any) -> None:
    add("labels", "vtkMRMLLabelMapVolumeNode")
    assert shown(selector) == ["None", "labels"]
    selector.showChildNodeTypes = False
    assert shown(selector) == ["None"]


def test_it_follows_a_new_name(selector: Any) -> None:
    node = add("T1w")
    node.SetName("T1w after contrast")
    assert shown(selector) == ["None", "T1w after contrast"]


def test_hidden_nodes_are_listed_on_request_only(selector: Any) -> None:
    import slicer

    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName("hidden")
    node.HideFromEditorsOn()
    slicer.mrmlScene.AddNode(node)
    assert shown(selector) == ["None"]
    selector.showHidden = True
    assert shown(selector) == ["None", "hidden"]


def test_choosing_a_line_makes_its_node_current_and_says_so(selector: Any) -> None:
    node = add("T1w")
    heard: list[Any] = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    pick(selector, "T1w")
    assert selector.currentNode() is node
    assert selector.currentNodeID == node.GetID()
    assert heard == [node]


def test_removing_the_current_node_leaves_none(selector: Any) -> None:
    import slicer

    node = add("T1w")
    heard: list[Any] = []
    selector.setCurrentNode(node)
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    slicer.mrmlScene.RemoveNode(node)
    assert selector.currentNode() is None
    assert heard == [None]


@pytest.mark.parametrize(("removed", "next_one"), [("T1w", "T2w"), ("T2w", "PDw"), ("PDw", "T2w")])
def test_removing_the_current_node_makes_its_neighbour_current(selector: Any, removed: str, next_one: str) -> None:
    # Measured on a QComboBox: the row stays current; Slicer's selector goes from behind the last node back to it.
    import slicer

    nodes = {name: add(name) for name in ("T1w", "T2w", "PDw")}
    selector.setCurrentNode(nodes[removed])
    heard: list[Any] = []
    selector.connect("currentNodeChanged(vtkMRMLNode*)", heard.append)
    slicer.mrmlScene.RemoveNode(nodes[removed])
    assert selector.currentNode() is nodes[next_one]
    assert heard == [nodes[next_one]]


def test_without_none_the_first_node_is_taken(selector: Any) -> None:
    selector.noneEnabled = False
    assert selector.currentNode() is None
    node = add("T1w")
    add("T2w")
    assert selector.currentNode() is node


def test_a_node_that_is_not_listed_cannot_be_chosen(selector: Any) -> None:
    selector.setCurrentNode(add("transform", "vtkMRMLLinearTransformNode"))
    assert selector.currentNode() is None


def test_create_new_adds_a_node_of_the_first_type_and_chooses_it(selector: Any) -> None:
    import slicer

    selector.addEnabled = True
    selector.baseName = "Output"
    heard: list[Any] = []
    selector.connect("nodeAddedByUser(vtkMRMLNode*)", heard.append)
    pick(selector, "Create new Volume")
    assert selector.currentNode().GetName() == "Output"
    assert heard == [selector.currentNode()]
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1


def test_delete_and_rename_act_on_the_current_node(selector: Any, slicer_host: Host) -> None:
    import slicer

    selector.removeEnabled = True
    selector.renameEnabled = True
    selector.setCurrentNode(add("T1w"))

    def type_a_name(dialog: Any) -> None:
        dialog.setTextValue("T1w, better")
        dialog.accept()

    slicer_host.dialogs.answer_next(type_a_name)
    pick(selector, "Rename current Volume")
    assert selector.currentNode().GetName() == "T1w, better"
    pick(selector, "Delete current Volume")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_attributes_restrict_the_list(selector: Any) -> None:
    add("plain")
    add("synthetic").SetAttribute("MRTranslate.Synthetic", "1")
    selector.addAttribute("vtkMRMLScalarVolumeNode", "MRTranslate.Synthetic", "1")
    assert shown(selector) == ["None", "synthetic"]


def test_a_closed_scene_leaves_an_empty_list(selector: Any, slicer_host: Host) -> None:
    selector.setCurrentNode(add("T1w"))
    slicer_host.close_scene()
    assert shown(selector) == ["None"]
    assert selector.currentNode() is None


def test_a_deleted_selector_observes_nothing(slicer_host: Host) -> None:
    import slicer

    before = len(slicer_host.scene_observers.alive)
    box = slicer.qMRMLNodeComboBox()
    box.setMRMLScene(slicer.mrmlScene)
    assert len(slicer_host.scene_observers.alive) > before
    box.deleteLater()
    slicer_host.delete_later()
    assert len(slicer_host.scene_observers.alive) == before


def test_the_segment_selector_lists_the_segments_of_its_segmentation(slicer_host: Host) -> None:
    import slicer

    selector = slicer.qMRMLSegmentSelectorWidget()
    selector.setMRMLScene(slicer.mrmlScene)
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    selector.setCurrentNode(segmentation)
    assert selector.currentSegmentID() == ""
    first = segmentation.GetSegmentation().AddEmptySegment("core")
    second = segmentation.GetSegmentation().AddEmptySegment("rim")
    assert selector.currentSegmentID() == first
    heard: list[str] = []
    selector.connect("currentSegmentChanged(QString)", heard.append)
    selector.setCurrentSegmentID(second)
    assert heard == [second]


def test_the_table_view_shows_the_cells_of_its_table(slicer_host: Host) -> None:
    import slicer

    table = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTableNode", "scores")
    view = slicer.qMRMLTableView()
    view.setMRMLTableNode(table)
    table.AddColumn().SetName("region")
    table.AddEmptyRow()
    table.SetCellText(0, 0, "lesion")
    model = view.model()
    assert (model.rowCount(), model.columnCount()) == (1, 1)
    assert model.data(model.index(0, 0)) == "lesion"
    assert model.headerData(0, horizontal()) == "region"


def horizontal() -> Any:
    import qt

    return qt.Qt.Horizontal
