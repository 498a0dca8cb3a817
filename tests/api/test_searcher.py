"""A feature set that stays open for many questions, from many threads."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import embed
from embed import demo
from embed.errors import ImageError, WeightsError
from embed.extract import outside


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searcher")
    demo.draw(folder / "pictures", train=4, test=1)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny")
    demo.draw(folder / "new", train=2, test=0, seed=9)
    return embed.open(folder / "cache")


@pytest.fixture
def opened(monkeypatch):
    """How often a network was opened."""
    calls, open_runtime = [], outside.open_runtime
    monkeypatch.setattr(
        outside, "open_runtime", lambda *args, **options: calls.append(args) or open_runtime(*args, **options)
    )
    return calls


def test_what_questions_need_is_opened_once(features, opened):
    searcher = features.searcher()
    assert searcher.similar(features.files[0], k=2)["rank"].tolist() == [1, 2] and opened == []
    new = sorted((features.root.parent / "new").rglob("*.jpg"))
    for file in new[:3]:
        assert len(searcher.similar(file, k=2)) == 2
    features.similar(new[0])
    features.similar(new[1])
    assert len(opened) == 2  # by this one, and by the one that the features keep


def test_any_thread_may_ask(features, opened):
    new = sorted((features.root.parent / "new").rglob("*.jpg"))
    expected = {file: features.searcher().similar(file, k=3)["path"].tolist() for file in new}
    opened.clear()
    searcher, barrier = features.searcher(), threading.Barrier(6)

    def ask(file):
        barrier.wait()
        forms = (file, file.read_bytes())
        return [searcher.similar(one, k=3)["path"].tolist() for one in forms]

    with ThreadPoolExecutor(6) as threads:
        for file, answers in zip(new[:6], threads.map(ask, new[:6]), strict=True):
            assert answers == [expected[file]] * 2
    assert len(opened) == 1


def test_a_photograph_may_come_in_any_form(features):
    searcher = features.searcher()
    file = features.files[3]
    with Image.open(file) as image:
        image.load()
    for one in (file, file.read_bytes(), image, np.asarray(image)):
        found = list(searcher.neighbours(one, 4, include_self=True))
        assert found[0].neighbours[0].path == features.paths[3]
    with pytest.raises(ImageError, match="is text, not an image"):
        searcher.similar(b"no photograph")


def test_a_network_that_could_not_be_opened_is_tried_again(features, monkeypatch):
    (new, *_) = (features.root.parent / "new").rglob("*.jpg")
    searcher = features.searcher()
    with monkeypatch.context() as broken:

        def refuse(*_, **__):
            raise WeightsError("the weights are gone")

        broken.setattr(outside, "open_runtime", refuse)
        with pytest.raises(WeightsError, match="are gone"):
            searcher.similar(new)
    assert len(searcher.similar(new, k=2)) == 2


def test_conditions_and_labels_hold(features):
    searcher = features.searcher(where="split == 'train'")
    found = searcher.similar(features.files[0], k=50, label="sun")
    assert set(found["label"]) == {"sun"} and len(found) == 4
