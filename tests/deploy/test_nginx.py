"""The gateway behind nginx, with TLS and a path prefix, by the files of deploy/nginx."""

import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3

from app.access.principal import Role
from app.db.engine import Database
from app.emulator.scenarios import CallbackMode, CreateAnswer, Scenario
from app.providers.twilio.signature import sign
from support.factories import ACCOUNT, AUTH_TOKEN, US_NUMBER
from support.live_gateway import LiveGateway, start_live_gateway
from support.nginx import Proxy, find_nginx, running_nginx
from support.polling import PATIENCE_SECONDS, eventually
from support.ports import free_ports

pytestmark = pytest.mark.one_engine


@dataclass
class Front:
    """The gateway as the world sees it."""

    stage: LiveGateway
    proxy: Proxy
    public_url: str

    def ask(
        self, method: str, path: str, port: int | None = None, **options: Any
    ) -> urllib3.BaseHTTPResponse:
        """Ask through nginx; the path is below the root of the host."""
        url = f"https://127.0.0.1:{port or self.proxy.with_prefix}{path}"
        context = ssl.create_default_context(cafile=str(self.proxy.certificate))
        with urllib3.PoolManager(
            ssl_context=context, retries=False, timeout=PATIENCE_SECONDS
        ) as pool:
            return pool.request(method, url, redirect=False, **options)

    def send(self, text: str) -> urllib3.BaseHTTPResponse:
        body = {
            "use_case_id": str(self.stage.tenant.use_case_id),
            "to_phone_number": US_NUMBER,
            "message": text,
        }
        return self.ask("POST", "/sms/v1/sms", json=body, headers=self.key)

    @property
    def key(self) -> dict[str, str]:
        return {"Authorization": f"AccessKey {self.stage.tenant.keys[Role.ADMIN]}"}

    def callback(self, message_id: str, sid: str, status: str, port: int | None = None) -> int:
        """Call back as Twilio does: signed over the public URL, whatever the way."""
        target = f"/v1/webhook/twilio/sms-status?message_id={message_id}"
        form = {"AccountSid": ACCOUNT, "MessageSid": sid, "MessageStatus": status}
        signed = sign(
            AUTH_TOKEN, self.public_url + target, {name: [text] for name, text in form.items()}
        )
        headers = {
            "X-Twilio-Signature": signed,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self.ask("POST", f"/sms{target}", port, body=urlencode(form), headers=headers)
        return answer.status


@pytest.fixture
def front(database: Database, tmp_path: Path) -> Iterator[Front]:
    """The gateway behind nginx; its public URL has the prefix ``/sms``."""
    find_nginx()
    ports = free_ports(4)
    public_url = f"https://127.0.0.1:{ports[1]}/sms"
    given = {"BORDERPOST_PUBLIC_URL": public_url, "WEB_CONCURRENCY": "1"}
    with (
        start_live_gateway(database, tmp_path, **given) as stage,
        running_nginx(tmp_path / "nginx", [stage.port], ports) as proxy,
    ):
        stage.emulator.scenarios.set_default(Scenario(callbacks=CallbackMode.LOST))
        yield Front(stage, proxy, public_url)


def test_everything_works_through_nginx(front: Front) -> None:
    """Send, callback, console, hidden metrics, and the drain after SIGTERM, in one gateway's life.

    Break: give `proxy_pass` a path with a query, or sign over the Host header.
    """
    sent = front.send("through the proxy")
    assert sent.status == 201, sent.data
    message = sent.json()
    _callbacks_count(front, message)
    _pages_have_the_prefix(front)
    _metrics_are_hidden(front)
    _the_access_log_holds_no_query(front)
    _large_and_slow_bodies_end(front)
    _sigterm_loses_nothing(front)


def _callbacks_count(front: Front, message: dict[str, Any]) -> None:
    sid, stripping = message["message_sid"], front.proxy.stripping
    assert front.callback(message["id"], sid, "sent") == 204
    assert front.callback(message["id"], sid, "delivered", stripping) == 204
    assert front.callback(message["id"], "SM" + "0" * 32, "failed") == 204
    found = front.ask("GET", f"/sms/v1/sms/{message['id']}", headers=front.key).json()
    assert found["status"] == "delivered"
    forged = urlencode({"AccountSid": ACCOUNT, "MessageSid": sid, "MessageStatus": "failed"})
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": "bm8="}
    path = f"/sms/v1/webhook/twilio/sms-status?message_id={message['id']}"
    assert front.ask("POST", path, body=forged, headers=form).status == 403


def _pages_have_the_prefix(front: Front) -> None:
    for port in (front.proxy.with_prefix, front.proxy.stripping):
        page = front.ask("GET", "/sms/console/sign-in", port)
        assert page.status == 200
        text = page.data.decode()
        assert 'action="/sms/console/sign-in' in text
        style = text.partition('rel="stylesheet" href="')[2].partition('"')[0]
        assert style.startswith("/sms/")
        assert front.ask("GET", style, port).status == 200
        to_sign_in = front.ask("GET", "/sms/console", port)
        assert to_sign_in.status in {302, 303}
        assert to_sign_in.headers["Location"].startswith("/sms/console/sign-in")
    cookies = _sign_in(front)
    overview = front.ask("GET", "/sms/console", headers={"Cookie": cookies})
    assert overview.status == 200, overview.headers


def _the_access_log_holds_no_query(front: Front) -> None:
    """Break: use the format `combined`."""
    address = "/sms/console/sign-in/link?token=of-a-person"
    for path in (address, "/sms/console/overview-of-nothing"):
        front.ask("GET", path, headers={"Referer": front.public_url + address})
    eventually(lambda: "overview-of-nothing" in front.proxy.access_log.read_text())
    log = front.proxy.access_log.read_text()
    assert "GET /sms/console/sign-in/link HTTP" in log
    assert [
        line for line in log.splitlines() if "of-a-person" in line or "message_id" in line
    ] == []


def _sign_in(front: Front) -> str:
    page = front.ask("GET", "/sms/console/sign-in")
    cookies = _cookies(page)
    token = page.data.decode().partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": unescape(token), "access_key": front.stage.tenant.keys[Role.ADMIN]}
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": "; ".join(f"{name}={text}" for name, text in cookies.items()),
        "Origin": front.public_url.removesuffix("/sms"),
    }
    answer = front.ask("POST", "/sms/console/sign-in", body=urlencode(form), headers=headers)
    assert answer.status == 303, answer.data.decode()[:2000]
    cookies |= _cookies(answer)
    assert all(name.startswith("__Host-") for name in cookies)
    return "; ".join(f"{name}={text}" for name, text in cookies.items())


