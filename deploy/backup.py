"""Back up the database while the gateway runs: `.venv/bin/python deploy/backup.py FOLDER`.

The secrets are not in the backup: keep a copy of them in another place (docs/backup.md).
"""

import argparse
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, make_url

from app.settings import SettingsError, load_settings

_TIME = "%Y%m%dT%H%M%SZ"


def main() -> int:
    """Write one backup, delete those beyond ``--keep``, and print the path of the new one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, default=14, help="how many backups stay (14)")
    given = parser.parse_args()
    try:
        url = make_url(load_settings().database_url)
        path = back_up(url, given.folder)
    except (SettingsError, OSError, RuntimeError, sqlite3.Error) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    kept = sorted(given.folder.glob(f"borderpost-*{path.suffix}"))
    for old in kept[: -max(1, given.keep)]:
        old.unlink()
    print(path)
    return 0


def back_up(url: URL, folder: Path) -> Path:
    """Write a consistent copy of the database into a folder, readable by its owner alone."""
    os.umask(0o077)
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime(_TIME)
    is_sqlite = url.get_backend_name() == "sqlite"
    path = folder / f"borderpost-{stamp}.{'db' if is_sqlite else 'dump'}"
    draft = path.with_name(f".{path.name}.part")
    try:
        (_copy_sqlite if is_sqlite else _dump_postgres)(url, draft)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path


def _copy_sqlite(url: URL, draft: Path) -> None:
    source = Path(url.database or "")
    if not source.is_file():
        raise RuntimeError(f"{source}: there is no such database")
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(draft)) as copy,
    ):
        live.backup(copy)
        # One file, without a write-ahead log beside it.
        copy.execute("PRAGMA journal_mode = DELETE")
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise RuntimeError(f"the copy is damaged: {found}")


def _dump_postgres(url: URL, draft: Path) -> None:
    environ = dict(os.environ)
    if url.password is not None:  # not on the command line, which every user of the host can read
        environ["PGPASSWORD"] = str(url.password)
    plain = url.set(drivername="postgresql", password=None).render_as_string()
    command = ["pg_dump", "--format=custom", "--no-owner", f"--file={draft}", f"--dbname={plain}"]
    try:
        done = subprocess.run(  # noqa: S603
            command, env=environ, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as problem:
        raise RuntimeError("pg_dump is not installed: see PostgreSQL's client package") from problem
    if done.returncode != 0:
        raise RuntimeError(f"pg_dump: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
