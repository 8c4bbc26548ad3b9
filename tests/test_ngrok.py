"""The public URL that the ngrok agent of this machine tells."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from app.bootstrap import prepare_start
from app.providers import ngrok
from app.providers.ngrok import public_url_of_agent
from app.settings import SettingsError

ANSWERS: dict[str, bytes] = {
    "/one": json.dumps({"tunnels": [{"public_url": "https://a.ngrok.app"}]}).encode(),
    "/many": json.dumps(
        {
            "tunnels": [
                {"public_url": "tcp://a.ngrok.io:1"},
                {"public_url": "http://b.ngrok.app"},
                {"public_url": "https://b.ngrok.app/"},
            ]
        }
    ).encode(),
    "/none": b'{"tunnels": []}',
    "/plain": json.dumps({"tunnels": [{"public_url": "http://c.ngrok.app"}]}).encode(),
    "/html": b"<html>",
    "/list": b"[]",
    "/null": b'{"tunnels": null}',
    "/other": b'{"tunnels": [{"name": "x"}]}',
    "/bytes": b"\xff",
}


class _Agent(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = ANSWERS[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def agent() -> Iterator[str]:
    """A small server that answers as the agent's API does."""
    server = HTTPServer(("127.0.0.1", 0), _Agent)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address on this machine that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/api/tunnels"


@pytest.mark.parametrize(
    ("path", "url"), [("/one", "https://a.ngrok.app"), ("/many", "https://b.ngrok.app")]
)
def test_first_https_tunnel_is_used(agent: str, path: str, url: str) -> None:
    assert public_url_of_agent(agent + path) == url


@pytest.mark.parametrize("path", ["/none", "/plain"])
def test_agent_without_an_https_tunnel_is_reported(agent: str, path: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        public_url_of_agent(agent + path)
    assert wrong.value.problems == [
        "BORDERPOST_PUBLIC_URL: the ngrok agent has no https tunnel: `ngrok http 8000`"
    ]


@pytest.mark.parametrize("path", ["/html", "/list", "/null", "/other", "/bytes"])
def test_other_server_than_an_agent_is_reported(agent: str, path: str) -> None:
    with pytest.raises(SettingsError) as wrong:
        public_url_of_agent(agent + path)
    assert wrong.value.problems == [
        "BORDERPOST_PUBLIC_URL: what answers as the ngrok agent is not one"
    ]


def test_missing_agent_is_reported(
    nobody: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngrok.public_url_of_agent, "__defaults__", (nobody,))
    environ = {"BORDERPOST_INSTANCE": str(tmp_path), "BORDERPOST_PUBLIC_URL": "ngrok"}
    with pytest.raises(SettingsError) as wrong:
        prepare_start(environ)
    assert wrong.value.problems == [
        (
            "BORDERPOST_PUBLIC_URL: is 'ngrok', but no ngrok agent answers on this machine: "
            "start it with `ngrok http 8000`, or set the URL itself"
        )
    ]


def test_start_uses_the_url_of_the_agent(
    agent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngrok.public_url_of_agent, "__defaults__", (f"{agent}/one",))
    environ = {"BORDERPOST_INSTANCE": str(tmp_path), "BORDERPOST_PUBLIC_URL": "ngrok"}
    assert prepare_start(environ).public_url == "https://a.ngrok.app"
