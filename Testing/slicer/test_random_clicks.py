"""Clicks without sense: whatever order a hand finds, the panel stays usable, and nothing is logged or left running.

    MRTRANSLATE_CLICK_SEQUENCES=100 pytest Testing/slicer/test_random_clicks.py

Most sequences have a worker that answers when a click says so, so that answers come at every wrong moment; each fifth
has a real process with a stub of the library, so that there is something to be left behind.
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
NUM_SEQUENCES = int(os.environ.get("MRTRANSLATE_CLICK_SEQUENCES", "25"))
NUM_CLICKS = 40
EVERY_REAL = 5
"""Each so-many-th sequence runs a real process."""
SHAPE = (6, 8, 8)
NAMES = ("t1_mprage", "T2 tse", "FLAIR", "t1_gd", "pd_tse", "something")
STUB = Path(__file__).with_name("stub_translation.py")


def make_slow_worker():
    """A worker that answers, is cancelled and fails only when a click says so, as late as a process might."""
    from Testing.slicer.fake_worker import FakeWorker

    class SlowWorker(FakeWorker):
        is_cancelling = False

        def cancel(self):
            self.is_cancelling = self._numRunning > 0

        def shutdown(self):
            super().shutdown()
            self.is_cancelling = False

        def reply(self, choose):
            """One of the things that a process may say now."""
            if not self._numRunning:
                return
            was_cancelled, self.is_cancelling = self.is_cancelling, False
            word = choose(("finished", "failed", "progress", "cancelled" if was_cancelled else "finished"))
            if word == "progress":
                self.is_cancelling = was_cancelled
                self.report("translate", 0.3, 12.0)
            elif word == "failed":
                self.fail("The worker ran out of memory.")
            elif word == "cancelled":
                self._numRunning = 0
                self.cancelled.emit(len(self.jobs))
            elif self.job.kind == "translate":
                self.answerTranslation()
            elif self.job.kind == "evaluate":
                scores = {"num_voxels": 5, "psnr": 30.0, "ssim": 0.9, "nmae": 0.1, "nrmse": 0.2, "bias": 0.0}
                self.answer({"brain": scores, "lesion": None, "lesion_labels": {}, "healthy": None, "notes": []})
            elif self.job.kind == "robustness":
                self.answerRobustness()
            else:
                self.answer([])

    return SlowWorker()


def make_real_worker(folder):
    """A process whose jobs take a moment, fail or crash."""
    from MRTranslateGui.WorkerProcess import WorkerProcess

    return WorkerProcess(interpreter=lambda: sys.executable, arguments=(str(STUB),), temporaryParent=folder)


class Hand:
    """Clicks by chance; remembers what it did, for the message of a failure."""

    def __init__(self, host, widget, worker, seed):
        self.host, self.widget, self.worker = host, widget, worker
        self.chance = random.Random(seed)
        self.done: list[str] = []
        self.clicks = (
            [self.load] * 3 + [self.apply] * 6 + [self.reply] * 6 + [self.turn] * 4 + [self.chooseInput] * 4
            + [self.guess, self.chooseTarget, self.chooseOutput, self.chooseOptional, self.look, self.look, self.look]
            + [self.trust] * 3 + [self.robustness] * 5 + [self.deleteNode] * 2
            + [self.closeScene, self.leaveAndReturn, self.score, self.drag, self.verify]
        )  # fmt: skip

    def clickAtRandom(self):
        click = self.chance.choice(self.clicks)
        self.done.append(click.__name__)
        click()

    def press(self, button):
        """As a mouse does: a grey button does nothing."""
        if button.enabled:
            button.click()

    def volumes(self):
        import slicer

        return slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")

    def load(self):
        import slicer

        if len(self.volumes()) > 8:
            return
        array = np.zeros(SHAPE, np.int16)
        array[1:-1, 1:-1, 1:-1] = 100 + np.arange(6).reshape(1, 1, 6)
        name = self.chance.choice(NAMES)
        if self.chance.random() < 0.2:
            labels = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "mask")
            slicer.util.updateVolumeFromArray(labels, (array > 0).astype(np.uint8))
        else:
            slicer.util.addVolumeFromArray(array, name=name)

    def apply(self):
        self.press(self.widget.ui.applyButton)

    def reply(self):
        if hasattr(self.worker, "reply"):
            self.worker.reply(self.chance.choice)
        else:
            self.turn()

    def turn(self):
        for _ in range(self.chance.choice((1, 3, 12))):
            self.host.app.processEvents()
            time.sleep(0.001)

    def chooseInput(self):
        role = self.chance.choice(("T1w", "T1wGd", "T2w", "PDw", "FLAIR"))
        self.choose(getattr(self.widget.ui, f"source{role}Selector"))

    def chooseOptional(self):
        names = ("lowResolution", "brainMask", "lesionMask", "reference")
        self.choose(getattr(self.widget.ui, f"{self.chance.choice(names)}Selector"))

    def chooseOutput(self):
        self.choose(self.chance.choice((self.widget.ui.outputSelector, self.widget.ui.attentionSelector)))

    def choose(self, selector):
        if not selector.enabled:
            return
        nodes = [selector.nodeFromIndex(index) for index in range(selector.nodeCount())]
        selector.setCurrentNode(self.chance.choice([None, *nodes]))

    def guess(self):
        self.press(self.widget.ui.guessButton)

    def chooseTarget(self):
        combo = self.widget.ui.targetComboBox
        if combo.count:
            combo.setCurrentIndex(self.chance.randrange(combo.count))

    def look(self):
        ui = self.widget.ui
        buttons = (ui.compareButton, ui.differenceButton, ui.flickerButton, ui.curtainButton)
        self.press(self.chance.choice(buttons))

    def trust(self):
        """Of the section Trust: what is wanted, the map, the outline, the candidates."""
        ui = self.widget.ui
        boxes = (ui.wantsAttentionCheckBox, ui.wantsUncertaintyCheckBox, ui.wantsChecksCheckBox)
        choice = self.chance.randrange(4)
        if choice == 0:
            self.press(self.chance.choice((*boxes, ui.lesionOutlineCheckBox)))
        elif choice == 1:
            ui.heatMapComboBox.setCurrentIndex(self.chance.randrange(ui.heatMapComboBox.count))
        elif choice == 2 and ui.candidateListWidget.count:
            ui.candidateListWidget.setCurrentRow(self.chance.randrange(ui.candidateListWidget.count))
        else:
            self.press(self.chance.choice((ui.previousCandidateButton, ui.nextCandidateButton)))

    def robustness(self):
        """Of the section Robustness: what is tried, the run, and scrolling through it."""
        import qt

        ui = self.widget.ui
        choice = self.chance.randrange(4)
        if choice == 0:
            self.press(self.chance.choice((ui.robustnessRunButton, ui.robustnessViewsButton)))
        elif choice == 1:
            item = self.widget.panel.robustness.types.item(self.chance.choice(("spike", "misalignment", "blur")))
            item.setCheckState(self.chance.choice((qt.Qt.Checked, qt.Qt.Unchecked)))
        elif choice == 2:
            ui.robustnessShownLevelSlider.setValue(self.chance.randrange(6))
        else:
            combo = self.chance.choice((ui.robustnessShownTypeComboBox, ui.robustnessRegionComboBox))
            combo.setCurrentIndex(self.chance.randrange(-1, combo.count))

    def drag(self):
        ui = self.widget.ui
        ui.curtainSlider.value = self.chance.uniform(0, 100)
        ui.opacitySlider.value = self.chance.random()
        ui.thresholdSlider.value = self.chance.random()

    def score(self):
        self.press(self.widget.ui.scoreButton)

    def verify(self):
        self.press(self.widget.ui.verifyModelButton)

    def deleteNode(self):
        import slicer

        if nodes := self.volumes():
            slicer.mrmlScene.RemoveNode(self.chance.choice(nodes))

    def closeScene(self):
        self.host.close_scene()

    def leaveAndReturn(self):
        self.widget.parent.exit()
        self.turn()
        self.widget.parent.enter()

    def comeToRest(self):
        """Cancel what runs, and take whatever the worker still says."""
        runner = self.widget.logic.runner
        runner.cancel()
        if hasattr(self.worker, "reply"):
            self.host.wait_until(lambda: not runner.isBusy or self.worker.reply(lambda words: words[-1]))
        else:
            self.host.wait_until(lambda: not runner.isBusy, 30)


def assert_usable(hand):
    """A new examination can be loaded and translated."""
    ui, runner = hand.widget.ui, hand.widget.logic.runner
    hand.host.close_scene()
    import slicer

    scan = slicer.util.addVolumeFromArray(np.full(SHAPE, 7, np.int16), name="T1w")
    ui.guessButton.click()
    assert ui.sourceT1wSelector.currentNode() is scan
    assert ui.applyButton.text == "Apply", ui.stateLabel.text
    assert ui.applyButton.enabled, ui.applyButton.toolTip
    for _attempt in range(10):  # the stub of the library fails by chance
        ui.applyButton.click()
        if hasattr(hand.worker, "reply"):
            hand.host.wait_until(lambda: hand.worker._numRunning or not runner.isBusy)
            hand.worker.answerTranslation()
        hand.host.wait_until(lambda: not runner.isBusy, 30)
        if ui.outputSelector.currentNode() is not None:
            return
    raise AssertionError(ui.stateLabel.text)


@pytest.mark.parametrize("seed", range(NUM_SEQUENCES))
def test_a_random_sequence_of_clicks_leaves_a_usable_panel(slicer_host, monkeypatch, caplog, tmp_path, seed):
    from MRTranslateGui import Console
    from Testing.slicer.conftest import MODULE_FOLDER

    worker = make_real_worker(tmp_path) if seed % EVERY_REAL == EVERY_REAL - 1 else make_slow_worker()
    monkeypatch.setattr(Console, "WorkerProcess", lambda: worker)
    monkeypatch.setenv("MRTRANSLATE_STUB_SEED", str(seed))
    hand = Hand(slicer_host, slicer_host.load_module(MODULE_FOLDER / "MRTranslate.py"), worker, seed)
    try:
        with caplog.at_level(logging.WARNING):
            for _ in range(NUM_CLICKS):
                hand.clickAtRandom()
            hand.comeToRest()
            assert_usable(hand)
    except (AssertionError, TimeoutError) as error:
        raise AssertionError(f"after {hand.done}: {error}") from error
    assert [record.getMessage() for record in caplog.records] == []
    assert slicer_host.problems.found == [], hand.done
    folders = [*getattr(worker, "folders", ()), *tmp_path.glob("*/*")]
    assert [folder for folder in folders if folder.is_dir() and any(folder.iterdir())] == []
