"""The console: blocking calls that need no widget, and the recipe page, whose examples are run here."""

import re
from pathlib import Path

import numpy as np
import pytest

from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))
RECIPES = Path(__file__).parents[2] / "Resources" / "console_recipes.md"


@pytest.fixture
def worker(slicer_host, monkeypatch):
    from MRTranslateGui import Console
    from Testing.slicer.fake_worker import FakeWorker

    class PromptWorker(FakeWorker):
        """Answers every job as soon as the event loop runs."""

        def submit(self, job):
            import qt

            number = super().submit(job)
            self.report("translate", 0.5)
            qt.QTimer.singleShot(0, self.reply)
            return number

        def reply(self):
            if not self._numRunning:
                return
            if self.job.kind == "translate":
                self.answerTranslation()
            elif self.job.kind == "evaluate":
                scores = {"num_voxels": 5, "psnr": 30.0, "ssim": 0.9, "nmae": 0.1, "nrmse": 0.2, "bias": 0.0}
                report = {"brain": scores, "lesion": None, "lesion_labels": {}, "healthy": None, "notes": []}
                self.answer(report)
            elif self.job.kind == "robustness":
                self.answerRobustness()
            elif self.job.kind == "dicom":
                self.answer({"files": ["flair_dicom/IM0001.dcm"], "series_uid": "2.25.1", "warnings": []})
            elif self.job.kind == "batch":
                rows = [["a", "done", "", "0"], ["b", "failed", "no good", "3"]]
                columns = ["case", "state", "reason", "exit_code"]
                self.answer({"table": "cases.csv", "columns": columns, "rows": rows})

    made = PromptWorker()
    monkeypatch.setattr(Console, "WorkerProcess", lambda: made)
    return made


@pytest.fixture
def logic(slicer_host, worker):
    import slicer

    from Testing.slicer.conftest import MODULE_FOLDER

    slicer_host.register_module(MODULE_FOLDER / "MRTranslate.py")
    return slicer.util.getModuleLogic("MRTranslate")


@pytest.fixture
def nodes(logic):
    import slicer

    array = np.arange(1, 1 + 12 * 14 * 16, dtype=np.int16).reshape(12, 14, 16)
    return {
        role: slicer.util.addVolumeFromArray(array + i, name=role) for i, role in enumerate(("T1w", "T2w", "FLAIR"))
    }


def test_a_call_returns_the_finished_node(logic, nodes):
    seen = []
    node = logic.translate(
        {"T1w": nodes["T1w"], "T2w": nodes["T2w"]}, "FLAIR", progress=lambda stage, done: seen.append((stage, done))
    )
    assert node.GetName() == "SYNTHETIC FLAIR from T1w"
    assert seen == [("translate", 0.5)]
    assert not logic.runner.isBusy


def test_every_option_reaches_the_worker(logic, nodes, worker):
    logic.translate(
        {"T1w": nodes["T1w"]}, "FLAIR", model="brain-united", device="cpu", threads=2, precision="bf16",
        registration="always", biasCorrection=True,
    )  # fmt: skip
    wanted = {
        "model": "brain-united", "device": "cpu", "threads": 2, "precision": "bf16", "registration": "always",
        "bias_correction": True, "target": "FLAIR",
    }  # fmt: skip
    assert wanted.items() <= dict(worker.job.parameters).items()


def test_the_parameters_are_those_the_library_takes(logic, nodes, worker):
    import msgspec

    from MRTranslateLib.worker.translate import TranslateParameters

    logic.translate({"T1w": nodes["T1w"]}, "FLAIR")
    msgspec.convert(dict(worker.job.parameters), TranslateParameters)


