"""SQLite under several processes with several threads: writers wait, none fails."""

from sqlalchemy import text

from app.db.engine import Database
from support.fresh_process import FRESH
from support.writers import write_together

PROCESSES, THREADS, WRITES = 2, 8, 25


def test_no_write_fails_under_two_processes_with_eight_threads_each(sqlite_url: str) -> None:
    database = Database(sqlite_url, pool_size=1)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE counter (n INTEGER NOT NULL)"))
        connection.execute(text("INSERT INTO counter VALUES (0)"))

    with FRESH.Pool(PROCESSES) as processes:
        failures = processes.starmap(write_together, [(sqlite_url, THREADS, WRITES)] * PROCESSES)

    with database.reading() as connection:
        counted = connection.execute(text("SELECT n FROM counter")).scalar_one()
    database.close()
    assert [failure for one in failures for failure in one] == []
    assert counted == PROCESSES * THREADS * WRITES
