"""Managing endpoints: each change in one transaction with its audit event.

A secret is returned only when it is created. After a rotation the previous secret also signs for a
day.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, insert

from app.access.actor import Actor
from app.access.principal import Principal
from app.access.scope import chosen_workspace
from app.db.engine import Database
from app.db.rows import AnyRow
from app.db.vault import Vault
from app.kernel.clock import Clock
from app.kernel.errors import ValidationFailed
from app.kernel.ids import new_id
from app.webhooks.address import UrlRefused, read_url
from app.webhooks.change import change_fields, ordered, switch, update_endpoint
from app.webhooks.disable import note_endpoint_deed
from app.webhooks.endpoints import count_endpoints, load_endpoint
from app.webhooks.signing import mint_secret, secret_owner
from app.webhooks.tables import webhook_endpoints

MAX_ENDPOINTS = 50
OVERLAP = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be."""

    url: str
    events: list[str]
    workspace_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """An endpoint with the secret just made; this is the only time that it is known."""

    row: AnyRow
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ManageEndpoints:
    """The operations behind ``/v1/webhook-endpoints``."""

    database: Database
    vault: Vault
    clock: Clock
    allow_loopback: bool = False

    def problem_of(self, url: str) -> str | None:
        """Return why a URL cannot be an endpoint's, or None."""
        try:
            read_url(url, allow_loopback=self.allow_loopback)
        except UrlRefused as problem:
            return str(problem)
        return None

    def create(self, principal: Principal, wanted: NewEndpoint, actor: Actor) -> EndpointSecret:
        """Make an active endpoint.

        Raises:
            ValidationFailed: the workspace is not there, or has as many endpoints as it may.
        """
        now = self.clock.now()
        endpoint_id, secret = new_id(), mint_secret()
        values = {
            "id": endpoint_id,
            "url": wanted.url,
            "events": ordered(wanted.events),
            "secret": self.vault.seal(secret_owner(endpoint_id), secret),
            "active": True,
            "created_at": now,
            "updated_at": now,
        }
        with self.database.writing() as connection:
            values["workspace_id"] = _workspace(connection, principal, wanted.workspace_id)
            connection.execute(insert(webhook_endpoints).values(**values))
            row = load_endpoint(connection, principal, endpoint_id)
            note_endpoint_deed(connection, row, "created", actor, now)
        return EndpointSecret(row, secret)

    def change(
        self, principal: Principal, endpoint_id: UUID, wanted: Mapping[str, Any], actor: Actor
    ) -> AnyRow:
        """Change ``url``, ``events`` or ``active``; equal values change nothing.

        Raises:
            NotFound: the endpoint is absent or another tenant's.
        """
        now = self.clock.now()
        with self.database.writing() as connection:
            row = load_endpoint(connection, principal, endpoint_id, to_change=True)
            change_fields(connection, row, wanted, actor, now)
            if wanted.get("active", row.active) != row.active:
                switch(connection, row, actor, now)
            return load_endpoint(connection, principal, endpoint_id)

    def delete(self, principal: Principal, endpoint_id: UUID, actor: Actor) -> None:
        """Delete an endpoint with its deliveries.

        Raises:
            NotFound: the endpoint is absent or another tenant's.
        """
        now = self.clock.now()
        with self.database.writing() as connection:
            row = load_endpoint(connection, principal, endpoint_id, to_change=True)
            connection.execute(
                delete(webhook_endpoints).where(webhook_endpoints.c.id == endpoint_id)
            )
            note_endpoint_deed(connection, row, "deleted", actor, now)

    def rotate(self, principal: Principal, endpoint_id: UUID, actor: Actor) -> EndpointSecret:
        """Rotate the secret; the previous one also signs for a day.

        Raises:
            NotFound: the endpoint is absent or another tenant's.
        """
        now, secret = self.clock.now(), mint_secret()
        with self.database.writing() as connection:
            row = load_endpoint(connection, principal, endpoint_id, to_change=True)
            update_endpoint(
                connection,
                row,
                secret=self.vault.seal(secret_owner(endpoint_id), secret),
                previous_secret=row.secret,
                previous_secret_until=now + OVERLAP,
                updated_at=now,
            )
            note_endpoint_deed(connection, row, "secret_rotated", actor, now)
            return EndpointSecret(load_endpoint(connection, principal, endpoint_id), secret)


def _workspace(connection: Connection, principal: Principal, wanted: UUID | None) -> UUID:
    workspace_id = chosen_workspace(connection, principal, wanted, "$.workspace_id")
    if count_endpoints(connection, workspace_id) >= MAX_ENDPOINTS:
        raise ValidationFailed({"$": [f"A workspace has at most {MAX_ENDPOINTS} endpoints."]})
    return workspace_id
