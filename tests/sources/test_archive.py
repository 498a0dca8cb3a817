"""Photographs in archives: found and read like those of a folder, whatever a stranger wrote, and nothing is unpacked."""

import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest
from archive_samples import COLOURS, NEW, OLD, photograph, samples, write_tar, write_zip

from embed import sources
from embed.errors import ImageError, InputError
from embed.sources import Failed, Item, LeftOut, Listed, listed

WRITERS = {"tar": write_tar, "zip": write_zip}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(listed, "_recent", type(listed._recent)())


def told(file, kind=object, **filters):
    return [one for one in sources.open(file, sources.Filters(**filters)).find() if isinstance(one, kind)]


def names(file):
    return [one.name for one in told(file, Item)]


def contents(file):
    source = sources.open(file)
    items = [one for one in source.find() if isinstance(one, Item)]
    return {item.name: content for item, content in source.read(items)}


def failures(file):
    return {one.place: one.reason for one in told(file, Failed)}


@pytest.mark.parametrize("kind", WRITERS)
def test_photographs_are_found_in_the_order_of_their_names_and_read_as_they_are(kind, tmp_path):
    members = {f"b/{colour}.png": photograph(colour) for colour in COLOURS} | {
        "a/x.jpg": photograph("red", 7)
    }
    file = WRITERS[kind](tmp_path / f"photos.{kind}", members | {"notes.txt": b"none"})
    assert names(file) == sorted(members)
    assert told(file)[-1] == Listed("")
    found = contents(file)
    assert {name: content.data for name, content in found.items()} == members
    source = sources.open(file)
    assert (source.name, source.root, source.places) == ("photos", file, ())
    assert sources.read(source.address("b/red.png")).data == members["b/red.png"]
    assert sorted(tmp_path.rglob("*.png")) == []


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=["ustar", "gnu", "pax"]
)
def test_long_and_foreign_names_are_read_in_every_form_of_tar(form, tmp_path):
    long = "d" * 90 + "/" + ("n" * 60 if form == tarfile.USTAR_FORMAT else "n" * 150) + ".png"
    members = {long: photograph("red"), "grün.png": photograph("green"), "./blue.png": photograph("blue")}
    file = write_tar(tmp_path / "photos.tar", members, form)
    found = contents(file)
    assert sorted(found) == sorted([long, "grün.png", "blue.png"])
    assert found["blue.png"].data == members["./blue.png"]


def test_the_later_member_of_a_name_counts(tmp_path):
    file = write_tar(tmp_path / "photos.tar", {"a.png": photograph("red")})
    with tarfile.open(file, "a") as archive:
        data = photograph("blue")
        info = tarfile.TarInfo("a.png")
        info.size = len(data)
        import io

        archive.addfile(info, io.BytesIO(data))
    assert contents(file)["a.png"].data == photograph("blue")


@pytest.mark.parametrize("kind", WRITERS)
def test_what_a_folder_leaves_out_an_archive_does_too(kind, tmp_path):
    picture = photograph("red")
    out = {
        "__MACOSX/._a.png": picture,
        ".hidden/a.png": picture,
        "b/._a.png": picture,
        "drafts/a.png": picture,
    }
    shot = {"s/1.CR2": b"raw", "s/1.JPG": picture}
    file = WRITERS[kind](tmp_path / f"photos.{kind}", {"a.png": picture, **out, **shot})
    assert [one.name for one in told(file, Item, exclude=("drafts/",))] == ["a.png", "s/1.JPG"]
    left = {(one.place, one.images) for one in told(file, LeftOut, exclude=("drafts/",))}
    assert left == {("__MACOSX", 1), (".hidden", 1), ("b", 1), ("drafts", 1), ("s", 1)}
    assert "drafts/a.png" in [
        one.name for one in told(file, Item, exclude=("drafts/",), include=("drafts/*",))
    ]


@pytest.mark.parametrize("kind", WRITERS)
def test_no_name_leads_out_of_an_archive(kind, tmp_path):
    picture = photograph("red")
    file = WRITERS[kind](
        tmp_path / f"photos.{kind}", {"../../evil.png": picture, "/etc/a.png": picture, "a/../b.png": picture}
    )
    assert names(file) == ["etc/a.png"]
    assert failures(file) == dict.fromkeys(
        ["../../evil.png", "a/../b.png"], "has a name that leads out of the archive"
    )
    with pytest.raises(ImageError, match=r"not in the archive|no such file"):
        sources.read(file / ".." / "evil.png" / ".." / "x.png")


