"""`embed serve` as a process, and `embed similar --server`."""

import json
import signal

import pytest
from serving import process, served

import embed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_told_to_stop(drawn, number):
    with process("--cache", drawn / "cache", cwd=drawn) as (running, site, _):
        assert site.get("/api/status")["photographs"] == 24
        running.send_signal(number)
        assert running.wait(60) == 0
        assert running.stdout.read() == ""
        assert "Traceback" not in running.stderr.read()


def test_an_extraction_that_is_stopped_goes_on_when_it_is_started_again(drawn, tmp_path):
    arguments = (drawn / "pictures", "--cache", tmp_path / "cache", "--backbone", "tiny")
    with process(*arguments, cwd=tmp_path) as (running, site, _):
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    with process(*arguments, cwd=tmp_path) as (_, site, _):
        assert site.done("extract")["problem"] == ""
        assert site.get("/api/status")["photographs"] == 24
    assert len(embed.open(tmp_path / "cache")) == 24


def test_similar_asks_a_server_and_prints_what_it_prints_otherwise(drawn, run_embed):
    photo = drawn / "pictures" / "test" / "sun" / "sun-000.jpg"
    (drawn / "text.jpg").write_text("no photograph")
    with served(drawn / "cache") as site:
        address = site.address
        asked = ("similar", photo, "-k", 3, "--split", "train")
        here = run_embed(*asked, "--cache", drawn / "cache", "--json", check=True)
        there = run_embed(*asked, "--server", address, "--json", check=True)
        assert json.loads(there.stdout) == json.loads(here.stdout)
        plain = address.partition("#")[0]
        by_name = run_embed(
            *asked, "--server", plain, env={"EMBED_TOKEN": address.partition("=")[2]}, check=True
        )
        assert len(by_name.stdout.splitlines()) == 4
        for refused, said in (
            ((*asked, "--server", plain), "whole address"),
            ((*asked, "--server", address, "--paths"), "--server"),
            (("similar", photo, "--server", "ftp://x"), "--server"),
            (("similar", photo, "--server", address, "--label", "cat"), "cat"),
            (("similar", drawn / "text.jpg", "--server", address), "text.jpg"),
        ):
            answer = run_embed(*refused)
            assert answer.returncode in (1, 2) and said in answer.stderr and "Traceback" not in answer.stderr
    answer = run_embed(*asked, "--server", address)
    assert answer.returncode == 1 and "does not answer" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--host", "0.0.0.0"], 2, "EMBED_TOKEN"),
        (["--token", "short"], 2, "--token"),
        (["nowhere"], 1, "nowhere"),
        (["--cache", "empty"], 1, "embed extract"),
        (["--port", "99999"], 2, "--port"),
    ],
)
def test_what_cannot_be_served_is_told_in_a_sentence(run_embed, arguments, code, said):
    answer = run_embed("serve", "--no-open", *arguments)
    assert (answer.returncode, answer.stdout) == (code, "")
    assert said in answer.stderr and "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_told(site, drawn, run_embed):
    answer = run_embed("serve", "--no-open", "--port", site.port, "--cache", drawn / "cache")
    assert answer.returncode == 2 and f"port {site.port}" in answer.stderr


def test_a_search_imports_no_server(run_embed, drawn):
    code = "import sys, embed.serve; from embed.serve import Client; sys.exit('starlette' in sys.modules)"
    assert run_embed.python("-c", code).returncode == 0


def test_without_the_extra_the_command_says_how_to_have_it(run_embed, tmp_path):
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['uvicorn'] = None\n")
    answer = run_embed("serve", "--no-open", env={"PYTHONPATH": str(tmp_path)})
    assert answer.returncode == 1 and "embed-images[serve]" in answer.stderr


def test_what_it_did_is_measured(site):
    assert site.ask("/healthz", token=False).status == 200
    text = site.ask("/metrics").body.decode()
    assert 'embed_requests_total{method="GET",path="/healthz",status="200"}' in text
    assert "embed_photographs 24" in text
