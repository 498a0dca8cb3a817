"""Small files that would take minutes or gigabytes: within the limits of processor time and memory, and the rest goes on."""

import struct

from image_samples import encoded, picture, samples
from PIL import Image, ImageCms

from embed import sources
from embed.images import Decoder, Resize, colours
from embed.images.pool import MEMORY, pool

SECONDS = 3  # of processor time for a photograph; what is meant to be linear takes a tenth of it


def outcomes(folder, *contents, **options):
    """Return what became of photographs, decoded together."""
    for number, content in enumerate(contents):
        (folder / f"{number}").write_bytes(content)
    items = [sources.Item(f"{number}", len(content)) for number, content in enumerate(contents)]
    with Decoder(Resize(16), timeout_s=SECONDS, **options) as decoder:
        return list(decoder.map(sources.Folder(folder).read(items)))


def with_markers(count):
    """Return a JPEG with as many markers that mean nothing in the data of its scan."""
    jpeg = encoded(Image.new("RGB", (16, 16), "teal"), "JPEG")
    every_block_a_restart = b"\xff\xdd\x00\x04\x00\x01"
    return jpeg[:2] + every_block_a_restart + jpeg[2:-2] + b"\xff\x01" * count + jpeg[-2:]


def test_markers_in_a_scan_cost_what_their_number_says(tmp_path):
    few, many, sound = outcomes(tmp_path, with_markers(100), with_markers(1_000_000), samples()["rgb.png"])
    assert few.problem == many.problem and "processor time" not in str(many.problem)
    assert sound.problem is None


def profile_of_matrices(count):
    """Return a colour profile whose way to the colours is so many matrices, each of which changes nothing."""
    identity = (1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0)
    matrix = struct.pack(">4sIHH12f", b"matf", 0, 3, 3, *identity)
    places = struct.pack(">II", 16 + 8 * count, len(matrix)) * count
    chain = struct.pack(">4sIHHI", b"mpet", 0, 3, 3, count) + places + matrix
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"D2B0": chain,
        b"desc": struct.pack(">4sII", b"desc", 0, 2) + b"x" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"cprt": b"text" + bytes(4) + b"x" + bytes(3),
    }
    begin, table, data = 132 + 12 * (len(tags) + 1), struct.pack(">I", len(tags) + 1), b""
    for name, tag in tags.items():
        tag += bytes(-len(tag) % 4)
        places = struct.pack(">II", begin + len(data), len(tag))
        table += name + places + (b"D2B1" + places if name == b"D2B0" else b"")
        data += tag
    size = begin + len(data)
    head = struct.pack(">I4sI12s", size, b"lcms", 0x04300000, b"scnrRGB XYZ ") + struct.pack(
        ">6H", 2020, 1, 1, 0, 0, 0
    )
    head += b"acspAPPL" + bytes(4) + b"nonetest" + bytes(12) + white + b"lcms" + bytes(44)
    return head + table + data


def test_a_profile_without_end_is_a_failure_of_its_photograph_alone(tmp_path):
    image = Image.new("RGB", (40, 40), "teal")
    few, many = (encoded(image, "WEBP", icc_profile=profile_of_matrices(count)) for count in (2, 200_000))
    sound, endless, after = outcomes(tmp_path, few, many, samples()["rgb.png"], workers=1)
    assert sound.problem is None and after.problem is None
    assert endless.problem == f"takes more than {SECONDS} s of processor time to decode"
    assert endless.lasting


def test_large_profiles_are_not_kept_and_small_ones_only_a_few():
    colours._kept_transform.cache_clear()
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for number in range(20):
        colours.to_srgb(picture(), plain + bytes([number]))
        colours.to_srgb(picture(), plain + bytes(colours._LONGEST_KEPT_PROFILE) + bytes([number]))
    kept = colours._kept_transform.cache_info()
    assert (kept.misses, kept.currsize) == (20, 4)  # the large ones never came near


def test_megabytes_of_segments_before_a_picture_are_passed_over(tmp_path):
    jpeg = encoded(picture(), "JPEG")
    segment = b"\xff\xe5\xff\xff" + bytes(0xFFFD)
    whole, plain = outcomes(tmp_path, jpeg[:2] + 300 * segment + jpeg[2:], jpeg)
    assert whole.problem is None
    assert (whole.pixels == plain.pixels).all()


def test_files_that_claim_much_share_the_memory_that_there_is(tmp_path, monkeypatch):
    """The memory of all that are being decoded is asked for before it is taken, by however many at once."""
    taken, most, change = 0, [0], pool().room.change

    def counted(size):
        nonlocal taken
        change(size)  # which waits
        taken += size
        most.append(taken)

    monkeypatch.setattr(pool().room, "change", counted)
    webp = encoded(Image.new("RGB", (4000, 4000), "teal"), "WEBP", lossless=True, method=0)
    assert len(webp) < 1000
    named = [webp + struct.pack("<4sII", b"more", 4, number) for number in range(6)]
    files = [one[:4] + struct.pack("<I", len(one) - 8) + one[8:] for one in named]
    assert [one.problem for one in outcomes(tmp_path, *files, workers=6)] == [None] * 6
    assert 500 << 20 < max(most) <= MEMORY
