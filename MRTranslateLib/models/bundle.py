"""A model bundle: a folder with ``model.json`` and weights as safetensors, every byte of it hashed in the card.

The generator's weights are ``weights.safetensors``; each component that the card names has a file of its own.

No pickle is ever loaded: only the formats named in ``ALLOWED_FORMATS`` may lie in a bundle, and weights are parsed by
safetensors, which holds numbers and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError

from MRTranslateLib.errors import ModelError, MRTranslateError
from MRTranslateLib.files import atomic_file, reason, sha256_of, shown
from MRTranslateLib.models.card import FileRecord, ModelCard, decode_card, encode_card
from MRTranslateLib.models.components import MAX_COMPONENT_BYTES

CARD_NAME = "model.json"
WEIGHTS_NAME = "weights.safetensors"
ALLOWED_FORMATS = (".safetensors", ".onnx")
MAX_CARD_BYTES = 1 << 20
HIDDEN_PREFIX = ".mrtranslate-model-"
"""Start of the names of folders and files that are not, or no longer, a complete bundle."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files were all there, complete and unaltered when :func:`open_bundle` looked.

    Attributes:
        folder: Where it lies.
        card: Its card.
    """

    folder: Path
    card: ModelCard

    @property
    def weights_path(self) -> Path:
        """The weights as safetensors."""
        return self.folder / WEIGHTS_NAME

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the generator's weights, for provenance."""
        return self.card.files[WEIGHTS_NAME].sha256

    def component_sha256(self, name: str) -> str:
        """SHA-256 of the weights of a component that the card names."""
        return self.card.files[component_file(name)].sha256


def component_file(name: str) -> str:
    """The file that holds a component's weights."""
    return f"{name}.safetensors"


def read_card(folder: Path) -> ModelCard:
    """The card of a bundle, its other files unseen.

    Raises:
        ModelError: If the folder or its ``model.json`` is missing, unreadable or no valid card.
    """
    if not os.path.isdir(folder):  # unlike Path.is_dir, says False of names that the system finds impossible
        what = "is a file, not a folder" if os.path.exists(folder) else "does not exist"
        raise ModelError(f"model bundle {shown(folder)} {what}: give a folder with a {CARD_NAME}")
    path = folder / CARD_NAME
    if not os.path.isfile(path):
        raise ModelError(f"{shown(folder)} holds no {CARD_NAME}, so it is no model bundle: install the model again")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CARD_BYTES + 1)
    except OSError as error:
        raise ModelError(f"cannot read {shown(path)}: {reason(error)}") from error
    if len(data) > MAX_CARD_BYTES:
        raise ModelError(f"{shown(path)} is longer than {MAX_CARD_BYTES} bytes, so it is no model card")
    return decode_card(data, where=shown(path))


def open_bundle(folder: Path | str) -> Bundle:
    """Read a bundle's card and check every file against it.

    Raises:
        ModelError: If the card cannot be read, or a file is missing, truncated, altered, surplus or of a format that
            is not allowed; one sentence with the file and the reason.
    """
    folder = Path(folder)
    card = read_card(folder)
    _check_files(card, folder)
    try:
        present = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    except OSError as error:
        raise ModelError(f"cannot read {shown(folder)}: {reason(error)}") from error
    for name in sorted({*card.files, *present} - {CARD_NAME}):
        if not name.lower().endswith(ALLOWED_FORMATS):
            raise ModelError(
                f"{shown(folder / name)} has a foreign format: a bundle holds only {CARD_NAME} and "
                f"{' or '.join(ALLOWED_FORMATS)} files, and no pickle is ever loaded"
            )
        if name not in card.files:
            raise ModelError(f"{shown(folder / name)} is not listed in {CARD_NAME}: remove it or install again")
    for name, record in card.files.items():
        _verify_file(folder / name, record)
    return Bundle(folder, card)


def load_tensors(bundle: Bundle, component: str | None = None) -> dict[str, NDArray[np.float32]]:
    """Weights by name, float32 (stored as float16).

    The bytes are hashed again as they are read, so what is used is what the card says, whatever happened to the
    folder since :func:`open_bundle`.

    Args:
        bundle: Whose.
        component: One that the card names; None for the generator.

    Raises:
        ModelError: If the file is gone, altered, or holds something else than finite float16 or float32.
    """
    file = WEIGHTS_NAME if component is None else component_file(component)
    path = bundle.folder / file
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {shown(path)}: {reason(error)}") from error
    if hashlib.sha256(data).hexdigest() != bundle.card.files[file].sha256:
        raise ModelError(f"{shown(path)} was altered while in use: install the model again")
    try:
        tensors: dict[str, NDArray[Any]] = safetensors.numpy.load(data)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        # The format is sound, open_bundle saw to that: left are number types that numpy does not know.
        raise ModelError(f"{shown(path)} holds tensors that cannot be read ({error}): install it again") from error
    for name, tensor in tensors.items():
        if tensor.dtype not in (np.float16, np.float32) or not np.isfinite(tensor).all():
            raise ModelError(f"{shown(path)} holds {name!r} of {tensor.dtype}, where finite float16 is expected")
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def rewrite_card(bundle: Bundle, **changes: Any) -> None:
    """Give a bundle's card other values of some fields; its weights stay as they are.

    Raises:
        MRTranslateError: If the card cannot be written.
    """
    with atomic_file(bundle.folder / CARD_NAME, overwrite=True) as path:
        path.write_bytes(encode_card(msgspec.structs.replace(bundle.card, **changes)))


