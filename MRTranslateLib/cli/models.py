"""``mrtranslate models``: list, show, verify, install and remove model bundles."""

from __future__ import annotations

import argparse

import msgspec

from MRTranslateLib.cli.card_text import render_card
from MRTranslateLib.cli.tables import render_table
from MRTranslateLib.errors import ModelError
from MRTranslateLib.models.card import ModelCard
from MRTranslateLib.models.store import ModelStore, StoredModel

COLUMNS = ("name", "version", "takes any of", "makes", "from", "title")


def add_models_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``models`` to the command line; its handlers are ``run`` in the parsed arguments."""
    parser = subparsers.add_parser("models", help="list, show, verify, install and remove models")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    action = actions.add_parser("list", help="which models there are")
    action.add_argument("--json", action="store_true", help="as JSON, with all of each card")
    action.set_defaults(run=run_list)

    action = actions.add_parser("show", help="the card of one model")
    action.add_argument("name", metavar="NAME", help="as listed")
    action.set_defaults(run=run_show)

    action = actions.add_parser("verify", help="check every byte of one model, or of all")
    action.add_argument("name", metavar="NAME", nargs="?", help="as listed (default: all)")
    action.set_defaults(run=run_verify)

    action = actions.add_parser("install", help="add a zipped model to your own")
    action.add_argument("source", metavar="FILE_OR_URL", help="zip file that holds one model bundle")
    action.add_argument("--sha256", metavar="HEX", help="checksum its publisher names; required for http(s)")
    action.add_argument("--replace", action="store_true", help="take the place of an installed model of that name")
    action.set_defaults(run=run_install)

    action = actions.add_parser("remove", help="remove a model you installed")
    action.add_argument("name", metavar="NAME", help="as listed")
    action.set_defaults(run=run_remove)


class ListedModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model of ``models list --json``; either ``card`` or ``problem`` is null."""

    name: str
    folder: str
    shipped: bool
    default: bool
    card: ModelCard | None
    problem: str | None


def run_list(arguments: argparse.Namespace) -> int:
    """Print the models; returns the exit code."""
    store = ModelStore()
    models, default = store.list(), store.default_name()
    if arguments.json:
        listed = [
            ListedModel(
                name=model.name,
                folder=str(model.folder),
                shipped=model.shipped,
                default=model.name == default,
                card=model.card,
                problem=model.problem,
            )
            for model in models
        ]
        print(msgspec.json.format(msgspec.json.encode(listed), indent=2).decode())
    elif models:
        print(render_table([COLUMNS, *(_row(model, default) for model in models)], "llllll"))
    else:
        print(f"no models: looked in {' and '.join(map(str, store.folders))}")
    return 0


def run_show(arguments: argparse.Namespace) -> int:
    """Print one model's card; returns the exit code.

    Raises:
        ModelError: If there is no such model or its card cannot be read.
    """
    model = ModelStore().get(arguments.name)
    if model.card is None:
        raise ModelError(model.problem)
    print(render_card(model.card))
    return 0


def run_verify(arguments: argparse.Namespace) -> int:
    """Verify one model or all, one line each; returns 0, or the exit code of ModelError when one is damaged."""
    store = ModelStore()
    names = [model.name for model in store.list()] if arguments.name is None else [arguments.name]
    exit_code = 0
    for name in names:
        try:
            bundle = store.verify(name)
            print(f"{name} {bundle.card.version}: sound, weights SHA-256 {bundle.weights_sha256}")
        except ModelError as error:
            if arguments.name is not None:
                raise
            print(f"{name}: {error}")
            exit_code = ModelError.exit_code
    if not names:
        print("no models to verify")
    return exit_code


def run_install(arguments: argparse.Namespace) -> int:
    """Install a model; returns the exit code. Errors as :meth:`ModelStore.install`."""
    bundle = ModelStore().install(arguments.source, sha256=arguments.sha256, replace=arguments.replace)
    print(f"installed {bundle.card.name} {bundle.card.version} in {bundle.folder}")
    return 0


def run_remove(arguments: argparse.Namespace) -> int:
    """Remove an installed model; returns the exit code. Errors as :meth:`ModelStore.remove`."""
    ModelStore().remove(arguments.name)
    print(f"removed {arguments.name}")
    return 0


def _row(model: StoredModel, default: str | None) -> tuple[str, ...]:
    origin = "shipped, default" if model.name == default else "shipped" if model.shipped else "installed"
    if model.card is None:
        return (model.name, "-", "-", "-", origin, f"damaged: {model.problem}")
    card = model.card
    return (model.name, card.version, " ".join(card.sources), " ".join(card.targets), origin, card.title)
