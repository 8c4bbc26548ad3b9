"""A small world of tenants, written straight into the tables, and a gateway that serves it."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import insert, select, update

from app.access.principal import SHOWN_CHARS, Role, hash_token, mint_token
from app.access.tables import (
    access_keys,
    audit_events,
    organizations,
    provider_accounts,
    workspaces,
)
from app.application import create_app
from app.bootstrap import Services, open_provider, open_services
from app.db.encryption import Cipher
from app.db.engine import Database
from app.destinations.tables import destination_policies
from app.guards.limits import GuardName
from app.guards.tables import guard_settings
from app.kernel.clock import Clock, utc_now
from app.kernel.ids import new_id
from app.providers.twilio.adapter import open_twilio
from app.providers.twilio.signature import sign
from app.settings import Settings
from app.use_cases.tables import senders, use_cases
from support.fake_twilio import FakeTwilio

PUBLIC_URL = "https://sms.example.com"
ACCOUNT = "AC" + "a" * 32
OTHER_ACCOUNT = "AC" + "b" * 32
AUTH_TOKEN = "0123456789abcdef0123456789abcdef"
SERVICE_SID = "MG" + "c" * 32
US_NUMBER = "+12025550123"
BR_NUMBER = "+5511961234567"


@dataclass
class Tenant:
    """One workspace with a use case and a key of each role."""

    organization_id: UUID
    workspace_id: UUID
    use_case_id: UUID
    account_sid: str
    keys: dict[Role, str]


@dataclass
class Factory:
    """A database, a fake Twilio, and the tenants in it."""

    database: Database
    cipher: Cipher
    now: datetime = field(default_factory=utc_now)

    def organization(self, name: str = "Acme", denied: tuple[str, ...] = ()) -> UUID:
        organization_id = new_id()
        with self.database.writing() as c:
            c.execute(
                insert(organizations),
                {
                    "id": organization_id,
                    "name": name,
                    "denied_destinations": list(denied),
                    "created_at": self.now,
                    "updated_at": self.now,
                },
            )
        return organization_id

    def keys(self, organization_id: UUID, workspace_id: UUID | None) -> dict[Role, str]:
        tokens = {role: mint_token() for role in Role}
        rows = [
            {
                "id": new_id(),
                "organization_id": organization_id,
                "workspace_id": workspace_id,
                "name": f"{role} key",
                "role": role,
                "token_hash": hash_token(token),
                "token_prefix": token[:SHOWN_CHARS],
                "created_at": self.now,
                "rate_per_second": 10_000,
                "rate_burst": 100_000,
                # Their last use is fresh: requests of tests write it no more.
                "last_used_at": self.now,
                "last_used_address": "127.0.0.1",
            }
            for role, token in tokens.items()
        ]
        with self.database.writing() as c:
            c.execute(insert(access_keys), rows)
        return tokens

    def tenant(
        self,
        organization_id: UUID,
        name: str = "Retail",
        *,
        account_sid: str | None = None,
        auth_token: str = AUTH_TOKEN,
        destinations: dict[str, str] | None = None,
        parent_id: UUID | None = None,
        inherits: bool = False,
        guarded: bool = False,
    ) -> Tenant:
        """Make a workspace; without a SID the first organization uses `ACCOUNT`.

        Its guards are off unless it is ``guarded``: most tests send often to one number.
        """
        workspace_id = new_id()
        with self.database.writing() as c:
            accounts = select(provider_accounts.c.sid, provider_accounts.c.organization_id)
            owners = {row.sid: row.organization_id for row in c.execute(accounts)}
            if account_sid is None:
                is_free = owners.get(ACCOUNT, organization_id) == organization_id
                account_sid = ACCOUNT if is_free else f"AC{organization_id.hex}"
            if account_sid not in owners:
                c.execute(
                    insert(provider_accounts),
                    {
                        "sid": account_sid,
                        "organization_id": organization_id,
                        "auth_token": self.cipher.encrypt(account_sid, auth_token),
                        "created_at": self.now,
                        "updated_at": self.now,
                    },
                )
            c.execute(
                insert(workspaces),
                {
                    "id": workspace_id,
                    "organization_id": organization_id,
                    "name": name,
                    "home_country": "US",
                    "parent_id": parent_id,
                    "inherits_destinations": inherits,
                    "account_sid": account_sid,
                    "body_retention_days": 7,
                    "number_retention_days": 90,
                    "created_at": self.now,
                    "updated_at": self.now,
                },
            )
            if not guarded:
                c.execute(
                    insert(guard_settings),
                    {
                        "workspace_id": workspace_id,
                        "revision": 1,
                        "guards": {name.value: {"mode": "off"} for name in GuardName},
                        "updated_at": self.now,
                    },
                )
            if not inherits:
                c.execute(
                    insert(destination_policies),
                    {
                        "workspace_id": workspace_id,
                        "revision": 1,
                        "destinations": {"US": "allowed"} if destinations is None else destinations,
                        "created_at": self.now,
                        "updated_at": self.now,
                    },
                )
        use_case_id = self.use_case(workspace_id)
        return Tenant(
            organization_id,
            workspace_id,
            use_case_id,
            account_sid,
            self.keys(organization_id, workspace_id),
        )

    def use_case(
        self, workspace_id: UUID, *, sender: str | None = "+12025550100", **values: Any
    ) -> UUID:
        use_case_id = new_id()
        row = {
            "id": use_case_id,
            "workspace_id": workspace_id,
            "name": f"use case {use_case_id}",
            "messaging_service_sid": SERVICE_SID,
            "active": True,
            "brand_sid": "BN" + "d" * 32,
            "brand_status": "APPROVED",
            "campaign_sid": "QE" + "e" * 32,
            "campaign_status": "VERIFIED",
            "created_at": self.now,
            "updated_at": self.now,
        }
        with self.database.writing() as c:
            c.execute(insert(use_cases), row | values)
            if sender is not None:
                c.execute(
                    insert(senders),
                    {
                        "id": new_id(),
                        "use_case_id": use_case_id,
                        "number": sender,
                        "type": "long_code",
                        "country": "US",
                        "created_at": self.now,
                    },
                )
        return use_case_id

    def write(self, *statements: Any) -> None:
        """Execute statements in one transaction."""
        with self.database.writing() as c:
            for statement in statements:
                c.execute(statement)

    def set(self, table: Any, row_id: UUID, **values: Any) -> None:
        self.write(update(table).where(table.c.id == row_id).values(**values))

    def rows(self, table: Any, **values: Any) -> list[dict[str, Any]]:
        """The rows of a table, or those with these values."""
        with self.database.reading() as c:
            found = [dict(row._mapping) for row in c.execute(select(table))]
        return [row for row in found if values.items() <= row.items()]

    def audit_trail(self, *columns: str, **values: Any) -> list[tuple[Any, ...]]:
        """These columns of the audit events with these values, oldest first."""
        rows = sorted(self.rows(audit_events, **values), key=lambda row: str(row["id"]))
        return [tuple(row[column] for column in columns) for row in rows]


@dataclass
class Gateway:
    """A gateway under test, with the fake Twilio that it sends through."""

    services: Services
    twilio: FakeTwilio
    client: FlaskClient

    def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Any:
        return self.client.post(path, json=body, headers=_headers(key, headers))

    def get(self, path: str, *, key: str | None = None, **headers: str) -> Any:
        return self.client.get(path, headers=_headers(key, headers))

    def delete(self, path: str, *, key: str | None = None) -> Any:
        return self.client.delete(path, headers=_headers(key, {}))

    def send(
        self,
        tenant: Tenant,
        *,
        to: str = US_NUMBER,
        message: str = "Your code is 1234",
        role: Role = Role.SENDER,
        **headers: str,
    ) -> Any:
        body = {"use_case_id": str(tenant.use_case_id), "to_phone_number": to, "message": message}
        return self.post("/v1/sms", body, key=tenant.keys[role], **headers)

    def callback(
        self,
        message_id: str | None,
        message_sid: str,
        status: str,
        *,
        account_sid: str = ACCOUNT,
        token: str = AUTH_TOKEN,
        path: str = "/v1/webhook/twilio/sms-status",
        **extra: str,
    ) -> Any:
        form = {
            "AccountSid": account_sid,
            "MessageSid": message_sid,
            "SmsSid": message_sid,
            "MessageStatus": status,
            "SmsStatus": status,
            "From": "+12025550100",
            "To": US_NUMBER,
        } | extra
        target = path + (f"?message_id={message_id}" if message_id else "")
        signature = sign(
            token, PUBLIC_URL + target, {name: [value] for name, value in form.items()}
        )
        return self.client.post(target, data=form, headers={"X-Twilio-Signature": signature})


def _headers(key: str | None, headers: dict[str, str]) -> dict[str, str]:
    found = {name.replace("_", "-"): value for name, value in headers.items()}
    return found if key is None else found | {"Authorization": f"AccessKey {key}"}


def open_gateway(
    database: Database,
    cipher: Cipher,
    instance: Path,
    *,
    clock: Clock | None = None,
    public_url: str = PUBLIC_URL,
    threads: int = 8,
    twilio_url: str | None = None,
    **settings: Any,
) -> Gateway:
    """Wire a gateway to a database and a fake Twilio."""
    twilio = FakeTwilio()
    configured = Settings(
        instance=instance,
        database_url=database.engine.url.render_as_string(hide_password=False),
        public_url=public_url,
        twilio_url=twilio_url,
        secret_key="0123456789abcdef" * 2,
        encryption_keys=(Settings.__name__,),
        threads=threads,
        **settings,
    )
    fake, provider = open_twilio(twilio, cipher, public_url), open_provider(configured, cipher)
    provider = replace(provider, sms=fake.sms)
    if twilio_url is None:
        provider = replace(provider, prover=fake.prover)
    services = open_services(
        configured, clock=clock, provider=provider, cipher=cipher, database=database
    )
    return Gateway(services, twilio, create_app(services).test_client())
