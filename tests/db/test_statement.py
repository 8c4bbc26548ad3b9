"""Statements run by the driver fail as SQLAlchemy's own do."""

import pytest
from sqlalchemy.exc import IntegrityError

from app.db.engine import Database
from app.db.statement import Statement
from app.kernel.errors import ServiceUnavailable

_NOTE = Statement("INSERT INTO installation (name, value) VALUES (:name, :value)")
_END_OWN_CONNECTION = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
_ONE = Statement("SELECT 1 AS one")


def test_a_broken_rule_is_sqlalchemys_error(database: Database) -> None:
    """Break: call the driver without translating its errors."""
    row = {"name": "twice", "value": ""}
    with database.writing() as connection:
        assert _NOTE.run(connection, row) == 1
    with pytest.raises(IntegrityError), database.writing() as connection:
        _NOTE.run(connection, row)


def test_a_lost_connection_leaves_the_pool(database: Database) -> None:
    """Break: raise the translated error without the rest of SQLAlchemy's handling."""
    if database.is_sqlite:
        pytest.skip("a file has no connection to lose")
    with pytest.raises(ServiceUnavailable), database.reading() as connection:
        _END_OWN_CONNECTION.first(connection, {})
    with database.reading() as connection:
        assert _ONE.first(connection, {}).one == 1


@pytest.mark.parametrize("wanted", [[], ["a"], ['q"', "back\\slash", "com,ma {x} NULL \n é", ""]])
def test_a_list_is_given_as_it_is(database: Database, wanted: list[str]) -> None:
    """Break: leave the backslashes of an array unquoted."""
    found = Statement("SELECT count(*) AS n FROM installation WHERE name = ANY(:names)")
    with database.writing() as connection:
        for name in (*wanted, "other"):
            _NOTE.run(connection, {"name": f"{name}", "value": ""})
        assert found.first(connection, {"names": wanted}).n == len(wanted)
