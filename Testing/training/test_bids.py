"""Reading participants.tsv: who has what, and nobody on two splits."""

import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from training.data.bids import read_scans

HEADER = "participant_id\tsession\tsplit\tpathology\tcontrasts\tone_grid\tspace\tmask\tskull_stripped\tsource_id\n"


def write_table(folder, *rows):
    (folder / "participants.tsv").write_text(HEADER + "".join("\t".join(row) + "\n" for row in rows))
    for row in rows:
        parts = [row[0]] if row[1] == "n/a" else [row[0], row[1]]
        anat = folder.joinpath(*parts, "anat")
        anat.mkdir(parents=True, exist_ok=True)
        for contrast in row[4].split("+"):
            suffix = "ce-gadolinium_T1w" if contrast == "T1wGd" else contrast
            (anat / f"{'_'.join(parts)}_{suffix}.nii.gz").touch()


def row(person, session="n/a", split="train", contrasts="T1w+T1wGd"):
    return (person, session, split, "glioma", contrasts, "true", "SRI24", "none", "yes", "x")


def test_files_are_found_by_their_bids_names(tmp_path):
    write_table(tmp_path, row("sub-1"), row("sub-2", "ses-1"))
    first, second = read_scans(tmp_path)
    assert first.files[Contrast.T1W_GD].name == "sub-1_ce-gadolinium_T1w.nii.gz"
    assert second.case_id == "sub-2_ses-1"


def test_a_person_on_two_splits_is_refused(tmp_path):
    write_table(tmp_path, row("sub-1", "ses-1", "train"), row("sub-1", "ses-2", "val"))
    with pytest.raises(InputError, match="sub-1 stands in two splits"):
        read_scans(tmp_path)


def test_a_missing_image_is_named(tmp_path):
    write_table(tmp_path, row("sub-1"))
    (tmp_path / "sub-1" / "anat" / "sub-1_T1w.nii.gz").unlink()
    with pytest.raises(InputError, match=r"sub-1_T1w\.nii\.gz"):
        read_scans(tmp_path)


def test_a_folder_without_the_table_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"participants\.tsv"):
        read_scans(tmp_path)


@pytest.mark.real_data
def test_the_open_data_keeps_people_apart(data_folder):
    scans = read_scans(data_folder)
    train, val = ({scan.participant for scan in scans if scan.split == split} for split in ("train", "val"))
    assert len(scans) == 22
    assert not train & val


def test_a_table_without_a_column_says_which(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tsession\nsub-1\tn/a\n")
    with pytest.raises(InputError, match="contrasts, one_grid"):
        read_scans(tmp_path)
