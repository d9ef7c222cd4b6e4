"""The extensions manager, as far as modules ask it: is an extension installed, and please install it."""

from __future__ import annotations

from typing import Any

from PySide6 import QtCore
from PySide6.QtCore import Property


class ExtensionsManagerModel(QtCore.QObject):
    """Remembers what a test declared installed; installs nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.installed_names: set[str] = set()
        self.refused_names: list[str] = []
        self._interactive = True

    def isExtensionInstalled(self, name: str) -> bool:
        """Whether a test added ``name`` to ``installed_names``."""
        return name in self.installed_names

    def installExtensionFromServer(self, name: str, *_: Any) -> bool:
        """No network in tests: refused, and noted in ``refused_names``."""
        self.refused_names.append(name)
        return False

    def updateExtensionsMetadataFromServer(self, *_: Any) -> bool:
        """No network in tests."""
        return False

    def _get_interactive(self) -> bool:
        return self._interactive

    def setInteractive(self, interactive: bool) -> None:
        """Whether the user is asked before installing."""
        self._interactive = interactive

    interactive = Property(bool, _get_interactive, setInteractive)
