"""The node selector: a combo box over the nodes of a scene, kept true while nodes come, go and change their names."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from typing import Any

import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, QSignalBlocker, Signal

from Testing.slicer_host.node_observers import NodeObservers

_CREATE, _RENAME, _DELETE = "create", "rename", "delete"


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Lists the scene's nodes of some classes; one of them, or none, is current."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None
        self._node_types: list[str] = []
        self._hidden_types: list[str] = []
        self._attributes: dict[str, list[tuple[str, str | None]]] = {}
        self._none_enabled, self._add_enabled, self._remove_enabled, self._rename_enabled = False, True, True, False
        self._edit_enabled, self._show_hidden, self._show_child_types, self._select_on_add = False, False, True, True
        self._none_display, self._base_name, self._type_label = "None", "", ""
        self._current_id = ""
        self._scene_observers, self._name_observers = NodeObservers(self), NodeObservers(self)
        self._combo_box = QtWidgets.QComboBox()
        self._combo_box.setSizeAdjustPolicy(QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self._combo_box.setMinimumContentsLength(10)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo_box)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Fixed)
        self._combo_box.activated.connect(self._activated)
        self.refresh()

    # The scene ----------------------------------------------------------------------------------------------------

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of ``scene``; with None, nothing."""
        if scene is self._scene:
            return
        self._scene_observers.remove_all()
        self._scene = scene
        if scene is not None:
            for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent, scene.EndBatchProcessEvent):
                self._scene_observers.add(scene, event, self._scene_changed)
            self._scene_observers.add_with_node(scene, scene.NodeAboutToBeRemovedEvent, self._node_leaves)
        self.refresh()

    def mrmlScene(self) -> Any:
        """The scene in use."""
        return self._scene

    def _scene_changed(self) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self.refresh()

    def _node_leaves(self, node: Any) -> None:
        """The current node is deleted: Qt's combo box stays on its row, where now another node stands.

        Slicer's selector moves on from a row that is no node to the last node, though "None" were there to choose.
        """
        if self._scene.IsBatchProcessing() or node.GetID() != self._current_id:
            return
        known = [listed.GetID() for listed in self.nodes()]
        row = known.index(node.GetID())
        known.remove(node.GetID())
        self._become_current(known[min(row, len(known) - 1)] if known else "")

    def nodes(self) -> list[Any]:
        """The nodes that may be chosen, in the order of the scene."""
        if self._scene is None:
            return []
        count = self._scene.GetNumberOfNodes()
        return [node for node in (self._scene.GetNthNode(index) for index in range(count)) if self._lists(node)]

    def _lists(self, node: Any) -> bool:
        matching = [
            name
            for name in self._node_types
            if node.GetClassName() == name or (self._show_child_types and node.IsA(name))
        ]
        if not matching or any(node.IsA(name) for name in self._hidden_types):
            return False
        wanted = [condition for name in matching for condition in self._attributes.get(name, [])]
        if any(not _has_attribute(node, attribute, value) for attribute, value in wanted):
            return False
        return self._show_hidden or not node.GetHideFromEditors()

    def refresh(self) -> None:
        """List the scene's nodes again; the current one stays unless it is gone."""
        nodes = self.nodes()
        self._name_observers.remove_all()
        with QSignalBlocker(self._combo_box):
            self._combo_box.clear()
            if self._none_enabled:
                self._combo_box.addItem(self._none_display, "")
            for node in nodes:
                self._combo_box.addItem(node.GetName() or "", node.GetID())
                self._name_observers.add(node, vtk.vtkCommand.ModifiedEvent, self._rename_items)
            self._add_actions()
        known = [node.GetID() for node in nodes]
        if self._current_id not in known:
            # Where no "None" is offered, Slicer's selector takes the first node it finds.
            self._become_current(known[0] if known and not self._none_enabled else "")
        self._show_current()

    def _add_actions(self) -> None:
        label = self._type_label or self._default_label()
        texts = (
            (_CREATE, self._add_enabled and bool(self._node_types), f"Create new {label}"),
            (_RENAME, self._rename_enabled, f"Rename current {label}"),
            (_DELETE, self._remove_enabled, f"Delete current {label}"),
        )
        shown = [(action, text) for action, enabled, text in texts if enabled]
        if shown and self._combo_box.count():
            self._combo_box.insertSeparator(self._combo_box.count())
        for action, text in shown:
            self._combo_box.addItem(text, f"action:{action}")

    def _default_label(self) -> str:
        if self._scene is None or not self._node_types:
            return "node"
        return self._scene.GetTagByClassName(self._node_types[0]) or "node"

    def _rename_items(self) -> None:
        for index in range(self._combo_box.count()):
            node = self._scene.GetNodeByID(self._combo_box.itemData(index) or "") if self._scene else None
            if node is not None and node.GetName() != self._combo_box.itemText(index):
                self._combo_box.setItemText(index, node.GetName() or "")

    def _show_current(self) -> None:
        with QSignalBlocker(self._combo_box):
            if self._current_id or self._none_enabled:
                self._combo_box.setCurrentIndex(self._combo_box.findData(self._current_id))
            else:
                self._combo_box.setCurrentIndex(-1)

    # The current node ---------------------------------------------------------------------------------------------

    def currentNode(self) -> Any:
        """The chosen node, or None."""
        return self._scene.GetNodeByID(self._current_id) if self._scene is not None and self._current_id else None

    def setCurrentNode(self, node: Any) -> None:
        """Choose ``node``, or none with None; a node that is not listed counts as none."""
        self.setCurrentNodeID(node.GetID() if node is not None else "")

    def _get_current_id(self) -> str:
        return self._current_id

    def setCurrentNodeID(self, node_id: str | None) -> None:
        """Choose the node with this ID, or none with an empty one."""
        node = self._scene.GetNodeByID(node_id) if self._scene is not None and node_id else None
        self._become_current(node_id or "" if node is not None and self._lists(node) else "")
        self._show_current()

    def setCurrentNodeIndex(self, index: int) -> None:
        """Choose the ``index``-th listed node."""
        nodes = self.nodes()
        self.setCurrentNode(nodes[index] if 0 <= index < len(nodes) else None)

    def nodeFromIndex(self, index: int) -> Any:
        """The ``index``-th listed node, or None."""
        nodes = self.nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def nodeCount(self) -> int:
        """How many nodes are listed."""
        return len(self.nodes())

    def _become_current(self, node_id: str) -> None:
        if node_id != self._current_id:
            self._current_id = node_id
            self.currentNodeChanged.emit(self.currentNode())
            self.currentNodeIDChanged.emit(node_id)

    def comboBox(self) -> QtWidgets.QComboBox:
        """The box inside, for tests that click (the original has it as a child, too)."""
        return self._combo_box

    # What the user does -------------------------------------------------------------------------------------------

    def _activated(self, index: int) -> None:
        data = self._combo_box.itemData(index) or ""
        if data.startswith("action:"):
            self._show_current()
            {_CREATE: self._create, _RENAME: self.renameCurrentNode, _DELETE: self.removeCurrentNode}[data[7:]]()
        else:
            self._become_current(data)
            self.nodeActivated.emit(self.currentNode())

    def _create(self) -> None:
        self.nodeAddedByUser.emit(self.addNode())

    def addNode(self, class_name: str = "") -> Any:
        """Make a node of ``class_name`` (the first of ``nodeTypes`` if empty) and choose it."""
        class_name = class_name or self._node_types[0]
        base_name = self._base_name or self._scene.GetTagByClassName(class_name)
        node = self._scene.AddNewNodeByClass(class_name, self._scene.GenerateUniqueName(base_name))
        for attribute, value in self._attributes.get(class_name, []):
            node.SetAttribute(attribute, value if value is not None else "1")
        self.refresh()
        if self._select_on_add:
            self.setCurrentNode(node)
        self.nodeAdded.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Take the chosen node out of the scene."""
        if (node := self.currentNode()) is not None:
            self.nodeAboutToBeRemoved.emit(node)
            self._scene.RemoveNode(node)

    def renameCurrentNode(self) -> None:
        """Ask for another name of the chosen node."""
        if (node := self.currentNode()) is not None:
            name, accepted = QtWidgets.QInputDialog.getText(self, "Rename", "New name:", text=node.GetName() or "")
            if accepted and name:
                node.SetName(name)

    # Properties ---------------------------------------------------------------------------------------------------

    def _get_node_types(self) -> list[str]:
        return self._node_types

    def setNodeTypes(self, node_types: list[str]) -> None:
        """Class names to list."""
        self._node_types = list(node_types)
        self.refresh()

    def _get_hidden_types(self) -> list[str]:
        return self._hidden_types

    def setHideChildNodeTypes(self, node_types: list[str]) -> None:
        """Class names not to list even if they derive from a listed one."""
        self._hidden_types = list(node_types)
        self.refresh()

    def addAttribute(self, node_type: str, attribute: str, value: Any = None) -> None:
        """List nodes of ``node_type`` only if they have ``attribute`` (with ``value``, if given)."""
        self._attributes.setdefault(node_type, []).append((attribute, None if value is None else str(value)))
        self.refresh()

    def removeAttribute(self, node_type: str, attribute: str) -> None:
        """Undo ``addAttribute``."""
        kept = [pair for pair in self._attributes.get(node_type, []) if pair[0] != attribute]
        self._attributes[node_type] = kept
        self.refresh()

    def _get_none_enabled(self) -> bool:
        return self._none_enabled

    def setNoneEnabled(self, enabled: bool) -> None:
        """Whether no node may be chosen."""
        self._none_enabled = enabled
        self.refresh()

    def _get_none_display(self) -> str:
        return self._none_display

    def setNoneDisplay(self, text: str) -> None:
        """What stands for no node."""
        self._none_display = text
        self.refresh()

    def _get_add_enabled(self) -> bool:
        return self._add_enabled

    def setAddEnabled(self, enabled: bool) -> None:
        """Whether "Create new" is offered."""
        self._add_enabled = enabled
        self.refresh()

    def _get_remove_enabled(self) -> bool:
        return self._remove_enabled

    def setRemoveEnabled(self, enabled: bool) -> None:
        """Whether "Delete current" is offered."""
        self._remove_enabled = enabled
        self.refresh()

    def _get_rename_enabled(self) -> bool:
        return self._rename_enabled

    def setRenameEnabled(self, enabled: bool) -> None:
        """Whether "Rename current" is offered."""
        self._rename_enabled = enabled
        self.refresh()

    def _get_edit_enabled(self) -> bool:
        return self._edit_enabled

    def setEditEnabled(self, enabled: bool) -> None:
        """Whether "Edit current" is offered; the host has no editor modules."""
        self._edit_enabled = enabled

    def _get_show_hidden(self) -> bool:
        return self._show_hidden

    def setShowHidden(self, shown: bool) -> None:
        """Whether nodes hidden from editors are listed."""
        self._show_hidden = shown
        self.refresh()

    def _get_show_child_types(self) -> bool:
        return self._show_child_types

    def setShowChildNodeTypes(self, shown: bool) -> None:
        """Whether subclasses of ``nodeTypes`` are listed."""
        self._show_child_types = shown
        self.refresh()

    def _get_select_on_add(self) -> bool:
        return self._select_on_add

    def setSelectNodeUponCreation(self, selected: bool) -> None:
        """Whether a node made here becomes the current one."""
        self._select_on_add = selected

    def _get_base_name(self) -> str:
        return self._base_name

    def setBaseName(self, name: str) -> None:
        """Name of nodes made here."""
        self._base_name = name

    def _get_type_label(self) -> str:
        return self._type_label

    def setNodeTypeLabel(self, label: str, _node_type: str = "") -> None:
        """Word for the nodes in the actions, such as ``Volume``."""
        self._type_label = label
        self.refresh()

    currentNodeID = Property(str, _get_current_id, setCurrentNodeID, notify=currentNodeIDChanged)
    nodeTypes = Property("QStringList", _get_node_types, setNodeTypes)  # type: ignore[arg-type]
    hideChildNodeTypes = Property("QStringList", _get_hidden_types, setHideChildNodeTypes)  # type: ignore[arg-type]
    noneEnabled = Property(bool, _get_none_enabled, setNoneEnabled)
    noneDisplay = Property(str, _get_none_display, setNoneDisplay)
    addEnabled = Property(bool, _get_add_enabled, setAddEnabled)
    removeEnabled = Property(bool, _get_remove_enabled, setRemoveEnabled)
    renameEnabled = Property(bool, _get_rename_enabled, setRenameEnabled)
    editEnabled = Property(bool, _get_edit_enabled, setEditEnabled)
    showHidden = Property(bool, _get_show_hidden, setShowHidden)
    showChildNodeTypes = Property(bool, _get_show_child_types, setShowChildNodeTypes)
    selectNodeUponCreation = Property(bool, _get_select_on_add, setSelectNodeUponCreation)
    baseName = Property(str, _get_base_name, setBaseName)
    nodeTypeLabel = Property(str, _get_type_label, setNodeTypeLabel)


def _has_attribute(node: Any, attribute: str, value: str | None) -> bool:
    present = node.GetAttribute(attribute)
    return present is not None and (value is None or present == value)


class qMRMLColorTableComboBox(qMRMLNodeComboBox):
    """A selector of colour nodes."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAddEnabled(False)
        self.setRemoveEnabled(False)
        self.setShowHidden(True)
        self.setNodeTypes(["vtkMRMLColorNode"])
