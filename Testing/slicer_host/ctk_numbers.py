"""Stand-ins for the ctk widgets that show one number or two."""

# ruff: noqa: N801, N815 (the names are Slicer's)

from __future__ import annotations

from PySide6 import QtWidgets
from PySide6.QtCore import Property, Qt, Signal


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
