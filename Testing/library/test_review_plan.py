"""Sessions made from a batch: complete or absent, and blind in everything that readers and their programs can read."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from MRTranslateLib import InputError, UsageError, read_volume, write_volume
from MRTranslateLib.cli.main import main
from MRTranslateLib.errors import CancelledError, MRTranslateError
from MRTranslateLib.preprocessing.resampling import resample
from MRTranslateLib.progress import Progress
from MRTranslateLib.review import images
from MRTranslateLib.review import plan as planning
from MRTranslateLib.review.blind import shared_brain
from MRTranslateLib.review.session import image_path, read_session, source_path
from MRTranslateLib.volume import Volume
from Testing.library.review_examples import CASES, SHAPE, SIZE_MM, brain, plan, run_batch, scan, write_scans

HEADER_BYTES = 352
NAMES = ("anna", "bert")


@pytest.fixture(scope="module")
def batch(tmp_path_factory, coarse_bundle):
    """Scans and results of six cases."""
    folder = tmp_path_factory.mktemp("batch")
    scans = write_scans(folder / "in")
    return scans, run_batch(scans, folder / "out", coarse_bundle)


@pytest.fixture(scope="module")
def planned(batch, tmp_path_factory):
    """A session over all of them, a quarter repeated."""
    return plan(*batch, tmp_path_factory.mktemp("planned") / "session", repeat=0.25)


@pytest.fixture
def two_cases(batch, tmp_path):
    """Copies of the scans of two cases of the batch, of which a test may alter the real targets."""
    (tmp_path / "in").mkdir()
    for case_id in CASES[:2]:
        for path in batch[0].glob(f"{case_id}_*"):
            shutil.copy(path, tmp_path / "in")
    return tmp_path / "in", batch[1]


def replace_flair(scans, number, volume):
    write_volume(scans / f"{CASES[number]}_FLAIR.nii.gz", volume, overwrite=True)


def by_case(planned):
    """For each case the items of each kind."""
    found = {case_id: {"real": [], "synthetic": []} for case_id in planned.key.files}
    for name, item in planned.key.items.items():
        found[item.case_id][item.kind].append(name)
    return found


def image(planned, name):
    return read_volume(image_path(planned.folder, name))


def pairs(planned):
    """Real and synthetic volume of each case."""
    return [[image(planned, kinds[kind][0]) for kind in ("real", "synthetic")] for kinds in by_case(planned).values()]


# --- what is planned ----------------------------------------------------------------------------------------------


def test_each_case_is_shown_real_and_synthetic_and_a_share_again(planned):
    counts = Counter((item.case_id, item.kind) for item in planned.key.items.values())
    assert set(counts) == {(case_id, kind) for case_id in CASES for kind in ("real", "synthetic")}
    assert sum(counts.values()) == 12 + 3


def test_every_reader_sees_every_item_in_an_order_of_the_readers_own(planned):
    anna, bert = (planned.session.orders[name] for name in NAMES)
    assert sorted(anna) == sorted(bert) == sorted(planned.key.items)
    assert anna != bert


def test_the_session_on_disk_is_the_one_that_was_planned(planned):
    assert read_session(planned.folder) == planned.session


def test_the_folder_holds_images_sources_session_and_key(planned):
    assert sorted(path.name for path in planned.folder.iterdir()) == ["images", "key.json", "session.json", "sources"]
    names = sorted(f"{name}.nii" for name in planned.key.items)
    assert sorted(path.name for path in (planned.folder / "images").iterdir()) == names
    assert sorted(path.name for path in (planned.folder / "sources").iterdir()) == names


def test_the_items_are_the_case_that_the_key_says(planned, batch):
    scans, results = batch
    for case_id, kinds in by_case(planned).items():
        acquired = read_volume(scans / f"{case_id}_FLAIR.nii.gz").array
        made = read_volume(results / case_id / f"{case_id}_desc-synthetic_FLAIR.nii.gz").array
        beside = read_volume(scans / f"{case_id}_T1w.nii.gz").array
        for kind, truth in (("real", acquired), ("synthetic", made)):
            for name in kinds[kind]:
                inside = image(planned, name).array > 0
                assert np.corrcoef(image(planned, name).array[inside], truth[inside])[0, 1] > 0.99
                source = read_volume(source_path(planned.folder, name)).array
                assert np.corrcoef(source[inside], beside[inside])[0, 1] > 0.99


def test_a_repeat_is_the_same_image_and_source_under_another_name(planned):
    repeated = [names for kinds in by_case(planned).values() for names in kinds.values() if len(names) == 2]
    assert len(repeated) == 3
    for first, again in repeated:
        for path in (image_path, source_path):
            assert path(planned.folder, first).read_bytes() == path(planned.folder, again).read_bytes()


def test_the_same_seed_repeats_the_draw_but_not_the_names(planned, batch, tmp_path):
    again = plan(*batch, tmp_path / "session", repeat=0.25)

    def sequence(made):
        return [made.key.items[name] for name in made.session.orders["anna"]]

    assert sequence(again) == sequence(planned)
    assert not set(again.key.items) & set(planned.key.items)


def test_a_seed_that_is_not_given_is_drawn_and_recorded(batch, tmp_path):
    first, second = (plan(*batch, tmp_path / name, seed=None, repeat=0) for name in "ab")
    assert first.key.seed != second.key.seed


def test_scans_and_results_are_not_touched(batch, tmp_path):
    def state():
        return {
            path: (path.stat().st_mtime_ns, path.stat().st_size)
            for folder in batch
            for path in sorted(folder.rglob("*"))
        }

    before = state()
    plan(*batch, tmp_path / "session")
    assert state() == before


# --- blinding -----------------------------------------------------------------------------------------------------


def test_the_files_of_a_case_have_one_header_that_says_nothing(planned):
    for kinds in by_case(planned).values():
        names = [name for each in kinds.values() for name in each]
        paths = [path(planned.folder, name) for name in names for path in (image_path, source_path)]
        headers = {path.read_bytes()[:HEADER_BYTES] for path in paths}
        assert len(headers) == 1
        assert headers.pop()[148:252].strip(b"\0") == b""  # descrip and aux_file


def test_the_files_of_a_case_have_one_size_time_and_mode(planned):
    facts = {
        (path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_atime_ns, path.stat().st_mode)
        for folder in ("images", "sources")
        for path in (planned.folder / folder).iterdir()
    }
    assert len({(size, modified, mode) for size, modified, _, mode in facts}) == 1
    assert facts.pop()[0] == HEADER_BYTES + 2 * np.prod(SHAPE)  # not compressed: the size would tell noise


def test_names_say_nothing(planned):
    for name in planned.key.items:
        assert len(name) == 8
        int(name, 16)


def test_real_and_synthetic_are_int16_with_one_outline_on_a_background_of_0(planned):
    for real, synthetic in pairs(planned):
        assert real.array.dtype == synthetic.array.dtype == np.int16
        assert np.array_equal(real.array > 0, synthetic.array > 0)
        assert min(real.array.min(), synthetic.array.min()) == 0


def test_real_and_synthetic_have_one_brightest_value_in_one_share_of_the_brain(planned):
    for pair in pairs(planned):
        brightest = [float((each.array[each.array > 0] == 1000).mean()) for each in pair]
        assert all(each.array.max() == 1000 for each in pair)
        assert brightest == pytest.approx([0.005, 0.005], abs=0.001)


def test_sources_have_the_outline_and_range_of_their_items(planned):
    for name in planned.key.items:
        source, shown = read_volume(source_path(planned.folder, name)).array, image(planned, name).array
        assert np.array_equal(source > 0, shown > 0)
        assert source.max() == 1000


def test_the_steps_between_values_do_not_tell_few_levels_from_many(planned):
    # The real scans here have about 150 levels in the brain, the synthetic ones 1000: scaled alone, both leave gaps.
    for pair in pairs(planned):
        for each in pair:
            values = each.array[each.array > 0]
            low, high = np.percentile(values, [30, 70]).astype(int)
            present = np.unique(values[(values >= low) & (values <= high)]).size
            assert present / (high - low + 1) > 0.9


def test_simple_facts_of_a_volume_do_not_tell_real_from_synthetic(planned):
    # What a program sees that does not look at the picture: outline, range, places in the orders.
    differences = []
    for kinds in by_case(planned).values():
        facts = []
        for kind in ("real", "synthetic"):
            name = kinds[kind][0]
            array = image(planned, name).array
            inside = np.argwhere(array > 0)
            facts.append(
                [
                    (array > 0).sum(),
                    *inside.min(axis=0),
                    *inside.max(axis=0),
                    array.max(),
                    *(min(map(planned.session.orders[reader].index, kinds[kind])) for reader in NAMES),
                ]
            )
        differences.append(np.subtract(*facts))
    signs = np.sign(differences)
    always = np.abs(signs.sum(axis=0)) == len(CASES)
    assert not always.any()


def test_which_kind_is_written_first_is_drawn_too(batch, tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr(
        planning, "write_volume", lambda path, volume: (written.append(path), write_volume(path, volume))
    )
    made = plan(*batch, tmp_path / "session", repeat=0)
    kinds = [made.key.items[path.stem].kind for path in written if path.parent.name == "images"]
    assert len({kinds[at] for at in range(0, len(kinds), 2)}) == 2


def test_times_are_set_in_the_order_of_names(batch, tmp_path, monkeypatch):
    touched = []
    monkeypatch.setattr(os, "utime", lambda path, times: touched.append(Path(path)))
    plan(*batch, tmp_path / "session")
    images_touched = [path.name for path in touched if path.parent.name == "images"]
    assert images_touched == sorted(images_touched)


def test_what_readers_read_names_no_case_file_or_kind(planned, batch):
    text = (planned.folder / "session.json").read_text()
    data = b"".join(path.read_bytes() for path in planned.folder.glob("*/*.nii"))
    for word in (*CASES, str(batch[0]), str(batch[1]), str(planned.key.seed) + ","):
        assert word not in text
        assert word.encode() not in data
    assert '"real"' not in text
    assert '"synthetic"' not in text


def test_a_skull_that_only_the_real_scan_shows_is_cut_off(two_cases, tmp_path):
    shell = brain(1.2) & ~brain(1.12)
    for number in range(2):
        flair = scan(200 + number, level=90, noise=9)
        air = np.abs(np.random.default_rng(number).normal(0, 3, SHAPE))
        whole = np.where(flair.array > 0, flair.array, np.where(shell, 250, air)).astype(np.int16)
        replace_flair(two_cases[0], number, flair.with_array(whole))
    for real, synthetic in pairs(plan(*two_cases, tmp_path / "session")):
        assert np.array_equal(real.array > 0, synthetic.array > 0)
        assert not (real.array > 0)[~brain()].any()


def test_a_real_scan_that_was_stripped_more_tightly_trims_both(two_cases, tmp_path):
    tight = brain(0.93)
    for number in range(2):
        replace_flair(two_cases[0], number, scan(200 + number, level=90, noise=9, inside=tight))
    for real, synthetic in pairs(plan(*two_cases, tmp_path / "session")):
        assert np.array_equal(real.array > 0, tight)
        assert np.array_equal(synthetic.array > 0, tight)


def test_a_dark_place_that_only_one_of_them_has_does_not_show_as_a_hole(two_cases, tmp_path):
    for number in range(2):
        flair = scan(200 + number, level=90, noise=9)
        array = flair.array.copy()
        array[tuple(slice(size // 2 - 2, size // 2 + 2) for size in SHAPE)] = 0
        replace_flair(two_cases[0], number, flair.with_array(array))
    for real, synthetic in pairs(plan(*two_cases, tmp_path / "session")):
        assert np.array_equal(real.array > 0, brain())
        assert np.array_equal(synthetic.array > 0, brain())


def test_a_real_scan_on_another_grid_is_laid_onto_the_result_and_told_of(two_cases, tmp_path):
    flair = scan(200, level=90)
    affine = flair.affine @ np.diag([1, 1, 2, 1.0])
    affine[:3, 3] += flair.affine[:3, :3] @ [0, 0, 0.5] + [0, 15, 0]  # the head has moved by 15 mm
    thick = (flair.array[:, :, ::2] + flair.array[:, :, 1::2]) // 2
    replace_flair(two_cases[0], 0, Volume(thick.astype(np.int16), affine))
    made = plan(*two_cases, tmp_path / "session")
    assert made.key.left_out == {}
    real, synthetic = (image(made, by_case(made)[CASES[0]][kind][0]) for kind in ("real", "synthetic"))
    assert np.array_equal(real.array > 0, synthetic.array > 0)
    assert np.allclose(real.affine, synthetic.affine)
    inside = real.array > 0
    assert np.corrcoef(real.array[inside], flair.array[inside])[0, 1] > 0.8
    assert len(made.key.warnings) == 1
    assert f"{CASES[0]}: the real FLAIR" in made.key.warnings[0]
    assert "6 x 6 x 12 mm and was resampled" in made.key.warnings[0]


def test_the_rim_of_a_stripped_scan_on_another_grid_is_not_mixed_with_background():
    synthetic = scan(0, level=900)
    affine = synthetic.affine.copy()
    affine[:3, 3] += SIZE_MM / 2
    real = Volume(np.where(brain(0.95), 100, 0).astype(np.int16), affine)
    shared = shared_brain(synthetic, real, None)
    laid = resample(real, synthetic, interpolation="bspline").array[shared]
    assert shared.sum() > 0.8 * real.array.astype(bool).sum()
    assert laid.min() > 80  # splines swing near an edge; mixed with background it would be 12


# --- which cases --------------------------------------------------------------------------------------------------


def test_a_case_without_a_real_target_is_left_out_with_the_reason(batch, tmp_path):
    scans = Path(shutil.copytree(batch[0], tmp_path / "in"))
    (scans / "yak_FLAIR.nii.gz").unlink()
    made = plan(scans, batch[1], tmp_path / "session")
    assert made.key.left_out == {"yak": "no FLAIR (there is T1w, T2w)"}
    assert set(made.key.files) == set(CASES) - {"yak"}


def test_a_case_whose_real_target_is_damaged_costs_no_other(batch, tmp_path):
    scans = Path(shutil.copytree(batch[0], tmp_path / "in"))
    (scans / "yak_FLAIR.nii.gz").write_bytes(b"x" * 500)
    made = plan(scans, batch[1], tmp_path / "session")
    assert list(made.key.left_out) == ["yak"]
    assert "yak_FLAIR.nii.gz" in made.key.left_out["yak"]


def test_a_case_whose_scans_changed_since_the_result_was_made_is_left_out(batch, tmp_path):
    scans = Path(shutil.copytree(batch[0], tmp_path / "in"))
    shutil.copy(scans / "vole_T2w.nii.gz", scans / "yak_T2w.nii.gz")
    made = plan(scans, batch[1], tmp_path / "session")
    assert "the T2w has changed since the result was made" in made.key.left_out["yak"]


def test_a_case_without_a_result_is_left_out(batch, tmp_path):
    scans, results = batch[0], Path(shutil.copytree(batch[1], tmp_path / "out"))
    next((results / "yak").glob("*.nii.gz")).unlink()
    made = plan(scans, results, tmp_path / "session")
    assert made.key.left_out == {"yak": "it has no result, or that is gone: run mrtranslate batch again"}


def test_a_real_target_that_shows_little_of_the_brain_is_not_shown(two_cases, tmp_path):
    flair = scan(200, level=90, noise=9)
    array = flair.array.copy()
    array[:, :, 11:] = 0
    replace_flair(two_cases[0], 0, flair.with_array(array))
    with pytest.raises(UsageError, match=r"1 case is too few .*zebra: the real image shows only \d+% of the synthetic"):
        plan(*two_cases, tmp_path / "session")
    made = plan(*two_cases, tmp_path / "alone", with_real=False, repeat=0)
    assert set(made.key.files) == set(CASES[:2])


def test_results_alone_are_shown_without_asking_what_is_real(batch, tmp_path):
    scans = Path(shutil.copytree(batch[0], tmp_path / "in"))
    (scans / "yak_FLAIR.nii.gz").unlink()
    made = plan(scans, batch[1], tmp_path / "session", with_real=False)
    assert set(made.key.files) == set(CASES)
    assert {item.kind for item in made.key.items.values()} == {"synthetic"}
    assert [question.name for question in made.session.questions] == ["quality", "lesions", "comment"]


def test_where_no_case_can_be_shown_the_reasons_are_told(batch, tmp_path):
    scans = Path(shutil.copytree(batch[0], tmp_path / "in"))
    for path in scans.glob("*_FLAIR.nii.gz"):
        path.unlink()
    with pytest.raises(InputError, match=r"no case of .* can be shown \(urial: no FLAIR"):
        plan(scans, batch[1], tmp_path / "session")
    assert not (tmp_path / "session").exists()


def test_a_case_list_will_do(batch, tmp_path):
    rows = [f"{name},{batch[0]}/{name}_T1w.nii.gz,{batch[0]}/{name}_T2w.nii.gz" for name in CASES[:2]]
    lines = [f"{row},{batch[0]}/{name}_FLAIR.nii.gz" for row, name in zip(rows, CASES, strict=False)]
    (tmp_path / "cases.csv").write_text("\n".join(["case,T1w,T2w,FLAIR", *lines]))
    made = plan(tmp_path / "cases.csv", batch[1], tmp_path / "session")
    assert set(made.key.files) == set(CASES[:2])


# --- what is refused ----------------------------------------------------------------------------------------------


def test_an_existing_session_is_never_overwritten(batch, planned):
    before = (planned.folder / "key.json").read_bytes()
    with pytest.raises(UsageError, match="holds files and is kept"):
        plan(*batch, planned.folder)
    assert (planned.folder / "key.json").read_bytes() == before


def test_a_session_does_not_go_among_scans_or_results(batch):
    for folder in batch:
        with pytest.raises(UsageError, match="choose a folder outside of scans and results"):
            plan(*batch, folder / "session")


def test_a_plan_that_fails_half_way_leaves_nothing(batch, tmp_path, monkeypatch):
    def fill_the_disk(path, volume):
        if len(list(path.parent.iterdir())) == 3:
            raise MRTranslateError("the disk is full")
        write_volume(path, volume)

    monkeypatch.setattr(planning, "write_volume", fill_the_disk)
    with pytest.raises(MRTranslateError, match="the disk is full"):
        plan(*batch, tmp_path / "session")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_that_is_cancelled_leaves_nothing(batch, tmp_path):
    progress = Progress()
    line = Progress(lambda stage, fraction: progress.cancelled.set() if fraction > 0.3 else None, progress.cancelled)
    with pytest.raises(CancelledError):
        planning.plan_session(
            batch[0], batch[1], tmp_path / "session", planning.SessionRequest(readers=NAMES), progress=line
        )
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_seen_under_the_name_before_all_is_there(batch, tmp_path, monkeypatch):
    seen = []
    real = images.blinded
    monkeypatch.setattr(
        images, "blinded", lambda *given: (seen.append((tmp_path / "session").exists()), real(*given))[1]
    )
    plan(*batch, tmp_path / "session")
    assert seen
    assert not any(seen)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"readers": ()}, "no reader is named"),
        ({"readers": ("anna", "")}, "'' cannot name a reader"),
        ({"readers": ("anna", "../bert")}, r"'\.\./bert' cannot name a reader"),
        ({"readers": ("anna", "Anna")}, "two readers are named Anna"),
        ({"repeat": 2.0}, "cannot repeat a share of 2"),
        ({"seed": -1}, "a seed is 0 or more, not -1"),
        ({"questions": ()}, "there are 0 questions"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_before_the_work(tmp_path, changed, words):
    with pytest.raises(UsageError, match=words):
        plan(tmp_path / "nowhere", tmp_path / "nothing", tmp_path / "session", **changed)


def test_a_folder_without_a_batch_is_named(batch, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"batch\.json .*: give the folder that mrtranslate batch wrote"):
        plan(batch[0], tmp_path / "none", tmp_path / "session")
    (tmp_path / "none" / "batch.json").write_text("{}")
    with pytest.raises(InputError, match=r"batch\.json is none of this version"):
        plan(batch[0], tmp_path / "none", tmp_path / "session")


# --- the command --------------------------------------------------------------------------------------------------


def test_the_command_plans_and_says_to_hide_the_key(batch, tmp_path, capsys):
    (tmp_path / "ask.csv").write_text("kind,name,text,labels\nrating,rim,Seen?,no|yes\n")
    words = [str(batch[0]), str(batch[1]), str(tmp_path / "session"), "--readers", "anna, bert", "--repeat", "0.25"]
    code = main(["review", "plan", *words, "--seed", "3", "--questions", str(tmp_path / "ask.csv")])
    out = capsys.readouterr().out
    assert code == 0
    assert "6 cases, 15 items (3 of them repeats) for anna and bert in" in out
    assert "keep it from the readers" in out
    assert [question.name for question in read_session(tmp_path / "session").questions] == ["rim"]


def test_the_command_tells_programs_the_same(batch, tmp_path, capsys):
    words = [str(batch[0]), str(batch[1]), str(tmp_path / "session"), "--readers", "anna", "--no-real"]
    assert main(["review", "plan", *words, "--progress", "json"]) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["num_cases"], last["num_items"], last["num_repeats"]) == (6, 7, 1)


def test_a_mistake_is_one_sentence_with_its_exit_code(batch, tmp_path, capsys):
    words = [str(batch[0]), str(batch[1]), str(tmp_path / "session"), "--readers", "anna,anna"]
    assert main(["review", "plan", *words]) == 2
    assert capsys.readouterr().err.strip().splitlines() == [
        "mrtranslate: two readers are named anna: give each a name of its own"
    ]
