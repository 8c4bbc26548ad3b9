"""The gateway on a disk that is full while a certain file exists: for gunicorn, on SQLite only."""

import os
from pathlib import Path

from sqlalchemy import Connection, Engine, event

from app.serving import serve

_AS_LARGE_AS_CAN_BE = 4_294_967_294


@event.listens_for(Engine, "begin")
def _limit(connection: Connection) -> None:
    # A limit below the present size is the present size: no page can be added.
    is_full = Path(os.environ["DISK_IS_FULL_WHILE_THERE_IS"]).exists()
    pages = 1 if is_full else _AS_LARGE_AS_CAN_BE
    connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")


app = serve()
