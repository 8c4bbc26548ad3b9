"""Deliveries with their attempts: lists, replays, outcomes, and the times of the next attempts."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, insert, select

from app.access.audit import AuditedChange, PrincipalChange
from app.access.principal import Actor, ActorKind
from app.access.store import required, visible_to
from app.db.rows import AnyRow, PageFilter, equal, load_page, update_row
from app.kernel.clock import read_retry_after
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.webhooks.claims import DueDelivery
from app.webhooks.endpoints import disable_endpoint, update_endpoint
from app.webhooks.sender import Attempt, DeliveryState
from app.webhooks.tables import (
    webhook_attempts,
    webhook_deliveries,
    webhook_endpoints,
    webhook_events,
)


@dataclass(frozen=True, slots=True)
class DeliveryFilter(PageFilter):
    state: str | None = None


_DELIVERY: Select[*tuple[Any, ...]] = (
    select(
        webhook_deliveries,
        webhook_events.c.type,
        webhook_endpoints.c.workspace_id,
        webhook_endpoints.c.active,
    )
    .join_from(webhook_deliveries, webhook_events)
    .join(webhook_endpoints, webhook_endpoints.c.id == webhook_deliveries.c.endpoint_id)
)


def load_deliveries(
    connection: Connection, endpoint_id: UUID, wanted: DeliveryFilter
) -> list[AnyRow]:
    conditions = equal(wanted, webhook_deliveries, "state")
    query = _DELIVERY.where(webhook_deliveries.c.endpoint_id == endpoint_id, *conditions)
    return load_page(connection, query, webhook_deliveries, wanted)


def load_attempts(connection: Connection, delivery_ids: Iterable[UUID]) -> dict[UUID, list[AnyRow]]:
    columns = webhook_attempts.c
    of_deliveries = columns.delivery_id.in_(list(delivery_ids))
    query = select(webhook_attempts).where(of_deliveries).order_by(columns.id)
    found: defaultdict[UUID, list[AnyRow]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.delivery_id].append(row)
    return found


def new_delivery(event_id: UUID, endpoint_id: UUID, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "event_id": event_id,
        "endpoint_id": endpoint_id,
        "state": DeliveryState.PENDING,
        "attempts": 0,
        "due_at": now,
        "created_at": now,
    }


def replay_delivery(change: PrincipalChange, delivery_id: UUID) -> AnyRow:
    """As a new delivery. Raises `NotFound`, and `ValidationFailed` for a disabled endpoint."""
    connection = change.connection
    query = _DELIVERY.where(
        webhook_deliveries.c.id == delivery_id,
        visible_to(change.principal, webhook_endpoints.c.workspace_id),
    ).with_for_update(of=[webhook_endpoints, webhook_events], read=True, key_share=True)
    old = required(connection.execute(query).one_or_none())
    if not old.active:
        raise ValidationFailed({"$": ["The endpoint is disabled: enable it first."]})
    again = new_delivery(old.event_id, old.endpoint_id, change.now)
    connection.execute(insert(webhook_deliveries).values(**again))
    change.record_of(old, "webhook_delivery.replayed")
    return connection.execute(_DELIVERY.where(webhook_deliveries.c.id == again["id"])).one()


DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
)
MAX_ATTEMPTS = len(DELAYS) + 1
DISABLED_AFTER = timedelta(days=5)
LONGEST_ASKED = timedelta(hours=24)
# Longer than any delay between attempts: failures before such a pause do not count.
_QUIET = timedelta(hours=48)
_JITTER = 0.1


def next_attempt_at(
    attempts: int, now: datetime, chance: float, asked: timedelta | None = None
) -> datetime | None:
    """Return the time of the next attempt, or None.

    ``chance``, from 0 to 1, varies the delay by 10%. ``asked`` is the receiver's Retry-After,
    followed up to a day.
    """
    if attempts >= MAX_ATTEMPTS:
        return None
    delay = DELAYS[attempts - 1] * (1 - _JITTER + 2 * _JITTER * chance)
    if asked is not None:
        delay = max(delay, min(asked, LONGEST_ASKED))
    return now + delay


def asked_delay(retry_after: str | None, now: datetime) -> timedelta | None:
    seconds = read_retry_after(retry_after, now)
    return None if seconds is None else timedelta(seconds=seconds)


def failing_since(
    first_failed_at: datetime | None, last_failed_at: datetime | None, now: datetime
) -> datetime:
    """Return since when an endpoint that fails now has only failed."""
    if first_failed_at is None or last_failed_at is None or now - last_failed_at > _QUIET:
        return now
    return first_failed_at


def is_disabled_after(since: datetime, now: datetime) -> bool:
    return now - since >= DISABLED_AFTER


GONE = "The receiver answered 410 Gone."
GIVEN_UP = f"Every attempt of {DISABLED_AFTER.days} days has failed."
_WORKER = Actor(ActorKind.SYSTEM, "webhooks")


def record_attempt(
    connection: Connection, due: DueDelivery, attempt: Attempt, now: datetime, chance: float
) -> None:
    """Does nothing if the rows have been deleted."""
    endpoint = _locked(connection, webhook_endpoints, due.endpoint_id)
    delivery = _locked(connection, webhook_deliveries, due.delivery_id)
    if endpoint is None or delivery is None:
        return
    connection.execute(
        insert(webhook_attempts).values(
            id=new_id(),
            delivery_id=due.delivery_id,
            at=attempt.at,
            status=attempt.status,
            failure=attempt.failure,
            milliseconds=attempt.milliseconds,
        )
    )
    if attempt.is_success:
        _record_success(connection, endpoint, delivery)
        return
    if delivery.due_at == due.leased_until:
        _move(connection, delivery, **_after_failure(due, attempt, now, chance))
    if endpoint.active and not attempt.is_internal_error:
        _record_failure(connection, endpoint, attempt, now)


def _locked(connection: Connection, table: Any, row_id: Any) -> AnyRow | None:
    query = select(table).where(table.c.id == row_id).with_for_update(key_share=True)
    return connection.execute(query).one_or_none()


def _move(connection: Connection, delivery: AnyRow, **values: Any) -> None:
    attempts = delivery.attempts + 1
    update_row(connection, webhook_deliveries, delivery.id, attempts=attempts, **values)


def _record_success(connection: Connection, endpoint: AnyRow, delivery: AnyRow) -> None:
    _move(connection, delivery, state=DeliveryState.DELIVERED, due_at=None)
    if endpoint.first_failed_at is not None:
        update_endpoint(connection, endpoint, first_failed_at=None, last_failed_at=None)


def _after_failure(
    due: DueDelivery, attempt: Attempt, now: datetime, chance: float
) -> dict[str, Any]:
    again_at = None
    if not attempt.is_gone:
        asked = asked_delay(attempt.retry_after, now)
        again_at = next_attempt_at(due.attempts + 1, now, chance, asked)
    state = DeliveryState.FAILED if again_at is None else DeliveryState.PENDING
    return {"state": state, "due_at": again_at}


def _record_failure(
    connection: Connection, endpoint: AnyRow, attempt: Attempt, now: datetime
) -> None:
    since = failing_since(endpoint.first_failed_at, endpoint.last_failed_at, now)
    update_endpoint(connection, endpoint, first_failed_at=since, last_failed_at=now)
    if attempt.is_gone:
        disable_endpoint(AuditedChange(connection, _WORKER, now), endpoint, GONE)
    elif is_disabled_after(since, now):
        disable_endpoint(AuditedChange(connection, _WORKER, now), endpoint, GIVEN_UP)
