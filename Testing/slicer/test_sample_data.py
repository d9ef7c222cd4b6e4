"""What Slicer's Sample Data module is told of our scans."""

from pathlib import Path

import pytest

from Testing.slicer.conftest import MODULE_FOLDER
from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


@pytest.fixture
def sources(slicer_host):
    import SampleData

    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py")
    return [source.description for source in SampleData.SampleDataLogic.registered["MRTranslate"]]


def test_every_thumbnail_that_is_named_is_there(sources):
    named = [source["thumbnailFileName"] for source in sources if "thumbnailFileName" in source]
    assert named
    assert [name for name in named if not Path(name).is_file()] == []


def test_properties_for_loading_are_a_dictionary_if_any(sources):
    assert [source for source in sources if not isinstance(source.get("loadFileProperties", {}), dict)] == []


def test_the_generated_head_says_which_scan_is_which(slicer_host):
    from MRTranslateGui.SampleDataSources import SAMPLE_ATTRIBUTE, loadPhantom

    nodes = loadPhantom()
    assert {name: node.GetAttribute(SAMPLE_ATTRIBUTE) for name, node in nodes.items()} == {
        name: name for name in ("T1w", "T2w", "FLAIR", "lesion")
    }
