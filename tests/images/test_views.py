"""Augmented views: reproducible, and of the photograph that they are said to show."""

import numpy as np
import pytest
from image_samples import decode, encoded, picture

from embed import images

SHA = bytes(range(32))


@pytest.fixture(scope="module")
def pixels():
    return decode(encoded(picture(), "PNG"), 64)


def test_the_first_view_is_the_photograph_itself(pixels):
    assert (images.augment(pixels, 4, 0, SHA)[0] == pixels).all()
    assert images.augment(pixels, 1, 0, SHA).shape == (1, 64, 64, 3)


def test_views_are_the_same_every_time_and_follow_seed_and_content(pixels):
    views = images.augment(pixels, 4, 0, SHA)
    assert (images.augment(pixels, 4, 0, SHA) == views).all()
    assert (images.augment(pixels, 4, 1, SHA)[1:] != views[1:]).any()
    assert (images.augment(pixels, 4, 0, SHA[::-1])[1:] != views[1:]).any()


def test_more_views_leave_the_first_ones_as_they_were(pixels):
    assert (images.augment(pixels, 8, 0, SHA)[:4] == images.augment(pixels, 4, 0, SHA)).all()


def test_views_differ_from_one_another_but_show_the_same_picture(pixels):
    views = images.augment(pixels, 30, 0, SHA).astype(int)
    flipped = views[:, :, ::-1]
    likeness = [
        max(np.corrcoef(v.ravel(), pixels.ravel())[0, 1], np.corrcoef(f.ravel(), pixels.ravel())[0, 1])
        for v, f in zip(views, flipped, strict=True)
    ]
    assert min(likeness) > 0.5
    assert len(np.unique(views.reshape(30, -1), axis=0)) == 30


def test_no_view_has_an_empty_border(pixels):
    bright = np.full_like(pixels, 200)
    views = images.augment(bright, 50, 3, SHA)
    assert views.min() >= 155  # darkened by a fifth at the most, never black


def test_both_directions_of_flips_occur(pixels):
    halves = np.zeros_like(pixels)
    halves[:, 32:] = 200
    left_is_brighter = [v[:, :16].mean() > v[:, -16:].mean() for v in images.augment(halves, 40, 0, SHA)[1:]]
    assert 8 < sum(left_is_brighter) < 31
