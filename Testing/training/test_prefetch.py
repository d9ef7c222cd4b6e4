"""Prefetching: the same things, made earlier, by threads that are gone afterwards."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from MRTranslateLib.errors import InputError
from training.data.prefetch import Prefetcher

ROOT = Path(__file__).parents[2]


def left_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def squared(number):
    return number * number


@pytest.mark.parametrize("num_threads", [1, 3])
def test_everything_is_what_it_would_be_without(num_threads):
    with Prefetcher(squared, num_threads) as ahead:
        taken = []
        for number in range(50):
            ahead.begin(range(number, number + 4))
            taken.append(ahead.take(number))
    assert taken == [squared(number) for number in range(50)]


def test_what_was_begun_is_made_once_and_by_another_thread():
    made = []
    with Prefetcher(lambda number: made.append((number, threading.current_thread().name)), 1) as ahead:
        ahead.begin([1, 2])
        ahead.begin([2, 3])
        for number in (1, 2, 3):
            ahead.take(number)
    assert [number for number, _ in made] == [1, 2, 3]
    assert all(name.startswith("prefetch") for _, name in made)


def test_what_was_taken_is_not_kept():
    made = []
    with Prefetcher(made.append, 1) as ahead:
        ahead.begin([1])
        ahead.take(1)
        ahead.begin([1, 2])
        ahead.take(2)
    assert made == [1, 1, 2]


def test_what_was_not_begun_is_made_by_the_caller_and_disturbs_nothing():
    with Prefetcher(lambda number: (number, threading.current_thread().name), 1) as ahead:
        ahead.begin([1])
        assert ahead.take(7) == (7, threading.current_thread().name)
        assert ahead.take(1)[1].startswith("prefetch")


def test_the_next_is_made_while_the_caller_works():
    done = threading.Event()
    with Prefetcher(lambda number: done.set(), 1) as ahead:
        ahead.begin([1])
        assert done.wait(timeout=30)  # nobody has asked for it


def test_an_error_comes_where_its_result_is_taken_with_its_own_message():
    def make(number):
        if number == 2:
            raise InputError("sub-x: the cache was taken away; put it back")
        return number

    with Prefetcher(make, 1) as ahead:
        ahead.begin([1, 2, 3])
        assert ahead.take(1) == 1
        with pytest.raises(InputError, match="sub-x: the cache was taken away; put it back"):
            ahead.take(2)
        assert ahead.take(3) == 3


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_no_thread_is_left_however_it_ends(error):
    def use():
        with Prefetcher(squared, 2) as ahead:
            ahead.begin(range(4))
            ahead.take(0)
            assert left_threads() != []
            if error is not None:
                raise error

    if error is None:
        use()
    else:
        with pytest.raises(error):
            use()
    assert left_threads() == []


def test_what_has_not_begun_at_the_end_is_dropped():
    made = []
    goes_on = threading.Event()

    def make(number):
        made.append(number)
        goes_on.wait(timeout=30)

    with Prefetcher(make, 1) as ahead:
        ahead.begin(range(20))
        while not made:
            time.sleep(0.001)
        threading.Timer(0.2, goes_on.set).start()
    assert made == [0]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGINT to a single process")
def test_control_c_ends_a_program_that_waits_for_a_batch():
    program = """
import os
import signal
import time
from training.data.prefetch import Prefetcher

signal.signal(signal.SIGINT, signal.default_int_handler)  # a program started in the background would not listen

def make(number):
    os.write(1, b"begun\\n")  # two threads do it at once, and print writes its end of line separately
    time.sleep(1)

with Prefetcher(make, 2) as ahead:
    while True:
        ahead.begin(range(8))
        ahead.take(0)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        killer = threading.Timer(20, process.kill)
        killer.start()
        _, errors = process.communicate()
        killer.cancel()
    assert errors.strip().endswith("KeyboardInterrupt")
