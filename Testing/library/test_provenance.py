from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from MRTranslateLib.contrast import Contrast
from MRTranslateLib.errors import InputError
from MRTranslateLib.provenance import (
    NOTICE,
    SCHEMA_VERSION,
    BrainMaskRecord,
    FileRecord,
    ModelRecord,
    OutputRecord,
    Parameters,
    Provenance,
    RegistrationRecord,
    SourceRecord,
    content_sha256,
    encode,
    read_sidecar,
    sidecar_path,
)

TURNED = ((1.0, 0.0, 0.0, 2.5), (0.0, 0.0, -1.0, 0.1), (0.0, 1.0, 0.0, -3.0), (0.0, 0.0, 0.0, 1.0))


@pytest.fixture
def record() -> Provenance:
    """Every field filled, in memory and from files, with numbers that binary fractions cannot hold."""
    registration = RegistrationRecord(
        transform=TURNED,
        rotation_deg=90.1,
        translation_mm=3.9,
        metric_before=0.1,
        metric_after=0.7,
        overlap=0.93,
        verdict="moved",
    )
    return Provenance(
        schema_version=SCHEMA_VERSION,
        notice=NOTICE,
        program="MRTranslate 0.0.0",
        created="2026-11-21T12:00:00+00:00",
        target=Contrast.FLAIR,
        model=ModelRecord(name="tiny", version="1.0.0", weights_sha256="a" * 64),
        sources=(
            SourceRecord(
                contrast=Contrast.T1W,
                file=FileRecord(path="/data/J\u00fcrgen/t1.nii.gz", sha256="b" * 64),
                percentile_value=1234.1,
                registration=None,
            ),
            SourceRecord(
                contrast=Contrast.T1W_GD,
                file=FileRecord(path=None, sha256="c" * 64),
                percentile_value=0.1,
                registration=registration,
            ),
        ),
        brain_mask=BrainMaskRecord(origin="extracted", file=None, volume_ml=1450.3),
        parameters=Parameters(registration="auto", bias_correction=True, device="auto", precision="bf16", threads=3),
        device="cpu (a processor)",
        libraries={"numpy": "2.4.6"},
        platform="Linux x86_64",
        seed=0,
        seconds={"read": 0.123},
        warnings=("T1w is odd",),
        fallbacks=(),
        output=OutputRecord(
            path="/data/out.nii.gz", sha256="d" * 64, shape=(4, 5, 6), spacing_mm=(0.9, 0.9, 3.3), unit="1000 is"
        ),
    )


@pytest.mark.parametrize(
    ("output", "sidecar"),
    [
        ("a/out.nii.gz", "a/out.json"),
        ("a/OUT.NII.GZ", "a/OUT.json"),
        ("out.nii", "out.json"),
        ("out.mha", "out.json"),
        ("sub-1.ses-2_T1w.nrrd", "sub-1.ses-2_T1w.json"),
        ("v1.2.nii.gz", "v1.2.json"),
    ],
)
def test_the_sidecar_lies_beside_the_output_under_its_name(output, sidecar):
    assert sidecar_path(Path(output)) == Path(sidecar)


def test_what_was_written_is_read_back_equal(record, tmp_path):
    (tmp_path / "out.json").write_text(encode(record), encoding="utf-8")
    assert read_sidecar(tmp_path / "out.json") == record


def test_the_text_is_json_with_contrasts_by_name_and_ends_with_a_line(record):
    content = json.loads(encode(record))
    assert [source["contrast"] for source in content["sources"]] == ["T1w", "T1wGd"]
    assert encode(record).endswith("}\n")


def _edited(record: Provenance, folder: Path, edit) -> Path:
    content = json.loads(encode(record))
    edit(content)
    (folder / "out.json").write_text(json.dumps(content))
    return folder / "out.json"


@pytest.mark.parametrize(
    "edit",
    [
        lambda content: content.update(extra=1),
        lambda content: content["model"].update(extra=1),
        lambda content: content["sources"][1]["registration"].update(extra=1),
        lambda content: content.pop("seed"),
        lambda content: content.update(target="T3w"),
        lambda content: content["parameters"].update(precision="fp16"),
        lambda content: content["output"].update(shape=[4, 5]),
        lambda content: content.update(schema_version=SCHEMA_VERSION + 1),
    ],
    ids=["unknown key", "in model", "in registration", "missing key", "contrast", "precision", "shape", "version"],
)
def test_a_sidecar_that_is_not_ours_is_refused_by_name(record, tmp_path, edit):
    with pytest.raises(InputError, match=r"out\.json is no sidecar of this version"):
        read_sidecar(_edited(record, tmp_path, edit))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff\xfe\x00", b"null"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path, content):
    (tmp_path / "out.json").write_bytes(content)
    with pytest.raises(InputError, match=r"out\.json is no sidecar"):
        read_sidecar(tmp_path / "out.json")


def test_a_missing_sidecar_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*gone\.json"):
        read_sidecar(tmp_path / "gone.json")


ARRAY = np.arange(60, dtype=np.int16).reshape(3, 4, 5)
AFFINE = np.diag([0.9, 0.9, 3.0, 1.0])


@pytest.mark.parametrize(
    "same",
    [ARRAY.astype(">i2"), np.asfortranarray(ARRAY), ARRAY[::-1][::-1]],
    ids=["other byte order", "other memory order", "strided view"],
)
def test_equal_images_have_equal_hashes(same):
    assert content_sha256(same, AFFINE) == content_sha256(ARRAY, AFFINE)


def test_rounding_and_the_sign_of_zero_in_an_affine_do_not_change_the_hash():
    # NIfTI stores float32, LPS formats negate: the same grid comes back with 0 as -0 or -1e-9.
    affine = AFFINE.astype(np.float32).astype(np.float64)
    affine[0, 1], affine[1, 0] = -0.0, -1e-9
    assert content_sha256(ARRAY, affine) == content_sha256(ARRAY, AFFINE)


def test_one_changed_voxel_changes_the_hash():
    changed = ARRAY.copy()
    changed[2, 3, 4] += 1
    assert content_sha256(changed, AFFINE) != content_sha256(ARRAY, AFFINE)


@pytest.mark.parametrize("entry", [(0, 3), (2, 2), (0, 1)])
def test_a_changed_affine_changes_the_hash(entry):
    affine = AFFINE.copy()
    affine[entry] += 0.001
    assert content_sha256(ARRAY, affine) != content_sha256(ARRAY, AFFINE)


@pytest.mark.parametrize("other", [ARRAY.reshape(3, 5, 4), ARRAY.view(np.uint16)], ids=["shape", "type"])
def test_the_same_bytes_of_another_shape_or_type_have_another_hash(other):
    assert content_sha256(other, AFFINE) != content_sha256(ARRAY, AFFINE)
