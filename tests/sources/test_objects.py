"""Photographs in object storage, on a real server of S3, behind a real proxy that makes it busy, slow or silent."""

import json
import os
from datetime import timedelta

import obstore
import pytest
from archive_samples import COLOURS, photograph, samples, write_tar, write_zip
from faulty_proxy import in_front_of
from s3_server import BUCKET, client, environment, s3_server

import embed
from embed import cli, sources
from embed.cache import open_features
from embed.errors import InputError
from embed.sources import Failed, Item, Listed, listed, remote, remote_objects, remotes

MOMENT = timedelta(milliseconds=1)
QUICK = {"max_retries": 2, "backoff": {"init_backoff": MOMENT, "max_backoff": MOMENT, "base": 2}}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    pytest.importorskip("obstore")
    with s3_server(tmp_path_factory.mktemp("s3")) as endpoint:
        yield endpoint


@pytest.fixture
def proxy(server, tmp_path, monkeypatch):
    """The proxy through which the server is reached, with an empty prefix of its own."""
    with in_front_of(server) as proxy:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in environment(proxy.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
        monkeypatch.setattr(listed, "_recent", type(listed._recent)())
        monkeypatch.setattr(remote_objects, "RETRY", QUICK)
        remotes.remote.cache_clear()
        yield proxy
        remotes.remote.cache_clear()


@pytest.fixture
def place(server, request):
    """A prefix that no other test writes to: what puts and deletes, and its URL."""
    prefix = request.node.name.translate(str.maketrans("[]", "--"))

    class Place:
        url = f"s3://{BUCKET}/{prefix}"
        store = client(server)

        def put(self, name, data):
            obstore.put(self.store, f"{prefix}/{name}", data)

        def delete(self, name):
            obstore.delete(self.store, f"{prefix}/{name}")

    return Place()


def read(source, items=None):
    items = [one for one in source.find() if isinstance(one, Item)] if items is None else items
    return {item.name: one if isinstance(one, str) else one.data for item, one in source.read(items)}


def extract(place, tmp_path, **options):
    return embed.extract_features(place.url, tmp_path / "cache", backbone="tiny", **options)


NAMES = ["a/red.png", "a/grün b.png", "b+c/100%.png", "d#1?.png", "z~x=y&.png"]


def test_objects_are_found_and_read_whatever_their_names(proxy, place):
    members = {name: photograph("red", 9 + i) for i, name in enumerate(NAMES)}
    for name, data in {**members, "notes.txt": b"none", ".hidden/x.png": photograph("red")}.items():
        place.put(name, data)
    source = sources.open(place.url)
    assert read(source) == members
    assert list(source.find())[-1] == Listed("")
    assert (source.root, source.name, source.again) == (place.url, place.url.rpartition("/")[2], "")
    for name, data in members.items():
        assert sources.read(source.address(name)).data == data


def test_a_second_extraction_lists_and_reads_nothing(proxy, place, tmp_path, backbone):
    for colour in COLOURS:
        place.put(f"{colour}/{colour}.png", photograph(colour))
    summary = extract(place, tmp_path)
    assert (summary.images, summary.extracted) == (4, 4)
    features = embed.open(tmp_path / "cache")
    assert features.classes == sorted(COLOURS) and features.root == place.url
    assert features.files[0] == f"{place.url}/blue/blue.png"
    proxy.requests.clear()
    assert extract(place, tmp_path).reused == 4
    assert all("list-type=2" in path for _, path in proxy.requests)
    place.put("red/red.png", photograph("red"))  # touched: another time, the same content
    place.put("blue/blue.png", photograph("grey", 20))
    seen = backbone.seen
    summary = extract(place, tmp_path)
    assert (summary.extracted, summary.reused, backbone.seen) == (1, 3, seen + 1)


def test_rows_leave_where_the_listing_came_to_its_end_without_them(proxy, place, tmp_path, backbone):
    for number in range(4):
        place.put(f"{number}.png", photograph((number, 0, 0)))
    extract(place, tmp_path)
    place.delete("1.png")
    summary = extract(place, tmp_path)
    assert (summary.reused, summary.removed) == (3, 1)


def test_an_object_that_is_overwritten_or_deleted_before_it_is_read_is_told(proxy, place):
    for name in ("1.png", "2.png", "3.png"):
        place.put(name, photograph("red"))
    source = sources.open(place.url)
    items = [one for one in source.find() if isinstance(one, Item)]
    place.put("1.png", photograph("blue"))
    place.delete("2.png")
    assert read(source, items) == {
        "1.png": "changed while reading",
        "2.png": "vanished",
        "3.png": photograph("red"),
    }


def test_what_cannot_be_read_just_now_keeps_its_row(proxy, place, tmp_path, backbone):
    place.put("1.png", photograph("red"))
    extract(place, tmp_path)
    place.put("1.png", photograph("blue"))
    proxy.rule = lambda method, path: 503 if path.endswith(".png") else None
    summary = extract(place, tmp_path)
    assert (summary.unreachable, summary.removed) == (1, 0)
    assert "the server was too busy (503)" in summary.unreachable_places[0][1]
    proxy.rule = lambda method, path: None
    assert extract(place, tmp_path).extracted == 1


def test_a_server_that_is_busy_now_and_then_is_asked_again(proxy, place, tmp_path, backbone):
    for number in range(8):
        place.put(f"{number}.png", photograph((number, 0, 0)))
    asked = set()

    def at_first(method, path):
        again = (method, path) in asked
        asked.add((method, path))
        return None if again else 503

    proxy.rule = at_first
    assert extract(place, tmp_path).extracted == 8


def test_a_listing_that_breaks_off_midway_removes_nothing(proxy, place, tmp_path, backbone, monkeypatch):
    for number in range(30):
        place.put(f"{number:02}.png", photograph((number, 0, 0)))
    extract(place, tmp_path)
    place.delete("29.png")
    pages = []

    def second_page_is_lost(method, path):
        pages.append(path)
        return 500 if "continuation-token" in path or len(pages) > 1 else None

    monkeypatch.setattr(remote_objects, "CHUNK", 10)
    proxy.rule = lambda method, path: 503 if "list-type=2" in path else None
    with pytest.raises(InputError, match=r"the server was too busy \(503\)"):
        extract(place, tmp_path)
    entries = remote_objects.ObjectStore.entries

    def torn(self):
        for number, entry in enumerate(entries(self)):
            if number == 12:
                raise remote.RemoteError("cannot be read: the server did not answer in time")
            yield entry

    proxy.rule = lambda method, path: None
    monkeypatch.setattr(remote_objects.ObjectStore, "entries", torn)
    summary = extract(place, tmp_path)
    assert (summary.reused, summary.removed, summary.unreachable) == (12, 0, 18)
    assert summary.unreachable_places == (
        (".", "the listing broke off: cannot be read: the server did not answer in time"),
    )
    monkeypatch.undo()


def test_a_slow_server_is_waited_for(proxy, place, tmp_path, backbone):
    import threading

    place.put("1.png", photograph("red"))
    place.put("2.png", photograph("blue"))
    both, gate = [], threading.Event()

    def together(method, path):
        if path.endswith(".png"):
            both.append(path)
            if len(both) == 2:
                gate.set()
            return lambda: gate.wait(30)
        return None

    proxy.rule = (
        together  # neither is answered before both are asked for: requests do not wait for each other
    )
    assert extract(place, tmp_path).extracted == 2 and gate.is_set()


# Archives there.


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_archives_are_read_in_pieces_and_listed_once(kind, proxy, place, tmp_path, backbone):
    members = {f"c/{i:03}.png": photograph((i, 9, 9), 9 + i) for i in range(40)}
    file = {"tar": write_tar, "zip": write_zip}[kind](tmp_path / f"photos.{kind}", members)
    place.put(f"photos.{kind}", file.read_bytes())
    source = sources.open(f"{place.url}/photos.{kind}")
    assert read(source) == members
    asked = len(proxy.requests)
    assert asked < 12
    listed._recent.clear()
    assert len([one for one in source.find() if isinstance(one, Item)]) == 40
    assert [method for method, _ in proxy.requests[asked:]] == ["HEAD"]
    assert sources.read(source.address("c/007.png")).data == members["c/007.png"]


def test_shards_below_a_prefix_and_one_that_is_rewritten(proxy, place, tmp_path, backbone):
    for number in range(2):
        file = write_tar(tmp_path / "shard.tar", samples(*(f"{colour}/c{number}" for colour in COLOURS)))
        place.put(f"train-{number}.tar", file.read_bytes())
    summary = extract(place, tmp_path)
    assert (summary.images, summary.extracted) == (8, 8)
    assert embed.open(tmp_path / "cache").classes == ["c0", "c1"]
    proxy.requests.clear()
    assert extract(place, tmp_path).reused == 8
    assert [method for method, path in proxy.requests if "list-type" not in path] == ["HEAD", "HEAD"]
    seen = backbone.seen
    place.put("train-1.tar", file.read_bytes())
    summary = extract(place, tmp_path)
    assert (summary.reused, summary.extracted, backbone.seen) == (8, 0, seen)
    # Another one takes its place while it is being read.
    source = sources.open(place.url)
    items = [one for one in source.find() if isinstance(one, Item)]
    place.put("train-0.tar", write_tar(tmp_path / "other.tar", samples("red/x")).read_bytes())
    found = read(source, items)
    assert {name[:11] for name, one in found.items() if one == "changed while reading"} == {"train-0.tar"}
    assert all(isinstance(one, bytes) for name, one in found.items() if name.startswith("train-1.tar"))


def test_a_shard_that_cannot_be_listed_keeps_its_rows(proxy, place, tmp_path, backbone):
    for number in range(2):
        file = write_tar(tmp_path / "shard.tar", samples(*COLOURS))
        place.put(f"train-{number}.tar", file.read_bytes())
    extract(place, tmp_path)
    place.put("train-1.tar", file.read_bytes()[:1500])
    summary = extract(place, tmp_path)
    assert (summary.reused, summary.removed, summary.unreachable) == (5, 0, 3)
    assert {reason for name, reason in summary.unreachable_places if name == "train-1.tar"}


# What is said of it.


def said(capsys, *arguments):
    capsys.readouterr()
    code = cli.main([*map(str, arguments)])
    return code, capsys.readouterr().err.strip().splitlines()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3://shop/x", "There are no credentials for s3://shop/x: set AWS_ACCESS_KEY_ID"),
        ("gs://shop/x", "There are no credentials for gs://shop/x: set GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://shop/x", "There are no credentials for az://shop/x: set AZURE_STORAGE_ACCOUNT_NAME"),
        ("https://shop/x", "names https://shop/x, and nothing is downloaded from the web here"),
        ("nonsense://shop/x", "nonsense://shop/x cannot be opened: Protocol not known: nonsense"),
    ],
)
def test_missing_credentials_and_unknown_schemes_are_one_sentence_each(
    url, sentence, tmp_path, monkeypatch, capsys
):
    for name in [name for name in os.environ if name.startswith(("AWS_", "GOOGLE_", "AZURE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("embed.sources.credentials.VENDOR", tmp_path / "none")
    remotes.remote.cache_clear()
    code, lines = said(capsys, "extract", url, "--backbone", "tiny", "--cache", tmp_path / "cache")
    assert code in (1, 2) and len(lines) == 1 and sentence in lines[0]


@pytest.mark.parametrize(
    ("key", "url", "sentence"),
    [
        ("wrong", f"s3://{BUCKET}/x", "access is denied to these credentials"),
        (None, "s3://no-such-bucket/x", "has no such bucket"),
        (None, f"s3://{BUCKET}/nothing-is-here", "There are no images in"),
        (None, f"s3://{BUCKET}/missing.tar", "vanished"),
    ],
    ids=["denied", "bucket", "empty", "missing"],
)
def test_what_is_not_there_or_denied_is_one_sentence(
    key, url, sentence, proxy, tmp_path, monkeypatch, capsys
):
    if key is not None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key)
    code, lines = said(capsys, "extract", url, "--backbone", "tiny", "--cache", tmp_path / "cache")
    assert code == 1 and len(lines) == 1 and sentence in lines[0]


@pytest.mark.parametrize("name", ["x", "503-429-NoSuchBucket-403 Forbidden"])
def test_a_server_that_is_not_there_is_one_sentence(name, tmp_path, proxy, monkeypatch, capsys):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, lines = said(
        capsys, "extract", f"s3://{BUCKET}/{name}", "--backbone", "tiny", "--cache", tmp_path / "cache"
    )
    assert code == 1 and len(lines) == 1 and "no server answers there" in lines[0]


def test_the_files_of_the_tools_are_read(tmp_path, monkeypatch, server, place):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    known = environment(server)
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        f"[lab]\naws_access_key_id = {known['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {known['AWS_SECRET_ACCESS_KEY']}\n"
    )
    (tmp_path / ".aws" / "config").write_text(f"[profile lab]\nregion = us-east-1\nendpoint_url = {server}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    remotes.remote.cache_clear()
    place.put("red.png", photograph("red"))
    assert read(sources.open(place.url)) == {"red.png": photograph("red")}
    remotes.remote.cache_clear()


def test_photographs_elsewhere_are_shown_and_asked_about(proxy, place, tmp_path, backbone, capsys):
    for colour in COLOURS:
        place.put(f"{colour}.png", photograph(colour))
    extract(place, tmp_path)
    query = f"{place.url}/red.png"
    page = tmp_path / "similar.html"
    arguments = ["similar", query, "--cache", str(tmp_path / "cache"), "--html", str(page), "--json"]
    assert cli.main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["query"] for one in found} == {query} and len(found) == 3
    assert page.read_text("utf-8").count("data:image/jpeg") == 4
    features = open_features(tmp_path / "cache")
    assert (
        features.root == place.url
        and [one.place for one in sources.open(place.url).find() if isinstance(one, Failed)] == []
    )
