"""Endpoints: those that are visible to a principal, their health, secrets, and management.

Each change is one transaction with its audit event. After a rotation, the previous secret also
signs for a day.
"""

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update
from standardwebhooks import Webhook

from app.access.audit import AuditedChange
from app.access.principal import Principal, actor_of
from app.access.store import chosen_workspace, lock_organization, required, visible_to
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.installation import encrypt_for_all
from app.db.rows import AnyRow, PageFilter, equal, load_page, update_row
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.webhooks.address import UrlRefused, read_url
from app.webhooks.sender import DeliveryState
from app.webhooks.tables import webhook_attempts, webhook_deliveries, webhook_endpoints

_SECRET_BYTES = 32

# The headers of every event, without its signature.
FIXED_HEADERS = {
    "Content-Type": "application/json",
    "User-Agent": f"Borderpost/{version('borderpost')}",
}


def mint_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def secret_owner(endpoint_id: UUID) -> str:
    return f"webhook_endpoint:{endpoint_id}"


def signed_headers(
    signing_secrets: Sequence[str], event_id: UUID, at: datetime, text: str
) -> dict[str, str]:
    message_id = str(event_id)
    signatures = [Webhook(secret).sign(message_id, at, text) for secret in signing_secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def load_last_successes(
    connection: Connection, endpoint_ids: Sequence[UUID]
) -> dict[UUID, datetime]:
    deliveries, attempts = webhook_deliveries.c, webhook_attempts.c
    newest = (
        select(deliveries.id)
        .where(
            deliveries.endpoint_id == webhook_endpoints.c.id,
            deliveries.state == DeliveryState.DELIVERED,
        )
        .order_by(deliveries.id.desc())
        .limit(1)
        .correlate(webhook_endpoints)
        .scalar_subquery()
    )
    query = (
        select(webhook_endpoints.c.id, attempts.at)
        .join_from(webhook_endpoints, webhook_attempts, attempts.delivery_id == newest)
        .where(webhook_endpoints.c.id.in_(list(endpoint_ids)), attempts.status.between(200, 299))
        .order_by(attempts.id)
    )
    return {row.id: row.at for row in connection.execute(query)}


@dataclass(frozen=True, slots=True)
class EndpointFilter(PageFilter):
    workspace_id: UUID | None = None
    active: bool | None = None


def load_endpoints(
    connection: Connection, principal: Principal, wanted: EndpointFilter
) -> list[AnyRow]:
    conditions = equal(wanted, webhook_endpoints, "workspace_id", "active")
    seen = visible_to(principal, webhook_endpoints.c.workspace_id)
    query = select(webhook_endpoints).where(seen, *conditions)
    return load_page(connection, query, webhook_endpoints, wanted)


def load_endpoint(
    connection: Connection, principal: Principal, endpoint_id: UUID, *, to_change: bool = False
) -> AnyRow:
    """``to_change`` locks it. Raises `NotFound`."""
    columns = webhook_endpoints.c
    query = select(webhook_endpoints).where(
        columns.id == endpoint_id, visible_to(principal, columns.workspace_id)
    )
    if to_change:
        query = query.with_for_update()
    return required(connection.execute(query).one_or_none())


def disable_endpoint(change: AuditedChange, endpoint: AnyRow, reason: str) -> None:
    values = {"active": False, "disabled_at": change.now, "disabled_reason": reason}
    update_endpoint(change.connection, endpoint, **values, updated_at=change.now)
    deliveries = webhook_deliveries.c
    change.connection.execute(
        update(webhook_deliveries)
        .where(deliveries.endpoint_id == endpoint.id, deliveries.due_at.isnot(None))
        .values(state=DeliveryState.STOPPED, due_at=None)
    )
    change.record_of(endpoint, "webhook_endpoint.disabled", reason)


BY_HAND = "Disabled by hand."


def change_fields(change: AuditedChange, row: AnyRow, wanted: Mapping[str, Any]) -> None:
    """Change URL or events, already validated, if they differ."""
    given = {name: wanted[name] for name in ("url", "events") if name in wanted}
    if "events" in given:
        given["events"] = ordered(given["events"])
    changed = {name: value for name, value in given.items() if value != getattr(row, name)}
    if changed:
        update_endpoint(change.connection, row, **changed, updated_at=change.now)
        # Only the names: a URL may contain a secret of the receiver.
        change.record_of(row, "webhook_endpoint.changed", ", ".join(sorted(changed)))


def switch(change: AuditedChange, row: AnyRow) -> None:
    """Enabling an endpoint clears its failures."""
    if row.active:
        disable_endpoint(change, row, BY_HAND)
        return
    names = ("disabled_at", "disabled_reason", "first_failed_at", "last_failed_at")
    cleared = dict.fromkeys(names)
    update_endpoint(change.connection, row, active=True, updated_at=change.now, **cleared)
    change.record_of(row, "webhook_endpoint.enabled")


def update_endpoint(connection: Connection, row: AnyRow, **values: Any) -> None:
    update_row(connection, webhook_endpoints, row.id, **values)


def ordered(events: list[str]) -> list[str]:
    return sorted(set(events))


MAX_ENDPOINTS = 50
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    url: str
    events: list[str]
    workspace_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    row: AnyRow
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ManageEndpoints:
    """The operations of ``/v1/webhook-endpoints``; they raise `NotFound`."""

    database: Database
    cipher: Cipher
    clock: Clock
    allow_loopback: bool = False

    def problem_of(self, url: str) -> str | None:
        try:
            read_url(url, allow_loopback=self.allow_loopback)
        except UrlRefused as problem:
            return str(problem)
        return None

    def create(self, principal: Principal, wanted: NewEndpoint) -> EndpointSecret:
        """Raises `ValidationFailed` for an unknown workspace, or too many endpoints."""
        endpoint_id, secret = new_id(), mint_secret()
        with self._changing(principal) as change:
            connection = change.connection
            statement = insert(webhook_endpoints).values(
                id=endpoint_id,
                workspace_id=_workspace(connection, principal, wanted.workspace_id),
                url=wanted.url,
                events=ordered(wanted.events),
                secret=encrypt_for_all(connection, self.cipher, secret_owner(endpoint_id), secret),
                active=True,
                created_at=change.now,
                updated_at=change.now,
            )
            connection.execute(statement)
            row = load_endpoint(connection, principal, endpoint_id)
            change.record_of(row, "webhook_endpoint.created")
        return EndpointSecret(row, secret)

    def change(self, principal: Principal, endpoint_id: UUID, wanted: Mapping[str, Any]) -> AnyRow:
        """Change ``url``, ``events`` or ``active``; equal values change nothing."""
        with self._changing(principal) as change:
            row = load_endpoint(change.connection, principal, endpoint_id, to_change=True)
            change_fields(change, row, wanted)
            if wanted.get("active", row.active) != row.active:
                switch(change, row)
            return load_endpoint(change.connection, principal, endpoint_id)

    def delete(self, principal: Principal, endpoint_id: UUID) -> None:
        is_it = webhook_endpoints.c.id == endpoint_id
        with self._changing(principal) as change:
            row = load_endpoint(change.connection, principal, endpoint_id, to_change=True)
            change.connection.execute(delete(webhook_endpoints).where(is_it))
            change.record_of(row, "webhook_endpoint.deleted")

    def rotate(self, principal: Principal, endpoint_id: UUID) -> EndpointSecret:
        secret = mint_secret()
        with self._changing(principal) as change:
            connection, now = change.connection, change.now
            row = load_endpoint(connection, principal, endpoint_id, to_change=True)
            update_endpoint(
                connection,
                row,
                secret=encrypt_for_all(connection, self.cipher, secret_owner(endpoint_id), secret),
                previous_secret=row.secret,
                previous_secret_until=now + OVERLAP,
                updated_at=now,
            )
            change.record_of(row, "webhook_endpoint.secret_rotated")
            return EndpointSecret(load_endpoint(connection, principal, endpoint_id), secret)

    @contextmanager
    def _changing(self, principal: Principal) -> Iterator[AuditedChange]:
        now = self.clock.now()
        with self.database.writing() as connection:
            yield AuditedChange(connection, actor_of(principal), now)


def _workspace(connection: Connection, principal: Principal, wanted: UUID | None) -> UUID:
    # Otherwise requests at the same time would each count without the others.
    lock_organization(connection, principal.organization_id)
    workspace_id = chosen_workspace(connection, principal, wanted, "$.workspace_id")
    query = select(func.count()).where(webhook_endpoints.c.workspace_id == workspace_id)
    if connection.execute(query).scalar_one() >= MAX_ENDPOINTS:
        raise ValidationFailed({"$": [f"A workspace has at most {MAX_ENDPOINTS} endpoints."]})
    return workspace_id
