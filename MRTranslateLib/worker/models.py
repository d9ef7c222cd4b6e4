"""Job ``models``: list, verify, install and remove model bundles."""

from __future__ import annotations

import msgspec

from MRTranslateLib.cli.models import ListedModel
from MRTranslateLib.errors import ModelError
from MRTranslateLib.models.store import ModelStore
from MRTranslateLib.progress import Progress


class ListModels(msgspec.Struct, frozen=True, tag_field="action", tag="list", forbid_unknown_fields=True):
    """Which models there are; returns a list of :class:`~MRTranslateLib.cli.models.ListedModel`."""


class VerifyModels(msgspec.Struct, frozen=True, tag_field="action", tag="verify", forbid_unknown_fields=True):
    """Check every byte of one model, None for all; returns a list of :class:`VerifiedModel`."""

    name: str | None = None


class InstallModel(msgspec.Struct, frozen=True, tag_field="action", tag="install", forbid_unknown_fields=True):
    """As :meth:`~MRTranslateLib.models.store.ModelStore.install`; returns the :class:`VerifiedModel`."""

    source: str
    sha256: str | None = None
    replace: bool = False


class RemoveModel(msgspec.Struct, frozen=True, tag_field="action", tag="remove", forbid_unknown_fields=True):
    """As :meth:`~MRTranslateLib.models.store.ModelStore.remove`; returns None."""

    name: str


ModelsParameters = ListModels | VerifyModels | InstallModel | RemoveModel


class VerifiedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found.

    Attributes:
        name: Of the model.
        version: None when damaged.
        problem: What is wrong, one sentence; None when it is sound.
    """

    name: str
    version: str | None
    problem: str | None


def run_models(parameters: ModelsParameters, progress: Progress) -> object:
    """Do what the parameters ask for.

    Raises:
        MRTranslateError: As the method of :class:`~MRTranslateLib.models.store.ModelStore`.
    """
    store = ModelStore()
    if isinstance(parameters, ListModels):
        return _list(store)
    if isinstance(parameters, VerifyModels):
        names = [model.name for model in store.list()] if parameters.name is None else [parameters.name]
        return _verify(store, names, progress)
    if isinstance(parameters, InstallModel):
        progress.step("install", 0.0)
        card = store.install(parameters.source, sha256=parameters.sha256, replace=parameters.replace).card
        return VerifiedModel(name=card.name, version=card.version, problem=None)
    store.remove(parameters.name)
    return None


def _list(store: ModelStore) -> list[ListedModel]:
    default = store.default_name()
    return [
        ListedModel(
            name=model.name,
            folder=str(model.folder),
            shipped=model.shipped,
            default=model.name == default,
            card=model.card,
            problem=model.problem,
        )
        for model in store.list()
    ]


def _verify(store: ModelStore, names: list[str], progress: Progress) -> list[VerifiedModel]:
    found = []
    for done, name in enumerate(names):
        progress.step("verify", done / len(names))
        try:
            found.append(VerifiedModel(name=name, version=store.verify(name).card.version, problem=None))
        except ModelError as error:
            found.append(VerifiedModel(name=name, version=None, problem=str(error)))
    return found
