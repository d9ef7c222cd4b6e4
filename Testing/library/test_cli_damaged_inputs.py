"""Damaged and absurd inputs through the whole command: one sentence, a fitting exit code, nothing left, no hang.

Run all of a thousand with ``python -m Testing.library.test_cli_damaged_inputs 1000``.
"""

import contextlib
import io
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from MRTranslateLib.cli.main import main
from MRTranslateLib.io import write_volume
from MRTranslateLib.phantoms import brain_grid, make_phantom
from Testing.damaged_inputs import KINDS, damaged_inputs, remove_damaged_inputs

LONGEST_SECONDS = 30


def complaint_about(
    path: Path, output: Path, model: Path, mask_of: Path | None = None
) -> tuple[int | str | None, str | None]:
    """Exit code of translating ``path`` (or of using it as a mask), and what was wrong with how it ended, else None."""
    source = path if mask_of is None else mask_of
    arguments = [
        "translate",
        "--source",
        f"T1w={source}",
        "--target",
        "FLAIR",
        "--output",
        str(output),
        "--model",
        str(model),
    ]
    arguments += ["--registration", "never"] + ([] if mask_of is None else ["--brain-mask", str(path)])
    said, started = io.StringIO(), time.perf_counter()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    except ValueError as error:  # a name with a null byte cannot even be an argument of a real process
        return None, None if "\0" in str(path) else f"ValueError {error}"
    lines = said.getvalue().strip().splitlines()
    if time.perf_counter() - started > LONGEST_SECONDS:
        return code, "took too long"
    if code == 0:
        left = sorted(file.name for file in output.parent.iterdir())
        for file in output.parent.iterdir():
            file.unlink()
        return 0, None if left == ["out.json", "out.nii.gz"] else f"left {left}"
    if code not in (2, 3, 4):
        return code, f"exit {code}: {said.getvalue()[-300:]}"
    errors = [line for line in lines if line.startswith("mrtranslate: ")]
    if len(errors) != 1 or "Traceback" in said.getvalue() or "defect" in errors[0]:
        return code, f"said {said.getvalue()[-300:]!r}"
    left = [file.name for file in output.parent.iterdir()]
    return code, f"left {left}" if left else None


def run_all(folder: Path, model: Path, count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Exit codes counted, and complaints."""
    (folder / "results").mkdir()
    output, codes, complaints = folder / "results" / "out.nii.gz", Counter(), []
    for damaged in damaged_inputs(folder / "inputs", seed=seed, count=count):
        code, complaint = complaint_about(damaged.path, output, model)
        codes[str(code)] += 1
        if complaint is not None:
            complaints.append(f"{damaged.kind}: {complaint}")
    remove_damaged_inputs(folder / "inputs")
    return codes, complaints


def test_every_kind_of_damage_ends_with_one_sentence(tmp_path, copy_generator, coarse_bundle):
    codes, complaints = run_all(tmp_path, coarse_bundle.folder, len(KINDS), seed=99)
    assert complaints == []
    assert sum(codes.values()) == len(KINDS)
    assert codes["3"] > 0.5 * len(KINDS)


def test_damaged_masks_end_with_one_sentence_too(tmp_path, copy_generator, coarse_bundle):
    scan = tmp_path / "t1.nii.gz"
    write_volume(scan, make_phantom(5, grid=brain_grid((3, 3, 3)), contrasts=["T1w"]).volumes["T1w"])
    (tmp_path / "results").mkdir()
    for damaged in damaged_inputs(tmp_path / "inputs", seed=7, count=25):
        _, complaint = complaint_about(damaged.path, tmp_path / "results" / "out.nii.gz", coarse_bundle.folder, scan)
        assert complaint is None, damaged.kind
    remove_damaged_inputs(tmp_path / "inputs")


def test_a_complaint_would_be_noticed(tmp_path, copy_bundle, monkeypatch):
    # The judge itself: a traceback's worth of defect must not pass.
    monkeypatch.setattr("MRTranslateLib.inference.read.load_image", lambda *_, **__: 1 / 0)
    (tmp_path / "results").mkdir()
    code, complaint = complaint_about(tmp_path / "x.nii", tmp_path / "results" / "out.nii.gz", copy_bundle.folder)
    assert code == 1
    assert "ZeroDivisionError" in complaint


if __name__ == "__main__":
    from MRTranslateLib.models.store import ModelStore

    with tempfile.TemporaryDirectory() as scratch:
        counted, found = run_all(Path(scratch), ModelStore().find(None).folder, int(sys.argv[1]), seed=2026)
    print(dict(counted), f"{len(found)} complaints", *found, sep="\n")
    sys.exit(bool(found))
