"""Packages on first use: asked for, never Slicer's own replaced, clear words when it does not work."""

import subprocess
import sys
import types
from pathlib import Path

import pytest

from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
SHIPPED = Path(__file__).parents[2] / "MRTranslate" / "Resources" / "requirements.txt"


@pytest.fixture
def packages(slicer_host):
    from MRTranslateGui import Packages

    return Packages


@pytest.fixture
def one_missing(tmp_path):
    path = tmp_path / "requirements.txt"
    path.write_text("# comment\nmsgspec>=0.19  # there\nmrtranslate-nothing-of-this-name>=1.2\n")
    return path


def test_the_shipped_requirements_leave_alone_what_slicer_brings(packages):
    names = {requirement.name.lower() for requirement in packages.readRequirements(SHIPPED)}
    assert {"msgspec", "nibabel", "safetensors"} <= names
    assert not names & {name.lower() for name in packages.KEPT_AS_SLICER_HAS_THEM}


def test_the_shipped_requirements_are_all_the_library_imports(packages):
    import ast

    imported = set()
    for path in (Path(__file__).parents[2] / "MRTranslateLib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                imported.add((node.module or "").partition(".")[0])
    named = {"PIL" if item.name == "Pillow" else item.name for item in packages.readRequirements(SHIPPED)}
    slicer_brings = {*packages.KEPT_AS_SLICER_HAS_THEM, "pydicom", "highdicom"}
    optional = {"monai", "dask", "distributed", "openvino", "onnxruntime", "tkinter"}
    needed = imported - sys.stdlib_module_names - {"MRTranslateLib"} - slicer_brings - optional
    assert needed <= named


@pytest.mark.parametrize("line", ["numpy>=2", "torch>=2.6", "SimpleITK>=2.4", "nibabel", "nibabel==5", "git+https://x"])
def test_lines_that_could_harm_are_refused(packages, tmp_path, line):
    (tmp_path / "requirements.txt").write_text(line + "\n")
    with pytest.raises(ValueError, match=r"requirements\.txt"):
        packages.readRequirements(tmp_path / "requirements.txt")


def test_nothing_is_asked_when_everything_is_there(packages, slicer_host):
    import slicer

    packages.ensurePackages(SHIPPED)
    assert slicer.packaging.requests == []


def test_what_is_missing_is_asked_of_slicer_packaging(packages, one_missing):
    import slicer

    with pytest.raises(packages.PackagesMissing, match="cannot translate without mrtranslate-nothing"):
        packages.ensurePackages(one_missing)
    assert slicer.packaging.requests == ["mrtranslate-nothing-of-this-name>=1.2"]


def test_an_older_slicer_asks_the_user_before_pip(packages, one_missing, slicer_host, monkeypatch):
    import slicer

    slicer_host.hide_packaging()
    installed = []
    monkeypatch.setattr(slicer.util, "pip_install", installed.append)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: False)
    with pytest.raises(packages.PackagesMissing, match="asked again"):
        packages.ensurePackages(one_missing)
    assert installed == []
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text: True)
    with pytest.raises(packages.PackagesMissing, match="still missing"):
        packages.ensurePackages(one_missing)
    assert installed == [["mrtranslate-nothing-of-this-name>=1.2"]]


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: No matching distribution found (Temporary failure in name resolution)", "seems to be offline"),
        ("error: subprocess-exited-with-error", "could not be installed"),
    ],
)
def test_a_failed_installation_says_why(packages, one_missing, monkeypatch, output, words):
    import slicer

    def fail(*_arguments, **_options):
        raise subprocess.CalledProcessError(1, "pip", output=output)

    monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
    with pytest.raises(packages.PackagesMissing, match=words):
        packages.ensurePackages(one_missing)


def test_torch_comes_through_the_pytorch_extension(packages, monkeypatch):
    asked = []

    class PyTorchUtilsLogic:
        def installTorch(self, **options):
            asked.append(options)
            return object()

    monkeypatch.setattr(packages, "torchIsInstalled", lambda: False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", types.SimpleNamespace(PyTorchUtilsLogic=PyTorchUtilsLogic))
    packages.ensurePackages(SHIPPED)
    assert asked == [{"askConfirmation": True, "torchVersionRequirement": ">=2.6"}]


def test_without_the_extension_its_name_is_given(packages, monkeypatch):
    monkeypatch.setattr(packages, "torchIsInstalled", lambda: False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(packages.PackagesMissing, match="install the extension PyTorch"):
        packages.ensurePackages(SHIPPED)


def test_declining_torch_is_said(packages, monkeypatch):
    monkeypatch.setattr(packages, "torchIsInstalled", lambda: False)
    declined = types.SimpleNamespace(PyTorchUtilsLogic=lambda: types.SimpleNamespace(installTorch=lambda **_: None))
    monkeypatch.setitem(sys.modules, "PyTorchUtils", declined)
    with pytest.raises(packages.PackagesMissing, match="without torch"):
        packages.ensurePackages(SHIPPED)


def test_torch_that_is_too_old_is_refused_with_the_remedy(packages, monkeypatch):
    real = packages.importlib.metadata.version
    monkeypatch.setattr(
        packages.importlib.metadata, "version", lambda name: "2.5.1+cu124" if name == "torch" else real(name)
    )
    with pytest.raises(packages.PackagesMissing, match=r"too old: 2\.6 or later.*restart Slicer"):
        packages.ensurePackages(SHIPPED)


def test_the_torch_that_is_wanted_is_that_of_the_library(packages):
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert packages.TORCH.text in project["project"]["dependencies"]


@pytest.mark.parametrize("error", [ImportError("DLL load failed"), OSError("libcudart.so is missing")])
def test_torch_that_was_installed_but_cannot_be_loaded_is_a_failure_in_words(packages, monkeypatch, error):
    def install(**_options):
        raise error

    broken = types.SimpleNamespace(PyTorchUtilsLogic=lambda: types.SimpleNamespace(installTorch=install))
    monkeypatch.setattr(packages, "torchIsInstalled", lambda: False)
    monkeypatch.setitem(sys.modules, "PyTorchUtils", broken)
    with pytest.raises(packages.PackagesMissing, match=f"cannot be loaded .{error}.: restart Slicer"):
        packages.ensurePackages(SHIPPED)
