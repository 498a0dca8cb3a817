"""Every kind of file gives the right pixels or a reason."""

import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from image_samples import chunk, decode, encoded, heif, picture, png, samples
from PIL import Image, ImageCms

from embed import images
from embed.errors import ImageError, UsageError
from embed.images import Resize

SIZE = 32
TURNS = {  # what a camera stores for each EXIF orientation
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def colour(data: bytes) -> list[int]:
    """The one colour of a picture of one colour."""
    pixels = decode(data)
    assert (pixels == pixels[0, 0]).all()
    return pixels[0, 0].tolist()


def why_not(data: bytes, **options) -> str:
    with pytest.raises(ImageError) as failure:
        decode(data, **options)
    return str(failure.value)


@pytest.fixture(scope="module")
def reference() -> np.ndarray:
    """What every faithful file of the picture decodes to."""
    return decode(encoded(picture(), "PNG")).astype(int)


# Formats


@pytest.mark.parametrize("name", [name for name in samples() if name not in ("grey.jpg", "deep.png")])
def test_every_format_shows_the_picture(name, reference):
    pixels = decode(samples()[name])
    assert (pixels.shape, pixels.dtype) == ((SIZE, SIZE, 3), np.uint8)
    assert np.abs(pixels - reference).mean() < (
        20 if "palette" in name or "gif" in name or "cmyk" in name else 4
    )


def test_heif_shows_the_picture(reference):
    assert np.abs(decode(heif(picture())) - reference).mean() < 4


def test_heif_without_its_reader_names_the_extra(tmp_path):
    (tmp_path / "photo.heic").write_bytes(heif(picture()))
    script = (
        "import sys; sys.modules['pillow_heif'] = None\n"
        "from embed.errors import ImageError\n"
        "from embed.images.decode import decode\n"
        "try: decode(open('photo.heic', 'rb').read(), 'HEIF', None)\n"
        "except ImageError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "is a HEIF photograph; install embed-images[heif] to read such files\n"


def test_a_jpeg_needs_neither_the_reader_of_heif_nor_numpy():
    script = (
        "import sys\nfrom embed.images import Resize, child\nfrom embed.images.decode import decode\n"
        "decode(sys.stdin.buffer.read(), 'JPEG', Resize(8))\n"
        "print([name for name in ('pillow_heif', 'numpy', 'tensorflow') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], input=samples()["baseline.jpg"], capture_output=True, check=True
    )
    assert run.stdout == b"[]\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"\0" * 100, "holds nothing but zeros"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is an HTML page, not an image"),
        (b"\xef\xbb\xbf\n <html lang=en>", "is an HTML page, not an image"),
        (b"Just some words.\n", "is text, not an image"),
        ("Quelques mots en français.".encode(), "is text, not an image"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing, not a photograph"),
        (b'<?xml version="1.0"?>\n<!-- made by hand -->\n<svg/>', "is an SVG drawing, not a photograph"),
        (b'<?xml version="1.0"?><feed/>', "is an XML document, not an image"),
        (b'{"error": 404}', "is a JSON document, not an image"),
        (b"%PDF-1.7\n", "is a PDF document, not an image"),
        (b"PK\x03\x04rest", "is a ZIP archive, not an image"),
        (b"\x00\x00\x00\x18ftypmp42\0\0\0\0", "is a video, not an image"),
        (b"\0" * 9 + b"TRUEVISION-XFILE.\0", "is a TGA image, which cannot be decoded"),
        (b"PF 4 4 -1.0\n" + bytes(192), "is a PFM image in colour, which cannot be decoded"),
        (b"8BPS\0\1", "is a Photoshop document, which cannot be decoded"),
        (b"\xff\x0a\x00\x00", "is a JPEG XL image, which cannot be decoded"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a pointer of Git LFS, not the image itself"),
        (b"\x93\x01\x02\xfe" * 9, "is in no known image format"),
    ],
)
def test_what_is_no_image_is_told_by_what_it_looks_like(data, reason):
    assert why_not(data) == reason


# Damage


@pytest.mark.parametrize("name", list(samples()))
def test_a_file_that_lost_its_end_is_refused(name):
    whole = samples()[name]
    without_end = {".jpg": 2, ".gif": 1}.get(
        name[name.index(".") :], 0
    )  # marks that are no part of the picture
    for lost in (1, 2, 3, 10, 100, len(whole) // 2):
        if lost > without_end:
            assert why_not(whole[:-lost]).startswith(("truncated", "damaged"))
        else:
            assert (decode(whole[:-lost]) == decode(whole)).all()


def test_a_truncated_jpeg_and_png_are_called_so():
    assert why_not(samples()["baseline.jpg"][:-10]) == "truncated JPEG"
    assert why_not(samples()["progressive.jpg"][:-10]) == "truncated JPEG"
    assert why_not(samples()["rgb.png"][:-2]) == "truncated PNG"


def test_zeros_may_stand_in_place_of_the_end_of_a_gif():
    whole = samples()["still.gif"]
    assert (decode(whole[:-1] + bytes(9)) == decode(whole)).all()
    assert why_not(whole[:-1] + b"\0\1") == "damaged GIF"


def test_a_wrong_checksum_anywhere_in_a_png_is_refused():
    whole = samples()["rgb.png"]
    middle, last = bytearray(whole), bytearray(whole)
    middle[len(whole) // 2] ^= 1
    last[-1] ^= 1
    assert why_not(bytes(middle)) == why_not(bytes(last)) == "damaged PNG: wrong checksum"


def test_what_follows_the_end_of_a_jpeg_or_png_does_not_matter():
    for name in ("baseline.jpg", "progressive.jpg", "rgb.png"):
        assert (decode(samples()[name] + b"motion video" * 99) == decode(samples()[name])).all()


def test_a_picture_over_the_limit_of_pixels_is_refused_with_its_size():
    bomb = encoded(Image.new("L", (20_001, 10_000)), "PNG")
    assert len(bomb) < 500_000
    assert why_not(bomb) == "is 20001 × 10000 pixels, more than the limit of 200,000,000 in all"
    assert decode(samples()["rgb.png"], max_pixels=96 * 72).shape == (SIZE, SIZE, 3)
    assert why_not(samples()["rgb.png"], max_pixels=96 * 72 - 1).startswith("is 96 × 72 pixels, more than")


def test_a_webp_that_claims_to_be_enormous_is_refused():
    data = bytearray(samples()["moving.webp"])
    data[24:30] = b"\xff" * 6  # width and height of the canvas, less one
    assert why_not(bytes(data)) == "is 16777216 × 16777216 pixels, more than the limit of 200,000,000 in all"


@pytest.mark.parametrize(
    ("name", "mark", "skip", "packing", "size", "reason"),
    [
        ("rgb.avif", b"ispe", 8, ">II", (40_000, 40), "and a side of AVIF may have no more than 32,768 here"),
        ("rgb.avif", b"ispe", 8, ">II", (20_000, 20_000), "more than the limit of 200,000,000 in all"),
        (
            "baseline.jpg",
            b"\xff\xc0",
            5,
            ">HH",
            (65_535, 16),
            "and a side of JPEG may have no more than 65,500 here",
        ),
    ],
)
def test_a_picture_that_is_beyond_its_decoder_is_not_called_damaged(name, mark, skip, packing, size, reason):
    data = samples()[name]
    at = data.index(mark) + skip
    stored = size if packing == ">II" else size[::-1]
    claimed = data[:at] + struct.pack(packing, *stored) + data[at + struct.calcsize(packing) :]
    assert why_not(claimed).startswith(f"is {size[0]} × {size[1]} pixels, ")
    assert why_not(claimed).endswith(reason)


def test_a_huge_text_in_a_png_is_refused_with_its_size():
    plain = chunk(b"tEXt", b"Comment\0" + b"x" * (1 << 20))
    packed = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (50 << 20)))
    whole = samples()["rgb.png"]
    after_header = 8 + 25
    assert why_not(whole[:after_header] + plain + whole[after_header:]) == (
        "holds a text of 1,048,584 bytes, more than the limit of 1,048,576"
    )
    assert why_not(whole[:after_header] + packed + whole[after_header:]) == (
        "holds a text that unpacks to more than 1,048,576 bytes"
    )
    many = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * (1 << 20))) * 65
    assert why_not(whole[:after_header] + many + whole[after_header:]) == (
        "holds texts of more than 67,108,864 bytes in all"
    )


