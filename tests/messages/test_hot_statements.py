"""The statements of a send and a callback: short enough that psycopg parses each only once."""

from types import ModuleType

from psycopg import _queries

from app.db.statement import Statement
from app.messages import context, outcomes

HOT: tuple[ModuleType, ...] = (context, outcomes)
LONGEST_TEXT, MOST_PARAMETERS = 4000, 50


def _statements() -> dict[str, Statement]:
    return {
        f"{module.__name__}.{name}": value
        for module in HOT
        for name, value in vars(module).items()
        if isinstance(value, Statement)
    }


def test_our_bounds_are_within_those_of_psycopg() -> None:
    assert LONGEST_TEXT <= _queries.MAX_CACHED_STATEMENT_LENGTH
    assert MOST_PARAMETERS <= _queries.MAX_CACHED_STATEMENT_PARAMS


def test_every_hot_statement_is_short() -> None:
    """Break: repeat a column of the read twenty times."""
    found = _statements()
    assert len(found) > 5
    sizes = {name: (len(one.postgresql), one.postgresql.count("%(")) for name, one in found.items()}
    assert {
        name: size
        for name, size in sizes.items()
        if size[0] > LONGEST_TEXT or size[1] > MOST_PARAMETERS
    } == {}
