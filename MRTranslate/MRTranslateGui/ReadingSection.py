"""The section Reading session: a reader opens a session, judges image after image, and stops whenever he likes."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from MRTranslateLib.errors import MRTranslateError

from .Packages import PackagesMissing, ensurePackages
from .ReadingForm import ReadingForm
from .ReadingViews import ReadingViews

REQUIREMENTS = Path(__file__).resolve().parents[1] / "Resources" / "requirements.txt"


class ReadingSection:
    """One session at a time; what is answered is kept in the session's folder at once, and for good."""

    def __init__(self, ui: Any) -> None:
        """Wire the section; ``ui`` holds the widgets of the ``.ui`` file."""
        self.ui = ui
        self._folder: Path | None = None
        self._reading: Any = None  # MRTranslateLib.review.reading.Reading
        self._item: Any = None
        self._form: ReadingForm | None = None
        self._shownSince = 0.0
        self._views = ReadingViews(self.stop)
        ui.readingOpenButton.connect("clicked(bool)", self.onOpenButton)
        ui.readingStartButton.connect("clicked(bool)", self.onStartButton)
        ui.readingSaveButton.connect("clicked(bool)", self.onSaveButton)
        self._update()

    @property
    def isReading(self) -> bool:
        """Whether a session is open, whose views are the reader's alone."""
        return self._reading is not None

    # --- choosing -------------------------------------------------------------------------------------------------

    def onOpenButton(self, _checked: bool = False) -> None:
        path = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), _("Open a reading session"))
        if path:
            self.choose(Path(str(path)))

    def choose(self, folder: Path) -> None:
        """Offer the readers of the session in a folder."""
        self.stop()
        self._folder = None
        self.ui.readingReaderComboBox.clear()
        try:
            ensurePackages(REQUIREMENTS)
            from MRTranslateLib.review.session import read_session  # brings msgspec, which is not Slicer's own

            readers = list(read_session(folder).orders)
        except (PackagesMissing, MRTranslateError) as error:
            self._update(str(error))
            return
        self._folder = folder
        for reader in readers:
            self.ui.readingReaderComboBox.addItem(reader, reader)
        self._update(_("Session {name}: choose who you are and start.").format(name=folder.name))

    # --- reading --------------------------------------------------------------------------------------------------

    def onStartButton(self, _checked: bool = False) -> None:
        if self._reading is not None:
            self.stop()
            return
        from MRTranslateLib.review.reading import open_reading

        combo = self.ui.readingReaderComboBox
        if self._folder is None or combo.currentIndex < 0:
            return
        try:
            self._reading = open_reading(self._folder, str(combo.itemData(combo.currentIndex)))
        except MRTranslateError as error:
            self._update(str(error))
            return
        logging.info("MRTranslate: reading session %s", self._folder.name)
        self._next()

    def onSaveButton(self, _checked: bool = False) -> None:
        """Keep the answer and go on; an answer that cannot be kept, or to another picture, stays in the form."""
        if self._reading is None or self._form is None or not self._form.isComplete:
            return
        if not self._views.isIntact():
            if self._showItem():
                self._update(_("The views showed something else: the image is back, look at it again, then save."))
            return
        try:
            self._reading.record(self._item.name, self._form.values, seconds=time.monotonic() - self._shownSince)
        except MRTranslateError as error:
            self._update(str(error))
            return
        self._next()

    def stop(self) -> None:
        """Close the session, if one is open; the next start goes on with the first image that has no answer."""
        reading, self._reading, self._item = self._reading, None, None
        self._removeForm()
        if reading is not None:
            reading.close()
            self._views.close()
            done = _("{done} of {all} images judged. Start goes on from there.")
            self._update(done.format(done=reading.num_answered, all=reading.num_items))

    def _next(self) -> None:
        self._removeForm()
        if not self._showItem():
            return
        self._form = ReadingForm(self.ui.readingFormWidget, _asPlainValues(self._reading.questions), self._update)
        self._shownSince = time.monotonic()
        self._update()

    def _showItem(self) -> bool:
        """Show the first image that has no answer; else close the session, say why, and return False."""
        try:
            self._item = self._reading.next_item()
            if self._item is not None:
                self._views.show(self._item.image, self._item.source, str(self._reading.source))
        except (MRTranslateError, OSError, ValueError) as error:
            self.stop()
            self._update(str(error))
            return False
        if self._item is None:
            self.stop()
            self._update(_("All images are judged. Thank you."))
        return self._item is not None

    def _removeForm(self) -> None:
        form, self._form = self._form, None
        if form is not None:
            form.remove()

    def _update(self, text: str | None = None) -> None:
        """Bring the widgets up to date; ``text`` is what to say, None for how far the reading is."""
        reading, ui = self._reading, self.ui
        isReading = reading is not None
        ui.readingOpenButton.setEnabled(not isReading)
        ui.readingReaderComboBox.setEnabled(not isReading and self._folder is not None)
        ui.readingStartButton.setEnabled(isReading or self._folder is not None)
        ui.readingStartButton.setText(_("Stop reading") if isReading else _("Start reading"))
        isComplete = self._form is not None and self._form.isComplete
        ui.readingSaveButton.setVisible(isReading)
        ui.readingSaveButton.setEnabled(isComplete)
        ui.readingSaveButton.setToolTip(
            _("Keeps your answer, which cannot be changed afterwards.")
            if isComplete
            else _("Answer every question first.")
        )
        if text is None and isReading and self._item is not None:
            text = _("Image {number} of {all}: {target}, real or synthetic. Not for diagnostic use.").format(
                number=self._item.number, all=reading.num_items, target=reading.target
            )
        if text is not None:
            ui.readingStateLabel.setText(text)


def _asPlainValues(questions: Any) -> list[dict[str, Any]]:
    import msgspec

    plain: list[dict[str, Any]] = msgspec.to_builtins(questions)
    return plain
