"""Small files with a checksum: damage is named, never believed."""

import errno
import json
import os
from pathlib import Path

import pytest

from embed import files
from embed.errors import CacheDamagedError, CacheError

DOCUMENT = {"format_version": 2, "name": "caf\udce9", "rows": 3, "checksum of": {"a": [1.5, None]}}


def test_a_document_comes_back_and_is_json_for_everybody(tmp_path):
    for document in (DOCUMENT, {"a": 1}):
        files.write_document(tmp_path, "a.json", document)
        assert files.read_document(tmp_path / "a.json") == document
        assert json.loads((tmp_path / "a.json").read_text()).keys() == document.keys() | {"checksum"}


def test_every_flipped_bit_and_every_cut_is_found(tmp_path):
    data = files.seal(DOCUMENT)
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with pytest.raises(CacheDamagedError, match=r"a\.json is damaged"):
                files.unseal(bytes(damaged), tmp_path / "a.json", sealed_from=2)
        with pytest.raises(CacheDamagedError, match=r"a\.json is damaged"):
            files.unseal(data[:position], tmp_path / "a.json", sealed_from=2)


def test_documents_older_than_the_checksums_are_believed(tmp_path):
    old = json.dumps({**DOCUMENT, "format_version": 1}).encode()
    assert files.unseal(old, tmp_path, sealed_from=2)["name"] == DOCUMENT["name"]
    with pytest.raises(CacheDamagedError, match="no checksum"):
        files.unseal(old, tmp_path)


@pytest.mark.parametrize("content", [b"[" * 200_000, b"[1]", b"{", b"\xff", b""])
def test_what_is_no_document_is_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(CacheDamagedError, match=r"a\.json is damaged: .+"):
        files.read_document(tmp_path / "a.json")


def test_what_is_no_small_file_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "large").open("wb") as large:
        large.truncate(1 << 40)
    for name in ("fifo", "large", ""):
        with pytest.raises(CacheError, match=str(tmp_path / name)):
            files.read_bytes(tmp_path / name)
    with pytest.raises(CacheDamagedError):
        files.read_bytes(Path("/dev/zero"))
    for missing in (tmp_path / "none", tmp_path / "large" / "below"):
        with pytest.raises(FileNotFoundError):
            files.read_bytes(missing)


def test_a_read_that_fails_once_is_tried_again(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"data")
    original, left = os.open, 1

    def failing(path, *arguments, **options):
        nonlocal left
        left -= 1
        if left >= 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return original(path, *arguments, **options)

    monkeypatch.setattr(os, "open", failing)
    assert files.read_bytes(tmp_path / "a") == b"data"
    left = 100
    with pytest.raises(CacheError, match=r"cannot read .*a: Input/output error"):
        files.read_bytes(tmp_path / "a")
