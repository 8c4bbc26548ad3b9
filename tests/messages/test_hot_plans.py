"""How PostgreSQL reads for a send and a callback: by index, and of months only the one it needs."""

import re
from pathlib import Path
from uuid import UUID

import pytest

from app.db.encryption import Cipher
from app.db.engine import Database
from app.kernel.clock import utc_now
from app.kernel.ids import new_id
from app.messages.delivery.apply_report import Report, move_messages
from app.providers.port import DeliveryReport, Status
from support.factories import ACCOUNT, Factory, open_gateway
from support.fake_twilio import accepted
from support.months import create_partitions, partitions
from support.plans import plans_of_all

# Of one row, or of a few for each installation.
SMALL = {"price_lists", "installation"}
SCAN = re.compile(r"Seq Scan on (\w+)")
# But for another message with the same SID, which is looked for where this one has none yet.
MONTH = re.compile(r"\bon ((?:messages|message_events)_\w+) (?!other)")
HOT = "WITH", "INSERT INTO messages", "UPDATE messages"


@pytest.fixture
def hot_plans(fresh_postgres_url: str, cipher: Cipher, tmp_path: Path) -> list[tuple[str, str]]:
    """The statements of a send, of its repetition, and of callbacks with and without our id."""
    database = Database(fresh_postgres_url, pool_size=1)
    create_partitions(database, utc_now())
    assert len(partitions(database)) > 2
    factory = Factory(database, cipher)
    plain = factory.tenant(factory.organization())
    guarded = factory.tenant(
        factory.organization("Other"), guarded=True, account_sid="AC" + "d" * 32
    )
    gateway = open_gateway(database, cipher, tmp_path)
    gateway.send(plain)
    gateway.send(guarded)  # what is read once a day
    gateway.twilio.script += [accepted(11), accepted(12), accepted(13)]
    with plans_of_all(gateway.services.database) as found:
        sent = gateway.send(plain).json
        for _ in range(2):
            gateway.send(guarded, Idempotency_Key="k")
        gateway.callback(sent["id"], sent["message_sid"], "sent")
        gateway.callback(None, sent["message_sid"], "delivered")
        with database.writing_once() as connection:
            move_messages(connection, [_report(UUID(sent["id"])), _report(new_id())])
    database.close()
    return found


def _report(message_id: UUID) -> Report:
    delivery = DeliveryReport(
        account_sid=ACCOUNT,
        message_sid="SM" + "0" * 32,
        message_id=message_id,
        status=Status.DELIVERED,
        provider_status="delivered",
    )
    return Report(delivery, utc_now())


def test_hot_statements_read_by_index(hot_plans: list[tuple[str, str]]) -> None:
    """Break: give the EXISTS of the senders back its two conditions."""
    hot = [(text, plan) for text, plan in hot_plans if text.lstrip().startswith(HOT)]
    assert len(hot) >= 10
    scanned = {
        (text[:60], table)
        for text, plan in hot
        for table in SCAN.findall(plan)
        if table not in SMALL
    }
    assert scanned == set()


def test_statements_with_an_id_read_one_month(hot_plans: list[tuple[str, str]]) -> None:
    """Break: leave the id out of the update of a callback."""
    by_id = [plan for text, plan in hot_plans if "id = %(message_id)s" in text]
    assert len(by_id) == 3
    assert [plan for plan in by_id if len(set(MONTH.findall(plan))) > 1] == []
