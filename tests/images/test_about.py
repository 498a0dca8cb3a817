"""What photographs say about themselves, read in the sandbox."""

import io
import random
import struct

import pytest
from image_samples import encoded, heif, mutated, picture, samples
from PIL import ExifTags, Image

from embed.errors import ImageError
from embed.images import About, Decoder, Resize


def about(data, **options):
    with Decoder(Resize(8), workers=1, **options) as decoder:
        return decoder.about(data)


def exif(**changes):
    """Return the EXIF of a photograph; a tag that is None is left out."""
    tags = Image.Exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "Canon", "Canon EOS R5"
    tags[ExifTags.Base.Orientation] = changes.get("orientation", 1)
    private = tags.get_ifd(ExifTags.IFD.Exif)
    private[ExifTags.Base.DateTimeOriginal] = changes.get("taken", "2024:05:01 12:30:05")
    if "part" in changes:
        private[ExifTags.Base.SubsecTimeOriginal] = changes["part"]
    place = tags.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = changes.get("north", "S")
    place[ExifTags.GPS.GPSLatitude] = changes.get("latitude", (33.0, 51.0, 30.0))
    place[ExifTags.GPS.GPSLongitudeRef] = changes.get("east", "E")
    place[ExifTags.GPS.GPSLongitude] = changes.get("longitude", (151.0, 12.0, 36.0))
    tags[ExifTags.IFD.Exif], tags[ExifTags.IFD.GPSInfo] = (
        dict(private),
        dict(place),
    )  # a TIFF has them only so
    return tags


FULL = About(96, 72, "2024-05-01T12:30:05", -33.8583333, 151.21, "Canon EOS R5")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_time_place_and_camera_are_read_from_every_format_that_holds_them(form):
    assert about(encoded(picture(), form, exif=exif())) == FULL


def test_heif_tells_too():
    pillow_heif = pytest.importorskip("pillow_heif")
    heif(picture())
    stream = io.BytesIO()
    pillow_heif.from_pillow(picture()).save(stream, exif=exif().tobytes())
    assert about(stream.getvalue()) == FULL


def test_the_size_is_that_of_the_photograph_upright():
    found = about(encoded(picture(), "JPEG", exif=exif(orientation=6, part="250")))
    assert (found.width, found.height, found.taken) == (72, 96, "2024-05-01T12:30:05.250")


@pytest.mark.parametrize("name", sorted(samples()))
def test_a_photograph_that_says_nothing_says_its_size(name):
    assert about(samples()[name]) == About(96, 72)


@pytest.mark.parametrize(
    ("changes", "field", "value"),
    [
        ({"taken": "0000:00:00 00:00:00"}, "taken", None),
        ({"taken": "2024:13:41 12:30:05"}, "taken", None),
        ({"taken": "yesterday"}, "taken", None),
        ({"latitude": (133.0, 0.0, 0.0)}, "latitude", None),
        ({"latitude": ()}, "latitude", None),
        ({"longitude": (0.0, 0.0, 1e9)}, "longitude", None),
        ({"north": "N"}, "latitude", 33.8583333),
    ],
    ids=["no date", "no month", "no time", "no latitude", "nothing", "no longitude", "north"],
)
def test_what_cannot_be_is_not_said(changes, field, value):
    found = about(encoded(picture(), "JPEG", exif=exif(**changes)))
    assert getattr(found, field) == value
    assert (found.width, found.camera) == (96, "Canon EOS R5")


def test_names_of_cameras_are_short_and_printable():
    tags = exif()
    tags[ExifTags.Base.Make], tags[ExifTags.Base.Model] = "ACME\n\x1b[2J", "x" * 5000
    found = about(encoded(picture(), "JPEG", exif=tags))
    assert found.camera.isprintable() and len(found.camera) == 100


def test_metadata_that_claim_much_take_no_memory():
    # One entry of four thousand million values, and a directory that points at itself.
    header = b"Exif\0\0II*\0" + struct.pack("<I", 8)
    huge = header + struct.pack("<HHHII", 1, ExifTags.Base.Make, 2, 0xFFFFFFF0, 26) + b"\0" * 8
    loop = header + struct.pack("<HHHII", 1, ExifTags.IFD.Exif, 4, 1, 8) + struct.pack("<I", 8)
    for block in (huge, loop, b"Exif\0\0II*\0", b"Exif\0\0" + b"\xff" * 1000):
        found = about(encoded(picture(), "JPEG", exif=block), max_memory=96 << 20)
        assert found == About(96, 72)


def test_whatever_a_file_holds_it_is_said_or_refused():
    chance = random.Random(0)
    whole = [encoded(picture(), form, exif=exif()) for form in ("JPEG", "TIFF", "WEBP", "PNG")]
    with Decoder(Resize(8), workers=1) as decoder:
        for _ in range(150):
            data = mutated(chance.choice(whole), chance)
            try:
                found = decoder.about(data)
            except ImageError:
                continue
            assert found.latitude is None or -90 <= found.latitude <= 90
            assert found.camera is None or found.camera.isprintable()
    for data in (b"", b"text", b"\xff\xd8\xff"):
        with pytest.raises(ImageError):
            about(data)


def test_a_photograph_of_too_many_pixels_is_refused():
    with pytest.raises(ImageError, match="more than the limit"):
        about(samples()["lossy.webp"], max_pixels=100)
