"""Clients of a gateway: threads of a process of their own, each over one kept connection."""

import http.client
import json
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from app.providers.twilio.signature import sign

PATIENCE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Served:
    """The gateway that is measured, and whose messages it sends."""

    port: int
    public_url: str
    token: str
    use_case_id: str
    account_sid: str
    auth_token: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: how it was answered, and after how long."""

    status: int
    seconds: float
    body: Any


@dataclass(frozen=True, slots=True)
class Load:
    """What a number of clients did in a time."""

    asked: list[Asked]
    seconds: float

    def answered(self, status: int) -> list[Asked]:
        return [one for one in self.asked if one.status == status]


class Client:
    """One client on one connection."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._link = http.client.HTTPConnection("127.0.0.1", served.port, timeout=PATIENCE_SECONDS)

    def ask(self, method: str, target: str, body: Any = None) -> Asked:
        """Ask the API."""
        headers = {"Authorization": f"AccessKey {self._served.token}"}
        if body is None:
            return self._ask(method, target, None, headers)
        headers["Content-Type"] = "application/json"
        return self._ask(method, target, json.dumps(body), headers)

    def send(self, number: int) -> Asked:
        """Send a message to one of a million numbers."""
        body = {
            "use_case_id": self._served.use_case_id,
            "to_phone_number": f"+1202{2_000_000 + number % 1_000_000}",
            "message": "Your code is 4711",
        }
        return self.ask("POST", "/v1/sms", body)

    def call_back(self, message_id: str, sid: str, status: str) -> Asked:
        """Report a status as Twilio does."""
        form = {"AccountSid": self._served.account_sid, "MessageSid": sid, "MessageStatus": status}
        target = f"/v1/webhook/twilio/sms-status?message_id={message_id}"
        signed = {name: [value] for name, value in form.items()}
        headers = {
            "X-Twilio-Signature": sign(
                self._served.auth_token, self._served.public_url + target, signed
            ),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return self._ask("POST", target, urlencode(form), headers)

    def close(self) -> None:
        self._link.close()

    def _ask(self, method: str, target: str, body: str | None, headers: Any) -> Asked:
        began = time.perf_counter()
        self._link.request(method, target, body, headers)
        with self._link.getresponse() as response:
            text = response.read()
        seconds = time.perf_counter() - began
        return Asked(response.status, seconds, json.loads(text) if text else None)


def send_for(served: Served, clients: int, seconds: float) -> Load:
    """Let each client send one message after the other for a time."""
    return _in_its_own_process(_send_for, served, clients, seconds)


def call_back_for(
    served: Served, clients: int, seconds: float, sent: list[tuple[str, str]]
) -> Load:
    """Let the clients report `sent`, then `delivered`, of messages (id and sid) for a time."""
    return _in_its_own_process(_call_back_for, served, clients, seconds, sent)


def _in_its_own_process(work: Callable[..., Load], *arguments: Any) -> Load:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(work, *arguments).result()


def _send_for(served: Served, clients: int, seconds: float) -> Load:
    def send(client: Client, place: int, count: int) -> Asked:
        return client.send(place * 10_000 + count)

    return _all(served, clients, seconds, send)


def _call_back_for(
    served: Served, clients: int, seconds: float, sent: list[tuple[str, str]]
) -> Load:
    def call_back(client: Client, place: int, count: int) -> Asked | None:
        index, second = divmod(count, 2)
        mine = place + index * clients
        if mine >= len(sent):
            return None
        return client.call_back(*sent[mine], "delivered" if second else "sent")

    return _all(served, clients, seconds, call_back)


def _all(
    served: Served,
    clients: int,
    seconds: float,
    step: Callable[[Client, int, int], Asked | None],
) -> Load:
    start = threading.Barrier(clients + 1)
    over = threading.Event()

    def run(place: int) -> list[Asked]:
        client, found = Client(served), list[Asked]()
        start.wait(PATIENCE_SECONDS)
        while not over.is_set() and (asked := step(client, place, len(found))) is not None:
            found.append(asked)
        client.close()
        return found

    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(run, place) for place in range(clients)]
        start.wait(PATIENCE_SECONDS)
        began = time.perf_counter()
        timer = threading.Timer(seconds, over.set)
        timer.start()
        asked = [one for future in running for one in future.result()]
        elapsed = time.perf_counter() - began
        timer.cancel()
    return Load(asked, elapsed)
