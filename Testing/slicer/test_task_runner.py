"""One task at a time, in short steps, with honest ends."""

import pytest

from Testing.slicer_host import missing_reason

pytestmark = pytest.mark.skipif(missing_reason() is not None, reason=str(missing_reason()))


class Loop:
    """An event loop that the test turns by hand."""

    def __init__(self):
        self.steps = []

    def __call__(self, step):
        self.steps.append(step)

    def turn(self, times=100):
        for _ in range(times):
            if not self.steps:
                return
            self.steps.pop(0)()


@pytest.fixture
def loop():
    return Loop()


@pytest.fixture
def worker(slicer_host):
    from Testing.slicer.fake_worker import FakeWorker

    return FakeWorker()


@pytest.fixture
def runner(worker, loop):
    from MRTranslateGui.TaskRunner import TaskRunner

    return TaskRunner(worker, loop)


@pytest.fixture
def heard(runner):
    said = []
    for name in ("stateChanged", "progressed", "logged", "succeeded", "failed", "cancelled"):
        getattr(runner, name).connect(lambda *values, name=name: said.append((name, values[-1] if values else None)))
    return said


def task(steps=(), imports=(), **more):
    from MRTranslateGui.TaskRunner import Task

    return Task(
        "translate",
        lambda folder: {"folder": str(folder)},
        prepare=lambda folder: [lambda step=step: step(folder) for step in steps],
        receive=lambda result, folder: [lambda step=step: step(result, folder) for step in imports],
        value=lambda: "done",
        **more,
    )


def states(heard):
    return [value.value for name, value in heard if name == "stateChanged"]


def ends(heard):
    return [(name, value) for name, value in heard if name in ("succeeded", "failed", "cancelled")]


def test_a_task_goes_through_all_states_and_leaves_no_file(runner, worker, loop, heard):
    taken = []
    steps = [lambda folder: (folder / "in").write_text("x")]
    imports = [lambda result, folder: taken.append((result, (folder / "in").read_text()))]
    runner.run(task(steps, imports))
    loop.turn()
    worker.report("translate", 0.5, 3.0)
    worker.answer("answer")
    loop.turn()
    assert states(heard) == ["starting", "running", "importing", "idle"]
    assert taken == [("answer", "x")]
    assert ends(heard) == [("succeeded", "done")]
    assert [name for name, _ in heard].count("progressed") == 1
    assert not worker.folders[0].exists()
    assert not runner.isBusy


def test_each_step_gives_the_event_loop_its_turn(runner, worker, loop, heard):
    done = []
    runner.run(task([lambda _folder, number=number: done.append(number) for number in range(3)]))
    assert done == []
    loop.turn(2)
    assert done == [0, 1]


def test_a_second_task_is_refused_while_one_runs(runner, loop):
    runner.run(task())
    with pytest.raises(RuntimeError, match="busy"):
        runner.run(task())


@pytest.mark.parametrize("error", [OSError("disk full"), ValueError("no image"), RuntimeError("oh")])
def test_a_step_that_fails_ends_the_task_with_its_sentence(runner, worker, loop, heard, error):
    def fail(_folder):
        raise error

    runner.run(task([fail]))
    loop.turn()
    assert ends(heard) == [("failed", str(error))]
    assert states(heard)[-1] == "failed"
    assert worker.jobs == []
    assert not worker.folders[0].exists()


def test_a_failed_job_is_a_failure_and_the_next_task_works(runner, worker, loop, heard):
    runner.run(task())
    loop.turn()
    worker.fail("The worker crashed.")
    assert ends(heard) == [("failed", "The worker crashed.")]
    runner.run(task())
    loop.turn()
    worker.answer(None)
    loop.turn()
    assert ends(heard)[-1] == ("succeeded", "done")


def test_cancelling_before_the_worker_has_it_asks_nobody(runner, worker, loop, heard):
    runner.run(task([lambda _folder: None]))
    runner.cancel()
    loop.turn()
    assert [name for name, _ in ends(heard)] == ["cancelled"]
    assert worker.jobs == []


def test_steps_of_a_cancelled_task_are_not_run_for_the_next_one(runner, worker, loop):
    done = []
    runner.run(task([lambda _folder: done.append("first")]))
    runner.cancel()
    runner.run(task([lambda _folder: done.append("second")]))
    loop.turn()
    assert done == ["second"]
    assert len(worker.jobs) == 1