@pytest.mark.parametrize("kind", WRITERS)
def test_an_archive_that_was_rewritten_meanwhile_is_not_read_by_what_it_was(kind, tmp_path):
    file = WRITERS[kind](tmp_path / f"photos.{kind}", {"a.png": photograph("red")})
    source = sources.open(file)
    items = [one for one in source.find() if isinstance(one, Item)]
    WRITERS[kind](file, {"a.png": photograph("blue")})
    os.utime(file, (NEW, NEW))
    assert [content for _, content in source.read(items)] == ["changed while reading"]
    file.unlink()
    ((_, reason),) = source.read(items)
    assert reason == "cannot be read: no such file or directory"


def test_an_archive_is_listed_once_and_again_where_it_changes(tmp_path, monkeypatch):
    file = write_tar(tmp_path / "photos.tar", samples("red/warm", "blue/cold"))
    os.utime(file, (OLD, OLD))
    first = told(file), list(sources.open(file).described())
    listed._recent.clear()
    monkeypatch.setattr(listed, "_list", None)  # what was kept on the disk is enough
    assert (told(file), list(sources.open(file).described())) == first
    monkeypatch.undo()
    (kept,) = (tmp_path / "home" / "listings").iterdir()
    kept.write_bytes(kept.read_bytes().replace(b'"names"', b'"games"'))
    listed._recent.clear()
    assert (told(file), list(sources.open(file).described())) == first
    write_tar(file, samples("green/warm"))
    os.utime(file, (NEW, NEW))
    assert names(file) == ["0000.png"] and told(file, Item)[0].stamp == NEW * 10**9


def test_a_listing_of_another_state_is_never_taken(tmp_path):
    file = write_tar(tmp_path / "photos.tar", {"a.png": photograph("red")})
    os.utime(file, (OLD, OLD))
    names(file)
    write_tar(file, {"b.png": photograph("red"), "c.bmp": bytes(20_000)})
    os.utime(file, (OLD, OLD))  # the same time, another size
    assert names(file) == ["b.png", "c.bmp"]


# What strangers write.


def header(name, size, kind=b"0", **fields):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")


def whole(data):
    return data + bytes(-len(data) % 512)


END = bytes(1024)


def test_a_tar_that_is_cut_short_keeps_what_was_before(tmp_path):
    data = write_tar(
        tmp_path / "whole.tar", {f"{i}.png": photograph("red", 9 + i) for i in range(5)}
    ).read_bytes()
    cut = tmp_path / "cut.tar"
    cut.write_bytes(data[: 3 * 1024 + 100])
    found = told(cut)
    assert [one.name for one in found if isinstance(one, Item)] == ["0.png", "1.png", "2.png"]
    assert not [one for one in found if isinstance(one, Listed)]
    assert found[-1].place == "" and "damaged" in found[-1].reason
    cut.write_bytes(data[: 1024 + 512 + 20])
    assert failures(cut) == {"1.png": "is cut short", "": "is cut short at byte 1,556"}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nothing of the kind" * 100, "is no tar archive"),
        (b"\x1f\x8b" + bytes(2000), "is compressed, and cannot be read from the middle"),
        (header("x" * 99, 1 << 40, b"L") + bytes(600), "has a header of 1,099,511,627,776 bytes"),
        (header("x", 1 << 60, b"x") + bytes(600), "has a header of 1,152,921,504,606,846,976 bytes"),
    ],
    ids=["foreign", "compressed", "long-name", "pax"],
)
def test_what_is_no_tar_is_refused_in_one_sentence(data, reason, tmp_path):
    file = tmp_path / "photos.tar"
    file.write_bytes(data)
    with pytest.raises(InputError, match=reason):
        list(sources.open(file).find())


