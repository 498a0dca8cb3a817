"""What a server says of photographs is what the library says, whoever asks at the same time."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from serving import served

import embed
from embed import demo


@pytest.fixture(scope="module")
def strangers(tmp_path_factory):
    """Pictures that the collection has not, by their name."""
    folder = tmp_path_factory.mktemp("strangers")
    demo.draw(folder, train=2, test=1, seed=7)
    return {file.name: file.read_bytes() for file in sorted((folder / "train").rglob("*.jpg"))}


@pytest.fixture(scope="module")
def features(drawn):
    return embed.open(drawn / "cache")


def ask(site, path, pictures, **fields):
    files = [("photographs", name, data) for name, data in pictures.items()]
    answer = site.ask(path, "POST", files=files, send=fields)
    assert answer.status == 200, answer.body
    return answer.document


def test_predict_says_what_the_library_says(site, features, strangers):
    document = ask(site, "/api/predict", strangers, top=2)
    table = features.predict(list(strangers.values()))
    assert [one["label"] for one in document["photographs"]] == table["label"].tolist()
    np.testing.assert_allclose(
        [one["probability"] for one in document["photographs"]], table["probability"], rtol=1e-5
    )
    assert [one["photograph"] for one in document["photographs"]] == list(strangers)
    assert all(len(one["top"]) == 2 for one in document["photographs"])
    assert document["model"] == "logistic" and document["classes"] == features.classes


def test_similar_says_what_the_library_says(site, features, strangers):
    document = ask(site, "/api/similar", strangers, k=4, split="train")
    table = features.similar(list(strangers.values()), k=4, split="train")
    found = [[near["path"] for near in one["neighbours"]] for one in document["queries"]]
    assert found == table.groupby("query", sort=False)["path"].agg(list).tolist()
    similarities = [near["similarity"] for one in document["queries"] for near in one["neighbours"]]
    np.testing.assert_allclose(similarities, table["similarity"], atol=1e-5)
    assert all(near["split"] == "train" for one in document["queries"] for near in one["neighbours"])


def test_a_photograph_that_is_there_is_asked_about_by_its_path(site, features):
    path = features.paths[3]
    (one,) = site.post("/api/similar", paths=[path], k=3)["queries"]
    table = features.similar(features.files[3], k=3)
    assert [near["path"] for near in one["neighbours"]] == table["path"].tolist()
    (predicted,) = site.post("/api/predict", paths=[path])["photographs"]
    assert predicted["label"] == features.model().predict(features.X[3:4])[0]


def test_the_body_may_be_the_photograph(site, strangers):
    name, data = next(iter(strangers.items()))
    raw = site.ask("/api/predict", "POST", data=data, headers={"Content-Type": "image/jpeg"})
    assert (
        raw.document["photographs"][0]["label"]
        == ask(site, "/api/predict", {name: data})["photographs"][0]["label"]
    )


def test_together_is_the_mean_and_less_turns_away_from_it(site, features):
    y = features.y
    sun, tree = (features.paths[y == name][0] for name in ("sun", "tree"))
    both = site.post("/api/similar", paths=[sun, tree], together=True, k=20)["neighbours"]
    assert {sun, tree}.isdisjoint(near["path"] for near in both)
    X = features.X / np.linalg.norm(features.X, axis=1, keepdims=True)
    row = {path: i for i, path in enumerate(features.paths)}

    def order(query):
        scores = X @ query
        scores[[row[sun], row[tree]]] = -2
        return [features.paths[i] for i in np.argsort(-scores)[:5]]

    mean = X[row[sun]] + X[row[tree]]
    assert [near["path"] for near in both[:5]] == order(mean)
    less = site.post("/api/similar", paths=[sun], less_paths=[tree], together=True, k=20)["neighbours"]
    assert [near["path"] for near in less[:5]] == order(X[row[sun]] - 0.5 * X[row[tree]])


def test_what_is_no_photograph_is_told_and_the_others_go_on(site, strangers):
    name, data = next(iter(strangers.items()))
    pictures = {
        "broken.jpg": data[:300],
        name: data,
        "<script>alert(1)</script>.txt": b"<script>alert(1)</script>",
    }
    document = ask(site, "/api/predict", pictures)
    problems = [one["problem"] for one in document["photographs"]]
    assert problems[1] is None and problems[0] and problems[2]
    document = ask(site, "/api/similar", pictures)
    assert [bool(one["neighbours"]) for one in document["queries"]] == [False, True, False]


@pytest.mark.parametrize(
    ("path", "send", "status", "said"),
    [
        ("/api/similar", {"paths": ["nothing.jpg"]}, 404, "nothing.jpg"),
        ("/api/similar", {}, 400, "photographs"),
        ("/api/similar", {"paths": ["a"], "k": 0}, 400, "k must lie"),
        ("/api/similar", {"paths": ["a"], "k": "many"}, 400, "k must be a whole number"),
        ("/api/similar", {"paths": "a", "kk": 1}, 400, "kk is not known"),
        ("/api/similar", {"paths": [1]}, 400, "paths must be a list"),
        ("/api/similar", {"paths": ["test/sun/sun-000.jpg"], "label": "cat"}, 409, "cat"),
        ("/api/similar", {"paths": ["test/sun/sun-000.jpg"], "split": "cat"}, 400, "split"),
        ("/api/similar", {"paths": ["a"], "less_paths": ["b"]}, 400, "together"),
        (
            "/api/predict",
            {"paths": ["test/sun/sun-000.jpg"], "min_probability": float("nan")},
            400,
            "min_probability",
        ),
        ("/api/photos?limit=100000", None, 400, "limit"),
        ("/api/photos?order=size", None, 400, "order"),
        ("/api/photos?where=1+%2B", None, 400, "where"),
    ],
)
def test_what_cannot_be_answered_is_told_in_a_sentence(site, path, send, status, said):
    answer = site.ask(path, "GET" if send is None else "POST", send=send)
    assert answer.status == status, answer.body
    assert said in answer.document["error"]


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"[" * 100_000, b'{"paths": []}'], ids=range(5))
def test_a_body_that_is_no_question_is_refused(site, data):
    answer = site.ask("/api/similar", "POST", data=data, headers={"Content-Type": "application/json"})
    assert answer.status == 400 and answer.document["error"]


def test_many_who_ask_at_once_get_their_own_answers(site, features, strangers):
    alone = dict(zip(strangers, features.predict(list(strangers.values()))["label"], strict=True))
    asked = list(strangers) * 4
    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(lambda name: ask(site, "/api/predict", {name: strangers[name]}), asked))
    assert [one["photographs"][0]["label"] for one in found] == [alone[name] for name in asked]


def test_requests_that_wait_are_computed_together_and_too_many_are_refused(drawn, strangers):
    with served(drawn / "cache", most_waiting=6) as site:
        batches = site.desk.batches
        sizes, make = [], batches._make
        batches._make = lambda photographs: (sizes.append(len(photographs)), make(photographs))[1]
        with ThreadPoolExecutor(16) as threads:
            asked = [name for name in strangers for _ in range(3)]
            files = [[("photographs", name, strangers[name])] for name in asked]
            statuses = list(
                threads.map(lambda one: site.ask("/api/predict", "POST", files=one).status, files)
            )
        assert set(statuses) == {200, 429}
        assert max(sizes) > 1
        assert site.ask("/api/predict", "POST", files=files[0]).status == 200
        assert batches.waiting == 0


def test_pictures_are_made_small_and_kept(site, drawn):
    small, large = (
        site.ask(f"/api/pictures/test/sun/sun-000.jpg?size={size}&version=1") for size in ("small", "large")
    )
    assert small.headers["content-type"] == "image/jpeg" and small.body[:2] == b"\xff\xd8"
    assert "immutable" in small.headers["cache-control"]
    assert len(large.body) >= len(small.body)
    assert site.ask("/api/pictures/test/sun/sun-000.jpg").headers["cache-control"] == "no-store"
