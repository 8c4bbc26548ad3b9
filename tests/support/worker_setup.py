"""The worker's follow-up over a gateway and a fake Twilio, in time that a test moves."""

import json
from dataclasses import dataclass
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from twilio.http.response import Response

from app.access.principal import Role
from app.messages.delivery.track import TrackDelivery
from app.messages.reconciliation.reconcile import AccountPace, Reconcile
from app.messages.reconciliation.resend import Resend
from app.providers.twilio.client import TwilioClients, TwilioProvider
from app.providers.twilio.messages import TwilioMessages
from app.providers.twilio.transport import NotConfirmed
from support.factories import PUBLIC_URL, SERVICE_SID, Factory, Gateway, Tenant, open_gateway
from support.fake_twilio import Call
from support.time import FakePace, ManualClock

SID = "SM" + "1" * 32


@dataclass
class Worker:
    """A gateway whose time stands still, and the follow-up over the same fake Twilio."""

    gateway: Gateway
    tenant: Tenant
    factory: Factory
    clock: ManualClock
    reconcile: Reconcile

    @property
    def creates(self) -> list[Call]:
        """The calls that created messages, or tried to."""
        return [call for call in self.gateway.twilio.calls if call.method == "POST"]

    def unconfirmed(self, **headers: str) -> str:
        """Send a message whose answer never came; its id."""
        self.gateway.twilio.script = [NotConfirmed("cut")]
        answer = self.gateway.send(self.tenant, **headers)
        assert answer.status_code == 504
        return str(answer.json["details"]["id"])

    def message(self, message_id: str) -> dict[str, Any]:
        answer = self.gateway.get(f"/v1/sms/{message_id}", key=self.tenant.keys[Role.VIEWER])
        assert answer.status_code == 200
        return dict(answer.json)

    def events(self, message_id: str) -> list[dict[str, Any]]:
        path = f"/v1/sms/{message_id}/events?limit=100"
        return list(self.gateway.get(path, key=self.tenant.keys[Role.VIEWER]).json["items"])

    def round(self, *answers: Any) -> int:
        """One round of the worker, with Twilio's answers."""
        self.gateway.twilio.script = list(answers)
        return self.reconcile.run_once()

    def twilios(self, **fields: Any) -> dict[str, Any]:
        """A message as Twilio has it."""
        return {
            "sid": SID,
            "status": "delivered",
            "to": "+12025550123",
            "from": "+12025550100",
            "body": "Your code is 1234",
            "messaging_service_sid": SERVICE_SID,
            "direction": "outbound-api",
            "date_created": format_datetime(self.clock.at),
            "num_segments": "2",
            "error_code": None,
            "price": "-0.0079",
            "price_unit": "USD",
            "account_sid": self.tenant.account_sid,
        } | fields


def set_up_worker(factory: Factory, tenant: Tenant, instance: Path) -> Worker:
    """Wire the gateway and the worker's follow-up to one fake Twilio and one clock."""
    clock = ManualClock()
    gateway = open_gateway(factory.database, factory.cipher, instance, clock=clock.clock())
    return Worker(gateway, tenant, factory, clock, another_reconcile(factory, gateway, clock))


def another_reconcile(factory: Factory, gateway: Gateway, clock: ManualClock) -> Reconcile:
    """The follow-up of one more worker."""
    clients = TwilioClients(gateway.twilio, factory.cipher)
    provider = TwilioProvider(clients, PUBLIC_URL)
    return Reconcile(
        database=factory.database,
        source=TwilioMessages(clients),
        track=TrackDelivery(gateway.services.database, gateway.services.clock),
        resend=Resend(factory.database, provider, clock.clock(), FakePace().pace()),
        clock=clock.clock(),
        pace=AccountPace(sleep=lambda _: None),
    )


def listed(*found: dict[str, Any]) -> Response:
    return Response(200, json.dumps({"messages": list(found), "next_page_uri": None}))


def fetched(found: dict[str, Any]) -> Response:
    return Response(200, json.dumps(found))