def _cookies(answer: urllib3.BaseHTTPResponse) -> dict[str, str]:
    pairs = (one.partition(";")[0].partition("=") for one in answer.headers.getlist("Set-Cookie"))
    return {name: text for name, _, text in pairs}


def _metrics_are_hidden(front: Front) -> None:
    root = front.proxy.at_root
    assert front.ask("GET", "/healthz", root).status == 200
    assert front.ask("GET", "/sms/healthz").status == 200
    hidden = ["/metrics", "/metrics/", "//metrics", "/%6Detrics", "/sms/metrics", "/sms//metrics/"]
    shown = {path: front.ask("GET", path, root).status for path in hidden}
    shown |= {f"prefix {path}": front.ask("GET", path).status for path in hidden}
    assert {path: status for path, status in shown.items() if status not in {401, 404}} == {}


def _large_and_slow_bodies_end(front: Front) -> None:
    large = json.dumps({"message": "x" * 70_000}).encode()
    headers = front.key | {"Content-Type": "application/json"}
    too_large = front.ask("POST", "/sms/v1/sms", body=large, headers=headers)
    assert (too_large.status, too_large.json()["code"]) == (413, "PayloadTooLarge")


def _sigterm_loses_nothing(front: Front) -> None:
    """A send that waits for Twilio when SIGTERM comes is answered through nginx."""
    emulator = front.stage.emulator
    held = Scenario(
        create=CreateAnswer.TIMEOUT_AFTER_ACCEPTING, hold_seconds=2, callbacks=CallbackMode.LOST
    )
    emulator.scenarios.set_default(held)
    before = emulator.messages.attempted
    with ThreadPoolExecutor(2) as pool:
        sends = [pool.submit(front.send, f"held {place}") for place in range(2)]
        eventually(lambda: emulator.messages.attempted == before + 2)
        front.stage.web.popen.terminate()
        assert [one.result().status for one in sends] == [201, 201]
    assert front.stage.web.popen.wait(PATIENCE_SECONDS) == 0
    assert front.send("too late").status == 502
    _no_log_holds_what_could_not_be_passed_on(front)


def _no_log_holds_what_could_not_be_passed_on(front: Front) -> None:
    """Break: leave `error_log` out of a server."""
    path = "/sms/v1/sms?to_number=%2B12025550123"
    assert front.ask("GET", path, headers=front.key | {"Referer": path}).status == 502
    gateway = f"127.0.0.1:{front.stage.port}"
    eventually(lambda: f"{gateway} 502" in front.proxy.access_log.read_text())
    logs = (front.proxy.access_log, front.proxy.error_log)
    assert [one.name for one in logs if "2025550123" in one.read_text()] == []
