"""The drawn data set."""

import numpy as np

from embed import demo


def test_the_pictures_of_the_demo_do_not_depend_on_how_many_are_drawn(tmp_path):
    demo.draw(tmp_path / "few", train=1, test=0)
    demo.draw(tmp_path / "more", train=2, test=1)
    few = sorted((tmp_path / "few").rglob("*.jpg"))
    assert len(few) == 6
    for picture in few:
        same = tmp_path / "more" / picture.relative_to(tmp_path / "few")
        assert picture.read_bytes() == same.read_bytes()


def test_two_pictures_of_the_demo_are_never_alike():
    rng = np.random.default_rng(0)
    first, second = (np.asarray(demo.picture("tree", rng), int) for _ in range(2))
    assert np.abs(first - second).mean() > 10