def test_everything_wrong_with_a_call_is_said_at_once_and_nothing_runs(logic, nodes, worker):
    with pytest.raises(ValueError, match=r"same volume is chosen as T1w and T2w.*does not make PDw"):
        logic.translate({"T1w": nodes["T1w"], "T2w": nodes["T1w"]}, "PDw")
    with pytest.raises(ValueError, match="no model nothing: there are brain-united"):
        logic.translate({"T1w": nodes["T1w"]}, "FLAIR", model="nothing")
    assert worker.jobs == []


def test_a_failed_run_raises_its_sentence(logic, nodes, worker):
    worker.reply = lambda: worker.fail("The brain was not found.")
    with pytest.raises(RuntimeError, match="The brain was not found"):
        logic.translate({"T1w": nodes["T1w"]}, "FLAIR")
    worker.__dict__.pop("reply")
    assert logic.translate({"T1w": nodes["T1w"]}, "FLAIR") is not None


def test_a_call_that_does_not_wait_returns_at_once_and_tells_by_signal(slicer_host, logic, nodes):
    done = []
    logic.runner.succeeded.connect(lambda _task, translated: done.append(translated.volume))
    assert logic.translate({"T1w": nodes["T1w"]}, "FLAIR", waitForCompletion=False) is None
    with pytest.raises(RuntimeError, match="busy"):
        logic.translate({"T1w": nodes["T1w"]}, "FLAIR")
    slicer_host.wait_until(lambda: done)
    assert done[0].GetName() == "SYNTHETIC FLAIR from T1w"


def test_scores_come_as_a_table_node(logic, nodes):
    synthetic = logic.translate({"T1w": nodes["T1w"]}, "FLAIR")
    table = logic.evaluate(synthetic, nodes["FLAIR"])
    assert [table.GetCellText(0, column) for column in (0, 2, 3)] == ["brain", "30", "0.9"]


def test_a_batch_comes_as_a_table_of_its_cases(logic, tmp_path):
    table = logic.batch(tmp_path, tmp_path / "out", ["T1w", "T2w"], "FLAIR")
    assert table.GetName() == "Batch FLAIR"
    assert table.GetDescription() == "1 of 2 cases have a result"
    assert [table.GetCellText(1, column) for column in range(4)] == ["b", "failed", "no good", "3"]
    assert table.GetAttribute("MRTranslate.BatchFolder") == str(tmp_path / "out")


def test_a_cancelled_batch_has_time_to_stop_its_workers_and_to_write_its_table(logic, worker, tmp_path):
    logic.batch(tmp_path, tmp_path / "out", ["T1w"], "FLAIR")
    assert worker.job.cancelMilliseconds == 5000


def test_a_batch_s_parameters_are_those_the_library_takes(logic, worker, tmp_path, monkeypatch):
    import msgspec

    from MRTranslateLib.worker.batch import BatchParameters

    monkeypatch.chdir(tmp_path)
    logic.batch(
        "in", "out", ["T1w"], "FLAIR", attention=True, uncertainty=True, checks=True, report=True, model="brain-united",
        device="cpu", threads=2, precision="bf16", registration="never", biasCorrection=True, workers=3,
        retryFailed=True, overwrite=True,
    )  # fmt: skip
    assert msgspec.convert(dict(worker.job.parameters), BatchParameters) == BatchParameters(
        cases=str(tmp_path / "in"), output=str(tmp_path / "out"), sources=("T1w",), target="FLAIR", attention=True,
        uncertainty=True, checks=True, report=True, model="brain-united", device="cpu", threads=2, precision="bf16",
        registration="never", bias_correction=True, workers=3, retry_failed=True, overwrite=True,
    )  # fmt: skip


def test_a_batch_that_cannot_begin_raises_its_sentence(logic, worker, tmp_path):
    worker.reply = lambda: worker.fail("scans holds no scan whose name says its contrast.")
    with pytest.raises(RuntimeError, match="holds no scan whose name"):
        logic.batch(tmp_path, tmp_path / "out", ["T1w"], "FLAIR")
    with pytest.raises(ValueError, match="no model nothing"):
        logic.batch(tmp_path, tmp_path / "out", ["T1w"], "FLAIR", model="nothing")


