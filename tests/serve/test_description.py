"""openapi.json describes what can be asked: every path of it is called as it says."""

import pytest
from serving import served

import embed

PHOTOGRAPH = "test/sun/sun-000.jpg"
GIVEN = {
    ("post", "/api/labels"): {"labels": {PHOTOGRAPH: "sun"}},
    ("post", "/api/similar"): {"paths": [PHOTOGRAPH]},
    ("post", "/api/predict"): {"paths": [PHOTOGRAPH]},
    ("post", "/api/bin"): {"paths": ["test/tree/tree-000.jpg"]},
}  # what has no example of its own


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    from embed import demo

    folder = tmp_path_factory.mktemp("described")
    demo.draw(folder / "pictures", train=6, test=2)
    embed.extract_features(folder / "pictures", folder / "cache", backbone="tiny", size=64)
    embed.open(folder / "cache").fit("logistic")
    with served(folder / "cache") as site:
        yield site, (folder / "pictures" / PHOTOGRAPH).read_bytes()


def test_every_path_answers_as_it_is_described(described, monkeypatch):
    site, picture = described
    document = site.ask("/openapi.json", token=False).document
    assert document["openapi"].startswith("3.1") and len(document["paths"]) > 15
    refused = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if (method, path) == ("get", "/api/model"):
                continue  # tests/deploy has it
            address = path.replace("{photograph}", "new.jpg" if method in ("put", "delete") else PHOTOGRAPH)
            assert [one["name"] for one in operation["parameters"] if one["required"]] in ([], ["photograph"])
            send = GIVEN.get((method, path))
            if send is None and "application/json" in operation.get("requestBody", {}).get("content", {}):
                send = {}
            data = picture[:-2] + b"\x00\x00\xff\xd9" if method == "put" else None
            with monkeypatch.context() as here:
                if path.startswith("/api/show/"):
                    here.setenv("PATH", "")  # no program that shows files
                answer = site.ask(address, method.upper(), send=send, data=data)
            if answer.status not in (200, 201):
                refused[method, path] = answer.status
                continue
            kind = answer.headers["content-type"].partition(";")[0]
            assert kind in operation["responses"]["200"]["content"], path
    assert refused == {("post", "/api/show/{photograph}"): 404}
    for job in site.get("/api/status")["jobs"]:
        assert site.done(job["kind"])["problem"] == "", job


def test_names_of_operations_are_unique(described):
    site, _ = described
    document = site.ask("/openapi.json").document
    names = [one["operationId"] for of_path in document["paths"].values() for one in of_path.values()]
    assert len(set(names)) == len(names)
