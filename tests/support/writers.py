"""A process that writes from several threads at once, for the tests of a shared SQLite file."""

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import text

from app.db.engine import Database


def write_together(url: str, threads: int, writes: int) -> list[str]:
    """Add one to a counter, reading it first, `writes` times in each thread; return what failed."""
    database = Database(url, pool_size=threads)
    try:
        with ThreadPoolExecutor(threads) as pool:
            failures = pool.map(lambda _: _write(database, writes), range(threads))
            return [failure for one in failures for failure in one]
    finally:
        database.close()


def _write(database: Database, writes: int) -> list[str]:
    failures = []
    for _ in range(writes):
        try:
            with database.writing() as connection:
                found = connection.execute(text("SELECT n FROM counter")).scalar_one()
                connection.execute(text("UPDATE counter SET n = :n"), {"n": found + 1})
        except Exception as failure:  # noqa: BLE001 (every failure is the finding)
            failures.append(f"{type(failure).__name__}: {failure.__cause__}")
    return failures
