from __future__ import annotations

import threading

import pytest

from MRTranslateLib.errors import CancelledError
from MRTranslateLib.progress import Progress


def test_a_step_is_told_with_its_stage_and_fraction():
    told = []
    Progress(lambda stage, fraction: told.append((stage, fraction))).step("register", 0.25)
    assert told == [("register", 0.25)]


@pytest.mark.parametrize(("given", "told"), [(-0.1, 0.0), (0.0, 0.0), (1.0, 1.0), (1.0000001, 1.0)])
def test_a_fraction_never_leaves_0_to_1(given, told):
    fractions = []
    Progress(lambda stage, fraction: fractions.append(fraction)).step("mask", given)
    assert fractions == [told]


def test_nobody_needs_to_listen():
    Progress().step("read", 0.5)


def test_a_cancelled_run_stops_at_its_next_step_and_tells_nothing_more():
    told = []
    progress = Progress(lambda stage, fraction: told.append(stage))
    progress.cancelled.set()
    with pytest.raises(CancelledError, match="nothing was written"):
        progress.step("translate", 0.5)
    assert told == []


def test_cancelling_from_another_thread_is_seen():
    progress = Progress()
    thread = threading.Thread(target=progress.cancelled.set)
    thread.start()
    thread.join()
    with pytest.raises(CancelledError):
        progress.step("translate", 0.5)


def test_two_runs_are_cancelled_independently():
    first, second = Progress(), Progress()
    first.cancelled.set()
    second.step("read", 0.0)


def test_a_cancelled_run_ends_with_the_exit_code_of_an_interrupt():
    assert CancelledError.exit_code == 130


def test_a_run_within_a_run_tells_its_part_of_the_whole_and_stops_with_it():
    told = []
    whole = Progress(lambda stage, fraction: told.append((stage, fraction)))
    inner = whole.part(0.2, 0.6).part(0.5, 1.0, stage="refine")
    inner.step("translate", 0.5)
    assert told == [("refine", pytest.approx(0.5))]
    whole.cancelled.set()
    with pytest.raises(CancelledError):
        inner.step("translate", 1.0)
