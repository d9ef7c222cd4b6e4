"""Batches and sessions for tests of reading sessions, made by hand and fast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from MRTranslateLib import batch_run, write_volume
from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.contrast import Contrast
from MRTranslateLib.files import json_text
from MRTranslateLib.provenance import FileRecord, ModelRecord
from MRTranslateLib.review.answers import Answer, answer_path
from MRTranslateLib.review.key import KEY_FILE, Key, KeyItem, ShownFiles
from MRTranslateLib.review.order import draw_order, draw_showings, num_between
from MRTranslateLib.review.plan import PlannedSession, SessionRequest, plan_session
from MRTranslateLib.review.questions import DEFAULT_QUESTIONS
from MRTranslateLib.review.session import SESSION_FILE, Session, image_path, source_path
from MRTranslateLib.volume import Volume
from Testing.library.conftest import CopyGenerator

SHAPE, SIZE_MM = (30, 36, 28), 6.0
RADII_MM = (70.0, 88.0, 65.0)
CASES = ("zebra", "yak", "xerus", "walrus", "vole", "urial")
"""Names that nothing else contains."""


def brain(scale: float = 1.0) -> np.ndarray:
    """An ellipsoid of 1700 ml in the middle of the grid."""
    middle = (np.array(SHAPE) - 1) / 2
    radii = np.array(RADII_MM) * scale / SIZE_MM
    return sum(((axis - m) / r) ** 2 for axis, m, r in zip(np.indices(SHAPE), middle, radii, strict=True)) <= 1


def scan(seed: int, *, level: float, noise: float = 0.0, inside: np.ndarray | None = None) -> Volume:
    """A stripped brain with soft structure in whole numbers; ``level`` is the mean of its brain."""
    rng = np.random.default_rng(seed)
    soft = ndimage.gaussian_filter(rng.normal(size=SHAPE), 2.0)
    values = level * (1 + 0.3 * soft / soft.std()) + noise * rng.normal(size=SHAPE)
    array = np.where(brain() if inside is None else inside, np.clip(values, 1, None), 0)
    affine = np.diag([SIZE_MM, SIZE_MM, SIZE_MM, 1.0])
    affine[:3, 3] = -SIZE_MM * (np.array(SHAPE) - 1) / 2
    return Volume(np.rint(array).astype(np.int16), affine)


def write_scans(folder: Path, cases=CASES) -> Path:
    """T1w, T2w and FLAIR of each case; a FLAIR has noise, few levels and units of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, case_id in enumerate(cases):
        write_volume(folder / f"{case_id}_T1w.nii.gz", scan(number, level=900))
        write_volume(folder / f"{case_id}_T2w.nii.gz", scan(100 + number, level=700))
        write_volume(folder / f"{case_id}_FLAIR.nii.gz", scan(200 + number, level=90, noise=9))
    return folder


def run_batch(scans: Path, results: Path, bundle, **options) -> Path:
    """Translate in this process with the generator that copies the mean of its sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("MRTranslateLib.inference.load.load_generator", lambda _bundle: CopyGenerator())
        options = {"sources": ["T1w", "T2w"], "target": "FLAIR", "model": bundle.folder, "workers": 0} | options
        batch_run(scans, results, **options)
    return results


def plan(scans: Path, results: Path, folder: Path, **options) -> PlannedSession:
    return plan_session(scans, results, folder, SessionRequest(**({"readers": ("anna", "bert"), "seed": 3} | options)))


def write_session(
    folder: Path,
    *,
    num_cases: int = 4,
    readers=("anna", "bert"),
    repeat: float = 0.25,
    kinds=("real", "synthetic"),
    questions=DEFAULT_QUESTIONS,
    seed: int = 1,
) -> tuple[Session, Key]:
    """A session without scans: its volumes are empty files."""
    case_ids = [f"case{number:02d}" for number in range(num_cases)]
    rng = np.random.default_rng(seed)
    showings = draw_showings(case_ids, kinds, repeat=repeat, rng=rng)
    names = [f"{number:08x}" for number in rng.choice(2**32, len(showings), replace=False)]
    between = num_between(num_cases * len(kinds))
    orders = {
        reader: tuple(names[index] for index in draw_order(showings, num_between=between, rng=rng))
        for reader in readers
    }
    made = {"program": "MRTranslate 0", "created": "2026-01-01T00:00:00+00:00"}
    session = Session(**made, target=Contrast.FLAIR, source=Contrast.T1W, questions=questions, orders=orders)
    file = FileRecord(path=None, sha256="0" * 64)
    key = Key(
        **made,
        seed=seed,
        repeat=repeat,
        num_between=between,
        batch=settings(),
        items={name: KeyItem(case_id=case, kind=kind) for name, (case, kind) in zip(names, showings, strict=True)},
        files={case_id: ShownFiles(source=file, synthetic=file, real=file) for case_id in case_ids},
        left_out={},
        warnings=(),
    )
    for name in names:
        for path in (image_path(folder, name), source_path(folder, name)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    (folder / SESSION_FILE).write_text(json_text(session))
    (folder / KEY_FILE).write_text(json_text(key))
    return session, key


def settings() -> BatchSettings:
    return BatchSettings(
        sources=(Contrast.T1W, Contrast.T2W),
        target=Contrast.FLAIR,
        model=ModelRecord(name="coarse", version="1.0.0", weights_sha256="0" * 64),
        registration="auto",
        bias_correction=False,
        precision="fp32",
        attention=False,
        uncertainty=False,
        checks=False,
        report=False,
    )


def write_answers(
    folder: Path,
    session: Session,
    key: Key,
    reader: str,
    rate: Callable[[str, str, str, bool], int],
    *,
    most: int | None = None,
    comment: str = "",
    seconds: float = 7.0,
):
    """Answer as a reader; ``rate(question, case_id, kind, is_repeat)`` gives the ratings."""
    seen = set()
    for item in session.orders[reader][:most]:
        what = key.items[item]
        is_repeat = (what.case_id, what.kind) in seen
        seen.add((what.case_id, what.kind))
        values = {
            each.name: rate(each.name, what.case_id, what.kind, is_repeat) if each.num_points else comment
            for each in session.questions
        }
        path = answer_path(folder, reader, item)
        path.parent.mkdir(parents=True, exist_ok=True)
        given = Answer(reader=reader, item=item, values=values, seconds=seconds, answered="2026-01-02T00:00:00+00:00")
        path.write_text(json_text(given))
