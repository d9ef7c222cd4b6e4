"""Every choice of the user, saved with the scene. Names are those of ``SlicerParameterName`` in the ``.ui`` file."""

import enum
from typing import Annotated, Union

import slicer
from slicer.i18n import tr as _
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from MRTranslateLib.robustness.catalogue import DEFAULT_PERTURBATIONS

from .RoleGuess import ROLES


class Registration(enum.Enum):
    """When sources are registered onto the first one; values are those of the library."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"

    def label(self) -> str:
        return {
            Registration.AUTO: _("where grids differ"),
            Registration.ALWAYS: _("always"),
            Registration.NEVER: _("never"),
        }[self]


class Precision(enum.Enum):
    """Arithmetic of the network; values are those of the library."""

    FP32 = "fp32"
    BF16 = "bf16"

    def label(self) -> str:
        return {Precision.FP32: _("full (fp32)"), Precision.BF16: _("half, faster on some processors (bf16)")}[self]


class HeatMap(enum.Enum):
    """The map that lies over the slice views; values are the kinds of the results' maps."""

    NONE = "none"
    ATTENTION = "attention"
    UNCERTAINTY = "uncertainty"

    def label(self) -> str:
        return {
            HeatMap.NONE: _("none"),
            HeatMap.ATTENTION: _("attention"),
            HeatMap.UNCERTAINTY: _("uncertainty"),
        }[self]


MaskNode = Union[slicer.vtkMRMLSegmentationNode, slicer.vtkMRMLLabelMapVolumeNode]  # noqa: UP007 - as Slicer reads it
"""Slicer sets the selectors' node types from these types, so they must be exact."""


@parameterNodeWrapper
class ParameterNode:
    """The panel's state; node types as the selectors offer them."""

    sourceT1w: slicer.vtkMRMLScalarVolumeNode
    sourceT1wGd: slicer.vtkMRMLScalarVolumeNode
    sourceT2w: slicer.vtkMRMLScalarVolumeNode
    sourcePDw: slicer.vtkMRMLScalarVolumeNode
    sourceFLAIR: slicer.vtkMRMLScalarVolumeNode
    lowResolutionTarget: slicer.vtkMRMLScalarVolumeNode
    brainMask: MaskNode
    lesionMask: MaskNode
    reference: slicer.vtkMRMLScalarVolumeNode
    target: Annotated[str, Choice(["", *ROLES])] = ""
    outputVolume: slicer.vtkMRMLScalarVolumeNode
    wantsAttention: bool = False
    attentionVolume: slicer.vtkMRMLScalarVolumeNode
    wantsUncertainty: bool = False
    uncertaintyVolume: slicer.vtkMRMLScalarVolumeNode
    wantsChecks: bool = False
    heatMap: HeatMap = HeatMap.NONE
    lesionOutline: bool = False
    heatMapOpacity: Annotated[float, WithinRange(0.0, 1.0)] = 0.5
    heatMapThreshold: Annotated[float, WithinRange(0.0, 1.0)] = 0.2
    curtainPosition: Annotated[float, WithinRange(0.0, 100.0)] = 50.0
    robustnessTypes: str = ",".join(DEFAULT_PERTURBATIONS)
    robustnessFirstLevel: Annotated[int, WithinRange(1, 5)] = 1
    robustnessLastLevel: Annotated[int, WithinRange(1, 5)] = 5
    robustnessAdversarial: bool = False
    robustnessVolumes: bool = True
    robustnessScores: slicer.vtkMRMLTableNode
    model: str = ""
    device: str = "auto"
    threads: Annotated[int, WithinRange(0, 256)] = 0
    registration: Registration = Registration.AUTO
    precision: Precision = Precision.FP32
    biasCorrection: bool = False
    keepTemporaryFiles: bool = False


def sourceNodes(parameters: ParameterNode) -> dict[str, "slicer.vtkMRMLScalarVolumeNode"]:
    """The chosen sources by role, in the order of the roles."""
    nodes = {role: getattr(parameters, f"source{role}") for role in ROLES}
    return {role: node for role, node in nodes.items() if node is not None}
