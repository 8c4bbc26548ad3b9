"""Statements run by the driver fail as SQLAlchemy's own do."""

from typing import Any

import pytest
from sqlalchemy.exc import DataError, IntegrityError

from app.db.engine import Database
from app.db.statement import Statement
from app.kernel.clock import utc_now
from app.kernel.errors import ServiceUnavailable
from app.kernel.ids import new_id

_NOTE = Statement("INSERT INTO installation (name, value) VALUES (:name, :value)")
_END_OWN_CONNECTION = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
_ONE = Statement("SELECT 1 AS one")
_ECHOED = ("flag", "number", "id", "text", "at")


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


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_prepared_and_other_statements_read_and_write_the_same(database: Database) -> None:
    """Break: leave a type out of `_TYPES` or `_READ`; prepare by the text alone."""
    values: dict[str, Any] = {
        "flag": True,
        "number": 7,
        "id": new_id(),
        "at": utc_now(),
        "text": '100 % "\u00e9"',
        "names": ["a", "b"],
    }
    wanted = Statement(
        """SELECT :flag::boolean AS flag, :number::integer AS number, :number::bigint AS big,
  :id::uuid AS id, :text::text AS text, :at::timestamptz AS at,
  date_trunc('minute', :at::timestamptz) AS minute, :at::timestamptz = :at AS is_same_time,
  to_jsonb(:text::text) AS json, 'b' = ANY(:names) AS is_named, '%' AS sign"""
    )
    for given in (values, dict.fromkeys(values) | {"names": []}, values):
        with database.reading() as connection:
            prepared = vars(wanted.first(connection, given))
        with database.writing() as connection:
            assert vars(wanted.first(connection, given)) == prepared
        assert {name: prepared[name] for name in _ECHOED} == {name: given[name] for name in _ECHOED}


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_a_statement_that_the_connection_forgot_is_run_again(database: Database) -> None:
    """Break: leave out `_NOT_PREPARED`. psycopg forgets all of them after a rollback."""
    for forgets in (False, False, True, False):
        with database.reading() as connection:
            if forgets:
                connection.exec_driver_sql("DEALLOCATE ALL")
            assert _ONE.first(connection, {}).one == 1


@pytest.mark.parametrize("engine_name", ["postgresql"], indirect=True)
def test_large_numbers_and_nul_characters(database: Database) -> None:
    """Break: give each number the type integer; leave the check of NUL out."""
    echo = Statement("SELECT :number::bigint AS number, :text::text AS text")
    with database.reading() as connection:
        for number in (2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**62):
            assert echo.first(connection, {"number": number, "text": ""}).number == number
    with pytest.raises(DataError), database.reading() as connection:
        echo.first(connection, {"number": 1, "text": "a\x00b"})
    named = Statement("SELECT 1 AS one WHERE 'b' = ANY(:names)")
    with pytest.raises(DataError), database.reading() as connection:
        named.first(connection, {"names": ["a\x00b", ""]})
