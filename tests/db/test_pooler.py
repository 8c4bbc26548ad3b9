"""PostgreSQL behind a pooler in transaction mode."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.access.principal import Role
from app.db.encryption import Cipher
from app.db.engine import Database
from app.db.schema import upgrade
from support.factories import Factory, open_gateway
from support.pooler import running_pooler
from support.postgres import PostgresDatabases

SENDS, CLIENTS = 100, 8


@pytest.fixture
def pooled_database(postgres: PostgresDatabases) -> Iterator[Database]:
    """A migrated, empty database that is reached through PgBouncer."""
    name = postgres.lend()
    with running_pooler(postgres.socket) as pooler:
        url = f"postgresql+psycopg://postgres@/{name}?host={pooler.folder}&port=6432"
        database = Database(url, pool_size=5, is_pooled=True)
        yield database
        database.close()
    postgres.drop(name)


def test_sends_and_callbacks_succeed_through_a_pooler(
    pooled_database: Database, cipher: Cipher, tmp_path: Path
) -> None:
    """Break: in `app/db/postgres.py`, leave out `prepare_threshold`, or keep the options."""
    upgrade(pooled_database)
    factory = Factory(pooled_database, cipher)
    tenant = factory.tenant(factory.organization())
    gateway = open_gateway(pooled_database, cipher, tmp_path, threads=16)

    def send_and_follow(place: int) -> tuple[int, int, str]:
        sent = gateway.send(tenant, message=f"text {place}")
        body = sent.get_json()
        answer = gateway.callback(body["id"], body["message_sid"], "delivered")
        path = f"/v1/sms/{body['id']}"
        found = gateway.get(path, key=tenant.keys[Role.VIEWER]).get_json()
        return sent.status_code, answer.status_code, found["status"]

    with ThreadPoolExecutor(CLIENTS) as pool:
        ends = Counter(pool.map(send_and_follow, range(SENDS)))
    assert ends == {(201, 204, "delivered"): SENDS}


def test_settings_of_a_pooled_transaction_end_with_it(pooled_database: Database) -> None:
    """Break: in `app/db/postgres.py`, set them with `false` as the last argument."""
    ask = "SELECT current_setting('statement_timeout') || current_setting('lock_timeout')"
    for opened in (pooled_database.reading, pooled_database.writing, pooled_database.writing_once):
        with opened() as connection:
            assert connection.exec_driver_sql(ask).scalar_one() == "20s2s"
    with pooled_database.snapshot() as connection:
        assert connection.exec_driver_sql(ask).scalar_one() == "02s"
    with pooled_database.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.autocommit = True
        assert driver.execute(ask).fetchone() == ("00",)
        driver.autocommit = False
