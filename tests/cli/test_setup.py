"""Getting an installation ready, and saying whether it is."""

import json
import os
from pathlib import Path

import psycopg
import pytest

from app.bootstrap import open_installation_secrets, open_settings
from app.db.engine import Database
from app.db.schema import current_revision, latest_revision
from app.setting_sources import SETTING_NAMES
from support.commands import Run


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """An instance folder that does not exist yet."""
    return tmp_path / "fresh"


@pytest.fixture
def database_url(instance: Path) -> str:
    """The embedded database of that folder."""
    return f"sqlite:///{instance / 'borderpost.db'}"


def test_init_creates_only_missing_files(run: Run, instance: Path, database_url: str) -> None:
    first = run("init")
    assert first.exit_code == 0
    assert first.stdout == (
        f"instance folder: {instance}\n"
        "secrets:         generated\n"
        f"database:        upgraded from none to {latest_revision()}\n"
    )
    secrets = (instance / "secrets.env").read_text()
    assert (instance / "secrets.env").stat().st_mode & 0o777 == 0o600
    second = run("init")
    assert second.exit_code == 0
    assert second.stdout == (
        f"instance folder: {instance}\n"
        "secrets:         exist already, not changed\n"
        f"database:        at revision {latest_revision()} already\n"
    )
    assert (instance / "secrets.env").read_text() == secrets
    database = Database(database_url)
    assert current_revision(database) == latest_revision()
    database.close()


def test_init_warns_of_other_secrets_than_the_database_has(
    run: Run, instance: Path, database_url: str
) -> None:
    """Break: leave the comparison out of `init`."""
    assert run("init").stderr == ""
    settings = open_settings({"BORDERPOST_INSTANCE": str(instance)})
    database = Database(database_url)
    open_installation_secrets(settings).prepare(database)
    database.close()
    (instance / "secrets.env").unlink()
    second = run("init")
    assert second.exit_code == 0
    assert "warning: secrets: BORDERPOST_SECRET_KEY and BORDERPOST_ENCRYPTION_KEYS" in second.stderr


def test_no_command_prints_a_secret(run: Run, instance: Path) -> None:
    printed = run("init").output
    for arguments in (["check-config"], ["check-config", "--json"], ["db", "upgrade"]):
        printed += run(*arguments).output
    secrets = [
        line.split("=", 1)[1]
        for line in (instance / "secrets.env").read_text().splitlines()
        if "=" in line
    ]
    assert len(secrets) == 2
    assert not [secret for secret in secrets if secret in printed]


def test_check_config_reports_every_problem_and_creates_nothing(
    run: Run, instance: Path, environ: dict[str, str | None]
) -> None:
    environ["BORDERPOST_PUBLIC_URL"] = "ftp://example"
    result = run("check-config")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: BORDERPOST_PUBLIC_URL: must be an http or https URL with a host\n"
        "error: BORDERPOST_SECRET_KEY: is not set: run `borderpost init`, or set it\n"
        "error: BORDERPOST_ENCRYPTION_KEYS: is not set: run `borderpost init`, or set it\n"
    )
    assert not instance.exists()


