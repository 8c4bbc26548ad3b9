"""`emulator`: a Twilio on this machine, with scenarios to begin with."""

import json
import socket
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from app.cli import demo
from support.commands import Run
from support.polling import PATIENCE_SECONDS

pytestmark = pytest.mark.one_engine


@pytest.fixture
def scenario(tmp_path: Path) -> Callable[[object], str]:
    """Writes a scenario file."""

    def write(content: object) -> str:
        path = tmp_path / "scenario.json"
        path.write_text(json.dumps(content))
        return str(path)

    return write


def test_it_serves_until_it_is_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def interrupt() -> None:
        seen.append(threading.active_count())
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_wait", interrupt)
    before = threading.active_count()
    result = run("emulator", "--port", "0")
    assert result.exit_code == 0
    assert result.stdout.startswith("Twilio emulator on http://127.0.0.1:")
    assert seen[0] > before
    assert threading.active_count() == before


def test_it_begins_with_the_scenarios_of_a_file(
    run: Run, monkeypatch: pytest.MonkeyPatch, scenario: Callable[[object], str]
) -> None:
    queued = []
    give = demo._give

    def give_and_ask(url: str, order: bytes) -> None:
        give(url, order)
        request = urllib.request.Request(f"{url}/emulator/scenarios", data=b"{}", method="POST")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=PATIENCE_SECONDS) as answer:
            queued.append(json.load(answer))

    monkeypatch.setattr(demo, "_give", give_and_ask)
    monkeypatch.setattr(demo, "_wait", lambda: None)
    order = {
        "next": [{"final": "failed", "times": 3}],
        "to": {"+12025550123": {"callbacks": "lost"}},
    }
    assert run("emulator", "--port", "0", "--scenario", scenario(order)).exit_code == 0
    assert queued == [{"queued": 3, "numbers": ["+12025550123"]}]


def test_unknown_scenarios_are_reported(run: Run, scenario: Callable[[object], str]) -> None:
    result = run("emulator", "--port", "0", "--scenario", scenario({"default": {"final": "eaten"}}))
    assert result.exit_code == 1
    assert "$.default.final" in result.stderr
    missing = run("emulator", "--port", "0", "--scenario", "nowhere.json")
    assert missing.exit_code == 1
    assert missing.stderr == "error: nowhere.json: cannot be read: No such file or directory\n"


def test_address_in_use_is_reported(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = run("emulator", "--port", port)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"error: cannot listen on 127.0.0.1 port {port}: ")