def test_a_robustness_run_returns_what_is_in_the_scene(logic, nodes, worker):
    sources = {"T1w": nodes["T1w"], "T2w": nodes["T2w"]}
    options = {"perturbations": ["motion", "blur"], "levels": [1, 2, 3], "lesionMask": None, "threads": 1}
    result = logic.robustness(sources, "FLAIR", reference=nodes["FLAIR"], **options)
    assert [item.level for item in result.items] == [0, 1, 2, 3, 1, 2, 3]
    assert {*result.types} == {"motion", "blur"}
    sent = worker.job.parameters
    assert (sent["perturbations"], sent["levels"], sent["threads"]) == (["motion", "blur"], [1, 2, 3], 1)
    assert sent["reference"].endswith("reference.nrrd")


def test_a_robustness_run_of_one_scan_against_itself_is_refused(logic, nodes, worker):
    with pytest.raises(ValueError, match="at least two scans"):
        logic.robustness({"T1w": nodes["T1w"]}, "FLAIR", perturbations=["misalignment"])
    assert not worker.jobs


def recipes():
    """Headings and code of the recipe page."""
    return re.findall(r"^## (.+?)\n.*?```python\n(.*?)```", RECIPES.read_text(encoding="utf-8"), re.M | re.S)


def test_the_recipe_page_has_twelve_examples():
    assert len(recipes()) == 12


@pytest.mark.parametrize(("heading", "code"), recipes(), ids=[heading for heading, _ in recipes()])
def test_each_recipe_runs_as_it_stands(logic, tmp_path, monkeypatch, heading, code):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, heading, "exec"), {"__name__": "__main__"})


def test_the_script_for_a_folder_ends_the_slicer_that_has_no_window(logic, tmp_path, monkeypatch):
    import slicer

    monkeypatch.chdir(tmp_path)
    ended = []
    monkeypatch.setattr(slicer.util, "exit", lambda: ended.append(True))
    code = next(code for heading, code in recipes() if "folder" in heading)
    exec(compile(code, "recipe", "exec"), {"__name__": "__main__"})
    assert ended == [True]


def test_the_worker_without_a_process_runs_a_job_here(slicer_host):
    from MRTranslateGui.InProcessWorker import InProcessWorker
    from MRTranslateGui.TaskRunner import TaskRunner, questionTask

    worker = InProcessWorker()
    answers, failures = [], []
    runner = TaskRunner(worker, lambda step: step())
    runner.succeeded.connect(lambda _task, value: answers.append(value))
    runner.failed.connect(lambda _task, sentence: failures.append(sentence))
    runner.run(questionTask("models", {"action": "list"}))
    assert [model["name"] for model in answers[0]] == ["brain-united"]
    runner.run(questionTask("models", {"action": "remove", "name": "brain-united"}))
    assert "cannot be removed" in failures[0]
    runner.close()


def test_the_worker_without_a_process_keeps_loaded_networks_until_it_is_shut_down(slicer_host, monkeypatch):
    from typing import Any

    from MRTranslateGui.InProcessWorker import InProcessWorker
    from MRTranslateGui.WorkerProcess import Job
    from MRTranslateLib.inference.kept import kept_or_loaded
    from MRTranslateLib.worker import jobs

    loaded = []

    def load():
        loaded.append(object())
        return loaded[-1]

    monkeypatch.setattr(jobs, "KINDS", {"load": jobs.Kind(Any, lambda *_: kept_or_loaded("key", load) and None)})
    worker = InProcessWorker()
    worker.submit(Job("load"))
    worker.submit(Job("load"))
    assert len(loaded) == 1
    kept_or_loaded("key", load)
    assert len(loaded) == 2, "what runs beside the worker keeps nothing"
    worker.shutdown()
    worker.submit(Job("load"))
    assert len(loaded) == 3
    worker.shutdown()
