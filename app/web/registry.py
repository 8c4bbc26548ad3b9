"""The services of an app by type, with its clock and database."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import TypeVar

from flask import Flask
from sqlalchemy import Connection

from app.db.engine import Database
from app.kernel.clock import Clock
from app.web.dispatch import current_app

T = TypeVar("T")
_KEY = "borderpost"


def register_service(app: Flask, service: object) -> None:
    app.extensions.setdefault(_KEY, {})[type(service)] = service


def get_service(wanted: type[T]) -> T:
    found: T = current_app().extensions[_KEY][wanted]
    return found


def current_time() -> datetime:
    return get_service(Clock).now()


def reading() -> AbstractContextManager[Connection]:
    return get_service(Database).reading()


@contextmanager
def writing() -> Iterator[tuple[Connection, datetime]]:
    """Yield a transaction and the time of the change."""
    with get_service(Database).writing() as connection:
        yield connection, current_time()