def test_a_walk_over_a_tar_always_goes_forward(tmp_path):
    picture = photograph("red")
    negative = bytearray(header("n.png", 0))
    negative[124:136] = b"\xff" * 11 + b"\x00"  # a size of minus 256
    negative[148:156] = b" " * 8
    negative[148:156] = b"%06o\0 " % sum(negative)
    file = tmp_path / "photos.tar"
    file.write_bytes(header("a.png", len(picture)) + whole(picture) + bytes(negative) + END)
    assert "a size of -256" in failures(file)[""]
    pax = b"20 size=-1000000000\n"
    file.write_bytes(
        header("a.png", len(picture)) + whole(picture) + header("p", len(pax), b"x") + whole(pax) + END
    )
    assert "a size of b'-1000000000'" in failures(file)[""]


def test_a_sparse_member_is_named_and_not_unfolded(tmp_path):
    sparse = bytearray(header("s.png", 512, b"S"))
    sparse[386:410] = b"%011o\0%011o\0" % (0, 512)
    sparse[482] = 1  # a further block of the map follows
    sparse[483:495] = b"%011o\0" % (1 << 30)
    sparse[148:156] = b" " * 8
    sparse[148:156] = b"%06o\0 " % sum(sparse)
    picture = photograph("red")
    file = tmp_path / "photos.tar"
    file.write_bytes(
        bytes(sparse) + bytes(512) + bytes(512) + header("a.png", len(picture)) + whole(picture) + END
    )
    assert failures(file) == {"s.png": "is a sparse file in the archive"}
    assert contents(file)["a.png"].data == picture


def test_a_member_larger_than_any_photograph_is_not_read(tmp_path):
    file = tmp_path / "photos.tar"
    with file.open("wb") as stream:
        stream.write(header("huge.png", 2 << 30))
        stream.truncate(512 + (2 << 30))
        stream.seek(0, os.SEEK_END)
        stream.write(END)
    assert "more than the limit" in failures(file)["huge.png"]


