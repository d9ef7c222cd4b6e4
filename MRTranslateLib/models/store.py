"""Where models lie: those shipped with the program, and the user's own, which can be installed and removed.

Nothing is downloaded unasked. A change of the user's folder is a rename of something complete, made under a lock; a
process killed at any moment leaves at most hidden leftovers, which whoever holds the lock next may clear away.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from MRTranslateLib.errors import ModelError, MRTranslateError, UsageError
from MRTranslateLib.files import reason, shown
from MRTranslateLib.models.archive import unpack_bundle
from MRTranslateLib.models.bundle import HIDDEN_PREFIX, Bundle, move_into_place, open_bundle, read_card
from MRTranslateLib.models.card import NAME_PATTERN, SHA256_PATTERN, ModelCard
from MRTranslateLib.models.download import fetch, is_url
from MRTranslateLib.models.locking import folder_lock

USER_FOLDER_VARIABLE = "MRTRANSLATE_MODELS"
SHIPPED_FOLDER = Path(__file__).resolve().parents[2] / "Resources" / "Models"
"""Beside the package, both in a source checkout and in the installed extension."""
PATIENCE_SECONDS = 5.0
_LEFTOVER = re.compile(re.escape(HIDDEN_PREFIX) + r"(unpacking|download|removed|replaced)-(?P<name>.+)")


def user_models_folder() -> Path | None:
    """The user's folder of models: ``$MRTRANSLATE_MODELS``, else where this system keeps the data of programs.

    None for a user without a home, as in a container that runs under a foreign id.
    """
    if chosen := os.environ.get(USER_FOLDER_VARIABLE):
        return Path(chosen)
    try:
        return _data_folder() / "mrtranslate" / "models"
    except RuntimeError:  # what Path.home raises
        return None


def _data_folder() -> Path:
    """Where this system keeps the data of a user's programs."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support"
    chosen = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The XDG specification: a relative path is to be ignored.
    return chosen if chosen.is_absolute() else Path.home() / ".local" / "share"


@dataclass(frozen=True)
class StoredModel:
    """One entry of a store.

    Attributes:
        name: Name of its folder, by which it is found.
        folder: Where it lies.
        shipped: Whether it came with the program.
        card: Its card; None when that cannot be read or bears another name.
        problem: Why not, as one sentence; None when it can. Files are not hashed for a list: ``verify`` does that.
    """

    name: str
    folder: Path
    shipped: bool
    card: ModelCard | None
    problem: str | None


