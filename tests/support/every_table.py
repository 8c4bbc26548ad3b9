"""A few rows in every declared table, made from the declarations: a new table needs no line here."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    Date,
    Integer,
    String,
    Table,
    Uuid,
    insert,
    null,
)

from app.db.engine import Database
from app.db.types import UtcDateTime, metadata
from app.kernel.clock import utc_now
from app.kernel.ids import new_id

ROWS = 6
_TEXTS = ("plain", "ÄÖ ß 漢 😀", 'it\'s "quoted" \\ %s :x', "line\nbreak\ttab", "b", "B")
_JSON = ({}, [], None, {"US": "allowed", "nested": [1, 2.5, None, True, "ß"]}, "text", null())


def fill(database: Database) -> None:
    """Write some rows into each table: every kind of value, absent ones and far references too."""
    numbers = count(1)
    written: dict[Column[Any], list[Any]] = {}
    for table in metadata.sorted_tables:
        rows = list(_rows(table, written, numbers))
        for column in table.columns:
            written[column] = [row[column.name] for row in rows]
        with database.writing() as c:
            for row in rows:
                c.execute(insert(table).values(row))


def _rows(
    table: Table, written: dict[Column[Any], list[Any]], numbers: Iterator[int]
) -> Iterator[dict[str, Any]]:
    later_first = [new_id() for _ in range(ROWS)][::-1]
    for place in range(ROWS):
        row = {}
        for column in table.columns:
            referred = [key.column for key in column.foreign_keys]
            if referred and referred[0].table is table:
                # The first row has the largest key, and all others hang on one after the other.
                row[column.name] = later_first[place - 1] if place else None
            elif column.primary_key and isinstance(column.type, Uuid) and not referred:
                row[column.name] = later_first[place]
            elif referred:
                row[column.name] = written[referred[0]][place]
            else:
                row[column.name] = _value(column, place, next(numbers))
        yield row


def _value(column: Column[Any], place: int, number: int) -> Any:
    if isinstance(column.type, JSON):
        found = _JSON[place % len(_JSON)]
        return found if column.nullable or found is not _JSON[-1] else None
    if column.nullable and place % 3 == 2:
        return None
    if isinstance(column.type, String):
        return _text(column.type.length or 99, place, number)
    for kind, make in _MAKERS.items():
        if isinstance(column.type, kind):
            return make(place, number)
    raise TypeError(f"{column}: say here how to make a value of {column.type!r}")


def _text(length: int, place: int, number: int) -> str:
    if length > 40:
        return f"{_TEXTS[place % len(_TEXTS)]} {number}"
    return f"{'Bb'[place % 2]}{number}"[:length]


_MAKERS: dict[type, Callable[[int, int], Any]] = {
    Uuid: lambda _place, _number: new_id(),
    UtcDateTime: lambda _, number: utc_now() - timedelta(hours=number % 100, milliseconds=number),
    Boolean: lambda place, _: place % 2 == 0,
    ARRAY: lambda place, number: [number] * place,
    Integer: lambda _, number: number,
    Date: lambda place, _: (utc_now() - timedelta(days=place)).date(),
}
