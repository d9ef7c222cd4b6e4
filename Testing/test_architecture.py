"""The dependency arrows of DESIGN.md, kept true by a test."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SLICER = {"slicer", "qt", "ctk", "vtk", "MRTranslate", "MRTranslateGui"}
TEST_ONLY = {"pytest", "skimage", "Testing"}
DICOM = {"pydicom", "highdicom"}
FORBIDDEN = {
    "MRTranslateLib": SLICER | TEST_ONLY | {"training", "sklearn", "yaml"},
    "training": SLICER | TEST_ONLY | DICOM,
}


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """Top-level package of each absolute import, and whether it runs when the module is imported."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    deferred = {
        id(inner)
        for outer in ast.walk(tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING")
        for inner in ast.walk(outer)
    }
    found = []
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module or ""]
        found += [(name.split(".")[0], id(node) not in deferred) for name in names]
    return found


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_import_points_upwards(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files, f"{package} moved: this test looks at nothing"
    imported = {path.relative_to(ROOT): {name for name, _ in imports_of(path)} for path in files}
    wrong = {path: bad for path, names in imported.items() if (bad := names & FORBIDDEN[package])}
    assert not wrong


def test_torch_is_imported_at_file_scope_only_where_networks_run():
    library = ROOT / "MRTranslateLib"
    users = {path.relative_to(library) for path in library.rglob("*.py") if ("torch", True) in imports_of(path)}
    packages = {"networks", "robustness", "attention", "uncertainty"}
    others = {user.as_posix() for user in users if user.parts[0] not in packages}
    assert others == {"inference/load.py", "inference/slices.py", "inference/super_resolution.py"}


def test_monai_is_imported_only_when_a_network_of_it_is_built():
    # It takes seconds to load, and whoever runs another network need not have it.
    library = ROOT / "MRTranslateLib"
    users = {
        (path.relative_to(library).as_posix(), at_import)
        for path in library.rglob("*.py")
        for name, at_import in imports_of(path)
        if name == "monai"
    }
    assert users == {("networks/flow_matching.py", False), ("networks/transformer.py", False)}


def test_dicom_packages_are_imported_only_for_dicom_and_highdicom_only_for_maps():
    # Translating needs neither; the module that is called first says in a sentence which of them is missing.
    library = ROOT / "MRTranslateLib"
    users = {
        (path.relative_to(library).as_posix(), name)
        for path in library.rglob("*.py")
        for name, _ in imports_of(path)
        if name in DICOM
    }
    assert {path for path, name in users if name == "highdicom"} == {"dicom/parametric_map.py"}
    assert {path.partition("/")[0] for path, _ in users} == {"dicom"}
    assert "dicom/export.py" not in {path for path, _ in users}


@pytest.mark.parametrize("statement", ["import MRTranslateLib", "from MRTranslateLib import translate, rerun, Volume"])
def test_importing_the_library_loads_neither_torch_nor_monai_nor_highdicom(statement):
    # Slicer starts before torch is installed; the panel must still open.
    code = f"{statement}; import sys; assert not {{'torch', 'monai', 'highdicom'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_command_line_can_explain_itself_without_loading_simpleitk():
    code = (
        "import sys\nfrom MRTranslateLib.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "assert 'SimpleITK' not in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
