"""Readers at work: what they see, what is kept of their answers, and who keeps whom out."""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from MRTranslateLib.errors import InputError, MRTranslateError, UsageError
from MRTranslateLib.review.answers import answer_path, read_answers, write_answer
from MRTranslateLib.review.reading import open_reading
from MRTranslateLib.review.session import image_path, read_session
from Testing.library.review_examples import write_session

ROOT = Path(__file__).resolve().parents[2]
GOOD = {"quality": 4, "real_or_synthetic": 6, "lesions": 1}
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.fixture
def folder(tmp_path):
    """A session of four cases for anna and bert, 10 items."""
    write_session(tmp_path / "session")
    return tmp_path / "session"


def answer(reading, values=GOOD):
    item = reading.next_item()
    reading.record(item.name, values, seconds=3.14)
    return item


def process(folder, reader, body):
    """Another program that reads: ``reading`` is open in ``body``."""
    code = (
        "import sys, time\nfrom MRTranslateLib.review.reading import open_reading\n"
        f"reading = open_reading({str(folder)!r}, {reader!r})\nprint('open', flush=True)\n{textwrap.dedent(body)}"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


ANSWER_ALL = f"""
while (item := reading.next_item()) is not None:
    reading.record(item.name, {GOOD!r}, seconds=1.0)
    print(item.name, flush=True)
"""


# --- what a reader sees -------------------------------------------------------------------------------------------


def test_items_come_in_the_readers_own_order_with_their_files(folder):
    session = read_session(folder)
    with open_reading(folder, "bert") as reading:
        assert (reading.num_items, reading.num_answered) == (10, 0)
        seen = [answer(reading) for _ in range(10)]
        assert reading.next_item() is None
        assert reading.num_answered == 10
    assert tuple(item.name for item in seen) == session.orders["bert"]
    assert [item.number for item in seen] == list(range(1, 11))
    assert all(item.image == image_path(folder, item.name) and item.source.is_file() for item in seen)


def test_reading_tells_what_is_asked_and_of_what(folder):
    with open_reading(folder, "anna") as reading:
        assert [question.name for question in reading.questions][:2] == ["quality", "real_or_synthetic"]
        assert (reading.reader, reading.target, reading.source) == ("anna", "FLAIR", "T1w")


def test_reading_never_needs_the_key(folder):
    (folder / "key.json").unlink()
    with open_reading(folder, "anna") as reading:
        answer(reading)
    (folder / "key.json").mkdir()  # nor looks at it
    with open_reading(folder, "anna") as reading:
        answer(reading)


def test_nothing_that_reading_holds_or_keeps_tells_what_an_item_is(folder):
    with open_reading(folder, "anna") as reading:
        item = answer(reading)
        held = f"{vars(reading)} {item}"
    kept = answer_path(folder, "anna", item.name).read_text()
    for text in (held.replace("real_or_synthetic", ""), kept.replace("real_or_synthetic", "")):
        assert "case0" not in text
        assert not re.search(r"'(real|synthetic)'", text)
        assert "kind=" not in text


def test_a_program_that_reads_loads_neither_simpleitk_nor_the_key(folder):
    code = (
        "import sys; from MRTranslateLib.review.reading import open_reading; "
        f"open_reading({str(folder)!r}, 'anna').next_item(); "
        "assert not {'SimpleITK', 'torch', 'numpy', 'MRTranslateLib.review.key'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_an_unknown_reader_is_refused_with_the_list(folder):
    with pytest.raises(UsageError, match="no reader of this session is named 'carl': choose anna or bert"):
        open_reading(folder, "carl")
    assert not (folder / "answers").exists()


def test_a_volume_that_is_gone_is_named(folder):
    with open_reading(folder, "anna") as reading:
        reading.next_item().image.unlink()
        with pytest.raises(InputError, match=r"\.nii is gone: copy it again"):
            reading.next_item()


# --- what is kept -------------------------------------------------------------------------------------------------


def test_an_answer_is_a_file_with_reader_item_values_seconds_and_time(folder):
    with open_reading(folder, "anna") as reading:
        item = answer(reading, GOOD | {"comment": "dünn"})
    kept = json.loads(answer_path(folder, "anna", item.name).read_text(encoding="utf-8"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", kept.pop("answered"))
    assert kept == {
        "schema_version": 1,
        "reader": "anna",
        "item": item.name,
        "values": GOOD | {"comment": "dünn"},
        "seconds": 3.1,
    }


def test_reading_goes_on_after_the_last_answer(folder):
    with open_reading(folder, "anna") as reading:
        first = [answer(reading).name for _ in range(3)]
    with open_reading(folder, "anna") as reading:
        assert reading.num_answered == 3
        assert reading.next_item().number == 4
        assert reading.next_item().name not in first


def test_an_answer_is_locked(folder):
    with open_reading(folder, "anna") as reading:
        item = answer(reading)
        before = answer_path(folder, "anna", item.name).read_bytes()
        with pytest.raises(
            UsageError, match=f"anna has answered item {item.name} already, and an answer is not changed"
        ):
            reading.record(item.name, GOOD | {"quality": 1}, seconds=1)
    assert answer_path(folder, "anna", item.name).read_bytes() == before


def test_an_answer_that_has_come_from_elsewhere_is_not_overwritten(folder):
    with open_reading(folder, "anna") as reading:
        item = reading.next_item()
        path = answer_path(folder, "anna", item.name)
        path.write_text("theirs")
        with pytest.raises(UsageError, match="is there already and is kept"):
            reading.record(item.name, GOOD, seconds=1)
    assert path.read_text() == "theirs"


def test_only_the_next_item_can_be_answered(folder):
    later = read_session(folder).orders["anna"][4]
    with open_reading(folder, "anna") as reading:
        with pytest.raises(UsageError, match=f"item {later} is not the one to answer: that is"):
            reading.record(later, GOOD, seconds=1)
        for _ in range(10):
            answer(reading)
        with pytest.raises(UsageError, match="that is none, all are answered"):
            reading.record("00000000", GOOD, seconds=1)


def test_what_is_no_answer_is_refused_and_the_item_stays(folder):
    with open_reading(folder, "anna") as reading:
        item = reading.next_item()
        with pytest.raises(UsageError, match="quality is '9': give a whole number from 1 to 5"):
            reading.record(item.name, GOOD | {"quality": 9}, seconds=1)
        assert reading.next_item() == item
        assert not answer_path(folder, "anna", item.name).exists()


@pytest.mark.parametrize("seconds", [-1.0, float("nan"), float("inf")])
def test_impossible_times_are_a_mistake_of_the_program(folder, seconds):
    with open_reading(folder, "anna") as reading, pytest.raises(ValueError, match="seconds are finite"):
        reading.record(reading.next_item().name, GOOD, seconds=seconds)


def test_a_full_disk_loses_the_answer_under_way_and_no_other(folder, monkeypatch):
    with open_reading(folder, "anna") as reading:
        answer(reading)
        item = reading.next_item()

        def full(path, text, **options):
            raise MRTranslateError("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr("MRTranslateLib.review.answers.write_text_atomic", full)
            with pytest.raises(MRTranslateError, match="the disk is full"):
                reading.record(item.name, GOOD, seconds=1)
        assert reading.next_item() == item
        assert answer(reading) == item
        assert reading.num_answered == 2


def test_nothing_is_recorded_once_closed(folder):
    reading = open_reading(folder, "anna")
    item = reading.next_item()
    reading.close()
    with pytest.raises(ValueError, match="closed"):
        reading.record(item.name, GOOD, seconds=1)
    assert not answer_path(folder, "anna", item.name).exists()


# --- several programs ---------------------------------------------------------------------------------------------


def test_two_readers_read_at_once_and_lose_nothing(tmp_path):
    session, _ = write_session(tmp_path / "session", num_cases=10, repeat=0.5)
    programs = [process(tmp_path / "session", reader, ANSWER_ALL) for reader in session.orders]
    for program in programs:
        program.communicate(timeout=60)
        assert program.returncode == 0
    for reader, order in session.orders.items():
        assert tuple(read_answers(tmp_path / "session", session, reader)) == order


def test_a_second_program_of_the_same_reader_is_refused_until_the_first_ends(folder):
    first = process(folder, "anna", "sys.stdin.read()")
    assert first.stdout.readline() == "open\n"
    with pytest.raises(UsageError, match="another program is reading as anna: close it first"):
        open_reading(folder, "anna")
    open_reading(folder, "bert").close()
    first.communicate("", timeout=30)
    open_reading(folder, "anna").close()


def test_the_same_program_cannot_read_twice_either(folder):
    with open_reading(folder, "anna"), pytest.raises(UsageError, match="another program is reading as anna"):
        open_reading(folder, "anna")
    open_reading(folder, "anna").close()


def test_a_reader_who_is_let_in_in_vain_leaves_no_lock(folder):
    path = answer_path(folder, "anna", read_session(folder).orders["anna"][0])
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(InputError):
        open_reading(folder, "anna")
    path.unlink()
    open_reading(folder, "anna").close()


def test_a_share_without_locks_can_be_read_from(folder, monkeypatch):
    def no_locks(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", no_locks)
    with open_reading(folder, "anna") as reading:
        answer(reading)
        assert reading.num_answered == 1


@posix
@pytest.mark.parametrize("delay", [0.0, 0.003, 0.011, 0.02])
def test_a_kill_loses_at_most_the_answer_under_way(tmp_path, delay):
    session, _ = write_session(tmp_path / "session", num_cases=40, readers=("anna",))
    program = process(tmp_path / "session", "anna", ANSWER_ALL)
    told = [program.stdout.readline().strip() for _ in range(5)][1:]
    time.sleep(delay)
    program.kill()
    told += program.communicate()[0].split()
    kept = list(read_answers(tmp_path / "session", session, "anna"))
    assert told == kept[: len(told)]
    assert len(kept) - len(told) <= 1
    assert kept == list(session.orders["anna"][: len(kept)])
    with open_reading(tmp_path / "session", "anna") as reading:
        assert reading.num_answered == len(kept) < reading.num_items
        answer(reading)


# --- what is damaged ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda text: text.replace('"anna"', '"bert"'), "it is that of bert"),
        (lambda text: text.replace('"quality": 4', '"quality": 7'), "quality is '7'"),
        (lambda text: text.replace('"seconds"', '"second"'), "second"),
        (lambda text: "\x00" * len(text), "malformed"),
        (lambda text: "", "truncated"),
    ],
)
def test_a_damaged_answer_is_named_in_one_sentence_with_a_remedy(folder, spoil, words):
    with open_reading(folder, "anna") as reading:
        path = answer_path(folder, "anna", answer(reading).name)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(InputError) as caught:
        open_reading(folder, "anna")
    sentence = str(caught.value)
    assert sentence.startswith(f"{path} is no answer of this session (")
    assert words in sentence
    assert "anna is asked again" in sentence
    assert "\n" not in sentence


def test_a_damaged_answer_of_another_reader_is_nobody_elses_matter(folder):
    path = answer_path(folder, "bert", read_session(folder).orders["bert"][0])
    path.parent.mkdir(parents=True)
    path.write_text("{")
    open_reading(folder, "anna").close()


def change(**fields):
    return lambda content: content | fields


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (change(schema_version=2), "schema_version"),
        (change(orders={}), "no reader is named"),
        (change(orders={"a/b": ["1"]}), "cannot name a reader"),
        (change(orders={"anna": ["1", "2"], "bert": ["1"]}), "do not see the same items"),
        (change(orders={"anna": ["1", "1"]}), "do not see the same items"),
        (change(orders={"anna": ["../key"]}), "cannot name an item"),
        (change(questions=[]), "there are 0 questions"),
        (change(extra=1), "extra"),
    ],
)
def test_a_damaged_session_is_named_in_one_sentence(folder, spoil, words):
    path = folder / "session.json"
    path.write_text(json.dumps(spoil(json.loads(path.read_text()))))
    with pytest.raises(InputError, match=r"session\.json is no session of this version") as caught:
        open_reading(folder, "anna")
    assert words in str(caught.value)


def test_a_folder_without_a_session_is_named(tmp_path):
    with pytest.raises(InputError, match=r"session\.json .*: give the folder of a session"):
        open_reading(tmp_path, "anna")


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_that_takes_no_answers_is_named(folder):
    folder.chmod(0o500)
    try:
        with pytest.raises(UsageError, match=r"takes no files .*anna needs the permission to write there"):
            open_reading(folder, "anna")
    finally:
        folder.chmod(0o700)


def test_a_place_for_answers_that_is_a_file_is_named(folder):
    (folder / "answers").write_text("")
    with pytest.raises(UsageError, match="anna needs the permission to write there"):
        open_reading(folder, "anna")


def test_writing_an_answer_twice_keeps_the_first(folder):
    with open_reading(folder, "anna") as reading:
        item = answer(reading)
    session = read_session(folder)
    kept = read_answers(folder, session, "anna")[item.name]
    with pytest.raises(UsageError, match="is kept"):
        write_answer(folder, kept)
