"""Twilio's geo permissions as tests tell them: over the wire, and as a source of their own."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from twilio.http.response import Response

from app.db.encryption import Cipher
from app.db.engine import Database
from app.destinations.geo_permissions.check import CheckProvider
from app.destinations.geo_permissions.permissions import GeoPermissions, geo_permissions_from
from app.destinations.geo_permissions.store import replace_permissions
from app.kernel.clock import Clock, utc_now
from app.providers.port import (
    GeoFacts,
    GeoPermission,
    ItemOutcome,
    ProviderAccount,
    ProviderUnknown,
    WantedPermission,
)
from app.providers.twilio.client import TwilioClients
from app.providers.twilio.geo import TwilioGeoPermissions
from app.providers.twilio.transport import TwilioTransport
from app.web.registry import register_service
from support.factories import ACCOUNT, Gateway


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

    permits: dict[str, list[GeoPermission] | ProviderUnknown] = field(default_factory=dict)
    refuses: dict[str, str] = field(default_factory=dict)
    forgets: bool = False
    target: list[str] = field(default_factory=list)
    wanted: list[WantedPermission] = field(default_factory=list)
    during: Callable[[], object] = lambda: None
    facts: GeoFacts = TwilioGeoPermissions.facts

    def fetch(self, account: ProviderAccount) -> list[GeoPermission]:
        self.target.append(account.sid)
        self.during()
        found = self.permits[account.sid]
        if isinstance(found, ProviderUnknown):
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


def permissions_at_twilio(permissions: Iterable[GeoPermission]) -> GeoPermissions:
    """What these entries say, at a provider with Twilio's facts."""
    return geo_permissions_from(permissions, TwilioGeoPermissions.facts)


def store(
    database: Database,
    account_sid: str = ACCOUNT,
    *,
    high_risk: Collection[str] = (),
    **states: bool,
) -> None:
    """Write what an account permits, as a check does."""
    found = [replace(one, is_high_risk=one.country in high_risk) for one in permits(**states)]
    with database.writing() as c:
        replace_permissions(c, account_sid, permissions_at_twilio(found), utc_now())


def ask_through_twilio(
    gateway: Gateway, cipher: Cipher, clock: Clock | None = None
) -> CheckProvider:
    """Let a gateway's checks ask the fake Twilio that it sends through, by the real SDK."""
    services = gateway.services
    source = TwilioGeoPermissions(TwilioClients(gateway.twilio, cipher))
    check = CheckProvider(services.database, source, clock or services.clock)
    register_service(gateway.client.application, check)
    return check


@contextmanager
def over_the_wire(url: str, cipher: Cipher) -> Iterator[TwilioGeoPermissions]:
    """The real adapter over the real transport to a server."""
    transport = TwilioTransport(url)
    try:
        yield TwilioGeoPermissions(TwilioClients(transport, cipher))
    finally:
        transport.close()