def test_a_profile_that_is_a_bomb_is_called_a_profile_and_a_broken_one_does_not_matter():
    whole = samples()["rgb.png"]
    bomb = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(50 << 20)))
    broken = chunk(b"iCCP", b"name\0\0no profile at all")
    assert why_not(whole[:33] + bomb + whole[33:]) == (
        "holds a colour profile that unpacks to more than 1,048,576 bytes"
    )
    assert (decode(whole[:33] + broken + whole[33:]) == decode(whole)).all()


def test_kinds_that_no_decoder_knows_are_not_called_damaged():
    jpeg = samples()["baseline.jpg"]
    hierarchical = jpeg.replace(b"\xff\xc0", b"\xff\xc5", 1)
    twelve_bits = jpeg.replace(b"\xff\xc0\x00\x11\x08", b"\xff\xc0\x00\x11\x0c", 1)
    assert why_not(hierarchical) == why_not(twelve_bits) == "is a JPEG of a kind that cannot be decoded"
    tiff = samples()["raw.tif"]
    compression = struct.pack("<HHI", 259, 3, 1)
    assert why_not(tiff.replace(compression + b"\1\0", compression + struct.pack("<H", 34712))) == (
        "is a TIFF of compression 34712, which cannot be decoded"
    )


def test_a_picture_is_decoded_up_to_our_limit_of_pixels_and_not_that_of_pillow():
    assert colour(encoded(Image.new("1", (19_900, 10_000), 1), "PNG")) == [255] * 3


