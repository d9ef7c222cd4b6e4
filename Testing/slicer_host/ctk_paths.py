"""Stand-ins for the ctk widgets that show a file or folder."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from pathlib import Path

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a button that browses for it."""

    currentPathChanged = Signal(str)
    # Bits of ``filters``, as QDir names them.
    Dirs, Files, Executable, Writable, Readable = 0x0001, 0x0002, 0x0040, 0x0020, 0x0010

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._filters, self._name_filters, self._setting_key, self._label = self.Files, list[str](), "", ""
        self._path = QtWidgets.QComboBox()
        self._path.setEditable(True)
        self._path.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self._path.setMinimumContentsLength(4)
        self._browse = QtWidgets.QToolButton()
        self._browse.setText("…")
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._path, 1)
        layout.addWidget(self._browse)
        self._browse.clicked.connect(lambda: self.browse())
        self._path.currentTextChanged.connect(self.currentPathChanged)

    def browse(self) -> None:
        """Ask for a file or folder."""
        if self._filters & self.Files:
            path, _ = QtWidgets.QFileDialog.getOpenFileName(
                self, self._label, self._get_path(), ";;".join(self._name_filters)
            )
        else:
            path = QtWidgets.QFileDialog.getExistingDirectory(self, self._label, self._get_path())
        if path:
            self.setCurrentPath(path)

    def addCurrentPathToHistory(self) -> None:
        """Remember the path for the next time."""
        if self._get_path() and self._path.findText(self._get_path()) < 0:
            self._path.addItem(self._get_path())

    def comboBox(self) -> QtWidgets.QComboBox:
        """The field and its history."""
        return self._path

    def _get_path(self) -> str:
        return self._path.currentText()

    def setCurrentPath(self, path: str) -> None:
        """Show ``path``; it need not exist."""
        self._path.setCurrentText(path)

    def _get_filters(self) -> int:
        return self._filters

    def setFilters(self, filters: int) -> None:
        """Files, Dirs, Readable, Writable, Executable, or a sum of them."""
        self._filters = int(filters)

    def _get_name_filters(self) -> list[str]:
        return self._name_filters

    def setNameFilters(self, name_filters: list[str]) -> None:
        """Patterns such as ``NIfTI (*.nii *.nii.gz)``."""
        self._name_filters = list(name_filters)

    def _get_setting_key(self) -> str:
        return self._setting_key

    def setSettingKey(self, key: str) -> None:
        """Where the history is kept."""
        self._setting_key = key

    def _get_label(self) -> str:
        return self._label

    def setLabel(self, label: str) -> None:
        """Title of the browser."""
        self._label = label

    currentPath = Property(str, _get_path, setCurrentPath, notify=currentPathChanged)
    filters = Property(int, _get_filters, setFilters)
    nameFilters = Property("QStringList", _get_name_filters, setNameFilters)  # type: ignore[arg-type]
    settingKey = Property(str, _get_setting_key, setSettingKey)
    label = Property(str, _get_label, setLabel)


class ctkDirectoryButton(QtWidgets.QPushButton):
    """A button that shows a folder and asks for another when clicked."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._directory = ""
        self.clicked.connect(lambda: self.browse())

    def browse(self) -> None:
        """Ask for a folder."""
        if folder := QtWidgets.QFileDialog.getExistingDirectory(self, "", self._directory):
            self.setDirectory(folder)
            self.directorySelected.emit(folder)

    def _get_directory(self) -> str:
        return self._directory

    def setDirectory(self, directory: str) -> None:
        """Show another folder."""
        path = Path(directory).absolute().as_posix() if directory else ""
        if path != self._directory:
            self._directory = path
            self.setText(path)
            self.directoryChanged.emit(path)

    directory = Property(str, _get_directory, setDirectory, notify=directoryChanged)
