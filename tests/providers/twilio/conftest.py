"""Fixtures of the tests about the Twilio adapter."""

from collections.abc import Iterator

import pytest

from app.db.encryption import Cipher
from app.providers.port import ProviderAccount
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.transport import TwilioTransport
from support.factories import ACCOUNT, AUTH_TOKEN, PUBLIC_URL, Gateway
from support.fake_twilio import FakeTwilio
from support.loopback import Loopback
from support.polling import PATIENCE_SECONDS
from support.replace_services import replace_services
from support.time import FakePace


@pytest.fixture
def twilio() -> FakeTwilio:
    """The HTTP client under the SDK."""
    return FakeTwilio()


@pytest.fixture
def account(cipher: Cipher) -> ProviderAccount:
    """An account with its own token."""
    return ProviderAccount(ACCOUNT, cipher.encrypt(ACCOUNT, AUTH_TOKEN))


@pytest.fixture
def server() -> Iterator[Loopback]:
    """A server on loopback."""
    with Loopback() as found:
        yield found


@pytest.fixture
def transport(server: Loopback) -> Iterator[TwilioTransport]:
    """A transport to that server."""
    found = TwilioTransport(
        server.url, connect_seconds=PATIENCE_SECONDS, read_seconds=PATIENCE_SECONDS
    )
    yield found
    found.close()


@pytest.fixture
def wired_gateway(gateway: Gateway, cipher: Cipher, server: Loopback) -> Iterator[Gateway]:
    """A gateway with the real SDK and the real transport, over that server."""
    transport = TwilioTransport(server.url, connect_seconds=3.0, read_seconds=3.0)
    provider = TwilioProvider(TwilioClients(transport, cipher), PUBLIC_URL)
    replace_services(gateway, provider=provider, pace=FakePace().pace())
    yield gateway
    transport.close()
