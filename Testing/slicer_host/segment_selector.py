"""Chooses a segmentation and one of its segments."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, QSignalBlocker, Signal

from Testing.slicer_host.node_combo_box import qMRMLNodeComboBox
from Testing.slicer_host.node_observers import NodeObservers


class qMRMLSegmentSelectorWidget(QtWidgets.QWidget):
    """A node selector for segmentations and, below it, a combo box over the segments of the chosen one."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node_selector, self._segments = qMRMLNodeComboBox(), QtWidgets.QComboBox()
        self._node_selector.setNodeTypes(["vtkMRMLSegmentationNode"])
        self._node_selector.setAddEnabled(False)
        self._node_selector.setRemoveEnabled(False)
        self._observers = NodeObservers(self)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._node_selector)
        layout.addWidget(self._segments)
        self._node_selector.currentNodeChanged.connect(self._node_changed)
        self._segments.currentIndexChanged.connect(lambda _: self.currentSegmentChanged.emit(self.currentSegmentID()))

    def setMRMLScene(self, scene: Any) -> None:
        """List the segmentations of ``scene``."""
        self._node_selector.setMRMLScene(scene)

    def mrmlScene(self) -> Any:
        """The scene in use."""
        return self._node_selector.mrmlScene()

    def currentNode(self) -> Any:
        """The chosen segmentation, or None."""
        return self._node_selector.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        """Choose a segmentation."""
        self._node_selector.setCurrentNode(node)

    def _get_current_node_id(self) -> str:
        return self._node_selector._get_current_id()

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose a segmentation by its ID."""
        self._node_selector.setCurrentNodeID(node_id)

    def currentSegmentID(self) -> str:
        """The chosen segment, or an empty text."""
        return self._segments.currentData() or ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        """Choose a segment."""
        self._segments.setCurrentIndex(self._segments.findData(segment_id))

    def _node_changed(self, node: Any) -> None:
        self._observers.remove_all()
        if node is not None:
            for event in (vtk.vtkCommand.ModifiedEvent, node.GetSegmentation().SegmentModified):
                self._observers.add(node, event, self._list_segments)
            for event in (node.GetSegmentation().SegmentAdded, node.GetSegmentation().SegmentRemoved):
                self._observers.add(node.GetSegmentation(), event, self._list_segments)
        self._list_segments()
        self.currentNodeChanged.emit(node)

    def _list_segments(self) -> None:
        node, before = self.currentNode(), self.currentSegmentID()
        with QSignalBlocker(self._segments):
            self._segments.clear()
            if self._get_none_enabled():
                self._segments.addItem("None", "")
            if node is not None:
                segmentation = node.GetSegmentation()
                for segment_id in segmentation.GetSegmentIDs():
                    self._segments.addItem(segmentation.GetSegment(segment_id).GetName(), segment_id)
            self._segments.setCurrentIndex(max(0, self._segments.findData(before)))
        if self.currentSegmentID() != before:
            self.currentSegmentChanged.emit(self.currentSegmentID())

    def _get_none_enabled(self) -> bool:
        return self._node_selector._get_none_enabled()

    def setNoneEnabled(self, enabled: bool) -> None:
        """Whether no segmentation may be chosen."""
        self._node_selector.setNoneEnabled(enabled)
        self._list_segments()

    def _get_node_selector_visible(self) -> bool:
        return not self._node_selector.isHidden()

    def setSegmentationNodeSelectorVisible(self, visible: bool) -> None:
        """Whether the segmentation can be chosen here."""
        self._node_selector.setVisible(visible)

    currentNodeID = Property(str, _get_current_node_id, setCurrentNodeID)
    noneEnabled = Property(bool, _get_none_enabled, setNoneEnabled)
    segmentationNodeSelectorVisible = Property(bool, _get_node_selector_visible, setSegmentationNodeSelectorVisible)
