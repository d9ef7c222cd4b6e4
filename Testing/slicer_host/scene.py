"""The MRML scene with Slicer's real module logics, as the application makes them when it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import slicer
import vtk

from Testing.slicer_host.scene_observers import SceneObservers

# Module name -> its logic. Making a logic also teaches the scene the node classes of its module.
_LOGICS = {
    "Volumes": "vtkSlicerVolumesLogic",
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Markups": "vtkSlicerMarkupsLogic",
    "Models": "vtkSlicerModelsLogic",
    "Transforms": "vtkSlicerTransformLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Plots": "vtkSlicerPlotsLogic",
    "Texts": "vtkSlicerTextsLogic",
    "Sequences": "vtkSlicerSequencesLogic",
    "CropVolume": "vtkSlicerCropVolumeLogic",
    "Units": "vtkSlicerUnitsLogic",
    "SubjectHierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "VolumeRendering": "vtkSlicerVolumeRenderingLogic",
    "ViewControllers": "vtkSlicerViewControllersLogic",
    "Reformat": "vtkSlicerReformatLogic",
}


_SHARE = "share/Slicer"


class Scene(NamedTuple):
    """A scene and who works on it."""

    mrml: Any  # vtkMRMLScene
    application_logic: Any  # vtkSlicerApplicationLogic
    layout_logic: Any  # vtkMRMLLayoutLogic
    io_logics: tuple[Any, ...]  # vtkMRMLRemoteIOLogic and vtkDataIOManagerLogic; reading .mrb files needs both alive
    observers: SceneObservers  # what Python observes of it
    logics: dict[str, Any]  # module name -> logic


def new_scene(home: Path) -> Scene:
    """An empty scene, ready for views and modules; also becomes ``slicer.mrmlScene``.

    Args:
        home: The application's folder, where scene files are unpacked. Slicer's colour files would lie there, too; the
            wheel has none, so their folder is empty.
    """
    (home / _SHARE / "ColorFiles").mkdir(parents=True, exist_ok=True)
    mrml = slicer.vtkMRMLScene()
    observers = SceneObservers(mrml)
    slicer.mrmlScene = mrml
    crosshair = slicer.vtkMRMLCrosshairNode()
    crosshair.SetCrosshairName("default")
    mrml.AddNode(crosshair)
    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetHomeDirectory(str(home))
    application_logic.SetShareDirectory(_SHARE)
    application_logic.SetMRMLScene(mrml)
    application_logic.SetSliceLogics(vtk.vtkCollection())
    application_logic.SetViewLogics(vtk.vtkCollection())
    logics = _module_logics(mrml, application_logic)
    for factory in (
        slicer.vtkMRMLSliceViewDisplayableManagerFactory,
        slicer.vtkMRMLThreeDViewDisplayableManagerFactory,
    ):
        factory.GetInstance().SetMRMLApplicationLogic(application_logic)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(mrml, True)
    layout_logic = slicer.vtkMRMLLayoutLogic()
    layout_logic.SetMRMLApplicationLogic(application_logic)
    layout_logic.SetMRMLScene(mrml)
    io_logics = _io_logics(mrml, application_logic, home / "cache")
    return Scene(mrml, application_logic, layout_logic, io_logics, observers, logics)


def _io_logics(mrml: Any, application_logic: Any, cache_folder: Path) -> tuple[Any, ...]:
    remote = slicer.vtkMRMLRemoteIOLogic()
    remote.SetMRMLScene(mrml)
    remote.GetCacheManager().SetRemoteCacheDirectory(str(cache_folder))
    remote.AddDataIOToScene()
    io_logic = slicer.vtkDataIOManagerLogic()
    io_logic.SetMRMLApplicationLogic(application_logic)
    io_logic.SetAndObserveDataIOManager(remote.GetDataIOManager())
    application_logic.SetMRMLSceneDataIO(mrml, remote, io_logic)
    return remote, io_logic


def _module_logics(mrml: Any, application_logic: Any) -> dict[str, Any]:
    colors = slicer.vtkSlicerColorLogic()  # without its nodes, volumes get no lookup table
    colors.SetMRMLApplicationLogic(application_logic)
    colors.SetMRMLScene(mrml)
    application_logic.SetColorLogic(colors)
    colors.AddDefaultColorNodes()
    logics = {"Colors": colors}
    for name, class_name in _LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(mrml)
        logics[name] = logic
    for name, logic in logics.items():
        application_logic.SetModuleLogic(name, logic)
    return logics