def write_bundle(
    folder: Path | str,
    card: ModelCard,
    tensors: Mapping[str, ArrayLike],
    *,
    components: Mapping[str, Mapping[str, ArrayLike]] | None = None,
    replace: bool = False,
) -> Bundle:
    """Write a bundle that appears complete or not at all.

    Args:
        folder: Where it shall lie; its last part is the model's name, as the store looks it up. Parents are made.
        card: With ``files`` empty: they are filled in here.
        tensors: Weights by name; arrays, or what ``np.asarray`` turns into one (CPU tensors of a ``state_dict``).
            Stored as float16, so score the bundle and not the checkpoint it came from.
        components: The same for each component that the card names.
        replace: Take the place of a bundle that lies there; else it is kept and refused.

    Returns:
        The bundle, opened and verified.

    Raises:
        ValueError: If the folder is not named as the card, ``card.files`` is not empty, the components are not those
            of the card or larger than ``MAX_COMPONENT_BYTES``, or a tensor is not finite, real and within the range of
            float16.
        MRTranslateError: If the folder exists without ``replace``, or cannot be written.
    """
    folder = Path(folder)
    if folder.name != card.name or card.files:
        raise ValueError(f"write card {card.name!r} with empty files into a folder of that name, not {folder.name!r}")
    files = _encoded(card, tensors, components or {})
    card = msgspec.structs.replace(card, files={name: _record(data) for name, data in files.items()})
    if folder.exists() and not replace:
        raise MRTranslateError(f"{shown(folder)} exists and is kept: choose another name or replace it explicitly")
    temporary = folder.parent / f"{HIDDEN_PREFIX}unpacking-{secrets.token_hex(8)}"
    try:
        temporary.mkdir(parents=True)
        for name, data in files.items():
            write_synced(temporary / name, data)
        write_synced(temporary / CARD_NAME, encode_card(card))
        open_bundle(temporary)
        move_into_place(temporary, folder)
    except OSError as error:
        raise MRTranslateError(f"cannot write {shown(folder)}: {reason(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Bundle(folder, card)


def write_synced(path: Path, data: bytes) -> None:
    """Write a new file and wait until it is on the disk."""
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def move_into_place(complete: Path, folder: Path) -> None:
    """Rename a complete folder to its final name; a folder that has it is set aside first and removed last.

    Killed between the two renames, the old one is left under a hidden name beside, which
    :class:`~MRTranslateLib.models.store.ModelStore` puts back.
    """
    aside = folder.parent / f"{HIDDEN_PREFIX}replaced-{folder.name}"
    if folder.exists():
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
    complete.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


def _check_files(card: ModelCard, folder: Path) -> None:
    """Raise ModelError unless the card lists the weights of the generator and of each component, and no others."""
    needed = {WEIGHTS_NAME, *(component_file(name) for name in card.components.present)}
    for name in sorted(needed - card.files.keys()):
        raise ModelError(f"the card of {shown(folder)} lists no {name}: this bundle is not complete")
    for name, record in card.files.items():
        if name.lower().endswith(".safetensors") and name not in needed:
            raise ModelError(
                f"the card of {shown(folder)} lists {name}, which belongs to none of its components: update "
                "MRTranslate, or do not trust this bundle"
            )
        if name in needed - {WEIGHTS_NAME} and record.bytes > MAX_COMPONENT_BYTES:
            raise ModelError(
                f"{shown(folder / name)} has {record.bytes} bytes, more than the {MAX_COMPONENT_BYTES >> 20} MiB of a "
                "component: do not trust this bundle"
            )


def _encoded(
    card: ModelCard, tensors: Mapping[str, ArrayLike], components: Mapping[str, Mapping[str, ArrayLike]]
) -> dict[str, bytes]:
    """The files of a bundle but its card, by name."""
    if set(components) != set(card.components.present):
        named, given = (", ".join(sorted(names)) or "none" for names in (card.components.present, components))
        raise ValueError(f"the card names the components {named}, but weights are given of {given}")
    files = {WEIGHTS_NAME: tensors, **{component_file(name): weights for name, weights in components.items()}}
    encoded = {
        file: safetensors.numpy.save({name: _half(name, tensor) for name, tensor in weights.items()})
        for file, weights in files.items()
    }
    for name, data in encoded.items():
        if name != WEIGHTS_NAME and len(data) > MAX_COMPONENT_BYTES:
            raise ValueError(f"{name} has {len(data)} bytes, a component has at most {MAX_COMPONENT_BYTES >> 20} MiB")
    return encoded


def _record(data: bytes) -> FileRecord:
    return FileRecord(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))


def _verify_file(path: Path, record: FileRecord) -> None:
    """Raise ModelError unless the file has the size, hash and format it should have."""
    if not os.path.isfile(path):
        raise ModelError(f"{shown(path)} is missing: install the model again")
    try:
        size = path.stat().st_size
        if size != record.bytes:
            what = "is truncated" if size < record.bytes else "is too long"
            raise ModelError(f"{shown(path)} {what} ({size} of {record.bytes} bytes): install the model again")
        if sha256_of(path) != record.sha256:
            raise ModelError(f"{shown(path)} was altered (its SHA-256 is not the card's): install the model again")
        if path.suffix.lower() == ".safetensors":
            with safetensors.safe_open(path, framework="numpy"):
                pass  # reads the header and checks that it fits the file
    except OSError as error:
        raise ModelError(f"cannot read {shown(path)}: {reason(error)}") from error
    except SafetensorError as error:
        raise ModelError(f"{shown(path)} is not a safetensors file ({error}): do not trust this bundle") from error


def _half(name: str, values: ArrayLike) -> NDArray[np.float16]:
    """Values as float16 in C order, refused where that would not keep them finite."""
    array = np.asarray(values)
    if array.dtype.kind != "f" or not (np.abs(array) <= np.finfo(np.float16).max).all():
        raise ValueError(f"tensor {name!r} ({array.dtype}) is not finite, real and within the range of float16")
    return np.asarray(array, dtype=np.float16, order="C")
