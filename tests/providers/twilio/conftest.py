"""Fixtures of the tests about the Twilio adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.transport import TwilioTransport
from support.factories import PUBLIC_URL, Gateway, open_gateway
from support.loopback import Loopback
from support.replace_services import replace_services
from support.time import FakePace, ManualClock


@pytest.fixture
def clock() -> ManualClock:
    """The time of `timed_gateway`; it stands until a test moves it."""
    return ManualClock()


@pytest.fixture
def timed_gateway(
    database: Database, cipher: Cipher, tmp_path: Path, clock: ManualClock
) -> Gateway:
    """A gateway whose time the test moves, on each engine."""
    return open_gateway(database, cipher, tmp_path, clock=clock.clock())


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server on loopback."""
    with Loopback() as found:
        yield found


@pytest.fixture
def wired_gateway(gateway: Gateway, cipher: Cipher, server: Loopback) -> Iterator[Gateway]:
    """A gateway with the real SDK and the real transport, over that server."""
    transport = TwilioTransport(server.url, connect_seconds=3.0, read_seconds=3.0)
    provider = TwilioProvider(TwilioClients(transport, cipher), PUBLIC_URL)
    replace_services(gateway, provider=provider, pace=FakePace().pace())
    yield gateway
    transport.close()
