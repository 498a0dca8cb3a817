"""Which clusters there are, and what is said where none answers."""

import os
import signal
import socket
import sys
from functools import cache

import pytest
from ray_nodes import needs_ray
from s3_server import free_ports

from embed.cli import main
from embed.distributed import check_address, cluster
from embed.distributed.connection import _environment
from embed.errors import InputError, UsageError


@pytest.mark.parametrize(
    "address", ["here", "", ":6379", "host:", "host:port", "ray://host:10001", "http://h:1"]
)
def test_what_is_no_address_is_refused_before_anything_is_looked_for(address, tmp_path, capsys):
    with pytest.raises(UsageError, match="is no cluster: say local"):
        check_address(address)
    assert main(["extract", str(tmp_path), "--cluster", address]) == 2
    assert "--cluster" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["local", "auto", "10.0.0.7:6379", "head.cluster.svc:6379", "[::1]:6379"])
def test_addresses_are_taken(address):
    check_address(address)


def test_where_ray_is_not_installed_that_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["extract", str(tmp_path), "--cluster", "local"]) == 2
    assert "pip install 'embed-images[cluster]'" in capsys.readouterr().err


def test_ray_is_not_imported_unless_asked_for(photographs, tmp_path, run_embed):
    script = (
        "import sys; from embed.cli import main; "
        f"code = main(['extract', {str(photographs / '0')!r}, '--backbone', 'tiny', '--quiet']); "
        "sys.exit(code or any(name.partition('.')[0] == 'ray' for name in sys.modules))"
    )
    run_embed.python("-c", script, check=True)


def test_variables_that_are_set_hold_and_the_others_go_again(monkeypatch):
    monkeypatch.setenv("EMBED_SET", "by the user")
    monkeypatch.delenv("EMBED_UNSET", raising=False)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["", ".", "/absolute", "relative"]))
    with _environment({"EMBED_SET": "by embed", "EMBED_UNSET": "by embed"}):
        assert (os.environ["EMBED_SET"], os.environ["EMBED_UNSET"]) == ("by the user", "by embed")
        assert os.environ["PYTHONPATH"] == "/absolute"
    assert "EMBED_UNSET" not in os.environ
    assert os.environ["PYTHONPATH"] == os.pathsep.join(["", ".", "/absolute", "relative"])


def test_an_address_at_which_nobody_answers_is_one_sentence():
    needs_ray()
    before = signal.getsignal(signal.SIGTERM)
    address = f"127.0.0.1:{free_ports(1)[0]}"
    with (
        pytest.raises(InputError, match=rf"^No Ray cluster can be used at '{address}': .*\.$"),
        cluster(address),
    ):
        pass
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_stale_address_is_one_sentence(tmp_path, monkeypatch):
    needs_ray()
    # What a head that was killed leaves behind.
    (tmp_path / "ray_current_cluster").write_text(f"127.0.0.1:{free_ports(1)[0]}")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(
        "ray._private.services.find_gcs_addresses", cache(set)
    )  # of other tests at the same time
    with pytest.raises(InputError, match=r"^No Ray cluster can be used at 'auto': .*\.$"), cluster("auto"):
        pass


@pytest.mark.torture  # Ray waits for half a minute
def test_a_head_that_accepts_and_says_nothing_is_one_sentence():
    needs_ray()
    with socket.create_server(("", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        said = pytest.raises(InputError, match=rf"^No Ray cluster can be used at '{address}': .*\.$")
        with said, cluster(address):
            pass
