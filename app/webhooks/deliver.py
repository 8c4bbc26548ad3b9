"""Delivery of webhooks: one batch of the outbox and of due deliveries; test events.

No database connection is held during a request. A delivery whose result could not be stored is sent
again with the same `webhook-id`: at least once.
"""

import json
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, insert, select, update

from app.access.principal import Principal
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.rows import AnyRow
from app.kernel.clock import Clock
from app.kernel.concurrency import ConcurrencyLimit
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id
from app.webhooks.claims import DeliveryLane, DueDelivery, choose_due, claim_chosen
from app.webhooks.deliveries import new_delivery, record_attempt
from app.webhooks.endpoints import FIXED_HEADERS, load_endpoint, secret_owner, signed_headers
from app.webhooks.outbox import message_text
from app.webhooks.sender import Attempt, Failure, NotDelivered, Reply, Sender
from app.webhooks.tables import webhook_deliveries, webhook_endpoints, webhook_events

FAN_OUT_BATCH = 200
_log = structlog.get_logger(__name__)
# As many as are posted at once, so that a claimed delivery does not wait: an exchange ends long
# before the lease.
DELIVERY_BATCH = 16
# More than are claimed, because another worker may claim the first ones.
_CHOICES = 4
TEST_TYPE = "webhook.test"
_TESTS = ConcurrencyLimit("webhook-tests", 2, "Too many endpoints are tested at once; try again.")


def is_waiting(connection: Connection) -> bool:
    """Whether the outbox has events, without blocking writers."""
    query = select(webhook_events.c.id).where(webhook_events.c.fanned_out_at.is_(None))
    return connection.execute(query.limit(1)).one_or_none() is not None


def fan_out(connection: Connection, now: datetime) -> int:
    """Process the oldest waiting events; return their number."""
    columns = webhook_events.c
    events = connection.execute(
        select(columns.id, columns.workspace_id, columns.type, columns.created_at)
        .where(columns.fanned_out_at.is_(None))
        .order_by(columns.id)
        .limit(FAN_OUT_BATCH)
        .with_for_update(skip_locked=True)
    ).all()
    if not events:
        return 0
    endpoints = _endpoints(connection, events)
    rows = [
        new_delivery(event.id, endpoint.id, now)
        for event in events
        for endpoint in endpoints
        if endpoint.workspace_id == event.workspace_id
        and event.type in endpoint.events
        and endpoint.created_at <= event.created_at
    ]
    if rows:
        connection.execute(insert(webhook_deliveries), rows)
    done = [event.id for event in events]
    connection.execute(update(webhook_events).where(columns.id.in_(done)).values(fanned_out_at=now))
    return len(events)


def _endpoints(connection: Connection, events: Sequence[AnyRow]) -> Sequence[AnyRow]:
    columns = webhook_endpoints.c
    # The lock only prevents that they are deleted before their deliveries exist.
    query = (
        select(columns.id, columns.workspace_id, columns.events, columns.created_at)
        .where(columns.workspace_id.in_({event.workspace_id for event in events}), columns.active)
        .order_by(columns.id)
        .with_for_update(read=True, key_share=True)
    )
    return connection.execute(query).all()


@dataclass(frozen=True, slots=True)
class DeliverWebhooks:
    database: Database
    cipher: Cipher
    clock: Clock
    sender: Sender
    lane: DeliveryLane = DeliveryLane.EVERY
    chance: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic

    def run_once(self) -> int:
        """Return the number of new events and of due deliveries."""
        found = 0
        if self.lane is not DeliveryLane.FAILING:
            found = self._fan_out()
        claimed = self._claim()
        if claimed:
            self._deliver(claimed)
        return found + len(claimed)

    def _fan_out(self) -> int:
        with self.database.reading() as connection:
            if not is_waiting(connection):
                return 0
        with self.database.writing() as connection:
            return fan_out(connection, self.clock.now())

    def _claim(self) -> list[DueDelivery]:
        with self.database.reading() as connection:
            now = self.clock.now()
            chosen = choose_due(connection, now, _CHOICES * DELIVERY_BATCH, self.lane)
        for start in range(0, len(chosen), DELIVERY_BATCH):
            with self.database.writing() as connection:
                claimed = claim_chosen(connection, chosen[start : start + DELIVERY_BATCH], now)
            if claimed:
                return claimed
        return []

    def _deliver(self, claimed: list[DueDelivery]) -> None:
        unwritten: ServiceUnavailable | None = None
        with ThreadPoolExecutor(len(claimed), thread_name_prefix="webhook") as pool:
            posted = {pool.submit(self._attempt, due): due for due in claimed}
            for future in as_completed(posted):
                try:
                    self._note(posted[future], future.result())
                except ServiceUnavailable as problem:
                    unwritten = problem
        if unwritten is not None:
            raise unwritten

    def _attempt(self, due: DueDelivery) -> Attempt:
        at, started = self.clock.now(), self.monotonic()
        reply, failure = None, None
        try:
            reply = self._post(due, at)
        except NotDelivered as problem:
            failure = problem.failure
        except Exception as problem:  # noqa: BLE001
            # Log only the type: the text may contain the event.
            failure = Failure.INTERNAL
            _log.error(
                "webhook_not_sent", delivery_id=str(due.delivery_id), why=type(problem).__name__
            )
        return Attempt(
            at=at,
            milliseconds=round((self.monotonic() - started) * 1000),
            status=reply.status if reply else None,
            failure=failure,
            retry_after=reply.retry_after if reply else None,
        )

    def _post(self, due: DueDelivery, at: datetime) -> Reply:
        text = message_text(due.event_type, due.event_at, due.data)
        owner = secret_owner(due.endpoint_id)
        secrets = [self.cipher.decrypt(owner, encrypted) for encrypted in due.encrypted_secrets]
        headers = signed_headers(secrets, due.event_id, at, text)
        return self.sender.post(due.url, text.encode(), FIXED_HEADERS | headers)

    def _note(self, due: DueDelivery, attempt: Attempt) -> None:
        with self.database.writing() as connection:
            record_attempt(connection, due, attempt, self.clock.now(), self.chance())
        if not attempt.is_success:
            _log.info(
                "webhook_attempt_failed",
                delivery_id=str(due.delivery_id),
                endpoint_id=str(due.endpoint_id),
                status=attempt.status,
                failure=attempt.failure,
                milliseconds=attempt.milliseconds,
            )


@dataclass(frozen=True, slots=True)
class SendTestEvent:
    """Posts a signed ``webhook.test`` event, without retries or effects."""

    database: Database
    cipher: Cipher
    clock: Clock
    sender: Sender
    monotonic: Callable[[], float] = time.monotonic

    @_TESTS.slot()
    def __call__(self, principal: Principal, endpoint_id: UUID) -> Attempt:
        """Raises `NotFound` and `RateLimited`."""
        with self.database.reading() as connection:
            row = load_endpoint(connection, principal, endpoint_id)
        at, started = self.clock.now(), self.monotonic()
        data = json.dumps({"endpoint_id": str(endpoint_id), "test": True})
        text = message_text(TEST_TYPE, at, data)
        secret = self.cipher.decrypt(secret_owner(endpoint_id), row.secret)
        headers = FIXED_HEADERS | signed_headers([secret], new_id(), at, text)
        status, failure = None, None
        try:
            status = self.sender.post(row.url, text.encode(), headers).status
        except NotDelivered as problem:
            failure = problem.failure
        took = round((self.monotonic() - started) * 1000)
        return Attempt(at, took, status, failure)
