"""Makes a reading session from a batch: blinded images, an order for each reader, and the key."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from MRTranslateLib import provenance
from MRTranslateLib.batch.case import Case
from MRTranslateLib.batch.run import cases_of
from MRTranslateLib.batch.settings import BatchSettings
from MRTranslateLib.errors import InputError, UsageError
from MRTranslateLib.files import json_text, lies_in, same_place, shown, write_text_atomic
from MRTranslateLib.io import write_volume
from MRTranslateLib.new_folder import new_folder, refuse_unfit_folder, writing
from MRTranslateLib.progress import Progress
from MRTranslateLib.review.answers import now
from MRTranslateLib.review.candidates import Candidate, find_candidates, read_settings
from MRTranslateLib.review.images import case_images
from MRTranslateLib.review.key import KEY_FILE, Key, KeyItem, ShownFiles
from MRTranslateLib.review.order import (
    DEFAULT_REPEAT,
    Kind,
    Showing,
    check_repeat,
    draw_order,
    draw_showings,
    num_between,
)
from MRTranslateLib.review.questions import DEFAULT_QUESTIONS, Question, RealOrSynthetic, check_form
from MRTranslateLib.review.session import (
    IMAGES_FOLDER,
    SESSION_FILE,
    SOURCES_FOLDER,
    Session,
    check_readers,
    image_path,
    source_path,
)

NUM_REASONS = 3
"""Cases whose reason is told where too few can be shown."""


@dataclass(frozen=True, kw_only=True)
class SessionRequest:
    """How a session is drawn.

    Attributes:
        readers: Names, as case ids are spelt.
        questions: None for :data:`~MRTranslateLib.review.questions.DEFAULT_QUESTIONS`; without real images without the
            question what is real.
        repeat: Share of the items that is shown twice, 0..1.
        seed: Of repeats and orders; None draws one, which the key records. Names of items never follow from it.
        with_real: Whether the real targets are shown too.
    """

    readers: Sequence[str]
    questions: Sequence[Question] | None = None
    repeat: float = DEFAULT_REPEAT
    seed: int | None = None
    with_real: bool = True

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is shown of each case."""
        return ("real", "synthetic") if self.with_real else ("synthetic",)

    @property
    def form(self) -> tuple[Question, ...]:
        """The questions that are asked."""
        if self.questions is not None:
            return tuple(self.questions)
        return tuple(each for each in DEFAULT_QUESTIONS if self.with_real or not isinstance(each, RealOrSynthetic))


@dataclass(frozen=True)
class PlannedSession:
    """A session that is ready for its readers."""

    folder: Path
    session: Session
    key: Key


def plan_session(
    cases: Iterable[Case] | str | PathLike[str],
    results: str | PathLike[str],
    folder: str | PathLike[str],
    request: SessionRequest,
    *,
    progress: Progress | None = None,
) -> PlannedSession:
    """Plan a session over the cases of a batch that have a result and, unless only results are shown, a real target.

    Args:
        cases: As ``mrtranslate batch`` took them: cases, a folder that holds them, or a case list.
        results: The folder that it wrote.
        folder: Of the session: a new or an empty one, outside of these two. It appears complete or not at all.
        request: How the session is drawn.
        progress: Told of cases; can cancel.

    Raises:
        UsageError: If the request makes no sense, or the folder holds something.
        InputError: If the batch cannot be read, or no case of it can be shown.
        CancelledError: If the caller stopped; nothing is left.
        MRTranslateError: If the disk is full.
    """
    line, place, made = progress or Progress(), Path(folder), Path(results)
    _check(request)
    given = Path(cases) if isinstance(cases, (str, PathLike)) else None
    _refuse_place(place, [each for each in (made, given) if each is not None and not each.is_file()])
    settings = read_settings(made)
    found = tuple(cases) if not isinstance(cases, (str, PathLike)) else cases_of(cases, output=made)
    candidates, left_out = find_candidates(found, made, settings, with_real=request.with_real)
    with new_folder(place) as temporary:
        draft = _Draft(temporary, settings, request)
        for number, candidate in enumerate(candidates):
            line.step(candidate.case_id, number / len(candidates))
            try:
                draft.add(candidate)
            except InputError as error:
                left_out[candidate.case_id] = str(error)
        line.step("order", 1.0)
        session, key = draft.finish(left_out, made)
    return PlannedSession(place, session, key)


