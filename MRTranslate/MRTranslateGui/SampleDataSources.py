"""Scans to try the module with: a generated head that comes with it, and a public pair from Slicer's own data store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
import slicer.util

CATEGORY = "MRTranslate"
SAMPLE_ATTRIBUTE = "MRTranslate.Sample"
"""On the generated scans: which contrast, or ``lesion``."""
FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "SampleData"
ICONS = Path(__file__).resolve().parents[1] / "Resources" / "Icons"
SLICER_DATA = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
PHANTOM_SHA256 = {
    "Phantom_T1w.nrrd": "2bc0364a8b10784d9fa35be7cc776d0db72ff9cde2aa596d12683840fbf75c43",
    "Phantom_T2w.nrrd": "aa5c2962cea8e11ebfcd8ffd4ffc5223621c069c23629d73cadd9df96777f97c",
    "Phantom_FLAIR.nrrd": "903e0f42d67fe0e91bee5af44c178a86d60c3cb1289e8680e8011940c439e156",
    "Phantom_lesion.nrrd": "65b1a1b3697a10e2a89dd4eb11b726f4c96e7805377e1628882ef63a8b87b9d5",
}
"""Made by ``Testing/make_sample_data.py``; nobody's head."""
PUBLIC_SHA256 = {
    "MRBrainT1": "2da3f655ed20356ee8cdf32aa0f8f9420385de4b6e407d28e67f9974d7ce1593",
    "MRBrainT2": "fa1fe5910a69182f2b03c0150d8151ac6c75df986449fb5a6c5ae67141e0f5e7",
}
"""Of Slicer's sample set CT-MR Brain."""


def registerSampleData() -> None:
    """Show our scans in Slicer's Sample Data module, where there is one; call when Slicer's start is complete."""
    try:
        import SampleData
    except ImportError:  # Slicer can be built and started without it
        return
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="MRTranslatePhantom",
        uris=[(FOLDER / name).as_uri() for name in PHANTOM_SHA256],
        fileNames=list(PHANTOM_SHA256),
        nodeNames=[_nodeName(name) for name in PHANTOM_SHA256],
        checksums=[f"SHA256:{digest}" for digest in PHANTOM_SHA256.values()],
        customDownloader=lambda _source: list(loadPhantom().values()),
        thumbnailFileName=str(ICONS / "MRTranslatePhantom.png"),
    )
    SampleData.SampleDataLogic.registerCustomSampleDataSource(
        category=CATEGORY,
        sampleName="MRTranslateBrainT1T2",
        uris=[SLICER_DATA + digest for digest in PUBLIC_SHA256.values()],
        fileNames=[f"{name}.nrrd" for name in PUBLIC_SHA256],
        nodeNames=list(PUBLIC_SHA256),
        checksums=[f"SHA256:{digest}" for digest in PUBLIC_SHA256.values()],
    )


def loadPhantom() -> dict[str, Any]:
    """Load the generated head: nodes by ``T1w``, ``T2w``, ``FLAIR`` and ``lesion`` (a labelmap).

    Raises:
        ValueError: If a file is not the one that was shipped.
    """
    nodes = {}
    for name, digest in PHANTOM_SHA256.items():
        path = str(FOLDER / name)
        if slicer.util.computeChecksum("SHA256", path) != digest:
            raise ValueError(f"{name} is damaged: install the extension again")
        node = slicer.util.loadVolume(
            path, {"name": _nodeName(name), "labelmap": _isLabelmap(name), "show": name == "Phantom_T1w.nrrd"}
        )
        contrast = name.removesuffix(".nrrd").partition("_")[2]
        node.SetAttribute(SAMPLE_ATTRIBUTE, contrast)
        nodes[contrast] = node
    return nodes


def _nodeName(fileName: str) -> str:
    return fileName.removesuffix(".nrrd").replace("_", " ")


def _isLabelmap(fileName: str) -> bool:
    return fileName == "Phantom_lesion.nrrd"
