"""A user of the console without a browser: signs in, reads pages, submits their forms."""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.access.audit import AuditedChange
from app.access.principal import Actor, ActorKind, Role
from app.users.manage import NewUser, create_user
from app.users.passwords import choose_password
from support.factories import PUBLIC_URL, Factory, Gateway

PASSWORD = "correct horse battery"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
ACTOR = Actor(ActorKind.SYSTEM, "test")


def make_user(
    factory: Factory,
    organization_id: UUID,
    roles: dict[UUID | None, Role],
    email: str = "ada@example.com",
    password: str | None = PASSWORD,
) -> UUID:
    """Make an account."""
    chosen = None if password is None else choose_password(password, email)
    new = NewUser(organization_id, email, "Ada Example", roles, chosen)
    with factory.database.writing() as connection:
        return create_user(AuditedChange(connection, ACTOR, factory.now), new)


@dataclass
class Console:
    """A browser's window, cookies included."""

    client: FlaskClient

    address: str = "127.0.0.1"

    def get(self, path: str, **headers: str) -> TestResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.get(path, base_url=PUBLIC_URL, headers=named)

    def post(
        self,
        path: str,
        form: dict[str, Any] | None = None,
        *,
        on: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> TestResponse:
        """Submit a form that stands on a page: that of the same path where none is named."""
        return self.client.post(
            path,
            base_url=PUBLIC_URL,
            data={"csrf_token": self.token(on or path), **(form or {})},
            headers=headers,
            environ_overrides={"REMOTE_ADDR": self.address},
        )

    def post_without_token(self, path: str, form: dict[str, Any] | None = None) -> TestResponse:
        return self.client.post(path, base_url=PUBLIC_URL, data=form or {})

    def token(self, path: str) -> str:
        page = self.get(path)
        found = _TOKEN.search(page.text)
        assert found is not None, (path, page.status_code, page.text[:300])
        return unescape(found.group(1))

    def sign_in(self, email: str = "ada@example.com", password: str = PASSWORD) -> TestResponse:
        return self.post("/console/sign-in", {"email": email, "password": password})

    def sign_in_by_key(self, key: str) -> TestResponse:
        return self.post("/console/sign-in", {"access_key": key})


def audit_events_of_pages(factory: Factory) -> list[tuple[str, str | None]]:
    """What visitors did, in order: action and reason; that they signed in is left out."""
    audited = factory.audit_trail("action", "reason", "actor_id")
    return [one[:2] for one in audited if one[2] and one[0] != "console.signed_in"]


def open_console(gateway: Gateway, address: str = "127.0.0.1") -> Console:
    """Open a window that nobody has signed in with."""
    return Console(gateway.client.application.test_client(), address)


def signed_in(gateway: Gateway, key: str) -> Console:
    """Open a window that is signed in by access key."""
    console = open_console(gateway)
    assert console.sign_in_by_key(key).status_code == 303
    return console


def signed_in_user(
    gateway: Gateway, factory: Factory, organization_id: UUID, roles: dict[UUID | None, Role]
) -> Console:
    """Make an account, and open a window that its owner is signed in with."""
    make_user(factory, organization_id, roles)
    console = open_console(gateway)
    assert console.sign_in().status_code == 303
    return console
