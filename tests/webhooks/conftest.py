"""Fixtures of the tests about webhooks."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.certificates import self_signed
from support.factories import Factory
from support.time import ManualClock
from support.webhooks import Hooks


@pytest.fixture
def hooks(factory: Factory) -> Hooks:
    """A worker over an empty database, on each engine."""
    return Hooks(factory, ManualClock())


@dataclass(frozen=True)
class Tls:
    """What a server for some names shows, and a client that trusts it and nobody else."""

    server: ssl.SSLContext
    client: ssl.SSLContext


@pytest.fixture
def certified(tmp_path: Path) -> Callable[[str], Tls]:
    """Make a certificate for a host name or address that its own client trusts."""

    def make(host: str) -> Tls:
        chain, private = self_signed(tmp_path, host)
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(chain, private)
        return Tls(server, ssl.create_default_context(cafile=str(chain)))

    return make
