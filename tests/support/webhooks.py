"""A worker of webhooks whose receivers, time and jitter a test decides."""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from app.access.principal import ActorKind
from app.kernel.ids import new_id
from app.webhooks.claims import DeliveryLane, DueDelivery, choose_due, claim_chosen
from app.webhooks.deliver import DELIVERY_BATCH, DeliverWebhooks
from app.webhooks.endpoints import mint_secret, secret_owner
from app.webhooks.outbox import EventType, add_event
from app.webhooks.sender import NotDelivered, Reply, Sender
from app.webhooks.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)
from support.factories import Factory
from support.time import ManualClock

HOOK = "https://hooks.example.com/sms"
Script = Reply | NotDelivered | Exception | Callable[[], Reply]


@dataclass
class Posted:
    """One request that was sent."""

    url: str
    body: str
    headers: dict[str, str]

    @property
    def event_id(self) -> UUID:
        return UUID(self.headers["webhook-id"])


@dataclass
class FakeSender:
    """Does what its script says for each request; after that, or without one, `otherwise`."""

    script: list[Script] = field(default_factory=list)
    otherwise: Script = field(default_factory=lambda: Reply(204))
    by_url: dict[str, Script] = field(default_factory=dict)
    posted: list[Posted] = field(default_factory=list)
    _lock: Any = field(default_factory=threading.Lock)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        with self._lock:
            self.posted.append(Posted(url, body.decode(), dict(headers)))
            audit_event = (
                self.script.pop(0) if self.script else self.by_url.get(url, self.otherwise)
            )
        if isinstance(audit_event, Exception):
            raise audit_event
        return audit_event if isinstance(audit_event, Reply) else audit_event()


@dataclass
class Hooks:
    """A database with endpoints and events, and the worker over them."""

    factory: Factory
    clock: ManualClock
    sender: FakeSender = field(default_factory=FakeSender)

    def worker(
        self, lane: DeliveryLane = DeliveryLane.EVERY, sender: Sender | None = None
    ) -> DeliverWebhooks:
        return DeliverWebhooks(
            self.factory.database,
            self.factory.cipher,
            self.clock.clock(),
            sender or self.sender,
            lane,
            chance=lambda: 0.5,
        )

    def run(self, lane: DeliveryLane = DeliveryLane.EVERY) -> int:
        return self.worker(lane).run_once()

    def drain(self) -> None:
        """Run until nothing is due at this instant."""
        while self.run():
            pass

    def claim(
        self, limit: int = DELIVERY_BATCH, lane: DeliveryLane = DeliveryLane.EVERY
    ) -> list[DueDelivery]:
        """Claim as a worker does that dies right after."""
        with self.factory.database.writing() as c:
            return claim_chosen(c, choose_due(c, self.clock.at, limit, lane), self.clock.at)

    def endpoint(self, workspace_id: UUID, **values: Any) -> UUID:
        """Store an active endpoint for all events by default."""
        endpoint_id = new_id()
        row = {
            "id": endpoint_id,
            "workspace_id": workspace_id,
            "url": HOOK,
            "events": [event.value for event in EventType],
            "secret": self.factory.cipher.encrypt(secret_owner(endpoint_id), mint_secret()),
            "active": True,
            "created_at": self.clock.at,
            "updated_at": self.clock.at,
        }
        self.factory.write(insert(webhook_endpoints).values(**row | values))
        return endpoint_id

    def event(
        self, workspace_id: UUID, event_type: EventType = EventType.SMS_DELIVERED, **data: Any
    ) -> bool:
        with self.factory.database.writing() as c:
            return add_event(c, workspace_id, event_type, data or {"n": 1}, self.clock.at)

    def endpoint_row(self, endpoint_id: UUID) -> dict[str, Any]:
        return self.factory.rows(webhook_endpoints, id=endpoint_id)[0]

    def deliveries(self) -> list[dict[str, Any]]:
        rows = self.factory.rows(webhook_deliveries)
        return sorted(rows, key=lambda row: row["id"])

    def delivery(self) -> dict[str, Any]:
        (only,) = self.deliveries()
        return only

    def events(self) -> list[dict[str, Any]]:
        return self.factory.rows(webhook_events)

    def attempts(self) -> list[dict[str, Any]]:
        return sorted(self.factory.rows(webhook_attempts), key=lambda row: row["id"])

    def audit_trail_of_the_system(self) -> list[tuple[str, str, str | None]]:
        """Return action, target and reason of what the worker itself has done."""
        return self.factory.audit_trail("action", "target", "reason", actor_kind=ActorKind.SYSTEM)

    def move_to(self, at: datetime) -> None:
        self.clock.at = at


def body_of(posted: Posted) -> dict[str, Any]:
    """The body of a request, parsed."""
    found: dict[str, Any] = json.loads(posted.body)
    return found
