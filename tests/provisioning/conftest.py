"""What the tests of provisioning share: one file that uses every field, and ways to apply it."""

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

import app.access.tables
import app.destinations.tables
import app.use_cases.tables  # noqa: F401
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.types import metadata
from app.provisioning.apply import Plan, apply

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TOKEN = "0123456789abcdef0123456789abcdef"
ENVIRON = {"RETAIL_TOKEN": TOKEN}

_FILE: dict[str, Any] = {
    "organization": {
        "id": "5a3d8cf1-3aaf-4b56-a2e0-260b28c0a0d0",
        "name": "Acme",
        "denied_destinations": ["KP"],
        "access_keys": [{"name": "platform", "role": "owner"}],
    },
    "workspaces": [
        {
            "id": "e9d00796-afb3-458e-ad85-64a1bdefe3aa",
            "name": "Retail",
            "home_country": "US",
            "parent": "",
            "twilio": {"account_sid": "AC" + "a" * 32, "auth_token": "env:RETAIL_TOKEN"},
            "destinations": {"US": "allowed", "CA": "allowed", "BR": "blocked"},
            "body_retention_days": 3,
            "number_retention_days": 30,
            "access_keys": [
                {"name": "backend", "role": "sender", "expires_at": "2031-01-01T00:00:00Z"}
            ],
            "use_cases": [
                {
                    "id": "0b9e7f6e-6f0e-4c53-8a43-1f7f1c1ad001",
                    "name": "one-time passwords",
                    "messaging_service_sid": "MG" + "a" * 32,
                    "active": True,
                    "senders": [
                        {"number": "+12025550100", "type": "long_code"},
                        {"number": "ACME", "type": "alphanumeric"},
                    ],
                    "brand": {"sid": "BN" + "a" * 32, "status": "APPROVED"},
                    "campaign": {"sid": "QE" + "a" * 32, "status": "VERIFIED"},
                    "allowed_destinations": ["US", "CA"],
                    "on_unconfirmed": "resend",
                }
            ],
        },
        {"name": "Outlet", "home_country": "CA", "parent": "Retail"},
    ],
}


@pytest.fixture
def file() -> dict[str, Any]:
    """A file that uses every field, to be changed at will."""
    return copy.deepcopy(_FILE)


@pytest.fixture
def now() -> datetime:
    """The moment at which everything is applied."""
    return NOW


Apply = Callable[..., Plan]


@pytest.fixture
def applied(database: Database, cipher: Cipher) -> Apply:
    """Applies data to this test's database."""

    def run(data: object, at: datetime = NOW, **environ: str) -> Plan:
        return apply(database, cipher, data, environ=ENVIRON | environ, now=at)

    return run


@pytest.fixture
def rows(database: Database) -> Callable[..., Any]:
    """Reads all rows of one table, or of all tables."""

    def read(table: str | None = None) -> Any:
        with database.reading() as connection:
            found = {
                t.name: [
                    row._asdict() for row in connection.execute(select(t).order_by(*t.primary_key))
                ]
                for t in metadata.sorted_tables
            }
        return found if table is None else found[table]

    return read
