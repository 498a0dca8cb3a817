"""What a program hands over: the same pixels as the file, whatever form it comes in, or one sentence with its place."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from image_samples import encoded, picture, png, samples
from PIL import Image, ImageCms, ImageOps

from embed.errors import InputError
from embed.images import Decoder, Given, Resize

SIZE = 48
PICTURE = picture()
COLOUR = np.asarray(PICTURE)


def outcomes(given, **options) -> list:
    source = Given(given, **options)
    with Decoder(Resize(SIZE), workers=2) as decoder:
        return list(decoder.map(source.read([*source.items()])))


def pixels(given) -> np.ndarray:
    (outcome,) = outcomes(given)
    assert outcome.problem is None
    return outcome.pixels[0].astype(int)


def refusal(given) -> str:
    with pytest.raises(InputError) as refused:
        Given(given)
    return str(refused.value)


def files() -> dict[str, bytes]:
    """Files of every mode that Pillow opens, turned, transparent and with a profile."""
    sideways, profile = Image.Exif(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    sideways[0x0112] = 6
    other = (
        bytes(profile)
        .replace("sRGB".encode("utf-16-be"), "none".encode("utf-16-be"))
        .replace(b"sRGB", b"none")
    )
    translucent = PICTURE.convert("RGBA")
    translucent.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    deep = Image.fromarray(np.asarray(PICTURE.convert("L")).astype(np.uint16) << 4)
    cut_out = PICTURE.quantize(32)
    return samples() | {
        "rgba.png": encoded(translucent, "PNG"),
        "grey-alpha.png": encoded(translucent.convert("LA"), "PNG"),
        "bit.png": encoded(PICTURE.convert("1"), "PNG"),
        "see-through.png": encoded(cut_out, "PNG", transparency=5),
        "see-through-in-parts.png": encoded(cut_out, "PNG", transparency=bytes(range(0, 256, 8))),
        "see-through.gif": encoded(cut_out, "GIF", transparency=5),
        "one-colour-is-clear.png": encoded(PICTURE, "PNG", transparency=PICTURE.getpixel((3, 3))),
        "palette-of-rgba.png": encoded(translucent.quantize(32), "PNG"),
        "turned.jpg": encoded(PICTURE, "JPEG", exif=sideways, quality=95),
        "turned.png": encoded(PICTURE, "PNG", exif=sideways),
        "turned.tif": encoded(PICTURE, "TIFF", exif=sideways),
        "turned.webp": encoded(PICTURE, "WEBP", exif=sideways, lossless=True),
        "turned-cmyk.jpg": encoded(PICTURE.convert("CMYK"), "JPEG", exif=sideways),
        "profile.jpg": encoded(PICTURE, "JPEG", icc_profile=other),
        "profile.png": encoded(PICTURE, "PNG", icc_profile=other),
        "deep.tif": encoded(deep, "TIFF"),
        "twelve.png": encoded(deep, "PNG"),
        "int.tif": encoded(deep.convert("I"), "TIFF"),
        "float.tif": encoded(Image.fromarray(COLOUR[..., 0] / np.float32(255)), "TIFF"),
        "lab.tif": encoded(ImageCms.profileToProfile(PICTURE, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"), "TIFF"),
        "cmyk.tif": encoded(PICTURE.convert("CMYK"), "TIFF"),
        "ycc.tif": encoded(PICTURE.convert("YCbCr"), "TIFF"),
        "thumbnail.mpo": encoded(PICTURE, "MPO", save_all=True, append_images=[PICTURE.rotate(180)]),
    }  # fmt: skip


@pytest.mark.parametrize("name", list(files()))
def test_a_photograph_has_the_same_pixels_in_every_form(name, tmp_path):
    data = files()[name]
    path = tmp_path / name
    path.write_bytes(data)
    expected = pixels(path)
    with path.open("rb") as file:
        for form in (str(path), data, bytearray(data), memoryview(data), io.BytesIO(data), file):
            assert (pixels(form) == expected).all()
    for file in (path, io.BytesIO(data)):
        with Image.open(file) as image:
            assert (pixels(image) == expected).all()
            image.load()
            assert (pixels(image) == expected).all()
            assert (pixels(image.copy()) == expected).all()


def test_other_modes_are_the_colours_that_they_name():
    expected = pixels(PICTURE)
    translucent = PICTURE.convert("RGBA")
    translucent.putalpha(Image.linear_gradient("L").resize(PICTURE.size))
    for mode in ("YCbCr", "HSV", "RGBX"):
        assert np.abs(pixels(PICTURE.convert(mode)) - expected).max() < 12
    assert np.abs(pixels(translucent.convert("RGBa")) - pixels(translucent)).max() < 4
    assert (
        np.abs(pixels(translucent.convert("LA").convert("La")) - pixels(translucent.convert("LA"))).max() < 4
    )
    big_endian = Image.frombytes("I;16B", (8, 8), np.arange(0, 65536, 1024, ">u2").tobytes())
    little_endian = Image.frombytes("I;16", (8, 8), np.arange(0, 65536, 1024, "<u2").tobytes())
    assert (pixels(big_endian) == pixels(little_endian)).all()


def test_an_image_that_was_worked_on_is_not_its_file(tmp_path):
    PICTURE.save(tmp_path / "photo.png")
    with Image.open(tmp_path / "photo.png") as image:
        image.paste((255, 0, 0), (0, 0, *image.size))
        assert (pixels(image) == (255, 0, 0)).all()
    moving = Image.open(io.BytesIO(samples()["moving.gif"]))
    moving.seek(1)
    assert np.abs(pixels(moving) - pixels(moving.convert("RGB"))).max() == 0
    assert np.abs(pixels(moving) - pixels(io.BytesIO(samples()["moving.gif"]))).mean() > 20
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(files()["turned.jpg"])))
    assert (pixels(turned) == pixels(files()["turned.jpg"])).all()


def test_an_image_that_is_not_loaded_is_decoded_as_its_file_is():
    planes = np.ascontiguousarray(np.moveaxis(COLOUR, -1, 0)).astype(np.uint16) * 257
    stream = io.BytesIO()
    tifffile.imwrite(stream, planes, photometric="rgb", planarconfig="separate")  # Pillow reads stripes
    image = Image.open(stream)
    position = stream.tell()
    assert (pixels(image) == pixels(PICTURE)).all()
    assert stream.tell() == position


@pytest.mark.parametrize(
    "array",
    [
        COLOUR,
        COLOUR[..., ::-1][..., ::-1],
        np.dstack([COLOUR, np.full(COLOUR.shape[:2], 255, np.uint8)]),
        COLOUR[None],
    ],
)
def test_arrays_of_colours_are_the_picture(array):
    assert (pixels(array) == pixels(PICTURE)).all()


def test_arrays_of_grey_are_the_picture():
    grey = PICTURE.convert("L")
    for array in (
        np.asarray(grey),
        np.asarray(grey)[..., None],
        np.asarray(grey)[None],
        np.asarray(grey)[None, ..., None],
    ):
        assert (pixels(array) == pixels(grey)).all()


def test_what_is_transparent_in_an_array_is_white():
    clear = np.dstack([COLOUR, np.zeros(COLOUR.shape[:2], np.uint8)])
    assert (pixels(clear) == 255).all()


def test_several_photographs_come_in_any_collection(tmp_path):
    path = tmp_path / "photo.png"
    PICTURE.save(path)
    mixed = [path, COLOUR, PICTURE, path.read_bytes(), io.BytesIO(path.read_bytes())]
    column = pd.Series([COLOUR, PICTURE, path], index=[7, 8, 9])
    expected = pixels(path)
    for given, count in (
        (mixed, 5),
        (tuple(mixed), 5),
        (iter(mixed), 5),
        (column, 3),
        (np.stack([COLOUR] * 6), 6),
        (np.array([str(path)] * 2), 2),
        (np.array([[str(path)]] * 2), 2),
        (pd.DataFrame({"path": [str(path)] * 2}), 2),
        (pd.Series([str(path)] * 2, dtype="string"), 2),
        ([PICTURE] * 9, 9),
    ):
        results = outcomes(given)
        assert len(results) == count
        assert all((result.pixels[0] == expected).all() for result in results)
    assert outcomes([]) == outcomes(np.array([])) == outcomes(np.zeros((0, 9, 9, 3), np.uint8)) == []
    assert len(outcomes(np.zeros((9, 20, 30), np.uint8))) == 9


def test_photographs_are_named_by_their_path_or_their_place(tmp_path):
    path = tmp_path / "photo.png"
    PICTURE.save(path)
    names = [result.item.name for result in outcomes([COLOUR, path, PICTURE])]
    assert names == ["photograph 0", str(path), "photograph 2"]


def test_a_folder_stands_for_its_photographs_where_that_is_wanted(tmp_path):
    for name in ("a.png", "b.png"):
        PICTURE.save(tmp_path / name)
    assert [result.item.name for result in outcomes([COLOUR, tmp_path], folders=True)] == [
        "photograph 0",
        str(tmp_path / "a.png"),
        str(tmp_path / "b.png"),
    ]
    assert outcomes(tmp_path)[0].problem == "is a folder, not a file"


FLOATS = COLOUR / 255
WITH_NAN = FLOATS.copy()
WITH_NAN[1, 2, 0] = np.nan
FIRST = np.moveaxis(COLOUR, -1, 0)


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (None, "photograph 1 is missing (None)."),
        (float("nan"), "photograph 1 is missing (nan)."),
        (pd.NA, "photograph 1 is missing (<NA>)."),
        (7, "photograph 1 is 7, which is not a path, the bytes of a file,"),
        ({"path": 1}, "photograph 1 is {'path': 1}, which is not a path,"),
        ("", "photograph 1 is '', which is no path."),
        ("a\0b", r"photograph 1 is 'a\x00b', which is no path."),
        ("https://example.org/a.jpg", "photograph 1 is a URL, 'https://example.org/a.jpg', and nothing is downloaded here:"),
        (Path("https://example.org/a.jpg"), "photograph 1 is a URL,"),
        ("s3://bucket/a.jpg", "photograph 1 is a URL,"),
        ("data:image/png;base64," + "A" * 9999, "photograph 1 is a URL,"),
        (FIRST, "photograph 1 is an array of dtype uint8 and shape (3, 72, 96), channels first; they come last: np.moveaxis(array, 0, -1)."),
        (FLOATS, "photograph 1 is an array of dtype float64 and shape (72, 96, 3) and values from 0."),
        (FLOATS.astype(np.float32) * 255, "pixels are uint8, from 0 to 255: array.round().astype('uint8')."),
        (WITH_NAN, "photograph 1 is an array of dtype float64 and shape (72, 96, 3), with values that are no numbers"),
        (COLOUR.astype(int) - 100, "photograph 1 is an array of dtype int64 and shape (72, 96, 3) and values from -"),
        (COLOUR.astype(int), "from 0 to 255: array.astype('uint8')."),
        (COLOUR.astype(np.uint16) * 257, "scale the array, or give a file of 16 bits."),
        (COLOUR > 9, "photograph 1 is an array of dtype bool and shape (72, 96, 3); pixels are numbers of uint8."),
        (COLOUR.astype(object), "photograph 1 is an array of dtype object and shape (72, 96, 3); pixels are numbers of uint8."),
        (COLOUR.astype(complex), "photograph 1 is an array of dtype complex128"),
        (np.zeros((0, 9, 3), np.uint8), "photograph 1 is an array of dtype uint8 and shape (0, 9, 3): it is empty."),
        (COLOUR[..., :2], "a picture has the shape (h, w) or (h, w, 1|3|4)."),
        (COLOUR[None], "a picture has the shape (h, w) or (h, w, 1|3|4)."),
        (COLOUR[0, 0], "a picture has the shape (h, w) or (h, w, 1|3|4)."),
        (COLOUR.tolist(), "photograph 1 is an array of dtype int64 and shape (72, 96, 3)"),
        ([[1, 2], [3]], "photograph 1 is a list that is no array:"),
        (Image.new("RGB", (0, 4)), "photograph 1 is an image of Pillow of 0 × 4 pixels."),
    ],
)  # fmt: skip
def test_what_is_no_photograph_is_told_with_its_place(one, sentence):
    assert sentence in refusal([COLOUR, one])


def test_what_is_no_collection_of_photographs_is_told():
    assert refusal(FIRST).startswith(
        "photograph 0 is an array of dtype uint8 and shape (3, 72, 96), channels first"
    )
    assert "channels first" in refusal(np.stack([FIRST] * 2))
    for channels in (2, 5):
        array = np.zeros((72, 96, channels), np.uint8)
        assert f"shape (72, 96, {channels}); a picture has the shape (h, w) or (h, w, 1|3|4)" in refusal(
            array
        )
    assert refusal(5).startswith("5 is not a path, the bytes of a file,")
    assert refusal({"a": 1}).startswith("{'a': 1} is not a path,")
    assert refusal(None).startswith("None is not a path,")
    assert refusal(pd.DataFrame({"a": [1, 2], "b": [3, 4]})).startswith("A table of numbers is no photograph")
    assert "neither a column of photographs nor pixels" in refusal(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    assert "dtype float64" in refusal(np.zeros((1, 8, 8, 3)))


def test_what_cannot_be_read_is_told_of_that_photograph_alone(tmp_path):
    (tmp_path / "photo.png").write_bytes(samples()["rgb.png"])
    closed = (tmp_path / "photo.png").open("rb")
    closed.close()
    as_text = io.StringIO("text")
    cut = Image.open(io.BytesIO(samples()["rgb.png"][:-30]))
    late = Image.open(tmp_path / "photo.png")
    late.close()
    gone, empty, deep = tmp_path / "gone.png", b"", png(b"\0" * 32, 4, 4, 16, 0)
    problems = [one.problem for one in outcomes([closed, as_text, cut, late, gone, empty, deep])]
    assert problems[0].startswith("cannot be read: ")
    assert problems[1] == "is a file opened as text; open it with mode 'rb'"
    assert problems[2] == "truncated PNG"
    assert problems[3].startswith("cannot be read: ")
    assert problems[4:] == ["there is no such file", "is empty", None]
