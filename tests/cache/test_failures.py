"""failures.csv: opens in a spreadsheet, and gives every name back."""

import csv
import os

import pytest

from embed.cache import Failure
from embed.cache.failures import read, write
from embed.errors import CacheDamagedError


def test_failures_come_back_in_the_order_of_their_paths(tmp_path):
    names = [
        "=1+1.jpg",
        " =2.jpg",
        "a\nb.jpg",
        "caf\udce9.jpg",
        "\\x.jpg",
        "'quoted', \"twice\".jpg",
        "\U0001f98b.jpg",
    ]
    found = [Failure(name, "is no image", 1, -5) for name in names] + [Failure("z", "vanished")]
    write(tmp_path, reversed(found))
    assert read(tmp_path) == sorted(found, key=lambda failure: os.fsencode(failure.path))
    assert b"\n=" not in (tmp_path / "failures.csv").read_bytes()


def test_no_file_means_no_failures(tmp_path):
    assert read(tmp_path) == []


@pytest.mark.parametrize(
    "text", ["", "a,b\n", "path,reason,size,mtime_ns\na,b,c,d\n", "path,reason,size,mtime_ns\na\n"]
)
def test_another_file_of_that_name_is_refused(tmp_path, text):
    (tmp_path / "failures.csv").write_text(text)
    with pytest.raises(CacheDamagedError, match=r"failures\.csv is damaged: .* run embed extract"):
        read(tmp_path)


def test_every_flipped_bit_is_found(tmp_path):
    write(tmp_path, [Failure("a.jpg", "is no image", 1, 2), Failure("b.jpg", "vanished")])
    data = (tmp_path / "failures.csv").read_bytes()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1
        (tmp_path / "failures.csv").write_bytes(damaged)
        with pytest.raises(CacheDamagedError, match=r"failures\.csv is damaged"):
            read(tmp_path)


def test_any_reader_of_tables_finds_the_columns(tmp_path):
    write(tmp_path, [Failure("a.jpg", "is no image", 1, 2)])
    with (tmp_path / "failures.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert list(row.values())[:4] == ["a.jpg", "is no image", "1", "2"]
    assert list(row)[:4] == ["path", "reason", "size", "mtime_ns"]