def _check(request: SessionRequest) -> None:
    """Refuse before the work what could not be drawn."""
    check_readers(request.readers)
    check_repeat(request.repeat)
    if request.seed is not None and request.seed < 0:
        raise UsageError(f"a seed is 0 or more, not {request.seed}")
    try:
        check_form(request.form)
    except ValueError as error:
        raise UsageError(f"these questions cannot be asked: {error}") from None


def _refuse_place(folder: Path, kept: Sequence[Path]) -> None:
    """Refuse a folder that cannot be made, or that would lie in one that nothing is written to."""
    for other in kept:
        if same_place(folder, other) or lies_in(folder, other):
            raise UsageError(f"{shown(folder)} lies in {shown(other)}: choose a folder outside of scans and results")
    refuse_unfit_folder(folder)


class _Draft:
    """A session that is being filled."""

    def __init__(self, folder: Path, settings: BatchSettings, request: SessionRequest) -> None:
        self._folder, self._settings, self._request = folder, settings, request
        self._seed = secrets.randbits(32) if request.seed is None else request.seed
        self._rng = np.random.default_rng(self._seed)
        self._items: dict[Showing, str] = {}
        self._files: dict[str, ShownFiles] = {}
        self._warnings: list[str] = []
        with writing(folder):
            (folder / IMAGES_FOLDER).mkdir()
            (folder / SOURCES_FOLDER).mkdir()

    def add(self, candidate: Candidate) -> None:
        """Write the items of a case, in random order, since file systems remember which file was made first."""
        images = case_images(candidate, self._settings, self._rng)
        kinds = list(images.targets)
        for at in self._rng.permutation(len(kinds)):
            item = self._new_name()
            write_volume(image_path(self._folder, item), images.targets[kinds[at]])
            write_volume(source_path(self._folder, item), images.source)
            self._items[candidate.case_id, kinds[at]] = item
        self._files[candidate.case_id] = images.files
        self._warnings += images.warnings

    def finish(self, left_out: Mapping[str, str], results: Path) -> tuple[Session, Key]:
        """Draw repeats and orders, and write session and key."""
        why = "; ".join(f"{case_id}: {text}" for case_id, text in list(left_out.items())[:NUM_REASONS])
        if not self._files:
            raise InputError(f"no case of {shown(results)} can be shown ({why or 'it holds none'})")
        request, between = self._request, num_between(len(self._items))
        showings = draw_showings(list(self._files), request.kinds, repeat=request.repeat, rng=self._rng)
        names = self._names(showings)
        orders = {}
        for number, reader in enumerate(request.readers):
            rng = np.random.default_rng([self._seed, number])
            try:
                order = draw_order(showings, num_between=between, rng=rng)
            except UsageError as error:
                raise UsageError(f"{error}{f' (left out: {why})' if why else ''}") from None
            orders[reader] = tuple(names[index] for index in order)
        self._level_times()
        program, created = provenance.program_version(), now()
        session = Session(
            program=program,
            created=created,
            target=self._settings.target,
            source=self._settings.sources[0],
            questions=request.form,
            orders=orders,
        )
        key = Key(
            program=program,
            created=created,
            seed=self._seed,
            repeat=request.repeat,
            num_between=between,
            batch=self._settings,
            items={
                name: KeyItem(case_id=case_id, kind=kind)
                for name, (case_id, kind) in sorted(zip(names, showings, strict=True))
            },
            files=self._files,
            left_out=dict(left_out),
            warnings=tuple(self._warnings),
        )
        write_text_atomic(self._folder / SESSION_FILE, json_text(session))
        write_text_atomic(self._folder / KEY_FILE, json_text(key))
        return session, key

    def _names(self, showings: Sequence[Showing]) -> list[str]:
        """The item of each showing: the first of its kind as it was written, a repeat as a copy of another name."""
        names: list[str] = []
        for showing in showings:
            name = self._items[showing]
            if name in names:
                repeat = self._new_name()
                with writing(self._folder):
                    for path in (image_path, source_path):
                        shutil.copyfile(path(self._folder, name), path(self._folder, repeat))
                name = repeat
            names.append(name)
        return names

    def _new_name(self) -> str:
        """Not drawn from the seed: whoever knows that must not know the items."""
        while image_path(self._folder, name := secrets.token_hex(4)).exists():
            pass
        return name

    def _level_times(self) -> None:
        """One time for all files, set in the order of their names."""
        now = int(time.time())
        for folder in (IMAGES_FOLDER, SOURCES_FOLDER):
            for path in sorted((self._folder / folder).iterdir()):
                os.utime(path, (now, now))
