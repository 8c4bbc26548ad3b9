"""A whole gateway on loopback: gunicorn, an emulated Twilio, one tenant, and clients over HTTP."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from cryptography.fernet import Fernet
from werkzeug.serving import make_server

from app.access.principal import Role
from app.application import create_app
from app.bootstrap import open_services, open_settings
from app.db.encryption import Cipher
from app.db.engine import Database
from app.emulator.config import EmulatorConfig
from app.emulator.emulator import Emulator
from app.emulator.server import EmulatorServer
from app.kernel.clock import Clock, utc_now
from app.messages.delivery.track import TrackDelivery
from app.messages.reconciliation.reconcile import Reconcile
from app.messages.reconciliation.resend import Resend
from app.messages.tables import messages
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.messages import TwilioMessages
from app.providers.twilio.signature import sign
from app.providers.twilio.transport import TwilioTransport
from support.factories import ACCOUNT, AUTH_TOKEN, US_NUMBER, Factory, Tenant
from support.history import Created, Held, Reply
from support.polling import PATIENCE_SECONDS
from support.processes import Process, running_gateway
from support.recorded_messages import created_at, held_in

# When the follow-up looks, from the end of a test's faults on: unsettled sends are looked for
# after a minute and given up after 15; what was accepted is asked about until 72 h.
LOOKS = tuple(
    timedelta(minutes=minutes) for minutes in (1.1, 2, 16, 32, 61, 6 * 61, 24 * 61, 72 * 61)
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer over HTTP and how long it took."""

    status: int
    body: Any
    seconds: float


@dataclass
class LiveGateway:
    """What a fault test plays with."""

    database: Database
    cipher: Cipher
    tenant: Tenant
    twilio: EmulatorServer
    port: int
    environ: dict[str, str]
    folder: Path
    listener: socket.socket
    web: Process = field(init=False)

    @property
    def emulator(self) -> Emulator:
        return self.twilio.emulator

    def request(
        self, method: str, path: str, body: str | None, headers: dict[str, str]
    ) -> Answer | None:
        """Ask over a connection of its own; None where it broke, an error where none was made."""
        started = time.monotonic()
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        with closing(link):
            try:
                link.connect()
                link.request(method, path, body, headers)
                with link.getresponse() as response:
                    text = response.read()
            except ConnectionRefusedError:
                raise
            except (OSError, http.client.HTTPException):
                return None
        found = json.loads(text) if text else None
        return Answer(response.status, found, time.monotonic() - started)

    def send(self, key: str, to: str = US_NUMBER) -> Reply:
        """Send a message whose text is its idempotency key."""
        use_case = str(self.tenant.use_case_id)
        body = {"use_case_id": use_case, "to_phone_number": to, "message": key}
        headers = self._headers | {"Idempotency-Key": key, "Content-Type": "application/json"}
        answer = self.request("POST", "/v1/sms", json.dumps(body), headers)
        if answer is None:
            return Reply(key, None)
        if answer.status == 201:
            return Reply(key, 201, None, answer.body["id"], answer.body["status"])
        details = answer.body.get("details") or {}
        return Reply(key, answer.status, answer.body["code"], details.get("id"))

    def get(self, path: str) -> Answer:
        """Read something that must be answered."""
        answer = self.request("GET", path, None, self._headers)
        assert answer is not None
        return answer

    def callback(self, message_id: str | None, sid: str, status: str) -> Answer:
        """Call back as Twilio does, once; must be answered."""
        form = {"AccountSid": ACCOUNT, "MessageSid": sid, "MessageStatus": status}
        target = f"/v1/webhook/twilio/sms-status?message_id={message_id}"
        url = self.environ["BORDERPOST_PUBLIC_URL"] + target
        headers = {
            "X-Twilio-Signature": sign(AUTH_TOKEN, url, {name: [v] for name, v in form.items()}),
            "Content-Type": "application/x-www-form-urlencoded",
        }
        answer = self.request("POST", target, urlencode(form), headers)
        assert answer is not None
        return answer

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"AccessKey {self.tenant.keys[Role.SENDER]}"}

    def reconcile(self) -> None:
        """Let 72 hours pass for the worker, which looks whenever something is due."""
        transport = TwilioTransport(self.twilio.url)
        clients = TwilioClients(transport, self.cipher)
        source = TwilioMessages(clients)
        provider = TwilioProvider(clients, self.environ["BORDERPOST_PUBLIC_URL"])
        began = utc_now()
        try:
            for later in LOOKS:
                now = began + later
                clock = Clock(lambda now=now: now)  # type: ignore[misc]
                track = TrackDelivery(self.database, clock)
                resend = Resend(self.database, provider, clock)
                while Reconcile(self.database, source, track, resend, clock).run_once():
                    pass
        finally:
            transport.close()

    def created(self) -> list[Created]:
        """What the provider accepted."""
        return created_at(self.emulator)

    def rows(self) -> dict[str, Any]:
        """The rows of all submissions by their ids."""
        found = Factory(self.database, self.cipher).rows(messages)
        return {str(row["id"]): row for row in found}

    def held(self) -> list[Held]:
        """What the database holds."""
        return held_in(Factory(self.database, self.cipher))


@contextmanager
def prepared_live_gateway(
    database: Database, folder: Path, **environ: str
) -> Iterator[LiveGateway]:
    """All but the gateway's processes."""
    key = Fernet.generate_key().decode()
    cipher = Cipher([key])
    factory = Factory(database, cipher)
    tenant = factory.tenant(factory.organization())
    with (
        socket.create_server(("127.0.0.1", 0), backlog=256) as listener,
        EmulatorServer(config=EmulatorConfig(status_pace_seconds=0.05)) as twilio,
    ):
        port = listener.getsockname()[1]
        given = {
            "BORDERPOST_INSTANCE": str(folder),
            "BORDERPOST_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "BORDERPOST_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "BORDERPOST_TWILIO_URL": twilio.url,
            "BORDERPOST_SECRET_KEY": "0123456789abcdef" * 2,
            "BORDERPOST_ENCRYPTION_KEYS": key,
            "BORDERPOST_THREADS": "16",
            "WEB_CONCURRENCY": "2",
        }
        yield LiveGateway(database, cipher, tenant, twilio, port, given | environ, folder, listener)


@contextmanager
def start_live_gateway(
    database: Database,
    folder: Path,
    wsgi: str = "wsgi:app",
    options: tuple[str, ...] = (),
    **environ: str,
) -> Iterator[LiveGateway]:
    """A gateway that serves."""
    with prepared_live_gateway(database, folder, **environ) as live_gateway:
        log = folder / "gateway.log"
        with running_gateway(
            live_gateway.listener, live_gateway.environ, log, wsgi, options
        ) as live_gateway.web:
            yield live_gateway


@contextmanager
def start_live_gateway_here(database: Database, folder: Path) -> Iterator[LiveGateway]:
    """A gateway that serves from a thread of this process: for faults that are not its own."""
    with prepared_live_gateway(database, folder) as live_gateway:
        services = open_services(open_settings(live_gateway.environ), database=database)
        listener = live_gateway.listener
        host, port = listener.getsockname()
        app = create_app(services)
        with make_server(host, port, app, threaded=True, fd=listener.fileno()) as server:
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            try:
                yield live_gateway
            finally:
                server.shutdown()
                serving.join()


def number(place: int) -> str:
    """One of a hundred numbers that are reserved for fiction."""
    return f"+1202555{100 + place % 100:04d}"
