"""Mail about opened alerts, through SMTP: at least once each, without numbers and ranges.

A worker claims alerts with a lease; if it dies, another sends them with the same Message-ID.
"""

import smtplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from uuid import UUID

import structlog
from sqlalchemy import Connection, or_, select, update

from app.access.tables import workspaces
from app.db.engine import Database
from app.db.rows import AnyRow, update_row
from app.guards.alerts import OF_INSTALLATION, render_alert
from app.guards.tables import alerts
from app.guards.texts import alert_text
from app.kernel.clock import Clock, pause_after, rfc3339
from app.kernel.ids import first_id_at
from app.kernel.mail import MailServer
from app.smtp import connected, describe_failure, host_of, new_message

# Later than so, a mail would be no news.
_SENT_WITHIN = timedelta(hours=6)
_LEASE = timedelta(minutes=2)
_PAUSES = timedelta(seconds=30), timedelta(hours=1)
_MOST_AT_ONCE = 20
# All calls of one round together; shorter than the lease.
_ROUND_SECONDS = 60.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MailAlerts:
    """Mails nothing without a configured server and recipients."""

    database: Database
    clock: Clock
    server: MailServer | None
    public_url: str
    make_context: Callable[[], ssl.SSLContext] = ssl.create_default_context

    def run_once(self) -> int:
        if self.server is None or not self.server.alert_recipients:
            return 0
        with self.database.writing() as connection:
            claimed = _claim(connection, self.clock.now())
        if not claimed:
            return 0
        sent = self._send(claimed, self.server)
        with self.database.writing() as connection:
            _note(connection, claimed, sent, self.clock.now())
        return 0 if len(sent) < len(claimed) else len(sent)

    def check(self) -> None:
        """Connect and sign in, if a server is set; raises ``OSError`` or ``SMTPException``."""
        if self.server is not None:
            with self._connected(self.server):
                pass

    def _connected(self, server: MailServer) -> AbstractContextManager[smtplib.SMTP]:
        return connected(
            server, self.public_url, within_seconds=_ROUND_SECONDS, make_context=self.make_context
        )

    def _send(self, claimed: list[AnyRow], server: MailServer) -> list[UUID]:
        sent: list[UUID] = []
        try:
            with self._connected(server) as client:
                for rows in _by_mail(claimed):
                    try:
                        client.send_message(_message(rows[0], server, self.public_url))
                    except smtplib.SMTPServerDisconnected:
                        raise
                    except smtplib.SMTPException as problem:
                        _log_failure(problem)
                    else:
                        sent += [row.id for row in rows]
        except (OSError, smtplib.SMTPException) as problem:
            _log_failure(problem)
        return sent


def _log_failure(problem: Exception) -> None:
    _log.warning("alert_mail_failed", **describe_failure(problem))


def _claim(connection: Connection, now: datetime) -> list[AnyRow]:
    columns = alerts.c
    due = (
        select(columns.id)
        .where(
            columns.id >= first_id_at(now - _SENT_WITHIN - timedelta(minutes=1)),
            columns.opened_at > now - _SENT_WITHIN,
            columns.mailed_at.is_(None),
            or_(columns.mail_due_at.is_(None), columns.mail_due_at <= now),
        )
        .order_by(columns.id)
        .limit(_MOST_AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    ids = list(connection.execute(due).scalars())
    connection.execute(
        update(alerts)
        .where(columns.id.in_(ids))
        .values(mail_due_at=now + _LEASE, mail_attempts=columns.mail_attempts + 1)
    )
    names = workspaces.c.name.label("workspace_name")
    rows = select(alerts, names).join(workspaces, workspaces.c.id == columns.workspace_id)
    return list(connection.execute(rows.where(columns.id.in_(ids)).order_by(columns.id)))


def _by_mail(rows: list[AnyRow]) -> Iterator[list[AnyRow]]:
    """Yield the alerts of each mail: those of the whole installation share one."""
    of_installation: dict[tuple[str, datetime], list[AnyRow]] = {}
    for row in rows:
        if row.kind in OF_INSTALLATION:
            of_installation.setdefault((row.kind, row.opened_at), []).append(row)
        else:
            yield [row]
    yield from of_installation.values()


def _note(connection: Connection, claimed: list[AnyRow], sent: list[UUID], now: datetime) -> None:
    connection.execute(update(alerts).where(alerts.c.id.in_(sent)).values(mailed_at=now))
    for row in claimed:
        if row.id not in sent:
            due_at = now + pause_after(row.mail_attempts, *_PAUSES)
            update_row(connection, alerts, row.id, mail_due_at=due_at)


def _message(row: AnyRow, server: MailServer, public_url: str) -> EmailMessage:
    shown = render_alert(row)
    of_all = row.kind in OF_INSTALLATION
    # A name is typed by people: no line may end in a header.
    where = "this installation" if of_all else " ".join(row.workspace_name.split())
    subject = f"Borderpost alert: {row.kind} in {where}"
    message = new_message(server, ", ".join(server.alert_recipients), subject)
    message["Date"] = format_datetime(row.opened_at)
    message["Message-ID"] = f"<{row.id}@{host_of(public_url)}>"
    text = alert_text(row.kind, shown["details"], has_numbers=False)
    state = "" if row.cleared_at is None else f"It is over since {rfc3339(row.cleared_at)}.\n"
    message.set_content(
        f"{text}\n\nIt was opened at {rfc3339(row.opened_at)} in {where}.\n{state}\n"
        f"{public_url}/console/alerts\n"
    )
    return message
