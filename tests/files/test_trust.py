"""The boundary of trust: derived files are read where their own people wrote them, and nobody else could have."""

import os
import socket
import stat
import subprocess
import sys
import tempfile

import pytest

from embed import files
from embed.errors import UntrustedError
from embed.files import Boundary, trust

NOBODY = 65534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def world(tmp_path):
    """A cache with a set, in it a folder of derived files."""
    inner = tmp_path / "cache" / "set" / "models" / "a"
    inner.mkdir(parents=True)
    for path in (inner, *inner.parents[:3]):
        path.chmod(0o755)
    (inner / "model.json").write_bytes(b"mine")
    (inner / "model.json").chmod(0o644)
    return tmp_path / "cache"


def model(world):
    return world / "set" / "models" / "a" / "model.json"


def read(world):
    return files.read_bytes(model(world), boundary=Boundary.of_set(world / "set"))


def test_what_nobody_else_may_write_to_is_read(world):
    assert read(world) == b"mine"


@pytest.mark.parametrize("right", [0o020, 0o002])
@pytest.mark.parametrize("what", ["models", "models/a", "models/a/model.json"])
def test_what_others_may_write_to_is_refused_and_chmod_helps(world, what, right):
    path = world / "set" / what
    path.chmod(path.stat().st_mode | right)
    with pytest.raises(UntrustedError, match="others may write to it") as caught:
        read(world)
    command = str(caught.value).partition("`")[2].partition("`")[0]
    assert command == f"chmod -R go-w {world / 'set' / 'models'}"
    subprocess.run(command, shell=True, check=True)
    assert read(world) == b"mine"


def test_a_set_and_a_cache_that_are_shared_are_no_hindrance(world):
    """Who may write to the set can put another folder there, but none that is the owner's."""
    for path in (world, world / "set"):
        path.chmod(0o777)
    assert read(world) == b"mine"


def test_a_set_may_be_a_link_and_what_is_derived_not(world, tmp_path):
    (world / "set").rename(tmp_path / "elsewhere")
    (world / "set").symlink_to(tmp_path / "elsewhere")
    assert read(world) == b"mine"
    for path in (model(world), model(world).parent, model(world).parents[1]):
        path.rename(tmp_path / path.name)
        path.symlink_to(tmp_path / path.name)
        with pytest.raises(UntrustedError, match="is a link"):
            read(world)
        path.unlink()
        (tmp_path / path.name).rename(path)


def test_what_is_no_file_is_not_waited_for(world, monkeypatch):
    path = model(world)

    def listen(path):
        monkeypatch.chdir(path.parent)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(path.name)

    path.unlink()
    for make, remove in ((os.mkfifo, os.unlink), (os.mkdir, os.rmdir), (listen, os.unlink)):
        make(path)
        with pytest.raises(UntrustedError, match="no ordinary file"):
            read(world)
        remove(path)
    with pytest.raises(FileNotFoundError):
        read(world)
    path.parent.rmdir()
    path.parent.write_bytes(b"")
    with pytest.raises(FileNotFoundError):
        read(world)


def test_nothing_is_exchanged_between_looking_and_opening(world, tmp_path, monkeypatch):
    (tmp_path / "model.json").write_bytes(b"theirs")
    original = os.stat

    def exchange(path, **options):
        status = original(path, **options)
        if path == "model.json":
            model(world).unlink()
            model(world).symlink_to(tmp_path / "model.json")
        return status

    monkeypatch.setattr(os, "stat", exchange)
    with pytest.raises(OSError, match="symbolic links"):
        Boundary.of_set(world / "set").open(model(world))


@as_root
def test_a_stranger_is_not_believed_the_owner_of_the_cache_is(world):
    """As in a container that root runs over a volume of somebody else."""
    for path in (model(world).parents[1], model(world).parent, model(world)):
        os.chown(path, NOBODY, NOBODY)
        with pytest.raises(UntrustedError, match=rf"belongs to user {NOBODY}"):
            read(world)
        os.chown(path, 0, 0)
    os.chown(world / "set", NOBODY, NOBODY)
    with pytest.raises(UntrustedError, match=rf"set is not believed, for it belongs to user {NOBODY}"):
        read(world)
    for path in (world, *world.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    assert read(world) == b"mine"


AS_NOBODY = """
import os, pathlib, sys
from embed.errors import UntrustedError
from embed.files import Boundary, read_bytes
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in map(pathlib.Path, sys.argv[1:]):
    try:
        print(read_bytes(path, boundary=Boundary.of_set(path.parents[2])).decode())
    except UntrustedError as error:
        print("refused")
"""


@as_root
def test_another_user_believes_root_and_himself_and_no_third(world):
    with tempfile.TemporaryDirectory() as place:  # into which he may look, unlike into the folders of pytest
        os.chmod(place, 0o755)
        paths = []
        for owner in (0, NOBODY, 1234):
            folder = os.path.join(place, str(owner), "set", "models", "a")
            os.makedirs(folder)
            paths.append(os.path.join(folder, "model.json"))
            with open(paths[-1], "w") as stream:
                stream.write("mine")
            for path in (os.path.dirname(folder), folder, paths[-1]):
                os.chmod(path, 0o644 if path == paths[-1] else 0o755)
                os.chown(path, owner, owner)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *paths], capture_output=True, text=True, check=True
        )
    assert done.stdout.split() == ["mine", "mine", "refused"]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_what_is_written_closed_is_believed_whatever_the_umask(world, umask):
    boundary = Boundary.of_set(world / "set")
    folder = world / "set" / "index"
    folder.mkdir()
    folder.chmod(0o777)
    before = os.umask(umask)
    try:
        files.make_folder(folder, closed=True)
        files.make_folder(folder / "below" / "new", closed=True)
        files.make_folder(folder / "below", closed=True)
        files.replace(folder, "a", b"a", closed=True)
        files.write_document(folder, "b", {"b": 1}, closed=True)
        with files.Draft(folder / "below" / "new", closed=True) as draft:
            draft.write(b"c")
            draft.publish("c")
    finally:
        os.umask(before)
    for name in ("a", "b", "below/new/c"):
        os.close(boundary.open(folder / name))
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o644 & ~umask


def test_a_file_system_without_access_rights_is_one_of_its_mount(world, tmp_path, monkeypatch):
    """FAT and the drives of Windows call every file writable by all, and refuse to change that."""
    for path in (world / "set").rglob("*"):
        path.chmod(0o777)

    def made(prefix, dir):
        path = os.path.join(dir, prefix)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        os.chmod(path, 0o777)
        return descriptor, path

    def refuse(self, mode):
        raise PermissionError(1, "Operation not permitted")

    with pytest.raises(UntrustedError):
        read(world)
    monkeypatch.setattr(tempfile, "mkstemp", made)
    monkeypatch.setattr("pathlib.Path.chmod", refuse)
    assert read(world) == b"mine"
    files.make_folder(world / "set" / "models", closed=True)
    assert not list(world.rglob(".tmp-*"))


def test_what_is_left_alone_is_said_once(caplog):
    for _ in range(3):
        trust.tell("the index of test_trust is left alone")
    assert [record.message for record in caplog.records] == ["the index of test_trust is left alone"]
