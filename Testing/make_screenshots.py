"""Photograph the panel in every state on the Slicer host: ``python Testing/make_screenshots.py [FOLDER]``.

The real module, worker, library and shipped model at work on the generated sample head; no scan of a person. Writes
``Resources/Screenshots`` again, or FOLDER: windows of 1280 x 800 pixels, and panels of 350 pixels with all sections
open. Takes about three minutes on two cores.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT), str(ROOT / "MRTranslate")]  # not this file's folder: its "slicer" would hide Slicer's own

import psutil  # noqa: E402
from PIL import Image  # noqa: E402

from Testing.slicer_host.host import Host, start_host  # noqa: E402

FOLDER = ROOT / "Resources" / "Screenshots"
NARROW = 350
RUN_SECONDS = 1800
SECTIONS = (
    "inputs",
    "optionalInputs",
    "target",
    "outputs",
    "looking",
    "trust",
    "robustness",
    "reading",
    "model",
    "advanced",
)
SLICE_MM = 25.0
"""Height of the axial slice that is shown: through ventricles and tumour of the sample head."""


class Photographer:
    """One panel on the host, clicked from state to state."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host, self.folder = host, folder
        self.widget = host.load_module(ROOT / "MRTranslate" / "MRTranslate.py")
        self.ui, self.runner = self.widget.ui, self.widget.logic.runner

    def window(self, name: str) -> None:
        """Panel and views, as a user sees them."""
        from Testing.slicer_host.screenshot import grab_window

        grab_window(self.widget, self.path(name))
        shrink(self.path(name))

    def panel(self, name: str) -> None:
        """The narrow panel, as high as it needs to be."""
        from Testing.slicer_host.screenshot import grab_panel

        grab_panel(self.widget, self.path(name), NARROW)
        shrink(self.path(name))

    def path(self, name: str) -> Path:
        return self.folder / f"{name}.png"

    def wait(self, condition: Callable[[], Any]) -> None:
        self.host.wait_until(condition, RUN_SECONDS)

    def wait_for_end(self) -> None:
        self.wait(lambda: not self.runner.isBusy)

    def wait_until_half_done(self) -> None:
        self.wait(lambda: not self.runner.isBusy or self.ui.progressBar.value > 500)
        if not self.runner.isBusy:
            raise SystemExit(f"the run ended early: {self.ui.stateLabel.text}")

    def open_sections(self, *names: str) -> None:
        for name in SECTIONS:
            getattr(self.ui, f"{name}CollapsibleButton").collapsed = name not in names

    def show_slice(self) -> None:
        """All axial views on the slice with the tumour."""
        import slicer

        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            logic = manager.sliceWidget(name).sliceLogic()
            logic.FitSliceToBackground()
            if name not in ("Yellow", "Green"):
                logic.SetSliceOffset(SLICE_MM)
        self.host.app.processEvents()


def photograph_everything(take: Photographer) -> None:
    """From the empty panel to a judged result, and the ways to fail."""
    take.window("idle")
    take.open_sections(*SECTIONS)
    take.panel("panel_idle")
    take.open_sections("inputs", "target", "outputs", "looking")
    take.ui.sampleDataButton.click()
    take.show_slice()
    take.window("ready")
    take.ui.applyButton.click()
    take.wait_until_half_done()
    take.window("running")
    take.panel("panel_running")
    take.wait_for_end()
    photograph_result(take)
    photograph_trust(take)
    photograph_comparison(take)
    photograph_robustness(take)
    photograph_reading(take)
    photograph_failures(take)


def photograph_result(take: Photographer) -> None:
    """The synthetic volume in the views, the card."""
    take.show_slice()
    take.window("result")
    take.open_sections(*SECTIONS)
    take.panel("panel_result")
    take.open_sections("model", "advanced")
    take.ui.packagesButton.click()
    take.wait_for_end()
    take.panel("panel_model")
    take.open_sections("looking")