@pytest.mark.parametrize("header", ["core", "top down", "version 5", "reserved"])
def test_a_bmp_with_an_odd_header_shows_the_picture(header, reference):
    pixels = np.ascontiguousarray(np.asarray(picture())[..., ::-1])
    width, height = picture().size
    if header == "core":
        info = struct.pack("<IHHHH", 12, width, height, 1, 24)
    else:
        size, turned = {"version 5": (124, 1), "top down": (40, -1)}.get(header, (40, 1))
        info = struct.pack("<IiiHHIIiiII", size, width, turned * height, 1, 24, 0, 0, 0, 0, 0, 0)
        info = info.ljust(size, b"\0")
    rows = pixels if header == "top down" else pixels[::-1]
    reserved = 0x01020304 if header == "reserved" else 0
    data = b"BM" + struct.pack("<III", 0, reserved, 14 + len(info)) + info + rows.tobytes()
    assert (decode(data) == reference).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "PPM", "JPEG2000", "AVIF"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_shapes_are_accepted(form, shape):
    data = encoded(Image.new("RGB", shape, (200, 10, 20)), form)
    for fit in images.FITS:
        pixels = decode(data, fit=fit)
        assert pixels.shape == (SIZE, SIZE, 3)
        middle = pixels[SIZE // 2, SIZE // 2].astype(int)
        assert fit == "pad" or np.abs(middle - (200, 10, 20)).max() < 12


# Colours

RED = (200, 10, 20)


def test_cmyk_and_ycck_are_the_colours_that_were_printed():
    ink = Image.new("CMYK", (32, 32), (0, 255, 255, 0))
    for data in (encoded(ink, "JPEG", quality=95), encoded(ink, "TIFF")):
        assert np.abs(np.array(colour(data)) - (255, 0, 0)).max() <= 2


def test_ycck_is_told_by_its_adobe_marker():
    # A YCCK file holds luma and chroma of the ink, then black, inverted; Pillow inverts what it stores.
    y, cb, cr = Image.new("RGB", (1, 1), (255 - 200, 255 - 40, 255 - 90)).convert("YCbCr").getpixel((0, 0))
    stored = Image.new("CMYK", (32, 32), (255 - y, 255 - cb, 255 - cr, 0))
    data = encoded(stored, "JPEG", quality=100)
    marker = data.index(b"Adobe")
    ycck = data[: marker + 11] + b"\x02" + data[marker + 12 :]
    assert np.abs(np.array(colour(ycck)) - (200, 40, 90)).max() <= 3


def test_sixteen_bits_are_scaled_and_not_cut_off():
    half = struct.pack(">H", 0x8080)
    deep = struct.pack(">HHH", 0xFFFF, 0x8080, 0x0101)
    assert colour(png(half * 16, 4, 4, 16, 0)) == [128] * 3
    assert colour(png(deep * 16, 4, 4, 16, 2)) == [255, 128, 1]
    assert colour(encoded(Image.fromarray(np.full((4, 4), 0x8080, np.uint16)), "TIFF")) == [128] * 3
    assert colour(b"P5 4 4 65535\n" + half * 16) == [128] * 3
    assert colour(b"P6 4 4 65535\n" + deep * 16) == [255, 128, 1]


def test_sixteen_bits_of_rgb_in_a_tiff_are_scaled():
    pixels = np.zeros((4, 4, 3), "<u2")
    pixels[:] = (0xFFFF, 0x8080, 0x0101)
    entries = [(256, 4), (257, 4), (258, 16), (259, 1), (262, 2), (273, 200), (277, 3), (278, 4), (279, 96)]
    directory = struct.pack("<H", len(entries))
    for tag, value in entries:
        # Three bits per sample do not fit into an entry: they stand before the pixels.
        directory += (
            struct.pack("<HHII", tag, 3, 3, 190) if tag == 258 else struct.pack("<HHII", tag, 3, 1, value)
        )
    head = (b"II*\0\x08\0\0\0" + directory + b"\0\0\0\0").ljust(190, b"\0") + struct.pack("<HHH", 16, 16, 16)
    assert colour(head.ljust(200, b"\0") + pixels.tobytes()) == [255, 128, 1]


def test_lab_is_converted():
    neutral = Image.new("LAB", (4, 4), (255, 128, 128))
    assert min(colour(encoded(neutral, "TIFF"))) >= 253


def test_grey_of_floats_is_scaled_from_zero_to_one_or_stretched():
    assert colour(encoded(Image.fromarray(np.full((4, 4), 0.5, np.float32)), "TIFF")) == [128] * 3
    ramp = np.linspace(-500, 1500, 16, dtype=np.float32).reshape(4, 4)
    pixels = decode(encoded(Image.fromarray(ramp), "TIFF"), size=4)
    assert pixels[0, 0].tolist() == [0] * 3
    assert pixels[3, 3].tolist() == [255] * 3
    ramp[0, 0] = np.nan
    assert decode(encoded(Image.fromarray(ramp), "TIFF"), size=4).shape == (4, 4, 3)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "JPEG2000"])
