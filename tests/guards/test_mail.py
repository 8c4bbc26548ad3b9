"""Mail about alerts: what it says, once each, and through which connections."""

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from app.access.tables import workspaces
from app.guards import mail
from app.guards.alerts import AlertKind, open_alert
from app.guards.mail import MailAlerts
from app.guards.tables import alerts
from app.kernel.mail import MailServer
from support.certificates import self_signed
from support.guards import GuardsClient
from support.served import Served
from support.smtp_server import SmtpServer
from support.time import ManualClock

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
MA = "+212612345678"
_TLS_RECORD = b"\x16\x03\x03\x40\x00"


@pytest.fixture
def desk(timed: GuardsClient) -> GuardsClient:
    """A workspace whose alerts are the only ones."""
    timed.factory.write(delete(alerts))
    return timed


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def mailer(desk: GuardsClient, clock: ManualClock, server: SmtpServer, **values: Any) -> MailAlerts:
    settings = {"needs_starttls": False} | values
    to = MailServer(
        "127.0.0.1", server.port, "alerts@example.com", ("ops@example.com",), **settings
    )
    url = "https://sms.example.com/bp"
    return MailAlerts(desk.factory.database, clock.clock(), to, url)


def alert(desk: GuardsClient, kind: AlertKind, at: datetime = NOON, **details: Any) -> None:
    with desk.factory.database.writing() as c:
        open_alert(c, desk.tenant.workspace_id, kind, kind.value, at, details=details)


def test_an_alert_is_mailed_once_and_names_no_number(
    desk: GuardsClient, clock: ManualClock, server: SmtpServer
) -> None:
    """Break: let `_message` show the value, and the number's last digits are in the mail."""
    with desk.factory.database.writing() as c:
        own = workspaces.c.id == desk.tenant.workspace_id
        c.execute(update(workspaces).where(own).values(name="Acme\r\nBcc: all@example.com"))
    desk.set(number={"mode": "enforce", "hour": 1, "day": None})
    for _ in range(3):
        desk.gateway.send(desk.tenant, to=MA)
    mailing = mailer(desk, clock, server)
    assert mailing.server is not None
    to_nobody = replace(mailing.server, alert_recipients=())
    assert replace(mailing, server=to_nobody).run_once() == 0
    assert mailing.run_once() == 1
    assert mailing.run_once() == 0
    (found,) = server.mails
    assert found["Subject"] == "Borderpost alert: guard.tripped in Acme Bcc: all@example.com"
    assert (found["To"], server.recipients) == ("ops@example.com", ["ops@example.com"])
    assert found["Message-ID"].endswith("@sms.example.com>")
    assert "Bcc" not in found
    assert found.get_content().replace("\r\n", "\n") == (
        "Limit of 1 messages per hour to one number reached, 2 refused.\n\n"
        "It was opened at 2026-01-31T12:00:00.000Z in Acme Bcc: all@example.com.\n\n"
        "https://sms.example.com/bp/console/alerts\n"
    )
    assert "78" not in found.get_content()
    assert replace(mailing, server=None).run_once() == 0


@pytest.mark.one_engine
def test_a_mail_that_was_not_taken_is_tried_again_until_it_is_no_news(
    desk: GuardsClient, clock: ManualClock, server: SmtpServer
) -> None:
    """Break: note all that were claimed as sent, or claim without a lease."""
    alert(desk, AlertKind.GEO_DRIFT)
    alert(desk, AlertKind.ENDPOINT_FAILING)
    mailing = mailer(desk, clock, server)
    server.refusals += ["451 later"]
    assert mailing.run_once() == 0
    assert mailing.run_once() == 0
    assert len(server.mails) == 1
    clock.advance(30)
    assert mailing.run_once() == 1
    assert len({found["Message-ID"] for found in server.mails}) == len(server.mails) == 2
    alert(desk, AlertKind.REFUSALS_SPIKED, refusals=60, minutes=10, codes={"Forbidden": 60})
    server.refusals += ["550 never"] * 99
    tries = 0
    for _ in range(12 * 12):
        before = len(server.refusals)
        mailing.run_once()
        tries += before - len(server.refusals)
        clock.advance(300)
    assert 8 <= tries <= 14
    assert len(server.mails) == 2