def photograph_trust(take: Photographer) -> None:
    """All that the model measures, its maps over the anatomy, the lesion outlined, the views at the first candidate."""
    ui = take.ui
    take.open_sections("trust")
    for box in (ui.wantsAttentionCheckBox, ui.wantsUncertaintyCheckBox, ui.wantsChecksCheckBox):
        if box.enabled:
            box.click()
        else:
            print(f"not in the picture: {box.toolTip}")
    ui.applyButton.click()
    take.wait_for_end()
    ui.lesionOutlineCheckBox.click()
    take.show_slice()
    ui.nextCandidateButton.click()
    for kind in ("uncertainty", "attention"):
        ui.heatMapComboBox.setCurrentText(kind)
        take.window(f"trust_{kind}")
    take.panel("panel_trust")
    for box in (
        ui.wantsAttentionCheckBox,
        ui.wantsUncertaintyCheckBox,
        ui.wantsChecksCheckBox,
        ui.lesionOutlineCheckBox,
    ):
        if box.checked:
            box.click()
    ui.heatMapComboBox.setCurrentText("none")
    take.open_sections("looking")


def photograph_comparison(take: Photographer) -> None:
    """Side by side, difference, curtain, and the scores in a table."""
    take.ui.compareButton.click()
    take.show_slice()
    take.window("comparison")
    take.ui.differenceButton.click()
    take.window("difference")
    take.ui.curtainButton.click()
    take.window("curtain")
    take.ui.compareButton.click()
    take.ui.scoreButton.click()
    take.wait_for_end()
    take.show_slice()
    take.window("scores")


def photograph_robustness(take: Photographer) -> None:
    """A short run of two types at two levels, scrolled to the strongest noise."""
    take.open_sections("robustness")
    take.widget._parameters.robustnessTypes = "rician_noise,blur"
    take.ui.robustnessLastLevelSpinBox.setValue(2)
    take.ui.robustnessRunButton.click()
    take.wait_until_half_done()
    take.panel("panel_robustness_running")
    take.wait_for_end()
    take.ui.robustnessViewsButton.click()
    take.ui.robustnessShownLevelSlider.setValue(2)
    take.show_slice()
    take.window("robustness")
    take.panel("panel_robustness")
    take.ui.robustnessViewsButton.click()


def photograph_reading(take: Photographer) -> None:
    """A session with one case, its first image half judged."""
    import slicer

    take.open_sections("reading")
    with tempfile.TemporaryDirectory() as temporary:
        take.widget.panel.reading.choose(plan_reading(Path(temporary)))
        take.ui.readingStartButton.click()
        for name in ("quality_4", "real_or_synthetic_5"):
            slicer.util.findChild(take.ui.readingFormWidget, f"readingPoint_{name}").click()
        take.show_slice()
        take.window("reading")
        take.ui.readingStartButton.click()


def plan_reading(folder: Path) -> Path:
    """A session of the sample head, which stands for two people: its FLAIR, and one made from its T1w and T2w."""
    from MRTranslateLib import batch_run
    from MRTranslateLib.review.plan import SessionRequest, plan_session

    sample = ROOT / "MRTranslate" / "Resources" / "SampleData"
    names = ("T1w", "T2w", "FLAIR")
    files = ",".join(str(sample / f"Phantom_{name}.nrrd") for name in names)
    cases = folder / "cases.csv"
    cases.write_text(f"case,{','.join(names)}\n1,{files}\n2,{files}\n", encoding="utf-8")
    batch_run(cases, folder / "results", sources=names[:2], target=names[2], workers=0)
    request = SessionRequest(readers=("reader-1", "reader-2"), repeat=0.0, seed=1)
    return plan_session(cases, folder / "results", folder / "study", request).folder


def photograph_failures(take: Photographer) -> None:
    """A worker that the system killed, and a scan in which there is nothing."""
    import numpy as np
    import slicer

    take.open_sections("inputs", "target", "outputs")
    slicer.app.layoutManager().setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    take.ui.applyButton.click()
    take.wait_until_half_done()
    for process in psutil.Process().children(recursive=True):
        if "python" in process.name():
            process.kill()
    take.wait_for_end()
    take.window("failed_worker_killed")
    take.panel("panel_failed")
    slicer.mrmlScene.Clear(0)
    slicer.util.addVolumeFromArray(np.zeros((30, 40, 40), np.int16), name="T1w")
    take.ui.guessButton.click()
    take.ui.applyButton.click()
    take.wait_for_end()
    take.window("failed_empty_scan")


def shrink(path: Path) -> None:
    """160 colours are enough for a panel, and a fifth of the bytes."""
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(160, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    host = start_host()
    photograph_everything(Photographer(host, folder))
    host.app.moduleManager().unload_all()
    host.reset()
    for problem in host.problems.found:
        print(problem)
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")


if __name__ == "__main__":
    main()
