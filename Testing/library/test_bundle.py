from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from MRTranslateLib.errors import ModelError, MRTranslateError
from MRTranslateLib.models import bundle as bundle_module
from MRTranslateLib.models.bundle import load_tensors, open_bundle, write_bundle
from MRTranslateLib.models.components import MAX_COMPONENT_BYTES
from MRTranslateLib.models.store import ModelStore
from Testing.library.model_examples import example_card, example_components, example_tensors, write_example


@pytest.fixture
def folder(tmp_path):
    return write_example(tmp_path).folder


def relist(folder, name, data):
    """Put a file into the bundle and its true hash into the card: a foreign bundle, not a damaged one."""
    (folder / name).write_bytes(data)
    card = json.loads((folder / "model.json").read_text())
    card["files"][name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    (folder / "model.json").write_text(json.dumps(card))


def flip_a_byte(path):
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_weights_come_back_as_float32_rounded_to_half(folder):
    tensors = load_tensors(open_bundle(folder))
    for name, tensor in example_tensors().items():
        assert tensors[name].dtype == np.float32
        np.testing.assert_array_equal(tensors[name], np.asarray(tensor, np.float16).astype(np.float32), strict=True)
    assert tensors.keys() == example_tensors().keys()


def test_the_card_says_the_hash_that_sha256sum_says(folder):
    opened = open_bundle(folder)
    assert opened.weights_sha256 == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert opened.card.files["weights.safetensors"].bytes == (folder / "weights.safetensors").stat().st_size


def test_two_writings_of_one_model_are_equal_byte_for_byte(folder, tmp_path):
    again = write_bundle(tmp_path / "b" / "tiny", example_card(), dict(reversed(example_tensors().items()))).folder
    for name in ("model.json", "weights.safetensors"):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_torch_tensors_of_a_state_dict_are_taken(tmp_path):
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(3, 2)
    tensors = load_tensors(write_bundle(tmp_path / "tiny", example_card(), layer.state_dict()))
    np.testing.assert_allclose(tensors["weight"], layer.weight.detach().numpy(), rtol=1e-3)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: shutil.rmtree(folder), "does not exist"),
        (lambda folder: (shutil.rmtree(folder), folder.write_text("x")), "is a file, not a folder"),
        (lambda folder: (folder / "model.json").unlink(), r"holds no model\.json"),
        (lambda folder: (folder / "model.json").write_text("{"), "not a valid model card"),
        (lambda folder: (folder / "model.json").write_bytes(b" " * (2 << 20)), "longer than 1048576 bytes"),
        (lambda folder: (folder / "weights.safetensors").unlink(), r"weights\.safetensors is missing"),
        (lambda folder: os.truncate(folder / "weights.safetensors", 100), r"is truncated \(100 of \d+ bytes\)"),
        (lambda folder: os.truncate(folder / "weights.safetensors", 9999), r"is too long \(9999 of \d+ bytes\)"),
        (lambda folder: flip_a_byte(folder / "weights.safetensors"), "was altered"),
        (lambda folder: (folder / "extra.onnx").touch(), r"extra\.onnx is not listed"),
        (lambda folder: (folder / "weights.pt").write_bytes(pickle.dumps(1)), r"weights\.pt has a foreign format"),
        (lambda folder: relist(folder, "weights.pt", pickle.dumps({"a": 1})), "foreign format.*no pickle"),
        (lambda folder: relist(folder, "weights.safetensors", pickle.dumps({"a": 1})), "is not a safetensors file"),
        (lambda folder: relist(folder, "weights.safetensors", b""), "is not a safetensors file"),
        (lambda folder: relist(folder, "weights.safetensors", b"\xff" * 64), "is not a safetensors file"),
    ],
)
def test_a_damaged_bundle_is_refused_with_the_reason(folder, damage, message):
    damage(folder)
    with pytest.raises(ModelError, match=message) as raised:
        open_bundle(folder)
    assert raised.value.exit_code == 4
    assert str(folder) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_out_of_the_bundle_counts_for_its_content(folder, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"not the weights")
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match="is truncated"):
        open_bundle(folder)


def test_a_bundle_without_weights_is_not_complete(folder):
    card = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**card, "files": {}}))
    with pytest.raises(ModelError, match=r"lists no weights\.safetensors"):
        open_bundle(folder)


def test_hidden_files_of_the_desktop_are_ignored(folder):
    (folder / ".DS_Store").touch()
    open_bundle(folder)


@pytest.mark.parametrize("name", ["a" * 5000, "nul\0", "bad\udcff"])
def test_impossible_paths_are_refused(name, tmp_path):
    with pytest.raises(ModelError, match="does not exist"):
        open_bundle(tmp_path / name)


def test_weights_altered_after_opening_are_not_loaded(folder):
    opened = open_bundle(folder)
    flip_a_byte(folder / "weights.safetensors")
    with pytest.raises(ModelError, match="altered while in use"):
        load_tensors(opened)


@pytest.mark.parametrize(
    "tensor", [np.array([1, 2]), np.array([1.0, 2.0]), np.array([np.nan], np.float16), np.array([np.inf], np.float16)]
)
def test_tensors_that_are_no_finite_weights_are_refused(folder, tensor):
    relist(folder, "weights.safetensors", safetensors.numpy.save({"stem": tensor}))
    with pytest.raises(ModelError, match="holds 'stem' of"):
        load_tensors(open_bundle(folder))


def test_a_number_type_unknown_to_numpy_is_refused(folder):
    header = b'{"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}'
    relist(folder, "weights.safetensors", len(header).to_bytes(8, "little") + header + b"\0\0")
    with pytest.raises(ModelError, match=r"weights\.safetensors holds"):
        load_tensors(open_bundle(folder))