def test_another_worker_does_not_send_what_one_has_claimed(
    desk: GuardsClient, clock: ManualClock, server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Longer than the other worker needs, on a busy machine too.
    monkeypatch.setattr(mail, "_ROUND_SECONDS", 2.0)
    alert(desk, AlertKind.GEO_DRIFT)
    server.refusals.append("hang")
    other = mailer(desk, clock, server)
    counts: list[int] = []
    monkeypatch.setattr(
        mail, "_by_mail", lambda rows: counts.append(other.run_once()) or [[row] for row in rows]
    )
    # The deadline ends a connection on which the server says nothing.
    assert other.run_once() == 0
    assert counts == [0]
    assert server.mails == []
    monkeypatch.setattr(mail, "_ROUND_SECONDS", 60.0)
    clock.advance(30)
    assert other.run_once() == 1


def test_alerts_of_the_installation_share_one_mail(
    desk: GuardsClient, clock: ManualClock, server: SmtpServer, served: Served
) -> None:
    for tenant in (desk.tenant, served.tenant):
        alert(replace(desk, tenant=tenant), AlertKind.CLOCK_DIFFERS, skew_seconds=-75)
    assert mailer(desk, clock, server).run_once() == 2
    (found,) = server.mails
    assert found["Subject"] == "Borderpost alert: clock.differs in this installation"
    assert "by 75 s" in found.get_content()


@pytest.mark.one_engine
def test_connections_are_encrypted_and_proven(
    desk: GuardsClient, clock: ManualClock, tmp_path: Path
) -> None:
    """Break: go on without STARTTLS, or check no certificate."""
    chain, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    trusting = partial(ssl.create_default_context, cafile=str(chain))
    alert(desk, AlertKind.GEO_DRIFT)
    known: dict[str, Any] = {"user": "bp", "password": "a secret"}
    for is_first in (False, True):
        how: dict[str, Any] = {"is_tls": is_first, "needs_starttls": not is_first}
        with SmtpServer(context, is_first, "a secret") as server:
            mailing = mailer(desk, clock, server, **known, **how)
            assert mailing.run_once() == 0  # nobody vouches for the certificate
            clock.advance(3600)
            wrong = replace(mailer(desk, clock, server, **(known | {"password": "x"}), **how))
            assert replace(wrong, make_context=trusting).run_once() == 0
            clock.advance(3600)
            assert replace(mailing, make_context=trusting).run_once() == 1
            assert server.encrypted == [True]
        desk.factory.write(update(alerts).values(mailed_at=None, mail_due_at=None))
    clock.advance(-4 * 3600)
    with SmtpServer() as plain:
        assert mailer(desk, clock, plain, needs_starttls=True).run_once() == 0
        assert plain.mails == []


def test_a_server_that_dribbles_is_cut_off_before_it_is_ready(
    desk: GuardsClient, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Break: keep no second descriptor, or connect before the deadline runs."""
    monkeypatch.setattr(mail, "_ROUND_SECONDS", 0.2)
    alert(desk, AlertKind.GEO_DRIFT)
    before_tls = b"220 a\r\n250-b\r\n250 STARTTLS\r\n220 go\r\n"
    cases: list[tuple[bytes, dict[str, Any]]] = [
        (b"220 ", {}),
        (before_tls + _TLS_RECORD, {"needs_starttls": True}),
        (_TLS_RECORD, {"is_tls": True}),
    ]
    for dribbles, how in cases:
        with SmtpServer(dribbles=dribbles) as server:
            assert mailer(desk, clock, server, **how).run_once() == 0
            assert (how, server.dribbled_out) == (how, False)
        clock.advance(3600)