def test_check_config_shows_the_settings_without_secrets(
    run: Run, instance: Path, environ: dict[str, str | None]
) -> None:
    run("init")
    environ["BORDERPOST_DATABASE_URL"] = (
        "postgresql+psycopg://me:hidden1@/sms?host=a:1&host=b:2&password=hidden2&sslpassword=hidden4"
    )
    environ["BORDERPOST_METRICS_TOKEN"] = "hidden3-0123456789"
    as_json = run("check-config", "--json")
    assert as_json.exit_code == 0
    shown = json.loads(as_json.stdout)
    # The server of SMTP_URL is shown without its password; ALLOW_INSECURE makes warnings.
    assert {name.lower() for name in SETTING_NAMES} - shown.keys() == {"smtp_url", "allow_insecure"}
    assert shown == {
        "instance": str(instance),
        "database_pooler": "none",
        "database_url": "postgresql+psycopg://me:***@/sms"
        "?host=a%3A1&host=b%3A2&password=hidden&sslpassword=hidden",
        "public_url": "http://127.0.0.1:8000",
        "twilio_url": None,
        "secret_key": "(set, hidden)",
        "encryption_keys": "1 (set, hidden)",
        "metrics_token": "(set, hidden)",
        "bind": "127.0.0.1:8000",
        "processes": os.cpu_count(),
        "threads": 32,
        "webhook_allow_loopback": False,
        "oidc_issuer": None,
        "oidc_client_id": None,
        "oidc_client_secret": None,
        "smtp_server": None,
        "smtp_from": None,
        "alert_emails": None,
        "message_retention_days": 400,
    }
    for_people = run("check-config").stdout
    assert "twilio_url: (not set)\n" in for_people
    assert "hidden1" not in for_people
    assert "hidden2" not in for_people
    assert "hidden3" not in for_people
    assert "hidden4" not in for_people


def test_a_new_embedded_database_gets_its_tables_by_itself(run: Run) -> None:
    assert (run("keys", "list").exit_code, run("keys", "list").stdout) == (0, "")
    assert run("db", "upgrade").stdout == f"database: at revision {latest_revision()} already\n"


def test_database_of_another_version_is_reported_with_its_remedy(
    run: Run, database_url: str
) -> None:
    assert run("init").exit_code == 0
    database = Database(database_url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    asked = run("keys", "list")
    assert asked.exit_code == 1
    assert asked.stderr == (
        f"error: the database is at revision 9999 and this program needs {latest_revision()}: "
        "install the version of the program that upgraded it\n"
    )
    assert "install the version of the program" in run("doctor", "--offline").stdout
    upgraded = run("db", "upgrade")
    assert upgraded.exit_code == 1
    assert upgraded.stderr == (
        "error: the database is at revision 9999, which this program does not know: "
        "was it upgraded by a newer version?\n"
    )


def test_a_server_database_is_upgraded_only_when_asked(
    run: Run, postgres_socket: str, environ: dict[str, str | None]
) -> None:
    with psycopg.connect(host=postgres_socket, user="postgres", autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS unmigrated")
        connection.execute("CREATE DATABASE unmigrated")
    environ["BORDERPOST_DATABASE_URL"] = (
        f"postgresql+psycopg://postgres@/unmigrated?host={postgres_socket}"
    )
    assert run("keys", "list").stderr == (
        f"error: the database is at revision none and this program needs {latest_revision()}: "
        "run `borderpost db upgrade`\n"
    )
    assert run("db", "upgrade").stdout == f"database: upgraded from none to {latest_revision()}\n"
    assert run("keys", "list").exit_code == 0


def test_downgrade_names_what_is_lost_and_waits_for_yes(
    run: Run, instance: Path, database_url: str
) -> None:
    """Break: leave the condition on `--yes` out of `downgrade_command`."""
    run("init")
    assert run("db", "downgrade", "0026", "--yes").exit_code == 0
    at = "database: downgraded from 0026 to 0024"
    done = run("db", "downgrade", "0024")
    assert (done.exit_code, done.stdout) == (0, f"{at}\n")
    refused = run("db", "downgrade", "0017")
    assert refused.exit_code == 1
    lines = refused.stderr.splitlines()
    assert "error: 0018: Prices, estimates" in lines[-2]
    assert "--yes" in lines[-1]
    database = Database(database_url)
    assert current_revision(database) == "0024"
    assert run("db", "downgrade", "0017", "--yes").exit_code == 0
    assert current_revision(database) == "0017"
    database.close()
    for wrong in ("0017", "0099", "base"):
        answer = run("db", "downgrade", wrong, "--yes")
        assert answer.exit_code == 1
        assert f"error: REVISION: {wrong} is no revision before 0017" in answer.stderr
    assert run("db", "upgrade").exit_code == 0