def test_what_is_transparent_becomes_white(form):
    assert colour(encoded(Image.new("RGBA", (4, 4), (*RED, 0)), form)) == [255] * 3
    assert colour(encoded(Image.new("RGBA", (4, 4), (*RED, 255)), form)) == list(RED)
    half = np.array(colour(encoded(Image.new("RGBA", (4, 4), (*RED, 128)), form)))
    assert np.abs(half - (227, 132, 137)).max() <= 1


def test_palettes_and_grey_with_transparency_become_white_too():
    palette = (b"PLTE", bytes(RED) + b"\0\0\0")
    assert colour(png(b"\0" * 16, 4, 4, 8, 3, palette)) == list(RED)
    assert colour(png(b"\0" * 16, 4, 4, 8, 3, palette, (b"tRNS", b"\0"))) == [255] * 3
    assert colour(png(b"\0" * 16, 4, 4, 8, 3, palette, (b"tRNS", b"\x80"))) == [227, 132, 137]
    assert colour(png(bytes(RED) * 16, 4, 4, 8, 2, (b"tRNS", struct.pack(">HHH", *RED)))) == [255] * 3
    assert colour(png(b"\0\0" * 16, 4, 4, 8, 4)) == [255] * 3
    deep = struct.pack(">H", 700)
    assert colour(png(deep * 16, 4, 4, 16, 0, (b"tRNS", deep))) == [255] * 3
    gif = Image.new("P", (8, 8), 0)
    gif.putpalette(bytes(RED))
    assert colour(encoded(gif, "GIF")) == list(RED)
    assert colour(encoded(gif, "GIF", transparency=0)) == [255] * 3


