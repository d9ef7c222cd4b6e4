"""CMake names every file by hand; what is not named is not installed (peers shipped without their library)."""

import json
import re

import pytest

from Testing.write_cmake_lists import ROOMS, ROOT, expected_lists, with_lists, written_lists

EXTENSION = (ROOT / "CMakeLists.txt").read_text(encoding="utf-8")
REMEDY = "run python Testing/write_cmake_lists.py"


@pytest.mark.parametrize("room", ROOMS)
def test_the_lists_name_every_file_of_the_room(room):
    written = written_lists((ROOT / room / "CMakeLists.txt").read_text(encoding="utf-8"))
    expected = expected_lists(ROOT / room)
    for name, files in expected.items():
        assert sorted(set(written[name]) ^ set(files)) == [], f"{name} of {room}: {REMEDY}"


def test_a_list_that_lacks_a_file_is_noticed():
    text = "set(MODULE_PYTHON_SCRIPTS\n  a.py\n  b/c.py\n  )\n"
    assert written_lists(text) == {"MODULE_PYTHON_SCRIPTS": ["a.py", "b/c.py"]}
    assert with_lists(text, {"MODULE_PYTHON_SCRIPTS": ["d.py"]}) == "set(MODULE_PYTHON_SCRIPTS\n  d.py\n  )\n"
    assert with_lists("set(MODULE_PYTHON_SCRIPTS\n  )\n", {"MODULE_PYTHON_SCRIPTS": ["d.py"]}).split() == [
        "set(MODULE_PYTHON_SCRIPTS",
        "d.py",
        ")",
    ]


def quoted(name):
    """A variable of the extension's metadata, which the index wants as one quoted string on the set() line."""
    return re.search(rf'^set\({name} "([^"\n]*)"\)', EXTENSION, re.M)[1]


def test_the_metadata_of_the_extension_is_complete():
    for name in ("HOMEPAGE", "CONTRIBUTORS", "DESCRIPTION", "ICONURL", "SCREENSHOTURLS"):
        assert quoted(f"EXTENSION_{name}")
    assert quoted("EXTENSION_DEPENDS") == "PyTorch"


def test_the_index_file_and_cmake_say_the_same():
    text = (ROOT / "MRTranslate.json").read_bytes()
    entry = json.loads(text)
    assert b"\r" not in text
    assert re.search(r"^project\((\w+)\)", EXTENSION, re.M)[1] == "MRTranslate"
    assert entry["category"] == quoted("EXTENSION_CATEGORY")
    assert entry["build_dependencies"] == quoted("EXTENSION_DEPENDS").split()
    assert entry["scm_url"].removesuffix(".git") == quoted("EXTENSION_HOMEPAGE")
    known = {
        "$schema",
        "build_dependencies",
        "build_subdirectory",
        "category",
        "scm_revision",
        "scm_type",
        "scm_url",
        "tier",
    }
    assert set(entry) <= known


def test_the_icon_is_a_png_of_128_pixels():
    from PIL import Image

    with Image.open(ROOT / "MRTranslate" / "Resources" / "Icons" / "MRTranslate.png") as icon:
        assert (icon.format, icon.size) == ("PNG", (128, 128))
