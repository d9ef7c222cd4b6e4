from __future__ import annotations

import argparse
import json
import os

import pytest

from MRTranslateLib.cli.models import add_models_parser
from MRTranslateLib.errors import ModelError, UsageError
from MRTranslateLib.models.store import ModelStore
from Testing.library.model_examples import write_example, zip_example


@pytest.fixture
def store(tmp_path, monkeypatch):
    """The store that the commands see."""
    monkeypatch.setenv("MRTRANSLATE_MODELS", str(tmp_path / "user"))
    monkeypatch.setattr(
        ModelStore.__init__,
        "__kwdefaults__",
        {
            "shipped_folder": tmp_path / "shipped",
            "user_folder": None,
        },
    )
    return ModelStore()


def run(*words):
    parser = argparse.ArgumentParser()
    add_models_parser(parser.add_subparsers(required=True))
    arguments = parser.parse_args(["models", *map(str, words)])
    return arguments.run(arguments)


def test_the_list_says_what_each_model_does_and_which_is_the_default(store, capsys):
    write_example(store.shipped_folder, "small", "1.0.0")
    write_example(store.shipped_folder, "large", "1.2.0")
    write_example(store.user_folder, "mine")
    assert run("list") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:2] == ["name", "version"]
    assert [row.split()[0] for row in rows] == ["large", "small", "mine"]
    assert "shipped, default" in rows[0]
    assert "default" not in rows[1]
    assert "T1w T2w FLAIR  T2w FLAIR  installed" in rows[2]


def test_an_empty_list_says_where_it_looked(store, capsys):
    assert run("list") == 0
    assert str(store.user_folder) in capsys.readouterr().out


def test_a_damaged_model_is_listed_as_such(store, capsys):
    (write_example(store.user_folder).folder / "model.json").unlink()
    assert run("list") == 0
    assert "damaged: " in capsys.readouterr().out


def test_the_list_as_json_holds_the_cards(store, capsys):
    write_example(store.shipped_folder)
    (write_example(store.user_folder, "hurt").folder / "model.json").unlink()
    assert run("list", "--json") == 0
    tiny, hurt = json.loads(capsys.readouterr().out)
    assert (tiny["default"], tiny["shipped"], tiny["problem"]) == (True, True, None)
    assert tiny["card"]["quality"][0]["brain_psnr"] == 21.5
    assert (hurt["card"], hurt["default"]) == (None, False)
    assert "holds no model.json" in hurt["problem"]


def test_show_prints_the_card(store, capsys):
    write_example(store.user_folder)
    assert run("show", "tiny") == 0
    assert "Not for: Anything else." in capsys.readouterr().out


def test_show_of_a_damaged_card_gives_its_reason(store):
    (write_example(store.user_folder).folder / "model.json").write_text("[]")
    with pytest.raises(ModelError, match="not a valid model card"):
        run("show", "tiny")


def test_verify_of_all_names_the_sound_and_the_damaged(store, capsys):
    write_example(store.shipped_folder, "sound")
    os.truncate(write_example(store.user_folder, "hurt").weights_path, 9)
    assert run("verify") == ModelError.exit_code == 4
    sound, hurt = capsys.readouterr().out.splitlines()
    assert sound.startswith("sound 1.0.0: sound, weights SHA-256 ")
    assert "is truncated" in hurt


def test_verify_of_sound_models_ends_with_0(store):
    write_example(store.user_folder)
    assert run("verify") == 0
    assert run("verify", "tiny") == 0


def test_verify_of_one_damaged_model_is_an_error(store):
    os.truncate(write_example(store.user_folder).weights_path, 9)
    with pytest.raises(ModelError, match="is truncated"):
        run("verify", "tiny")


@pytest.mark.parametrize("action", ["show", "verify", "remove"])
def test_an_unknown_name_is_an_error(store, action):
    with pytest.raises(ModelError, match=r"no (installed )?model absent"):
        run(action, "absent")


def test_install_and_remove_say_what_they_did(store, tmp_path, capsys):
    archive = zip_example(tmp_path)
    assert run("install", archive) == 0
    assert f"installed tiny 1.0.0 in {store.user_folder / 'tiny'}" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--replace"):
        run("install", archive)
    assert run("install", archive, "--replace") == 0
    assert run("remove", "tiny") == 0
    assert capsys.readouterr().out.endswith("removed tiny\n")
    assert store.list() == ()


def test_install_checks_the_checksum(store, tmp_path):
    with pytest.raises(ModelError, match="not the expected file"):
        run("install", zip_example(tmp_path), "--sha256", "0" * 64)
