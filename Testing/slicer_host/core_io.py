"""Files into and out of the scene, behind ``slicer.util.loadVolume``, ``saveNode``, ``saveScene``."""

# ruff: noqa: N801 (the names are Slicer's)

from __future__ import annotations

from pathlib import Path
from typing import Any

import vtk

from Testing.slicer_host.scene import Scene

# What AddArchetypeVolume understands.
_LABELMAP, _CENTER, _SINGLE_FILE, _AUTO_WINDOW, _DISCARD_ORIENTATION = 1, 2, 4, 8, 16

_FILE_TYPES = {".mrml": "SceneFile", ".mrb": "SceneFile", ".tsv": "TableFile", ".csv": "TableFile", ".txt": "TextFile"}
_NODE_CLASSES = {
    "TableFile": "vtkMRMLTableNode",
    "TextFile": "vtkMRMLTextNode",
    "SegmentationFile": "vtkMRMLSegmentationNode",
    "TransformFile": "vtkMRMLTransformNode",
    "ModelFile": "vtkMRMLModelNode",
}


class qSlicerCoreIOManager:
    """Slicer's real storage nodes, without the dialogs around them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def fileType(self, path: str) -> str:
        """Which reader is meant for a file, by its name."""
        name = Path(path).name.lower()
        if ".seg." in name:
            return "SegmentationFile"
        return _FILE_TYPES.get(Path(name).suffix, "VolumeFile")

    def fileWriterFileType(self, node: Any) -> str:
        """Which writer is meant for a node; the storage node decides here."""
        return "VolumeFile" if node.IsA("vtkMRMLVolumeNode") else "NodeFile"

    def loadNodes(self, file_type: str, properties: dict[str, Any], loaded: Any, messages: Any) -> bool:
        """Read ``properties["fileName"]``; the nodes are added to the vtkCollection ``loaded``."""
        path = str(properties["fileName"])
        if not Path(path).exists():
            messages.AddMessage(vtk.vtkCommand.ErrorEvent, f"File not found: {path}")
            return False
        if file_type == "SceneFile":
            return self.load_scene(path, clear=bool(properties.get("clear", False)))
        node = (
            self._load_volume(path, properties)
            if file_type == "VolumeFile"
            else self._load_node(file_type, path, properties)
        )
        if node is None:
            return False
        loaded.AddItem(node)
        if file_type == "VolumeFile" and properties.get("show", True):
            self._show(node)
        return True

    def saveNodes(self, _file_type: str, properties: dict[str, Any], _messages: Any) -> bool:
        """Write the scene, or the node ``properties["nodeID"]``, to ``properties["fileName"]``."""
        path = str(properties["fileName"])
        if _file_type == "SceneFile":
            return self.save_scene(path)
        node = self._scene.mrml.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None and not node.AddDefaultStorageNode():
            return False
        storage = node.GetStorageNode()
        storage.SetFileName(path)
        if "useCompression" in properties:
            storage.SetUseCompression(int(properties["useCompression"]))
        return bool(storage.WriteData(node))

    def save_scene(self, path: str) -> bool:
        """As .mrb (scene and data in one file) or .mrml (scene only)."""
        mrml = self._scene.mrml
        if path.endswith(".mrb"):
            return bool(mrml.WriteToMRB(path))
        mrml.SetURL(path)
        mrml.SetRootDirectory(str(Path(path).parent))
        return bool(mrml.Commit(path))

    def load_scene(self, path: str, *, clear: bool) -> bool:
        """Read a .mrb or .mrml file into the scene."""
        mrml = self._scene.mrml
        if path.endswith(".mrb"):
            return bool(mrml.ReadFromMRB(path, clear))
        mrml.SetURL(path)
        return bool(mrml.Connect() if clear else mrml.Import())

    def _load_volume(self, path: str, properties: dict[str, Any]) -> Any:
        name = properties.get("name") or _stem(path)
        flags = {
            "labelmap": _LABELMAP,
            "center": _CENTER,
            "singleFile": _SINGLE_FILE,
            "autoWindowLevel": _AUTO_WINDOW,
            "discardOrientation": _DISCARD_ORIENTATION,
        }
        options = sum(flag for key, flag in flags.items() if properties.get(key))
        return self._scene.logics["Volumes"].AddArchetypeVolume(path, name, options)

    def _load_node(self, file_type: str, path: str, properties: dict[str, Any]) -> Any:
        class_name = _NODE_CLASSES.get(file_type)
        if class_name is None:
            return None
        node = self._scene.mrml.AddNewNodeByClass(class_name, properties.get("name") or _stem(path))
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        if node.GetStorageNode().ReadData(node):
            return node
        self._scene.mrml.RemoveNode(node)
        return None

    def _show(self, volume: Any) -> None:
        selection = self._scene.application_logic.GetSelectionNode()
        if volume.IsA("vtkMRMLLabelMapVolumeNode"):
            selection.SetActiveLabelVolumeID(volume.GetID())
        else:
            selection.SetActiveVolumeID(volume.GetID())
        self._scene.application_logic.PropagateVolumeSelection()


def _stem(path: str) -> str:
    name = Path(path).name
    return name.split(".")[0]
