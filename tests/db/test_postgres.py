"""PostgreSQL goes away, or takes no writes any more: the next request connects anew."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, make_url

from app.access.tables import organizations
from app.db.engine import Database
from app.db.postgres import connect_arguments
from app.kernel.clock import utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id

CONNECTIONS = 3


@pytest.fixture
def database(fresh_postgres_url: str) -> Iterator[Database]:
    """A migrated, empty PostgreSQL database."""
    opened = Database(fresh_postgres_url, pool_size=CONNECTIONS)
    yield opened
    opened.close()


def server_processes(database: Database) -> set[int]:
    """Use every connection of the pool at once, and say which processes serve them."""
    with ExitStack() as stack:
        lent = [stack.enter_context(database.reading()) for _ in range(CONNECTIONS)]
        return {c.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() for c in lent}


def write(database: Database) -> None:
    now = utc_now()
    row = {
        "id": new_id(),
        "name": "a",
        "denied_destinations": [],
        "created_at": now,
        "updated_at": now,
    }
    with database.writing_once() as c:
        c.execute(insert(organizations).values(row))


def test_a_primary_that_became_read_only_is_left_with_every_connection(database: Database) -> None:
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            c = stack.enter_context(database.reading())
            c.exec_driver_sql("SET default_transaction_read_only = on")
    before = server_processes(database)
    with pytest.raises(ServiceUnavailable):
        write(database)
    assert not server_processes(database) & before
    write(database)


@pytest.mark.parametrize("sqlstate", ["25006", "57P01", "57P02", "57P03"])
@pytest.mark.parametrize("lend", ["reading", "writing", "writing_once"])
def test_server_that_shuts_down_is_unavailable_and_left(
    database: Database, sqlstate: str, lend: str
) -> None:
    before = server_processes(database)
    with pytest.raises(ServiceUnavailable) as problem, getattr(database, lend)() as c:
        c.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$")
    assert problem.value.retry_after_seconds == 2
    assert not server_processes(database) & before


def test_one_lost_connection_is_enough_to_leave_them_all(database: Database) -> None:
    before = server_processes(database)
    with database.reading() as c:
        # The last that was given back is the next that is lent.
        lost = c.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with database.reading() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({lost}, 5000)")
    with pytest.raises(ServiceUnavailable), database.reading() as c:
        c.exec_driver_sql("SELECT 1")
    assert not server_processes(database) & before


@pytest.mark.parametrize("sqlstate", ["42P01", "53100", "53300", "55P03", "57014"])
def test_a_server_that_only_cannot_now_is_unavailable_and_kept(
    database: Database, sqlstate: str
) -> None:
    """Not migrated, a full disk, too many connections, a lock, a statement that took too long."""
    before = server_processes(database)
    with pytest.raises(ServiceUnavailable), database.writing() as c:
        c.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END $$")
    assert server_processes(database) == before


@pytest.mark.parametrize(
    "hosts",
    [
        "host={nowhere}:5433&host={socket}:5432",
        "host={nowhere},{socket}&port=5433,5432",
        "host={nowhere},{socket}",
    ],
)
def test_of_several_hosts_the_one_that_serves_is_found(
    fresh_postgres_url: str, postgres_socket: str, tmp_path: Path, hosts: str
) -> None:
    name = make_url(fresh_postgres_url).database
    query = hosts.format(nowhere=tmp_path, socket=postgres_socket)
    database = Database(f"postgresql+psycopg://postgres@/{name}?{query}", pool_size=CONNECTIONS)
    write(database)
    database.close()


def test_of_several_hosts_one_that_only_reads_is_none(
    fresh_postgres_url: str, postgres_socket: str
) -> None:
    name = make_url(fresh_postgres_url).database
    database = Database(fresh_postgres_url, pool_size=1)
    with database.writing() as c:
        c.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    database.close()
    query = f"host={postgres_socket}:5432&host={postgres_socket}:5432"
    several = Database(f"postgresql+psycopg://postgres@/{name}?{query}", pool_size=1)
    with pytest.raises(ServiceUnavailable), several.reading() as c:
        c.exec_driver_sql("SELECT 1")
    several.close()


def arguments(url: str) -> dict[str, Any]:
    return connect_arguments(make_url(f"postgresql+psycopg://{url}"), 2)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("/db?host=a:5432&host=b:5432", "read-write"),
        ("/db?host=a,b&port=5432,5433", "read-write"),
        ("user:secret@a,b/db", "read-write"),
        ("user:secret@a/db", None),
        ("/db?host=a", None),
    ],
)
def test_only_of_several_hosts_the_primary_is_asked_for(url: str, wanted: str | None) -> None:
    assert arguments(url).get("target_session_attrs") == wanted


def test_settings_of_the_url_are_not_overridden() -> None:
    found_arguments = (
        "target_session_attrs=any&connect_timeout=5&keepalives_idle=60&options=-c%20a=b"
    )
    assert arguments(f"/db?host=a&host=b&{found_arguments}") == {
        "client_encoding": "utf8",
        "keepalives_interval": 2,
        "keepalives_count": 2,
        "tcp_user_timeout": 5000,
    }


def test_no_host_is_waited_for_for_long() -> None:
    found_arguments = arguments("a,b/db")
    assert found_arguments["connect_timeout"] == 2
    assert found_arguments["tcp_user_timeout"] <= 5000
    probing = found_arguments["keepalives_interval"] * found_arguments["keepalives_count"]
    assert found_arguments["keepalives_idle"] + probing < 10
