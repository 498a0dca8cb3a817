"""Damage in the middle of a JPEG, which libjpeg fills with grey and passes over in silence."""

import pytest
from image_samples import decode, encoded, picture, samples
from PIL import Image

from embed.errors import ImageError

WHOLE = encoded(picture(400, 300), "JPEG", quality=90)
END = len(WHOLE) - 2  # where the end marker stands


def why_not(data: bytes) -> str:
    with pytest.raises(ImageError) as failure:
        decode(data)
    return str(failure.value)


def pillow_accepts(data: bytes, tmp_path) -> bool:
    (tmp_path / "photo.jpg").write_bytes(data)
    with Image.open(tmp_path / "photo.jpg") as image:
        image.load()
    return True


@pytest.mark.parametrize("lost", [10, 100, 1000, len(WHOLE) // 2])
def test_data_missing_before_the_end_marker_are_noticed(lost, tmp_path):
    damaged = WHOLE[: END - lost] + WHOLE[END:]
    assert pillow_accepts(damaged, tmp_path)  # and shows grey
    assert why_not(damaged) == "damaged JPEG: data of the picture are missing"


def test_data_missing_in_the_middle_are_noticed(tmp_path):
    damaged = WHOLE[: END // 2] + WHOLE[END // 2 + 1000 :]
    assert pillow_accepts(damaged, tmp_path)
    assert why_not(damaged) == "damaged JPEG: data of the picture are missing"


def test_foreign_data_in_the_middle_are_noticed(tmp_path):
    damaged = WHOLE[: END // 2] + bytes(range(1, 255)) * 4 + WHOLE[END // 2 :]
    assert pillow_accepts(damaged, tmp_path)
    assert why_not(damaged).startswith("damaged JPEG")


def test_padding_before_the_end_marker_is_allowed():
    for padding in (b"\0" * 50, b"\xff" * 50):
        padded = WHOLE[:END] + padding + WHOLE[END:]
        assert (decode(padded) == decode(WHOLE)).all()


def test_a_lost_strip_between_restart_markers_is_noticed():
    data = samples()["restarts.jpg"]
    first, second = data.index(b"\xff\xd1"), data.index(b"\xff\xd2")
    assert why_not(data[:first] + data[second:]) == "damaged JPEG: a strip of the picture is missing"


def test_scans_missing_from_a_progressive_file_are_noticed(tmp_path):
    data = samples()["progressive.jpg"]
    last = data.rindex(b"\xff\xda")
    damaged = data[:last] + data[-2:]
    assert pillow_accepts(damaged, tmp_path)
    assert why_not(damaged) == "truncated JPEG: its last scans are missing"


def test_every_kind_of_whole_file_passes():
    for options in (
        {"subsampling": 0},
        {"subsampling": 2},
        {"optimize": True},
        {"progressive": True},
        {"restart_marker_rows": 1},
        {"quality": 5},
        {"quality": 100},
    ):
        for mode in ("RGB", "L", "CMYK"):
            for shape in ((1, 1), (17, 33), (400, 300)):
                data = encoded(picture(*shape).convert(mode), "JPEG", **options)
                assert decode(data).shape == (32, 32, 3)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 4}, {"optimize": True}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_file_without_an_end_marker_is_whole_when_its_picture_is(mode, options):
    for shape in ((96, 72), (400, 300)):
        whole = encoded(picture(*shape).convert(mode), "JPEG", **options)
        expected = decode(whole, max(shape))
        for end in (b"", b"\xff", bytes(60)):
            assert (decode(whole[:-2] + end, max(shape)) == expected).all()
        for lost in range(3, 13):
            try:
                shown = decode(whole[:-lost], max(shape))
            except ImageError as error:
                assert str(error) in ("truncated JPEG", "damaged JPEG: data of the picture are missing")
            else:
                assert (shown == expected).all()  # what is lost was padding


@pytest.mark.photographs
def test_real_photographs_pass(clothing, ants_bees):
    for folder, every in ((clothing, 30), (ants_bees, 4)):
        for file in sorted(folder.rglob("*.jpg"))[::every]:
            decode(file.read_bytes(), 8)