@pytest.mark.parametrize("value", [np.nan, np.inf, -70000.0])
def test_weights_that_half_precision_cannot_hold_are_not_written(value, tmp_path):
    with pytest.raises(ValueError, match=r"'stem'.*not finite, real and within the range"):
        write_bundle(tmp_path / "tiny", example_card(), {"stem": np.array([value])})
    assert not any(tmp_path.iterdir())


def test_a_folder_of_another_name_than_the_model_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="folder of that name, not 'other'"):
        write_bundle(tmp_path / "other", example_card(), example_tensors())


def test_an_existing_bundle_is_kept(folder):
    with pytest.raises(MRTranslateError, match="exists and is kept"):
        write_bundle(folder, example_card(version="2.0.0"), example_tensors())
    assert open_bundle(folder).card.version == "1.0.0"


def test_an_existing_bundle_is_replaced_on_request(folder):
    write_bundle(folder, example_card(version="2.0.0"), example_tensors(), replace=True)
    assert open_bundle(folder).card.version == "2.0.0"
    assert os.listdir(folder.parent) == ["tiny"]


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path, data):
        path.write_bytes(data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle_module, "write_synced", full)
    with pytest.raises(MRTranslateError, match="no space left"):
        write_example(tmp_path)
    assert not any(tmp_path.iterdir())


def test_a_card_keeps_all_but_its_files(folder):
    assert msgspec.structs.replace(open_bundle(folder).card, files={}) == example_card()


PART = "local_discriminator"


def attentive_card():
    return msgspec.structs.replace(example_card(), components=example_components())


@pytest.fixture
def attentive(tmp_path):
    """A bundle whose local discriminator has the weights of another seed than its generator."""
    return write_bundle(tmp_path / "tiny", attentive_card(), example_tensors(), components={PART: example_tensors(1)})


def test_a_component_has_its_own_file_hash_and_weights(attentive):
    assert sorted(os.listdir(attentive.folder)) == [
        "local_discriminator.safetensors",
        "model.json",
        "weights.safetensors",
    ]
    opened = open_bundle(attentive.folder)
    data = (attentive.folder / "local_discriminator.safetensors").read_bytes()
    assert opened.component_sha256(PART) == hashlib.sha256(data).hexdigest()
    stem = example_tensors(1)["stem.weight"].astype(np.float16)
    np.testing.assert_array_equal(load_tensors(opened, PART)["stem.weight"], stem.astype(np.float32))
    assert not np.array_equal(load_tensors(opened)["stem.weight"], stem.astype(np.float32))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), r"local_discriminator\.safetensors is missing"),
        (lambda path: os.truncate(path, 100), r"local_discriminator\.safetensors is truncated"),
        (flip_a_byte, r"local_discriminator\.safetensors was altered"),
        (lambda path: relist(path.parent, path.name, pickle.dumps(1)), "is not a safetensors file"),
        (lambda path: relist(path.parent, path.name, b"\0" * (MAX_COMPONENT_BYTES + 1)), "more than the 16 MiB"),
        (
            lambda path: relist(path.parent, "global.safetensors", path.read_bytes()),
            r"lists global\.safetensors, which belongs to none of its components",
        ),
    ],
)
def test_a_damaged_component_damages_the_bundle(attentive, damage, message):
    damage(attentive.folder / "local_discriminator.safetensors")
    with pytest.raises(ModelError, match=message) as raised:
        open_bundle(attentive.folder)
    assert raised.value.exit_code == 4


def test_a_component_without_listed_weights_is_not_complete(attentive):
    card = json.loads((attentive.folder / "model.json").read_text())
    del card["files"]["local_discriminator.safetensors"]
    (attentive.folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"lists no local_discriminator\.safetensors"):
        open_bundle(attentive.folder)


def test_a_component_altered_after_opening_is_not_loaded(attentive):
    flip_a_byte(attentive.folder / "local_discriminator.safetensors")
    assert load_tensors(attentive)
    with pytest.raises(ModelError, match="altered while in use"):
        load_tensors(attentive, PART)


@pytest.mark.parametrize("components", [{}, {PART: {}, "student": {}}, {"student": {}}])
def test_weights_of_other_components_than_the_cards_are_not_written(tmp_path, components):
    with pytest.raises(ValueError, match="the card names the components local_discriminator"):
        write_bundle(tmp_path / "tiny", attentive_card(), example_tensors(), components=components)
    assert not any(tmp_path.iterdir())


def test_a_component_over_16_mib_is_not_written(tmp_path):
    weights = {"stem": np.zeros(MAX_COMPONENT_BYTES // 2, np.float16)}
    with pytest.raises(ValueError, match="at most 16 MiB"):
        write_bundle(tmp_path / "tiny", attentive_card(), example_tensors(), components={PART: weights})


def test_a_zipped_bundle_with_a_component_is_installed_whole(attentive, tmp_path):
    archive = shutil.make_archive(str(tmp_path / "tiny"), "zip", attentive.folder.parent, "tiny")
    store = ModelStore(shipped_folder=tmp_path / "none", user_folder=tmp_path / "mine")
    assert store.install(archive).component_sha256(PART) == attentive.component_sha256(PART)


def test_a_zipped_bundle_that_lacks_its_component_is_not_installed(attentive, tmp_path):
    (attentive.folder / "local_discriminator.safetensors").unlink()
    archive = shutil.make_archive(str(tmp_path / "tiny"), "zip", attentive.folder.parent, "tiny")
    store = ModelStore(shipped_folder=tmp_path / "none", user_folder=tmp_path / "mine")
    with pytest.raises(ModelError, match=r"local_discriminator\.safetensors is missing"):
        store.install(archive)
    assert store.list() == ()