def test_only_the_first_frame_counts():
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), "blue")
    for form in ("GIF", "WEBP", "PNG", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        data = encoded(first, form, save_all=True, append_images=[second], **options)
        assert colour(data) == list(RED)


def test_the_first_picture_of_an_mpo_is_taken():
    first, second = Image.new("RGB", (16, 16), RED), Image.new("RGB", (16, 16), "blue")
    assert (
        np.abs(np.array(colour(encoded(first, "MPO", save_all=True, append_images=[second]))) - RED).max() < 4
    )


def test_an_embedded_profile_is_obeyed():
    swapped = profile_with_red_and_green_exchanged()
    image = Image.new("RGB", (16, 16), (200, 0, 0))
    plain = colour(encoded(image, "PNG"))
    profiled = colour(encoded(image, "PNG", icc_profile=swapped))
    assert plain == [200, 0, 0]
    assert profiled[1] > 150
    assert profiled[0] < 100


def test_a_profile_of_srgb_or_one_that_cannot_be_read_changes_nothing():
    image = Image.new("RGB", (16, 16), RED)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"no profile", srgb[:200]):
        assert colour(encoded(image, "PNG", icc_profile=profile)) == list(RED)


def profile_with_red_and_green_exchanged() -> bytes:
    """sRGB whose red and green primaries have changed places: nobody can take it for sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {}
    for i in range(int.from_bytes(profile[128:132], "big")):
        entry = 132 + 12 * i
        places[bytes(profile[entry : entry + 4])] = entry
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"
    return (
        bytes(profile)
        .replace("sRGB".encode("utf-16-be"), "none".encode("utf-16-be"))
        .replace(b"sRGB", b"none")
    )


# Geometry


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_the_eight_orientations_of_one_picture_are_the_same_pixels(form, reference):
    options = {"lossless": True} if form == "WEBP" else {}
    for orientation, turn in TURNS.items():
        stored = picture() if turn is None else picture().transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert (decode(encoded(stored, form, exif=exif, **options)) == reference).all()


def test_the_eight_orientations_of_a_jpeg_agree(reference):
    for orientation, turn in TURNS.items():
        stored = picture() if turn is None else picture().transpose(turn)
        exif = Image.Exif()
        exif[0x0112] = orientation
        assert np.abs(decode(encoded(stored, "JPEG", exif=exif, quality=95)) - reference).max() < 10


def test_damaged_exif_data_do_not_spoil_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a description that is long enough to be stored elsewhere"
    data = encoded(picture(), "JPEG", exif=exif)
    begin = data.index(b"Exif")
    broken = data[: begin + 14] + b"\xff" * 30 + data[begin + 44 :]
    assert decode(broken).shape == (SIZE, SIZE, 3)


def test_each_fit_does_what_it_says():
    image = Image.new("RGB", (64, 32), "red")
    image.paste("blue", (16, 0, 48, 32))
    data = encoded(image, "PNG")
    stretched, cropped, padded = (decode(data, fit=fit).astype(int) for fit in ("stretch", "crop", "pad"))
    assert stretched[16, 2].tolist() == stretched[16, -3].tolist() == [255, 0, 0]
    assert stretched[2, 16].tolist() == [0, 0, 255]
    assert (cropped == (0, 0, 255)).all()
    assert padded[2, 16].tolist() == padded[-3, 16].tolist() == [255] * 3
    assert padded[16, 2].tolist() == [255, 0, 0]
    assert padded[16, 16].tolist() == [0, 0, 255]


def test_shrinking_blends_fine_patterns():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    pixels = decode(encoded(Image.fromarray(stripes), "PNG"))[4:-4, 4:-4]
    assert np.abs(pixels.astype(int) - 127).max() <= 3


def test_a_large_jpeg_is_scaled_by_its_decoder_to_nearly_the_same_pixels():
    large = picture(1600, 1200)  # eight times the size and more: halved by the decoder
    for form in ("crop", "stretch"):
        fast = decode(encoded(large, "JPEG", quality=92), 96, form).astype(int)
        full = decode(encoded(large, "PNG"), 96, form).astype(int)
        assert np.abs(fast - full).mean() < 2


def test_a_fit_or_size_that_does_not_exist_is_wrong_usage():
    with pytest.raises(UsageError, match="'squash'"):
        Resize(224, "squash")
    with pytest.raises(UsageError, match="not 0"):
        Resize(0)
