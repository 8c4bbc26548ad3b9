"""Reads the provider's charges from its lists of sent messages.

Callbacks contain no price. Each account is asked soon after a send and again a day later, if a
price is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Column, Connection, String, bindparam, select, update

from app.access.tables import provider_accounts, workspaces
from app.db.engine import Database
from app.db.leases import acquire_lease, release_lease
from app.db.rows import upsert
from app.db.types import UtcDateTime, add_table
from app.kernel.clock import Clock
from app.kernel.ids import first_id_at
from app.messages.lifecycle import Submission
from app.messages.reconciliation.reconcile import AccountPace
from app.messages.reconciliation.refusing_accounts import load_refusing
from app.messages.tables import messages
from app.providers.port import Charge, MessageSource, ProviderAccount, ProviderUnknown

_log = structlog.get_logger(__name__)
_JOB = "charges"
_EVERY = timedelta(minutes=10)
_LEASE = timedelta(hours=1)
_AT_ONCE = timedelta(hours=6)
# The period of the first reading.
_FIRST = timedelta(days=1)

# Until when the charges of an account were read, by `ChargeReading`.
charge_checks = add_table(
    "charge_checks",
    Column("account_sid", String(34), primary_key=True),
    Column("look", String(8), primary_key=True),
    Column("checked_until", UtcDateTime, nullable=False),
)
_STORE = (
    update(messages)
    .where(
        messages.c.message_sid == bindparam("sid"),
        messages.c.account_sid == bindparam("account"),
        messages.c.price.is_(None),
    )
    .values(price=bindparam("charged"), price_unit=bindparam("unit"))
)


@dataclass(frozen=True, slots=True)
class ChargeReading:
    name: str
    waits: timedelta
    sent_later: timedelta


SOON = ChargeReading("soon", timedelta(minutes=20), timedelta(minutes=15))
LATE = ChargeReading("late", timedelta(hours=25), timedelta(hours=12))


@dataclass(frozen=True, slots=True)
class CollectCharges:
    database: Database
    source: MessageSource
    clock: Clock
    pace: AccountPace = field(default_factory=AccountPace)

    def run_once(self) -> int:
        """Read the charges of all accounts, if it is due."""
        with self.database.writing() as connection:
            now = self.clock.now()
            held = acquire_lease(connection, _JOB, now, lease=_LEASE, first_after=timedelta(0))
        if held is None:
            return 0
        for account in self._accounts(now):
            try:
                for look in (SOON, LATE):
                    self._follow(account, look, now)
            except ProviderUnknown as problem:
                _log.warning("charges_not_read", account_sid=account.sid, why=str(problem))
        with self.database.writing() as connection:
            release_lease(connection, _JOB, held, self.clock.now() + _EVERY)
        return 0

    def collect(self, since: datetime) -> int:
        """Read the charges since a time; return how many were stored."""
        now, found = self.clock.now(), 0
        for account in self._accounts(now):
            try:
                found += self._read(account, since, now, now)
            except ProviderUnknown as problem:
                _log.warning("charges_not_read", account_sid=account.sid, why=str(problem))
        return found

    def _accounts(self, now: datetime) -> list[ProviderAccount]:
        used = select(workspaces.c.account_sid)
        query = select(provider_accounts).where(provider_accounts.c.sid.in_(used))
        with self.database.reading() as connection:
            refusing = load_refusing(connection)
            rows = connection.execute(query.order_by(provider_accounts.c.sid)).all()
        waits = {sid for sid, one in refusing.items() if one.ask_again_at > now}
        return [ProviderAccount(row.sid, row.auth_token) for row in rows if row.sid not in waits]

    def _follow(self, account: ProviderAccount, look: ChargeReading, now: datetime) -> None:
        until, columns = now - look.waits, charge_checks.c
        query = select(columns.checked_until).where(
            columns.account_sid == account.sid, columns.look == look.name
        )
        with self.database.reading() as connection:
            begin = connection.execute(query).scalar_one_or_none() or until - _FIRST
        key = {"account_sid": account.sid, "look": look.name}
        while begin < until:
            end = min(begin + _AT_ONCE, until)
            self._read(account, begin, end, end + look.sent_later)
            with self.database.writing() as connection:
                upsert(connection, charge_checks, key, checked_until=end)
            begin = end

    def _read(
        self, account: ProviderAccount, since: datetime, until: datetime, sent_until: datetime
    ) -> int:
        with self.database.reading() as connection:
            if not _lacks_price(connection, account.sid, since, until):
                return 0
        stored = 0
        self.pace.wait_for_turn(account.sid)
        for page in self.source.list_charges(account, since, sent_until):
            if page:
                with self.database.writing() as connection:
                    stored += store_charges(connection, account.sid, page)
            self.pace.wait_for_turn(account.sid)
        return stored


def store_charges(connection: Connection, account_sid: str, charges: Iterable[Charge]) -> int:
    """Store missing prices; return the number of given charges."""
    values = [
        {"sid": c.message_sid, "account": account_sid, "charged": c.price, "unit": c.price_unit}
        for c in charges
    ]
    return connection.execute(_STORE, values).rowcount if values else 0


def _lacks_price(
    connection: Connection, account_sid: str, since: datetime, until: datetime
) -> bool:
    """Uses an index by workspace."""
    own = select(workspaces.c.id).where(workspaces.c.account_sid == account_sid)
    columns = messages.c
    in_period = columns.id >= first_id_at(since), columns.id < first_id_at(until)
    is_sent = columns.submission == Submission.ACCEPTED, columns.message_sid.is_not(None)
    of_account = select(columns.id).where(columns.workspace_id.in_(own), *in_period)
    query = of_account.where(*is_sent, columns.price.is_(None)).limit(1)
    return connection.execute(query).one_or_none() is not None
