"""``slicer.packaging`` for tests: nothing is ever installed, each request is noted and answered as the test said.

Slicer 5.10 has no ``slicer.packaging``; ``host.hide_packaging()`` plays that older Slicer.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path
from typing import Any

requests: list[str] = []
allowed = False


def load_requirements(path: str | Path) -> list[str]:
    """Requirements in a requirements.txt, without comments and empty lines."""
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    return [line.partition("#")[0].strip() for line in lines if line.partition("#")[0].strip()]


def pip_check(requirement: str) -> bool:
    """Whether a package of that name is installed; versions are not compared here."""
    try:
        importlib.metadata.version(re.split(r"[<>=!~\[; ]", requirement, maxsplit=1)[0])
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def pip_ensure(requirements: list[str] | str, requester: str = "", **_: Any) -> list[str]:
    """Install what is missing.

    Returns:
        What was missing.

    Raises:
        RuntimeError: If something is missing and the test did not set ``allowed``, as when a user declines.
    """
    wanted = [requirements] if isinstance(requirements, str) else list(requirements)
    missing = [requirement for requirement in wanted if not pip_check(requirement)]
    if missing:
        _request(" ".join(missing))
    return missing


def pip_install(requirements: list[str] | str, **_: Any) -> None:
    """Note a request for ``pip install``.

    Raises:
        RuntimeError: If the test did not set ``allowed``.
    """
    _request(requirements if isinstance(requirements, str) else " ".join(requirements))


def pip_uninstall(requirements: list[str] | str, **_: Any) -> None:
    """Note a request for ``pip uninstall``."""
    _request(f"uninstall {requirements}")


def _request(text: str) -> None:
    requests.append(text)
    if not allowed:
        raise RuntimeError(f"the host installs nothing: {text}")
