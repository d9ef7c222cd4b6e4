"""The extension as it is installed: configured, installed and opened without the source checkout."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from Testing.slicer_host import missing_reason

ROOT = Path(__file__).parents[2]
STAND_IN = Path(__file__).parent / "cmake_stand_in"
CMAKE = shutil.which("cmake") or shutil.which("cmake", path=str(Path(sys.executable).parent))
OPEN_PANEL = """
import sys
from pathlib import Path
folder, root = Path(sys.argv[1]), sys.argv[2]
sys.path.append(root)  # for the host alone, after everything else
from Testing.slicer_host import start_host
host = start_host()
widget = host.load_module(folder / "MRTranslate.py")
ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0].startswith("MRTranslate")}
strangers = {name for name, module in ours.items() if not Path(module.__file__).is_relative_to(folder)}
assert len(ours) > 20 and not strangers, strangers
assert [model.name for model in widget.panel.catalog.models], "no model came with it"
widget.ui.sampleDataButton.click()
assert widget.ui.applyButton.enabled, widget.ui.applyButton.toolTip
import MRTranslateLib.preprocessing.head_template, MRTranslateLib.phantoms
from MRTranslateLib.models.store import ModelStore
ModelStore().find()
host.reset()
import os
os._exit(0)  # PySide6 may trip over our hooks while the interpreter goes, which says nothing of the panel
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    if CMAKE is None:
        pytest.skip("cmake is not installed: pip install cmake, or apt-get install cmake")
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("installed")
    configure = [
        CMAKE,
        "-S",
        STAND_IN,
        "-B",
        build,
        f"-DEXTENSION_SOURCE_DIR={ROOT}",
        f"-DCMAKE_INSTALL_PREFIX={prefix}",
    ]
    for command in (configure, [CMAKE, "--install", build]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return prefix / "lib" / "Slicer-5.12" / "qt-scripted-modules"


def files_under(folder):
    skipped = {"__pycache__", "Testing"}
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not skipped & set(path.parts[len(folder.parts) :]) and path.name != "CMakeLists.txt"
    }


def test_every_file_of_module_library_and_models_is_installed(installed):
    expected = files_under(ROOT / "MRTranslate")
    expected |= {f"MRTranslateLib/{name}" for name in files_under(ROOT / "MRTranslateLib")}
    expected |= {f"Resources/Models/{name}" for name in files_under(ROOT / "Resources" / "Models")}
    assert files_under(installed) == expected


@pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
def test_the_panel_opens_from_the_install_tree_alone(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", OPEN_PANEL, str(installed), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
