"""Write the file lists of the CMake files again from the folders: ``python Testing/write_cmake_lists.py``.

Slicer's macros want every script and resource named; ``Testing/slicer/test_cmake_lists.py`` says when a list is old.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("MRTranslate", "MRTranslateLib")
NOT_INSTALLED = {"CMakeLists.txt", ".gitkeep"}


def expected_lists(room: Path) -> dict[str, list[str]]:
    """What the two lists of ``room/CMakeLists.txt`` must hold, as paths relative to ``room``."""
    files = sorted(
        path.relative_to(room).as_posix()
        for path in room.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.name not in NOT_INSTALLED
    )
    files = [file for file in files if not file.startswith("Testing/")]
    return {
        "MODULE_PYTHON_SCRIPTS": [file for file in files if file.endswith(".py")],
        "MODULE_PYTHON_RESOURCES": [file for file in files if not file.endswith(".py")],
    }


def written_lists(cmake_text: str) -> dict[str, list[str]]:
    """The lists that a CMake file holds."""
    return {
        name: block.split()
        for name, block in re.findall(r"^set\((MODULE_PYTHON_\w+)\n(.*?)\n  \)", cmake_text, re.M | re.S)
    }


def with_lists(cmake_text: str, lists: dict[str, list[str]]) -> str:
    """The CMake file with these lists in place of its own."""
    for name, files in lists.items():
        block = f"set({name}\n" + "".join(f"  {file}\n" for file in files) + "  )"
        cmake_text, count = re.subn(
            rf"^set\({name}\n.*?\n?  \)", lambda _match, block=block: block, cmake_text, count=1, flags=re.M | re.S
        )
        if not count:
            raise ValueError(f"no list {name}")
    return cmake_text


def main() -> None:
    """Bring both files up to date."""
    for room in ROOMS:
        path = ROOT / room / "CMakeLists.txt"
        path.write_text(with_lists(path.read_text(encoding="utf-8"), expected_lists(ROOT / room)), encoding="utf-8")


if __name__ == "__main__":
    main()
