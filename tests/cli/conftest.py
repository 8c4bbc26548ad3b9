"""Runs commands as `borderpost` does, against an installation of this test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.cli import borderpost
from app.db.encryption import Cipher
from app.instance import create_instance, load_secrets
from app.kernel.clock import parse_rfc3339
from support.commands import Commands, Run
from support.factories import Tenant

ACME = """
[organization]
name = "Acme"
access_keys = [{ name = "platform", role = "owner" }]

[[workspaces]]
name = "Retail"
home_country = "US"
twilio = { account_sid = "ACaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", auth_token = "env:RETAIL_TOKEN" }
access_keys = [{ name = "backend", role = "sender" }]

  [[workspaces.use_cases]]
  name = "codes"
  messaging_service_sid = "MGaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  senders = [{ number = "+12025550100", type = "long_code" }]
"""


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance folder with generated secrets."""
    folder = tmp_path / "instance"
    create_instance(folder)
    return folder


@pytest.fixture
def cipher(instance: Path) -> Cipher:
    """The keys of that installation."""
    return Cipher(load_secrets(instance)["ENCRYPTION_KEYS"].split(","))


@pytest.fixture
def environ(instance: Path, database_url: str) -> dict[str, str | None]:
    """The environment of an installation with a migrated, empty database."""
    return {
        "BORDERPOST_INSTANCE": str(instance),
        "BORDERPOST_DATABASE_URL": database_url,
        "BORDERPOST_SECRET_KEY": None,
        "BORDERPOST_ENCRYPTION_KEYS": None,
        "BORDERPOST_PUBLIC_URL": None,
        "BORDERPOST_METRICS_TOKEN": None,
        "RETAIL_TOKEN": "token-of-retail",
    }


@pytest.fixture
def run(environ: dict[str, str | None]) -> Run:
    """Runs one command line; an exception that is not an exit fails the test."""

    def invoke(*arguments: str, stdin: str | None = None) -> Result:
        result = CliRunner(env=environ).invoke(borderpost, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


@pytest.fixture
def acme(tmp_path: Path) -> Path:
    """A file to apply."""
    path = tmp_path / "acme.toml"
    path.write_text(ACME)
    return path


@pytest.fixture
def destinations(run: Run, tenant: Tenant) -> Commands:
    """The commands under `destinations`, in an installation with one workspace."""
    return Commands(run)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the time at which the commands under `destinations` run."""

    def run_at(text: str) -> None:
        monkeypatch.setattr("app.cli.destinations.change.utc_now", lambda: parse_rfc3339(text))

    return run_at