def test_links_and_devices_in_a_tar_are_no_photographs(tmp_path):
    file = tmp_path / "photos.tar"
    with tarfile.open(file, "w") as archive:
        for number, kind in enumerate(
            (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
        ):
            info = tarfile.TarInfo(f"{number}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    assert told(file) == [Listed("")]


def zip_bomb(size):
    packer = zlib.compressobj(9, wbits=-15)
    return packer.compress(bytes(size)) + packer.flush()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    file = tmp_path / "photos.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("bomb.bmp", bytes(200 << 20))
        archive.writestr("a.png", photograph("red"))
    tracemalloc.start()
    assert failures(file) == {"bomb.bmp": "unpacks to more than 100 times its size, as a zip bomb does"}
    assert contents(file)["a.png"].data == photograph("red")
    assert tracemalloc.get_traced_memory()[1] < 20 << 20
    tracemalloc.stop()


def test_a_member_that_unpacks_to_more_than_it_says_is_damaged(tmp_path):
    file = write_zip(tmp_path / "photos.zip", {"a.bmp": bytes(8 << 20), "b.png": photograph("blue")})
    data = bytearray(file.read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
    struct.pack_into("<L", data, directory + 24, 1000)
    file.write_bytes(data)
    tracemalloc.start()
    found = contents(file)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()
    assert found["a.bmp"] == "is damaged: it does not unpack to what was packed"
    assert found["b.png"].data == photograph("blue")


def test_members_that_lie_over_one_another_are_refused(tmp_path):
    file = write_zip(tmp_path / "photos.zip", {"a.png": photograph("red"), "b.png": photograph("blue")})
    data = bytearray(file.read_bytes())
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<L", data, second + 42, 0)  # where the other one begins
    file.write_bytes(data)
    with pytest.raises(InputError, match="lie over one another, as those of a zip bomb do"):
        list(sources.open(file).find())


@pytest.mark.parametrize("cut", [0.3, 0.9, 0.999], ids=["third", "most", "end"])
def test_a_damaged_zip_is_refused_in_one_sentence(cut, tmp_path):
    file = write_zip(tmp_path / "photos.zip", {f"{i}.png": photograph("red", 9 + i) for i in range(20)})
    file.write_bytes(file.read_bytes()[: int(cut * file.stat().st_size)])
    with pytest.raises(
        InputError, match=r"photos\.zip is no zip archive, or a damaged one: File is not a zip file\.$"
    ):
        list(sources.open(file).find())


def test_flipped_bits_in_a_zip_spoil_one_photograph(tmp_path):
    file = write_zip(
        tmp_path / "photos.zip", {"a.png": photograph("red"), "b.png": photograph("blue")}, zipfile.ZIP_STORED
    )
    data = bytearray(file.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    file.write_bytes(data)
    found = contents(file)
    assert found["a.png"] == "is damaged: it does not unpack to what was packed"
    assert found["b.png"].data == photograph("blue")


def test_encrypted_and_foreign_methods_are_named(tmp_path):
    file = write_zip(tmp_path / "photos.zip", {"a.png": photograph("red"), "b.png": photograph("blue")})
    data = bytearray(file.read_bytes())
    first, second = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")
    data[first + 8] |= 1
    data[second + 10] = 98
    file.write_bytes(data)
    assert failures(file) == {
        "a.png": "is encrypted",
        "b.png": "is packed in a way that is not read here (method 98)",
    }


def test_a_photograph_that_embed_drew_is_none(tmp_path):
    from PIL import Image, PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add_text("Software", "embed")
    Image.new("RGB", (9, 9)).save(tmp_path / "map.png", pnginfo=said)
    file = write_zip(tmp_path / "photos.zip", {"map.png": (tmp_path / "map.png").read_bytes()})
    assert contents(file) == {"map.png": sources.DRAWN}


def test_an_archive_that_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match=r"There is no file .*missing\.tar\."):
        list(sources.open(tmp_path / "missing.tar").find())
    (tmp_path / "folder.tar").mkdir()
    assert isinstance(sources.open(tmp_path / "folder.tar"), sources.Folder)


# Several of them.


def test_shards_are_one_source_and_each_is_a_place(tmp_path):
    shards = [write_tar(tmp_path / f"train-{i:03}.tar", samples("red/a", "blue/b")) for i in range(3)]
    source = sources.open(shards)
    found = list(source.find())
    assert [one.name for one in found if isinstance(one, Item)] == [
        f"train-{i:03}.tar/{j:04}.png" for i in range(3) for j in range(2)
    ]
    assert [one.place for one in found if isinstance(one, Listed)] == [*(shard.name for shard in shards), ""]
    assert (source.name, source.root, source.places) == (
        "train",
        tmp_path,
        tuple(shard.name for shard in shards),
    )
    items = [one for one in found if isinstance(one, Item)]
    assert [content.data for _, content in source.read(items)] == [
        photograph("red"),
        photograph("blue", 10),
    ] * 3
    assert dict(source.described())["train-001.tar/0001.png"] == {"label": "b"}
    assert sources.read(source.address("train-002.tar/0000.png")).data == photograph("red")


def test_a_folder_of_shards_is_read_as_shards_and_any_other_as_a_folder(tmp_path):
    write_tar(tmp_path / "a-0.tar", samples("red/a"))
    (tmp_path / "README.md").write_text("which")
    source = sources.open(tmp_path)
    assert [one.name for one in source.find() if isinstance(one, Item)] == ["a-0.tar/0000.png"]
    assert (source.name, source.root, source.again, source.places) == (
        tmp_path.name,
        tmp_path,
        "",
        ("a-0.tar",),
    )
    (tmp_path / "b.png").write_bytes(photograph("blue"))
    assert isinstance(sources.open(tmp_path), sources.Folder)


def test_folders_and_archives_together(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.png").write_bytes(photograph("grey"))
    zipped = write_zip(tmp_path / "photos.zip", {"a/y.png": photograph("red")})
    source = sources.open([tmp_path / "more", zipped])
    items = [one for one in source.find() if isinstance(one, Item)]
    assert [one.name for one in items] == ["more/x.png", "photos.zip/a/y.png"]
    assert [content.data for _, content in source.read(items)] == [photograph("grey"), photograph("red")]


def test_photographs_in_archives_may_be_asked_about(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_zip(Path("photos.zip"), {"a/y.png": photograph("red"), "z.png": photograph("blue")})
    asked = list(sources.expand(["photos.zip", "photos.zip/z.png"]))
    assert asked == [tmp_path / "photos.zip/a/y.png", tmp_path / "photos.zip/z.png", Path("photos.zip/z.png")]
    source = sources.Files(asked)
    assert [content.data for _, content in source.read([*source.items()])] == [
        photograph("red"),
        photograph("blue"),
        photograph("blue"),
    ]
    ((_, reason),) = source.read([Item("photos.zip/none.png")])
    assert reason == "is not in the archive"
