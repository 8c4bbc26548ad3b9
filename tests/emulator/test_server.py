"""The server: loopback by default, and nothing left behind when it stops."""

import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
import requests
from requests import Response

from app.emulator.config import EmulatorConfig
from app.emulator.scenarios import CreateAnswer, Scenario
from app.emulator.server import EmulatorServer, create_emulator
from support.polling import PATIENCE_SECONDS

ACCOUNT = "AC" + "1" * 32
FORM = {"To": "+12025550143", "From": "72345", "Body": "Hi"}


def _create(server: EmulatorServer, **form: Any) -> Response:
    return requests.post(
        f"{server.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json",
        data={**FORM, **form},
        auth=(ACCOUNT, "token"),
        timeout=PATIENCE_SECONDS,
    )


def _threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("emulator")}


def test_it_listens_on_loopback_and_is_gone_when_stopped(receiver: Any) -> None:
    with EmulatorServer(config=EmulatorConfig(status_pace_seconds=0)) as server:
        assert server.url.startswith("http://127.0.0.1:")
        assert _create(server, StatusCallback=receiver.url).status_code == 201
        assert _threads()

    assert _threads() == set()
    with pytest.raises(requests.ConnectionError):
        _create(server)


def test_stopping_waits_for_no_slow_receiver(receiver: Any) -> None:
    receiver.plan = ["hang"]
    with EmulatorServer(config=EmulatorConfig(status_pace_seconds=0)) as server:
        _create(server, StatusCallback=receiver.url)
        assert receiver.arrived.wait(PATIENCE_SECONDS)
        assert not receiver.closing.is_set()

    (attempt,) = server.emulator.callbacks
    assert attempt.failure == "the connection broke"
    assert _threads() == set()


def test_stopping_lets_a_held_answer_go() -> None:
    answers: list[int] = []
    with EmulatorServer() as server:
        held = Scenario(create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=300)
        server.emulator.scenarios.queue(held)
        caller = threading.Thread(target=lambda: answers.append(_create(server).status_code))
        caller.start()
        while not server.emulator.messages.created:
            caller.join(0.01)
    caller.join(PATIENCE_SECONDS)

    assert answers == [201]


def test_stopping_waits_for_no_idle_connection() -> None:
    with (
        EmulatorServer() as server,
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))),
    ):
        assert _create(server).status_code == 201
        server.close()

    assert _threads() == set()


def test_address_in_use_raises_os_error() -> None:
    with EmulatorServer() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="in use"):
            EmulatorServer(port=port).start()


def test_serving_announces_its_address_and_ends_with_an_interrupt() -> None:
    # Who starts the tests in the background may have them ignore interrupts.
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "import sys; sys.argv[1:] = ['emulator', '--port', '0'];"
        "from app.cli import main; main()"
    )
    with subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split(": set ")[0].removeprefix("Twilio emulator on ")
        assert (
            requests.get(f"{url}/emulator/messages", timeout=PATIENCE_SECONDS).json()["created"]
            == 0
        )
        process.send_signal(signal.SIGINT)
        try:
            assert process.wait(PATIENCE_SECONDS) == 0
        finally:
            process.kill()


def test_the_application_also_runs_without_its_server() -> None:
    client = create_emulator().test_client()

    answer = client.post(
        f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", data=FORM, auth=(ACCOUNT, "token")
    )
    assert (answer.status_code, answer.get_json()["status"]) == (201, "queued")


def test_a_defect_of_the_emulator_is_a_500_in_twilios_words(
    twilio: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(twilio.emulator.messages, "newest_first", fail)
    answer = twilio.http("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json")

    assert (answer.status_code, answer.json()["code"]) == (500, 20500)


def test_requests_leave_no_numbers_in_the_log(
    twilio: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("DEBUG"):
        twilio.http("GET", "/v2/PhoneNumbers/+12025550143")

    assert "2025550143" not in "".join(
        record.getMessage() for record in caplog.records if not record.name.startswith("urllib3")
    )
