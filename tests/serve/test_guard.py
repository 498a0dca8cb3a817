"""Nobody else gets in, and nobody takes more than is allowed."""

import socket
import threading

import pytest
from serving import served
from waiting import until

from embed.errors import UsageError
from embed.serve.options import Options

FOREIGN = [
    ({"Host": "evil.example"}, 421),
    ({"Host": "evil.example:80"}, 421),
    ({"Host": "127.0.0.1.evil.example"}, 421),
    ({"Host": "192.168.1.7"}, 421),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
]
PRIVATE = ["/api/status", "/api/photos", "/api/pictures/test/sun/sun-000.jpg", "/metrics", "/api/nothing"]


@pytest.mark.parametrize(("headers", "status"), FOREIGN, ids=[str(case[0]) for case in FOREIGN])
@pytest.mark.parametrize("path", ["/api/status", "/", "/page/app.js"])
def test_a_page_or_a_name_of_another_place_is_refused(site, path, headers, status):
    assert site.ask(path, headers=headers).status == status


def test_the_page_may_be_opened_from_a_link(site):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert site.ask("/", headers=link).status == 200
    assert site.ask("/api/status", headers=link).status == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST:1", "[::1]:8765", "127.0.0.1:9"])
def test_this_machine_is_known_by_its_own_names(site, host):
    assert site.ask("/api/status", headers={"Host": host}).status == 200


@pytest.mark.parametrize("path", PRIVATE)
def test_everything_of_the_users_takes_the_token(site, path):
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {site.token}"}):
        answer = site.ask(path, token=False, headers=headers)
        assert answer.status == 401 and set(answer.document) == {"error"}
    assert site.ask(f"{path}?token={site.token}", token=False).status == 401


def test_what_takes_no_token_says_nothing_of_the_users(site, drawn):
    for path in ("/", "/healthz", "/openapi.json", "/page/app.js", "/page/page.css"):
        answer = site.ask(path, token=False)
        assert answer.status == 200
        assert site.token.encode() not in answer.body and str(drawn).encode() not in answer.body


def test_the_key_of_pictures_opens_pictures_and_nothing_else(site):
    key = site.get("/api/status")["picture_key"]
    assert key not in site.token
    assert site.ask(f"/api/pictures/test/sun/sun-000.jpg?key={key}", token=False).status == 200
    assert site.ask(f"/api/pictures/test/sun/sun-000.jpg?key={key}x", token=False).status == 401
    assert site.ask(f"/api/photos?key={key}", token=False).status == 401
    assert site.ask(f"/api/pictures/test/sun/sun-000.jpg?key={key}", "POST", token=False).status == 401


def test_every_answer_forbids_what_is_not_needed(site):
    for path, token in (("/", False), ("/api/status", True), ("/api/status", False), ("/nothing", True)):
        headers = site.ask(path, token=token).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "*" not in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert not [name for name in headers if name.startswith("access-control-")]
        assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/api/pictures/../../../etc/passwd",
        "/api/pictures/..%2f..%2f..%2fetc%2fpasswd",
        "/api/pictures//etc/passwd",
        "/api/pictures/%00",
        "/api/photos/test%2f..%2f..%2fsecret.jpg",
        "/page/..%2fapp.py",
        "/page/../app.py",
        "/page/app.py",
        "/page/.hidden.js",
        "/static/app.js",
    ],
)
def test_no_path_leads_out_of_the_collection(site, path):
    assert site.ask(path).status == 404


def test_a_link_out_of_uploads_is_not_followed(own, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (own / "pictures" / "uploads").symlink_to(tmp_path / "elsewhere")
    picture = next((own / "pictures").rglob("*.jpg")).read_bytes()
    with served(own / "cache") as site:
        assert site.ask("/api/photos/new.jpg", "PUT", data=picture).status == 404
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_body_may_not_be_longer_than_allowed(drawn):
    with served(drawn / "cache", most_bytes=1 << 20) as site:
        head = f"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.token}\r\n"
        with socket.create_connection(("127.0.0.1", site.port), timeout=60) as announced:
            announced.sendall(f"{head}Content-Length: {(1 << 20) + 1}\r\n\r\n".encode())
            assert b" 413 " in announced.recv(4096)
        with socket.create_connection(("127.0.0.1", site.port), timeout=60) as endless:
            endless.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
            for _ in range(65):
                endless.sendall(b"4000\r\n" + bytes(0x4000) + b"\r\n")
            assert b" 413 " in endless.recv(4096)
        assert site.ask("/healthz").status == 200


def test_a_body_may_not_come_slower_than_allowed(drawn):
    with (
        served(drawn / "cache", seconds=1) as site,
        socket.create_connection(("127.0.0.1", site.port)) as slow,
    ):
        head = f"POST /api/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {site.token}\r\n"
        slow.sendall(f"{head}Content-Length: 1000\r\n\r\nabc".encode())
        slow.settimeout(30)
        assert b" 408 " in slow.recv(4096)


def test_more_than_so_many_at_a_time_are_told_to_come_again(drawn):
    with served(drawn / "cache", most_requests=1) as site:
        blocked, go_on = threading.Event(), threading.Event()
        original = site.desk.thumbnails.get

        def slow(*arguments):
            blocked.set()
            go_on.wait(60)
            return original(*arguments)

        site.desk.thumbnails.get = slow
        answers = []
        one = threading.Thread(target=lambda: answers.append(site.ask("/api/pictures/test/sun/sun-000.jpg")))
        one.start()
        assert blocked.wait(60)
        answer = site.ask("/api/status")
        assert answer.status == 429 and answer.headers["retry-after"] == "1"
        go_on.set()
        one.join()
        assert answers[0].status == 200
        assert until(lambda: site.ask("/api/status").status == 200, "room")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"host": "0.0.0.0"}, "token"),
        ({"host": "::"}, "token"),
        ({"host": "192.168.0.1"}, "token"),
        ({"token": "short"}, "16"),
        ({"port": 70000}, "port"),
    ],
)
def test_what_would_let_everybody_in_is_refused(options, said):
    with pytest.raises(UsageError, match=said):
        Options(**options)
    assert Options(host="0.0.0.0", token="x" * 24).secret() == "x" * 24
    assert Options().secret() != Options().secret()


def test_a_server_for_others_is_asked_by_address_or_by_a_name_that_was_given(drawn):
    with served(drawn / "cache", host="0.0.0.0", token="x" * 24, names=("photos.example",)) as site:
        for host, status in (("10.0.0.7:80", 200), ("photos.example", 200), ("evil.example", 421)):
            assert site.ask("/api/status", headers={"Host": host}).status == status
        assert site.ask("/api/status", token=False).status == 401
