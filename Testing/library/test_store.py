from __future__ import annotations

import contextlib
import hashlib
import http.server
import os
import random
import shutil
import stat
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from MRTranslateLib.errors import ModelError, MRTranslateError, UsageError
from MRTranslateLib.models import archive as archive_module
from MRTranslateLib.models import download as download_module
from MRTranslateLib.models import store as store_module
from MRTranslateLib.models.bundle import HIDDEN_PREFIX, open_bundle
from MRTranslateLib.models.locking import folder_lock
from MRTranslateLib.models.store import ModelStore, user_models_folder
from Testing.library.model_examples import write_example, zip_example

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path):
    return ModelStore(shipped_folder=tmp_path / "shipped", user_folder=tmp_path / "user")


@pytest.fixture
def tiny_zip(tmp_path):
    return zip_example(tmp_path)


def sha256_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def names(store):
    return [model.name for model in store.list()]


def visible_and_hidden(folder):
    return sorted(name for name in os.listdir(folder) if name != ".mrtranslate-model-lock")


class TestFinding:
    def test_an_empty_store_lists_nothing_and_creates_nothing(self, store):
        assert store.list() == ()
        assert not store.user_folder.exists()

    def test_shipped_models_come_first_then_the_users(self, store):
        write_example(store.user_folder, "a")
        write_example(store.shipped_folder, "b")
        assert [(model.name, model.shipped) for model in store.list()] == [("b", True), ("a", False)]

    def test_hidden_folders_and_files_are_no_models(self, store):
        write_example(store.user_folder, "tiny")
        (store.user_folder / ".mrtranslate-model-unpacking-1").mkdir()
        (store.user_folder / ".other").mkdir()
        (store.user_folder / "notes.txt").touch()
        assert names(store) == ["tiny"]

    def test_a_damaged_model_is_listed_with_its_problem(self, store):
        (write_example(store.user_folder).folder / "model.json").write_text("{")
        (model,) = store.list()
        assert model.card is None
        assert "not a valid model card" in model.problem

    def test_a_folder_that_bears_another_name_than_its_card_is_a_problem(self, store):
        write_example(store.user_folder, "tiny").folder.rename(store.user_folder / "renamed")
        with pytest.raises(ModelError, match="is of model tiny"):
            store.verify("renamed")

    def test_the_default_is_the_newest_shipped_model(self, store):
        write_example(store.shipped_folder, "a", "0.10.0")
        write_example(store.shipped_folder, "b", "0.9.0")
        write_example(store.user_folder, "c", "9.0.0")
        assert store.find().card.name == "a"

    def test_without_a_shipped_model_there_is_no_default(self, store):
        write_example(store.user_folder)
        with pytest.raises(ModelError, match="no model came with this copy of MRTranslate"):
            store.find()

    def test_a_damaged_shipped_model_is_named_as_the_reason(self, store):
        (write_example(store.shipped_folder).folder / "model.json").unlink()
        with pytest.raises(ModelError, match=r"tiny holds no model\.json"):
            store.find()

    def test_a_model_is_found_by_name(self, store):
        write_example(store.user_folder)
        assert store.find("tiny").folder == store.user_folder / "tiny"

    def test_a_model_is_found_by_folder(self, store, tmp_path):
        folder = write_example(tmp_path / "elsewhere").folder
        assert store.find(folder).folder == folder
        assert store.find(str(folder)).folder == folder

    @pytest.mark.parametrize("name", ["absent", "../user/tiny", "", "a" * 9000, "x\0y"])
    def test_an_unknown_name_is_refused_with_the_known_ones(self, store, name):
        write_example(store.user_folder)
        with pytest.raises(ModelError, match=r"there is no model .* one of tiny"):
            store.find(name)

    def test_finding_verifies(self, store):
        path = write_example(store.user_folder).weights_path
        os.truncate(path, 50)
        with pytest.raises(ModelError, match="truncated"):
            store.find("tiny")

    def test_of_two_models_with_one_name_the_shipped_counts(self, store):
        write_example(store.user_folder, version="9.0.0")
        write_example(store.shipped_folder)
        assert store.find("tiny").card.version == "1.0.0"
        assert names(store) == ["tiny"]