class ModelStore:
    """The shipped models and the user's.

    Where both have a model of one name the shipped one counts; :meth:`install` refuses to make such a pair.
    """

    def __init__(self, *, shipped_folder: Path = SHIPPED_FOLDER, user_folder: Path | None = None) -> None:
        """Look in these folders, which need not exist; without ``user_folder`` in :func:`user_models_folder`."""
        self.shipped_folder = shipped_folder
        self.user_folder = user_models_folder() if user_folder is None else user_folder

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where it looks, the shipped models first."""
        return (self.shipped_folder,) if self.user_folder is None else (self.shipped_folder, self.user_folder)

    def list(self) -> tuple[StoredModel, ...]:
        """All models, the shipped ones first, each group by name."""
        self._tidy_if_free()
        found: dict[str, StoredModel] = {}
        for folder in self.folders:
            for path in _visible_folders(folder):
                found.setdefault(path.name, _stored(path, folder == self.shipped_folder))
        return tuple(found.values())

    def default_name(self) -> str | None:
        """Name of the newest shipped model whose card can be read; None when none is shipped."""
        cards = [model.card for model in self.list() if model.shipped and model.card is not None]
        return max(cards, key=lambda card: (card.version_numbers, card.name)).name if cards else None

    def find(self, name_or_folder: str | os.PathLike[str] | None = None) -> Bundle:
        """Open and verify a model.

        Args:
            name_or_folder: Name in the store, else path of a bundle's folder; None for the default, the newest model
                that came with the program.

        Raises:
            ModelError: If there is no such model or it is damaged.
        """
        if name_or_folder is None:
            name_or_folder = self.default_name()
            if name_or_folder is None:
                raise ModelError(self._why_no_default())
        text = os.fspath(name_or_folder)
        names = [model.name for model in self.list()]
        if text in names:
            return self.verify(text)
        if os.path.isdir(text):
            return open_bundle(text)
        raise ModelError(
            f"there is no model {shown(text)}: it is neither the folder of a model nor one of "
            f"{', '.join(names) or 'the models installed (there are none)'}"
        )

    def get(self, name: str) -> StoredModel:
        """One entry of :meth:`list`.

        Raises:
            ModelError: If there is no model of that name.
        """
        for model in self.list():
            if model.name == name:
                return model
        raise ModelError(f"there is no model {shown(name)} in the store: see mrtranslate models list")

    def verify(self, name: str) -> Bundle:
        """Check every byte of a stored model.

        Raises:
            ModelError: If there is no model of that name or it is damaged.
        """
        model = self.get(name)
        if model.problem is not None:
            raise ModelError(model.problem)
        return open_bundle(model.folder)

    def install(self, source: str | Path, *, sha256: str | None = None, replace: bool = False) -> Bundle:
        """Add a zipped bundle to the user's folder; it appears there verified and complete, or not at all.

        Args:
            source: Path or URL (https, http, file) of a zip file that holds one bundle.
            sha256: The zip file's SHA-256, 64 hexadecimal digits; required for https and http.
            replace: Take the place of an installed model of that name; else that is kept and this refused.

        Raises:
            UsageError: If the checksum is missing or malformed, or a model of that name exists.
            ModelError: If the file is not what the checksum says, no zip, unsafe to unpack or no sound bundle.
            MRTranslateError: If it cannot be fetched or the user's folder cannot be written or is nowhere.
        """
        if sha256 is not None and not re.match(SHA256_PATTERN, sha256 := sha256.strip().lower()):
            raise UsageError(f"checksum {shown(sha256)} is no SHA-256: give its 64 hexadecimal digits")
        if sha256 is None and is_url(source) and not str(source).lower().startswith("file:"):
            raise UsageError(f"{shown(source)} comes over the network: give the SHA-256 its publisher names (--sha256)")
        with self._changing() as folder:
            unpacked = folder / f"{HIDDEN_PREFIX}unpacking-{secrets.token_hex(8)}"
            unpacked.mkdir()
            self._unpack(source, sha256, unpacked)
            try:
                name = open_bundle(unpacked).card.name
            except ModelError as error:  # it names a folder that is gone when this is read
                raise ModelError(str(error).replace(str(unpacked), shown(source))) from None
            final = folder / name
            if (self.shipped_folder / name).exists():
                raise UsageError(f"model {name} is shipped with the program: only a model of another name can be added")
            if final.exists() and not replace:
                raise UsageError(f"model {name} is installed and kept: remove it first or replace it (--replace)")
            move_into_place(unpacked, final)
        return Bundle(final, read_card(final))

    def remove(self, name: str) -> None:
        """Remove a model, sound or damaged, from the user's folder.

        Raises:
            UsageError: If the model is shipped with the program.
            ModelError: If the user's folder has no model of that name.
            MRTranslateError: If the folder cannot be changed.
        """
        # The pattern keeps separators out: a name never leads outside the store.
        own = self.user_folder
        if own is None or not re.match(NAME_PATTERN, name) or not (own / name).is_dir():
            if any(model.name == name for model in self.list()):
                raise UsageError(f"model {name} is shipped with the program and cannot be removed")
            raise ModelError(f"there is no installed model {shown(name)}: see mrtranslate models list")
        with self._changing():
            (own / name).rename(own / f"{HIDDEN_PREFIX}removed-{name}")

    def _unpack(self, source: str | Path, sha256: str | None, folder: Path) -> None:
        """Fetch the zip file if it lies elsewhere, check it and unpack it, all through one open file."""
        where = shown(source)
        path = Path(source)
        if is_url(source):
            path = folder.parent / f"{HIDDEN_PREFIX}download-{secrets.token_hex(8)}"
            fetch(str(source), path)
        try:
            archive = path.open("rb")
        except (OSError, ValueError) as error:
            raise ModelError(f"cannot read {where}: {reason(error)}; give a zip file that holds a bundle") from error
        with archive:
            actual = hashlib.file_digest(archive, "sha256").hexdigest()
            if sha256 not in (None, actual):
                raise ModelError(f"{where} is not the expected file: its SHA-256 is {actual}, expected {sha256}")
            unpack_bundle(archive, folder, where=where)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Path]:
        """Hold the user's folder alone; hidden leftovers, others' and ours, are cleared before and after."""
        folder = self.user_folder
        if folder is None:
            raise MRTranslateError(
                f"there is no folder of your own for models, as this user has no home: set {USER_FOLDER_VARIABLE} to "
                "one"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with folder_lock(folder, patience_seconds=PATIENCE_SECONDS):
                _tidy(folder)
                try:
                    yield folder
                finally:
                    _tidy(folder)
        except OSError as error:
            raise MRTranslateError(f"cannot change {shown(folder)}: {reason(error)}") from error

    def _tidy_if_free(self) -> None:
        """Clear away what a killed process left, unless a living one is at work or the folder is read-only."""
        if self.user_folder is None:
            return
        with contextlib.suppress(OSError, MRTranslateError):
            if any(_LEFTOVER.fullmatch(name) for name in os.listdir(self.user_folder)):
                with folder_lock(self.user_folder, patience_seconds=0.0):
                    _tidy(self.user_folder)

    def _why_no_default(self) -> str:
        """Why no shipped model can be used, with the remedy."""
        for model in self.list():
            if model.shipped and model.problem is not None:
                return model.problem
        return (
            f"no model came with this copy of MRTranslate (looked in {shown(self.shipped_folder)}): "
            "name one with --model, or install one with mrtranslate models install"
        )


def _tidy(folder: Path) -> None:
    """Delete leftovers and put back a model that was set aside and never replaced; only under the lock."""
    for path in list(folder.iterdir()):
        match = _LEFTOVER.fullmatch(path.name)
        if match is None:
            continue
        if match[1] == "replaced" and not (folder / match["name"]).exists():
            path.rename(folder / match["name"])
        elif path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _visible_folders(folder: Path) -> list[Path]:
    """Folders in ``folder`` by name, hidden ones and other files left out; none when it cannot be read."""
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError:
        return []


def _stored(folder: Path, shipped: bool) -> StoredModel:
    try:
        card = read_card(folder)
    except ModelError as error:
        return StoredModel(folder.name, folder, shipped, None, str(error))
    if card.name != folder.name:
        problem = f"the card in {shown(folder)} is of model {card.name}: rename the folder or install again"
        return StoredModel(folder.name, folder, shipped, None, problem)
    return StoredModel(folder.name, folder, shipped, card, None)
