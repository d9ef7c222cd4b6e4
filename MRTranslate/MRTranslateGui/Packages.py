"""Python packages on first use: asked for, never silently, and never in place of what Slicer brings itself.

torch comes through the PyTorch extension, which knows the graphics card; the rest from Resources/requirements.txt.
Runs in the GUI thread before the first translation only; nothing here is called when Slicer or the module starts.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import slicer
import slicer.util
from slicer.i18n import tr as _

REQUESTER = "MRTranslate"
KEPT_AS_SLICER_HAS_THEM = ("numpy", "scipy", "SimpleITK", "requests", "torch")
"""Never named to pip: another version of these breaks Slicer or other extensions."""
_OFFLINE_SIGNS = (
    "no matching distribution",
    "max retries",
    "name resolution",
    "getaddrinfo",
    "connection",
    "timed out",
    "network",
)


class PackagesMissing(RuntimeError):
    """The packages are not there and were not installed; the message says why and what to do."""


@dataclass(frozen=True)
class Requirement:
    """One line of requirements.txt: a name and the oldest version that will do."""

    name: str
    minimum: str

    @property
    def text(self) -> str:
        """As pip reads it."""
        return f"{self.name}>={self.minimum}"


TORCH = Requirement("torch", "2.6")
"""As in pyproject.toml."""


def readRequirements(path: Path) -> list[Requirement]:
    """The lines ``name>=version`` of a requirements file; comments and empty lines are left out.

    Raises:
        ValueError: For any other line, and for a package that Slicer brings itself.
    """
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)>=([0-9][0-9.]*)", text)
        if match is None:
            raise ValueError(f"{path.name}: {text!r} is not of the form name>=version")
        if match[1].lower() in {name.lower() for name in KEPT_AS_SLICER_HAS_THEM}:
            raise ValueError(f"{path.name}: {match[1]} comes with Slicer and must not be installed")
        found.append(Requirement(match[1], match[2]))
    return found


def missingRequirements(requirements: list[Requirement]) -> list[Requirement]:
    """Those that are not installed, or too old."""
    importlib.invalidate_caches()
    return [requirement for requirement in requirements if not _isSatisfied(requirement)]


def torchIsInstalled() -> bool:
    """Whether the worker will find torch; torch itself is never imported into Slicer."""
    importlib.invalidate_caches()
    return importlib.util.find_spec("torch") is not None


def ensurePackages(requirementsFile: Path) -> None:
    """Install what is missing, after asking.

    Args:
        requirementsFile: Of the module's resources.

    Raises:
        PackagesMissing: If the user declined, the computer is offline, or the installation failed.
    """
    requirements = readRequirements(requirementsFile)
    missing = missingRequirements(requirements)
    if missing:
        _install(missing)
        if still := missingRequirements(requirements):
            raise PackagesMissing(
                _("These Python packages are still missing: {names}. See the log of the installation.").format(
                    names=", ".join(requirement.text for requirement in still)
                )
            )
    if not torchIsInstalled():
        _installTorch()
    elif not _isSatisfied(TORCH):
        raise PackagesMissing(
            _(
                "The installed PyTorch is too old: {minimum} or later is needed. Uninstall it in the module PyTorch, "
                "restart Slicer, then press Apply again."
            ).format(minimum=TORCH.minimum)
        )


def _install(missing: list[Requirement]) -> None:
    texts = [requirement.text for requirement in missing]
    try:
        if hasattr(slicer, "packaging") or importlib.util.find_spec("slicer.packaging") is not None:
            packaging = importlib.import_module("slicer.packaging")
            packaging.pip_ensure(texts, requester=REQUESTER)
            return
        question = _("MRTranslate needs these Python packages: {names}.\nInstall them now? (a few MB)")
        if not slicer.util.confirmOkCancelDisplay(question.format(names=", ".join(texts))):
            raise PackagesMissing(_declined(texts))
        slicer.util.pip_install(texts)
    except subprocess.CalledProcessError as error:
        raise PackagesMissing(_whyItFailed(texts, error)) from error
    except RuntimeError as error:
        raise error if isinstance(error, PackagesMissing) else PackagesMissing(_declined(texts)) from error


def _installTorch() -> None:
    try:
        logic = importlib.import_module("PyTorchUtils").PyTorchUtilsLogic()
    except ImportError as error:
        raise PackagesMissing(
            _("PyTorch is missing: install the extension PyTorch (Extensions Manager), restart Slicer, try again.")
        ) from error
    try:
        installed = logic.installTorch(askConfirmation=True, torchVersionRequirement=f">={TORCH.minimum}")
    except subprocess.CalledProcessError as error:
        raise PackagesMissing(_whyItFailed(["torch"], error)) from error
    except (ImportError, OSError) as error:  # the extension imports what it installed
        raise PackagesMissing(
            _("PyTorch was installed but cannot be loaded ({reason}): restart Slicer, then try again.").format(
                reason=error
            )
        ) from error
    if installed is None:
        raise PackagesMissing(_declined(["torch"]))


def _isSatisfied(requirement: Requirement) -> bool:
    try:
        installed = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return _numbers(installed) >= _numbers(requirement.minimum)


def _numbers(version: str) -> tuple[int, ...]:
    match = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def _declined(texts: list[str]) -> str:
    return _("MRTranslate cannot translate without {names}. Press Apply again to be asked again.").format(
        names=", ".join(texts)
    )


def _whyItFailed(texts: list[str], error: subprocess.CalledProcessError) -> str:
    said = f"{error.output or ''} {error.stderr or ''} {error}".lower()
    if any(sign in said for sign in _OFFLINE_SIGNS):
        return _(
            "{names} could not be downloaded: this computer seems to be offline. Connect it, or install the packages "
            "from files with PythonSlicer -m pip install, then press Apply again."
        ).format(names=", ".join(texts))
    return _("{names} could not be installed (exit code {code}). The log has what pip said.").format(
        names=", ".join(texts), code=error.returncode
    )