class TestInstalling:
    def test_a_zip_file_is_installed_and_sound(self, store, tiny_zip):
        bundle = store.install(tiny_zip)
        assert bundle == store.verify("tiny") == open_bundle(store.user_folder / "tiny")
        assert visible_and_hidden(store.user_folder) == ["tiny"]

    def test_a_zip_file_without_a_folder_inside_is_installed(self, store, tmp_path):
        folder = write_example(tmp_path / "src").folder
        store.install(shutil.make_archive(str(tmp_path / "flat"), "zip", folder))
        store.verify("tiny")

    def test_what_macos_adds_to_a_zip_file_is_left_out(self, store, tiny_zip):
        with zipfile.ZipFile(tiny_zip, "a") as archive:
            archive.writestr("__MACOSX/tiny/._model.json", "x")
            archive.writestr("tiny/.DS_Store", "x")
        store.install(tiny_zip)
        assert sorted(os.listdir(store.user_folder / "tiny")) == ["model.json", "weights.safetensors"]

    def test_a_file_address_is_installed(self, store, tiny_zip):
        store.install(tiny_zip.as_uri())
        store.verify("tiny")

    def test_the_right_checksum_is_accepted_in_capitals(self, store, tiny_zip):
        store.install(tiny_zip, sha256=sha256_of(tiny_zip).upper())
        store.verify("tiny")

    def test_a_wrong_checksum_is_refused_with_both(self, store, tiny_zip):
        with pytest.raises(ModelError, match=f"SHA-256 is {sha256_of(tiny_zip)}, expected {'0' * 64}"):
            store.install(tiny_zip, sha256="0" * 64)
        assert visible_and_hidden(store.user_folder) == []

    @pytest.mark.parametrize("checksum", ["", "abc", "g" * 64, "0" * 65])
    def test_a_malformed_checksum_is_refused(self, store, tiny_zip, checksum):
        with pytest.raises(UsageError, match="is no SHA-256"):
            store.install(tiny_zip, sha256=checksum)

    def test_an_installed_model_is_kept(self, store, tmp_path, tiny_zip):
        store.install(tiny_zip)
        with pytest.raises(UsageError, match="installed and kept"):
            store.install(zip_example(tmp_path, version="2.0.0"))
        assert store.verify("tiny").card.version == "1.0.0"

    def test_an_installed_model_is_replaced_on_request(self, store, tmp_path, tiny_zip):
        store.install(tiny_zip)
        assert store.install(zip_example(tmp_path, version="2.0.0"), replace=True).card.version == "2.0.0"
        assert store.verify("tiny").card.version == "2.0.0"
        assert visible_and_hidden(store.user_folder) == ["tiny"]

    def test_a_damaged_model_does_not_replace_a_sound_one(self, store, tmp_path, tiny_zip):
        store.install(tiny_zip)
        broken = write_example(tmp_path / "broken", version="2.0.0").folder
        os.truncate(broken / "weights.safetensors", 40)
        with pytest.raises(ModelError, match="truncated"):
            store.install(shutil.make_archive(str(tmp_path / "broken"), "zip", broken), replace=True)
        assert store.verify("tiny").card.version == "1.0.0"
        assert visible_and_hidden(store.user_folder) == ["tiny"]

    def test_a_damaged_installed_model_can_be_replaced(self, store, tiny_zip):
        os.truncate(store.install(tiny_zip).weights_path, 3)
        store.install(tiny_zip, replace=True)
        store.verify("tiny")

    def test_a_shipped_model_is_not_hidden_by_an_installed_one(self, store, tiny_zip):
        write_example(store.shipped_folder)
        with pytest.raises(UsageError, match="shipped with the program"):
            store.install(tiny_zip, replace=True)

    @pytest.mark.parametrize("source", ["absent.zip", "nul\0.zip", "."])
    def test_a_source_that_cannot_be_read_is_refused(self, store, source, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ModelError, match=r"cannot read .*give a zip file"):
            store.install(source)

    @pytest.mark.parametrize("source", ["ftp://127.0.0.1/a.zip", "gopher://x/y", "://", "data://text/plain,x"])
    def test_an_address_of_another_kind_is_refused(self, store, source):
        with pytest.raises(MRTranslateError, match="only https, http, file addresses are known"):
            store.install(source, sha256="0" * 64)

    def test_a_users_folder_that_is_a_file_is_refused(self, tmp_path, tiny_zip):
        (tmp_path / "user").write_text("")
        store = ModelStore(shipped_folder=tmp_path / "shipped", user_folder=tmp_path / "user")
        assert store.list() == ()
        with pytest.raises(MRTranslateError, match=r"cannot change .*user: file exists"):
            store.install(tiny_zip)

    def test_a_busy_store_is_refused_not_corrupted(self, store, tiny_zip, monkeypatch):
        monkeypatch.setattr(store_module, "PATIENCE_SECONDS", 0.1)
        store.user_folder.mkdir()
        with (
            folder_lock(store.user_folder, patience_seconds=0),
            pytest.raises(MRTranslateError, match="another MRTranslate is changing"),
        ):
            store.install(tiny_zip)
        store.install(tiny_zip)


