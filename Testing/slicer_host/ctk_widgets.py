"""Stand-ins for the ctk widgets that scripted modules use, with the properties, signals and look of the originals.

Each property has its setter as a method too (``slider.value = 1`` and ``slider.setValue(1)``), since both are written.
"""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from pathlib import Path

from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Qt, Signal

_EXPLICIT = Qt.WidgetAttribute.WA_WState_ExplicitShowHide


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A section with a header; a click on the header hides or shows what lies below it."""

    contentsCollapsed = Signal(bool)
    _HEADER_HEIGHT = 24

    def __init__(self, *arguments: object) -> None:
        """``ctkCollapsibleButton(parent)`` or ``ctkCollapsibleButton(text, parent)``."""
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        if arguments and isinstance(arguments[0], str):
            self.setText(arguments[0])
        self._collapsed_height = 0
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._HEADER_HEIGHT, 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Preferred)
        self.toggled.connect(self._show_contents)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide (True) or show the contents."""
        self.setChecked(not collapsed)

    def _get_collapsed_height(self) -> int:
        return self._collapsed_height

    def setCollapsedHeight(self, height: int) -> None:
        """How many pixels of the contents stay visible when collapsed; the host hides them all."""
        self._collapsed_height = height

    collapsed = Property(bool, _is_collapsed, setCollapsed)
    collapsedHeight = Property(int, _get_collapsed_height, setCollapsedHeight)

    def _show_contents(self, shown: bool) -> None:
        for child in self.children():
            if isinstance(child, QtWidgets.QWidget) and not child.isWindow():
                self._show_child(child, shown)
        self.updateGeometry()
        self.contentsCollapsed.emit(not shown)

    @staticmethod
    def _show_child(child: QtWidgets.QWidget, shown: bool) -> None:
        # What was hidden on purpose before the collapse stays hidden after it.
        if not shown:
            child.setProperty("hiddenBeforeCollapse", child.isHidden() and child.testAttribute(_EXPLICIT))
        child.setVisible(shown and not child.property("hiddenBeforeCollapse"))

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """Hide what is added while collapsed."""
        super().childEvent(event)
        child = event.child()
        if event.polished() and not self.isChecked() and isinstance(child, QtWidgets.QWidget):
            self._show_child(child, shown=False)

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Only the header is clickable."""
        return 0 <= position.y() < self._HEADER_HEIGHT and self.rect().contains(position)

    def sizeHint(self) -> QtCore.QSize:
        """The header, and the layout below it unless collapsed."""
        return self._size(layout.totalSizeHint() if (layout := self.layout()) else QtCore.QSize())

    def minimumSizeHint(self) -> QtCore.QSize:
        """The same for the smallest layout."""
        return self._size(layout.totalMinimumSize() if (layout := self.layout()) else QtCore.QSize())

    def _size(self, contents: QtCore.QSize) -> QtCore.QSize:
        header = QtCore.QSize(self.fontMetrics().horizontalAdvance(self.text()) + 40, self._HEADER_HEIGHT)
        return header if not self.isChecked() or not contents.isValid() else contents.expandedTo(header)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the header: an arrow and the text on a bar."""
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, self.width(), self._HEADER_HEIGHT)
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButtonBevel, option)
        arrow = QtWidgets.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = QtCore.QRect(6, 6, 12, 12)
        primitive = QtWidgets.QStyle.PrimitiveElement
        painter.drawPrimitive(
            primitive.PE_IndicatorArrowDown if self.isChecked() else primitive.PE_IndicatorArrowRight, arrow
        )
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width() - 34)
        painter.drawText(
            option.rect.adjusted(24, 0, -8, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text
        )


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group box whose contents hide when it is unchecked."""

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        if arguments and isinstance(arguments[0], str):
            self.setTitle(arguments[0])
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._show_contents)

    def _is_collapsed(self) -> bool:
        return not self.isChecked()

    def setCollapsed(self, collapsed: bool) -> None:
        """Hide (True) or show the contents."""
        self.setChecked(not collapsed)

    collapsed = Property(bool, _is_collapsed, setCollapsed)

    def _show_contents(self, shown: bool) -> None:
        for child in self.findChildren(QtWidgets.QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            child.setVisible(shown)


class ctkDoubleSlider(QtWidgets.QWidget):
    """A slider over real numbers."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    sliderMoved = Signal(float)
    sliderPressed = Signal()
    sliderReleased = Signal()

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._minimum, self._maximum, self._value, self._single_step, self._page_step = 0.0, 99.0, 0.0, 1.0, 10.0
        self._tracking = True
        self._slider = QtWidgets.QSlider(Qt.Orientation.Horizontal)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider)
        self._slider.valueChanged.connect(self._moved)
        self._slider.sliderPressed.connect(self.sliderPressed)
        self._slider.sliderReleased.connect(self.sliderReleased)
        self._show()

    def _show(self) -> None:
        blocked = self._slider.blockSignals(True)
        self._slider.setRange(0, max(0, round((self._maximum - self._minimum) / self._single_step)))
        self._slider.setValue(round((self._value - self._minimum) / self._single_step))
        self._slider.blockSignals(blocked)

    def _moved(self, step: int) -> None:
        self.setValue(self._minimum + step * self._single_step)
        self.sliderMoved.emit(self._value)

    def _get_value(self) -> float:
        return self._value

    def setValue(self, value: float) -> None:
        """Move to ``value``, clipped to the range."""
        clipped = min(max(float(value), self._minimum), self._maximum)
        if clipped != self._value:
            self._value = clipped
            self._show()
            self.valueIsChanging.emit(clipped)
            self.valueChanged.emit(clipped)

    def _get_minimum(self) -> float:
        return self._minimum

    def setMinimum(self, minimum: float) -> None:
        """Lower end of the range."""
        self.setRange(minimum, max(minimum, self._maximum))

    def _get_maximum(self) -> float:
        return self._maximum

    def setMaximum(self, maximum: float) -> None:
        """Upper end of the range."""
        self.setRange(min(self._minimum, maximum), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Both ends; the value follows."""
        self._minimum, self._maximum = float(minimum), float(maximum)
        self.setValue(self._value)
        self._show()

    def _get_single_step(self) -> float:
        return self._single_step

    def setSingleStep(self, step: float) -> None:
        """Distance between two positions of the handle."""
        self._single_step = float(step)
        self._show()

    def _get_page_step(self) -> float:
        return self._page_step

    def setPageStep(self, step: float) -> None:
        """Distance of a click beside the handle."""
        self._page_step = float(step)
        self._slider.setPageStep(max(1, round(step / self._single_step)))

    def _has_tracking(self) -> bool:
        return self._tracking

    def setTracking(self, tracking: bool) -> None:
        """Whether the value changes while the handle is dragged."""
        self._tracking = tracking
        self._slider.setTracking(tracking)

    value = Property(float, _get_value, setValue, notify=valueChanged)
    minimum = Property(float, _get_minimum, setMinimum)
    maximum = Property(float, _get_maximum, setMaximum)
    singleStep = Property(float, _get_single_step, setSingleStep)
    pageStep = Property(float, _get_page_step, setPageStep)
    tracking = Property(bool, _has_tracking, setTracking)


class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box over real numbers."""


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider and a spin box that always show the same number."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider, self._spin_box = ctkDoubleSlider(), QtWidgets.QDoubleSpinBox()
        self._spin_box.setRange(0.0, 99.0)
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin_box)
        self._slider.valueChanged.connect(self._spin_box.setValue)
        self._spin_box.valueChanged.connect(self._spin_box_changed)

    def _spin_box_changed(self, value: float) -> None:
        blocked = self._slider.blockSignals(True)
        self._slider.setValue(value)
        self._slider.blockSignals(blocked)
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _get_value(self) -> float:
        return self._spin_box.value()

    def setValue(self, value: float) -> None:
        """Move to ``value``, clipped to the range and rounded to ``decimals``."""
        self._spin_box.setValue(value)

    def _get_minimum(self) -> float:
        return self._spin_box.minimum()

    def setMinimum(self, minimum: float) -> None:
        """Lower end of the range."""
        self._slider.setMinimum(minimum)
        self._spin_box.setMinimum(minimum)

    def _get_maximum(self) -> float:
        return self._spin_box.maximum()

    def setMaximum(self, maximum: float) -> None:
        """Upper end of the range."""
        self._slider.setMaximum(maximum)
        self._spin_box.setMaximum(maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Both ends; the value follows."""
        self._slider.setRange(minimum, maximum)
        self._spin_box.setRange(minimum, maximum)

    def _get_single_step(self) -> float:
        return self._spin_box.singleStep()

    def setSingleStep(self, step: float) -> None:
        """Step of the slider and of the spin box's arrows."""
        self._slider.setSingleStep(step)
        self._spin_box.setSingleStep(step)

    def _get_page_step(self) -> float:
        return float(self._slider._get_page_step())

    def setPageStep(self, step: float) -> None:
        """Distance of a click beside the handle."""
        self._slider.setPageStep(step)

    def _get_decimals(self) -> int:
        return self._spin_box.decimals()

    def setDecimals(self, decimals: int) -> None:
        """Digits after the point."""
        self._spin_box.setDecimals(decimals)

    def _get_suffix(self) -> str:
        return self._spin_box.suffix()

    def setSuffix(self, suffix: str) -> None:
        """Text after the number, such as a unit."""
        self._spin_box.setSuffix(suffix)

    def _get_prefix(self) -> str:
        return self._spin_box.prefix()

    def setPrefix(self, prefix: str) -> None:
        """Text before the number."""
        self._spin_box.setPrefix(prefix)

    def _has_tracking(self) -> bool:
        return self._slider._has_tracking()

    def setTracking(self, tracking: bool) -> None:
        """Whether the value changes while the handle is dragged."""
        self._slider.setTracking(tracking)

    def slider(self) -> ctkDoubleSlider:
        """The slider."""
        return self._slider

    def spinBox(self) -> QtWidgets.QDoubleSpinBox:
        """The spin box."""
        return self._spin_box

    value = Property(float, _get_value, setValue, notify=valueChanged)
    minimum = Property(float, _get_minimum, setMinimum)
    maximum = Property(float, _get_maximum, setMaximum)
    singleStep = Property(float, _get_single_step, setSingleStep)
    pageStep = Property(float, _get_page_step, setPageStep)
    decimals = Property(int, _get_decimals, setDecimals)
    suffix = Property(str, _get_suffix, setSuffix)
    prefix = Property(str, _get_prefix, setPrefix)
    tracking = Property(bool, _has_tracking, setTracking)


class ctkRangeWidget(QtWidgets.QWidget):
    """Two numbers, the lower never above the upper."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._lower, self._upper = QtWidgets.QDoubleSpinBox(), QtWidgets.QDoubleSpinBox()
        layout = QtWidgets.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for spin_box, value in ((self._lower, 0.0), (self._upper, 99.0)):
            spin_box.setRange(0.0, 99.0)
            spin_box.setValue(value)
            layout.addWidget(spin_box)
        self._lower.valueChanged.connect(self._lower_changed)
        self._upper.valueChanged.connect(self._upper_changed)

    def _lower_changed(self, value: float) -> None:
        self._set_quietly(self._upper, max(value, self._upper.value()))
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(value, self._upper.value())

    def _upper_changed(self, value: float) -> None:
        self._set_quietly(self._lower, min(value, self._lower.value()))
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._lower.value(), value)

    @staticmethod
    def _set_quietly(spin_box: QtWidgets.QDoubleSpinBox, value: float) -> None:
        blocked = spin_box.blockSignals(True)
        spin_box.setValue(value)
        spin_box.blockSignals(blocked)

    def setValues(self, lower: float, upper: float) -> None:
        """Both numbers at once; one signal."""
        before = (self._lower.value(), self._upper.value())
        self._set_quietly(self._lower, min(lower, upper))
        self._set_quietly(self._upper, max(lower, upper))
        after = (self._lower.value(), self._upper.value())
        if after != before:
            self.valuesChanged.emit(*after)

    def _get_minimum(self) -> float:
        return self._lower.minimum()

    def setMinimum(self, minimum: float) -> None:
        """Lower end of the range."""
        self.setRange(minimum, self._lower.maximum())

    def _get_maximum(self) -> float:
        return self._lower.maximum()

    def setMaximum(self, maximum: float) -> None:
        """Upper end of the range."""
        self.setRange(self._lower.minimum(), maximum)

    def setRange(self, minimum: float, maximum: float) -> None:
        """Both ends; the values follow."""
        self._lower.setRange(minimum, maximum)
        self._upper.setRange(minimum, maximum)

    def _get_minimum_value(self) -> float:
        return self._lower.value()

    def setMinimumValue(self, value: float) -> None:
        """The lower number."""
        self._lower.setValue(value)

    def _get_maximum_value(self) -> float:
        return self._upper.value()

    def setMaximumValue(self, value: float) -> None:
        """The upper number."""
        self._upper.setValue(value)

    def _get_single_step(self) -> float:
        return self._lower.singleStep()

    def setSingleStep(self, step: float) -> None:
        """Step of the arrows."""
        self._lower.setSingleStep(step)
        self._upper.setSingleStep(step)

    def _get_decimals(self) -> int:
        return self._lower.decimals()

    def setDecimals(self, decimals: int) -> None:
        """Digits after the point."""
        self._lower.setDecimals(decimals)
        self._upper.setDecimals(decimals)

    minimum = Property(float, _get_minimum, setMinimum)
    maximum = Property(float, _get_maximum, setMaximum)
    minimumValue = Property(float, _get_minimum_value, setMinimumValue)
    maximumValue = Property(float, _get_maximum_value, setMaximumValue)
    singleStep = Property(float, _get_single_step, setSingleStep)
    decimals = Property(int, _get_decimals, setDecimals)


class ctkDoubleRangeSlider(ctkRangeWidget):
    """A slider with two handles; the host shows two spin boxes."""


class ctkComboBox(QtWidgets.QComboBox):
    """A combo box that shows a text while nothing is chosen."""

    def _get_default_text(self) -> str:
        return self.placeholderText()

    def setDefaultText(self, text: str) -> None:
        """What to show while nothing is chosen."""
        self.setPlaceholderText(text)

    defaultText = Property(str, _get_default_text, setDefaultText)


class ctkCheckBox(QtWidgets.QCheckBox):
    """A check box."""


class ctkPushButton(QtWidgets.QPushButton):
    """A push button."""


class ctkCheckablePushButton(QtWidgets.QPushButton):
    """A push button with a check box in it; the host shows its state as pressed."""

    checkBoxToggled = Signal(bool)

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self.setCheckable(True)
        self.toggled.connect(self.checkBoxToggled)


class ctkMenuButton(QtWidgets.QPushButton):
    """A push button with a menu."""


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box that may offer "don't show again"."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings_key = ""

    def _get_settings_key(self) -> str:
        return self._settings_key

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        """Where the user's answer is kept."""
        self._settings_key = key

    dontShowAgainSettingsKey = Property(str, _get_settings_key, setDontShowAgainSettingsKey)


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


class ctkColorPickerButton(QtWidgets.QPushButton):
    """A button that shows a colour."""

    colorChanged = Signal(QtGui.QColor)

    def __init__(self, *arguments: object) -> None:
        parent = arguments[-1] if arguments and isinstance(arguments[-1], QtWidgets.QWidget) else None
        super().__init__(parent)
        self._color = QtGui.QColor(Qt.GlobalColor.black)

    def _get_color(self) -> QtGui.QColor:
        return self._color

    def setColor(self, color: QtGui.QColor) -> None:
        """Show another colour."""
        if color != self._color:
            self._color = QtGui.QColor(color)
            self.setText(self._color.name())
            self.colorChanged.emit(self._color)

    color = Property(QtGui.QColor, _get_color, setColor, notify=colorChanged)


class ctkFittedTextBrowser(QtWidgets.QTextBrowser):
    """A text browser as high as its text."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._show_details_text, self._hide_details_text = "", ""
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Fixed)
        self.document().contentsChanged.connect(self.updateGeometry)

    def sizeHint(self) -> QtCore.QSize:
        """The document's height at the present width."""
        document = self.document().clone()
        document.setTextWidth(self.viewport().width())
        return QtCore.QSize(super().sizeHint().width(), round(document.size().height()) + 2 * self.frameWidth())

    minimumSizeHint = sizeHint

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        """Another width needs another height."""
        super().resizeEvent(event)
        self.updateGeometry()


class ctkExpandButton(QtWidgets.QToolButton):
    """A small arrow that is pressed or not."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setArrowType(Qt.ArrowType.DownArrow)


class ctkSearchBox(QtWidgets.QLineEdit):
    """A line edit for search words."""


WIDGETS: dict[str, type[QtWidgets.QWidget]] = {
    name: value
    for name, value in list(globals().items())
    if name.startswith("ctk") and isinstance(value, type) and issubclass(value, QtWidgets.QWidget)
}
