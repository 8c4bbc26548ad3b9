"""The database of the floor and of the plain way: messages with their events, and nothing else."""

import os
import sqlite3
import threading
from typing import Any

import psycopg

TABLES = (
    """CREATE TABLE message (
  id char(36) PRIMARY KEY, message_sid varchar(34) UNIQUE, to_number varchar(16) NOT NULL,
  from_number varchar(64), body text NOT NULL, country varchar(2), status varchar(16) NOT NULL,
  rank smallint NOT NULL, error_code integer, num_segments integer, handed_off_at varchar(32),
  delivered_at varchar(32), created_at varchar(32) NOT NULL, updated_at varchar(32) NOT NULL)""",
    """CREATE TABLE message_event (
  id {serial} PRIMARY KEY, message_sid varchar(34) NOT NULL, status varchar(16) NOT NULL,
  raw text, at varchar(32) NOT NULL)""",
    "CREATE INDEX message_event_of ON message_event (message_sid)",
    "CREATE TABLE policy (country varchar(2) PRIMARY KEY, allowed boolean NOT NULL)",
    "INSERT INTO policy VALUES ('US', true)",
)
RANK = {"queued": 0, "pending": 0, "sent": 1, "delivered": 2, "undelivered": 2, "failed": 2}

_UPDATE = """UPDATE message SET status = {status}, rank = {rank}, updated_at = {at},
  handed_off_at = coalesce(handed_off_at, {at}),
  delivered_at = CASE WHEN {status} = 'delivered' THEN {at} ELSE delivered_at END
WHERE message_sid = {sid} AND rank < {rank}"""
_EVENT = """INSERT INTO message_event (message_sid, status, raw, at)
VALUES ({sid}, {status}, {raw}, {at})"""
_NAMES = ("sid", "status", "rank", "raw", "at")
_ON_POSTGRES = f"WITH event AS ({_EVENT}) {_UPDATE}".format(
    **{name: f"%({name})s" for name in _NAMES}
)
_ON_SQLITE = [text.format(**{name: f":{name}" for name in _NAMES}) for text in (_EVENT, _UPDATE)]

_mine = threading.local()


def is_postgres(url: str) -> bool:
    return url.startswith("postgresql")


def connect(url: str) -> Any:
    """Connect with the driver alone; every statement commits by itself."""
    if is_postgres(url):
        return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    connection = sqlite3.connect(
        url.removeprefix("sqlite:///"), isolation_level=None, timeout=10, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def make_tables(url: str) -> None:
    connection = connect(url)
    serial = "bigint GENERATED ALWAYS AS IDENTITY" if is_postgres(url) else "integer"
    for text in TABLES:
        connection.execute(text.replace("{serial}", serial))
    connection.close()


def apply_status(sid: str, status: str, raw: str, at: str) -> None:
    """Move a message and note the event: the least that a callback can cost."""
    url = os.environ["BENCH_DATABASE"]
    connection = getattr(_mine, "connection", None)
    if connection is None:
        connection = _mine.connection = connect(url)
    given = {"sid": sid, "status": status, "rank": RANK[status], "raw": raw, "at": at}
    if is_postgres(url):
        connection.execute(_ON_POSTGRES, given)
        return
    connection.execute("BEGIN IMMEDIATE")
    for text in _ON_SQLITE:
        connection.execute(text, given)
    connection.execute("COMMIT")
