"""Which file is which: from the names in a folder, and from a case list."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.case_list import read_case_list
from MRTranslateLib.batch.discover import contrast_and_prefix, find_cases
from MRTranslateLib.batch.plan import BatchPlan
from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.batch.stamp import stamp
from MRTranslateLib.batch.work import CaseWork
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.provenance import ModelRecord
from MRTranslateLib.worker.translate import TranslateParameters


@pytest.fixture
def folder(tmp_path):
    """A folder with empty files of these names."""

    def make(*names: str) -> Path:
        for name in names:
            path = tmp_path / "in" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "in"

    return make


def found(place: Path) -> dict[str, dict[str, list[str]]]:
    return {
        case.case_id: {contrast.value: [path.name for path in paths] for contrast, paths in case.files.items()}
        for case in find_cases(place)
    }


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "contrast", "prefix"),
    [
        ("sub-01_T1w.nii.gz", "T1w", "sub-01"),
        ("sub-01_ses-2_FLAIR.nii", "FLAIR", "sub-01_ses-2"),
        ("sub-01_ce-gadolinium_T1w.nii.gz", "T1wGd", "sub-01"),
        ("sub-01_ce-GADOVIST_acq-space_T1w.nii.gz", "T1wGd", "sub-01"),
        ("sub-01_acq-mprage_run-2_T1w.nii.gz", "T1w", "sub-01"),
        ("BraTS-GLI-00005-000-t1n.nii.gz", "T1w", "BraTS-GLI-00005-000"),
        ("BraTS-GLI-00005-000-t1c.nii.gz", "T1wGd", "BraTS-GLI-00005-000"),
        ("BraTS2021_00002_t1ce.nii.gz", "T1wGd", "BraTS2021_00002"),
        ("BraTS2021_00002_t2.nii.gz", "T2w", "BraTS2021_00002"),
        ("t1.nrrd", "T1w", ""),
        ("FLAIR.mha", "FLAIR", ""),
        ("patient.7.T2w.nii.gz", "T2w", "patient.7"),
        ("sub-01_PDw.nii.gz", "PDw", "sub-01"),
    ],
)
def test_a_name_tells_contrast_and_case(name, contrast, prefix):
    assert contrast_and_prefix(Path(name)) == (Contrast(contrast), prefix)


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_desc-synthetic_FLAIR.nii.gz",  # our own result
        "sub-01_ce-gadolinium_FLAIR.nii.gz",  # none of our contrasts
        "sub-01_label-lesion_dseg.nii.gz",
        "sub-01_brain_mask.nii.gz",
        "sub-01_T1w.json",
        "sub-01_T1w.txt",
        "sub-01_T2starw.nii.gz",
        "sub-01_bold.nii.gz",
        "T1w_sub-01.nii.gz",
        "sub-01_FLAIR.img",
    ],
)
def test_a_name_that_is_none_of_ours_is_left_out(name):
    assert contrast_and_prefix(Path(name)) is None


# --- folders ------------------------------------------------------------------------------------------------------


def test_bids_sessions_are_cases_of_their_own(folder):
    place = folder(
        "sub-1/ses-a/anat/sub-1_ses-a_T1w.nii.gz",
        "sub-1/ses-b/anat/sub-1_ses-b_T1w.nii.gz",
        "sub-1/ses-b/anat/sub-1_ses-b_T2w.nii.gz",
    )
    assert found(place) == {
        "sub-1_ses-a": {"T1w": ["sub-1_ses-a_T1w.nii.gz"]},
        "sub-1_ses-b": {"T1w": ["sub-1_ses-b_T1w.nii.gz"], "T2w": ["sub-1_ses-b_T2w.nii.gz"]},
    }


def test_files_named_by_their_contrast_alone_are_of_the_case_that_their_folder_names(folder):
    place = folder("p1/visit1/t1.nii.gz", "p1/visit1/t2.nii.gz", "p1/visit2/t1.nii.gz", "p2/t1.nii.gz")
    assert sorted(found(place)) == ["p1_visit1", "p1_visit2", "p2"]


def test_one_folder_may_hold_many_cases(folder):
    assert sorted(found(folder("a_T1w.nii.gz", "b_T1w.nii.gz", "b_T2w.nii.gz"))) == ["a", "b"]


def test_equal_names_in_two_folders_are_two_cases(folder):
    place = folder("anna/scan_T1w.nii.gz", "anna/scan_T2w.nii.gz", "bert/scan_T1w.nii.gz", "bert/scan_T2w.nii.gz")
    assert sorted(found(place)) == ["anna_scan", "bert_scan"]


def test_a_bids_anat_folder_by_itself_is_a_folder_of_cases(folder):
    place = folder("sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2w.nii.gz")
    assert sorted(found(place / "sub-01" / "anat")) == ["sub-01"]


def test_names_with_spaces_brackets_and_decomposed_letters_become_names_of_cases(folder):
    place = folder("Patient 01/t1.nii.gz", "a(1)_T1w.nii.gz", unicodedata.normalize("NFD", "Müller_T1w.nii.gz"))
    assert sorted(found(place)) == ["Müller", "Patient-01", "a-1"]


def test_derivatives_and_hidden_folders_are_not_searched(folder):
    place = folder(
        "sub-1/anat/sub-1_T1w.nii.gz",
        "derivatives/x/sub-2_T1w.nii.gz",
        ".git/sub-3_T1w.nii.gz",
        ".sub-4_T1w.nii.gz",
    )
    assert sorted(found(place)) == ["sub-1"]


def test_a_folder_without_any_scan_is_refused_with_how_to_name_them(folder):
    with pytest.raises(UsageError, match=r"holds no scan whose name says its contrast: name files like"):
        find_cases(folder("notes.txt", "scan.nii.gz"))


def test_a_case_with_two_candidates_says_which_and_what_to_do(folder):
    (case,) = find_cases(folder("sub-1_run-1_T1w.nii.gz", "sub-1_run-2_T1w.nii.gz", "sub-1_T2w.nii.gz"))
    assert case.problem([Contrast.T1W]) == (
        "several T1w: sub-1_run-1_T1w.nii.gz and sub-1_run-2_T1w.nii.gz; name the one to use in a case list (.csv)"
    )
    assert case.problem([Contrast.T2W]) == ""


def test_a_case_that_lacks_a_source_says_what_it_has():
    case = Case(case_id="a", files={Contrast.FLAIR: (Path("f.nii"),)})
    assert case.problem([Contrast.T1W, Contrast.T2W]) == "no T1w and no T2w (there is FLAIR)"


# --- lists --------------------------------------------------------------------------------------------------------


@pytest.fixture
def case_list(tmp_path):
    def write(text: str | bytes, name: str = "cases.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_list_names_files_relative_to_itself(case_list, tmp_path):
    (case,) = read_case_list(case_list("case,T1w,T2w,brain_mask,age\nanna,a/t1.nii,/data/t2.nii,masks/anna.nii,47\n"))
    assert case == Case(
        case_id="anna",
        files={Contrast.T1W: (tmp_path / "a/t1.nii",), Contrast.T2W: (Path("/data/t2.nii"),)},
        brain_mask=tmp_path / "masks/anna.nii",
    )


@pytest.mark.parametrize(
    "text",
    [
        "participant_id\tT1w\tFLAIR\nsub-1\tx.nii\tn/a\n",
        "Case;t1W;flair\r\nsub-1;x.nii;\r\n",
        b"\xef\xbb\xbfcase_id,T1w,FLAIR\nsub-1,x.nii\n\n",
    ],
    ids=["BIDS table", "German spreadsheet", "byte order mark, short row, blank line"],
)
def test_lists_as_spreadsheets_save_them(case_list, text):
    (case,) = read_case_list(case_list(text))
    assert case.case_id == "sub-1"
    assert list(case.files) == [Contrast.T1W]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("name,T1w\nx,y\n", InputError, r"needs rows below a line with the columns case and one for each contrast"),
        ("case,age\nx,4\n", InputError, r"its first line is 'case,age'"),
        ("", InputError, r"needs rows below"),
        ("case,T1w\n", InputError, r"needs rows below"),
        ("case,T1w\n,\n", UsageError, r"names no case"),
        ("case,T1w\na,x.nii,y.nii\n", InputError, r"line 2: more cells than columns"),
        (b"case,T1w\n\xff,x\n", InputError, r"not UTF-8"),
        ("case,T1w\na,x\nA,y\n", UsageError, r"two cases are named A"),
        ("case,T1w\n../a,x\n", UsageError, r"'\.\./a' cannot name a case"),
        ("case,T1w\n,x\n", UsageError, r"'' cannot name a case"),
        ("case,T1w\n" + "a" * 101 + ",x\n", UsageError, r"cannot name a case"),
        ('case,T1w\n"a,x\n', InputError, r"is no table"),
        ("case,T1w,t1w\na,x,y\n", InputError, r"two columns named t1w"),
        ("case,T1w\ncases.html,x\n", UsageError, r"cases\.html cannot name a case"),
        ("case,T1w\nCON,x\n", UsageError, r"CON cannot name a case"),
        ("case,T1w\nend.,x\n", UsageError, r"'end\.' cannot name a case"),
        ("case,T1w\n" + "ü" * 90 + ",x\n", UsageError, r"cannot name a case"),
        ("case,T1w\n\n\na,x,y\n", InputError, r"line 4: more cells"),
    ],
)
def test_a_list_that_is_none_is_refused_in_one_sentence(case_list, text, error, words):
    with pytest.raises(error, match=words) as caught:
        read_case_list(case_list(text))
    assert "\n" not in str(caught.value)


def test_a_list_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"cannot read the case list .*nowhere\.csv: no such file"):
        read_case_list(tmp_path / "nowhere.csv")


# --- work ---------------------------------------------------------------------------------------------------------


def test_the_work_of_a_case_holds_every_file_and_every_setting(tmp_path):
    model = ModelRecord(name="m", version="1", weights_sha256="0" * 64)
    settings = BatchSettings(
        sources=(Contrast.T2W, Contrast.T1W), target=Contrast.FLAIR, model=model, registration="never",
        bias_correction=True, precision="bf16", attention=True, uncertainty=True, checks=True, report=True,
    )  # fmt: skip
    files = {contrast: (tmp_path / f"{contrast}.nii",) for contrast in Contrast}
    case = Case(
        case_id="x", files=files, brain_mask=tmp_path / "brain.nii", lesion_mask=tmp_path / "lesion.nii",
        low_resolution=tmp_path / "thick.nii",
    )  # fmt: skip
    options = {"model": "m", "device": "cuda:1", "threads": 3}
    work = BatchPlan(folder=tmp_path / "out", settings=settings, options=options, overwrite=True).of(case)
    made = tmp_path / "out" / "x"
    assert work == CaseWork(
        case_id="x",
        translation=TranslateParameters(
            sources={"T2w": str(tmp_path / "T2w.nii"), "T1w": str(tmp_path / "T1w.nii")},
            target="FLAIR", output=str(made / "x_desc-synthetic_FLAIR.nii.gz"), brain_mask=str(tmp_path / "brain.nii"),
            attention=str(made / "x_desc-attention_FLAIR.nii.gz"), lesion_mask=str(tmp_path / "lesion.nii"),
            uncertainty=str(made / "x_desc-uncertainty_FLAIR.nii.gz"), low_resolution=str(tmp_path / "thick.nii"),
            checks=True, report=str(made / "x_desc-report_FLAIR.html"), model="m", device="cuda:1", precision="bf16",
            threads=3, registration="never", bias_correction=True, overwrite=True,
        ),
        preview=str(made / "x_desc-preview_FLAIR.png"), reference=str(tmp_path / "FLAIR.nii"),
        lesion_mask=str(tmp_path / "lesion.nii"),
    )  # fmt: skip


# --- stamps -------------------------------------------------------------------------------------------------------


def test_a_file_of_the_same_size_with_other_content_is_another(tmp_path):
    path = tmp_path / "scan.nii"
    path.write_bytes(b"anna")
    former = stamp(path)
    path.write_bytes(b"bert")
    os.utime(path, ns=(0, former.modified_ns + 1))
    assert not former.still_holds(path)


def test_a_file_of_the_same_size_and_time_is_believed_unread(tmp_path):
    path = tmp_path / "scan.nii"
    path.write_bytes(b"anna")
    former = stamp(path)
    path.write_bytes(b"bert")
    os.utime(path, ns=(0, former.modified_ns))
    assert former.still_holds(path)


def test_a_folder_is_another_when_a_file_in_it_is_another_or_has_another_name(tmp_path):
    def series(name: str, *slices: tuple[str, bytes]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        for file, content in slices:
            (folder / file).write_bytes(content)
        return folder

    former = stamp(series("1", ("a.dcm", b"one"), ("b.dcm", b"two")))
    assert former.still_holds(series("copy", ("b.dcm", b"two"), ("a.dcm", b"one")))
    assert not former.still_holds(series("content", ("a.dcm", b"one"), ("b.dcm", b"owt")))
    assert not former.still_holds(series("names", ("b.dcm", b"one"), ("a.dcm", b"two")))
    assert not former.still_holds(series("fewer", ("a.dcm", b"onetwo")))


@pytest.mark.parametrize(("header", "voxels"), [("a.hdr", "a.img"), ("a.mhd", "a.raw"), ("a.nhdr", "a.raw.gz")])
def test_a_header_is_another_when_the_voxels_beside_it_are(tmp_path, header, voxels):
    (tmp_path / header).write_bytes(b"header")
    (tmp_path / voxels).write_bytes(b"anna")
    (tmp_path / "b.img").write_bytes(b"somebody else's")
    former = stamp(tmp_path / header)
    (tmp_path / "b.img").write_bytes(b"changed")
    assert former.still_holds(tmp_path / header)
    (tmp_path / voxels).write_bytes(b"bert")
    os.utime(tmp_path / voxels, ns=(0, former.modified_ns + 1))
    assert not former.still_holds(tmp_path / header)


def test_what_a_file_browser_leaves_in_a_folder_does_not_count(tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"one")
    former = stamp(tmp_path)
    (tmp_path / ".DS_Store").write_bytes(b"view")
    (tmp_path / "Thumbs.db").write_bytes(b"view")
    assert former.still_holds(tmp_path)