def test_import_steps_of_a_former_task_touch_neither_scene_nor_next_task(runner, worker, loop, heard):
    taken = []
    runner.run(task(imports=[lambda *_: taken.append("first"), lambda *_: taken.append("late")]))
    loop.turn()
    worker.answer(None)
    loop.turn(1)
    runner.cancel()
    runner.run(task([lambda _folder: taken.append("second")]))
    loop.turn()
    assert taken == ["first", "second"]
    assert [name for name, _ in ends(heard)] == ["cancelled"]
    assert runner.isBusy
    assert len(worker.jobs) == 2


def late_reports(worker):
    """What a worker may say too late of its first job, by name."""
    from MRTranslateGui.WorkerFailure import Failure, FailureKind
    from MRTranslateGui.WorkerProcess import JobProgress

    return {
        "finished": lambda: worker.finished.emit(1, "late"),
        "failed": lambda: worker.failed.emit(Failure(FailureKind.CRASHED, "late", 1)),
        "cancelled": lambda: worker.cancelled.emit(1),
        "progressed": lambda: worker.progressed.emit(1, JobProgress("translate", 0.9, 1.0)),
    }


@pytest.mark.parametrize("report", ["finished", "failed", "cancelled", "progressed"])
def test_a_late_report_of_a_former_job_does_not_touch_the_next_one(runner, worker, loop, heard, report):
    taken = []
    runner.run(task())
    loop.turn()
    runner.close()
    runner.run(task(imports=[lambda result, _folder: taken.append(result)]))
    loop.turn()
    del heard[:]
    late_reports(worker)[report]()
    loop.turn()
    assert [name for name, _ in heard if name != "logged"] == []
    assert runner.isBusy
    worker.answer("own")
    loop.turn()
    assert taken == ["own"]
    assert [name for name, _ in ends(heard)] == ["succeeded"]


def test_cancelling_a_running_job_is_no_failure(runner, worker, loop, heard):
    runner.run(task())
    loop.turn()
    runner.cancel()
    assert [name for name, _ in ends(heard)] == ["cancelled"]
    assert states(heard) == ["starting", "running", "cancelling", "idle"]


def test_a_result_that_comes_after_the_cancel_is_not_loaded(runner, worker, loop, heard):
    taken = []
    worker.cancel = lambda: None  # too slow
    runner.run(task(imports=[lambda *_: taken.append(1)]))
    loop.turn()
    runner.cancel()
    worker.answer("late")
    loop.turn()
    assert taken == []
    assert [name for name, _ in ends(heard)] == ["cancelled"]


def test_cancelling_during_the_import_stops_the_remaining_steps(runner, worker, loop, heard):
    taken = []
    runner.run(task(imports=[lambda *_: taken.append(1), lambda *_: taken.append(2)]))
    loop.turn()
    worker.answer(None)
    loop.turn(1)
    runner.cancel()
    loop.turn()
    assert taken == [1]
    assert [name for name, _ in ends(heard)] == ["cancelled"]


def test_a_task_that_needs_longer_to_stop_says_so_to_the_worker(runner, worker, loop):
    runner.run(task(cancelMilliseconds=1234))
    loop.turn()
    assert worker.job.cancelMilliseconds == 1234


def test_closing_kills_the_worker_and_ends_the_task(runner, worker, loop, heard):
    runner.run(task())
    loop.turn()
    runner.close()
    assert worker.isShutDown
    assert not runner.isBusy
    assert not worker.folders[0].exists()


def test_kept_files_are_moved_out_of_the_session_and_named(runner, worker, loop, heard):
    import shutil
    from pathlib import Path

    runner.run(task([lambda folder: (folder / "in").write_text("x")], keepFiles=True))
    loop.turn()
    worker.answer(None)
    loop.turn()
    line = next(value for name, value in heard if name == "logged")
    kept = Path(line.rpartition(" in ")[2])
    assert (kept / "in").read_text() == "x"
    assert not worker.folders[0].exists()
    shutil.rmtree(kept.parent)


def test_what_an_idle_worker_complains_of_is_logged_and_no_failure_of_a_task(runner, worker, heard):
    worker.fail("The worker ended.")
    assert ends(heard) == []
    assert ("logged", "The worker ended.") in heard


def test_whoever_waits_for_a_signal_is_told_although_another_slot_fails(slicer_host):
    from MRTranslateGui.Signal import Signal

    signal, told = Signal(), []
    signal.connect(lambda value: [][value])
    signal.connect(told.append)
    with pytest.raises(IndexError):
        signal.emit(3)
    assert told == [3]