def zip_of(path, *entries):
    with zipfile.ZipFile(path, "w") as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


def link_entry(name):
    entry = zipfile.ZipInfo(name)
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


class TestUnsafeArchives:
    @pytest.mark.parametrize(
        ("entries", "message"),
        [
            ([("../evil.safetensors", "x")], "leaves its folder"),
            ([("tiny/../../evil.safetensors", "x")], "leaves its folder"),
            ([("/tmp/evil.safetensors", "x")], "leaves its folder"),
            ([("tiny\\..\\evil.safetensors", "x")], "leaves its folder"),
            ([("C:/evil.safetensors", "x")], "leaves its folder"),
            ([("../", "")], "leaves its folder"),
            ([(link_entry("tiny/model.json"), "/etc/passwd")], "a link or device"),
            ([("tiny/deeper/model.json", "x")], "one flat folder"),
            ([("a/model.json", "x"), ("b/weights.safetensors", "x")], "one flat folder"),
            ([("tiny/model.json", "x"), ("model.json", "x")], "one flat folder"),
            ([], "holds 0 files"),
            ([(f"tiny/{i}.onnx", "") for i in range(65)], "holds 65 files"),
            ([("tiny/readme.txt", "x")], r"holds no model\.json"),
        ],
    )
    def test_it_is_refused_and_writes_nothing(self, store, tmp_path, entries, message):
        before = set(tmp_path.rglob("*"))
        with pytest.raises(ModelError, match=message):
            store.install(zip_of(tmp_path / "evil.zip", *entries))
        left = set(tmp_path.rglob("*")) - before
        assert left == {tmp_path / "evil.zip", store.user_folder, store.user_folder / ".mrtranslate-model-lock"}

    @pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
    def test_an_unusual_compression_is_refused(self, store, tmp_path, compression):
        with zipfile.ZipFile(tmp_path / "odd.zip", "w", compression) as archive:
            archive.writestr("tiny/model.json", "x")
        with pytest.raises(ModelError, match="unusual compression"):
            store.install(tmp_path / "odd.zip")

    def test_one_name_twice_is_refused(self, store, tmp_path):
        with pytest.warns(UserWarning, match="Duplicate name"):
            twice = zip_of(tmp_path / "twice.zip", ("tiny/model.json", "x"), ("tiny/model.json", "y"))
        with pytest.raises(ModelError, match="one flat folder"):
            store.install(twice)

    def test_a_bomb_is_stopped_while_it_unpacks(self, store, tmp_path, monkeypatch):
        monkeypatch.setattr(archive_module, "MAX_UNPACKED_BYTES", 1 << 20)
        path = tmp_path / "bomb.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("tiny/a.onnx", bytes(700_000))
            archive.writestr("tiny/weights.safetensors", bytes(700_000))
        with pytest.raises(ModelError, match="unpacks to more than 1 MiB"):
            store.install(path)
        assert visible_and_hidden(store.user_folder) == []

    @pytest.mark.parametrize(
        ("entries", "message"),
        [
            ([("tiny/model.json", "{")], r"^\S+/broken\.zip/model\.json is not a valid model card"),
            ([("tiny/weights.safetensors", "x")], r"^\S+/broken\.zip holds no model\.json"),
        ],
    )
    def test_a_bundle_that_is_not_sound_is_named_by_its_zip_file(self, store, tmp_path, entries, message):
        with pytest.raises(ModelError, match=message) as caught:
            store.install(zip_of(tmp_path / "broken.zip", *entries))
        assert HIDDEN_PREFIX not in str(caught.value)

    def test_every_truncation_is_refused(self, store, tmp_path, tiny_zip):
        data = tiny_zip.read_bytes()
        for length in range(0, len(data), len(data) // 23):
            (tmp_path / "cut.zip").write_bytes(data[:length])
            with pytest.raises(ModelError, match="not a usable zip file"):
                store.install(tmp_path / "cut.zip")

    def test_random_damage_never_installs_and_never_escapes_as_another_error(self, store, tmp_path, tiny_zip):
        chance = random.Random(7)
        sound = tiny_zip.read_bytes()
        for _ in range(150):
            data = bytearray(sound)
            for _ in range(chance.choice((1, 3, 30))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            (tmp_path / "hurt.zip").write_bytes(data)
            with contextlib.suppress(ModelError):  # none where the damage hit what nobody reads, such as a time stamp
                open_bundle(store.install(tmp_path / "hurt.zip", replace=True).folder)
        assert set(visible_and_hidden(store.user_folder)) <= {"tiny"}


@pytest.fixture
def server(tmp_path):
    """Serves ``tmp_path`` on this machine; gives the address of its root."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *_):
            pass

        def do_GET(self):
            if self.path == "/cut.zip":  # announces more than it sends
                self.send_response(200)
                self.send_header("Content-Length", "5000")
                self.end_headers()
                self.wfile.write(b"PK")
            else:
                super().do_GET()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


class TestDownloads:
    def test_an_address_is_installed_with_its_checksum(self, store, server, tiny_zip):
        store.install(f"{server}/{tiny_zip.name}", sha256=sha256_of(tiny_zip))
        store.verify("tiny")
        assert visible_and_hidden(store.user_folder) == ["tiny"]

    @pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
    def test_an_address_without_checksum_is_not_even_opened(self, store, scheme):
        with pytest.raises(UsageError, match="give the SHA-256"):
            store.install(f"{scheme}://127.0.0.1:1/tiny.zip")
        assert not store.user_folder.exists()

    def test_a_wrong_checksum_leaves_nothing(self, store, server, tiny_zip):
        with pytest.raises(ModelError, match="not the expected file"):
            store.install(f"{server}/{tiny_zip.name}", sha256="0" * 64)
        assert visible_and_hidden(store.user_folder) == []

    def test_an_answer_of_404_is_told(self, store, server):
        with pytest.raises(MRTranslateError, match="server answered 404"):
            store.install(f"{server}/absent.zip", sha256="0" * 64)

    def test_a_server_that_is_not_there_is_told(self, store):
        with pytest.raises(MRTranslateError, match=r"cannot fetch http://127\.0\.0\.1:1/a\.zip: "):
            store.install("http://127.0.0.1:1/a.zip", sha256="0" * 64)

    def test_a_download_that_breaks_off_leaves_nothing(self, store, server):
        with pytest.raises(MRTranslateError, match=r"not the expected file|broke off"):
            store.install(f"{server}/cut.zip", sha256="0" * 64)
        assert visible_and_hidden(store.user_folder) == []

    def test_a_file_too_large_is_stopped(self, store, server, tiny_zip, monkeypatch):
        monkeypatch.setattr(download_module, "MAX_DOWNLOAD_BYTES", 500)
        with pytest.raises(MRTranslateError, match="larger than"):
            store.install(f"{server}/{tiny_zip.name}", sha256=sha256_of(tiny_zip))
        assert visible_and_hidden(store.user_folder) == []

    def test_a_malformed_address_is_refused(self, store):
        with pytest.raises(MRTranslateError, match="cannot fetch"):
            store.install("http://[::1/a.zip", sha256="0" * 64)


class TestRemoving:
    def test_an_installed_model_is_removed(self, store, tiny_zip):
        store.install(tiny_zip)
        store.remove("tiny")
        assert visible_and_hidden(store.user_folder) == []

    def test_a_damaged_model_is_removed(self, store, tiny_zip):
        (store.install(tiny_zip).folder / "model.json").unlink()
        store.remove("tiny")
        assert names(store) == []

    def test_a_shipped_model_is_not_removed(self, store):
        write_example(store.shipped_folder)
        with pytest.raises(UsageError, match="shipped with the program and cannot be removed"):
            store.remove("tiny")
        store.verify("tiny")

    @pytest.mark.parametrize("name", ["absent", "", ".", "..", "../elsewhere", "/", "tiny/", "tiny\n"])
    def test_no_name_leads_out_of_the_store(self, store, tiny_zip, tmp_path, name):
        store.install(tiny_zip)
        (tmp_path / "elsewhere").mkdir()
        with pytest.raises(ModelError, match="there is no installed model"):
            store.remove(name)
        assert (tmp_path / "elsewhere").exists()
        store.verify("tiny")


class TestLeftovers:
    def test_a_model_set_aside_and_never_replaced_is_put_back_by_the_next_look(self, store, tiny_zip):
        store.install(tiny_zip).folder.rename(store.user_folder / f"{HIDDEN_PREFIX}replaced-tiny")
        store.find("tiny")

    def test_others_are_deleted_by_the_next_look(self, store, tiny_zip):
        store.install(tiny_zip)
        for name in ("removed-old", "unpacking-1", "replaced-tiny"):
            (store.user_folder / f"{HIDDEN_PREFIX}{name}").mkdir()
        (store.user_folder / f"{HIDDEN_PREFIX}download-1").touch()
        (store.user_folder / ".mine").mkdir()
        store.list()
        assert visible_and_hidden(store.user_folder) == [".mine", "tiny"]

    def test_those_of_a_living_process_are_left_alone(self, store):
        (store.user_folder / f"{HIDDEN_PREFIX}unpacking-1").mkdir(parents=True)
        with folder_lock(store.user_folder, patience_seconds=0):
            store.list()
            assert (store.user_folder / f"{HIDDEN_PREFIX}unpacking-1").exists()
        store.list()
        assert not (store.user_folder / f"{HIDDEN_PREFIX}unpacking-1").exists()


EVERY_STEP = """
# Runs one change of the store again and again, each time killed one file operation later, until it runs through.
import os, shutil, signal, sys
from pathlib import Path
from MRTranslateLib.errors import ModelError
from MRTranslateLib.models.store import ModelStore

action, new_zip, old_zip, folder = sys.argv[1:]
def make_store():
    return ModelStore(shipped_folder=Path(folder, "none"), user_folder=Path(folder, "user"))

STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir"}
num_steps, outcomes = 0, set()
while True:
    num_steps += 1
    shutil.rmtree(folder)
    os.mkdir(folder)
    make_store().install(old_zip)
    child = os.fork()
    if child == 0:
        left = num_steps
        def count(event, arguments):
            global left
            if event in STEPS:
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(count)
        make_store().install(new_zip, replace=True) if action == "replace" else make_store().remove("tiny")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    store = make_store()
    outcomes.add(tuple((model.name, store.verify(model.name).card.version) for model in store.list()))
    store.list()
    assert all(name in ("tiny", ".mrtranslate-model-lock") for name in os.listdir(store.user_folder))
    if status == 0:
        break
    assert os.WIFSIGNALED(status), status
print(num_steps, sorted(outcomes))
"""

RANDOM_MOMENTS = """
# Kills a child that installs, replaces and removes without end, 15 times, each after another number of changes.
import os, random, signal, sys, time
from pathlib import Path
from MRTranslateLib.models.store import ModelStore

store = ModelStore(shipped_folder=Path("none"), user_folder=Path(sys.argv[1]))
chance = random.Random(3)
for _ in range(15):
    done, finished = os.pipe()
    child = os.fork()
    while child == 0:
        for archive in sys.argv[2:]:
            store.install(archive, replace=True)
            os.write(finished, b".")
        store.remove("tiny")
        os.write(finished, b".")
    for _ in range(chance.randrange(1, 9)):
        os.read(done, 1)
    time.sleep(chance.uniform(0.0, 0.005))
    os.kill(child, signal.SIGKILL)
    assert os.WIFSIGNALED(os.waitpid(child, 0)[1]), "the child ended by itself"
    for model in store.list():
        store.verify(model.name)
    assert set(os.listdir(store.user_folder)) <= {"tiny", "other", ".mrtranslate-model-lock"}
"""


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork are POSIX")
class TestKilled:
    @pytest.mark.parametrize(
        ("action", "outcomes"),
        [("replace", "[(('tiny', '1.0.0'),), (('tiny', '2.0.0'),)]"), ("remove", "[(), (('tiny', '1.0.0'),)]")],
    )
    def test_killed_at_any_file_operation_the_old_or_the_new_state_is_there_and_whole(self, tmp_path, action, outcomes):
        old, new = zip_example(tmp_path), zip_example(tmp_path, version="2.0.0")
        (tmp_path / "work").mkdir()
        command = [sys.executable, "-c", EVERY_STEP, action, new, old, tmp_path / "work"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        num_steps, seen = done.stdout.strip().split(" ", 1)
        assert int(num_steps) > 5, "the kills did not reach into the work"
        assert seen == outcomes

    def test_killed_at_random_moments_every_model_listed_is_sound(self, tmp_path):
        zips = [zip_example(tmp_path), zip_example(tmp_path, version="2.0.0"), zip_example(tmp_path, "other")]
        command = [sys.executable, "-c", RANDOM_MOMENTS, tmp_path / "user", *zips]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr


class TestUserFolder:
    def test_the_variable_wins(self, monkeypatch, tmp_path):
        monkeypatch.setenv("MRTRANSLATE_MODELS", str(tmp_path))
        assert user_models_folder() == tmp_path == ModelStore().user_folder

    @pytest.mark.parametrize(
        ("platform", "variables", "expected"),
        [
            ("linux", {"XDG_DATA_HOME": "/data"}, "/data/mrtranslate/models"),
            ("linux", {"XDG_DATA_HOME": "relative"}, "/home/ann/.local/share/mrtranslate/models"),
            ("linux", {}, "/home/ann/.local/share/mrtranslate/models"),
            ("darwin", {}, "/home/ann/Library/Application Support/mrtranslate/models"),
            ("win32", {"LOCALAPPDATA": "/local"}, "/local/mrtranslate/models"),
            ("win32", {}, "/home/ann/AppData/Local/mrtranslate/models"),
        ],
    )
    @pytest.mark.skipif(os.name != "posix", reason="the paths are written in POSIX form")
    def test_otherwise_it_lies_where_the_system_keeps_data(self, monkeypatch, platform, variables, expected):
        for name in ("MRTRANSLATE_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {**variables, "HOME": "/home/ann"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "platform", platform)
        assert user_models_folder() == Path(expected)

    def test_shipped_models_lie_in_resources_beside_the_library(self):
        assert ModelStore().shipped_folder == ROOT / "Resources" / "Models"

    @pytest.fixture
    def homeless(self, monkeypatch):
        """A user id without an entry in passwd, as in a container, and no variable that says where to go."""
        for name in ("MRTRANSLATE_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)

        def no_home():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", no_home)

    def test_without_a_home_there_is_none_and_shipped_models_are_found(self, homeless, tmp_path):
        write_example(tmp_path / "shipped")
        store = ModelStore(shipped_folder=tmp_path / "shipped")
        assert (user_models_folder(), store.user_folder) == (None, None)
        assert store.find().card.name == "tiny"
        with pytest.raises(ModelError, match="there is no installed model other"):
            store.remove("other")

    def test_without_a_home_installing_says_which_variable_to_set(self, homeless, tmp_path, tiny_zip):
        with pytest.raises(MRTranslateError, match=r"no folder of your own.*set MRTRANSLATE_MODELS"):
            ModelStore(shipped_folder=tmp_path / "shipped").install(tiny_zip)
