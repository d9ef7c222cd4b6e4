"""A run over many cases in this process: what it makes, leaves, records and refuses."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from MRTranslateLib import (
    CancelledError,
    InputError,
    ModelError,
    UsageError,
    Volume,
    batch_run,
    read_volume,
    translate,
    write_volume,
)
from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.ledger import Ledger
from MRTranslateLib.batch.plan import MAX_BEGUN
from MRTranslateLib.batch.run import cases_of
from MRTranslateLib.cli.main import main
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.phantoms import brain_grid, make_phantom
from MRTranslateLib.progress import Progress

RESULT = "desc-synthetic_FLAIR.nii.gz"
T1W, T2W = Contrast.T1W, Contrast.T2W


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    """T1w, T2w and FLAIR of two phantoms, ``a`` and ``b``."""
    folder = tmp_path_factory.mktemp("scans")
    for seed, name in enumerate("ab"):
        volumes = make_phantom(seed, grid=brain_grid((5, 5, 5))).volumes
        for contrast in (Contrast.T1W, Contrast.T2W, Contrast.FLAIR):
            write_volume(folder / f"{name}_{contrast}.nii.gz", volumes[contrast])
    return folder


@pytest.fixture
def place(scans, tmp_path):
    """A copy of the scans that a test may spoil."""
    return Path(shutil.copytree(scans, tmp_path / "in"))


@pytest.fixture
def run(place, tmp_path, copy_generator, coarse_bundle):
    """Run the batch over ``place`` into ``out``, in this process."""

    def call(cases=place, **options):
        options = {"sources": ["T1w", "T2w"], "target": "FLAIR", "model": coarse_bundle.folder, "workers": 0} | options
        return batch_run(cases, tmp_path / "out", **options)

    return call


def states(result) -> dict[str, str]:
    return {row.case_id: row.state for row in result.rows}


def new(result) -> list[str]:
    return [row.case_id for row in result.rows if row.is_new]


def table(result) -> dict[str, dict[str, str]]:
    return {row["case"]: row for row in csv.DictReader(result.table.read_text(encoding="utf-8").splitlines())}


def break_scan(path: Path):
    path.write_bytes(path.read_bytes()[:500])


# --- what it makes ------------------------------------------------------------------------------------------------


def test_each_case_gets_what_translate_makes_of_it(run, place, tmp_path, coarse_bundle):
    result = run()
    assert states(result) == {"a": "done", "b": "done"}
    sources = {name: place / f"b_{name}.nii.gz" for name in ("T1w", "T2w")}
    alone = translate(sources, "FLAIR", model=coarse_bundle.folder)
    assert np.array_equal(read_volume(tmp_path / "out" / "b" / f"b_{RESULT}").array, alone.volume.array)
    assert result.rows[1].outcome.warnings == alone.warnings
    assert len(alone.warnings) > 0


def test_the_folder_holds_results_sidecars_records_settings_and_table(run, tmp_path):
    run()
    files = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    made = {f"{case}/{case}_desc-synthetic_FLAIR{end}" for case in "ab" for end in (".nii.gz", ".json")}
    made |= {f"{case}/{case}_desc-preview_FLAIR.png" for case in "ab"} | {"records/a.json", "records/b.json"}
    assert files == made | {"batch.json", "cases.csv", "cases.html", ".mrtranslate-batch-lock"}


def test_a_result_is_measured_where_the_real_target_is_there(run, place):
    (place / "b_FLAIR.nii.gz").unlink()
    result = run()
    rows = table(result)
    assert float(rows["a"]["brain_psnr"]) == pytest.approx(result.rows[0].outcome.scores.brain.psnr, rel=1e-5)
    assert rows["b"]["brain_psnr"] == ""


def test_the_real_target_is_not_among_the_sources(run, place, copy_generator):
    run()
    flair = Contrast.FLAIR.channel
    assert all(not slices.availability[:, flair].any() for slices, _code in copy_generator.batches)


def test_a_reference_that_cannot_be_used_costs_the_scores_and_not_the_result(run, place):
    break_scan(place / "a_FLAIR.nii.gz")
    result = run()
    assert states(result) == {"a": "done", "b": "done"}
    assert "a_FLAIR.nii.gz" in table(result)["a"]["not_measured"]


def test_a_lesion_mask_of_a_list_measures_the_lesion(run, place, tmp_path):
    reference = read_volume(place / "a_T1w.nii.gz")
    mask = np.zeros(reference.shape, np.uint8)
    mask[tuple(slice(size // 2 - 2, size // 2 + 2) for size in reference.shape)] = 1
    write_volume(place / "mask.nii.gz", reference.with_array(mask))
    cells = "a,a_T1w.nii.gz,a_T2w.nii.gz,a_FLAIR.nii.gz,mask.nii.gz"
    (place / "cases.csv").write_text(f"case,T1w,T2w,FLAIR,lesion_mask\n{cells}\n")
    result = run(place / "cases.csv")
    assert result.rows[0].outcome.scores.lesion.num_voxels == 64
    assert table(result)["a"]["lesion_psnr"]


def test_maps_and_pages_lie_beside_the_result(run, place, tmp_path, attentive_bundle):
    for path in place.glob("b_*"):
        path.unlink()
    run(model=attentive_bundle.folder, attention=True, report=True)
    assert sorted(path.name for path in (tmp_path / "out" / "a").iterdir()) == [
        "a_desc-attention_FLAIR.json",
        "a_desc-attention_FLAIR.nii.gz",
        "a_desc-preview_FLAIR.png",
        "a_desc-report_FLAIR.html",
        "a_desc-synthetic_FLAIR.json",
        "a_desc-synthetic_FLAIR.nii.gz",
    ]
    for _ in range(2):
        assert '<a href="a/a_desc-report_FLAIR.html">report</a>' in (tmp_path / "out" / "cases.html").read_text("utf-8")
        run(model=attentive_bundle.folder, attention=True, report=True)


def test_a_synthetic_t1wgd_is_named_as_bids_does(run, tmp_path):
    run(target="T1wGd")
    assert (tmp_path / "out" / "a" / "a_ce-gadolinium_desc-synthetic_T1w.nii.gz").exists()


# --- what fails ---------------------------------------------------------------------------------------------------


def test_a_damaged_case_costs_no_other_and_says_why(run, place):
    break_scan(place / "a_T2w.nii.gz")
    result = run()
    assert states(result) == {"a": "failed", "b": "done"}
    assert "a_T2w.nii.gz" in table(result)["a"]["reason"]
    assert table(result)["a"]["exit_code"] == "3"


def test_a_case_that_failed_leaves_no_folder(run, place, tmp_path):
    break_scan(place / "a_T2w.nii.gz")
    run()
    assert not (tmp_path / "out" / "a").exists()


def test_a_source_that_is_not_there_fails_its_case_alone(run, place):
    (place / "cases.csv").write_text("case,T1w,T2w\na,nowhere.nii.gz,a_T2w.nii.gz\nb,b_T1w.nii.gz,b_T2w.nii.gz\n")
    result = run(place / "cases.csv")
    assert states(result) == {"a": "failed", "b": "done"}
    assert "nowhere.nii.gz" in result.rows[0].reason


def test_an_unexpected_error_is_told_in_one_sentence(run, monkeypatch):
    def stumble(*_arguments, **_options):
        raise RuntimeError("stumbled\nbadly")

    monkeypatch.setattr("MRTranslateLib.batch.executor.run_case", stumble)
    result = run()
    assert states(result) == {"a": "failed", "b": "failed"}
    assert "unexpected RuntimeError: stumbled badly" in result.rows[0].reason


def test_a_case_without_a_source_is_incomplete_and_not_failed(run, place):
    (place / "a_T2w.nii.gz").unlink()
    result = run()
    assert states(result) == {"a": "incomplete", "b": "done"}
    assert result.rows[0].reason == "no T2w (there is T1w, FLAIR)"


def test_a_file_of_somebody_else_is_kept_and_its_case_fails(run, tmp_path):
    theirs = tmp_path / "out" / "a" / f"a_{RESULT}"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    result = run()
    assert states(result) == {"a": "failed", "b": "done"}
    assert "exists and is kept" in result.rows[0].reason
    assert theirs.read_bytes() == b"theirs"


def test_a_file_in_the_place_of_a_case_s_folder_fails_that_case_in_one_sentence(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a").touch()
    result = run()
    assert states(result) == {"a": "failed", "b": "done"}
    assert result.rows[0].reason == f"cannot make the folder {tmp_path / 'out' / 'a'}: file exists"


def test_a_case_whose_result_cannot_be_measured_for_want_of_memory_keeps_its_result(run, monkeypatch):
    def exhaust(*_arguments, **_options):
        raise MemoryError

    monkeypatch.setattr("MRTranslateLib.metrics.files.evaluate_files", exhaust)
    result = run()
    assert states(result) == {"a": "done", "b": "done"}
    assert "memory ran out" in result.rows[0].outcome.not_measured


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_names_that_no_record_can_hold_fail_their_case_alone(run, place):
    odd = Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9_T1w.nii.gz"))
    shutil.copy(place / "a_T1w.nii.gz", odd)
    (place / "cases.csv").write_text("case,T1w,T2w\na,nul\0.nii,a_T2w.nii.gz\nb,b_T1w.nii.gz,b_T2w.nii.gz\n")
    cases = (*cases_of(place / "cases.csv"), Case(case_id="c", files={T1W: (odd,), T2W: (place / "a_T2w.nii.gz",)}))
    result = run(cases)
    assert states(result) == {"a": "failed", "b": "done", "c": "failed"}
    assert "null byte" in result.rows[0].reason
    assert result.rows[2].reason.endswith("is not UTF-8: rename it")


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_second_run_makes_nothing_and_knows_everything(run, copy_generator):
    first = run()
    text = first.table.read_text()
    copy_generator.batches.clear()
    second = run()
    assert copy_generator.batches == []
    assert new(second) == []
    assert second.table.read_text() == text


def test_a_case_added_later_is_the_only_one_made(run, place):
    run()
    for contrast in ("T1w", "T2w"):
        shutil.copy(place / f"b_{contrast}.nii.gz", place / f"c_{contrast}.nii.gz")
    assert new(run()) == ["c"]


def test_a_failed_case_is_begun_again_only_when_asked_or_when_its_files_change(run, place):
    good = (place / "a_T2w.nii.gz").read_bytes()
    break_scan(place / "a_T2w.nii.gz")
    run()
    assert new(run()) == []
    assert new(run(retry_failed=True)) == ["a"]
    (place / "a_T2w.nii.gz").write_bytes(good)
    assert states(run()) == {"a": "done", "b": "done"}


def test_a_result_that_is_gone_is_made_again(run, tmp_path):
    run()
    (tmp_path / "out" / "b" / f"b_{RESULT}").unlink()
    assert new(run()) == ["b"]


def test_a_result_of_changed_scans_is_kept_until_overwriting_is_allowed(run, place, tmp_path):
    run()
    former = (tmp_path / "out" / "a" / f"a_{RESULT}").read_bytes()
    shutil.copy(place / "b_T2w.nii.gz", place / "a_T2w.nii.gz")
    result = run()
    assert states(result) == {"a": "failed", "b": "done"}
    assert result.rows[0].reason == (
        "the T2w has changed since the result was made: allow overwriting (--overwrite) to make it again"
    )
    assert (tmp_path / "out" / "a" / f"a_{RESULT}").read_bytes() == former
    assert new(run(overwrite=True)) == ["a"]
    assert (tmp_path / "out" / "a" / f"a_{RESULT}").read_bytes() != former


def test_a_scan_that_was_only_touched_or_moved_counts_as_the_same(run, place, tmp_path):
    run()
    os.utime(place / "a_T1w.nii.gz", (1, 1))
    (place / "b_T1w.nii.gz").rename(place / "elsewhere.nii.gz")
    lines = "case,T1w,T2w\na,a_T1w.nii.gz,a_T2w.nii.gz\nb,elsewhere.nii.gz,b_T2w.nii.gz\n"
    (place / "cases.csv").write_text(lines)
    result = run(place / "cases.csv")
    assert new(result) == []
    assert states(result) == {"a": "done", "b": "done"}


def test_a_result_that_was_altered_is_told_of_and_kept(run, tmp_path):
    run()
    altered = tmp_path / "out" / "a" / f"a_{RESULT}"
    altered.write_bytes(b"painted over")
    result = run()
    assert "a_desc-synthetic_FLAIR.nii.gz was altered since it was made" in result.rows[0].reason
    assert altered.read_bytes() == b"painted over"
    assert new(run(overwrite=True)) == ["a"]


def test_other_settings_need_another_folder_or_leave_to_overwrite(run):
    run()
    with pytest.raises(UsageError, match=r"holds a batch that differs in registration \(auto, here never\): choose"):
        run(registration="never")
    assert new(run(registration="never", overwrite=True)) == ["a", "b"]


def test_words_of_a_notice_are_no_settings(run, tmp_path):
    run()
    record = json.loads((tmp_path / "out" / "batch.json").read_text())
    record["notice"] = "worded otherwise"
    (tmp_path / "out" / "batch.json").write_text(json.dumps(record))
    assert new(run()) == []


def test_another_model_of_the_same_name_counts_as_other_settings(run, tmp_path, coarse_bundle):
    run()
    record = json.loads((tmp_path / "out" / "batch.json").read_text())
    record["model"]["weights_sha256"] = "0" * 64
    (tmp_path / "out" / "batch.json").write_text(json.dumps(record))
    with pytest.raises(UsageError, match=r"differs in model"):
        run()


def test_the_same_model_in_another_folder_counts_as_the_same(run, tmp_path, coarse_bundle):
    run()
    assert new(run(model=shutil.copytree(coarse_bundle.folder, tmp_path / "models" / "coarse"))) == []


# --- interrupted --------------------------------------------------------------------------------------------------


class PowerCutError(Exception):
    """Ends a run as a power cut does: nothing is tidied up."""


def cut_power(monkeypatch, during: str):
    """Let the process 'die' when a case has been written and before that is recorded."""

    def end(self, case_id, end):
        if case_id == during:
            raise PowerCutError
        return original(self, case_id, end)

    original = Ledger.end
    monkeypatch.setattr(Ledger, "end", end)
    monkeypatch.setattr(Ledger, "give_up", lambda self: None)


def test_a_case_written_but_not_recorded_when_the_power_went_is_made_again(run, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        cut_power(patch, "a")
        with pytest.raises(PowerCutError):
            run()
    assert (tmp_path / "out" / "a" / f"a_{RESULT}").exists()
    assert json.loads((tmp_path / "out" / "records" / "a.json").read_text())["state"] == "running"
    assert states(run()) == {"a": "done", "b": "done"}


def test_a_file_of_somebody_else_is_kept_when_a_case_was_cancelled_before_its_work(run, tmp_path, monkeypatch):
    theirs = tmp_path / "out" / "a" / f"a_{RESULT}"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    with monkeypatch.context() as patch:
        cut_power(patch, "a")
        with pytest.raises(PowerCutError):
            run()
    assert states(run()) == {"a": "failed", "b": "done"}
    assert theirs.read_bytes() == b"theirs"


def test_a_case_that_failed_after_its_files_were_written_can_be_retried(run, monkeypatch, tmp_path):
    with monkeypatch.context() as patch:
        patch.setattr("MRTranslateLib.batch.executor.run_case", write_and_fail)
        run()
    assert (tmp_path / "out" / "a" / f"a_{RESULT}").read_bytes() == b"half done"
    assert states(run(retry_failed=True)) == {"a": "done", "b": "done"}


def write_and_fail(work, progress):
    Path(work.translation.output).write_bytes(b"half done")
    raise MemoryError


def test_a_result_that_vanished_before_it_was_recorded_is_a_failure(run, monkeypatch):
    def vanish(self, case_id, end):
        (self._plan.folder / self._plan.outputs(case_id)["output"]).unlink()
        return original(self, case_id, end)

    original = Ledger.end
    monkeypatch.setattr(Ledger, "end", vanish)
    result = run()
    assert states(result) == {"a": "failed", "b": "failed"}
    assert "was written and is not there" in result.rows[0].reason


def test_a_case_during_which_everything_ended_three_times_waits_to_be_asked_for(run, monkeypatch):
    with monkeypatch.context() as patch:
        cut_power(patch, "a")
        for _ in range(MAX_BEGUN):
            with pytest.raises(PowerCutError):
                run()
    result = run()
    assert states(result) == {"a": "failed", "b": "done"}
    assert "ended 3 times while this case was under way" in result.rows[0].reason
    assert states(run(retry_failed=True)) == {"a": "done", "b": "done"}


def test_cancelling_keeps_what_is_finished_and_counts_as_no_death(run, tmp_path):
    for _ in range(MAX_BEGUN + 1):
        progress = Progress()
        cancelled = progress.cancelled
        seen = []

        def listen(stage, fraction, cancelled=cancelled, seen=seen):
            seen.append(stage)
            if stage.startswith("b: "):
                cancelled.set()

        with pytest.raises(CancelledError, match=r"finished cases are kept in .*: the same command goes on from there"):
            run(progress=Progress(listen, cancelled))
    assert table_states(tmp_path / "out" / "cases.csv") == {"a": "done", "b": "pending"}
    assert states(run()) == {"a": "done", "b": "done"}


def table_states(path: Path) -> dict[str, str]:
    return {row["case"]: row["state"] for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}


def test_a_second_run_into_the_same_folder_at_once_is_refused(run):
    def again(row):
        with pytest.raises(UsageError, match=r"another batch is writing to"):
            run()
        seen.append(row.case_id)

    seen = []
    run(on_case=again)
    assert seen == ["a", "b"]


def test_progress_rises_to_one(run):
    fractions = []
    run(progress=lambda stage, fraction: fractions.append(fraction))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


# --- refused at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"sources": ["T1w", "FLAIR"]}, UsageError, "FLAIR is both source and target"),
        ({"sources": []}, UsageError, "no sources were given"),
        ({"sources": ["T1w", "t1w"]}, UsageError, "T1w is named twice"),
        ({"sources": ["T9w"]}, UsageError, "unknown contrast 'T9w'"),
        ({"target": "PDw"}, ModelError, "PDw"),
        ({"attention": True}, ModelError, "attention"),
        ({"model": "no-such-model"}, ModelError, "there is no model no-such-model"),
        ({"workers": -1}, UsageError, "cannot run -1 workers"),
        ({"device": "cuda:99"}, UsageError, "CUDA devices"),
        ({"threads": 0}, UsageError, "0 threads"),
    ],
)
def test_what_every_case_would_stumble_over_is_refused_before_anything_is_written(run, tmp_path, options, error, words):
    with pytest.raises(error, match=words):
        run(**options)
    assert not (tmp_path / "out").exists()


def test_results_among_the_scans_are_refused(run, place, coarse_bundle):
    with pytest.raises(UsageError, match=r"holds the scans: choose another folder for the results"):
        batch_run(place, place, sources=["T1w"], target="FLAIR", model=coarse_bundle.folder, workers=0)


def test_results_below_the_scans_are_not_taken_for_scans(place, copy_generator, coarse_bundle):
    for _ in range(2):
        result = batch_run(
            place, place / "made", sources=["T1w"], target="FLAIR", model=coarse_bundle.folder, workers=0
        )
        assert states(result) == {"a": "done", "b": "done"}


def test_the_table_of_results_does_not_take_the_place_of_the_case_list(run, place, tmp_path):
    (tmp_path / "out").mkdir()
    cases = tmp_path / "out" / "cases.csv"
    cases.write_text(f"case,T1w,T2w\na,{place}/a_T1w.nii.gz,{place}/a_T2w.nii.gz\n")
    with pytest.raises(UsageError, match=r"would be overwritten by the table of results: rename it"):
        run(cases)
    with pytest.raises(UsageError, match=r"cases\.csv exists and is kept"):
        run()
    assert cases.read_text().startswith("case,T1w,T2w\n")


def test_a_file_system_without_locks_takes_a_batch(run, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert states(run()) == {"a": "done", "b": "done"}


# --- the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def batch(place, tmp_path, copy_generator, coarse_bundle, capsys):
    """Run ``mrtranslate batch`` in this process; returns exit code, stdout, stderr."""

    def call(*arguments):
        words = ["batch", place, tmp_path / "out", "--sources", "T1w,T2w", "--target", "FLAIR"]
        code = main([str(word) for word in (*words, "--model", coarse_bundle.folder, "--workers", "0", *arguments)])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_the_command_counts_measures_and_names_the_table(batch, tmp_path):
    code, out, _ = batch()
    assert code == 0
    assert "2 of 2 cases have a result\nagainst 2 real scans: brain PSNR " in out
    assert f"table written to {tmp_path / 'out' / 'cases.csv'} (results are SYNTHETIC" in out


def test_the_command_ends_with_one_when_a_case_has_no_result(batch, place):
    break_scan(place / "a_T2w.nii.gz")
    code, out, _ = batch()
    assert code == 1
    assert "a failed: " in out
    assert "1 of 2 cases have a result, 1 failed" in out
    assert "--retry-failed begins them again" in out


def test_a_list_only_says_what_would_be_done(batch, place, tmp_path):
    (place / "a_T2w.nii.gz").unlink()
    code, out, _ = batch("--list")
    assert code == 1
    assert out.splitlines() == [
        "case  contrasts      T1w+T2w > FLAIR",
        "a     T1w FLAIR      no T2w (there is T1w, FLAIR)",
        "b     T1w T2w FLAIR  can be made and measured",
        "1 of 2 cases have what it takes",
    ]
    assert not (tmp_path / "out").exists()


def test_json_progress_tells_of_each_case_and_of_the_end(batch):
    _, out, _ = batch("--progress", "json")
    events = [json.loads(line) for line in out.splitlines()]
    assert [event["case"] for event in events if event["event"] == "case"] == ["a", "b"]
    assert events[-1] | {"table": ""} == {
        "event": "result", "table": "", "num_new": 2, "done": 2, "failed": 0, "incomplete": 0
    }  # fmt: skip


# --- the overview -------------------------------------------------------------------------------------------------


def test_the_overview_names_every_case_and_shows_a_picture_of_each_result(run, place, tmp_path):
    break_scan(place / "a_T2w.nii.gz")
    run()
    text = (tmp_path / "out" / "cases.html").read_text(encoding="utf-8")
    assert "1 of 2 cases have a result, 1 failed." in text
    assert "<dt>a (failed)</dt><dd>" in text
    assert 'src="b/b_desc-preview_FLAIR.png"' in text
    assert "Lowest of 1 cases with a real target" in text
    assert "not for diagnostic use" in text


def test_a_case_s_name_cannot_write_into_the_page(run, place, tmp_path):
    (place / "cases.csv").write_text("case,T1w,T2w\nb,b_T1w.nii.gz,<script>x</script>.nii.gz\n")
    run(place / "cases.csv")
    assert "<script>" not in (tmp_path / "out" / "cases.html").read_text(encoding="utf-8")


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("L"), float)


def test_the_picture_shows_source_synthetic_and_real_slice_at_the_brain(run, tmp_path, place):
    run()
    picture = pixels(tmp_path / "out" / "b" / "b_desc-preview_FLAIR.png")
    synthetic = read_volume(tmp_path / "out" / "b" / f"b_{RESULT}").array
    assert (synthetic > 0).any(axis=(0, 1)).sum() > 10
    columns = np.split(picture[30:-30, : picture.shape[1] // 3 * 3], 3, axis=1)
    assert all(column.mean() > 20 for column in columns)
    # The stand-in's FLAIR is the mean of T1w and T2w: like neither, and not the real one.
    assert all(np.abs(columns[1] - columns[other]).mean() > 3 for other in (0, 2))


def test_a_reference_on_another_grid_is_left_out_of_the_picture(run, place, tmp_path):
    real = read_volume(place / "b_FLAIR.nii.gz")
    write_volume(place / "b_FLAIR.nii.gz", Volume(real.array[:-1], real.affine), overwrite=True)
    run()
    widths = [pixels(tmp_path / "out" / name / f"{name}_desc-preview_FLAIR.png").shape[1] for name in "ab"]
    assert 1.4 < widths[0] / widths[1] < 1.6


def test_a_picture_that_cannot_be_drawn_is_a_warning_and_the_result_stays(run, monkeypatch):
    def fail(*_arguments, **_options):
        raise InputError("nothing to see")

    monkeypatch.setattr("MRTranslateLib.batch.preview.write_preview", fail)
    result = run()
    assert states(result) == {"a": "done", "b": "done"}
    assert "no picture for the overview: nothing to see" in result.rows[0].outcome.warnings


def test_a_picture_that_was_removed_is_no_reason_to_make_the_result_again(run, tmp_path):
    run()
    (tmp_path / "out" / "a" / "a_desc-preview_FLAIR.png").unlink()
    assert new(run()) == []
