"""`secrets rotate`, `erase` and `doctor`: keeping an installation well."""

import json
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select

from app.access.tables import provider_accounts
from app.cli import doctor
from app.db.encryption import Cipher, DecryptionError
from app.db.engine import Database
from app.db.heartbeats import beat
from app.db.installation import installation
from app.instance import load_secrets
from app.kernel.clock import parse_rfc3339, utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id
from app.messages.retention.expire import Expired
from app.messages.tables import idempotency_keys, messages
from support.commands import Run
from support.factories import US_NUMBER, Factory
from support.months import create_partitions, partitions, write_message
from support.smtp_server import SmtpServer
from support.time import host_clock_ahead

SID = "AC" + "a" * 32


def sealed_token(database: Database) -> str:
    with database.reading() as connection:
        return str(connection.execute(select(provider_accounts.c.auth_token)).scalar_one())


def test_rotation_seals_every_token_with_the_first_key(
    run: Run, acme: Path, database: Database, instance: Path, environ: dict[str, str | None]
) -> None:
    run("apply", str(acme))
    old = load_secrets(instance)["ENCRYPTION_KEYS"]
    before = sealed_token(database)
    assert json.loads(run("secrets", "rotate", "--new-key", "--json").stdout) == {"new_key": True}
    assert sealed_token(database) == before
    keys = load_secrets(instance)["ENCRYPTION_KEYS"].split(",")
    assert keys[1] == old
    assert json.loads(run("secrets", "rotate", "--json").stdout) == {"resealed": 1, "current": 0}
    assert Cipher(keys[:1]).decrypt(SID, sealed_token(database)) == "token-of-retail"
    with pytest.raises(DecryptionError):
        Cipher([old]).decrypt(SID, sealed_token(database))
    assert json.loads(run("secrets", "rotate", "--json").stdout) == {"resealed": 0, "current": 1}


