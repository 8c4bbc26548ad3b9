"""Twilio's geo permissions as tests tell them: over the wire, and as a source of their own."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from twilio.http.response import Response

from app.access.provider_account import ProviderAccount
from app.db.engine import Database
from app.db.vault import Vault
from app.destinations.geo_source import (
    GeoPermission,
    GeoUnknown,
    ItemOutcome,
    WantedPermission,
)
from app.destinations.provider_check import CheckProvider
from app.destinations.provider_gates import gates_from
from app.destinations.provider_store import replace_permissions
from app.kernel.clock import Clock, utc_now
from app.providers.twilio.clients import TwilioClients
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.transport import TwilioTransport
from app.web.wiring import provide
from support.world import ACCOUNT, Gateway


def entry(code: Any, enabled: Any = True, **more: Any) -> dict[str, Any]:
    """One entry of Twilio's list."""
    usual = {"country_code": code, "type": "country", "enabled": enabled, "prefix": "+0"}
    return usual | {"message": ""} | more


def listed(*entries: Any, status: int = 200) -> Response:
    """Twilio's answer with these entries."""
    return Response(status, json.dumps({"permissions": list(entries)}))


@dataclass
class FakeGeo:
    """A provider whose accounts permit what a test says; `during` runs while it is asked."""

    permits: dict[str, list[GeoPermission] | GeoUnknown] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    forgets: bool = False
    asked: list[str] = field(default_factory=list)
    wanted: list[WantedPermission] = field(default_factory=list)
    during: Callable[[], object] = lambda: None

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        self.asked.append(account.sid)
        self.during()
        found = self.permits[account.sid]
        if isinstance(found, GeoUnknown):
            raise found
        return found

    def update(
        self, account: ProviderAccount, wanted: Sequence[WantedPermission]
    ) -> list[ItemOutcome]:
        self.wanted += wanted
        self.during()
        found = self.permits[account.sid]
        assert isinstance(found, list)
        done = {w.country: w.is_open for w in wanted if w.country not in self.refuses}
        if not self.forgets:
            self.permits[account.sid] = [
                replace(one, is_open=done.get(one.country, one.is_open)) for one in found
            ]
        return [ItemOutcome(one, self.refuses.get(one.country)) for one in wanted]


def permits(**states: bool) -> list[GeoPermission]:
    """The entries of an account: ``permits(US=True, BR=False)``."""
    return [GeoPermission(country, is_open) for country, is_open in states.items()]


def store(database: Database, account_sid: str = ACCOUNT, **states: bool) -> None:
    """Write what an account permits, as a check does."""
    with database.writing() as c:
        replace_permissions(c, account_sid, gates_from(permits(**states)), utc_now())


def ask_through_twilio(gateway: Gateway, vault: Vault, clock: Clock | None = None) -> CheckProvider:
    """Let a gateway's checks ask the fake Twilio that it sends through, by the real SDK."""
    services = gateway.services
    source = TwilioGeoPermissions(TwilioClients(gateway.twilio, vault))
    check = CheckProvider(services.database, source, clock or services.clock)
    provide(gateway.client.application, check)
    return check


@contextmanager
def over_the_wire(url: str, vault: Vault) -> Iterator[TwilioGeoPermissions]:
    """The real adapter over the real transport to a server."""
    transport = TwilioTransport(url)
    try:
        yield TwilioGeoPermissions(TwilioClients(transport, vault))
    finally:
        transport.close()