def test_a_token_that_no_key_opens_stops_the_rotation_with_its_name(
    run: Run, acme: Path, environ: dict[str, str | None]
) -> None:
    run("apply", str(acme))
    environ["BORDERPOST_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
    result = run("secrets", "rotate")
    assert result.exit_code == 1
    assert SID in result.stderr


def test_doctor_reports_other_secrets_and_erasure_stops(
    run: Run, acme: Path, environ: dict[str, str | None], factory: Factory
) -> None:
    """Break: leave out `_secrets` in `doctor`, or `find_differing` in `load_pseudonym_key`."""
    run("apply", str(acme))
    assert run("purge").exit_code == 0
    before, other = factory.rows(installation), "another secret key of this host" * 2
    environ["BORDERPOST_SECRET_KEY"] = other
    findings = json.loads(run("doctor", "--offline", "--json").stdout)["findings"]
    (found,) = [one for one in findings if one["name"] == "secrets"]
    assert not found["well"]
    assert "BORDERPOST_SECRET_KEY" in found["text"]
    assert "ENCRYPTION_KEYS" not in found["text"]
    for command in (("erase", US_NUMBER), ("purge",), ("reconcile",)):
        refused = run(*command)
        assert refused.exit_code == 1
        assert "BORDERPOST_SECRET_KEY" in refused.stderr
        assert other not in refused.stderr
    assert factory.rows(installation) == before


def test_extreme_times_are_times_or_wrong_usage(run: Run, acme: Path) -> None:
    """Break: in `app/cli/input.py`, let a duration have any number of digits."""
    run("apply", str(acme))
    durations = (
        "99999d",
        "99999w",
        "99999h",
        "1m",
        "0d",
        "-1d",
        "1" * 30 + "w",
        "1.5d",
        "",
        "d",
        "٣d",
    )
    moments = (
        "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59", "0000-01-01T00:00:00Z", "now", "", "2030-13-01T00:00:00Z",
    )  # fmt: skip
    commands = [(("reconcile", "--since", one), {0, 64}) for one in durations]
    for option, values in (("--expires-in", durations), ("--expires-at", moments)):
        commands += [
            (("keys", "create", "--name", "k", "--role", "sender", option, one), {0, 64})
            for one in values
        ]
    for option, values in (("--for", durations), ("--until", moments)):
        commands += [(("destinations", "allow", "FR", option, one), {0, 1, 64}) for one in values]
    broken = []
    for command, expected in commands:
        result = run(*command)
        if result.exit_code not in expected or "Traceback" in result.output:
            broken.append((command, result.exit_code, result.output[-200:]))
    assert broken == []
    assert run("reconcile", "--since", "99999d").exit_code == 0
    assert "must be 1 to 99999 and one of m, h, d, w" in run("reconcile", "--since", "0d").stderr


def test_rotation_accepts_a_secret_key_that_was_changed_on_purpose(
    run: Run, acme: Path, environ: dict[str, str | None]
) -> None:
    """Break: leave out `accept` in `secrets rotate`."""
    run("apply", str(acme))
    run("purge")
    environ["BORDERPOST_SECRET_KEY"] = "another secret key of this host" * 2
    assert run("purge").exit_code == 1
    assert run("secrets", "rotate").exit_code == 0
    assert run("purge").exit_code == 0


@pytest.mark.parametrize("is_in_file", [True, False])
def test_a_new_key_is_not_written_where_the_keys_are_given_otherwise(
    run: Run, instance: Path, environ: dict[str, str | None], *, is_in_file: bool
) -> None:
    """Break: change a file that the environment overrides."""
    path = instance / "secrets.env"
    environ["BORDERPOST_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
    if not is_in_file:
        path.write_text("BORDERPOST_SECRET_KEY=" + "0123456789" * 4 + "\n")
        path.chmod(0o600)
    before = path.read_text()
    result = run("secrets", "rotate", "--new-key")
    assert result.exit_code == 1
    assert "secrets.env" in result.stderr
    assert path.read_text() == before


def test_the_secrets_file_stays_private_when_a_key_is_added(run: Run, instance: Path) -> None:
    run("secrets", "rotate", "--new-key")
    assert (instance / "secrets.env").stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in instance.iterdir()) == ["secrets.env"]


def test_erase_deletes_a_number_and_texts_that_quote_it(run: Run, factory: Factory) -> None:
    tenant = factory.tenant(factory.organization())
    for number in (US_NUMBER, "+12025550199"):
        message_id = new_id()
        row = {
            "id": message_id,
            "workspace_id": tenant.workspace_id,
            "use_case_id": tenant.use_case_id,
            "account_sid": tenant.account_sid,
            "submission": "accepted",
            "to_number": number,
            "country": "US",
            "body": "secret",
            "counted_segments": 1,
            "status": "sent",
            "created_at": factory.now,
            "updated_at": factory.now,
        }
        factory.write(
            insert(messages).values(**row),
            insert(idempotency_keys).values(
                workspace_id=tenant.workspace_id,
                key_hash=number,
                request_hash="r",
                message_id=message_id,
                answer=f"to {number}",
                created_at=factory.now,
            ),
        )
    assert json.loads(run("erase", US_NUMBER, "--json").stdout) == {"messages": 1}
    answers = {row["key_hash"]: row["answer"] for row in factory.rows(idempotency_keys)}
    assert answers == {US_NUMBER: "", "+12025550199": "to +12025550199"}
    assert US_NUMBER not in str(factory.rows(messages))
    kept = factory.rows(messages, to_number="+12025550199")
    assert [row["body"] for row in kept] == ["secret"]


def test_purge_prints_counts_and_dropped_partitions(
    run: Run, factory: Factory, environ: dict[str, str | None]
) -> None:
    tenant = factory.tenant(factory.organization())
    write_message(factory.database, tenant, factory.now - timedelta(days=150))
    write_message(factory.database, tenant, factory.now - timedelta(days=440))
    purged = json.loads(run("purge", "--json").stdout)
    assert (purged["messages"], purged["partitions"]) == (1, [])
    environ["BORDERPOST_MESSAGE_RETENTION_DAYS"] = "100"
    assert ", 1 messages erased" in run("purge").stdout
    assert factory.rows(messages) == []


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_purge_names_the_partitions_it_dropped_and_what_was_in_use(
    run: Run, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "app.messages.retention.expire.ExpireMessages.__call__",
        lambda _: Expired(3, ("messages_2026_01",), ("message_events",)),
    )
    result = run("purge")
    assert result.exit_code == 1
    assert result.stdout.endswith("3 messages erased\ndropped messages_2026_01\n")
    assert result.stderr == "error: message_events: in use, try again\n"


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_upgrade_creates_the_coming_partitions(
    run: Run, environ: dict[str, str | None], empty_postgres_url: str
) -> None:
    environ["BORDERPOST_DATABASE_URL"] = empty_postgres_url
    assert run("db", "upgrade").exit_code == 0
    database = Database(empty_postgres_url, pool_size=1)
    assert len(partitions(database)) == 5
    assert create_partitions(database, utc_now()).partitions == ()
    database.close()


@pytest.mark.parametrize("hours", [25, -25])
def test_commands_that_delete_or_change_tables_refuse_where_the_clocks_differ(
    run: Run, factory: Factory, hours: int
) -> None:
    """Break: leave out `require_same_time` in `Purge` or in `upgrade`."""
    tenant = factory.tenant(factory.organization())
    write_message(factory.database, tenant, factory.now - timedelta(days=500))
    with host_clock_ahead(timedelta(hours=hours)):
        for words in (("purge",), ("purge", "--json"), ("db", "upgrade"), ("init",)):
            result = run(*words)
            assert result.exit_code == 1, words
            (line,) = result.stderr.splitlines()
            assert line.startswith("error: the clock of this host is 9000"), words
        code, found = findings(run)
        assert code == 1
        assert found["clock"] == "bad"
    assert len(factory.rows(messages)) == 1


def test_a_key_made_on_a_host_with_a_wrong_clock_ends_in_time(run: Run, acme: Path) -> None:
    """Break: in `keys create`, take the time before the database is opened."""
    run("apply", str(acme))
    with host_clock_ahead(timedelta(hours=25)):
        made = run("keys", "create", "--name", "k", "--role", "viewer", "--workspace", "Retail",
                   "--expires-in", "1h", "--json")  # fmt: skip
    ends_at = parse_rfc3339(json.loads(made.stdout)["expires_at"])
    assert timedelta(minutes=59) < ends_at - utc_now() <= timedelta(hours=1)


def findings(run: Run) -> tuple[int, dict[str, str]]:
    result = run("doctor", "--offline", "--json")
    return result.exit_code, {f["name"]: f["level"] for f in json.loads(result.stdout)["findings"]}


def test_doctor_reports_no_problem_in_a_healthy_installation(
    run: Run, acme: Path, database: Database, environ: dict[str, str | None]
) -> None:
    environ["BORDERPOST_PUBLIC_URL"] = "https://sms.example.com"
    run("apply", str(acme))
    with database.writing() as connection:
        beat(connection, "host:1", utc_now())
    code, found = findings(run)
    assert code == 0
    assert {name for name, level in found.items() if level == "ok"} == {
        *("settings", "public URL", "disk"),
        *("database", "clock", "secrets", "worker", "provider tokens"),
    }
    # Twilio was not asked yet, and there is no spend limit: nothing that stops a send.
    assert {name for name, level in found.items() if level == "warning"} == {
        "geo permissions",
        "spend",
    }


def test_doctor_signs_in_at_the_mail_server(run: Run, environ: dict[str, str | None]) -> None:
    """Break: do not sign in, and a wrong password is well."""
    not_mailed = "alerts are not mailed, because BORDERPOST_ALERT_EMAILS is not set"
    found = []
    with SmtpServer(password="right") as server:
        for password, recipients in (
            ("right", "ops@example.com"),
            ("wrong", "ops@example.com"),
            ("right", ""),
        ):
            environ |= {
                "BORDERPOST_SMTP_URL": f"smtp://bp:{password}@127.0.0.1:{server.port}",
                "BORDERPOST_SMTP_FROM": "alerts@example.com",
                "BORDERPOST_ALERT_EMAILS": recipients,
                "BORDERPOST_DATABASE_URL": "postgresql://127.0.0.1:1/nowhere",
            }
            result = json.loads(run("doctor", "--json").stdout)["findings"]
            found += [(one["level"], one["text"]) for one in result if one["name"] == "mail"]
    assert found == [
        ("ok", "the SMTP server lets us in"),
        (
            "bad",
            "the SMTP server cannot be used (SMTPAuthenticationError): see BORDERPOST_SMTP_URL",
        ),
        ("ok", f"the SMTP server lets us in; {not_mailed}"),
    ]


def test_doctor_reports_each_problem(
    run: Run, acme: Path, database: Database, environ: dict[str, str | None]
) -> None:
    run("apply", str(acme))
    with database.writing() as connection:
        beat(connection, "host:1", utc_now() - timedelta(minutes=5))
    environ["BORDERPOST_ENCRYPTION_KEYS"] = Fernet.generate_key().decode()
    code, found = findings(run)
    assert code == 1
    assert [name for name, level in found.items() if level == "bad"] == [
        "public URL",
        "secrets",
        "worker",
        "provider tokens",
    ]


def test_doctor_looks_at_each_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Break: in `_disks`, leave the folder of temporary files out."""
    memory = "/dev/shm"
    monkeypatch.setattr(tempfile, "tempdir", memory)
    usage = shutil.disk_usage

    def all_used_in_memory(folder: Path) -> Any:
        return usage(folder)._replace(**({"free": 0} if str(folder) == memory else {}))

    monkeypatch.setattr(shutil, "disk_usage", all_used_in_memory)
    shown = json.loads(run("doctor", "--offline", "--json").stdout)["findings"]
    found = [(one["level"], one["text"]) for one in shown if one["name"] == "disk"]
    assert found[0] == ("bad", "0 MB are free on the disk of /dev/shm: make room")
    assert [level for level, _ in found[1:]] == ["ok"]

    def find_none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr(tempfile, "gettempdir", find_none)
    assert findings(run)[0] == 1


def test_doctor_reports_a_database_that_takes_no_writes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: leave `require_writable` out of `_database`."""

    def refuse(*_: object) -> None:
        raise ServiceUnavailable

    monkeypatch.setattr(doctor, "require_writable", refuse)
    code, found = findings(run)
    assert (code, found["database"]) == (1, "bad")


def test_erase_refuses_another_spelling_and_names_the_canonical_form(run: Run) -> None:
    """Break `erase_command` (compare with the form of E.164 alone)."""
    assert run("erase", "12025550123").exit_code == 64
    result = run("erase", "+112025550123")
    assert result.exit_code == 64
    assert "+112025550123 is not in canonical form; use +12025550123." in result.stderr
